"""Every command documents itself; and the commands that look things up."""

from __future__ import annotations

import json

import pytest

from pluton_rclone.cli.app import COMMANDS
from tests.cli.conftest import Command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example(name: str, command: Command) -> None:
    ran = command(name, "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"Usage: pluton-rclone {name}")
    assert ran.out.count(f"pluton-rclone {name}") > 1, "no example"


def test_an_error_code_is_explained(command: Command) -> None:
    ran = command("errors", "AADSTS700082: The refresh token has expired due to inactivity.")

    assert "TokenExpired" in ran.out
    assert "Who: you" in ran.out
    assert len(command("errors", "--json").json) > 100
    assert command("errors", "AADSTS1").code == 2


def test_every_option_is_explained_and_the_schema_is_json_schema(command: Command) -> None:
    schema = command("options", "--schema").json

    assert "chunk_size" in command("options").out
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["required"]) == {"drive_id", "drive_type"}


def test_the_schema_of_a_plan_is_a_line_for_programs_and_lines_for_people(
    command: Command,
) -> None:
    shown = command("plan", "check", "--schema")
    assert command("plan", "check", "--schema", "--json").lines == [shown.json]
    assert len(shown.out.splitlines()) > 100


def test_the_versions_table_says_what_the_binary_knows(command: Command) -> None:
    table = dict(command("versions", "--json").json["table"][1:])

    assert table["hard_delete"] == "yes"
    assert table["renews a public client's token"] == "yes"


def test_doctor_says_what_a_bug_report_needs_and_no_secret(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://person:hunter2@proxy.example")
    facts = connected("doctor", "--json")

    assert facts.json["remotes"] == "1, 1 of them OneDrive"
    assert facts.json["rclone"].startswith("1.75.2")
    assert "hunter2" not in facts.out


def test_inspect_finds_what_is_wrong_with_a_remote_somebody_else_made(
    connected: Command, home: object
) -> None:
    assert connected("inspect").code == 0
    path = connected("doctor", "--json").json["rclone.conf"].partition(",")[0]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n[half]\ntype = onedrive\n")
    ran = connected("inspect", "--json")

    assert ran.code == 5
    assert {finding["option"] for finding in ran.json if finding["remote"] == "half"} >= {
        "drive_id",
        "token",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str, command: Command) -> None:
    assert "_PLUTON_RCLONE_COMPLETE" in command("completion", shell).out


def test_errors_are_json_even_when_the_command_line_is_wrong(command: Command) -> None:
    assert json.loads(command("ls", "--json").err)["error"] == "usage"
