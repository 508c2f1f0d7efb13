"""The probe file of a connection test: written, read back, deleted; abandoned ones are removed."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

from pluton_rclone.errors import Cancelled, Corrupted, NothingFound, PlutonRcloneError, RemoteError
from pluton_rclone.process.system import is_alive
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.commands import TransferOptions
from pluton_rclone.rclone.listing import Entry
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.units import counted

from .report import Step, Walk

# A later test removes a probe file after an hour, or if its process on this host is gone.
PROBE_PREFIX = ".pluton-connection-test"
PROBE_LIFETIME = 3600.0  # seconds
ACTIVE_PROBES: set[str] = set()  # the probe files of tests running in this process
PROBE_BYTES = 4096
HARD_DELETE = "--onedrive-hard-delete"


def listed(saved: SavedRemote) -> tuple[Sequence[Entry], str]:
    """The entries of the base folder, and a description of them."""
    try:
        entries = saved.rclone.list(saved.at())
    except NothingFound:
        return (), "the base folder does not exist yet; the first write creates it"
    where = saved.options.base_folder or "the root"
    return entries, f"{counted(len(entries), 'entry', 'entries')} in {where}"


def probe_name() -> str:
    """A unique name for a probe file: host, process and a random part."""
    return f"{PROBE_PREFIX}-{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def abandoned_probes(names: Sequence[tuple[str, float]]) -> list[str]:
    """Of (name, age in seconds), the probe files older than an hour or of a dead process here."""
    found = []
    for name, age in names:
        if not name.startswith(PROBE_PREFIX + "-") or name in ACTIVE_PROBES:
            continue
        host, _, pid = name[len(PROBE_PREFIX) + 1 :].rpartition("-")[0].rpartition("-")
        here = host == socket.gethostname()[:20] and pid.isdecimal()
        gone = here and (int(pid) == os.getpid() or not is_alive(int(pid)))
        if gone or age > PROBE_LIFETIME:
            found.append(name)
    return found


def sweep(saved: SavedRemote, entries: Sequence[Entry]) -> str:
    """Remove probe files of killed tests from the base folder; return a description."""
    now = datetime.now(timezone.utc)
    files = [entry for entry in entries if not entry.is_dir]
    ages = [(one.name, (now - (one.modified or now)).total_seconds()) for one in files]
    removed = sum([_remove_quietly(saved, name) for name in abandoned_probes(ages)])
    return f"; {counted(removed, 'probe file')} of killed tests removed" if removed else ""


def probe(walk: Walk, saved: SavedRemote, remote: OneDriveRemote) -> None:
    """The steps write, read and delete; skipped if the permissions are read-only."""
    if remote.reads_only:
        for name, title in (("write", "Writing"), ("read", "Reading back"), ("delete", "Deleting")):
            with walk.step(name, title) as step:
                step.status, step.text = "skipped", "the permissions granted are for reading only"
        return
    rclone = saved.rclone
    with _probe_file(walk, saved) as name:
        content = secrets.token_bytes(PROBE_BYTES)
        with walk.step("write", "Writing") as step:
            rclone.rcat(content, saved.at(name), size=len(content))
            step.text = f"{len(content)} bytes written as {name}"
        with walk.step("read", "Reading back") as step:
            step.text = _read_back(saved, name, content)
        with walk.step("delete", "Deleting") as step:
            _delete(step, saved, name, remote)


@contextmanager
def _probe_file(walk: Walk, saved: SavedRemote) -> Iterator[str]:
    """A name marked as in use; the file is removed at the end, also after a failure. After Ctrl-C,
    it does not wait long for Microsoft, and starts no rclone in a thread that the program will not
    wait for: the next test cleans up."""
    name = probe_name()
    ACTIVE_PROBES.add(name)
    try:
        yield name
    except BaseException as error:
        if not isinstance(walk.steps[-1].error, Cancelled):  # by `process.stop_all`
            _remove_quietly(saved, name, seconds=None if isinstance(error, Exception) else 1.0)
        raise
    finally:
        ACTIVE_PROBES.discard(name)


def _read_back(saved: SavedRemote, name: str, content: bytes) -> str:
    """Compare the bytes, and the hash that Microsoft stored, by which restores are verified."""
    rclone = saved.rclone
    # in a team folder of a business drive, rclone 1.75 finds files only by listing (NOT_A_FOLDER)
    flags = [f"--filter={rule}" for rule in commands.only(name)]
    if rclone.run("cat", *flags, places=[saved.at()]).stdout != content:
        raise Corrupted("The probe file came back with different content.")
    ours = quick_xor(content)
    entries = rclone.list(saved.at(), hashes=["quickxor"], filters=commands.only(name))
    theirs = (entries[0].hashes or {}).get("quickxor") if entries else None
    if theirs is None:
        return "the same bytes came back; this drive stores no QuickXorHash"
    if theirs != ours:
        why = f"{theirs} instead of {ours}"
        raise Corrupted("Microsoft's hash of the probe file does not match its content.", why=why)
    return "the same bytes came back, and Microsoft's QuickXorHash matches"


def quick_xor(data: bytes) -> str:
    """Microsoft's QuickXorHash, in rclone's format: each byte is placed 11 bits further in a circle
    of 160, with the length over the last 64 (onedrive-api-docs quickxorhash.md)."""
    circle = len(data) << 96
    for number, byte in enumerate(data):
        circle ^= byte << number * 11 % 160
    return (circle % 2**160 ^ circle >> 160).to_bytes(20, "little").hex()


def _delete(step: Step, saved: SavedRemote, name: str, remote: OneDriveRemote) -> None:
    """Delete past the recycle bin if possible; on personal drives only on request, because
    Microsoft's documents disagree whether it works there."""
    hard = remote.hard_delete or remote.drive_type != "personal"
    if not hard or saved.rclone.binary.version < BY_NAME["hard_delete"].since:
        _remove(saved, name)
        step.text = "the probe file is in the recycle bin"
        return
    before = saved.about().trashed if remote.drive_type == "personal" else None
    try:
        _remove(saved, name, HARD_DELETE)
    except PlutonRcloneError as problem:
        _remove(saved, name, f"{HARD_DELETE}=false")
        step.text = "the probe file is in the recycle bin: permanent deletion was refused"
        if remote.hard_delete:
            what = "This drive does not allow permanent deletion (hard_delete)."
            advice = "Turn off hard_delete, or ask your administrator about retention rules."
            step.error = RemoteError(what, why=problem.why or problem.what, advice=advice)
        return
    step.text = "the probe file was deleted permanently"
    after = saved.about().trashed if before is not None else None
    if before is not None and after is not None and after >= before + PROBE_BYTES:
        what = "This personal drive put the file into the recycle bin despite hard_delete."
        advice = "Turn off hard_delete, and empty the recycle bin by hand if space runs out."
        step.error = RemoteError(what, advice=advice)


def _remove(saved: SavedRemote, name: str, *flags: str, seconds: float | None = None) -> None:
    """Remove the probe file, and never more than one file. TimeoutError after `seconds`."""
    options: TransferOptions = {"filters": commands.only(name), "max_delete": 1, "retries": 1}
    options["extra"] = flags
    command = commands.remove("delete", saved.at(), options)
    with saved.rclone.transfer(command, recorded=False) as removal:
        removal.result(seconds)


def _remove_quietly(saved: SavedRemote, name: str, *, seconds: float | None = None) -> bool:
    """Remove it; return whether it is gone. The failed step, or the next test, reports why not."""
    try:
        _remove(saved, name, seconds=seconds)
    except (PlutonRcloneError, TimeoutError):
        return False
    return True
