"""The pins match pyproject.toml: for each Python, the newest versions and the lowest."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
DECLARED = [Requirement(line) for line in importlib.metadata.requires("pluton-rclone") or []]
EXTRAS = ["", "rclone", "web", "emulator"]


def declared(python: str, extras: list[str]) -> dict[str, Requirement]:
    """The requirements of these extras on this Python, by name."""
    return {
        item.name: item
        for item in DECLARED
        for extra in extras
        if item.marker is None or item.marker.evaluate(environment(python) | {"extra": extra})
    }


def environment(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}


def pinned(file: str, python: str) -> dict[str, Version]:
    """The versions that pip installs from this file on this Python."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = {}
    for line in re.findall(r"^[a-z][^\\\n]+", text, re.MULTILINE):
        item = Requirement(line.strip())
        if item.marker is None or item.marker.evaluate(environment(python)):
            assert item.name not in found, f"{item.name} twice"
            found[item.name] = Version(str(item.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_within_what_is_declared(python: str) -> None:
    pins = pinned("constraints.txt", python)
    wanted = declared(python, [*EXTRAS, "dev"])

    assert len(wanted) > 20
    assert {
        name: str(item)
        for name, item in wanted.items()
        if not item.specifier.contains(pins.get(name, ""))
    } == {}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lowest_declared_version_is_the_one_that_is_tested(python: str) -> None:
    pins = pinned(".ci/floors.txt", python)
    lowest = {
        name: min(Version(each.version) for each in item.specifier if each.operator in (">=", "=="))
        for name, item in declared(python, EXTRAS).items()
    }

    assert {name: pins.get(name) for name in lowest} == lowest


@pytest.mark.parametrize("file", ["constraints.txt", ".ci/floors.txt", ".ci/tools.txt"])
def test_every_pin_has_hashes(file: str) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [number for number, line in enumerate(lines) if "==" in line]

    assert pins
    assert all("--hash=sha256:" in lines[number + 1] for number in pins)


def test_the_source_distribution_has_every_page_of_the_checkout() -> None:
    """Its other pages and its tests refer to them."""
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pages = [f'"/{page.name}"' for page in ROOT.glob("*.md")]

    assert len(pages) > 3
    assert [page for page in pages if page not in declared] == []
