"""Sizes as rclone writes and reads them (10Mi, 320Ki, off), and patterns for rates and times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_UNITS = "KMGTPE"
NUMBER = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([bB]|[kKmMgGtTpPeE](?:i[bB]?|I)?)?"
"""A number and its unit, without the exponents that rclone also accepts, but nobody writes."""
PATTERN = f"^([oO][fF][fF]|{NUMBER})$"
_RATE = rf"(?!\d?\d:\d\d(?:\s|$))(?:off|{NUMBER})(?::(?:off|{NUMBER}))?"  # upload:download, no hour
_MOMENT = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*-)?\d{1,2}:\d\d"  # rclone fs/bwtimetable.go
RATES = rf"{_RATE}|{_MOMENT},{_RATE}(?:\s+{_MOMENT},{_RATE})*"
"""Bytes per second, optionally by time of day; case does not matter."""
AGE = (
    r"(?-i:\d+(?:\.\d+)?[dwMy]|(?:\d+(?:\.\d+)?(?:ms|[smh]))+)"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d|T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?"
)
"""A duration or a date: rclone fs/parseduration.go, where M is a month and m a minute."""


class Size(int):
    """A number of bytes; -1 is rclone's "off". Text is read as rclone reads it (fs/sizesuffix.go):
    units are powers of 1024, and *a number without a unit is in KiB*. To pydantic, an int is a
    number of bytes. `str()` is the text that rclone prints (below 1 KiB with a unit, which rclone
    omits), with only three decimals; `is_exact` says whether it is lossless."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Parse rclone's text. Raises ValueError with the fault."""
        if text.lower() == "off":
            return cls(-1)
        match = re.fullmatch(NUMBER, text)
        if match is None:
            raise ValueError(f"{text!r} is not a size: write a number with Ki, Mi or Gi, like 10Mi")
        letter = (match[2] or "K")[0].upper()
        factor = 1 if letter == "B" else 1024 ** (_UNITS.index(letter) + 1)
        value = float(match[1]) * factor
        if value >= 2**63:
            raise ValueError(f"{text!r} is too large")
        return cls(value)

    def __str__(self) -> str:
        if self < 0:
            return "off"
        power = min(max(int(self).bit_length() - 1, 0) // 10, len(_UNITS))
        scaled = int(self) / 1024**power
        unit = f"{_UNITS[power - 1]}i" if power else "" if self == 0 else "B"
        number = f"{scaled:.0f}" if scaled == int(scaled) else f"{scaled:.3f}"
        return f"{number}{unit}"

    def __repr__(self) -> str:
        return f"Size({int(self)})"

    @property
    def is_exact(self) -> bool:
        """Whether rclone reads its own text for this size as the same number of bytes. Not below 1
        KiB, where rclone prints no unit, but reads KiB."""
        return self <= 0 or (self >= KIB and Size.parse(str(self)) == int(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._validated, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: object, _handler: object) -> dict[str, str]:
        return {"type": "string", "pattern": PATTERN}

    @classmethod
    def _validated(cls, value: object) -> Size:
        if isinstance(value, str):
            return cls.parse(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value)
        raise ValueError("a size is text like 10Mi, or a whole number of bytes")


KIB = 1024
MIB = 1024 * 1024
