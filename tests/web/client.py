"""The page without a browser: Starlette's client as a person with a session, and Microsoft's pages
answered over HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pluton_rclone import AppRegistration, Storages
from pluton_rclone.emulator import PUBLIC_CLIENT_ID
from pluton_rclone.web import create_app, one_time_address
from pluton_rclone.web.plumbing.sessions import Session, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator import Emulator

PATIENCE = 120.0  # seconds for what runs in the background
ORIGIN = "http://localhost:8123"
APP = AppRegistration(PUBLIC_CLIENT_ID)


def page(**options: Any) -> Starlette:
    """The application under test."""
    return create_app(Storages(), **{"public_url": ORIGIN, "app": APP, **options})


class Person:
    """A person at the page, with their own cookie jar."""

    def __init__(self, app: Starlette, address: str | None = None) -> None:
        self.app = app
        self.client = TestClient(
            app, base_url=ORIGIN, headers={"origin": ORIGIN}, raise_server_exceptions=False
        )
        self.token = ""
        if address is not None:
            self.token = token_in(self.get(address).text)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.client.get(path, **options)

    def post(self, path: str, data: Mapping[str, str] = {}, **options: Any) -> httpx2.Response:
        return self.client.post(path, data={"anti_forgery": self.token, **data}, **options)

    # ---- the walk --------------------------------------------------------------------------------

    def begin(self, name: str) -> str:
        """Steps 1 and 2: the draft's address."""
        at = str(self.post("/add").url)
        assert self.post(at, {"name": name}).url.path.endswith("/authorize")
        return urlsplit(at).path.removesuffix("/name")

    def to_microsoft(self, draft: str, **form: str) -> str:
        """Step 3 up to the address at Microsoft."""
        answer = self.post(f"{draft}/sign-in", {"window": "no", "blocked": "no", **form})
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
        assert found, answer.text
        return html.unescape(found[1])

    def sign_in(
        self, cloud: Emulator, draft: str, username: str, *, accept: bool = True, **form: str
    ) -> httpx2.Response:
        """All of step 3, including Microsoft's answer, which is opened here."""
        address = self.to_microsoft(draft, **form)
        return self.get(answer_of(cloud, username, address, accept=accept))


@contextmanager
def at_the_page(**options: Any) -> Iterator[Person]:
    """A person with a session."""
    app = page(**options)
    person = Person(app, one_time_address(app) if not options.get("identify") else "/")
    try:
        yield person
    finally:
        app.state.page.jobs.close()
        person.client.close()


def answer_of(cloud: Emulator, username: str, address: str, *, accept: bool = True) -> str:
    """The address to which Microsoft redirects the person, with code and state."""
    visited: list[str] = []
    person = cloud.person(username)
    opened = person.browser.open

    def watch(url: str, form: Mapping[str, str] | None = None) -> Any:
        if url.startswith(ORIGIN):
            visited.append(url)
            raise URLError("the page is not served here")
        return opened(url, form)

    person.browser.open = watch  # type: ignore[method-assign, assignment]
    with suppress(URLError):
        person.visit(address, accept=accept)
    assert visited, "Microsoft did not send the person back"
    return visited[0]


def until_over(person: Person) -> None:
    """Wait until no background job runs any more."""
    assert person.app.state.page.jobs.wait(PATIENCE)


def ready_to_save(cloud: Emulator, anna: Person) -> str:
    """The address of a draft that has passed the test."""
    draft = anna.begin("Mine")
    anna.sign_in(cloud, draft, "anna@outlook.com")
    anna.post(f"{draft}/type", {"kind": "personal"})
    anna.post(f"{draft}/options")
    anna.post(f"{draft}/test")
    until_over(anna)
    return draft


def token_in(text: str) -> str:
    """The anti-forgery token of a page."""
    found = re.search(r'name="anti_forgery" value="([^"]+)"', text)
    return found[1] if found else ""


def sessions_of(person: Person) -> list[Session]:
    """The sessions of the page that this person is at."""
    found: Sessions = person.app.state.page.sessions
    return list(found._sessions.values())


def local_folder(tmp_path: Path) -> Path:
    """A folder with a file that the page may use in these tests."""
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha")
    return folder
