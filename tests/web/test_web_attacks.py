"""What other sites, other people and hostile names try at the page, each refused."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.web import one_time_address
from pluton_rclone.web.wizard.draft import Draft
from tests.connected import connected, emulated_drive

from .client import (
    ORIGIN,
    Person,
    answer_of,
    at_the_page,
    local_folder,
    page,
    sessions_of,
    token_in,
)
from .visitor import ANNA, BERT

SCRIPT = "<script>alert(1)</script>"
EVERY_GET = [
    "/",
    "/add",
    "/transfers",
    "/callback?state=x&code=y",
    "/?state=x&code=y",
    "/setups/x/name",
    "/setups/x/go?state=x",
    "/setups/x/location?term=x",
    "/storages/personal",
    "/storages/personal/health",
    "/storages/personal/files",
    "/storages/personal/download?path=a",
]


# ---- who may come in -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERY_GET)
def test_nothing_is_shown_without_a_session(home: Path, path: str) -> None:
    stranger = Person(page())
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "has not been let in" in answer.text


def test_the_one_time_address_lets_one_browser_in(home: Path) -> None:
    app = page()
    address = one_time_address(app)
    assert "Storages" in Person(app).get(address).text
    second = Person(app).get(address)
    assert second.status_code == 403
    assert "already used" in second.text


def test_who_only_asks_what_there_is_uses_nothing_up(cloud: Emulator) -> None:
    """Mail programs and proxies send HEAD requests to addresses that they see."""
    app = page()
    address = one_time_address(app)
    assert Person(app).client.head(address, follow_redirects=False).is_success
    anna = Person(app, address)  # that gave no one a session
    draft = anna.begin("Mine")
    answer = answer_of(cloud, ANNA, anna.to_microsoft(draft))
    assert anna.client.head(answer, follow_redirects=False).is_success
    assert anna.get(answer).url.path == f"{draft}/type"


def test_who_only_asks_what_there_is_starts_no_rclone(cloud: Emulator) -> None:
    storage = connected(cloud)
    storage.rclone.rcat(b"1", storage.at("a"))
    with at_the_page() as anna:
        before = len(cloud.requests)
        for path in ("/download?path=a", "/files", "/health"):
            answer = anna.client.head(f"/storages/{storage.remote_name}{path}")
            assert (answer.is_success, answer.content) == (True, b"")
        assert len(cloud.requests) == before
        assert anna.client.head("/static/page.css").headers["content-type"].startswith("text/css")
        assert anna.client.head("/nowhere").status_code == 404
        assert anna.client.head("/leave").status_code == 405


def test_the_cookie_is_for_the_server_alone(home: Path) -> None:
    app = page()
    answer = Person(app).get(one_time_address(app), follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # http://localhost
    secure = page(public_url="https://pluton.example")
    client = Person(secure).client
    client.base_url = "https://pluton.example"
    answer = client.get(one_time_address(secure), follow_redirects=False)
    assert "; Secure" in answer.headers["set-cookie"]


def test_a_session_that_has_ended_is_said(home: Path) -> None:
    with at_the_page() as person:
        again = page()  # the program restarted and kept nothing
        stale = Person(again)
        stale.client.cookies = person.client.cookies
        answer = stale.get("/")
    assert answer.status_code == 403
    assert "Your session here has ended" in answer.text


# ---- from where ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:80", "localhost:8123.evil.example", ""]
)
def test_a_foreign_host_is_refused(home: Path, host: str) -> None:
    """DNS rebinding: another site's name that resolves to this machine."""
    with at_the_page() as person:
        for method in ("GET", "POST"):
            answer = person.client.request(method, "/", headers={"host": host})
            assert answer.status_code == 421
            assert "Storages</h1>" not in answer.text


def test_under_this_machines_other_name_the_right_one_is_said(home: Path) -> None:
    with at_the_page() as person:
        answer = person.get("/add?x=1", headers={"host": "127.0.0.1:8123"})
        assert answer.status_code == 421
        assert f"Open it at {ORIGIN}." in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999", None])
def test_a_change_from_another_origin_is_refused(home: Path, origin: str | None) -> None:
    with at_the_page() as person:
        if origin is None:
            del person.client.headers["origin"]
        else:
            person.client.headers["origin"] = origin
        answer = person.post("/add")
        assert answer.status_code == 403
        assert "another site" in answer.text


