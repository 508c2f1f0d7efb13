"""MSAL over our HTTP client: every kind of sign-in reaches Microsoft Entra through it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, SignInError, Throttled
from pluton_rclone.values.refusals import by_status

from ..http import Answer, Http, retry_after
from .app import AppRegistration, msal_credential
from .faults import Asked, sign_in_error


class _Response(NamedTuple):
    """A response with the members that MSAL expects."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"_Response({self.status_code})"  # the text may hold tokens

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise SignInError(f"Microsoft's sign-in service answered HTTP {self.status_code}.")


class _MsalHttp:
    """MSAL's HTTP client. It raises our exceptions where MSAL would raise a bare HTTP error (5xx),
    log the text of a token response that is not JSON, or hide a failed discovery."""

    def __init__(self, http: Http, asked: Asked) -> None:
        self._http = http
        self._asked = asked

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Response:
        answer = self._http.request("GET", url, params=params, headers=headers)
        if _refused(answer):  # a discovery document; MSAL would only report it as missing
            raise sign_in_error(answer.json, self._asked)
        return self._checked(answer)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> _Response:
        if isinstance(data, dict) and data.get("grant_type") == "refresh_token":
            # MSAL adds OpenID's scopes, which have no consent if the token came from rclone's own
            # sign-in (AADSTS65001). Without a scope, as rclone sends it, the granted scopes stay.
            data = {name: value for name, value in data.items() if name != "scope"}
        answer = self._http.request("POST", url, params=params, data=data, headers=headers)
        if _refused(answer) and answer.status >= 500:
            raise sign_in_error(answer.json, self._asked)
        return self._checked(answer)

    def close(self) -> None:
        """Do nothing: the caller closes the pool."""

    def _checked(self, answer: Answer) -> _Response:
        if answer.status == 429:
            later = retry_after(answer.headers.get("retry-after"))
            what = "Microsoft's sign-in service asks to slow down."
            raise Throttled(what, status=429, retry_after=later)
        if not isinstance(answer.json, dict):
            meaning = by_status(answer.status, "sign-in")
            why = f"HTTP {answer.status} with something that is not JSON"
            raise meaning.error(why, status=answer.status)
        # MSAL gets only what we have parsed, without endless numbers or nesting.
        return _Response(answer.status, json.dumps(answer.json), answer.headers)


def _refused(answer: Answer) -> bool:
    return isinstance(answer.json, dict) and isinstance(answer.json.get("error"), str)


@contextmanager
def msal_application(app: AppRegistration, asked: Asked, http: Http | None = None) -> Iterator[Any]:
    """MSAL's application for `app`, with its errors mapped. `http` is the caller's pool; without
    it, a pool is opened and closed again."""
    import msal

    class Forgetful(msal.TokenCache):  # type: ignore[misc]  # msal has no types
        """Keeps nothing: the storage holds the token, and MSAL's cache logs codes and verifiers."""

        def add(self, event: Any, now: Any = None) -> None:
            return None

    options: dict[str, Any] = {"authority": app.authority, "token_cache": Forgetful()}
    # Our hosts are known. MSAL would look them up at Microsoft: some at the start, through a host
    # that a sovereign network may block, and all after a refusal, whose reason could get lost.
    options["instance_discovery"] = False
    try:
        with nullcontext(http) if http else Http() as pool:
            options["http_client"] = _MsalHttp(pool, asked)
            if credential := _credential(app, asked.way):
                options |= {"client_credential": credential, "azure_region": False}
                yield msal.ConfidentialClientApplication(app.client_id, **options)
            else:
                yield msal.PublicClientApplication(app.client_id, **options)
    except PlutonRcloneError:
        raise
    except ValueError as problem:
        text = str(problem)
        if "OIDC" in text or "authority configuration" in text:
            about: dict[str, Any] = {"tenant": app.tenant, "region": app.region}
            what = f"There is no tenant {app.tenant!r} in region {app.region}."
            advice = "Check the tenant's id or domain, and region: each cloud has its own tenants."
            raise errors.RegistrationError(what, advice=advice, **about) from None
        why = asked.without_secrets(text).partition("\n")[0][:200]
        raise errors.AuthorizationFailed("The sign-in did not finish.", why=why) from None
    except (TypeError, LookupError, AttributeError, OverflowError) as problem:
        what = "Microsoft's sign-in service answered in an unknown form."
        raise SignInError(what, why=type(problem).__name__, who=errors.Who.LATER) from None
    except RuntimeError as problem:  # the nonce in the id token is not ours
        why = type(problem).__name__
        raise errors.ForeignAnswer("The answer belongs to another sign-in.", why=why) from None


def _credential(app: AppRegistration, way: str) -> str | dict[str, str] | None:
    """The credential for this `way` of signing in; None for a public client."""
    if way == "device code":
        return None
    # rclone renews a user's token without the certificate, so only app-only sign-in uses it.
    return msal_credential(app) if way == "app-only" else app.client_secret


def outcome(result: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """MSAL's result if it holds a token; otherwise raises the exception for its error."""
    if result.get("access_token"):
        return result
    raise sign_in_error(result, asked)
