"""What every test of rclone.conf needs: a runtime folder of its own, so that nothing is left in the machine's memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conf.encrypted import OTHERS, PASSWORD, EncryptedPath


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a desktop session has one."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


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
