"""The remote as JSON Schema, which is sufficient to draw a form."""

from __future__ import annotations

from typing import Any

from .onedrive import OneDriveRemote
from .options import BY_NAME, Option
from .rules import LIMITS


def remote_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a remote's options, in the order for a form.

    In addition to the standard keywords: `x-group` ("basic", "advanced", "pluton"), `x-unit`,
    `x-sensitive`, `x-minimum`, `x-maximum`, `x-multiple-of` (sizes in bytes), `x-since` (the first
    rclone with the option), `x-decided-by` ("person", "walk", "sign_in") and `x-kind` ("text",
    "secret", "switch", "number", "size", "choice", "list", "day"). Choices are `oneOf` with `const`
    and `title`; secrets are `writeOnly`.
    """
    schema = OneDriveRemote.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "OneDrive"
    schema["description"] = "A OneDrive or SharePoint drive as a storage"
    found = schema["properties"].items()
    schema["properties"] = {name: _property(one, BY_NAME[name]) for name, one in found}
    return schema


def _property(found: dict[str, Any], option: Option) -> dict[str, Any]:
    result = _without_null(found)
    result |= LIMITS.get(option.name, {})
    result |= {"x-group": option.group, "x-kind": option.kind, "x-decided-by": option.decided_by}
    if option.group != "pluton":
        result["x-since"] = ".".join(map(str, option.since))
    if option.unit is not None:
        result["x-unit"] = option.unit
    if option.sensitive:
        result["x-sensitive"] = True
    choices = [{"const": choice.value, "title": choice.label} for choice in option.choices]
    if option.kind == "choice":
        result.pop("enum", None)
        result["oneOf"] = choices
    elif choices:
        result["x-suggestions"] = choices
    return result


def _without_null(found: dict[str, Any]) -> dict[str, Any]:
    """The schema of an optional value for a form, which omits a value instead of sending null."""
    result = dict(found)
    for kind in result.pop("anyOf", ()):
        result |= kind if kind.get("type") != "null" else {}
    return {name: value for name, value in result.items() if value is not None}
