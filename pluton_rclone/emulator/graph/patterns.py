"""Regular expressions for the addresses of one drive or one item: `where` of an armed fault."""

from __future__ import annotations

import re
from urllib.parse import quote

from pluton_rclone.emulator.drives.drive import Drive


def quoted(text: str) -> str:
    """A pattern for `text` in addresses, percent-encoded or not."""
    # Identical alternatives would make the search exponential.
    return "".join(
        re.escape(char) if plain == char else f"(?:{re.escape(char)}|{plain})"
        for char, plain in ((char, quote(char, safe="")) for char in text)
    )


def drive_address(drive: Drive) -> str:
    """All addresses of a drive: by its id, and below /me/drive if it is a person's own.

    The latter matches everyone's /me/drive: add a user name where that matters.
    """
    own = "/me/drive(/|$)|" if drive.owner is not None else ""
    return f"{own}/drives/(?i:{quoted(drive.id)})(/|$)"


def item_address(drive: Drive, path: str) -> str:
    """All addresses of an item: by its path from the root, by its id, by a path from a folder's id.

    An item that does not exist yet has no id; it is matched through the folders that exist.
    """
    names = path.split("/")
    ways = [f"root:/{quoted(path)}(:|$)"]
    for depth in range(len(names) + 1):
        item = drive.find("/".join(names[:depth]))
        if item is None:
            break
        below = (
            ":/" + quoted("/".join(names[depth:])) + "(:|$)" if depth < len(names) else "(?=[:/]|$)"
        )
        ways.append(f"/items/(?i:{quoted(item.id)}){below}")
    return "|".join(ways)
