"""Every option of a OneDrive remote, once: the 30 of rclone 1.75.2 and 8 of our own. The source for
help, forms and checks, and for what decides each option: the user, the steps of the walk, or the
sign-in.

Names, defaults and choices are rclone's (`rclone config providers`); a test compares them with the
installed binary. `since` is the first release with the option, from the tags of rclone's repository
(backend/onedrive/onedrive.go, lib/oauthutil, fs/registry.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.values.encoding import ONEDRIVE_ENCODING
from pluton_rclone.values.units import nearest
from pluton_rclone.values.versions import Version

Kind = Literal["text", "secret", "switch", "number", "size", "choice", "list", "day"]
Group = Literal["basic", "advanced", "pluton"]
Decider = Literal["person", "walk", "sign_in"]

PREFIX = "pluton_"
TRUE = ("1", "t", "T", "TRUE", "true", "True")
"""The values that rclone reads as true."""
_WHY: dict[Decider, tuple[str, str]] = {
    "walk": (
        "the steps of the setup decide it: the name, the location",
        "Rename the storage, or connect the other location as a separate storage.",
    ),
    "sign_in": (
        "the sign-in decides it: the app registration and the account",
        "Connect a new storage with that registration or account.",
    ),
}
_ALL_SCOPES = (
    "Files.Read Files.ReadWrite Files.Read.All Files.ReadWrite.All Sites.Read.All offline_access"
)
_HELP = {
    "client_id": "The id of your own app registration. Empty: rclone's own registration is used.",
    "client_secret": "The secret of that registration; empty for a public client.",
    "token": "The token, as JSON. Signing in sets it, and rclone renews it automatically.",
    "auth_url": "A different sign-in address. Empty: the one for the region and tenant.",
    "token_url": "A different token address. Empty: the one for the region and tenant.",
    "client_credentials": "Sign in as the application itself, without a user (client credentials). "
    "This needs tenant, id and secret, and permissions granted by an administrator.",
    "region": "The Microsoft cloud that the account belongs to.",
    "upload_cutoff": "Files up to this size, at most 4Mi, are sent in one request. On Business and "
    "SharePoint, each then takes twice its size: setting its time creates a second version.",
    "tenant_url": "Use SharePoint's own interface at this address, such as "
    "https://TENANT.sharepoint.com/_api, if the organisation allows no app to use Microsoft Graph.",
    "chunk_size": "How much of a file one upload request carries. Larger chunks are faster on good "
    "lines, but each running transfer holds one in memory. At the default, one large file gets "
    "larger chunks, or smaller ones if memory is short. A multiple of 320 KiB, below 60 MiB.",
    "drive_id": "The id of the drive.",
    "drive_type": "The kind of drive.",
    "root_folder_id": "Use this folder as the drive's root, for folders that no path leads to.",
    "access_scopes": "Used only when rclone itself signs in; a token renewal does not send them.",
    "tenant": "The tenant's id or domain, for app-only access and registrations of one tenant.",
    "disable_site_permission": "Used only when rclone itself signs in: replaces the permissions "
    "asked for with all but Sites.Read.All.",
    "expose_onenote_files": "Show OneNote notebooks, to delete them: they cannot be read as files.",
    "server_side_across_configs": "Let Microsoft copy between remotes of one account or tenant.",
    "list_chunk": "The number of entries per listing request.",
    "no_versions": "Remove a file's older versions after each change, because they take up space.",
    "hard_delete": "Delete permanently, not into the recycle bin, which also takes up space.",
    "link_scope": "For links that rclone makes (`rclone link`).",
    "link_type": "For links that rclone makes (`rclone link`).",
    "link_password": "For links that rclone makes (`rclone link`) on OneDrive Personal.",
    "hash_type": "The hash used to compare files. Only QuickXorHash exists on every drive.",
    "av_override": "Also download files that Microsoft's virus scanner has flagged.",
    "delta": "rclone's recursive listings take few requests near the root, but omit an item listed "
    "before its folder. Never used here to copy, compare, count or delete.",
    "metadata_permissions": "Whether sharing permissions are read and written with the metadata.",
    "encoding": "The characters in file names that rclone replaces: those that OneDrive refuses.",
    "description": "The name that people see for this storage.",
    "base_folder": "The folder on the drive where paths start, also when rclone runs on its own. "
    "Empty: the drive's root.",
    "base_folder_id": "The base folder's id, which finds it after it was moved.",
    "account_id": "The account that signed in.",
    "account_name": "The account's name.",
    "granted_scopes": "The permissions that the last sign-in granted.",
    "secret_expires": "The day on which the client secret expires, such as 2027-03-31.",
    "certificate": "A PEM file for app-only access through this library.",
    "sign_in": "The sign-in that the token comes from; saving a new token sets it.",
}
_CHOICES = {
    "region": {
        "global": "Global",
        "us": "US Government",
        "de": "Germany (closed in 2021)",
        "cn": "China (operated by 21Vianet)",
    },
    "drive_type": {
        "personal": "OneDrive Personal",
        "business": "OneDrive for Business",
        "documentLibrary": "SharePoint document library",
    },
    "access_scopes": {
        _ALL_SCOPES: "Read and write everything",
        "Files.Read Files.Read.All Sites.Read.All offline_access": "Read everything",
        _ALL_SCOPES.replace(" Sites.Read.All", ""): (
            "Read and write everything, but not search SharePoint sites"
        ),
    },
    "link_scope": {
        "anonymous": "Anyone, without signing in",
        "organization": "People in your organisation",
    },
    "link_type": {
        "view": "Reading",
        "edit": "Reading and changing",
        "embed": "Embedding in a page (Personal only)",
    },
    "hash_type": {
        "auto": "The best available",
        "quickxor": "QuickXorHash",
        "sha1": "SHA-1",
        "sha256": "SHA-256",
        "crc32": "CRC-32",
        "none": "No hashes",
    },
    "metadata_permissions": {
        "off": "Neither",
        "read": "Read",
        "write": "Write",
        "read,write": "Read and write",
        "failok": "A permission that cannot be written does not fail the file",
    },
}


@dataclass(frozen=True)
class Choice:
    """One value of an option, with its label for users."""

    value: str
    label: str


@dataclass(frozen=True)
class Option:
    """One option. `default` is its text in rclone.conf; `unit` is None if it has no unit."""

    name: str
    kind: Kind
    title: str
    since: Version = Version(1, 40)  # noqa: RUF009 - immutable
    default: str = ""
    group: Group = "advanced"
    decided_by: Decider = "person"
    sensitive: bool = False
    unit: str | None = None

    @property
    def help(self) -> str:
        return _HELP[self.name]

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(Choice(*found) for found in _CHOICES.get(self.name, {}).items())

    @property
    def key(self) -> str:
        """Its key in the section of rclone.conf."""
        return PREFIX + self.name if self.group == "pluton" else self.name


_by_sign_in = partial(Option, decided_by="sign_in")
_by_walk = partial(Option, decided_by="walk")
OPTIONS: tuple[Option, ...] = (
    _by_sign_in("client_id", "text", "Application (client) id", group="basic", sensitive=True),
    _by_sign_in("client_secret", "secret", "Client secret", group="basic", sensitive=True),
    _by_sign_in("token", "secret", "Token", sensitive=True),
    _by_sign_in("auth_url", "text", "Sign-in address"),
    _by_sign_in("token_url", "text", "Token address"),
    _by_sign_in("client_credentials", "switch", "App-only access", Version(1, 69), "false"),
    _by_sign_in("region", "choice", "Region", Version(1, 54), "global", "basic"),
    Option("upload_cutoff", "size", "Single-request limit", Version(1, 70), "off", unit="bytes"),
    Option("tenant_url", "text", "SharePoint tenant address", Version(1, 75)),
    Option("chunk_size", "size", "Chunk size", Version(1, 43), "10Mi", "basic", unit="bytes"),
    _by_walk("drive_id", "text", "Drive", Version(1, 44), group="basic", sensitive=True),
    _by_walk("drive_type", "choice", "Drive type", Version(1, 44), group="basic"),
    _by_walk("root_folder_id", "text", "Root folder id", Version(1, 58), sensitive=True),
    _by_sign_in("access_scopes", "list", "Requested permissions", Version(1, 59), _ALL_SCOPES),
    _by_sign_in("tenant", "text", "Tenant", Version(1, 69), group="basic", sensitive=True),
    _by_sign_in("disable_site_permission", "switch", "No Sites.Read.All", Version(1, 58), "false"),
    Option("expose_onenote_files", "switch", "Show OneNote files", Version(1, 44), "false"),
    Option("server_side_across_configs", "switch", "Server-side copies", Version(1, 52), "false"),
    Option("list_chunk", "number", "Listing page size", Version(1, 56), "1000", unit="entries"),
    Option("no_versions", "switch", "Keep no old versions", Version(1, 53), "false"),
    Option("hard_delete", "switch", "Hard delete", Version(1, 67), "false", "basic"),
    Option("link_scope", "choice", "Who may use a link", Version(1, 54), "anonymous"),
    Option("link_type", "choice", "What a link allows", Version(1, 54), "view"),
    Option("link_password", "secret", "Link password", Version(1, 54), sensitive=True),
    Option("hash_type", "choice", "Hash", Version(1, 62), "auto"),
    Option("av_override", "switch", "Download infected files", Version(1, 63), "false"),
    Option("delta", "switch", "List by delta", Version(1, 65), "false"),
    Option("metadata_permissions", "list", "Permissions as metadata", Version(1, 66), "off"),
    Option("encoding", "list", "Name encoding", Version(1, 51), ONEDRIVE_ENCODING),
    _by_walk("description", "text", "Friendly name", Version(1, 66), group="basic"),
)
# Kept beside rclone's options, under keys that rclone ignores.
OWN: tuple[Option, ...] = (
    Option("base_folder", "text", "Base folder", group="pluton"),
    _by_walk("base_folder_id", "text", "Base folder id", group="pluton", sensitive=True),
    _by_sign_in("account_id", "text", "Account id", group="pluton", sensitive=True),
    _by_sign_in("account_name", "text", "Account", group="pluton"),
    _by_sign_in("granted_scopes", "list", "Granted permissions", group="pluton"),
    Option("secret_expires", "day", "Client secret expires", group="pluton"),
    _by_sign_in("certificate", "text", "Certificate", group="pluton"),
    _by_sign_in("sign_in", "text", "Sign-in", group="pluton"),
)

BY_NAME: dict[str, Option] = {option.name: option for option in (*OPTIONS, *OWN)}


def option_called(name: str) -> Option:
    """The option with this name. Raises OptionInvalid if there is none."""
    if name in BY_NAME:
        return BY_NAME[name]
    meant = nearest(name, BY_NAME)
    hint = f"did you mean {meant!r}?" if meant else None
    what = f"there is no option {name!r}"
    raise OptionInvalid(what, why=hint, option=name, problems=[f"{name}: {what}"])


def require_person(names: Iterable[str]) -> None:
    """Raise OptionInvalid for the first name that is no option, or not one that users decide."""
    for name in names:
        option = option_called(name)
        if option.decided_by != "person":
            what, (why, advice) = f"{name} cannot be set as an option", _WHY[option.decided_by]
            told = [f"{name}: {why}"]
            raise OptionInvalid(what, why=why, advice=advice, option=name, problems=told)
