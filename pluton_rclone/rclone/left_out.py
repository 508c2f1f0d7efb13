"""What rclone leaves out with exit code 0, from its log: no incomplete run may look complete.

Such notices (source of 1.60 to 1.76): fs/march ("Duplicate … found in"), backend/local ("Can't
follow symlink", "Can't transfer non file/directory"), backend/onedrive ("OneNote file not shown",
at DEBUG), fs/list ("Entry doesn't belong in directory"), backend/crypt ("Skipping undecryptable
file name", before 1.66 at DEBUG), backend/chunker ("invalid chunks in object", at DEBUG: a chunk is
lost). Filters are not counted. rclone does not report a missing file of a list at all.
"""

from __future__ import annotations

import ast
import fnmatch
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pluton_rclone.errors import NameRefused, NothingFound, RcloneError, TransferFailed

from . import events
from .commands import LINK_END, TRANSFERS, Command, filter_name
from .flags import NOT_UTF_8
from .locations import is_local
from .results import FailedFile, LeftOut, Planned

_TOLD = re.compile(
    r"(Duplicate) (object|directory) found in (source|destination) - ignoring"
    r"|(Can't follow symlink)|(Can't transfer non file)|(OneNote file not shown)"
    r"|(Entry doesn't belong in directory)|Skipping undecryptable (file|dir) name"
    r"|(?P<chunks>invalid chunks in object) ?(?P<path>\".*\")?"
)
REPLACED = (
    "Can't follow symlink without -L/--copy-links",
    "Can't transfer non file/directory",
    "invalid chunks in object",
)
"""Notices that are void if a file of that name arrives after all."""
_FOLLOWS, _KEEPS = ("--copy-links", "-L"), ("--links", "-l")
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[^ -~]")
_Words = tuple[str, str | None, str | None]
_TWIN: _Words = (
    "the {side} has another item with that name",
    "the two names differ at most in case or in the form of an accent, or a shortcut has "
    "the name of a folder; only one of them was compared, none was overwritten",
    "Rename one of the two. A preflight lists such names before anything is sent.",
)
_LINK: _Words = (
    "it is a symbolic link",
    "no option says what to do with links",
    "Choose one of the options links (stores each as a small file), copy-links (sends its target) "
    "or skip-links (leaves it out).",
)
_NOTEBOOK: _Words = (
    "it is a OneNote notebook",
    "Microsoft offers it only to OneNote, not as files",
    "Export it from OneNote, and exclude its name here.",
)
_MISPLACED: _Words = ("Microsoft lists it in a folder that does not contain it", None, None)
_UNDECRYPTED: _Words = (
    "its name cannot be decrypted",
    "it was stored with another password or password2, or not through this crypt",
    "Check password and password2 of the crypt. Move what was not stored through it elsewhere, or "
    "exclude exactly that name.",
)

_IN_CHUNKS: _Words = (
    "parts of it are lost or damaged",
    "its chunker remote does not find all its chunks",
    "Restore it from another copy, or its chunks from the recycle bin.",
)

_REMOVED = (
    "corrupted on transfer: ",
    "Not deleting source as copy failed: corrupted on transfer: ",
)
_GONE = (
    "so rclone could not compare the copy, and removed it, even if it replaced an earlier version",
    "If you still need it, restore it from OneDrive's recycle bin, or from its new place.",
)

Place = tuple[str, str]
"""A path and rclone's message: one entry, however often rclone logs it."""


def told(event: events.Event) -> Place | None:
    """The place that rclone left out, according to `event`; None for any other event."""
    match = _TOLD.match(event.text)
    if match is None:
        return None
    if match["path"]:  # Go quotes it as Python does
        with suppress(SyntaxError, ValueError):
            return ast.literal_eval(match["path"]), match["chunks"]
    path = event.path if isinstance(event, events.FileEvent) else getattr(event, "about", None)
    return None if path is None else (path, event.text)


