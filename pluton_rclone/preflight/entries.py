"""Scanning what another remote lists: entries in any order, with little kept of each."""

from __future__ import annotations

import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pluton_rclone.values.encoding import coarse_key, rclone_key
from pluton_rclone.values.printable import printable

from .finding import Finding, Summary, crowded
from .judge import Folder, Judge, encoded
from .reading import gigabytes
from .rules import FORBIDDEN_ANYWHERE, FORBIDDEN_NAMES, MAX_FILE_SIZE, RULES


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


_BUCKETS = 1 << 16
_BITS = 21  # of each hash that says why two names are one: a wrong reason in a million of them
_MASK = (1 << _BITS) - 1


@dataclass(slots=True)
class _Known:
    """A folder that was listed, or that something listed lies in."""

    folder: Folder
    salt: int
    longest: int  # characters of an ASCII name in it that need no closer look
    entries: int = 0
    listed: bool = False


class EntryScan:
    """One pass over a listing; iterate for the findings, `summary` counts along. Of names that are
    the same, the later ones are reported. An entry takes about 30 bytes of memory, a folder some
    hundred."""

    def __init__(self, entries: Iterable[Listed], judge: Judge, summary: Summary) -> None:
        self._entries, self._judge, self._summary = entries, judge, summary
        # the names so far, in little more than 16 bytes each: their coarse and fine hashes
        self._seen: dict[int, tuple[array[int], array[int]]] = defaultdict(
            lambda: (array("q"), array("Q"))
        )
        self._known: dict[str, _Known] = {}
        self._translated: dict[str, str] = {}  # folders whose name changes, and what they become

    def __iter__(self) -> Iterator[Finding]:
        top, found = self._judge.top()
        self._known[""] = _Known(top, hash(""), self._judge.plain_length(top))
        yield from found
        summary = self._summary
        for entry in self._entries:
            path = entry.path
            parent_path, _, name = path.rpartition("/")
            parent = self._known.get(parent_path) or (yield from self._folder(parent_path))
            if entry.is_dir:
                known = self._known.get(path)
                if known is None or known.listed:
                    known = yield from self._folder(path)
                known.listed = True
                continue
            size = max(entry.size, 0)
            summary.files += 1
            summary.bytes += size
            told = self._name(parent, name, is_dir=False)
            if size > MAX_FILE_SIZE:
                told.append(("file_too_large", gigabytes(size)))
            if parent.folder.arrives and not any(RULES[rule].refuses for rule, _ in told):
                summary.bytes_to_send += size
            for rule, detail in told:
                yield Finding(path, RULES[rule], detail=detail)
        yield from self._looking_alike()
        for path, known in self._known.items():
            yield from crowded(path or ".", known.entries)

    def _folder(self, path: str) -> Generator[Finding, None, _Known]:
        """Make the folder at `path` known, and those above it; again if it is listed twice."""
        parent_path, _, name = path.rpartition("/")
        parent = self._known.get(parent_path) or (yield from self._folder(parent_path))
        told = self._name(parent, name, is_dir=True)
        for rule, detail in told:
            yield Finding(path, RULES[rule], True, detail)
        refused = {rule for rule, _ in told if RULES[rule].refuses}
        arriving = self._judge.arriving(name)
        if arriving != name:
            self._translated[path] = f"{parent_path}/{arriving}" if parent_path else arriving
        folder = self._judge.child(parent.folder, encoded(name), arriving, refused)
        self._summary.folders += 1
        known = _Known(folder, hash(path), self._judge.plain_length(folder))
        return self._known.setdefault(path, known)

    def _name(self, parent: _Known, name: str, *, is_dir: bool) -> list[tuple[str, str]]:
        """What is wrong with one name, by itself and beside those before it: rules and details."""
        parent.entries += 1
        if name.isascii():
            lower = name.lower()
            exact = hash(name) & _MASK
            coarse, by_rclone, composed = hash(lower), hash(lower) & _MASK, exact
            forbidden = lower in FORBIDDEN_NAMES or FORBIDDEN_ANYWHERE in lower
            closer = forbidden or len(name) > parent.longest
        else:
            coarse, by_rclone = hash(coarse_key(name)), hash(rclone_key(name)) & _MASK
            composed, exact = hash(unicodedata.normalize("NFC", name)) & _MASK, hash(name) & _MASK
            closer = True
        told: list[tuple[str, str]] = []
        if closer:
            arriving = self._judge.arriving(name)
            told += self._judge.name_findings(parent.folder, arriving, is_dir)
        fine = ((by_rclone << _BITS | composed) << _BITS | exact) << 1 | is_dir
        coarse ^= parent.salt
        all_coarse, all_fine = self._seen[coarse % _BUCKETS]
        if coarse in all_coarse:
            before = [all_fine[n] for n, other in enumerate(all_coarse) if other == coarse]
            told.append((_reason(fine, before), "beside one that was listed before it"))
        all_coarse.append(coarse)
        all_fine.append(fine)
        return told

    def _looking_alike(self) -> Iterator[Finding]:
        for path, becomes in self._translated.items():
            if becomes in self._known:
                for one, other in ((path, becomes), (becomes, path)):
                    told = f"beside '{printable(other.rpartition('/')[2])}'"
                    yield Finding(one, RULES["folder_looks_alike"], True, told)


def _reason(fine: int, before: list[int]) -> str:
    """Why names with the same coarse key are one; the hashes as `_name` puts them together."""
    mine = _parts(fine)
    others = [_parts(other) for other in before]
    same = [one for one in others if (one.by_rclone, one.is_dir) == (mine.by_rclone, mine.is_dir)]
    if mine in same:
        return "same_name_twice"
    if same:
        accents = any(other.composed == mine.composed for other in same)
        return "same_but_accents" if accents else "same_but_case"
    clashing = any(
        other.by_rclone == mine.by_rclone
        and (other.composed != mine.composed or other.exact == mine.exact)
        for other in others
    )
    return "file_and_folder_same" if clashing else "same_perhaps"


class _Parts(NamedTuple):
    by_rclone: int
    composed: int
    exact: int
    is_dir: int


def _parts(fine: int) -> _Parts:
    return _Parts(fine >> 2 * _BITS + 1, fine >> _BITS + 1 & _MASK, fine >> 1 & _MASK, fine & 1)
