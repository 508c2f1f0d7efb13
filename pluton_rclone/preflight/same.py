"""Names of one folder that rclone or OneDrive take for one."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pluton_rclone.values.encoding import lower_case, rclone_key
from pluton_rclone.values.printable import printable

_SHOWN = 3  # other names told in one finding


class Member(NamedTuple):
    """A name in a folder: as the source has it, as rclone shows it, and whether it is a folder."""

    name: str
    standard: str
    is_dir: bool


def same_names(group: list[Member]) -> Iterator[tuple[Member, str, str]]:
    """For each of several names with one `coarse_key`: the member, the rule, the others' names."""
    dropped: dict[tuple[bool, str], list[Member]] = defaultdict(list)
    beside: dict[tuple[bool, str], list[Member]] = defaultdict(list)
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


def _one_of(same: list[Member]) -> Iterator[tuple[Member, str, str]]:
    """rclone sends one of these: why."""
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


def _listed(members: list[Member], member: Member) -> str:
    """The names of `members` other than `member`."""
    others = [other for other in islice(members, _SHOWN + 2) if other is not member]
    shown = others[:_SHOWN]
    kind = "folder " if not member.is_dir and all(other.is_dir for other in shown) else ""
    more = ", …" if len(others) > _SHOWN else ""
    return f"beside {kind}" + ", ".join(f"'{_told(other.name)}'" for other in shown) + more


def _told(name: str) -> str:
    """A name so that one sees how it differs: accents apart from their letters as code points."""
    apart = unicodedata.normalize("NFC", name) != name
    return printable(name.encode("ascii", "backslashreplace").decode() if apart else name)
