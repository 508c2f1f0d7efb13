"""From an address to a drive and a folder in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator
from pluton_rclone.emulator.drives.drive import Drive as EmulatedDrive
from pluton_rclone.emulator.drives.drive import Site as EmulatedSite
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.drives.item import Link
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app
from pluton_rclone.microsoft.graph.addresses import PersonalPlace
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.graph.locations import resolve

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
SHAREPOINT = "Files.ReadWrite.All Sites.Read.All"
GraphOf = Callable[..., Graph]


@pytest.fixture
def files(cloud: Emulator) -> Files:
    return cloud.world.part(Files)


@pytest.fixture
def site(cloud: Emulator, files: Files) -> EmulatedSite:
    """A site with two libraries, a subsite, and folders in them."""
    tenant = cloud.world.tenant("contoso.onmicrosoft.com")
    made = files.add_site(tenant, "Projects")
    files.add_library(made, "Big Files", "Big Files").folder("Server/2026")
    files.add_library(made, "Big", "Big")
    made.libraries[0].write("Reports/a.txt", b"x")
    below = files.add_site(tenant, "Team", parent=made)
    below.libraries[0].folder("Inner")
    return made


def library(site: EmulatedSite, name: str) -> EmulatedDrive:
    return next(each for each in site.libraries if each.name == name)


@pytest.mark.parametrize(
    ("address", "name", "folder"),
    [
        ("https://contoso.sharepoint.com/sites/Projects", "Documents", ""),
        ("https://contoso.sharepoint.com/sites/projects/SitePages/Home.aspx", "Documents", ""),
        ("https://contoso.sharepoint.com/sites/Projects/Big%20Files", "Big Files", ""),
        (
            "https://contoso.sharepoint.com/sites/Projects/Big%20Files/Forms/AllItems.aspx",
            "Big Files",
            "",
        ),
        (
            "https://contoso.sharepoint.com/sites/Projects/big%20files/Server/2026",
            "Big Files",
            "Server/2026",
        ),
        (
            "https://contoso.sharepoint.com/:f:/r/sites/Projects/Big%20Files/Server?csf=1",
            "Big Files",
            "Server",
        ),
        (
            "https://contoso.sharepoint.com/sites/Projects/Big%20Files/Forms/AllItems.aspx"
            "?id=%2Fsites%2FProjects%2FBig%20Files%2FServer%2F2026&viewid=1",
            "Big Files",
            "Server/2026",
        ),
        (
            "https://contoso.sharepoint.com/sites/Projects/Shared%20Documents/Reports/a.txt",
            "Documents",
            "Reports",
        ),
    ],
)
def test_sites_libraries_and_folders(
    graph_of: GraphOf, site: EmulatedSite, address: str, name: str, folder: str
) -> None:
    location = resolve(graph_of(BERT, SHAREPOINT), address)

    assert location.drive.id == library(site, name).id
    assert location.folder == folder
    assert location.site is not None
    assert location.site.name == "Projects"


@pytest.mark.parametrize("folder", ["HR/Forms", "Mailing/Lists/2024", "Web/Pages", "SitePages"])
@pytest.mark.parametrize("link", ["", ":f:/r/"])
def test_a_folder_that_is_called_as_a_page_of_sharepoint_is_not_its_parent(
    graph_of: GraphOf, files: Files, site: EmulatedSite, link: str, folder: str
) -> None:
    """Formerly, HR/Forms became the folder HR, Web/Pages the folder Web, and a library called Forms
    the default library."""
    own, forms = files.drive_of(BERT), files.add_library(site, "Forms", "Forms")
    graph = graph_of(BERT, SHAREPOINT)
    for drive in (own, library(site, "Documents")):
        drive.folder(folder)
        address = f"{drive.web_url}/{folder}?csf=1".replace(".com/", f".com/{link}")
        location = resolve(graph, address)
        assert (location.drive.id, location.folder) == (drive.id, folder)
    assert resolve(graph, forms.web_url).drive.id == forms.id


@pytest.mark.parametrize(("path", "folder"), [("", ""), ("/Shared%20Documents/Inner", "Inner")])
def test_a_subsite(graph_of: GraphOf, site: EmulatedSite, path: str, folder: str) -> None:
    location = resolve(
        graph_of(BERT, SHAREPOINT), f"https://contoso.sharepoint.com/sites/Projects/Team{path}"
    )

    assert location.site is not None
    assert location.site.name == "Team"
    assert location.drive.id == site.subsites[0].libraries[0].id
    assert location.folder == folder


def test_the_root_site(graph_of: GraphOf, files: Files, cloud: Emulator) -> None:
    root = files.root_site(cloud.world.tenant("contoso.onmicrosoft.com"))
    graph = graph_of(BERT, SHAREPOINT)

    assert resolve(graph, "contoso.sharepoint.com").drive.id == root.libraries[0].id
    assert (
        resolve(graph, "contoso.sharepoint.com/Shared%20Documents").drive.id == root.libraries[0].id
    )


def test_the_own_onedrive_for_business_needs_no_permission_for_sites(
    graph_of: GraphOf, files: Files
) -> None:
    drive = files.drive_of(BERT)
    drive.folder("Server/2026")
    graph = graph_of(BERT, "Files.ReadWrite")

    location = resolve(graph, f"{drive.web_url}/Server/2026")

    assert (location.drive.id, location.folder) == (drive.id, "Server/2026")
    layouts = drive.web_url.replace("/Documents", "/_layouts/15/onedrive.aspx")
    viewed = f"{layouts}?id=%2F{drive.server_path.replace('/', '%2F')}%2FServer&view=0"
    assert resolve(graph, viewed).folder == "Server"


@pytest.mark.parametrize("page", ["", "my", "my?login_hint=b", "_layouts/15/onedrive.aspx"])
def test_the_page_where_onedrive_opens_is_the_own_drive(
    graph_of: GraphOf, files: Files, page: str
) -> None:
    drive, graph = files.drive_of(BERT), graph_of(BERT, "Files.ReadWrite")
    sites = [drive.web_url.removesuffix("/Documents")]
    for site in ("https://contoso-my.sharepoint.com", *(() if page.startswith("my") else sites)):
        location = resolve(graph, f"{site}/{page}")
        assert (location.drive.id, location.folder) == (drive.id, "")
    with pytest.raises(errors.AccountError, match="another organisation"):
        resolve(graph, f"https://fabrikam-my.sharepoint.com/{page}")
    with pytest.raises(errors.AccountError, match="this is a personal account"):
        resolve(graph_of(ANNA), f"https://contoso-my.sharepoint.com/{page}")
    with pytest.raises(errors.OptionInvalid, match="belongs to Microsoft Cloud for US"):
        resolve(graph, f"https://contoso-my.sharepoint.us/{page}")


def test_of_a_file_that_a_program_shows_the_folder_and_never_the_default_library(
    graph_of: GraphOf, files: Files, site: EmulatedSite
) -> None:
    drive, graph = library(site, "Documents"), graph_of(BERT, SHAREPOINT)
    page = f"{site.web_url}/_layouts/15/Doc.aspx".replace(".com/", ".com/:w:/r/")
    address = f"{page}?sourcedoc=%7B11111111-2222-3333-4444-555555555555%7D&file=a.txt"
    with pytest.raises(errors.ItemNotFound) as refusal:
        resolve(graph, address)
    assert "while the site, library or folder is open" in refusal.value.advice

    file = drive.find("Reports/a.txt")
    assert file is not None
    files.links[page] = (drive, file, Link("1", "edit", "users", page))
    location = resolve(graph, address)
    assert (location.drive.id, location.folder) == (drive.id, "Reports")


def test_a_personal_onedrive(graph_of: GraphOf, files: Files) -> None:
    drive = files.drive_of(ANNA)
    folder = drive.folder("Server/2026")
    graph = graph_of(ANNA)

    for address, expected in [
        ("https://onedrive.live.com", ""),
        (f"https://onedrive.live.com/?cid={drive.id.upper()}", ""),
        (
            f"https://onedrive.live.com/?cid={drive.id}&id={folder.id.replace('!', '%21')}",
            "Server/2026",
        ),
        (f"https://onedrive.live.com/?id=%2Fpersonal%2F{drive.id}%2FDocuments%2FServer", "Server"),
        (drive.id, ""),
    ]:
        location = resolve(graph, address)
        assert (location.drive.id, location.folder) == (drive.id, expected)


def test_a_sharing_link(graph_of: GraphOf, files: Files) -> None:
    theirs = files.drive_of("admin@contoso.onmicrosoft.com")
    folder = theirs.folder("Team/Shared")
    theirs.share(folder, BERT)
    link = f"{theirs.web_url}/Team/Shared".replace("sharepoint.com/", "sharepoint.com/:f:/g/")
    files.links[link] = (theirs, folder, Link("1", "edit", "users", link))

    location = resolve(graph_of(BERT, "Files.ReadWrite.All"), link)

    # the drive's root is closed to Bert: rclone's root is the folder itself
    assert (location.drive.id, location.drive.type) == (theirs.id, "business")
    assert (location.root_folder_id, location.folder) == (f"{theirs.id}#{folder.id}", "")


def test_a_sharing_link_says_which_permission_is_missing(graph_of: GraphOf, files: Files) -> None:
    theirs = files.drive_of("admin@contoso.onmicrosoft.com")
    folder = theirs.folder("Shared")
    theirs.share(folder, BERT)
    link = "https://contoso-my.sharepoint.com/:f:/g/personal/admin/Eabc"
    files.links[link] = (theirs, folder, Link("1", "edit", "users", link))

    with pytest.raises(errors.ConsentRequired) as refusal:
        resolve(graph_of(BERT, "Files.ReadWrite"), f"{link}?e=5")

    assert refusal.value.details["missing_scopes"] == ["Files.ReadWrite.All"]


def test_the_id_of_a_drive(graph_of: GraphOf, site: EmulatedSite) -> None:
    graph = graph_of(BERT, SHAREPOINT)

    assert resolve(graph, site.libraries[1].id).drive.name == "Big Files"


def test_a_library_that_is_not_there_is_named_with_those_that_are(
    graph_of: GraphOf, site: EmulatedSite
) -> None:
    with pytest.raises(errors.ItemNotFound) as refusal:
        resolve(graph_of(BERT, SHAREPOINT), "https://contoso.sharepoint.com/sites/Projects/Nope/x")

    assert "'Nope'" in refusal.value.what
    assert "Big Files" in str(refusal.value)


def test_a_folder_that_is_not_there_is_named(graph_of: GraphOf, site: EmulatedSite) -> None:
    with pytest.raises(errors.ItemNotFound, match="Server/2027 in Big Files"):
        resolve(
            graph_of(BERT, SHAREPOINT),
            "https://contoso.sharepoint.com/sites/Projects/Big%20Files/Server/2027",
        )


def test_a_site_that_is_not_there(graph_of: GraphOf) -> None:
    with pytest.raises(errors.ItemNotFound, match="sites/Nobody"):
        resolve(graph_of(BERT, SHAREPOINT), "https://contoso.sharepoint.com/sites/Nobody")


def test_a_site_wants_its_permission(graph_of: GraphOf, site: EmulatedSite) -> None:
    with pytest.raises(errors.SitesPermissionMissing):
        resolve(graph_of(BERT, "Files.ReadWrite"), "https://contoso.sharepoint.com/sites/Projects")


def test_an_address_of_another_cloud_is_refused_before_anything_is_asked(
    cloud: Emulator, graph_of: GraphOf
) -> None:
    for path in ("sites/Backups", ":f:/s/Backups/Eabc?e=1"):
        with pytest.raises(errors.OptionInvalid) as refusal:
            resolve(graph_of(BERT, SHAREPOINT), f"https://fabrikam.sharepoint.us/{path}")
        assert "region us" in refusal.value.advice
    with pytest.raises(errors.OptionInvalid) as refusal:  # no one can sign in there any more
        resolve(graph_of(BERT, SHAREPOINT), "https://fabrikam.sharepoint.de/sites/Backups")
    assert "Use Global" in refusal.value.advice
    assert list(cloud.requests) == []


def test_an_application_resolves_addresses_too(
    cloud: Emulator, site: EmulatedSite, files: Files
) -> None:
    app = AppRegistration(
        DAEMON_CLIENT_ID, tenant="contoso.onmicrosoft.com", client_secret=DAEMON_CLIENT_SECRET
    )
    own = files.drive_of(BERT)
    own.folder("Server")
    with Graph(app.cloud, sign_in_as_app(app).token) as graph:
        assert (
            resolve(graph, "https://contoso.sharepoint.com/sites/Projects/Big%20Files").drive.name
            == "Big Files"
        )
        location = resolve(graph, f"{own.web_url}/Server")

    assert (location.drive.id, location.folder) == (own.id, "Server")


def test_a_site_of_another_organisation_says_so(graph_of: GraphOf) -> None:
    for address in (
        "https://fabrikam.sharepoint.com/sites/X",
        "https://fabrikam.sharepoint.com/:f:/s/X/Eabc?e=1",
    ):
        with pytest.raises(errors.AccountError) as refusal:
            resolve(graph_of(BERT, SHAREPOINT), address)

        assert (
            refusal.value.what
            == "fabrikam.sharepoint.com belongs to another organisation than the account."
        )
        assert refusal.value.why == "this account belongs to contoso"


def test_an_own_drive_without_an_address_is_of_no_other_organisation(
    graph_of: GraphOf, files: Files
) -> None:
    """Formerly: "belongs to another organisation (this account belongs to )"."""
    files.drive_of(BERT).web_url = ""
    with pytest.raises(errors.ItemNotFound):
        resolve(graph_of(BERT, SHAREPOINT), "https://contoso.sharepoint.com/sites/Nobody")


def test_a_personal_account_is_told_that_a_site_is_an_organisations(graph_of: GraphOf) -> None:
    with pytest.raises(errors.AccountError) as refusal:
        resolve(graph_of(ANNA, SHAREPOINT), "https://contoso.sharepoint.com/sites/Projects")

    assert refusal.value.why == "this is a personal account"


@pytest.mark.parametrize(
    "address",
    [
        "https://onedrive.live.com/?id=root",
        "https://onedrive.live.com/?id=root&cid={cid}",
        "https://onedrive.live.com/personal/{cid}/Documents/Server",
        "https://onedrive.live.com/:f:/g/personal/{cid}/Eabc?e=x",
        "https://1drv.ms/f/c/{cid}/Eabc",
    ],
)
def test_a_work_account_is_told_that_an_address_is_a_persons(
    graph_of: GraphOf, files: Files, address: str
) -> None:
    """Formerly: Bert's OneDrive for Business, or a permission that would not help."""
    with pytest.raises(errors.AccountError) as refusal:
        resolve(graph_of(BERT), address.format(cid=files.drive_of(ANNA).id))

    assert "personal OneDrive" in refusal.value.what
    assert "personal account" in refusal.value.advice


