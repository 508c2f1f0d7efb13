"""One drive: every change that can be made to its items, with quota, versions, recycle bin and
change feed; and the SharePoint site whose library it may be.

All checks of Microsoft's limits are here, in tree.py and in names.py, so that a file written by a
test and one sent by rclone meet the same rules. Refusals are raised as `GraphFault`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import refusals
from .changes import Changes
from .content import Content, InMemory, Rewritten
from .item import SYSTEM, Actor, Item, Rarities, Version
from .names import fold
from .quota import Quota
from .recycling import RecycleBin
from .tree import Tree

if TYPE_CHECKING:
    from pluton_rclone.emulator.directory import Person, Tenant

MAX_FILE = 250 * 1000**3  # bytes; documented as "250 GB": decimal, the smaller reading
MAX_VERSIONS = 500
OFFICE = (".docx", ".docm", ".dotx", ".xlsx", ".xlsm", ".xltx", ".pptx", ".pptm", ".potx", ".vsdx")

PERSONAL = "personal"
BUSINESS = "business"
LIBRARY = "documentLibrary"


class Drive(Tree):
    """A personal drive, a business drive or a document library."""

    def __init__(
        self,
        id: str,
        kind: str,
        name: str,
        *,
        tenant: Tenant,
        web_url: str,
        server_path: str = "",
        owner: Person | None = None,
        site: Site | None = None,
        quota: Quota | None = None,
        clock: Callable[[], float],
    ) -> None:
        self.id = id
        self.name = name
        self.tenant = tenant
        self.owner = owner  # None: a library, which belongs to its site
        self.site = site
        self.web_url = web_url
        self.quota = quota or Quota(5 * 1024**3 if kind == PERSONAL else 1024**4)
        self.root_readable = True  # False: a phantom, listed but "ObjectHandle is Invalid"
        self.shortcuts_on_request = (
            False  # True: listed only with "Prefer: Include-Feature=AddToOneDrive"
        )
        self.rewrites_office_files = (
            False  # True: what SharePoint does to Office files in libraries
        )
        self.lock = threading.RLock()
        self.changes = Changes()
        self.bin = RecycleBin()
        self.version_bytes = 0  # of earlier versions of items that are not deleted
        self.files = 0
        super().__init__(id, kind, server_path, self.owner_actor, clock)

    # ---- looking ---------------------------------------------------------------------------------

    @property
    def owner_actor(self) -> Actor:
        owner = self.owner
        return SYSTEM if owner is None else Actor(owner.id, owner.name, owner.username)

    @property
    def used(self) -> int:
        """Bytes that count against the quota: files, their versions and the recycle bin."""
        return self.root.size + self.version_bytes + self.bin.bytes

    @property
    def remaining(self) -> int:
        return max(0, self.quota.total - self.used)

    def read(self, path: str) -> bytes:
        """The content of the file at `path`, for tests; 404 if there is none."""
        item = self.find(path)
        if item is None or item.content is None:
            raise refusals.not_found()
        return b"".join(bytes(piece) for piece in item.content.read(0, item.content.size))

    # ---- making ----------------------------------------------------------------------------------

    def folder(self, path: str, author: Actor | None = None) -> Item:
        """The folder at `path`; missing folders are created."""
        return self.folder_below(self.root, path, author)

    def folder_below(self, start: Item, path: str, author: Actor | None = None) -> Item:
        """The folder at `path` below `start`; missing folders are created."""
        item = start
        for name in path.split("/"):
            if not name:
                continue
            child = item.children.get(fold(name)) if item.children is not None else None
            item = child if child is not None else self.make_folder(item, name, author=author)
        if not item.is_folder:
            raise refusals.name_exists()
        return item

    def make_folder(
        self, parent: Item, name: str, *, conflict: str = "fail", author: Actor | None = None
    ) -> Item:
        """Create a folder; with `conflict` "rename" under a free name, with "replace" return an
        existing one."""
        with self.lock:
            name, existing = self._place(parent, name, conflict, folder=True)
            if existing is not None:
                if not existing.is_folder:
                    raise refusals.name_exists()
                return existing
            return self._adopt(parent, self._make(name, parent, None, author or self.owner_actor))

    def write(self, path: str, data: bytes | Content = b"", modified: float | None = None) -> Item:
        """Write a file for a test, with its parents; `modified` is the client's time, seconds since
        1970."""
        parent, _, name = path.rpartition("/")
        content = InMemory(data) if isinstance(data, bytes) else data
        item, _ = self.put(self.folder(parent), name, content)
        if modified is not None:
            item.client_modified = item.client_created = int(modified * 1000)
        return item

    def put(
        self,
        parent: Item,
        name: str,
        content: Content,
        *,
        conflict: str = "replace",
        author: Actor | None = None,
    ) -> tuple[Item, bool]:
        """Store a file's content under a name. Returns the item and whether it is new."""
        with self.lock:
            name, existing = self._place(parent, name, conflict, folder=False)
            if existing is not None and (existing.is_folder or _is_package(existing)):
                raise refusals.name_exists()
            self.check_room(content.size)
            if self.rewrites_office_files and name.lower().endswith(OFFICE):
                content = Rewritten(content)
            if existing is None:
                item = self._make(name, parent, content, author or self.owner_actor)
                self._adopt(parent, item)
                return item, True
            self.replace_content(existing, content, author)
            return existing, False

    def check_place(self, parent: Item, name: str, conflict: str) -> None:
        """Raise what `put` would, before a byte is sent."""
        with self.lock:
            _, existing = self._place(parent, name, conflict, folder=False)
            if existing is not None and (existing.is_folder or _is_package(existing)):
                raise refusals.name_exists()

    def free_name(self, parent: Item, name: str, *, folder: bool) -> str:
        """`name` or, if it is taken, the name that conflict behaviour "rename" gives."""
        return self._place(parent, name, "rename", folder=folder)[0]

    def check_room(self, size: int) -> None:
        """Raise Graph's refusal if a file of `size` bytes is too large or does not fit into the
        quota."""
        if size > MAX_FILE and self.enforce_limits:
            raise refusals.file_too_large()
        if size > self.remaining or (size and self.quota.state == "exceeded"):
            if self.kind == PERSONAL:
                raise refusals.personal_quota_reached()
            raise refusals.insufficient_storage()

    def replace_content(self, item: Item, content: Content, author: Actor | None = None) -> None:
        """Give a file new content; the previous content becomes a version."""
        with self.lock:
            self._keep_version(item)
            self._grow(item, content.size - item.size)
            item.content = content
            item.ctag += 1
            item.client_modified = self.now()
            self.touched(item, author)

    def update(
        self,
        item: Item,
        *,
        created: int | None = None,
        modified: int | None = None,
        description: str | None = None,
        author: Actor | None = None,
    ) -> None:
        """Set the properties that clients may set; times in milliseconds since 1970.

        On business drives and libraries a changed time creates a version of the file (rclone issue
        1716).
        """
        with self.lock:
            before = item.client_created, item.client_modified
            if created is not None:
                item.client_created = created
            if modified is not None:
                item.client_modified = modified
            if description is not None:
                item.rarities.description = description
            after = item.client_created, item.client_modified
            if after != before and self.kind != PERSONAL and item.content is not None:
                self._keep_version(item)
            self.touched(item, author)

    # ---- moving and removing ---------------------------------------------------------------------

    def move(
        self,
        item: Item,
        parent: Item,
        name: str,
        *,
        conflict: str = "fail",
        author: Actor | None = None,
    ) -> None:
        """Move and rename in one step, within the drive."""
        with self.lock:
            old = item.parent
            if old is None:
                raise refusals.invalid_request("The root cannot be moved or renamed.")
            if parent.lies_in(item):
                raise refusals.invalid_request(
                    "The destination lies inside the item that is moved."
                )
            if fold(name) != fold(item.name) or parent is not old:
                name, existing = self._place(parent, name, conflict, folder=item.is_folder)
                if existing is not None:
                    if existing.is_folder or item.is_folder:
                        raise refusals.name_exists()
                    self.delete(existing)
            elif name != item.name:
                self._check(parent, name, item.is_folder)
            if item.is_folder and parent is not old:
                self._check_below(item, parent, name)
            self._detach(item)
            item.name = name
            self._attach(item, parent)
            self.touched(item, author)

    def copy(self, item: Item, parent: Item, name: str, author: Actor | None = None) -> Item:
        """Copy a file, or a folder with its content, from this or another drive; 409 if the name is
        taken."""
        with self.lock:
            self.check_room(item.size)
            if item.content is not None:
                return self.put(parent, name, item.content, conflict="fail", author=author)[0]
            made = self.make_folder(parent, name, author=author)
            for child in list((item.children or {}).values()):
                self.copy(child, made, child.name, author)
            return made

    def delete(self, item: Item) -> None:
        """Move an item, with its content, to the recycle bin."""
        with self.lock:
            parent = item.parent
            versions = self._forget(item)
            self.bin.add(item, parent, item.size + versions, self.now())

    def delete_for_good(self, item: Item) -> None:
        """Delete an item without the recycle bin: permanentDelete."""
        with self.lock:
            self._forget(item)

    def restore(self, item_id: str) -> Item:
        """Restore an item from the recycle bin to its folder, or to the root if that is gone."""
        with self.lock:
            item, parent = self.bin.take(item_id)
            if parent is None or parent.deleted:
                parent = self.root
            name, _ = self._place(parent, item.name, "rename", folder=item.is_folder)
            for each in self.walk(item):
                each.deleted = False
                self._items[each.id] = each
                self.files += each.content is not None
                self.version_bytes += _version_bytes(each)
                self.changes.note(each)
            item.name = name
            self._attach(item, parent)
            return item

    def share(self, item: Item, username: str, *, write: bool = True) -> None:
        """Share an item, and everything below it, with `username`."""
        (item.rarities.writers if write else item.rarities.readers).add(username)

    def add_shortcut(
        self, target_drive: Drive, target: Item, name: str, parent: Item | None = None
    ) -> Item:
        """Show a folder of another drive in this one: "Add shortcut to My files"."""
        with self.lock:
            folder = parent or self.root
            item = self._adopt(folder, self._make(name, folder, None, target_drive.owner_actor))
            item.rarities.target = (target_drive, target)
            return item

    def add_notebook(self, path: str) -> Item:
        """Add a OneNote notebook: a package, neither file nor folder."""
        item = self.write(path)
        item.rarities.package = "oneNote"
        return item

    def delete_version(self, item: Item, version_id: str) -> None:
        """Delete an earlier version; 404 if it does not exist, 400 if it is the current one."""
        with self.lock:
            rare = item.rarities
            if version_id == f"{rare.version}.0":
                raise refusals.invalid_request("You cannot delete the current version.")
            version = self.version(item, version_id)
            rare.versions.remove(version)
            self.version_bytes -= version.content.size

    def version(self, item: Item, version_id: str) -> Version:
        """The earlier version with that id; 404 if there is none."""
        for version in item.rarities.versions:
            if version.id == version_id:
                return version
        raise refusals.not_found()

    def touched(self, item: Item, author: Actor | None = None) -> None:
        """Record a change of an item in its eTag, its time and the delta feed."""
        item.etag += 1
        item.modified = self.now()
        if author is not None:
            item.editor = author
        self.changes.note(item)

    # ---- inside ----------------------------------------------------------------------------------

    def _adopt(self, parent: Item, item: Item) -> Item:
        self._attach(item, parent)
        self.files += item.content is not None
        self.changes.note(item)
        return item

    def _keep_version(self, item: Item) -> None:
        assert item.content is not None
        rare = item.rarities
        rare.versions.append(Version(f"{rare.version}.0", item.content, item.modified, item.editor))
        rare.version += 1
        self.version_bytes += item.content.size
        if len(rare.versions) >= MAX_VERSIONS:
            self.version_bytes -= rare.versions.pop(0).content.size

    def _forget(self, item: Item) -> int:
        """Remove a subtree from the drive; return the bytes of its earlier versions."""
        self._detach(item)
        versions = 0
        for each in self.walk(item):
            del self._items[each.id]
            each.deleted = True
            self.files -= each.content is not None
            versions += _version_bytes(each)
            self.changes.note(each)
        self.version_bytes -= versions
        return versions