def test_a_cross_site_request_is_refused_whatever_its_origin_says(home: Path) -> None:
    with at_the_page() as person:
        assert person.post("/add", headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("token", ["", "x" * 43])
def test_a_change_without_the_anti_forgery_token_is_refused(cloud: Emulator, token: str) -> None:
    storage = connected(cloud)
    with at_the_page() as person:
        for path in ("/add", "/leave", f"/storages/{storage.remote_name}/remove"):
            answer = person.post(path, {"anti_forgery": token})
            assert answer.status_code == 403
            assert "not from your session" in answer.text
    assert list(Storages()) == ["personal"]


def test_another_sessions_token_is_refused(home: Path) -> None:
    app = page()
    anna, bert = Person(app, one_time_address(app)), Person(app, one_time_address(app))
    assert bert.post("/add", {"anti_forgery": anna.token}).status_code == 403


def test_only_our_own_kind_of_form_is_read(home: Path) -> None:
    with at_the_page() as person:
        json = person.client.post("/add", json={"anti_forgery": person.token})
        assert json.status_code == 403
        large = person.post("/add", {"name": "x" * 70_000})
        assert large.status_code == 403
        assert "too large" in large.text


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/nothing", "/add"])
def test_every_answer_has_the_strict_headers(home: Path, path: str) -> None:
    with at_the_page() as person:
        headers = person.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


# ---- the sign-in ---------------------------------------------------------------------------------


def test_another_persons_sign_in_cannot_be_finished(cloud: Emulator) -> None:
    """Bert cannot finish what Anna began, and cannot lead Anna to finish what he began."""
    app = page()
    anna, bert = Person(app, one_time_address(app)), Person(app, one_time_address(app))
    draft = anna.begin("Mine")
    answer = answer_of(cloud, ANNA, anna.to_microsoft(draft))
    refused = bert.get(answer)
    assert refused.status_code == 403
    assert "not started in this browser" in refused.text
    assert anna.get(answer).url.path.endswith("/type")  # it still waits for her


def test_another_persons_draft_is_not_there(cloud: Emulator) -> None:
    app = page()
    anna, bert = Person(app, one_time_address(app)), Person(app, one_time_address(app))
    draft = anna.begin("Mine")
    for path in ("name", "authorize", "go?state=x", "status", "location"):
        assert bert.get(f"{draft}/{path}").status_code == 404
    for path in ("sign-in", "code", "test", "give-up"):
        assert bert.post(f"{draft}/{path}").status_code == 404


def test_an_answer_counts_once(cloud: Emulator) -> None:
    with at_the_page() as anna:
        draft = anna.begin("Once")
        answer = answer_of(cloud, ANNA, anna.to_microsoft(draft))
        assert anna.get(answer).url.path.endswith("/type")
        again = anna.get(answer)
    assert again.status_code == 400
    assert "already used" in again.text


def test_an_answer_with_a_state_of_its_own_is_refused(cloud: Emulator) -> None:
    with at_the_page() as anna:
        anna.to_microsoft(anna.begin("Forged"))
        for query in ("state=forged&code=x", "state=&code=x", "state=a&state=b&code=x"):
            assert anna.get(f"/?{query}").status_code == 403


def test_several_sign_ins_of_one_person_at_once(cloud: Emulator) -> None:
    with at_the_page() as anna:
        first, second = anna.begin("First"), anna.begin("Second")
        one, two = anna.to_microsoft(first), anna.to_microsoft(second)
        assert anna.get(answer_of(cloud, BERT, two)).url.path == f"{second}/type"
        assert anna.get(answer_of(cloud, ANNA, one)).url.path == f"{first}/type"
        assert "Anna Berg" in anna.get(f"{first}/type").text
        assert "Bert Jansen" in anna.get(f"{second}/type").text


def test_what_microsoft_refuses_is_told_as_it_is(cloud: Emulator) -> None:
    with at_the_page() as anna:
        answer = anna.sign_in(cloud, anna.begin("Declined"), ANNA, accept=False)
    assert answer.url.path.endswith("/authorize")
    assert 'role="alert"' in answer.text
    assert "You" in answer.text.partition("Who can fix it")[2]
    assert "Next step" in answer.text


# ---- secrets -------------------------------------------------------------------------------------


def test_no_page_holds_a_secret(cloud: Emulator) -> None:
    storage = connected(cloud, link_password="pass-word-of-links")
    section = storage.section_with_secrets()
    hidden = [section["link_password"], *re.findall(r'_token":\s*"([^"]+)"', section["token"])]
    assert len(hidden) == 3
    with at_the_page() as anna:
        draft = anna.begin("Other")
        anna.sign_in(cloud, draft, ANNA)
        ((kept,),) = [one.drafts.values() for one in sessions_of(anna)]
        assert isinstance(kept, Draft)
        token = kept.setup.record_with_secrets()["token"]
        hidden += [token["access_token"], token["refresh_token"]]
        assert len(hidden) == 5
        for path in ("", "/health", "/files", "/edit", "/remove", "/copy", "/restore"):
            text = anna.get(f"/storages/{storage.remote_name}{path}").text
            assert [secret for secret in hidden if secret in text] == [], path
        for path in ("name", "authorize", "type", "options", "save", "status"):
            text = anna.get(f"{draft}/{path}").text
            assert [secret for secret in hidden if secret in text] == [], path


# ---- hostile names -------------------------------------------------------------------------------


def test_a_script_in_a_storages_name_is_text(cloud: Emulator) -> None:
    name = f'{SCRIPT}"><img src=x onerror=alert(1)>'
    storage = connected(cloud, name=name)
    with at_the_page() as anna:
        draft = anna.begin(name + " 2")
        pages = [
            "/",
            f"{draft}/name",
            *(f"/storages/{storage.remote_name}{part}" for part in PARTS),
        ]
        for path in pages:
            text = anna.get(path).text
            assert "&lt;script&gt;" in text, path
            assert SCRIPT not in text, path
            assert "<img src=x" not in text, path


PARTS = ("", "/files", "/edit", "/remove", "/copy")


def test_a_script_in_a_site_a_library_or_an_error_of_microsoft_is_text(cloud: Emulator) -> None:
    site = cloud.files.add_site(cloud.world.person(BERT).tenant, SCRIPT, path="/sites/hostile")
    cloud.files.add_library(site, f"Library {SCRIPT}", path="Hostile")
    with at_the_page() as bert:
        draft = bert.begin("Hostile")
        bert.sign_in(cloud, draft, BERT)
        bert.post(f"{draft}/type", {"kind": "sharepoint"})
        bert.sign_in(cloud, draft, BERT)
        sites = bert.get(f"{draft}/location").text
        assert "&lt;script&gt;" in sites
        assert SCRIPT not in sites
        libraries = bert.get(f"{draft}/location", params={"site": site.id}).text
        assert "Library &lt;script&gt;" in libraries
        assert SCRIPT not in libraries
        flow = bert.to_microsoft(bert.begin("Error"))
        state = re.search(r"[?&]state=([^&]+)", flow)
        assert state is not None
        error = {"state": state[1], "error": "access_denied", "error_description": SCRIPT}
        refused = bert.get("/", params=error).text
        assert SCRIPT not in refused
        assert 'role="alert"' in refused


def test_a_script_in_a_file_name_is_text_and_its_content_a_download(cloud: Emulator) -> None:
    storage = connected(cloud)
    name = "<img src=x onerror=alert(1)>'\"&.html"
    storage.rclone.rcat(SCRIPT.encode(), storage.at(name))
    with at_the_page() as anna:
        listing = anna.get(f"/storages/{storage.remote_name}/files").text
        assert "&lt;img src=x onerror=alert(1)&gt;" in listing
        assert "<img src=x" not in listing
        download = anna.get(f"/storages/{storage.remote_name}/download", params={"path": name})
    assert download.content == SCRIPT.encode()
    assert download.headers["content-type"] == "application/octet-stream"
    assert download.headers["content-disposition"].startswith("attachment;")
    assert download.headers["content-security-policy"] == "sandbox"


# ---- paths ---------------------------------------------------------------------------------------


TRICKS = (
    "..",
    "../..",
    "a/../../b",
    "/..",
    "//../..",
    "nothing",
    "/etc/passwd",
    "\0",
    ":local:/etc/passwd",
    "x:y",
)


def test_tricks_in_a_path_of_the_storage_lead_nowhere(cloud: Emulator) -> None:
    storage = connected(cloud, base_folder="inside")
    emulated_drive(cloud, "personal").write("outside.txt", b"secret")
    with at_the_page() as anna:
        for path, part in itertools.product(TRICKS, ("files", "download")):
            answer = anna.get(f"/storages/{storage.remote_name}/{part}", params={"path": path})
            assert answer.status_code in (400, 404), (part, path)
            assert "root:x:" not in answer.text
            assert "secret" not in answer.text


LOCAL_TRICKS = ("/etc", "../..", "relative", "", "/", "{open}/../home", "{open}/link", "a\0b")


def test_tricks_in_a_local_path_are_refused(cloud: Emulator, tmp_path: Path) -> None:
    storage = connected(cloud)
    folder = local_folder(tmp_path)
    (folder / "link").symlink_to("/etc")
    with at_the_page(local_folders=[folder]) as anna:
        for local, kind in itertools.product(LOCAL_TRICKS, ("copy", "restore")):
            form = {"local": local.format(open=folder), "path": "x"}
            answer = anna.post(f"/storages/{storage.remote_name}/{kind}", form)
            assert answer.status_code == 422, (local, kind)
            assert 'role="alert"' in answer.text
        assert "Nothing has been transferred" in anna.get("/transfers").text


def test_a_remote_that_is_no_onedrive_is_not_shown(home: Path) -> None:
    Storages().conf.add("disk", {"type": "alias", "remote": "/etc"})
    with at_the_page() as anna:
        assert anna.get("/storages/disk/files").status_code == 404
        assert token_in(anna.get("/").text) == anna.token
