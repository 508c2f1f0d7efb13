"""Nearly correct commands of a newcomer: explained in plain words, with the place, before anything
is done."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.cli.app import COMMANDS, OTHERWISE
from pluton_rclone.cli.output import COMMANDS as NEXT_STEPS
from pluton_rclone.cli.output import with_command
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.command import browser
from pluton_rclone.errors import InteractionRequired
from tests.cli.conftest import Command
from tests.connected import ANNA
from tests.connected import connected as save_storage
from tests.forked import Forks
from tests.rclone_port import rclone_port

BOTH = ("Work files", "work-files")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with one file, in the folder where commands run."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    return "src"


# ---- a colon that was forgotten ----


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("path", ["", "/sub/x"])
def test_a_storage_without_its_colon_is_asked_about(
    connected: Command, source: str, name: str, path: str
) -> None:
    meant = f"'{name}:{path.lstrip('/')}'"
    for arguments in (
        ("copy", source, name + path),
        ("copy", name + path, "out"),
        ("check", source, name + path),
    ):
        ran = connected(*arguments)
        assert ran.code == 2
        assert f"Did you mean {meant}?" in ran.err
    assert not Path("out").exists()
    assert f"Did you mean {meant}?" in connected("ls", name + path).err or path == ""


def test_a_local_folder_of_a_storages_name_is_meant(connected: Command, source: str) -> None:
    Path("work-files").mkdir()
    ran = connected("copy", "work-files", "Work files:x")

    assert ran.code == 0
    assert "Did you mean" not in connected("copy", source, "work-files").err


# ---- places that are not there ----


@pytest.mark.parametrize("word", [("copy",), ("sync", "--yes"), ("move", "--yes"), ("check",)])
def test_a_source_that_is_not_there_is_named(
    connected: Command, source: str, word: tuple[str, ...]
) -> None:
    here = connected(*word, "nothing", "Work files:x", "--json")
    there = connected(*word, "Work files:no/thing", "out", "--json") if word != ("check",) else None
    there = there or connected("check", "Work files:no/thing", source, "--json")

    assert (here.code, here.error["error"]) == (7, "nothing_found")
    assert here.error["what"] == "SRC does not exist: there is no 'nothing' on this machine."
    assert str(Path.cwd()) in here.error["advice"]
    assert (there.code, there.error["error"]) == (7, "nothing_found")
    assert there.error["what"] == "SRC does not exist: there is no 'no/thing' in 'Work files'."
    assert "pluton-rclone ls work-files:no" in there.error["advice"]


@pytest.mark.parametrize(
    "word", [("ls",), ("ls", "-R"), ("tree",), ("cat",), ("stat",), ("delete", "--yes")]
)
def test_a_place_that_is_not_there_is_named(connected: Command, word: tuple[str, ...]) -> None:
    ran = connected(*word, "Work files:no/thing", "--json")

    assert (ran.code, ran.error["error"]) == (7, "nothing_found")
    assert ran.error["what"] == "There is no 'no/thing' in 'Work files'."


@pytest.mark.parametrize("word", [("ls", "-R"), ("tree",), ("size",)])
def test_of_a_folder_that_goes_while_all_is_listed_its_own_name_is_told(
    connected: Command, cloud: Emulator, word: tuple[str, ...]
) -> None:
    """A shortcut to a folder no longer shared behaves so: it is listed but cannot be opened."""
    drive = cloud.files.drive_of(ANNA)
    drive.write("photos/2026/a.jpg", b"x")
    gone = drive.find("photos/2026")
    assert gone is not None
    cloud.faults.refuse(404, times=None, where=f"{re.escape(gone.id)}|/delta")
    ran = connected(*word, "Work files:photos", "--json")

    assert (ran.code, ran.error["error"]) == (4, "item_not_found")
    assert ran.error["what"] == "2026: there is nothing at this location."
    assert ran.error["details"]["unread"] == ["2026"]


def test_the_whole_storage_is_not_deleted_however_it_is_written(
    connected: Command, cloud: Emulator
) -> None:
    cloud.files.drive_of(ANNA).write("backup/a.txt", b"kept")
    for path in ("", ".", "./", "x/..", "/", "/."):
        ran = connected("delete", "--yes", f"Work files:{path}", "--json")
        assert (ran.code, ran.error["what"]) == (2, "That is the whole storage."), path
    assert cloud.files.drive_of(ANNA).read("backup/a.txt") == b"kept"


def test_a_check_says_that_there_is_no_destination(connected: Command, source: str) -> None:
    there = connected("check", source, "Work files:nothing", "--json")
    here = connected("check", source, "nothing", "--json")

    assert there.code == 7
    assert there.error["why"] == "DST does not exist: there is no 'nothing' in 'Work files'."
    assert here.code == 2  # neither is in a storage
    connected("copy", source, "Work files:x")
    missing = connected("check", "Work files:x", "nothing", "--json")
    assert missing.error["what"] == "DST does not exist: there is no 'nothing' on this machine."


def test_a_preflight_names_the_source_that_is_not_there(connected: Command, source: str) -> None:
    ran = connected("preflight", "nothing", "Work files:x")

    assert ran.code == 7
    assert "SRC does not exist: there is no 'nothing' on this machine." in ran.err


# ---- values that cannot work ----


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--bwlimit", "fast", "is not a rate: write bytes per second"),
        ("--bwlimit", "2M,3M", "is not a rate"),
        ("--max-transfer", "much", "is not a size: write a number with K, M, G or T"),
        ("--max-duration", "long", "is not a time: write a number with s, m or h"),
        ("--max-transfer", "٣M", "is not a size"),
        ("--max-transfer", "1e3", "is not a size"),
        ("--max-transfer", "infB", "is not a size"),
        ("--bwlimit", "１M", "is not a rate"),
        ("--max-duration", "٣s", "is not a time"),
    ],
)
def test_limits_that_are_none_are_refused_before_rclone_starts(
    connected: Command, cloud: Emulator, source: str, option: str, value: str, words: str
) -> None:
    before = len(cloud.requests)
    ran = connected("copy", option, value, source, "Work files:x")

    assert ran.code == 2
    assert words in ran.err
    assert "pluton-rclone copy --help" in ran.err
    assert len(cloud.requests) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--bwlimit", "2M"),
        ("--bwlimit", "512"),
        ("--bwlimit", "off"),
        ("--bwlimit", "2M:8MiB"),
        ("--bwlimit", "08:00,512k 19:00,off"),
        ("--bwlimit", "Mon-08:00,1M Sat-00:00,off"),
        ("--max-transfer", "1.5G"),
        ("--max-transfer", "10b"),
        ("--max-transfer", ".5M"),
        ("--max-transfer", "5."),
        ("--max-transfer", "OFF"),
        ("--max-duration", "2h30m"),
    ],
)
def test_limits_that_rclone_takes_are_taken(
    connected: Command, source: str, option: str, value: str
) -> None:
    assert connected("copy", option, value, source, "Work files:x").code == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("hard_delete=maybe", "it must be true or false"),
        ("list_chunk=many", "it must be a whole number"),
        ("link_scope=mars", "it should be 'anonymous' or 'organization'"),
        ("secret_expires=20270331", "it must be a date such as 2027-03-31"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused_before_the_sign_in(
    connected: Command, cloud: Emulator, setting: str, words: str
) -> None:
    before = len(cloud.requests)
    for arguments in (("set", "Work files", setting), ("connect", "Other", "--set", setting)):
        ran = connected(*arguments)
        assert ran.code == 5
        assert words in ran.err
        assert "Input should be" not in ran.err
    assert len(cloud.requests) == before


def test_an_address_that_is_none_is_refused_before_the_sign_in(
    command: Command, cloud: Emulator
) -> None:
    ran = command("connect", "Team", "--site", "https://example.org/x")

    assert ran.code == 5
    assert "not an address of SharePoint or OneDrive" in ran.err
    assert cloud.requests == []


def test_an_option_of_several_words_is_set(connected: Command) -> None:
    assert connected("set", "Work files", "metadata_permissions=read,write").code == 0
    assert "metadata_permissions = read,write" in connected("show", "Work files").out


def test_the_day_that_a_client_secret_ends_is_set(connected: Command) -> None:
    assert connected("set", "Work files", "secret_expires=2040-03-31").code == 0
    assert "pluton_secret_expires = 2040-03-31" in connected("show", "Work files").out
    assert connected("set", "Work files", "secret_expires=").code == 0
    assert "secret_expires" not in connected("show", "Work files").out


# ---- what is looked up ----


def test_one_option_is_explained(command: Command) -> None:
    one = command("options", "chunk_size").out
    assert one.startswith("chunk_size  ")
    assert "hard_delete  " not in one
    assert list(command("options", "chunk_size", "--json").json) == ["chunk_size"]
    assert command("options", "secret_expires").out.startswith(
        "secret_expires  Client secret expires"
    )
    wrong = command("options", "chunk_sise")
    assert (wrong.code, "did you mean 'chunk_size'?" in wrong.err) == (5, True)


@pytest.mark.parametrize("word", OTHERWISE)
def test_what_is_called_otherwise_is_said_with_the_command(command: Command, word: str) -> None:
    ran = command(word, "x")
    named = re.findall(r"pluton-rclone ([a-z]+) ", OTHERWISE[word] + " ")

    assert word not in COMMANDS
    assert ran.code == 2
    assert OTHERWISE[word] in ran.err
    assert named
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("arguments", [("ls", "x:"), ("test", "x"), ("set", "x", "delta=true")])
def test_before_there_is_a_storage_the_way_to_one_is_named(
    command: Command, arguments: tuple[str, ...]
) -> None:
    assert "pluton-rclone connect NAME" in command(*arguments).err


@pytest.mark.parametrize("name", ["work files", "WORK FILES", "“Work files”", "'Work files'"])
def test_a_name_in_other_letters_or_quotes_is_recognised(connected: Command, name: str) -> None:
    assert "Did you mean 'Work files'?" in connected("test", name).err


def test_an_option_of_a_storage_that_is_written_as_one_of_the_command_is_explained(
    connected: Command,
) -> None:
    for words in (("connect", "x"), ("set", "Work files")):
        ran = connected(*words, "--chunk-size=5Mi")
        assert ran.code == 2
        assert "--set chunk_size=…" in ran.err
    assert "--set" not in connected("connect", "x", "--device-code").err


def test_an_option_without_its_value_leads_to_the_help_of_its_command(command: Command) -> None:
    assert "See pluton-rclone connect --help." in command("connect", "x", "--type").err


def test_the_name_comes_first_and_may_have_its_colon(connected: Command) -> None:
    assert "Give the name first." in connected("set", "delta=true", "Work files").err
    assert connected("set", "Work files:", " delta = true ").code == 0
    assert connected("connect", "Other:").code == 0
    assert connected("storages", "--json").json[-1]["name"] == "Other"


def test_every_command_that_an_advice_names_takes_what_it_is_given(connected: Command) -> None:
    """Formerly, the next step for a secret was `set NAME --secret`, without the option's value."""
    for words in NEXT_STEPS.values():
        for line in re.findall(r"pluton-rclone ([^`,.…]+)", words):
            given = line.format(storage="nobody").split()
            if given[0] != "connect":  # which would
                assert "requires an argument" not in connected(*given).err, line


