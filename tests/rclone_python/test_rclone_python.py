"""rclone-python's functions on our engine: the same names, signatures, results and errors, without
its faults."""

from __future__ import annotations

import gc
import inspect
import io
import json
import os
import pickle
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_subprocess import FakeProcess
from rclone_python import rclone as theirs
from rclone_python import utils

from pluton_rclone import errors
from pluton_rclone import rclone_python as ours
from pluton_rclone.rclone.engine import Rclone

FUNCTIONS = [
    name
    for name, value in vars(theirs).items()
    if inspect.isfunction(value)
    and not name.startswith("_")
    and value.__module__.startswith("rclone_python.rclone")
]

LEAKY = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)
"""For rclone-python itself: its transfers leave their pipes open."""


@pytest.fixture(autouse=True)
def world(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """rclone on PATH, a configuration with one remote, and both libraries in their initial
    state."""
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    (home / "rclone.conf").write_text(f"[place]\ntype = alias\nremote = {tmp_path / 'place'}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(utils.Config, "_instance", None)
    monkeypatch.setattr(utils.Config, "_initialized", False)
    monkeypatch.setattr(ours, "_config", None)
    monkeypatch.setattr(ours, "_executable", None)
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "place").mkdir()
    (folder / "a.txt").write_text("hello")
    (folder / "sub" / "b.bin").write_bytes(b"\0" * 100_000)
    for path in (folder / "a.txt", folder / "sub" / "b.bin", folder / "sub"):
        os.utime(path, (1_767_323_045, 1_767_323_045))
    yield tmp_path
    assert not (tmp_path / "PWNED").exists()


def test_every_function_is_there() -> None:
    assert len(FUNCTIONS) == 24
    assert set(FUNCTIONS) <= set(dir(ours))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_signature_is_the_same(name: str) -> None:
    def shape(function: Any) -> list[tuple[str, Any, Any]]:
        return [
            (p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()
        ]

    assert shape(getattr(ours, name)) == shape(getattr(theirs, name))


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.get_remotes(),
        lambda r: r.check_remote_existing("place"),
        lambda r: r.check_remote_existing("nothing:"),
        lambda r: r.ls("source"),
        lambda r: r.ls("source", files_only=True, args=["--hash-type md5", "-R"]),
        lambda r: r.ls("source", max_depth=2, dirs_only=True),
        lambda r: r.size("source"),
        lambda r: r.tree("source"),
        lambda r: r.cat("source/a.txt"),
        lambda r: r.cat("source/a.txt", offset=1, count=2),
        lambda r: r.cat("source/a.txt", head=3),
        lambda r: r.cat("source/a.txt", tail=3),
        lambda r: r.hash("md5", "source"),
        lambda r: r.hash(r.HashTypes.sha1, "source/a.txt"),
        lambda r: r.hash("md5", "source", download=True),
        lambda r: (lambda answer: (answer[0], sorted(answer[1])))(r.check("source", "source")),
        lambda r: (lambda answer: (answer[0], sorted(answer[1])))(
            r.check("source", "place:", one_way=True)
        ),
        # rclone compares several files at once, in random order
        lambda r: (lambda answer: (answer[0], sorted(answer[1])))(
            r.check("source", "source", size_only=True, combined="report")
        ),
        lambda r: r.version(),
        lambda r: r.is_installed(),
        lambda r: r.mkdir("place:new"),
        lambda r: sorted(r.about("source")),
    ],
)
def test_the_same_answers(call: Any) -> None:
    assert call(ours) == call(theirs)


def test_hashes_into_a_file_and_back(world: Path) -> None:
    assert ours.hash("md5", "source", output_file="sums") is None
    assert ours.hash("md5", "source", checkfile="sums") == {"a.txt": True, "sub/b.bin": True}
    (world / "source" / "a.txt").write_text("other")
    assert ours.hash("md5", "source", checkfile="sums") == theirs.hash(
        "md5", "source", checkfile="sums"
    )


