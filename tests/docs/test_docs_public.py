"""What the library promises its embedders: complete names, documented and typed; no printing; its
own exceptions."""

from __future__ import annotations

import ast
import functools
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pluton_rclone
from pluton_rclone import errors
from pluton_rclone.emulator import Emulator
from tests.connected import ANNA, connected

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pluton_rclone"
SOURCE: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "source.py"))

# These are made to print: the command line, and the emulator's command and simulated person.
PRINTING = {"cli", "emulator/command.py", "emulator/person.py"}
# Python's own protocols need these; none of them reports a failure of the library's work.
PROTOCOL = {
    "AttributeError",  # a module or object without that name
    "AssertionError",
    "TimeoutError",  # Transfer.result(timeout): the caller's limit; the transfer continues
    "StopIteration",
    "NotImplementedError",
}
# Raised and caught inside the package, below the public surface; Size.parse and Version.parse
# document it.
INNER = {"OSError", "ValueError", "FileNotFoundError", "PermissionError"}


@functools.cache
def library() -> list[tuple[str, list[ast.AST]]]:
    """Every module that is not an interface: its name within the package, its syntax tree."""
    return [
        (name, list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
        for path in sorted(PACKAGE.rglob("*.py"))
        if (name := path.relative_to(PACKAGE).as_posix())
        and not any(name == door or name.startswith(f"{door}/") for door in PRINTING)
    ]


def public_members() -> Iterator[tuple[str, Any]]:
    for name in pluton_rclone.__all__:
        named = SOURCE["Named"](getattr(pluton_rclone, name).__module__, name)
        if isinstance(named.node, ast.ClassDef):
            for member in SOURCE["members"](named):
                yield name, member


def test_library_code_never_prints() -> None:
    prints = [
        f"{name}:{node.lineno}"
        for name, tree in library()
        for node in tree
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("print", "pprint", "input", "breakpoint")
        )
        or (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("sys.stdout", "sys.stderr", "sys.exit")
        )
    ]
    assert prints == []


def test_loggers_are_named_after_their_modules_and_nobody_configures_logging() -> None:
    calls = [
        (name, ast.unparse(node))
        for name, tree in library()
        for node in tree
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logging"
    ]
    assert calls
    configuring = ("logging.basicConfig", "logging.captureWarnings", "logging.disable")
    assert [call for call in calls if call[1].startswith(configuring)] == []
    foreign = {name for name, call in calls if call != "logging.getLogger(__name__)"}
    assert foreign <= {
        "process/log.py",  # in the module that owns it
        "rclone_python/__init__.py",  # users of rclone-python know its set_log_level
    }


def test_every_class_that_is_raised_is_one_of_ours() -> None:
    ours = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    raised = {
        (name, ast.unparse(node.exc.func))
        for name, tree in library()
        if not name.startswith(("emulator/", "web/"))
        for node in tree
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    private = {
        node.name for _, tree in library() for node in tree if isinstance(node, ast.ClassDef)
    }
    foreign = {
        (name, kind)
        for name, kind in raised
        if kind.rpartition(".")[2] not in ours | PROTOCOL | INNER | private and kind[0].isupper()
    }
    assert foreign == set()


def test_every_exception_of_the_package_stems_from_one_or_never_leaves() -> None:
    outside = {
        f"{name}:{node.name}"
        for name, tree in library()
        if name != "errors.py" and not name.startswith(("emulator/", "web/"))
        for node in tree
        if isinstance(node, ast.ClassDef)
        and any(
            ast.unparse(base) in ("Exception", "BaseException", "OSError", "ValueError")
            for base in node.bases
        )
    }
    caught = {
        ast.unparse(kind)
        for _, tree in library()
        for node in tree
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for kind in (node.type.elts if isinstance(node.type, ast.Tuple) else [node.type])
    }
    caught |= {
        ast.unparse(kind)
        for _, tree in library()
        for node in tree
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
        for kind in node.args
    }
    never_caught = {
        each
        for each in outside
        if each.rpartition(":")[2] not in {c.rpartition(".")[2] for c in caught}
    }
    assert never_caught == set()


def test_every_public_name_and_member_says_what_it_is() -> None:
    silent = [f"{name}.{member.signature}" for name, member in public_members() if not member.text]
    assert silent == []


def test_every_public_signature_is_typed() -> None:
    untyped = [
        f"{name}.{node.name}({argument.arg})"
        for name in pluton_rclone.__all__
        for each in SOURCE["bases"](SOURCE["Named"](getattr(pluton_rclone, name).__module__, name))
        for node in each.node.body
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.args[1:], *node.args.kwonlyargs]
        if argument.annotation is None
        and not any("static" in ast.unparse(d) for d in node.decorator_list)
    ]
    assert untyped == []
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", pluton_rclone.__all__)
def test_every_public_name_imports_alone(name: str) -> None:
    assert getattr(pluton_rclone, name).__name__ == name


@pytest.mark.parametrize(
    "attempt",
    [
        lambda folder: pluton_rclone.AppRegistration(""),
        lambda folder: pluton_rclone.AppRegistration("id", tenant="no tenant"),
        lambda folder: pluton_rclone.AppRegistration("id", region="moon"),
        lambda folder: pluton_rclone.Token.from_rclone("\x00"),
        lambda folder: pluton_rclone.OneDriveRemote(),
        lambda folder: pluton_rclone.OneDriveRemote(drive_id="a", drive_type="disk", token="{}"),
        lambda folder: pluton_rclone.StorageSetup.from_record({}),
        lambda folder: pluton_rclone.StorageSetup().begin_sign_in("https://pluton.example"),
        lambda folder: pluton_rclone.StorageSetup().use_token("nonsense"),
        lambda folder: pluton_rclone.Rclone(folder / "rclone"),
        lambda folder: pluton_rclone.Rclone().copy("nowhere:x", folder).result(),
        lambda folder: pluton_rclone.Rclone().list("nowhere:x"),
        lambda folder: list(pluton_rclone.Rclone().walk(str(folder / "nothing"))),
        lambda folder: list(pluton_rclone.Storages(folder)),
        lambda folder: pluton_rclone.Storages(folder / "missing.conf")["x"],
        lambda folder: pluton_rclone.Storages(binary=folder / "rclone").binary,
        lambda folder: pluton_rclone.Conf(folder / "file" / "rclone.conf").add(
            "x", {"type": "onedrive"}
        ),
        lambda folder: pluton_rclone.Conf(folder / "missing.conf").add(
            "a\nb", {"type": "onedrive"}
        ),
        lambda folder: pluton_rclone.Conf(folder / "missing.conf").delete("x"),
    ],
)
def test_whatever_goes_wrong_at_the_public_surface_is_one_exception_with_all_its_parts(
    home: Path, tmp_path: Path, attempt: Callable[[Path], object]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(pluton_rclone.PlutonRcloneError) as caught:
        attempt(tmp_path)
    record = caught.value.record()

    assert record["what"]
    assert record["who"]
    assert record["advice"]
    assert json.loads(json.dumps(record)) == record


def test_no_log_line_holds_a_secret(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    storage = connected(cloud)
    (tmp_path / "file.txt").write_text("content")
    storage.upload(tmp_path / "file.txt", "x").result()
    storage.storages.keep_alive()
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)
    assert not storage.check_health().ok
    token = json.loads(storage.section_with_secrets()["token"])

    assert caplog.records
    for secret in (token["access_token"], token["refresh_token"]):
        assert secret not in caplog.text
