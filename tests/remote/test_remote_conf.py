"""rclone.conf as a list of remotes: every operation, on every kind of file that people have."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.errors import (
    ConfigLocked,
    ConfigPasswordMissing,
    ConfigPasswordWrong,
    ConfigUnreadable,
    OptionInvalid,
    StorageExists,
    StorageNotFound,
)
from pluton_rclone.remote import disk, encryption, swap
from pluton_rclone.remote.conf import Conf
from pluton_rclone.remote.location import default_path
from tests.remote.encrypted import PASSWORD, EncryptedPath
from tests.remote.real_rclone import RCLONE, dump, run

TOKEN = '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
OLD_TOKEN = TOKEN.replace("2030", "2029").replace('"R"', '"old"')
NOBODY = 2**22 + 1  # a process id that Linux never gives
OTHERS = "# my disks\n[disk]\ntype = local\n\n; keep\n[vault]\ntype : crypt\nremote=anna:x\n"


@pytest.fixture(params=[Path, EncryptedPath], ids=["plain", "encrypted"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An rclone.conf with other people's remotes; once plain and once encrypted, for every test that takes it."""
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    if request.param is EncryptedPath:
        monkeypatch.setenv("RCLONE_CONFIG_PASS", PASSWORD)
    path: Path = request.param(tmp_path / "rclone.conf")
    path.write_text(OTHERS)
    return path


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """For a patch that takes itself off while the test still runs, and leaves the environment alone."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, plain, with no password anywhere."""
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    path = tmp_path / "rclone.conf"
    path.write_text(OTHERS)
    return path


def test_a_remote_is_added_read_changed_renamed_and_removed(path: Path) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "drive_id": "d", "token": TOKEN})
    assert conf.names() == ["disk", "vault", "anna"]
    assert conf.remotes() == {"disk": "local", "vault": "crypt", "anna": "onedrive"}
    conf.update("anna", {"drive_id": "e", "chunk_size": "20Mi"})
    conf.rename("anna", "anna 2")
    section = conf.section("anna 2")
    assert section["drive_id"] == "e"
    assert section["chunk_size"] == "20Mi"
    assert section["token"] == TOKEN
    assert dump(path)["anna 2"] == section
    conf.update("anna 2", {"chunk_size": None})
    assert "chunk_size" not in conf.section("anna 2")
    conf.delete("anna 2")
    assert path.read_text() == OTHERS + "\n"


def test_what_is_not_concerned_stays_byte_for_byte(path: Path) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "memory"})
    conf.update("anna", {"description": "x"})
    assert path.read_text().startswith(OTHERS)


def test_a_new_file_is_made_with_its_folder_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "rclone.conf"
    Conf(path).add("anna", {"type": "memory"})
    assert path.read_text() == "[anna]\ntype = memory\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o660, 0o600), (0o600, 0o600), (0o400, 0o400)]
)
def test_the_mode_is_600_and_a_stricter_one_is_kept(path: Path, before: int, after: int) -> None:
    path.chmod(before)
    Conf(path).add("anna", {"type": "memory"})
    assert stat.S_IMODE(path.stat().st_mode) == after


def test_the_owner_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root on another's file; who is not root cannot give files away and keeps its own."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: given.append((user, group)))
    Conf(path).add("anna", {"type": "memory"})
    assert given == [(path.stat().st_uid, path.stat().st_gid)]


def test_a_symbolic_link_is_followed_and_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.conf"
    link.parent.mkdir()
    link.symlink_to(path)
    conf = Conf(link)
    assert conf.path == path
    conf.add("anna", {"type": "memory"})
    assert link.is_symlink()
    assert "anna" in Conf(path).names()
    assert os.listdir(link.parent) == ["link.conf"]


def test_a_saved_file_leaves_nothing_beside_it_but_the_lock(path: Path) -> None:
    Conf(path).add("anna", {"type": "memory"})
    assert sorted(os.listdir(path.parent)) == [".rclone.conf.pluton.lock", "rclone.conf"]


def test_what_is_not_there_and_what_is_there_already(path: Path) -> None:
    conf = Conf(path)
    before = path.read_bytes()
    for operation in (
        lambda: conf.section("nobody"),
        lambda: conf.update("nobody", {"a": "b"}),
        lambda: conf.rename("nobody", "x"),
        lambda: conf.delete("nobody"),
        lambda: conf.export("nobody"),
    ):
        with pytest.raises(StorageNotFound, match="nobody"):
            operation()
    with pytest.raises(StorageExists, match="disk"):
        conf.add("disk", {"type": "local"})
    with pytest.raises(StorageExists, match="vault"):
        conf.rename("disk", "vault")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (" x", "begins with a space"),
        ("x ", "ends with a space"),
        ("\u00a0x", "no-break space"),
        ("x\u2003", r"U\+2003"),
        ("a\nb", "line break"),
        ("a\rb", "carriage return"),
        ("`x", "backtick"),
        ("a`b", "backtick"),
        ('"""x', '"""'),
        ("a%(b)sc", r"%\(b\)s"),
        ("\ud800", "surrogate"),
        ("\x00", "NUL"),
    ],
)
def test_values_that_the_format_cannot_carry_are_refused(path: Path, value: str, said: str) -> None:
    with pytest.raises(OptionInvalid, match=said):
        Conf(path).add("anna", {"type": "memory", "description": value})
    with pytest.raises(OptionInvalid, match=said):
        Conf(path).update("disk", {"description": value})
    assert path.read_text() == OTHERS


