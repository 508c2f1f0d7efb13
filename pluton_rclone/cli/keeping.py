"""--backup-dir and --keep-days: where replaced and deleted files are kept, and for how long."""

from __future__ import annotations

import datetime
import itertools
import posixpath
import re

from pluton_rclone.errors import PlutonRcloneError, UsageError
from pluton_rclone.values.units import counted

from .context import Context
from .output import Output
from .places import Place, parse_end

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def place_to_keep(backup_dir: str, end: Place, ctx: Context) -> Place:
    """The folder of --backup-dir. UsageError unless it is in the storage of DST, but not in DST."""
    old, advice = parse_end(backup_dir, ctx), "Name a folder in DST's storage, but outside DST."
    if old.remote_name != end.remote_name:
        why = "rclone moves files to --backup-dir, which works only within one storage"
        raise UsageError(f"{backup_dir!r} is not in DST's storage.", why=why, advice=advice)
    if is_in(old, end):
        raise UsageError(f"--backup-dir {backup_dir} is inside DST.", advice=advice)
    return old


def is_in(one: Place, other: Place) -> bool:
    """Whether a place is the other one or is inside it, or may be, through any storage of its
    drive. Outside OneDrive: only within the same storage, by path."""
    if one.storage is not None and other.storage is not None:
        from pluton_rclone.saved.wrapping import holds, spots

        conf = one.storage.storages.conf
        inner, outer = (spots(conf, place.location) for place in (one, other))
        if inner and outer:
            return any(holds(*pair) is not False for pair in itertools.product(outer, inner))
    within, above = (f"/{place.path.strip('/')}/".replace("//", "/") for place in (one, other))
    return one.remote_name == other.remote_name and within.startswith(above)


def forget(output: Output, history: Place, last: datetime.date) -> None:
    """Delete the folders in `history` that are named for a day before `last`. PlutonRcloneError if
    this machine's clock is a day or more ahead: every day would look old."""
    storage = history.storage
    if storage is None or storage.stat(history.path) is None:
        return
    days = [entry.name for entry in storage.list(history.path) if entry.is_dir]
    old = [day for day in days if _DAY.fullmatch(day) and day < str(last)]
    ahead = 0
    if old:
        from pluton_rclone.microsoft.http import clock_ahead

        ahead = max((clock_ahead(one.region).days for one in storage.onedrives), default=0)
    if ahead > 0:
        what = "No old folder in --backup-dir was deleted."
        why = f"this machine's clock is ahead of Microsoft's by {counted(ahead, 'day')}"
        raise PlutonRcloneError(what, why=why, advice="Set the clock (NTP), then run it again.")
    for day in old:
        storage.delete(posixpath.join(history.path, day)).result()
        output.say(f"Deleted what was kept on {day}")
