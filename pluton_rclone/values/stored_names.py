"""From the names that OneDrive stores to the names that rclone shows: the way back of
`values.encoding`.

rclone turns the look-alikes that it stored in the place of forbidden characters back, first those
that only stand at the beginning or the end, and writes what it then has in its own alphabet
("standard"). Source: rclone's lib/encoder/encoder.go, `Decode` and `ToStandardName`; checked
against the real rclone by this module's tests.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from .encoding import QUOTE, STANDARD, Encoding

_SURROGATE = re.compile("[\ud800-\udfff]")


class StoredNames:
    """The translation for a remote's option `encoding`. OptionInvalid for a word that rclone does
    not know."""

    def __init__(self, encoding: str) -> None:
        self._encoding = Encoding(encoding)
        words = {word.strip() for word in encoding.split(",")}
        self._raw = words == {"Raw"}
        self._dots = (
            {"．": ".", "．．": "..", QUOTE + "．": "．", (QUOTE + "．") * 2: "．．"}
            if "Dot" in words
            else {}
        )
        self._first = {look_alike: c for c, look_alike in self._encoding.first.items()}
        self._last = {look_alike: c for c, look_alike in self._encoding.last.items()}
        self._originals = {look_alike: c for c, look_alike in self._encoding.anywhere.items()}
        back = "".join(self._originals)
        byte = "[0-9a-fA-F]{2}" if "InvalidUtf8" in words else "(?!)"
        self._middle = re.compile(f"{QUOTE}(?:([{QUOTE}{back}])|({byte}))|([{back}])")

    def shown(self, stored: str) -> str:
        """A stored name as rclone's listings show it; bytes that are no UTF-8 as U+FFFD, as in its
        JSON."""
        if (
            stored.isascii()
            and stored.isprintable()
            and stored not in {".", ".."}
            and "/" not in stored
        ):
            return stored
        text = STANDARD.encode(self._decoded(stored))
        if _SURROGATE.search(
            text
        ):  # bytes that were written as QUOTE and two digits may be UTF-8 again
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
            text = _SURROGATE.sub("\ufffd", text)
        return text

    def _decoded(self, name: str) -> str:
        if self._raw or not name:
            return name
        whole = self._dots.get(name)
        if whole is not None:
            return whole
        head = self._first.get(name[0], "")
        if head:
            name = name[1:]
        elif name[0] == QUOTE and name[1:2] in self._first:
            head, name = name[1], name[2:]
        tail = ""
        if name and name[-1] in self._last:
            quoted = name[-2:-1] == QUOTE
            tail = name[-1] if quoted else self._last[name[-1]]
            name = name[: -2 if quoted else -1]
        return head + self._middle.sub(self._original, name) + tail

    def _original(self, found: re.Match[str]) -> str:
        kept, byte, look_alike = found.groups()
        if kept:
            return kept
        if look_alike:
            return self._originals[look_alike]
        code = int(byte, 16)
        return chr(code) if code < 0x80 else chr(0xDC00 + code)


@functools.lru_cache(maxsize=8)
def shown(encoding: str) -> Callable[[str], str]:
    """`StoredNames(encoding).shown`, made once."""
    return StoredNames(encoding).shown
