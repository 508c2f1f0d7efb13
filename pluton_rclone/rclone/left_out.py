"""What rclone leaves out with exit code 0: known from its log, so that nothing incomplete looks
complete.

Its notices of this kind (source of 1.60 to 1.76): fs/march ("Duplicate … found in"), backend/local
("Can't follow symlink", "Can't transfer non file/directory"), backend/onedrive ("OneNote file not
shown", at DEBUG), fs/list ("Entry doesn't belong in directory"). What filters exclude is the
caller's own choice.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from pluton_rclone.errors import NameRefused, TransferFailed

from . import events
from .commands import Command
from .locations import is_local
from .results import FailedFile, LeftOut

_TOLD = re.compile(
    r"(Duplicate) (object|directory) found in (source|destination) - ignoring|(Can't follow symlink)"
    r"|(Can't transfer non file)|(OneNote file not shown)|(Entry doesn't belong in directory)"
)
_TWIN = (
    "the {side} holds another of that name",
    "the two differ by upper and lower case or the form of an accent at most, or a shortcut has "
    "the name of a folder; "
    "one of them was looked at, none was overwritten",
    "Rename one of the two; a preflight lists such names before a byte is sent.",
)
_LINK = (
    "it is a symbolic link",
    "nobody has said what is to become of links",
    "Choose one of the options links (each is kept as a small file), copy-links (what it leads to "
    "is sent) and skip-links "
    "(they stay behind).",
)
_NOTEBOOK = (
    "it is a OneNote notebook",
    "Microsoft gives it out to OneNote alone, not as files",
    "Export it with OneNote, and exclude it here by its name.",
)
_MISPLACED = ("Microsoft lists it in a folder that it is not in", None, None)

Place = tuple[str, str]
"""A path, and rclone's words for leaving it out: one entry, however often rclone says it."""


def told(event: events.Event) -> Place | None:
    """What the event says is left out; None for any other event."""
    if _TOLD.match(event.text) is None:
        return None
    path = event.path if isinstance(event, events.FileEvent) else getattr(event, "about", None)
    return None if path is None else (path, event.text)


def sorted_out(
    command: Command | None, found: Iterable[Place]
) -> tuple[tuple[FailedFile, ...], tuple[LeftOut, ...]]:
    """What is missing at the destination for it, and what is not."""
    all_of_it = [_one(command or Command(()), path, text) for path, text in found]
    failed = tuple(one for one in all_of_it if isinstance(one, FailedFile))
    return failed, tuple(one for one in all_of_it if isinstance(one, LeftOut))


def _one(command: Command, path: str, text: str) -> FailedFile | LeftOut | None:
    match = _TOLD.match(text)
    assert match is not None
    twin, what, side, link, special, notebook, _ = match.groups()
    from_here = not command.places or is_local(command.places[0])
    words: tuple[str, str | None, str | None] = _MISPLACED
    if twin and (
        side == "source" or (command.words == ("check",) and "--one-way" not in command.flags)
    ):
        words = _TWIN
    elif twin or (link and not from_here):
        return LeftOut(
            path, "The destination holds it besides: it was neither compared nor changed."
        )
    elif special:
        return (
            LeftOut(path, "It is a pipe, socket or device: it has no content to keep.")
            if from_here
            else None
        )
    elif link:
        words = _LINK
    elif notebook:  # by its name alone
        if from_here or _excluded(path, command):
            return None
        words = _NOTEBOOK
    kind = NameRefused if twin else TransferFailed
    text = f"{path} was left out: {words[0].format(side=side)}."
    return FailedFile(
        path, kind(text, why=words[1], advice=words[2], path=path), False, what == "directory"
    )


def _excluded(name: str, command: Command) -> bool:
    """Whether the caller's rules leave out what has that name; a list of files names no
    notebook."""
    given = command.stdin if isinstance(command.stdin, bytes) else b""
    rules = given.decode(errors="replace").splitlines()
    left_out = (
        rule[2:].strip().removesuffix("/**").rpartition("/")[2]
        for rule in rules
        if rule[:2] == "- "
    )
    return "--files-from-raw=-" in command.flags or any(
        fnmatch.fnmatchcase(name, one) for one in left_out
    )
