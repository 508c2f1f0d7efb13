"""Pages outdated by something else: another tab, another page of the host, the command line."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.web import one_time_address
from tests.connected import connected
from tests.gates import Gate

from .client import (
    PATIENCE,
    Person,
    answer_of,
    at_the_page,
    local_folder,
    page,
    ready_to_save,
    token_in,
    until_over,
)
from .test_web_page import posted_by_a_browser
from .test_web_people import by_header
from .visitor import ANNA, BERT


@pytest.mark.parametrize("identify", [None, by_header])
def test_two_pages_behind_one_host_keep_what_is_begun_on_each(home: Path, identify: Any) -> None:
    """`__Host-` cookies ignore paths: both pages have their sessions in one cookie."""
    host, paths = "https://pluton.example", ["/archive", "/team"]
    pages = [page(public_url=host + path, identify=identify) for path in paths]
    mounts = [Mount(path, one) for path, one in zip(paths, pages, strict=True)]
    anna = Person(Starlette(routes=mounts))
    anna.client.base_url = host
    anna.client.headers.update({"origin": host, "x-person": "anna"})
    tokens = []
    for path, one in zip(paths, pages, strict=True):
        let_in = anna.get(f"{path}/" if identify else one_time_address(one))
        tokens.append(token_in(let_in.text))

    drafts = []
    for path, anna.token in zip(paths, tokens, strict=True):
        added = anna.post(f"{path}/add")
        assert added.status_code == 200, added.text
        drafts.append(added.url.path)

    assert [anna.get(draft).status_code for draft in drafts] == [200, 200]
    anna.token = tokens[0]
    assert "You have left" in anna.post("/archive/leave").text
    assert anna.get(drafts[0]).status_code != 200
    assert anna.get(drafts[1]).status_code == 200


def test_a_second_sign_in_of_a_tab_says_that_it_is_over(cloud: Emulator) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Twice")
        one, two = anna.to_microsoft(draft), anna.to_microsoft(draft)
        assert anna.get(answer_of(cloud, ANNA, one)).url.path == f"{draft}/type"
        late = anna.get(answer_of(cloud, BERT, two))
        assert "Anna Berg" in anna.get(f"{draft}/type").text
    assert late.status_code == 403
    assert "was not started in this browser, or is over." in late.text


@pytest.mark.parametrize("way", ["sign-in", "code"])
def test_a_sign_in_of_another_tab_ends_when_the_storage_is_saved(cloud: Emulator, way: str) -> None:
    """Formerly, it went on, and led to the storage of the first account as if it were its own."""
    with at_the_page() as anna:
        draft = ready_to_save(cloud, anna)
        late = anna.to_microsoft(draft) if way == "sign-in" else ""
        if way == "code":
            anna.post(f"{draft}/code")
        anna.post(f"{draft}/save")
        until_over(anna)
        assert anna.get(f"{draft}/save").url.path == "/storages/mine"
        if late:
            answer = anna.get(answer_of(cloud, BERT, late))
            assert (answer.status_code, "or is over." in answer.text) == (403, True)


def test_a_look_at_another_sites_libraries_does_not_rename_the_chosen_one(cloud: Emulator) -> None:
    """Formerly, the last step named the site looked at last, with the library of another."""
    tenant = cloud.world.person(BERT).tenant
    names = ("Alpha", "Beta")
    sites = [cloud.files.add_site(tenant, name, path=f"/sites/{name}") for name in names]
    with at_the_page() as bert:
        draft = bert.begin("Library")
        bert.sign_in(cloud, draft, BERT)
        bert.post(f"{draft}/type", {"kind": "sharepoint"})
        bert.sign_in(cloud, draft, BERT)
        bert.get(f"{draft}/location")
        bert.get(f"{draft}/location", params={"site": sites[0].id})
        bert.post(f"{draft}/location", {"drive": sites[0].libraries[0].id})
        bert.get(f"{draft}/location", params={"site": sites[1].id})
        bert.post(f"{draft}/options")
        shown = bert.get(f"{draft}/save").text
    assert "<dd>Alpha · Documents</dd>" in shown


def test_a_name_that_is_taken_while_a_form_is_tested_changes_nothing(cloud: Emulator) -> None:
    storage, other = connected(cloud, name="Before"), connected(cloud, "business", name="Other")
    at, answers = f"/storages/{storage.remote_name}/edit", list[Any]()
    with at_the_page() as anna:
        form = {**posted_by_a_browser(anna.get(at).text), "name": "After", "chunk_size": "20Mi"}
        probe = Gate(cloud, "^PUT ")
        pressed = threading.Thread(target=lambda: answers.append(anna.post(at, form)))
        pressed.start()
        probe.wait()
        other.rename("After")
        probe.open()
        pressed.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [422]
    assert "There is already a storage called" in answers[0].text
    assert (storage.name, str(storage.remote.chunk_size)) == ("Before", "10Mi")


@pytest.mark.parametrize("what", ["remove", "copy", "restore", "test", "repair", "reauthorize"])
def test_a_form_of_a_storage_that_is_gone_does_nothing_to_one_that_took_its_name(
    cloud: Emulator, tmp_path: Path, what: str
) -> None:
    storage, folder = connected(cloud, name="team"), local_folder(tmp_path)
    if what == "repair":
        storage.storages.conf.update("team", {"drive_id": None})
    with at_the_page(local_folders=[folder]) as anna:
        own_page = what in ("remove", "copy", "restore")
        shown = anna.get("/storages/team" + f"/{what}" * own_page).text
        form = posted_by_a_browser(shown)
        Storages()["team"].remove()
        other = connected(cloud, "business", name="team")
        before = other.section_with_secrets()
        late = anna.post(f"/storages/team/{what}", {**form, "local": str(folder)})
    assert late.status_code == 404
    assert "Nothing was done" in late.text
    assert other.section_with_secrets() == before
    assert other.list() == []


def test_a_form_goes_on_where_a_repair_has_spelled_the_drive_anew(cloud: Emulator) -> None:
    storage = connected(cloud, name="team")
    spelled = storage.record()["drive_id"].upper()
    storage.storages.conf.update("team", {"drive_id": spelled, "encoding": "None,Slash"})
    with at_the_page() as anna:
        form = posted_by_a_browser(anna.get("/storages/team/remove").text)
        storage.repair()
        assert storage.record()["drive_id"] != spelled
        assert anna.post("/storages/team/remove", form).status_code == 200
    assert "team" not in Storages()


def test_the_health_of_a_storage_is_not_shown_for_one_that_took_its_name(cloud: Emulator) -> None:
    connected(cloud, name="team")
    with at_the_page() as anna:
        assert "of 5 GiB used" in anna.get("/storages/team/health").text.replace("\u00a0", " ")
        Storages()["team"].remove()
        connected(cloud, "business", name="team")
        assert "of 1 TiB used" in anna.get("/storages/team/health").text.replace("\u00a0", " ")


def test_a_storage_that_was_signed_in_to_at_the_terminal_works_on_the_page_at_once(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, name="team")
    token = storage.section_with_secrets()["token"]
    storage.storages.conf.update("team", {"token": None})
    with at_the_page() as anna:
        assert "Does not work" in anna.get("/storages/team/health").text
        storage.storages.conf.update("team", {"token": token})
        assert "Works" in anna.get("/storages/team/health").text
