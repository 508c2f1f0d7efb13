"""Words for people: sizes, times, addresses and advice as a page shows them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

from markupsafe import Markup, escape

from pluton_rclone.values.units import human_bytes

_RCLONE_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([KMGTPE]i)(?!\w)")
_BYTES = re.compile(r"(?<![\w.])(\d{4,}) bytes\b")
_UNIT = re.compile(r"(?<=\d) (?=(?:B|[KMGTPE]iB|[KMGTPE]B|bytes|s|min|h|%)(?!\w))")


def size(count: float | None) -> str:
    """1536 -> "1.5 KiB", 5 * 2**30 -> "5 GiB", None -> "unknown"; on one line."""
    return together(human_bytes(count).replace(".0 ", " "))


def sizes(text: str) -> str:
    """Text with rclone's sizes written out: "at most 7.500Mi" -> "at most 7.5 MiB"."""

    def written(match: re.Match[str]) -> str:
        number, unit = match.groups()
        return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}B"

    text = _RCLONE_SIZE.sub(written, text)
    return _BYTES.sub(lambda match: human_bytes(int(match[1])).replace(".0 ", " "), text)


def rclone_size(typed: str) -> str:
    """A size as rclone writes it: "10 MiB" -> "10Mi"."""
    return re.sub(r"(?<=[KMGTPE]i)B$", "", "".join(typed.split()))


def together(text: str) -> str:
    """The same text, in which no line ends between a number and its unit."""
    return _UNIT.sub("\u00a0", text)


def words(value: str) -> Markup:
    """Text in which `backticks` mark what is typed; everything else is escaped."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(value))))


def place(address: str) -> Markup:
    """An address for people, breakable after each part: contoso.sharepoint.com/sites/Team A."""
    parts = urlsplit(address)
    shown = unquote(parts.netloc + parts.path.rstrip("/"))
    readable = shown if parts.netloc and shown.isprintable() else address
    return Markup("/<wbr>").join(readable.split("/"))


def moment(when: datetime | None) -> Markup:
    """2026-10-01 14:03 UTC; the page's script writes it in the time of the person's own place."""
    if when is None:
        return Markup("")
    there = when.astimezone(timezone.utc)
    return Markup('<time datetime="{}">{}</time>').format(
        there.isoformat(timespec="seconds"), f"{there:%Y-%m-%d %H:%M} UTC"
    )


def duration(seconds: float | None) -> str:
    """ "1 h 5 min", "3 min", "12 s", "less than a second"; empty when unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole >= 1 else "less than a second"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