@pytest.mark.parametrize(
    "value", ['"abc"', "#x", ";x", "50%", "C:\\dir\\", "a=b", "[x]", "%(", "x:y", "é漢😀", '""']
)
def test_values_that_only_look_dangerous_survive_the_real_rclone(path: Path, value: str) -> None:
    Conf(path).add("anna", {"type": "memory", "description": value})
    assert dump(path)["anna"]["description"] == value
    done = run(path, "config", "update", "disk", "description=x", "--non-interactive")
    assert done.returncode == 0, done.stderr
    assert Conf(path).section("anna")["description"] == value


def test_no_option_name_can_smuggle_a_line_in(path: Path) -> None:
    with pytest.raises(OptionInvalid, match="option name"):
        Conf(path).add("anna", {"type": "memory", "x = 1\n[evil]\ntype": "y"})


def test_changing_an_option_keeps_a_token_that_was_refreshed_meanwhile(path: Path) -> None:
    """Read, refreshed by somebody else, then changed: as it happens with a form that is open in a browser."""
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    form = conf.section("anna")
    path.write_text(path.read_text().replace(OLD_TOKEN, TOKEN))
    conf.update("anna", {"chunk_size": "20Mi" if form["token"] == OLD_TOKEN else None})
    assert conf.section("anna")["token"] == TOKEN
    assert conf.section("anna")["chunk_size"] == "20Mi"


def test_remotes_come_from_another_file_all_or_none(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text("[base]\ntype = s3\nregion = eu\n[base.one]\nbucket = b\n[disk]\ntype = memory\n")
    conf = Conf(path)
    conf.import_from(Conf(other), {"base.one": "one"})
    assert conf.section("one") == {"bucket": "b", "type": "s3", "region": "eu"}
    with pytest.raises(StorageExists, match="disk"):
        conf.import_from(Conf(other), ["base", "disk"])
    assert "base" not in conf


# ---- encrypted ----


def test_an_encrypted_file_stays_encrypted_and_the_real_rclone_reads_it(plain: Path) -> None:
    plain.write_bytes(encryption.encrypt(plain.read_bytes(), encryption.key_from_password("geheim")))
    conf = Conf(plain, password="geheim")
    conf.add("anna", {"type": "memory", "description": "hidden words"})
    assert conf.is_encrypted()
    assert b"hidden" not in plain.read_bytes()
    assert dump(plain, environment={"RCLONE_CONFIG_PASS": "geheim"})["anna"]["description"] == "hidden words"


def test_what_the_real_rclone_encrypts_we_read(plain: Path) -> None:
    done = run(plain, "config", "encryption", "set", "--password-command", "echo geheim")
    assert done.returncode == 0, done.stderr
    assert encryption.is_encrypted(plain.read_bytes())
    assert Conf(plain, password="geheim").names() == ["disk", "vault"]


def test_the_password_comes_from_the_argument_the_command_or_the_variable(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.write_bytes(encryption.encrypt(plain.read_bytes(), encryption.key_from_password("geheim")))
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "geheim")
    assert Conf(plain).names() == ["disk", "vault"]
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "another")
    with pytest.raises(ConfigPasswordWrong):
        Conf(plain).names()
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", 'printf "geheim\\n"')
    assert Conf(plain).names() == ["disk", "vault"]
    assert Conf(plain, password="geheim").names() == ["disk", "vault"]


@pytest.mark.parametrize(
    ("command", "why"),
    [("false", "exit code 1"), ("true", "printed nothing"), ("no-such-program-here", "no such program")],
)
def test_a_password_command_that_fails_is_told(
    plain: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    plain.write_bytes(encryption.encrypt(b"", encryption.key_from_password("geheim")))
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", command)
    with pytest.raises(ConfigPasswordMissing, match=why):
        Conf(plain).names()


def test_missing_wrong_and_blank_passwords_have_their_own_errors(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RCLONE_CONFIG_PASS", "RCLONE_PASSWORD_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    data = encryption.encrypt(b"", encryption.key_from_password("geheim"))
    plain.write_bytes(data)
    with pytest.raises(ConfigPasswordMissing, match="no password"):
        Conf(plain).names()
    with pytest.raises(ConfigPasswordMissing, match="empty"):
        Conf(plain, password="  ").names()
    with pytest.raises(ConfigPasswordWrong) as caught:
        Conf(plain, password="falsch").add("x", {"type": "memory"})
    assert "falsch" not in repr(caught.value.record())
    assert plain.read_bytes() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"RCLONE_ENCRYPT_V0:\nAAAA", "too short"),
        (b"RCLONE_ENCRYPT_V0:\n!!!!", "base64"),
        (b"# x\n\nRCLONE_ENCRYPT_V1:\nAAAA", "RCLONE_ENCRYPT_V1"),
    ],
)
def test_a_damaged_or_newer_encryption_is_told(plain: Path, data: bytes, why: str) -> None:
    plain.write_bytes(data)
    with pytest.raises(ConfigUnreadable, match=why):
        Conf(plain, password="geheim").names()


