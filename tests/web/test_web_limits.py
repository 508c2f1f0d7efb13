"""What one person or one connection may cost the others: nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from pluton_rclone import Storage, Storages, StorageSetup
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import Cancelled, UsageError
from pluton_rclone.process.folders import runtime_folder
from pluton_rclone.web import one_time_address, serving
from pluton_rclone.web.plumbing import guard, jobs, sessions
from pluton_rclone.web.plumbing.context import AT_MICROSOFT
from pluton_rclone.web.plumbing.jobs import Jobs, Steps, Waiting, Work
from tests.connected import connected, connected_as_app

from .attackers import ServedPage, attacked, eventually, rclones, rest
from .client import APP, PATIENCE, Person, page, sessions_of, token_in
from .server import served


def by_header(request: Request) -> str | None:
    return request.headers.get("x-person")


def somebody(app: object, name: str) -> Person:
    person = Person(app)  # type: ignore[arg-type]
    person.client.headers["x-person"] = name
    person.token = token_in(person.get("/").text)
    return person


# ---- sessions and cookies ------------------------------------------------------------------------


def test_a_flood_without_cookies_ends_nobodys_draft(home: Path) -> None:
    """Neither another person's nor one's own."""
    app = page(identify=by_header)
    anna, bert = somebody(app, "anna"), somebody(app, "bert")
    drafts = [(person, person.begin(name)) for person, name in ((anna, "Hers"), (bert, "His"))]
    for _ in range(220):
        bert.client.cookies.clear()
        assert bert.get("/add").status_code == 200
    assert anna.get(drafts[0][1] + "/authorize").status_code == 200
    kept = sessions_of(anna)
    assert sorted(str(one.person) for one in kept if one.drafts) == ["anna", "bert"]
    assert sum(one.person == "bert" for one in kept) <= sessions.MAX_OF_PERSON


def test_a_flood_of_addresses_for_others_is_bounded(home: Path) -> None:
    app = page()
    anna = Person(app, one_time_address(app))
    shown = [anna.post("/addresses").text for _ in range(sessions.MAX_ADDRESSES + 20)]
    secrets = [found[1] for text in shown if (found := re.search(r"/open/([\w-]+)", text))]
    let_in = [app.state.page.sessions.redeem(secret) is not None for secret in secrets]
    assert let_in == [False] * 20 + [True] * sessions.MAX_ADDRESSES


@pytest.mark.parametrize("mounted", ["", "/onedrive"])
def test_no_other_host_of_the_domain_can_set_the_cookie(home: Path, mounted: str) -> None:
    secure = page(public_url="https://pluton.example:8443" + mounted)
    client = Person(Starlette(routes=[Mount(mounted, secure)])).client
    client.base_url = "https://pluton.example:8443"
    answer = client.get(one_time_address(secure), follow_redirects=False)
    name, _, rest_ = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-pluton_onedrive_8443"
    assert "; Path=/;" in rest_
    assert "; Secure" in rest_
    assert "Domain" not in rest_


def test_one_persons_requests_do_not_hold_up_anothers(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)

    def values(self: Storages) -> list[object]:
        begun.release()
        assert release.wait(PATIENCE)
        return []

    app = page(identify=by_header)
    anna, bert, stranger = somebody(app, "anna"), somebody(app, "bert"), Person(app)
    monkeypatch.setattr(Storages, "values", values)
    waits: list[float] = []

    async def waited(seconds: float) -> None:
        waits.append(seconds)
        while not release.is_set():
            await anyio.sleep(0.01)

    def all_begun_wait() -> bool:
        return len(waits) == sum(thread.ident is not None for thread in more)

    monkeypatch.setattr(guard, "sleep", waited)
    many = [threading.Thread(target=bert.get, args=("/",)) for _ in range(guard.AT_ONCE)]
    said: list[str] = []
    more = [
        threading.Thread(target=lambda: said.append(bert.get("/add").text))
        for _ in range(guard.AT_ONCE + 1)
    ]
    try:
        for thread in many:
            thread.start()
            assert begun.acquire(timeout=PATIENCE)
        for thread in more:  # one by one: the page has one thread, here each request has its own
            thread.start()
            eventually(all_begun_wait, "it does not wait")
        assert sorted(waits) == [guard.PAUSE] * guard.AT_ONCE + [2 * guard.PAUSE]
        assert anna.get("/add").status_code == 200
        assert stranger.get("/add").status_code == 403  # nor does a stranger wait
    finally:
        release.set()
        for thread in (*many, *more):
            if thread.ident is not None:
                thread.join(PATIENCE)
    assert len(said) == len(waits) == len(more)
    assert all("Too many requests." in text for text in said)
    assert bert.get("/add").status_code == 200


@pytest.mark.parametrize("what", ["files", "reauthorize"])
def test_people_who_wait_for_microsoft_do_not_hold_up_the_pages_of_others(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """More of them than there are threads for handlers. An application signs in by itself."""
    release, begun = threading.Event(), threading.Semaphore(0)

    def waits(*_: object, **options: object) -> list[object]:
        begun.release()
        assert release.wait(PATIENCE)
        return []

    monkeypatch.setattr(Storage, "list", waits)
    monkeypatch.setattr(StorageSetup, "sign_in_as_app", waits)
    at = f"/storages/{connected_as_app(cloud).remote_name}/{what}"
    with served(APP) as address:
        anna = ServedPage.opened(os.getpid(), address)
        others = [anna.another() for _ in range(1 + AT_MICROSOFT // guard.AT_ONCE)]
        threads = [
            threading.Thread(target=other.get if what == "files" else other.post, args=(at,))
            for other in others
            for _ in range(guard.AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(AT_MICROSOFT):
                assert begun.acquire(timeout=PATIENCE)
            assert "Add storage" in anna.get("/add")
        finally:
            release.set()
            for thread in threads:
                thread.join(PATIENCE)


# ---- jobs ----------------------------------------------------------------------------------------


class Held:
    """Work that lasts until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.running: list[str] = []

    def __call__(self, work: Work) -> None:
        self.running.append(work.title)
        assert self.release.wait(PATIENCE)


