"""The OneDrive remote: a pydantic model of its section in rclone.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator

from pluton_rclone import errors
from pluton_rclone.values.conf_text import value_fault
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.encoding import as_rclone_writes
from pluton_rclone.values.paths import in_drive
from pluton_rclone.values.size import Size

from . import rules, versions
from .options import BY_NAME, OPTIONS, OWN, PREFIX, TRUE
from .rules import Warn

TYPE = "onedrive"
NO_DRIVE = "unable to get drive_id and drive_type"  # rclone's message
_DAY = "it must be a date such as 2027-03-31"
_WORDS = {
    "bool_parsing": "it must be true or false",
    "int_parsing": "it must be a whole number",
    "date_from_datetime_inexact": _DAY,
    "date_from_datetime_parsing": _DAY,
    "extra_forbidden": "there is no such option",
}
"""Messages for users by pydantic's type of error; other types keep pydantic's message."""
_READ_BY_RCLONE = {
    "switch": f"{'|'.join(TRUE)}|0|f|F|FALSE|false|False",
    "number": "0|-?[1-9][0-9]*",  # to rclone, 010 is 8
}
"""The texts that rclone reads as we do; for a user's input, pydantic accepts more."""


def _option(name: str, default: Any = ..., **limits: Any) -> Any:
    option = BY_NAME[name]
    return Field(default, title=option.title, description=option.help, **limits)


class OneDriveRemote(BaseModel):
    """A working remote of rclone's `onedrive` backend, with Pluton's own options. Every instance is
    valid: the constructor raises RemoteIncomplete (no drive, no token) or OptionInvalid, whose
    details hold `problems`, a list of "option: message". Immutable; `replace` returns a changed
    copy. Sizes are bytes (`Size`) or rclone's text. `token` is rclone's JSON text."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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
    list_chunk: int = _option("list_chunk", 1000, ge=1, le=2**31 - 1)  # rclone's limits
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

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _one_error(
        cls, data: Any, handler: pydantic.ModelWrapValidatorHandler[OneDriveRemote]
    ) -> OneDriveRemote:
        """Turn every fault into an error of ours, without the values, which may be secret."""
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
        return as_rclone_writes(value)  # a form may send it in lower case

    @field_validator("metadata_permissions")
    @classmethod
    def _in_small_letters(cls, value: str) -> str:
        return ",".join(map(str.strip, value.lower().split(",")))

    @field_validator("access_scopes", "granted_scopes", mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("secret_expires", mode="before")
    @classmethod
    def _no_timestamp(cls, value: Any) -> Any:
        text = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value))
        if value is None or isinstance(value, date) or text:
            return value
        raise ValueError(_DAY)

    @field_validator("base_folder")
    @classmethod
    def _normal_base_folder(cls, value: str) -> str:
        try:
            return in_drive(value)
        except errors.UsageError as problem:
            raise ValueError(problem.what) from None

    def _problems(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str | None]] = [
            ("drive_id", rules.drive_id_fault(self.drive_id, self.drive_type)),
            ("chunk_size", rules.chunk_size_fault(self.chunk_size)),
            ("upload_cutoff", rules.upload_cutoff_fault(self.upload_cutoff)),
            ("encoding", rules.encoding_fault(self.encoding)),
            ("metadata_permissions", rules.metadata_permissions_fault(self.metadata_permissions)),
        ]
        if self.token is not None:
            # With tenant_url, rclone's mode without an administrator, the token is never renewed.
            is_renewed = not (self.client_credentials or self.tenant_url)
            fault = rules.token_fault(self.token.get_secret_value(), is_renewed=is_renewed)
            found.append(("token", fault))
        for name in ("auth_url", "token_url", "tenant_url"):
            found.append((name, rules.address_fault(getattr(self, name))))
        found += self._contradictions()
        for key, value in self.to_section().items():
            found.append((key.removeprefix(PREFIX), value_fault(value)))
        return [(option, fault) for option, fault in found if fault is not None]

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        is_personal = self.drive_type == "personal"
        if is_personal and self.no_versions:
            yield "no_versions", "personal drives do not allow removing versions"
        if is_personal and self.link_scope == "organization":
            yield "link_scope", "a personal account does not belong to an organisation"
        if not is_personal and self.link_password is not None:
            yield "link_password", "Microsoft accepts link passwords on OneDrive Personal only"
        if not self.client_credentials:
            return
        if is_personal:
            yield "client_credentials", "app-only access does not exist for personal accounts"
        if not self.tenant:
            yield "tenant", "app-only access needs the tenant"
        if not self.client_id:
            yield "client_id", "app-only access needs the id of your own registration"
        if self.client_secret is None and not self.certificate:
            yield "client_secret", "app-only access needs a client secret or a certificate"

    @property
    def reads_only(self) -> bool:
        """Whether it was connected for reading only."""
        return rules.reads_only(self.granted_scopes, self.access_scopes)

    def warnings(self) -> list[Warn]:
        """Options that work, but not as well as they could, or not for ever."""
        return [Warn(*row) for row in self._warnings()]

    def _warnings(self) -> Iterator[tuple[str, str, str]]:
        is_personal = self.drive_type == "personal"
        if self.chunk_size >= rules.CHUNK_WARNING:
            what = f"{self.chunk_size}: Microsoft documents less than 60 MiB for one request"
            yield "chunk_size", what, f"Use at most {rules.CHUNK_TOP}."
        if self.region == "de":
            what = "the German cloud was closed in October 2021"
            yield "region", what, "Try the region global, then reconnect."
        if is_personal and self.hard_delete:
            what = "on personal drives it was long documented as unsupported; since September 2026"
            advice = "The connection test deletes its probe file this way and says whether it does."
            yield "hard_delete", f"{what} it is reported to work", advice
        if is_personal and self.region != "global":
            what = "personal accounts exist in the global cloud only"
            yield "region", what, "Use the region global."
        if not is_personal and self.link_type == "embed":
            what = "embedding links exist on OneDrive Personal only"
            yield "link_type", what, "Use view or edit."
        if self.hash_type in ("sha1", "sha256", "crc32"):
            what = f"most drives no longer have {self.hash_type} hashes"
            yield "hash_type", what, "Use auto, or quickxor."
        if self.certificate and self.client_secret is None:
            what = "rclone cannot sign in with a certificate by itself"
            yield "certificate", what, "Run it through this library, or set a client secret."

    def to_section(self) -> dict[str, str]:
        """The section, type first, without options that have their default. It holds secrets."""
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
            # rclone would try it with an empty secret; from_section infers it from the certificate.
            section.pop("client_credentials", None)
        for option in OWN:
            text = _text(getattr(self, option.name))
            if text:
                section[option.key] = text
        return section

    @classmethod
    def from_section(cls, section: Mapping[str, str], **changes: Any) -> OneDriveRemote:
        """The remote in a section, with `changes`, which replace its values even if these are
        invalid. Keys unknown to rclone and Pluton are ignored. Text is read as rclone reads it, and
        an empty value is none. Raises OptionInvalid, RemoteIncomplete."""
        kind = section.get("type")
        if kind != TYPE:
            what = f"this remote is of type {kind!r}, not onedrive"
            raise errors.OptionInvalid(what, option="type")
        there = [option for option in BY_NAME.values() if section.get(option.key)]
        given: dict[str, Any] = {option.name: section[option.key] for option in there}
        if given.get("certificate") and not given.get("client_secret"):
            given["client_credentials"] = True
        remote = cls(**given | changes)
        unread = [
            (option.name, _WORDS["bool_parsing" if option.kind == "switch" else "int_parsing"])
            for option in there
            if option.kind in _READ_BY_RCLONE
            and option.name not in changes
            and not re.fullmatch(_READ_BY_RCLONE[option.kind], section[option.key])
        ]
        text = given.get("encoding", remote.encoding)
        if "encoding" not in changes and (fault := rules.encoding_fault(text)):
            unread.append(("encoding", fault))
        if unread:
            raise _refusal(unread)
        return remote

    def replace(self, **changes: Any) -> OneDriveRemote:
        """A copy with other options, checked like a new remote. A new base folder drops the id of
        the old one."""
        if "base_folder" in changes:
            changes.setdefault("base_folder_id", "")
        present = {name: getattr(self, name) for name in type(self).model_fields}
        return OneDriveRemote(**{**present, **changes})

    def changes_from(self, before: OneDriveRemote) -> dict[str, str | None]:
        """The changes for `Conf.update` that turn `before` into this remote."""
        old, new = before.to_section(), self.to_section()
        keys = {**old, **new}
        return {key: new.get(key) for key in keys if old.get(key) != new.get(key)}

    def require(self, version: tuple[int, ...]) -> None:
        """Raise RcloneTooOld if this rclone would ignore an option, or not renew the token."""
        versions.require(self.to_section(), version)


def _text(value: object) -> str:
    """A value as text for rclone.conf; empty for None."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)


