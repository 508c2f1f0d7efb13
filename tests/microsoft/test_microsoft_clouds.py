"""The clouds: the table agrees with the collected facts, and what rclone cannot reach is refused by
name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.emulator.hosts import CLOUDS as HOSTS
from pluton_rclone.errors import OptionInvalid, RegistrationError
from pluton_rclone.microsoft.clouds import CLOUDS, cloud, cloud_of_sharepoint
from pluton_rclone.microsoft.entra.app import AppRegistration

FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "clouds.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("region", list(FACTS["clouds"]))
def test_hosts_are_the_ones_that_rclone_has_built_in(region: str) -> None:
    facts = FACTS["rclone_hard_coded"]

    assert f"https://{CLOUDS[region].login_host}" == facts["auth_hosts"][region]
    assert CLOUDS[region].graph_root == facts["graph_hosts"][region]


@pytest.mark.parametrize("region", list(FACTS["clouds"]))
def test_login_hosts_and_aliases_are_those_of_msal(region: str) -> None:
    known = {CLOUDS[region].login_host, *HOSTS[region].login_aliases}

    assert known == set(FACTS["clouds"][region]["authority"]["msal_well_known"])


@pytest.mark.parametrize("region", list(FACTS["clouds"]))
def test_consumers_is_refused_where_there_are_no_personal_accounts(region: str) -> None:
    if FACTS["clouds"][region]["personal_accounts"]:
        assert AppRegistration("id", tenant="consumers", region=region).tenant == "consumers"
        return
    with pytest.raises(RegistrationError, match="no personal accounts"):
        AppRegistration("id", tenant="consumers", region=region)


@pytest.mark.parametrize(
    ("word", "name"),
    [("dod", "DoD"), ("DoD", "DoD"), ("bleu", "Bleu"), ("delos", "Delos"), ("sg", "Singapore")],
)
def test_a_cloud_that_rclone_cannot_reach_is_refused_by_name(word: str, name: str) -> None:
    with pytest.raises(OptionInvalid, match=name) as refusal:
        cloud(word)

    assert "rclone" in str(refusal.value)


def test_an_unknown_region_names_the_ones_there_are() -> None:
    with pytest.raises(OptionInvalid) as refusal:
        cloud("mars")

    assert "global, us, de, cn" in refusal.value.advice


@pytest.mark.parametrize(
    ("word", "region"), [("", "global"), ("GCC", "global"), ("gcc-high", "us"), ("China", "cn")]
)
def test_other_words_for_a_region_are_understood(word: str, region: str) -> None:
    assert cloud(word).region == region


def test_germany_can_be_chosen_and_carries_its_warning() -> None:
    germany = cloud("de")

    assert germany.warning is not None
    assert "2021-10-29" in germany.warning
    assert "Global" in germany.warning
    assert all(other.warning is None for other in CLOUDS.values() if other is not germany)


@pytest.mark.parametrize(
    "address",
    [
        "https://graph.microsoft.us/v1.0/me",  # another cloud
        "http://graph.microsoft.com/v1.0/me",  # not encrypted
        "https://graph.microsoft.com.evil.example/",
        "https://graph.microsoft.com@evil.example/",
        "https://graph.microsoft.com:444/",
        "https://login.microsoftonline.com/",
        "https://[",
    ],
)
def test_a_token_goes_to_its_own_graph_only(address: str) -> None:
    assert not cloud("global").owns(address)
    assert cloud("global").owns("https://graph.microsoft.com/v1.0/me")
    assert cloud("global").owns("https://graph.microsoft.com:443/v1.0/me")


def test_the_cloud_of_a_sharepoint_address() -> None:
    assert cloud_of_sharepoint("contoso-my.sharepoint.us").region == "us"
    assert cloud_of_sharepoint("Contoso.SharePoint.com").region == "global"
    with pytest.raises(OptionInvalid, match="DoD"):
        cloud_of_sharepoint("unit.sharepoint-mil.us")
    with pytest.raises(OptionInvalid, match="not an address of SharePoint"):
        cloud_of_sharepoint("sharepoint.com.evil.example")
