"""Plans that run in one process, without a server."""

from __future__ import annotations

import json
import os
import socketserver
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import Storage, Storages
from pluton_rclone.cli import run as pluton_rclone
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import StorageNotFound, Unreachable, UsageError
from pluton_rclone.flows import alone
from pluton_rclone.flows.plan import Plan, Which
from pluton_rclone.flows.steps import Outcome
from pluton_rclone.flows.which import targets
from tests.connected import (
    KINDS,
    connected,
    connected_as_app,
    emulated_drive,
    remote_of,
)
from tests.forked import Forks
from tests.restic_repository import write_repository
from tests.storages.debian_restic import debian_restic
from tests.terminal import PATIENCE

UPLOAD_AND_CHECK = [
    {"do": "upload", "folder": "data"},
    {"do": "check", "folder": "data"},
]


def plan_of(source: Path, *steps: dict[str, Any], **more: Any) -> Plan:
    kept = [{"local": str(source), **step} for step in steps or UPLOAD_AND_CHECK]
    storages = more.pop("storages", [{"names": ["*"]}])
    return Plan.model_validate({"name": "nightly", "storages": storages, "steps": kept, **more})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    return folder


def expired(cloud: Emulator, name: str) -> None:
    """A storage whose sign-in has expired."""
    token = json.dumps(
        {"access_token": "old", "refresh_token": "gone", "expiry": "2020-01-01T00:00:00Z"}
    )
    Storages().add_tested(name, remote_of(cloud, "business").replace(token=SecretStr(token)))


def test_a_plan_runs_in_four_storages_and_the_one_that_fails_says_why(
    cloud: Emulator, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind in KINDS:
        connected(cloud, kind)
    expired(cloud, "expired")
    wanted = plan_of(source, retry={"wait": 0}, at_once={"worker": 2})
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "nightly"\nstorages = [{ names = ["*"] }]\n[retry]\nwait = 0\n'
        + "".join(
            f'[[steps]]\ndo = "{step.do}"\nlocal = "{source}"\nfolder = "data"\n'
            for step in wanted.steps
        )
    )

    assert pluton_rclone(["flow", "run", "--no-server", "--json", str(file)]) == 7

    out, err = capfd.readouterr()
    outcomes = [json.loads(line) for line in out.splitlines()]
    found = {(one["storage"], one["step"].split()[0]): one for one in outcomes}
    assert {place for place, one in found.items() if one["ended"] == "done"} == {
        (kind, do) for kind in KINDS for do in ("upload", "check")
    }
    assert all(one["files"] == 2 for one in found.values() if one["ended"] == "done")
    assert set(found) - {(kind, do) for kind in KINDS for do in ("upload", "check")} == {
        ("expired", "upload")
    }
    assert "expired" in found["expired", "upload"]["error"]
    assert json.loads(err.splitlines()[-1])["what"] == "1 of 4 storages failed: expired."
    assert len(Storages().runs.last()) == 7
    assert "gone" not in out + err


def test_a_file_that_fails_is_in_the_outcome_and_only_it_is_sent_again(
    cloud: Emulator, source: Path
) -> None:
    connected(cloud, "business")
    cloud.faults.refuse(423, times=None, where="b.txt")
    wanted = plan_of(source, retry={"times": 0})
    (first,) = alone.run(wanted, Storages())
    assert (first.ended, first.files, first.failures) == ("failed", 1, 1)
    assert [one["path"] for one in first.failed] == ["b.txt"]
    cloud.faults.clear()
    said: list[Outcome] = []
    again = alone.run(wanted, Storages(), said=said.append)
    assert again == said
    assert [(one.ended, one.files) for one in again] == [("done", 1), ("done", 2)]


def test_a_sync_that_stops_before_it_deletes_is_not_tried_again(
    cloud: Emulator, tmp_path: Path
) -> None:
    emulated_drive(cloud, "personal").write("data/a.txt", b"there")
    storage = connected(cloud, "personal")
    (tmp_path / "empty").mkdir()
    step = {"do": "sync", "folder": "data"}
    (outcome,) = alone.run(plan_of(tmp_path / "empty", step), Storages())
    assert "no files" in str(outcome.error)
    assert [one.ended for one in storage.storages.runs.last()] == ["failed"]


