"""What every test of rclone.conf needs: its own runtime folder, and an rclone.conf with foreign
remotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conf.encrypted import OTHERS, PASSWORD, EncryptedPath


@pytest.fixture(autouse=True)
def _in_a_session(runtime: Path) -> None:
    """Give every test its own runtime folder."""


@pytest.fixture(params=[Path, EncryptedPath], ids=["plain", "encrypted"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An rclone.conf with foreign remotes; every test that takes it runs with a plain and with an
    encrypted file."""
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    if request.param is EncryptedPath:
        monkeypatch.setenv("RCLONE_CONFIG_PASS", PASSWORD)
    path: Path = request.param(tmp_path / "rclone.conf")
    path.write_text(OTHERS)
    return path
