"""What a signed-in account can reach: drives, SharePoint sites, libraries, shared folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload
from urllib.parse import quote

from pluton_rclone import errors
from pluton_rclone.errors import AccessDenied, DriveNotFound, GraphError, PlutonRcloneError
from pluton_rclone.values.drive_ids import normal_drive_id

from ..entra.account import Account
from ..entra.scopes import in_words
from .client import GraphClient
from .drives import Drive, Quota, Shortcut, Site, shortcut_from_graph

# These end every search: nothing that comes after could do better.
_HOPELESS = (errors.TokenExpired, errors.InteractionRequired, errors.Cancelled, errors.UsageError)


@dataclass(frozen=True)
class Drives(Sequence[Drive]):
    """The drives that can be read; `notes` say in words what could not be."""

    found: tuple[Drive, ...]
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Drive: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Drive, ...]: ...
    def __getitem__(self, index: int | slice) -> Drive | tuple[Drive, ...]:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)


class Graph(GraphClient):
    """Microsoft Graph for one account in one cloud. Use it with `with`, or `close` it."""

    def __enter__(self) -> Graph:
        return self

    # ---- the account -----------------------------------------------------------------------------

    def me(self) -> Account:
        """The owner of the token, as far as its permissions let it say. GraphError.

        The own drive is asked first: that needs `Files.Read` only, while `/me` needs `User.Read`.
        """
        trouble: PlutonRcloneError | None = None
        owner: dict[str, Any] = {}
        kind: Any = "work"
        try:
            drive = self.get("/me/drive", {"$select": "id,driveType,owner"}, target="account")
            found = drive.get("owner")
            user = found.get("user") if isinstance(found, dict) else None
            owner = user if isinstance(user, dict) else {}
            kind = "personal" if drive.get("driveType") == "personal" else "work"
        except GraphError as problem:
            trouble = problem
        members = {"$select": "id,displayName,userPrincipalName,mail"}
        try:
            profile = self.get("/me", members, target="account")
        except GraphError:
            if trouble is not None:
                raise trouble from None
            profile = {}
        name = profile.get("displayName") or owner.get("displayName") or "unknown"
        username = profile.get("userPrincipalName") or profile.get("mail") or owner.get("email")
        own_id = profile.get("id") or owner.get("id")
        return Account(str(own_id or ""), str(name), str(username or ""), "", kind)

    # ---- drives ----------------------------------------------------------------------------------

    def drives(self) -> Drives:
        """The account's own drives: two independent probes, each drive verified by reading its
        root.

        A probe that fails, and a drive whose root cannot be read (a phantom), become notes. Raises
        `DriveNotFound` if the account has no drive, and the probes' error if both failed.
        """
        records: list[dict[str, Any]] = []
        notes: list[str] = []
        troubles: list[PlutonRcloneError] = []
        subjects = {"/me/drive": "The account's drive", "/me/drives": "The list of drives"}
        for path, subject in subjects.items():
            try:
                if path == "/me/drive":
                    records.append(self.get(path, target="account", subject=subject))
                else:
                    records += self.pages(path, target="account", subject=subject)
            except _HOPELESS:
                raise
            except PlutonRcloneError as problem:
                troubles.append(problem)
                none = isinstance(problem, DriveNotFound)
                notes.append(problem.why or problem.what if none else f"{path}: {problem}")
        if len(troubles) == 2:
            raise troubles[0]
        found = self._verified(records, notes)
        if not found:
            for trouble in troubles:
                if isinstance(trouble, AccessDenied) or trouble.who is errors.Who.LATER:
                    raise trouble
            why, details = "; ".join(notes) or None, troubles[0].details if troubles else {}
            raise DriveNotFound("This account has no drive that can be used.", why=why, **details)
        return Drives(found, tuple(notes))

    def drive(self, drive_id: str) -> Drive:
        """One drive by its id, verified. Raises `DriveNotFound`, `AccessDenied`."""
        return self._one(f"/drives/{_id(drive_id)}", f"Drive {drive_id}")

    def user_drive(self, user: str) -> Drive:
        """A person's drive by user name or object id: for app-only, which has no "me"."""
        return self._one(f"/users/{_id(user)}/drive", f"The drive of {user}")

    def site_drive(self, site: Site) -> Drive:
        """The site's default library."""
        return self._one(f"/sites/{_id(site.id)}/drive", f"The library of {site.name}")

    def _one(self, path: str, subject: str) -> Drive:
        record = self.get(path, target="drive", subject=subject)
        notes: list[str] = []
        found = self._verified([record], notes)
        if not found:
            raise DriveNotFound(f"{subject} cannot be used.", why=notes[0] if notes else None)
        return found[0]

    def _verified(self, records: Sequence[dict[str, Any]], notes: list[str]) -> tuple[Drive, ...]:
        """The drives among `records` whose root can be read, each once; notes about the others."""
        merged: dict[str, dict[str, Any]] = {}
        for record in records:
            if not record.get("id"):
                continue
            key = normal_drive_id(str(record["id"]))
            earlier = {name: value for name, value in merged.get(key, {}).items() if value}
            merged[key] = {**record, **earlier}  # /me/drive came first: phantoms share its id
        results = self.at_once(self._verify, merged.values())
        notes += [result for result in results if isinstance(result, str)]
        return tuple(result for result in results if isinstance(result, Drive))

    def _verify(self, record: dict[str, Any]) -> Drive | str:
        drive = Drive.from_graph(record)
        try:
            members = {"$select": "id,name,webUrl,parentReference"}
            root = self.get(f"/drives/{_id(drive.id)}/root", members, target="drive")
        except _HOPELESS:
            raise
        except PlutonRcloneError as problem:
            what = f"Drive {drive.name!r} ({drive.id}) is not offered"
            return f"{what}, its root cannot be read: {problem.why}"
        if not drive.web_url and isinstance(root.get("webUrl"), str):
            drive = replace(drive, web_url=root["webUrl"])
        if "quota" not in record:
            drive = replace(drive, quota=self._quota(drive))
        return drive

    def _quota(self, drive: Drive) -> Quota:
        """Lists of drives often come without the facet; the drive itself is asked then."""
        try:
            record = self.get(f"/drives/{_id(drive.id)}", {"$select": "id,quota"}, target="drive")
        except _HOPELESS:
            raise
        except PlutonRcloneError:
            return Quota("restricted")
        return Quota.from_graph(record.get("quota"))

    # ---- SharePoint ------------------------------------------------------------------------------

    def sites(self, term: str = "*") -> list[Site]:
        """Every site that matches, or all (`*`). SitesPermissionMissing without
        `Sites.Read.All`."""
        wanted = {"search": term.strip() or "*"}
        records = self.pages("/sites", wanted, target="sites", subject="SharePoint sites")
        return [Site.from_graph(record) for record in records if record.get("id")]

    def site(self, site_id: str) -> Site:
        """A site by its id."""
        path, subject = f"/sites/{_id(site_id)}", f"Site {site_id}"
        return Site.from_graph(self.get(path, target="sites", subject=subject))

    def site_at(self, host: str, path: str) -> Site:
        """The site at a path of a host, such as contoso.sharepoint.com and /sites/Backups."""
        place = quote(path.strip("/"), safe="/")
        address = f"/sites/{host}:/{place}" if place else f"/sites/{host}"
        return Site.from_graph(self.get(address, target="sites", subject=f"https://{host}{path}"))

    def library_records(self, site: Site) -> list[dict[str, Any]]:
        """The document libraries of a site as Graph lists them, all pages, not verified."""
        path, subject = f"/sites/{_id(site.id)}/drives", f"The libraries of {site.name}"
        records = self.pages(path, target="site", subject=subject)
        return [record for record in records if record.get("id")]

    def libraries(self, site: Site) -> Drives:
        """All document libraries of a site, each verified; several at a time."""
        notes: list[str] = []
        return Drives(self._verified(self.library_records(site), notes), tuple(notes))

    # ---- shared and team folders -----------------------------------------------------------------

    def shortcuts(self, drive: Drive) -> list[Shortcut]:
        """The shared and team folders that stand at the root of a drive."""
        path = f"/drives/{_id(drive.id)}/root/children"
        records = self.pages(path, {"$top": "1000"}, target="drive")
        return [shortcut for shortcut in map(shortcut_from_graph, records) if shortcut is not None]

    def open_shortcut(self, shortcut: Shortcut, *, wanted: str = "Files.ReadWrite.All") -> None:
        """Check that a shared folder can be opened. ConsentRequired names what is missing."""
        try:
            self.get(f"/drives/{_id(shortcut.drive_id)}/items/{_id(shortcut.item_id)}")
        except (AccessDenied, errors.ItemNotFound) as problem:
            raise errors.ConsentRequired(
                f"The folder {shortcut.name!r} is somebody else's and needs a further permission.",
                why=f"missing: {in_words([wanted])}",
                missing_scopes=[wanted],
                status=problem.details.get("status"),
            ) from None

    def items(self, drive: Drive, path: str = "") -> Iterator[dict[str, Any]]:
        """The entries of a folder, as Graph gives them; `path` is relative to the drive's root."""
        place = f":/{quote(path.strip('/'), safe='/')}:" if path.strip("/") else ""
        yield from self.pages(f"/drives/{_id(drive.id)}/root{place}/children", {"$top": "1000"})


def _id(value: str) -> str:
    """An id or user name as one segment of a path; `!`, `,` and `@` stay readable."""
    return quote(value, safe="!,@")
