"""All drives and sites of a world, and who owns them: `world.part(Files)`."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pluton_rclone.emulator.hosts import CLOUDS
from pluton_rclone.emulator.inhabitants import stable_id

from .drive import BUSINESS, LIBRARY, PERSONAL, Drive, Site
from .identifiers import library_drive_id, normal_drive_id
from .item import Item, Link
from .storing import Sink, sink
from .uploads import OpenUpload, UploadSession

if TYPE_CHECKING:
    from pluton_rclone.emulator.directory import Person, Tenant
    from pluton_rclone.emulator.world import World

DEFAULT_LIBRARY = "Documents"
_MADE_2020 = 1_577_836_800_000  # 2020-01-01, when the organisations' sites were made


class Files:
    """Every drive and every site. A person's own drive is made on first use, as at Microsoft."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._making = threading.Lock()  # a test uses its own thread while the emulator serves
        self._drives: dict[str, Drive] = {}
        self._own: dict[str, Drive] = {}  # user name -> drive
        self._listed: dict[str, list[Drive]] = {}  # user name -> further drives in /me/drives
        self._listed_before: dict[str, list[Drive]] = {}  # the same, before the own drive
        self._shown_as: dict[str, Drive] = {}  # user name -> what /me/drives says of the own drive
        self._roots: dict[str, Site] = {}  # tenant id -> root site
        self._sites: dict[str, Site] = {}
        self._followed: dict[str, list[Site]] = {}
        self.sessions: dict[str, UploadSession] = {}
        self.links: dict[str, tuple[Drive, Item, Link]] = {}  # web address -> what it leads to
        self.copies: dict[str, CopyJob] = {}
        for tenant in list(world.tenants.values()):
            if not tenant.personal:
                self.add_site(tenant, "Backups", followed_by=())

    # ---- drives ----------------------------------------------------------------------------------

    def drive_of(self, who: Person | str) -> Drive:
        """A person's own drive; `who` may be a user name."""
        person = self._world.person(who) if isinstance(who, str) else who
        with self._making:
            drive = self._own.get(person.username)
            if drive is None:
                drive = self._own[person.username] = self.add(self._make_own(person))
        return drive

    def drives_of(self, person: Person) -> list[Drive]:
        """The drives that /me/drives lists: the own one and those that `list_too` added."""
        name = person.username
        own = [self._shown_as.get(name) or self.drive_of(person)] if person.licensed else []
        return self._listed_before.get(name, []) + own + self._listed.get(name, [])

    def drive(self, drive_id: str) -> Drive | None:
        """The drive with that id; ids of personal drives may differ in case and leading zeros."""
        return self._drives.get(drive_id) or self._drives.get(normal_drive_id(drive_id))

    def add(self, drive: Drive) -> Drive:
        """Register a drive under its id."""
        self._drives[normal_drive_id(drive.id)] = drive
        return drive

    def list_too(self, username: str, drive: Drive, *, first: bool = False) -> Drive:
        """List another drive in that person's /me/drives; with `first` before the own one."""
        lists = self._listed_before if first else self._listed
        lists.setdefault(username, []).append(drive)
        return drive

    def unlist(self, username: str, drive: Drive) -> None:
        """Undo `list_too`."""
        for lists in (self._listed_before, self._listed):
            if drive in lists.get(username, []):
                lists[username].remove(drive)

    def show_as(self, username: str, drive: Drive | None) -> None:
        """Set what /me/drives says about the own drive; None: the same as /me/drive."""
        if drive is None:
            self._shown_as.pop(username, None)
        else:
            self._shown_as[username] = drive

    def beside(
        self, username: str, name: str, *, drive_id: str | None = None, kind: str | None = None
    ) -> Drive:
        """A drive beside that person's own one, at the same address; not yet listed, and not
        registered."""
        person = self._world.person(username)
        base = f"https://my.microsoftpersonalcontent.com/personal/{person.cid}"
        if not person.tenant.personal:
            base = self.drive_of(person).web_url.rpartition("/")[0]
        return Drive(
            drive_id or library_drive_id(f"beside {username} {name}"),
            kind or (PERSONAL if person.tenant.personal else BUSINESS),
            name,
            tenant=person.tenant,
            owner=person,
            web_url=f"{base}/{name.replace(' ', '%20')}",
            clock=self._world.now,
        )

    def add_phantom(
        self, username: str, name: str = "ODCMetadataArchive", *, first: bool = False
    ) -> Drive:
        """Add a drive that /me/drives lists but whose root cannot be read (rclone issue 8695)."""
        drive = self.beside(username, name)
        drive.root_readable = False
        return self.list_too(username, self.add(drive), first=first)

    def __iter__(self) -> Iterator[Drive]:
        """Every drive that exists so far."""
        return iter(list(self._drives.values()))

    def _make_own(self, person: Person) -> Drive:
        if person.tenant.personal:
            return Drive(
                person.cid,
                PERSONAL,
                "OneDrive",
                tenant=person.tenant,
                owner=person,
                web_url=f"https://onedrive.live.com/?cid={person.cid}",
                clock=self._world.now,
            )
        label = person.username.replace("@", "_").replace(".", "_")
        site = self._make_personal_site(person, f"/personal/{label}")
        path = f"personal/{label}/Documents"
        drive = Drive(
            library_drive_id(f"business {person.username}"),
            BUSINESS,
            "OneDrive",
            tenant=person.tenant,
            owner=person,
            web_url=f"https://{self.personal_host(person.tenant)}/{path}",
            server_path=path,
            clock=self._world.now,
        )
        site.libraries.append(drive)
        return drive

    # ---- sites -----------------------------------------------------------------------------------

    @staticmethod
    def site_host(tenant: Tenant) -> str:
        """contoso.sharepoint.com"""
        return f"{tenant.sharepoint_label}.{CLOUDS[tenant.cloud].sharepoint}"

    @staticmethod
    def personal_host(tenant: Tenant) -> str:
        """contoso-my.sharepoint.com"""
        return f"{tenant.sharepoint_label}-my.{CLOUDS[tenant.cloud].sharepoint}"

    def root_site(self, tenant: Tenant) -> Site:
        """The root site of an organisation."""
        with self._making:
            site = self._roots.get(tenant.id)
            if site is None:
                site = self._roots[tenant.id] = self._make_site(
                    tenant, "root", "Communication site", "", None
                )
        return site

    def add_site(
        self,
        tenant: Tenant,
        title: str,
        *,
        path: str | None = None,
        parent: Site | None = None,
        members: set[str] | None = None,
        followed_by: tuple[str, ...] = (),
    ) -> Site:
        """Add a site (`/sites/title` unless `path` says otherwise) with the library "Documents"."""
        name = (path or title).rpartition("/")[2].replace(" ", "")
        address = path or (f"{parent.path}/{name}" if parent is not None else f"/sites/{name}")
        site = self._make_site(tenant, name, title, address, parent)
        site.members = members
        for username in followed_by:
            self.follow(username, site)
        return site

    def add_library(self, site: Site, name: str, path: str | None = None) -> Drive:
        """Add a document library; `path` is the last part of its address."""
        part = path or name
        server_path = f"{site.path.lstrip('/')}/{part}".lstrip("/")
        drive = Drive(
            library_drive_id(f"library {site.id} {name}"),
            LIBRARY,
            name,
            tenant=site.tenant,
            site=site,
            web_url=f"{site.web_url}/{part.replace(' ', '%20')}",
            server_path=server_path,
            clock=self._world.now,
        )
        site.libraries.append(drive)
        return self.add(drive)

    def follow(self, username: str, site: Site) -> None:
        """Add a site to that person's /me/followedSites."""
        self._followed.setdefault(username, []).append(site)

    def followed_by(self, username: str) -> list[Site]:
        return list(self._followed.get(username, []))

    def site(self, site_id: str) -> Site | None:
        """The site with that id; ids ignore case."""
        return self._sites.get(site_id.lower())

    def site_at(self, host: str, path: str) -> Site | None:
        """The site whose address is exactly that; addresses ignore case."""
        wanted = (host.lower(), path.rstrip("/").lower())
        if "-my." in wanted[0]:
            for person in list(self._world.people.values()):
                if not person.tenant.personal and person.licensed:
                    self.drive_of(person)
        for site in list(self._sites.values()):
            if (site.host, site.path.lower()) == wanted:
                return site
        return None

    def sites_of(self, tenant: Tenant) -> list[Site]:
        """All sites of an organisation, the root site first."""
        root = self.root_site(tenant)
        return [root] + [
            site
            for site in list(self._sites.values())
            if site.tenant is tenant and site is not root and not site.personal
        ]

    def _make_personal_site(self, person: Person, path: str) -> Site:
        host = self.personal_host(person.tenant)
        ids = stable_id("collection", host, path), stable_id("web", host, path)
        name = path.rpartition("/")[2]
        site = Site(
            f"{host},{ids[0]},{ids[1]}", name, person.name, person.tenant, host, path, _MADE_2020
        )
        site.personal = True
        site.members = {person.username}
        self._sites[site.id.lower()] = site
        return site

    def _make_site(
        self, tenant: Tenant, name: str, title: str, path: str, parent: Site | None
    ) -> Site:
        host = self.site_host(tenant)
        collection = (
            parent.collection_id if parent is not None else stable_id("collection", host, path)
        )
        site = Site(
            f"{host},{collection},{stable_id('web', host, path)}",
            name,
            title,
            tenant,
            host,
            path,
            _MADE_2020,
            parent,
        )
        self._sites[site.id.lower()] = site
        if parent is not None:
            parent.subsites.append(site)
        self.add_library(site, DEFAULT_LIBRARY, "Shared Documents")
        return site

    # ---- things in progress ----------------------------------------------------------------------

    def new_sink(self) -> Sink:
        """A sink for the bytes of the next file."""
        return sink(self._world.content_folder)

    def open_uploads(self, drive: Drive | None = None) -> list[OpenUpload]:
        """The open upload sessions (not finished, cancelled, lost or expired) of `drive` or all."""
        now = self._world.now()
        return [
            OpenUpload(each.intent.drive, each.intent.path, each.position, each.total)
            for each in list(self.sessions.values())
            if not each.lost and each.expires >= now and drive in (None, each.intent.drive)
        ]

    def open_session(self, session: UploadSession) -> str:
        """Register a session; return the secret part of its upload URL."""
        token = secrets.token_hex(16)
        self.sessions[token] = session
        return token


class CopyJob:
    """A server-side copy, whose state its monitor address reports."""

    def __init__(self, drive: Drive, looks: int) -> None:
        self.drive = drive
        self.looks = looks  # how often it reports "inProgress" before it is done
        self.item: Item | None = None
        self.error: tuple[str, str] | None = None
        self.work: Callable[[], Item] | None = None
