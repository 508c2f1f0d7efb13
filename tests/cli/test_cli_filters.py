"""One filter model for all commands that take many files; the flags that rclone gets."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import commands
from tests.cli.conftest import Command
from tests.connected import ANNA
from tests.connected import connected as save_storage

DAY = 24 * 3600
FILES = ("a.txt", "b.tmp", "big.bin", "old.txt", "sub/c.txt", "sub/d.tmp", "a[w].txt")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * (5000 if name == "big.bin" else 10))
    os.utime(folder / "old.txt", (time.time() - 40 * DAY,) * 2)
    return folder


def selected(*without: str) -> set[str]:
    return set(FILES) - set(without)


FILTERS = {
    "--include *.txt": {name for name in FILES if name.endswith(".txt")},
    "--exclude *.tmp": selected("b.tmp", "sub/d.tmp"),
    "--exclude /sub/**": selected("sub/c.txt", "sub/d.tmp"),
    "--include *.txt --exclude *.txt": {name for name in FILES if name.endswith(".txt")},
    "--filter [+ /sub/c.txt] --filter [- /sub/**]": selected("sub/d.tmp"),
    "--filter-from {rules}": selected("sub/d.tmp", "b.tmp"),
    "--files-from {names}": {"a.txt", "sub/d.tmp"},
    "--min-size 1K": {"big.bin"},
    "--max-size 1K": selected("big.bin"),
    "--min-age 30d": {"old.txt"},
    "--max-age 30d": selected("old.txt"),
    r"--include a\[w\].txt": {"a[w].txt"},
}


@pytest.mark.parametrize(
    ("word", "option"),
    [("copy", "--exclude=a.txt"), ("sync", "--max-size=1"), ("move", "--files-from={names}")],
)
def test_a_filter_of_a_single_file_which_rclone_passes_over_ends_no_run_and_is_said(
    connected: Command, cloud: Emulator, source: Path, word: str, option: str
) -> None:
    """A script uses the same filters for everything that it backs up, folders and files."""
    (source / "names").write_text("a.txt\n")
    sure = ["--yes"] if word != "copy" else []
    given = option.format(names=source / "names")
    ran = connected(word, *sure, str(source / "a.txt"), "work-files:arrived", given)
    assert (ran.code, "note    " in ran.err) == (0, True), ran.err
    assert "is a file: filters select files in a folder, and have no effect" in ran.err
    assert cloud.files.drive_of(ANNA).find("arrived/a.txt")
    assert (source / "a.txt").exists() is (word != "move")


def test_metadata_that_a_single_file_is_given_is_no_filter(
    connected: Command, cloud: Emulator, source: Path
) -> None:
    metadata = ("--", "--metadata", "--metadata-set=description=mine")
    ran = connected("copy", str(source / "a.txt"), "work-files:arrived", *metadata)
    assert ran.code == 0, ran.err
    assert "filters" not in ran.err
    assert cloud.files.drive_of(ANNA).find("arrived/a.txt")


@pytest.fixture
def filters(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    (tmp_path / "rules").write_text("# ours\n\n- *.tmp\n+ **\n")
    (tmp_path / "names").write_text("; ours\na.txt\n  sub/d.tmp  \n")
    text = str(request.param).format(rules=tmp_path / "rules", names=tmp_path / "names")
    words = text.replace("[+ ", "[+~").replace("[- ", "[-~").split(" ")
    return [
        word.strip("[]").replace("~", " ") if word.startswith(("[+", "[-")) else word
        for word in words
    ]


Names = Callable[..., set[str]]


@pytest.fixture
def names(cloud: Emulator) -> Names:
    """The names of the files in a folder of the storage, from the emulator."""

    def found(folder: str = "x") -> set[str]:
        drive = cloud.files.drive_of(ANNA)
        start = drive.find(folder)
        assert start is not None
        return {
            item.path().removeprefix(f"{start.path()}/")
            for item in drive.walk(start)
            if not item.is_folder
        }

    return found


@pytest.mark.parametrize(("filters", "kept"), FILTERS.items(), ids=FILTERS, indirect=["filters"])
def test_copy_check_ls_and_preflight_select_the_same_files(
    connected: Command, source: Path, filters: list[str], kept: set[str], names: Names
) -> None:
    looked = connected("preflight", str(source), "Work files:x", *filters, "--json")
    copied = connected("copy", str(source), "Work files:x", *filters)
    checked = connected("check", str(source), "Work files:x", *filters, "--json")
    listed = connected("ls", "-R", "Work files:x", *filters, "--json")

    assert copied.code == 0, copied.err
    assert names() == kept
    assert (checked.code, checked.json["matching"]) == (0, len(kept))
    assert looked.lines[-1]["summary"]["files"] == len(kept)
    assert {entry["path"] for entry in listed.lines if not entry["is_dir"]} == kept


def test_a_list_as_find_prints_it_is_copied_and_what_is_not_there_is_named(
    connected: Command, source: Path, tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    found = subprocess.run(["find", ".", "-type", "f"], stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "list").write_bytes(found)
    wanted = ("--files-from", str(tmp_path / "list"))
    assert connected("copy", *wanted, ".", "Work files:x").code == 0
    assert names() == set(FILES)
    (tmp_path / "list").write_bytes(found + b"a.text\n")
    for words in ((".", "Work files:x"), ("Work files:x", str(tmp_path / "back"))):
        ran = connected("copy", *wanted, *words)
        assert ran.code == 7
        assert "a.text: the source has no file of that name" in ran.err
        assert connected("check", *wanted, *words).code == 7


def test_delete_with_filters_deletes_what_they_select_and_keeps_folders(
    connected: Command, source: Path, names: Names
) -> None:
    connected("copy", str(source), "Work files:x")
    asked = connected("delete", "Work files:x", "--include", "*.tmp")
    looked = connected("delete", "--dry-run", "Work files:x", "--include", "*.tmp")
    assert (asked.code, looked.code) == (2, 0)
    assert "What the filters select in x goes to the recycle bin" in asked.err
    assert {line.rpartition(" ")[2] for line in looked.out.splitlines()} == {"b.tmp", "sub/d.tmp"}
    assert names() == set(FILES)

    done = connected("delete", "--yes", "Work files:x", "--include", "*.tmp")
    assert (done.code, names()) == (0, selected("b.tmp", "sub/d.tmp")), done.err
    assert "2 files deleted" in done.err

    by_age = connected("delete", "--yes", "Work files:x", "--min-age", "30d")
    assert (by_age.code, names()) == (0, selected("b.tmp", "sub/d.tmp", "old.txt"))

    one = connected("delete", "--yes", "Work files:x/a.txt", "--min-age", "30d")
    assert (one.code, "a.txt" in names()) == (2, True)


@pytest.mark.parametrize("rules", ["", "\n# all of it\n"])
def test_a_filter_without_a_rule_deletes_nothing(
    rules: str, connected: Command, cloud: Emulator, tmp_path: Path
) -> None:
    """Its file may have been truncated: it would select everything."""
    (tmp_path / "rules").write_text(rules)
    drive = cloud.files.drive_of(ANNA)
    drive.write("x/a.txt", b"kept")
    words = ["delete", "--yes", "Work files:x"]
    for more in ((), ("--min-age", "0s")):
        refused = connected(*words, "--filter-from", str(tmp_path / "rules"), *more)
        assert (refused.code, "contains no rule" in refused.err) == (2, True)
    assert connected(*words, "--files-from", str(tmp_path / "rules")).code == 0
    assert drive.read("x/a.txt") == b"kept"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("option", ["--files-from", "--filter-from"])
def test_a_list_may_be_written_on_windows(
    option: str, encoding: str, connected: Command, source: Path, tmp_path: Path
) -> None:
    """Also by PowerShell's >."""
    lines = ["a.txt", "old.txt"] if option == "--files-from" else ["+ /a.txt", "+ /old.txt", "- **"]
    (tmp_path / "list").write_bytes("\r\n".join(lines).encode(encoding))
    ran = connected("copy", str(source), "Work files:x", option, str(tmp_path / "list"))
    assert (ran.code, "2 files transferred" in ran.err) == (0, True), ran.err


