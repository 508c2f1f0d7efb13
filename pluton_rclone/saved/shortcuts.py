"""The target of a shortcut is in another drive: rclone would delete or move it there, and leave the
shortcut. Only a place below a shortcut that the user names explicitly may be changed."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from itertools import takewhile
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import PlutonRcloneError, TransferFailed, UsageError
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.brake import Brake
from pluton_rclone.rclone.commands import Command, ListOptions
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.locations import is_local
from pluton_rclone.values.drive_ids import normal_drive_id

from .office import is_folder_here
from .wrapping import spelled_out, spots

if TYPE_CHECKING:
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.rclone.transfer import Transfer

MOST_RULES = 100
"""With more folders, the whole destination is listed: rclone tries each rule on each name."""

ELSEWHERE = "It is in another drive: a shortcut leads there."


class Shortcuts:
    """Finds shortcuts with the listings of an rclone that has the remotes of this configuration.
    `transfer` starts its dry runs."""

    def __init__(self, rclone: Rclone, conf: Conf, transfer: Callable[[Command], Transfer]) -> None:
        self._rclone, self._conf, self._transfer = rclone, conf, transfer

    def looking(self, command: Command) -> Command:
        """The command, with a brake if it is a sync into OneDrive: the brake makes it look first,
        which calls `require_none`."""
        if command.words != ("sync",) or not spots(self._conf, command.places[-1]):
            return command
        return command._replace(brake=command.brake or Brake("100%", True))

    def is_folder(self, place: str) -> bool | None:
        """As `office.is_folder_here`, but also for remotes. None if rclone fails, too."""
        if is_local(place):
            return is_folder_here(place)
        with suppress(PlutonRcloneError):  # the transfer reports why
            found = self._rclone.stat(place)
            return None if found is None else found.is_dir
        return None

    def moves_by_file(self, command: Command) -> bool:
        """Whether a move of a folder within OneDrive goes file by file, because the destination
        exists or is in another drive. A dry run would report it as a move of the whole folder."""
        if command.dry or command.words[0] not in ("move", "moveto") or command.selecting:
            return False
        source, end = command.places
        inside = spots(self._conf, source) and spots(self._conf, end)
        if not (inside and self.is_folder(source)):
            return False
        if self.is_folder(end) is not None:
            return True
        remote, _, above = end.partition(":")
        while (above := posixpath.dirname(above)).strip("/"):
            if self.is_folder(f"{remote}:{above}") is not None:
                break
        return self._is_elsewhere(f"{remote}:{above}")

    def require_own(self, command: Command) -> list[str]:
        """Notices for a deletion; none for any other command. UsageError for a shortcut, whose
        target rclone would delete; files in it, selected by filters, may be deleted. TransferFailed
        if filters select files of another shortcut's target."""
        word, *places = (*command.words, *command.places) or ("",)
        place = next((one for one in places if not one.startswith("-")), "")
        if word not in commands.DELETING or not spots(self._conf, place):
            return []
        if self._is_elsewhere(place):
            if command.selecting or self._is_below_elsewhere(place):
                return [ELSEWHERE]
            why = "its target would be deleted for everyone, and the shortcut would stay"
            raise _is_shortcut(place, why, "Remove")
        if command.words == ("delete",):
            with closing(self._selected(command)) as selected:
                for entry in filter(_elsewhere(self._conf, place), selected):
                    raise _of_somebody_else(entry, "delete")
        return []

    def _selected(self, command: Command) -> Generator[Entry, None, None]:
        """The files that a deletion selects. A listing does not know all flags of a deletion, and
        fails at an unreadable folder, where rclone goes on deleting: then a dry run is used."""
        flags = ("--recursive", "--files-only", "--no-mimetype")
        listing = command._replace(words=("lsjson",), flags=(*flags, *command.flags))
        try:
            with closing(self._rclone.entries(listing)) as selected:
                yield from selected
        except PlutonRcloneError:
            dry = command._replace(flags=(*command.flags, "--dry-run"))
            planned = self._transfer(dry).wait().planned
            if paths := [one.path for one in planned]:  # look up each by name
                options: ListOptions = {"files_from": paths, "files_only": True}
                told = commands.lsjson(command.places[0], options, depth="all")
                with closing(self._rclone.entries(told)) as selected:
                    yield from selected

    def _is_elsewhere(self, place: str) -> bool:
        """Whether a place in a OneDrive is a shortcut or below one."""
        return any(map(self._is_listed_elsewhere, spelled_out(self._conf, place)))

    def _is_below_elsewhere(self, place: str) -> bool:
        """Whether a place in a OneDrive is below a shortcut."""
        places = (one.partition(":") for one in spelled_out(self._conf, place))
        return any(
            self._is_elsewhere(f"{one}:{posixpath.dirname(path)}") for one, _, path in places
        )

    def _is_listed_elsewhere(self, place: str) -> bool:
        """Whether rclone lists a place with the drive of a shortcut's target, or does not list it
        under its own name."""
        remote, _, path = place.partition(":")
        above, name = posixpath.split(path)
        found = self._rclone.stat(place) if name else None
        if found is None:
            return False
        entries = [found]
        if found.is_dir:  # rclone gives no id for the folder that it starts in
            listed = self._rclone.list(f"{remote}:{above}", dirs_only=True)
            entries = [one for one in listed if one.name.lower() == name.lower()]
        return not entries or any(map(_elsewhere(self._conf, place), entries))

    def require_none(
        self,
        command: Command,
        notice: Callable[[str], None],
        paths: set[str],
        stopped: Callable[[], bool],
    ) -> None:
        """TransferFailed if one of the paths that a sync would delete, or a move take away, is in
        another drive; if the command's place itself is below a shortcut, that is allowed.
        UsageError for a shortcut that is itself to be moved."""
        if command.words[0] not in ("sync", "move", "moveto"):
            return
        moves, (source, end) = command.words != ("sync",), command.places
        place = source if moves else end
        if not spots(self._conf, place):
            return
        whole, is_theirs = "" in paths, _elsewhere(self._conf, place)
        if whole and not self._is_elsewhere(place):
            return  # its shortcuts move with the folder
        with closing(self._concerned(command, place, paths)) as there:
            for entry in takewhile(lambda _: not stopped(), there):
                if is_theirs(entry) and (whole or entry.path in paths):
                    break
            else:
                return
        if not self._is_elsewhere(place):
            raise _of_somebody_else(entry, "take away" if moves else "delete")
        if whole and not self._is_below_elsewhere(place):
            why = "its target would be moved away for everyone, and the shortcut would stay"
            raise _is_shortcut(place, why, "Move")
        notice(ELSEWHERE)

    def _concerned(
        self, command: Command, place: str, paths: set[str]
    ) -> Generator[Entry, None, None]:
        """The entries listed to find these paths."""
        if place == command.places[0]:
            flags = ("--recursive", "--no-mimetype", *command.selecting)
            listing = command._replace(words=("lsjson",), flags=flags, places=(place,))
            return self._rclone.entries(listing)
        tops = {commands.filter_name(path.partition("/")[0]) for path in paths}
        rules = [f"+ /{top}{rest}" for top in sorted(tops) for rest in ("", "/**")]
        options: ListOptions = {"filters": [*rules, "- *"]} if len(tops) <= MOST_RULES else {}
        return self._rclone.entries(commands.lsjson(place, options, depth="all"))


def _elsewhere(conf: Conf, place: str) -> Callable[[Entry], bool]:
    """A predicate for the entries of a place: whether an entry is in another drive, as a shortcut
    or below one. False for all entries outside OneDrive."""
    ours = {drive.casefold() for drive, *_ in spots(conf, place)}

    def told(entry: Entry) -> bool:
        drive, known, _ = (entry.id or "").partition("#")
        return bool(ours and known) and normal_drive_id(drive).casefold() not in ours

    return told


def _is_shortcut(place: str, why: str, advised: str) -> UsageError:
    return UsageError(
        f"{place!r} is a shortcut to another drive.",
        why=why,
        advice=f"{advised} the shortcut in OneDrive on the web. Or, to delete its target, connect "
        "the other drive, and delete it there.",
    )


def _of_somebody_else(entry: Entry, doing: str) -> TransferFailed:
    return TransferFailed(
        f"Nothing was done: it would {doing} {entry.path!r}, which is in another drive.",
        why="a shortcut leads there",
        advice="Leave the shortcut out with a filter rule, or remove it in OneDrive on the web.",
        retry=False,
    )