def sorted_out(
    command: Command, found: Iterable[Place]
) -> tuple[tuple[FailedFile, ...], tuple[LeftOut, ...]]:
    """The left-out places that are missing at the destination, and those that are not."""
    excluded = _excluded(command)
    judged = [_one(command, path, text, excluded) for path, text in found]
    failed = tuple(one for one in judged if isinstance(one, FailedFile))
    return failed, tuple(one for one in judged if isinstance(one, LeftOut))


def _one(
    command: Command, path: str, text: str, excluded: set[str] | None
) -> FailedFile | LeftOut | None:
    match = _TOLD.match(text)
    assert match is not None
    twin, what, side, link, special, notebook, _, encrypted, chunks, _ = match.groups()
    from_here = not command.places or is_local(command.places[0])
    both_ways = command.words == ("check",) and "--one-way" not in command.flags
    there = (twin and side == "destination") or ((encrypted or chunks) and from_here)
    if (there and not both_ways) or (link and not from_here):
        return LeftOut(path, "It exists only at the destination: neither compared nor changed.")
    if special:
        why = "It is a pipe, socket or device, which has no content to store."
        return LeftOut(path, why) if from_here else None
    if notebook and (from_here or excluded is None or _matches(path, excluded)):
        return None
    if encrypted and (excluded is None or _itself(path) in excluded):
        return None
    words = _TWIN if twin else _LINK if link else _NOTEBOOK if notebook else _MISPLACED
    words = _UNDECRYPTED if encrypted else _IN_CHUNKS if chunks else words
    kind = NameRefused if twin else TransferFailed
    told = f"{path} was left out: {words[0].format(side=side)}."
    error = kind(told, why=words[1], advice=words[2], path=path)
    return FailedFile(path, error, retry_helps=False, is_dir="dir" in (what or encrypted or ""))


def _excluded(command: Command) -> set[str] | None:
    """The patterns that the caller's rules exclude; None for a list of files, which names neither a
    notebook nor a file that cannot be decrypted."""
    if command.picks:
        return None
    given = command.stdin if isinstance(command.stdin, bytes) else b""
    rules = (rule for rule in given.decode(errors="replace").split("\n") if rule[:2] == "- ")
    return {rule[2:].strip().removesuffix("/**") for rule in rules}


def _matches(name: str, excluded: set[str]) -> bool:
    """Whether a pattern excludes `name` in any folder."""
    return any(fnmatch.fnmatchcase(name, one.rpartition("/")[2]) for one in excluded)


def _itself(path: str) -> str:
    """The pattern for exactly this path: any other could match decrypted names."""
    return f"/{filter_name(path)}"


def undecrypted(command: Command, found: Iterable[Place]) -> RcloneError | None:
    """The exception for a listing that lacks files of a crypt; None if it lacks none."""
    excluded = _excluded(command)
    names = [path for path, text in found if (match := _TOLD.match(text)) and match[8]]
    names = [path for path in names if excluded is not None and _itself(path) not in excluded]
    if not names:
        return None
    more = f", nor are {len(names) - 1} more" if names[1:] else ""
    what, why, advice = _UNDECRYPTED
    return RcloneError(f"{names[0]}: {what}{more}.", why=why, advice=advice)


def picked(command: Command) -> Iterator[str]:
    """The files in the command's list, as rclone reads it."""
    if not command.picks or command.words[0] not in {*TRANSFERS, "check", "delete"}:
        return
    if isinstance(command.stdin, bytes):
        for line in io.BytesIO(command.stdin):
            if name := os.fsdecode(line.rstrip(b"\n")).strip("/"):
                yield name


def absent(command: Command) -> tuple[str, ...]:
    """Names in the command's list that are not files in its local source; rclone ignores them."""
    source = command.places[0] if command.picks else ""
    if not is_local(source) or not os.path.isdir(source):
        return ()
    folder, given = os.path.join(source, ""), {*command.flags}
    follows, keeps = not given.isdisjoint(_FOLLOWS), not given.isdisjoint(_KEEPS)
    names = dict.fromkeys(picked(command))
    return tuple(one for one in names if not _is_file(folder, one, follows=follows, keeps=keeps))


