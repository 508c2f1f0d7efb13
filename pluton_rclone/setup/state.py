"""The state of a connection being set up, and as JSON: with or without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from pluton_rclone.errors import UsageError
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.scopes import Place, least
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.graph.drives import Drive, Quota

DriveKind = Literal["personal", "business", "sharepoint"]
Access = Literal["write", "read"]
# The guide's words for what rclone calls drive_type.
DRIVE_TYPES: Mapping[DriveKind, str]
DRIVE_TYPES = {"personal": "personal", "business": "business", "sharepoint": "documentLibrary"}


@dataclass
class SetupState:
    """The answers so far. `shared`: a folder of another account is wanted. `folder_id` is
    the id of `folder`, once known. `expected` is the account of a storage being re-authorized;
    `passed` is the digest of the tested settings. `scopes` are empty if unknown."""

    app: AppRegistration | None = None
    access: Access = "write"
    name: str | None = None
    token: Token | None = None
    app_only: bool = False
    account: Account | None = None
    expected: Account | None = None
    scopes: tuple[str, ...] = ()
    kind: DriveKind | None = None
    drive: Drive | None = None
    folder: str = ""
    folder_id: str = ""
    shared: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    passed: str | None = None

    @property
    def place(self) -> Place:
        """What the sign-in must reach, by what was chosen."""
        if self.kind == "sharepoint":
            return "sharepoint"
        return "shared" if self.shared else "own"

    def least_scopes(self, place: Place | None = None) -> tuple[str, ...]:
        """The fewest permissions that are enough for the choices made."""
        return least(place or self.place, access=self.access)

    def record(self) -> dict[str, Any]:
        """Without any secret: for showing."""
        return {
            "version": 1,
            "client_id": self.app.client_id if self.app else None,
            "tenant": self.app.tenant if self.app else None,
            "region": self.app.region if self.app else "global",
            "access": self.access,
            "name": self.name,
            "signed_in": self.token is not None,
            "app_only": self.app_only,
            "account": self.account.record() if self.account else None,
            "expected": self.expected.record() if self.expected else None,
            "scopes": list(self.scopes),
            "drive_type": self.kind,
            "drive": asdict(self.drive) if self.drive else None,
            "folder": self.folder,
            "folder_id": self.folder_id,
            "shared": self.shared,
            "options": {k: plain(v) for k, v in self.options.items() if not is_secret(k)},
            "passed": self.passed,
        }

    def record_with_secrets(self) -> dict[str, Any]:
        """With token and client secret, to go on later: keep it where only the server reads it."""
        options = {name: plain(value) for name, value in self.options.items()}
        token = self.token.to_rclone() if self.token else None
        secret = self.app.client_secret if self.app else None
        return {**self.record(), "options": options, "token": token, "client_secret": secret}

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], app: AppRegistration | None = None
    ) -> SetupState:
        """The state in `record_with_secrets`; `app` replaces the registration in it."""
        try:
            scopes = tuple(str(scope) for scope in record["scopes"])
            kept = record["token"]
            token = Token.from_rclone(kept, scopes=scopes) if kept else None
            return cls(
                app=app or _app(record),
                access=record["access"],
                name=record["name"],
                token=token,
                app_only=bool(record["app_only"]),
                account=Account.from_record(record["account"]) if record["account"] else None,
                expected=Account.from_record(record["expected"]) if record["expected"] else None,
                scopes=scopes,
                kind=record["drive_type"],
                drive=_drive(record["drive"]) if record["drive"] else None,
                folder=str(record["folder"]),
                folder_id=str(record.get("folder_id", "")),
                shared=bool(record["shared"]),
                options=dict(record["options"]),
                passed=record["passed"],
            )
        except (KeyError, TypeError, ValueError) as problem:
            what = "This is not a state from which a setup can continue."
            why, advice = f"{type(problem).__name__}: {problem}", "Keep what to_json() gives."
            raise UsageError(what, why=why, advice=advice) from None


def plain(value: Any) -> Any:
    """An option's value as JSON has it."""
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    return value if isinstance(value, (str, int, bool, list, type(None))) else str(value)


def is_secret(option: str) -> bool:
    """Whether an option of the remote must not be shown."""
    from pluton_rclone.remote.options import BY_NAME

    return option in BY_NAME and BY_NAME[option].kind == "secret"


def _app(record: Mapping[str, Any]) -> AppRegistration | None:
    names = ("client_id", "tenant", "region", "client_secret")
    return AppRegistration(*(record[name] for name in names)) if record["client_id"] else None


def _drive(record: Mapping[str, Any]) -> Drive:
    return Drive(**{**record, "quota": Quota(**cast("Mapping[str, Any]", record["quota"]))})
