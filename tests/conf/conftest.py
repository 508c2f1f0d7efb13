"""What every test of rclone.conf needs: a runtime folder of its own, and an rclone.conf of other
people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conf.encrypted import OTHERS, PASSWORD, EncryptedPath


@pytest.fixture(autouse=True)
def _in_a_session(runtime: Path) -> None:
    """Every test has a runtime folder of its own."""


@pytest.fixture(params=[Path, EncryptedPath], ids=["plain", "encrypted"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An rclone.conf with other people's remotes; once plain and once encrypted, for every test
    that takes it."""
    monkeypatch.delenv("RCLONE_PASSWORD_COMMAND", raising=False)
    monkeypatch.delenv("RCLONE_CONFIG_PASS", raising=False)
    if request.param is EncryptedPath:
        monkeypatch.setenv("RCLONE_CONFIG_PASS", PASSWORD)
    path: Path = request.param(tmp_path / "rclone.conf")
    path.write_text(OTHERS)
    return path
