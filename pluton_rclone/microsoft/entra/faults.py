"""Errors of Microsoft's sign-in service as exceptions: one mapping for every kind of sign-in.

Microsoft wants programs to branch on `error` and `suberror`, and people to read the AADSTS number.
A known number selects the most specific exception and advice; otherwise `suberror` and `error` do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who
from pluton_rclone.values.redaction import redact

from .app import AppRegistration
from .known_errors import KnownError, by_oauth_error, by_suberror, known_errors
from .scopes import ACCEPT_OR_ASK, admin_consent_url, in_words

_AADSTS = re.compile(r"AADSTS(\d{5,7})")
_TRACE = re.compile(r"\s{0,9}(?:Trace ID|Correlation ID|Timestamp): ?.*", re.DOTALL)
# Either members of the answer, or at the end of its description.
_FOR_SUPPORT = {
    "correlation_id": re.compile(r"Correlation ID: ?([0-9A-Fa-f-]{36})"),
    "trace_id": re.compile(r"Trace ID: ?([0-9A-Fa-f-]{36})"),
    "timestamp": re.compile(r"Timestamp: ?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)"),
}
# Policies about device codes, devices and second factors, which a browser sign-in may satisfy.
_BROWSER_MAY = frozenset({50131, 53000, 53001, 53003, 530001, 530002, 530003, 530033, 530035})


@dataclass(frozen=True)
class Asked:
    """A request to the sign-in service. `way` is redirect, device code, app-only or refresh.
    `secrets` were sent and must not appear in an error's text. `redirect_uri` is where the answer
    goes; "" if there is no redirect."""

    app: AppRegistration | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    way: str = "redirect"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    redirect_uri: str = ""

    def without_secrets(self, text: str) -> str:
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "***")
        return text


def sign_in_error(answer: Mapping[str, Any], asked: Asked = Asked()) -> PlutonRcloneError:
    """The exception for an answer with a member `error`: JSON from the token endpoint, or the query
    of a redirect. Never raises."""
    error = _word(answer, "error")
    suberror = _word(answer, "suberror") or _word(answer, "error_subcode")
    description = _word(answer, "error_description")
    text = redact(asked.without_secrets(description)[:4000])
    number = _number(answer, text)
    known = known_errors().get(number if number is not None else _unnumbered(text))
    kind, who, what, advice = _judge(error, suberror, known, asked)
    host = asked.app.cloud.login_host if asked.app else "login.microsoftonline.com"
    link = None if number is None else f"https://{host}/error?code={number}"
    details: dict[str, Any] = {"error": error or None, "suberror": suberror or None}
    details["aadsts"] = None if number is None else f"AADSTS{number}"
    for name, pattern in _FOR_SUPPORT.items():
        found = pattern.search(description)
        details[name] = _word(answer, name) or (found and found[1])
    if issubclass(kind, errors.ConsentRequired) and asked.app is not None:
        link = admin_consent_url(asked.app, asked.scopes, redirect_uri=asked.redirect_uri)
        details["scopes"] = list(asked.scopes)
        details["admin_consent_url"] = link
        if kind is errors.ConsentRequired:
            who, advice = Who.YOU, ACCEPT_OR_ASK
        if asked.scopes:
            what = f"{what.rstrip('.')}: {in_words(asked.scopes)}."
    why = _TRACE.sub("", text).strip() or (error or None)
    step = kind.default_next_step
    return kind(what, why=why, who=who, advice=advice, link=link, next_step=step, **details)


def _judge(
    error: str, suberror: str, known: KnownError | None, asked: Asked
) -> tuple[type[PlutonRcloneError], Who, str, str]:
    if known is not None:
        kind, who, what, advice = known.exception, known.who, known.meaning, known.advice
    elif suberror in by_suberror():
        kind = by_suberror()[suberror]
        who, advice = kind.default_who, kind.default_advice
        unknown = (kind, who, "Microsoft's sign-in service refused.")
        what = by_oauth_error().get(error, unknown)[2]
    elif error in by_oauth_error():
        kind, who, what = by_oauth_error()[error]
        advice = kind.default_advice if who is not Who.LATER else "Try again in a few minutes."
    else:
        kind, who = errors.SignInError, Who.YOU
        what = "Microsoft's sign-in service refused" + (f" with {error!r}." if error else ".")
        advice = "Sign in again; if it fails again, give your administrator the correlation id."
    if kind is errors.TokenExpired and asked.way != "refresh":
        # Microsoft reports the same for a fresh code, when no token is stored yet.
        kind = errors.SignInTimedOut
        if known is None or known.aadsts != 70008:
            kind = errors.AuthorizationFailed
            what = "Microsoft did not accept the answer of this sign-in."
            advice = "Sign in again and finish at once: the code works once, for ten minutes."
    if asked.way == "device code" and known is not None and known.aadsts in _BROWSER_MAY:
        what = "Your organisation blocks signing in with a device code."
        advice = "Sign in in a browser instead, or ask the administrator to allow device codes."
    if asked.way == "app-only" and kind is errors.ConsentRequired:
        kind, who = errors.AdminConsentRequired, Who.ADMINISTRATOR
        advice = "Send your administrator the consent address below; once they agree, try again."
    return kind, who, what, advice


def _word(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value.strip() if isinstance(value, str) else ""


def _number(answer: Mapping[str, Any], text: str) -> int | None:
    """The AADSTS number; of two, as in old answers (70002: … 70008), the last is more specific."""
    in_text = [int(number) for number in _AADSTS.findall(text)]
    codes = answer.get("error_codes")
    listed = [code for code in codes if isinstance(code, int)] if isinstance(codes, list) else []
    for number in (*reversed(in_text), *reversed(listed)):
        if number in known_errors():
            return number
    return next(iter((*in_text, *listed)), None)


def _unnumbered(text: str) -> int:
    """The AADSTS number for an error text that has none; 0 if there is none. Microsoft names the
    registration's `userAudience` if the tenant does not match it, and reports a client as "not
    enabled for consumers" if it does not exist or does not accept personal accounts."""
    low = text.lower()
    if "not enabled for consumers" in low:
        return 700016
    if "useraudience" not in low:
        return 0
    return 9002331 if "consumer'" in low else 9002332
