"""Where an rclone.conf can be: on a bind mount, in a read-only place, on a full disk, behind a
symbolic link."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.conf import encryption, journal
from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import ConfigNotWritable, ConfigUnreadable
from pluton_rclone.process.system import held
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import Runs
from tests.conf.mounts import inside, inside_mount, inside_small_disk
from tests.conf.test_conf_other_writers import AWAY, NEW

TOKEN = '{"access_token":"a","refresh_token":"r","expiry":"2030-01-01T00:00:00Z"}'
RENEWED = '{"access_token":"b","refresh_token":"s","expiry":"2030-02-01T00:00:00Z"}'
OLD = "# kept\n[anna]\ntype = memory\ndescription = old\n"

# Changes the given file and prints the result.
_CHANGE = """
import json, os, sys
from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.conf.conf import Conf
path, password, size = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
conf = Conf(path, password=password)
told = {}
for step, act in {
    "check": conf.check_writable,
    "update": lambda: conf.update("anna", {"description": "new" * size}),
    "add": lambda: conf.add("bert", {"type": "memory"}),
}.items():
    try:
        act()
        told[step] = "done"
    except PlutonRcloneError as error:
        told[step] = error.record()
told["names"] = conf.names()
told["description"] = conf.section("anna")["description"][:9]
told["beside"] = sorted(os.listdir(os.path.dirname(path)))
print(json.dumps(told))
"""


def change(path: Path, *, password: str = "", size: int = 1) -> list[str]:
    return [sys.executable, "-c", _CHANGE, str(path), password, str(size)]


def told(argv: list[str], *, user: int | None = None) -> dict[str, Any]:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        user=user,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("password", ["", "geheim"])
def test_a_file_on_a_bind_mount_is_written_in_place(tmp_path: Path, password: str) -> None:
    """As Docker makes for `-v host.conf:/etc/rclone.conf`; rclone itself: "device or resource
    busy"."""
    host, container = tmp_path / "host.conf", tmp_path / "container" / "rclone.conf"
    container.parent.mkdir()
    container.touch()
    data = OLD.encode()
    host.write_bytes(
        encryption.encrypt(data, encryption.key_from_password(password)) if password else data
    )
    host.chmod(0o644)
    inode = host.stat().st_ino
    for size in (2000, 1):  # longer, then shorter again
        seen = told(inside_mount(host, container, change(container, password=password, size=size)))
        assert seen["update"] == "done"
    assert seen["check"] == "done"
    assert seen["beside"] == [".rclone.conf.pluton.lock", "rclone.conf"]
    assert host.stat().st_ino == inode
    assert host.stat().st_mode & 0o777 == 0o600
    conf = Conf(host, password=password or None)
    assert conf.names() == ["anna", "bert"]
    assert conf.section("anna")["description"] == "new"
    assert conf.is_encrypted() == bool(password)
    if not password:
        assert host.read_text() == OLD.replace("old", "new") + "\n[bert]\ntype = memory\n"


@pytest.mark.parametrize("left", [False, True], ids=["", "a killed writer's journal"])
def test_a_mounted_file_that_another_program_has_locked_is_not_waited_for_for_ever(
    tmp_path: Path, left: bool
) -> None:
    host, container = tmp_path / "host.conf", tmp_path / "container" / "rclone.conf"
    container.parent.mkdir()
    container.touch()
    host.write_text(OLD)
    if left:
        journal.path_of(container).write_text(OLD)
    beside = {".rclone.conf.pluton.lock", *os.listdir(container.parent)}
    argv = change(container)
    argv[2] = f"from pluton_rclone.conf import system\nsystem.LOCK_SECONDS = 0.05\n{argv[2]}"
    with host.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        seen = told(inside_mount(host, container, argv))
    assert seen["update"]["error"] == seen["add"]["error"] == "config_locked"
    assert str(container) in seen["update"]["what"]
    assert set(seen["beside"]) == beside
    assert host.read_text() == OLD


def test_a_whole_folder_that_is_mounted_needs_nothing_special(tmp_path: Path) -> None:
    host, container = tmp_path / "host", tmp_path / "container"
    host.mkdir()
    container.mkdir()
    (host / "rclone.conf").write_text(OLD)
    seen = told(inside_mount(host, container, change(container / "rclone.conf")))
    assert seen["update"] == seen["add"] == seen["check"] == "done"
    assert Conf(host / "rclone.conf").names() == ["anna", "bert"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_mount_is_told_and_nothing_is_lost(tmp_path: Path, what: str) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "rclone.conf").write_text(OLD)
    mounted = host / "rclone.conf" if what == "file" else host
    seen = told(inside_mount(mounted, mounted, change(host / "rclone.conf"), options="ro"))
    for step in ("check", "update", "add"):
        assert seen[step]["error"] == "config_not_writable"
        assert seen[step]["why"] == "it is on a read-only file system"
    assert seen["names"] == ["anna"]
    assert (host / "rclone.conf").read_text() == OLD
    assert [name for name in os.listdir(host) if "lock" not in name] == ["rclone.conf"]


