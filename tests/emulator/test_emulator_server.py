"""The emulator as clients see it: three variables, real host names, and no way out."""

from __future__ import annotations

import gc
import http.server
import logging
import os
import socket
import ssl
import struct
import threading
import warnings
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pytest
import requests

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.faults import ConnectionCut
from pluton_rclone.emulator.hosts import CLOUDS, certificate_names, place
from tests.gates import Gate
from tests.process.test_process import settles
from tests.serving import serving

HOSTS = [name.replace("*", "contoso") for name in certificate_names()]


def test_a_client_gets_exactly_three_variables(cloud: Emulator) -> None:
    assert sorted(cloud.environment) == ["HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]
    assert cloud.environment["HTTPS_PROXY"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_name_answers_with_a_certificate_that_the_ca_vouches_for(
    cloud: Emulator, host: str
) -> None:
    requests.get(f"https://{host}/")  # raises if TLS or the proxy refuses
    assert [request.host for request in cloud.requests] == [host]
    assert place(host) is not None


def test_personal_sites_of_every_cloud_are_served(cloud: Emulator) -> None:
    for hosts in CLOUDS.values():
        requests.get(f"https://contoso-my.{hosts.sharepoint}/")
    assert len(cloud.requests) == len(CLOUDS)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/",
        "https://login.microsoftonline.com.example.org/",
        "https://graph.microsoft.com:444/",
    ],
)
def test_nothing_reaches_out(cloud: Emulator, address: str) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get(address)
    assert len(cloud.refused_hosts) == 1
    assert cloud.requests == []


def test_a_plain_proxy_request_is_told_what_to_set(cloud: Emulator) -> None:
    answer = requests.get("http://graph.microsoft.com/", proxies={"http": cloud.proxy_url})
    assert answer.status_code == 405
    assert "HTTPS_PROXY" in answer.text


def test_a_client_that_does_not_know_the_ca_gets_no_answer(cloud: Emulator) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get("https://graph.microsoft.com/", verify=certifi.where())
    assert cloud.requests == []


def test_a_host_header_of_another_server_is_refused(cloud: Emulator) -> None:
    answer = requests.get("https://graph.microsoft.com/", headers={"Host": "example.com"})
    assert answer.status_code == 421


def test_the_log_knows_a_request_before_its_answer_arrives_and_holds_no_secret(
    cloud: Emulator,
) -> None:
    requests.get(
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        params={"client_id": "x", "code": "s3cret", "tempauth": "s3cret2"},
        headers={"User-Agent": "somebody/1.0", "Authorization": "Bearer s3cret3"},
    )
    (request,) = cloud.requests
    assert (request.method, request.host, request.status) == (
        "GET",
        "login.microsoftonline.com",
        400,
    )
    assert request.path == "/common/oauth2/v2.0/authorize"
    assert request.user_agent == "somebody/1.0"
    assert "client_id=x" in request.query
    assert "s3cret" not in repr(request)


def test_two_emulators_are_two_worlds(cloud: Emulator) -> None:
    with Emulator() as other:
        requests.get(
            "https://graph.microsoft.com/",
            proxies={"https": other.proxy_url},
            verify=str(other.ca_file),
        )
        assert len(other.requests) == 1
    assert cloud.requests == []


def test_closing_leaves_nothing_behind_and_may_be_repeated() -> None:
    before = set(threading.enumerate())
    emulator = Emulator().start()
    folder = emulator.ca_file.parent
    session = requests.Session()
    session.get(
        "https://graph.microsoft.com/",
        proxies={"https": emulator.proxy_url},
        verify=str(emulator.ca_file),
    )
    emulator.close()
    emulator.close()
    session.close()
    assert set(threading.enumerate()) <= before
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.environment


RESET = struct.pack("ii", 1, 0)


