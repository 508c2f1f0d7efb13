"""The world: its inhabitants, the access of a token, the effects of time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, World, client_id
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.entra import sign_in
from pluton_rclone.emulator.faults import GraphFault, TokenRefused
from pluton_rclone.emulator.hosts import CLOUDS, Service, place

SCOPES = "Files.ReadWrite offline_access"


def bearer(world: World, username: str = "anna@outlook.com", client: str = PUBLIC_CLIENT_ID) -> str:
    return "Bearer " + str(sign_in(world, username, SCOPES, client)["access_token"])


def test_every_cloud_has_people_a_tenant_and_registrations_of_its_own() -> None:
    world = World()
    for cloud in CLOUDS:
        assert {person.tenant.cloud for person in world.people.values()} == set(CLOUDS)
        assert len(world.tenants_of(cloud)) == 1
        assert world.registrations[client_id(PUBLIC_CLIENT_ID, cloud)].cloud == cloud


def test_ids_are_the_same_in_every_world() -> None:
    first, second = World(), World()
    assert [p.id for p in first.people.values()] == [p.id for p in second.people.values()]
    assert list(first.tenants) == list(second.tenants)


def test_a_personal_account_has_a_cid_of_sixteen_hex_digits() -> None:
    anna = World().person("Anna@Outlook.com")
    assert len(anna.cid) == 16
    int(anna.cid, 16)
    assert anna.kind == "personal"
    assert anna.id.startswith("00000000-0000-0000-")


def test_a_new_person_joins_the_tenant_of_the_domain_or_is_personal() -> None:
    world = World()
    assert world.add_person("eva@contoso.onmicrosoft.com", "Eva").kind == "work"
    assert world.add_person("fred@example.org", "Fred").kind == "personal"
    tailwind = world.add_tenant("tailwind.onmicrosoft.us", "Tailwind", "us")
    assert world.add_person("gina@tailwind.onmicrosoft.us", "Gina", admin=True).tenant is tailwind


def test_a_token_opens_its_own_cloud_only() -> None:
    world = World()
    header = bearer(world, "carla@fabrikam.onmicrosoft.us", client_id(PUBLIC_CLIENT_ID, "us"))
    assert world.authenticate(header, "us").allows("Files.ReadWrite")
    with pytest.raises(TokenRefused, match="audience"):
        world.authenticate(header, "global")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic eDp5"])
def test_no_token_is_refused(header: str | None) -> None:
    with pytest.raises(TokenRefused, match=r"empty|well formed"):
        World().authenticate(header, "global")


def test_a_token_ends_with_its_time() -> None:
    world = World()
    header = bearer(world)
    world.advance(world.lifetimes.access_token - 60)
    assert world.authenticate(header, "global").person is world.person("anna@outlook.com")
    world.advance(120)
    with pytest.raises(TokenRefused, match="expired"):
        world.authenticate(header, "global")


def test_revoked_tokens_are_dead_and_later_ones_live() -> None:
    world = World()
    anna = world.person("anna@outlook.com")
    header = bearer(world)
    world.advance(1)
    world.revoke_tokens(anna)
    with pytest.raises(TokenRefused, match="Continuous access evaluation") as caught:
        world.authenticate(header, "global")
    assert 'claims="' in caught.value.headers["WWW-Authenticate"]
    assert world.authenticate(bearer(world), "global").person is anna


def test_the_token_of_a_disabled_account_is_refused() -> None:
    world = World()
    header = bearer(world)
    world.person("anna@outlook.com").disabled = True
    with pytest.raises(TokenRefused):
        world.authenticate(header, "global")


def test_a_fault_becomes_graphs_error_body() -> None:
    fault = GraphFault(507, "quotaLimitReached", "Full.", inner_codes=("outer", "inner"))
    body = fault.body(date="2026-01-01T00:00:00", request_id="r")
    assert body["error"]["innerError"] == {
        "code": "outer",
        "innerError": {"code": "inner"},
        "date": "2026-01-01T00:00:00",
        "request-id": "r",
        "client-request-id": "r",
    }


def test_a_part_is_made_once() -> None:
    made: list[World] = []

    class Part:
        def __init__(self, world: World) -> None:
            made.append(world)

    world = World()
    assert world.part(Part) is world.part(Part)
    assert made == [world]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("LOGIN.microsoftonline.com.", ("global", Service.LOGIN)),
        ("login.partner.microsoftonline.cn", ("cn", Service.LOGIN)),
        ("graph.microsoft.us", ("us", Service.GRAPH)),
        ("contoso-my.sharepoint.de", ("de", Service.SHAREPOINT)),
        ("sn3302.up.1drv.com", ("global", Service.CONTENT)),
        ("microsoft.com", ("global", Service.DEVICE_PAGE)),
        ("sharepoint.com", None),
        ("a.b.sharepoint.com", None),
        ("dod-graph.microsoft.us", None),
        ("", None),
    ],
)
def test_a_host_name_has_one_place(host: str, expected: tuple[str, Service] | None) -> None:
    assert place(host) == expected


@pytest.mark.parametrize(
    ("made", "ask"),
    [
        ("_make_own", lambda files, bert: files.drive_of(bert)),
        ("_make_site", lambda files, bert: files.root_site(bert.tenant)),
    ],
    ids=["drive", "site"],
)
def test_of_two_threads_that_ask_first_both_get_the_same_drive_or_site(
    monkeypatch: pytest.MonkeyPatch, made: str, ask: Callable[..., object]
) -> None:
    """A test asks while the emulator serves: formerly, one wrote where the other did not look."""
    world = World()
    files, bert = world.part(Files), world.person("bert@contoso.onmicrosoft.com")
    make, found = getattr(Files, made), list[object]()
    other = threading.Thread(target=lambda: found.append(ask(files, bert)))

    def after_the_other_asked(*given: object) -> object:
        if other.ident is None:
            other.start()
            other.join(0.1)  # it gets a drive now, or waits for this one
        return make(*given)

    monkeypatch.setattr(Files, made, after_the_other_asked)
    found.append(ask(files, bert))
    other.join()
    assert found[0] is found[1]
