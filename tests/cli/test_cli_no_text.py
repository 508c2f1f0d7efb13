"""Arguments that no file system and no other program accepts: NUL, lone surrogates, bytes that are
not UTF-8. Each is a usage error in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.errors import UsageError
from tests.cli.conftest import Command

W = "Work files"


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("storages", "--config", "{}"),
        ("{}", "storages"),
        ("connect", "New", "--client-secret-file", "{}"),
        ("connect", "New", "--method", "app", "--user", "x", "--certificate", "{}"),
        ("set", W, "--secret", "link_password", "--secret-file", "{}"),
        ("export", W, "--output", "{}"),
        ("import", "New", "{}"),
        ("man", "{}"),
        ("plan", "check", "{}"),
        ("encrypt", "--password-file", "{}"),
        ("mount", f"{W}:", "{}"),
    ],
)
def test_what_no_argument_can_hold_is_refused_in_words(
    connected: Command, arguments: tuple[str, ...], bad: str
) -> None:
    ran = connected(*(word.format(bad) for word in arguments), "--json")
    assert (ran.code, ran.error["error"]) == (2, "usage")
    assert "which no path can contain" in ran.error["what"]


@pytest.mark.parametrize(
    "arguments",
    [("sites", W, "{}"), ("repair", W, "--drive", "{}"), ("connect", "New", "--drive", "{}")],
)
def test_what_is_not_utf_8_is_nothing_that_microsoft_knows(
    connected: Command, arguments: tuple[str, ...]
) -> None:
    ran = connected(*(word.format("a\udcffb") for word in arguments), "--json")
    assert (ran.code, ran.error["error"]) == (2, "usage")
    assert "is not Unicode text" in ran.error["what"]


def test_a_file_whose_name_is_not_utf_8_is_asked_for(connected: Command, tmp_path: Path) -> None:
    """Formerly, `cat` ended with a traceback."""
    (tmp_path / "a.txt").write_text("a")
    assert connected("copy", str(tmp_path), f"{W}:x\udcff").code == 0
    assert connected("cat", f"{W}:x\udcff/a.txt").out == "a"
    missing = connected("cat", f"{W}:x/\udcff.txt", "--json")
    assert (missing.code, missing.error["error"]) == (7, "nothing_found")


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
def test_the_library_says_the_same_of_its_configuration(home: Path, bad: str) -> None:
    with pytest.raises(UsageError, match="which no path can contain"):
        list(Storages(bad))