@pytest.fixture
def held() -> Iterator[Held]:
    one = Held()
    yield one
    one.release.set()


def test_a_few_jobs_run_the_others_wait_and_whoever_has_least_is_next(held: Held) -> None:
    many, running, ends = Jobs(), list[str](), threading.Semaphore(0)

    def one_by_one(work: Work) -> None:
        running.append(work.title)
        assert ends.acquire(timeout=PATIENCE)

    berts = [Steps("test", f"bert {number}", owner="bert") for number in range(10)]
    work = [*berts, Steps("test", "anna", owner="anna")]
    for one in work:
        many.start(one, one_by_one)
    many.start(Waiting("code", "another kind", owner="bert"), held)
    eventually(lambda: held.running == ["another kind"], "another kind waits, too")
    eventually(lambda: len(running) == Steps.at_once, "not as many as may run")
    assert "anna" not in running
    assert not any(one.over for one in work)
    ends.release()
    eventually(lambda: len(running) > Steps.at_once, "nobody was next")
    assert running[-1] == "anna"
    ends.release(len(work))
    eventually(lambda: all(one.over for one in work), "not all had their turn")
    assert len(running) == len(work)


def test_what_waits_can_be_cancelled_and_there_is_an_end_to_waiting(held: Held) -> None:
    many = Jobs()
    work = [many.start(Steps("test", str(n), owner="bert"), held) for n in range(jobs.UNFINISHED)]
    with pytest.raises(UsageError, match="Too much"):
        many.start(Steps("test", "one more", owner="bert"), held)
    many.start(Steps("test", "hers", owner="anna"), held)
    many.cancel(work[-1])
    assert work[-1].over
    assert isinstance(work[-1].error, Cancelled)
    many.start(Steps("test", "one more", owner="bert"), held)
    held.release.set()
    eventually(lambda: "one more" in held.running, "it never had its turn")
    assert work[-1].title not in held.running


