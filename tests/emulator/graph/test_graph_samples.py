"""Every answer of the emulated Graph has the members of Microsoft's own sample for that request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.emulator.drives.content import Zeros
from pluton_rclone.emulator.drives.quota import Quota, Told

from .graph_client import ANNA, BERT, Asking, Reply

SAMPLES = Path(__file__).parents[2] / "data" / "graph-samples"

FRAGMENT = 327680

# Samples of requests that are not served here, each with the reason.
NOT_SERVED = {
    "channel-files-folder.json": "Teams channels: rclone never asks for them",
}

# Members that our answers have in addition to the samples, all documented for the resource.
DRIVE_ITEM = {
    "@microsoft.graph.downloadUrl",
    "@odata.context",
    "createdBy",
    "createdDateTime",
    "cTag",
    "eTag",
    "file",
    "fileSystemInfo",
    "folder",
    "id",
    "lastModifiedBy",
    "lastModifiedDateTime",
    "name",
    "package",
    "parentReference",
    "remoteItem",
    "root",
    "shared",
    "size",
    "webUrl",
    "deleted",
    "description",
}
DRIVE = {
    "@odata.context",
    "createdBy",
    "createdDateTime",
    "description",
    "driveType",
    "id",
    "lastModifiedBy",
    "lastModifiedDateTime",
    "name",
    "owner",
    "quota",
    "webUrl",
}
SITE = {
    "@odata.context",
    "createdDateTime",
    "description",
    "displayName",
    "id",
    "isPersonalSite",
    "lastModifiedDateTime",
    "name",
    "root",
    "sharepointIds",
    "siteCollection",
    "webUrl",
}
LIST = {"@odata.context", "@odata.nextLink", "@odata.deltaLink", "value"}
SESSION = {"@odata.context", "expirationDateTime", "nextExpectedRanges", "uploadUrl"}
LINK = {"@odata.context", "hasPassword", "id", "link", "roles", "shareId"}
COPY = {
    "@odata.context",
    "createdDateTime",
    "error",
    "id",
    "lastActionDateTime",
    "operation",
    "percentageComplete",
    "percentComplete",
    "resourceId",
    "resourceLocation",
    "status",
}
GRANT = {
    "@deprecated.GrantedToIdentities",
    "grantedToIdentities",
    "grantedToIdentitiesV2",
    "id",
    "roles",
}
ERROR = {"error"}

Case = tuple[Callable[[], Reply], set[str]]


def bert(*scopes: str) -> Asking:
    return Asking(BERT, *(scopes or ("Files.ReadWrite.All", "Sites.Read.All")))


def anna() -> Asking:
    return Asking(ANNA, "Files.ReadWrite")


def listing(token: bool) -> Reply:
    ask = bert()
    root = ask.drive.folder("many")
    for name in ("a.bin", "b.bin"):
        ask.drive.write(f"many/{name}", b"x")
    ask.drive.folder("many/Documents")
    ask.drive.write("many/zero.txt")
    ask.drive.add_notebook("many/My notebook")
    other = ask.files.drive_of("admin@contoso.onmicrosoft.com")
    shared = other.folder("Shared folder")
    other.share(shared, BERT)
    ask.drive.add_shortcut(other, shared, "Shared folder", root)
    address = f"/drives/{ask.drive.id}/items/{root.id}/children"
    page = ask.get(f"{address}?$top=3")
    return ask.get(page.json["@odata.nextLink"]) if token else page


def delta(token: str) -> Reply:
    ask = bert()
    ask.drive.folder("folder2")
    if token == "first":
        start = ask.get("/me/drive/root/delta?token=latest&$top=4").json["@odata.deltaLink"]
        ask.drive.write("folder2/file.txt", b"x")
        ask.drive.delete(ask.drive.write("file5.txt", b"x"))
        ask.drive.write("more.txt", b"x")
        return ask.get(start)
    if token == "old":
        old = ask.get("/me/drive/root/delta").json["@odata.deltaLink"]
        ask.drive.changes.expire()
        return ask.get(old)
    start = ask.get("/me/drive/root/delta?token=latest")
    if token == "latest":
        return start
    ask.drive.delete(ask.drive.folder("folder2"))
    ask.drive.write("file.txt", b"x")
    value = start.json["@odata.deltaLink"].partition("token=")[2]
    return ask.get(f"/me/drive/root/delta(token='{value}')")


def session(ask: Asking, size: int = 0, **item: Any) -> Reply:
    wanted = {"name": "largefile.dat", **({"fileSize": size} if size else {}), **item}
    return ask.post("/me/drive/root:/largefile.dat:/createUploadSession", {"item": wanted})


def fragment(
    content_range: str, length: int, *before: tuple[str, int], ask: Asking | None = None
) -> Reply:
    ask = ask or bert()
    url = session(ask).json["uploadUrl"]
    for part, size in before:
        ask.put(url, bytes(size), content_range=part)
    return ask.put(url, bytes(length), content_range=content_range)


def fragment_onto_taken_name() -> Reply:
    ask = bert()
    url = ask.post(
        "/me/drive/root:/a.bin:/createUploadSession",
        {"item": {"@microsoft.graph.conflictBehavior": "fail"}},
    ).json["uploadUrl"]
    ask.drive.write("a.bin", b"somebody was quicker")
    return ask.put(url, b"x", content_range="bytes 0-0/1")


def fragment_of_lost_session() -> Reply:
    ask = bert()
    ask.faults.lose_session(after_fragments=1)
    return fragment(
        f"bytes {FRAGMENT}-{FRAGMENT}/{FRAGMENT + 1}",
        1,
        (f"bytes 0-{FRAGMENT - 1}/{FRAGMENT + 1}", FRAGMENT),
        ask=ask,
    )


def status_of_session() -> Reply:
    ask = bert()
    return ask.get(session(ask).json["uploadUrl"])


def cancelled_session() -> Reply:
    ask = bert()
    return ask.delete(session(ask).json["uploadUrl"])


def full(ask: Asking) -> Asking:
    for drive in (ask.files.drive_of(ANNA), ask.drive):
        drive.quota = Quota(10)
    return ask


def stored(ask: Asking, name: str = "a.bin") -> str:
    drive = ask.files.drive_of(next(iter(ask.world.access_tokens.values())).person or BERT)
    return f"/drives/{drive.id}/items/{drive.write(f'Documents/{name}', b'x' * 2048).id}"


def copy(
    looks: int = 0, *, taken: bool = False, ask: Asking | None = None, monitor: bool = True
) -> Reply:
    ask = ask or bert()
    ask.faults.copy_looks = looks
    address = stored(ask, "contoso plan.txt")
    if taken:
        stored(ask, "contoso plan (copy).txt")
    reply = ask.post(f"{address}/copy", {"name": "contoso plan (copy).txt"})
    return ask.get(reply.headers["location"]) if monitor else reply


def armed(arm: Callable[[Asking], object], address: str = "/me/drive/root/children") -> Reply:
    ask = bert()
    arm(ask)
    return ask.get(address)


def large_folder() -> Reply:
    ask = bert()
    ask.faults.large_folder = 3
    for number in range(3):
        ask.drive.write(f"many/{number}", b"")
    return ask.get("/me/drive/root:/many:/children")


def link(ask: Asking, **body: Any) -> Reply:
    return ask.post(f"{stored(ask)}/createLink", body)


def versions() -> Reply:
    ask = bert()
    address = stored(ask)
    stored(ask)
    stored(ask)
    return ask.get(f"{address}/versions")


def download(**headers: str) -> Reply:
    ask = anna()
    return ask.get(ask.get(f"{stored(ask)}/content").headers["location"], **headers)


def quota(ask: Asking, quota: Quota) -> Reply:
    for drive in (ask.files.drive_of(ANNA), ask.drive):
        drive.quota = quota
    return ask.get("/me/drive?$select=quota")


def exceeded() -> Reply:
    ask = anna()
    drive = ask.files.drive_of(ANNA)
    drive.write("big", Zeros(5368709000))
    drive.quota = Quota(5368708999)
    return ask.get("/me/drive?$select=quota")


def site(path: str, *, followed: bool = False, many: bool = False) -> Reply:
    ask = bert()
    found = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert found is not None
    if followed:
        ask.files.follow(BERT, found)
    for number in range(250 if many else 0):
        ask.files.add_library(found, f"Library {number}")
    return ask.get(path.replace("{id}", found.id))


def grant_on_site() -> Reply:
    ask = Asking(None, "Sites.FullControl.All")
    found = ask.files.sites_of(ask.app.tenant)[0]
    body = {
        "roles": ["write"],
        "grantedToIdentities": [
            {"application": {"id": "89ea5c94", "displayName": "Contoso Time Manager App"}}
        ],
    }
    return ask.post(f"/sites/{found.id}/permissions", body)


def unlicensed() -> Reply:
    ask = bert()
    ask.world.person(BERT).licensed = False
    return ask.get("/me/drive")


def expired() -> Reply:
    ask = bert()
    ask.world.advance(4000)
    return ask.get("/me/drive")


def too_long() -> Reply:
    return bert().post(f"/me/drive/root:/{'x' * 200}/{'y' * 200}:/createUploadSession", {})


def stale() -> Reply:
    ask = bert()
    return ask.patch(stored(ask), {"name": "new.txt"}, if_match='"{old},1"')


def new_folder(name: str, twice: bool = False) -> Reply:
    ask = bert()
    body = {"name": name, "folder": {}, "@microsoft.graph.conflictBehavior": "fail"}
    if twice:
        ask.post("/me/drive/root/children", body)
    return ask.post("/me/drive/root/children", body)


def item_with_path() -> Reply:
    ask = bert()
    ask.drive.write("Documents/a.bin", bytes(1048576))
    return ask.get(f"/drives/{ask.drive.id}/root:/Documents/a.bin")


BOTH = f"bytes {FRAGMENT}-{FRAGMENT}/{FRAGMENT + 1}"
FIRST = (f"bytes 0-{FRAGMENT - 1}/{FRAGMENT + 1}", FRAGMENT)

CASES: dict[str, Case] = {
    "children-composed-page1.json": (lambda: listing(False), LIST),
    "children-composed-page2.json": (lambda: listing(True), LIST),
    "children-page.json": (lambda: listing(False), LIST),
    "copy-202.json": (lambda: copy(monitor=False), set()),
    "copy-monitor-completed-business.json": (copy, COPY),
    "copy-monitor-completed.json": (lambda: copy(ask=anna()), COPY),
    "copy-monitor-failed.json": (lambda: copy(taken=True), COPY),
    "copy-monitor-in-progress.json": (lambda: copy(1), COPY),
    "create-link-embed.json": (lambda: link(anna(), type="embed"), LINK),
    "create-link-organization.json": (
        lambda: link(bert(), type="edit", scope="organization"),
        LINK,
    ),
    "create-link-view.json": (
        lambda: link(anna(), type="view", password="x", scope="anonymous"),
        LINK,
    ),
    "create-upload-session-507.json": (lambda: session(full(bert()), 1099511627776), ERROR),
    "create-upload-session.json": (lambda: session(bert()), SESSION),
    "delete-item.json": (lambda: (ask := bert()).delete(stored(ask)), set()),
    "delta-410-resync.json": (lambda: delta("old"), ERROR),
    "delta-first-page.json": (lambda: delta("first"), LIST),
    "delta-last-page.json": (lambda: delta("last"), LIST),
    "delta-token-latest.json": (lambda: delta("latest"), LIST),
    "drive-by-id.json": (lambda: (ask := bert()).get(f"/drives/{ask.drive.id}"), DRIVE),
    "drive-root-composed.json": (
        lambda: (ask := bert()).get(f"/drives/{ask.drive.id}/root"),
        DRIVE_ITEM,
    ),
    "drive-root.json": (lambda: (ask := bert()).get(f"/drives/{ask.drive.id}/root"), DRIVE_ITEM),
    "error-400-invalid-name.json": (lambda: new_folder("a:b"), ERROR),
    "error-400-invalid-request.json": (
        lambda: bert().post("/me/drive/root/children", {"name": "a"}),
        ERROR,
    ),
    "error-400-path-too-long.json": (too_long, ERROR),
    "error-401-invalid-token.json": (expired, ERROR),
    "error-401-unauthenticated.json": (
        lambda: bert().get("https://b0mpua-by3301.files.1drv.com/y4mx?item=1&tempauth=x"),
        ERROR,
    ),
    "error-403-access-denied.json": (lambda: bert("User.Read").get("/me/drive/root"), ERROR),
    "error-403-insufficient-claims.json": (
        lambda: armed(lambda ask: ask.faults.challenge()),
        ERROR,
    ),
    "error-403-malware.json": (
        lambda: armed(
            lambda ask: (ask.faults.malware(), stored(ask)),
            "/me/drive/root:/Documents/a.bin:/content",
        ),
        ERROR,
    ),
    "error-404-item-not-found.json": (lambda: bert().get("/me/drive/root:/nothing"), ERROR),
    "error-409-name-exists.json": (lambda: new_folder("New Folder", twice=True), ERROR),
    "error-412-resource-modified.json": (stale, ERROR),
    "error-423-locked.json": (lambda: armed(lambda ask: ask.faults.refuse(423)), ERROR),
    "error-429-graph.json": (lambda: armed(lambda ask: ask.faults.throttle_by_graph()), ERROR),
    "error-429-sharepoint.json": (
        lambda: armed(lambda ask: ask.budgets.enable(share=0.0001)),
        ERROR,
    ),
    "error-503-service-not-available.json": (
        lambda: armed(lambda ask: ask.faults.unavailable()),
        ERROR,
    ),
    "error-504-large-folder.json": (large_folder, ERROR),
    "error-507-insufficient-storage.json": (
        lambda: full(bert()).put("/me/drive/root:/a.bin:/content", bytes(11)),
        ERROR,
    ),
    "error-507-quota.json": (
        lambda: full(anna()).put("/me/drive/root:/a.bin:/content", bytes(11)),
        ERROR,
    ),
    "get-content-302.json": (lambda: (ask := anna()).get(f"{stored(ask)}/content"), set()),
    "get-content-range-206.json": (lambda: download(range="bytes=0-1023"), set()),
    "item-by-path-composed.json": (item_with_path, DRIVE_ITEM),
    "item-by-path.json": (item_with_path, DRIVE_ITEM),
    "me-drive-not-provisioned.json": (unlicensed, ERROR),
    "me-drive-personal-composed.json": (lambda: anna().get("/me/drive"), DRIVE),
    "me-drive.json": (lambda: bert().get("/me/drive"), DRIVE),
    "me-drives.json": (lambda: bert().get("/me/drives"), LIST),
    "me-followed-sites.json": (lambda: site("/me/followedSites", followed=True), LIST),
    "permanent-delete.json": (
        lambda: (ask := bert()).post(f"{stored(ask)}/permanentDelete"),
        set(),
    ),
    "put-content-small.json": (
        lambda: bert().put(
            "/me/drive/root:/FolderA/FileB.txt:/content", b"The contents of the file goes here."
        ),
        DRIVE_ITEM,
    ),
    "quota-empty-composed.json": (lambda: quota(bert(), Quota(10, Told.UNKNOWN)), DRIVE),
    "quota-exceeded-composed.json": (exceeded, DRIVE),
    "quota-facet.json": (lambda: quota(anna(), Quota(2048)), DRIVE),
    "site-by-id.json": (lambda: site("/sites/{id}"), SITE),
    "site-by-path.json": (lambda: site("/sites/contoso.sharepoint.com:/sites/Backups"), SITE),
    "site-drives-page-composed.json": (lambda: site("/sites/{id}/drives", many=True), LIST),
    "site-drives.json": (lambda: site("/sites/{id}/drives"), LIST),
    "site-grant-permission.json": (grant_on_site, GRANT),
    "site-root-composed.json": (lambda: site("/sites/root"), SITE),
    "site-root.json": (lambda: site("/sites/root"), SITE),
    "sites-search.json": (lambda: site("/sites?search=backup"), LIST),
    "upload-fragment-201.json": (lambda: fragment("bytes 0-127/128", 128), DRIVE_ITEM),
    "upload-fragment-202-gaps.json": (lambda: fragment(*FIRST), SESSION),
    "upload-fragment-202.json": (lambda: fragment(*FIRST), SESSION),
    "upload-fragment-404-composed.json": (fragment_of_lost_session, ERROR),
    "upload-fragment-409.json": (fragment_onto_taken_name, ERROR),
    "upload-fragment-416-onedrive-docs.json": (lambda: fragment(*FIRST, FIRST), ERROR),
    "upload-fragment-416.json": (lambda: fragment(*FIRST, FIRST), ERROR),
    "upload-fragment-507-composed.json": (
        lambda: fragment("bytes 0-127/128", 128, ask=full(bert())),
        ERROR,
    ),
    "upload-session-cancel.json": (cancelled_session, set()),
    "upload-session-status.json": (status_of_session, SESSION),
    "versions-list.json": (versions, LIST),
}


def graph_samples() -> set[str]:
    return {path.name for path in SAMPLES.glob("*.json") if not path.name.startswith("entra-")}


def fewest(lists: list[list[str]], nothing: str) -> list[str]:
    """The shortest of several lists; a list with `nothing` if there are none."""
    return sorted(lists, key=len)[0] if lists else [nothing]


def missing(sample: Any, ours: Any, where: str) -> list[str]:
    """The members of the sample that ours lacks or has with another type. In lists, each element
    needs a counterpart."""
    if isinstance(sample, dict):
        if not isinstance(ours, dict):
            return [f"{where}: an object in the sample"]
        # Both spellings are Microsoft's: innerError and innererror (README of the facts).
        spelled = {name.lower(): value for name, value in ours.items()}
        found = []
        for name, value in sample.items():
            if name.lower() not in spelled:
                found.append(f"{where}.{name}")
            else:
                found += missing(value, spelled[name.lower()], f"{where}.{name}")
        return found
    if isinstance(sample, list):
        if not isinstance(ours, list):
            return [f"{where}: a list in the sample"]
        found = []
        for number, value in enumerate(sample):
            found += fewest(
                [missing(value, each, f"{where}[{number}]") for each in ours], f"{where}[{number}]"
            )
        return found
    numbers = isinstance(sample, (int, float)) and isinstance(ours, (int, float))
    return [] if numbers or type(sample) is type(ours) else [f"{where}: another type"]


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_answer_has_the_members_of_its_sample(name: str) -> None:
    ask, known = CASES[name]
    sample = json.loads((SAMPLES / name).read_text())["response"]
    reply = ask()
    assert reply.status == sample["status"], reply.body
    for header in sample.get("headers", {}):
        assert header.lower() in reply.headers
    if not isinstance(sample.get("body"), dict):
        assert known == set()
        return
    assert missing(sample["body"], reply.json, "") == []
    assert set(reply.json) - known == set()
    if "error" in sample["body"]:
        assert reply.json["error"]["code"] == sample["body"]["error"]["code"]


def test_every_sample_of_graph_is_looked_at() -> None:
    assert graph_samples() == set(CASES) | set(NOT_SERVED)


def test_the_elements_of_lists_have_documented_members_only() -> None:
    assert {name for each in listing(False).json["value"] for name in each} <= DRIVE_ITEM
    assert {name for each in delta("first").json["value"] for name in each} <= DRIVE_ITEM
    assert {name for each in bert().get("/me/drives").json["value"] for name in each} <= DRIVE
    assert {name for each in site("/sites?search=*").json["value"] for name in each} <= SITE
