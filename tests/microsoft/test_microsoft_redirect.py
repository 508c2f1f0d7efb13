"""Sign-in by redirect: begun here, finished elsewhere, with nothing foreign accepted."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
)
from pluton_rclone.emulator.directory import Audience
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate
from pluton_rclone.microsoft.entra.redirect import Flow, begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import least

from .certificate import PEM_CERTIFICATE, pem_key

APP = AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"


def begun(**options: Any) -> Flow:
    return begin_redirect(APP, least(), WEB_REDIRECT_URI, **options)


FORMS: dict[str, Callable[[dict[str, str]], Any]] = {
    "a mapping": dict,
    "lists of values": lambda answer: {name: [value] for name, value in answer.items()},
    "a query": urlencode,
    "a query with its mark": lambda answer: f"?{urlencode(answer)}",
    "the whole address": lambda answer: f"{WEB_REDIRECT_URI}?{urlencode(answer)}",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_answer_is_taken_in_every_form_that_a_server_has_it(cloud: Emulator, form: str) -> None:
    flow = begun()
    answer = dict(cloud.person(ANNA).visit(flow.url).answer)

    assert finish_redirect(APP, flow, FORMS[form](answer)).account.username == ANNA


def test_the_answer_can_be_posted(cloud: Emulator) -> None:
    flow = begun(post=True)
    visit = cloud.person(BERT).visit(flow.url)

    assert (
        visit.address == WEB_REDIRECT_URI
    )  # nothing in the address, which servers and proxies log
    assert finish_redirect(APP, flow, visit.answer).account.kind == "work"


def test_an_applications_certificate_is_left_out_of_a_persons_sign_in(
    cloud: Emulator, tmp_path: Path
) -> None:
    """rclone renews a person's token without it."""
    (tmp_path / "app.pem").write_bytes(pem_key() + PEM_CERTIFICATE)
    app = dataclasses.replace(APP, certificate=Certificate(tmp_path / "app.pem"))
    flow = begin_redirect(app, least(), WEB_REDIRECT_URI)
    answer = cloud.person(BERT).visit(flow.url).answer

    assert finish_redirect(app, flow, answer).account.username == BERT


def test_another_process_may_finish(cloud: Emulator) -> None:
    flow = begun()
    answer = dict(cloud.person(ANNA).visit(flow.url).answer)
    program = (
        "import json, sys\n"
        "from pluton_rclone.microsoft.entra.app import AppRegistration\n"
        "from pluton_rclone.microsoft.entra.redirect import finish_redirect\n"
        "given = json.load(sys.stdin)\n"
        "app = AppRegistration(given['client_id'], client_secret=given['secret'])\n"
        "print(finish_redirect(app, given['flow'], given['answer']).account.username)\n"
    )
    given = {
        "flow": flow.record(),
        "answer": answer,
        "client_id": APP.client_id,
        "secret": WEB_CLIENT_SECRET,
    }

    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, input=json.dumps(given), capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, ANNA, "")


def test_a_code_is_good_for_one_use(cloud: Emulator) -> None:
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url).answer
    finish_redirect(APP, flow, answer)

    with pytest.raises(errors.CodeUsedTwice) as refusal:
        finish_redirect(APP, flow, answer)

    assert refusal.value.details["aadsts"] == "AADSTS54005"


@pytest.mark.parametrize("state", ["", "another"])
def test_an_answer_with_another_state_is_foreign(cloud: Emulator, state: str) -> None:
    flow = begun()
    answer = dict(cloud.person(ANNA).visit(flow.url).answer)

    with pytest.raises(errors.ForeignAnswer):
        finish_redirect(APP, flow, {**answer, "state": state})


def test_the_code_of_another_sign_in_does_not_fit(cloud: Emulator) -> None:
    mine, theirs = begun(), begun()
    code = cloud.person(ANNA).visit(theirs.url).answer["code"]

    with pytest.raises(errors.SignInError):  # PKCE: the verifier does not match their code
        finish_redirect(APP, mine, {"code": code, "state": mine.state})