_LOOK = "Look up its drive again: the token stays."
_FIND: dict[str, Any] = {"advice": _LOOK, "next_step": errors.NextStep.REPAIR}


def _check_complete(data: Mapping[str, Any]) -> None:
    missing = [name for name in ("drive_id", "drive_type") if not data.get(name)]
    signed_in = data.get("client_credentials") or data.get("token")
    if missing and not signed_in:  # as an interrupted `rclone config` leaves it
        what = "the remote has neither a drive nor a token"
        raise errors.RemoteIncomplete(what, why="nobody has signed in", missing=[*missing, "token"])
    if missing:
        why = f"{' and '.join(missing)} not set: rclone would say {NO_DRIVE!r}"
        raise errors.RemoteIncomplete("the remote has no drive", why=why, **_FIND, missing=missing)
    if not signed_in:
        raise errors.RemoteIncomplete(
            "the remote has no token",
            why="nobody has signed in",
            advice="Sign in for it: drive and options stay as they are.",
            next_step=errors.NextStep.REAUTHORIZE,
            missing=["token"],
        )


def _as_ours(error: ValidationError) -> errors.RemoteError:
    problems = []
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        option = str(found["loc"][0]) if found["loc"] else "remote"
        words = _WORDS.get(found["type"]) or found["msg"].removeprefix("Value error, ")
        problems.append((option, words.replace("Input should be", "it should be")))
    return _refusal(problems)


def _refusal(problems: list[tuple[str, str]]) -> errors.OptionInvalid:
    first, why = problems[0]
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    about = _FIND if first == "drive_id" else {}
    told = [f"{option}: {message}" for option, message in problems]
    what = f"{first} cannot be used as given{others}"
    return errors.OptionInvalid(what, why=why, option=first, problems=told, **about)
