"""Everything that the pages name exists: commands with their options, files, links, environment
variables, make's targets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pluton_rclone.cli.app import application
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import QuotaFull
from tests.connected import connected

from .pages import DOCS, ROOT, blocks

PAGES = [
    *sorted(DOCS.glob("*.md")),
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "README", "SECURITY")),
]
GENERATED = {"reference.md", "errors.md", "options.md"}


def command_lines() -> Iterator[tuple[str, str]]:
    """Every `pluton-rclone …` in the pages: in console blocks, crontabs, and between backticks."""
    for path in PAGES:
        if path.name == "everyday.md":  # test_docs_everyday runs it line by line
            continue
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [
            line
            for language in ("console", "crontab")
            for block in blocks(text, language)
            for line in block.split("\n")
        ]
        spans = re.findall(r"`([^`\n]+)`", text)
        for found in [*lines, *spans]:
            start = re.search(r"(?:^\s*\$ .*?|^[\d* ]+|^)((?:bin/)?pluton-rclone .*)$", found)
            if start and "…" not in start[1] and "NAME OPTION=VALUE" not in start[1]:
                yield path.name, start[1].partition(" >>")[0].partition(" <")[0]


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_every_command_line_is_understood(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    context = application.make_context("pluton-rclone", words[:1], resilient_parsing=True)
    command = application.get_command(context, words[0])

    assert command is not None, f"{page}: there is no command {words[0]}"
    if words[1:]:  # a single word is a mention, not an example
        with command.make_context(
            words[0], words[1:], parent=context
        ) as parsed:  # restored afterwards: -v is for one command
            assert isinstance(parsed, click.Context)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if target and "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path.name not in GENERATED], ids=lambda path: path.name
)
def test_every_anchor_and_every_file_of_the_package_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text):
        page = (path.parent / target if target else path).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)", page, re.M)
        }
        assert anchor in headings, anchor
    for name in re.findall(
        r"`((?:pluton_rclone|tests|docs)/[\w/.-]+|(?:[a-z]+/)?[a-z_]+\.py)`", text
    ):
        folders = (ROOT, ROOT / "pluton_rclone", path.parent)
        assert any((folder / name).exists() for folder in folders), name


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {
        target
        for path in PAGES
        for target in re.findall(r"(?:\$ |`)make ([a-z][a-z-]*)", path.read_text(encoding="utf-8"))
    }
    assert named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_every_environment_variable_is_read_by_the_code() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "pluton_rclone").rglob("*.py")
    )
    for path in PAGES:
        for name in re.findall(r"\bPLUTON_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")):
            # AppRegistration.from_environment composes the second half of these
            assert name in code or name.removeprefix("PLUTON_ONEDRIVE_").lower() in code, name


def test_the_example_test_in_contributing_passes(cloud: Emulator, tmp_path: Path) -> None:
    (block,) = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    names: dict[str, Any] = {"connected": connected, "pytest": pytest, "QuotaFull": QuotaFull}
    exec(block, names)  # noqa: S102
    example: Callable[[Emulator, Path], None] = names["test_a_full_drive_is_said"]
    example(cloud, tmp_path)

    assert any(request.status == 507 for request in cloud.requests)
