"""The options form: fields from the table of a remote's options, and typed text as options."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.remote.options import BY_NAME, TRUE, Option
from pluton_rclone.values.drive_ids import any_drive
from pluton_rclone.values.token_text import ANY

from ..plumbing.guard import form_of
from ..plumbing.view import rclone_size, sizes

# The options in the guide's step 6 come first, open; rclone's other options are folded away.
FIRST = ("chunk_size", "hard_delete", "base_folder")
# Only someone with rclone.conf itself may say where tokens are sent.
NOT_HERE = ("tenant_url",)


class Field(NamedTuple):
    """One control. `value` is text, or a bool for a switch; a secret never leaves the server."""

    option: Option
    value: str | bool
    default: str
    fault: str = ""
    kept: bool = False  # a secret that is set and stays unless another one is typed


def names() -> tuple[str, ...]:
    """The options in the form, in order: those that a person decides. Region, which requires
    another sign-in, has its own control."""
    asked = (option.name for option in BY_NAME.values() if option.decided_by == "person")
    return tuple(dict.fromkeys((*FIRST, *(name for name in asked if name not in NOT_HERE))))


def fields(given: Mapping[str, Any], faults: Mapping[str, str] | None = None) -> list[Field]:
    """The controls with the given values or rclone's defaults."""
    return [_field(BY_NAME[name], given, (faults or {}).get(name, "")) for name in names()]


def drawn(
    given: Mapping[str, Any], before: Mapping[str, Any], faults: Mapping[str, str], drive_type: str
) -> dict[str, Any]:
    """The values for the form's templates: the first controls, the folded ones, the faults. Of the
    given secrets, only those of `before` are kept: those of a refused form are not."""
    secrets = {name: before.get(name) for name in names() if BY_NAME[name].kind == "secret"}
    controls = fields({**given, **secrets}, faults)
    first, rest = controls[: len(FIRST)], controls[len(FIRST) :]
    return {"first": first, "rest": rest, "faults": faults, "drive_type": drive_type}


def of_section(section: Mapping[str, str]) -> dict[str, Any]:
    """The options of a saved remote as the form represents them."""
    own = {key.removeprefix("pluton_"): value for key, value in section.items()}
    return {
        name: value in TRUE if BY_NAME[name].kind == "switch" else value
        for name, value in own.items()
        if name in names()
    }


def _field(option: Option, given: Mapping[str, Any], fault: str) -> Field:
    value, default = given.get(option.name), option.default
    if option.kind == "switch":
        return Field(option, bool(value), "", fault)
    if option.kind == "secret":
        return Field(option, "", "", fault, bool(value))
    shown = sizes if option.kind == "size" else str
    labels = {choice.value: choice.label for choice in option.choices}
    told = labels.get(default, default) if option.kind == "choice" else shown(default)
    return Field(option, shown(default if value is None else str(value)), told, sizes(fault))


def fingerprint(name: str, drive: str, given: Mapping[str, Any]) -> str:
    """The digest of a form as drawn, for a storage on that drive; any changed value changes it. It
    reveals no secret."""
    drawn = [(field.option.name, field.value, field.kept) for field in fields(given)]
    return hashlib.sha256(repr((name, drive, drawn)).encode()).hexdigest()


def read(form: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a posted form, without defaults; an empty secret stays as it was."""
    found: dict[str, Any] = {}
    for name in names():
        kind, value = BY_NAME[name].kind, form.get(name, "").strip()
        if kind == "switch":
            if value == "on":
                found[name] = True
        elif kind == "secret":
            if value:
                found[name] = form[name]
            elif before.get(name) and form.get(f"{name}.forget") != "on":
                found[name] = before[name]
        else:
            value = rclone_size(value) if kind == "size" else value
            if value and value != BY_NAME[name].default:
                found[name] = value
    return found


def as_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options for `OneDriveRemote`; None, which resets an option, for those not given."""
    return {name: given.get(name) for name in names()}


def changes(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `as_options` that differ from `before`."""
    old = as_options(before)
    return {name: value for name, value in as_options(given).items() if value != old[name]}


def faults_of(error: PlutonRcloneError) -> dict[str, str]:
    """The fault of each option in an `OptionInvalid`; any other error under the key ""."""
    option = error.details.get("option") or ""
    problems = error.details.get("problems") or [f"{option}: {error.why or error.what}"]
    found: dict[str, str] = {}
    for problem in problems:
        option, _, message = str(problem).partition(": ")
        found.setdefault(option, message)
    return found


def check(request: Request) -> Response:
    """POST: one field, when the person leaves it: {"fault": text, empty if valid}. No secrets. It
    is checked with a remote that has only this option, on a drive of the type in the address."""
    from pluton_rclone.remote.onedrive import OneDriveRemote

    form, kind = form_of(request), request.query_params.get("drive_type", "")
    option, typed, fault = form.get("field", ""), read(form, {}), ""
    if option not in names():
        raise HTTPException(400, "There is no such option.")
    if option in typed:
        given: dict[str, Any] = {**any_drive(kind), option: typed[option], "token": ANY}
        try:
            OneDriveRemote(**given)
        except PlutonRcloneError as error:
            fault = sizes(faults_of(error).get(option, ""))
    return JSONResponse({"fault": fault})
