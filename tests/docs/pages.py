"""Read the pages of the documentation: their code blocks, by language."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in one language, in the order of the page."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
