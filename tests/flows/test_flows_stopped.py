"""A stopped plan: its steps end, their runs are recorded as stopped, and no rclone is left."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from tests.cli.test_cli_interrupt import Frozen, children_left, frozen  # noqa: F401
from tests.connected import connected, emulated_drive
from tests.forked import Forks
from tests.storages.debian_restic import debian_restic
from tests.terminal import PATIENCE

STEPS = {
    "upload": ('do = "upload"\nlocal = "{source}"\nfolder = "new"', "PUT|createUploadSession"),
    "check": ('do = "check"\nlocal = "{source}"\nfolder = "data"', "children|delta"),
    "restic": ('do = "restic"\narguments = ["snapshots"]', "restic"),
}


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("upload", signal.SIGINT),
        ("upload", signal.SIGTERM),
        ("check", signal.SIGTERM),
        ("restic", signal.SIGINT),
    ],
)
def test_a_plan_that_is_stopped_stops_its_runs_and_says_so(
    cloud: Emulator,
    frozen: Frozen,  # noqa: F811
    tmp_path: Path,
    forks: Forks,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    number: signal.Signals,
) -> None:
    for kind in ("personal", "business"):
        connected(cloud, kind)
        emulated_drive(cloud, kind).write("data/a.txt", b"a")
    if step == "restic":
        monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(debian_restic()))
        monkeypatch.setenv("RESTIC_PASSWORD", "geheim")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.txt", "b.txt"):
        (source / name).write_text(name)
    plan, (text, request) = tmp_path / "plan.toml", STEPS[step]
    plan.write_text(
        'name = "n"\nstorages = [{ names = ["*"] }]\n[[steps]]\n'
        f'{text.replace("{source}", str(source))}\n[[steps]]\ndo = "keep-alive"\n'
    )
    frozen.at(request)
    with tempfile.TemporaryFile() as said:
        command = forks.start(["flow", "run", "--no-server", plan], (said.fileno(),) * 3)
        frozen.wait()
        command.send_signal(number)
        assert command.wait(PATIENCE) == 130
        said.seek(0)
        lines = said.read().decode().splitlines()
    assert lines[-1] == "Stopped."
    assert "Traceback" not in "\n".join(lines)
    assert children_left(cloud) == []
    assert {one.ended for one in Storages().runs.last()} == {"cancelled"}
