"""Words that choose what a call does: in Python nothing else notices a misspelt one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import UsageError
from tests.connected import connected

HERE = Path(__file__).parent
CALLS: dict[str, Callable[[Any], object]] = {
    "direction 'oneway'": lambda storage: storage.check(HERE, direction="oneway"),
    "content 'hsh'": lambda storage: storage.rclone.check(HERE, storage.at(""), content="hsh"),
    "way to list 'feeds'": lambda storage: list(storage.walk(by="feeds")),
    "way to list 'folder'": lambda storage: storage.size(by="folder"),
    "log level 'loud'": lambda storage: storage.upload(HERE, log_level="loud"),
    "log level 'debug'": lambda storage: storage.with_log_level("debug").list(),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_misspelt_word_is_refused_and_the_right_ones_are_named(
    cloud: Emulator, what: str
) -> None:
    """Formerly: the default was taken, a bare KeyError came, or rclone failed without a reason."""
    storage: Storage = connected(cloud)
    before = len(cloud.requests)
    with pytest.raises(UsageError, match=f"There is no {what}") as caught:
        CALLS[what](storage)
    assert caught.value.advice.startswith("Choose one of: ")
    assert len(cloud.requests) == before
