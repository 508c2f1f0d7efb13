"""What operators type every day: help, options anywhere, places, words, import, size."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pluton_rclone.cli.app import CODES, COMMANDS, GROUPS
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.storages.storage import Storages
from pluton_rclone.values.units import human_bytes
from tests.cli.conftest import AtTerminal, Command
from tests.connected import connected as save_storage
from tests.connected import emulated_drive
from tests.forked import Forks

# ---- help ----------------------------------------------------------------------------------------


def test_the_program_alone_shows_its_help_in_groups(command: Command) -> None:
    ran = command()

    assert ran.code == 0
    assert ran.err == ""
    assert r"\n" not in ran.out
    for heading, names in GROUPS.items():
        section = ran.out.partition(f"\n{heading}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines()] == names


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_which_exit_codes_the_command_has(name: str, command: Command) -> None:
    said = " ".join(command(name, "--help").out.split())

    own = {0, 1, 2, *COMMANDS[name][1], 130}
    for code, meaning in CODES.items():
        assert (f"{code} {meaning}" in said) is (code in own), code


# ---- options before the command ------------------------------------------------------------------


def test_options_of_all_commands_stand_before_or_after_the_command(
    connected: Command, home: Path
) -> None:
    elsewhere = home / "elsewhere.conf"
    elsewhere.write_bytes((home / "rclone.conf").read_bytes())
    binary = str(Storages(home / "rclone.conf").binary.path)
    (home / "rclone.conf").unlink()

    before = connected("--json", "--config", str(elsewhere), "--binary", binary, "storages")
    after = connected("storages", "--json", f"--config={elsewhere}", "--binary", binary)

    assert before.code == after.code == 0
    assert before.json == after.json
    assert [one["name"] for one in before.json] == ["Work files"]
    assert "lsjson" in connected("-v", "--config", str(elsewhere), "ls", "work-files:").err


def test_an_option_after_the_command_counts_before_one_ahead_of_it(
    connected: Command, home: Path
) -> None:
    ran = connected("--config", "/nowhere.conf", "show", "--config", str(home / "rclone.conf"), "x")

    assert str(home / "rclone.conf") in ran.err
    assert connected("--config", "/nowhere.conf", "show", "x").code == 5


def test_errors_are_json_if_json_stands_before_the_command(connected: Command) -> None:
    assert connected("--json", "show", "nobody").error["error"] == "storage_not_found"


def test_advice_names_the_command_behind_the_options(connected: Command) -> None:
    assert "See pluton-rclone set --help" in connected("--json", "set", "Work files").err or (
        "--secret OPTION" in connected("--json", "set", "Work files").err
    )


# ---- NAME and NAME:PATH --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looking", "name"),
    [
        ("about", "Work files:"),
        ("about", "work-files:"),
        ("about", "work-files:backups/2026"),
        ("test", "work-files:backups/2026"),
        ("drives", "work-files:backups/2026"),
    ],
)
def test_a_place_is_taken_where_a_storage_is_named(
    connected: Command, looking: str, name: str
) -> None:
    assert connected(looking, name).code == 0


def test_a_change_of_a_whole_storage_does_not_take_a_place_in_it(connected: Command) -> None:
    ran = connected("remove", "--yes", "work-files:backups")

    assert ran.code == 2
    assert "Write 'Work files'." in ran.err
    assert connected("show", "work-files:").code == 0, "it is still there"


def test_restic_takes_the_repository_as_a_place(connected: Command) -> None:
    ran = connected("restic", "work-files:backups", "--environment", "--json")
    twice = connected("restic", "work-files:backups", "--path", "other", "--environment")

    assert ran.json["RESTIC_REPOSITORY"] == "rclone:work-files:backups"
    assert twice.code == 2


# ---- prompts -------------------------------------------------------------------------------------


def test_a_question_takes_words_as_well_as_numbers(at_terminal: AtTerminal) -> None:
    with at_terminal("connect", "words", person="bert@contoso.onmicrosoft.com") as terminal:
        terminal.expect("right account?")
        terminal.answer("y")
        terminal.expect("Drive type [2]:")
        terminal.answer("one of them")
        terminal.expect("Type a number from 1 to 3, or a word of one line.")
        terminal.answer("OneDrive for Business")
        terminal.expect("Saved as the remote 'words'")
        assert terminal.end() == 0


def test_sharepoint_is_chosen_by_its_name(at_terminal: AtTerminal) -> None:
    with at_terminal("connect", "words", person="bert@contoso.onmicrosoft.com") as terminal:
        terminal.expect("right account?")
        terminal.answer("y")
        terminal.expect("Drive type [2]:")
        terminal.answer("sharepoint")
        terminal.expect("SharePoint needs further permissions")


# ---- small stumbles ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (2**40, "1.0 TiB"),
        (2**40 - 1, "1.0 TiB"),
        (2**30 - 1, "1.0 GiB"),
        (1023, "1023 B"),
        (1024 * 1023.9, "1023.9 KiB"),
    ],
)
def test_no_size_is_said_as_1024_of_a_unit(count: float, said: str) -> None:
    assert human_bytes(count) == said


def test_stat_of_a_folder_begins_without_blanks(connected: Command, cloud: Emulator) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.folder("backup")

    assert connected("stat", "work-files:backup").out[0] != " "


def test_a_device_code_says_how_long_it_can_be_used_and_is_typed_by_a_command(
    home: Path, forks: Forks, programs: str
) -> None:
    script = (
        ": > said; pluton-rclone connect coded --method device --type personal --client-id "
        f"{PUBLIC_CLIENT_ID} 2>> said & "
        "tail -n +1 --pid $! -f said | grep -q -m 1 'code expires'; "
        "type-code $(sed -n 's/.*type the code //p' said); wait $!; echo ended with $?; cat said"
    )
    done = forks.run(
        *("emulator", "--", "sh", "-c", f"cd {home}; {script}"),
        env={**os.environ, "PATH": programs},
    )
    said = done.stdout.decode()

    assert "ended with 0" in said, said
    assert "The code expires in 15 minutes" in said


def test_connect_streams_the_steps_of_its_test_as_json(command: Command) -> None:
    ran = command("connect", "streamed", "--type", "personal", "--remote-name", "od", "--json")
    steps = [line["step"] for line in ran.lines if "step" in line]

    assert ran.code == 0
    assert [step["status"] for step in steps].count("ok") > 3
    assert ran.lines[-1]["remote"] == "od"


@pytest.mark.parametrize(
    ("remote", "code"), [("work-files", 5), ("Work files", 5), ("-x", 5), ("a:b", 5)]
)
def test_a_remote_name_that_cannot_be_is_refused_before_the_sign_in(
    connected: Command, remote: str, code: int
) -> None:
    ran = connected("connect", "new", "--type", "personal", f"--remote-name={remote}")

    assert ran.code == code
    assert "Signed in" not in ran.err


# ---- size and health -----------------------------------------------------------------------------


def test_size_counts_what_its_filters_select(connected: Command, cloud: Emulator) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.write("data/a.txt", b"12345")
    drive.write("data/deep/b.bin", b"1234567")

    assert connected("size", "work-files:data", "--json").json == {
        "count": 2,
        "bytes": 12,
        "sizeless": 0,
    }
    assert connected("size", "work-files:data", "--include", "*.txt").out == "1 file, 5 B\n"


def test_health_looks_at_the_storages_that_are_named(connected: Command, cloud: Emulator) -> None:
    save_storage(cloud, name="Second")

    ran = connected("health", "Second:", "--json")

    assert [one["storage"] for one in ran.json["storages"]] == ["Second"]
    assert connected("health", "nobody").code == 5


def test_health_for_prometheus_has_one_value_of_each_metric_for_each_storage(
    connected: Command, cloud: Emulator
) -> None:
    odd = 'A "quoted" \\ name'
    save_storage(cloud, name=odd)
    ran = connected("health", "--format", "prometheus")

    assert ran.code == 0, ran.err
    found = {family.name: family for family in text_string_to_metric_families(ran.out)}
    for name in ("ok", "warnings", "seconds", "checked_time_seconds"):
        family = found[f"pluton_rclone_storage_{name}"]
        assert family.type == "gauge"
        assert [one.labels["storage"] for one in family.samples] == ["Work files", odd]
    assert [one.value for one in found["pluton_rclone_storage_ok"].samples] == [1.0, 1.0]

    assert connected("health", "--format", "prometheus", "--json").code == 2


# ---- import --------------------------------------------------------------------------------------


def test_an_export_is_imported_and_first_shown(connected: Command, home: Path) -> None:
    drive_before = connected("show", "Work files", "--json").json["options"]["drive_id"]
    assert connected("export", "Work files", "--output", str(home / "moved.conf")).code == 0
    new = ("--config", str(home / "new.conf"))

    asked = connected("import", "Moved here", str(home / "moved.conf"), *new)
    done = connected("import", "Moved here", str(home / "moved.conf"), "--yes", *new)

    assert asked.code == 2, "nobody answered"
    assert "Names        'Moved here' for people, 'moved-here' in" in asked.err
    assert "Base folder  none: the whole drive" in asked.err
    assert not asked.out
    assert done.code == 0, done.err
    shown = connected("show", "Moved here", "--json", *new).json
    assert shown["options"]["drive_id"] == drive_before
    assert connected("ls", "moved-here:", *new).code == 0


def test_a_pasted_remote_is_imported_from_stdin(
    connected: Command, home: Path, forks: Forks
) -> None:
    text = connected("export", "Work files").out
    new = ("--config", str(home / "new.conf"))
    done = forks.run("--json", *new, "import", "piped", "-", "--yes", stdin=text.encode())

    assert done.returncode == 0, done.stderr
    assert b'"remote": "piped"' in done.stdout


def test_a_file_as_windows_writes_it_is_imported(
    connected: Command, home: Path, forks: Forks
) -> None:
    text, new = connected("export", "Work files").out, ("--yes", "--config", str(home / "new.conf"))
    files = {"utf-16": "powershell", "utf-8-sig": "notepad", "latin-1": "old"}
    for encoding, name in files.items():
        file = home / f"{name}.conf"
        file.write_text(f"{text}description = f\xfcr alle\n", encoding=encoding)
        ran = connected("import", name, str(file), *new)
        assert (name, ran.code, ran.err[-300:]) == (name, 0, ran.err[-300:])
    piped = ("--json", *new[1:], "import", "piped", "-", "--yes")
    done = forks.run(*piped, stdin=(home / "old.conf").read_bytes())
    assert done.returncode == 0, done.stderr
    assert len(connected("storages", "--json", *new[1:]).json) == 4


@pytest.fixture
def several(connected: Command, cloud: Emulator, home: Path) -> Path:
    """An rclone.conf with two OneDrives and another remote."""
    save_storage(cloud, "business", name="team")
    file = home / "several.conf"
    file.write_text((home / "rclone.conf").read_text() + "\n[s3]\ntype = s3\n")
    return file


def test_of_several_remotes_in_a_file_one_is_imported_by_its_name(
    connected: Command, several: Path, home: Path
) -> None:
    new = ("--yes", "--config", str(home / "new.conf"))
    unnamed = connected("import", "x", str(several), *new)
    other = connected("import", "x", str(several), "--section", "s3", *new)
    for refused in (unnamed, other):
        assert refused.code == 3
        assert "OneDrive remotes with a token in this text: work-files, team." in refused.err
        assert "--section NAME" in refused.err
    assert connected("import", "x", str(several), "--section", "team", *new).code == 0
    assert connected("storages", "--json", *new[1:]).json[0]["drive_type"] == "business"
    dump = home / "dump.json"
    sections = Storages(several).conf.sections()
    dump.write_text(json.dumps(sections))
    assert connected("import", "y", str(dump), "--section", "work-files", *new).code == 0


def test_of_several_remotes_in_a_file_one_is_chosen_at_a_terminal(
    several: Path, home: Path, at_terminal: AtTerminal
) -> None:
    with at_terminal("--config", str(home / "new.conf"), "import", "x", str(several)) as terminal:
        terminal.expect("1  work-files")
        terminal.expect("2  team")
        terminal.answer("team")
        terminal.expect("Save this storage? [y/N]:")
        terminal.answer("y")
        assert terminal.end() == 0, terminal.heard
    assert Storages(home / "new.conf")["x"].remote.drive_type == "business"


def test_what_is_no_remote_is_not_imported(command: Command, home: Path) -> None:
    (home / "other.conf").write_text("[s3]\ntype = s3\n")
    ran = command("import", "x", str(home / "other.conf"), "--yes")

    assert ran.code == 3
    assert "has no OneDrive remote" in ran.err


def test_a_file_in_the_place_of_the_name_is_noticed(command: Command, home: Path) -> None:
    (home / "old.conf").write_text("[s3]\ntype = s3\n")
    ran = command("import", str(home / "old.conf"))
    assert ran.code == 2
    assert "and the storage's name is missing" in ran.err
    assert f"import NAME {home / 'old.conf'}" in ran.err


# ---- faults --------------------------------------------------------------------------------------


def test_a_file_that_is_refused_is_named_once(connected: Command, tmp_path: Path) -> None:
    (tmp_path / "CON").write_text("x")
    ran = connected("copy", str(tmp_path), "work-files:a")
    assert ran.code == 7
    (line,) = [line for line in ran.err.splitlines() if "failed" in line]
    assert line.startswith("  failed  CON: OneDrive does not allow this name. (")
