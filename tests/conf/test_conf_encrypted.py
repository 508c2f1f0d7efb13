"""Encrypted rclone.conf: where the password comes from, and the errors if it is missing or
wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.conf import encryption, keyrings
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.disk import ConfigFile, Put
from pluton_rclone.errors import (
    ConfigError,
    ConfigPasswordMissing,
    ConfigPasswordWrong,
    ConfigUnreadable,
    UsageError,
)
from tests.conf.encrypted import OTHERS
from tests.conf.real_rclone import dump, run


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file, unencrypted, without a password anywhere."""
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    path = tmp_path / "rclone.conf"
    path.write_text(OTHERS)
    return path


def script(path: Path, code: str) -> Path:
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return path


def test_an_encrypted_file_stays_encrypted_and_the_real_rclone_reads_it(plain: Path) -> None:
    plain.write_bytes(
        encryption.encrypt(plain.read_bytes(), encryption.key_from_password("geheim"))
    )
    conf = Conf(plain, password="geheim")
    conf.add("anna", {"type": "memory", "description": "hidden words"})
    assert conf.is_encrypted()
    assert b"hidden" not in plain.read_bytes()
    assert (
        dump(plain, environment={"RCLONE_CONFIG_PASS": "geheim"})["anna"]["description"]
        == "hidden words"
    )


def test_what_the_real_rclone_encrypts_we_read(plain: Path) -> None:
    done = run(plain, "config", "encryption", "set", "--password-command", "echo geheim")
    assert done.returncode == 0, done.stderr
    assert encryption.is_encrypted(plain.read_bytes())
    assert Conf(plain, password="geheim").names() == ["disk", "vault"]


def test_the_password_comes_from_the_argument_the_command_or_the_variable(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.write_bytes(
        encryption.encrypt(plain.read_bytes(), encryption.key_from_password("geheim"))
    )
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "geheim")
    assert Conf(plain).names() == ["disk", "vault"]
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "another")
    with pytest.raises(ConfigPasswordWrong):
        Conf(plain).names()
    for command in ('printf "geheim\\n"', "echo geheim\na second line, which rclone passes over"):
        monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", command)
        assert Conf(plain).names() == ["disk", "vault"]
    assert Conf(plain, password="geheim").names() == ["disk", "vault"]


