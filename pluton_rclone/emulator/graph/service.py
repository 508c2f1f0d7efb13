"""What every part of the emulated Graph needs at hand: the world's drives, armed faults, budgets,
tickets."""

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
    """On whose account a request goes: what Microsoft counts by."""
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
        """The secret part of a pre-authenticated address: holds for any item, until the hour is
        over."""
        expires = int(self.world.now() + TICKET_LIFETIME) // 60 * 60
        return self._sealed("|".join(who), expires)

    def _seal(self, who: str, expires: int) -> str:
        text = f"{expires}.{who.encode().hex()}"
        seal = hashlib.blake2b(text.encode(), key=self._secret, digest_size=12).hexdigest()
        return f"v1.{text}.{seal}"

    def holder(self, ticket: str) -> Owner:
        """Who got a ticket; Graph's 401 when it is none of ours or too old."""
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
        """Writes items of that drive for that caller."""
        return ItemWriter(drive, self.download_base(drive), self.ticket(principal(grant)))

    def sharepoint_base(self, drive: Drive) -> str:
        """`https://host/sites/name` of a business drive or a library."""
        host = self.files.personal_host(drive.tenant) if drive.site is None else drive.site.host
        site_path = drive.server_path.rpartition("/")[0]
        return f"https://{host}/{site_path}" if site_path else f"https://{host}"

    def download_base(self, drive: Drive) -> str:
        """What a download address starts with; the item's id comes next."""
        if drive.kind == PERSONAL:
            return f"https://{PERSONAL_DOWNLOADS}/y4m{drive.id}?item="
        return f"{self.sharepoint_base(drive)}/_layouts/15/download.aspx?drive={drive.id}&UniqueId="

    def upload_url(self, drive: Drive, token: str) -> str:
        """Where the fragments of a session go."""
        if drive.kind == PERSONAL:
            return f"https://{PERSONAL_UPLOADS}/up/{token}"
        return (
            f"{self.sharepoint_base(drive)}/_api/v2.0/drives/{drive.id}/"
            f"uploadSession?tempauth={token}"
        )

    def monitor_url(self, drive: Drive, job: str) -> str:
        """Where one asks how a copy goes on."""
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
