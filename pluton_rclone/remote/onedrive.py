"""The OneDrive remote: a pydantic model of what stands in its section of rclone.conf."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from pluton_rclone.errors import (
    NextStep,
    OptionInvalid,
    RcloneTooOld,
    RemoteError,
    RemoteIncomplete,
    UsageError,
)
from pluton_rclone.values.conf_text import value_fault
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.encoding import as_rclone_writes
from pluton_rclone.values.paths import base_folder
from pluton_rclone.values.size import Size
from pluton_rclone.values.versions import Feature

from . import rules
from .options import BY_NAME, OPTIONS, OWN, PREFIX, Option
from .rules import Warn

TYPE = "onedrive"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def _option(name: str, default: Any = ...) -> Any:
    option = BY_NAME[name]
    return Field(default, title=option.title, description=option.help)


class OneDriveRemote(BaseModel):
    """One remote of rclone's `onedrive` backend that rclone can use, and what Pluton keeps beside
    it.

    Every instance is valid: the constructor raises RemoteIncomplete (no drive, no token) or
    OptionInvalid, whose details hold `problems`, a list of "option: message". Immutable; `replace`
    gives another one. Sizes are bytes (`Size`) or rclone's text. `token` is rclone's JSON text.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=False
    )

    drive_id: str = _option("drive_id")
    drive_type: Literal["personal", "business", "documentLibrary"] = _option("drive_type")
    region: Literal["global", "us", "de", "cn"] = _option("region", "global")
    chunk_size: Size = _option("chunk_size", Size.parse("10Mi"))
    hard_delete: bool = _option("hard_delete", False)
    description: str = _option("description", "")
    client_id: str = _option("client_id", "")
    client_secret: SecretStr | None = _option("client_secret", None)
    tenant: str = _option("tenant", "")
    token: SecretStr | None = _option("token", None)
    auth_url: str = _option("auth_url", "")
    token_url: str = _option("token_url", "")
    client_credentials: bool = _option("client_credentials", False)
    upload_cutoff: Size = _option("upload_cutoff", Size(-1))
    tenant_url: str = _option("tenant_url", "")
    root_folder_id: str = _option("root_folder_id", "")
    access_scopes: tuple[str, ...] = _option(
        "access_scopes", tuple(BY_NAME["access_scopes"].default.split())
    )
    disable_site_permission: bool = _option("disable_site_permission", False)
    expose_onenote_files: bool = _option("expose_onenote_files", False)
    server_side_across_configs: bool = _option("server_side_across_configs", False)
    list_chunk: int = _option("list_chunk", 1000)
    no_versions: bool = _option("no_versions", False)
    link_scope: Literal["anonymous", "organization"] = _option("link_scope", "anonymous")
    link_type: Literal["view", "edit", "embed"] = _option("link_type", "view")
    link_password: SecretStr | None = _option("link_password", None)
    hash_type: Literal["auto", "quickxor", "sha1", "sha256", "crc32", "none"] = _option(
        "hash_type", "auto"
    )
    av_override: bool = _option("av_override", False)
    delta: bool = _option("delta", False)
    metadata_permissions: str = _option("metadata_permissions", "off")
    encoding: str = _option("encoding", BY_NAME["encoding"].default)

    base_folder: str = _option("base_folder", "")
    base_folder_id: str = _option("base_folder_id", "")
    account_id: str = _option("account_id", "")
    account_name: str = _option("account_name", "")
    granted_scopes: tuple[str, ...] = _option("granted_scopes", ())
    secret_expires: date | None = _option("secret_expires", None)
    certificate: str = _option("certificate", "")
    sign_in: str = _option("sign_in", "")

    # ---- validation ----

    @model_validator(mode="wrap")
    @classmethod
    def _one_error(
        cls, data: Any, handler: ModelWrapValidatorHandler[OneDriveRemote]
    ) -> OneDriveRemote:
        """Every fault leaves as an error of ours, without the values: they may be secret."""
        if isinstance(data, dict):
            _check_complete(data)
        try:
            remote = handler(data)
        except ValidationError as error:
            raise _as_ours(error) from None
        problems = list(remote._problems())
        if problems:
            raise _refusal(problems)
        return remote

    @field_validator("drive_id")
    @classmethod
    def _normal_drive_id(cls, value: str) -> str:
        return normal_drive_id(value)

    @field_validator("encoding")
    @classmethod
    def _as_rclone_writes(cls, value: str) -> str:
        return as_rclone_writes(value)  # of a form, in small letters

    @field_validator("base_folder")
    @classmethod
    def _normal_base_folder(cls, value: str) -> str:
        try:
            return base_folder(value)
        except UsageError as problem:
            raise ValueError(problem.what) from None

    def _problems(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str | None]] = [
            ("drive_id", rules.drive_id_fault(self.drive_id, self.drive_type)),
            ("chunk_size", rules.chunk_size_fault(self.chunk_size)),
            ("upload_cutoff", rules.upload_cutoff_fault(self.upload_cutoff)),
            ("encoding", rules.encoding_fault(self.encoding)),
            ("metadata_permissions", rules.metadata_permissions_fault(self.metadata_permissions)),
        ]
        if self.list_chunk < 1:
            found.append(("list_chunk", "it must be at least 1"))
        if self.token is not None:
            # rclone's way without an administrator (tenant_url) has a token that nobody renews.
            is_renewed = not (self.client_credentials or self.tenant_url)
            fault = rules.token_fault(self.token.get_secret_value(), is_renewed=is_renewed)
            found.append(("token", fault))
        for name in ("auth_url", "token_url", "tenant_url"):
            if getattr(self, name):
                found.append((name, rules.address_fault(getattr(self, name))))
        found += self._drive_type_problems()
        found += self._app_only_problems()
        found += (
            (key.removeprefix(PREFIX), value_fault(value))
            for key, value in self.to_section().items()
        )
        return [(option, fault) for option, fault in found if fault is not None]

    def _drive_type_problems(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self.drive_type == "personal":
            if self.no_versions:
                found.append(("no_versions", "personal drives do not allow removing versions"))
            if self.link_scope == "organization":
                found.append(("link_scope", "a personal account belongs to no organisation"))
        elif self.link_password is not None:
            found.append(
                ("link_password", "Microsoft takes a link's password on OneDrive Personal only")
            )
        return found

    def _app_only_problems(self) -> list[tuple[str, str]]:
        if not self.client_credentials:
            return []
        found: list[tuple[str, str]] = []
        if self.drive_type == "personal":
            found.append(
                ("client_credentials", "app-only access does not exist for personal accounts")
            )
        if not self.tenant:
            found.append(("tenant", "app-only access needs the tenant"))
        if not self.client_id:
            found.append(("client_id", "app-only access needs the id of your own registration"))
        if self.client_secret is None and not self.certificate:
            found.append(
                ("client_secret", "app-only access needs a client secret or a certificate")
            )
        return found

    def warnings(self) -> list[Warn]:
        """What works, but not as well as it could or not for ever."""
        found: list[Warn] = []
        if self.chunk_size >= rules.CHUNK_WARNING:
            found.append(
                Warn(
                    "chunk_size",
                    f"{self.chunk_size}: Microsoft documents less than 60 MiB for one request",
                    f"Use at most {rules.CHUNK_TOP}.",
                )
            )
        if self.region == "de":
            found.append(
                Warn(
                    "region",
                    "the German cloud was closed in October 2021",
                    "Try the region global, then reconnect.",
                )
            )
        if self.drive_type == "personal":
            found += self._personal_warnings()
        elif self.link_type == "embed":
            found.append(
                Warn(
                    "link_type",
                    "embedding links exist on OneDrive Personal only",
                    "Use view or edit.",
                )
            )
        if self.hash_type in ("sha1", "sha256", "crc32"):
            found.append(
                Warn(
                    "hash_type",
                    f"most drives have no {self.hash_type} hashes any more",
                    "Use auto, or quickxor.",
                )
            )
        if self.certificate and self.client_secret is None:
            found.append(
                Warn(
                    "certificate",
                    "rclone cannot sign in with a certificate by itself",
                    "Run it through this library, or set a client secret.",
                )
            )
        return found

    def _personal_warnings(self) -> list[Warn]:
        found: list[Warn] = []
        if self.hard_delete:
            found.append(
                Warn(
                    "hard_delete",
                    "on personal drives it was long documented as unsupported; since September "
                    "2026 it is "
                    "reported "
                    "to work",
                    "The connection test deletes its probe file this way and says whether it does.",
                )
            )
        if self.region != "global":
            found.append(
                Warn(
                    "region",
                    "personal accounts exist in the global cloud only",
                    "Use the region global.",
                )
            )
        return found

    # ---- rclone.conf ----

    def to_section(self) -> dict[str, str]:
        """The section's keys and values, type first. Options at their default are left out. It
        holds secrets.
        """
        section = {"type": TYPE}
        if self.description:
            section["description"] = self.description
        for name in ("drive_id", "drive_type", "region"):
            section[name] = getattr(self, name)
        for option in OPTIONS:
            text = _text(getattr(self, option.name))
            if option.name not in section and text != option.default:
                section[option.name] = text
        if self.certificate and self.client_secret is None:
            # rclone would try it with an empty secret; from_section takes it from the certificate.
            section.pop("client_credentials", None)
        for option in OWN:
            text = _text(getattr(self, option.name))
            if text:
                section[option.key] = text
        return section

    @classmethod
    def from_section(cls, section: Mapping[str, str]) -> OneDriveRemote:
        """The remote in a section; keys that rclone and Pluton do not know are passed over.

        Text is read as rclone reads it; an empty value is no value. OptionInvalid,
        RemoteIncomplete.
        """
        kind = section.get("type")
        if kind != TYPE:
            raise OptionInvalid(f"this remote is of type {kind!r}, not onedrive", option="type")
        given: dict[str, Any] = {}
        for option in BY_NAME.values():
            if section.get(option.key):
                given[option.name] = _value(option, section[option.key])
        if given.get("certificate") and not given.get("client_secret"):
            given["client_credentials"] = True
        remote = cls(**given)
        if fault := rules.encoding_fault(given.get("encoding", remote.encoding)):
            raise _refusal([("encoding", fault)])
        return remote

    def replace(self, **changes: Any) -> OneDriveRemote:
        """The same remote with other options, checked like a new one. Another base folder has
        another id."""
        if "base_folder" in changes:
            changes.setdefault("base_folder_id", "")
        return OneDriveRemote(
            **{**{name: getattr(self, name) for name in type(self).model_fields}, **changes}
        )

    def changes_from(self, before: OneDriveRemote) -> dict[str, str | None]:
        """What `Conf.update` needs to turn `before` into this one; the token only when it is
        another one."""
        old, new = before.to_section(), self.to_section()
        changes: dict[str, str | None] = {key: None for key in old if key not in new}
        changes.update((key, value) for key, value in new.items() if old.get(key) != value)
        return changes

    # ---- versions of rclone ----

    def ignored_by(self, version: tuple[int, ...]) -> list[Option]:
        """The options in use that rclone of this version would silently ignore."""
        section = self.to_section()
        return [
            option
            for option in OPTIONS
            if option.name in section and option.matters and tuple(version) < option.since
        ]

    def require(self, version: tuple[int, ...]) -> None:
        """RcloneTooOld when rclone of this version would ignore an option, or could not renew the
        token."""
        found = ".".join(map(str, version))
        for option in self.ignored_by(version):
            needed = ".".join(map(str, option.since))
            raise RcloneTooOld(
                f"rclone {found} silently ignores {option.name}, which rclone {needed} and later "
                "know",
                option=option.name,
                version=found,
                required=needed,
            )
        if (
            self.client_id
            and self.client_secret is None
            and not Feature.PUBLIC_CLIENT.known_to(version)
        ):
            needed = str(Feature.PUBLIC_CLIENT.since)
            raise RcloneTooOld(
                f"rclone {found} cannot renew the token of a public client, rclone {needed} and "
                "later can",
                why="it sends its own client secret along",
                option="client_id",
                version=found,
                required=needed,
            )


def _text(value: object) -> str:
    """A value as it stands in rclone.conf; empty for none."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _value(option: Option, text: str) -> Any:
    """A text of rclone.conf as the model takes it; what rclone would not read is left for the model
    to refuse.
    """
    if option.kind == "switch":
        return True if text in _TRUE else False if text in _FALSE else text
    if option.name in ("access_scopes", "granted_scopes"):
        return tuple(text.split())
    return text


_FIND: dict[str, Any] = {
    "advice": "Have its drive looked for: the token stays.",
    "next_step": NextStep.REPAIR,
}


def _check_complete(data: Mapping[str, Any]) -> None:
    missing = [name for name in ("drive_id", "drive_type") if not data.get(name)]
    if missing:
        raise RemoteIncomplete(
            "the remote has no drive",
            why=(
                f"{' and '.join(missing)} not set: rclone would say 'unable to get drive_id and "
                "drive_type'"
            ),
            **_FIND,
            missing=missing,
        )
    app_only = data.get("client_credentials")
    if not app_only and not data.get("token"):
        raise RemoteIncomplete(
            "the remote has no token",
            why="nobody has signed in",
            advice="Sign in for it: drive and options stay as they are.",
            next_step=NextStep.REAUTHORIZE,
            missing=["token"],
        )


def _as_ours(error: ValidationError) -> RemoteError:
    return _refusal(
        [
            (str(found["loc"][0]) if found["loc"] else "remote", _message(found["msg"]))
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    )


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


def _refusal(problems: list[tuple[str, str]]) -> OptionInvalid:
    first, why = problems[0]
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return OptionInvalid(
        f"{first} cannot be used as given{others}",
        why=why,
        option=first,
        problems=[f"{option}: {message}" for option, message in problems],
        **(_FIND if first == "drive_id" else {}),
    )
