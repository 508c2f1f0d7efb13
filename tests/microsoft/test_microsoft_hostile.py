"""An impostor of Microsoft may send anything: every call ends in bounded time and memory, and with
an error of ours."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.errors import (
    AccessDenied,
    PlutonRcloneError,
    SignInError,
    TokenExpired,
    Unreachable,
    Who,
)
from pluton_rclone.microsoft import connections
from pluton_rclone.microsoft.clouds import cloud as cloud_of_region
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.device_code import begin_device_code
from pluton_rclone.microsoft.entra.sign_in import refresh
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph import delta
from pluton_rclone.microsoft.graph.drives import Site
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.graph.locations import resolve, rooted
from pluton_rclone.microsoft.http import Answer, Http, decoded

from .waitless import Clock

ME = "https://graph.microsoft.com/v1.0/me"


# ---- .netrc, reprs


def test_a_netrc_does_not_replace_the_token(
    cloud: Emulator, clock: Clock, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = home / ".netrc"
    netrc.write_text("default login planted password planted\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    token = cloud.sign_in("anna@outlook.com", "Files.Read", "User.Read")["access_token"]

    with Http(cancel=clock, now=clock.now) as http:
        answer = http.request("GET", ME, headers={"Authorization": f"Bearer {token}"})

    assert answer.status == 200  # also through the environment's proxy


def test_no_repr_of_an_answer_shows_what_it_holds() -> None:
    body = {"access_token": "planted"}
    shown = repr(Answer(200, {"location": "https://x/?tempauth=planted"}, body))

    assert "planted" not in shown
    assert "200" in shown


# ---- without end, without measure


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that answers each connection with `answer`; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as connected:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connected.callback(connection.close)
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                connection.recv(65536)
                answer(connection)
                connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def dripping(start: bytes, drop: bytes = b"a") -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        pause = threading.Event()
        while True:
            connection.sendall(drop)
            pause.wait(0.05)

    return answer


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 100000\r\n\r\n", b"a"),
    ],
    ids=["body", "body until the end", "chunks", "headers", "100 Continue", "redirect"],
)
def test_who_sends_a_byte_now_and_then_is_cut_off(
    start: bytes, drop: bytes, no_proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TOTAL_TIME", 0.5)
    with (
        server(dripping(start, drop)) as address,
        Http() as http,
        pytest.raises(Unreachable) as refusal,
    ):
        http.request("GET", address)
    assert refusal.value.details["limit"] == "its answer took longer than 0.5 s"


def test_a_proxy_that_never_ends_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TOTAL_TIME", 0.5)
    with server(dripping(b"HTTP/1.1 200 OK\r\nX-Endless: ")) as proxy, Http() as http:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(Unreachable) as refusal:
            http.request("GET", ME)
    assert "limit" in refusal.value.details


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    return b"".join([*(packer.compress(zeros) for _ in range(megabytes)), packer.flush()])


def answering(headers: bytes, body: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(
        b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (headers, len(body), body)
    )


@pytest.mark.parametrize(
    "status", [b"200 OK", b"302 Found\r\nLocation: /"], ids=["answer", "redirect"]
)
def test_a_gzip_bomb_is_not_unpacked(
    status: bytes, no_proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST", 1_000_000)
    packed = bomb(20)
    assert len(packed) < 30_000
    answer = answering(status + b"\r\nContent-Encoding: gzip", packed)
    with server(answer) as address, Http() as http, pytest.raises(Unreachable, match="larger than"):
        http.request("GET", address)


def test_a_body_without_end_is_not_kept(no_proxy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LARGEST", 1_000_000)
    endless = dripping(b"HTTP/1.1 200 OK\r\n\r\n", bytes(500_000))
    with (
        server(endless) as address,
        Http() as http,
        pytest.raises(Unreachable, match="larger than"),
    ):
        http.request("GET", address)


def test_packed_and_plain_answers_are_read(no_proxy: None) -> None:
    body = json.dumps({"name": "ä" * 5000}).encode()
    for headers, sent in (
        (b"200 OK", body),
        (b"200 OK\r\nContent-Encoding: gzip", gzip.compress(body)),
        (b"200 OK\r\nContent-Encoding: deflate", zlib.compress(body)),
    ):
        with server(answering(headers, sent)) as address, Http() as http:
            answer = http.request("GET", address)
        assert answer.json == json.loads(body)


# ---- JSON that is not what was asked for

ODD: list[Any] = [None, 5, -1, 10**400, True, "x", "", [], [5], [None], {}, {"id": 5}, [[]], 1.5]
ODD += ["https://[", {"user": 5}]
BODIES = [
    *(json.dumps(value).encode() for value in ODD),
    *(json.dumps({"value": value}).encode() for value in ODD),
    b'{"value": [{"id": 1e400, "size": 1e400}]}',
    b'{"expires_in": 1e400, "access_token": 1e400}',
    b'{"a":' * 100_000,
    b"[" * 100_000,
    b"",
    b"\xff\xfe",
    b"<html>",
]


class Hostile(Http):
    """Answers everything with one body; with a real server, hundreds of cases would take long."""

    def __init__(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(cancel=threading.Event())
        self.body, self.status, self.headers = body, status, headers or {}

    def once(self, method: str, url: str, *sent: Any, **named: Any) -> Answer:
        return Answer(self.status, self.headers, decoded(self.body))


SITE = Site("id", "name", "https://contoso.sharepoint.com", "")
APP = AppRegistration(PUBLIC_CLIENT_ID)
ASKS: dict[str, Callable[[Graph], object]] = {
    "me": lambda graph: graph.me(),
    "drives": lambda graph: graph.drives(),
    "drive": lambda graph: graph.drive("b!x"),
    "user_drive": lambda graph: graph.user_drive("x"),
    "site_drive": lambda graph: graph.site_drive(SITE),
    "sites": lambda graph: graph.sites(),
    "libraries": lambda graph: graph.libraries(SITE),
    "address": lambda graph: resolve(graph, "https://contoso.sharepoint.com/sites/a/b"),
    "share": lambda graph: resolve(graph, "https://1drv.ms/f/s!abc"),
    "feed": lambda graph: delta.read(graph, "b!x").items(),
    "shortcuts": lambda graph: graph.hidden_shortcuts("/drives/b!x/root"),
    "root folder": lambda graph: rooted(graph, "b!x", "b!x#y"),
}


def objects() -> Iterator[bytes]:
    """A drive or an item with one odd member, possibly nested."""
    good: dict[str, Any] = {
        "id": "b!x",
        "driveType": "business",
        "name": "n",
        "webUrl": "https://contoso.sharepoint.com/sites/a/b",
        "owner": {"user": {"displayName": "n"}},
        "quota": {"total": 5},
        "parentReference": {"driveId": "b!x", "id": "y", "path": "/root:/"},
        "remoteItem": {
            "id": "z",
            "name": "n",
            "folder": {},
            "webUrl": "https://contoso.sharepoint.com/sites/b",
            "parentReference": {"driveId": "b!y"},
            "shared": {"owner": {"user": {"displayName": "n"}}},
        },
        "folder": {},
        "file": {"hashes": {"quickXorHash": "aa"}},
        "size": 5,
        "fileSystemInfo": {"lastModifiedDateTime": "2026-01-01T00:00:00Z"},
        "specialFolder": {"name": "vault"},
        "package": {"type": "oneNote"},
    }
    within = [
        (member, name) for member in good if isinstance(good[member], dict) for name in good[member]
    ]
    for (member, name), odd in itertools.product([*((one, "") for one in good), *within], ODD):
        record = {**good, member: {**good[member], name: odd} if name else odd}
        yield json.dumps({**record, "value": [record], "@odata.deltaLink": "https://x"}).encode()


@pytest.mark.parametrize("ask", ASKS)
def test_graph_answers_of_any_form_are_errors_of_ours(ask: str) -> None:
    for body in [*BODIES, *objects()]:
        for status in (200, 403):
            with contextlib.suppress(PlutonRcloneError):
                ASKS[ask](
                    Graph(
                        cloud_of_region("global"),
                        Token("token", None, ALREADY_EXPIRED),
                        http=Hostile(body, status),
                    )
                )


PAGE = b"<html>Access denied by the policy of your network</html>"


def failure(http: Http, ask: str, **options: Any) -> PlutonRcloneError:
    token = Token("token", None, ALREADY_EXPIRED)
    with pytest.raises(PlutonRcloneError) as refusal:
        ASKS[ask](Graph(cloud_of_region("global"), token, http=http, **options))
    return refusal.value


@pytest.mark.parametrize("ask", ASKS)
def test_the_page_of_a_proxy_is_not_microsofts_verdict(ask: str) -> None:
    """Formerly: ask the owner, sign in again, "this account has no OneDrive", ask Microsoft."""
    renewals: list[str] = []

    def renew(refused: str) -> Token:
        renewals.append(refused)
        return Token("token", None, ALREADY_EXPIRED)

    pages = [(status, "text/html; charset=utf-8", PAGE) for status in (200, 401, 403, 404, 451)]
    for status, kind, body in (*pages, (302, "text/html", b""), (307, "", b"")):
        http = Hostile(body, status, {"content-type": kind, "server": "squid"})
        problem = failure(http, ask, renew=renew)
        assert "HTTPS_PROXY" in problem.advice
        assert "the network" in problem.what.lower()
        assert (problem.who, problem.next_step) == (Who.YOU, None)
    assert renewals == []  # a valid token needs no renewal because of this


@pytest.mark.parametrize(
    "headers", [{"request-id": "1"}, {"server": "Microsoft-HTTPAPI/2.0"}], ids=repr
)
@pytest.mark.parametrize(("status", "kind"), [(401, TokenExpired), (403, AccessDenied)])
def test_a_page_of_microsofts_own_is_read_by_its_status(
    headers: dict[str, str], status: int, kind: type[PlutonRcloneError]
) -> None:
    page = Hostile(PAGE, status, {"content-type": "text/html", **headers})
    for http in (page, Hostile(b"", status), Hostile(b"", status, {"content-type": "text/plain"})):
        assert type(failure(http, "drives")) is kind


def token_answers() -> Iterator[bytes]:
    good: dict[str, Any] = {
        "access_token": "a",
        "refresh_token": "r",
        "expires_in": 3600,
        "scope": "Files.ReadWrite",
        "id_token": "a.b.c",
        "token_type": "Bearer",
        "client_info": "abc",
        "error": "invalid_grant",
        "error_description": "AADSTS50173: x",
        "error_codes": [50173],
        "suberror": "x",
        "claims": "{}",
        "correlation_id": "x",
        "user_code": "c",
        "device_code": "d",
        "verification_uri": "https://x",
        "interval": 5,
        "message": "m",
        "authorization_endpoint": "https://x",
        "token_endpoint": "https://x",
        "issuer": "https://x",
    }
    for member, odd in itertools.product(good, [*ODD, 1e300]):
        record = {**good, member: odd}
        yield json.dumps(record).encode()
        yield json.dumps(
            {name: record[name] for name in record if not name.startswith("error")}
        ).encode()


class AfterDiscovery(Hostile):
    """Like `Hostile`, once MSAL has found the endpoints."""

    def once(self, method: str, url: str, *sent: Any, **named: Any) -> Answer:
        if method == "GET":
            root = "https://login.microsoftonline.com/common/oauth2/v2.0"
            found = {
                "authorization_endpoint": f"{root}/authorize",
                "token_endpoint": f"{root}/token",
                "device_authorization_endpoint": f"{root}/devicecode",
                "issuer": "https://login.microsoftonline.com/common/v2.0",
            }
            return Answer(200, {}, found)
        return super().once(method, url, *sent, **named)


@pytest.mark.parametrize("http", [Hostile, AfterDiscovery])
def test_sign_in_answers_of_any_form_are_errors_of_ours(
    http: type[Hostile], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Hostile] = []
    monkeypatch.setattr("pluton_rclone.microsoft.entra.client.Http", lambda: answers[-1])
    token = Token.from_rclone(
        '{"access_token":"a","refresh_token":"r","expiry":"2020-01-01T00:00:00Z"}'
    )
    for body in [*BODIES, *token_answers()]:
        for status in (200, 400):
            with contextlib.suppress(PlutonRcloneError):
                refresh(APP, token, http=http(body, status))
            with contextlib.suppress(PlutonRcloneError):
                answers.append(http(body, status))
                code = begin_device_code(APP, ["Files.Read"])
                over = threading.Event()
                over.set()
                code.wait(over, http=http(body, status))


@pytest.mark.parametrize("odd", [None, "", False])
def test_an_answer_without_an_access_token_is_none(odd: Any) -> None:
    body = json.dumps({"access_token": odd, "refresh_token": "r", "expires_in": 3600}).encode()
    token = Token("a", "r", ALREADY_EXPIRED)

    with pytest.raises(SignInError, match="refused"):
        refresh(APP, token, http=AfterDiscovery(body, 200))