@pytest.mark.parametrize(
    "option", [{"min_age": "30d"}, {"max_size": 5}, {"max_depth": 1}, {"extra": ["--include=*"]}]
)
def test_what_deletes_a_folder_whole_refuses_whatever_selects(
    option: commands.TransferOptions,
) -> None:
    with pytest.raises(UsageError, match="takes no filters"):
        commands.remove("purge", "a:", option)
    assert commands.remove("delete", "a:", option).flags


def test_a_pattern_that_does_not_match_the_file_of_its_name_is_said(
    connected: Command, source: Path, names: Names
) -> None:
    ran = connected("copy", str(source), "Work files:x", "--exclude", "a[w].txt")
    assert "a[w].txt" in names()
    (advice,) = re.findall("to match it, write (.*)", ran.err)

    again = connected("copy", str(source), "Work files:y", "--exclude", *shlex.split(advice))
    assert (again.err.count("note"), names("y")) == (0, selected("a[w].txt"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter", "*.tmp"], "is not a filter rule"),
        (["--min-age", "yesterday"], "is not a time"),
        (["--bwlimit", "8:00"], "is not a rate"),
        (["--files-from", "/nowhere/at all"], "No such file"),
        (["--include", "*.a", "--files-from", "/dev/null"], "filters and files-from exclude"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    connected: Command, source: Path, words: list[str], said: str
) -> None:
    ran = connected("copy", str(source), "Work files:x", *words)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_what_a_sync_would_overwrite_or_delete_is_kept_in_a_folder(
    connected: Command, source: Path, names: Names
) -> None:
    connected("copy", str(source), "Work files:x")
    (source / "a.txt").write_bytes(b"another")
    (source / "b.tmp").unlink()
    ran = connected(
        "sync",
        "--yes",
        str(source),
        "Work files:x",
        "--backup-dir",
        "Work files:old",
        "--suffix",
        "-1",
    )
    assert ran.code == 0, ran.err
    assert names("old") == {"a.txt-1", "b.tmp-1"}
    assert names() == selected("b.tmp")

    inside = connected("copy", str(source), "Work files:x", "--backup-dir", "Work files:/x/old")
    assert (inside.code, "is inside DST" in inside.err) == (2, True)

    elsewhere = connected("copy", str(source), "Work files:x", "--backup-dir", str(source / "old"))
    assert (elsewhere.code, "is not in DST's storage" in elsewhere.err) == (2, True)


def test_days_are_kept_only_of_a_backup_folder_in_a_storage(
    connected: Command, source: Path, tmp_path: Path
) -> None:
    alone = connected("copy", str(source), "Work files:x", "--keep-days", "30")
    assert (alone.code, "needs a --backup-dir" in alone.err) == (2, True)

    here = (str(tmp_path / "down"), "--backup-dir", str(tmp_path / "old"), "--keep-days", "30")
    restored = connected("copy", "Work files:x", *here)
    assert (restored.code, "needs a --backup-dir" in restored.err) == (2, True)

    above = ("Work files:old/2020-01-01", "--backup-dir", "Work files:old", "--keep-days", "30")
    emptied = connected("copy", str(source), *above)
    assert (emptied.code, "DST is in --backup-dir" in emptied.err) == (2, True)

    for days in ("0", "1000000"):
        for_no_day = ("--backup-dir", "Work files:old", "--keep-days", days)
        assert connected("copy", str(source), "Work files:x", *for_no_day).code == 2


@pytest.mark.parametrize(
    ("side", "start", "end", "history"),
    [
        ("DST", None, "Work files:old/2020-01-01", "Work files:Old"),
        ("DST", None, "based:/Backups/old/2020-01-01", "based:OLD"),
        ("SRC", "Work files:old/2020-01-01", "Work files:x", "Work files:Old"),
        ("SRC", "based:old/2020-01-01", "Work files:x", "Work files:Backups/old"),
    ],
)
def test_no_end_of_a_run_is_among_the_days_that_it_deletes_by_whatever_name(
    connected: Command,
    cloud: Emulator,
    source: Path,
    side: str,
    start: str | None,
    end: str,
    history: str,
) -> None:
    save_storage(cloud, name="based", base_folder="Backups")
    kept = ("--backup-dir", history, "--keep-days", "30")
    refused = connected("sync", "--yes", start or str(source), end, *kept)
    assert (refused.code, f"{side} is in --backup-dir" in refused.err) == (2, True)


def test_no_day_is_deleted_by_a_clock_that_is_ahead(
    connected: Command, cloud: Emulator, source: Path, names: Names
) -> None:
    """By such a clock, everything that is kept would be old."""
    assert connected("copy", str(source / "a.txt"), "Work files:old/2020-01-01").code == 0
    kept = ("--backup-dir", "Work files:old", "--keep-days", "30")
    cloud.world.advance(-40 * 86_400)
    ahead = connected("copy", str(source), "Work files:x", *kept)
    assert (ahead.code, "clock is ahead of Microsoft's" in ahead.err) == (1, True)
    assert (names("old"), names()) == ({"2020-01-01/a.txt"}, selected())

    cloud.world.advance(40 * 86_400)
    assert connected("copy", str(source), "Work files:x", *kept).code == 0
    assert names("old") == set()


def test_flags_go_on_to_rclone_but_for_those_that_leak_or_mislead(
    connected: Command, source: Path, names: Names
) -> None:
    ran = connected("copy", str(source), "Work files:x", "--", "--max-depth=1", "--no-traverse")
    assert (ran.code, names()) == (0, selected("sub/c.txt", "sub/d.tmp")), ran.err

    for word in (
        "--dump=headers",
        "--rc",
        "--config=/x",
        "-vv",
        "--header",
        "-n",
        "--include=*",
        "-un",
        "--crypt-password=x",
        "--onedrive-token=x",
        "--onedrive-drive-id=x",
        "--onedrive-delta",
        "--http-headers=a,b",
    ):
        refused = connected("copy", str(source), "Work files:y", "--", word)
        assert (refused.code, "is not passed to rclone" in refused.err) == (2, True), word
    stray = connected("copy", str(source), "Work files:x", "Work files:y")
    assert (stray.code, "is not a flag of rclone" in stray.err) == (2, True)


def test_a_name_of_any_bytes_is_said_once_of_its_failure(
    connected: Command, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "names").write_bytes(b"a\xff\x07\n")
    ran = connected("copy", str(source), "Work files:x", "--files-from", str(tmp_path / "names"))
    assert r"  failed  a\xff\x07: the source has no file of that name." in ran.err, ran.err


def test_names_with_odd_blanks_are_selected_alone(
    connected: Command, tmp_path: Path, names: Names
) -> None:
    source = tmp_path / "odd"
    source.mkdir()
    for name in ("x", "x\u00a0", "a", "b", "a\u2028b"):
        (source / name).write_bytes(b"x")
    (tmp_path / "names").write_text("a\u2028b\n")
    connected("copy", str(source), "Work files:x")

    assert connected("delete", "--yes", "Work files:x", "--include", "x\u00a0").code == 0
    assert names() == {"x", "a", "b", "a\u2028b"}
    listed = ("delete", "--yes", "Work files:x", "--files-from", str(tmp_path / "names"))
    assert connected(*listed).code == 0
    assert names() == {"x", "a", "b"}
    rules = [f"+ /{commands.filter_name('x' + chr(0xA0))}", "- *"]
    assert Storages()["Work files"].delete("x", filters=rules).result().deletes == 0
    assert names() == {"x", "a", "b"}


@pytest.mark.parametrize("option", [{"max_delete": 2}, {"backup_dir": "a:old"}, {"suffix": "-1"}])
@pytest.mark.parametrize("word", ["purge", "delete", "deletefile"])
def test_a_net_that_no_deletion_heeds_is_refused(
    word: Literal["purge", "delete", "deletefile"], option: commands.TransferOptions
) -> None:
    if word == "delete" and "max_delete" in option:
        assert "--max-delete=2" in commands.remove(word, "a:", option).flags
        return
    with pytest.raises(UsageError, match="does not take"):
        commands.remove(word, "a:", option)


def test_an_empty_pattern_is_refused(connected: Command) -> None:
    ran = connected("ls", "Work files:", "--exclude", "")
    assert (ran.code, "A pattern is empty" in ran.err) == (2, True)


@pytest.mark.parametrize(
    "word", [("ls", "-R"), ("size",), ("preflight", "Work files:"), ("check", "Work files:")]
)
def test_that_a_rule_does_not_choose_a_single_file_is_said(
    connected: Command, source: Path, word: tuple[str, ...]
) -> None:
    connected("copy", str(source / "a.txt"), "Work files:x")
    places = (
        [str(source / "a.txt"), *word[1:]]
        if "Work files:" in word
        else [*word[1:], "Work files:x/a.txt"]
    )
    ran = connected(word[0], *places, "--exclude", "*.tmp", "--json")
    assert (ran.code, ran.error["error"]) == (2, "rclone_usage")
    assert "single file" in ran.error["what"]
    assert "the folder that contains the file" in ran.error["advice"]


def test_check_says_what_helps_where_a_copy_would_not(connected: Command, source: Path) -> None:
    connected("copy", str(source), "Work files:x")
    (source / "link").symlink_to("a.txt")
    ran = connected("check", str(source), "Work files:x")
    assert (ran.code, "skip-links" in ran.err, "Copy again" in ran.err) == (7, True, False)


@pytest.mark.parametrize("option", ["--links", "--skip-links", "--copy-links"])
def test_a_preflight_says_nothing_of_links_if_an_option_does(
    connected: Command, source: Path, option: str
) -> None:
    (source / "link").symlink_to("a.txt")
    ran = connected("copy", "--preflight", option, str(source), "Work files:x")
    assert (ran.code, "link" in ran.out) == (0, False)


def test_a_preflight_and_the_copy_agree_on_a_link(connected: Command, source: Path) -> None:
    (source / "link").symlink_to("a.txt")
    ran = connected("copy", "--preflight", str(source), "Work files:x")
    assert (ran.code, "counts as failed" in ran.out, "skip-links" in ran.out) == (7, True, True)
