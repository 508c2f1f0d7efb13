"""Scanning a local folder, depth first, with one folder and the paths still to visit in memory."""

from __future__ import annotations

import os
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

from pluton_rclone.errors import NothingFound
from pluton_rclone.values.encoding import standard_name
from pluton_rclone.values.printable import printable

from .finding import Finding, Summary, crowded
from .judge import Folder, Judge, Names, below, decoded, encoded
from .reading import Batch, read_folder
from .rules import RULES
from .same import Member, same_names


def scan_local(root: bytes, judge: Judge, summary: Summary) -> Iterator[Finding]:
    """The findings of a local folder or file, while `summary` counts along. NothingFound."""
    try:
        mode = os.stat(root).st_mode
    except OSError as error:
        shown = printable(decoded(root))
        raise NothingFound(f"There is nothing to scan at {shown}", why=error.strerror) from error
    top, found = judge.top()
    yield from found
    if not stat.S_ISDIR(mode):
        parent, name = os.path.split(root)
        yield from _FolderScan(parent or b".", top, judge, summary).findings(only=name)
        return
    waiting = [top]
    while waiting:
        scan = _FolderScan(root, waiting.pop(), judge, summary)
        yield from scan.findings()
        waiting += scan.children


class _FolderScan:
    """One folder while it is scanned; `children` are the folders in it, afterwards."""

    def __init__(self, root: bytes, folder: Folder, judge: Judge, summary: Summary) -> None:
        self._path = root + b"/" + folder.path if folder.path else root
        self._folder, self._judge, self._summary = folder, judge, summary
        self._folders: list[bytes] = []
        self._rare = False
        self.children: list[Folder] = []

    def findings(self, only: bytes | None = None) -> Iterator[Finding]:
        """Scan it; `only` the one entry of that name."""
        batches = read_folder(self._path, self._folder, only)
        batch = next(batches)
        following = next(batches, None)
        if following is None:
            entries = len(batch.files) + len(batch.folders)
            yield from self._take(batch, self._duplicates)
        else:
            hashes = array("q")
            for one in chain((batch, following), batches):
                yield from self._take(one, lambda names: self._remember(names, hashes))
            entries = len(hashes)
            yield from self._duplicates_among(hashes)
        if self._rare:
            for pair in self._judge.looking_alike(self._folders):
                for name, other in (pair, pair[::-1]):
                    told = f"beside '{printable(decoded(other))}'"
                    path = below(self._folder, name)
                    yield Finding(path, RULES["folder_looks_alike"], True, told)
        yield from crowded(self._folder.shown, entries)

    def _take(self, batch: Batch, compare: Callable[[Names], list[Finding]]) -> Iterator[Finding]:
        """Judge the names of a batch, each by itself and, by `compare`, against the others."""
        summary, folder = self._summary, self._folder
        size = sum(batch.sizes)
        summary.files += len(batch.files)
        summary.folders += len(batch.folders)
        summary.bytes += size + batch.bytes
        yield from batch.findings
        if not batch.files and not batch.folders:
            return
        names = self._judge.look(folder, batch.files, batch.folders)
        self._folders += batch.folders
        self._rare = self._rare or names.rare
        same = compare(names)
        yield from same
        refused: dict[int, set[str]] = {}
        if names.suspicious:
            translated = {one.path for one in same if one.rule.name == "same_when_translated"}
            for index, finding in self._judge.findings(folder, names):
                if finding.rule.name == "name_not_found_again" and finding.path in translated:
                    continue  # it is found: the other one of the two
                if finding.rule.refuses:
                    if index not in refused and index < names.files:
                        size -= batch.sizes[index]
                    refused.setdefault(index, set()).add(finding.rule.name)
                yield finding
        if folder.arrives:
            summary.bytes_to_send += size
        for index in range(names.files, len(names.raw)):
            raw, arriving, why = names.raw[index], names.translated[index], refused.get(index)
            self.children.append(self._judge.child(folder, raw, arriving, why or set()))

    def _duplicates(self, names: Names) -> list[Finding]:
        """Among the names of a folder that came in one batch."""
        if not names.alike:
            return []
        often = Counter(names.keys)
        return self._same([member for member, key in _members(names) if often[key] > 1])

    def _remember(self, names: Names, hashes: array[int]) -> list[Finding]:
        """For a folder of several batches: eight bytes for each name."""
        hashes.extend(map(hash, names.keys))
        return []

    def _duplicates_among(self, hashes: array[int]) -> list[Finding]:
        """Read such a folder again for the names whose hashes were there before."""
        twice = {one for one, other in pairwise(sorted(hashes)) if one == other}
        if not twice:
            return []
        again: list[Member] = []
        for batch in read_folder(self._path, self._folder):
            if batch.files or batch.folders:
                names = self._judge.look(self._folder, batch.files, batch.folders)
                again += [member for member, key in _members(names) if hash(key) in twice]
        return self._same(again)

    def _same(self, members: list[Member]) -> list[Finding]:
        return [
            Finding(below(self._folder, encoded(member.name)), RULES[rule], member.is_dir, detail)
            for member, rule, detail in same_names(members)
        ]


def _members(names: Names) -> Iterator[tuple[Member, str]]:
    """Each name with its coarse key."""
    for index, (raw, key) in enumerate(zip(names.raw, names.keys, strict=True)):
        name = decoded(raw)
        yield Member(name, standard_name(name), index >= names.files), key
