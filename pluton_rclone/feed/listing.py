"""What a whole feed says of one folder: entries as rclone's lsjson has them."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pluton_rclone.rclone.listing import Entry

if TYPE_CHECKING:
    from pluton_rclone.rclone.commands import ListOptions
    from pluton_rclone.saved.remote import SavedRemote

    from .tree import FeedTree, Found


class FeedListing(NamedTuple):
    """A whole drive and the folder that is listed: its path in the drive, its key in the tree."""

    tree: FeedTree
    path: str
    key: str
    shown: Callable[[str], str]

    def entries(self, saved: SavedRemote, options: ListOptions) -> Iterator[Entry]:
        """Everything below the folder, folders before what they hold."""
        files, folders = not options.get("dirs_only"), not options.get("files_only")
        hashes, mime_types = bool(options.get("hashes")), bool(options.get("mime_types"))
        notebooks = saved.options.expose_onenote_files
        elsewhere: list[str] = []
        for found in self.tree.walk(self.key, self.shown, notebooks=notebooks):
            if found.elsewhere:
                elsewhere.append(found.path)
            if folders if found.is_dir else files:
                yield _entry(found, hashes, mime_types)
        for folder in elsewhere:
            place = saved.at(f"/{self.path}/{folder}")
            for entry in saved.rclone.walk(place, **options):
                yield msgspec.structs.replace(entry, path=f"{folder}/{entry.path}")


def listing(saved: SavedRemote, tree: FeedTree, path: str, mime_types: bool) -> FeedListing | str:
    """A folder of a tree that has been filled; or why it cannot be listed from it."""
    from pluton_rclone.values.encoding import shown

    gap = tree.gap()
    if gap is not None:
        return gap
    if mime_types and tree.lacks_mime_types():
        return "a file has no MIME type, which rclone then guesses from its name"
    place, names = saved.path_in_drive(path), shown(saved.options.encoding)
    key = tree.folder(place, names)
    return "the feed has no such folder" if key is None else FeedListing(tree, place, key, names)


def _entry(found: Found, hashes: bool, mime_types: bool) -> Entry:
    """As rclone's lsjson has it."""
    path, name, key = found.path, found.name, found.id
    if found.is_dir:
        mime_type = "inode/directory" if mime_types else None
        return Entry(path, name, -1, _folder_time(found.modified), True, key, mime_type)
    mime_type, hex_hash = found.mime_type if mime_types else None, None
    if hashes and found.quick_xor:
        with suppress(binascii.Error):
            hex_hash = {"quickxor": binascii.a2b_base64(found.quick_xor).hex()}
    return Entry(path, name, found.size, _time(found.modified), False, key, mime_type, hex_hash)


def _time(text: str) -> datetime | None:
    """In whole seconds, as rclone shows times on OneDrive."""
    try:
        return msgspec.convert(text[:19] + "Z", datetime)
    except msgspec.ValidationError:
        return None


def _folder_time(text: str) -> datetime | None:
    """2000 for a folder without a time, as rclone shows it."""
    return _time("2000-01-01T00:00:00Z" if text.startswith("0001-01-01T00:00:00") else text)