def test_what_nobody_foresaw_ends_its_own_storage_alone(
    cloud: Emulator,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "pluton_rclone")
    for kind in ("personal", "business"):
        connected(cloud, kind)
    at = Storage.at

    def broken(storage: Storage, path: str = "") -> str:
        if storage.remote_name == "personal":
            raise OSError("token=hunter2 is gone")
        return at(storage, path)

    monkeypatch.setattr(Storage, "at", broken)
    for more in ({}, {"shards": 2}):
        step = {"do": "upload", "folder": "data", **more}
        outcomes = alone.run(plan_of(source, step, retry={"times": 0}), Storages())
        ends = {(one.storage, one.ended): str(one.error) for one in outcomes}
        assert ends.keys() >= {("personal", "failed"), ("business", "done")}
        assert "OSError" in ends["personal", "failed"]
        assert "hunter2" not in str(ends)
        assert "in broken" in caplog.text  # the place, for the person who must fix it


def test_outcomes_that_come_at_once_are_said_one_after_the_other(
    cloud: Emulator, source: Path
) -> None:
    """Two storages, each with several lines."""
    for kind in KINDS[:2]:
        connected(cloud, kind)
    both, said = threading.Barrier(2), list[str]()

    def says(one: Outcome) -> None:
        said.append(one.storage)
        with suppress(threading.BrokenBarrierError):  # if the other one is there meanwhile
            both.wait(0.2)
        said.append(one.storage)

    alone.run(plan_of(source, {"do": "upload", "folder": "data"}), Storages(), said=says)
    assert said[0] == said[1]
    assert said[2] == said[3]


@pytest.mark.parametrize("name", [".", ".."])
def test_a_storage_called_like_a_folder_above_reaches_no_others_files(
    cloud: Emulator, tmp_path: Path, name: str
) -> None:
    """rclone accepts such a name; a sync into /srv/.. would delete the content of /."""
    connected(cloud, "business")
    connected(cloud, "personal").rename_remote(name)
    emulated_drive(cloud, "personal").write("kept/a.txt", b"a")
    emulated_drive(cloud, "business").write("kept/b.txt", b"b")
    mine = tmp_path / "above" / "mine"
    (mine / "business").mkdir(parents=True)
    for place in (mine, mine.parent):
        (place / "other.txt").write_text("somebody's")

    back = {"do": "sync", "into": "local", "folder": "kept", "local": f"{mine}/{{storage}}"}
    found = {one.storage: one for one in alone.run(plan_of(tmp_path, back), Storages())}

    assert found["business"].ok
    assert (mine / "business" / "b.txt").read_bytes() == b"b"
    assert "cannot be part of a path" in (found[name].error or "")
    assert not found[name].retry_helps
    assert [(place / "other.txt").exists() for place in (mine, mine.parent)] == [True, True]


def test_a_friendly_name_may_hold_brackets(cloud: Emulator) -> None:
    connected(cloud, "personal", name="Work [old]")
    connected(cloud, "business", name="Work o")
    found = {
        pattern: [one.name for one in targets([Which(names=(pattern,))], Storages())]
        for pattern in ("Work [old]", "* [o*")
    }
    assert found == {key: ["work-old"] for key in found}, found


def test_a_plan_of_an_organisation_that_is_not_there_is_explained_with_a_note(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "n"\nstorages = [{ tenant_of = "contso" }]\nsteps = [{ do = "keep-alive" }]\n'
    )
    assert pluton_rclone(["plan", "check", str(file)]) == 0
    assert "note    There is no storage called 'contso'" in capfd.readouterr().err


def test_a_plan_goes_on_when_nobody_reads_what_it_says(
    cloud: Emulator, source: Path, tmp_path: Path, forks: Forks
) -> None:
    connected(cloud, "personal")
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "n"\nstorages = [{ names = ["*"] }]\n[[steps]]\ndo = "health"\n'
        f'[[steps]]\ndo = "upload"\nlocal = "{source}"\nfolder = "data"\n'
    )
    reads, writes = os.pipe()
    os.close(reads)
    with tempfile.TemporaryFile() as said:
        words = ["flow", "run", "--no-server", "--json", file]
        command = forks.start(words, (said.fileno(), writes, said.fileno()))
        os.close(writes)
        command.wait(PATIENCE)
    assert emulated_drive(cloud, "personal").read("data/a.txt") == b"a.txt"


