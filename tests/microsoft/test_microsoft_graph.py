"""What an account can reach: drives, sites, libraries, shared folders; found completely, quickly,
and despite single faults."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.drives.quota import Told
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.graph.faults import Faults
from pluton_rclone.microsoft.clouds import cloud as cloud_of_region
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph.drives import Drive, Quota, Site
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.values.drive_ids import normal_drive_id

from .waitless import Clock

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
SHAREPOINT = "Files.ReadWrite.All Sites.Read.All"
GraphOf = Callable[..., Graph]


@pytest.fixture
def files(cloud: Emulator) -> Files:
    return cloud.world.part(Files)


@pytest.fixture
def faults(cloud: Emulator) -> Faults:
    return cloud.world.part(Faults)


# ---- the own drives


@pytest.mark.parametrize(
    ("username", "kind", "owner"),
    [(ANNA, "personal", "Anna Berg"), (BERT, "business", "Bert Jansen")],
)
def test_the_own_drive_is_found_and_described(
    graph_of: GraphOf, files: Files, username: str, kind: str, owner: str
) -> None:
    (drive,) = graph_of(username).drives()

    assert drive.id == files.drive_of(username).id
    assert (drive.type, drive.name, drive.owner) == (kind, "OneDrive", owner)
    assert drive.web_url.startswith("https://")
    assert drive.quota.state == "known"
    assert drive.quota.remaining == drive.quota.total


@pytest.mark.parametrize("probe", ["/me/drive$", "/me/drives$"])
def test_one_probe_that_fails_is_a_note(graph_of: GraphOf, faults: Faults, probe: str) -> None:
    faults.refuse(403, where=probe, times=None)

    drives = graph_of(BERT).drives()

    assert [drive.name for drive in drives] == ["OneDrive"]
    assert len(drives.notes) == 1
    assert "accessDenied" in drives.notes[0]


def test_when_both_probes_fail_the_first_says_why(graph_of: GraphOf, faults: Faults) -> None:
    faults.refuse(403, where="/me/drive", times=None)

    with pytest.raises(errors.AccessDenied):
        graph_of(BERT).drives()


def test_a_phantom_is_not_offered(graph_of: GraphOf, files: Files) -> None:
    phantom = files.add_phantom(ANNA)

    drives = graph_of(ANNA).drives()

    assert [drive.name for drive in drives] == ["OneDrive"]
    assert phantom.name in drives.notes[0]
    assert "ObjectHandle is Invalid" in drives.notes[0]


def test_nothing_but_a_phantom_is_no_drive(graph_of: GraphOf, files: Files, faults: Faults) -> None:
    files.add_phantom(ANNA)
    files.drive_of(ANNA).root_readable = False

    with pytest.raises(errors.DriveNotFound) as refusal:
        graph_of(ANNA).drives()

    assert "ObjectHandle is Invalid" in str(refusal.value)


@pytest.mark.parametrize(
    ("fault", "kind", "who"),
    [
        (GraphFault(503, "serviceNotAvailable", "Busy."), errors.Throttled, errors.Who.LATER),
        (GraphFault(423, "serviceReadOnly", "Moving."), errors.Unreachable, errors.Who.LATER),
        (GraphFault(403, "accessDenied", "A policy."), errors.AccessDenied, None),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_trouble_at_the_root_of_a_drive_is_no_missing_drive(
    graph_of: GraphOf,
    files: Files,
    faults: Faults,
    fault: GraphFault,
    kind: type[errors.PlutonRcloneError],
    who: errors.Who | None,
) -> None:
    """Formerly, the advice was "open OneDrive once, or get a licence"."""
    faults.arm(fault, times=None, where="/root$")
    graph = graph_of(BERT)
    for look in (graph.drives, lambda: graph.drive(files.drive_of(BERT).id)):
        with pytest.raises(kind) as refusal:
            look()
        assert refusal.value.who is (who or kind.default_who)
        assert files.drive_of(BERT).id in refusal.value.what


def test_an_account_without_onedrive_is_told_so(cloud: Emulator, graph_of: GraphOf) -> None:
    cloud.world.person(BERT).licensed = False

    with pytest.raises(errors.DriveNotFound) as refusal:
        graph_of(BERT).drives()

    assert "licence" in refusal.value.advice


def test_a_token_that_ended_is_no_note(cloud: Emulator, graph_of: GraphOf) -> None:
    graph = graph_of(BERT)
    cloud.world.revoke_tokens(cloud.world.person(BERT))

    with pytest.raises((errors.TokenExpired, errors.InteractionRequired)):
        graph.drives()


def test_further_drives_of_the_account_are_listed_once(
    graph_of: GraphOf, files: Files, cloud: Emulator
) -> None:
    site = files.add_site(cloud.world.tenant("contoso.onmicrosoft.com"), "Hold")
    files.list_too(BERT, files.add_library(site, "Preservation Hold Library"))

    names = [drive.name for drive in graph_of(BERT, SHAREPOINT).drives()]

    assert names == ["OneDrive", "Preservation Hold Library"]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("6F7D00BF-FC4D-4E62", "6f7d00bffc4d4e62"),
        ("6F7D00BFFC4D4E62", "6f7d00bffc4d4e62"),
        ("F7D00BFFC4D4E62", "0f7d00bffc4d4e62"),
        ("b!t18F8ybsHUq1z3LTz8xvZqP8", "b!t18F8ybsHUq1z3LTz8xvZqP8"),
    ],
)
def test_ids_of_personal_drives_are_normalised(written: str, normal: str) -> None:
    assert normal_drive_id(written) == normal


def test_two_spellings_of_one_personal_drive_are_one_drive(graph_of: GraphOf, files: Files) -> None:
    own = files.drive_of(ANNA)
    own.id = own.id.upper()

    (drive,) = graph_of(ANNA).drives()

    assert drive.id == own.id.lower()


@pytest.mark.parametrize(
    ("told", "state"),
    [(Told.KNOWN, "known"), (Told.UNKNOWN, "unknown"), (Told.RESTRICTED, "restricted")],
)
def test_quota_has_three_states(graph_of: GraphOf, files: Files, told: Told, state: str) -> None:
    files.drive_of(BERT).quota.told = told

    (drive,) = graph_of(BERT).drives()

    assert drive.quota.state == state
    assert (drive.quota.total is not None) is (state == "known")


def test_the_documented_quota_has_no_used() -> None:
    facet = {
        "deleted": 256938,
        "remaining": 1099447353539,
        "state": "normal",
        "total": 1099511627776,
    }

    assert Quota.from_graph(facet).used == 1099511627776 - 1099447353539


@pytest.mark.parametrize(
    "facet", [None, {}, {"total": "x"}, {"total": True}, {"total": -1}, 5, {"state": 3}]
)
def test_an_odd_quota_is_not_full(facet: object) -> None:
    assert Quota.from_graph(facet).state != "known"


def test_who_it_is(graph_of: GraphOf) -> None:
    # Files.ReadWrite suffices for the name: the drive has its owner
    account = graph_of(BERT, "Files.ReadWrite").me()

    assert (account.name, account.kind) == ("Bert Jansen", "work")


def test_who_it_is_without_a_drive(cloud: Emulator, graph_of: GraphOf) -> None:
    cloud.world.person(BERT).licensed = False

    account = graph_of(BERT, "Files.ReadWrite User.Read").me()

    assert (account.name, account.username) == ("Bert Jansen", BERT)


# ---- SharePoint


def test_450_sites_come_back_whole(cloud: Emulator, graph_of: GraphOf, files: Files) -> None:
    tenant = cloud.world.tenant("contoso.onmicrosoft.com")
    for number in range(450):
        files.add_site(tenant, f"Project {number:03}")
    before = len(cloud.requests)

    sites = graph_of(BERT, SHAREPOINT).sites("Project")

    assert [site.name for site in sites] == [f"Project {number:03}" for number in range(450)]
    assert len(cloud.requests) - before == 3  # a page has 200 entries


def test_libraries_over_several_pages_come_back_whole_and_verified(
    cloud: Emulator, graph_of: GraphOf, files: Files
) -> None:
    site = files.add_site(cloud.world.tenant("contoso.onmicrosoft.com"), "Archive")
    for number in range(220):
        files.add_library(site, f"Year {number:03}")
    graph = graph_of(BERT, SHAREPOINT)

    libraries = graph.libraries(graph.sites("Archive")[0])

    assert len(libraries) == 221
    assert libraries.notes == ()
    assert {library.type for library in libraries} == {"documentLibrary"}
    roots = [request for request in cloud.requests if request.path.endswith("/root")]
    assert len(roots) == 221


def test_a_library_that_cannot_be_read_is_a_note(
    cloud: Emulator, graph_of: GraphOf, files: Files
) -> None:
    site = files.add_site(cloud.world.tenant("contoso.onmicrosoft.com"), "Archive")
    files.add_library(site, "Broken").root_readable = False
    graph = graph_of(BERT, SHAREPOINT)

    libraries = graph.libraries(graph.sites("Archive")[0])

    assert [library.name for library in libraries] == ["Documents"]
    assert "Broken" in libraries.notes[0]


@pytest.mark.parametrize("term", ["R&D + 100% #1", "a=b?c", "Büro", "two words"])
def test_the_search_term_is_escaped(
    cloud: Emulator, graph_of: GraphOf, files: Files, term: str
) -> None:
    tenant = cloud.world.tenant("contoso.onmicrosoft.com")
    wanted = files.add_site(tenant, term, path="/sites/wanted")
    files.add_site(tenant, "Something else")

    sites = graph_of(BERT, SHAREPOINT).sites(term)

    assert [site.id for site in sites] == [wanted.id]


def test_sites_want_a_permission_that_is_named(graph_of: GraphOf) -> None:
    with pytest.raises(errors.SitesPermissionMissing) as refusal:
        graph_of(BERT, "Files.ReadWrite").sites()

    assert "Sites.Read.All" in refusal.value.what


def test_a_personal_account_has_no_sites(graph_of: GraphOf) -> None:
    with pytest.raises(errors.GraphError) as refusal:
        graph_of(ANNA, SHAREPOINT).sites()

    assert "work or school" in refusal.value.advice


def test_a_site_without_a_display_name_goes_by_its_name() -> None:
    site = Site.from_graph({"id": "h,1,2", "name": "Team A Site", "webUrl": "https://h/sites/a"})

    assert site.name == "Team A Site"
    assert Site.from_graph({"id": "h,1,2", "webUrl": "https://h/sites/a"}).name == "a"


# ---- app-only


def test_an_unknown_user_has_no_drive(cloud: Emulator, graph_of: GraphOf) -> None:
    with pytest.raises(errors.DriveNotFound) as caught:
        graph_of(BERT, SHAREPOINT).user_drive("nobody@contoso.onmicrosoft.com")
    assert "Check the user name" in caught.value.advice  # it was: the drive's id


# ---- the seam ------------------------------------------------------------------------------------


def test_a_link_to_another_host_is_not_followed_with_the_token(
    cloud: Emulator, graph_of: GraphOf
) -> None:
    graph = graph_of(BERT)

    for address in (
        "https://graph.microsoft.us/v1.0/me/drive",
        "https://contoso.sharepoint.com/_api/v2.0/me",
    ):
        with pytest.raises(errors.UsageError):
            graph.get(address)
    assert {request.host for request in cloud.requests} <= {"graph.microsoft.com"}


@pytest.mark.parametrize(
    ("link", "ends"),
    [
        ("https://canary.graph.microsoft.com/v1.0/me/drives", errors.GraphError),
        ("https://graph.microsoft.com:8443/v1.0/me/drives", errors.GraphError),
        ("https://graph.microsoft.com:443/v1.0/me/drives", None),
        ("", None),
    ],
)
def test_where_a_list_goes_on(
    graph_of: GraphOf,
    monkeypatch: pytest.MonkeyPatch,
    link: str,
    ends: type[errors.PlutonRcloneError] | None,
) -> None:
    """The part on another host is missing, which is not the call's fault."""
    graph = graph_of(BERT)
    first = {"value": [{"id": "1"}], "@odata.nextLink": link}
    pages = iter([first, {"value": []}] if link else [first])
    monkeypatch.setattr(graph, "get", lambda *_, **__: next(pages))
    with nullcontext() if ends is None else pytest.raises(ends, match="another host"):
        assert list(graph.pages("/me/drives")) == [{"id": "1"}]


