"""The state of a connection that is being set up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.scopes import Place, least
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.graph.drives import Drive

DriveKind = Literal["personal", "business", "sharepoint"]
Access = Literal["write", "read"]
# The guide's words for rclone's drive_type.
DRIVE_TYPES: Mapping[DriveKind, str]
DRIVE_TYPES = {"personal": "personal", "business": "business", "sharepoint": "documentLibrary"}
KINDS: Mapping[str, DriveKind] = {word: kind for kind, word in DRIVE_TYPES.items()}


class SetupState(msgspec.Struct, kw_only=True):
    """The answers so far. `shared` means a folder in another account's drive. `folder_id` is the id
    of `folder`, once known; `typed` is the folder that the person entered, for any drive chosen
    later. `brought` are the names of options from a pasted remote. Of a storage being
    re-authorized, `expected` is the account, and `meant` its drive and previous sign-in. `passed`
    is the digest of the tested settings. `scopes` is empty if unknown."""

    app: AppRegistration | None = None
    access: Access
    name: str | None = None
    token: Token | None = None
    app_only: bool = False
    account: Account | None = None
    expected: Account | None = None
    meant: dict[str, str] = {}
    scopes: tuple[str, ...] = ()
    kind: DriveKind | None = None
    drive: Drive | None = None
    folder: str = ""
    folder_id: str = ""
    typed: str = ""
    shared: bool = False
    options: dict[str, Any] = {}
    brought: tuple[str, ...] = ()
    passed: str | None = None

    def __repr__(self) -> str:
        """Shows only the names of the options, because some are secret."""
        return f"SetupState({self.kind}, {self.account}, {sorted(self.options)})"

    @property
    def place(self) -> Place:
        """What the sign-in must reach for the choices made."""
        if self.kind == "sharepoint":
            return "sharepoint"
        return "shared" if self.shared else "own"

    def least_scopes(self, place: Place | None = None) -> tuple[str, ...]:
        """The fewest permissions that suffice for the choices made."""
        return least(place or self.place, access=self.access)


def of_others(scopes: Iterable[str]) -> bool:
    """Whether one of these permissions covers files that others share."""
    return any(scope.startswith("Files.") and scope.endswith(".All") for scope in scopes)


def plain(value: Any) -> str:
    """An option's value, or a path, as a JSON string."""
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
