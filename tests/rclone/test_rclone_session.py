"""A session: where its socket lies, what it leaves behind, and what happens when its rclone goes
away."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pluton_rclone.errors import (
    ConfigPasswordMissing,
    ConfigUnreadable,
    NothingFound,
    RcloneError,
    UsageError,
)
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.session import Session


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for sockets of this test's own; its path is short, as a socket's must be."""
    folder = Path("/tmp") / f"pluton-test-{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def swept(runtime: Path) -> Iterator[None]:
    yield
    home = runtime / f"pluton-rclone-{os.getuid()}"
    left = list(home.iterdir()) if home.exists() else []
    shutil.rmtree(runtime)
    assert left == []


def folders(runtime: Path) -> list[Path]:
    return list((runtime / f"pluton-rclone-{os.getuid()}").iterdir())


def test_the_socket_lies_where_only_this_user_may_go(rclone: Rclone, runtime: Path) -> None:
    with rclone.session():
        [folder] = folders(runtime)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert stat.S_ISSOCK((folder / "rc.sock").stat().st_mode)
    assert folders(runtime) == []


def test_a_folder_of_somebody_else_is_stepped_around(rclone: Rclone, runtime: Path) -> None:
    home = runtime / f"pluton-rclone-{os.getuid()}"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with rclone.session() as session:
        assert session.call("core/version")["version"]
        [beside] = [folder for folder in runtime.iterdir() if folder != home]
        assert [folder.name[:8] for folder in beside.iterdir()] == ["session-"]
    assert list(home.iterdir()) == []


def test_the_folders_of_killed_sessions_are_told_from_those_of_living_ones(
    rclone: Rclone, runtime: Path
) -> None:
    with rclone.session() as first:
        stale = folders(runtime)[0].parent / "session-killed"
        stale.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(stale / "rc.sock"))
        with rclone.session() as second:
            assert not stale.exists()
            assert len(folders(runtime)) == 2
            assert first.call("core/version")["version"] == second.call("core/version")["version"]


def test_a_session_that_is_bound_and_does_not_listen_yet_is_not_swept_out(
    rclone: Rclone, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, 5 of 387 starts beside others failed so after 30 seconds."""
    began = threading.Event()
    go_on = threading.Event()

    def waits(self: Session) -> None:
        if threading.current_thread() is slow:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
                bound.bind(str(self._folder / "rc.sock.of-the-test"))
                began.set()
                go_on.wait()
        wait_until_it_listens(self)

    wait_until_it_listens = Session._wait_until_it_listens
    monkeypatch.setattr(Session, "_wait_until_it_listens", waits)
    said: list[str] = []

    def start() -> None:
        with rclone.session() as session:
            said.append(session.call("core/version")["version"])

    slow = threading.Thread(target=start)
    slow.start()
    began.wait()
    with rclone.session():
        assert len(folders(runtime)) == 2
    go_on.set()
    slow.join()
    assert len(said) == 1


def test_no_network_port_is_opened(rclone: Rclone) -> None:
    with rclone.session() as session:
        links = []
        for descriptor in os.listdir(f"/proc/{session.pid}/fd"):
            with suppress(FileNotFoundError):  # closed since it was listed
                links.append(os.readlink(f"/proc/{session.pid}/fd/{descriptor}"))
        inodes = {link[8:-1] for link in links if link.startswith("socket:")}
        assert inodes, "the unix socket itself is not seen"
        network = (
            Path(f"/proc/{session.pid}/net/tcp").read_text()
            + Path(f"/proc/{session.pid}/net/tcp6").read_text()
        )
        assert not [
            line for line in network.splitlines()[1:] if line.split() and line.split()[9] in inodes
        ]


def test_it_keeps_one_rclone(rclone: Rclone) -> None:
    with rclone.session() as session:
        pids = {session.call("core/pid")["pid"] for _ in range(5)}
        assert pids == {session.pid}


def test_an_rclone_that_is_killed_is_a_clear_error(rclone: Rclone) -> None:
    with rclone.session() as session:
        os.kill(session.pid, signal.SIGKILL)
        with pytest.raises(RcloneError, match="signal 9"):
            session.list("disk:")
        with pytest.raises(RcloneError):
            session.stat("disk:")


def test_after_its_end_it_is_over(rclone: Rclone) -> None:
    with rclone.session() as session:
        pass
    session.close()
    with pytest.raises(RcloneError):
        session.list("disk:")


def test_many_threads_at_once(rclone: Rclone, tmp_path: Path) -> None:
    for number in range(16):
        (tmp_path / "disk" / str(number)).mkdir()
        (tmp_path / "disk" / str(number) / f"file{number}").write_text("")
    found: dict[int, list[str]] = {}
    with rclone.session() as session:

        def look(number: int) -> None:
            for _ in range(10):
                found[number] = [entry.name for entry in session.list(f"disk:{number}")]

        threads = [threading.Thread(target=look, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {number: [f"file{number}"] for number in range(16)}


def test_two_sessions_with_two_configurations_do_not_meet(binary: Binary, tmp_path: Path) -> None:
    engines = []
    for number in (0, 1):
        (tmp_path / f"place{number}" / f"only{number}").mkdir(parents=True)
        (tmp_path / f"{number}.conf").write_text(
            f"[place]\ntype = alias\nremote = {tmp_path / f'place{number}'}\n"
        )
        engines.append(Rclone(binary, config=tmp_path / f"{number}.conf"))
    with engines[0].session() as first, engines[1].session() as second:
        assert [entry.name for entry in first.list("place:")] == ["only0"]
        assert [entry.name for entry in second.list("place:")] == ["only1"]


def test_a_configuration_that_cannot_be_read(binary: Binary, tmp_path: Path) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("not an ini\n[x\n")
    with pytest.raises(ConfigUnreadable), Rclone(binary, config=broken).session() as session:
        session.list("x:")


def test_a_configuration_that_is_encrypted(binary: Binary, tmp_path: Path) -> None:
    locked = tmp_path / "locked.conf"
    locked.write_text(
        "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n" + "A" * 80 + "\n"
    )
    with pytest.raises(ConfigPasswordMissing), Rclone(binary, config=locked).session() as session:
        session.list("x:")


def test_a_method_that_rclone_does_not_have(rclone: Rclone) -> None:
    with rclone.session() as session, pytest.raises(RcloneError, match="find method"):
        session.call("no/such")


def test_options_that_only_a_process_of_its_own_can_take(rclone: Rclone) -> None:
    with rclone.session() as session, pytest.raises(UsageError):
        session.list("disk:", filters=["- *"])


def test_the_path_of_a_socket_has_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rclone: Rclone
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with rclone.session() as session, pytest.raises(NothingFound):
        session.list("disk:nothing")
