"""Every Python block of docs/embedding.md runs, against the emulated Microsoft."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import Storage
from pluton_rclone.emulator import WEB_CLIENT_ID, WEB_CLIENT_SECRET, Emulator
from pluton_rclone.errors import ForeignAnswer, SignInDeclined
from tests.connected import ANNA, BERT, connected
from tests.terminal import PATIENCE

from .pages import blocks, page

CODE = blocks(page("embedding.md"), "python")


@pytest.fixture
def guide(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The functions of the page, after running all blocks in order."""
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", WEB_CLIENT_ID)
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", WEB_CLIENT_SECRET)
    names: dict[str, Any] = {}
    for block in CODE:
        exec(block, names)  # noqa: S102
    return names


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear reader")
    return folder


def in_another_process(
    call: str, session: dict[str, str], query: dict[str, str] | None = None
) -> Any:
    """Run the first block and then `call`, in a new Python; return its result and the session after
    it."""
    script = (
        f"{CODE[0]}\nimport json, sys\nsession, query = json.load(sys.stdin)\n"
        f"answer = {call}\nprint(json.dumps([str(answer), session]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([session, query]),
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def signed_in(guide: dict[str, Any], cloud: Emulator, who: str) -> dict[str, str]:
    session = {"name": "OneDrive Backups"}
    guide["callback"](session, cloud.person(who).visit(guide["authorize"](session)).answer)
    return session


def test_a_sign_in_begun_in_one_process_is_finished_in_another(
    guide: dict[str, Any], cloud: Emulator
) -> None:
    url, session = in_another_process("authorize(session)", {"name": "OneDrive Backups"})
    answer = dict(cloud.person(ANNA).visit(url).answer)
    account, session = in_another_process("callback(session, query)", session, answer)

    assert account == "Anna Berg (anna@outlook.com)"
    assert list(session) == ["name", "setup"]


def test_an_answer_of_another_sign_in_and_a_refusal_are_told_apart(
    guide: dict[str, Any], cloud: Emulator
) -> None:
    mine, other = {"name": "mine"}, {"name": "other"}
    guide["authorize"](mine)
    with pytest.raises(ForeignAnswer):
        guide["callback"](mine, cloud.person(BERT).visit(guide["authorize"](other)).answer)
    url = guide["authorize"](mine)
    with pytest.raises(SignInDeclined):
        guide["callback"](mine, cloud.person(ANNA).visit(url, accept=False).answer)


def test_the_walk_from_drive_type_to_a_saved_storage(
    guide: dict[str, Any], cloud: Emulator
) -> None:
    session = signed_in(guide, cloud, ANNA)
    (drive,) = guide["locations"](session, "personal")["drives"]
    guide["choose"](session, drive["id"], "laptop")
    faults = guide["submit"](session, {"chunk_size": "19Mi"})
    assert "320Ki" in faults["chunk_size"]
    shown = {field["name"]: field["default"] for field in guide["fields"]()}
    assert guide["submit"](session, {**shown, "base_folder": "laptop"}) == {}
    assert "region" in guide["submit"](session, {"region": "us"})
    assert guide["submit"](session, {"chunk_size": "20Mi", "hard_delete": True}) == {}
    steps: list[dict[str, Any]] = []

    assert guide["test_connection"](session, steps.append)
    assert {step["status"] for step in steps} <= {"ok", "warning"}
    assert guide["save"](session) == "OneDrive Backups"
    remote = guide["Storages"]()["OneDrive Backups"].remote
    assert (str(remote.chunk_size), remote.hard_delete, remote.base_folder) == (
        "20Mi",
        True,
        "laptop",
    )


def test_sharepoint_asks_the_same_account_for_more(guide: dict[str, Any], cloud: Emulator) -> None:
    session = signed_in(guide, cloud, BERT)
    more = guide["locations"](session, "sharepoint")
    assert more["permissions"] == ("Files.ReadWrite.All", "Sites.Read.All")
    guide["callback"](session, cloud.person(BERT).visit(more["go_to"]).answer)
    setup = guide["StorageSetup"].from_record(session["setup"])

    assert setup.missing_permissions() == ()
    assert "Backups" in [site.name for site in setup.sites("backup")]


def test_the_schema_draws_a_form_without_secrets(guide: dict[str, Any]) -> None:
    fields = {field["name"]: field for field in guide["fields"]()}

    assert fields["chunk_size"]["default"] == "10Mi"
    assert ("view", "Reading") in fields["link_type"]["choices"]
    assert fields["hard_delete"]["kind"] == "switch"
    assert all(field["label"] and field["help"] for field in fields.values())
    assert not {"token", "client_secret", "link_password"} & set(fields)


@pytest.mark.parametrize(("user", "let_in"), [("anna", True), (None, False)])
def test_the_mounted_page_lets_in_whom_the_application_knows(
    guide: dict[str, Any], user: str | None, let_in: bool
) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    mounted = Starlette(
        routes=[
            Mount(
                "/onedrive",
                guide["onedrive_page"](lambda request: user, lambda user, storage: "viewer"),
            )
        ]
    )
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/onedrive/",
        "raw_path": b"/onedrive/",
        "query_string": b"",
        "scheme": "https",
        "headers": [(b"host", b"pluton.example")],
        "http_version": "1.1",
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(mounted(scope, receive, send))
    assert (sent[0]["status"] < 400) is let_in


def test_the_end_of_the_application_ends_what_the_mounted_page_does(
    guide: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.testclient import TestClient

    from pluton_rclone.web.plumbing import jobs
    from pluton_rclone.web.plumbing.jobs import Work

    monkeypatch.setattr(jobs, "GRACE", PATIENCE)
    page = guide["onedrive_page"](lambda request: "anna", lambda user, storage: "viewer")
    with TestClient(guide["application"](page)):
        work = page.state.page.jobs.start(Work("copy", "x"), lambda work: work.stop.wait())
    assert work.over


def test_progress_reaches_any_callable(
    guide: dict[str, Any], cloud: Emulator, source: Path
) -> None:
    sent: list[dict[str, Any]] = []
    result = guide["back_up"](connected(cloud), source, "x", sent.append)

    assert (result["transfers"], result["bytes"]) == (1, 11)
    assert sent[-1]["bytes"] == 11


def test_progress_reaches_an_asyncio_queue(
    guide: dict[str, Any], cloud: Emulator, source: Path
) -> None:
    async def run() -> list[dict[str, Any]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await guide["back_up_live"](connected(cloud), source, "x", queue.put)
        return [queue.get_nowait() for _ in range(queue.qsize())]

    sent = asyncio.run(run())
    assert sent[-1]["ended"] == "done"
    assert json.loads(json.dumps(sent)) == sent


def large(folder: Path) -> Path:
    (folder / "large.bin").write_bytes(bytes(40 * 1024 * 1024))
    return folder


def slow(cloud: Emulator, storage: Storage) -> Storage:
    cloud.faults.latency = 0.5
    return storage


def test_a_closed_websocket_ends_the_transfer(
    guide: dict[str, Any], cloud: Emulator, source: Path
) -> None:
    storage, begun = slow(cloud, connected(cloud)), []
    start: Callable[..., Any] = storage.upload

    class Watched:
        @staticmethod
        def upload(folder: Path, path: str) -> Any:
            begun.append(start(folder, path, bwlimit="1Mi"))
            return begun[-1]

    async def run() -> None:
        async def closed(_: object) -> None:
            raise ConnectionError("the page was closed")

        await guide["back_up_live"](Watched, large(source), "x", closed)

    with pytest.raises(ConnectionError):
        asyncio.run(run())
    assert begun[0].wait().ended == "cancelled"


def test_cancelling_gives_what_was_reached(
    guide: dict[str, Any], cloud: Emulator, source: Path
) -> None:
    transfer = slow(cloud, connected(cloud)).upload(large(source), "x", bwlimit="1Mi")
    ended, sent = guide["stop"](transfer)

    assert ended == "cancelled"
    assert sent < 40 * 1024 * 1024


def test_what_failed_is_done_once_more(
    guide: dict[str, Any], cloud: Emulator, source: Path
) -> None:
    storage = connected(cloud, name="Work")
    cloud.faults.refuse(423, where="letter.txt", times=None)
    assert storage.upload(source, "x", retries=1).wait().error is not None
    cloud.faults.clear()

    assert guide["once_more_what_failed"]("Work").transfers == 1
    assert guide["once_more_what_failed"]("Work") is None


def test_health_notifies_of_what_needs_attention(guide: dict[str, Any], cloud: Emulator) -> None:
    connected(cloud, name="Anna's")
    noted: list[tuple[str, ...]] = []
    assert guide["check_all"](lambda *note: noted.append(note))
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)

    assert not guide["check_all"](lambda *note: noted.append(note))
    assert noted[-1][:2] == ("Anna's", "Token")
    assert "Re-authorize" in noted[-1][3]


def test_errors_are_branched_on_by_class_and_by_who_can_fix_them(
    guide: dict[str, Any], cloud: Emulator, tmp_path: Path
) -> None:
    connected(cloud, name="Work")
    told: list[tuple[str, dict[str, Any]]] = []
    restore: Callable[..., Any] = guide["restore"]

    def tell(text: str, **more: Any) -> None:
        told.append((text, more))

    restore("Work", "nothing", tmp_path / "out", tell)
    restore("Play", "x", tmp_path / "out", tell)
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)
    restore("Work", "x", tmp_path / "out", tell)

    assert [more.get("code") for _, more in told] == ["nothing_found", "storage_not_found", None]
    assert told[2] == ("sign in again", {"reauthorize_button": True})


def test_signing_in_again_keeps_the_drive(guide: dict[str, Any], cloud: Emulator) -> None:
    secret = SecretStr(WEB_CLIENT_SECRET)
    storage = connected(
        cloud, name="Work", chunk_size="20Mi", client_id=WEB_CLIENT_ID, client_secret=secret
    )
    before = storage.remote
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)
    session: dict[str, str] = {}
    url = guide["authorize_again"](session, "Work")

    assert guide["callback_again"](session, cloud.person(ANNA).visit(url).answer)
    after = storage.remote
    assert (after.drive_id, after.chunk_size) == (before.drive_id, before.chunk_size)
    assert after.token != before.token
