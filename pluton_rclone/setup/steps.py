"""The steps of the setup: sign-in in every way, its permissions, and the location."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pluton_rclone.errors import (
    ConsentRequired,
    DriveNotFound,
    PlutonRcloneError,
    RegistrationError,
    UsageError,
    Who,
)
from pluton_rclone.microsoft.clouds import Cloud, cloud, refuse_type
from pluton_rclone.microsoft.entra.account import Account, require_same
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.scopes import Place, in_words, missing, reading
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.graph.drives import Drive, Site
from pluton_rclone.remote.names import friendly_name
from pluton_rclone.values.refusals import of_unsaved
from pluton_rclone.values.units import human_drive_type
from pluton_rclone.values.words import require_word

from .state import DRIVE_TYPES, KINDS, Access, DriveKind, SetupState, of_others

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.device_code import DeviceCode
    from pluton_rclone.microsoft.entra.redirect import Flow
    from pluton_rclone.microsoft.entra.sign_in import SignIn
    from pluton_rclone.microsoft.graph.graph import Drives, Graph
    from pluton_rclone.microsoft.graph.locations import Location


class Steps:
    """Signing in, and choosing the storage's location; `StorageSetup` adds the other steps."""

    _state: SetupState

    @property
    def app(self) -> AppRegistration:
        """The app registration in use. RegistrationError if there is none."""
        if self._state.app is None:
            what = "There is no app registration to sign in with."
            advice = "Give its client id (PLUTON_ONEDRIVE_CLIENT_ID), or sign in with rclone's own."
            raise RegistrationError(what, who=Who.YOU, advice=advice)
        return self._state.app

    @property
    def has_app(self) -> bool:
        """Whether there is an app registration; without one, rclone's own is used."""
        return self._state.app is not None

    @property
    def access(self) -> Access:
        """The access requested: "write" or "read"."""
        return self._state.access

    @property
    def name(self) -> str | None:
        """The friendly name."""
        return self._state.name

    @name.setter
    def name(self, name: str) -> None:
        self._state.name = friendly_name(name)

    @property
    def signed_in(self) -> bool:
        """Whether a sign-in was accepted; its token may have expired."""
        return self._state.token is not None

    @property
    def account(self) -> Account | None:
        """The account that signed in."""
        return self._state.account

    @property
    def drive_type(self) -> DriveKind | None:
        """The chosen drive type."""
        return self._state.kind

    @property
    def place(self) -> Place:
        """What the permissions must reach for the choices so far."""
        return self._state.place

    def begin_sign_in(self, redirect_uri: str, *, place: Place | None = None) -> Flow:
        """A sign-in whose address (`.url`) the person opens, for `finish_sign_in`; it can be kept
        as JSON. `place` is what the permissions must reach (default: what the drive type needs).
        After a first sign-in, the same account is asked for missing permissions."""
        from pluton_rclone.microsoft.entra.redirect import begin_redirect

        scopes = self._state.least_scopes(place)
        return begin_redirect(self.app, scopes, redirect_uri, account=self._expected())

    def finish_sign_in(
        self, flow: Flow | Mapping[str, Any], answer: str | Mapping[str, Any]
    ) -> Account:
        """Accept Microsoft's answer: query, posted form, or address. State and PKCE are checked."""
        from pluton_rclone.microsoft.entra.redirect import finish_redirect

        return self._take(finish_redirect(self.app, flow, answer))

    def sign_in_with_browser(
        self,
        *,
        place: Place | None = None,
        show_address: Callable[[str, bool], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Account:
        """Open this machine's browser, and wait ten minutes for the person."""
        from pluton_rclone.microsoft.entra.browser import sign_in_with_browser

        signed_in = sign_in_with_browser(
            self.app,
            self._state.least_scopes(place),
            show_address=show_address,
            cancel=cancel,
            account=self._expected(),
        )
        return self._take(signed_in)

    def sign_in_with_device_code(
        self,
        *,
        show: Callable[[DeviceCode], None],
        place: Place | None = None,
        cancel: threading.Event | None = None,
    ) -> Account:
        """Show a code to enter on another device, and wait for the person, until `cancel`. In a
        server, call it in a thread: it takes up to fifteen minutes."""
        from pluton_rclone.microsoft.entra.device_code import begin_device_code

        scopes = self._state.least_scopes(place)
        show(code := begin_device_code(self.app, scopes, account=self._expected()))
        return self._take(code.wait(cancel))

    def sign_in_as_app(self) -> Account:
        """Sign in as the application itself: no person; an administrator has consented before."""
        from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app

        return self._take(sign_in_as_app(self.app))

    def _take(self, sign_in: SignIn) -> Account:
        expected = self._expected()
        if expected is not None and sign_in.account.kind != "application":
            require_same(expected, sign_in.account)
        state = self._state
        state.token, state.account, state.scopes = sign_in.token, sign_in.account, sign_in.scopes
        if state.access == "read":  # scopes granted earlier are included in the token
            state.scopes = reading(sign_in.scopes)
        state.app_only, state.passed = sign_in.account.kind == "application", None
        return sign_in.account

    def _expected(self) -> Account | None:
        known = self._state.expected or self._state.account
        return known if known and known.kind != "application" else None  # an application is nobody

    def sign_out(self) -> None:
        """Discard the sign-in, the choices that depend on it, and the options of a pasted remote;
        name, drive type and other options stay."""
        state = self._state
        self._forget_paste()
        state.token = state.account = state.drive = state.passed = None
        state.scopes, state.folder, state.shared, state.app_only = (), state.typed, False, False

    def _forget_paste(self) -> None:
        """Discard the options of a pasted remote, except those set since."""
        state = self._state
        mine = {name: value for name, value in state.options.items() if name not in state.brought}
        state.typed = "" if "base_folder" in state.brought else state.typed
        state.options, state.brought = mine, ()

    def use_app(self, app: AppRegistration | None) -> None:
        """Use another registration, which requires a new sign-in; name and options stay."""
        self.sign_out()
        self._state.app, self._state.kind = app, None

    def suggested_type(self) -> DriveKind:
        """The most likely drive type for this account."""
        return "personal" if self._account().kind == "personal" else "business"

    def choose_type(self, kind: DriveKind) -> tuple[str, ...]:
        """Choose "personal", "business" or "sharepoint", also before the sign-in. Returns the
        missing permissions, which the next sign-in requests ("consent" in `next_steps`)."""
        require_word("drive type", kind, DriveKind)
        state = self._state
        tenant = state.app.tenant if state.app else "common"
        refuse_type(self._cloud(), tenant, personal=kind == "personal")
        state.shared = False
        if kind != state.kind:
            state.kind, state.drive, state.folder = kind, None, state.typed
        return self.missing_permissions()

    def missing_permissions(self) -> tuple[str, ...]:
        """The permissions that the choices so far need and the sign-in lacks."""
        return self._lacks(self.place)

    def _lacks(self, place: Place) -> tuple[str, ...]:
        state = self._state
        if state.token is None or state.app_only or not state.scopes:
            return ()
        return missing(state.scopes, state.least_scopes(place))

    def _require(self, place: Place, what: str) -> None:
        if lacking := self._lacks(place):
            what, why = f"{what} needs another permission.", f"missing: {in_words(lacking)}"
            advice = "Sign in again with this account and accept it; other permissions stay."
            raise ConsentRequired(what, why=why, advice=advice, missing_scopes=list(lacking))

    def _signed_in_token(self) -> Token:
        if self._state.token is None:
            advice = "Sign in first, then choose the drive."
            raise UsageError("Nobody has signed in yet.", advice=advice)
        return self._state.token

    def _account(self) -> Account:
        self._signed_in_token()
        assert self._state.account is not None
        return self._state.account

    def _cloud(self) -> Cloud:
        return cloud(self._state.app.region if self._state.app else "global")

    @contextmanager
    def _graph(self) -> Iterator[Graph]:
        """Graph with a valid token, renewed if it has expired, for a person who returns later."""
        from pluton_rclone.microsoft.graph.graph import Graph

        token, turn = self._signed_in_token(), threading.Lock()

        def renew(refused: str) -> Token:
            with turn:  # Graph uses several threads, and a refresh token may be valid only once
                old = self._signed_in_token()
                if old.access_token == refused:
                    new = self._renewed()
                    if self._state.token is old:  # not signed out or in meanwhile
                        self._state.token = new
                return self._signed_in_token()

        try:
            if token.expired():
                token = renew(token.access_token)
            with Graph(self._cloud(), token, kind=self._account().kind, renew=renew) as graph:
                yield graph
        except PlutonRcloneError as problem:
            of_unsaved(problem)
            raise

    def _renewed(self) -> Token:
        from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app

        from .imported import renewed

        if self._state.app_only:
            return sign_in_as_app(self.app).token
        return renewed(self._state.app, self._signed_in_token(), self._cloud())

    # ---- location ----

    @property
    def chosen_drive(self) -> Drive | None:
        """The chosen drive; None before."""
        return self._state.drive

    @property
    def folder(self) -> str:
        """The folder in the drive where the storage begins; "" for the root."""
        return self._state.folder

    def drives(self) -> Drives:
        """The account's own drives, each verified by reading its root. DriveNotFound."""
        with self._graph() as graph:
            return graph.drives()

    def drives_of(self, kind: DriveKind) -> list[Drive]:
        """The account's drives of one type that suit backups. DriveNotFound names other types."""
        drives = self.drives()
        offered = [drive for drive in drives if drive.for_backups]
        found = [drive for drive in offered if drive.type == DRIVE_TYPES[kind]]
        if not found:
            there = ", ".join(sorted({human_drive_type(drive.type) for drive in offered}))
            what = f"{self._account()} has no drive of the type {kind}."
            why = f"there is: {there}" if there else "; ".join(drives.notes) or None
            advice = f"Choose the drive type {there}." if there in DRIVE_TYPES else None
            raise DriveNotFound(what, why=why, advice=advice)
        return found

    def sites(self, term: str = "*") -> list[Site]:
        """SharePoint sites that match `term`. ConsentRequired, SitesPermissionMissing."""
        self._require("sharepoint", "Looking for SharePoint sites")
        with self._graph() as graph:
            return graph.sites(term)

    def libraries(self, site: Site) -> Drives:
        """The document libraries of a site."""
        self._require("sharepoint", "Opening a SharePoint site")
        with self._graph() as graph:
            return graph.libraries(site)

    def drive(self, drive_id: str) -> Drive:
        """One drive by its id. DriveNotFound, AccessDenied."""
        with self._graph() as graph:
            return graph.drive(drive_id)

    def user_drive(self, user: str) -> Drive:
        """A person's drive by user name, for app-only setups, which have no person."""
        with self._graph() as graph:
            return graph.user_drive(user)

    def choose_drive(self, drive: Drive | str, folder: str | None = None) -> Drive:
        """Choose this drive (or the one with this id), and the folder where the storage begins
        (None: the base folder given before), which the connection test creates if missing."""
        from pluton_rclone.values.paths import in_drive

        chosen = self.drive(drive) if isinstance(drive, str) else drive
        self._account()
        state = self._state
        state.typed = in_drive(state.typed if folder is None else folder)
        if folder is not None:
            state.brought = tuple(name for name in state.brought if name != "base_folder")
        if state.drive is None or chosen.id != state.drive.id:
            state.options.pop("root_folder_id", None)
        # not if it was found without those permissions
        state.shared = not self._lacks("shared") and (state.shared or self._is_of_others(chosen))
        state.kind = KINDS[chosen.type]
        state.drive, state.folder, state.folder_id = chosen, state.typed, ""
        return chosen

    def _is_of_others(self, drive: Drive) -> bool:
        """Whether a drive is not the account's own, if the account can access others' files. Names
        do not show that: the owner may have the same name, or another one at the sign-in."""
        if not self._state.scopes or drive.type == "documentLibrary":
            return False
        with suppress(PlutonRcloneError):
            return drive.id not in {own.id for own in self.drives()}
        return True

    def choose_own_drive(self) -> Drive:
        """The only drive of the chosen type. DriveNotFound; UsageError lists several."""
        drives = self.drives_of(self._state.kind or self.suggested_type())
        if len(drives) > 1:
            why = ", ".join(f"{drive.name} ({drive.id})" for drive in drives)
            advice = "Choose one by its id, shown in brackets."
            raise UsageError(f"There are {len(drives)} such drives.", why=why, advice=advice)
        return self.choose_drive(drives[0])

    def check_address(self, address: str) -> DriveKind:
        """The type of the drive that the address most likely means; needs no sign-in. OptionInvalid
        if no sign-in with this registration could reach it."""
        from pluton_rclone.microsoft.graph.locations import likely_type, require_cloud

        require_cloud(address, self._cloud())
        return KINDS[likely_type(address)]

    def choose_address(self, address: str) -> Location:
        """Choose a pasted address of a site, library, folder or sharing link, or a drive id. After
        ConsentRequired, the next sign-in requests the missing permission."""
        from pluton_rclone.microsoft.graph.locations import resolve

        with self._graph() as graph:
            try:
                return self._choose(resolve(graph, address))
            except ConsentRequired as problem:
                self._state.shared = of_others(problem.details.get("missing_scopes", ()))
                raise

    def _choose(self, location: Location) -> Location:
        self.choose_drive(location.drive)
        self._state.folder = location.folder or self._state.folder
        if location.root_folder_id:
            self._state.options["root_folder_id"] = location.root_folder_id
            self._state.shared = bool(self._state.scopes) and not self._lacks("shared")
        return location
