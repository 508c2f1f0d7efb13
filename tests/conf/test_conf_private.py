"""The private rclone.conf: tokens that the real rclone refreshes in it come back, whatever
happens."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.conf import encryption
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.private import PrivateConfig, mark
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import ConfigNotWritable, PlutonRcloneError, StorageNotFound
from pluton_rclone.process import folders
from pluton_rclone.process.folders import runtime_folders
from pluton_rclone.values.token_text import is_later
from tests.conf.encrypted import PASSWORD, EncryptedPath
from tests.conf.issued import issued, refresh_token, section, short_lived
from tests.conf.mounts import inside_mount, inside_small_disk
from tests.conf.real_rclone import RCLONE


@pytest.fixture(params=[Path, EncryptedPath], ids=["plain", "encrypted"])
def conf(
    request: pytest.FixtureRequest, tmp_path: Path, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Conf:
    """Two signed-in remotes whose tokens expire at once, and a foreign one; in a plain and in an
    encrypted file."""
    short_lived(cloud)
    if request.param is EncryptedPath:
        monkeypatch.setenv("RCLONE_CONFIG_PASS", PASSWORD)
    path = request.param(tmp_path / "etc" / "rclone.conf")
    path.parent.mkdir()
    path.write_text("[disk]\ntype = local\n")
    conf = Conf(path)
    conf.add("anna", section(cloud))
    conf.add("anna2", section(cloud))
    return conf


plain = pytest.mark.parametrize("conf", [Path], ids=["plain"], indirect=True)
"""For tests that do not depend on the file's encryption."""