def test_what_may_pass_is_tried_again_as_often_as_the_plan_says(
    cloud: Emulator, source: Path
) -> None:
    storage = connected(cloud, "personal")
    cloud.faults.refuse(500, times=None, where="b.txt")
    options = {"options": {"retries": 1, "low_level_retries": 1}}
    wanted = plan_of(source, {"do": "upload", **options}, retry={"times": 2, "wait": 0})
    (outcome,) = alone.run(wanted, Storages())
    assert outcome.ended == "failed"
    assert [one.ended for one in storage.storages.runs.last()] == ["failed"] * 3


def test_a_plan_reads_back_keeps_alive_and_looks_after(
    cloud: Emulator, source: Path, tmp_path: Path
) -> None:
    emulated_drive(cloud, "personal").write("data/a.txt", b"there")
    connected(cloud, "personal")
    wanted = plan_of(
        tmp_path / "{storage}",
        {"do": "download", "folder": "data"},
    )
    look = {"name": "look", "storages": [{"names": ["personal"]}]}
    wanted = Plan.model_validate(
        {**look, "steps": [*wanted.record()["steps"], {"do": "keep-alive"}, {"do": "health"}]}
    )
    outcomes = alone.run(wanted, Storages())
    assert [one.ended for one in outcomes] == ["done"] * 3
    assert (tmp_path / "personal" / "a.txt").read_bytes() == b"there"


def test_a_difference_is_named(cloud: Emulator, source: Path) -> None:
    emulated_drive(cloud, "personal").write("data/a.txt", b"other")
    connected(cloud, "personal")
    (outcome,) = alone.run(plan_of(source, UPLOAD_AND_CHECK[1]), Storages())
    assert outcome.ended == "differs"
    assert {one["path"]: one["why"] for one in outcome.failed} == {
        "a.txt": "a.txt differs.",
        "b.txt": "b.txt is missing at the destination.",
    }


