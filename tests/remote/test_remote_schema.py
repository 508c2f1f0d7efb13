"""The JSON Schema: it suffices to draw a form."""

from __future__ import annotations

import json
import re

import pytest

from pluton_rclone.errors import RemoteError
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.remote.schema import remote_schema
from pluton_rclone.values.size import Size
from pluton_rclone.values.token_text import ANY


def test_every_option_is_there_with_all_that_a_form_needs() -> None:
    properties = remote_schema()["properties"]
    assert set(properties) == set(OneDriveRemote.model_fields)
    for option in BY_NAME.values():
        field = properties[option.name]
        assert field["title"] == option.title
        assert field["description"] == option.help
        assert field["x-group"] == option.group
        assert field["x-kind"] == option.kind
        assert field["type"] in ("string", "boolean", "integer", "array")
        assert field.get("x-unit") == option.unit
        assert field["x-decided-by"] == option.decided_by
        if option.group != "pluton":
            assert field["x-since"] == ".".join(map(str, option.since))


def test_choices_have_labels() -> None:
    field = remote_schema()["properties"]["drive_type"]
    assert field["oneOf"] == [
        {"const": "personal", "title": "OneDrive Personal"},
        {"const": "business", "title": "OneDrive for Business"},
        {"const": "documentLibrary", "title": "SharePoint document library"},
    ]
    assert "enum" not in field


def test_secrets_are_write_only() -> None:
    properties = remote_schema()["properties"]
    assert [name for name, field in properties.items() if field.get("writeOnly")] == [
        "client_secret",
        "token",
        "link_password",
    ]
    assert all(
        field.get("x-sensitive")
        for name, field in properties.items()
        if name in BY_NAME and "writeOnly" in field
    )


def test_defaults_are_plain_json_that_the_model_takes() -> None:
    schema = json.loads(json.dumps(remote_schema()))
    defaults = {
        name: field["default"] for name, field in schema["properties"].items() if "default" in field
    }
    assert defaults["chunk_size"] == "10Mi"
    assert defaults["upload_cutoff"] == "off"
    token = '{"access_token":"A","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
    plain = OneDriveRemote(drive_id="b!x", drive_type="business", token=token)
    assert (
        OneDriveRemote(**{**defaults, "drive_id": "b!x", "drive_type": "business", "token": token})
        == plain
    )


def test_it_says_what_is_required_and_that_nothing_else_is_taken() -> None:
    schema = remote_schema()
    assert schema["required"] == ["drive_id", "drive_type"]
    assert schema["additionalProperties"] is False
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


SAMPLES: dict[str, tuple[list[object], list[object]]] = {
    "drive_id": (["b!x"], [""]),
    "chunk_size": (["320Ki", "10Mi", "250Mi", "20.000Mi"], ["319Ki", "251Mi", "1Mi", "1e3", "off"]),
    "upload_cutoff": (["off", "OFF", "0", "4Mi"], ["5Mi", "-1", "infB"]),
    "list_chunk": ([1, 2147483647], [0, -1, 2147483648, "many"]),
    "encoding": (["None", "Slash,Dot"], ["", "Slash,Nonsense", "Slash,"]),
    "metadata_permissions": (["off", "read", "read,write"], ["", "off,read", "all", "read,"]),
    "tenant_url": (["", "https://a.sharepoint.com/_api"], ["http://a.b", "a.b", "https://a b"]),
    "auth_url": (["", "http://127.0.0.1:99/x"], ["http://127.0.0.2:99", "https:///x"]),
    "token_url": (["https://a"], ["ftp://a"]),
    "region": (["cn"], ["mars", ""]),
    "hash_type": (["none"], ["md5"]),
    "hard_delete": ([True], ["perhaps"]),
}


@pytest.mark.parametrize("option", SAMPLES)
def test_the_schema_and_the_model_take_the_same_values(option: str) -> None:
    """A form drawn from the schema refuses what saving would refuse."""
    field = remote_schema()["properties"][option]
    given = {"drive_id": "b!x", "drive_type": "business", "token": ANY}

    def taken_by_the_schema(value: object) -> bool:
        if not isinstance(value, {"string": str, "integer": int, "boolean": bool}[field["type"]]):
            return False
        text = str(value)
        fits = [re.search(field["pattern"], text) is not None] if "pattern" in field else []
        fits += [len(text) >= field.get("minLength", 0)]
        fits += [text in [each["const"] for each in field["oneOf"]]] if "oneOf" in field else []
        if isinstance(value, int) and "minimum" in field:
            fits.append(field["minimum"] <= value <= field["maximum"])
        if field["x-kind"] == "size" and all(fits):
            size = Size.parse(text)
            fits.append(field.get("x-minimum", -1) <= size <= field["x-maximum"])
            fits.append(size % field.get("x-multiple-of", 1) == 0)
        return all(fits)

    def taken_by_the_model(value: object) -> bool:
        try:
            OneDriveRemote(**{**given, option: value})
        except RemoteError:
            return False
        return True

    good, bad = SAMPLES[option]
    for value in (*good, *bad):
        assert taken_by_the_model(value) is (value in good), value
        assert taken_by_the_schema(value) is (value in good), value
