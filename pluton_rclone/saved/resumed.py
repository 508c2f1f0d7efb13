"""What was given of a listing or a content, so that a second run goes on from there."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from typing import Protocol, TypeVar

from pluton_rclone.errors import Corrupted
from pluton_rclone.rclone.listing import Entry

T = TypeVar("T")


class Given(Protocol[T]):
    """What a stream has given so far."""

    def add(self, one: T) -> None: ...

    def rest(self, again: Iterator[T]) -> Iterator[T]:
        """What was not given, of the same stream from its beginning."""


class Entries:
    """Of a listing, eight bytes for each entry: rclone lists folders in no fixed order."""

    def __init__(self) -> None:
        self._given = array("q")

    def add(self, one: Entry) -> None:
        self._given.append(hash(one.path))

    def rest(self, again: Iterator[Entry]) -> Iterator[Entry]:
        given = set(self._given)
        return (one for one in again if hash(one.path) not in given)


class Blocks:
    """Of a content, its digest: it may have changed in between."""

    def __init__(self) -> None:
        self._size, self._digest = 0, hashlib.sha256()

    def add(self, one: bytes) -> None:
        self._size += len(one)
        self._digest.update(one)

    def rest(self, again: Iterator[bytes]) -> Iterator[bytes]:
        """Corrupted if it does not begin with what was given."""
        left, seen = self._size, hashlib.sha256()
        for block in again:
            known, new = block[:left], block[left:]
            left -= len(known)
            seen.update(known)
            if new:
                self._compare(left, seen.digest())
                yield new
        self._compare(left, seen.digest())

    def _compare(self, left: int, seen: bytes) -> None:
        if left or seen != self._digest.digest():
            raise Corrupted(
                "The content changed while it was read.",
                why="the access token was refused in the middle, and a second run read other bytes",
                advice="Read it again, from its beginning.",
                retry=True,
            )
