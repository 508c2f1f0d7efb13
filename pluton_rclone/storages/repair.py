"""Repairs a remote with a missing or wrong drive: finds the drive, and keeps the token."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from pluton_rclone import errors
from pluton_rclone.connection.trial import trial_of
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import TRUE
from pluton_rclone.remote.rules import drive_id_fault
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.drive_ids import any_drive
from pluton_rclone.values.encoding import as_rclone_writes

_ADVICE = "Give the id of the intended drive."


def repaired(saved: SavedRemote, binary: Binary, drive_id: str = "") -> OneDriveRemote:
    """The saved remote with its own drive, or the given one. TokenExpired, DriveNotFound;
    UsageError lists several."""
    section = saved.section
    given, kind = dict(section), section.get("drive_type") or "business"
    if given.get("encoding"):
        given["encoding"] = as_rclone_writes(given["encoding"])
    found = section.get("drive_id", "")
    if section.get("tenant_url") and found and section.get("drive_type"):
        return OneDriveRemote.from_section(given)  # Graph would refuse its token
    # A placeholder until the drive is found.
    given |= any_drive(kind)
    with trial_of(OneDriveRemote.from_section(given), binary, saved) as trial:
        with suppress(errors.PlutonRcloneError):
            trial.graph_token()  # rclone renews its own token before it notices a missing drive
        with trial.graph() as graph:
            drive = _drive(graph, section, drive_id, found)
        return trial.options.replace(drive_id=drive.id, drive_type=drive.type)


def _drive(graph: Graph, section: Mapping[str, str], named: str, present: str) -> Drive:
    if named:
        return graph.drive(named)
    kind, lost = section.get("drive_type"), None
    if present:
        try:
            drive = graph.drive(present)
            if drive_id_fault(drive.id, drive.type) is None:
                return drive
        except (errors.DriveNotFound, errors.AccessDenied, errors.ItemNotFound) as problem:
            # Perhaps another person's or a site's: the account's own drive would be wrong.
            if kind != "personal" and drive_id_fault(present, kind or "business") is None:
                if isinstance(problem, errors.AccessDenied):
                    raise
                lost = problem
    if section.get("client_credentials") in TRUE:
        raise errors.UsageError("An application has no drive of its own.", advice=_ADVICE)
    found = [drive for drive in graph.drives() if drive.for_backups]
    if kind:
        found = [drive for drive in found if drive.type == kind]
    if len(found) == 1 and lost is None:
        return found[0]
    each = ", ".join(f"{drive.name} ({drive.id})" for drive in found)
    if lost is not None:
        why = f"{lost.why}; the account's own drives are: {each}" if each else lost.why
        raise errors.DriveNotFound(lost.what, why=why, advice=_ADVICE)
    if found:
        raise errors.UsageError(f"There are {len(found)} such drives.", why=each, advice=_ADVICE)
    what = f"The account has no drive of the type {kind} of its own."
    if kind == "documentLibrary":  # nothing in the section says which site it was
        advice = f"Connect it again by the address of its site. {_ADVICE}"
        raise errors.DriveNotFound(what, advice=advice, next_step=errors.NextStep.CONNECT_ANEW)
    raise errors.DriveNotFound(what, advice=_ADVICE)