def test_every_suggested_command_is_about_the_file_that_this_one_was_about(
    connected: Command, home: Path, tmp_path: Path
) -> None:
    """Formerly, pasted without --config, it removed a storage of that name in another file."""
    without("token", home)
    other = tmp_path / "my own.conf"
    (home / "rclone.conf").rename(other)
    ours = f"pluton-rclone --config '{other}'"
    rclone = str(Storages(other).binary.path)
    suggested = {
        ("ls", "Work files:"): f"{ours} reauthorize 'Work files'",
        ("health",): f"{ours} reauthorize 'Work files'",
        ("test", "nobody"): f"{ours} storages",
        ("restore", "x"): f"{ours} copy NAME:path FOLDER",
        ("set", "Work files", "client_secret=y"): f"{ours} set NAME --secret client_secret",
        ("health", "--rclone", rclone): f"{ours} --rclone {shlex.quote(rclone)} test NAME",
        ("import", str(other)): f"{ours} import NAME '{other}'",
    }
    for words, command in suggested.items():
        said = connected("--config", str(other), *words).err
        assert command in said, said
        if words[0] != "restore":  # which is not a command
            assert command in connected(*words, "--config", str(other)).err
    other.unlink()
    for words in (("ls", "x:"), ("storages",)):
        assert f"{ours} connect NAME" in connected(*words, "--config", str(other)).err


