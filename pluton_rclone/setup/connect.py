"""The setup "Connecting OneDrive" as one object: from the name to the saved storage.

The command line, the browser page and Pluton use it. Its state can be kept as JSON between two
requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from pluton_rclone.errors import PlutonRcloneError, UsageError
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate
from pluton_rclone.microsoft.entra.scopes import Place
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.values.refusals import of_unsaved
from pluton_rclone.values.words import require_word

from .state import DRIVE_TYPES, Access, DriveKind, SetupState, plain
from .steps import Steps

if TYPE_CHECKING:
    from pluton_rclone.conf.conf import Conf
    from pluton_rclone.connection.report import ConnectionReport, OnStep
    from pluton_rclone.remote.onedrive import OneDriveRemote

__all__ = ["DRIVE_TYPES", "DriveKind", "NextStep", "StorageSetup"]

NextStep = Literal[
    "name", "sign_in", "drive_type", "consent", "location", "options", "test", "save"
]
Storage = TypeVar("Storage", covariant=True)


class Home(Protocol[Storage]):
    """Where a storage is saved, such as `Storages`."""

    def try_out(
        self, remote: OneDriveRemote, on_step: OnStep = ..., *, keep: Callable[[str], None]
    ) -> tuple[ConnectionReport, OneDriveRemote]: ...

    def free_name(self, friendly: str, remote_name: str | None = ...) -> str: ...

    def add_tested(
        self,
        name: str,
        remote: OneDriveRemote,
        *,
        remote_name: str | None = ...,
        more: Mapping[str, str] | None = ...,
    ) -> Storage: ...


class Saved(Protocol):
    """A saved storage, such as `Storage`."""

    @property
    def name(self) -> str: ...

    def remote_to_sign_in(self) -> OneDriveRemote: ...

    def check_writable(self) -> None: ...


class StorageSetup(Steps):
    """One storage being connected. `app` defaults to PLUTON_ONEDRIVE_CLIENT_ID and the like;
    without a registration, only `sign_in_with_rclone` and `use_token` can sign in. `access="read"`
    requests read-only permissions. A step out of order raises `UsageError`, which says why."""

    def __init__(self, app: AppRegistration | None = None, *, access: Access = "write") -> None:
        require_word("access", access, Access)
        self._state = SetupState(app=app or AppRegistration.from_environment(), access=access)

    def __repr__(self) -> str:
        who, steps = self.account, self.next_steps
        return f"StorageSetup(name={self.name!r}, account={who!s}, next_steps={steps})"

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """The possible steps that are not done yet; a person is asked for the first one next."""
        state = self._state
        steps: list[NextStep] = [] if state.name else ["name"]
        if state.token is None:
            return (*steps, "sign_in")
        if state.kind is None:
            return (*steps, "drive_type")
        if self.missing_permissions():
            return (*steps, "consent")
        if state.drive is None:
            return (*steps, "location", "options")
        return (*steps, "options", "test", "save") if state.name else (*steps, "options", "test")

    def sign_in_with_rclone(
        self,
        *,
        show_address: Callable[[str], None],
        place: Place | None = None,
        cancel: threading.Event | None = None,
    ) -> Account:
        """Through `rclone authorize` and rclone's own registration: global cloud, this machine
        only. RegistrationError first if the given registration names another cloud or a tenant."""
        from pluton_rclone.microsoft.clouds import refuse_rclone_registration
        from pluton_rclone.rclone.authorize import authorize

        if self._state.app is not None:
            refuse_rclone_registration(self._state.app.cloud, self._state.app.tenant)
        scopes = self._state.least_scopes(place)
        text = authorize(show_address=show_address, scopes=scopes, cancel=cancel)
        account = self._use(text, None)
        self._state.scopes = scopes
        return account

    def use_token(self, text: str) -> Account:
        """Take a pasted token, the output of `rclone authorize`, or a whole remote. A remote brings
        its registration, drive and options; a read-only one stays read-only. TokenInvalid describes
        what is wrong with the paste; TokenExpired; AccountError for another account."""
        return self._use(text, self._state.app)

    def _use(self, text: str, app: AppRegistration | None) -> Account:
        from pluton_rclone.microsoft.graph.drives import unasked
        from pluton_rclone.microsoft.graph.locations import Location, rooted
        from pluton_rclone.remote.options import BY_NAME
        from pluton_rclone.remote.rules import reads_only

        from .imported import import_token

        try:
            pasted = import_token(text, app=app)
        except PlutonRcloneError as problem:
            of_unsaved(problem)
            raise
        account = self._take(pasted.sign_in)
        if reads_only(pasted.sign_in.scopes):
            self._state.access = "read"
        self._state.app = pasted.app
        given = dict(pasted.options)
        folder = given.pop(BY_NAME["base_folder"].key, "")
        self._forget_paste()
        kept = [one for one in BY_NAME.values() if one.decided_by == "person"]
        kept += [BY_NAME["auth_url"], BY_NAME["token_url"]]
        brought = {option.name: given[option.key] for option in kept if option.key in given}
        own = self._state.options
        named = [name for name in brought if name not in own]
        if folder and not self._state.typed:
            self._state.typed = folder  # kept if the drive is not found
            named.append("base_folder")
        self._state.options, self._state.brought = {**brought, **own}, tuple(named)
        if drive_id := given.get("drive_id"):
            root = given.get("root_folder_id", "")
            if given.get("tenant_url"):  # its token is SharePoint's, which Graph would refuse
                drive = unasked(drive_id, given.get("drive_type"))
                location = Location(drive, root_folder_id=root or None)
            else:
                with self._graph() as graph:
                    location = rooted(graph, drive_id, root)
            self._choose(location)
            if self._state.folder == folder:
                self._state.folder_id = given.get(BY_NAME["base_folder_id"].key, "")
        return account

    def set_options(self, **options: Any) -> None:
        """Set options that a person decides (`x-decided-by` in the schema); None removes one.
        `base_folder` is the folder of `choose_drive`, also for a drive chosen later. OptionInvalid
        at once, even before a drive is chosen; then nothing is changed."""
        from pluton_rclone.remote.options import require_person

        from .remote import check_options

        require_person(options)
        state = self._state
        before = state.options, state.folder, state.folder_id, state.typed, state.brought
        state.brought = tuple(name for name in state.brought if name not in options)
        if "base_folder" in options:
            folder = options.pop("base_folder") or ""
            if folder != state.folder:  # else perhaps an address's, which goes with its drive
                state.folder_id, state.folder, state.typed = "", folder, folder
        given = {**state.options, **options}
        state.options = {name: value for name, value in given.items() if value is not None}
        try:
            check_options(state)
        except BaseException:
            state.options, state.folder, state.folder_id, state.typed, state.brought = before
            raise

    def remote(self, drive: Drive | None = None, **options: Any) -> OneDriveRemote:
        """The remote for the drive. OptionInvalid, RemoteIncomplete, UsageError."""
        from pluton_rclone.remote.options import require_person

        from .remote import make_remote

        require_person(options)
        if drive is not None and drive != self._state.drive:
            self.choose_drive(drive)
        self._account()
        if self._state.drive is None:
            advice = "Choose the drive, site or address first."
            raise UsageError("No drive is chosen yet.", advice=advice)
        return make_remote(self._state, options)

    def authorization(self) -> dict[str, Any]:
        """The remote options that the sign-in changes, for `OneDriveRemote.replace`."""
        from .remote import authorization

        return authorization(self._state)

    def test(self, storages: Home[object], on_step: OnStep = None) -> ConnectionReport:
        """Run the connection test; nothing is saved. After it has passed, saving needs no second
        test. Choices made while it runs are kept, untested."""
        from .remote import digest

        state, remote, account = self._state, self.remote(), self._account()
        report, tested = storages.try_out(remote, on_step, keep=self.keeper())
        # without another sign-in; the test found the base folder
        if state.account is account and self._is_still(remote):
            state.folder, state.folder_id = tested.base_folder, tested.base_folder_id
            state.passed = digest(tested) if report.ok else None
        return report

    def keeper(self) -> Callable[[str], None]:
        """Returns a function that keeps the token which replaces the present one during a test,
        unless a sign-in or sign-out came first. A refresh token may be valid only once."""
        state, before = self._state, self._state.token

        def keep(token: str) -> None:
            if state.token is before and not state.app_only:
                state.token = Token.from_rclone(token, scopes=state.scopes)

        return keep

    def _is_still(self, remote: OneDriveRemote) -> bool:
        """Whether the current choices make this remote, apart from its token and test results."""
        from .remote import digest

        with suppress(PlutonRcloneError):  # signed out, for example
            return digest(self.remote()) == digest(remote)
        return False

    def save(
        self,
        storages: Home[Storage],
        name: str | None = None,
        on_step: OnStep = None,
        *,
        remote_name: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Storage:
        """Test, unless the test has passed and the drive still exists, then save. If either fails,
        nothing is saved. Without `remote_name`, it is derived from the friendly name. `more` are
        keys of a surrounding application for the same section, which rclone ignores."""
        from pluton_rclone.microsoft.graph.locations import rooted

        from .remote import digest

        friendly = name or self._state.name
        if friendly is None:
            raise UsageError("The storage has no name yet.", advice="Give it a name, then save it.")
        tested = self.remote().replace(description=friendly)
        remote_name = storages.free_name(friendly, remote_name)
        if self._state.passed is None or self._state.passed != digest(tested):
            report, tested = storages.try_out(tested, on_step, keep=self.keeper())
            report.raise_for_failure()
        elif not tested.tenant_url:  # it may have been deleted since the test
            with self._graph() as graph:
                rooted(graph, tested.drive_id, tested.root_folder_id)
        return storages.add_tested(friendly, tested, remote_name=remote_name, more=more)

    def record_with_secrets(self) -> dict[str, Any]:
        """The state as JSON members, with secrets: store it where only the server can read it."""
        return dict(msgspec.to_builtins(self._state, enc_hook=plain))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StorageSetup:
        """Continue from `record_with_secrets`."""
        setup = cls.__new__(cls)
        try:
            setup._state = msgspec.convert(record, SetupState, dec_hook=lambda _, text: Path(text))
            if (setup._state.token is None) is not (setup._state.account is None):
                raise ValueError("it has a token or an account, but not both")
        except (msgspec.ValidationError, ValueError) as problem:  # half a surrogate is the latter
            what = "A setup cannot continue from this state."
            advice = "Store what record_with_secrets() returns."
            raise UsageError(what, why=str(problem), advice=advice) from None
        return setup

    @classmethod
    def for_storage(
        cls,
        storage: Saved,
        *,
        expected: Literal["same", "anyone"] = "same",
        credential: str | Certificate | None = None,
    ) -> StorageSetup:
        """Re-authorize a storage: sign in, then call `storage.reauthorize(setup)`. Another account
        is refused unless `expected="anyone"`. `credential` is the registration's new secret or
        certificate. ConfigNotWritable is raised now, not after the sign-in."""
        from .remote import state_of

        storage.check_writable()
        setup = cls.__new__(cls)
        setup._state = state_of(storage.remote_to_sign_in(), storage.name)
        if expected == "anyone":
            setup._state.expected = None
        if credential is not None:
            secret = credential if isinstance(credential, str) else None
            certificate = None if isinstance(credential, str) else credential
            setup._state.app = replace(setup.app, client_secret=secret, certificate=certificate)
        return setup

    def name_now(self, conf: Conf, name: str) -> str:
        """The present name of the remote `name`, for which `for_storage` made this setup: it may
        have been renamed. StorageNotFound if it was removed, even if another has its name."""
        from pluton_rclone.saved.renewal import name_now

        return name_now(conf, name, self._state.meant) if self._state.meant else name
