"""The base folder of a saved remote: its path, used by every run, and its id, to find it if moved.

It is not saved as rclone's `root_folder_id`: with that option, rclone 1.75.2 looks for single files
at the drive's root and overwrites and deletes files of the same name there, and on Business, restic
cannot open its repository (tests/walk tries both; rclone issue 5948, open)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluton_rclone.errors import ItemNotFound, NameRefused, NothingFound
from pluton_rclone.values.drive_ids import normal_drive_id

if TYPE_CHECKING:
    from pluton_rclone.microsoft.graph.graph import Graph
    from pluton_rclone.rclone.engine import Rclone
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.remote.onedrive import OneDriveRemote


def with_id(remote: OneDriveRemote, rclone: Rclone, place: str) -> OneDriveRemote:
    """The remote with the id of its base folder at `place`, which is created if missing. A
    shortcut, which is not always listed, gets no id. ItemNotFound if the folder is a file or may
    not be created; NameRefused."""
    entry = _listed(rclone, place)
    missing = entry is None and rclone.stat(place) is None
    if missing and not remote.reads_only:
        try:
            rclone.mkdir(place)
        except NameRefused as refusal:
            what = f"OneDrive does not allow the folder name {remote.base_folder!r}."
            advice = "Choose another base folder."
            raise NameRefused(what, why=refusal.why, advice=advice) from None
        entry, missing = _listed(rclone, place), False
    if missing or (entry and not entry.is_dir):
        raise ItemNotFound(
            f"There is no folder {remote.base_folder!r} on the drive.",
            why="a file has that name" if entry else "the permissions granted are for reading only",
            advice="Choose another base folder, or create this one in OneDrive.",
        )
    return remote.replace(base_folder=remote.base_folder, base_folder_id=(entry and entry.id) or "")


def _listed(rclone: Rclone, place: str) -> Entry | None:
    """The entry as its parent lists it, because rclone gives no id for the folder that it starts
    in."""
    remote, _, path = place.partition(":")
    above, _, name = path.rpartition("/")
    try:
        entries = rclone.list(f"{remote}:{above}")
    except NothingFound:
        return None
    return next((entry for entry in entries if entry.name.lower() == name.lower()), None)


def with_path(remote: OneDriveRemote, graph: Graph) -> OneDriveRemote:
    """The remote with the current path of its base folder. ItemNotFound if it was deleted."""
    from pluton_rclone.microsoft.graph.locations import folder_path
    from pluton_rclone.values.encoding import to_onedrive

    drive, _, item = remote.base_folder_id.rpartition("#")
    try:
        stored = folder_path(graph, drive, item)
    except ItemNotFound:
        raise ItemNotFound(
            f"The base folder {remote.base_folder!r} is no longer on the drive.",
            why="it was deleted",
            advice="Restore it from OneDrive's recycle bin, or change the option base_folder: the "
            "same path creates it again, an empty one means the drive's root.",
        ) from None
    if remote.root_folder_id or normal_drive_id(drive).lower() != remote.drive_id.lower():
        return remote  # in another user's drive: its path there is not our path to it
    path = "/".join(map(to_onedrive(remote.encoding).shown, stored.split("/")))
    return remote.replace(base_folder=path, base_folder_id=remote.base_folder_id)
