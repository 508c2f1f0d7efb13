"""Runs the connection test: binary, token, drive, listing, a probe file written, read back and deleted, room."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .connection import ConnectionReport, Notes, Step, StepFailed, Walk, abandoned_probes, probe_name
from .errors import Corrupted, DriveNotFound, PlutonRcloneError, RemoteError, TokenExpired
from .remote.conf import Conf
from .remote.runtime import runtime_folder

if TYPE_CHECKING:
    from .microsoft.drives import Drive
    from .microsoft.token import Token
    from .rclone.engine import Rclone
    from .remote.onedrive import OneDriveRemote
    from .storage import Storage
    from .storages import Storages

PROBE_BYTES = 4096
_NEARLY_FULL = 0.95


def run_connection_test(storage: Storage, on_step: Callable[[Step], None]) -> ConnectionReport:
    """Test a saved storage."""
    walk = Walk(on_step)
    with suppress(StepFailed):
        with walk.step("config", "Configuration") as notes:
            remote = storage.remote
            storage._storages.conf.check_writable()
            notes.text = f"complete, in {storage._storages.path}"
        _walk(walk, storage, remote)
    return ConnectionReport(storage.name, tuple(walk.steps))


def test_unsaved(
    storages: Storages, remote: OneDriveRemote, on_step: Callable[[Step], None]
) -> tuple[ConnectionReport, OneDriveRemote]:
    """Test a remote that is in no rclone.conf yet. Gives the remote back too: rclone may have refreshed its token."""
    from .storages import Storages

    name = "new-storage"
    with tempfile.TemporaryDirectory(prefix="test-", dir=runtime_folder()) as folder:
        conf = Conf(Path(folder) / "rclone.conf")
        conf.add(name, remote.to_section())
        trial = Storages(conf.path, binary=storages.binary.path)[name]
        walk = Walk(on_step)
        with suppress(StepFailed):
            _walk(walk, trial, remote)
        tested = trial.remote
    return ConnectionReport(remote.description or name, tuple(walk.steps)), tested


def _walk(walk: Walk, storage: Storage, remote: OneDriveRemote) -> None:
    """Every step; the first that fails ends it."""
    rclone = storage.rclone
    with walk.step("binary", "rclone") as notes:
        remote.require(rclone.version())
        notes.text = f"{rclone.version()} ({rclone.binary.path})"
        _warn(notes, remote)
    with walk.step("token", "Token") as notes:
        notes.text = _token(storage, remote)
    with walk.step("drive", "Drive") as notes:
        drive = _drive(storage, remote)
        notes.text = f"{drive.name}, {drive.type}" + (f", owner {drive.owner}" if drive.owner else "")
    with walk.step("list", "Listing") as notes:
        notes.text = _list(storage, rclone)
    name = probe_name()
    content = name.encode().ljust(PROBE_BYTES, b".")
    place = storage.at(name)
    try:
        with walk.step("write", "Writing") as notes:
            rclone.rcat(content, place, size=len(content))
            notes.text = f"{len(content)} bytes written as {name}"
        with walk.step("read", "Reading back") as notes:
            if rclone.cat(place) != content:
                raise Corrupted("The probe file came back with other bytes than were written.")
            notes.text = "the same bytes came back"
    except BaseException:
        _remove_quietly(rclone, place)
        raise
    with walk.step("delete", "Deleting") as notes:
        rclone.deletefile(place)
        notes.text = "the probe file is gone" + (", past the recycle bin" if remote.hard_delete else "")
    with walk.step("quota", "Room") as notes:
        _room(notes, storage)


def _warn(notes: Notes, remote: OneDriveRemote) -> None:
    warnings = remote.warnings()
    if warnings:
        notes.warning = RemoteError(
            "; ".join(f"{warning.option}: {warning.what}" for warning in warnings),
            advice=" ".join(warning.advice for warning in warnings),
        )


def _token_of(storage: Storage) -> Token:
    from .microsoft.token import Token

    secret = storage.remote.token
    return (
        Token.from_rclone(secret.get_secret_value())
        if secret
        else Token("", None, datetime.now(timezone.utc))
    )


def _token(storage: Storage, remote: OneDriveRemote) -> str:
    """Renews it through rclone when it has ended: what works here works in a backup."""
    if remote.client_credentials:
        return "app-only: rclone gets one for each run"
    token = _token_of(storage)
    if not token.expired():
        return f"valid until {token.expiry:%Y-%m-%d %H:%M} UTC, renewed by rclone after that"
    if not token.refresh_token:
        raise TokenExpired(
            "The token has ended and cannot be renewed.", why="it came without a refresh token"
        )
    storage.about()
    return f"had ended, renewed until {_token_of(storage).expiry:%Y-%m-%d %H:%M} UTC"


def _drive(storage: Storage, remote: OneDriveRemote) -> Drive:
    """The drive as Graph has it: there, readable, and of the kind that the remote says."""
    from .microsoft.clouds import cloud
    from .microsoft.graph import Graph

    with Graph(cloud(remote.region), _token_of(storage)) as graph:
        drive = graph.drive(remote.drive_id)
    if drive.type != remote.drive_type:
        raise DriveNotFound(
            f"The drive is of another kind: Microsoft says {drive.type}, the remote says {remote.drive_type}.",
            advice=f"Set drive_type to {drive.type}.",
        )
    return drive


def _list(storage: Storage, rclone: Rclone) -> str:
    """Lists the base folder (made when missing) and removes probe files that killed tests left there."""
    rclone.mkdir(storage.at())
    entries = rclone.list(storage.at())
    now = datetime.now(timezone.utc)
    ages = [
        (entry.name, (now - entry.modified).total_seconds() if entry.modified else 0.0)
        for entry in entries
        if not entry.is_dir
    ]
    abandoned = abandoned_probes(ages)
    for name in abandoned:
        _remove_quietly(rclone, storage.at(name))
    text = f"{len(entries) - len(abandoned)} entries in {storage.at().partition(':')[2] or 'the root'!r}"
    return text + (f"; {len(abandoned)} probe files of killed tests removed" if abandoned else "")


def _room(notes: Notes, storage: Storage) -> None:
    from .units import human_bytes

    about = storage.about()
    if about.total is None:
        notes.text = "Microsoft does not say how much room there is"
        return
    used = about.used if about.used is not None else about.total - (about.free or 0)
    notes.text = f"{human_bytes(used)} of {human_bytes(about.total)} used"
    if about.total and used / about.total > _NEARLY_FULL:
        notes.warning = _nearly_full(notes.text)


def _nearly_full(text: str) -> PlutonRcloneError:
    from .errors import QuotaFull

    return QuotaFull(f"The drive is nearly full: {text}.")


def _remove_quietly(rclone: Rclone, place: str) -> Any:
    """The probe must not stay; why it cannot be removed is told by the step that failed, or by the next test."""
    try:
        rclone.deletefile(place)
    except PlutonRcloneError:
        return