def reset_after(emulator: Emulator, sent: bytes) -> None:
    """A client that sends a request and resets the connection once there is an answer."""
    address = urlsplit(emulator.proxy_url)
    client = socket.create_connection((address.hostname or "", address.port or 0))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.sendall(b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    with context.wrap_socket(client, server_hostname="graph.microsoft.com") as secure:
        if sent:
            secure.sendall(sent)
            assert secure.recv(1000)


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "login.microsoftonline.com/common/oauth2/v2.0/token"),
        ("POST", "login.microsoftonline.com/common/oauth2/v2.0/devicecode"),
        ("POST", "login.microsoftonline.com/common/oauth2/v2.0/authorize"),
        ("POST", "login.microsoftonline.com/common/login"),
        ("POST", "login.microsoftonline.com/common/oauth2/deviceauth"),
        ("POST", "graph.microsoft.com/v1.0/$batch"),
        ("PATCH", "graph.microsoft.com/v1.0/me/drive/root"),
        ("PUT", "graph.microsoft.com/v1.0/me/drive/root:/a.txt:/content"),
    ],
)
@pytest.mark.parametrize("by_the_door", [False, True])
def test_a_client_that_leaves_in_the_middle_of_what_it_sends_breaks_nothing(
    method: str, address: str, by_the_door: bool
) -> None:
    """As a program that is ended while it requests a token."""
    host, _, path = address.partition("/")
    with Emulator(door=True) as emulator:
        at = urlsplit(emulator.world.door if by_the_door else emulator.proxy_url)
        client = socket.create_connection((at.hostname or "", at.port or 0))
        name, before = (at.netloc, f"/{host}") if by_the_door else (host, "")
        begun = (
            f"{method} {before}/{path} HTTP/1.1\r\nHost: {name}\r\nContent-Length: 100\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        if not by_the_door:
            client.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            context = ssl.create_default_context(cafile=str(emulator.ca_file))
            client = context.wrap_socket(client, server_hostname=host)
        with client:
            client.sendall(begun.encode())
            assert client.recv(1000)  # the service is reading, or has refused already
            client.sendall(b"grant_type=")
    assert emulator.crashes == []


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n"])
def test_connections_that_clients_reset_are_closed(cloud: Emulator, sent: bytes) -> None:
    """Python 3.10 warns about TLS connections that are not closed, when their memory is freed: in
    any other test."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(5):
            reset_after(cloud, sent)
            requests.get("https://graph.microsoft.com/")  # the emulator has handled the reset
        cloud.close()
        gc.collect()
    assert [str(each.message) for each in said] == []


def test_a_client_that_is_gone_before_its_tunnel_is_agreed_leaves_no_connection_open(
    cloud: Emulator,
) -> None:
    """TLS would neither begin nor end there, about which Python would warn in any other test."""
    at, back = urlsplit(cloud.proxy_url), threading.Event()
    assert cloud._loop is not None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        cloud._loop.call_soon_threadsafe(back.wait)  # until the client is gone
        with socket.create_connection((at.hostname or "", at.port or 0)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.sendall(b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\n\r\n")
        back.set()
        requests.get("https://graph.microsoft.com/")  # the emulator has handled it
        cloud.close()
        gc.collect()
    assert [str(each.message) for each in said] == []


def test_a_connection_that_is_to_be_cut_may_be_over_already(
    cloud: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    at, gate = urlsplit(cloud.proxy_url), Gate(cloud, "GET .*/me$")
    cloud.faults.arm(ConnectionCut(), where="/me$")
    client = socket.create_connection((at.hostname or "", at.port or 0))
    client.sendall(b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    context = ssl.create_default_context(cafile=str(cloud.ca_file))
    with context.wrap_socket(client, server_hostname="graph.microsoft.com") as secure:
        secure.sendall(b"GET /v1.0/me HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n")
        gate.wait()
    requests.get("https://graph.microsoft.com/")  # the emulator has handled its end
    gate.open()

    def noted() -> bool:
        requests.get("https://graph.microsoft.com/")  # the emulator has handled the rest
        return "/v1.0/me" in [each.path for each in cloud.requests]

    assert settles(noted)
    cloud.close()
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_connections_that_come_at_the_end_are_closed_too() -> None:
    """Python warns about one that is not, when its memory is freed: in any other test."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        for number in range(10):
            with ExitStack() as clients, Emulator(door=True) as emulator:
                addresses = map(urlsplit, (emulator.proxy_url, emulator.world.door))
                for at in [*addresses] * (1 + number % 3):
                    there = (at.hostname or "", at.port or 0)
                    clients.enter_context(socket.create_connection(there))
        gc.collect()
    assert [str(each.message) for each in said] == []


def test_it_cannot_be_started_twice(cloud: Emulator) -> None:
    with pytest.raises(RuntimeError, match="running already"):
        cloud.start()


def test_a_broken_service_is_kept_as_a_crash_and_answers_500() -> None:
    with Emulator() as emulator:
        emulator.world.registrations = None  # type: ignore[assignment]
        answer = requests.get(
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x",
            proxies={"https": emulator.proxy_url},
            verify=str(emulator.ca_file),
        )
    # The answer leaves before the exception is recorded; after closing, both exist.
    assert answer.status_code == 500
    assert [type(crash) for crash in emulator.crashes] == [AttributeError]
    assert [request.status for request in emulator.requests] == [500]


class _Provider(http.server.BaseHTTPRequestHandler):
    """A third party's server that reports what it received."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        host, scheme = self.headers["Host"], self.headers["X-Forwarded-Proto"]
        said = f"{self.path} {host} {scheme} {body.decode()}".encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Set-Cookie", "one=1")
        self.send_header("Set-Cookie", "two=2")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_a_foreign_server_may_answer_for_a_part_of_a_host(cloud: Emulator) -> None:
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Provider)) as server:
        cloud.route("login.microsoftonline.com", server.server_port, path="/common/v2.0")
        theirs = requests.post(
            "https://login.microsoftonline.com/common/v2.0/token?a=b%20c", data="hello"
        )
        ours = requests.get("https://login.microsoftonline.com/common/discovery/v2.0/keys")
    assert theirs.status_code == 201
    assert theirs.text == "/common/v2.0/token?a=b%20c login.microsoftonline.com https hello"
    assert theirs.cookies.get_dict() == {"one": "1", "two": "2"}
    assert "keys" in ours.json()
    assert [request.status for request in cloud.requests] == [201, 200]


def test_a_foreign_server_is_not_asked_what_a_client_did_not_say_in_full() -> None:
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    with serving(provider) as server, Emulator(door=True) as emulator:
        host = "login.microsoftonline.com"
        emulator.route(host, server.server_port, path="/common/v2.0")
        at = urlsplit(emulator.world.door)
        with socket.create_connection((at.hostname or "", at.port or 0)) as client:
            client.sendall(
                f"POST /{host}/common/v2.0/token HTTP/1.1\r\nHost: {at.netloc}\r\n"
                "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
            client.sendall(b"hel")
    assert [request.status for request in emulator.requests] == [0]
    assert emulator.crashes == []


def test_the_home_folder_of_a_test_is_its_own(home: Path) -> None:
    assert os.environ["HOME"] == str(home)
    assert list(home.iterdir()) == []
