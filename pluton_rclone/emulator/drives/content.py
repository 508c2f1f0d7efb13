"""The content of a file: in memory, on disk, or zeros of any length that take no room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .quickxor import Buffer, QuickXor, of_zeros, quick_xor_hash

_SLICE = 1 << 20  # bytes handed out at a time


class Content(Protocol):
    """Immutable bytes."""

    @property
    def size(self) -> int:
        """The length in bytes."""

    @property
    def quick_xor(self) -> str:
        """QuickXorHash in base64."""

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        """The bytes from `start` up to, not including, `stop`, in slices."""


class InMemory:
    """Bytes in memory."""

    __slots__ = ("_data", "_hash", "size")

    def __init__(self, data: bytes | bytearray, quick_xor: str | None = None) -> None:
        self._data = data
        self._hash = quick_xor
        self.size = len(data)

    @property
    def quick_xor(self) -> str:
        if self._hash is None:
            self._hash = QuickXor(self._data).base64()
        return self._hash

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        if start == 0 and stop >= self.size <= _SLICE:
            yield bytes(self._data)
            return
        view = memoryview(self._data)
        for offset in range(start, min(stop, self.size), _SLICE):
            yield bytes(view[offset : min(offset + _SLICE, stop)])


class OnDisk:
    """Bytes in a file that the emulator made and no one else changes."""

    __slots__ = ("_hash", "_path", "size")

    def __init__(self, path: Path, quick_xor: str) -> None:
        self._path = path
        self._hash = quick_xor
        self.size = path.stat().st_size

    @property
    def quick_xor(self) -> str:
        return self._hash

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        with self._path.open("rb") as file:
            file.seek(start, os.SEEK_SET)
            left = min(stop, self.size) - start
            while left > 0:
                piece = file.read(min(left, _SLICE))
                if not piece:
                    return
                left -= len(piece)
                yield piece


class Zeros:
    """`size` zero bytes: large files for quotas and limits at no cost."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def quick_xor(self) -> str:
        return of_zeros(self.size)

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        for offset in range(start, min(stop, self.size), _SLICE):
            yield bytes(min(_SLICE, min(stop, self.size) - offset))


class Damaged:
    """Another content with its first byte inverted, under the hash of the intact one.

    This is what a download looks like after unnoticed corruption in storage or transport.
    """

    __slots__ = ("_sound", "size")

    def __init__(self, sound: Content) -> None:
        self._sound = sound
        self.size = sound.size

    @property
    def quick_xor(self) -> str:
        return self._sound.quick_xor

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        offset = start
        for piece in self._sound.read(start, stop):
            if offset == 0 and len(piece):
                changed = bytearray(piece)
                changed[0] ^= 0xFF
                yield bytes(changed)
            else:
                yield piece
            offset += len(piece)


class Rewritten:
    """Another content with a few bytes added, as SharePoint writes a library's columns into Office
    files."""

    __slots__ = ("_hash", "_sent", "size")

    _ADDED = (
        b"<!-- docProps/custom.xml: ContentTypeId 0x010100, written by the document library -->"
    )

    def __init__(self, sent: Content) -> None:
        self._sent = sent
        self.size = sent.size + len(self._ADDED)
        self._hash: str | None = None

    @property
    def quick_xor(self) -> str:
        if self._hash is None:
            self._hash = quick_xor_hash(self.read(0, self.size))
        return self._hash

    def read(self, start: int, stop: int) -> Iterator[Buffer]:
        size = self._sent.size
        if start < size:
            yield from self._sent.read(start, min(stop, size))
        if stop > size:
            yield self._ADDED[max(0, start - size) : stop - size]


EMPTY = InMemory(b"")