def test_a_comparison_that_did_not_begin_is_not_told_from_the_report_of_an_earlier_one(
    world: Path,
) -> None:
    report = world / "report"
    for _ in range(2):
        same, lines = ours.check(world / "source", world / "source", combined=report)
        assert (same, {sign for sign, _ in lines}) == (True, {"="})
    with pytest.raises(ours.RcloneException):
        ours.check("nosuch:", world / "source", combined=report)
    assert report.read_text() == ""


def test_a_file_whose_hash_is_not_known_has_its_name(world: Path, home: Path) -> None:
    """A hasher has no hash of a crypt's file that it has not read."""
    (home / "rclone.conf").write_text(
        f"""
[safe]
type = crypt
remote = {world / "place"}
filename_encryption = off
directory_name_encryption = false
password = UKpre-Wfwj6oJj92qWd8pGI

[hashes]
type = hasher
remote = safe:
hashes = md5
"""
    )
    for name in ("a.txt", "b.txt"):
        ours.copyto("source/a.txt", f"safe:{name}", show_progress=False)
    assert ours.hash("md5", "hashes:") == theirs.hash("md5", "hashes:")
    assert ours.hash("md5", "hashes:") == {"a.txt": "", "b.txt": ""}


@pytest.mark.parametrize("name", ["copy", "copyto", "sync", "move", "moveto"])
def test_transfers(name: str, world: Path) -> None:
    getattr(ours, name)("source", "place:target", show_progress=False)
    assert (world / "place" / "target" / "a.txt").read_text() == "hello"
    assert (world / "source" / "a.txt").exists() is (not name.startswith("move"))


def test_deleting(world: Path) -> None:
    ours.delete("source")
    assert not (world / "source" / "a.txt").exists()
    ours.purge("source")
    assert not (world / "source").exists()


def test_what_exists_can_be_left_alone(world: Path) -> None:
    (world / "place" / "a.txt").write_text("older and longer")
    ours.copy("source", "place:", ignore_existing=True, show_progress=False)
    assert (world / "place" / "a.txt").read_text() == "older and longer"


@LEAKY
def test_a_listener_gets_the_same_dictionary(world: Path) -> None:
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    ours.copy("source", "place:1", show_progress=False, listener=seen["ours"].append)
    theirs.copy("source", "place:2", show_progress=False, listener=seen["theirs"].append)
    gc.collect()
    mine, other = seen["ours"][-1], seen["theirs"][-1]
    assert set(mine) == set(other)
    assert {name: mine[name] for name in ("tasks", "total", "sent", "progress")} == {
        name: other[name] for name in ("tasks", "total", "sent", "progress")
    }
    assert set(mine["rclone_output"]) == set(other["rclone_output"])


def test_a_listener_sees_the_files_in_flight(world: Path) -> None:
    (world / "source" / "big").write_bytes(os.urandom(2_000_000))
    seen: list[dict[str, Any]] = []
    ours.copy("source", "place:", show_progress=False, listener=seen.append, args=["--bwlimit 1M"])
    tasks = [task for update in seen for task in update["tasks"]]
    assert {"name", "total", "sent", "progress", "transfer_speed"} == set(tasks[0])
    assert {task["name"] for task in tasks} >= {"big"}


def test_a_listener_that_fails_cancels_the_transfer(world: Path) -> None:
    (world / "source" / "big").write_bytes(os.urandom(20_000_000))

    def fail(update: dict[str, Any]) -> None:
        raise LookupError("listener")

    with pytest.raises(LookupError):
        ours.copy("source", "place:", show_progress=False, listener=fail, args=["--bwlimit", "1M"])
    assert not (world / "place" / "big").exists()


def test_progress_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    ours.copy("source", "place:")
    assert "Copying" in capsys.readouterr().out


