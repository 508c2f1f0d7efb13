"""The table: way of signing in x cloud x kind of account.

Each possible cell is a real sign-in through real MSAL (or the real rclone's own), a drive found
through Graph, a remote written, and the real rclone that renews the token by itself and lists the
drive. Each impossible cell shows the refusal.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import errors
from pluton_rclone.conf.conf import Conf
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
    client_id,
)
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.entra.shortcut import sign_in
from pluton_rclone.emulator.person import PersonAtBrowser
from pluton_rclone.microsoft.clouds import CLOUDS, refuse_rclone_registration
from pluton_rclone.microsoft.clouds import cloud as cloud_of_region
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.device_code import DeviceCode
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import least, remote_options
from pluton_rclone.microsoft.entra.sign_in import SignIn, sign_in_as_app
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.rclone.authorize import authorize
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.setup.imported import import_token
from tests.rclone_port import rclone_port, visit

from .certificate import DER_CERTIFICATE, PEM_CERTIFICATE, as_application, pem_key
from .waitless import Clock, sign_in_with_device_code

PEOPLE = {
    ("personal", "global"): "anna@outlook.com",
    ("work", "global"): "bert@contoso.onmicrosoft.com",
    ("work", "us"): "carla@fabrikam.onmicrosoft.us",
    ("work", "de"): "dora@nordwind.onmicrosoft.de",
    ("work", "cn"): "chen@tailspin.partner.onmschina.cn",
}
WAYS = (
    "browser",
    "redirect",
    "device code",
    "app-only, secret",
    "app-only, certificate",
    "rclone's own",
    "import",
)
KINDS = ("personal", "work")


@dataclass
class Cell:
    """One cell of the table, with everything that its way of signing in needs."""

    cloud: Emulator
    region: str
    kind: str
    folder: Path
    clock: Clock
    browser_of: Callable[..., Callable[[str], bool]]

    @property
    def person(self) -> str:
        """Anna for the impossible cells: a personal account in a national cloud."""
        return PEOPLE.get((self.kind, self.region), "anna@outlook.com")

    @property
    def tenant(self) -> str:
        return "consumers" if self.kind == "personal" else self.person.partition("@")[2]

    def app(self, base: str, **more: Any) -> AppRegistration:
        return AppRegistration(
            client_id(base, self.region), tenant=self.tenant, region=self.region, **more
        )


@dataclass
class SignedIn:
    """The result of a way of signing in: the sign-in, and the remote's options from it."""

    sign_in: SignIn
    options: dict[str, Any]


def with_token(signed_in: SignIn, app: AppRegistration | None) -> SignedIn:
    """A remote whose token has just expired, so that rclone itself must renew it."""
    ended = dataclasses.replace(signed_in.token, expiry=ALREADY_EXPIRED)
    options: dict[str, Any] = {"token": SecretStr(ended.to_rclone())}
    if app is not None:
        options |= {"client_id": app.client_id, "tenant": app.tenant, "region": app.region}
        if app.client_secret:
            options["client_secret"] = SecretStr(app.client_secret)
    if signed_in.scopes:
        granted = remote_options(signed_in.scopes)
        options |= {**granted, "access_scopes": tuple(granted["access_scopes"].split())}
    return SignedIn(signed_in, options)


@contextmanager
def by_browser(cell: Cell) -> Iterator[SignedIn]:
    app = cell.app(PUBLIC_CLIENT_ID)
    yield with_token(
        sign_in_with_browser(app, least(), open_browser=cell.browser_of(cell.person)), app
    )


