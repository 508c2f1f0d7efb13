"""The token endpoint: authorization code, refresh token, device code, client credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pluton_rclone.emulator.directory import Registration

from . import policy
from .aadsts import EntraError
from .credentials import Credentials, check_confidential, check_public, read_credentials
from .endpoint import Endpoint, check_audience, find_app
from .issuing import app_only_answer, token_answer
from .scopes import Scopes, parse
from .sessions import DeviceCode, RefreshToken, Session, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class TokenRequest:
    """One POST to the token endpoint, with the app that it names."""

    world: World
    endpoint: Endpoint
    form: Mapping[str, str]
    credentials: Credentials
    app: Registration

    @property
    def sessions(self) -> Sessions:
        return self.world.part(Sessions)

    @property
    def client_info(self) -> bool:
        return self.form.get("client_info") == "1"

    def need(self, parameter: str) -> str:
        """The value of a parameter. Raises EntraError 900144 if it is missing."""
        value = self.form.get(parameter)
        if not value:
            raise EntraError(900144, parameter=parameter)
        return value


def answer(
    world: World, endpoint: Endpoint, form: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    """The answer of the token endpoint. Raises EntraError."""
    if "origin" in headers:
        raise EntraError(9002326)
    grant_type = form.get("grant_type")
    if not grant_type:
        raise EntraError(900144, parameter="grant_type")
    grants = {
        "authorization_code": _authorization_code,
        "refresh_token": _refresh_token,
        DEVICE_CODE: _device_code,
        "device_code": _device_code,
        "client_credentials": _client_credentials,
    }
    if grant_type not in grants:
        raise EntraError(70003, grant_type=grant_type)
    credentials = read_credentials(form, headers.get("authorization"))
    app = find_app(world, endpoint, credentials.client_id)
    check_audience(endpoint, app)
    return grants[grant_type](TokenRequest(world, endpoint, form, credentials, app))


def _authorization_code(request: TokenRequest) -> dict[str, Any]:
    code = request.sessions.codes.get(request.need("code"))
    now = request.world.now()
    if code is None or code.session.cloud != request.endpoint.cloud:
        raise EntraError(9002313)
    session = code.session
    _check_client(request, session)
    if code.redeemed:
        raise EntraError(54005)
    if now >= code.expires:
        raise EntraError(70008)
    if request.need("redirect_uri") != code.redirect_uri:
        raise EntraError(500112, redirect_uri=request.form["redirect_uri"])
    if code.challenge is not None and not _verifies(
        code.challenge, request.form.get("code_verifier", "")
    ):
        raise EntraError(501481)
    _check_tenant(request, session)
    policy.play_fault(request.world, "code", session.person.username)
    _check_session(request, session)
    wanted = _wanted(request, session)
    code.redeemed = True
    return token_answer(
        request.world, session, wanted, nonce=code.nonce, client_info=request.client_info
    )


def _refresh_token(request: TokenRequest) -> dict[str, Any]:
    token = request.sessions.refresh_tokens.get(request.need("refresh_token"))
    if token is None or token.session.cloud != request.endpoint.cloud:
        raise EntraError(9002313)
    session = token.session
    _check_client(request, session)
    personal = session.person.tenant.personal
    try:
        _check_tenant(request, session)
        _check_age(request.world, token)
        _check_session(request, session)
        answer = token_answer(
            request.world,
            session,
            _wanted(request, session),
            nonce=None,
            client_info=request.client_info,
        )
    except EntraError as error:
        # Personal accounts give one answer to all of these
        # (entra-invalid-grant-70000-personal.json).
        raise EntraError(70000) if personal and error.error == "invalid_grant" else error from None
    if token.retired is None:
        token.retired = request.world.now()
    return answer


def _device_code(request: TokenRequest) -> dict[str, Any]:
    device = request.sessions.device_codes.get(request.need("device_code"))
    if (
        device is None
        or device.endpoint.cloud != request.endpoint.cloud
        or device.app is not request.app
    ):
        raise EntraError(70018)
    if request.app.public_flows:
        check_public(request.credentials, personal=False)
    else:
        check_confidential(request.app, request.credentials, request.endpoint, request.world.now())
    _check_rhythm(device, request.world.now())
    policy.play_fault(
        request.world, "token", device.session.person.username if device.session else None
    )
    if device.refusal is not None:
        raise device.refusal
    if device.redeemed or request.world.now() >= device.expires:
        raise EntraError(70020)
    if device.session is None:
        raise EntraError(70016)
    _check_session(request, device.session, fault_at=None)
    device.redeemed = True
    return token_answer(
        request.world, device.session, device.scopes, nonce=None, client_info=request.client_info
    )


def _check_rhythm(device: DeviceCode, now: float) -> None:
    """RFC 8628: a client that polls too fast must wait five seconds longer from then on."""
    last, device.last_poll = device.last_poll, now
    if last is not None and now - last < device.interval * 0.9:
        device.interval += 5
        raise EntraError(
            None,
            error="slow_down",
            text="The client asks too often: wait longer between two polls.",
        )


def _client_credentials(request: TokenRequest) -> dict[str, Any]:
    endpoint, app = request.endpoint, request.app
    if endpoint.tenant is None or endpoint.tenant.personal:
        raise EntraError(9001023)
    check_confidential(app, request.credentials, endpoint, request.world.now())
    scopes = parse(request.need("scope"), cloud=endpoint.cloud, app=app.name)
    if not scopes.default:
        raise EntraError(70011, scope=request.form["scope"])
    policy.play_fault(request.world, "token", None)
    roles = app.granted_roles.get(endpoint.tenant.id)
    if roles is None and not app.audience.single_tenant:
        raise EntraError(700016, client_id=app.client_id, tenant=endpoint.tenant.name)
    return app_only_answer(
        request.world, app, endpoint.tenant, endpoint.cloud, roles or frozenset()
    )


# ---- checks that several grants share ------------------------------------------------------------


def _check_client(request: TokenRequest, session: Session) -> None:
    """Check that the grant belongs to this app and that the app authenticates; a failure leaves the
    grant usable."""
    if session.app is not request.app:
        raise EntraError(70000, text="The provided grant was issued to another client application.")
    if session.public:
        check_public(request.credentials, personal=session.person.tenant.personal)
    else:
        check_confidential(request.app, request.credentials, request.endpoint, request.world.now())


def _check_tenant(request: TokenRequest, session: Session) -> None:
    if request.endpoint.tenant is not None and request.endpoint.tenant is not session.tenant:
        raise EntraError(700005)


def _check_session(
    request: TokenRequest, session: Session, *, fault_at: str | None = "token"
) -> None:
    """Check the account and the policies as they are now."""
    if fault_at is not None:
        policy.play_fault(request.world, fault_at, session.person.username)
    if session.authenticated < session.person.tokens_valid_from:
        raise EntraError(50173)
    policy.check_account(session.person, session.tenant, session.app)
    policy.check_conditional_access(session.tenant, device_code=session.device_code)
    if policy.wants_second_factor(session.tenant, session.authenticated, session.multi_factor):
        raise policy.second_factor_required()


def _check_age(world: World, token: RefreshToken) -> None:
    now = world.now()
    if now - token.issued >= world.lifetimes.refresh_token:
        issued = datetime.fromtimestamp(token.issued, timezone.utc)
        raise EntraError(700082, issued=f"{issued:%Y-%m-%dT%H:%M:%S.%f}0Z")
    if token.retired is not None and now - token.retired >= world.lifetimes.rotated_refresh_token:
        raise EntraError(50173)


def _wanted(request: TokenRequest, session: Session) -> Scopes:
    """The scopes of this request; if it has none, as in rclone's refresh, those of the sign-in."""
    scope = request.form.get("scope")
    if not scope:
        return session.scopes
    scopes = parse(scope, cloud=session.cloud, app=session.app.name)
    if not scopes.graph and not scopes.default:
        return Scopes(
            session.scopes.graph, scopes.openid or session.scopes.openid, session.scopes.default
        )
    return scopes


def _verifies(challenge: str, verifier: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode())


def body_of(answer: Mapping[str, Any]) -> bytes:
    """JSON without whitespace, as the service sends it."""
    return json.dumps(answer, separators=(",", ":")).encode()