def test_a_folder_of_somebody_else_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "rclone.conf"
    path.write_text(OLD)
    path.chmod(0o444)
    folder.chmod(0o555)
    # in its own namespace, root has lost the right to override modes
    seen = told(
        inside("true", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *change(path)])
    )
    for step in ("check", "update", "add"):
        assert seen[step]["error"] == "config_not_writable"
        assert seen[step]["why"] == "this user may not write there"
    assert seen["names"] == ["anna"]
    assert path.read_text() == OLD


def test_a_lock_of_somebody_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    path.write_text(OLD)
    lock = tmp_path / ".rclone.conf.pluton.lock"
    lock.touch(mode=0)
    seen = told(
        inside("true", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *change(path)])
    )
    for step in ("check", "update", "add"):
        assert seen[step]["error"] == "config_not_writable"
        assert seen[step]["what"] == f"{lock} cannot be written"


def test_what_root_makes_beside_somebodys_file_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, tuple[int, int]] = {}

    def fchown(descriptor: int, *owner: int) -> None:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))
        assert name not in given
        given[name] = (owner[0], owner[1])

    (tmp_path / "rclone.conf").write_text(OLD)
    owner = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 0)
        patch.setattr(os, "fchown", fchown)
        runs = Runs(tmp_path / "rclone.conf")
        run = Run(command="copy", storages=("work",), destination="work:")
        for _ in range(2):
            held(tmp_path / "lock", 1).release()
            runs.begin(run).exited(0)
    assert sorted(given)[1:] == ["lock"]
    assert "runs.sqlite" in sorted(given)[0]
    assert set(given.values()) == {owner}


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    disk, source, after = tmp_path / "disk", tmp_path / "source", tmp_path / "after"
    disk.mkdir()
    source.write_text(OLD)
    path = disk / "rclone.conf"
    fill = f"cat {source} > {path}; head -c 1000000 /dev/zero > {disk}/full 2>/dev/null || true"
    seen = told(
        inside_small_disk(
            disk,
            "256k",
            ["sh", "-c", f"{fill}; {shlex.join(change(path, size=20000))}; cat {path} > {after}"],
        )
    )
    for step in ("check", "update"):
        assert seen[step]["error"] == "config_not_writable"
        assert seen[step]["why"] == "the disk is full"
        assert "Free disk space" in seen[step]["advice"]
    assert seen["description"] == "old"
    assert [name for name in seen["beside"] if "lock" not in name] == ["full", "rclone.conf"]
    assert after.read_text() == OLD


def test_a_full_disk_under_a_mounted_file_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    disk, container = tmp_path / "disk", tmp_path / "container" / "rclone.conf"
    disk.mkdir()
    container.parent.mkdir()
    container.touch()
    source = tmp_path / "source"
    source.write_text(OLD)
    preparation = "\n".join(
        [
            f"mount -t tmpfs -o size=64k small {disk}",
            f"cat {source} > {disk}/host.conf",
            f"head -c 1000000 /dev/zero > {disk}/full 2>/dev/null || true",
            f"mount --bind {disk}/host.conf {container}",
        ]
    )
    seen = told(inside(preparation, change(container, size=20000)))
    assert seen["update"]["error"] == "config_not_writable"
    assert seen["update"]["why"] == "the disk is full"
    assert seen["description"] == "old"
    assert seen["beside"] == [".rclone.conf.pluton.lock", "rclone.conf"]


def test_a_symbolic_link_to_a_mounted_file_is_followed(tmp_path: Path) -> None:
    host, container = tmp_path / "host.conf", tmp_path / "container" / "rclone.conf"
    container.parent.mkdir()
    container.touch()
    host.write_text(OLD)
    link = tmp_path / "links" / "rclone.conf"
    link.parent.mkdir()
    link.symlink_to(container)
    seen = told(inside_mount(host, container, change(link)))
    assert seen["update"] == "done"
    assert seen["beside"] == ["rclone.conf"]
    assert link.is_symlink()
    assert Conf(host).names() == ["anna", "bert"]