@pytest.mark.parametrize("region", ["us", "de", "cn"])
def test_a_token_of_one_cloud_is_worth_nothing_in_another(graph_of: GraphOf, region: str) -> None:
    graph = graph_of(BERT)
    graph.cloud = cloud_of_region(region)

    with pytest.raises(errors.TokenExpired):
        graph.drives()


@pytest.mark.parametrize(
    ("header", "waited"), [("2", [2.0]), ("2.128", [2.128]), ("Wed, 21 Oct 2015 07:28:00 GMT", [])]
)
def test_microsofts_waiting_time_is_honoured(
    graph_of: GraphOf, faults: Faults, clock: Clock, header: str, waited: list[float]
) -> None:
    faults.throttle(retry_after=header)

    (drive,) = graph_of(BERT).drives()

    assert drive.name == "OneDrive"
    assert [wait for wait in clock.waits if wait] == pytest.approx(waited)


def test_a_wait_that_is_too_long_becomes_an_error_that_names_it(
    graph_of: GraphOf, faults: Faults
) -> None:
    faults.throttle(retry_after="3600", times=None)

    with pytest.raises(errors.Throttled) as refusal:
        graph_of(BERT).drives()

    assert refusal.value.details["retry_after"] == "3600"


def test_a_passing_fault_is_passed_over(graph_of: GraphOf, faults: Faults) -> None:
    faults.refuse(500, times=2)
    faults.unavailable(retry_after=None, times=1)

    assert len(graph_of(BERT).drives()) == 1