def test_progress_is_drawn_into_the_bars_of_a_larger_whole(world: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress

    (world / "source" / "[red]not[").mkdir()
    (world / "source" / "[red]not[" / "blue] markup").write_bytes(os.urandom(1_000_000))
    screen = io.StringIO()
    bars = Progress(console=Console(file=screen, force_terminal=True, width=100))
    ours.copy("source", "place:", pbar=bars, args=["--bwlimit=500k"])
    assert bars.tasks[0].finished
    assert "Copying source to place:" in screen.getvalue().replace("\x1b[1;35m", "").replace(
        "\x1b[0m", ""
    )
    assert "[red]not[/blue] markup" in "".join(
        task.description.replace("\\[", "[") for task in bars.tasks
    )


def test_what_is_not_drawn_is_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    ours.copy("source", "place:", show_progress=False)
    assert capsys.readouterr().out == ""


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: ours.ls("nothing"), errors.NothingFound),
        (lambda: ours.copy("nothing", "place:", show_progress=False), errors.NothingFound),
        (lambda: ours.about("nosuchremote:"), errors.StorageNotFound),
        (lambda: ours.hash("md5", "nosuchremote:"), errors.StorageNotFound),
        (lambda: ours.hash("nosuchhash", "source"), errors.PlutonRcloneError),
        (lambda: ours.check("source", "nosuchremote:"), errors.StorageNotFound),
        (lambda: ours.mkdir("source/a.txt/x"), errors.PlutonRcloneError),
        (lambda: ours.ls("source", args=["--no-such-flag"]), errors.RcloneUsage),
        (lambda: ours.create_remote("place", "local"), errors.StorageExists),
        (lambda: ours.ls("nul\0"), errors.UsageError),
        (lambda: ours.ls("source", args=["'open"]), errors.UsageError),
        (lambda: ours.delete("source", args="-v"), errors.UsageError),
    ],
)
def test_errors_are_both(call: Any, kind: type[BaseException]) -> None:
    with pytest.raises(utils.RcloneException) as caught:
        call()
    error: Any = caught.value
    assert isinstance(error, kind)
    assert isinstance(error, ours.RcloneException)
    assert issubclass(type(error), ChildProcessError)
    assert error.description
    assert error.error_msg
    assert error.advice
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.description, again.what) == (
        type(error),
        error.description,
        error.what,
    )


@LEAKY
def test_the_description_of_a_failed_transfer_is_theirs() -> None:
    descriptions = []
    for library in (ours, theirs):
        with pytest.raises(utils.RcloneException) as caught:
            library.copy("nothing", "place:", show_progress=False)
        descriptions.append(caught.value.description)
        del caught
        gc.collect()
    assert descriptions[0] == descriptions[1] == "Copying from nothing to place: failed"


def test_no_rclone_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert not ours.is_installed()
    with pytest.raises(utils.RcloneException) as caught:
        ours.get_remotes()
    assert isinstance(caught.value, errors.RcloneNotFound)


# ---- its faults ----------------------------------------------------------------------------------


def test_no_shell_reads_a_path(world: Path) -> None:
    name = "$(touch PWNED) `touch PWNED`; touch PWNED \"'.txt"
    (world / "source" / name).write_text("x")
    assert [entry["Name"] for entry in ours.ls(f"source/{name}")] == [name]
    ours.copy(f"source/{name}", "place:", show_progress=False)
    ours.ls("source", args=["--exclude '$(touch PWNED)'"])
    assert (world / "place" / name).exists()


def test_a_name_with_what_python_takes_for_the_end_of_a_line_is_one_name(world: Path) -> None:
    names = ["a\u2028b", "c\x85d", " e ", "f\x0cg"]
    (world / "odd").mkdir()
    for name in names:
        (world / "odd" / name).write_text(name)
    shown = {name.replace("\x0c", "␌") for name in names}  # as rclone writes a control character

    same, found = ours.check("odd", "source")
    assert not same
    assert {name for sign, name in found if sign == "+"} == shown
    ours.check("odd", "source", combined="combined.txt")
    _, found = ours.check("odd", "source", combined="combined.txt")
    assert {name for sign, name in found if sign == "+"} == shown
    hashes = ours.hash("md5", "odd")
    assert isinstance(hashes, dict)
    assert set(hashes) == shown
    ours.hash("md5", "odd", output_file="sums")
    judged = ours.hash("md5", "odd", checkfile="sums")
    assert judged == dict.fromkeys(shown, True)


