"""Sign-in by redirect to the caller's own address: begin here, finish there, in another process if
need be.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pluton_rclone.errors import ForeignAnswer, SignInTimedOut

from ..http import Http, pool
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked, sign_in_error
from .scopes import short_names
from .sign_in import SignIn, completed

FLOW_LIFETIME = 600.0  # seconds: Microsoft's code lives about ten minutes

Prompt = Literal["select_account", "login", "consent", "none"]
ResponseMode = Literal["query", "form_post"]


@dataclass(frozen=True)
class Flow:
    """A sign-in that has begun. `url` is where the person goes.

    `record()` is JSON and can wait in a session or a database for whoever finishes; it holds the
    PKCE verifier, so keep it where the person's browser cannot read it.
    """

    url: str
    state: str
    expires: float  # seconds since 1970
    scopes: tuple[str, ...]
    region: str
    tenant: str
    client_id: str
    account: Account | None = None
    msal: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def record(self) -> dict[str, Any]:
        """The flow as JSON members. Secret until it is finished or ten minutes old."""
        return {
            "version": 1,
            "url": self.url,
            "state": self.state,
            "expires": self.expires,
            "scopes": list(self.scopes),
            "region": self.region,
            "tenant": self.tenant,
            "client_id": self.client_id,
            "account": self.account.record() if self.account else None,
            "msal": dict(self.msal),
        }

    def to_json(self) -> str:
        """`record` as text. Secret, as the record is."""
        return json.dumps(self.record())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Flow:
        """Raises `ForeignAnswer` when this is no flow of ours."""
        try:
            account = record["account"]
            return cls(
                str(record["url"]),
                str(record["state"]),
                float(record["expires"]),
                tuple(str(scope) for scope in record["scopes"]),
                str(record["region"]),
                str(record["tenant"]),
                str(record["client_id"]),
                Account.from_record(account) if account else None,
                dict(record["msal"]),
            )
        except (KeyError, TypeError, ValueError):
            raise ForeignAnswer("This is not a sign-in that was begun here.") from None

    @classmethod
    def from_json(cls, text: str) -> Flow:
        """Raises `ForeignAnswer` when this is no flow of ours."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, Mapping):
            raise ForeignAnswer("This is not a sign-in that was begun here.")
        return cls.from_record(record)


def begin_redirect(
    app: AppRegistration,
    scopes: Iterable[str],
    redirect_uri: str,
    *,
    account: Account | None = None,
    prompt: Prompt | None = None,
    response_mode: ResponseMode = "query",
    claims: str | None = None,
    http: Http | None = None,
) -> Flow:
    """The address to send a person to, and what is needed to finish.

    `redirect_uri` must be registered, to the letter. `account` is who is expected (further
    permissions, re-authorizing): the page then proposes that person, and anybody else is refused at
    the end. With `response_mode="form_post"` the answer is posted, and cookies with SameSite=Lax do
    not come along. `claims` is what a refusal of Graph demanded (`details["claims"]`).
    """
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "redirect", (app.secret_text or "",))
    with pool(http) as open_pool, msal_application(app, asked, open_pool) as application:
        begun = application.initiate_auth_code_flow(
            list(wanted),
            redirect_uri=redirect_uri,
            prompt=prompt,
            login_hint=(account.username or None) if account else None,
            response_mode="form_post",
            claims_challenge=claims,
        )
    # MSAL warns on stderr about any other mode; only the address depends on it.
    begun["auth_uri"] = begun["auth_uri"].replace(
        "response_mode=form_post", f"response_mode={response_mode}"
    )
    return Flow(
        begun["auth_uri"],
        begun["state"],
        time.time() + FLOW_LIFETIME,
        wanted,
        app.region,
        app.tenant,
        app.client_id,
        account,
        begun,
    )


def finish_redirect(
    app: AppRegistration,
    flow: Flow | Mapping[str, Any],
    answer: str | Mapping[str, Any],
    *,
    http: Http | None = None,
) -> SignIn:
    """The sign-in that Microsoft's answer completes.

    `answer` is the query or the posted form, as text, as a mapping, or the whole address that
    Microsoft sent the person to. Raises `ForeignAnswer` (other state, other registration),
    `SignInTimedOut`, `CodeUsedTwice`, and whatever the answer itself says.
    """
    if not isinstance(flow, Flow):
        flow = Flow.from_record(flow)
    parameters = parse_answer(answer)
    if (flow.client_id, flow.region) != (app.client_id, app.region):
        raise ForeignAnswer("This sign-in was begun with another app registration.")
    if not parameters.get("state") or parameters["state"] != flow.state:
        raise ForeignAnswer(
            "The answer belongs to another sign-in.", why="its state is not the one sent along"
        )
    if time.time() > flow.expires:
        raise SignInTimedOut("This sign-in was begun more than ten minutes ago.")
    secrets = (
        parameters.get("code", ""),
        str(flow.msal.get("code_verifier", "")),
        app.secret_text or "",
    )
    asked = Asked(app, flow.scopes, "redirect", secrets)
    if "error" in parameters:
        raise sign_in_error(parameters, asked)
    if "code" not in parameters:
        raise ForeignAnswer("The answer holds neither a code nor an error.")
    with pool(http) as open_pool, msal_application(app, asked, open_pool) as application:
        result = outcome(
            application.acquire_token_by_auth_code_flow(dict(flow.msal), parameters), asked
        )
    return completed(result, app, flow.scopes, flow.account)


def parse_answer(answer: str | Mapping[str, Any]) -> dict[str, str]:
    """Query, form or whole address as single values.

    Raises `ForeignAnswer` when a parameter comes twice: no answer of Microsoft does that.
    """
    if isinstance(answer, str):
        text = answer.strip()
        try:
            query = urlsplit(text).query if "://" in text else text.removeprefix("?")
            found: Mapping[str, Any] = parse_qs(query, keep_blank_values=True, max_num_fields=50)
        except ValueError:
            raise ForeignAnswer("This is no answer of Microsoft.") from None
    else:
        found = answer
    single: dict[str, str] = {}
    for name, value in found.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if len(values) != 1 or not isinstance(values[0], str):
            raise ForeignAnswer(f"The answer holds {name!r} more than once.")
        single[str(name)] = values[0]
    return single
