"""What rclone leaves out with exit code 0: known from its log, so that nothing that is incomplete looks complete.

Its notices of this kind, from its source (1.60 to 1.76): fs/march ("Duplicate … found in"), backend/local ("Can't
follow symlink", "Can't transfer non file/directory"), backend/onedrive ("OneNote file not shown", at DEBUG), fs/list
("Entry doesn't belong in directory"). What filters exclude is the caller's own choice and not of this kind.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from pluton_rclone.errors import NameRefused, PlutonRcloneError, TransferFailed

from . import events
from .commands import Command, is_local
from .results import FailedFile, LeftOut

_TWIN = re.compile(r"Duplicate (object|directory) found in (source|destination) - ignoring")
_LINK = "Can't follow symlink"
_SPECIAL = "Can't transfer non file/directory"
_NOTEBOOK = "OneNote file not shown in directory listing"
_MISPLACED = "Entry doesn't belong in directory"
_STARTS = (_LINK, _SPECIAL, _NOTEBOOK, _MISPLACED, "Duplicate ")

_ONE_WAY_TO_DELETE = re.compile(r"Couldn't (?:delete|remove|move into backup)|Failed to rmdir")

Place = tuple[str, str]
"""A path, and what it is told of: one entry of what was left out, however often rclone says it."""


def told(event: events.Event) -> Place | None:
    """What the event leaves out: its path and rclone's words; None for any other event."""
    if not event.text.startswith(_STARTS):
        return None
    path = event.path if isinstance(event, events.FileEvent) else getattr(event, "about", None)
    return None if path is None else (path, event.text)


def sorted_out(
    command: Command | None, found: Iterable[Place]
) -> tuple[tuple[FailedFile, ...], tuple[LeftOut, ...]]:
    """What is therefore missing at the destination, and what was left out without being missing there."""
    missing, others = [], []
    for path, text in found:
        one = _one(command, path, text)
        if isinstance(one, FailedFile):
            missing.append(one)
        elif one is not None:
            others.append(one)
    return tuple(missing), tuple(others)


def _one(command: Command | None, path: str, text: str) -> FailedFile | LeftOut | None:
    here = command is None or not command.places or is_local(command.places[0])  # the source
    twin = _TWIN.match(text)
    if twin is not None:
        both_ways = command is not None and command.words == ("check",) and "--one-way" not in command.flags
        if twin[2] == "source" or both_ways:
            return FailedFile(path, _twin(path, twin[2]), False, is_dir=twin[1] == "directory")
        return LeftOut(path, "The destination holds another of that name: neither compared nor changed.")
    if text.startswith(_SPECIAL):
        return LeftOut(path, "It is a pipe, socket or device: there is no content to keep.") if here else None
    if text.startswith(_LINK):
        if not here:
            return LeftOut(path, "It is a symbolic link at the destination: neither compared nor changed.")
        return FailedFile(path, _link(path), retry_helps=False)
    if text.startswith(_NOTEBOOK):
        return None if here or command is None or _excluded(path, command) else _notebook(path)
    return FailedFile(path, TransferFailed(f"{path} was left out.", why=text, path=path), retry_helps=False)


def _twin(path: str, side: str) -> PlutonRcloneError:
    return NameRefused(
        f"{path} was left out: the {side} holds another of that name.",
        why="the two differ by upper and lower case or by the form of an accent at most, or a shortcut has the name of "
        "a folder; only one of them was looked at, none was overwritten",
        advice="Rename one of the two; a preflight lists such names before a byte is sent.",
        path=path,
    )


def _link(path: str) -> PlutonRcloneError:
    return TransferFailed(
        f"{path} was left out: it is a symbolic link.",
        why="nobody has said what is to become of links",
        advice="Choose one of the options links (each is kept as a small file), copy-links (what it leads to is sent) "
        "and skip-links (they stay behind).",
        path=path,
    )


def _notebook(name: str) -> FailedFile:
    """rclone tells its name alone."""
    error = TransferFailed(
        f"{name} was left out: it is a OneNote notebook.",
        why="Microsoft gives it out to OneNote alone, not as files",
        advice="Export it with OneNote, and exclude it by its name here.",
        path=name,
    )
    return FailedFile(name, error, retry_helps=False)


def _excluded(name: str, command: Command) -> bool:
    """Whether the caller's rules leave out what has that name; a list of files names no notebook."""
    if not isinstance(command.stdin, bytes):
        return False
    if "--files-from-raw=-" in command.flags:
        return True
    rules = command.stdin.decode(errors="replace").splitlines()
    left_out = (rule[2:].strip().removesuffix("/**").rpartition("/")[2] for rule in rules if rule[:2] == "- ")
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in left_out)


def is_deletion(text: str) -> bool:
    """Whether what failed was to delete something, not to transfer it."""
    return _ONE_WAY_TO_DELETE.match(text) is not None
