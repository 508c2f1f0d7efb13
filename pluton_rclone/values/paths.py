"""Paths in a storage: where "photos/2024" and "/TeamFolder/x" are in its drive. Pure functions.

A path in a storage is relative to the storage's base folder; with a leading "/" it starts at the
drive's root, where shared and team folders appear. A path in a drive, which rclone takes after
"name:", does not have a leading "/".
"""

from __future__ import annotations

import os

from pluton_rclone.errors import UsageError


def require_path(text: str) -> str:
    """The text. Raises UsageError for characters that no path, and no argument, can hold."""
    try:
        if b"\0" not in os.fsencode(text):
            return text
        why = "a NUL character"
    except UnicodeEncodeError:
        why = "a character that is not Unicode text (a lone surrogate)"
    what = f"{text!a} contains {why}, which no path can contain."
    raise UsageError(what, advice="Remove that character.")


def in_drive(path: str, base: str = "") -> str:
    """The path in the drive for a path in a storage whose base folder is `base`; "" is the root:
    "/Backups//laptop/" is "Backups/laptop". Raises `UsageError` for a ".." that leaves the base
    folder (with a leading "/": the drive), and for characters that no path can hold."""
    start = [] if path.startswith("/") else _names(base)
    return "/".join([*start, *_names(path)])


def holds_all(path: str, base: str = "") -> bool:
    """Whether a path in a storage, in any spelling, is its base folder or a folder above it."""
    place = in_drive(path, base).lower()
    return not place or f"{in_drive(base).lower()}/".startswith(f"{place}/")


def _names(path: str) -> list[str]:
    """The names in `path`, without "." and empty ones; ".." removes the name before it."""
    require_path(path)
    parts: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not parts:
                what = f"The path {path!r} leads above the folder in which it starts."
                advice = "Leave out the '..', or start at the drive's root with a leading '/'."
                raise UsageError(what, advice=advice)
            parts.pop()
        elif name not in {"", "."}:
            parts.append(name)
    return parts
