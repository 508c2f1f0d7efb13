"""Checks names on their way to one target: each by itself, then all names of a folder together."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from pluton_rclone.values.encoding import (
    coarse_key,
    lower_case,
    rclone_key,
    standard_name,
    to_onedrive,
)
from pluton_rclone.values.printable import printable

from . import rules
from .finding import Finding
from .rules import RULES

_SHOWN = 3  # other names in one finding
_MOST = 3
"""The most UTF-16 units that one character of a name becomes: a byte that is not UTF-8."""


@dataclass(frozen=True)
class Folder:
    """A folder of the source during the scan. `room` is the characters before a name in it."""

    path: str  # relative to the source; "" for the source itself
    room: int
    room_utf16: int
    at_root: bool = False
    arrives: bool = True  # neither it nor a parent is refused
    too_long: bool = False  # already reported, for it or a parent: not again for its content

    def below(self, name: str) -> str:
        """The path, relative to the source, of an entry in this folder."""
        return f"{self.path}/{name}" if self.path else name


class Judge:
    """Applies the rules to names on their way to one target, described as for `preflight`. With
    `local`, names are as in the file system, otherwise as rclone shows them."""

    def __init__(
        self, drive_type: str, prefix: str, base: str, encoding: str, *, local: bool
    ) -> None:
        self._drive_type, self._prefix, self._base = drive_type, prefix, base
        self._to_onedrive = to_onedrive(encoding)
        self._standard = standard_name if local else str

    def top(self) -> tuple[Folder, list[Finding]]:
        """The source's top folder at the target, and the findings about the target's path."""
        found = []
        translated = self._to_onedrive.path(self._base.strip("/"))
        parts = translated.split("/") if translated else []
        for depth, part in enumerate(parts):
            rule = self._name_rule(part, folder=True, at_root=depth == 0)
            if rule is not None:
                found.append(Finding(".", RULES[rule], True, f"the destination folder {part!r}"))
        whole = "/".join(filter(None, (self._prefix.strip("/"), translated)))
        if too_long := len(whole) > rules.MAX_PATH:
            detail = f"the destination has {len(whole)} characters"
            found.append(Finding(".", RULES["path_too_long"], True, detail))
        before = f"{whole}/" if whole else ""
        room, room_utf16 = len(before), rules.utf16_length(before)
        return Folder("", room, room_utf16, not parts, not found, too_long), found

    def child(self, folder: Folder, name: str, refused: set[str]) -> Folder:
        """A subfolder of `folder`; `refused` names the rules that apply to it."""
        arriving = name if name.isascii() else self.arriving(name)  # an ASCII name keeps its length
        room = folder.room + len(arriving) + 1
        room_utf16 = folder.room_utf16 + rules.utf16_length(arriving) + 1
        arrives = folder.arrives and not refused
        too_long = folder.too_long or "path_too_long" in refused
        return Folder(folder.below(name), room, room_utf16, False, arrives, too_long)

    def alone(self, folder: Folder, name: str, is_dir: bool, size: int) -> list[Finding]:
        """The findings about an entry by itself."""
        told = [("file_too_large", f"{size / 1e9:,.1f} GB")] if size > rules.MAX_FILE_SIZE else []
        lower = name.lower()
        most = len(name) if name.isascii() else _MOST * len(name)
        if not (
            most <= rules.MAX_NAME
            and folder.room_utf16 + most <= rules.MAX_PATH
            and lower not in rules.FORBIDDEN_NAMES
            and rules.FORBIDDEN_ANYWHERE not in lower
            and not folder.at_root
            and self._to_onedrive.is_default
        ):  # true for few entries
            told = [*self._alone(folder, self.arriving(name), is_dir), *told]
        return [Finding(folder.below(name), RULES[rule], is_dir, detail) for rule, detail in told]

    def _alone(self, folder: Folder, arriving: str, is_dir: bool) -> Iterator[tuple[str, str]]:
        rule = self._name_rule(arriving, folder=is_dir, at_root=folder.at_root)
        if rule is not None:
            yield rule, f"{len(arriving)} characters" if rule == "name_too_long" else ""
        length, as_windows_counts = folder.room + len(arriving), rules.utf16_length(arriving)
        if length > rules.MAX_PATH:
            if not folder.too_long:
                yield "path_too_long", f"{length} characters"
        elif as_windows_counts > rules.MAX_NAME >= len(arriving):
            yield "length_doubtful", f"the name: {as_windows_counts}, as Windows counts"
        elif (whole := folder.room_utf16 + as_windows_counts) > rules.MAX_PATH:
            yield "length_doubtful", f"the path: {whole}, as Windows counts"

    def together(self, folder: Folder, files: list[str], folders: list[str]) -> Iterator[Finding]:
        """The findings about all names of a folder together."""
        names = files + folders
        keys = [self._key(name) for name in names]
        if len(set(keys)) != len(keys):
            often = Counter(keys)
            groups: dict[str, list[_Member]] = defaultdict(list)
            for index, (name, key) in enumerate(zip(names, keys, strict=True)):
                if often[key] > 1:
                    groups[key].append(_Member(name, self._standard(name), index >= len(files)))
            for member, rule, detail in chain.from_iterable(map(_same_names, groups.values())):
                yield Finding(folder.below(member.name), RULES[rule], member.is_dir, detail)
        if not all(map(str.isascii, folders)):
            yield from self._looking_alike(folder, folders)
        if len(names) >= rules.MANY_ENTRIES:
            rule = "folder_too_full" if len(names) >= rules.TOO_MANY_ENTRIES else "folder_large"
            yield Finding(folder.path or ".", RULES[rule], True, f"{len(names):,} entries")

    def _looking_alike(self, folder: Folder, folders: list[str]) -> Iterator[Finding]:
        """Folders of which one arrives under the name that rclone shows for the other."""
        shown = {self._standard(name): name for name in folders}
        for standard, name in shown.items():
            other = shown.get(self._to_onedrive.from_standard(standard), name)
            for one, beside in ((name, other), (other, name)) if other != name else ():
                told = f"beside '{printable(beside)}'"
                yield Finding(folder.below(one), RULES["folder_looks_alike"], True, told)

    def _key(self, name: str) -> str:
        return name.lower() if name.isascii() else coarse_key(self._standard(name))

    def arriving(self, name: str) -> str:
        """The name as it arrives at OneDrive."""
        return self._to_onedrive.from_standard(self._standard(name))

    def _name_rule(self, arriving: str, *, folder: bool, at_root: bool) -> str | None:
        rule = rules.refused_name(arriving, drive_type=self._drive_type, at_root=at_root)
        if rule is None and not self._to_onedrive.is_default:
            unfit = rules.not_translated(arriving, drive_type=self._drive_type, folder=folder)
            rule = "name_not_translated" if unfit else None
        return rule


class _Member(NamedTuple):
    """A name in a folder: as in the source, as rclone shows it, and whether it is a folder."""

    name: str
    standard: str
    is_dir: bool


def _same_names(group: list[_Member]) -> Iterator[tuple[_Member, str, str]]:
    """For each of several names with one `coarse_key`: the member, the rule, the other names."""
    dropped: dict[tuple[bool, str], list[_Member]] = defaultdict(list)
    beside: dict[tuple[bool, str], list[_Member]] = defaultdict(list)
    for member in group:
        dropped[member.is_dir, rclone_key(member.standard)].append(member)
        beside[member.is_dir, member.standard.lower()].append(member)
    for same in dropped.values():
        if len(same) > 1:
            yield from _one_of(same)
            continue
        (member,) = same
        clashing = beside.get((not member.is_dir, member.standard.lower()))
        if clashing:
            yield member, "file_and_folder_same", _listed(clashing, member)
        else:
            yield member, "same_perhaps", _listed(group, member)


def _one_of(same: list[_Member]) -> Iterator[tuple[_Member, str, str]]:
    """Why rclone sends only one of these."""
    names = Counter(member.name for member in same)
    standards = Counter(member.standard for member in same)
    composed = Counter(unicodedata.normalize("NFC", member.standard) for member in same)
    any_not_utf8 = any(lower_case(name).count("\ufffd") > name.count("\ufffd") for name in names)
    for member in same:
        if names[member.name] > 1:
            rule = "same_name_twice"
        elif standards[member.standard] > 1:
            rule = "same_when_translated"
        elif composed[unicodedata.normalize("NFC", member.standard)] > 1:
            rule = "same_but_accents"
        else:
            rule = "same_when_translated" if any_not_utf8 else "same_but_case"
        yield member, rule, _listed(same, member)


def _listed(members: list[_Member], member: _Member) -> str:
    """The names of `members` other than `member`."""
    others = [other for other in islice(members, _SHOWN + 2) if other is not member]
    shown = others[:_SHOWN]
    kind = "folder " if not member.is_dir and all(other.is_dir for other in shown) else ""
    more = ", …" if len(others) > _SHOWN else ""
    return f"beside {kind}" + ", ".join(f"'{_told(other.name)}'" for other in shown) + more


def _told(name: str) -> str:
    """A name in which differences are visible: decomposed accents are shown as code points."""
    apart = unicodedata.normalize("NFC", name) != name
    return printable(name.encode("ascii", "backslashreplace").decode() if apart else name)
