"""Folders on the machine that the page runs on: only those that were opened to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pluton_rclone.errors import UsageError


def allowed(typed: str, folders: Iterable[Path], *, must_exist: bool) -> Path:
    """The folder that a person typed, links followed, if it lies in one of `folders`. UsageError says what is wrong."""
    roots = [Path(os.path.realpath(folder)) for folder in folders]
    names = ", ".join(str(root) for root in roots)
    text = typed.strip()
    if not text or "\0" in text:
        raise UsageError("No folder is given.", advice=f"Give a folder below {names}.")
    path = Path(os.path.expanduser(text))
    if not path.is_absolute():
        raise UsageError(f"{text!r} is not a whole path.", advice=f"Start it with a slash, below {names}.")
    real = Path(os.path.realpath(path))
    if not any(real == root or root in real.parents for root in roots):
        raise UsageError(
            f"{text!r} is not open to this page.",
            why=f"it may use {names} only",
            advice="Choose a folder there, or start the page with that folder opened to it.",
        )
    if must_exist and not real.exists():
        raise UsageError(f"There is no {text!r} on this machine.", advice="Check the path.")
    if not must_exist and real.exists() and not real.is_dir():
        raise UsageError(f"{text!r} is a file.", advice="Give a folder, new or there already.")
    return real
