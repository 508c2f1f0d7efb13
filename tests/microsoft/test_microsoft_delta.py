"""Pages of the delta feed: their content, their continuation, and invalid pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import GraphError, TokenExpired
from pluton_rclone.microsoft.graph import delta
from pluton_rclone.microsoft.graph.graph import Graph

from .waitless import Clock

BERT = "bert@contoso.onmicrosoft.com"
GraphOf = Callable[..., Graph]
END = {"@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/drive/root/delta?token=1"}


def item(**members: Any) -> delta.Item:
    record = {
        "id": "01abc",
        "name": "a.txt",
        "parentReference": {"id": "root1", "driveId": "b!1"},
        **members,
    }
    (found,) = delta.page({"value": [record], **END}).items()
    return found


def test_the_documented_pages_are_read() -> None:
    """Microsoft Graph, driveitem-delta.md: the first page and the last."""
    value = [
        {"id": "0123456789abc", "name": "folder2", "folder": {}},
        {"id": "123010204abac", "name": "file.txt", "file": {}},
        {"id": "2353010204ddgg", "name": "file5.txt", "deleted": {}},
    ]
    link = "https://graph.microsoft.com/v1.0/me/drive/delta(token=1230919asd190410jlka)"
    first = delta.page({"value": value, "@odata.nextLink": link})
    assert first.next == link
    assert [(each.name, each.is_dir, each.deleted) for each in first.items()] == [
        ("folder2", True, False),
        ("file.txt", False, False),
        ("file5.txt", False, True),
    ]
    assert delta.page({"value": [], **END}) == delta.Page([], None)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"value": []},
        {"value": [], "@odata.nextLink": 5},
        {"value": [], "@odata.nextLink": "https://graph.microsoft.com/x", **END},
        {"value": {}, **END},
        {"value": ["a"], **END},
        {"value": [{"name": "no id"}], **END},
        {"value": [{"id": "1", "name": 5}], **END},
        {"value": [{"id": "1", "parentReference": "x"}], **END},
        {"value": [{"id": "1", "size": "x"}], **END},
    ],
)
def test_what_is_no_page_or_does_not_say_how_it_goes_on_ends_nothing(
    record: dict[str, Any],
) -> None:
    with pytest.raises(GraphError, match="change feed"):
        delta.page(record).items()


def test_ids_are_rclones_and_items_are_told_apart_without_case() -> None:
    found = item()
    assert (found.id, found.key, found.parent) == ("b!1#01abc", "01ABC", "ROOT1")


def test_a_time_is_the_clients_where_there_is_one() -> None:
    service = {"lastModifiedDateTime": "2026-01-01T00:00:00Z"}
    client = {"fileSystemInfo": {"lastModifiedDateTime": "2020-01-01T00:00:00Z"}}
    assert item(**service, **client).modified == "2020-01-01T00:00:00Z"
    assert item(**service).modified == "2026-01-01T00:00:00Z"
    assert item(**service, fileSystemInfo={}).modified == delta.NO_TIME


def test_of_a_shortcut_what_it_leads_to_counts() -> None:
    away = {"id": "02def", "name": "Team＊", "folder": {}, "parentReference": {"driveId": "b!2"}}
    found = item(remoteItem=away)
    assert (found.id, found.name, found.translated) == (
        "b!2#02def",
        "a.txt",
        True,
    )  # the drive's own name
    assert (found.is_dir, found.elsewhere) == (True, True)
    file = item(remoteItem={"id": "02def", "size": 5, "file": {"mimeType": "text/plain"}})
    assert (file.is_dir, file.elsewhere, file.size, file.mime_type) == (
        False,
        False,
        5,
        "text/plain",
    )


def test_vault_notebook_and_half_a_character() -> None:
    assert item(folder={}, specialFolder={"name": "vault"}).elsewhere
    assert not item(folder={}, specialFolder={"name": "photos"}).elsewhere
    assert item(package={"type": "oneNote"}).notebook
    assert item(name="a\ud83d").name == "a\ufffd"


def test_the_feed_is_asked_for_with_what_a_listing_needs_and_followed_as_it_says(
    cloud: Emulator, graph_of: GraphOf
) -> None:
    drive = cloud.files.drive_of(BERT)
    for number in range(1200):
        drive.write(f"{number}.txt", b"")
    graph = graph_of(BERT)
    first = delta.read(graph, drive.id)
    assert (len(first.items()), first.items()[0].root) == (1000, True)
    last = delta.read(graph, drive.id, first.next)
    assert (len(last.items()), last.next) == (201, None)
    asked = cloud.requests[-2]
    assert f"%24select={delta.SELECT}" in asked.query.replace("%2C", ",").replace("$", "%24")


def test_refusals_are_those_of_graph(cloud: Emulator, graph_of: GraphOf, clock: Clock) -> None:
    drive = cloud.files.drive_of(BERT)
    graph = graph_of(BERT)
    cloud.faults.refuse(410, where="delta")
    with pytest.raises(GraphError) as gone:
        delta.read(graph, drive.id)
    assert gone.value.details["status"] == 410
    cloud.faults.refuse(401, where="delta")
    with pytest.raises(TokenExpired):
        delta.read(graph, drive.id)
    cloud.faults.throttle("7", where="delta")
    assert delta.read(graph, drive.id).next is None
    assert 7.0 in clock.waits
