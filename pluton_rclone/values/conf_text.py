"""What a line of rclone.conf can carry: a value that rclone would read differently is refused; and
what its sections take from each other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pluton_rclone.errors import OptionInvalid

# What Go's strings.TrimSpace removes; Python's str.strip() would take more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
SPACE += "".join(map(chr, range(0x2000, 0x200B)))
VARIABLE = re.compile(r"%\(([^)]{1,99})\)s")  # rclone's longest key has 31 letters
REMOTE_NAME = re.compile(r"[\w.+@]+(?:[ -][\w.+@ -]*[\w.+@-])?")
"""rclone's configNameRe, [\\w.+@]+(?:[ -]+[\\w.+@-]+)*, in a form that takes linear time: words of
letters, digits and _.+@, joined by spaces or dashes; no dash or space first, and not one dash alone
last."""
DEFAULT = "DEFAULT"
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_BREAKS = {"\n": "a line break", "\r": "a carriage return", "\x00": "a NUL character"}
_SPACES = {" ": "a space", "\t": "a tab", "\xa0": "a no-break space (U+00A0)"}


def parent_of(name: str) -> str:
    """The section, if it is there, that rclone looks a key up in which `name` does not have
    (goconfig conf.go): [a.b] of [a.b.c], the defaults of [.a]. Empty for a name without a dot."""
    parent, dot, _ = name.rpartition(".")
    return parent or DEFAULT if dot else ""


def handed_down(sections: Mapping[str, Mapping[str, str]], name: str) -> dict[str, str]:
    """The keys that the parents of a section have for it, each with the nearest that has it."""
    found: dict[str, str] = {}
    parent = parent_of(name)
    while parent and parent in sections:
        for key in sections[parent]:
            found.setdefault(key, parent)
        parent = parent_of(parent)
    return found


def value_fault(value: str) -> str | None:
    """Why rclone.conf cannot carry this value; None if it can. It can carry quotes, `#`, `;`, `%`,
    `=` and backslashes. A value with a backtick is read back, but at its next save rclone takes the
    quotes around it for a part of it (goconfig write.go)."""
    for character, name in _BREAKS.items():
        if character in value:
            return f"it contains {name}"
    for where, character in (("begins", value[:1]), ("ends", value[-1:])):
        if character and character in SPACE:
            space = _SPACES.get(character, f"white space (U+{ord(character):04X})")
            return f"it {where} with {space}"
    if "`" in value:
        return "it contains a backtick (`)"
    if value.startswith('"""'):
        return 'it begins with """'
    if match := VARIABLE.search(value):
        return f"it contains {match.group()}, which rclone replaces by another key's value"
    if re.search("[\ud800-\udfff]", value):
        return "it contains a character that is not Unicode text (a lone surrogate)"
    return None


def check_values(section: Mapping[str, str]) -> None:
    """OptionInvalid for the first key or value that rclone.conf cannot carry; without the value,
    which may be secret."""
    for key, value in section.items():
        if not _KEY.fullmatch(key):
            what = f"{key!r} cannot be the name of an option"
            raise OptionInvalid(what, why="only a-z, 0-9 and _ are possible", option=key)
        if fault := value_fault(value):
            what = f"rclone.conf cannot carry this value of {key}"
            raise OptionInvalid(what, why=fault, option=key)
