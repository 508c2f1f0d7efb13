"""Planted secrets: every flow at debug logging, whether it succeeds or fails; no secret is visible
anywhere."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_REDIRECT_URI,
    Emulator,
    Secret,
)
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.entra.sessions import Sessions
from pluton_rclone.microsoft.entra import client
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.device_code import begin_device_code
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import least
from pluton_rclone.microsoft.entra.sign_in import refresh, sign_in_as_app
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.setup.imported import import_token

from .certificate import DER_CERTIFICATE, PEM_CERTIFICATE, as_application, pem_key
from .waitless import Clock, sign_in_with_device_code

SECRET = "planted~client~secret~0123456789"
PASSWORD = "planted~certificate~password"
TENANT = "contoso.onmicrosoft.com"
BERT = "bert@contoso.onmicrosoft.com"
PUBLIC = AppRegistration(PUBLIC_CLIENT_ID)
WEB = AppRegistration(WEB_CLIENT_ID, client_secret=SECRET)
DAEMON = AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT, client_secret=SECRET)


class Watch:
    """Everything that was visible, and the secrets that must not be in it."""

    def __init__(self, cloud: Emulator, log: Log) -> None:
        self.secrets = {SECRET, PASSWORD}
        self._cloud = cloud
        self._log = log
        self._seen: list[str] = []

    def plant(self, name: str) -> str:
        """A secret that is in no source line, which a traceback would show."""
        value = f"planted~{name}~{uuid.uuid4()}"
        self.secrets.add(value)
        return value

    def see(self, *things: object) -> None:
        """Record the ways in which a thing gets into a log or onto a screen."""
        for thing in things:
            self._seen += [repr(thing), str(thing), f"{thing}", repr([thing])]

    def see_error(self, problem: errors.PlutonRcloneError) -> None:
        self._seen += ["".join(traceback.format_exception(problem)), json.dumps(problem.record())]
        self._seen.append(repr(pickle.loads(pickle.dumps(problem)).__dict__))
        self.see(problem)

    def keep(self, *values: str | None) -> None:
        """Record secrets that were created on the way."""
        self.secrets |= {value for value in values if value}

    def check(self) -> None:
        sessions = self._cloud.world.part(Sessions)
        issued = {*self._cloud.world.access_tokens, *sessions.refresh_tokens, *sessions.codes}
        text = "\n".join([*self._seen, *self._log.lines])
        found = {secret for secret in self.secrets | issued if secret in text}
        assert not found
        assert self._log.lines  # something was written, so something was checked


class Log(logging.Handler):
    """The output of all libraries, with arguments and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r}")


@pytest.fixture
def watch(cloud: Emulator) -> Iterator[Watch]:
    for base in (WEB_CLIENT_ID, DAEMON_CLIENT_ID):
        cloud.world.registrations[base].secrets.append(Secret.of(SECRET))
    log, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    watching = Watch(cloud, log)
    try:
        yield watching
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    watching.check()


def keep_token(watch: Watch, token: Token) -> Token:
    watch.keep(token.access_token, token.refresh_token)
    watch.see(token)
    return token


# ---- good ends


def test_browser(watch: Watch, browser_of: Callable[..., Any]) -> None:
    signed_in = sign_in_with_browser(PUBLIC, least(), open_browser=browser_of(BERT))

    keep_token(watch, signed_in.token)
    watch.see(signed_in, PUBLIC)


def test_redirect_and_renewal(cloud: Emulator, watch: Watch) -> None:
    flow = begin_redirect(WEB, least(), WEB_REDIRECT_URI)
    answer = cloud.person(BERT).visit(flow.url).answer
    watch.keep(answer["code"], str(flow.msal["code_verifier"]), str(flow.msal["nonce"]))

    signed_in = finish_redirect(WEB, flow, answer)

    watch.see(flow, signed_in, WEB)
    keep_token(watch, refresh(WEB, keep_token(watch, signed_in.token)))


def test_device_code(cloud: Emulator, watch: Watch, clock: Clock) -> None:
    def show(code: Any) -> None:
        watch.keep(str(code.flow["device_code"]))
        watch.see(code)
        cloud.person(BERT).enter_device_code(code.user_code)

    signed_in = sign_in_with_device_code(PUBLIC, least(), show=show, cancel=clock)

    keep_token(watch, signed_in.token)
    watch.see(signed_in)


def test_app_only_with_a_secret(watch: Watch) -> None:
    signed_in = sign_in_as_app(DAEMON)

    keep_token(watch, signed_in.token)
    watch.see(signed_in, DAEMON)


