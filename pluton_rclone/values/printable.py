"""Makes external texts safe to print, so that they cannot control a terminal or reverse a line."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with escapes for unprintable characters: control characters (also ESC and C1),
    direction marks, line breaks; bytes that are not UTF-8 become \\xHH. Tabs stay."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character == "\t":
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]