def test_what_one_person_has_done_is_not_forgotten_for_anothers(held: Held) -> None:
    held.release.set()
    many = Jobs()
    hers = many.start(Steps("test", "hers", owner="anna"), held)
    for number in range(3 * jobs.KEPT):
        work = many.start(Steps("test", str(number), owner="bert"), held)
        eventually(lambda work=work: work.over, "it did not end")  # type: ignore[misc]
    assert many.find(Steps, hers.id, "anna") is hers
    assert len(many.all(Steps, "anna") + many.all(Steps, "bert")) <= jobs.KEPT + 2


def test_what_is_just_over_may_be_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job begins at the very moment at which one ends."""
    monkeypatch.setattr(jobs, "KEPT", 1)
    many, gate, next_ones = Jobs(), threading.Event(), list[Steps]()

    class Followed(Steps):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "over" and value:
                next_ones.append(many.start(Steps("test", "next", owner="anna"), lambda _: None))

    first = many.start(Followed("test", "first", owner="anna"), lambda _: gate.wait(PATIENCE))
    second = many.start(Steps("test", "second", owner="anna"), lambda _: None)
    eventually(lambda: second.over, "it did not end")
    gate.set()
    assert many.wait(PATIENCE)
    assert many.find(Steps, first.id, "anna") is None  # the newer one is kept
    assert [work.over for work in next_ones] == [True]


# ---- connections ---------------------------------------------------------------------------------


@pytest.fixture
def port(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a page with shorter limits than usual."""
    monkeypatch.setattr(serving, "REQUEST", 0.5)
    monkeypatch.setattr(serving, "MOST", 10)
    with served(APP) as address:
        found = urlsplit(address).port
        assert found is not None
        yield found