def test_a_storage_that_is_connected_anew_keeps_the_name_of_its_remote(
    connected: Command, source: str
) -> None:
    """restic and cron use that name, which may differ from what the friendly name would give."""
    conf = Storages().conf
    conf.update("work-files", {"pluton_granted_scopes": "Files.Read"})
    anew = "remove 'Work files', then pluton-rclone connect 'Work files'"
    assert connected("copy", source, "Work files:x").err.strip().endswith(anew)
    conf.rename("work-files", "Old_work")
    told = connected("copy", source, "Work files:x").err
    assert told.strip().endswith(f"{anew} --remote-name Old_work")


def test_a_name_that_looks_like_an_option_is_not_suggested(connected: Command, home: Path) -> None:
    """rclone's file may have any description; every command also takes the remote's name."""
    Storages().conf.update("work-files", {"description": "--yes"})
    without("token", home)
    for words in (("test", "work-files"), ("ls", "work-files:"), ("health",)):
        assert "pluton-rclone reauthorize work-files" in connected(*words).err
    assert "Write work-files." in connected("show", "work-files:a").err


def test_no_consent_address_is_promised_below_a_list_that_has_none(command: Command) -> None:
    for code in ("65001", "90094", "90095"):
        assert "address below" not in command("errors", f"AADSTS{code}").out


