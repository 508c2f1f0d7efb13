"""`encrypt`: rclone.conf with a password, as the real rclone reads it, from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.encryption import is_encrypted
from tests.cli.conftest import AtTerminal, Command
from tests.conf.real_rclone import dump, run
from tests.forked import Forks
from tests.process.test_process import goes
from tests.terminal import Terminal


@pytest.fixture
def path(connected: Command) -> Path:
    return Path(os.environ["RCLONE_CONFIG"])


def test_a_password_from_a_file_a_command_or_the_environment_and_the_way_back(
    connected: Command, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(path)
    (tmp_path / "password").write_text("one\n")
    ran = connected("encrypt", "--password-file", str(tmp_path / "password"), "--json")
    assert ran.json == {"config": str(path), "encrypted": True, "keyring": False}
    assert connected("storages", "--json").error["error"] == "config_password_missing"

    monkeypatch.setenv("RCLONE_CONFIG_PASS", "one")
    assert connected("storages").code == 0
    two = connected("encrypt", "--password-command", "echo two")
    assert two.code == 0
    assert "export RCLONE_PASSWORD_COMMAND='echo two'" in two.err
    assert connected("storages", "--json").error["error"] == "config_password_wrong"

    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", "echo two")
    monkeypatch.setenv("PLUTON_RCLONE_NEW_PASSWORD", "three")
    assert connected("encrypt").code == 0
    assert dump(path, environment={"RCLONE_CONFIG_PASS": "three"}) == before

    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", "echo three")
    assert connected("encrypt", "--decrypt").code == 0
    assert dump(path) == before
    assert "two" not in two.out


def test_a_file_that_is_not_there_is_not_encrypted(
    connected: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, a misspelt RCLONE_CONFIG created an empty file, which was reported as encrypted."""
    monkeypatch.setenv("PLUTON_RCLONE_NEW_PASSWORD", "geheim")
    missing = path.with_name("misspelt.conf")
    monkeypatch.setenv("RCLONE_CONFIG", str(missing))
    ran = connected("encrypt")
    assert (ran.code, f"There is no file {missing}." in ran.err) == (5, True)
    assert "Check RCLONE_CONFIG." in ran.err
    assert not missing.exists()


def test_a_password_of_the_keyring_that_nobody_sees(
    connected: Command, path: Path, keyring: dict[str, str]
) -> None:
    before = dump(path)
    passwords = []
    for _ in range(2):  # the second time with a new password
        ran = connected("encrypt", "--keyring")
        assert ran.code == 0
        assert list(keyring) == [str(path)]
        passwords.append(keyring[str(path)])
        assert passwords[-1] not in ran.err
        assert f"keyring get rclone.conf {path}" in ran.err
        assert dump(path, environment={"RCLONE_CONFIG_PASS": passwords[-1]}) == before
        assert connected("ls", "work-files:").code == 0
    assert passwords[0] != passwords[1]
    assert connected("encrypt", "--decrypt").code == 0
    assert keyring == {}
    assert dump(path) == before


def test_a_keyring_that_cannot_be_used_makes_no_failure_of_what_is_done(
    connected: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, the file had its new password, yet the command ended with an error."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Backend")
    monkeypatch.setattr("keyring.core._keyring_backend", None)

    ran = connected("encrypt", "--password-command", "echo geheim")

    assert ran.code == 0, ran.err
    assert is_encrypted(path.read_bytes())


def test_without_a_keyring_and_with_two_sources_nothing_changes(
    connected: Command, path: Path
) -> None:
    before = path.read_bytes()
    none = connected("encrypt", "--keyring", "--json")
    both = connected("encrypt", "--keyring", "--decrypt", "--json")
    missing = connected("encrypt", "--password-command", "false", "--json")

    assert [ran.error["error"] for ran in (none, both)] == ["usage"] * 2
    assert missing.error["error"] == "config_password_missing"
    assert path.read_bytes() == before


def test_at_a_terminal_it_is_typed_twice_unseen(
    at_terminal: AtTerminal, connected: Command, path: Path
) -> None:
    with at_terminal("encrypt") as terminal:
        for question, typed in (
            ("New password of rclone.conf", "geheim"),
            ("Repeat for confirmation", "gehiem"),
            ("do not match", None),
            ("New password of rclone.conf", "geheim"),
            ("Repeat for confirmation", "geheim"),
        ):
            terminal.expect(question)
            if typed:
                terminal.answer(typed)
        assert terminal.end() == 0
        assert "geheim" not in terminal.heard
    assert is_encrypted(path.read_bytes())
    assert run(path, "config", "dump", environment={"RCLONE_CONFIG_PASS": "geheim"}).returncode == 0


# Of a password command. systemd-ask-password and pinentry-curses behave like the first one.
ASKS = {
    "the terminal": "printf 'Password: ' >/dev/tty && read p </dev/tty && echo $p",
    "stdin": "printf 'Password: ' >&2 && read p && echo $p",
}


def password_command(folder: Path, code: str) -> dict[str, str]:
    """An environment with this password command."""
    program = folder / "password"
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    return {**os.environ, "RCLONE_PASSWORD_COMMAND": str(program)}


@pytest.mark.parametrize("asks", ASKS)
def test_a_password_command_can_ask_the_person_as_under_rclone(
    forks: Forks, path: Path, tmp_path: Path, asks: str
) -> None:
    environment = password_command(tmp_path, ASKS[asks])
    Conf(path).encrypt("geheim")
    with Terminal(["storages"], env=environment, forks=forks) as terminal:
        terminal.expect("Password: ")
        terminal.answer("geheim")
        assert terminal.end() == 0
    assert "Work files" in terminal.heard
    assert terminal.heard.count("Password: ") == 1


def test_ctrl_c_ends_a_password_command_that_asks(forks: Forks, path: Path, tmp_path: Path) -> None:
    environment = password_command(tmp_path, "echo pid $$. >&2; read p")
    Conf(path).encrypt("geheim")
    with Terminal(["storages"], env=environment, forks=forks) as terminal:
        terminal.expect("pid ")
        terminal.expect(".")
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert goes(int(terminal.heard.partition("pid ")[2].partition(".")[0]))


def test_what_tab_starts_asks_nobody(forks: Forks, path: Path, tmp_path: Path) -> None:
    """The shell itself reads the terminal at that time."""
    environment = password_command(tmp_path, ASKS["the terminal"]) | {
        "_PLUTON_RCLONE_COMPLETE": "bash_complete",
        "COMP_LINE": "pluton-rclone ls ",
    }
    Conf(path).encrypt("geheim")
    with Terminal([], env=environment, forks=forks) as terminal:
        assert terminal.end() == 0
    assert terminal.heard.strip() == ""


def test_a_password_command_without_a_terminal_says_why_it_fails(
    forks: Forks, path: Path, tmp_path: Path
) -> None:
    code = "echo ignored >&2; echo 'token=abc no terminal' >&2; exec 2>/dev/null; read p </dev/tty"
    environment = password_command(tmp_path, code)
    Conf(path).encrypt("geheim")
    ran = forks.run("storages", env=environment)
    assert ran.returncode == 5
    said = " ".join(ran.stderr.decode().split())
    assert "and said: token=*** no terminal" in said
    assert "Here it has no terminal and cannot prompt." in said
