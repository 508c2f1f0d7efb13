"""Which rclones use an rclone.conf, and when they sleep."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pluton_rclone.conf import foreigners
from pluton_rclone.conf.foreigners import foreign_rclones, wait_until_asleep
from tests.conf.real_rclone import RCLONE


@contextmanager
def running(argv: list[str], folder: Path, **environment: str) -> Iterator[int]:
    """A process that waits at its prompt."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "environment", "is_foreign"),
    [
        (["--config", "{folder}/rclone.conf"], {}, True),
        (["--config={folder}/rclone.conf"], {}, True),
        (["--exclude", "x" * 5000, "--config={folder}/rclone.conf"], {}, True),
        (["--config", "rclone.conf"], {}, True),
        (["--config", "{folder}/link.conf"], {}, True),
        ([], {"RCLONE_CONFIG": "{folder}/rclone.conf"}, True),
        ([], {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "{folder}/xdg"}, False),
        (["--config", "{folder}/other.conf"], {"RCLONE_CONFIG": "{folder}/rclone.conf"}, False),
    ],
)
def test_an_rclone_is_foreign_when_it_uses_the_file(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], is_foreign: bool
) -> None:
    path = tmp_path / "rclone.conf"
    path.write_text("[a]\ntype = memory\n")
    (tmp_path / "link.conf").symlink_to(path)
    filled = [argument.format(folder=tmp_path) for argument in arguments]
    values = {name: value.format(folder=tmp_path) for name, value in environment.items()}
    with running([str(RCLONE), "config", *filled], tmp_path, **values) as process:
        assert (process in foreign_rclones(path)) == is_foreign


def test_an_rclone_beside_the_file_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    path.touch()
    shutil.copy(RCLONE, tmp_path / "rclone")
    with running([str(tmp_path / "rclone"), "config"], tmp_path, HOME="/nonexistent") as process:
        assert process in foreign_rclones(path)


def test_other_programs_are_not(tmp_path: Path) -> None:
    script = "print('>', end='', flush=True); input()"
    argv = [sys.executable, "-c", script, "--config", str(tmp_path / "rclone.conf")]
    with running(argv, tmp_path) as process:
        assert process not in foreign_rclones(tmp_path / "rclone.conf")


def test_who_sleeps_or_is_gone_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadline never comes: otherwise the test would not end."""
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    script = "print('>', end='', flush=True); input()"
    with running([sys.executable, "-c", script], tmp_path) as process:
        wait_until_asleep({process, 2**22 + 1}, 1)
    assert not Path(f"/proc/{process}").exists()


def test_whois_at_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([True, True, False, True, False, False])
    monkeypatch.setattr(foreigners, "is_at_work", lambda _process: next(seen))
    wait_until_asleep({1}, 60)
    assert next(seen, None) is None


def test_who_never_sleeps_is_not_waited_for_for_ever() -> None:
    """This process is busy while it checks itself."""
    wait_until_asleep({os.getpid()}, 0.01)
