"""Office files in document libraries: SharePoint rewrites them, so they are compared by time.

SharePoint writes a library's columns into Office files that arrive there ("Document Property
Promotion and Demotion", Microsoft Learn, aa543341), which changes size and hash. rclone takes that
for corruption, deletes the file and gives up; its OneDrive documentation advises --ignore-size and
--ignore-checksum. A transfer into a library excludes these types from its first run and transfers
them in a second run with both flags. A change within the same second as the last transfer is
transferred with the next change: OneDrive stores whole seconds."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import NamedTuple

from pluton_rclone.rclone.commands import TRANSFERS, Command
from pluton_rclone.rclone.locations import is_local

_TYPES = "docx docm dotx dotm xlsx xlsm xlsb xltx xltm pptx pptm potx potm ppsx ppsm"
SUFFIXES = tuple(f".{one}" for one in _TYPES.split())
"""The types that SharePoint's Office parser writes into (the parsers of SharePoint Server 2013, as
wbaer.net lists them in "Document Property Promotion and Demotion Overview and Considerations",
2014-08-29)."""

SAID = (
    "SharePoint rewrites Office files (.docx, .xlsx, .pptx and the like) in document libraries: "
    "they were compared only by time; all other files by size and checksum."
)
_IGNORED = ("--ignore-size", "--ignore-checksum")
# Without trusted size and hash, these find every file changed (-c) or none (--size-only).
_BY_CONTENT = {"--checksum", "-c", "--size-only"}


def _none_of(ends: set[str]) -> str:
    """A regular expression for all suffixes but these: rclone's have no "not"."""
    firsts = "".join(sorted({end[0] for end in ends if end}))
    others = [f"[^{firsts}./][^./]*" if firsts else "[^./]+", *([] if "" in ends else [""])]
    longer = [one + _none_of({end[1:] for end in ends if end[:1] == one}) for one in firsts]
    return f"(?:{'|'.join(longer + others)})"


# Regular expressions: globs ignore case only for all rules at once (--ignore-case).
_OFFICE = "- *.{{(?i:" + _TYPES.replace(" ", "|") + ")}}\n"
_OTHERS = "- {{(?i:[^./]*|[^/]*[.]" + _none_of(set(_TYPES.split())) + ")}}\n"


class Runs(NamedTuple):
    """The runs of a transfer into a library: `first`, then `office` for Office files. A single
    Office file has only a `first` run, with `ignoring` set."""

    first: Command
    office: Command | None = None
    ignoring: bool = False


def is_folder_here(place: str) -> bool | None:
    """Whether a local place is a folder; None if there is neither a file nor a folder."""
    return os.path.isdir(place) if os.path.isfile(place) or os.path.isdir(place) else None


def runs(command: Command, is_folder: Callable[[str], bool | None] = is_folder_here) -> Runs:
    """The runs of a transfer into a library: two for a folder, otherwise one. The caller's rules
    apply to both, after ours, which only exclude the other run's files. If the caller's flags
    select files, the caller must set the two flags, too. A list of files is split."""
    flags = command.flags
    if command.words[0] not in TRANSFERS or any(flag.startswith(_IGNORED) for flag in flags):
        return Runs(command)
    folder = is_folder(command.places[0])
    if folder is False:
        if not command.places[0].lower().endswith(SUFFIXES):
            return Runs(command)
        return Runs(command._replace(flags=_by_time(flags)), ignoring=True)
    if folder and command.picks and isinstance(command.stdin, bytes):
        return _of_list(command, command.stdin)
    given = b""
    if flags[-1:] == ("--filter-from=-",):
        assert isinstance(command.stdin, bytes)
        given, flags = command.stdin, flags[:-1]
    selects = command._replace(flags=flags).rules
    deletes_the_others = any(flag.startswith("--delete-excluded") for flag in flags)
    clears = b"!" in map(bytes.strip, given.split(b"\n"))  # also our rules
    if selects or deletes_the_others or clears or not folder:
        return Runs(command)
    flags = (*flags, "--filter-from=-")
    return Runs(
        command._replace(flags=flags, stdin=_OFFICE.encode() + given),
        command._replace(flags=_by_time(flags), stdin=_OTHERS.encode() + given),
    )


def _of_list(command: Command, names: bytes) -> Runs:
    """The runs for a list of files."""
    ends = tuple(map(str.encode, SUFFIXES))
    office, others = bytearray(), bytearray()
    for name in io.BytesIO(names):  # by "\n" only, as rclone does
        into = office if name.rstrip(b"\n").lower().endswith(ends) else others
        into += name
    by_time = command._replace(flags=_by_time(command.flags), stdin=bytes(office))
    if not (office and others):
        return Runs(by_time, ignoring=True) if office else Runs(command)
    return Runs(command._replace(stdin=bytes(others)), by_time)


def _by_time(flags: tuple[str, ...]) -> tuple[str, ...]:
    return (*(flag for flag in flags if flag not in _BY_CONTENT), *_IGNORED)


def has_office_files(folder: str, is_enough: Callable[[], bool]) -> bool:
    """Whether there may be Office files at or below `folder`; stops early once `is_enough()`. A
    link to a folder may lead to some, as rclone can be told to follow it. True for a remote."""
    if not is_local(folder):
        return True
    for path, folders, names in os.walk(folder):
        if is_enough():
            return False
        # casefold, because rclone's (?i:) matches "ſ" as "s", as Unicode does
        if any(name.casefold().endswith(SUFFIXES) for name in names):
            return True
        if any(os.path.islink(os.path.join(path, name)) for name in folders):
            return True
    return False
