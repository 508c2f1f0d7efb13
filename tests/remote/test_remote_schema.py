"""The JSON Schema: a form can be drawn from it alone."""

from __future__ import annotations

import json

from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.remote.schema import remote_schema


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
