"""Ten everyday jobs, with pluton-rclone and with bare rclone: docs/everyday.md shows what the
commands print, run in order against the emulated Microsoft.

After a change of the output: REFRESH_SCREENS=1, as for `test_docs_screens`.
"""

from __future__ import annotations

import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.cli import run, transfers
from pluton_rclone.cli.timer import NETWORK
from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator, Secret
from pluton_rclone.rclone.binary import find_binary
from tests.connected import ANNA
from tests.emulator.test_emulator_person import Receiver
from tests.rclone_port import rclone_port, visit
from tests.serving import serving

from .conftest import Screen
from .test_docs_screens import ran, same_as_page

PAGE = "everyday.md"
PASSWORD = "correct horse battery staple"
BERT = "bert@contoso.onmicrosoft.com"
CRYPT = """
[secret]
type = crypt
remote = work:crypt
password = 0gJNt4mPxB5sZCmnUwjO2D6MVJQRZ-6PdUdA
"""
DISK = """
[disk]
type = alias
remote = disk
"""
SERVICE = "https://hc-ping.com"
NIGHTLY = (
    'rclone sync data work:data --backup-dir "work:old/$(date +%F)" && '
    f"curl -fsS -o /dev/null {SERVICE}/nightly",
    "rclone lsf --dirs-only work:old | while read day; do "
    """[[ $day < $(date -d '30 days ago' +%F) ]] && rclone purge "work:old/$day"; done""",
)


def normal(text: str, work: Path) -> str:
    """The text as the page shows it; rclone's own lines lose what differs between runs."""
    for pattern, shown in (
        (re.escape(str(work)), "/home/anna"),
        (re.escape(shlex.quote(sys.executable)), "/usr/bin/python3"),
        # in an activated environment
        (re.escape(shutil.which("pluton-rclone") or "\0"), "/usr/bin/python3 -I -m pluton_rclone"),
        (re.escape(os.environ["PATH"]), "/usr/local/bin:/usr/bin:/bin"),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "2026/11/28 03:00:00"),
        # of the emulator: Anna's own job does not need them
        (rf"(?m)^note .* needs (?:{'|'.join(NETWORK)}) in .*\n", ""),
        (r"state=\S+", "state=…"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-28 03:00:00"),
        (r"(?m)^(Transferred:.*|Elapsed time:.*|Checks:.*|Deleted:.*)\n", ""),
        (r"\d+(\.\d+)?(ms|µs)", "1ms"),
        (r'"(access_token|refresh_token|expiry)":"[^"]*"', r'"\1":"…"'),
    ):
        text = re.sub(pattern, shown, text)
    return text


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the jobs run."""
    folder = tmp_path / "work"
    for name in ("data/letter.txt", "data/photos/beach.jpg", "data/photos/hill.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n" * 100)
    (folder / "password.txt").write_text(PASSWORD)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def daemon(cloud: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app-only storage whose secret is about to be renewed; new-secret.txt has the new one."""
    with monkeypatch.context() as patch:
        patch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)
        patch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", DAEMON_CLIENT_ID)
        tenant = ["--tenant", "contoso.onmicrosoft.com", "--user", BERT]
        assert run(["connect", "daemon", "--method", "app", *tenant]) == 0


@pytest.fixture
def ping() -> Iterator[Receiver]:
    """A service such as Healthchecks."""
    with serving(Receiver()) as service:
        yield service


def renew(cloud: Emulator, work: Path) -> None:
    """The registration gets a new secret, and the old one expires."""
    cloud.world.registrations[DAEMON_CLIENT_ID].secrets[:] = [Secret.of("emulated~new~secret")]
    (work / "new-secret.txt").write_text("emulated~new~secret")


