"""What the tests of Microsoft share: people who sign in, tokens without sign-in, a fast clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator, client_id
from pluton_rclone.emulator.entra.shortcut import sign_in
from pluton_rclone.microsoft.clouds import cloud as cloud_of_region
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.http import Http
from tests.chromium import chromium

from .waitless import Clock

__all__ = ["chromium"]


@pytest.fixture
def clock(cloud: Emulator) -> Clock:
    """A clock whose waits end at once."""
    return Clock(cloud)


@pytest.fixture
def browser_of(cloud: Emulator) -> Iterator[Callable[..., Callable[[str], bool]]]:
    """`browser_of("anna@outlook.com")` is an `open_browser` that answers as that person."""
    with ExitStack() as visits:

        def sits_there(username: str, *, accept: bool = True) -> Callable[[str], bool]:
            def open_browser(url: str) -> bool:
                person = cloud.person(username)
                thread = threading.Thread(target=lambda: person.visit(url, accept=accept))
                thread.start()
                visits.callback(thread.join)
                return True

            return open_browser

        yield sits_there


@pytest.fixture
def graph_of(cloud: Emulator, clock: Clock) -> Iterator[Callable[..., Graph]]:
    """`graph_of("bert@contoso.onmicrosoft.com", "Files.ReadWrite")`: Graph as that person sees
    it."""
    with ExitStack() as opened:

        def graph(username: str, scopes: str = "Files.ReadWrite", region: str = "global") -> Graph:
            answer = sign_in(cloud.world, username, scopes, client_id(PUBLIC_CLIENT_ID, region))
            http = opened.enter_context(Http(cancel=clock, now=clock.now))
            return Graph(cloud_of_region(region), Token.from_msal(answer), http=http)

        yield graph
