"""Sign-in by redirect to the caller's address. Another process may finish what this one began."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from pluton_rclone.errors import ForeignAnswer, SignInTimedOut

from ..http import Http
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked, sign_in_error
from .scopes import short_names
from .sign_in import SignIn, completed

FLOW_LIFETIME = 600.0  # seconds: Microsoft's code expires after about ten minutes


@dataclass(frozen=True)
class Flow:
    """A sign-in that has begun. Send the user to `url`; `expires` is in seconds since 1970.
    `record()` is JSON and can be kept in a session or database; it contains the PKCE verifier, so
    keep it where the user's browser cannot read it."""

    url: str
    state: str
    expires: float
    scopes: tuple[str, ...]
    region: str
    client_id: str
    account: Account | None = None
    msal: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def record(self) -> dict[str, Any]:
        """The flow as a JSON object. Secret until it is finished or ten minutes old."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Flow:
        """The flow in a `record()`. Raises `ForeignAnswer` if this is not one."""
        try:
            return msgspec.convert(record, cls, strict=False)
        except msgspec.ValidationError:
            raise ForeignAnswer("This sign-in was not started here.") from None


def begin_redirect(
    app: AppRegistration,
    scopes: Iterable[str],
    redirect_uri: str,
    *,
    account: Account | None = None,
    post: bool = False,
    http: Http | None = None,
) -> Flow:
    """Begin a sign-in at the address `url` of the result. `redirect_uri` must be registered
    exactly. Without `account` the page lets the user choose an account; with it, the page proposes
    that account, and any other is rejected at the end. With `post` the answer is a posted form, so
    the browser does not send cookies with SameSite=Lax."""
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "redirect", (app.client_secret or "",), redirect_uri)
    hint, prompt = (account.username or None, None) if account else (None, "select_account")
    with msal_application(app, asked, http) as application:
        begun = application.initiate_auth_code_flow(
            list(wanted), redirect_uri, prompt=prompt, login_hint=hint, response_mode="form_post"
        )
    if not post:  # only the address depends on the mode, and MSAL warns about other modes on stderr
        begun["auth_uri"] = begun["auth_uri"].replace("=form_post", "=query")
    end, whose = time.time() + FLOW_LIFETIME, (app.region, app.client_id)
    return Flow(begun["auth_uri"], begun["state"], end, wanted, *whose, account, begun)


def finish_redirect(
    app: AppRegistration,
    flow: Flow | Mapping[str, Any],
    answer: str | Mapping[str, Any],
    *,
    http: Http | None = None,
) -> SignIn:
    """The sign-in that Microsoft's `answer` completes: the query or the posted form (as text or
    mapping), or the whole redirect address. Raises `ForeignAnswer` (another state, another
    registration), `SignInTimedOut`, `CodeUsedTwice`, and the error in the answer."""
    flow = flow if isinstance(flow, Flow) else Flow.from_record(flow)
    parameters = parse_answer(answer)
    if (flow.client_id, flow.region) != (app.client_id, app.region):
        raise ForeignAnswer("This sign-in was started with another app registration.")
    if not parameters.get("state") or parameters["state"] != flow.state:
        why = "its state is not the one that was sent"
        raise ForeignAnswer("The answer belongs to another sign-in.", why=why)
    if time.time() > flow.expires:
        raise SignInTimedOut("This sign-in was started more than ten minutes ago.")
    verifier = str(flow.msal.get("code_verifier", ""))
    secrets = parameters.get("code", ""), verifier, app.client_secret or ""
    redirect_uri = str(flow.msal.get("redirect_uri", ""))
    asked = Asked(app, flow.scopes, "redirect", secrets, redirect_uri)
    if "error" in parameters:
        raise sign_in_error(parameters, asked)
    if "code" not in parameters:
        raise ForeignAnswer("The answer contains neither a code nor an error.")
    with msal_application(app, asked, http) as application:
        result = application.acquire_token_by_auth_code_flow(dict(flow.msal), parameters)
    return completed(outcome(result, asked), app, flow.scopes, flow.account, redirect_uri)


def parse_answer(answer: str | Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a query, form or address. Raises `ForeignAnswer` if one is repeated."""
    if isinstance(answer, str):
        text = answer.strip()
        try:
            query = urlsplit(text).query if "://" in text else text.removeprefix("?")
            answer = parse_qs(query, keep_blank_values=True, max_num_fields=50)
        except ValueError:
            raise ForeignAnswer("This answer is not from Microsoft.") from None
    single: dict[str, str] = {}
    for name, value in answer.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if len(values) != 1 or not isinstance(values[0], str):
            raise ForeignAnswer(f"The answer contains {name!r} more than once.")
        single[str(name)] = values[0]
    return single
