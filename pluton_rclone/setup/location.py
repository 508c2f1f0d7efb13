"""The second part of the walk: finding and choosing a drive, site, library or folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluton_rclone.errors import DriveNotFound, UsageError
from pluton_rclone.microsoft.graph.drives import Drive, Site
from pluton_rclone.values.units import human_drive_type

from .sign_in import SignInSteps
from .state import DRIVE_TYPES, DriveKind

if TYPE_CHECKING:
    from pluton_rclone.microsoft.graph.graph import Drives
    from pluton_rclone.microsoft.graph.locations import Location


class LocationSteps(SignInSteps):
    """Choosing where the storage lies."""

    @property
    def chosen_drive(self) -> Drive | None:
        """The drive that was chosen; None before."""
        return self._state.drive

    @property
    def folder(self) -> str:
        """The folder of the drive that the storage starts from; "" is its root."""
        return self._state.folder

    def drives(self) -> Drives:
        """The account's own drives, each verified by reading its root. DriveNotFound."""
        with self._graph() as graph:
            return graph.drives()

    def drives_of(self, kind: DriveKind) -> list[Drive]:
        """The own drives of one type that are for backups. DriveNotFound names the other types."""
        drives = self.drives()
        offered = [drive for drive in drives if drive.for_backups]
        found = [drive for drive in offered if drive.type == DRIVE_TYPES[kind]]
        if not found:
            there = ", ".join(sorted({human_drive_type(drive.type) for drive in offered}))
            what = f"{self._account()} has no drive of the type {kind}."
            why = f"there is: {there}" if there else "; ".join(drives.notes) or None
            advice = f"Choose the drive type {there}." if there in DRIVE_TYPES else None
            raise DriveNotFound(what, why=why, advice=advice)
        return found

    def sites(self, term: str = "*") -> list[Site]:
        """SharePoint sites that match. ConsentRequired, SitesPermissionMissing."""
        self._require("sharepoint", "Looking for SharePoint sites")
        with self._graph() as graph:
            return graph.sites(term)

    def libraries(self, site: Site) -> Drives:
        """The document libraries of a site."""
        self._require("sharepoint", "Opening a SharePoint site")
        with self._graph() as graph:
            return graph.libraries(site)

    def drive(self, drive_id: str) -> Drive:
        """One drive by its id. DriveNotFound, AccessDenied."""
        with self._graph() as graph:
            return graph.drive(drive_id)

    def user_drive(self, user: str) -> Drive:
        """A person's drive by user name: for app-only, which has no person."""
        with self._graph() as graph:
            return graph.user_drive(user)

    def choose_drive(self, drive: Drive | str, folder: str = "") -> Drive:
        """This drive (or the one with this id), and its folder where the storage starts: the
        connection test makes it if it is missing."""
        from pluton_rclone.values.paths import base_folder

        chosen = self.drive(drive) if isinstance(drive, str) else drive
        self._account()
        state = self._state
        if state.drive is None or chosen.id != state.drive.id:
            state.options.pop("root_folder_id", None)
        state.kind = next(kind for kind, word in DRIVE_TYPES.items() if word == chosen.type)
        state.drive, state.folder, state.folder_id = chosen, base_folder(folder), ""
        return chosen

    def choose_own_drive(self) -> Drive:
        """The only drive of the chosen type. DriveNotFound; UsageError names several."""
        drives = self.drives_of(self._state.kind or self.suggested_type())
        if len(drives) > 1:
            why = ", ".join(f"{drive.name} ({drive.id})" for drive in drives)
            advice = "Choose one of them by its id, which stands in brackets."
            raise UsageError(f"There are {len(drives)} such drives.", why=why, advice=advice)
        return self.choose_drive(drives[0])

    def check_address(self, address: str) -> None:
        """OptionInvalid if no sign-in with this registration could reach it; needs no sign-in."""
        from pluton_rclone.microsoft.graph.locations import require_cloud

        require_cloud(address, self._cloud())

    def choose_address(self, address: str) -> Location:
        """A pasted address of a site, library, folder or sharing link, or a drive's id."""
        from pluton_rclone.microsoft.graph.locations import resolve

        with self._graph() as graph:
            return self._choose(resolve(graph, address))

    def _choose(self, location: Location, folder: str = "") -> Location:
        self.choose_drive(location.drive, location.folder or folder)
        if location.root_folder_id:
            self._state.options["root_folder_id"] = location.root_folder_id
        return location