def test_the_executable_that_was_set_is_used_for_everything(tmp_path: Path) -> None:
    told = tmp_path / "told"
    wrapper = tmp_path / "wrapper"
    real = os.path.join(os.path.dirname(sys.executable), "rclone")
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> {told}\nexec {shlex.quote(real)} "$@"\n')
    wrapper.chmod(0o755)
    ours.set_executable_file(wrapper)
    ours.copy("source", "place:", show_progress=False)
    ours.ls("source")
    assert told.read_text().split() == ["copy", "lsjson"]
    with pytest.raises(FileNotFoundError):
        ours.set_executable_file("/nowhere/rclone")


def test_the_configuration_can_be_set_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.conf").write_text(f"[{name}]\ntype = local\n")
        ours.set_config_file(tmp_path / f"{name}.conf")
        assert ours.get_remotes() == [f"{name}:"]


def test_a_new_remote_and_its_secret_are_not_seen_by_others(tmp_path: Path) -> None:
    ours.set_config_file(tmp_path / "new.conf")
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ours.create_remote(
            "s3",
            ours.RemoteTypes.s3,
            "the id",
            "the S3CRET",
            provider="Other",
            secret_access_key="S3CRET",
        )
    finally:
        over.set()
        watcher.join()
    assert not [line for line in seen if b"S3CRET" in line]
    section = (tmp_path / "new.conf").read_text()
    assert "[s3]\ntype = s3\n" in section
    assert "secret_access_key = S3CRET" in section
    assert ours.check_remote_existing("s3")


def test_the_password_of_a_new_remote_is_stored_as_rclone_reads_it(tmp_path: Path) -> None:
    ours.set_config_file(tmp_path / "new.conf")
    ours.create_remote("far", "sftp", host="localhost", **{"pass": "S3CRET"})
    section = (tmp_path / "new.conf").read_text()
    assert "S3CRET" not in section
    (stored,) = [line for line in section.splitlines() if line.startswith("pass = ")]
    revealed = Rclone().run("reveal", places=[stored[7:]]).stdout
    assert revealed.decode().strip() == "S3CRET"


# ---- what the real binary cannot be made to do ---------------------------------------------------


def test_a_release_and_a_beta(fp: FakeProcess) -> None:
    out = (
        "yours:  1.75.2\nlatest: 1.76.0   (released 2026-09-01)\nbeta:   "
        "1.77.0-beta.9000.abcdef012 (x)\n"
    )
    fp.register([fp.any(), "version", fp.any()], stdout=out)
    assert ours.version(check=True) == ("1.75.2", "1.76.0", "1.77.0-beta.9000.abcdef012")


def test_no_release_can_be_found(fp: FakeProcess) -> None:
    fp.register([fp.any(), "version", fp.any()], stdout="yours:  1.75.2\n")
    assert ours.version(check=True) == ("1.75.2", None, None)


def test_a_public_link(fp: FakeProcess) -> None:
    fp.register([fp.any(), "link", fp.any()], stdout="https://1drv.ms/x/abc\n")
    assert ours.link("place:a", expire="1d").strip() == "https://1drv.ms/x/abc"
    assert "--expire=1d" in fp.calls[0]
    assert list(fp.calls[0])[-2:] == ["--", "place:a"]


def test_an_error_that_only_microsoft_can_give(fp: FakeProcess) -> None:
    line = {
        "level": "error",
        "msg": "Failed to copy: accessDenied: Access denied",
        "object": "a",
        "objectType": "*local.Object",
    }
    fp.register([fp.any(), "copy", fp.any()], stderr=json.dumps(line) + "\n", returncode=1)
    with pytest.raises(ours.RcloneException) as caught:
        ours.copy("source", "place:", show_progress=False)
    error: Any = caught.value
    assert error.error_msg == "a: Failed to copy: accessDenied: Access denied"
    assert [file.error.code for file in error.result.failed] == ["access_denied"]
    assert error.who is errors.Who.ADMINISTRATOR


def test_an_answer_that_is_no_json(fp: FakeProcess) -> None:
    fp.register([fp.any(), "about", fp.any()], stdout="not json\n")
    with pytest.raises(ours.RcloneException, match="cannot be read"):
        ours.about("place:")