def test_our_user_agent_is_decorated_as_microsoft_asks(cloud: Emulator, graph_of: GraphOf) -> None:
    graph_of(BERT).drives()

    agents = {request.user_agent for request in cloud.requests}
    assert all(agent.startswith("ISV|Pluton|pluton-rclone/") for agent in agents)


def test_a_graph_shows_no_token() -> None:
    graph = Graph(cloud_of_region("global"), Token("planted-token", None, ALREADY_EXPIRED))

    assert "planted" not in repr(graph) + str(graph.cloud)


def test_an_odd_drive_is_read_as_far_as_it_goes() -> None:
    drive = Drive.from_graph(
        {"id": "b!x", "driveType": "new kind", "owner": {"group": {"displayName": "Team"}}}
    )

    assert (drive.type, drive.name, drive.owner) == ("documentLibrary", "Documents", "Team")
    assert Drive.from_graph({"id": "1", "owner": 5}).owner == ""


def test_a_list_that_never_ends_is_left(
    graph_of: GraphOf, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of(BERT)
    page = {"value": [{"id": "1"}], "@odata.nextLink": "https://graph.microsoft.com/v1.0/again"}
    monkeypatch.setattr(graph, "get", lambda *_, **__: page)

    assert len(list(graph.pages("/sites"))) == 2


def test_an_answer_that_is_no_json_is_an_error(graph_of: GraphOf, faults: Faults) -> None:
    faults.arm(GraphFault(418, "teapot", "I am one."))

    with pytest.raises(errors.GraphError) as refusal:
        graph_of(BERT).site_at("contoso.sharepoint.com", "")

    assert refusal.value.details["status"] == 418
