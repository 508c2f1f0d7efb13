"""The setup of a real browser: the CA in its database, the proxy as an argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator, browser
from pluton_rclone.errors import UsageError

CERTUTIL = """#!/bin/sh
echo "$HOME $*" >> "$HOME/calls"
case "$*" in *-N*) : > "$HOME/.pki/nssdb/cert9.db";; esac
exit $(cat "$HOME/exit" 2>/dev/null || echo 0)
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certutil that records its arguments."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "certutil").write_text(CERTUTIL)
    (folder / "certutil").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_the_ca_is_put_into_the_nss_database_of_that_home(
    cloud: Emulator, home: Path, tools: Path
) -> None:
    folder = browser.trust(cloud, home)
    browser.trust(cloud, home)
    assert folder == home / ".pki" / "nssdb"
    made, first, second = (home / "calls").read_text().splitlines()
    assert made == f"{home} -N -d sql:{folder} --empty-password"
    assert first == f"{home} -A -d sql:{folder} -n {browser.NAME} -t C,, -i {cloud.ca_file}"
    assert second == first


def test_a_failing_certutil_is_told(cloud: Emulator, home: Path, tools: Path) -> None:
    (home / "exit").write_text("3")
    with pytest.raises(UsageError, match="certutil failed"):
        browser.trust(cloud, home)


def test_without_certutil_the_package_is_named(
    cloud: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="certutil is missing") as caught:
        browser.trust(cloud, home)
    assert "libnss3-tools" in caught.value.advice


def test_the_proxy_is_an_argument(cloud: Emulator) -> None:
    assert browser.arguments(cloud) == [f"--proxy-server={cloud.proxy_url}"]