@pytest.mark.long
def test_ten_jobs_with_pluton_rclone(
    screen: Screen,
    cloud: Emulator,
    browser: Callable[..., None],
    work: Path,
    daemon: None,
    ping: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def job(name: str, *lines: str) -> None:
        text = "".join(ran(screen, line) for line in lines)
        same_as_page(name, PAGE, normal(text, work))

    def day(text: str) -> None:
        monkeypatch.setattr(transfers, "today", lambda: datetime.date.fromisoformat(text))

    browser(ANNA)
    sync = "pluton-rclone sync --yes data work:data --backup-dir work:old --keep-days 30"
    job("connect", "pluton-rclone connect work --type personal")
    monkeypatch.setenv("PLUTON_RCLONE_PING", f"http://127.0.0.1:{ping.server_port}/nightly")
    letter = work / "data" / "letter.txt"
    for now, words in (("2026-10-01", "Dear"), ("2026-10-25", "Dear all"), ("2026-11-21", "Hi")):
        day(now)
        letter.write_text(words)
        if now == "2026-11-21":
            (work / "data" / "photos" / "hill.jpg").unlink()
        ran(screen, sync)
    letter.write_text("Dear reader")
    day("2026-11-28")
    job("history", sync, f"pluton-rclone timer nightly --cron -- {sync.partition(' ')[2]}")
    assert ping.arrived.is_set()
    monkeypatch.delenv("PLUTON_RCLONE_PING")
    job("verify", "pluton-rclone check data work:data")
    job("restore", "pluton-rclone copy work:old/2026-11-21/photos restored")
    assert (work / "restored" / "hill.jpg").exists()
    job(
        "move",
        "pluton-rclone export work --output work.conf",
        "pluton-rclone import work work.conf --yes --config new.conf",
    )
    renew(cloud, work)
    job(
        "secret",
        "pluton-rclone test daemon",
        "pluton-rclone set daemon --secret client_secret --secret-file new-secret.txt",
    )
    config = Path(os.environ["RCLONE_CONFIG"])
    config.write_text(config.read_text() + CRYPT + DISK)
    job("crypt", "pluton-rclone copy data secret:", "pluton-rclone check data secret: --download")
    job(
        "other",
        "pluton-rclone copy work:data disk:backups/onedrive",
        "pluton-rclone check work:data disk:backups/onedrive",
    )
    (work / "data" / "photos" / "beach.jpg").unlink()
    job("dry-run", "pluton-rclone sync --dry-run data work:data")
    job("encrypt", "pluton-rclone encrypt --password-file password.txt")
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", "cat password.txt")
    assert ran(screen, "pluton-rclone ls work:").count("data")


def test_the_same_jobs_with_rclone_alone(
    cloud: Emulator,
    home: Path,
    work: Path,
    daemon: None,
    ping: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = work.parent / "bin"
    programs.mkdir()
    (programs / "rclone").symlink_to(find_binary().path)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    config = Path(os.environ["RCLONE_CONFIG"])

    last_week = str(datetime.date.today() - datetime.timedelta(7))

    def job(name: str, *lines: str) -> None:
        text = ""
        visits: list[threading.Thread] = []
        for line in lines:
            typed = line.replace(SERVICE, f"http://127.0.0.1:{ping.server_port}")
            text += f"$ {line}\n"
            with subprocess.Popen(
                ["bash", "-c", typed],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as done:
                for said in done.stdout or ():
                    text += said
                    address = re.search(r"http://127\.0\.0\.1:\d+/auth\?state=\S+", said)
                    if address is not None:  # the person at the browser
                        visits.append(
                            threading.Thread(target=visit, args=(cloud, ANNA, address[0]))
                        )
                        visits[-1].start()
        for one in visits:
            one.join()
        text = text.replace(last_week, "2026-11-21")
        same_as_page(f"bare-{name}", PAGE, normal(text, work))

    with rclone_port():
        job("connect", "rclone config create work onedrive")
    drive = cloud.files.drive_of(ANNA)
    drive.write("old/2020-01-01/letter.txt", b"Dear all")
    drive.write(f"old/{last_week}/photos/hill.jpg", b"hill")
    job("history", *NIGHTLY)
    assert ping.arrived.is_set()
    assert "2020-01-01" not in (drive.folder("old").children or ())
    assert last_week in (drive.folder("old").children or ())
    job("verify", "rclone check data work:data")
    job("restore", f"rclone copy work:old/{last_week}/photos restored")
    assert (work / "restored" / "hill.jpg").exists()
    job("move", "rclone config show work > new.conf", "rclone --config new.conf lsd work:")
    renew(cloud, work)
    job(
        "secret",
        "rclone lsd daemon: --retries 1",
        'rclone config update daemon client_secret "$(cat new-secret.txt)" > /dev/null',
        "rclone lsd daemon:",
    )
    config.write_text(config.read_text() + CRYPT + DISK)
    job("crypt", "rclone copy data secret:", "rclone cryptcheck data secret:")
    job(
        "other",
        "rclone copy work:data disk:backups/onedrive",
        "rclone check work:data disk:backups/onedrive",
    )
    (work / "data" / "photos" / "beach.jpg").unlink()
    job("dry-run", "rclone sync --dry-run data work:data")
    job(
        "encrypt",
        'rclone config encryption set --password-command "cat password.txt"',
        'RCLONE_PASSWORD_COMMAND="cat password.txt" rclone lsd work:',
    )
