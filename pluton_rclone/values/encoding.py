"""rclone's encoding of names between a local folder and OneDrive.

rclone replaces characters that a storage does not allow by look-alikes, and puts a quotation mark
(QUOTE) before a look-alike that the name already contains. A name has three forms: that of the
local file system, rclone's own ("standard", which its logs and listings show), and that of the
storage, set by the option `encoding`. Source: rclone's "Overview: Restricted filenames, Encoding"
and lib/encoder/encoder.go; the tests compare with the real rclone. Bytes of a local name that are
not UTF-8 are represented as in Python (`surrogateescape`).
"""

from __future__ import annotations

import functools
import os
import re
import unicodedata

from pluton_rclone.errors import OptionInvalid

QUOTE = "‛"  # U+201B, which rclone puts before a literal look-alike
ONEDRIVE_ENCODING = (
    "Slash,LtGt,DoubleQuote,Colon,Question,Asterisk,Pipe,BackSlash,Del,Ctl,"
    "LeftSpace,LeftTilde,RightSpace,RightPeriod,InvalidUtf8,Dot"
)

_FULL_WIDTH = 0xFEE0  # from printable ASCII to its full-width form
_SYMBOLS = 0x2400  # from a control character to its picture
_INVALID = {code: f"{QUOTE}{code - 0xDC00:02X}" for code in range(0xDC80, 0xDD00)}
_INVALID_BYTE = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DOTS = {".": "．", "..": "．．", "．": f"{QUOTE}．", "．．": f"{QUOTE}．{QUOTE}．"}

_ANYWHERE = {
    "Slash": "/",
    "LtGt": "<>",
    "DoubleQuote": '"',
    "SingleQuote": "'",
    "BackQuote": "`",
    "Dollar": "$",
    "Colon": ":",
    "Question": "?",
    "Asterisk": "*",
    "Pipe": "|",
    "Hash": "#",
    "Percent": "%",
    "BackSlash": "\\",
    "CrLf": "\r\n",
    "Del": "\x7f",
    "Ctl": "".join(map(chr, range(1, 32))),
    "SquareBracket": "[]",
    "Semicolon": ";",
    "Exclamation": "!",
}
_FIRST = {"LeftSpace": " ", "LeftPeriod": ".", "LeftTilde": "~", "LeftCrLfHtVt": "\r\n\t\v"}
_LAST = {"RightSpace": " ", "RightPeriod": ".", "RightCrLfHtVt": "\r\n\t\v"}
_OTHERS = {"None", "Raw", "Dot", "InvalidUtf8"}
WORDS = frozenset({*_ANYWHERE, *_FIRST, *_LAST, *_OTHERS})


def as_rclone_writes(option: str) -> str:
    """The words of an encoding in rclone's exact spelling; unknown words stay."""
    known = {word.lower(): word for word in WORDS}
    return ",".join(known.get(word.lower(), word) for word in map(str.strip, option.split(",")))


def _look_alike(character: str) -> str:
    code = ord(character)
    if code <= 0x20:
        return chr(_SYMBOLS + code)
    return "␡" if code == 0x7F else chr(_FULL_WIDTH + code)


class Encoding:
    """One of rclone's encodings, given as in a remote's option `encoding`: words separated by
    commas. Raises `OptionInvalid` for a word unknown to rclone."""

    def __init__(self, option: str) -> None:
        words = {word.strip() for word in option.split(",")}
        if unknown := sorted(words - WORDS):
            advice = f"Use rclone's words: {', '.join(sorted(WORDS))}"
            raise OptionInvalid(f"encoding has the unknown word {unknown[0]!r}", advice=advice)
        self._raw = words == {"Raw"}
        self._whole = _DOTS if "Dot" in words else {}
        anywhere = "\0" + "".join(_ANYWHERE[word] for word in _ANYWHERE if word in words)
        self.anywhere = {character: _look_alike(character) for character in anywhere}
        self.first = {c: _look_alike(c) for word in _FIRST if word in words for c in _FIRST[word]}
        self.last = {c: _look_alike(c) for word in _LAST if word in words for c in _LAST[word]}
        self._table: dict[int, str] = {ord(QUOTE): QUOTE + QUOTE}
        for character, look_alike in self.anywhere.items():
            self._table[ord(character)] = look_alike
            self._table[ord(look_alike)] = QUOTE + look_alike
        if "InvalidUtf8" in words:
            self._table.update(_INVALID)
        self._edges = [
            {**edge, **{look_alike: QUOTE + look_alike for look_alike in edge.values()}}
            for edge in (self.first, self.last)
        ]
        # for decoding
        self._dots, self._originals, self._heads, self._tails = (
            {look_alike: original for original, look_alike in table.items()}
            for table in (self._whole, self.anywhere, self.first, self.last)
        )
        back = "".join(self._originals)
        byte = "[0-9a-fA-F]{2}" if "InvalidUtf8" in words else "(?!)"
        self._middle = re.compile(f"{QUOTE}(?:([{QUOTE}{back}])|({byte}))|([{back}])")

    def encode(self, name: str) -> str:
        """The name with look-alikes in place of the characters that this encoding excludes."""
        if self._raw or not name:
            return name
        if name in self._whole:
            return self._whole[name]
        first, last = self._edges
        head = first.get(name[0], "")
        name = name[1:] if head else name
        tail = last.get(name[-1:], "")
        name = name[:-1] if tail else name
        return head + name.translate(self._table) + tail

    def decode(self, name: str) -> str:
        """The inverse of `encode`: first the look-alikes at both ends, then the others."""
        if self._raw or not name:
            return name
        if name in self._dots:
            return self._dots[name]
        head = self._heads.get(name[0], "")
        if head:
            name = name[1:]
        elif name[0] == QUOTE and name[1:2] in self._heads:
            head, name = name[1], name[2:]
        tail = ""
        if name and name[-1] in self._tails:
            quoted = name[-2:-1] == QUOTE
            tail = name[-1] if quoted else self._tails[name[-1]]
            name = name[: -2 if quoted else -1]
        return head + self._middle.sub(self._original, name) + tail

    def _original(self, found: re.Match[str]) -> str:
        kept, byte, look_alike = found.groups()
        if byte:
            code = int(byte, 16)
            return chr(code) if code < 0x80 else chr(0xDC00 + code)
        return str(kept or self._originals[look_alike])


