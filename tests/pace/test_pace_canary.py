"""The request that is sent to find out whether a limit holds: how it reads Microsoft's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import GraphError, TokenExpired
from pluton_rclone.pace.canary import Canary, Said
from tests.connected import BERT, connected, remote_of, saved


@contextmanager
def sent_from(storage: Storage) -> Iterator[Canary]:
    canary = Canary(saved(storage))
    yield canary
    canary.close()


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "business")


def test_granted_without_a_word_about_limits(storage: Storage) -> None:
    with sent_from(storage) as canary:
        assert canary.ask() == Said(granted=True)


@pytest.mark.parametrize(("retry_after", "seconds"), [("7", 7.0), ("2.128", 2.128)])
def test_refused_it_is_not_sent_again(
    cloud: Emulator, storage: Storage, retry_after: str, seconds: float
) -> None:
    cloud.faults.throttle(retry_after)
    with sent_from(storage) as canary:
        assert canary.ask() == Said(granted=False, wait=seconds)
    assert [request.status for request in cloud.requests if "/children" in request.path] == [429]


def test_a_busy_service_refuses_too_and_may_name_no_time(cloud: Emulator, storage: Storage) -> None:
    cloud.faults.unavailable(None)
    with sent_from(storage) as canary:
        assert canary.ask() == Said(granted=False)


def test_from_four_fifths_on_microsoft_says_its_limit(cloud: Emulator, storage: Storage) -> None:
    cloud.budgets.enable(share=0.01)  # 12.5 units: six requests of two
    with sent_from(storage) as canary:
        said = [canary.ask() for _ in range(7)]
    assert [each.limit for each in said[:4]] == [None] * 4
    assert said[5] == Said(granted=True, limit=12.0, remaining=0.0)
    assert not said[6].granted


def test_another_answer_says_nothing_about_limits(cloud: Emulator, storage: Storage) -> None:
    cloud.faults.refuse(404)
    with sent_from(storage) as canary, pytest.raises(GraphError, match="404"):
        canary.ask()


def test_a_token_that_has_ended_is_renewed_if_we_can_and_else_left_to_rclone(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, "business", seconds=-60.0)
    before = storage.remote.token
    storage.storages.conf.update(storage.remote_name, {"token_url": "https://example.com/token"})
    with pytest.raises(TokenExpired):
        Canary(saved(storage))
    assert storage.remote.token == before
    storage.storages.conf.update(storage.remote_name, {"token_url": None})
    with sent_from(storage) as canary:
        assert canary.ask().granted
    assert storage.remote.token != before


def test_a_token_that_has_ended_meanwhile_is_read_anew(cloud: Emulator) -> None:
    storage = connected(cloud, "business")
    canary = Canary(saved(storage))
    cloud.quirks.access_token_refused(BERT)
    renewed = remote_of(cloud, "business").to_section()["token"]
    storage.storages.conf.update(storage.remote_name, {"token": renewed})
    assert canary.ask().granted
    canary.close()