def test_the_answers_that_msal_gets(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback with variables contains them, too."""
    checked = client._MsalHttp._checked

    def seen(self: client._MsalHttp, answer: Any) -> Any:
        watch.see(response := checked(self, answer))
        return response

    monkeypatch.setattr(client._MsalHttp, "_checked", seen)
    keep_token(watch, sign_in_as_app(DAEMON).token)


def test_app_only_with_a_certificate_and_rclone(
    cloud: Emulator, watch: Watch, tmp_path: Path
) -> None:
    path = tmp_path / "daemon.pem"
    path.write_bytes(pem_key(PASSWORD) + PEM_CERTIFICATE)
    app = AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT, certificate=Certificate(path, PASSWORD))
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(DER_CERTIFICATE)
    drive = cloud.world.part(Files).drive_of(BERT)

    with as_application(app) as endpoint:
        watch.keep(endpoint.client_secret, endpoint.token_url.rpartition("/")[2])
        options = {
            "type": "onedrive",
            "drive_id": drive.id,
            "drive_type": "business",
            **endpoint.options(),
        }
        conf = tmp_path / "rclone.conf"
        conf.write_text(
            "[od]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        )
        assert list(Rclone(config=conf).walk("od:")) == []  # its argv is also in the debug log
        watch.see(endpoint, app)


def test_import(cloud: Emulator, watch: Watch, browser_of: Callable[..., Any]) -> None:
    token = keep_token(
        watch, sign_in_with_browser(PUBLIC, least(), open_browser=browser_of(BERT)).token
    )

    imported = import_token(
        f"[od]\ntype = onedrive\nclient_secret = {SECRET}\ntoken = {token.to_rclone()}"
    )

    watch.see(imported)


def test_graph(cloud: Emulator, watch: Watch, browser_of: Callable[..., Any]) -> None:
    token = keep_token(
        watch, sign_in_with_browser(PUBLIC, least(), open_browser=browser_of(BERT)).token
    )

    with Graph(PUBLIC.cloud, token) as graph:
        watch.see(graph, graph.me(), graph.drives())
        with pytest.raises(errors.SitesPermissionMissing) as refusal:
            graph.sites()
    watch.see_error(refusal.value)


# ---- bad ends


def test_a_refused_code(cloud: Emulator, watch: Watch) -> None:
    flow = begin_redirect(WEB, least(), WEB_REDIRECT_URI)
    answer = cloud.person(BERT).visit(flow.url).answer
    watch.keep(answer["code"], str(flow.msal["code_verifier"]))
    keep_token(watch, finish_redirect(WEB, flow, answer).token)

    with pytest.raises(errors.CodeUsedTwice) as refusal:
        finish_redirect(WEB, flow, answer)
    watch.see_error(refusal.value)


def test_a_foreign_answer(cloud: Emulator, watch: Watch) -> None:
    flow = begin_redirect(WEB, least(), WEB_REDIRECT_URI)
    watch.keep(str(flow.msal["code_verifier"]))

    with pytest.raises(errors.ForeignAnswer) as refusal:
        finish_redirect(WEB, flow, {"code": watch.plant("code"), "state": "x"})
    watch.see_error(refusal.value)


def test_a_wrong_secret(cloud: Emulator, watch: Watch) -> None:
    cloud.world.registrations[DAEMON_CLIENT_ID].secrets.clear()

    with pytest.raises(errors.RegistrationError) as refusal:
        sign_in_as_app(DAEMON)
    watch.see_error(refusal.value)


def test_a_refresh_token_that_is_dead(cloud: Emulator, watch: Watch) -> None:
    token = keep_token(watch, Token(watch.plant("access"), watch.plant("refresh"), ALREADY_EXPIRED))

    with pytest.raises(errors.SignInError) as refusal:
        refresh(PUBLIC, token)
    watch.see_error(refusal.value)


def test_a_service_that_echoes_what_it_got(
    cloud: Emulator, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pluton_rclone.microsoft import http

    token = keep_token(watch, Token(watch.plant("access"), watch.plant("refresh"), ALREADY_EXPIRED))
    body = {
        "error": "invalid_grant",
        "error_description": f"AADSTS70000: {token.refresh_token} {SECRET} no.",
    }
    once = http.Http.once

    def echo(self: http.Http, method: str, *rest: Any, **sent: Any) -> http.Answer:
        if method == "GET":
            return once(self, method, *rest, **sent)
        return http.Answer(400, {}, body)

    monkeypatch.setattr(http.Http, "once", echo)

    with pytest.raises(errors.TokenExpired) as refusal:
        refresh(WEB, token)
    watch.see_error(refusal.value)


def test_a_damaged_token_answer(
    cloud: Emulator, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pluton_rclone.microsoft import http

    answer = f'{{"access_token": "{watch.plant("access")}", '.encode()
    once = http.Http.once

    def damaged(self: http.Http, method: str, *rest: Any, **sent: Any) -> http.Answer:
        if method == "GET":
            return once(self, method, *rest, **sent)
        return http.Answer(200, {}, http.decoded(answer))

    monkeypatch.setattr(http.Http, "once", damaged)

    with pytest.raises(errors.SignInError) as refusal:  # MSAL itself would log the answer's text
        sign_in_as_app(DAEMON)
    watch.see_error(refusal.value)


def test_an_unreachable_host(
    cloud: Emulator, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = begin_redirect(WEB, least(), WEB_REDIRECT_URI)
    watch.keep(str(flow.msal["code_verifier"]))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    with pytest.raises(errors.Unreachable) as refusal:
        finish_redirect(WEB, flow, {"code": watch.plant("code"), "state": flow.state})
    watch.see_error(refusal.value)


def test_a_bad_paste(cloud: Emulator, watch: Watch) -> None:
    begin_device_code(PUBLIC, least())  # so that something is written

    for end in (', "refresh_token": 5}', ""):
        with pytest.raises(errors.TokenInvalid) as refusal:
            import_token(f'{{"access_token": "{watch.plant("pasted")}"{end}')
        watch.see_error(refusal.value)
