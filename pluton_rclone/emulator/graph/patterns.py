"""Regular expressions for the addresses of one drive or one item: `where` of an armed fault."""

from __future__ import annotations

import re
from urllib.parse import quote

from pluton_rclone.emulator.drives.drive import Drive


def quoted(text: str) -> str:
    """Text as it stands in addresses, percent-encoded or not."""
    # Alternatives that are the same would make the search exponential.
    return "".join(
        re.escape(char) if plain == char else f"(?:{re.escape(char)}|{plain})"
        for char, plain in ((char, quote(char, safe="")) for char in text)
    )


def drive_address(drive: Drive) -> str:
    """All addresses of a drive: by its id, and below /me/drive when it is somebody's own.

    The latter means everybody's /me/drive: add a user name where that matters.
    """
    own = "/me/drive(/|$)|" if drive.owner is not None else ""
    return f"{own}/drives/(?i:{quoted(drive.id)})(/|$)"


def item_address(drive: Drive, path: str) -> str:
    """All addresses of an item: by its path from the root, by its id, by a path from a folder's id.

    An item that is not there yet has no id, and needs a folder that is.
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
