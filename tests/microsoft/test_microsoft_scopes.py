"""Permissions: the minimum, the missing ones, and the words for both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.microsoft.entra.scopes import (
    least,
    missing,
    remote_options,
    short_names,
)

FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "permissions.json").read_text(encoding="utf-8")
)


def test_the_first_sign_in_asks_for_one_permission_that_every_person_may_give() -> None:
    assert least() == ("Files.ReadWrite",)
    assert not administrators() & set(least())


def test_more_is_asked_for_shared_folders_and_for_sharepoint_only() -> None:
    assert least("shared") == ("Files.ReadWrite.All",)
    assert least("sharepoint") == ("Files.ReadWrite.All", "Sites.Read.All")


def test_reading_alone_asks_for_reading_alone() -> None:
    assert least(access="read") == ("Files.Read",)
    assert least("sharepoint", access="read") == ("Files.Read.All", "Sites.Read.All")


def administrators() -> set[str]:
    """Since summer 2025, tenants with Microsoft's managed consent need one for these
    (MC1097272)."""
    return {
        scope["name"]
        for scope in FACTS["scopes"]
        if scope["delegated"].get("blocked_for_user_consent_in_managed_policy")
    }


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (("GET", "/me/drive"), "own"),
        (("GET", "/me/drives"), "own"),
        (("POST", "/drives/{id}/items/{id}/createUploadSession"), "own"),
        (("DELETE", "/drives/{id}/items/{id}"), "own"),
        (("GET", "/sites"), "sharepoint"),
        (("GET", "/sites/{id}/drives"), "sharepoint"),
        (("GET", "/me/followedSites"), "sharepoint"),
    ],
)
def test_the_least_is_enough_for_the_calls_that_are_made(call: tuple[str, str], place: Any) -> None:
    row = next(
        row for row in FACTS["least_privilege_by_call"] if (row["method"], row["path"]) == call
    )

    assert set(row["delegated_work"]["accepted"]) & set(least(place))


def test_a_larger_permission_holds_the_smaller_ones() -> None:
    assert (
        missing(["Files.ReadWrite.All"], ["Files.ReadWrite", "Files.Read", "Files.Read.All"]) == ()
    )
    assert missing(["Files.ReadWrite"], ["Files.ReadWrite.All"]) == ("Files.ReadWrite.All",)
    assert missing(["Sites.ReadWrite.All"], ["Sites.Read.All"]) == ()


def test_openids_own_scopes_are_left_out() -> None:
    assert short_names(
        ["openid", "profile", "offline_access", "email", "https://graph.microsoft.us/Files.Read"]
    ) == ("Files.Read",)


def test_rclone_itself_asks_for_what_was_granted_and_no_more() -> None:
    """With `disable_site_permission`, rclone ignores `access_scopes`: it would ask for everyone's
    files, which an administrator may forbid."""
    assert remote_options(["Files.ReadWrite", "User.Read"]) == {
        "access_scopes": "Files.ReadWrite offline_access",
        "disable_site_permission": False,
    }