# ---- a configuration that is not there ----


@pytest.mark.parametrize(
    "arguments", [("ls", "x:"), ("health",), ("inspect",), ("test", "x"), ("show", "x")]
)
def test_a_configuration_that_does_not_exist_is_said(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ran = command(*arguments, "--config", str(tmp_path / "no.conf"), "--json")

    assert (ran.code, ran.error["error"]) == (5, "config_unreadable")
    assert f"There is no file {tmp_path / 'no.conf'}." in ran.error["what"]


@pytest.mark.parametrize("option", ["--config", "--rclone"])
def test_an_empty_variable_is_not_the_default_before_or_behind_the_command(
    connected: Command, option: str
) -> None:
    """`--config "$CONF"` with CONF unset: formerly, the storage of another file was removed."""
    for words in ((option, "", "remove"), ("remove", option, "")):
        ran = connected(*words, "Work files", "--yes")
        assert (ran.code, "It is empty." in ran.err) == (2, True), ran.err
        assert f"'{option}'" in ran.err
    assert connected("show", "Work files").code == 0


def test_a_configuration_that_a_killed_rclone_renamed_away_is_there(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "own.conf.old1447880401").write_text("[disk]\ntype = local\n")
    (tmp_path / "own.conf3701141347").touch()
    (tmp_path / "file").touch()

    ran = command("ls", f"disk:{tmp_path}", "--config", str(tmp_path / "own.conf"))

    assert (ran.code, "file" in ran.out) == (0, True), ran.err
    assert "there is no file" not in command("storages", "--config", str(tmp_path / "own.conf")).err


def test_a_pipe_for_a_configuration_is_told_as_what_it_is(command: Command) -> None:
    """`--config <(sops -d rclone.conf)`, which rclone reads."""
    reading, writing = os.pipe()
    try:
        ran = command("ls", "x:", "--config", f"/dev/fd/{reading}", "--json")
        new = command("connect", "x", "--config", f"/dev/fd/{reading}", "--json")
    finally:
        os.close(reading)
        os.close(writing)

    assert ran.error["what"] == f"/dev/fd/{reading} cannot be read"
    assert new.error["what"] == f"/dev/fd/{reading} cannot be written"
    assert ran.error["why"] == new.error["why"] == "it is a FIFO, not a file"
    assert "Name a regular file" in ran.error["advice"]


def test_no_storages_in_a_file_that_does_not_exist_is_no_fault(
    command: Command, tmp_path: Path
) -> None:
    ran = command("storages", "--config", str(tmp_path / "no.conf"))

    assert ran.code == 0
    assert f"there is no file {tmp_path / 'no.conf'}" in ran.err
    assert command("storages", "--config", str(tmp_path / "no.conf"), "--json").json == []


def test_the_first_storage_makes_the_file_that_config_names(
    command: Command, tmp_path: Path
) -> None:
    assert command("connect", "First", "--config", str(tmp_path / "new.conf")).code == 0
    assert command("show", "First", "--config", str(tmp_path / "new.conf")).code == 0


# ---- the network ----


def test_a_dead_proxy_is_the_same_fault_everywhere(
    connected: Command, cloud: Emulator, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_storage(cloud, name="Ended", seconds=-60)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("RCLONE_LOW_LEVEL_RETRIES", "2")  # each wait is longer than the one before
    monkeypatch.setenv("RCLONE_RETRIES", "1")
    found = {
        arguments[0]: connected(*arguments, "--json")
        for arguments in (
            ("ls", "Work files:"),
            ("copy", source, "Work files:x"),
            ("test", "Work files"),
            ("connect", "Other"),
            ("drives", "Work files"),
        )
    }

    assert {word: ran.code for word, ran in found.items()} == dict.fromkeys(found, 8)
    assert {word: ran.error["who"] for word, ran in found.items()} == dict.fromkeys(found, "you")
    assert len({ran.error["advice"] for ran in found.values()}) == 1
    assert all(
        re.search(r"(graph|login)\.microsoft\w*\.com", ran.error["what"]) for ran in found.values()
    )


# ---- words ----


def test_one_file_is_not_many(connected: Command, source: str) -> None:
    copied = connected("copy", source, "Work files:x").err
    compared = connected("check", source, "Work files:x").err

    assert copied.startswith("1 file transferred (1 B)")
    assert compared == "1 file is the same, compared by hash; none differs\n"
    assert "0 folders, 1 file, 1 B" in connected("tree", "Work files:x").err
    assert (
        "1 file in 0 folders, 1 B: 0 findings" in connected("preflight", source, "Work files:x").err
    )
    assert "1 remote checked" in connected("inspect").err


def test_a_document_library_is_called_that(command: Command, cloud: Emulator) -> None:
    save_storage(cloud, "sharepoint", name="Team")

    assert ", document library" in command("test", "Team").err
    assert "document library" in command("storages").out
    assert command("storages", "--json").json[0]["drive_type"] == "documentLibrary"


def test_a_token_that_has_ended_is_answered_with_the_command(
    command: Command, cloud: Emulator
) -> None:
    save_storage(cloud, name="Ended", seconds=-60)
    cloud.world.lifetimes.refresh_token = 0
    ran = command("ls", "Ended:")

    assert ran.code == 3
    assert "pluton-rclone reauthorize Ended" in ran.err


def without(option: str, home: Path) -> None:
    conf = home / "rclone.conf"
    lines = conf.read_text().splitlines(keepends=True)
    conf.write_text("".join(line for line in lines if not line.startswith(f"{option} =")))


def test_a_storage_without_a_token_is_signed_in_for(connected: Command, home: Path) -> None:
    without("token", home)
    for arguments in (("ls", "Work files:"), ("test", "Work files")):
        ran = connected(*arguments)
        assert ran.code in (4, 5)
        assert "pluton-rclone reauthorize 'Work files'" in ran.err

    assert connected("reauthorize", "Work files").code == 0
    assert connected("test", "Work files").code == 0


def test_a_storage_without_a_drive_gets_it_back(connected: Command, home: Path) -> None:
    without("drive_id", home)
    for arguments in (("ls", "Work files:"), ("test", "Work files"), ("reauthorize", "Work files")):
        ran = connected(*arguments)
        assert ran.code in (4, 5)
        assert "pluton-rclone repair 'Work files'" in ran.err

    assert connected("repair", "Work files").code == 0
    assert connected("ls", "Work files:").code == 0


def test_advice_names_the_command_when_microsoft_wants_to_see_the_person(command: Command) -> None:
    command("ls", "Work:", "--config", "other.conf")  # nothing of it is left
    assert "pluton-rclone reauthorize NAME" in with_command(InteractionRequired("x"), "ls").advice
    assert "pluton-rclone" not in with_command(InteractionRequired("x"), "connect").advice


def test_advice_speaks_of_help_and_not_of_docstrings(command: Command) -> None:
    for arguments in (
        ("copy", "/a", "/b"),
        ("sync", "--yes", "Work:", "/"),
        ("options", "x"),
        ("ls", ""),
    ):
        assert "docstring" not in command(*arguments).err


# ---- the emulator, and rclone's own registration ----


def test_the_emulators_help_tells_who_lives_there(command: Command, cloud: Emulator) -> None:
    said = " ".join(command("emulator", "--help").out.split())
    people = {
        person.username for person in cloud.world.people.values() if person.tenant.cloud == "global"
    }

    assert all(username in said for username in people)
    assert "https://contoso.sharepoint.com/sites/Backups" in said


def test_without_a_client_id_the_browser_opens_for_rclones_own_sign_in(
    cloud: Emulator, forks: Forks
) -> None:
    with rclone_port():
        done = forks.run(
            *("connect", "Mine", "--type", "personal"), env={**os.environ, **browser(ANNA)}
        )

    assert done.returncode == 0, done.stderr
    assert b"No window? Then open this address" in done.stderr
    assert b"Saved as the remote 'mine'" in done.stderr
