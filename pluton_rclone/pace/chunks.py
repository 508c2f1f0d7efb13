"""Chooses a transfer's chunk size and files at once by file sizes and available memory."""

from __future__ import annotations

import heapq
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pluton_rclone.rclone.commands import Command
from pluton_rclone.values.size import MIB, Size

from . import memory, paced

BUFFER = Size.parse(paced.BUFFER)  # what rclone reads ahead for each file
USUAL = Size(10 * MIB)  # rclone's default chunk size, and the guide's
LARGEST = Size(50 * MIB)  # Microsoft documents a limit of less than 60 MiB for one request
_SMALLER = (USUAL, Size(5 * MIB), Size(5 * MIB // 2))  # multiples of 320 KiB, which Microsoft wants
_STEP = 10 * MIB
IN_FLIGHT = LARGEST
"""Bytes in the chunks of all large files together. More does not help: while one file waits for its
answer, the others use the line. Measured at 60 ms: one file of 1 GiB took 10 to 11 s with chunks of
10 MiB and 7 s with 50 MiB (`python -m tests.bench.onedrive --work upload`); four files of 256 MiB
took 7 s with 10 MiB and 9 s with 40 MiB."""
WORTH_IT = 256 * MIB
"""Bytes of the largest file from which chunks grow. For smaller files, saving a second or two does
not justify sending larger chunks again when a slow connection breaks."""
_FEWER = (16, 8, 4, 2, 1)
_UNKNOWN = 4  # rclone's default: if file sizes are unknown, most files are probably small
_BASE = 90 * MIB  # an idle rclone
_FACTOR = 3.0  # times the buffered bytes: measured 2 to 4, as Go's heap grows between collections
_ENTRIES = 20_000
_SECONDS = 0.25
_AT_ONCE, _CHUNK = "RCLONE_TRANSFERS", "RCLONE_ONEDRIVE_CHUNK_SIZE"
_FLAG = re.compile(r"--(transfers|onedrive-chunk-size)=(.*)", re.DOTALL)


class Fit(NamedTuple):
    """How rclone is started: the number of files at once, and the bytes of a chunk."""

    transfers: int
    chunk: Size


def fit(
    sizes: Sequence[int] | None,
    memory: int | None,
    *,
    transfers: int = _FEWER[0],
    fewer: bool = True,
    chunk: Size | None = None,
) -> Fit:
    """At most `transfers` files at once, fewer only if `fewer` is true; `chunk`, or our choice.

    `sizes` are the bytes of the largest files, None if unknown. `memory` is the available bytes, of
    which rclone gets at most half; None for enough. While a file waits for the answer to a chunk,
    it sends nothing: a single large file gets larger chunks, so it waits less often. Several files
    fill each other's gaps."""
    known = None if sizes is None else sorted(sizes, reverse=True)
    at_once = sum(size > USUAL for size in (known or ())[:transfers])
    grows = known is not None and max(known, default=0) >= WORTH_IT
    ours = max(USUAL, Size(IN_FLIGHT // at_once // _STEP * _STEP)) if grows else USUAL
    preferred = ours if chunk is None else chunk
    least = _UNKNOWN if known is None else 1
    counts = (transfers, *(n for n in _FEWER if least <= n < transfers)) if fewer else (transfers,)
    choices = [Fit(count, preferred) for count in counts]
    if chunk is None:
        choices.insert(1, Fit(transfers, USUAL))
        choices += [Fit(counts[-1], smaller) for smaller in _SMALLER]
    room = None if memory is None else memory // 2
    fitting = (one for one in choices if room is None or need(known, one) <= room)
    return next(fitting, choices[-1])


def variables(
    command: Command,
    destination: Mapping[str, str] | None,
    environment: Mapping[str, str],
    flags: Iterable[str] = (),
) -> dict[str, str]:
    """rclone's variables for a transfer, except those that a flag, a variable or an option sets.
    `destination` is the remote's section, None for a local folder; `environment` is the run's own
    variables, without the inherited ones."""
    given = {match[1]: match[2] for match in map(_FLAG.fullmatch, flags) if match}
    asked = given.get("transfers", os.environ.get(_AT_ONCE))
    count = _whole(asked or environment.get(_AT_ONCE, ""))
    chunk = given.get("onedrive-chunk-size") or environment.get(_CHUNK)
    if destination is None:
        chunk = "0"
    elif chunk is None:
        chunk = destination.get("chunk_size")
    if count is None or (chunk is not None and _size(chunk) is None):
        return {}  # rclone reports the invalid value
    sizes = largest_files(command.places[0], count)
    room, fewer = memory.available(), asked is None
    chosen = fit(sizes, room, transfers=count, fewer=fewer, chunk=_size(chunk))
    wanted = {} if chosen.transfers == count else {_AT_ONCE: str(chosen.transfers)}
    if chunk is None and chosen.chunk != USUAL:
        wanted[_CHUNK] = str(chosen.chunk)
    return wanted


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and text != "0" else None


def _size(text: str | None) -> Size | None:
    try:
        return None if text is None else Size.parse(text)
    except ValueError:
        return None


def need(sizes: Sequence[int] | None, chosen: Fit) -> int:
    """Approximate bytes that rclone takes. Measured with 1.75.2: 630 MiB for 16 files of 64 MiB,
    chunks of 10 MiB and BUFFER; 320 MiB for one of 1 GiB, chunks of 50 MiB, a buffer of 16 MiB."""
    many, chunk = chosen
    largest, times = ([max(chunk, BUFFER)], many) if sizes is None else (sizes[:many], 1)
    held = times * sum(min(size, chunk) + min(size, BUFFER) for size in largest)
    return _BASE + int(_FACTOR * held)


def largest_files(source: str, count: int) -> list[int] | None:
    """The sizes of the `count` largest files at or below a path; None if that takes long."""
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(found.st_mode):
        return [found.st_size]
    until, seen, waiting = time.monotonic() + _SECONDS, 0, [source]
    sizes: list[int] = []
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > _ENTRIES or time.monotonic() > until:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        sizes.append(entry.stat(follow_symlinks=False).st_size)
        except OSError:
            continue  # rclone reports what it cannot read
    return heapq.nlargest(count, sizes)
