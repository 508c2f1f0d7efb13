"""The names and paths that OneDrive accepts: from Microsoft's documents, independent of the
product's own list.

Sources, all as collected in limits.json of the facts: support article "Restrictions and limitations
in OneDrive and SharePoint" (2021-03-03), OneDrive docs "Addressing resources in a drive"
(2024-10-22), and, for the trailing period of files and for control characters, the experience of
rclone's developers (its `encoding` default).
"""

from __future__ import annotations

import re

from . import refusals

MAX_PATH = (
    400  # a decoded path of that many characters is refused: "fewer than 400" is the safe reading
)
MAX_NAME = 255

FORBIDDEN_CHARACTERS = '"*:<>?/\\|'
FORBIDDEN_NAMES = frozenset(
    {
        ".lock",
        "con",
        "prn",
        "aux",
        "nul",
        *(f"com{digit}" for digit in range(10)),
        *(f"lpt{digit}" for digit in range(10)),
        "desktop.ini",
    }
)
_BAD_CHARACTER = re.compile(r'["*:<>?/\\|\x00-\x1f\x7f]')


def fold(name: str) -> str:
    """The form in which names are compared, which ignores case."""
    return name.lower()


def check_name(name: str, *, kind: str, folder: bool, at_root: bool) -> None:
    """Raise Graph's 400 for a name that OneDrive does not accept.

    `kind` is the drive's type (personal, business, documentLibrary); `at_root` says whether the
    item would lie directly in the drive's root.
    """
    reason = _reason(name, kind, folder, at_root)
    if reason is not None:
        raise refusals.invalid_name(reason)


def _reason(name: str, kind: str, folder: bool, at_root: bool) -> str | None:
    lower = name.lower()
    if not name or name in {".", ".."}:
        return "The provided name cannot be empty."
    if _BAD_CHARACTER.search(name):
        return (
            f"The provided name cannot contain any of the following characters: "
            f"{FORBIDDEN_CHARACTERS}"
        )
    if name[0] == " " or name[-1] == " ":
        return "The provided name cannot begin or end with a space."
    if name[-1] == ".":
        return "The provided name cannot end with a period."
    if lower in FORBIDDEN_NAMES or lower.startswith("~$") or "_vti_" in lower:
        return "The provided name is not allowed."
    if len(name) > MAX_NAME:
        return f"The provided name is longer than {MAX_NAME} characters."
    if kind != "personal":
        if folder and name[0] == "~":
            return "The provided name of a folder cannot begin with a tilde."
        if at_root and lower == "forms":
            return "The provided name is not allowed at the root of a library."
    return None


def check_length(length: int) -> None:
    """Raise Graph's 400 if `length` characters, with the site's and the library's prefix, are too
    many for a path."""
    if length >= MAX_PATH:
        raise refusals.path_too_long()
