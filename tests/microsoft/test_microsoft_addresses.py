"""Pasted addresses: every form that browsers and Share buttons give is understood."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.microsoft.graph.addresses import (
    Address,
    DriveId,
    PersonalPlace,
    ServerPath,
    SharingLink,
    read_address,
)

HOST = "contoso.sharepoint.com"
CID = "6f7d00bffc4d4e62"


def on_server(path: str, host: str = HOST) -> ServerPath:
    return ServerPath(host, tuple(piece for piece in path.split("/") if piece))


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"https://{HOST}", "/"),
        (f"https://{HOST}/", "/"),
        (f"{HOST}/sites/Backups", "/sites/Backups"),
        (f"http://{HOST}:443/sites/Backups/", "/sites/Backups"),
        (f"https://{HOST}/sites/Backups/Shared%20Documents", "/sites/Backups/Shared Documents"),
        (f"https://{HOST}/sites/Backups/Docs/Forms/AllItems.aspx", "/sites/Backups/Docs"),
        (
            f"https://{HOST}/sites/Backups/Shared%20Documents/Forms/AllItems.aspx"
            "?id=%2Fsites%2FBackups%2FShared%20Documents%2FServer%2F2026&viewid=12345678%2D1234",
            "/sites/Backups/Shared Documents/Server/2026",
        ),
        (
            f"https://{HOST}/sites/Backups/Shared%20Documents/Forms/AllItems.aspx"
            "?id=%2Fsites%2FBackups%2FShared%20Documents%2Fa%2Eiso&parent=%2Fsites%2FBackups%2FShared%20Documents",
            "/sites/Backups/Shared Documents",
        ),
        (
            f"https://{HOST}/sites/Backups/Docs/Forms/"
            f"AllItems.aspx?RootFolder=%2Fsites%2FBackups%2FDocs%2FOld&FolderCTID=0x",
            "/sites/Backups/Docs/Old",
        ),
        (
            f"https://{HOST}/:f:/r/sites/Backups/Docs%20A/Server?csf=1&web=1",
            "/sites/Backups/Docs A/Server",
        ),
        *(
            (f"https://{HOST}/{link}sites/HR/{path}", f"/sites/HR/{path}")
            for link in ("", ":f:/r/")
            for path in ("Docs/Admin/Forms", "Docs/Mailing/Lists/2024", "Docs/Web/Pages", "Forms")
        ),
        (f"https://{HOST}/sites/Backups/SitePages/Home.aspx", "/sites/Backups"),
        (f"https://{HOST}/sites/Backups/_layouts/15/viewlsts.aspx?view=14", "/sites/Backups"),
        (f"https://{HOST}/_layouts/15/start.aspx#/Docs%20A/Forms/AllItems.aspx", "/Docs A"),
        (
            f"https://{HOST}/sites/B%20A/_layouts/15/start.aspx#/Docs%20A/Forms/AllItems.aspx",
            "/sites/B A/Docs A",  # below the site; "/Docs A" was another site's library
        ),
        (
            f"https://{HOST}/sites/HR/_layouts/15/start.aspx#/Docs/Forms/AllItems.aspx"
            "?RootFolder=%2Fsites%2FHR%2FDocs%2FOld&FolderCTID=0x#a#/_layouts/15/start.aspx#/b",
            "/sites/HR/Docs/Old",
        ),
        (f"https://{HOST}/sites/HR/_layouts/15/start.aspx#/", "/sites/HR"),
        (f"https://{HOST}/sites/Backups/default.aspx", "/sites/Backups"),
        (f"https://{HOST}/teams/IT/Lists/Tasks/AllItems.aspx", "/teams/IT"),
        (f"https://{HOST}/teams/Lists/Lists/Tasks/AllItems.aspx", "/teams/Lists"),
        (f"https://{HOST}/sites/Forms/default.aspx", "/sites/Forms"),
        (
            f"https://{HOST}/sites/HR/Docs/Forms/A.aspx?id=/sites/HR/Docs/a%252Fb",
            "/sites/HR/Docs/a%2Fb",
        ),
        (f"https://{HOST}/Shared%20Documents/100%25%20%23done", "/Shared Documents/100% #done"),
        (f"  <https://{HOST}/sites/B%C3%BCro>  ", "/sites/Büro"),
        # with the end of the sentence in which it was: no name ends so there
        (f"https://{HOST}/sites/HR/Docs/Old.", "/sites/HR/Docs/Old"),
        (f"<https://{HOST}/sites/HR>.", "/sites/HR"),
        (f"https://{HOST}/sites/HR,", "/sites/HR"),
        (f"https://{HOST}/sites/HR/Docs/Old,", "/sites/HR/Docs/Old,"),
    ],
)
def test_sharepoint_addresses(address: str, path: str) -> None:
    assert read_address(address) == on_server(path)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (
            "https://contoso-my.sharepoint.com/personal/bert_contoso_com",
            "/personal/bert_contoso_com",
        ),
        (
            "https://contoso-my.sharepoint.com/personal/bert_contoso_com/Documents/Forms/All.aspx",
            "/personal/bert_contoso_com/Documents",
        ),
        (
            "https://contoso-my.sharepoint.com/personal/bert_contoso_com/_layouts/15/onedrive.aspx"
            "?id=%2Fpersonal%2Fbert%5Fcontoso%5Fcom%2FDocuments%2FServer&ga=1",
            "/personal/bert_contoso_com/Documents/Server",
        ),
        (
            "https://contoso-my.sharepoint.com/my?id=%2Fpersonal%2Fbert%2FDocs",
            "/personal/bert/Docs",
        ),
        (
            "https://contoso-my.sharepoint.com/my?id=%2Fpersonal%2Fbert%2FDocs%2FA"
            "&listurl=%2Fpersonal%2Fbert%2FDocs",
            "/personal/bert/Docs/A",
        ),
        ("https://contoso-my.sharepoint.com/", "/"),
        ("https://contoso-my.sharepoint.com/my", "/"),
        ("https://contoso-my.sharepoint.com/my?login_hint=bert%40contoso.com", "/"),
        ("https://contoso-my.sharepoint.com/_layouts/15/onedrive.aspx", "/"),
    ],
)
def test_addresses_of_a_persons_onedrive_for_business(address: str, path: str) -> None:
    assert read_address(address) == on_server(path, "contoso-my.sharepoint.com")


@pytest.mark.parametrize(
    "page", ["my", "shared", "personal/bert_contoso_com/_layouts/15/onedrive.aspx"]
)
def test_a_library_that_onedrive_shows_is_at_its_own_host(page: str) -> None:
    """Formerly, it was looked for at the host of everyone's OneDrive, which has no such site."""
    onedrive = f"https://contoso-my.sharepoint.com/{page}"
    library = "listurl=https%3A%2F%2Fcontoso%2Esharepoint%2Ecom%2Fsites%2FHR%2FShared%20Documents"
    for folder, path in (("", ""), ("id=%2Fsites%2FHR%2FShared%20Documents%2FA%26B&", "/A&B")):
        place = read_address(f"{onedrive}?{folder}{library}")
        assert place == on_server(f"/sites/HR/Shared Documents{path}")
    with pytest.raises(OptionInvalid, match=r"evil\.example is not an address of SharePoint"):
        read_address(f"{onedrive}?id=%2Fsites%2FHR&listurl=https%3A%2F%2Fevil.example%2Fsites")


