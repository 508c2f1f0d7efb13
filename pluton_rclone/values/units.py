"""Sizes, times, counts and types of drives in words, and the known word nearest to a typo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

WORTH_TELLING = 10.0
"""Seconds: a shorter wait for Microsoft is over before anyone has read about it."""


def system_says(error: Exception) -> str:
    """Why a file cannot be read or started, without the number and path that Python adds."""
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8"
    return getattr(error, "strerror", None) or str(error)


def human_bytes(count: float | None) -> str:
    """1536 -> '1.5 KiB'; None -> 'unknown'."""
    if count is None:
        return "unknown"
    if abs(count) < 1023.5:  # because of rounding
        return f"{count:.0f} B"
    count, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if abs(count) >= 1023.95:
            count, unit = count / 1024, larger
    return f"{count:.1f} {unit}"


def human_seconds(seconds: float) -> str:
    """200 -> '3 min 20 s'; never more than two units."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours = minutes // 60
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def waiting(until: datetime) -> str:
    """'Microsoft asks to wait until 2026-11-30 19:03:12', by this machine's clock."""
    return f"Microsoft asks to wait until {until.astimezone():%Y-%m-%d %H:%M:%S}"


def counted(count: int, thing: str, several: str | None = None) -> str:
    """(1, 'file') -> '1 file'; (2, 'file') -> '2 files'; (0, 'entry', 'entries') -> '0 entries'."""
    return f"{count} {thing if count == 1 else several or thing + 's'}"


def human_drive_type(kind: str) -> str:
    """Graph's 'documentLibrary' -> 'document library'; the others are words already."""
    return "document library" if kind == "documentLibrary" else kind


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar known word, ignoring case; None if none is similar."""
    import difflib  # late: only after a mistake

    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None