def test_an_id_token_of_another_sign_in_is_foreign(cloud: Emulator) -> None:
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url).answer
    other = dataclasses.replace(flow, msal={**flow.msal, "nonce": "another"})

    with pytest.raises(errors.ForeignAnswer):
        finish_redirect(APP, other, answer)


def test_there_is_a_limit_to_the_time_for_it(cloud: Emulator) -> None:
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url).answer
    assert flow.expires > time.time()

    with pytest.raises(errors.SignInTimedOut):
        finish_redirect(APP, dataclasses.replace(flow, expires=time.time() - 1), answer)


def test_microsofts_own_limit_is_said_the_same_way(cloud: Emulator) -> None:
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url).answer
    cloud.world.advance(700)

    with pytest.raises(errors.SignInTimedOut) as refusal:
        finish_redirect(APP, flow, answer)

    assert refusal.value.details["aadsts"] == "AADSTS70008"


def test_another_registration_cannot_finish(cloud: Emulator) -> None:
    flow = begun()

    with pytest.raises(errors.ForeignAnswer, match="another app registration"):
        finish_redirect(AppRegistration(PUBLIC_CLIENT_ID), flow, {"code": "x", "state": flow.state})


def test_a_refusal_comes_back_as_one(cloud: Emulator) -> None:
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url, accept=False).answer

    with pytest.raises(errors.SignInDeclined):
        finish_redirect(APP, flow, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "hello",
        "code=1&code=2&state=x",
        "https://[::1",
        {"code": 5, "state": "x"},
        {"code": ["1", "2"]},
    ],
)
def test_what_is_no_answer_is_refused(cloud: Emulator, answer: Any) -> None:
    with pytest.raises(errors.ForeignAnswer):
        finish_redirect(APP, begun(), answer)


@pytest.mark.parametrize("text", ['""', "[]", "{}", "null", '{"url": 1}', '{"expires": "x"}'])
def test_what_is_no_flow_is_refused(text: str) -> None:
    with pytest.raises(errors.ForeignAnswer):
        Flow.from_record(json.loads(text))


def test_a_flow_survives_json_and_hides_its_verifier(cloud: Emulator) -> None:
    account = Account("1", "Anna Berg", ANNA, "t", "personal")
    flow = begun(account=account)

    assert Flow.from_record(json.loads(json.dumps(flow.record()))) == flow
    assert str(flow.msal["code_verifier"]) not in repr(flow)
    assert parse_qs(urlsplit(flow.url).query)["login_hint"] == [ANNA]


def test_a_wrong_secret_is_for_the_developer(cloud: Emulator) -> None:
    wrong = AppRegistration(WEB_CLIENT_ID, client_secret="planted~wrong~secret")
    flow = begin_redirect(wrong, least(), WEB_REDIRECT_URI)

    with pytest.raises(errors.RegistrationError) as refusal:
        finish_redirect(wrong, flow, cloud.person(ANNA).visit(flow.url).answer)

    assert refusal.value.details["aadsts"] == "AADSTS7000215"
    assert refusal.value.who is errors.Who.DEVELOPER
    assert "planted" not in json.dumps(refusal.value.record())


def test_a_personal_account_at_a_registration_for_work_accounts_is_told_which_it_takes(
    cloud: Emulator,
) -> None:
    """Microsoft gives no number: formerly, we advised comparing secret and redirect address."""
    cloud.world.registrations[WEB_CLIENT_ID].audience = Audience.ANY_TENANT
    flow = begun()
    answer = cloud.person(ANNA).visit(flow.url).answer
    with pytest.raises(errors.RegistrationError, match="not enabled for consumers") as refused:
        finish_redirect(APP, flow, answer)
    assert "for personal accounts the registration must allow them" in refused.value.advice