@contextmanager
def by_redirect(cell: Cell) -> Iterator[SignedIn]:
    app = cell.app(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
    flow = begin_redirect(app, least(), WEB_REDIRECT_URI)
    answer = cell.cloud.person(cell.person).visit(flow.url).answer
    yield with_token(finish_redirect(app, flow, answer), app)


def _type(person: PersonAtBrowser, code: DeviceCode) -> None:
    person.enter_device_code(code.user_code, code.verification_uri)


@contextmanager
def by_device_code(cell: Cell) -> Iterator[SignedIn]:
    app = cell.app(PUBLIC_CLIENT_ID)
    person = cell.cloud.person(cell.person)
    signed_in = sign_in_with_device_code(
        app,
        least(),
        show=lambda code: _type(person, code),
        cancel=cell.clock,
    )
    yield with_token(signed_in, app)


@contextmanager
def as_app_with_secret(cell: Cell) -> Iterator[SignedIn]:
    app = cell.app(DAEMON_CLIENT_ID, client_secret=DAEMON_CLIENT_SECRET)
    options = {
        "client_credentials": True,
        "client_id": app.client_id,
        "client_secret": SecretStr(DAEMON_CLIENT_SECRET),
        "tenant": app.tenant,
        "region": app.region,
    }
    yield SignedIn(sign_in_as_app(app), options)


@contextmanager
def as_app_with_certificate(cell: Cell) -> Iterator[SignedIn]:
    path = cell.folder / "daemon.pem"
    path.write_bytes(pem_key() + PEM_CERTIFICATE)
    app = cell.app(DAEMON_CLIENT_ID, certificate=Certificate(path))
    cell.cloud.world.registrations[app.client_id].certificates.append(DER_CERTIFICATE)
    with as_application(app) as endpoint:
        given = endpoint.options()
        options = {
            **given,
            "client_credentials": True,
            "client_secret": SecretStr(given["client_secret"]),
            "region": app.region,
        }
        yield SignedIn(sign_in_as_app(app), options)


@contextmanager
def by_rclones_own(cell: Cell) -> Iterator[SignedIn]:
    refuse_rclone_registration(cloud_of_region(cell.region))
    visits: list[threading.Thread] = []

    def open_address(address: str) -> None:
        visits.append(threading.Thread(target=lambda: visit(cell.cloud, cell.person, address)))
        visits[-1].start()

    with rclone_port():
        printed = authorize(show_address=open_address)
    visits[0].join()
    yield with_token(import_token(printed).sign_in, None)


@contextmanager
def by_import(cell: Cell) -> Iterator[SignedIn]:
    base = PUBLIC_CLIENT_ID if cell.region == "global" else client_id(PUBLIC_CLIENT_ID, cell.region)
    home = base if (cell.kind, cell.region) in PEOPLE else PUBLIC_CLIENT_ID
    token = Token.from_msal(
        sign_in(cell.cloud.world, cell.person, "Files.ReadWrite offline_access", home)
    )
    app = AppRegistration(base, region=cell.region)
    imported = import_token(f"--->\n{token.to_rclone()}\n<---", app=app)
    yield with_token(imported.sign_in, app)


HOW: dict[str, Callable[[Cell], Any]] = dict(
    zip(
        WAYS,
        (
            by_browser,
            by_redirect,
            by_device_code,
            as_app_with_secret,
            as_app_with_certificate,
            by_rclones_own,
            by_import,
        ),
        strict=True,
    )
)


def refusal_of(
    way: str, region: str, kind: str
) -> tuple[type[errors.PlutonRcloneError], str] | None:
    """The reason why a cell is impossible; None if it is possible."""
    if way == "rclone's own" and region != "global":
        return errors.RegistrationError, "rclone's own registration exists in the global cloud only"
    if way == "import" and (kind, region) not in PEOPLE:
        return errors.TokenExpired, "Microsoft no longer accepts the access token"
    if kind == "personal" and region != "global":
        return errors.RegistrationError, "There are no personal accounts"
    if kind == "personal" and way.startswith("app-only"):
        return errors.RegistrationError, "needs the tenant"
    return None


CELLS = list(product(WAYS, CLOUDS, KINDS))
POSSIBLE = [cell for cell in CELLS if refusal_of(*cell) is None]
IMPOSSIBLE = [cell for cell in CELLS if refusal_of(*cell) is not None]


@pytest.fixture
def cell_of(
    cloud: Emulator, tmp_path: Path, clock: Clock, browser_of: Callable[..., Callable[[str], bool]]
) -> Callable[[str, str], Cell]:
    return lambda region, kind: Cell(cloud, region, kind, tmp_path, clock, browser_of)


def drive_of(cell: Cell, signed_in: SignIn) -> Drive:
    with Graph(cloud_of_region(cell.region), signed_in.token) as graph:
        if signed_in.account.kind == "application":
            return graph.user_drive(cell.person)
        return graph.drives()[0]


@pytest.mark.parametrize(("way", "region", "kind"), POSSIBLE)
def test_a_connect_that_ends_with_rclone_listing_the_drive(
    way: str, region: str, kind: str, cell_of: Callable[[str, str], Cell], home: Path
) -> None:
    cell = cell_of(region, kind)
    cell.cloud.world.part(Files).drive_of(cell.person).write("Server/hello.txt", b"hello")

    with ExitStack() as stack:
        signed_in = stack.enter_context(HOW[way](cell))
        drive = drive_of(cell, signed_in.sign_in)
        remote = OneDriveRemote(drive_id=drive.id, drive_type=drive.type, **signed_in.options)
        conf = Conf(home / "rclone.conf")
        conf.add("od", remote.to_section())
        with conf.private(["od"]) as private:
            rclone = Rclone(config=private.path, environment=private.environment)
            listed = [entry.path for entry in rclone.walk("od:")]

    assert listed == ["Server", "Server/hello.txt"]
    expected = "application" if way.startswith("app-only") else kind
    assert signed_in.sign_in.account.kind == expected
    graph_host = cloud_of_region(region).graph_host
    agents = {request.user_agent for request in cell.cloud.requests if request.host == graph_host}
    assert any("rclone/v" in agent for agent in agents)
    foreign = {other.graph_host for other in CLOUDS.values()} - {graph_host}
    assert not foreign & {request.host for request in cell.cloud.requests}


@pytest.mark.parametrize(("way", "region", "kind"), IMPOSSIBLE)
def test_a_cell_that_cannot_be_shows_why(
    way: str, region: str, kind: str, cell_of: Callable[[str, str], Cell]
) -> None:
    expected = refusal_of(way, region, kind)
    assert expected is not None
    kind_of_error, words = expected

    with pytest.raises(kind_of_error) as refusal, HOW[way](cell_of(region, kind)):
        pass

    assert words in str(refusal.value)
    assert refusal.value.advice


def test_every_cell_is_one_or_the_other() -> None:
    assert len(CELLS) == 56
    assert len(POSSIBLE) == 30
