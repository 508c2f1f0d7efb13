"""A person's sign-in from the app's request to its redirect address: account, second factor,
consent, answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pluton_rclone.emulator.directory import Audience, Person, Tenant

from . import pages, policy
from .aadsts import EntraError, Trace
from .endpoint import Endpoint, find_app, is_native_redirect, tenant_for
from .issuing import client_info_of
from .keys import opaque
from .scopes import Scopes, parse
from .sessions import AuthorizationCode, Flow, Session, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

_RESPONSE_MODES = ("query", "fragment", "form_post")
# Without a number: an app for personal accounts only, used at /common.
_WRONG_AUDIENCE = (
    "The request is not valid for the application's 'userAudience' configuration. In order to use "
    "/common/ "
    "endpoint, the application must not be configured with 'Consumer' as the user audience."
)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256


@dataclass
class Page:
    """What the browser gets: a page, or a redirect if `location` is set; perhaps a cookie."""

    html: str = ""
    location: str | None = None
    status: int = 200
    cookie: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Interaction:
    """One browser request of a sign-in; `cookie` is from this browser's last sign-in."""

    def __init__(self, world: World, trace: Trace, cookie: str | None) -> None:
        self.world = world
        self.sessions = world.part(Sessions)
        self.trace = trace
        self.cookie = cookie
        self._new_cookie: str | None = None

    # ---- the first request -----------------------------------------------------------------------

    def authorize(self, endpoint: Endpoint, query: Mapping[str, str]) -> Page:
        """GET or POST /oauth2/v2.0/authorize. Raises EntraError if there is no address to redirect
        to."""
        app = find_app(self.world, endpoint, query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if not redirect_uri:
            raise EntraError(900144, parameter="redirect_uri")
        flow = Flow(
            endpoint,
            app,
            Scopes(),
            redirect_uri=redirect_uri,
            public=is_native_redirect(app, redirect_uri),
            state=query.get("state"),
            challenge=query.get("code_challenge"),
            nonce=query.get("nonce"),
            prompt=query.get("prompt", ""),
            login_hint=query.get("login_hint", ""),
            client_info=query.get("client_info") == "1",
        )
        try:
            if app.audience is Audience.PERSONAL and endpoint.segment == "common":
                raise EntraError(None, text=_WRONG_AUDIENCE)
            self._read(flow, query)
        except EntraError as error:
            return self._send_back(flow, self._refused(error))
        return self.begin(flow)

    def _read(self, flow: Flow, query: Mapping[str, str]) -> None:
        mode = query.get("response_mode", "query")
        if mode not in _RESPONSE_MODES:
            raise EntraError(9002313, error="invalid_request")
        flow.response_mode = mode
        response_type = query.get("response_type", "")
        if response_type != "code":
            raise EntraError(
                700054 if response_type else 900144,
                response_type=response_type,
                parameter="response_type",
            )
        if flow.challenge is not None:
            method = query.get("code_challenge_method", "plain")
            if method != "S256" or not _CHALLENGE.fullmatch(flow.challenge):
                raise EntraError(
                    9002313, error="invalid_request", text="Only PKCE with S256 is taken here."
                )
        scope = query.get("scope", "")
        if not scope:
            raise EntraError(900144, parameter="scope")
        flow.scopes = parse(scope, cloud=flow.endpoint.cloud, app=flow.app.name)

    def begin(self, flow: Flow) -> Page:
        """The first page: the account, unless this browser is signed in."""
        self.sessions.flows[flow.id] = flow
        if flow.prompt not in ("login", "select_account", "create"):
            person = self.sessions.browsers.get(self.cookie or "")
            fits = person is not None and flow.login_hint in ("", person.username)
            if person is not None and fits and person.tenant.cloud == flow.endpoint.cloud:
                return self._signed_in(flow, person)
        if flow.prompt == "none":
            return self._send_back(flow, self._refused(EntraError(50058)))
        return Page(pages.sign_in(flow, self._accounts(flow)))

    def _accounts(self, flow: Flow) -> list[Person]:
        """The people that the account picker offers: all of this cloud who can sign in here."""
        found = []
        for person in self.world.people.values():
            try:
                tenant_for(flow.endpoint, flow.app, person)
            except EntraError:
                continue
            found.append(person)
        return found

    # ---- the buttons -----------------------------------------------------------------------------

    def press(self, sent: Mapping[str, str]) -> Page:
        """Handle the form that one of the pages sent."""
        flow = self.sessions.flows.get(sent.get("flow", ""))
        if flow is None:
            raise EntraError(50089)
        answer = sent.get("answer", "")
        if answer == "return" and flow.refusal is not None:
            return self._finish_refused(flow, flow.refusal)
        if answer == "cancel":
            return self._cancelled(flow)
        if flow.person is None:
            return self._account_chosen(flow, sent.get("account") or sent.get("username", ""))
        if answer == "approve":
            flow.multi_factor = True
        if answer == "continue" and flow.device is not None:
            return self._finish(flow)
        return self._go_on(
            flow, accepted=answer == "accept", for_tenant=sent.get("organisation") == "yes"
        )

    def _account_chosen(self, flow: Flow, username: str) -> Page:
        person = self.world.people.get(username.strip().lower())
        if person is None:
            where = flow.endpoint.tenant.name if flow.endpoint.tenant else flow.endpoint.segment
            return self._refuse(flow, EntraError(50034, username=username, tenant=where))
        self.cookie = self._new_cookie = secrets.token_hex(16)
        self.sessions.browsers[self.cookie] = person
        page = self._signed_in(flow, person)
        page.cookie = self._new_cookie
        return page

    def _signed_in(self, flow: Flow, person: Person) -> Page:
        try:
            tenant = tenant_for(flow.endpoint, flow.app, person)
            policy.play_fault(self.world, "authorize", person.username)
            policy.check_account(person, tenant, flow.app)
            policy.check_conditional_access(tenant, device_code=flow.device is not None)
            if flow.admin_consent and not person.admin:
                raise EntraError(90094, app=flow.app.name)
        except EntraError as error:
            return self._refuse(flow, error)
        flow.person, flow.tenant = person, tenant
        return self._go_on(flow, accepted=False, for_tenant=False)

    def _go_on(self, flow: Flow, *, accepted: bool, for_tenant: bool) -> Page:
        """The next page that is still needed, or the last."""
        assert flow.person is not None
        assert flow.tenant is not None
        if flow.tenant.policies.multi_factor_since is not None and not flow.multi_factor:
            if flow.prompt == "none":
                return self._finish_refused(flow, policy.second_factor_required())
            return Page(pages.second_factor(flow))
        wanted = self.wanted(flow)
        missing = (
            wanted
            - self.sessions.consented(flow.person, flow.tenant, flow.app)
            - flow.tenant.policies.withheld
        )
        if accepted:
            return self._accepted(flow, wanted, for_tenant=for_tenant or flow.admin_consent)
        if missing or flow.admin_consent or flow.prompt == "consent":
            try:
                policy.check_consent(flow.person, flow.tenant, flow.app, missing)
            except EntraError as error:
                return self._refuse(flow, error)
            if flow.prompt == "none":
                app = flow.app
                silent = EntraError(
                    65001, error="consent_required", client_id=app.client_id, app=app.name
                )
                return self._finish_refused(flow, silent)
            return Page(
                pages.consent(flow, self._shown(flow, wanted), for_tenant=flow.person.admin)
            )
        if flow.device is not None:
            return Page(pages.confirm_device(flow))
        return self._finish(flow)

    def wanted(self, flow: Flow) -> frozenset[str]:
        """The permissions that need consent; /.default means those that the registration lists."""
        if flow.scopes.default:
            return frozenset(flow.app.delegated) - {"offline_access"}
        return flow.scopes.consented

    def _shown(self, flow: Flow, wanted: frozenset[str]) -> frozenset[str]:
        shown = wanted | (flow.scopes.openid & {"offline_access"})
        return (
            shown | frozenset(flow.app.roles)
            if flow.admin_consent and flow.scopes.default
            else shown
        )

    def _accepted(self, flow: Flow, wanted: frozenset[str], *, for_tenant: bool) -> Page:
        assert flow.person is not None
        assert flow.tenant is not None
        agreed = wanted - flow.tenant.policies.withheld
        if for_tenant and flow.person.admin:
            self.sessions.consent_for_tenant(flow.tenant, flow.app, agreed)
            if flow.admin_consent and flow.scopes.default and flow.app.roles:
                flow.app.granted_roles[flow.tenant.id] = frozenset(flow.app.roles)
        else:
            try:  # the page may be older than the policy
                policy.check_consent(flow.person, flow.tenant, flow.app, agreed)
            except EntraError as error:
                return self._refuse(flow, error)
            self.sessions.consent(flow.person, flow.app, agreed)
        return self._finish(flow)

    # ---- the end of the way ----------------------------------------------------------------------

    def _finish(self, flow: Flow) -> Page:
        assert flow.person is not None
        assert flow.tenant is not None
        self.sessions.flows.pop(flow.id, None)
        if flow.admin_consent:
            return self._admin_agreed(flow, flow.tenant)
        session = Session(
            flow.person,
            flow.app,
            flow.tenant,
            flow.endpoint.cloud,
            flow.public,
            flow.scopes,
            self.world.now(),
            multi_factor=flow.multi_factor,
            device_code=flow.device is not None,
        )
        if flow.device is not None:
            flow.device.session = session
            text = f"You have signed in to the {flow.app.name} application on your device."
            text += " You may now close this window."
            return Page(pages.done(flow.app.name, text))
        assert flow.redirect_uri is not None
        code = opaque("M.C5xx_BAY.2.U." if flow.person.tenant.personal else "1.AXoA", 120)
        self.sessions.codes[code] = AuthorizationCode(
            session,
            flow.redirect_uri,
            flow.challenge,
            flow.nonce,
            self.world.now() + self.world.lifetimes.authorization_code,
        )
        fields = {"code": code}
        if flow.client_info:
            fields["client_info"] = client_info_of(flow.person, flow.tenant)
        return self._send_back(flow, fields)

    def _admin_agreed(self, flow: Flow, tenant: Tenant) -> Page:
        """entra-admin-consent-url.json."""
        names = " ".join(sorted(self._shown(flow, self.wanted(flow))))
        if flow.redirect_uri is None:
            return Page(
                pages.done(
                    "Permissions granted", f"{flow.app.name} may be used in {tenant.name} now."
                )
            )
        return self._send_back(flow, {"admin_consent": "True", "tenant": tenant.id, "scope": names})

    def _cancelled(self, flow: Flow) -> Page:
        if flow.admin_consent:
            words = "The resource owner or authorization server denied the request."
            return self._finish_refused(
                flow, EntraError(65004, error="consent_required", text=words)
            )
        if flow.person is not None and flow.device is None:
            return self._finish_refused(flow, EntraError(65004), subcode="cancel")
        text = "the user canceled the authentication"
        return self._finish_refused(
            flow, EntraError(None, error="access_denied", text=text), subcode="cancel"
        )

    def _refuse(self, flow: Flow, error: EntraError) -> Page:
        """Microsoft's error page; the app gets the error only if the person returns from there."""
        flow.refusal = error
        if flow.device is not None:
            flow.device.refusal = error
        if flow.prompt == "none":
            return self._finish_refused(flow, error)
        return Page(pages.refusal(error.description(self.trace), flow))

    def _finish_refused(self, flow: Flow, error: EntraError, *, subcode: str | None = None) -> Page:
        self.sessions.flows.pop(flow.id, None)
        if flow.device is not None:
            if flow.device.refusal is None:
                text = "The end user denied the authorization request."
                flow.device.refusal = EntraError(None, error="authorization_declined", text=text)
            return Page(pages.done("Sign-in cancelled", "You may now close this window."))
        fields = self._refused(error)
        if subcode:
            fields["error_subcode"] = subcode
        if flow.admin_consent:
            fields = {"admin_consent": "True", **fields}
        if flow.redirect_uri is None:
            return Page(pages.refusal(error.description(self.trace), None), status=400)
        return self._send_back(flow, fields)

    def _refused(self, error: EntraError) -> dict[str, str]:
        return {"error": error.error, "error_description": error.description(self.trace)}

    def _send_back(self, flow: Flow, fields: dict[str, str]) -> Page:
        """Send `fields` to the app in the response mode that it asked for, its state unchanged."""
        assert flow.redirect_uri is not None
        if flow.state is not None:
            fields["state"] = flow.state
        if "code" in fields:
            fields["session_state"] = secrets.token_hex(16)
        if flow.response_mode == "form_post":
            return Page(pages.form_post(flow.redirect_uri, fields))
        address = flow.redirect_uri
        if address.count("/") == 2:  # no path: it comes back with a slash (reply-url.md)
            address += "/"
        mark = "#" if flow.response_mode == "fragment" else ("&" if "?" in address else "?")
        return Page(location=f"{address}{mark}{urlencode(fields)}")