def opened(port: int, text: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(text.replace("@", f"Host: localhost:{port}\r\n").encode())
    return connection


HALF = {
    "nothing": "",
    "half a line": "GET / HT",
    "half a head": "GET /add HTTP/1.1\r\n@X-Slow: ",
    "half a form": "POST /add HTTP/1.1\r\n@Origin: http://localhost:#\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na=",
    "an unread body": "GET /add HTTP/1.1\r\n@Content-Length: 1000\r\n\r\na",
    "half a second request": "GET /add HTTP/1.1\r\n@\r\nGET /add HT",
}


@pytest.mark.parametrize("kind", HALF)
def test_a_request_that_does_not_come_is_not_waited_for(port: int, kind: str) -> None:
    with opened(port, HALF[kind].replace("#", str(port))) as connection:
        rest(connection)  # until the page closes it


def test_a_request_that_comes_byte_by_byte_is_not_waited_for(port: int) -> None:
    def dribble(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x")
            threading.Event().wait(0.05)

    with opened(port, "GET / HTTP/1.1\r\n@X-Slow: ") as connection, pytest.raises(ConnectionError):
        dribble(connection)


def test_headers_without_end_are_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST", 2 * PATIENCE)  # it ends for no other reason
    with opened(port, "GET / HTTP/1.1\r\n@") as connection:
        try:
            for number in range(10_000):
                connection.sendall(f"X-{number}: {'x' * 100}\r\n".encode())
        except ConnectionError:
            return
        assert b" 400 " in rest(connection)


def test_more_connections_than_there_may_be_push_out_the_oldest_that_waits(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "REQUEST", 2 * PATIENCE)  # none ends for another reason
    with ExitStack() as stack:
        idle = [stack.enter_context(opened(port)) for _ in range(40)]
        with opened(port, "GET /add HTTP/1.1\r\n@Connection: close\r\n\r\n") as connection:
            assert b" 403 " in rest(connection)
        for one in idle[: 40 + 1 - serving.MOST]:
            rest(one)


@contextmanager
def let_in() -> Iterator[tuple[int, str]]:
    """A page in this process: its port, and the cookie of a person with a session."""
    jar = CookieJar()
    with served(APP) as address:
        build_opener(ProxyHandler({}), HTTPCookieProcessor(jar)).open(
            address, timeout=PATIENCE
        ).close()
        found = urlsplit(address).port
        assert found is not None
        yield found, "; ".join(f"{one.name}={one.value}" for one in jar)


@pytest.mark.parametrize("leaves", [True, False])
def test_an_abandoned_download_ends_its_rclone(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    """For a reader who disconnects, and for one who only stops reading."""
    storage = connected(cloud)
    storage.rclone.rcat(os.urandom(12_000_000), storage.at("large"))
    with let_in() as (port, cookie):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        with connection:
            path = f"/storages/{storage.remote_name}/download?path=large"
            asked = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n"
            connection.sendall(asked.encode())
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            assert rclones(os.getpid()) == 1
            if leaves:
                connection.close()
            else:
                monkeypatch.setattr(serving, "READER", 0.1)  # from its next wait on
                with suppress(ConnectionError):
                    for _ in range(1500):
                        connection.recv(4096)
            eventually(lambda: rclones(os.getpid()) == 0, "its rclone goes on")


# ---- the end of the page -------------------------------------------------------------------------

MOUNTED = """
import os
import threading
from pluton_rclone.web.plumbing import jobs
from pluton_rclone.web.plumbing.jobs import Jobs, Work

begun, many = threading.Semaphore(0), Jobs()
jobs.GRACE = 120.0  # as long as they take

def run(work):
    begun.release()
    work.stop.wait()
    os.write(1, b"ended ")

for number in range(2 * Work.at_once):
    many.start(Work("copy", str(number)), run)
for _ in range(Work.at_once):
    begun.acquire()
"""


def test_a_page_that_nobody_closes_ends_what_runs_with_the_program(home: Path) -> None:
    """As with a mounted page whose application ends without notice."""
    done = subprocess.run([sys.executable, "-c", MOUNTED], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["ended"] * Work.at_once, "")


def test_the_page_ends_what_runs_also_when_no_thread_starts_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From Python 3.12 on, at the end of the program."""
    monkeypatch.setattr(jobs, "GRACE", PATIENCE)
    many = Jobs()
    work = [
        many.start(Work("test", str(number)), lambda one: one.stop.wait(PATIENCE))
        for number in range(2 * Work.at_once)
    ]

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refused)
    many.close()
    assert [one.over for one in work] == [True] * len(work)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130)])
def test_the_end_of_the_page_brings_the_tokens_home(
    cloud: Emulator, tmp_path: Path, number: int, code: int
) -> None:
    """A copy has renewed the token: after the page has ended, rclone.conf has it, and nothing is
    left behind."""
    storage = connected(cloud, seconds=1)
    before = storage.section_with_secrets()["token"]
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(8_000_000))
    already = set(runtime_folder().iterdir())
    with attacked("--folder", str(folder), RCLONE_BWLIMIT="50k") as served_page:
        at = served_page.post(f"/storages/{storage.remote_name}/copy", local=str(folder), path="x")
        eventually(lambda: "large" in served_page.get(at), "the copy did not begin")
        assert served_page.rclones == 1
        ended = served_page.stop(number)
        assert rclones(served_page.process.pid) == 0
    assert ended == code
    assert storage.section_with_secrets()["token"] != before
    assert storage.check_health().ok
    assert set(runtime_folder().iterdir()) - already == set()


def test_what_no_thread_can_be_had_for_says_so_and_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a container that has temporarily reached its thread limit."""
    some = Jobs()

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refused)
        failed = [some.start(Work("copy", str(n)), lambda _: None) for n in range(Work.at_once)]
    later = some.start(Work("copy", "later"), lambda _: None)
    assert some.wait(PATIENCE)
    assert [str(one.error) for one in failed if one.over] == [
        "It could not start. (can't start new thread)"
    ] * Work.at_once
    assert (later.over, later.error) == (True, None)
    some.close()