@pytest.mark.parametrize(
    "address",
    [
        f"https://{HOST}/:f:/s/Backups/EqAbcdefGhij?e=5:xyz",
        "https://contoso-my.sharepoint.com/:f:/g/personal/bert_contoso_com/Eabc?e=x",
        f"https://{HOST}/sites/Backups/_layouts/15/guestaccess.aspx?docid=1&authkey=2",
        "https://1drv.ms/f/s!AmJOTfy_AH1vgQ",
        "https://1drv.ms/f/c/6f7d00bffc4d4e62/Eabc",
        "https://onedrive.live.com/redir?resid=6F7D00BFFC4D4E62!123&authkey=!AAA",
        "https://onedrive.live.com/:f:/g/personal/6F7D00BFFC4D4E62/Eabc?e=x",
        # files that a program shows, by their ids: these contain no path
        f"https://{HOST}/:w:/r/sites/HR/_layouts/15/Doc.aspx?sourcedoc=%7B1%7D&file=Plan.docx",
        f"https://{HOST}/sites/HR/_layouts/15/WopiFrame.aspx?sourcedoc=%7B1%7D",
        f"https://{HOST}/sites/HR/_layouts/15/download.aspx?UniqueId=1",
        f"https://{HOST}/sites/HR/_layouts/15/DocIdRedir.aspx?ID=ABC-1",
        "https://onedrive.live.com/personal/6f7d00bffc4d4e62/_layouts/15/Doc.aspx?sourcedoc=%7B1%7D",
    ],
)
def test_links_from_a_share_button_are_left_whole_for_the_shares_api(address: str) -> None:
    assert read_address(address) == SharingLink(address)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://onedrive.live.com", PersonalPlace()),
        ("https://onedrive.live.com/?v=myfiles", PersonalPlace()),
        ("https://onedrive.live.com/?cid=6F7D00BFFC4D4E62", PersonalPlace(CID)),
        ("https://onedrive.live.com/?id=root&cid=6F7D00BFFC4D4E62", PersonalPlace(CID)),
        # one account in 256 loses two leading zeros
        ("https://onedrive.live.com/?cid=AB7D00BFFC4D62", PersonalPlace("00ab7d00bffc4d62")),
        ("https://onedrive.live.com/?id=AB7D00BFFC4D62%21root", PersonalPlace("00ab7d00bffc4d62")),
        (
            "https://onedrive.live.com/?cid=6f7d00bffc4d4e62&id=6F7D00BFFC4D4E62%21root",
            PersonalPlace(CID),
        ),
        (
            "https://onedrive.live.com/?cid=6f7d00bffc4d4e62&id=6F7D00BFFC4D4E62%21123",
            PersonalPlace(CID, "6F7D00BFFC4D4E62!123"),
        ),
        (
            "https://onedrive.live.com/"
            "?id=%2Fpersonal%2F6f7d00bffc4d4e62%2FDocuments%2FServer%2F2026",
            PersonalPlace(CID, None, ("Server", "2026")),
        ),
        (
            "https://my.microsoftpersonalcontent.com/personal/6f7d00bffc4d4e62/Documents/Server",
            PersonalPlace(CID, None, ("Server",)),
        ),
        ("https://d.docs.live.net/6f7d00bffc4d4e62/Server", PersonalPlace(CID, None, ("Server",))),
        (
            "https://onedrive.live.com/personal/6f7d00bffc4d4e62/_layouts/15/onedrive.aspx",
            PersonalPlace(CID),
        ),
        (
            "https://onedrive.live.com/personal/6f7d00bffc4d4e62/_layouts/15/Doc.aspx"
            "?sourcedoc=%7B1%7D&resid=6F7D00BFFC4D4E62!123",
            PersonalPlace(CID, "6F7D00BFFC4D4E62!123"),
        ),
    ],
)
def test_addresses_of_a_personal_onedrive(address: str, place: PersonalPlace) -> None:
    assert read_address(address) == place


