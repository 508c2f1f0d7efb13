"""Faults armed in one line, and Microsoft's budgets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pluton_rclone.emulator.drives.quickxor import QuickXor
from pluton_rclone.emulator.drives.uploads import Owner
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.graph import budgets
from pluton_rclone.emulator.graph.budgets import Budgets, Window
from pluton_rclone.emulator.world import World

from .graph_client import ANNA, BERT, Asking


@pytest.mark.parametrize("retry_after", ["2", "2.128", "Mon, 23 Nov 2026 12:00:00 GMT"])
def test_throttled_once_with_any_form_of_retry_after(retry_after: str) -> None:
    ask = Asking(BERT)
    ask.faults.throttle(retry_after)
    reply = ask.get("/me/drive")
    assert (reply.status, reply.headers["retry-after"]) == (429, retry_after)
    assert ask.get("/me/drive").status == 200


def test_a_fault_meets_only_what_it_was_armed_for() -> None:
    ask = Asking(BERT)
    ask.faults.refuse(403, where=r"/me/drives$")
    rule = ask.faults.refuse(500, method="DELETE", times=None)
    assert (ask.get("/me/drive").status, ask.get("/me/drives").status) == (200, 403)
    assert [ask.delete("/me/drive/root:/a").status for _ in range(3)] == [500] * 3
    assert rule.met == 3
    ask.faults.clear()
    assert ask.delete("/me/drive/root:/a").status == 404


def test_a_fault_can_come_later_and_last_a_while() -> None:
    ask = Asking(BERT)
    ask.faults.unavailable(skip=1, times=2)
    assert [ask.get("/me/drive").status for _ in range(4)] == [200, 503, 503, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 423, 500, 504, 507])
def test_every_documented_refusal_can_be_armed(status: int) -> None:
    ask = Asking(BERT)
    ask.faults.refuse(status)
    assert ask.get("/me/drive").status == status


def test_a_session_is_lost_between_fragments() -> None:
    ask = Asking(BERT)
    ask.faults.lose_session(after_fragments=1)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    size = 327680
    assert ask.put(url, bytes(size), content_range=f"bytes 0-{size - 1}/{size + 1}").status == 202
    assert ask.put(url, b"x", content_range=f"bytes {size}-{size}/{size + 1}").status == 404
    assert ask.upload("/me/drive/root:/a", b"x").status == 201


def test_a_damaged_upload_shows_in_its_hash() -> None:
    ask = Asking(BERT)
    ask.faults.damaged_uploads = 1
    first, second = (ask.upload(f"/me/drive/root:/{name}", b"content") for name in "ab")
    sound = QuickXor(b"content").base64()
    assert first.json["file"]["hashes"]["quickXorHash"] != sound
    assert second.json["file"]["hashes"]["quickXorHash"] == sound
    assert first.json["size"] == 7


def test_malware_is_not_handed_out() -> None:
    ask = Asking(ANNA)
    ask.files.drive_of(ANNA).write("a.exe", b"x").rarities.malware = True
    assert "malware" in ask.get("/me/drive/root:/a.exe").json
    reply = ask.get("/me/drive/root:/a.exe:/content")
    assert (reply.status, reply.code) == (403, "malwareDetected")
    assert ask.get("/me/drive/root:/a.exe:/content?AVOverride=1").status == 302


def test_latency_holds_every_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    ask = Asking(BERT)
    ask.faults.latency = 3600.0
    assert ask.get("/me/drive").status == 200
    (wait,) = waits
    assert 0 < wait <= ask.faults.latency  # the rest of it, once the answer is ready


# ---- budgets -------------------------------------------------------------------------------------


def test_the_table_is_the_one_of_the_facts() -> None:
    facts = json.loads((Path(__file__).parents[2] / "data" / "throttling.json").read_text())
    assert facts["per_user"]["value"]["requests_per_5_min"] == budgets.USER_REQUESTS
    assert budgets.USER_WINDOW == budgets.TENANT_WINDOW == 5 * 60
    assert budgets.APP_WINDOW == 60
    app = facts["per_app_per_tenant"]["value"]["resource_units_per_minute"]
    assert list(budgets.APP_UNITS.values()) == list(app.values())
    tenant = facts["per_tenant"]["value"]["resource_units_per_5_min"]
    assert list(budgets.TENANT_UNITS.values()) == list(tenant.values())
    upper = [int(key.partition("-")[2]) for key in app if "-" in key]
    assert list(budgets.APP_UNITS) == list(budgets.TENANT_UNITS) == [*upper, None]
    units = [str(cost) for cost in (budgets.ONE_ITEM, budgets.MANY_OR_CHANGE, budgets.PERMISSIONS)]
    assert units == list(facts["resource_units"]["value"])


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def counted(ask: Asking, **options: float) -> Clock:
    clock = Clock()
    ask.budgets.enable(clock=clock, **options)  # type: ignore[arg-type]
    return clock


def test_a_user_has_3000_requests_in_five_minutes() -> None:
    ask = Asking(BERT)
    clock = counted(ask, share=0.01)  # 30 requests; an app has 12.5 units a minute
    statuses = []
    for _ in range(40):
        clock.now += 11  # 27 in five minutes, 6 a minute
        statuses.append(ask.get("/me/drive/root").status)
    assert statuses.count(200) == 40
    clock = counted(ask, share=0.01)
    statuses = []
    for _ in range(40):
        clock.now += 5.5  # 54 in five minutes
        statuses.append(ask.get("/me/drive/root").status)
    assert statuses[:30] == [200] * 30
    assert set(statuses[30:]) == {429}


def test_an_app_has_1250_units_a_minute_and_lists_cost_two() -> None:
    for address, cost in (
        ("/me/drive/root", 1),
        ("/me/drive/root/children", 2),
        ("/me/drive/root/permissions", 5),
    ):
        ask = Asking(BERT)
        counted(ask, share=0.02)  # 25 units
        statuses = [ask.get(address).status for _ in range(30)]
        assert statuses.count(200) == 25 // cost


def test_delta_costs_two_without_a_token_and_one_with_it() -> None:
    ask = Asking(BERT)
    link = ask.get("/me/drive/root/delta").json["@odata.deltaLink"]
    counted(ask, share=0.004)  # 5 units
    assert [ask.get("/me/drive/root/delta").status for _ in range(3)] == [200, 200, 429]
    counted(ask, share=0.004)
    assert [ask.get(link).status for _ in range(6)] == [200] * 5 + [429]


def test_uploads_and_downloads_are_counted_on_the_account_that_opened_them() -> None:
    ask = Asking(BERT)
    ask.drive.write("a", b"x")
    counted(ask, share=0.004)  # 5 units
    url = ask.post("/me/drive/root:/b:/createUploadSession", {}).json["uploadUrl"]
    download = ask.get("/me/drive/root:/a").json["@microsoft.graph.downloadUrl"]
    assert ask.put(url, b"x", content_range="bytes 0-0/1").status == 201
    assert ask.get(download).status == 429
    other = Asking(ANNA, world=ask.world)
    assert other.get("/me/drive").status == 200


def test_retry_after_is_the_time_until_there_is_room() -> None:
    ask = Asking(BERT)
    clock = counted(ask, share=0.008)  # 10 units a minute
    for _ in range(10):
        assert ask.get("/me/drive/root").status == 200
    reply = ask.get("/me/drive/root")
    wait = int(reply.headers["retry-after"])
    assert 55 <= wait <= 60
    assert reply.headers["ratelimit-remaining"] == "0"
    clock.now += wait
    assert ask.get("/me/drive/root").status == 200


def test_asking_while_throttled_lengthens_the_wait() -> None:
    ask = Asking(BERT)
    clock = counted(ask, share=0.008)
    for _ in range(10):
        ask.get("/me/drive/root")
    for _ in range(30):  # one request in two seconds, for a minute
        clock.now += 2
        last = ask.get("/me/drive/root")
    assert last.status == 429
    clock.now += int(last.headers["retry-after"])
    assert ask.get("/me/drive/root").status == 200
    assert ask.budgets.throttled == 30


def test_the_headers_of_the_budget_come_from_four_fifths_on() -> None:
    ask = Asking(BERT)
    counted(ask, share=0.008)
    replies = [ask.get("/me/drive/root") for _ in range(10)]
    assert ["ratelimit-remaining" in reply.headers for reply in replies] == [False] * 7 + [True] * 3
    assert replies[-1].headers["ratelimit-limit"] == "10"


def test_time_can_run_faster() -> None:
    ask = Asking(BERT)
    clock = counted(ask, share=0.008, time_scale=60)
    for _ in range(11):
        reply = ask.get("/me/drive/root")
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    clock.now += 1
    assert ask.get("/me/drive/root").status == 200


def test_a_larger_organisation_has_larger_budgets() -> None:
    ask = Asking(BERT)
    ask.budgets.enable(share=0.008, licences=None)
    assert [ask.get("/me/drive/root").status for _ in range(24)] == [
        200
    ] * 24  # then the user's own budget is the limit


def test_a_window_forgets_what_is_old() -> None:
    window = Window(10, 60)
    window.add(4, 0)
    window.add(4, 30)
    assert (window.left(59), window.left(61), window.left(91)) == (2, 6, 10)


def test_budgets_are_off_until_they_are_enabled() -> None:
    unlimited = Budgets(World())
    ask = Asking(BERT)
    assert [unlimited.charge(Owner("a", "b", "c"), 5).headers for _ in range(5000)] == [[]] * 5000
    ask.budgets.enable(share=0.0001)
    assert ask.get("/me/drive").status == 429
    ask.budgets.disable()
    assert ask.get("/me/drive").status == 200


def test_a_refusal_can_be_made_up() -> None:
    ask = Asking(BERT)
    ask.faults.arm(GraphFault(418, "teapot", "Short and stout."))
    assert (ask.get("/me/drive").status, ask.get("/me/drive").status) == (418, 200)
