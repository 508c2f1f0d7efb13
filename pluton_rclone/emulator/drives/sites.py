"""A SharePoint site and the document libraries in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pluton_rclone.emulator.directory import Tenant

    from .drive import Drive


@dataclass(eq=False)
class Site:
    """One site. Its id is hostname,siteCollectionId,webId: it holds commas."""

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
    members: set[str] | None = None  # user names; None: everybody in the tenant
    personal: bool = False  # the site round somebody's OneDrive for Business
    selected_apps: dict[str, str] = field(
        default_factory=dict
    )  # client id -> read, write (Sites.Selected)

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
        """It and its subsites, at any depth."""
        yield self
        for site in self.subsites:
            yield from site.walk()