LOCAL = Encoding("Slash,Dot")  # rclone's local backend on Linux
STANDARD = Encoding("Slash,Ctl,Del,Dot")  # for names that rclone prints and reads


def standard_name(local_name: str | bytes) -> str:
    """A local name as rclone shows it: in listings, filters and files-from."""
    return STANDARD.encode(LOCAL.decode(os.fsdecode(local_name)))


def local_name(standard: str) -> str:
    """The name of the local file that rclone opens for this standard name."""
    return LOCAL.encode(STANDARD.decode(standard))


def opens_again(local_name: str) -> bool:
    """Whether rclone can open a local file that it has listed: it doubles a lone QUOTE, and then
    reports "no such file or directory" (tried with 1.75.2)."""
    return LOCAL.encode(LOCAL.decode(local_name)) == local_name


def rclone_key(standard: str) -> str:
    """The key by which rclone compares names in a folder if the target ignores case: with composed
    accents, in lower case by letter, and with U+FFFD for every byte that is not UTF-8. Of names
    with the same key, rclone takes only the first, with the notice "Duplicate object found in
    source - ignoring" and exit code 0 (tried with 1.75.2)."""
    if standard.isascii():
        return standard.lower()
    return lower_case(unicodedata.normalize("NFC", standard))


def lower_case(text: str) -> str:
    """Go's lower case: letter by letter, and with U+FFFD for bytes that are not UTF-8."""
    # Python's turns the dotted capital I into two characters, and has a final sigma
    return _INVALID_BYTE.sub("\ufffd", text.replace("İ", "i").replace("Σ", "σ").lower())


def coarse_key(standard: str) -> str:
    """A coarser key, equal for all names that any program may consider the same."""
    if standard.isascii():
        return standard.lower()
    text = _INVALID_BYTE.sub("\ufffd", unicodedata.normalize("NFC", standard)).casefold()
    # both forms of the dotted I
    return unicodedata.normalize("NFC", text).replace("i\u0307", "i")


class ToOneDrive:
    """Converts between standard names and names as OneDrive stores them."""

    def __init__(self, option: str = ONEDRIVE_ENCODING) -> None:
        self.encoding = Encoding(option)
        self.is_default = option == ONEDRIVE_ENCODING

    def from_standard(self, standard: str) -> str:
        """The name that OneDrive stores for a standard name."""
        return self.encoding.encode(STANDARD.decode(standard))

    def path(self, standard_path: str) -> str:
        """A path with `from_standard` applied to each of its names."""
        return "/".join(map(self.from_standard, standard_path.split("/")))

    def shown(self, stored: str) -> str:
        """A stored name as rclone's JSON listings show it, with U+FFFD for bytes beyond UTF-8."""
        plain = stored.isascii() and stored.isprintable() and "/" not in stored
        if plain and stored not in {".", ".."}:
            return stored
        text = STANDARD.encode(self.encoding.decode(stored))
        if _SURROGATE.search(text):  # bytes written as QUOTE and two digits may be UTF-8 again
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
            text = _SURROGATE.sub("\ufffd", text)
        return text


# The converter for a remote's option `encoding`, created once.
to_onedrive = functools.lru_cache(maxsize=8)(ToOneDrive)
