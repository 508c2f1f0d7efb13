"""The connection test: the findings of each step; nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.conf.conf import Conf
from pluton_rclone.connection.probe import (
    PROBE_PREFIX,
    abandoned_probes,
    probe_name,
    quick_xor,
)
from pluton_rclone.connection.report import ConnectionReport, Step
from pluton_rclone.connection.trial import sweep, trial_of
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import ConnectionTestFailed, NextStep
from pluton_rclone.process.folders import runtime_folder
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.setup.connect import DriveKind
from tests.conf.mounts import inside
from tests.connected import BERT, KINDS, connected, emulated_drive, person_of, remote_of
from tests.forked import Forks

STEPS = (
    "config",
    "binary",
    "token",
    "drive",
    "clock",
    "list",
    "write",
    "read",
    "delete",
    "quota",
    "throttling",
)


def test_where_the_place_for_private_files_is_full_the_next_is_taken(
    cloud: Emulator, runtime: Path
) -> None:
    """`set` tests the changed remote in one private rclone.conf, and rclone in another."""
    connected(cloud, name="home")
    program = [sys.executable, "-m", "pluton_rclone", "set", "home", "chunk_size=20Mi"]
    full = f"mount -t tmpfs -o size=8k small {runtime}; head -c 8192 /dev/zero >{runtime}/filler"
    ran = subprocess.run(inside(full, program), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert Storages()["home"].section_with_secrets()["chunk_size"] == "20Mi"


def step_of(report: ConnectionReport, name: str) -> tuple[str, str]:
    (step,) = [step for step in report.steps if step.name == name]
    return step.status, step.text


def probes_of(cloud: Emulator, kind: DriveKind, folder: str = "") -> list[str]:
    """The probe files on the drive."""
    start = emulated_drive(cloud, kind).find(folder) if folder else emulated_drive(cloud, kind).root
    assert start is not None
    return [
        item.name for item in (start.children or {}).values() if item.name.startswith(PROBE_PREFIX)
    ]


# ---- what it finds ----


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_of_a_good_connection_and_the_renewed_token_is_kept(
    cloud: Emulator, kind: DriveKind, request: pytest.FixtureRequest
) -> None:
    if kind == "personal":
        request.getfixturevalue("renewed_by_python")
    storage = connected(cloud, kind)
    before = storage.remote
    report = storage.test()
    after = storage.remote
    assert after.token != before.token
    assert after.sign_in == before.sign_in
    assert [(step.name, step.status) for step in report.steps] == [(name, "ok") for name in STEPS]
    assert report.ok
    assert "QuickXorHash matches" in step_of(report, "read")[1]
    assert "renewed just now" in step_of(report, "token")[1]
    assert json.loads(json.dumps(report.record()))["ok"] is True
    assert probes_of(cloud, kind) == []
    bin_of_drive = emulated_drive(cloud, kind).bin
    assert len(bin_of_drive) == (1 if kind == "personal" else 0)


def test_the_hash_that_microsofts_is_compared_with_is_rclones(tmp_path: Path) -> None:
    contents = [
        bytes(range(256)) * 17,
        b"",
        b"\xff" * 15,
        *(b"x" * size for size in (1, 160, 4096)),
    ]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    argv = [str(find_binary().path), "hashsum", "quickxor", str(tmp_path)]
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    theirs = {name: value for value, name in map(str.split, said.splitlines())}
    assert theirs == {str(number): quick_xor(each) for number, each in enumerate(contents)}


@pytest.mark.parametrize(
    "changes",
    [{"chunk_size": "20Mi"}, {"tenant": "organizations"}],
    ids=lambda each: next(iter(each)),
)
def test_what_a_change_that_fails_its_test_renewed_is_kept(
    cloud: Emulator, changes: dict[str, str]
) -> None:
    """Even if the registration changes, so that the saved remote cannot renew the token itself."""
    cloud.quirks.refresh_tokens_once()
    storage = connected(cloud, "business", seconds=-10)
    steps: list[Step] = []
    with cloud.quirks.bare_answer(404, times=None), pytest.raises(ConnectionTestFailed):
        storage.update(steps.append, **changes)
    assert ("token", "ok") in [(step.name, step.status) for step in steps]
    assert storage.list() == []
    assert storage.test().ok


def test_what_an_older_rclone_would_ignore_is_said(cloud: Emulator, tmp_path: Path) -> None:
    old = tmp_path / "rclone"
    old.write_text("#!/bin/sh\necho 'rclone v1.60.1'\n")
    old.chmod(0o755)
    connected(cloud, "business", hard_delete=True)
    report = Storages(binary=old)["business"].test()
    status, text = step_of(report, "binary")
    assert status == "failed"
    assert "1.60.1 silently ignores hard_delete" in text
    with pytest.raises(ConnectionTestFailed) as caught:
        report.raise_for_failure()
    assert caught.value.details["cause"] == "rclone_too_old"


def test_an_incomplete_remote_fails_at_the_configuration(cloud: Emulator) -> None:
    storage = connected(cloud)
    storage.storages.conf.update("personal", {"drive_id": None})
    assert step_of(storage.test(), "config")[0] == "failed"


def test_a_revoked_token_says_who_and_how(cloud: Emulator) -> None:
    storage = connected(cloud)
    cloud.world.revoke_tokens(cloud.world.person(person_of("personal")))
    cloud.world.advance(1)
    report = storage.test()
    assert step_of(report, "token")[0] == "failed"
    error = report.steps[-1].error
    assert error is not None
    assert error.code == "token_expired"
    assert error.next_step is NextStep.REAUTHORIZE


def test_a_drive_that_is_gone_and_one_of_another_kind(cloud: Emulator) -> None:
    storage = connected(cloud, "business")
    storage.storages.conf.update("business", {"drive_type": "documentLibrary"})
    assert "Microsoft says business" in step_of(storage.test(), "drive")[1]
    storage.storages.conf.update("business", {"drive_id": "b!nothing"})
    error = storage.test().steps[-1].error
    assert error is not None
    assert error.code == "drive_not_found"


def test_reading_only_skips_the_probe(cloud: Emulator) -> None:
    report = connected(cloud, granted_scopes=("Files.Read",)).test()
    assert report.ok
    assert [step_of(report, name)[0] for name in ("write", "read", "delete")] == ["skipped"] * 3


@pytest.mark.parametrize(
    ("scopes", "look"), [(("Files.Read",), "test"), (("Files.ReadWrite",), "check_health")]
)
def test_what_a_killed_test_left_stays_where_nothing_may_be_written(
    cloud: Emulator, scopes: tuple[str, ...], look: str
) -> None:
    storage = connected(cloud, granted_scopes=scopes)
    drive, left = emulated_drive(cloud, "personal"), probe_name()
    drive.write(left, b"probe")
    report = getattr(storage, look)()
    assert step_of(report, "list") == ("ok", "1 entry in the root")
    assert drive.read(left) == b"probe"


def test_what_will_be_trouble_soon_or_makes_it_slow_is_a_warning(
    cloud: Emulator,
) -> None:
    ends = date.today() + timedelta(days=5)
    storage = connected(cloud, secret_expires=ends)
    cloud.world.advance(200)
    drive = emulated_drive(cloud, "personal")
    drive.quota.total = 100_000
    drive.write("much.bin", bytes(91_000))
    cloud.faults.throttle("1", where="createUploadSession")  # rclone's
    cloud.faults.throttle("1", where="/root$")  # ours
    report = storage.test()
    assert report.ok
    assert [step.name for step in report.warnings] == ["token", "clock", "quota", "throttling"]
    assert re.search(r"is 3 min 2\d s behind Microsoft's", step_of(report, "clock")[1])
    assert "2 times" in step_of(report, "throttling")[1]


def test_a_clock_that_is_wrong_by_years_is_told_in_days(cloud: Emulator) -> None:
    storage = connected(cloud)
    cloud.world.advance(-(8 * 365 * 24 + 1) * 3600)
    assert re.search("is 2920 d [01] h ahead of Microsoft's", step_of(storage.test(), "clock")[1])


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (-3, "The client secret expired on {}."),
        (0, "The client secret expires on {}. (today)"),
        (1, "The client secret expires on {}. (in 1 day)"),
        (31, ""),
    ],
)
def test_when_the_client_secret_ends_is_said_as_people_say_it(
    cloud: Emulator, days: int, told: str
) -> None:
    ends = datetime.now(timezone.utc).date() + timedelta(days=days)
    report = connected(cloud, secret_expires=ends).check_health()
    assert "".join(str(step.error) for step in report.warnings) == told.format(ends)


def test_a_damaged_probe_is_found_and_removed(cloud: Emulator) -> None:
    storage = connected(cloud)
    cloud.faults.damaged_uploads = 1
    report = storage.test()
    assert not report.ok
    assert report.steps[-1].name in ("write", "read")
    assert probes_of(cloud, "personal") == []


# ---- hard delete ----


@pytest.mark.parametrize("kind", ["business", "sharepoint"])
def test_hard_delete_passes_the_recycle_bin_and_without_it_files_are_there(
    cloud: Emulator, kind: DriveKind
) -> None:
    drive = emulated_drive(cloud, kind)
    for name, hard in (("soft.txt", False), ("hard.txt", True)):
        drive.write(name, b"x")
        connected(cloud, kind, name=name, hard_delete=hard).delete_file(name).result()
    assert drive.bin.names() == ["soft.txt"]


def test_hard_delete_on_personal_what_the_probe_found_is_said(cloud: Emulator) -> None:
    storage = connected(cloud, hard_delete=True)
    status, text = step_of(storage.test(), "delete")
    assert (status, text) == ("ok", "the probe file was deleted permanently")
    cloud.faults.refuse(403, where="permanentDelete", times=None)
    status, text = step_of(storage.test(), "delete")
    assert status == "warning"
    assert "does not allow permanent deletion" in text
    assert probes_of(cloud, "personal") == []


# ---- interrupted ----


def test_probes_of_others_are_left_alone_and_those_of_the_dead_are_not() -> None:
    # above Linux's highest pid
    dead = f"{PROBE_PREFIX}-{os.uname().nodename[:20]}-4194305-00000000.tmp"
    elsewhere = f"{PROBE_PREFIX}-other-host-17-00000000.tmp"
    running = f"{PROBE_PREFIX}-{os.uname().nodename[:20]}-{os.getppid()}-00000000.tmp"
    found = abandoned_probes([(dead, 5), (elsewhere, 5), (running, 5), ("letter.txt", 9000)])
    assert found == [dead]
    assert abandoned_probes([(elsewhere, 4000)]) == [elsewhere]
    # named by another user of the folder: no process has such a number
    odd = [dead.replace("4194305", number) for number in ("9" * 30, "\u00b2")]
    assert abandoned_probes([(name, 5) for name in odd]) == odd[:1]
    assert probe_name().startswith(PROBE_PREFIX)


def killed(forks: Forks, name: str, step: str, when: str, stdin: str = "") -> int:
    words = ("-m", "tests.killed_test", name, step, when)
    return forks.run(*words, stdin=stdin.encode()).returncode


def settings(storage: Storage) -> dict[str, str]:
    section = storage.section_with_secrets()
    return {key: value for key, value in section.items() if key != "token"}


def leftovers() -> list[Path]:
    """Private folders of tests of unsaved remotes."""
    return [folder for folder in runtime_folder().iterdir() if folder.name.startswith("test-")]


def test_killed_before_each_step_the_next_test_leaves_nothing(
    cloud: Emulator, forks: Forks
) -> None:
    """All but the last of these tests are killed, too, after they have looked for leftovers."""
    storage = connected(cloud, "business", base_folder="laptop")
    emulated_drive(cloud, "business").folder("laptop")
    before = settings(storage)
    left: list[str] = []
    # before the probe exists, after it was written, after it was read, and after it was removed
    for step, probes in (("token", 0), ("write", 0), ("read", 1), ("delete", 1), ("throttling", 0)):
        assert killed(forks, "business", step, "before") == -signal.SIGKILL
        now = probes_of(cloud, "business", "laptop")
        assert (len(now), set(now) & set(left)) == (probes, set())
        assert settings(storage) == before
        left = now
    assert killed(forks, "business", "read", "before") == -signal.SIGKILL
    assert len(probes_of(cloud, "business", "laptop")) == 1
    assert storage.test().ok
    assert probes_of(cloud, "business", "laptop") == []
    assert settings(storage) == before
    assert list(storage.storages) == ["business"]


def test_killed_in_the_middle_of_a_step_the_next_test_leaves_nothing(
    cloud: Emulator, forks: Forks
) -> None:
    storage = connected(cloud, "business")
    before = settings(storage)
    cloud.faults.latency = 0.05
    for step in ("write", "delete"):
        assert killed(forks, "business", step, "during") == -signal.SIGKILL
    cloud.faults.latency = 0
    assert len(probes_of(cloud, "business")) <= 1
    assert storage.test().ok
    assert probes_of(cloud, "business") == []
    assert settings(storage) == before


def test_a_test_of_a_new_remote_that_is_killed_leaves_no_secret_after_the_next(
    cloud: Emulator, forks: Forks
) -> None:
    remote = remote_of(cloud, "business")
    assert (
        killed(forks, "new", "read", "before", json.dumps(remote.to_section())) == -signal.SIGKILL
    )
    assert probes_of(cloud, "business") != []
    storages = Storages()
    assert storages.test(remote).ok
    assert probes_of(cloud, "business") == []
    assert leftovers() == []
    assert list(storages) == []
    assert BERT not in storages.path.read_text() if storages.path.exists() else True


def test_a_loan_from_a_folder_that_is_called_like_a_test_stays(
    cloud: Emulator, tmp_path: Path
) -> None:
    conf = Conf(tmp_path / "test-cloud" / "rclone.conf")
    conf.path.parent.mkdir()
    conf.add("work", remote_of(cloud, "business").to_section())
    with conf.private(["work"]) as private:
        sweep()
        assert Conf(private.path).names() == ["work"]
    assert not (conf.path.parent / "owner.lock").exists()


def test_a_test_beside_another_container_is_not_taken_for_a_killed_one(
    cloud: Emulator, runtime: Path
) -> None:
    """They share the folder of private files, but not the process numbers."""
    sweeping = "from pluton_rclone.connection.trial import sweep; sweep()"
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", sweeping]
    if os.geteuid() != 0:
        argv[1:1] = ["--user", "--map-current-user"]
    with trial_of(remote_of(cloud, "business"), find_binary(None)) as trial:
        assert leftovers() == [trial.conf.path.parent]
        subprocess.run(argv, check=True)
        assert leftovers() == [trial.conf.path.parent]
    assert leftovers() == []
