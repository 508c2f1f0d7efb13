"""The generated pages match the code."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pluton_rclone
from pluton_rclone import errors
from pluton_rclone.remote.onedrive import OneDriveRemote

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", ["reference.md", "options.md", "errors.md"])
def test_a_committed_page_is_what_the_generator_gives(generator: dict[str, Any], name: str) -> None:
    pages: Callable[[], dict[str, str]] = generator["pages"]
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")

    assert committed == pages()[name], f"docs/{name} is stale: run python docs/generate.py"


def test_every_public_name_option_and_error_has_its_place(generator: dict[str, Any]) -> None:
    pages: dict[str, str] = generator["pages"]()
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]

    assert all(f"\n## {name}\n" in pages["reference.md"] for name in pluton_rclone.__all__)
    assert all(f"`{name}`" in pages["options.md"] for name in OneDriveRemote.model_fields)
    assert all(
        f"`{kind.__name__}`" in pages["errors.md"] for kind in kinds if issubclass(kind, Exception)
    )


def test_a_stale_page_is_told_and_left_alone_by_check(
    generator: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main: Callable[[list[str]], int] = generator["main"]
    main.__globals__["FOLDER"] = tmp_path

    assert main(["--check"]) == 1
    assert "run python docs/generate.py" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main([]) == 0
    assert main(["--check"]) == 0
