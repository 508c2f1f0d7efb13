"""rclone.conf beside other writers: waiting, recovering, and losing nothing."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.conf import disk, system
from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import ConfigLocked, ConfigNotWritable, ConfigUnreadable
from tests.conf.real_rclone import RCLONE
from tests.terminal import PATIENCE

TOKEN = (
    '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
)
OLD_TOKEN = TOKEN.replace("2030", "2029").replace('"R"', '"old"')
AWAY, NEW = "rclone.conf.old1447880401", "rclone.conf3701141347"
"""The suffix of an rclone's files between its two renames: a random number of 32 bits."""
NOBODY = 2**22 + 1  # a process id that Linux never gives


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """For a patch that undoes itself while the test still runs, and does not touch the
    environment."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_an_unreadable_file_is_left_alone(path: Path) -> None:
    path.write_text("[anna]\nno separator\n")
    with pytest.raises(ConfigUnreadable, match="line 2"):
        Conf(path).add("x", {"type": "memory"})
    assert path.read_text() == "[anna]\nno separator\n"


def test_a_lock_that_is_held_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "LOCK_SECONDS", 0.05)
    conf = Conf(path)
    with disk.ConfigFile(path).lock(), pytest.raises(ConfigLocked):
        conf.add("x", {"type": "memory"})


def test_threads_of_one_process_wait_for_each_other(path: Path) -> None:
    conf = Conf(path)
    names = [f"remote-{number}" for number in range(12)]
    threads = [threading.Thread(target=conf.add, args=(name, {"type": "memory"})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(conf.names()) == {"disk", "vault", *names}


def test_a_file_that_rclone_has_just_renamed_away_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rclone saves with two renames, between which there is no rclone.conf."""
    away = path.rename(path.with_name(AWAY))
    path.with_name(NEW).touch()
    pauses: list[float] = []

    def back_at_the_third(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            away.rename(path)

    monkeypatch.setattr(disk, "_ABSENT_SECONDS", PATIENCE)
    monkeypatch.setattr(time, "sleep", back_at_the_third)
    assert Conf(path).names() == ["disk", "vault"]


def test_what_a_killed_rclone_left_is_recovered_with_the_token_that_it_was_about_to_save(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "_ABSENT_SECONDS", 0.05)
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    new = path.read_text().replace(OLD_TOKEN, TOKEN)
    path.rename(path.with_name(AWAY))
    path.with_name(NEW).write_text(new)
    with caplog.at_level(logging.WARNING):
        assert conf.section("anna")["token"] == TOKEN
    assert "recovered" in caplog.text
    conf.update("anna", {"chunk_size": "20Mi"})
    assert conf.section("anna")["token"] == TOKEN
    assert conf.names() == ["disk", "vault", "anna"]
    assert sorted(os.listdir(path.parent)) == [".rclone.conf.pluton.lock", "rclone.conf"]


def test_what_an_rclone_left_that_was_killed_long_ago_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Formerly, each reading took two seconds and reported the same again: 49 s for an `ls`."""
    path.rename(path.with_name(AWAY))
    path.with_name(NEW).touch()
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    killed = time.time()
    for now in (killed + 60, killed - 60):  # also if the clock was set back since then
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert Conf(path).names() == ["disk", "vault"]
    assert caplog.text.count("recovered") == 1


@pytest.mark.soak
def test_what_the_real_rclone_leaves_that_is_killed_between_its_renames_is_recovered(
    path: Path,
) -> None:
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=/rename"]
    argv += ["-e", "inject=/rename:signal=KILL:when=2", os.fspath(RCLONE), "--config", f"{path}"]
    subprocess.run([*argv, "config", "update", "disk", "description=x"], timeout=300, check=False)
    assert len(os.listdir(path.parent)) == 2
    conf = Conf(path)
    assert conf.names() == ["disk", "vault"]
    conf.add("anna", {"type": "memory"})
    assert conf.names() == ["disk", "vault", "anna"]
    assert sorted(os.listdir(path.parent)) == [".rclone.conf.pluton.lock", "rclone.conf"]


@pytest.mark.parametrize(
    "names",
    [
        ["rclone.conf.old20240101"],
        ["rclone.conf.old20240101", "rclone.conf20240102"],
        ["rclone.conf.old1", "rclone.conf2"],
        ["rclone.conf.old1447880401"],
        ["rclone.conf.old1447880401", "rclone.conf2"],
        ["rclone.conf.old20240101", "rclone.conf3701141347"],
        ["rclone.conf.old", "rclone.conf3701141347"],
    ],
    ids=" and ".join,
)
def test_what_a_person_put_aside_is_not_taken_for_the_file_and_stays(
    tmp_path: Path, names: list[str]
) -> None:
    """Formerly, its remotes reappeared, and the backup was deleted."""
    for name in names:
        (tmp_path / name).write_text("[mine]\ntype = memory\n")
    conf = Conf(tmp_path / "rclone.conf")
    assert conf.names() == []
    conf.add("new", {"type": "memory"})
    assert conf.names() == ["new"]
    assert {*names, "rclone.conf"} <= {*os.listdir(tmp_path)}


def test_an_rclone_that_writes_between_our_reading_and_our_writing_loses_nothing(
    path: Path, patch: pytest.MonkeyPatch
) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    put = disk.ConfigFile.put

    def late(self: disk.ConfigFile, new: bytes, *, instead_of: bytes | None) -> disk.Put:
        patch.undo()
        theirs = (
            path.read_text().replace(OLD_TOKEN, TOKEN).replace("remote=anna:x", "remote=anna:y")
        )
        path.write_text(theirs + "[new]\ntype = memory\n")
        return put(self, new, instead_of=instead_of)

    patch.setattr(disk.ConfigFile, "put", late)
    conf.update("anna", {"chunk_size": "20Mi"})
    assert conf.section("anna")["token"] == TOKEN
    assert conf.section("anna")["chunk_size"] == "20Mi"
    assert conf.section("vault")["remote"] == "anna:y"
    assert "new" in conf.names()


@pytest.mark.parametrize(
    "change",
    [
        lambda conf: conf.add("bert", {"type": "memory"}),
        lambda conf: conf.update("anna", {"chunk_size": "20Mi", "region": None}),
        lambda conf: conf.rename("anna", "zoe"),
        lambda conf: conf.delete("anna"),
    ],
    ids=["add", "update", "rename", "delete"],
)
def test_an_rclone_that_saves_an_older_reading_over_ours_does_not_undo_it(
    path: Path, patch: pytest.MonkeyPatch, change: Callable[[Conf], None]
) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "region": "us", "token": OLD_TOKEN})
    before = path.read_text()
    wanted = Conf(path.with_name("wanted.conf"))
    wanted.path.write_text(before.replace(OLD_TOKEN, TOKEN))
    change(wanted)
    wait = disk.ConfigFile.wait_for_savers

    def stale(self: disk.ConfigFile, put: disk.Put, foreigners: set[int]) -> bool:
        patch.undo()
        temporary = path.with_name("rclone.conf4711")
        temporary.write_text(before.replace(OLD_TOKEN, TOKEN))
        temporary.rename(path)
        return wait(self, put, {NOBODY})

    patch.setattr(disk.ConfigFile, "wait_for_savers", stale)
    change(conf)
    # the file has the change and the token that came with the older reading
    assert sections(conf) == sections(wanted)


def sections(conf: Conf) -> dict[str, dict[str, str]]:
    """The content of a file without the record of renames."""
    return {name: conf.section(name) for name in conf.names()}


def test_an_older_reading_that_another_of_us_met_first_does_not_undo_our_change(
    path: Path, patch: pytest.MonkeyPatch
) -> None:
    """An rclone saves what it read before our change just as another process of ours saves its own
    change."""
    conf = Conf(path)
    conf.add("anna", {"type": "memory", "description": "1"})
    before = path.read_text()
    wait, put = disk.ConfigFile.wait_for_savers, disk.ConfigFile.put

    def stale(self: disk.ConfigFile, new: bytes, *, instead_of: bytes | None) -> disk.Put:
        patch.setattr(disk.ConfigFile, "put", put)
        path.write_text(before)
        return put(self, new, instead_of=instead_of)

    def meanwhile(self: disk.ConfigFile, placed: disk.Put, foreigners: set[int]) -> bool:
        patch.setattr(disk.ConfigFile, "wait_for_savers", wait)
        patch.setattr(disk.ConfigFile, "put", stale)
        Conf(path).update("disk", {"description": "mine"})
        return wait(self, placed, {NOBODY})

    patch.setattr(disk.ConfigFile, "wait_for_savers", meanwhile)
    conf.update("anna", {"description": "2"})
    assert conf.section("anna")["description"] == "2"
    assert conf.section("disk")["description"] == "mine"


def test_what_one_of_us_has_changed_since_is_not_brought_back(
    path: Path, patch: pytest.MonkeyPatch
) -> None:
    """Added here, deleted by another process of ours before this one reads again."""
    conf = Conf(path)
    wait = disk.ConfigFile.wait_for_savers

    def meanwhile(self: disk.ConfigFile, put: disk.Put, foreigners: set[int]) -> bool:
        patch.undo()
        Conf(path).delete("bert")
        return wait(self, put, {NOBODY})

    patch.setattr(disk.ConfigFile, "wait_for_savers", meanwhile)
    conf.add("bert", {"type": "memory"})
    assert "bert" not in conf


def test_what_came_out_is_not_removed_unread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have a token that an rclone has just saved."""
    read = Path.read_bytes

    def too_many_files(file: Path) -> bytes:
        if ".pluton-save-" in file.name:
            raise OSError(errno.EMFILE, "Too many open files")
        return read(file)

    before = path.read_bytes()
    with monkeypatch.context() as short:
        short.setattr(Path, "read_bytes", too_many_files)
        with pytest.raises(ConfigNotWritable):
            Conf(path).add("anna", {"type": "memory"})
    assert [read(one) for one in disk.ConfigFile(path).leftover_temporaries()] == [before]
    Conf(path).add("bert", {"type": "memory"})
    assert Conf(path).names() == ["disk", "vault", "anna", "bert"]
    assert disk.ConfigFile(path).leftover_temporaries() == []


def test_a_look_whether_it_can_be_written_leaves_nothing_if_it_is_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = []
    monkeypatch.setattr(
        os, "fsync", lambda _: there.append(disk.ConfigFile(path).leftover_temporaries())
    )
    Conf(path).check_writable()
    assert there == [[]]


def test_a_look_whether_it_can_be_written_tells_that_nothing_may_be_removed_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that only allows additions (chattr +a): a save would fail."""

    def refused(_: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as there:
        there.setattr(Path, "unlink", refused)
        with pytest.raises(ConfigNotWritable):
            Conf(path).check_writable()


def test_a_folder_that_cannot_be_synced_does_not_call_a_change_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(system, "sync_folder", fails)
    Conf(path).add("anna", {"type": "memory"})
    assert Conf(path).names() == ["disk", "vault", "anna"]
    assert disk.ConfigFile(path).leftover_temporaries() == []


def test_a_system_without_exchange_writes_with_a_plain_rename(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "_renameat2", lambda: None)
    conf = Conf(path)
    conf.add("anna", {"type": "memory"})
    Conf(path.with_name("new.conf")).add("bert", {"type": "memory"})
    assert conf.names() == ["disk", "vault", "anna"]
    assert Conf(path.with_name("new.conf")).names() == ["bert"]


def test_only_the_last_change_of_a_remote_counts(path: Path) -> None:
    file = disk.ConfigFile(path)
    first, second = file.note_change(["anna", "bert"]), file.note_change(["bert"])
    assert file.still_last(first, ["anna", "bert"]) == ["anna"]
    assert file.still_last(second, ["anna", "bert"]) == ["bert"]
    path.with_name(".rclone.conf.pluton.lock").write_text("{")  # killed while writing
    assert file.still_last(first, ["anna", "bert"]) == ["anna", "bert"]
