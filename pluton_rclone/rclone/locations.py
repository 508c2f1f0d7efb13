"""Locations in rclone's notation ("name:path" or a local path), so that no name is misread.

rclone's rules (fs/fspath, lib/encoder, backend/local of rclone; tried with 1.75.2 and 1.60.1): with
a colon before the first slash, "a:b" is a remote; a leading ":" is a remote without a section; a
leading dash is a flag unless `--` precedes it. In paths, control characters appear as symbols (a
newline as "␊"), and "‛" (U+201B) quotes a literal symbol. Paths in remotes are given in that form,
as listings show them; local paths as they are in the file system.
"""

from __future__ import annotations

import os
import re
import sys

from pluton_rclone.errors import UsageError
from pluton_rclone.values.conf_text import REMOTE_NAME
from pluton_rclone.values.paths import require_path

Location = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A str is an rclone location; bytes and path objects are local paths with any characters."""

_QUOTE = "\u201b"
# of the control characters; "␀", "．" and "／" are literal
_SYMBOLS = (*range(0x2401, 0x2420), 0x2421)
_ON_THE_FLY = re.compile(r":?[\w.+@ -]+,[^:=]*=.*:", re.DOTALL)
_SECRET = re.compile(r"(?i)\b(?:\w+_)?(?:token|secret\w*|pass(?:word)?\d?|key\w*)=")


def remote(name: str, path: str = "") -> str:
    """Returns "name:path". `path` is in rclone's form, as listings show it; "" is the root."""
    if not REMOTE_NAME.fullmatch(name):
        why = "allowed are letters, digits, _ . + @, and inside also - and space"
        raise UsageError(f"{name!r} is not a valid remote name", why=why)
    return _checked(f"{name}:{path}")


def local(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A local path for rclone: absolute, with every colon, dash and byte taken literally. Raises
    UsageError for a name with rclone's quote, "‛" (U+201B), which rclone cannot reach by path."""
    text = os.fsdecode(path)
    if not text:
        raise UsageError("the local path is empty")
    if not os.path.isabs(text):
        text = os.path.join(os.getcwd(), text)
    if not text.isascii():
        text = "/".join(map(_as_rclone_reads, text.split("/")))
    return _checked(text)


def source(place: Location, *, follow: bool) -> str:
    """Like `location`, for a source. Raises UsageError for a link to a file or to nothing, which
    rclone treats as a folder and cannot list, and for a pipe or the like, which would block it."""
    text = location(place)
    path = os.fsencode(place if not isinstance(place, str) else text)
    if not is_local(text) or os.path.isdir(path) or not os.path.lexists(path):
        return text
    if os.path.islink(path) and not (follow and os.path.isfile(path)):
        target = os.fsdecode(os.readlink(path))
        there = "" if os.path.exists(path) else ", which does not exist"
        raise UsageError(
            f"{text!r} is a link to {target!r}{there}.",
            advice="Name the intended file, or copy the targets of links (copy-links).",
        )
    if not os.path.isfile(path):
        what = f"{text!r} is neither a file nor a folder."
        raise UsageError(what, advice="Name the folder that holds it.")
    return text


def is_local(place: str) -> bool:
    """Whether a place, in rclone's notation, is on this machine."""
    return names_drive(place) or ":" not in place.partition("/")[0]


def names_drive(place: str) -> bool:
    """Whether `place` begins with a drive letter ("C:"), which is not a remote on Windows (rclone
    lib/driveletter)."""
    return sys.platform == "win32" and re.match("[A-Za-z]:", place) is not None


def location(place: Location) -> str:
    """A location in rclone's notation: a str is only checked; anything else is a local path."""
    return _checked(place) if isinstance(place, str) else local(place)


def _as_rclone_reads(segment: str) -> str:
    """The text that rclone decodes to `segment`, with symbols quoted. Raises UsageError."""
    if _QUOTE in segment:
        raise UsageError(
            f"rclone cannot reach {segment!r} by its path",
            why="rclone uses the character U+201B (\u201b) to quote others",
            advice="Rename it, or name the folder that holds it.",
        )
    return "".join(_QUOTE + c if ord(c) in _SYMBOLS else c for c in segment)


def _checked(text: str) -> str:
    if not text:
        raise UsageError("the location is empty")
    require_path(text)
    if _ON_THE_FLY.match(text) and _SECRET.search(text):
        raise UsageError(
            "a secret in a connection string would be visible to everyone in the list of processes",
            advice="Define the remote in a configuration, and use its name.",
        )
    return text
