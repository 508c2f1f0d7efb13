"""What all parts of the emulated Graph share: drives, armed faults, budgets, tickets."""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives.drive import PERSONAL, Drive
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.drives.uploads import Owner
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.hosts import CLOUDS

from .bodies import ItemWriter
from .budgets import Budgets
from .faults import Faults

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

PERSONAL_DOWNLOADS = "b0mpua-by3301.files.1drv.com"
PERSONAL_UPLOADS = "sn3302.up.1drv.com"
PERSONAL_MONITOR = "api.onedrive.com"

TICKET_LIFETIME = 3600.0  # seconds; "a few minutes" or "1 hour", the documents disagree


def principal(grant: Grant) -> Owner:
    """The party that Microsoft charges for a request."""
    person = grant.person
    return Owner("" if person is None else person.username, grant.app.client_id, grant.tenant.id)


class Graph:
    """The services of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files = world.part(Files)
        self.faults = world.part(Faults)
        self.budgets = world.part(Budgets)
        self._secret = secrets.token_bytes(16)
        self._sealed = lru_cache(maxsize=4096)(self._seal)

    # ---- pre-authenticated addresses -------------------------------------------------------------

    def ticket(self, who: Owner) -> str:
        """The secret part of a pre-authenticated address: valid for any item, for up to an hour."""
        expires = int(self.world.now() + TICKET_LIFETIME) // 60 * 60
        return self._sealed("|".join(who), expires)

    def _seal(self, who: str, expires: int) -> str:
        text = f"{expires}.{who.encode().hex()}"
        seal = hashlib.blake2b(text.encode(), key=self._secret, digest_size=12).hexdigest()
        return f"v1.{text}.{seal}"

    def holder(self, ticket: str) -> Owner:
        """The party that got a ticket; Graph's 401 if it was not issued here or has expired."""
        parts = ticket.split(".")
        if len(parts) == 4 and parts[1].isdigit():
            who = bytes.fromhex(parts[2]).decode() if _is_hex(parts[2]) else ""
            if secrets.compare_digest(self._sealed(who, int(parts[1])), ticket):
                if self.world.now() < int(parts[1]):
                    return Owner(*who.split("|"))
                raise GraphFault(401, "unauthenticated", "The tempauth token has expired.")
        raise GraphFault(401, "unauthenticated", "The caller is not authenticated.")

    # ---- addresses -------------------------------------------------------------------------------

    def writer(self, drive: Drive, grant: Grant) -> ItemWriter:
        """A writer of that drive's items for that caller."""
        return ItemWriter(drive, self.download_base(drive), self.ticket(principal(grant)))

    def sharepoint_base(self, drive: Drive) -> str:
        """`https://host/sites/name` of a business drive or a library."""
        host = self.files.personal_host(drive.tenant) if drive.site is None else drive.site.host
        site_path = drive.server_path.rpartition("/")[0]
        return f"https://{host}/{site_path}" if site_path else f"https://{host}"

    def download_base(self, drive: Drive) -> str:
        """The start of a download address; the item's id comes next."""
        if drive.kind == PERSONAL:
            return f"https://{PERSONAL_DOWNLOADS}/y4m{drive.id}?item="
        return f"{self.sharepoint_base(drive)}/_layouts/15/download.aspx?drive={drive.id}&UniqueId="

    def upload_url(self, drive: Drive, token: str) -> str:
        """The address for the fragments of a session."""
        if drive.kind == PERSONAL:
            return f"https://{PERSONAL_UPLOADS}/up/{token}"
        return (
            f"{self.sharepoint_base(drive)}/_api/v2.0/drives/{drive.id}/"
            f"uploadSession?tempauth={token}"
        )

    def monitor_url(self, drive: Drive, job: str) -> str:
        """The address that reports the state of a copy."""
        if drive.kind == PERSONAL:
            return f"https://{PERSONAL_MONITOR}/monitor/{job}"
        return f"{self.sharepoint_base(drive)}/_api/v2.0/monitor/{job}"

    def graph_root(self, cloud: str) -> str:
        return f"https://{CLOUDS[cloud].graph}/v1.0"


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
