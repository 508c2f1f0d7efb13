"""Office files in document libraries: what SharePoint rewrites is compared by time only, all else
as ever.

SharePoint writes a library's columns into Office files that arrive there ("Document Property
Promotion and Demotion", Microsoft Learn, aa543341), so that size and hash are no longer those of
what was sent; rclone takes that for corruption, deletes the file and gives up. Its documentation of
OneDrive advises --ignore-size and --ignore-checksum. For these types alone a transfer into a
library has a second run with both flags; the first leaves them out. What is changed again within
the second of its last transfer waits for its next change: OneDrive keeps whole seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from pluton_rclone.rclone.commands import TRANSFERS, Command

SUFFIXES = (
    ".docx",
    ".docm",
    ".dotx",
    ".dotm",
    ".xlsx",
    ".xlsm",
    ".xlsb",
    ".xltx",
    ".xltm",
    ".pptx",
    ".pptm",
    ".potx",
    ".potm",
    ".ppsx",
    ".ppsm",
)
"""The types that SharePoint's Office parser writes into (the parsers of SharePoint Server 2013, as
wbaer.net lists them in "Document Property Promotion and Demotion Overview and Considerations",
2014-08-29)."""

SAID = (
    "SharePoint rewrites Office files (.docx, .xlsx, .pptx and the like) in document libraries: "
    "they were compared by "
    "time, without size and checksum; every other file with both."
)
_IGNORED = ("--ignore-size", "--ignore-checksum")
# Without a size and a hash to trust, these would find every file changed (-c), or none, ever
# (--size-only).
_BY_CONTENT = {"--checksum", "-c", "--size-only"}
# What selects files itself, and what deletes at the destination whatever a rule leaves out: the
# other run's files.
_SELECTING = ("--include", "--exclude", "--filter", "--files-from", "-f", "--delete-excluded")
_EXCLUDING = (b"- ", b"#", b";")
# Case does not matter: a regular expression, as a glob knows it only for all rules at once
# (--ignore-case).
_ANY = "*.{{(?i:" + "|".join(suffix[1:] for suffix in SUFFIXES) + ")}}"


class Runs(NamedTuple):
    """How a transfer into a library is run: `first`, and then, if there are Office files, `office`.

    `first` holds an Office file itself where that is all there is (`ignoring`).
    """

    first: Command
    office: Command | None = None
    ignoring: bool = False


def runs(command: Command) -> Runs:
    """The runs of a transfer into a library: of a local folder two, of all else one.

    Rules of the caller that only exclude go with both; rules that include cannot be combined with
    ours (in rclone the first match wins), and a list of files is the caller's own choice: there the
    flags are the caller's, too.
    """
    flags = command.flags
    if command.words[0] not in TRANSFERS or any(flag.startswith(_IGNORED) for flag in flags):
        return Runs(command)
    if os.path.isfile(command.places[0]):
        if not command.places[0].lower().endswith(SUFFIXES):
            return Runs(command)
        return Runs(command._replace(flags=_by_time(flags)), ignoring=True)
    given = b""
    if flags[-1:] == ("--filter-from=-",):
        assert isinstance(command.stdin, bytes)
        given, flags = command.stdin, flags[:-1]
    if (
        not os.path.isdir(command.places[0])
        or any(flag.startswith(_SELECTING) for flag in flags)
        or not all(
            line.lstrip().startswith(_EXCLUDING) for line in given.splitlines() if line.strip()
        )
    ):
        return Runs(command)
    flags = (*flags, "--filter-from=-")
    return Runs(
        command._replace(flags=flags, stdin=f"- {_ANY}\n".encode() + given),
        command._replace(flags=_by_time(flags), stdin=given + f"+ {_ANY}\n- *\n".encode()),
    )


def _by_time(flags: tuple[str, ...]) -> tuple[str, ...]:
    return (*(flag for flag in flags if flag not in _BY_CONTENT), *_IGNORED)


def has_office_files(folder: str, is_enough: Callable[[], bool]) -> bool:
    """Whether there may be any at or below it; looking ends early once it `is_enough`.

    A link to a folder may lead to some: rclone can be told to follow it.
    """
    for path, folders, names in os.walk(folder):
        if is_enough():
            return False
        if any(name.lower().endswith(SUFFIXES) for name in names):
            return True
        if any(os.path.islink(os.path.join(path, name)) for name in folders):
            return True
    return False