@pytest.fixture
def swapped(tmp_path: Path) -> tuple[Path, Callable[[], None]]:
    """An rclone.conf as with kubelet, agenix or a release's folder `current`, and a function that
    installs the next one: the link changes, and the old folder is removed."""
    path, link = tmp_path / "rclone.conf", tmp_path / "..data"
    for name, more in (("..1", ""), ("..2", "[bert]\ntype = memory\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rclone.conf").write_text(f"{OLD}token = {TOKEN}\n{more}")
    link.symlink_to("..1")
    path.symlink_to("..data/rclone.conf")

    def swap() -> None:
        (tmp_path / "next").symlink_to("..2")
        (tmp_path / "next").replace(link)
        shutil.rmtree(tmp_path / "..1")

    return path, swap


def test_a_running_program_follows_a_link_that_leads_elsewhere(
    swapped: tuple[Path, Callable[[], None]],
) -> None:
    """Formerly, it kept the old file; a change recreated the removed folder and was lost."""
    path, swap = swapped
    conf = Conf(path)
    assert conf.names() == ["anna"]
    swap()
    assert conf.names() == ["anna", "bert"]
    conf.add("carl", {"type": "memory"})
    assert Conf(path).names() == conf.names() == ["anna", "bert", "carl"]
    beside = sorted(os.listdir(path.parent))
    assert beside == ["..2", "..data", "rclone.conf"]


def test_a_token_comes_home_through_a_link_that_leads_elsewhere_now(
    swapped: tuple[Path, Callable[[], None]],
) -> None:
    path, swap = swapped
    with Conf(path).private(["anna"]) as private:
        private.path.write_text(private.path.read_text().replace(TOKEN, RENEWED))
        swap()
    assert Conf(path).section("anna")["token"] == RENEWED


def test_a_journal_counts_as_the_content_and_the_next_change_finishes_it(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    path.write_text(OLD)
    new = OLD.replace("old", "new").encode()
    mark = journal.path_of(path)
    mark.write_bytes(new)
    assert Conf(path).section("anna")["description"] == "new"
    Conf(path).add("bert", {"type": "memory"})
    assert path.read_text() == new.decode() + "\n[bert]\ntype = memory\n"
    assert not mark.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    conf = Conf(tmp_path / "file" / "rclone.conf")
    assert conf.names() == []
    with pytest.raises(ConfigNotWritable):
        conf.add("anna", {"type": "memory"})


@pytest.mark.parametrize("name", ["rclone.conf", "below/rclone.conf"])
def test_a_file_in_the_place_of_its_folder_is_called_that(tmp_path: Path, name: str) -> None:
    """Formerly: "File exists", and the advice to make it writable."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigNotWritable, match="a file is in the place of its folder") as caught:
        Conf(tmp_path / "file" / name).add("anna", {"type": "memory"})
    assert "Name a file in a folder" in caught.value.advice


@pytest.mark.usefixtures("folder_that_is_gone")
def test_a_relative_path_in_a_folder_that_is_gone_is_told() -> None:
    with pytest.raises(ConfigUnreadable, match="current folder"):
        Conf("rclone.conf")


def test_what_a_killed_rclone_left_and_nobody_may_read_is_named(tmp_path: Path) -> None:
    left = tmp_path / AWAY
    (tmp_path / NEW).touch()
    left.write_text(OLD)
    left.chmod(0)
    read = [sys.executable, "-c", _NAMES, str(tmp_path / "rclone.conf")]
    seen = told(inside("true", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *read]))
    assert seen["error"] == "config_unreadable"
    assert seen["what"] == f"{left} cannot be read"


_NAMES = """
import json, sys
from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import PlutonRcloneError
try:
    told = Conf(sys.argv[1]).names()
except PlutonRcloneError as error:
    told = error.record()
print(json.dumps(told))
"""


# ---- what is no file ----


@pytest.mark.parametrize("name", [AWAY, ".rclone.conf.pluton-save-1"])
def test_a_folder_that_is_called_as_a_leftover_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / NEW).touch()
    conf = Conf(tmp_path / "rclone.conf")
    assert conf.names() == []
    conf.add("anna", {"type": "memory"})
    assert conf.names() == ["anna"]
    assert (tmp_path / name).is_dir()


def test_a_fifo_in_the_place_of_the_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    os.mkfifo(path)
    with pytest.raises(ConfigUnreadable, match="FIFO"):
        Conf(path).names()
    with pytest.raises(ConfigNotWritable, match="FIFO"):
        Conf(path).add("anna", {"type": "memory"})
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_the_null_device_is_no_configuration_and_stays_a_device() -> None:
    """Formerly, as root, a change replaced the machine's /dev/null with a file."""
    conf = Conf(os.devnull)
    assert conf.names() == []
    with pytest.raises(ConfigNotWritable, match="device"):
        conf.add("anna", {"type": "memory"})
    with pytest.raises(ConfigNotWritable, match="device"):
        conf.check_writable()
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert not Path("/dev/.null.pluton.lock").exists()
