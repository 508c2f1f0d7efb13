"""Trouble between this machine and Microsoft: our own HTTP and rclone agree on it and on who can
fix it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler

import pytest
import trustme

from pluton_rclone import errors
from pluton_rclone.microsoft.http import Http
from pluton_rclone.rclone.engine import Rclone
from tests.serving import serving

Door = Callable[[str], errors.PlutonRcloneError]
NOW = datetime.now(timezone.utc)
YEAR = timedelta(days=365)
HANDSHAKE_FAILURE = bytes([21, 3, 3, 0, 2, 2, 40])


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """This CA is trusted, and no other."""
    for name in ("HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


@pytest.fixture(params=["ours", "rclone's"])
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> Door:
    """Requests "refused" from the server at an address; returns the error."""

    def ours(address: str) -> errors.PlutonRcloneError:
        with Http() as http, pytest.raises(errors.Unreachable) as caught:
            http.request("POST", f"{address}/refused")
        return caught.value

    def rclones(address: str) -> errors.PlutonRcloneError:
        config = tmp_path / "rclone.conf"
        config.write_text(f"[web]\ntype = webdav\nurl = {address}\n")
        rclone = Rclone(config=config, flags=("--low-level-retries=1",))
        with pytest.raises(errors.Unreachable) as caught:
            rclone.list("web:refused")
        return caught.value

    return ours if request.param == "ours" else rclones


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def with_certificate(stack: ExitStack, certificate: trustme.LeafCert) -> str:
    """The address of a server that has this certificate."""
    server = stack.enter_context(serving(HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://localhost:{server.server_port}"


@pytest.mark.parametrize(
    ("begin", "end"), [(NOW + YEAR, NOW + 2 * YEAR), (NOW - 2 * YEAR, NOW - YEAR)]
)
def test_a_clock_that_is_wrong_is_not_a_certificate_that_nobody_trusts(
    authority: trustme.CA, refused: Door, stack: ExitStack, begin: datetime, end: datetime
) -> None:
    certificate = authority.issue_cert("localhost", not_before=begin, not_after=end)
    error = refused(with_certificate(stack, certificate))
    assert "clock" in str(error)
    assert "clock" in error.advice
    assert error.who is errors.Who.YOU


def test_a_certificate_that_nobody_trusts(
    authority: trustme.CA, refused: Door, stack: ExitStack
) -> None:
    error = refused(with_certificate(stack, trustme.CA().issue_cert("localhost")))
    assert "not trusted here" in str(error)
    assert "SSL_CERT_FILE" in error.advice
    assert error.who is errors.Who.YOU


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", HANDSHAKE_FAILURE])
def test_who_does_not_speak_tls_as_we_do_has_no_wrong_certificate(
    authority: trustme.CA, refused: Door, stack: ExitStack, answer: bytes
) -> None:
    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    server = stack.enter_context(serving(HTTPServer(("127.0.0.1", 0), Handler)))
    error = refused(f"https://localhost:{server.server_port}")
    assert error.what == "localhost cannot be reached."
    assert "trusted" not in str(error)
    assert error.who is errors.Who.LATER


def test_the_path_does_not_say_why_nobody_answers(authority: trustme.CA, refused: Door) -> None:
    """Linux does not try all of a host's addresses at once."""
    error = refused("https://255.255.255.255")
    assert error.what == "255.255.255.255 cannot be reached."
    assert "network is unreachable" in str(error)
