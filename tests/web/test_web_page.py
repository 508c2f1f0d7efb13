"""The page's own work: steps in order, restarts, mounting, editing, removing, copies and
restores."""

from __future__ import annotations

import html
import os
import re
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from pluton_rclone import Storages, StorageSetup
from pluton_rclone.emulator import DAEMON_CLIENT_ID, Emulator
from pluton_rclone.errors import UsageError
from pluton_rclone.remote.schema import remote_schema
from pluton_rclone.web import create_app, one_time_address, serve
from pluton_rclone.web.plumbing.jobs import Steps
from pluton_rclone.web.wizard.draft import rail
from pluton_rclone.web.wizard.fields import NOT_HERE
from tests.connected import connected, connected_as_app
from tests.gates import Gate
from tests.rclone_port import rclone_port, visit

from .client import (
    APP,
    ORIGIN,
    PATIENCE,
    Person,
    answer_of,
    at_the_page,
    local_folder,
    page,
    ready_to_save,
    sessions_of,
    until_over,
)
from .server import served
from .visitor import ADMIN, ANNA, BERT

# ---- the walk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["authorize", "type", "location", "options", "save"])
def test_a_step_that_is_not_reached_leads_to_the_next_one(home: Path, step: str) -> None:
    with at_the_page() as anna:
        draft = str(anna.post("/add").url).removesuffix("/name")
        assert str(anna.get(f"{draft}/{step}").url) == f"{draft}/name"


def test_a_name_that_cannot_be_saved_is_told_before_the_sign_in(cloud: Emulator) -> None:
    connected(cloud, name="Taken")
    with at_the_page() as anna:
        at = str(anna.post("/add").url)
        for name, fault in (
            ("Taken", "already"),
            ("  ", "Give the storage a name"),
            ("x" * 101, "at most 100"),
            ("Anna`s", "contains a backtick (`), which rclone.conf cannot hold"),
            ("%(type)s", "which rclone.conf cannot hold"),
        ):
            answer = anna.post(at, {"name": name})
            assert answer.status_code == 422
            assert fault in html.unescape(answer.text)


def test_only_what_passed_the_test_is_saved(cloud: Emulator) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Untested")
        anna.sign_in(cloud, draft, ANNA)
        anna.post(f"{draft}/type", {"kind": "personal"})
        anna.post(f"{draft}/options")
        assert anna.post(f"{draft}/save").status_code == 409
        assert list(Storages()) == []
        anna.post(f"{draft}/test")
        until_over(anna)
        assert "Everything works" in anna.get(f"{draft}/save").text
        anna.post(
            f"{draft}/options", {"chunk_size": "20Mi"}
        )  # the test that passed had other options
        assert anna.post(f"{draft}/save").status_code == 409
        anna.post(f"{draft}/test")
        until_over(anna)
        anna.post(f"{draft}/save")
        until_over(anna)
        assert "ready for use" in anna.get(f"{draft}/save").text
    assert str(Storages()["Untested"].remote.chunk_size) == "20Mi"


def test_options_that_change_while_the_test_runs_stay_and_are_not_shown_as_tested(
    cloud: Emulator,
) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Mine")
        anna.sign_in(cloud, draft, ANNA)
        anna.post(f"{draft}/type", {"kind": "personal"})
        anna.post(f"{draft}/options", {"base_folder": "Old"})
        probe = Gate(cloud, "^PUT ")
        anna.post(f"{draft}/test")
        probe.wait()
        anna.post(f"{draft}/options", {"base_folder": "New"})
        probe.open()
        until_over(anna)
        shown = anna.get(f"{draft}/save").text
        assert anna.post(f"{draft}/save").status_code == 409
    assert "OneDrive · New" in shown
    assert "Everything works" not in shown


