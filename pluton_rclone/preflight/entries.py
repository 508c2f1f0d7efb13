"""Scanning what another remote lists: entries in any order, with little kept of each."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from .finding import Finding, Summary
from .judge import Folder, Judge
from .rules import RULES


class Listed(Protocol):
    """One entry of a listing, as rclone's lsjson names it: `pluton_rclone.rclone.Entry` is one."""

    @property
    def path(self) -> str:
        """Relative to the listed folder, "/" between names, in rclone's own alphabet."""

    @property
    def size(self) -> int:
        """Bytes; negative when unknown."""

    @property
    def is_dir(self) -> bool:
        """A folder."""


@dataclass(slots=True)
class _Known:
    """A folder that was listed, or that something listed lies in, and the names in it: a million
    are little more than their letters, "/" after each."""

    folder: Folder
    listed: bool = False
    files: bytearray = field(default_factory=bytearray)
    folders: bytearray = field(default_factory=bytearray)


class EntryScan:
    """One pass over a listing; iterate for the findings, `summary` counts along. What is wrong with
    names of a folder together is told at the end."""

    def __init__(self, entries: Iterable[Listed], judge: Judge, summary: Summary) -> None:
        self._entries, self._judge, self._summary = entries, judge, summary
        self._known: dict[str, _Known] = {}

    def __iter__(self) -> Iterator[Finding]:
        top, found = self._judge.top()
        self._known[""] = _Known(top)
        yield from found
        for entry in self._entries:
            path = entry.path
            if entry.is_dir:
                known = self._known.get(path)
                if known is None or known.listed:
                    known = yield from self._new_folder(path)
                known.listed = True
                continue
            parent, name = yield from self._place(path)
            size = max(entry.size, 0)
            told = self._judge.alone(parent.folder, name, False, size)
            parent.files += _kept(name)
            refused = any(RULES[rule].refuses for rule, _ in told)
            self._summary.add_file(size, parent.folder.arrives and not refused)
            for rule, detail in told:
                yield Finding(path, RULES[rule], detail=detail)
        for known in self._known.values():
            names = _names(known.files), _names(known.folders)
            yield from self._judge.together(known.folder, *names)

    def _place(self, path: str) -> Generator[Finding, None, tuple[_Known, str]]:
        """The folder that it lies in, and its name there."""
        above, _, name = path.rpartition("/")
        return self._known.get(above) or (yield from self._new_folder(above)), name

    def _new_folder(self, path: str) -> Generator[Finding, None, _Known]:
        """Make the folder at `path` known, and those above it; again if it is listed twice."""
        parent, name = yield from self._place(path)
        told = self._judge.alone(parent.folder, name, True, 0)
        for rule, detail in told:
            yield Finding(path, RULES[rule], True, detail)
        refused = {rule for rule, _ in told if RULES[rule].refuses}
        parent.folders += _kept(name)
        self._summary.folders += 1
        known = _Known(self._judge.child(parent.folder, name, refused))
        return self._known.setdefault(path, known)


def _kept(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass") + b"/"


def _names(kept: bytearray) -> list[str]:
    return kept.decode("utf-8", "surrogatepass").split("/")[:-1]
