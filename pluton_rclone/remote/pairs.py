"""A storage with a base folder, in a form for any rclone: an alias for the folder, and its drive.

    [work]                           [work-drive]
    type = alias                     type = onedrive
    remote = work-drive:Backups      pluton_alias = work:Backups

The mark (`pluton_alias`) ties the drive to the alias, and the id of the base folder to its path: a
path changed by hand has no id. A drive whose alias is missing, or points elsewhere, is a separate
storage with the base folder of the mark, as is one with our key `pluton_base_folder`, the earlier
format (for both, rclone starts at the drive's root). Pure functions on sections.
"""

from __future__ import annotations

from collections.abc import Mapping

MARK, BASE, BASE_ID = "pluton_alias", "pluton_base_folder", "pluton_base_folder_id"
Section = Mapping[str, str]


def drive_of(sections: Mapping[str, Section], name: str) -> str:
    """The section with the drive and token of the pair `name`; `name` itself if it is no pair."""
    alias = sections.get(name, {})
    drive = str(alias.get("remote", "")).partition(":")[0] if alias.get("type") == "alias" else ""
    held = sections.get(drive, {})
    tied = held.get("type") == "onedrive" and _marked(held)[0] == name
    return drive if tied else name


def storage_of(sections: Mapping[str, Section], name: str) -> str:
    """The pair whose drive is the section `name`; `name` itself if there is none."""
    owner = _marked(sections.get(name, {}))[0]
    return owner if owner and drive_of(sections, owner) == name else name


def joined(section: Section, drive: Section | None = None) -> dict[str, str]:
    """The single section of a storage; for a pair, joined from its alias and `drive`."""
    found = dict(section if drive is None else drive)
    marked = _marked(found)[1]
    if found.pop(MARK, None) is None:
        return found
    path = marked if drive is None else section["remote"].partition(":")[2]
    if path != marked or not path:
        found.pop(BASE_ID, None)
    return {**found, BASE: path} if path else found


def split(section: Section, name: str, drive: str) -> dict[str, Section]:
    """The two sections of a storage with a base folder, or the only one of another storage."""
    base = section.get(BASE)
    if section.get("type") != "onedrive" or not base:
        return {name: section}
    held = {key: value for key, value in section.items() if key != BASE}
    alias = {"type": "alias", "remote": f"{drive}:{base}"}
    return {name: alias, drive: {**held, MARK: f"{name}:{base}"}}


def _marked(section: Section) -> tuple[str, str]:
    """The name of the alias and its path, from the mark."""
    owner, _, path = str(section.get(MARK, "")).partition(":")
    return owner, path
