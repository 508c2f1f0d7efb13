"""QuickXorHash, the hash that OneDrive keeps for every file.

Every byte is XORed into a 160-bit circle, each 11 bits after the one before it; at the end the
length (64 bits, little endian) is XORed into the last eight bytes. Source: Microsoft, "QuickXorHash
algorithm" of the OneDrive docs. 11 and 160 have no common divisor, so the bytes i and i + 160 meet
at the same place: all blocks of 160 bytes can be XORed into one first, which Python's integers do
at memory speed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

_WIDTH = 160  # bits of the circle
_SHIFT = 11  # bits between two neighbouring bytes
_PERIOD = 160  # bytes after which the places repeat
_BLOCK = (
    _PERIOD * 512
)  # bytes per integer: large enough to be quick, small enough for the processor's cache
_MASK = (1 << _WIDTH) - 1

EMPTY = base64.b64encode(bytes(_WIDTH // 8)).decode()


class QuickXor:
    """A running hash: `update` as often as wanted, then `digest` or `base64`."""

    __slots__ = ("_length", "_sum")

    def __init__(self, data: Buffer = b"") -> None:
        self._sum = 0
        self._length = 0
        if data:
            self.update(data)

    def update(self, data: Buffer) -> None:
        """Add the next bytes."""
        view = memoryview(data).cast("B")
        head = -self._length % _PERIOD
        total = self._sum
        if head:
            total ^= int.from_bytes(view[:head], "little") << 8 * (_PERIOD - head)
        for start in range(head, len(view), _BLOCK):
            total ^= int.from_bytes(view[start : start + _BLOCK], "little")
        self._sum = total
        self._length += len(view)

    def copy(self) -> QuickXor:
        """Another running hash that has seen the same bytes."""
        other = QuickXor()
        other._sum, other._length = self._sum, self._length
        return other

    def digest(self) -> bytes:
        """The 20 bytes of the hash."""
        width = 8 * _BLOCK
        folded = self._sum
        while width > 8 * _PERIOD:
            # halves of the same length, a multiple of the period: _BLOCK is 512 periods
            width //= 2
            folded = (folded >> width) ^ (folded & ((1 << width) - 1))
        circle = 0
        for place, byte in enumerate(folded.to_bytes(_PERIOD, "little")):
            turned = byte << (place * _SHIFT) % _WIDTH
            circle ^= (turned & _MASK) ^ (turned >> _WIDTH)
        circle ^= self._length << (_WIDTH - 64)
        return circle.to_bytes(_WIDTH // 8, "little")

    def base64(self) -> str:
        """The form in `file.hashes.quickXorHash`."""
        return base64.b64encode(self.digest()).decode()


def quick_xor_hash(parts: Iterable[Buffer]) -> str:
    """The hash, in base64, of bytes that come in parts."""
    running = QuickXor()
    for part in parts:
        running.update(part)
    return running.base64()


def of_zeros(length: int) -> str:
    """The hash, in base64, of `length` zero bytes: only the length leaves a trace."""
    circle = length << (_WIDTH - 64)
    return base64.b64encode(circle.to_bytes(_WIDTH // 8, "little")).decode()
