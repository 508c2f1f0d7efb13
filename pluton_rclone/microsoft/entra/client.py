"""MSAL with our HTTP underneath: how every way of signing in reaches Microsoft Entra."""

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
    """What MSAL expects of an HTTP client's answer."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"_Response({self.status_code})"  # the text may hold tokens

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise SignInError(f"Microsoft's sign-in service answered HTTP {self.status_code}.")


class _MsalHttp:
    """MSAL's HTTP client. MSAL throws a bare HTTP error for 5xx, logs a token answer that is not
    JSON with its text, and hides a refused discovery: these three become our exceptions here."""

    def __init__(self, http: Http, asked: Asked) -> None:
        self._http = http
        self._asked = asked

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Response:
        answer = self._http.request("GET", url, params=params, headers=headers)
        if _refused(answer):  # a discovery document; MSAL would only say that it is not there
            raise sign_in_error(answer.json, self._asked)
        return self._checked(answer)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> _Response:
        if isinstance(data, dict) and data.get("grant_type") == "refresh_token":
            # MSAL adds OpenID's scopes, to which nobody consented if the token came from rclone's
            # own sign-in (AADSTS65001). If none are named, as by rclone, what was granted stays.
            data = {name: value for name, value in data.items() if name != "scope"}
        answer = self._http.request("POST", url, params=params, data=data, headers=headers)
        if _refused(answer) and answer.status >= 500:
            raise sign_in_error(answer.json, self._asked)
        return self._checked(answer)

    def close(self) -> None:
        """Nothing: the caller closes the pool."""

    def _checked(self, answer: Answer) -> _Response:
        if answer.status == 429:
            later = retry_after(answer.headers.get("retry-after"))
            what = "Microsoft's sign-in service asks to slow down."
            raise Throttled(what, status=429, retry_after=later)
        if not isinstance(answer.json, dict):
            meaning = by_status(answer.status, "sign-in")
            why = f"HTTP {answer.status} with something that is not JSON"
            raise meaning.error(why, status=answer.status)
        # What was read here already: no number without end, no nesting without end.
        return _Response(answer.status, json.dumps(answer.json), answer.headers)


def _refused(answer: Answer) -> bool:
    return isinstance(answer.json, dict) and isinstance(answer.json.get("error"), str)


@contextmanager
def msal_application(app: AppRegistration, asked: Asked, http: Http | None = None) -> Iterator[Any]:
    """MSAL's application for a registration, with errors mapped. `http` is the caller's pool; None:
    one that closes at the end."""
    import msal

    class Forgetful(msal.TokenCache):  # type: ignore[misc]  # msal has no types
        """Keeps nothing: the storage has the token, and MSAL's cache logs codes and verifiers."""

        def add(self, event: Any, now: Any = None) -> None:
            return None

    options: dict[str, Any] = {"authority": app.authority, "token_cache": Forgetful()}
    # Our hosts are known. MSAL would ask Microsoft about them: about some at first, which a
    # sovereign network does not reach, and about each after a refusal, whose reason could get lost.
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
            advice = "Check the tenant's id or domain, and the region: a cloud has its own tenants."
            raise errors.RegistrationError(what, advice=advice, **about) from None
        why = asked.without_secrets(text).partition("\n")[0][:200]
        raise errors.AuthorizationFailed("The sign-in did not finish.", why=why) from None
    except (TypeError, LookupError, AttributeError, OverflowError) as problem:
        what = "Microsoft's sign-in service answered in an unknown form."
        raise SignInError(what, why=type(problem).__name__, who=errors.Who.LATER) from None
    except RuntimeError as problem:  # the id token's nonce is not ours
        why = type(problem).__name__
        raise errors.ForeignAnswer("The answer belongs to another sign-in.", why=why) from None


def _credential(app: AppRegistration, way: str) -> str | dict[str, str] | None:
    """What the registration shows of itself on this way; None as a public client."""
    if way == "device code":
        return None
    # rclone renews a person's token without the certificate, which is for the application.
    return msal_credential(app) if way == "app-only" else app.client_secret


def outcome(result: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """MSAL's result when it is a token; raises what it means otherwise."""
    if result.get("access_token"):
        return result
    raise sign_in_error(result, asked)