def rclone(
    config: Path | PrivateConfig, *arguments: str, environment: dict[str, str] | None = None
) -> None:
    path = config.path if isinstance(config, PrivateConfig) else config
    done = subprocess.run(
        [RCLONE, "--config", path, *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def is_last(cloud: Emulator, conf: Conf, name: str) -> bool:
    token = conf.section(name)["token"]
    return refresh_token(token) == issued(cloud, token)[-1]


def test_it_holds_only_what_is_asked_for_and_nobody_else_can_enter(
    conf: Conf, runtime: Path
) -> None:
    with conf.private(["anna"]) as private:
        assert Conf(private.path).names() == ["anna"]
        assert runtime in private.path.parents
        assert stat.S_IMODE(private.path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(private.path.parent.parent.stat().st_mode) == 0o700
        assert encryption.is_encrypted(private.path.read_bytes()) == conf.is_encrypted()
        assert private.environment == (
            {"RCLONE_CONFIG_PASS": PASSWORD, "RCLONE_PASSWORD_COMMAND": ""}
            if conf.is_encrypted()
            else {}
        )
        assert PASSWORD not in repr(private)
    assert not private.path.parent.exists()


def test_without_names_it_holds_all(conf: Conf) -> None:
    with conf.private() as private:
        assert Conf(private.path).names() == ["disk", "anna", "anna2"]


def test_a_remote_that_is_not_there_is_told(conf: Conf) -> None:
    with pytest.raises(StorageNotFound), conf.private(["nobody"]):
        pass


def test_a_refreshed_token_comes_back(conf: Conf, cloud: Emulator) -> None:
    before = conf.section("anna")["token"]
    with conf.private(["anna"]) as private:
        rclone(private, "lsd", "anna:")
    after = conf.section("anna")["token"]
    assert after != before
    assert len(issued(cloud, after)) > 1
    assert is_last(cloud, conf, "anna")


@plain
def test_it_comes_back_while_rclone_still_runs(conf: Conf, cloud: Emulator) -> None:
    with conf.private(["anna"]) as private:
        for _ in range(2):
            before = conf.section("anna")["token"]
            rclone(private, "lsd", "anna:")
            wait_for(lambda: is_last(cloud, conf, "anna"))
            assert conf.section("anna")["token"] != before


@plain
def test_it_comes_back_to_a_remote_that_was_repaired_meanwhile(conf: Conf, cloud: Emulator) -> None:
    """A repair rewrites the drive's id and adds the region that rclone omits."""
    drive = conf.section("anna")["drive_id"]
    conf.update("anna", {"drive_id": drive.upper()})
    with conf.private(["anna"]) as private:
        conf.update("anna", {"drive_id": drive, "region": "global"})
        rclone(private, "lsd", "anna:")
    assert is_last(cloud, conf, "anna")


@plain
@pytest.mark.parametrize("name", ["anna", "anna.child"])
def test_it_comes_back_to_a_remote_that_expands_a_variable_or_inherits(
    conf: Conf, cloud: Emulator, name: str
) -> None:
    signed_in = section(cloud)
    drive = conf.section("anna")["drive_id"]
    text = conf.path.read_text().replace(drive, "%(drive)s")
    child = "".join(f"{key} = {signed_in[key]}\n" for key in ("type", "token"))
    conf.path.write_text(f"[DEFAULT]\ndrive = {drive}\n{text}\n[anna.child]\n{child}")
    with conf.private([name]) as private:
        rclone(private, "lsd", f"{name}:")
    assert len(issued(cloud, conf.section(name)["token"])) > 1
    assert is_last(cloud, conf, name)


@plain
def test_keys_of_ours_survive_the_refresh_and_options_changed_meanwhile_stay(
    conf: Conf, cloud: Emulator
) -> None:
    conf.update("anna", {"pluton_base_folder": "backups/laptop"})
    with conf.private(["anna"]) as private:
        rclone(private, "lsd", "anna-drive:")
        conf.update("anna", {"chunk_size": "20Mi"})
    assert conf.section("anna")["pluton_base_folder"] == "backups/laptop"
    assert conf.section("anna")["chunk_size"] == "20Mi"
    assert is_last(cloud, conf, "anna")


@plain
def test_a_remote_renamed_meanwhile_gets_its_token_too(conf: Conf, cloud: Emulator) -> None:
    with conf.private(["anna"]) as private:
        rclone(private, "lsd", "anna:")
        conf.rename("anna", "other")
    assert is_last(cloud, conf, "other")


@plain
def test_a_remote_deleted_meanwhile_stays_deleted(conf: Conf) -> None:
    with conf.private(["anna"]) as private:
        rclone(private, "lsd", "anna:")
        conf.delete("anna")
    assert "anna" not in conf


@plain
def test_a_new_sign_in_is_not_undone_by_an_rclone_that_still_has_the_old_one(
    conf: Conf, cloud: Emulator
) -> None:
    new = section(cloud)["token"]
    with conf.private(["anna"]) as private:
        conf.update("anna", {"token": new})
        rclone(private, "lsd", "anna:")
    assert conf.section("anna")["token"] == new


@plain
def test_of_two_that_refresh_at_once_the_later_token_wins(conf: Conf, cloud: Emulator) -> None:
    with conf.private(["anna"]) as first, conf.private(["anna"]) as second:
        rclone(second, "lsd", "anna:")
        rclone(first, "lsd", "anna:")
    assert len(issued(cloud, conf.section("anna")["token"])) > 2
    assert is_last(cloud, conf, "anna")


def test_what_a_killed_process_left_is_merged_at_the_next_start(
    conf: Conf, cloud: Emulator, runtime: Path
) -> None:
    """The owner is killed after rclone has refreshed and before the token is merged."""
    private = left_by_a_killed_owner(conf)
    assert not is_last(cloud, conf, "anna")
    with conf.private(["anna2"]):
        assert is_last(cloud, conf, "anna")
    assert not private.parent.exists()
    assert [
        folder for folder in (runtime / private.parent.parent.name).iterdir() if folder.is_dir()
    ] == []


def left_by_a_killed_owner(conf: Conf) -> Path:
    """The private rclone.conf of a process killed after rclone had renewed anna's token."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, conf.path], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    private = Path(owner.stdout.readline().strip())
    rclone(private, "lsd", "anna:")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    return private


_OWNER = """
import sys, time
from pluton_rclone.conf import private
from pluton_rclone.conf.conf import Conf
private.POLL_SECONDS = 1000
with Conf(sys.argv[1]).private(["anna"]) as config:
    print(config.path, flush=True)
    time.sleep(1000)
"""


def test_a_loan_that_is_in_use_is_not_taken_for_a_leftover(conf: Conf) -> None:
    with conf.private(["anna"]) as first, conf.private(["anna2"]):
        assert first.path.exists()


def test_rclone_needs_no_more_than_the_environment_that_comes_with_it(
    conf: Conf, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We were given the password, and no variable has it."""
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    conf = Conf(conf.path, password=PASSWORD)
    with conf.private(["anna"]) as private:
        rclone(private, "lsd", "anna:", environment=private.environment)
    assert is_last(cloud, conf, "anna")


@plain
def test_a_config_that_cannot_be_written_is_told_and_its_tokens_wait(
    conf: Conf, cloud: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A read-only mount: bare rclone would exit with 0 and lose the token."""
    seen = subprocess.run(
        inside_mount(
            conf.path.parent,
            conf.path.parent,
            [sys.executable, "-c", _READ_ONLY, str(conf.path), str(RCLONE)],
            options="ro",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert seen.returncode == 0, seen.stderr
    told = json.loads(seen.stdout)
    assert told["why"] == "it is on a read-only file system"
    assert told["second_starts_with"] == told["first_ended_with"]
    assert not is_last(cloud, conf, "anna")
    with caplog.at_level(logging.WARNING), conf.private(["anna2"]):
        pass
    assert is_last(cloud, conf, "anna")


_READ_ONLY = """
import json, subprocess, sys
from pluton_rclone.conf.conf import Conf
def run():
    told = []
    with Conf(sys.argv[1]).private(["anna"], warn=told.append) as config:
        started = Conf(config.path).section("anna")["token"]
        lsd = [sys.argv[2], "--config", config.path, "lsd", "anna:"]
        subprocess.run(lsd, check=True, capture_output=True)
        ended = Conf(config.path).section("anna")["token"]
    return told and told[0].why, started, ended
why, _, ended = run()
_, started, _ = run()
print(json.dumps({"why": why, "first_ended_with": ended, "second_starts_with": started}))
"""


@plain
def test_a_token_waits_while_the_disk_of_the_file_is_away(
    conf: Conf, cloud: Emulator, tmp_path: Path
) -> None:
    """A removed stick or an unmounted share: the file is missing. Formerly, that counted as a
    deleted remote, and the token was silently discarded."""
    folder, told = conf.path.parent, list[PlutonRcloneError]()
    with conf.private(["anna"], warn=told.append) as private:
        folder.rename(tmp_path / "away")
        rclone(private, "lsd", "anna:")
    assert [error.what for error in told] == [f"{conf.path} is gone"]
    assert not folder.exists()
    (tmp_path / "away").rename(folder)
    assert not is_last(cloud, conf, "anna")
    with conf.private(["anna2"]):
        assert is_last(cloud, conf, "anna")


@plain
def test_what_a_killed_process_left_outlasts_a_command_while_the_file_is_away(
    conf: Conf, cloud: Emulator, tmp_path: Path
) -> None:
    left_by_a_killed_owner(conf)
    conf.path.rename(tmp_path / "away")
    with pytest.raises(StorageNotFound), conf.private(["anna"]):
        pass
    (tmp_path / "away").rename(conf.path)
    with conf.private(["anna2"]):
        assert is_last(cloud, conf, "anna")


@plain
def test_a_renewed_token_that_finds_no_file_is_told(
    conf: Conf, cloud: Emulator, tmp_path: Path
) -> None:
    keep = conf.keeper("anna")
    conf.path.rename(tmp_path / "away")
    with pytest.raises(ConfigNotWritable, match="is gone"):
        keep(section(cloud)["token"])


def test_what_nobody_can_come_back_for_is_removed_after_an_hour(conf: Conf, tmp_path: Path) -> None:
    """The copy of an rclone.conf that no longer exists, and unfinished ones, whatever they contain:
    removed by a run of more than half a second. The copy of an rclone.conf that cannot be examined
    stays, and does not end the thread that saves tokens."""
    gone = tmp_path / "gone.conf"
    gone.write_text("[anna]\ntype = memory\n")
    with Conf(gone).private(["anna"]) as private:
        home = private.path.parent.parent
        marks = ("01234567", "unfinished", "fedcba98", "00000000")
        left, unfinished, others, closed = (home / f"{mark}-0123456789abcdef" for mark in marks)
        whole = home / "unfinished-fedcba9876543210"  # killed before it had its name
        for folder in (left, unfinished, whole, others, closed):
            shutil.copytree(private.path.parent, folder)
    (unfinished / "origin.json").unlink()
    for folder, config in ((whole, conf.path), (others, conf.path), (closed, "/" + "x" * 300)):
        (folder / "origin.json").write_text(json.dumps({"config": str(config), "tokens": {}}))
    for folder in (left, unfinished, whole, others, closed):
        os.utime(folder, (0, 0))
    gone.unlink()
    with conf.private(["anna"]):
        wait_for(lambda: not any(folder.exists() for folder in (left, unfinished, whole)))
    assert {folder for folder in home.iterdir() if folder.is_dir()} == {others, closed}


@plain
def test_many_threads_borrow_at_once(conf: Conf, cloud: Emulator) -> None:
    left: list[str] = []

    def borrow() -> None:
        with conf.private(["anna"]) as private:
            rclone(private, "lsd", "anna:")
            left.append(Conf(private.path).section("anna")["token"])

    threads = [threading.Thread(target=borrow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    token = conf.section("anna")["token"]
    assert len(issued(cloud, token)) > 4
    assert token in left
    assert not any(is_later(one, token) for one in left)


def test_a_folder_that_another_user_could_enter_is_not_used(conf: Conf, runtime: Path) -> None:
    trap = runtime / f"pluton-rclone-{os.getuid()}"
    trap.mkdir(exist_ok=True)
    trap.chmod(0o755)
    with conf.private(["anna"]) as private:
        assert trap not in private.path.parents
        assert stat.S_IMODE(private.path.parent.parent.stat().st_mode) == 0o700


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@plain
def test_a_leftover_is_found_by_a_process_of_another_login_session(
    conf: Conf, cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    """For example by cron, without or with another XDG_RUNTIME_DIR. Formerly, the token was lost,
    10 times of 10."""
    left_by_a_killed_owner(conf)
    assert not is_last(cloud, conf, "anna")
    other = tmp_path / "cron"
    other.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other))
    with conf.private(["anna2"]):
        pass
    assert is_last(cloud, conf, "anna")
    home = f"pluton-rclone-{os.getuid()}"
    assert [file for file in (runtime / home).iterdir() if file.is_dir()] == []
    marked = f"{mark(conf.path)}-*"
    assert [link for place in runtime_folders() for link in place.glob(marked)] == []


_ONCE_NAMED = """
import os, signal, sys
from pathlib import Path
from pluton_rclone.conf.conf import Conf
rename = Path.rename
def and_killed(folder, name):
    rename(folder, name)
    os.kill(os.getpid(), signal.SIGKILL)
Path.rename = and_killed
with Conf(sys.argv[1]).private(["anna"]):
    pass
"""


@plain
def test_a_loan_whose_maker_was_killed_once_it_had_its_name_is_found_there_too(
    conf: Conf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    """Without a link yet, its copy of rclone.conf stayed until the session was used again."""
    killed = subprocess.run([sys.executable, "-c", _ONCE_NAMED, conf.path], check=False)
    assert killed.returncode == -signal.SIGKILL
    loans = runtime / f"pluton-rclone-{os.getuid()}"
    assert [one.name.partition("-")[0] for one in loans.iterdir()] == [mark(conf.path)]
    other = tmp_path / "cron"
    other.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other))
    with conf.private(["anna2"]):
        pass
    assert list(loans.iterdir()) == []


@plain
def test_whoever_meets_the_word_of_a_loan_that_is_just_being_made_takes_nothing_away(
    conf: Conf, monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    exists, loan = Path.exists, folders.runtime_folder() / f"{mark(conf.path)}-0123456789abcdef"
    folders.leave_word(loan)

    def and_then_it_is_there(path: Path) -> bool:
        before = exists(path)
        if path.name == loan.name and not before:
            loan.mkdir()
            (loan / "rclone.conf").touch()
        return before

    monkeypatch.setattr(Path, "exists", and_then_it_is_there)
    with conf.private(["anna2"]):
        pass
    assert exists(loan / "rclone.conf")
    folders.remove(loan)


_FULL = """
import os, pathlib, sys
from pluton_rclone.conf.conf import Conf
home = pathlib.Path(os.environ["XDG_RUNTIME_DIR"])
(home / f"pluton-rclone-{os.getuid()}").mkdir(mode=0o700)
try:
    (home / "much").write_bytes(bytes(10**6))
except OSError:
    pass
with Conf(sys.argv[1]).private(["anna"]) as config:
    print(home in config.path.parents, Conf(config.path).names())
"""


@plain
def test_a_full_runtime_folder_gives_way_to_the_next(conf: Conf, runtime: Path) -> None:
    """A container has only 64 MB of /dev/shm."""
    argv = inside_small_disk(runtime, "16k", [sys.executable, "-c", _FULL, str(conf.path)])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr) == ("False ['anna']\n", "")


def test_where_nothing_can_be_lent_the_error_is_ours(
    conf: Conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> Iterator[Path]:
        yield from ()
        raise OSError(errno.ENOSPC, "No space left on device", "/dev/shm")

    monkeypatch.setattr(folders, "usable_folders", full)
    with pytest.raises(ConfigNotWritable, match="disk is full"), conf.private(["anna"]):
        pass


def test_the_drafts_of_a_page_are_no_leftover_loan(conf: Conf, runtime: Path) -> None:
    """They are in the same folder: formerly, they were removed after an hour without a change."""
    drafts = runtime / f"pluton-rclone-{os.getuid()}" / ("web-" + "0" * 16)
    drafts.mkdir(parents=True, mode=0o700)
    drafts.parent.chmod(0o700)
    os.utime(drafts, (0, 0))
    with conf.private(["anna"]):
        pass
    assert drafts.is_dir()