def test_a_password_command_of_the_current_folder_is_run_as_rclone_runs_it(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Conf(plain).encrypt("geheim")
    script(plain.with_name("password"), "echo geheim")
    monkeypatch.chdir(plain.parent)
    command = {"RCLONE_PASSWORD_COMMAND": "./password"}
    assert run(plain, "listremotes", environment=command).stdout == b"disk:\nvault:\n"
    monkeypatch.setenv(*command.popitem())
    assert Conf(plain).names() == ["disk", "vault"]


@pytest.fixture
def asked(plain: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of runs of the password command, which prints the file `password`."""
    password, asked = plain.with_name("password"), plain.with_name("asked")
    password.write_text("one")
    asked.touch()
    command = script(plain.with_name("command"), f"echo >> {asked}; cat {password}")
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", str(command))
    Conf(plain).encrypt("one")
    return lambda: len(asked.read_text())


def test_a_new_password_reaches_a_program_that_runs_on(
    plain: Path, asked: Callable[[], int]
) -> None:
    page = Conf(plain)
    assert page.names() == ["disk", "vault"]
    Conf(plain, password="one").encrypt("two")
    plain.with_name("password").write_text("two")
    page.add("new", {"type": "memory"})
    assert page.names() == Conf(plain, password="two").names() == ["disk", "vault", "new"]
    assert asked() == 2
    page.encrypt("three")  # and a password that it set itself
    Conf(plain, password="three").encrypt("four")
    plain.with_name("password").write_text("four")
    assert page.names() == ["disk", "vault", "new"]
    page.encrypt(None)
    Conf(plain).encrypt("four")
    assert page.names() == ["disk", "vault", "new"]


def test_a_password_that_stays_wrong_is_asked_for_once_more_and_then_for_another_file(
    plain: Path, asked: Callable[[], int]
) -> None:
    page = Conf(plain)
    assert page.names() == ["disk", "vault"]
    Conf(plain, password="one").encrypt("two")
    for _ in range(3):
        with pytest.raises(ConfigPasswordWrong):
            page.names()
    assert asked() == 2
    plain.with_name("password").unlink()  # the command fails
    Conf(plain, password="two").add("new", {"type": "memory"})
    with pytest.raises(ConfigPasswordMissing):
        page.names()
    with pytest.raises(ConfigPasswordWrong):
        page.names()
    assert asked() == 3
    plain.with_name("password").write_text("two")
    Conf(plain, password="two").delete("new")
    assert page.names() == ["disk", "vault"]


def test_threads_that_want_the_password_at_once_ask_once(
    plain: Path, asked: Callable[[], int]
) -> None:
    page, found, start = Conf(plain), list[list[str]](), threading.Barrier(8)

    def read() -> None:
        start.wait()
        found.append(page.names())

    for password in ("one", "two"):
        plain.with_name("password").write_text(password)
        Conf(plain, password="one").encrypt(password)
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [["disk", "vault"]] * 16
    assert asked() == 2


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("false", "exit code 1"),
        ("true", "printed nothing"),
        ('sh -c "echo No secret key >&2; exit 2"', "exit code 2 and said: No secret"),
        ('sh -c "kill -9 $$"', "signal 9 ended it"),
        ("no-such-program-here", "no such program"),
        ("yes", "more than a password"),  # for ever
        ('sh -c "yes >&2"', "more than a password"),
        ("cat /dev/zero", "more than a password"),
    ],
)
def test_a_password_command_that_fails_is_told(
    plain: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    plain.write_bytes(encryption.encrypt(b"", encryption.key_from_password("geheim")))
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", command)
    with pytest.raises(ConfigPasswordMissing, match=why):
        Conf(plain).names()


def test_a_password_that_is_printed_to_the_wrong_place_is_not_told(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.write_bytes(encryption.encrypt(b"", encryption.key_from_password("geheim")))
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", 'sh -c "echo geheim >&2"')
    with pytest.raises(ConfigPasswordMissing, match="printed nothing") as refusal:
        Conf(plain).names()
    assert "geheim" not in json.dumps(refusal.value.record())


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
    with pytest.raises(ConfigPasswordMissing, match="not UTF-8") as unfit:
        Conf(plain, password="gehe\udcedm").names()
    assert unfit.value.__context__ is None  # which would contain it
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


def test_each_error_names_the_file_that_it_is_about(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program has several, and "rclone.conf" need not be the one of `--config`."""
    mine = plain.rename(plain.with_name("my rclone.conf"))

    def named(read: Callable[[Conf], object], password: str | None = None) -> None:
        with pytest.raises(ConfigError) as caught:
            read(Conf(mine, password=password))
        assert str(caught.value.why).count(str(mine)) == 1, caught.value.why

    data = encryption.encrypt(OTHERS.encode(), encryption.key_from_password("geheim"))
    for content in (OTHERS.encode() + b"[anna]\nno value\n", data[:-1]):
        mine.write_bytes(content)
        named(Conf.names, "geheim")
    mine.write_bytes(data)
    named(Conf.names, "wrong")
    for command in ("", "false"):
        monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", command)
        named(Conf.names)
        named(Conf.password_environment)
    mine.write_bytes(data.replace(b"V0:", b"V1:"))
    named(Conf.is_encrypted)


def test_it_is_encrypted_rekeyed_and_decrypted_and_the_real_rclone_reads_each(plain: Path) -> None:
    before = dump(plain)
    text = plain.read_text()
    conf = Conf(plain)
    for password in ("geheim", "ein anderes, mit ü"):
        conf.encrypt(password)
        assert conf.is_encrypted()
        assert plain.stat().st_mode & 0o777 == 0o600
        assert dump(plain, environment={"RCLONE_CONFIG_PASS": password}) == before
        conf.update("disk", {"description": "changed"})  # the same object still works
        conf.update("disk", {"description": None})
    assert run(plain, "config", "dump", environment={"RCLONE_CONFIG_PASS": "geheim"}).returncode
    with pytest.raises(ConfigPasswordWrong):
        Conf(plain, password="geheim").encrypt("another")
    conf.encrypt(None)
    assert plain.read_text() == text
    with pytest.raises(ConfigPasswordMissing):
        conf.encrypt(" ")
    assert plain.read_text() == text


def test_a_save_of_an_rclone_while_it_is_encrypted_is_not_lost(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rclone has read the plain file, and replaces the encrypted one with it."""
    once = [lambda: run(plain, "config", "update", "disk", "description=later")]
    waiting = ConfigFile.wait_for_savers

    def wait(self: ConfigFile, put: Put, foreigners: set[int]) -> bool:
        if once:
            plain.write_bytes(OTHERS.encode())
            assert once.pop()().returncode == 0
        return waiting(self, put, foreigners)

    monkeypatch.setattr(ConfigFile, "wait_for_savers", wait)
    Conf(plain).encrypt("geheim")
    found = dump(plain, environment={"RCLONE_CONFIG_PASS": "geheim"})
    assert found["disk"]["description"] == "later"


def test_the_password_comes_from_systemd_or_the_keyring_where_nothing_else_says_it(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyring: dict[str, str]
) -> None:
    Conf(plain).encrypt("geheim")
    with pytest.raises(ConfigPasswordMissing):
        Conf(plain).names()
    keyring[str(plain)] = "geheim"
    assert Conf(plain).names() == ["disk", "vault"]
    keyring.clear()
    (tmp_path / "rclone-config-pass").write_text("geheim\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/" + "x" * 300)  # as closed as another user's
    with pytest.raises(ConfigPasswordMissing):
        Conf(plain).names()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Conf(plain).names() == ["disk", "vault"]
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "rclone's own comes first")
    with pytest.raises(ConfigPasswordWrong):
        Conf(plain).names()


@pytest.mark.parametrize("backend", ["no.such.Backend", "keyring.nothing", "unnamed"])
def test_a_keyring_that_cannot_be_used_is_told(
    plain: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Its backend was removed, for example; backends raise any exception."""
    Conf(plain).encrypt("geheim")
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)

    with pytest.raises(ConfigPasswordMissing, match="keyring"):
        Conf(plain).names()
    with pytest.raises(UsageError, match="keyring"):
        keyrings.keep(plain, "geheim")

    monkeypatch.setenv("RCLONE_CONFIG_PASS", "geheim")
    assert Conf(plain).names() == ["disk", "vault"]