def test_ids_are_addresses_too() -> None:
    assert read_address("b!t18F8ybsHUq1z3LTz8xvZqP8zaSWjkFN") == DriveId(
        "b!t18F8ybsHUq1z3LTz8xvZqP8zaSWjkFN"
    )
    assert read_address("6F7D00BFFC4D4E62") == DriveId(CID)
    assert read_address("F7D00BFFC4D4E62") == DriveId(
        "0f7d00bffc4d4e62"
    )  # the leading zero was lost


@pytest.mark.parametrize(
    "address",
    [
        "",
        "   ",
        "hello",
        "https://example.com/sites/Backups",
        "https://contoso.sharepoint.com.evil.example/sites/x",
        "https://sharepoint.com",
        "ftp://contoso.sharepoint.com/sites/x",
        "https://[::1",
        f"https://{HOST}/sites/../../etc",
        f"https://{HOST}/sites/%2e%2e/x",
        f"https://{HOST}/sites/a%00b",
        "x" * 9000,
        "https://unit.sharepoint-mil.us/sites/x",
        "https://teams.microsoft.com/l/file/1?objectUrl=https%3A%2F%2F%5B",
        "https://teams.microsoft.com/?objectUrl=" * 209,
        "https://contoso-my.sharepoint.com/my?listurl=https%3A%2F%2F%5B",
    ],
)
def test_what_is_no_address_is_refused_with_advice(address: str) -> None:
    with pytest.raises(OptionInvalid) as refusal:
        read_address(address)

    assert refusal.value.advice


PIECES = st.sampled_from(
    f"https:// {HOST} / sites :f: r ?id= %2F % .. b! , onedrive.live.com ! #/ [ ] @ & = Forms "
    f"A.aspx".split()
)
ADDRESSES = (
    st.text()
    | st.lists(PIECES).map("".join)
    | st.tuples(PIECES, st.text()).map(lambda parts: f"https://{HOST}/{parts[0]}{parts[1]}")
)


@given(ADDRESSES)
@example(f"https://{HOST}/?{'&'.join('a=b' for _ in range(200))}")
def test_no_address_brings_it_down(address: str) -> None:
    place: Address | OptionInvalid
    try:
        place = read_address(address)
    except OptionInvalid as refusal:
        place = refusal

    if isinstance(place, OptionInvalid):
        assert place.advice
    elif isinstance(place, ServerPath):
        assert ".." not in place.segments
        assert place.host.endswith((".com", ".us", ".de", ".cn"))
