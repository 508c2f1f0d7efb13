"""Operations become an argv: golden lists, and nothing that could be read as a flag."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.commands import FilterOptions, ListOptions, TransferOptions


def argv(command: commands.Command) -> list[str]:
    return command.argv("/rclone", ["--global"])


EMPTY = "--create-empty-src-dirs"
COPY = ("/rclone", "copy", "--global", EMPTY)
GOLDEN: list[tuple[commands.Command, list[str]]] = [
    (
        commands.transfer("copy", "a:x", "b:y", {}),
        [*COPY, "--", "a:x", "b:y"],
    ),
    (
        commands.transfer(
            "sync", "a:", Path("/b"), {"transfers": 8, "dry_run": True, "bwlimit": 1_000_000}
        ),
        [
            "/rclone",
            "sync",
            "--global",
            EMPTY,
            "--transfers=8",
            "--dry-run",
            "--bwlimit=1000000B",
            "--",
            "a:",
            "/b",
        ],
    ),
    (
        commands.transfer(
            "copyto", b"/a:b", "-rf", {"max_duration": 90, "extra": ["--onedrive-hard-delete"]}
        ),
        [
            "/rclone",
            "copyto",
            "--global",
            "--max-duration=90.000s",
            "--onedrive-hard-delete",
            "--",
            "/a:b",
            "-rf",
        ],
    ),
    (
        commands.transfer(
            "copy", "a:", "b:", {"backup_dir": Path("/old/-x"), "suffix": "-old", "immutable": True}
        ),
        [*COPY, "--backup-dir=/old/-x", "--suffix=-old", "--immutable", "--", "a:", "b:"],
    ),
    (
        commands.transfer(
            "copy", "a:", "b:", {"max_transfer": "10Gi", "order_by": "size,desc", "retries": 1}
        ),
        [*COPY, "--max-transfer=10Gi", "--order-by=size,desc", "--retries=1", "--", "a:", "b:"],
    ),
    (
        commands.transfer("copy", "a:", "b:", {"check_first": False}),
        [*COPY, "--check-first=false", "--", "a:", "b:"],
    ),
    (
        commands.lsjson("a:", {"hashes": ["quickxor"], "files_only": True}, depth="all"),
        [
            "/rclone",
            "lsjson",
            "--global",
            "--recursive",
            "--hash-type=quickxor",
            "--no-mimetype",
            "--files-only",
            "--",
            "a:",
        ],
    ),
    (
        commands.lsjson("a:", {"mime_types": True}, depth="one"),
        ["/rclone", "lsjson", "--global", "--", "a:"],
    ),
    (
        commands.simple("lsjson", "a:x", stat=True, no_mimetype=True),
        ["/rclone", "lsjson", "--global", "--stat", "--no-mimetype", "--", "a:x"],
    ),
    (
        commands.simple("cat", "a:x", offset=-5, count=2),
        ["/rclone", "cat", "--global", "--offset=-5", "--count=2", "--", "a:x"],
    ),
    (
        commands.simple("rcat", "a:x", size=7),
        ["/rclone", "rcat", "--global", "--size=7", "--", "a:x"],
    ),
    (commands.simple("rcat", "a:x", size=None), ["/rclone", "rcat", "--global", "--", "a:x"]),
    (
        commands.simple("about", "a:", json=True),
        ["/rclone", "about", "--global", "--json", "--", "a:"],
    ),
    (
        commands.at("a:", "size", {"max_depth": 1}, FilterOptions, "--json"),
        ["/rclone", "size", "--global", "--json", "--max-depth=1", "--", "a:"],
    ),
    (
        commands.check("a:", "b:", {}, content="download", direction="one_way"),
        [
            "/rclone",
            "check",
            "--global",
            "--combined=-",
            "--log-level=DEBUG",
            "--download",
            "--one-way",
            "--",
            "a:",
            "b:",
        ],
    ),
    (commands.remove("purge", "a:x", {}), ["/rclone", "purge", "--global", "--", "a:x"]),
    (commands.simple("mkdir", "a:x"), ["/rclone", "mkdir", "--global", "--", "a:x"]),
]


@pytest.mark.parametrize(
    ("command", "expected"),
    GOLDEN,
    ids=[" ".join(c.words) + str(n) for n, (c, _) in enumerate(GOLDEN)],
)
def test_golden(command: commands.Command, expected: list[str]) -> None:
    assert argv(command) == expected


def test_filters_go_through_stdin() -> None:
    command = commands.transfer("copy", "a:", "b:", {"filters": ["- *.tmp", "+ é", "- *"]})
    assert command.flags == ("--create-empty-src-dirs", "--filter-from=-")
    assert command.stdin == "- *.tmp\n+ é\n- *\n".encode()


def test_lists_of_files_go_through_stdin_as_bytes() -> None:
    files: list[str | bytes] = [b"x\xff", "y", os.fsdecode(b"z\xfe")]
    command = commands.transfer("copy", "a:", "b:", {"files_from": iter(files)})
    assert command.flags == ("--create-empty-src-dirs", "--files-from-raw=-")
    assert command.stdin == b"x\xff\ny\nz\xfe\n"


def test_an_empty_list_of_files_is_a_list() -> None:
    """It must not mean "everything"."""
    assert commands.transfer("copy", "a:", "b:", {"files_from": []}).stdin == b""


def test_filters_and_a_list_exclude_each_other() -> None:
    with pytest.raises(UsageError):
        commands.transfer("copy", "a:", "b:", {"files_from": ["x"], "filters": ["- *"]})


@pytest.mark.parametrize("line", ["a\nb", "a\r", b"a\n- *"])
def test_a_line_break_cannot_smuggle_a_rule(line: str) -> None:
    with pytest.raises(UsageError, match="line break"):
        commands.transfer("copy", "a:", "b:", {"files_from": [line]})


@pytest.mark.parametrize("word", ["deletefile", "purge"])
def test_what_would_ignore_filters_takes_none(word: Any) -> None:
    with pytest.raises(UsageError, match="filters"):
        commands.remove(word, "a:", {"filters": ["- *.keep"]})


def test_a_misspelt_option_gets_a_hint() -> None:
    misspelt: Any = {"transfer": 3}
    with pytest.raises(UsageError, match="did you mean 'transfers'"):
        commands.transfer("copy", "a:", "b:", misspelt)


@pytest.mark.parametrize("name", ["filters", "files_from", "extra", "hashes"])
def test_a_text_in_the_place_of_a_list_is_refused(name: str) -> None:
    """To Python it is a list of its letters: files_from="ab" would be the files a and b."""
    options: Any = {name: "ab"}
    with pytest.raises(UsageError, match=f"{name} is a list"):
        commands.lsjson("a:", options, depth="one")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("a*b", "a\\*b"),
        ("[x]?", "\\[x\\]\\?"),
        ("{a,b}", "\\{a,b\\}"),
        ("end ", "end[ ]"),
        ("b\\c", "b\\\\c"),
    ],
)
def test_names_in_rules(path: str, rule: str) -> None:
    assert commands.filter_name(path) == rule


def test_every_option_is_a_flag_of_the_real_rclone(binary: Any) -> None:
    import subprocess

    known = subprocess.run(
        [binary.path, "help", "flags"], capture_output=True, text=True, check=True
    ).stdout
    known += subprocess.run(
        [binary.path, "lsjson", "--help"], capture_output=True, text=True, check=True
    ).stdout
    known += subprocess.run(
        [binary.path, "copy", "--help"], capture_output=True, text=True, check=True
    ).stdout
    names = {
        name
        for kind in (FilterOptions, ListOptions, TransferOptions)
        for name in kind.__annotations__
    }
    special = {
        "filters",
        "files_from",
        "extra",
        "hashes",
        "mime_types",
        "log_level",
        "allow_empty_source",
    }
    missing = {name for name in names - special if f"--{name.replace('_', '-')} " not in known}
    assert missing == set()
