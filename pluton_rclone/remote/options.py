"""Every option of a OneDrive remote, once: the 30 of rclone 1.75.2 and the 8 that are kept beside
them. The source of all help, forms and checks, and of who decides each: the person, the walk, or
the sign-in.

rclone's names, defaults and choices are its own (`rclone config providers`); a test compares them
with the binary at hand. `since` is the first release that knows the option, from the tags of
rclone's repository (backend/onedrive/onedrive.go, lib/oauthutil, fs/registry.go).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.values.encoding import ONEDRIVE_ENCODING
from pluton_rclone.values.versions import Version

Kind = Literal["text", "secret", "switch", "number", "size", "choice", "list", "day"]
Group = Literal["basic", "advanced", "pluton"]
Decider = Literal["person", "walk", "sign_in"]

PREFIX = "pluton_"
_WHY: dict[Decider, str] = {
    "walk": "the steps of the walk decide it: the name, the location",
    "sign_in": "the sign-in decides it: the app registration and the account",
}


@dataclass(frozen=True)
class Choice:
    """One value that an option takes, with the words for a person."""

    value: str
    label: str


@dataclass(frozen=True)
class Option:
    """One option. `default` is its text in rclone.conf; `unit` is None where there is none."""

    name: str
    kind: Kind
    title: str
    help: str
    default: str = ""
    choices: tuple[Choice, ...] = ()
    unit: str | None = None
    group: Group = "advanced"
    sensitive: bool = False
    since: Version = Version(1, 40)  # noqa: RUF009 - immutable
    # Whether an older rclone that ignores it does something else than was asked for.
    matters: bool = True
    decided_by: Decider = "person"

    @property
    def key(self) -> str:
        """Its key in the section of rclone.conf."""
        return PREFIX + self.name if self.group == "pluton" else self.name


def _choices(**labels: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, label) for value, label in labels.items())


DEFAULT_SCOPES = (
    "Files.Read Files.ReadWrite Files.Read.All Files.ReadWrite.All Sites.Read.All offline_access"
)
OPTIONS: tuple[Option, ...] = (
    Option(
        "client_id",
        "text",
        "Application (client) id",
        "The id of your own app registration. Empty: rclone's own registration is used.",
        group="basic",
        sensitive=True,
        decided_by="sign_in",
    ),
    Option(
        "client_secret",
        "secret",
        "Client secret",
        "The secret of that registration. Leave it empty for a public client, which has none that "
        "could "
        "expire.",
        group="basic",
        sensitive=True,
        decided_by="sign_in",
    ),
    Option(
        "token",
        "secret",
        "Token",
        "What the sign-in gave, as JSON. Filled in by signing in; rclone renews it by itself.",
        sensitive=True,
        decided_by="sign_in",
    ),
    Option(
        "auth_url",
        "text",
        "Sign-in address",
        "Another address for signing in. Empty: the one of the region and tenant.",
        decided_by="sign_in",
    ),
    Option(
        "token_url",
        "text",
        "Token address",
        "Another address for getting tokens. Empty: the one of the region and tenant.",
        decided_by="sign_in",
    ),
    Option(
        "client_credentials",
        "switch",
        "App-only access",
        "Sign in as the application itself, without a person (client credentials). Needs tenant, "
        "id and "
        "secret, and "
        "permissions that an administrator has granted.",
        "false",
        since=Version(1, 69),
        decided_by="sign_in",
    ),
    Option(
        "region",
        "choice",
        "Region",
        "The Microsoft cloud that the account belongs to.",
        "global",
        _choices(
            **{
                "global": "Global",
                "us": "US Government",
                "de": "Germany (closed in 2021)",
                "cn": "China (operated by 21Vianet)",
            }
        ),
        group="basic",
        since=Version(1, 54),
        decided_by="sign_in",
    ),
    Option(
        "upload_cutoff",
        "size",
        "Single-request limit",
        "Files up to this size are sent in one request instead of an upload session. On Business "
        "and "
        "SharePoint each "
        "such file then takes twice its room, because setting its time makes a second version. At "
        "most 4Mi.",
        "off",
        unit="bytes",
        since=Version(1, 70),
    ),
    Option(
        "tenant_url",
        "text",
        "SharePoint tenant address",
        "Talk to SharePoint's own interface at this address (https://TENANT.sharepoint.com/_api) "
        "instead of "
        "Microsoft "
        "Graph, where an organisation lets no app use Graph.",
        since=Version(1, 75),
    ),
    Option(
        "chunk_size",
        "size",
        "Chunk size",
        "How much of a file one upload request carries. Larger is faster on good lines and is held "
        "in memory for each "
        "running transfer. Left at its default, a transfer of one large file takes more, and less "
        "where memory is short. "
        "A multiple of 320 KiB; stay below 60 MiB.",
        "10Mi",
        unit="bytes",
        group="basic",
        since=Version(1, 43),
    ),
    Option(
        "drive_id",
        "text",
        "Drive",
        "The id of the drive that is used.",
        group="basic",
        sensitive=True,
        since=Version(1, 44),
        decided_by="walk",
    ),
    Option(
        "drive_type",
        "choice",
        "Drive type",
        "What kind of drive it is.",
        "",
        _choices(
            personal="OneDrive Personal",
            business="OneDrive for Business",
            documentLibrary="SharePoint document library",
        ),
        group="basic",
        since=Version(1, 44),
        decided_by="walk",
    ),
    Option(
        "root_folder_id",
        "text",
        "Root folder id",
        "Use this folder as if it were the root of the drive; for folders that no path leads to.",
        sensitive=True,
        since=Version(1, 58),
        decided_by="walk",
    ),
    Option(
        "access_scopes",
        "list",
        "Permissions that rclone asks for",
        "Only used when rclone itself signs in; a refresh carries none.",
        DEFAULT_SCOPES,
        _choices(
            **{
                DEFAULT_SCOPES: "Read and write everything",
                "Files.Read Files.Read.All Sites.Read.All offline_access": "Read everything",
                "Files.Read Files.ReadWrite Files.Read.All Files.ReadWrite.All offline_access": (
                    "Read and write everything, without searching SharePoint sites"
                ),
            }
        ),
        since=Version(1, 59),
        decided_by="sign_in",
    ),
    Option(
        "tenant",
        "text",
        "Tenant",
        "The organisation's tenant id or domain. Needed for app-only access and for a registration "
        "of one "
        "tenant.",
        group="basic",
        sensitive=True,
        since=Version(1, 69),
        decided_by="sign_in",
    ),
    Option(
        "disable_site_permission",
        "switch",
        "Do not ask for Sites.Read.All",
        "Only used when rclone itself signs in.",
        "false",
        since=Version(1, 58),
        decided_by="sign_in",
    ),
    Option(
        "expose_onenote_files",
        "switch",
        "Show OneNote files",
        "OneNote notebooks cannot be read or changed as files and are hidden. Show them, for "
        "example to "
        "delete them.",
        "false",
        since=Version(1, 44),
    ),
    Option(
        "server_side_across_configs",
        "switch",
        "Copy on the server between remotes",
        "Let Microsoft copy between two remotes of the same account or tenant. rclone now has a "
        "flag of its "
        "own for it.",
        "false",
        since=Version(1, 52),
    ),
    Option(
        "list_chunk",
        "number",
        "Listing page size",
        "How many entries one listing request asks for.",
        "1000",
        unit="entries",
        since=Version(1, 56),
    ),
    Option(
        "no_versions",
        "switch",
        "Keep no old versions",
        "Remove the older versions of a file after each change, so that they take no room.",
        "false",
        since=Version(1, 53),
    ),
    Option(
        "hard_delete",
        "switch",
        "Hard delete",
        "Delete for good instead of moving to the recycle bin, which takes room, too.",
        "false",
        group="basic",
        since=Version(1, 67),
    ),
    Option(
        "link_scope",
        "choice",
        "Who may use a link",
        "For links that rclone makes (`rclone link`).",
        "anonymous",
        _choices(
            anonymous="Anyone, without signing in", organization="People of your organisation"
        ),
        since=Version(1, 54),
    ),
    Option(
        "link_type",
        "choice",
        "What a link allows",
        "For links that rclone makes (`rclone link`).",
        "view",
        _choices(
            view="Reading", edit="Reading and changing", embed="Embedding in a page (Personal only)"
        ),
        since=Version(1, 54),
    ),
    Option(
        "link_password",
        "secret",
        "Password of links",
        "For links that rclone makes (`rclone link`) on OneDrive Personal.",
        sensitive=True,
        since=Version(1, 54),
    ),
    Option(
        "hash_type",
        "choice",
        "Hash",
        "Which hash of a file is compared. QuickXorHash is the only one that every drive has.",
        "auto",
        _choices(
            auto="The best there is",
            quickxor="QuickXorHash",
            sha1="SHA-1",
            sha256="SHA-256",
            crc32="CRC-32",
            none="No hashes",
        ),
        since=Version(1, 62),
    ),
    Option(
        "av_override",
        "switch",
        "Download infected files",
        "Also download files that Microsoft's virus scanner has marked.",
        "false",
        since=Version(1, 63),
    ),
    Option(
        "delta",
        "switch",
        "List by delta",
        "List a whole drive with few requests; worth it only near the root. A deletion must never "
        "be "
        "decided by it: "
        "rclone leaves out an item that comes before its folder.",
        "false",
        since=Version(1, 65),
    ),
    Option(
        "metadata_permissions",
        "list",
        "Permissions as metadata",
        "Whether sharing permissions are read and written with the metadata.",
        "off",
        _choices(
            **{
                "off": "Neither",
                "read": "Read",
                "write": "Write",
                "read,write": "Read and write",
                "failok": "A permission that cannot be written does not fail the file",
            }
        ),
        since=Version(1, 66),
    ),
    Option(
        "encoding",
        "list",
        "Encoding of names",
        "Which characters of file names rclone replaces because OneDrive does not take them.",
        ONEDRIVE_ENCODING,
        since=Version(1, 51),
    ),
    Option(
        "description",
        "text",
        "Friendly name",
        "Your own words for this storage.",
        group="basic",
        since=Version(1, 66),
        matters=False,
        decided_by="walk",
    ),
)


def _own(
    name: str,
    kind: Kind,
    title: str,
    help: str,
    decided_by: Decider = "sign_in",
    *,
    sensitive: bool = False,
) -> Option:
    return Option(
        name, kind, title, help, group="pluton", sensitive=sensitive, decided_by=decided_by
    )


# Kept beside rclone's options, under keys that rclone passes over.
OWN: tuple[Option, ...] = (
    _own(
        "base_folder",
        "text",
        "Base folder",
        "The folder on the drive that paths start from; empty is its root.",
        "person",
    ),
    _own(
        "base_folder_id",
        "text",
        "Base folder's id",
        "By which it is found when it was moved.",
        "walk",
        sensitive=True,
    ),
    _own("account_id", "text", "Account id", "The account that signed in.", sensitive=True),
    _own("account_name", "text", "Account", "The name that the account is known by."),
    _own("granted_scopes", "list", "Granted permissions", "What the last sign-in granted."),
    _own(
        "secret_expires",
        "day",
        "Client secret expires",
        "The day of that, as in 2027-03-31.",
        "person",
    ),
    _own(
        "certificate", "text", "Certificate", "A PEM file for app-only access through this library."
    ),
    _own(
        "sign_in",
        "text",
        "Sign-in",
        "Which sign-in the token comes from; set by saving a new token.",
    ),
)

BY_NAME: dict[str, Option] = {option.name: option for option in (*OPTIONS, *OWN)}
BY_KEY: dict[str, Option] = {option.key: option for option in BY_NAME.values()}


def require_person(names: Iterable[str]) -> None:
    """OptionInvalid for the first name that is no option, or one that a person does not decide."""
    for name in names:
        option = BY_NAME.get(name)
        if option is None:
            near = difflib.get_close_matches(name, BY_NAME, n=1)
            hint = f"did you mean {near[0]!r}?" if near else None
            raise OptionInvalid(f"there is no option {name!r}", why=hint, option=name)
        if option.decided_by != "person":
            raise OptionInvalid(
                f"{name} cannot be set as an option", why=_WHY[option.decided_by], option=name
            )
