"""The output of `--json` matches `pluton-rclone schema`: every line of every command, strictly
decoded."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pluton_rclone.cli.app import COMMANDS
from pluton_rclone.cli.records import RECORDS, Error, Record
from pluton_rclone.emulator import Emulator
from tests.cli.conftest import Command, Ran
from tests.forked import Forks
from tests.terminal import PATIENCE

ANNA, BERT = "anna@outlook.com", "bert@contoso.onmicrosoft.com"
# Their stdout belongs to something else (a file's content, another command, a shell) or is always
# JSON Schema.
WITHOUT = {"cat", "completion", "demo", "emulator", "schema", "man", "mount", "serve"}


def decoded(command: str, line: str) -> Any:
    """The line as the one kind of record that it matches."""
    fitting = []
    for kind in RECORDS[command]:
        try:
            fitting.append(msgspec.json.decode(line, type=kind))
        except msgspec.ValidationError:
            continue
    assert len(fitting) == 1, f"{command}: {len(fitting)} kinds fit {line}"
    return fitting[0]


def records(command: str, ran: Ran) -> list[Any]:
    assert ran.out.splitlines(), ran.err
    return [decoded(command, line) for line in ran.out.splitlines()]


def error(ran: Ran) -> Error:
    (line,) = ran.err.splitlines()
    return msgspec.json.decode(line, type=Error)


@pytest.fixture
def source(tmp_path: Path, cloud: Emulator) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/b.txt"):
        (folder / name).write_text(name)
        cloud.files.drive_of(ANNA).write(f"backup/{name}", name.encode())
    (folder / "CON").write_text("refused")
    (folder / "plan.toml").write_text(
        'name = "keep"\nstorages = [{ names = ["Work*"] }]\nsteps = [{ do = "keep-alive" }]\n'
    )
    return folder


def test_every_command_has_a_schema_or_a_reason() -> None:
    assert set(RECORDS) == set(COMMANDS) - WITHOUT


CALLS: dict[str, list[tuple[str, ...]]] = {
    "connect": [("connect", "Other", "--type", "personal")],
    "storages": [("storages",)],
    "show": [("show", "Work files")],
    "test": [("test", "Work files")],
    "health": [("health",)],
    "keep-alive": [("keep-alive",)],
    "reauthorize": [("reauthorize", "Work files")],
    "repair": [("repair", "Work files")],
    "set": [("set", "Work files", "chunk_size=5Mi")],
    "rename": [("rename", "Work files", "Office")],
    "remove": [("remove", "Work files", "--yes")],
    "encrypt": [("encrypt", "--password-command", "echo geheim")],
    "export": [
        ("export", "Work files"),
        ("export", "Work files", "--as-environment"),
        ("export", "Work files", "--output", "{source}/export.conf"),
    ],
    "ls": [("ls", "Work files:backup"), ("ls", "-R", "Work files:")],
    "tree": [("tree", "Work files:")],
    "stat": [("stat", "Work files:backup/a.txt"), ("stat", "Work files:backup")],
    "size": [("size", "Work files:", "--include", "*.txt")],
    "about": [("about", "Work files")],
    "copy": [
        ("copy", "--exclude", "CON", "{source}", "Work files:x"),
        ("copy", "--dry-run", "{source}", "Work files:y"),
    ],
    "sync": [("sync", "--yes", "--preflight", "--anyway", "{source}/sub", "Work files:backup/sub")],
    "move": [("move", "--yes", "Work files:backup/sub", "Work files:moved")],
    "delete": [
        ("delete", "--yes", "--dry-run", "Work files:backup/a.txt"),
        ("delete", "--yes", "Work files:backup/a.txt"),
        ("delete", "--yes", "Work files:backup"),
    ],
    "check": [
        ("check", "--one-way", "{source}/sub", "Work files:backup/sub"),
        ("check", "{source}", "Work files:backup"),
    ],
    "preflight": [("preflight", "{source}", "Work files:x")],
    "restic": [("restic", "Work files", "--environment")],
    "timer": [("timer", "--json", "x", "--", "health")],
    "history": [
        ("check", "{source}", "Work files:backup"),
        ("history",),
        ("history", "Work files"),
        ("history", "1"),
    ],
    "again": [("copy", "{source}/sub", "Work files:new"), ("again", "1")],
    "plan": [("plan", "check", "{source}/plan.toml")],
    "flow": [("flow", "run", "--no-server", "{source}/plan.toml")],
    "inspect": [("inspect",)],
    "options": [("options",)],
    "versions": [("versions",)],
    "errors": [("errors",), ("errors", "AADSTS700082")],
    "doctor": [("doctor",)],
}
# These may end with 1, which is a result: something was found.
FOUND = {"preflight": 4, "check": 7}


@pytest.mark.parametrize("name", CALLS)
def test_json_is_what_the_schema_says(connected: Command, source: Path, name: str) -> None:
    for arguments in CALLS[name]:
        ran = connected(*(argument.format(source=source) for argument in arguments), "--json")
        assert ran.code in (0, FOUND.get(arguments[0])), ran.err
        found = records(arguments[0], ran)
        assert found
        if ran.code == 0:
            assert ran.err == ""
        else:
            assert error(ran).what


def test_drives_and_sites(command: Command, browser: Callable[..., None]) -> None:
    browser(BERT)
    site = "https://contoso.sharepoint.com/sites/Backups"
    connected = records("connect", command("connect", "Team", "--site", site, "--json"))

    assert connected[-1].drive_type == "documentLibrary"
    drives = records("drives", command("drives", "Team", "--json"))[0]
    assert [drive.owner for drive in drives if drive.type == "business"] == ["Bert Jansen"]
    sites = records("sites", command("sites", "Team", "--json"))[0]
    assert [each.web_url for each in sites if each.name == "Backups"] == [site]


def test_the_pages_address_is_a_record(connected: Command, forks: Forks) -> None:
    with forks.started("web", "--json", "--no-browser") as (child, said):
        found = decoded("web", said.readline())
        child.send_signal(signal.SIGINT)
        rest = list(said)
        assert child.wait(PATIENCE) == 130

    assert found.address.startswith("http://localhost:")
    assert rest == []


def test_the_lines_of_every_command_are_decoded_here() -> None:
    assert {*CALLS, "drives", "import", "sites", "web"} == set(RECORDS)


def test_an_imported_remote_is_a_record(connected: Command, source: Path) -> None:
    assert connected("export", "Work files", "--output", f"{source}/old.conf").code == 0
    ran = connected("import", "New", f"{source}/old.conf", "--yes", "--json")

    assert records("import", ran)[-1].name == "New"


def test_a_device_code_is_a_record(command: Command, cloud: Emulator) -> None:
    cloud.world.lifetimes.device_code = 2  # no one types it
    ran = command("connect", "Server", "--method", "device", "--json")

    assert [type(record).__name__ for record in records("connect", ran)] == ["SignInCode"]
    assert error(ran).error == "sign_in_timed_out"


def test_failed_files_and_preflights_findings_are_records(
    connected: Command, cloud: Emulator, source: Path
) -> None:
    cloud.faults.refuse(423, where="a.txt", times=None)
    ran = connected("copy", "--preflight", "--anyway", str(source), "Work files:new", "--json")
    kinds = {type(record).__name__: record for record in records("copy", ran)}

    assert set(kinds) >= {"PreflightFinding", "SummaryLine", "ResultLine"}
    assert "a.txt" in [file.path for file in kinds["ResultLine"].result.failed]
    assert error(ran).error == "transfer_failed"


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "nobody"),
        ("ls",),
        ("copyy",),
        ("connect", "x", "--set", "chunk_size"),
        ("delete", "Work files:nothing", "--yes"),
        ("remove", "Work files"),
    ],
)
def test_errors_are_one_record_on_stderr(connected: Command, arguments: tuple[str, ...]) -> None:
    ran = connected(*arguments, "--json")

    assert ran.code != 0
    assert ran.out == ""
    assert error(ran).advice


@pytest.mark.parametrize("name", RECORDS)
def test_the_schema_is_printed_and_names_every_member(command: Command, name: str) -> None:
    schema = command("schema", name).json

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    promised = {
        kind.__name__
        for kind in RECORDS[name]
        if isinstance(kind, type) and issubclass(kind, Record)
    }
    assert promised <= set(schema["$defs"])
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
