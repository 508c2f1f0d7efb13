"""Microsoft Graph for one account: its requests, and what the account can reach with them (drives,
SharePoint sites, libraries, shared folders)."""

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

# These end every search: nothing that comes after could do better.
_HOPELESS = (errors.TokenExpired, errors.InteractionRequired, errors.Cancelled, errors.UsageError)
_DRIVE = re.compile(r"/drives/([^/?]+)")
AT_ONCE = 8  # requests in parallel: quick, and far below Microsoft's limits
MOST_PAGES = 1000  # a bound against a feed that never ends
SHORTCUTS = "Include-Feature=AddToOneDrive"  # onedrive-api-docs#1427, #1781, #1891
_Refused = tuple[str, PlutonRcloneError]  # what cannot be read: in words, and the error


class Drives(tuple[Drive, ...]):
    """The drives that can be read; `notes` say in words what could not be, `troubles` as errors."""

    notes: tuple[str, ...]
    troubles: tuple[PlutonRcloneError, ...]

    def __new__(cls, found: Iterable[Drive], refused: Sequence[_Refused] = ()) -> Drives:
        made = super().__new__(cls, found)
        made.notes = tuple(note for note, _ in refused)
        made.troubles = tuple(trouble for _, trouble in refused)
        return made

    def raise_trouble(self) -> None:
        """Raises what kept drives out that may be there: a limit, a fault, a rule, but not that
        Microsoft does not know them."""
        for trouble in self.troubles:
            if isinstance(trouble, AccessDenied) or trouble.who is errors.Who.LATER:
                raise trouble


class Graph:
    """Microsoft Graph in one cloud, for the account of the token, which is sent only there. Use it
    in a `with` block, which closes its own connections, not those of a given `http`. `saved`: the
    account is that of a saved remote; `kind` is its kind, where that is known."""

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
        """The JSON object at a path below /v1.0, or at an address of Graph. `target` and `subject`
        word the error; `prefer` is sent as the header. GraphError; TokenExpired for a 401;
        Unreachable, also if not Microsoft answered."""
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
            self._refusable = used  # one that never worked is not worth another renewal
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
            why = f"something else answered for Microsoft, with HTTP {answer.status}"
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
        """Every entry of a list, all pages. The link to the next page is taken as it is."""
        link: Any = path
        seen: set[str] = set()
        while isinstance(link, str) and link and link not in seen and len(seen) < MOST_PAGES:
            if seen and not self.cloud.owns(link):
                what = "Microsoft Graph leads to another host for the rest of the list."
                raise GraphError(what, why=f"the address is not at {self.cloud.graph_host}")
            seen.add(link)
            page = self.get(link, parameters, target=target, subject=subject, prefer=prefer)
            values, link, parameters = page.get("value"), page.get("@odata.nextLink"), None
            if isinstance(values, list):
                yield from (value for value in values if isinstance(value, dict))

    def me(self) -> Account:
        """The owner of the token, as far as its permissions tell. The own drive, which needs only
        `Files.Read`, is asked first; `/me` needs `User.Read`. GraphError."""
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
            # Without a OneDrive, a library of others can be connected all the same.
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
        """The account's own drives, asked for in two ways. A way that fails, and a drive whose root
        cannot be read (a phantom), become notes. Raises `DriveNotFound` if the account does not
        have a drive, and the first way's error if both fail."""
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
        return self._one(drive_path(drive_id), f"Drive {drive_id}")

    def user_drive(self, user: str) -> Drive:
        """A person's drive by user name or object id: for app-only, which has no "me"."""
        return self._one(f"/users/{_id(user)}/drive", f"The drive of {user}")

    def users(self) -> list[str]:
        """The user names, from all pages. AccessDenied without User.ReadBasic.All or more."""
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
        """The drives among `records` whose root can be read, each once, and the others beside what
        was `refused` before."""
        merged: dict[str, dict[str, Any]] = {}
        # Phantoms share the id of a drive: its own record comes first, above all that of /me/drive.
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
            note = f"{named} is not offered, its root cannot be read: {root.why}"
            return note, root
        if not drive.web_url:
            drive = replace(drive, web_url=web_address(root.get("webUrl")))
        if "quota" in record:
            return drive
        # Lists of drives often come without the facet; the drive itself is asked then.
        asked = self._tried(path, "id,quota", named)
        quota = None if isinstance(asked, PlutonRcloneError) else asked.get("quota")
        return replace(drive, quota=Quota.from_graph(quota))

    def _tried(self, path: str, members: str, named: str) -> dict[str, Any] | PlutonRcloneError:
        """What there is of a drive, or why it cannot be read."""
        try:
            return self.get(path, {"$select": members}, target="drive", subject=named)
        except _HOPELESS:
            raise
        except PlutonRcloneError as problem:
            return problem

    def hidden_shortcuts(self, folder: str, path: str = "") -> list[Shortcut]:
        """The shortcuts in a folder (its address below /v1.0, its `path` in the drive) that many
        accounts list only to callers that ask by a header. rclone is not shown them: it would send
        the header to the sign-in service and with uploads, and in place of `respond-async`. Our
        other listings do not ask either, so that they agree with rclone's. One request; a second if
        there are shortcuts."""
        members = {"$select": "id,name,remoteItem", "$top": "1000"}

        def found(prefer: str) -> dict[str, Shortcut]:
            items = self.pages(f"{folder}/children", members, prefer=prefer)
            those = (item for item in items if isinstance(item.get("remoteItem"), dict))
            return {str(item.get("id")): Shortcut.from_graph(item, path) for item in those}

        asked = found(SHORTCUTS)
        shown = found("") if asked else {}
        return [shortcut for key, shortcut in asked.items() if key not in shown]

    def sites(self, term: str = "*") -> list[Site]:
        """Every site that matches, or all. SitesPermissionMissing without `Sites.Read.All`."""
        wanted = {"search": term.strip() or "*"}
        records = self.pages("/sites", wanted, target="sites", subject="SharePoint sites")
        return [Site.from_graph(record) for record in records if record.get("id")]

    def site_at(self, host: str, path: str) -> Site:
        """The site at a path of a host, such as contoso.sharepoint.com and /sites/Backups."""
        place = _quote(path.strip("/"), safe="/")
        address = f"/sites/{host}:/{place}" if place else f"/sites/{host}"
        return Site.from_graph(self.get(address, target="sites", subject=f"https://{host}{path}"))

    def library_records(self, site: Site) -> list[dict[str, Any]]:
        """The document libraries of a site as Graph lists them, all pages, not verified."""
        path, subject = f"/sites/{_id(site.id)}/drives", f"The libraries of {site.name}"
        records = self.pages(path, target="site", subject=subject)
        return [record for record in records if record.get("id")]

    def libraries(self, site: Site) -> Drives:
        """All document libraries of a site, each verified; several at a time."""
        return self._verified(self.library_records(site))


def drive_path(drive_id: str, item_id: str = "") -> str:
    """The path of a drive below /v1.0, or of an item in it."""
    return f"/drives/{_id(drive_id)}{f'/items/{_id(item_id)}' if item_id else ''}"


def _quote(value: str, safe: str) -> str:
    """As urllib's. UsageError for a lone surrogate, as text in another encoding has it."""
    try:
        return quote(value, safe=safe)
    except UnicodeEncodeError:
        what = f"{value!a} is not Unicode text: nothing at Microsoft is called that."
        raise errors.UsageError(what, advice="Type it again, or copy it as UTF-8.") from None


def _id(value: str) -> str:
    """An id or user name as one segment of a path; `!`, `,` and `@` stay readable."""
    return _quote(value, safe="!,@")