# ---- beside other writers ----


def test_an_unreadable_file_is_left_alone(path: Path) -> None:
    path.write_text("[anna]\nno separator\n")
    with pytest.raises(ConfigUnreadable, match="line 2"):
        Conf(path).add("x", {"type": "memory"})
    assert path.read_text() == "[anna]\nno separator\n"


def test_a_lock_that_is_held_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.05)
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


def test_a_file_that_rclone_has_just_renamed_away_is_waited_for(path: Path) -> None:
    """rclone saves with two renames; in between there is no rclone.conf."""
    away = path.with_name("rclone.conf.old123456")
    path.rename(away)
    back = threading.Timer(0.2, lambda: away.rename(path))
    back.start()
    assert Conf(path).names() == ["disk", "vault"]
    back.join()


def test_what_a_killed_rclone_left_is_recovered_with_the_token_that_it_was_about_to_save(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "_ABSENT_SECONDS", 0.05)
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    new = path.read_text().replace(OLD_TOKEN, TOKEN)
    path.rename(path.with_name("rclone.conf.old123456"))
    path.with_name("rclone.conf987").write_text(new)
    with caplog.at_level(logging.WARNING):
        assert conf.section("anna")["token"] == TOKEN
    assert "recovered" in caplog.text
    conf.update("anna", {"chunk_size": "20Mi"})
    assert conf.section("anna")["token"] == TOKEN
    assert conf.names() == ["disk", "vault", "anna"]
    assert sorted(os.listdir(path.parent)) == [".rclone.conf.pluton.lock", "rclone.conf"]


def test_an_rclone_that_writes_between_our_reading_and_our_writing_loses_nothing(
    path: Path, patch: pytest.MonkeyPatch
) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    put = disk.ConfigFile.put

    def late(self: disk.ConfigFile, new: bytes, *, instead_of: bytes | None) -> disk.Put:
        patch.undo()
        theirs = path.read_text().replace(OLD_TOKEN, TOKEN).replace("remote=anna:x", "remote=anna:y")
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
    # the change is there, and so is the token that came with the older reading
    assert sections(conf) == sections(wanted)


def sections(conf: Conf) -> dict[str, dict[str, str]]:
    """What is in a file, except who was renamed to what."""
    return {name: conf.section(name) for name in conf.names()}


def test_an_older_reading_that_another_of_us_met_first_does_not_undo_our_change(
    path: Path, patch: pytest.MonkeyPatch
) -> None:
    """An rclone saves what it read before our change just when another process of ours saves a change of its own."""
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


def test_what_one_of_us_has_changed_since_is_not_brought_back(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Added here, deleted by another process of ours before this one has looked again."""
    conf = Conf(path)
    wait = disk.ConfigFile.wait_for_savers

    def meanwhile(self: disk.ConfigFile, put: disk.Put, foreigners: set[int]) -> bool:
        patch.undo()
        Conf(path).delete("bert")
        return wait(self, put, {NOBODY})

    patch.setattr(disk.ConfigFile, "wait_for_savers", meanwhile)
    conf.add("bert", {"type": "memory"})
    assert "bert" not in conf


def test_a_system_without_exchange_writes_with_a_plain_rename(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    conf = Conf(path)
    conf.add("anna", {"type": "memory"})
    Conf(path.with_name("new.conf")).add("bert", {"type": "memory"})
    assert conf.names() == ["disk", "vault", "anna"]
    assert Conf(path.with_name("new.conf")).names() == ["bert"]


# ---- where it is ----


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ([], "xdg/rclone/rclone.conf"),
        (["home/.rclone.conf"], "home/.rclone.conf"),
        (["home/.rclone.conf", "home/.config/rclone/rclone.conf"], "home/.config/rclone/rclone.conf"),
        (["xdg/rclone/rclone.conf", "home/.config/rclone/rclone.conf"], "xdg/rclone/rclone.conf"),
    ],
)
def test_the_default_is_the_file_that_rclone_itself_uses(
    existing: list[str], expected: str, tmp_path: Path
) -> None:
    for name in existing:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    environment = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert default_path(environment) == tmp_path / expected
    said = subprocess.run(
        [RCLONE, "config", "file"], env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert said.splitlines()[-1] == str(tmp_path / expected)


def test_rclones_variable_wins(tmp_path: Path) -> None:
    assert default_path({"RCLONE_CONFIG": str(tmp_path / "x"), "HOME": "/"}) == tmp_path / "x"
