"""Scans the listing of another remote: entries in any order, with little memory for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from .finding import Finding, Summary
from .judge import Folder, Judge


class Listed(Protocol):
    """One entry of a listing, named as in rclone's lsjson, such as `pluton_rclone.rclone.Entry`."""

    @property
    def path(self) -> str:
        """Relative to the listed folder, with "/" between names, in rclone's encoding."""

    @property
    def size(self) -> int:
        """Bytes; negative if unknown."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""


@dataclass(slots=True)
class _Known:
    """A folder that was listed, or contains a listed entry, and the names in it, each followed by
    "/": a million names take little more memory than their letters."""

    folder: Folder
    listed: bool = False
    files: bytearray = field(default_factory=bytearray)
    folders: bytearray = field(default_factory=bytearray)


def scan_entries(entries: Iterable[Listed], judge: Judge, summary: Summary) -> Iterator[Finding]:
    """The findings of a listing; updates `summary`. Findings about several names come last."""
    top, found = judge.top()
    folders = {"": _Known(top)}
    yield from found

    def make_known(path: str) -> Iterator[Finding]:
        """Add the folder at `path`, also when listed a second time, and its missing parents."""
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