def test_all_of_an_organisation_is_found_page_by_page_and_becomes_storages(
    cloud: Emulator, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pluton_rclone.emulator.graph import sites

    monkeypatch.setattr(sites, "PAGE", 2)
    for number in range(4):
        cloud.world.add_person(f"p{number}@contoso.onmicrosoft.com", f"Person {number}")
    cloud.world.person("p1@contoso.onmicrosoft.com").licensed = False
    connected_as_app(cloud)
    storages = Storages()
    which = {"tenant_of": "contoso", "users": ["p*", "bert@*"], "sites": ["Backups"]}
    wanted = plan_of(source, UPLOAD_AND_CHECK[0], storages=[which], at_once={"tenant": 2})
    said: list[str] = []
    found = targets(wanted.storages, storages, said.append)
    names = {target.name for target in found}
    assert {f"contoso-p{number}-contoso-onmicrosoft-com" for number in (0, 2, 3)} < names
    assert "contoso" in names  # Bert's drive already has a storage
    assert any("p1@" in text for text in said)
    outcomes = alone.run(wanted, storages)
    assert {one.storage for one in outcomes if one.ok} == names
    assert all(one.ok for one in outcomes)
    assert targets(wanted.storages, storages) == found
    for nobody in ({"users": ["*@contso.com"]}, {"users": [], "sites": ["Backup"]}):
        with pytest.raises(StorageNotFound, match="No drive in the organisation of 'contoso'"):
            targets([Which(tenant_of="contoso", **nobody)], storages)
    assert storages["contoso-p0-contoso-onmicrosoft-com"].list("data")


@pytest.mark.parametrize("entries", [1, 2])
def test_no_drive_of_an_organisation_is_left_out_for_a_name_that_looks_alike(
    cloud: Emulator, entries: int
) -> None:
    """Formerly, two entries of a plan got the same name, and the second was dropped."""
    connected_as_app(cloud)
    storages = Storages()
    people = [f"{name}@contoso.onmicrosoft.com" for name in ("eva.maria", "eva-maria")]
    for person in people:
        cloud.world.add_person(person, person)
    users = [tuple(people)] if entries == 1 else [(person,) for person in people]
    found = targets([Which(tenant_of="contoso", users=each) for each in users * 2], storages)
    assert [(one.name, one.drive_id) for one in found] == [
        ("contoso-eva-maria-contoso-onmicrosoft-com", cloud.files.drive_of(people[0]).id),
        ("contoso-eva-maria-contoso-onmicrosoft-com-2", cloud.files.drive_of(people[1]).id),
    ]


def test_what_restic_says_of_a_failure_is_in_the_outcome_without_secrets(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(cloud, "personal")
    script = tmp_path / "restic"
    script.write_text('#!/bin/sh\necho "Fatal: $* failed, password=hunter2" >&2\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(script))
    step = {"do": "restic", "folder": "vault/{storage}", "arguments": ["check", "--no-lock"]}
    wanted = Plan.model_validate(
        {
            "name": "vault",
            "storages": [{"names": ["personal"]}],
            "steps": [step],
            "retry": {"times": 0},
        }
    )
    (outcome,) = alone.run(wanted, Storages())
    assert outcome.ended == "failed"
    assert "check --no-lock failed" in str(outcome)
    assert "hunter2" not in str(outcome.record())
    assert Storages().runs.last()[0].run.destination == "personal:vault/personal"


def test_what_restic_warns_of_is_a_notice_of_the_step_that_is_done(
    cloud: Emulator, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It skips a missing folder, such as an unmounted disk, with exit code 0."""
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(debian_restic()))
    monkeypatch.setenv("RESTIC_PASSWORD", "geheim")
    connected(cloud, "personal")
    write_repository(emulated_drive(cloud, "personal"), "restic", "geheim")
    backup = {"do": "restic", "arguments": ["backup", str(source), "/not/mounted"]}
    wanted = {"name": "vault", "storages": [{"names": ["personal"]}], "steps": [backup]}
    (outcome,) = alone.run(Plan.model_validate(wanted), Storages())
    assert outcome.ok, outcome
    assert outcome.notices == ["restic: /not/mounted does not exist, skipping"]


@pytest.mark.parametrize(
    ("said", "why", "again"),
    [
        ("Fatal: wrong password or no key found", "wrong password", False),
        ("Fatal: unable to open config file\nIs there a repository?\nrclone:x", "config", False),
        ("Fatal: the server has gone", "has gone", True),
        (
            "rclone: 2026/11/29 10:14:33 ERROR : locks/36a: Post request put error: "
            "insufficientStorage: quotaLimitReached: Insufficient Space Available\n"
            "Fatal: unable to save snapshot: server response unexpected: 500",
            "The drive is full",
            False,
        ),
    ],
)
def test_the_cause_that_restic_or_its_rclone_names_is_the_outcomes(
    cloud: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    why: str,
    again: bool,
) -> None:
    connected(cloud, "personal")
    script = tmp_path / "restic"
    script.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(script))
    step = {"do": "restic", "arguments": ["check"]}
    which = {"name": "vault", "storages": [{"names": ["personal"]}], "retry": {"times": 0}}
    (outcome,) = alone.run(Plan.model_validate({**which, "steps": [step]}), Storages())
    assert (outcome.ended, outcome.retry_helps) == ("failed", again)
    assert why in str(outcome.error)


def test_a_sign_in_that_has_ended_is_said_in_place_of_restics_words(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", "/bin/false")
    expired(cloud, "expired")
    step = {"do": "restic", "arguments": ["check"]}
    which = {"name": "vault", "storages": [{"names": ["expired"]}]}
    (outcome,) = alone.run(Plan.model_validate({**which, "steps": [step]}), Storages())
    assert (outcome.ended, outcome.retry_helps) == ("failed", False)
    assert "Re-authorize" in str(outcome.advice)


class _Web(BaseHTTPRequestHandler):
    """The answer of another program, if the URL lacks /api or the port is wrong."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("action", ["deploy", "worker", "run"])
def test_a_server_that_is_none_is_said_before_anything_is_done(
    tmp_path: Path, forks: Forks, action: str
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('name = "n"\nstorages = [{ names = ["x"] }]\nsteps = [{ do = "keep-alive" }]\n')
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    environment.pop("PREFECT_API_URL", None)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Web) as other:
        address = f"me:hunter2@127.0.0.1:{other.server_address[1]}/api"
        threading.Thread(target=other.serve_forever, daemon=True).start()
        if action == "deploy":  # to a server that is not Prefect's
            environment["PREFECT_API_URL"] = f"http://{address}"
            words = [action, str(file)]
        elif action == "run":  # where nothing answers
            environment["PREFECT_API_URL"] = f"gopher://{address}"
            words = [action, str(file)]
        else:
            words = [action]
        ran = forks.run("flow", *words, env=environment)
        other.shutdown()
    told = ran.stderr.decode()
    assert "Traceback" not in told
    assert "hunter2" not in told
    if action == "worker":
        assert (ran.returncode, "not set" in told) == (UsageError.exit_code, True), told
    else:
        assert (ran.returncode, "Check PREFECT" in told) == (Unreachable.exit_code, True), told