def test_a_saving_that_ends_while_its_page_is_drawn_is_followed_to_its_end(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving a tested remote takes milliseconds, as long as drawing the page: without a link
    onward, the page would stay for ever."""
    add_tested = Storages.add_tested
    drawn = threading.Event()

    def save_late(*args: Any, **given: Any) -> object:
        assert drawn.wait(PATIENCE)
        return add_tested(*args, **given)

    def ends_now(*args: Any) -> list[dict[str, Any]]:
        drawn.set()
        until_over(anna)
        return rail(*args)

    with at_the_page() as anna:
        draft = ready_to_save(cloud, anna)
        monkeypatch.setattr(Storages, "add_tested", save_late)
        monkeypatch.setattr("pluton_rclone.web.wizard.draft.rail", ends_now)
        shown = anna.post(f"{draft}/save").text
        assert 'id="progress" data-every' in shown  # so that the page polls
        assert "ready for use" in anna.get(f"{draft}/save").text


def test_a_page_that_is_asked_for_as_a_saving_signs_out_leads_to_the_storage(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_out, looked = threading.Event(), threading.Event()
    sign_out = StorageSetup.sign_out

    def wait_after(setup: StorageSetup) -> None:
        sign_out(setup)
        signed_out.set()
        assert looked.wait(PATIENCE)

    with at_the_page() as anna:
        draft = ready_to_save(cloud, anna)
        monkeypatch.setattr(StorageSetup, "sign_out", wait_after)
        anna.post(f"{draft}/save")
        assert signed_out.wait(PATIENCE)
        try:
            assert "ready for use" in anna.get(f"{draft}/save").text
        finally:
            looked.set()
        until_over(anna)


def test_a_sign_in_that_is_cancelled_while_it_is_tested_is_not_saved(cloud: Emulator) -> None:
    storage = connected(cloud)
    before = storage.section_with_secrets()
    with at_the_page() as anna:
        begun = anna.post(f"/storages/{storage.remote_name}/reauthorize").url.path
        draft = begun.removesuffix("/authorize")
        anna.sign_in(cloud, draft, ANNA)
        probe = Gate(cloud, "^PUT ")
        anna.post(f"{draft}/test")
        probe.wait()
        anna.post(f"{draft}/give-up")
        probe.open()
        until_over(anna)
    assert storage.section_with_secrets() == before
    assert storage.list() == []


def test_an_application_signs_in_again_by_itself(cloud: Emulator) -> None:
    """Formerly, a person was asked to sign in, and the storage would have got their token."""
    storage = connected_as_app(cloud)
    at = f"/storages/{storage.remote_name}/reauthorize"
    secrets = cloud.world.registrations[DAEMON_CLIENT_ID].secrets
    with at_the_page() as anna:
        kept = secrets.copy()
        secrets.clear()
        refused = anna.post(at)
        assert refused.url.path.endswith("/authorize")
        assert "Try again" in refused.text
        assert "Sign in on another device" not in refused.text
        secrets.extend(kept)
        begun = anna.post(at).url.path
        assert begun.endswith("/save")
        anna.post(begun.replace("/save", "/test"))
        until_over(anna)
        assert "ready for use" in anna.get(begun).text
    assert storage.remote.client_credentials
    assert storage.list() == []


@pytest.mark.parametrize(
    ("granted", "shown"),
    [
        ("Files.Read", "Read access to your OneDrive files"),
        ("Files.Read.All", "Read access to all files that you can open"),
        ("Files.ReadWrite.All", "Read and write access to all files that you can open"),
    ],
)
def test_signing_in_again_shows_what_microsoft_is_asked_for(
    cloud: Emulator, granted: str, shown: str
) -> None:
    storage = connected(cloud, granted_scopes=(granted,))
    with at_the_page() as anna:
        step = anna.post(f"/storages/{storage.remote_name}/reauthorize")
        begun = anna.post(step.url.path.replace("authorize", "sign-in"))
    assert f"<b>{shown}</b>" in step.text
    assert f"scope={granted}+offline_access" in html.unescape(begun.text)


def test_a_repair_that_is_ended_while_it_is_tested_changes_nothing(cloud: Emulator) -> None:
    storage = connected(cloud)
    storage.storages.conf.update(storage.remote_name, {"drive_id": None})
    with at_the_page() as anna:
        probe = Gate(cloud, "^PUT ")
        anna.post(f"/storages/{storage.remote_name}/repair")
        probe.wait()
        (work,) = anna.app.state.page.jobs.all(Steps, sessions_of(anna)[0].owner)
        anna.app.state.page.jobs.cancel(work)
        probe.open()
        until_over(anna)
    assert "drive_id" not in storage.section_with_secrets()


def test_a_drive_type_that_the_account_has_not_is_explained(cloud: Emulator) -> None:
    with at_the_page() as bert:
        draft = bert.begin("Wrong")
        bert.sign_in(cloud, draft, BERT)
        answer = bert.post(f"{draft}/type", {"kind": "personal"})
    assert answer.status_code == 422
    assert "has no drive of the type personal" in answer.text


CHECK = "/check?drive_type=personal"


def test_options_are_checked_one_by_one_and_together(cloud: Emulator) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Options")
        anna.sign_in(cloud, draft, ANNA)
        anna.post(f"{draft}/type", {"kind": "personal"})
        one = anna.post(CHECK, {"field": "chunk_size", "chunk_size": "7Mi"})
        assert "not a multiple of 320 KiB" in one.json()["fault"]
        assert anna.post(CHECK, {"field": "chunk_size", "chunk_size": "5Mi"}).json() == {
            "fault": ""
        }
        assert anna.post(CHECK, {"field": "token", "token": "{}"}).status_code == 400
        whole = anna.post(f"{draft}/options", {"chunk_size": "7Mi", "no_versions": "on"})
        assert whole.status_code == 422
        assert "not a multiple of 320 KiB" in whole.text
        assert "personal drives do not allow removing versions" in whole.text


def test_the_form_drawn_from_the_schema_has_every_field(cloud: Emulator) -> None:
    properties = remote_schema()["properties"]
    with at_the_page() as anna:
        draft = anna.begin("All of it")
        anna.sign_in(cloud, draft, ANNA)
        form = anna.post(f"{draft}/type", {"kind": "personal"}).text
    controls = set(re.findall(r'<(?:input|select|textarea)[^>]*\bname="(\w+)"', form)) & set(
        properties
    )
    asked = {n for n, p in properties.items() if p["x-decided-by"] == "person"}
    assert controls == asked - set(NOT_HERE) | {"region"}  # it has its own control
    for name in controls - {"region"}:
        assert re.search(rf'<label[^>]*for="{name}"', form), name
        assert properties[name]["title"] in html.unescape(form), name


def test_another_region_means_signing_in_there(cloud: Emulator) -> None:
    with at_the_page() as anna:
        draft = anna.begin("China")
        anna.sign_in(cloud, draft, ANNA)
        anna.post(f"{draft}/type", {"kind": "personal"})
        answer = anna.post(f"{draft}/options", {"region": "cn"})
        assert answer.url.path == f"{draft}/authorize"
        assert "21Vianet" in answer.text
        assert anna.to_microsoft(draft).startswith("https://login.chinacloudapi.cn/")


def test_what_was_typed_as_options_outlives_a_step_back_and_another_sign_in(
    cloud: Emulator,
) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Back")
        anna.sign_in(cloud, draft, ANNA)
        anna.post(f"{draft}/type", {"kind": "personal"})
        anna.post(f"{draft}/options", {"base_folder": "Backups", "chunk_size": "20 MiB"})
        anna.post(f"{draft}/type", {"kind": "personal"})
        saved = anna.get(f"{draft}/save").text
        assert "Backups" in saved
        assert "20 MiB" in saved

        typed = {"region": "us", "base_folder": "Backups", "list_chunk": "500"}
        anna.post(f"{draft}/options", typed)
        anna.sign_in(cloud, draft, ANNA, region="global")
        anna.post(f"{draft}/type", {"kind": "personal"})
        form = anna.get(f"{draft}/options").text
        assert 'value="Backups"' in form
        assert 'value="500"' in form
        anna.post(f"{draft}/test")
        until_over(anna)
        anna.post(f"{draft}/save")
        until_over(anna)
    (storage,) = Storages().values()
    assert (storage.remote.base_folder, storage.remote.list_chunk) == ("Backups", 500)


def test_a_pasted_address_leads_to_its_folder(cloud: Emulator) -> None:
    with at_the_page() as bert:
        draft = bert.begin("Pasted")
        bert.sign_in(cloud, draft, BERT)
        bert.post(f"{draft}/type", {"kind": "sharepoint"})
        bert.sign_in(cloud, draft, BERT)
        wrong = bert.post(
            f"{draft}/address", {"address": "https://contoso.sharepoint.com/sites/Nowhere"}
        )
        assert wrong.status_code == 422
        assert 'id="address-problem"' in wrong.text
        right = bert.post(
            f"{draft}/address", {"address": "https://contoso.sharepoint.com/sites/Backups"}
        )
        assert right.url.path == f"{draft}/options"


def test_a_restart_in_the_middle_of_a_sign_in_is_said(cloud: Emulator) -> None:
    from .client import answer_of

    with at_the_page() as before:
        answer = answer_of(cloud, ANNA, before.to_microsoft(before.begin("Restarted")))
    after = Person(page())
    after.client.cookies = before.client.cookies
    said = after.get(answer)
    assert said.status_code == 403
    assert "Your session here has ended." in said.text
    assert "What you had not saved is lost" in said.text


def test_without_a_registration_rclones_own_is_used(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pluton_rclone.web.wizard.signing_in.FIRST_WORD", PATIENCE)
    with rclone_port(), at_the_page(app=None) as anna:
        draft = anna.begin("Newcomer")
        assert "rclone’s is used" in anna.get(f"{draft}/authorize").text
        waiting = anna.post(f"{draft}/rclone")
        address = re.search(r'href="(http://127.0.0.1:[^"]+)"', waiting.text)
        assert address, waiting.text
        visit(cloud, ANNA, html.unescape(address[1]))
        until_over(anna)
        assert anna.get(waiting.url.path).url.path == f"{draft}/type"
        anna.post(f"{draft}/type", {"kind": "personal"})
        anna.post(f"{draft}/options")
        anna.post(f"{draft}/test")
        until_over(anna)
        assert "Everything works" in anna.get(f"{draft}/save").text


def test_another_account_of_rclones_own_registration_signs_in(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pluton_rclone.web.wizard.signing_in.FIRST_WORD", PATIENCE)
    with rclone_port(), at_the_page(app=None) as anna:
        draft = anna.begin("Newcomer")
        signs_in: tuple[tuple[str, str, dict[str, str]], ...] = (
            (ANNA, "Anna Berg", {}),
            (BERT, "Bert Jansen", {"again": "yes"}),
        )
        for person, name, form in signs_in:
            page = anna.get(f"{draft}/authorize").text
            button = re.search(r'<button[^>]* formaction="([^"]+)"[^>]*>', page)
            assert button, page
            waiting = anna.post(button[1], form)
            address = re.search(r'href="(http://127.0.0.1:[^"]+)"', waiting.text)
            assert address, waiting.text
            visit(cloud, person, html.unescape(address[1]))
            until_over(anna)
            assert f"Signed in as {name}" in anna.get(waiting.url.path).text


def test_the_page_that_waits_is_told_of_the_sign_in_that_it_began_alone(cloud: Emulator) -> None:
    """It polls before the form arrives, too, when the last result is that of another sign-in."""
    with at_the_page() as anna:
        draft = anna.begin("Again")
        anna.sign_in(cloud, draft, ANNA)
        for accept, state in ((False, "failed"), (True, "done")):
            asked = re.search(r'data-status="([^"]+)"', anna.get(f"{draft}/authorize").text)
            assert asked is not None
            status = html.unescape(asked[1])
            assert anna.get(status).json()["state"] == "waiting"
            anna.sign_in(cloud, draft, BERT, accept=accept, again="yes")
            assert anna.get(status).json()["state"] == state


def test_a_sign_in_without_a_registration_names_the_ways_in_words(home: Path) -> None:
    with at_the_page(app=None) as anna:
        draft = anna.begin("Newcomer")
        said = anna.post(f"{draft}/sign-in", {"window": "no", "blocked": "no"}).text
    assert "There is no app registration to sign in with." in said
    assert "sign_in_with" not in said


@pytest.mark.parametrize("variable", ["REGION=gcc-high", "TENANT=contoso.onmicrosoft.com"])
def test_without_a_client_id_what_a_variable_names_is_in_the_form_and_not_passed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It was: rclone's own registration signed in to the global cloud, to any tenant."""
    monkeypatch.setenv(*f"PLUTON_ONEDRIVE_{variable}".split("=", 1))
    with at_the_page(app=None) as anna:
        draft = anna.begin("Newcomer")
        form = posted_by_a_browser(anna.get(f"{draft}/authorize").text)
        said = anna.post(f"{draft}/rclone", form).text
    assert "Without an app registration nobody can sign in to" in said
    assert "<details open>" in said


# ---- within another application ------------------------------------------------------------------


def test_mounted_in_an_application_that_signs_people_in_itself(cloud: Emulator) -> None:
    inner = create_app(
        Storages(),
        public_url=f"{ORIGIN}/onedrive",
        app=APP,
        identify=lambda request: request.headers.get("x-person"),
    )
    outer = Starlette(routes=[Mount("/onedrive", inner)])
    outer.state.page = inner.state.page
    anna, bert, nobody = Person(outer), Person(outer), Person(outer)
    anna.client.headers["x-person"], bert.client.headers["x-person"] = "anna", "bert"
    assert "not signed in to Pluton" in nobody.get("/onedrive/").text
    anna.token = html.unescape(
        anna.get("/onedrive/").text.partition('name="anti_forgery" value="')[2].partition('"')[0]
    )
    at = anna.post("/onedrive/add").url.path
    assert at.startswith("/onedrive/setups/")
    bert.client.cookies = anna.client.cookies  # a stolen cookie is useless to another person
    assert bert.get(at).status_code == 404
    assert inner.state.page.redirect_uri == f"{ORIGIN}/onedrive/callback"
    assert inner.state.page.address.cookie in anna.client.cookies


def test_a_page_that_is_mounted_lets_a_browser_in_and_links_to_itself(cloud: Emulator) -> None:
    storage = connected(cloud)
    inner = page(public_url=f"{ORIGIN}/onedrive/")
    outer = Starlette(routes=[Mount("/onedrive", inner)])
    outer.state.page = inner.state.page
    anna = Person(outer, one_time_address(inner))
    invited = re.search(r'value="(http[^"]+/open/[^"]+)"', anna.post("/onedrive/addresses").text)
    assert invited is not None
    for address in (one_time_address(inner), invited[1]):
        let_in = Person(outer).get(address)
        assert (let_in.status_code, let_in.url.path) == (200, "/onedrive/")
    for path in ("", f"storages/{storage.remote_name}", "add", "transfers", "nowhere"):
        text = anna.get(f"/onedrive/{path}").text
        links = re.findall(r'(?:href|src|action|formaction|data-lazy)="(/[^"]*)"', text)
        assert links
        assert [link for link in links if not link.startswith("/onedrive/")] == []


def test_one_time_addresses_are_for_a_page_on_its_own(home: Path) -> None:
    app = page(identify=lambda request: None)
    assert Person(app).get(one_time_address(app)).status_code == 403


# ---- saved storages ------------------------------------------------------------------------------


def test_the_list_shows_health_and_room(cloud: Emulator) -> None:
    storage = connected(cloud)
    with at_the_page() as anna:
        assert "anna@outlook.com" in anna.get("/").text
        health = anna.get(f"/storages/{storage.remote_name}/health").text
        assert "Works" in health
        assert "5\u00a0GiB used" in health
        cloud.world.revoke_tokens(cloud.world.person(ANNA))
        anna.app.state.page.healths.forget(storage.remote_name)
        broken = anna.get(f"/storages/{storage.remote_name}/health").text
        assert "Does not work" in broken
        assert "Re-authorize" in broken


def test_the_health_of_a_storage_is_a_page_of_its_own_without_scripts(cloud: Emulator) -> None:
    storage = connected(cloud)
    with at_the_page() as anna:
        shown = anna.get(f"/storages/{storage.remote_name}/health").text
        (linked,) = re.findall(r'<noscript><p><a href="([^"]+)"', anna.get("/").text)
    assert linked == f"/storages/{storage.remote_name}/health"
    assert '<html lang="en">' in shown
    assert f"<title>Health of {storage.name} " in shown
    assert 'rel="stylesheet"' in shown


def test_a_password_that_cannot_be_is_marked_and_one_that_is_kept_is_named(cloud: Emulator) -> None:
    storage = connected(cloud, link_password="mine")
    work = connected(cloud, "business")
    with at_the_page() as anna:
        kept = anna.get(f"/storages/{storage.remote_name}/edit").text
        form = {"name": work.name, "link_password": "mine"}
        refused = anna.post(f"/storages/{work.remote_name}/edit", form).text
    (label,) = re.findall(r"<label[^>]*><input[^>]*[.]forget[^>]*>(.*?)</label>", kept)
    assert re.sub("<[^>]*>", "", label).strip() == "Remove it: Link password"
    (field,) = re.findall(r'<input type="password"[^>]*>', refused)
    assert 'aria-invalid="true"' in field
    assert "leave empty to keep it" in kept
    assert "leave empty to keep it" not in field  # it was not accepted


def test_name_and_options_are_changed_or_nothing_is(cloud: Emulator) -> None:
    storage = connected(cloud, name="Before", hard_delete=True)
    at = f"/storages/{storage.remote_name}/edit"
    with at_the_page() as anna:
        refused = anna.post(at, {"name": "After", "chunk_size": "7Mi"})
        assert refused.status_code == 422
        assert storage.name == "Before"
        done = anna.post(at, {"name": "After", "chunk_size": "20Mi"})
        assert done.url.path == f"/storages/{storage.remote_name}"
    assert (storage.name, str(storage.remote.chunk_size)) == ("After", "20Mi")
    assert storage.remote.hard_delete is False


def test_a_form_that_was_opened_earlier_undoes_no_later_change(cloud: Emulator) -> None:
    """It says so, shows the current values, and works from there; also without scripts."""
    storage = connected(cloud, name="Before", link_password="mine")
    at = f"/storages/{storage.remote_name}/edit"
    with at_the_page() as anna:
        form = posted_by_a_browser(anna.get(at).text)
        storage.update(base_folder="Backups", chunk_size="20Mi")
        now = storage.section_with_secrets()
        late = anna.post(at, {**form, "name": "After", "hard_delete": "on"})
        assert (late.status_code, storage.section_with_secrets()) == (422, now)
        assert "the storage was changed" in late.text
        form = posted_by_a_browser(late.text)
        assert (form["base_folder"], form["chunk_size"]) == ("Backups", "20 MiB")
        done = anna.post(at, {**form, "name": "After", "hard_delete": "on"})
        assert done.url.path == f"/storages/{storage.remote_name}"
    kept = storage.remote
    assert (storage.name, kept.base_folder, kept.hard_delete) == ("After", "Backups", True)
    assert str(kept.chunk_size) == "20Mi"


def test_a_form_of_a_storage_that_is_gone_changes_none_that_took_its_name(cloud: Emulator) -> None:
    connected(cloud, name="team")
    with at_the_page() as anna:
        form = posted_by_a_browser(anna.get("/storages/team/edit").text)
        anna.post("/storages/team/remove")
        other = connected(cloud, "business", name="team")
        before = other.section_with_secrets()
        late = anna.post("/storages/team/edit", {**form, "hard_delete": "on"})
    assert (late.status_code, other.section_with_secrets()) == (422, before)
    assert "the storage was changed" in late.text


def test_what_is_changed_while_a_form_is_tested_stays(cloud: Emulator) -> None:
    storage = connected(cloud, name="Before")
    at = f"/storages/{storage.remote_name}/edit"
    with at_the_page() as anna:
        form = posted_by_a_browser(anna.get(at).text)
        probe = Gate(cloud, "^PUT ")
        pressed = threading.Thread(target=anna.post, args=[at, {**form, "chunk_size": "20Mi"}])
        pressed.start()
        probe.wait()
        storage.rename("After")
        Storages().conf.update(storage.remote_name, {"hard_delete": "true"})
        probe.open()
        pressed.join(PATIENCE)
    assert (storage.name, storage.remote.hard_delete) == ("After", True)
    assert str(storage.remote.chunk_size) == "20Mi"


def posted_by_a_browser(text: str) -> dict[str, str]:
    """The fields of a page's form as a browser sends them if no one types anything."""
    form = {}
    controls = r"<input([^>]*)>()|<select([^>]*)>(.*?)</select>"
    for tag, _, select, choices in re.findall(controls, text, re.DOTALL):
        name = re.search(r'name="([^"]*)"', tag + select)
        value = re.search(r'value="([^"]*)"', tag) or re.search(r'"([^"]*)" selected', choices)
        if name and ("checkbox" not in tag or " checked" in tag):
            form[name[1]] = html.unescape(value[1]) if value else ""
    return form


def test_removing_asks_first(cloud: Emulator) -> None:
    storage = connected(cloud)
    with at_the_page() as anna:
        assert (
            "Your files stay where they are"
            in anna.get(f"/storages/{storage.remote_name}/remove").text
        )
        assert list(Storages()) == ["personal"]
        anna.post(f"/storages/{storage.remote_name}/remove")
    assert list(Storages()) == []


def test_a_copy_and_a_restore(cloud: Emulator, tmp_path: Path) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    with at_the_page(local_folders=[folder]) as anna:
        at = f"/storages/{storage.remote_name}"
        for form in ("copy", "restore"):
            assert "A file that differs is replaced." in anna.get(f"{at}/{form}").text
        copy = anna.post(f"{at}/copy", {"local": str(folder), "path": "kept"})
        until_over(anna)
        assert "1 file transferred" in anna.get(copy.url.path).text
        (folder / "back").mkdir()
        (folder / "back" / "a.txt").write_text("as it was")
        anna.post(f"{at}/restore", {"local": str(folder / "back"), "path": "kept"})
        until_over(anna)
    assert (folder / "back" / "a.txt").read_text() == "alpha"


def test_a_copy_names_what_is_missing_and_what_is_left_out(cloud: Emulator, tmp_path: Path) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    for name in ("Photos/a", "photos/b"):
        (folder / name).parent.mkdir()
        (folder / name).write_text(name)
    os.mkfifo(folder / "pipe")
    with at_the_page(local_folders=[folder]) as anna:
        copy = anna.post(
            f"/storages/{storage.remote_name}/copy", {"local": str(folder), "path": "x"}
        )
        until_over(anna)
        text = anna.get(copy.url.path).text
    assert "Not everything arrived" in text
    assert re.search("<code>[Pp]hotos</code>", text)
    assert "<code>pipe</code>" in text


def test_a_transfer_is_watched_and_cancelled(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    (folder / "large.bin").write_bytes(bytes(3_000_000))
    monkeypatch.setenv("RCLONE_BWLIMIT", "100k")
    with at_the_page(local_folders=[folder]) as anna:
        anna.app.state.page.storages = Slow(storage)
        started = anna.post(
            f"/storages/{storage.remote_name}/copy", {"local": str(folder), "path": "x"}
        )
        text = until(anna, started.url.path, "large.bin")
        assert "Time left" in text
        cancelled = anna.post(f"{started.url.path}/cancel").text
        until_over(anna)
        assert "Cancelled" in anna.get(started.url.path).text
        assert cancelled


def test_a_wait_that_microsoft_asks_for_is_shown_with_its_end(
    cloud: Emulator, tmp_path: Path
) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    cloud.faults.throttle("7200", times=None, where="createUploadSession")
    with at_the_page(local_folders=[folder]) as anna:
        started = anna.post(
            f"/storages/{storage.remote_name}/copy", {"local": str(folder), "path": "x"}
        )
        text = until(anna, started.url.path, "Microsoft asks to wait until <time datetime=")
        assert "Time left" in text
        anna.post(f"{started.url.path}/cancel")
        until_over(anna)


class Slow(Storages):
    """Storages with one storage, whose rclone is slow."""

    def __init__(self, storage: object) -> None:
        super().__init__()
        self._only = storage

    def __getitem__(self, name: str) -> object:  # type: ignore[override]
        return self._only


def until(person: Person, path: str, words: str) -> str:
    """The part of the page, once it contains these words."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        text = person.get(path).text
        if words in text:
            return text
    raise AssertionError(f"{words!r} never came: {text}")


def test_an_unexpected_fault_is_said_without_its_details(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_(self: Storages) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(Storages, "values", break_)
    app = page()
    answer = Person(app).get(one_time_address(app))
    assert answer.status_code == 500
    assert "An unexpected error occurred" in answer.text
    assert "inside" not in answer.text
    assert answer.headers["content-security-policy"]
    assert "inside" in caplog.text


def test_it_is_served_on_loopback_alone(home: Path) -> None:
    with served(APP) as address:
        parts = urlsplit(address)
        assert parts.hostname == "localhost"
        with build_opener(HTTPCookieProcessor()).open(address, timeout=PATIENCE) as opened:
            assert b"Connect your first OneDrive" in opened.read()
    with pytest.raises(UsageError, match="HTTPS"):
        serve(host="0.0.0.0")


def test_a_storage_that_got_another_name_does_not_ask_for_another_name(cloud: Emulator) -> None:
    """Formerly, the failure of the earlier save was still shown, and saving led nowhere."""
    with at_the_page() as anna:
        draft = ready_to_save(cloud, anna)
        connected(cloud, "business", name="Mine")  # at the terminal, for example
        anna.post(f"{draft}/save")
        until_over(anna)
        assert "already a storage" in anna.get(f"{draft}/save").text
        renamed = anna.post(f"{draft}/name", {"name": "Mine too"})
        assert renamed.url.path == f"{draft}/save"
        assert "already a storage" not in renamed.text
        assert "<button>Test connection" in renamed.text.replace(' class="main"', "")
        anna.post(f"{draft}/test")
        until_over(anna)
        anna.post(f"{draft}/save")
        until_over(anna)
    assert sorted(Storages()) == ["Mine", "Mine too"]


@pytest.mark.parametrize("let_in", [True, False])
@pytest.mark.parametrize("answer", ["", "&error=access_denied"])
def test_an_administrator_who_answered_is_not_told_to_sign_in_or_to_be_let_in(
    cloud: Emulator, let_in: bool, answer: str
) -> None:
    """Microsoft redirects from the administrator's address to the page: formerly, it said that this
    did not work, or asked a stranger for a one-time address of a terminal."""
    with at_the_page() as anna:
        browser = anna if let_in else Person(anna.app)
        page = browser.get(f"/callback?admin_consent=True&tenant=1234{answer}")
        assert page.status_code == 200
        assert "Microsoft has your answer as an administrator." in page.text
        assert "one-time address" not in page.text
        browser.client.close()


def test_who_signs_in_in_another_way_is_not_kept_by_the_one_before(cloud: Emulator) -> None:
    """The page of the code wrongly said: cancelled, and nothing is transferred twice."""
    with at_the_page() as anna:
        draft = anna.begin("Either way")
        waiting = anna.post(f"{draft}/code").url.path
        address = anna.to_microsoft(draft)
        until_over(anna)
        assert "Sign in again." in anna.get(waiting).text
        anna.get(answer_of(cloud, ANNA, address))
        assert anna.get(waiting).url.path == f"{draft}/type"


def test_another_account_at_the_consent_is_not_said_to_be_allowed_somewhere(
    cloud: Emulator,
) -> None:
    """The page has no place where it could be."""
    with at_the_page() as bert:
        draft = bert.begin("Library")
        bert.sign_in(cloud, draft, BERT)
        bert.post(f"{draft}/type", {"kind": "sharepoint"})
        refused = bert.sign_in(cloud, draft, ADMIN)
        assert refused.url.path == f"{draft}/authorize"
        assert f"Sign in as {BERT}; connect the other account as" in refused.text
