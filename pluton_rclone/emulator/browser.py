"""What a real browser needs to reach the emulator, because it reads none of the three variables.

Chromium and its relatives take the proxy as an argument and trust the certificates in the NSS
database of the home folder, which certutil (Debian's libnss3-tools) writes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pluton_rclone import process
from pluton_rclone.emulator.server import Emulator
from pluton_rclone.errors import UsageError

NAME = "pluton-rclone emulator"


def trust(cloud: Emulator, home: Path) -> Path:
    """Make browsers whose HOME is `home` trust the emulator's CA; return the NSS database's folder.

    Raises UsageError if certutil is missing or fails.
    """
    certutil = shutil.which("certutil")
    if certutil is None:
        raise UsageError(
            "certutil is missing, which installs the certificates that a browser trusts",
            advice="Install it: apt-get install libnss3-tools.",
        )
    folder = home / ".pki" / "nssdb"
    folder.mkdir(parents=True, exist_ok=True)
    database = f"sql:{folder}"
    environment = {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)}
    if not (folder / "cert9.db").exists():
        _certutil([certutil, "-N", "-d", database, "--empty-password"], environment)
    _certutil(
        [certutil, "-A", "-d", database, "-n", NAME, "-t", "C,,", "-i", str(cloud.ca_file)],
        environment,
    )
    return folder


def arguments(cloud: Emulator) -> list[str]:
    """Arguments for Chromium's command line. Chromium bypasses the proxy for loopback by itself."""
    return [f"--proxy-server={cloud.proxy_url}"]


def _certutil(argv: list[str], environment: dict[str, str]) -> None:
    completed = process.run([os.path.abspath(argv[0]), *argv[1:]], env=environment, timeout=60)
    if completed.returncode != 0:
        raise UsageError("certutil failed", why=completed.stderr.decode("utf-8", "replace").strip())
