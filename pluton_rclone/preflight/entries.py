"""Scanning what another remote lists: entries in any order, with little kept of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from .finding import Finding, Summary
from .judge import Folder, Judge


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


def scan_entries(entries: Iterable[Listed], judge: Judge, summary: Summary) -> Iterator[Finding]:
    """The findings of a listing, while `summary` counts along. What is wrong with names of a folder
    together is told at the end."""
    top, found = judge.top()
    folders = {"": _Known(top)}
    yield from found

    def make_known(path: str) -> Iterator[Finding]:
        """The folder at `path`, again if it is listed twice, and those above it."""
        unknown = [path]
        while (above := unknown[-1].rpartition("/")[0]) not in folders:
            unknown.append(above)
        for folder in reversed(unknown):
            above, _, name = folder.rpartition("/")
            parent = folders[above]
            found = judge.alone(parent.folder, name, True, 0)
            yield from found
            refused = {one.rule.name for one in found if one.rule.refuses}
            parent.folders += _kept(name)
            summary.folders += 1
            folders.setdefault(folder, _Known(judge.child(parent.folder, name, refused)))

    for entry in entries:
        path = entry.path
        if entry.is_dir:
            if path not in folders or folders[path].listed:
                yield from make_known(path)
            folders[path].listed = True
            continue
        above, _, name = path.rpartition("/")
        if above not in folders:
            yield from make_known(above)
        parent, size = folders[above], max(entry.size, 0)
        found = judge.alone(parent.folder, name, False, size)
        parent.files += _kept(name)
        refused = any(one.rule.refuses for one in found)
        summary.add_file(size, parent.folder.arrives and not refused)
        yield from found
    for known in folders.values():
        yield from judge.together(known.folder, _names(known.files), _names(known.folders))


def _kept(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass") + b"/"


def _names(kept: bytearray) -> list[str]:
    return kept.decode("utf-8", "surrogatepass").split("/")[:-1]
