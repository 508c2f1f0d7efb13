"""Where incoming bytes go: a buffer in memory or a file on disk, hashed on the way."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Protocol

from .content import Content, InMemory, OnDisk
from .quickxor import Buffer, QuickXor

_numbers = itertools.count(1)


class Sink(Protocol):
    """Takes bytes in order; can drop those after a mark."""

    @property
    def size(self) -> int:
        """The number of bytes so far."""

    def write(self, data: Buffer) -> None:
        """Append the next bytes."""

    def mark(self) -> None:
        """Keep all bytes so far."""

    def roll_back(self) -> None:
        """Drop the bytes after the last mark."""

    def finish(self) -> Content:
        """End the stream; return its content."""

    def discard(self) -> None:
        """Drop all bytes."""


class MemorySink:
    """Bytes collected in memory."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._hash = QuickXor()
        self._good: tuple[int, QuickXor] = (0, self._hash.copy())

    @property
    def size(self) -> int:
        return len(self._data)

    def write(self, data: Buffer) -> None:
        self._data += data
        self._hash.update(data)

    def mark(self) -> None:
        self._good = (len(self._data), self._hash.copy())

    def roll_back(self) -> None:
        size, self._hash = self._good[0], self._good[1].copy()
        del self._data[size:]

    def finish(self) -> Content:
        return InMemory(self._data, self._hash.base64())

    def discard(self) -> None:
        self._data = bytearray()


class DiskSink:
    """Bytes collected in a file of their own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - lives as long as the drive
            dir=folder, prefix=f"{next(_numbers):08d}-", delete=False
        )
        self._hash = QuickXor()
        self._good: tuple[int, QuickXor] = (0, self._hash.copy())

    @property
    def size(self) -> int:
        return self._file.tell()

    def write(self, data: Buffer) -> None:
        self._file.write(data)
        self._hash.update(data)

    def mark(self) -> None:
        self._good = (self._file.tell(), self._hash.copy())

    def roll_back(self) -> None:
        size, self._hash = self._good[0], self._good[1].copy()
        self._file.seek(size)
        self._file.truncate()

    def finish(self) -> Content:
        self._file.close()
        return OnDisk(Path(self._file.name), self._hash.base64())

    def discard(self) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


def sink(folder: Path | None) -> Sink:
    """A new sink: in `folder`, or in memory if it is None."""
    return MemorySink() if folder is None else DiskSink(folder)
