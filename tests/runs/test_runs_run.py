"""A run as a value: any command can be stored, sent and repeated, or says why not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.brake import Brake
from pluton_rclone.rclone.commands import Command, TransferOptions
from pluton_rclone.runs.run import LONGEST, Run

SECRET = "hunter2-geheim"


def sent(run: Run) -> Run:
    """The run as another machine receives it."""
    return Run.from_record(json.loads(json.dumps(run.record())))


@pytest.mark.parametrize(
    "command",
    [
        commands.transfer("copy", "/srv/data", "work:data", {"filters": ["- *.tmp"]}),
        commands.transfer("sync", "/srv/data", "work:data", {"max_delete": "75%"}),
        commands.transfer("sync", "a:", "b:x", {"max_delete": 3, "allow_empty_source": True}),
        commands.transfer("sync", "a:", "b:", {"max_delete": "100%", "allow_empty_source": True}),
        commands.transfer("move", "work:", "/srv", {"files_from": [b"a\xff", "b"]}),
        commands.transfer("copy", os.fsdecode(b"/srv/\xff"), "work:", {"transfers": 3}),
        commands.remove("purge", "work:old", {}),
        commands.check("/srv", "work:", {"max_depth": 2}, content="hash", direction="one_way"),
    ],
    ids=lambda command: command.words[0],
)
def test_what_was_sent_is_the_same_command_again(command: Command) -> None:
    run = Run.of(command, ["work"])
    assert sent(run) == run
    assert run.as_command() == command
    assert run.withheld == ()


def test_a_local_place_means_the_same_in_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    run = Run.of(commands.transfer("copy", "data", "work:", {}), ["work"])
    assert run.source == "/tmp/data"


def test_a_sync_written_by_hand_has_the_brake() -> None:
    run = Run.from_record(
        {"command": "sync", "storages": ["work"], "source": "/srv", "destination": "work:"}
    )
    assert run.as_command().brake == Brake()


@pytest.mark.parametrize(
    "extra",
    [
        [f"--onedrive-client-secret={SECRET}"],
        ["--password-command", f"echo {SECRET}"],
        ["--header", f"Authorization: {SECRET}", "--fast-list"],
        [f"--http-url=https://anna:{SECRET}@example.com/"],
        [f"--onedrive-token={json.dumps({'access_token': SECRET})}"],
        [f"--metadata-set=token={SECRET}"],
    ],
    ids=lambda extra: str(extra[0].partition("=")[0]),
)
def test_what_may_be_a_secret_is_not_in_it_and_it_says_so(extra: list[str]) -> None:
    options: TransferOptions = {"extra": extra}
    run = Run.of(commands.transfer("copy", "/srv", "work:", options), ["work"])
    assert SECRET not in json.dumps(run.record())
    with pytest.raises(UsageError, match="was not kept"):
        run.as_command()


def test_a_name_with_a_line_break_is_one_line_for_people() -> None:
    run = Run.of(Command(("copy",), (), ("/srv/a\n  end      done", "work:b")), ["work"])
    assert str(run) == "copy /srv/a\\n  end      done → work:b"


def test_restics_arguments_hold_none_either() -> None:
    run = Run.restic("work", "work:restic", ["--password-command", f"echo {SECRET}", "snapshots"])
    assert (SECRET in str(run), run.options[-1]) == (False, "snapshots")
    whole = Run.restic("work", "work:restic", ["--password-file", "/etc/restic", "snapshots"])
    assert whole.withheld == ()


def test_a_list_too_long_to_keep_cannot_be_done_again() -> None:
    names = [f"{number:0100}" for number in range(LONGEST // 100)]
    run = Run.of(commands.transfer("copy", "/srv", "work:", {"files_from": names}), ["work"])
    assert run.lines == ""
    with pytest.raises(UsageError, match="names of files"):
        run.as_command()


def test_a_source_that_became_a_link_is_refused_as_for_a_new_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    run = Run.of(commands.transfer("copy", file, "work:", {}), ["work"])
    file.unlink()
    file.symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="is a link"):
        run.as_command()


def test_what_is_no_run_is_said() -> None:
    with pytest.raises(UsageError, match="not the record of a run"):
        Run.from_record({"command": "copy", "surprise": 1})
