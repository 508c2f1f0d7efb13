"""The types of a step's options: one for each option, so that every fault is reported."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, GetPydanticSchema, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from pluton_rclone.rclone import commands, flags
from pluton_rclone.values.size import AGE, NUMBER, RATES


def fault(what: str) -> PydanticCustomError:
    """A validation error of a plan."""
    return PydanticCustomError("plan", what)


def _told(pattern: str, numbers: tuple[type, ...], what: str) -> BeforeValidator:
    def check(value: object) -> object:
        told = isinstance(value, str) and re.fullmatch(pattern, value, re.IGNORECASE | re.ASCII)
        if told or (type(value) in numbers and value >= 0):  # type: ignore[operator]
            return value
        raise fault(f"it takes {what}")

    return BeforeValidator(check)


_BYTES = 'bytes, or a text such as "10Mi"'
_SIZE = Annotated[int | str, _told(f"off|{NUMBER}", (int,), _BYTES)]
_RATE = Annotated[int | str, _told(RATES, (int,), f'{_BYTES} or "2M:8M"')]
_SECONDS = 'seconds, or a text such as "1h30m"'
_DURATION = Annotated[float | str, _told(rf"(?-i:off)|[\d.]+|{AGE}", (int, float), _SECONDS)]
_NAMED: dict[str, Any] = {
    **dict.fromkeys(flags.SIZES, _SIZE),
    **dict.fromkeys(flags.DURATIONS, _DURATION),
    "bwlimit": _RATE,
    **dict.fromkeys(("transfers", "checkers"), Annotated[int, Field(ge=1)]),
    "max_depth": Annotated[int, Field(ge=-1)],
    "max_delete": Annotated[int | str, _told(r"\d+%?", (int,), 'a number, or a percentage: "75%"')],
    "files_from": list[str],
    "backup_dir": str,
    "content": commands.Content,
    "direction": commands.Direction,
}
_BY_TYPE: Any = {int: Annotated[int, Field(ge=0)], float: Annotated[float, Field(ge=0)]}
_hints = get_type_hints(commands.TransferOptions)
_kinds = {name: _BY_TYPE.get(kind, kind) for name, kind in _hints.items()} | _NAMED
Options = TypedDict("Options", _kinds, total=False)  # type: ignore[misc]
_strictly = with_config(ConfigDict(extra="allow", strict=True, allow_inf_nan=False))
TYPED = GetPydanticSchema(lambda _, handler: handler.generate_schema(_strictly(Options)))
"""Marks a dict as options of a transfer or comparison. An unknown option is reported where it is
used, which can suggest what was meant."""
