"""Scanning what another remote lists: entries in any order, with little kept of each."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple, Protocol

from .finding import Finding, Summary
from .judge import Folder, Judge, encoded
from .names import coarse_key, rclone_key
from .reading import gigabytes
from .rules import MANY_ENTRIES, MAX_FILE_SIZE, RULES, TOO_MANY_ENTRIES


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


class _Place(NamedTuple):
    """What is remembered of a name in its folder, as hashes: for what it is taken, and why."""

    coarse: int
    rclone: int  # with the kind
    composed: int
    exact: int


class _Seen:
    """The names so far, in 32 bytes each and little more, whatever the order they come in."""

    _BUCKETS = 1 << 16

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = {}

    def before(self, place: _Place) -> list[_Place]:
        """The places with the same coarse hash that came before; this one is remembered."""
        bucket = self._buckets.setdefault(place.coarse % self._BUCKETS, array("q"))
        found = []
        if place.coarse in bucket:
            for start in range(0, len(bucket), 4):
                if bucket[start] == place.coarse:
                    found.append(_Place(*bucket[start : start + 4]))
        bucket.extend(place)
        return found


class _Known:
    """A folder that was listed, or that something listed lies in."""

    __slots__ = ("entries", "folder", "listed")

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.entries = 0
        self.listed = False


class EntryScan:
    """One pass over a listing; iterate for the findings, `summary` counts along.

    Of names that are one, those that came later are told. Memory grows by about 50 bytes with each entry and
    about 500 with each folder.
    """

    def __init__(self, entries: Iterable[Listed], judge: Judge, summary: Summary) -> None:
        self._entries = entries
        self._judge = judge
        self._summary = summary
        self._seen = _Seen()
        self._known: dict[str, _Known] = {}

    def __iter__(self) -> Iterator[Finding]:
        top, found = self._judge.top()
        self._known[""] = _Known(top)
        yield from found
        summary = self._summary
        for entry in self._entries:
            path = entry.path
            parent_path, _, name = path.rpartition("/")
            parent = self._known.get(parent_path)
            if parent is None:
                parent = yield from self._folder(parent_path)
            if entry.is_dir:
                known = self._known.get(path)
                if known is None or known.listed:
                    known = yield from self._folder(path)
                known.listed = True
                continue
            size = max(entry.size, 0)
            summary.files += 1
            summary.bytes += size
            findings = self._name(parent, parent_path, name, is_dir=False)
            if size > MAX_FILE_SIZE:
                findings.append(Finding(path, RULES["file_too_large"], detail=gigabytes(size)))
            if parent.folder.arrives and not any(finding.rule.refuses for finding in findings):
                summary.bytes_to_send += size
            yield from findings
        yield from self._full_folders()

    def _folder(self, path: str) -> Generator[Finding, None, _Known]:
        """Make the folder at `path` known, and those that it lies in; again when a source lists it twice."""
        parent_path, _, name = path.rpartition("/")
        parent = self._known.get(parent_path)
        if parent is None:
            parent = yield from self._folder(parent_path)
        findings = self._name(parent, parent_path, name, is_dir=True)
        yield from findings
        arriving = self._judge.arriving(name)
        refused = {finding.rule.name for finding in findings if finding.rule.refuses}
        known = _Known(self._judge.child(parent.folder, encoded(name), arriving, refused))
        self._summary.folders += 1
        return self._known.setdefault(path, known)

    def _name(self, parent: _Known, parent_path: str, name: str, *, is_dir: bool) -> list[Finding]:
        """What is wrong with one name, by itself and beside those before it."""
        parent.entries += 1
        found = list(self._judge.standard_name_findings(parent.folder, name, is_dir=is_dir))
        key = rclone_key(name)
        place = _Place(
            hash((parent_path, coarse_key(name))),
            hash((parent_path, is_dir, key)),
            hash((parent_path, name if name.isascii() else unicodedata.normalize("NFC", name))),
            hash((parent_path, name)),
        )
        before = self._seen.before(place)
        if before:
            opposite = hash((parent_path, not is_dir, key))
            found.append((_reason(place, before, opposite), "beside one that was listed before it"))
        path = f"{parent_path}/{name}" if parent_path else name
        return [Finding(path, RULES[rule], is_dir, detail) for rule, detail in found]

    def _full_folders(self) -> Iterator[Finding]:
        for path, known in self._known.items():
            if known.entries >= MANY_ENTRIES:
                rule = "folder_too_full" if known.entries >= TOO_MANY_ENTRIES else "folder_large"
                yield Finding(path or ".", RULES[rule], True, f"{known.entries:,} entries")


def _reason(place: _Place, before: list[_Place], opposite: int) -> str:
    same = [other for other in before if other.rclone == place.rclone]
    if any(other.exact == place.exact for other in same):
        return "same_name_twice"
    if any(other.composed == place.composed for other in same):
        return "same_but_accents"
    if same:
        return "same_but_case"
    clashing = any(
        other.rclone == opposite and (other.composed != place.composed or other.exact == place.exact)
        for other in before
    )
    return "file_and_folder_same" if clashing else "same_perhaps"