def _is_package(item: Item) -> bool:
    return item.rare is not None and item.rare.package is not None


def _version_bytes(item: Item) -> int:
    rare: Rarities | None = item.rare
    return 0 if rare is None else sum(version.content.size for version in rare.versions)


@dataclass(eq=False)
class Site:
    """One site. Its id, hostname,siteCollectionId,webId, contains commas."""

    id: str
    name: str  # the last part of the address
    title: str
    tenant: Tenant
    host: str
    path: str  # server-relative: "" for the root site, "/sites/backups"
    created: int  # milliseconds since 1970
    parent: Site | None = None
    libraries: list[Drive] = field(default_factory=list)  # the default one first
    subsites: list[Site] = field(default_factory=list)
    members: set[str] | None = None  # user names; None: everyone in the tenant
    personal: bool = False  # the site of a person's OneDrive for Business
    selected_apps: dict[str, str] = field(default_factory=dict)
    """Client id -> read, write (Sites.Selected)."""

    @property
    def web_url(self) -> str:
        return f"https://{self.host}{self.path}"

    @property
    def collection_id(self) -> str:
        return self.id.split(",")[1]

    @property
    def web_id(self) -> str:
        return self.id.split(",")[2]

    def admits(self, username: str) -> bool:
        """Whether that person may see the site at all."""
        return self.members is None or username in self.members

    def walk(self) -> Iterator[Site]:
        """The site and its subsites, at any depth."""
        yield self
        for site in self.subsites:
            yield from site.walk()
