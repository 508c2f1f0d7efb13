"""Tokens and secrets go only to Microsoft, whatever a pasted remote or a form says."""

from __future__ import annotations

import json

import pytest

from pluton_rclone.errors import OptionInvalid, TokenInvalid
from pluton_rclone.microsoft.clouds import CLOUDS, is_of_microsoft
from pluton_rclone.microsoft.entra.paste import read_paste
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.web.wizard import fields

TOKEN = '{"access_token":"a","refresh_token":"planted","expiry":"2030-01-01T00:00:00Z"}'
FOREIGN = [
    "https://evil.example/token",
    "http://login.microsoftonline.com/common/oauth2/v2.0/token",
    "https://login.microsoftonline.com@evil.example/token",
    "https://login.microsoftonline.com:444/token",
    "https://login.microsoftonline.com.evil.example/token",
    "https://evil.example/.sharepoint.com/_api",
    "https://evilsharepoint.com/_api",
    "https://a.b.sharepoint.com/_api",
    "//login.microsoftonline.com/",
    "evil",
    "https://[",
    "https://\u202eevil.example/",
]


@pytest.mark.parametrize("option", ["token_url", "auth_url", "tenant_url"])
@pytest.mark.parametrize("address", FOREIGN)
def test_a_pasted_remote_cannot_name_another_receiver(option: str, address: str) -> None:
    remote = {"type": "onedrive", "token": TOKEN, option: address}
    section = "[a]\n" + "".join(f"{key} = {value}\n" for key, value in remote.items())
    for text in (section, json.dumps(remote), json.dumps({"a": remote})):
        with pytest.raises(TokenInvalid) as refusal:
            read_paste(text)
        assert option in str(refusal.value)
        assert "planted" not in str(refusal.value.record())
        assert refusal.value.what.isprintable()


def test_microsofts_own_are_taken() -> None:
    for cloud in CLOUDS.values():
        for option, address in (
            ("token_url", f"https://{cloud.login_host}/contoso.com/oauth2/v2.0/token"),
            ("tenant_url", f"https://contoso-my.{cloud.sharepoint_suffix}/_api"),
        ):
            assert is_of_microsoft(address, sharepoint=option == "tenant_url")
            section = f"[a]\ntype = onedrive\ntoken = {TOKEN}\n{option} = {address}\n"
            assert read_paste(section).options[option] == address


@pytest.mark.parametrize("option", ["token_url", "auth_url", "tenant_url"])
def test_only_https_is_taken_from_anybody(option: str) -> None:
    section = {"type": "onedrive", "drive_type": "business", "drive_id": "b!x", "token": TOKEN}
    with pytest.raises(OptionInvalid, match="https"):
        OneDriveRemote.from_section({**section, option: "http://login.example/x"})
    OneDriveRemote.from_section({**section, option: "https://login.example/x"})


def test_the_page_has_no_field_for_it() -> None:
    assert not {"token_url", "auth_url", "tenant_url"} & set(fields.names())
