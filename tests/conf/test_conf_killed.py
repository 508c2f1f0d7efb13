"""A writer that is killed at any point leaves the old or the new rclone.conf, never a broken one or
none."""

from __future__ import annotations

import collections
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conf.mounts import inside_mount


def _killing(folder: Path, *runs: str) -> list[str]:
    return [sys.executable, "-m", "tests.conf.killing", str(folder), *runs]


def _run(argv: list[str], *runs: str) -> None:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    for line, mode in zip(done.stdout.splitlines(), runs[::2], strict=True):
        _assert_whole(json.loads(line), mode)


@pytest.mark.parametrize(
    "runs",
    [
        ("some", "", "random", "", "some", "secret", "random", "secret"),
        pytest.param(("each", ""), marks=pytest.mark.soak),
    ],
)
def test_killed_while_saving(runs: tuple[str, ...], tmp_path: Path) -> None:
    _run(_killing(tmp_path, *runs), *runs)


@pytest.mark.parametrize(
    "runs",
    [("pairs", "", "recode", ""), pytest.param(("recode, closely", ""), marks=pytest.mark.soak)],
)
def test_killed_while_base_folders_and_passwords_are_set_changed_and_cleared(
    runs: tuple[str, ...], tmp_path: Path
) -> None:
    """A password, too, changes the whole file: it is encrypted, re-encrypted and decrypted."""
    _run(_killing(tmp_path, *runs), *runs)


@pytest.mark.parametrize(
    "runs",
    [
        ("some", "", "some", "secret", "random", ""),
        pytest.param(("each", ""), marks=pytest.mark.soak),
        pytest.param(("each", "secret"), marks=pytest.mark.soak),
    ],
)
def test_killed_while_saving_to_a_file_that_is_mounted(
    runs: tuple[str, ...], tmp_path: Path
) -> None:
    """A bind mount, as Docker makes for a single file, cannot be replaced by a rename."""
    (tmp_path / "host.conf").touch()
    folder = tmp_path / "container"
    folder.mkdir()
    (folder / "rclone.conf").touch()
    killing = _killing(folder, *runs)
    _run(inside_mount(tmp_path / "host.conf", folder / "rclone.conf", killing), *runs)


def _assert_whole(seen: dict[str, Any], mode: str) -> None:
    assert seen["faults"] == []
    if mode == "random":
        assert seen["killed"] == 50
        return
    fewest = 50 if mode == "each" else 10
    assert seen["killed"] == seen["old"] + seen["new"]
    assert seen["old"] > fewest
    assert seen["new"] > fewest


_CALLS = (
    *(
        "openat",
        "read",
        "write",
        "pwrite64",
        "fsync",
        "fchmod",
        "utimensat",
        "renameat2",
        "rename",
        "unlink",
    ),
    *("ftruncate", "flock", "close", "newfstatat", "getdents64", "mkdir", "lseek"),
)
_SAVE = """
import sys
from pathlib import Path
from typing import Any
from pluton_rclone.conf import conf, private, encryption, system, journal
import filelock, ctypes
ctypes.CDLL(None, use_errno=True)
c = conf.Conf(sys.argv[1])
c.section("anna")
if sys.argv[2] == "save":
    c.update("anna", {"one": "2", "two": "2", "three": "y" * 5000})
"""


@pytest.mark.soak
@pytest.mark.parametrize("where", ["folder", "mount"])
def test_killed_by_strace_at_each_system_call(where: str, tmp_path: Path) -> None:
    """SIGKILL is injected at the Nth openat, write, fsync, renameat2, … of a whole process, for
    every N of the save.
    """
    folder = tmp_path / "folder"
    folder.mkdir()
    target = folder / "rclone.conf"
    real = tmp_path / "host.conf" if where == "mount" else target
    (tmp_path / "host.conf").touch()
    target.touch()
    old = b"[anna]\ntype = memory\none = 1\ntwo = 1\n"

    def run(what: str, *strace: str) -> subprocess.CompletedProcess[bytes]:
        for entry in folder.iterdir():
            if entry != target:
                entry.unlink()
        real.write_bytes(old)
        argv = ["strace", "-f", "-qq", *strace, sys.executable, "-c", _SAVE, str(target), what]
        if where == "mount":
            argv = inside_mount(tmp_path / "host.conf", target, argv)
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False
        )

    def count(what: str) -> collections.Counter[str]:
        log = tmp_path / f"{what}.log"
        assert run(what, "-o", str(log), "-e", f"trace={','.join(_CALLS)}").returncode == 0
        return collections.Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))

    count("look")  # from here on, the compiled modules exist
    base, whole = count("look"), count("save")
    killed = 0
    seen = collections.Counter[str]()
    for call in _CALLS:
        for number in range(max(1, base[call] - 1), whole[call] + 1):
            done = run(
                "save",
                "-o",
                "/dev/null",
                "-e",
                f"trace={call}",
                "-e",
                f"inject={call}:signal=KILL:when={number}",
            )
            killed += done.returncode != 0
            seen[_which(folder, target, real, old, where)] += 1
    assert killed > 40
    assert set(seen) == {"old", "new"}


def _which(folder: Path, target: Path, real: Path, old: bytes, where: str) -> str:
    """The version that rclone would read; a mounted file may have line ends after it."""
    data = real.read_bytes()
    if where == "mount":
        data = data.rstrip(b"\n") + b"\n"
    if data == old:
        return "old"
    assert data == old.replace(b"= 1", b"= 2") + b"three = " + b"y" * 5000 + b"\n", data
    return "new"