def test_another_geography_of_the_organisation_is_no_other_organisation(graph_of: GraphOf) -> None:
    with pytest.raises(errors.GraphError):
        resolve(graph_of(BERT, SHAREPOINT), "https://contosoeur.sharepoint.com/sites/X")


@pytest.mark.parametrize("id_prefix", ["01BVTN66", "01bvtn66"])
def test_the_address_of_a_folder_on_the_current_personal_backend(
    graph_of: GraphOf, files: Files, id_prefix: str
) -> None:
    """Four real pairs of address and id; the emulator's own ids are the older ones."""
    graph = graph_of(ANNA)
    place = PersonalPlace(None, f"{id_prefix}GDU6IMPPFKK5BKPUALBV3RDXD5")
    assert place.item_id("0a1b2c3d4e5f6a42") == (
        "A1B2C3D4E5F6A42!sc790a7c3aabc4257a7d00b0d7711dc7d"
    )
    with pytest.raises(
        errors.ItemNotFound, match="folder of this address"
    ):  # never silently the root
        resolve(graph, f"https://onedrive.live.com/?id={id_prefix}GDU6IMPPFKK5BKPUALBV3RDXD5")


CN = "chen@tailspin.partner.onmschina.cn"


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/Shared%20Documents/A/B", "A/B"),
        (
            "/Shared%20Documents/Forms/"
            "AllItems.aspx?id=%2Fsites%2FProjects%2FShared%20Documents%2FA",
            "A",
        ),
        (
            "/Shared%20Documents/Forms/"
            "AllItems.aspx?RootFolder=%2Fsites%2FProjects%2FShared%20Documents%2FA",
            "A",
        ),
    ],
)
def test_folders_in_china(
    graph_of: GraphOf, cloud: Emulator, files: Files, path: str, folder: str
) -> None:
    made = files.add_site(cloud.world.tenant("tailspin.partner.onmschina.cn"), "Projects")
    made.libraries[0].folder("A/B")
    location = resolve(graph_of(CN, SHAREPOINT, region="cn"), f"{made.web_url}{path}")

    assert (location.drive.id, location.folder) == (made.libraries[0].id, folder)


def test_every_folder_of_the_current_personal_backend_is_found_by_its_web_address(
    graph_of: GraphOf, cloud: Emulator, files: Files
) -> None:
    drive = files.drive_of(ANNA)
    drive.folder("Server/2026")
    cloud.quirks.current_personal_ids(ANNA)
    graph = graph_of(ANNA)
    (own,) = graph.drives()

    for path, folder in (("", ""), ("Server", "Server"), ("Server/2026", "Server/2026")):
        item = graph.get(f"/drives/{own.id}/root" + (f":/{path}" if path else ""))
        assert "id=01" in item["webUrl"]
        location = resolve(graph, item["webUrl"])
        assert (location.drive.id, location.folder) == (own.id, folder)
