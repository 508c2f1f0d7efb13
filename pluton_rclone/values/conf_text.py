"""The values that a line of rclone.conf can hold, so that rclone reads them unchanged, and the keys
that its sections inherit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pluton_rclone.errors import OptionInvalid

# The characters that Go's strings.TrimSpace removes; Python's str.strip() removes more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
SPACE += "".join(map(chr, range(0x2000, 0x200B)))
VARIABLE = re.compile(r"%\(([^)]{1,99})\)s")  # rclone's longest key has 31 characters
REMOTE_NAME = re.compile(r"[\w.+@]+(?:[ -][\w.+@ -]*[\w.+@-])?")
"""rclone's configNameRe, [\\w.+@]+(?:[ -]+[\\w.+@-]+)*, in a form that takes linear time: words of
letters, digits and _.+@, joined by spaces or hyphens, with no hyphen or space at the beginning, and
no single hyphen at the end."""
DEFAULT = "DEFAULT"
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_BREAKS = {"\n": "a line break", "\r": "a carriage return", "\x00": "a NUL character"}
_SPACES = {" ": "a space", "\t": "a tab", "\xa0": "a no-break space (U+00A0)"}


def parent_of(name: str) -> str:
    """The section in which rclone looks up a key that `name` lacks, if that section exists
    (goconfig conf.go): [a.b] for [a.b.c], the defaults for [.a]. Empty for a name without a dot."""
    parent, dot, _ = name.rpartition(".")
    return parent or DEFAULT if dot else ""


def handed_down(sections: Mapping[str, Mapping[str, str]], name: str) -> dict[str, str]:
    """The keys that a section can inherit, each with the nearest parent that has it."""
    found: dict[str, str] = {}
    parent = parent_of(name)
    while parent and parent in sections:
        for key in sections[parent]:
            found.setdefault(key, parent)
        parent = parent_of(parent)
    return found


def value_fault(value: str) -> str | None:
    """Why rclone.conf cannot hold this value; None if it can. Quotes, `#`, `;`, `%`, `=` and
    backslashes are allowed. A value with a backtick is read back correctly, but at its next save
    rclone makes the quotes around it a part of it (goconfig write.go)."""
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
    """Raise OptionInvalid for the first key or value that rclone.conf cannot hold, without the
    value, which may be secret."""
    for key, value in section.items():
        if not _KEY.fullmatch(key):
            what = f"{key!r} cannot be the name of an option"
            raise OptionInvalid(what, why="only a-z, 0-9 and _ are allowed", option=key)
        if fault := value_fault(value):
            what = f"rclone.conf cannot hold this value of {key}"
            raise OptionInvalid(what, why=fault, option=key)
