"""Manual pages: one for each command, which groff reads without a warning."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pluton_rclone.cli.app import COMMANDS
from tests.cli.conftest import Command


def test_every_command_has_a_page_that_groff_reads_without_a_warning(
    command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "man1"
    assert command("man", str(folder)).code == 0

    pages = sorted(folder.iterdir())
    expected = {"pluton-rclone.1", *(f"pluton-rclone-{name}.1" for name in COMMANDS)}
    assert {page.name for page in pages} == expected
    groff = ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-P-cbou", "-rLL=100n", *map(str, pages)]
    done = subprocess.run(groff, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for line in (
        "pluton-rclone-copy - Copy a folder's content, or a file, into a folder",
        "pluton-rclone copy [OPTIONS] SRC DST [-- RCLONE-FLAG…]",
        "pluton-rclone connect demo \\",
        "EXIT STATUS",
        "--max-age AGE",
        "Look after storages".upper(),
    ):
        assert line in done.stdout, line


def test_a_folder_that_cannot_be_written_is_said(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = command("man", str(tmp_path / "file/man1"))
    assert (refused.code, "Check the path, its permissions" in refused.err) == (1, True)
