"""What Microsoft really does, beyond its documents: quirks by name, off until a test needs one.

    quirk = cloud.quirks.no_license("bert@contoso.onmicrosoft.com")  # on
    quirk.off()  # off again
    with cloud.quirks.bare_answer(503, times=None): ...  # on for a while
    cloud.quirks.on("cache_library", BERT)  # by name
    CATALOGUE["cache_library"].source  # where it was observed

Each quirk is a method: the first line of its docstring says what Microsoft does, its `source` where
that was observed: an issue (repository#number), or a fixture or transcript of a public project,
from which only shapes and codes are taken. "Capture D01" is a case of captures.json of the facts.
`username` is an account of the world, `drive` a drive of `cloud.files`, `times` the number of
requests that meet the quirk (None: all).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .directory import Audience
from .drives import refusals
from .drives.drive import BUSINESS, LIBRARY, Drive, Site
from .drives.files import Files
from .drives.item import Item
from .faults import BareFault, ConnectionCut, GraphFault
from .graph.faults import Faults, Rule
from .graph.patterns import drive_address, item_address, quoted
from .switches import CATALOGUE, Switch, quirk
from .trouble import SignInTrouble
from .world import REVOKED

if TYPE_CHECKING:
    from .world import World

FRESH_SIGNING_KEY = "Signing key is invalid."  # rclone#6747
RPS = "Unable to initialize RPS"  # rclone#5270: passes by itself

# Answers that mean "this account has no OneDrive": status, code, message; each with its capture.
NO_DRIVE: dict[str, tuple[int, str, str]] = {
    "spo": (400, "BadRequest", "Tenant does not have a SPO license."),  # G01
    "mysite": (404, "ResourceNotFound", "User's mysite not found."),  # G03
    "item": (404, "itemNotFound", "Item not found"),  # G04
    "file": (404, "UnknownError", "404 FILE NOT FOUND"),  # G05
    "mysite url": (400, "BadRequest", "Unable to retrieve user's mysite URL."),  # R10
    "mysite url, later": (503, "BadRequest", "Unable to retrieve user's mysite URL."),  # G06
}

# Quota members that people received; the numbers are those of the captures.
QUOTAS: dict[str, dict[str, Any]] = {
    "zeros": {"deleted": 0, "remaining": 0, "total": 0, "used": 0},  # Q01
    "exceeded": {  # Q02
        "deleted": 0,
        "remaining": -12342272,
        "state": "exceeded",
        "total": 5368709120,
        "used": 5381051392,
    },
    "no used": {  # Q03
        "deleted": 4619690603,
        "remaining": 1079712739063,
        "state": "Ok",
        "total": 1099511627776,
    },
}

# The addresses that a bare answer can come from, as `where` of an armed fault.
_UPLOADS = r"/uploadSession|^[^/]*\.up\.1drv\.com/"
_PLACES = {"graph": r"^(microsoft)?graph\.", "upload": _UPLOADS, "download": r"/y4m|download\.aspx"}


class Quirks:
    """The quirks of one world: `cloud.quirks`, or `world.part(Quirks)` without a server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files = world.part(Files)
        self._faults = world.part(Faults)
        self._sign_in = world.part(SignInTrouble)

    def on(self, name: str, *arguments: Any, **options: Any) -> Switch:
        """Switch on a quirk by its name in CATALOGUE; KeyError if there is none."""
        switch: Switch = getattr(self, CATALOGUE[name].name)(*arguments, **options)
        return switch

    # ---- answers without a body of Graph's -------------------------------------------------------

    @quirk(
        "rclone#3082, #557, #846; OneDrive/onedrive-api-docs#694, #1626; lionello/onedrive-cli#3; "
        "corso"
    )
    def bare_answer(
        self,
        status: int,
        body: str = "html",
        *,
        at: str = "graph",
        times: int | None = 1,
        where: str | None = None,
        method: str | None = None,
        username: str | None = None,
        skip: int = 0,
    ) -> Switch:
        """A page ("html"), a sentence ("text") or nothing ("empty") with the status, no JSON.

        `at` is the service that answers: "graph", "upload", "download" or "sign-in"; `where` is a
        regular expression that is searched in `host/path`, instead of all addresses of that
        service. `username` needs an access token: not for "sign-in", "upload" and "download".
        """
        phrase = HTTPStatus(status).phrase
        head = f"<head><title>{status} {phrase}</title></head>"
        page = f"<!DOCTYPE html><html>{head}<body><h1>{phrase}</h1></body></html>"
        raw, kind = {
            "html": (page.encode(), "text/html; charset=utf-8"),
            "text": (f"{phrase}\r\n".encode(), "text/plain"),
            "empty": (b"", ""),
        }[body]
        fault = BareFault(status, raw, kind)
        return self._arm(
            fault, at=at, times=times, where=where, method=method, username=username, skip=skip
        )

    @quirk(
        "rclone#846 and many reports: connection reset by peer; login.microsoftonline.com as well"
    )
    def connection_reset(
        self,
        *,
        at: str = "sign-in",
        times: int | None = None,
        where: str | None = None,
        skip: int = 0,
    ) -> Switch:
        """The connection is reset instead of an answer; `at` and `where` as in `bare_answer`."""
        return self._arm(ConnectionCut(), at=at, times=times, where=where, skip=skip)

    # ---- codes that mean something else ----------------------------------------------------------

    @quirk(
        "OneDrive/onedrive-api-docs#1266, #1628, #1099; msgraph-sdk-dotnet#579; corso#966; "
        "rclone#3970"
    )
    def no_license(self, username: str, form: str = "spo") -> Switch:
        """This account has no OneDrive, every drive address says; `form` is a key of NO_DRIVE."""
        fault = GraphFault(*NO_DRIVE[form])
        return self._arm(fault, where=r"/(me|users/[^/]+)/drive|/drives/", username=username)

    @quirk("OneDrive/onedrive-api-docs#912, #1199")
    def open_elsewhere(self, drive: Drive, path: str, *, times: int | None = None) -> Switch:
        """423 with the code accessDenied: someone has the file open. Its metadata can be read."""
        words = "The file is currently checked out or locked for editing by another user."
        fault = GraphFault(423, "accessDenied", words)
        where = item_address(drive, path)
        rules = [
            self._faults.arm(fault, method=method, times=times, where=where)
            for method in ("PUT", "POST", "PATCH", "DELETE")
        ]
        rules.append(
            self._faults.arm(fault, method="GET", times=times, where=f"({where}):?/content")
        )
        return self._switch(self._faults, *rules)

    @quirk("alcionai/corso pull request 4465")
    def site_blocked(self, site: Site) -> Switch:
        """notAllowed, resourceLocked: an administrator has locked the site and its libraries."""
        words = (
            "Access to this site has been blocked. Please contact the administrator to "
            "resolve this problem."
        )
        fault = GraphFault(423, "notAllowed", words, inner_codes=("resourceLocked",))
        places = [
            f"/sites/{quoted(site.id)}",
            f"/sites/{quoted(site.host)}:{quoted(site.path)}(:|/|$)",
        ]
        places += [drive_address(drive) for drive in site.libraries]
        return self._arm(fault, where="|".join(places))

    @quirk("rclone#9794; OneDrive/onedrive-api-docs#1929; obsidian-onedrive#171 (August 2026)")
    def service_read_only(self, username: str, *, times: int | None = None) -> Switch:
        """403 accessDenied, serviceReadOnly on the own drive: Microsoft's storage is at fault."""
        fault = GraphFault(
            403, "accessDenied", "Database Is Read Only", inner_codes=("serviceReadOnly",)
        )
        return self._arm(fault, where=r"/me/drive|/drives/", username=username, times=times)

    @quirk("rclone#8695 (drive), #8736, #4342 (item)")
    def handle_invalid(self, drive: Drive, path: str | None = None) -> Switch:
        """400 "ObjectHandle is Invalid" for a phantom drive or, with `path`, for one item."""
        if path is None:
            before, drive.root_readable = drive.root_readable, False
            return Switch(lambda: setattr(drive, "root_readable", before))
        fault = refusals.invalid_request("ObjectHandle is Invalid", "invalidResourceId")
        return self._arm(fault, where=item_address(drive, path))

    @quirk(
        "Graph's error codes (notSupported); the help of rclone's hard_delete; its status is a "
        "guess"
    )
    def permanent_delete_unsupported(self, drive: Drive, *, status: int = 400) -> Switch:
        """notSupported for permanentDelete, which rclone's hard_delete uses (personal drives)."""
        fault = GraphFault(status, "notSupported", "The request is not supported by the system.")
        return self._arm(fault, method="POST", where=f"({drive_address(drive)}).*/permanentDelete")

    @quirk(
        "OneDrive/onedrive-api-docs#1245, #1353; abraunegg/onedrive#907; microsoft-graph-docs#73"
    )
    def quota(self, drive: Drive, form: str = "exceeded") -> Switch:
        """A quota that people received; `form` is a key of QUOTAS. "exceeded" refuses uploads."""
        quota = drive.quota
        before = quota.verbatim, quota.state
        quota.verbatim = QUOTAS[form]
        quota.state = "exceeded" if form == "exceeded" else quota.state

        def undo() -> None:
            quota.verbatim, quota.state = before

        return Switch(undo)

    # ---- drives that are not drives --------------------------------------------------------------

    @quirk(
        "three public rclone transcripts (Bundles_b896e2bb7ca3447691823a44c4ad6ad7); captures D01, "
        "D02"
    )
    def bundles(self, username: str, *, first: bool = False) -> Switch:
        """/me/drives lists "Bundles_…" with the own drive's id; `first`: before the own drive."""
        name = "Bundles_b896e2bb7ca3447691823a44c4ad6ad7"
        drive = self._files.beside(username, name, drive_id=self._files.drive_of(username).id)
        return self._listed(username, drive, first=first)

    @quirk("rclone#8695; captures D01, D02")
    def unreadable_drive(
        self,
        username: str,
        name: str = "AEEE102E-CFF8-4E2A-89C6-03841FF83500",
        *,
        first: bool = False,
    ) -> Switch:
        """/me/drives lists an album (a GUID) or "ODCMetadataArchive", which no request can read."""
        drive = self._files.add_phantom(username, name, first=first)
        return Switch(lambda: self._files.unlist(username, drive))

    @quirk("google/migration-planner pull request 45")
    def cache_library(self, username: str, *, first: bool = False) -> Switch:
        """/me/drives lists PersonalCacheLibrary, of kind business, beside a work OneDrive."""
        drive = self._files.add(self._files.beside(username, "PersonalCacheLibrary", kind=BUSINESS))
        return self._listed(username, drive, first=first)

    @quirk("rclone#4068; capture D09")
    def organization_logos(self, username: str, *, first: bool = True) -> Switch:
        """/me/drives lists the organisation's library "Organization Logos"."""
        drive = self._files.add(self._files.beside(username, "Organization Logos", kind=LIBRARY))
        return self._listed(username, drive, first=first)

    @quirk("microslop_one_drive's fixtures; captures D01, D02")
    def drives_say(self, username: str, name: str) -> Switch:
        """/me/drives gives the own drive another name and address than /me/drive does."""
        own = self._files.drive_of(username)
        self._files.show_as(username, self._files.beside(username, name, drive_id=own.id))
        return Switch(lambda: self._files.show_as(username, None))

    @quirk("rclone#9800; onedrive-go (2026); capture D03")
    def drives_refused(self, username: str) -> Switch:
        """403 for /me/drives, while /me/drive answers."""
        return self._arm(
            refusals.access_denied("Access denied"), where="/me/drives$", username=username
        )

    @quirk("tonimelisma/onedrive-go LI-20260405-06; captures G25, D08")
    def profile_unavailable(self, username: str) -> Switch:
        """504 ProfileException for /me, while the drive answers."""
        fault = GraphFault(504, "GatewayTimeout", "ProfileException")
        return self._arm(fault, where="/me$", username=username)

    @quirk("OneDrive/onedrive-api-docs#1427, #1781, #1891; onedriver#157; onedrive-go; capture D07")
    def shortcuts_on_request(self, drive: Drive) -> Switch:
        """Lists and delta omit shortcuts without `Prefer: Include-Feature=AddToOneDrive`."""
        before, drive.shortcuts_on_request = drive.shortcuts_on_request, True
        return Switch(lambda: setattr(drive, "shortcuts_on_request", before))

    @quirk("rclone's GetName (backend/onedrive/api): remoteItem.name wins")
    def renamed_shortcut(self, drive: Drive, name: str, target: Drive, path: str) -> Switch:
        """A shortcut whose name differs from its folder's: rclone lists the folder's name."""
        shortcut = drive.add_shortcut(target, target.folder(path), name)
        return Switch(lambda: drive.delete_for_good(shortcut))

    # ---- who may what ----------------------------------------------------------------------------

    @quirk("Graph's permissions reference: delegated permissions never exceed the person's own")
    def site_forbidden(self, site: Site, username: str) -> Switch:
        """403 for one site and its libraries, whatever was granted: this person is not a member."""
        before = site.members
        everybody = set(self._world.people) if before is None else before
        site.members = everybody - {username}
        return Switch(lambda: setattr(site, "members", before))

    @quirk("microsoft-graph-docs#645; permissions of shared folders (capture Q05)")
    def only_a_folder(
        self, drive: Drive, path: str, username: str, *, write: bool = True
    ) -> Switch:
        """403 for the root of another person's drive; one folder is shared with `username`."""
        folder = drive.folder(path)
        drive.share(folder, username, write=write)
        return Switch(lambda: _unshare(folder, username))

    # ---- tokens and sign-in ----------------------------------------------------------------------

    @quirk(
        "Microsoft's pages on continuous access evaluation; rclone#6747 and #5270 for other "
        "messages"
    )
    def access_token_refused(self, username: str, message: str = REVOKED) -> Switch:
        """401 for every access token so far, before it expires; the refresh token stays valid.

        `message`: REVOKED ("TokenIssuedBeforeRevocationTimestamp"), FRESH_SIGNING_KEY or any other.
        """
        person = self._world.person(username)
        self._world.refuse_access_tokens(person, message)
        return Switch(lambda: self._world.refuse_access_tokens(person, ""))

    @quirk("rclone#5270; OneDrive/onedrive-api-docs#1489")
    def access_token_refused_once(self, username: str, *, times: int = 1) -> Switch:
        """401 "Unable to initialize RPS"; the same token works again afterwards."""
        return self._arm(
            GraphFault(401, "InvalidAuthenticationToken", RPS), username=username, times=times
        )

    @quirk("RFC 6749, 6; Lifetimes.rotated_refresh_token")
    def refresh_tokens_once(self) -> Switch:
        """A refresh token works only once; only the one that it was exchanged for is valid."""
        lifetimes = self._world.lifetimes
        before, lifetimes.rotated_refresh_token = lifetimes.rotated_refresh_token, 0.0
        return Switch(lambda: setattr(lifetimes, "rotated_refresh_token", before))

    @quirk("AzureAD/msal-python#194 (AADSTS9002331); capture E04 (userAudience)")
    def personal_accounts_only(self, client_id: str) -> Switch:
        """AADSTS9002331 (in a browser: "userAudience") unless /consumers is used.

        The registration is for personal accounts only.
        """
        app = self._world.registrations[client_id]
        before, app.audience = app.audience, Audience.PERSONAL
        return Switch(lambda: setattr(app, "audience", before))

    @quirk("capture E05")
    def personal_account_refused(self, username: str) -> Switch:
        """AADSTS500200 with its number: a registration for organisations, a personal account."""
        words = (
            f"User account '{username}' is a personal Microsoft account. "
            "Personal Microsoft accounts are not supported for this application "
            "unless explicitly invited to an organization."
        )
        return self._refused_sign_in("AADSTS500200", "authorize", words, -1, username)

    @quirk("abraunegg/onedrive#2195, #1370; capture E01")
    def code_refused(self, username: str | None = None, *, times: int = -1) -> Switch:
        """AADSTS70000 when an authorization code is redeemed, before anything is stored."""
        words = "The provided value for the 'code' parameter is not valid."
        return self._refused_sign_in("AADSTS70000", "code", words, times, username)

    @quirk("Microsoft's list of AADSTS codes, 700027")
    def certificate_removed(self, client_id: str) -> Switch:
        """AADSTS700027: the registration has lost the certificate that a client still uses."""
        app = self._world.registrations[client_id]
        before, app.certificates = app.certificates, []
        return Switch(lambda: setattr(app, "certificates", before))

    # ---- ids -------------------------------------------------------------------------------------

    @quirk("microslop_one_drive's fixtures; captures A01 to A03")
    def current_personal_ids(self, username: str) -> Switch:
        """A personal drive on SharePoint's backend: ids `CID!sGUID`, addresses with `id=01…`.

        Its items get new ids, which cannot be undone.
        """
        drive = self._files.drive_of(username)
        drive.use_current_ids()
        drive.web_url = f"https://my.microsoftpersonalcontent.com/personal/{drive.id}/Documents"
        return Switch()

    # ---- shared ----------------------------------------------------------------------------------

    def _arm(
        self,
        fault: GraphFault,
        *,
        at: str = "graph",
        times: int | None = None,
        where: str | None = None,
        method: str | None = None,
        username: str | None = None,
        skip: int = 0,
    ) -> Switch:
        faults = self._sign_in if at == "sign-in" else self._faults
        if where is None and at != "sign-in":
            where = _PLACES[at]
        rule = faults.arm(
            fault, times=times, where=where, method=method, username=username, skip=skip
        )
        return self._switch(faults, rule)

    def _switch(self, faults: Faults, *rules: Rule) -> Switch:
        def undo() -> None:
            for rule in rules:
                faults.disarm(rule)

        return Switch(undo, *rules)

    def _listed(self, username: str, drive: Drive, *, first: bool) -> Switch:
        self._files.list_too(username, drive, first=first)
        return Switch(lambda: self._files.unlist(username, drive))

    def _refused_sign_in(
        self, code: str, at: str, text: str, times: int, username: str | None
    ) -> Switch:
        fault = self._world.refuse_sign_in(code, at=at, times=times, username=username, text=text)
        return Switch(lambda: self._world.sign_in_faults.remove(fault))


def _unshare(folder: Item, username: str) -> None:
    folder.rarities.writers.discard(username)
    folder.rarities.readers.discard(username)
