"""The ids of drives and items, in the three styles that Microsoft uses.

Personal: the drive has 16 hex digits, an item `{DRIVE}!{number}`. Business and document libraries:
the drive is `b!` and 64 characters of base64 (site, web and list), an item `01`, six characters of
the drive and 26 of its own. Samples: drive-by-id.json, drive-root.json, item-by-path.json.
"""

from __future__ import annotations

import base64
import hashlib
import uuid

_ALL = (1 << 128) - 1
_STEP = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd: every count gives a different number


def library_drive_id(seed: str) -> str:
    """The id of a business drive or a document library; the same for the same seed."""
    return "b!" + base64.urlsafe_b64encode(hashlib.sha512(seed.encode()).digest()[:48]).decode()


def normal_drive_id(drive_id: str) -> str:
    """The canonical form of a drive id: personal ones vary in case and in leading zeros."""
    return drive_id if drive_id.startswith("b!") else drive_id.lower().lstrip("0")


ROOT = 0xEA8CC6BEFFDB43D7976FBC7DA445C639  # the unique number of every root on SharePoint's backend
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class ItemIds:
    """Makes the ids of one drive's items."""

    def __init__(self, drive_id: str) -> None:
        seed = hashlib.blake2b(drive_id.encode(), digest_size=24).digest()
        self._personal = not drive_id.startswith("b!")
        self._prefix = (
            f"{drive_id.upper()}!"
            if self._personal
            else "01" + base64.b32encode(seed[16:20]).decode()[:6]
        )
        self._seed = int.from_bytes(seed[:16], "big")
        self._count = 0

    def next(self) -> tuple[int, str]:
        """A new 128-bit number and the id made from it."""
        count = self._count
        self._count = count + 1
        unique = (self._seed + count * _STEP) & _ALL
        if self._personal:
            return unique, f"{self._prefix}{101 + count}"
        return unique, self._prefix + base64.b32encode(unique.to_bytes(16, "big")).decode()[:26]

    def normal(self, item_id: str) -> str:
        """The canonical form of an item id: ids ignore case."""
        return item_id.upper()

    def on_current_backend(self, drive_id: str) -> CurrentIds:
        """The source of this drive's ids from now on, on SharePoint's backend."""
        ids = CurrentIds(drive_id)
        ids._count = self._count
        return ids


class CurrentIds(ItemIds):
    """Personal drives on SharePoint's backend: the drive without leading zeros, `!s` and a GUID in
    hex.

    Their web addresses show another id: `01`, six letters of the drive, 26 of base32, which are the
    GUID's bytes behind two empty bits. Source: captures of the facts, A01 to A03 (four pairs).
    """

    def __init__(self, drive_id: str) -> None:
        super().__init__(drive_id)
        seed = hashlib.blake2b(drive_id.encode(), digest_size=4).digest()
        self._start = "01" + base64.b32encode(seed).decode()[:6]
        self._drive = drive_id.lstrip("0").upper()

    def next(self) -> tuple[int, str]:
        unique, _ = super().next()
        return unique, self.of(unique)

    def of(self, unique: int) -> str:
        """The id of the item with that number."""
        return f"{self._drive}!s{unique:032x}"

    def in_address(self, unique: int) -> str:
        """The id in the item's web address."""
        number = int.from_bytes(uuid.UUID(int=unique).bytes_le, "big")
        return self._start + "".join(_LETTERS[number >> shift & 31] for shift in range(125, -1, -5))

    def normal(self, item_id: str) -> str:
        drive, mark, rest = item_id.partition("!")
        return drive.upper().lstrip("0") + mark + rest.lower()
