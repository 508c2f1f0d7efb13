"""The walk of "Connecting OneDrive" as one object with no user interface: sign-in, drive, options, test, save.

The command line, the browser page and Pluton drive this one. Its state can be kept as JSON between two requests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from .errors import DriveNotFound, RegistrationError, UsageError
from .microsoft.account import Account
from .microsoft.app import AppRegistration
from .microsoft.drives import Drive, Site
from .microsoft.scopes import Place, least, missing, remote_options
from .microsoft.token import Token

if TYPE_CHECKING:
    from .connection import ConnectionReport, Step
    from .microsoft.device_code import DeviceCode
    from .microsoft.graph import Drives, Graph
    from .microsoft.redirect import Flow
    from .microsoft.sign_in import SignIn
    from .remote.onedrive import OneDriveRemote
    from .storage import Storage
    from .storages import Storages

DriveKind = Literal["personal", "business", "sharepoint"]
# The guide's words for what rclone calls drive_type.
DRIVE_TYPES: Mapping[DriveKind, str] = {
    "personal": "personal",
    "business": "business",
    "sharepoint": "documentLibrary",
}


class StorageSetup:
    """One storage being connected.

    `app` is the app registration; None takes PLUTON_ONEDRIVE_CLIENT_ID and its neighbours. Steps in the wrong order
    raise `UsageError`, which says what is missing.
    """

    def __init__(self, app: AppRegistration | None = None) -> None:
        self._app = app or AppRegistration.from_environment()
        self._token: Token | None = None
        self._app_only = False
        self.account: Account | None = None
        self.scopes: tuple[str, ...] = ()

    @property
    def app(self) -> AppRegistration:
        """The app registration in use. RegistrationError when there is none."""
        if self._app is None:
            raise RegistrationError(
                "There is no app registration to sign in with.",
                advice="Give a client id: AppRegistration(client_id=…), --client-id, or PLUTON_ONEDRIVE_CLIENT_ID.",
            )
        return self._app

    @property
    def signed_in(self) -> bool:
        return self._token is not None

    # ---- signing in ----

    def begin_sign_in(self, redirect_uri: str, *, place: Place = "own") -> Flow:
        """The address to send the person to (`.url`), and what `finish_sign_in` needs; it can wait as JSON."""
        from .microsoft.redirect import begin_redirect

        return begin_redirect(self.app, least(place), redirect_uri, account=self.account)

    def finish_sign_in(self, flow: Flow | Mapping[str, Any], answer: str | Mapping[str, Any]) -> Account:
        """Takes Microsoft's answer: the query, the posted form, or the whole address. State and PKCE are checked."""
        from .microsoft.redirect import finish_redirect

        return self._take(finish_redirect(self.app, flow, answer))

    def sign_in_with_browser(
        self,
        *,
        place: Place = "own",
        show_address: Callable[[str, bool], None] | None = None,
        timeout: float = 600.0,
        cancel: threading.Event | None = None,
    ) -> Account:
        """Opens the browser of this machine and waits for the person; `timeout` in seconds."""
        from .microsoft.browser import sign_in_with_browser

        return self._take(
            sign_in_with_browser(
                self.app,
                least(place),
                show_address=show_address,
                timeout=timeout,
                cancel=cancel,
                account=self.account,
            )
        )

    def sign_in_with_device_code(
        self,
        *,
        show: Callable[[DeviceCode], None],
        place: Place = "own",
        cancel: threading.Event | None = None,
    ) -> Account:
        """Shows a code to type on another device, and waits for the person."""
        from .microsoft.device_code import sign_in_with_device_code

        return self._take(
            sign_in_with_device_code(self.app, least(place), show=show, cancel=cancel, account=self.account)
        )

    def sign_in_as_app(self) -> Account:
        """Signs in as the application itself: no person, an administrator agreed before."""
        from .microsoft.app_only import sign_in_as_app

        account = self._take(sign_in_as_app(self.app))
        self._app_only = True
        return account

    def use_token(self, text: str) -> Account:
        """Takes a token as rclone stores it, or what `rclone authorize` printed. TokenInvalid."""
        from .microsoft.paste import read_paste

        token = read_paste(text).token
        self._token, self.scopes = token, token.scopes
        with self._graph() as graph:
            self.account = graph.me()
        return self.account

    def _take(self, sign_in: SignIn) -> Account:
        self._token, self.account, self.scopes = sign_in.token, sign_in.account, sign_in.scopes
        return sign_in.account

    # ---- choosing the drive ----

    def suggested_type(self) -> DriveKind:
        """The drive type that this account most likely wants."""
        return "personal" if self._account().kind == "personal" else "business"

    def needs_consent(self, kind: DriveKind) -> tuple[str, ...]:
        """The permissions that a drive type needs and the sign-in lacks; sign in again with `place="sharepoint"`."""
        if self._app_only or not self.scopes:
            return ()
        return missing(self.scopes, least("sharepoint" if kind == "sharepoint" else "own"))

    def drives(self) -> Drives:
        """The account's own drives, each verified by reading its root. DriveNotFound."""
        with self._graph() as graph:
            return graph.drives()

    def sites(self, term: str = "*") -> list[Site]:
        """SharePoint sites that match. SitesPermissionMissing."""
        with self._graph() as graph:
            return graph.sites(term)

    def libraries(self, site: Site) -> Drives:
        """The document libraries of a site."""
        with self._graph() as graph:
            return graph.libraries(site)

    def drive(self, drive_id: str) -> Drive:
        """One drive by its id. DriveNotFound, AccessDenied."""
        with self._graph() as graph:
            return graph.drive(drive_id)

    def drives_of(self, kind: DriveKind) -> list[Drive]:
        """The own drives of one type. DriveNotFound says which types there are instead."""
        drives = self.drives()
        found = [drive for drive in drives if drive.type == DRIVE_TYPES[kind]]
        if not found:
            there = ", ".join(sorted({drive.type for drive in drives}))
            raise DriveNotFound(
                f"{self._account()} has no drive of the type {kind}.",
                why=f"there is: {there}" if there else "; ".join(drives.notes) or None,
                advice=f"Choose --type {there}." if there in DRIVE_TYPES else None,
            )
        return found

    # ---- the remote ----

    def remote(self, drive: Drive, **options: Any) -> OneDriveRemote:
        """The complete remote for a drive; `options` are those of `OneDriveRemote`. OptionInvalid, RemoteIncomplete."""
        from pydantic import SecretStr

        from .remote.onedrive import OneDriveRemote

        account, app, token = self._account(), self._app, self._signed_in_token()
        given: dict[str, Any] = {
            "drive_id": drive.id,
            "drive_type": drive.type,
            "account_id": account.id,
            "account_name": account.username or account.name,
            "granted_scopes": self.scopes,
            **(remote_options(self.scopes) if self.scopes else {}),
        }
        given["access_scopes"] = tuple(str(given.get("access_scopes", "")).split()) or None
        if given["access_scopes"] is None:
            del given["access_scopes"]
        if app is not None:
            given.update(
                region=app.region,
                client_id=app.client_id,
                client_secret=SecretStr(app.secret_text) if app.secret_text else None,
                tenant="" if app.tenant == "common" else app.tenant,
            )
        if self._app_only:
            given.update(client_credentials=True)
        else:
            given.update(token=SecretStr(token.to_rclone()))
        return OneDriveRemote(**{**given, **options})

    def test(
        self, storages: Storages, remote: OneDriveRemote, on_step: Callable[[Step], None] = lambda step: None
    ) -> ConnectionReport:
        """The connection test; nothing is saved."""
        return storages.test(remote, on_step)

    def save(
        self,
        storages: Storages,
        name: str,
        remote: OneDriveRemote,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> Storage:
        """Tests, then saves under the friendly name. A failed test saves nothing."""
        return storages.add(name, remote, on_step=on_step)

    # ---- state between requests ----

    def record_with_secrets(self) -> dict[str, Any]:
        """The state as JSON members, token included: keep it where only the server reads it."""
        token = None if self._token is None else self._token.to_rclone()
        return {**self.record(), "token": token}

    def record(self) -> dict[str, Any]:
        """The state as JSON members, without any secret: good for showing, not for going on."""
        return {
            "signed_in": self.signed_in,
            "account": self.account.record() if self.account else None,
            "scopes": list(self.scopes),
            "app_only": self._app_only,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], app: AppRegistration | None = None) -> StorageSetup:
        """Goes on from `record_with_secrets`."""
        setup = cls(app)
        setup.scopes = tuple(record.get("scopes") or ())
        if record.get("account"):
            setup.account = Account.from_record(record["account"])
        if record.get("token"):
            setup._token = Token.from_rclone(str(record["token"]), scopes=setup.scopes)
        setup._app_only = bool(record.get("app_only"))
        return setup

    def to_json(self) -> str:
        """`record_with_secrets` as text."""
        return json.dumps(self.record_with_secrets())

    # ---- what must be there ----

    def _signed_in_token(self) -> Token:
        if self._token is None:
            raise UsageError("Nobody has signed in yet.", advice="Sign in first, then choose the drive.")
        return self._token

    def _account(self) -> Account:
        self._signed_in_token()
        assert self.account is not None
        return self.account

    def _graph(self) -> Graph:
        from .microsoft.clouds import cloud
        from .microsoft.graph import Graph

        return Graph(cloud(self._app.region if self._app else "global"), self._signed_in_token())
