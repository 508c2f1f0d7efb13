"""Names of remotes: which ones each rclone allows (fs/fspath/path.go), and friendly names."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection

from pluton_rclone.errors import OptionInvalid, UsageError
from pluton_rclone.values.conf_text import DEFAULT, REMOTE_NAME, parent_of, value_fault
from pluton_rclone.values.versions import NEWEST, Feature, Version

_ASCII = re.compile(r"[A-Za-z0-9_. -]+")
_LONGEST = 60


def name_fault(name: str, version: tuple[int, ...] = NEWEST) -> str | None:
    """Why this version of rclone rejects the name; None if it allows it.

    Since 1.61: letters and digits of any script, `_ - .` and space, but no `-` or space at the
    beginning, and no space or single `-` at the end; since 1.62 also `@` and `+`. Before: only
    ASCII. We apply the rules for both ends to all versions, because `-x:` is an option to most
    programs, and reject "DEFAULT", which means the defaults of all sections in rclone's format.
    """
    if not name:
        return "it is empty"
    if name == DEFAULT:
        return "in rclone.conf, DEFAULT means the defaults of all remotes"
    if name[0] in "- ":
        return f"it begins with {'a hyphen' if name[0] == '-' else 'a space'}"
    for character in name:
        since = _first_version(character)
        if since is None or version < since:
            what = f"it contains {character!r}"
            only = f", which rclone accepts only since {since.major}.{since.minor}" if since else ""
            return what + only
    if not REMOTE_NAME.fullmatch(name):
        return f"it ends with {'a space' if name[-1] == ' ' else 'a single hyphen'}"
    return None


def check_name(name: str, version: tuple[int, ...] = NEWEST, others: Collection[str] = ()) -> None:
    """Raise OptionInvalid if this version of rclone rejects the name, or would mix its options with
    those of one of the other remotes."""
    fault = name_fault(name, version)
    advice = "Use letters, digits, '_', '-' and spaces; the friendly name can be anything."
    if fault is None and (related := _related(name, others)):
        parent, child = related
        fault = f"in rclone, {child!r} would inherit each option of {parent!r} that it does not set"
        if child != name:
            advice = f"Use another name, or first rename {child!r} without a dot."
    if fault is not None:
        what = f"{name!r} cannot be the name of a remote"
        raise OptionInvalid(what, why=fault, advice=advice, option="name")


def _related(name: str, others: Collection[str]) -> tuple[str, str] | None:
    """Parent and child, if `name` and one of `others` are so related (`parent_of`)."""
    if (parent := parent_of(name)) in others:
        return parent, name
    child = next((one for one in others if parent_of(one) == name), None)
    return None if child is None else (name, child)


def friendly_name(name: str) -> str:
    """The name without surrounding blanks. Raises UsageError if people cannot read it, programs
    would take it for an option, or rclone.conf cannot hold it."""
    text = name.strip()
    fault = value_fault(text)
    if text and text.isprintable() and text[0] != "-" and not fault:
        return text
    advice = "Use a name of printable characters that does not begin with a hyphen."
    if fault and text.isprintable():
        advice = f"Use another name: {fault}, which rclone.conf cannot hold."
    raise UsageError(f"{name!r} cannot be a storage's name.", advice=advice)


def derive_name(
    friendly: str, taken: Collection[str] = (), version: tuple[int, ...] = NEWEST
) -> str:
    """A name that never needs quotes: "annas-onedrive" for "Anna's OneDrive". It has no space, so
    `name:dir` needs no quotes, and it neither inherits options nor passes its own on."""
    text = unicodedata.normalize("NFKC", friendly).casefold().replace("'", "").replace("’", "")
    if not Feature.ANY_SCRIPT_IN_NAMES.known_to(version):
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = "".join(character if _is_letter_or_digit(character) else "-" for character in text)
    base = re.sub("-+", "-", kept).strip("-")[:_LONGEST].strip("-") or "onedrive"
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    free = (name for name in names if name not in taken and name != DEFAULT)
    return next(name for name in free if not _related(name, taken))


def _is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _first_version(character: str) -> Version | None:
    if _ASCII.fullmatch(character):
        return Version(0, 0)
    if _is_letter_or_digit(character):
        return Feature.ANY_SCRIPT_IN_NAMES.since
    return Feature.AT_AND_PLUS_IN_NAMES.since if character in "@+" else None
