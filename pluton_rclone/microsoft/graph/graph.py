"""Microsoft Graph for one account: requests, and the drives, SharePoint sites, libraries and shared
folders that the account can reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pluton_rclone import errors
from pluton_rclone.errors import AccessDenied, DriveNotFound, GraphError, PlutonRcloneError
from pluton_rclone.values import refusals
from pluton_rclone.values.drive_ids import is_personal, normal_drive_id
from pluton_rclone.values.refusals import Place as Target

from ..clouds import Cloud
from ..entra.account import Account, Kind
from ..entra.token import Token
from ..http import Answer, Http
from .drives import Drive, Quota, Shortcut, Site, of_microsoft, web_address
from .faults import graph_error, is_microsofts

# These end every search, because no later request could succeed.
_HOPELESS = (errors.TokenExpired, errors.InteractionRequired, errors.Cancelled, errors.UsageError)
_DRIVE = re.compile(r"/drives/([^/?]+)")
AT_ONCE = 8  # parallel requests: fast, and far below Microsoft's limits
MOST_PAGES = 1000  # guards against a list that never ends
SHORTCUTS = "Include-Feature=AddToOneDrive"  # onedrive-api-docs#1427, #1781, #1891
_Refused = tuple[str, PlutonRcloneError]  # a note on what cannot be read, and the error


class Drives(tuple[Drive, ...]):
    """The readable drives; `notes` and `troubles` (exceptions) report what could not be read."""

    notes: tuple[str, ...]
    troubles: tuple[PlutonRcloneError, ...]

    def __new__(cls, found: Iterable[Drive], refused: Sequence[_Refused] = ()) -> Drives:
        made = super().__new__(cls, found)
        made.notes = tuple(note for note, _ in refused)
        made.troubles = tuple(trouble for _, trouble in refused)
        return made

    def raise_trouble(self) -> None:
        """Raise the first error that may hide an existing drive: an outage, a limit or a denied
        access, but not a drive unknown to Microsoft."""
        for trouble in self.troubles:
            if isinstance(trouble, AccessDenied) or trouble.who is errors.Who.LATER:
                raise trouble


class Graph:
    """Microsoft Graph in one cloud, for the account of `token`, which is sent to that cloud only.
    Use it in a `with` block, which closes its connections, but not those of a given `http`. `saved`
    means that the account is that of a saved remote; `kind` is the account's kind, if known."""

    def __init__(
        self,
        cloud: Cloud,
        token: Token,
        *,
        http: Http | None = None,
        renew: Callable[[str], Token] | None = None,
        saved: bool = False,
        kind: Kind | None = None,
    ) -> None:
        self.cloud = cloud
        self._token = token.access_token
        self._refusable, self._renew = self._token, renew
        self._saved, self._kind = saved, kind
        self._sites_granted = any(scope.startswith("Sites.") for scope in token.scopes)
        self._http = http or Http()
        self._own_http = http is None

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own_http:
            self._http.close()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        target: Target = "item",
        subject: str | None = None,
        prefer: str = "",
    ) -> dict[str, Any]:
        """The JSON object at a path below /v1.0, or at a full address. `target` and `subject` shape
        the error; `prefer` is the header's value. Raises `GraphError`, `TokenExpired` (401), and
        `Unreachable`, also if something other than Microsoft answered."""
        url = path if "://" in path else f"{self.cloud.graph_root}/v1.0{path}"
        if parameters:
            given = (f"{name}={_quote(value, '$,')}" for name, value in parameters.items())
            url = f"{url}?{'&'.join(given)}"
        if not self.cloud.owns(url):
            why = f"the address is not at {self.cloud.graph_host}"
            raise errors.UsageError("A token of one cloud is not sent to another's host.", why=why)
        used = self._token
        headers = {"Authorization": f"Bearer {used}", "Accept": "application/json"}
        headers |= {"Prefer": prefer} if prefer else {}
        answer = self._asked(url, headers)
        if answer.status == 401 and self._renew is not None and used == self._refusable:
            used = self._token = self._renew(used).access_token
            headers["Authorization"] = f"Bearer {used}"
            answer = self._asked(url, headers)
        if answer.ok:
            self._refusable = used  # a new token that never worked is not renewed again
        else:
            if target == "sites" and self._sites_granted:
                target = "site"
            personal = self._kind == "personal" or any(map(is_personal, _DRIVE.findall(url)))
            problem = graph_error(
                answer, target=target, subject=subject, personal=personal, saved=self._saved
            )
            raise refusals.of_application(problem) if self._kind == "application" else problem
        if not isinstance(answer.json, dict):
            what = "Microsoft Graph answered with something that is not a JSON object."
            why = "a proxy may have answered in its place"
            raise GraphError(what, why=why, status=answer.status)
        return answer.json

    def _asked(self, url: str, headers: Mapping[str, str]) -> Answer:
        answer = self._http.request("GET", url, headers=headers)
        if not is_microsofts(answer):
            why = f"something other than Microsoft answered, with HTTP {answer.status}"
            raise refusals.PROXY.error(why, status=answer.status)
        return answer

    def pages(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        target: Target = "item",
        subject: str | None = None,
        prefer: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Every entry of a list, from all pages; the link to the next page is used unchanged."""
        link: Any = path
        seen: set[str] = set()
        while isinstance(link, str) and link and link not in seen and len(seen) < MOST_PAGES:
            if seen and not self.cloud.owns(link):
                what = "Microsoft Graph sends the request for the rest of the list to another host."
                raise GraphError(what, why=f"the address is not at {self.cloud.graph_host}")
            seen.add(link)
            page = self.get(link, parameters, target=target, subject=subject, prefer=prefer)
            values, link, parameters = page.get("value"), page.get("@odata.nextLink"), None
            if isinstance(values, list):
                yield from (value for value in values if isinstance(value, dict))

    def me(self) -> Account:
        """The token's account, as far as its permissions allow. `/me/drive` comes first, since it
        needs only `Files.Read`; `/me` needs `User.Read`. Raises `GraphError`."""
        trouble: PlutonRcloneError | None = None
        drive, profile = dict[str, Any](), dict[str, Any]()
        try:
            drive = self.get("/me/drive", {"$select": "id,driveType,owner"}, target="account")
        except GraphError as problem:
            trouble = problem
        try:
            members = {"$select": "id,displayName,userPrincipalName,mail"}
            profile = self.get("/me", members, target="account")
        except GraphError:
            # An account without a OneDrive can still connect a library.
            if trouble is not None and not isinstance(trouble, DriveNotFound):
                raise trouble from None
        owner = drive.get("owner")
        user = owner.get("user") if isinstance(owner, dict) else None
        known = dict(user) if isinstance(user, dict) else {}
        known |= {name: value for name, value in profile.items() if value}
        username = known.get("userPrincipalName") or known.get("mail") or known.get("email")
        name, own_id = str(known.get("displayName") or "unknown"), str(known.get("id") or "")
        kind: Kind = "personal" if drive.get("driveType") == "personal" else "work"
        return Account(own_id, name, str(username or ""), "", kind)

    def drives(self) -> Drives:
        """The account's own drives, from two requests. A failed request, and a drive whose root
        cannot be read (a phantom), become notes. Raises `DriveNotFound` if the account has no
        drive, and the first request's error if both fail."""
        records: list[dict[str, Any]] = []
        refused: list[_Refused] = []
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
                none = isinstance(problem, DriveNotFound)
                note = problem.why or problem.what if none else f"{path}: {problem}"
                refused.append((note, problem))
        if len(refused) == 2:
            raise refused[0][1]
        found = self._verified(records, refused)
        if not found:
            found.raise_trouble()
            why = "; ".join(found.notes) or None
            details = refused[0][1].details if refused else {}
            raise DriveNotFound("This account has no drive that can be used.", why=why, **details)
        return found

    def drive(self, drive_id: str) -> Drive:
        """One drive by its id, verified. Raises `DriveNotFound`, `AccessDenied`."""
        known = "The drive" if self._saved else f"Drive {drive_id}"  # by its storage's name
        return self._one(drive_path(drive_id), known)

    def user_drive(self, user: str) -> Drive:
        """A user's drive by user name or object id: for app-only access, which has no "me"."""
        try:
            return self._one(f"/users/{_id(user)}/drive", f"The drive of {user}")
        except DriveNotFound as problem:
            needs = "That person needs a OneDrive licence, and must have opened OneDrive once."
            problem.advice = f"Check the user name. {needs}"
            raise

    def users(self) -> list[str]:
        """All user names. Raises `AccessDenied` without User.ReadBasic.All or more."""
        members = {"$select": "userPrincipalName", "$top": "999"}
        records = self.pages("/users", members, target="account", subject="The list of users")
        return [str(one["userPrincipalName"]) for one in records if one.get("userPrincipalName")]

    def site_drive(self, site: Site) -> Drive:
        """The site's default library."""
        return self._one(f"/sites/{_id(site.id)}/drive", f"The library of {site.name}")

    def _one(self, path: str, subject: str) -> Drive:
        found = self._verified([self.get(path, target="drive", subject=subject)])
        if not found:
            found.raise_trouble()
            raise DriveNotFound(f"{subject} cannot be used.", why=next(iter(found.notes), None))
        return found[0]

    def _verified(
        self, records: Sequence[dict[str, Any]], refused: Sequence[_Refused] = ()
    ) -> Drives:
        """The drives in `records` whose root can be read, each once. The others are added to those
        in `refused`."""
        merged: dict[str, dict[str, Any]] = {}
        # A phantom may share a drive's id, so drives come first, above all the one of /me/drive.
        for record in sorted(records, key=lambda record: of_microsoft(record.get("name"))):
            if not record.get("id"):
                continue
            key = normal_drive_id(str(record["id"]))
            earlier = {name: value for name, value in merged.get(key, {}).items() if value}
            merged[key] = {**record, **earlier}
        with ThreadPoolExecutor(AT_ONCE, "graph") as executor:
            results = list(executor.map(self._verify, merged.values()))
        drives = [one for one in results if isinstance(one, Drive)]
        return Drives(drives, [*refused, *(one for one in results if not isinstance(one, Drive))])

    def _verify(self, record: dict[str, Any]) -> Drive | _Refused:
        drive = Drive.from_graph(record)
        path, named = drive_path(drive.id), f"Drive {drive.name!r} ({drive.id})"
        root = self._tried(f"{path}/root", "id,name,webUrl,parentReference", named)
        if isinstance(root, PlutonRcloneError):
            note = f"{named} is not offered, because its root cannot be read: {root.why}"
            return note, root
        if not drive.web_url:
            drive = replace(drive, web_url=web_address(root.get("webUrl")))
        if "quota" in record:
            return drive
        # Lists of drives often omit the facet, so the drive itself is requested.
        asked = self._tried(path, "id,quota", named)
        quota = None if isinstance(asked, PlutonRcloneError) else asked.get("quota")
        return replace(drive, quota=Quota.from_graph(quota))

    def _tried(self, path: str, members: str, named: str) -> dict[str, Any] | PlutonRcloneError:
        """The given `members` of a drive or its root, or the error that prevents reading them."""
        try:
            return self.get(path, {"$select": members}, target="drive", subject=named)
        except _HOPELESS:
            raise
        except PlutonRcloneError as problem:
            return problem

    def hidden_shortcuts(self, folder: str, path: str = "") -> list[Shortcut]:
        """The shortcuts in a folder (its address below /v1.0, its `path` in the drive) that Graph,
        for many accounts, lists only with a header. rclone never sees them: if told to send the
        header, it would also send it to the sign-in service, with uploads, and in place of
        `respond-async`. Our other listings omit it as well, to match rclone's. One request; a
        second if there are shortcuts."""
        members = {"$select": "id,name,remoteItem", "$top": "1000"}

        def found(prefer: str) -> dict[str, Shortcut]:
            items = self.pages(f"{folder}/children", members, prefer=prefer)
            those = (item for item in items if isinstance(item.get("remoteItem"), dict))
            return {str(item.get("id")): Shortcut.from_graph(item, path) for item in those}

        asked = found(SHORTCUTS)
        shown = found("") if asked else {}
        return [shortcut for key, shortcut in asked.items() if key not in shown]

    def sites(self, term: str = "*") -> list[Site]:
        """The sites that match `term`. Raises `SitesPermissionMissing` without `Sites.Read.All`."""
        wanted = {"search": term.strip() or "*"}
        records = self.pages("/sites", wanted, target="sites", subject="SharePoint sites")
        return [Site.from_graph(record) for record in records if record.get("id")]

    def site_at(self, host: str, path: str) -> Site:
        """The site at `path` on `host`, such as /sites/Backups on contoso.sharepoint.com."""
        place = _quote(path.strip("/"), safe="/")
        address = f"/sites/{host}:/{place}" if place else f"/sites/{host}"
        return Site.from_graph(self.get(address, target="sites", subject=f"https://{host}{path}"))

    def library_records(self, site: Site) -> list[dict[str, Any]]:
        """All document libraries of a site as Graph lists them, not verified."""
        path, subject = f"/sites/{_id(site.id)}/drives", f"The libraries of {site.name}"
        records = self.pages(path, target="site", subject=subject)
        return [record for record in records if record.get("id")]

    def libraries(self, site: Site) -> Drives:
        """All document libraries of a site, verified in parallel."""
        return self._verified(self.library_records(site))


def drive_path(drive_id: str, item_id: str = "") -> str:
    """The path below /v1.0 of a drive, or of an item in it."""
    return f"/drives/{_id(drive_id)}{f'/items/{_id(item_id)}' if item_id else ''}"


def _quote(value: str, safe: str) -> str:
    """Like urllib's `quote`. Raises `UsageError` for a lone surrogate, from a wrong encoding."""
    try:
        return quote(value, safe=safe)
    except UnicodeEncodeError:
        what = f"{value!a} is not Unicode text: nothing at Microsoft has such a name."
        raise errors.UsageError(what, advice="Type it again, or copy it as UTF-8.") from None


def _id(value: str) -> str:
    """An id or user name as one path segment; `!`, `,` and `@` are not escaped."""
    return _quote(value, safe="!,@")
