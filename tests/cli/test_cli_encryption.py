"""`encrypt`: rclone.conf with a password, as the real rclone reads it, from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pluton_rclone.conf.encryption import is_encrypted
from tests.cli.conftest import AtTerminal, Command
from tests.conf.real_rclone import dump, run


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


def test_a_password_of_the_keyring_that_nobody_sees(
    connected: Command, path: Path, keyring: dict[str, str]
) -> None:
    before = dump(path)
    passwords = []
    for _ in range(2):  # and a new one
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