def sought(command: Command) -> set[int]:
    """The hashes of the names in the command's list, if its source is a remote, whose files appear
    in rclone's log. Names that are not UTF-8 are omitted, because the log is UTF-8."""
    if not command.places or is_local(command.places[0]):
        return set()
    return {hash(name) for name in picked(command) if not NOT_UTF_8.search(name)}


def _is_file(folder: str, name: str, *, follows: bool, keeps: bool) -> bool:
    """Whether rclone finds `name`, which must be exactly as its listings show it. `follows` and
    `keeps` are for links: copy-links and links."""
    here = name
    if _ODD.search(name):
        from pluton_rclone.values.encoding import local_name, standard_name

        parts = name.split("/")
        local = [local_name(part) for part in parts]
        if "" in parts or [standard_name(part) for part in local] != parts:
            return False
        here = "/".join(local)
    try:
        mode = (os.stat if follows else os.lstat)(folder + here).st_mode
    except PermissionError:  # rclone reports it
        return True
    except (OSError, ValueError):
        return keeps and _is_link(folder + here)
    return not (stat.S_ISDIR(mode) or (keeps and stat.S_ISLNK(mode)))


def not_found(name: str) -> FailedFile:
    """The failure for a name in a list that does not exist."""
    error = NothingFound(
        f"{name}: the source has no file of that name.",
        why="the list of files names it",
        advice="Correct the list: one path below the source per line, as `ls` shows it; for a "
        "folder, list its files.",
        path=name,
    )
    return FailedFile(name, error, retry_helps=False)


def gone(tried: Mapping[str, events.Failed]) -> tuple[FailedFile, ...]:
    """The files of `tried` that disappeared from the source before rclone could compare their copy.
    rclone then removes the copy, even if that had replaced an earlier version, and still succeeds
    without a further message."""
    why, advice = _GONE
    found = []
    for path, event in tried.items():
        if event.text.startswith(_REMOVED):
            what = f"{path} disappeared from the source during the transfer."
            error = TransferFailed(what, why=why, advice=advice, path=path)
            found.append(FailedFile(path, error, retry_helps=False))
    return tuple(found)


def may_have_twins(command: Command) -> bool:
    """Whether a move may find two names that are the same to rclone: it would move the first away,
    and overwrite its only copy in the next round or run. Only names are checked here."""
    if command.words[0] not in ("move", "moveto"):
        return False
    source, links = command.places[0], {*_FOLLOWS, *_KEEPS}.intersection(command.flags)
    if links or not is_local(source) or not os.path.exists(source):
        return True
    from pluton_rclone.values.encoding import rclone_key, standard_name

    for _, folders, files in os.walk(source):
        for names in (folders, files):
            if len({rclone_key(standard_name(name)) for name in names}) < len(names):
                return True
    return False


def unreadable(command: Command, planned: Iterable[Planned]) -> tuple[FailedFile, ...]:
    """The planned files that a real run could not read: a dry run opens no file."""
    from pluton_rclone.values.encoding import local_name

    from . import faults

    failed, source = [], command.places[0]
    if os.path.isdir(source) and is_local(source):
        for path in sorted({one.path for one in planned if one.action in ("copy", "move")}):
            here = os.path.join(source, *map(local_name, path.split("/")))
            if "\ufffd" in path or _is_link(here):  # the log is UTF-8
                continue
            if not os.access(here, os.R_OK):
                why = "permission denied" if os.path.lexists(here) else "no such file or directory"
                error = faults.fault(f"{here}: {why}", subject=path)
                failed.append(FailedFile(path, error, retry_helps=False))
    return tuple(failed)


def _is_link(here: str) -> bool:
    """Whether rclone generates the file from a symbolic link, whose name lacks the suffix."""
    return here.endswith(LINK_END) and os.path.islink(here.removesuffix(LINK_END))
