"""One file or folder of a drive: slots and few objects, as a drive may hold a million items."""

from __future__ import annotations

from dataclasses import dataclass, field

from .content import Content


@dataclass(frozen=True)
class Actor:
    """The author of a change: a person, or an app without one."""

    id: str
    name: str
    email: str | None = None


SYSTEM = Actor("00000000-0000-0000-0000-000000000000", "System Account")


@dataclass(frozen=True)
class Version:
    """An earlier version of a file; it counts against the quota until it is deleted."""

    id: str  # "1.0", "2.0", …
    content: Content
    modified: int  # milliseconds since 1970
    editor: Actor


@dataclass
class Link:
    """A sharing link made with createLink."""

    id: str
    type: str  # view, edit, embed
    scope: str  # anonymous, organization, users
    web_url: str
    password: bool = False


@dataclass
class Rarities:
    """Properties that few items have."""

    versions: list[Version] = field(default_factory=list)  # oldest first, without the current one
    version: int = 1  # the number of the current one
    package: str | None = None  # "oneNote": neither file nor folder
    description: str | None = None
    malware: bool = False
    vault: bool = False  # the Personal Vault: locked, its children cannot be read
    target: tuple[object, Item] | None = None  # a shortcut to a folder in a `Drive`: `remoteItem`
    links: list[Link] = field(default_factory=list)
    readers: set[str] = field(
        default_factory=set
    )  # user names that this item is shared with, to read
    writers: set[str] = field(default_factory=set)  # the same, to read and write


class Item:
    """A file (content), a folder (children), a package or a shortcut.

    Times are milliseconds since 1970: `created` and `modified` are the service's, `client_created`
    and `client_modified` are what clients set (`fileSystemInfo`). `etag` counts all changes, `ctag`
    those of content.
    """

    __slots__ = (
        "author",
        "children",
        "client_created",
        "client_modified",
        "content",
        "created",
        "ctag",
        "deleted",
        "editor",
        "etag",
        "id",
        "modified",
        "name",
        "parent",
        "rare",
        "sequence",
        "size",
        "unique",
    )

    def __init__(
        self,
        unique: int,
        id: str,
        name: str,
        parent: Item | None,
        content: Content | None,
        now: int,
        author: Actor,
    ) -> None:
        self.unique = unique
        self.id = id
        self.name = name
        self.parent = parent
        self.content = content
        self.children: dict[str, Item] | None = {} if content is None else None
        self.size = 0 if content is None else content.size  # of a folder: all files below it
        self.created = self.modified = self.client_created = self.client_modified = now
        self.author = self.editor = author
        self.etag = self.ctag = 1
        self.sequence = 0  # the position of its last change, see changes.py
        self.deleted = False
        self.rare: Rarities | None = None

    @property
    def is_folder(self) -> bool:
        return self.children is not None

    @property
    def rarities(self) -> Rarities:
        """Its `Rarities`, made on first use."""
        if self.rare is None:
            self.rare = Rarities()
        return self.rare

    @property
    def guid(self) -> str:
        """SharePoint's unique id, as in eTags."""
        digits = f"{self.unique:032X}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def path(self) -> str:
        """The path from the drive's root, without a leading slash; "" for the root itself."""
        names: list[str] = []
        item: Item | None = self
        while item is not None and item.parent is not None:
            names.append(item.name)
            item = item.parent
        return "/".join(reversed(names))

    def lies_in(self, folder: Item) -> bool:
        """Whether the item is `folder` or lies below it."""
        item: Item | None = self
        while item is not None:
            if item is folder:
                return True
            item = item.parent
        return False

    def __repr__(self) -> str:
        return f"<{'folder' if self.is_folder else 'file'} {self.path()!r} {self.id}>"
