"""The Makefile's targets: what they name is there."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_everything_that_test_quick_lists_is_there() -> None:
    """pytest runs nothing at all where one is missing."""
    lines = (ROOT / "tests" / "quick.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    missing = []
    for line in listed:
        file, _, test = line.partition("::")
        place, name = ROOT / file, test.partition("[")[0]
        if not place.exists() or (name and f"def {name}(" not in place.read_text("utf-8")):
            missing.append(line)

    assert len(listed) > 20
    assert missing == []
