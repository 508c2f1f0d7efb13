"""Scans a local folder depth first, with one folder and the pending paths in memory."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

from pluton_rclone.errors import NothingFound
from pluton_rclone.process import system
from pluton_rclone.values.encoding import QUOTE, opens_again
from pluton_rclone.values.printable import printable

from .finding import Finding, Summary
from .judge import Folder, Judge
from .rules import RULES

_ALL_MAY_READ = 0o444
_OWNER_MAY_READ = 0o400
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
_EFFECTIVE = os.access in os.supports_effective_ids


def scan_local(
    root: bytes, judge: Judge, summary: Summary, *, links: bool, link_end: str = ""
) -> Iterator[Finding]:
    """The findings of a local folder or file; updates `summary`. Symbolic links are not followed,
    and not reported if an option handles `links`. With a `link_end`, each is sent as a file with
    that suffix. NothingFound."""
    try:
        mode = os.stat(root).st_mode
    except OSError as error:
        shown = printable(_decoded(root))
        raise NothingFound(f"There is nothing to scan at {shown}", why=error.strerror) from error
    top, found = judge.top()
    yield from found
    only = None
    if not stat.S_ISDIR(mode):
        root, only = os.path.split(root)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        scan = _FolderScan(root or b".", folder, judge, summary, links, link_end)
        yield from scan.findings(only)
        waiting += (judge.child(folder, name, refused) for name, refused in scan.folders.items())


class _FolderScan:
    """The scan of one folder."""

    def __init__(
        self,
        root: bytes,
        folder: Folder,
        judge: Judge,
        summary: Summary,
        links: bool,
        link_end: str,
    ) -> None:
        self._path = os.path.join(root, folder.path.encode("utf-8", "surrogateescape"))
        self._folder, self._judge, self._summary = folder, judge, summary
        self._links, self._link_end, self._user = links, link_end, system.user()
        self._files: list[str] = []
        self.folders: dict[str, set[str]] = {}  # with the rules that refuse them
        self._not_found_again: dict[str, int] = {}  # names with the bytes to send

    def findings(self, only: bytes | None) -> Iterator[Finding]:
        """Scan the folder, or its one entry `only`; entries that vanish meanwhile are ignored."""
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if only is None or entry.name == only:
                        yield from self._entry(entry)
        except FileNotFoundError:
            pass
        except OSError as error:
            yield Finding(self._folder.path or ".", RULES["unreadable"], True, error.strerror or "")
        names = self._files, list(self.folders)
        same = list(self._judge.together(self._folder, *names))
        yield from same
        # of names that are equal when translated, rclone finds the other one
        found = {one.path for one in same if one.rule.name == "same_when_translated"}
        for name, size in self._not_found_again.items():
            path = self._folder.below(name)
            if path not in found:
                is_dir = name in self.folders
                if is_dir:
                    self.folders[name].add("name_not_found_again")
                self._summary.bytes_to_send -= size
                yield Finding(path, RULES["name_not_found_again"], is_dir)

    def _entry(self, entry: os.DirEntry[bytes]) -> Iterable[Finding]:
        """The findings for an entry; not a generator, because most entries have none."""
        folder, name = self._folder, _decoded(entry.name)
        found: list[Finding] = []
        try:
            is_dir, size = entry.is_dir(follow_symlinks=False), 0
            if not is_dir:
                if not entry.is_file(follow_symlinks=False):
                    kind = "symlink" if entry.is_symlink() else "special_file"
                    if kind == "special_file" or not self._link_end:
                        settled = self._links and kind == "symlink"
                        return [] if settled else [Finding(folder.below(name), RULES[kind])]
                    name += self._link_end
                status = entry.stat(follow_symlinks=False)
                size = status.st_size
                needed = _ALL_MAY_READ if status.st_uid != self._user else _OWNER_MAY_READ
                if status.st_mode & needed != needed and not os.access(
                    entry.path, os.R_OK, effective_ids=_EFFECTIVE
                ):
                    found.append(Finding(folder.below(name), RULES["unreadable"]))
        except FileNotFoundError:
            return ()
        except OSError as error:
            detail = error.strerror or ""
            return [Finding(folder.below(name), RULES["unreadable"], detail=detail)]
        found += self._judge.alone(folder, name, is_dir, size)
        if (plain := name.isascii()) and not found and not is_dir:
            self._files.append(name)
            self._summary.add_file(size, folder.arrives)
            return ()
        if not plain and _NOT_UTF_8.search(name):
            detail = f"arrives as {self._judge.arriving(name)}"
            found.append(Finding(folder.below(name), RULES["name_not_utf8"], is_dir, detail))
        refused = {one.rule.name for one in found if one.rule.refuses}
        if is_dir:
            self._summary.folders += 1
            self.folders[name] = refused
        else:
            self._files.append(name)
            arrives = folder.arrives and not refused
            self._summary.add_file(size, arrives)
            size = size if arrives else 0
        if QUOTE in name and not opens_again(name):
            self._not_found_again[name] = size
        return found


def _decoded(raw: bytes) -> str:
    """A local name as Python represents it in any locale."""
    return raw.decode("utf-8", "surrogateescape")
