"""Runs the connection test: binary, configuration, token, drive, clock, listing, a probe file, room, throttling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pluton_rclone.errors import (
    DriveNotFound,
    PlutonRcloneError,
    QuotaFull,
    RemoteError,
    SecretExpired,
    Throttled,
    TokenExpired,
    Who,
)
from pluton_rclone.saved.tokens import graph_token, stored_token
from pluton_rclone.values.units import human_bytes, human_drive_type

from .probe import listed, probe, reads_only, sweep
from .report import ConnectionReport, Notes, Step, StepFailed, Walk

if TYPE_CHECKING:
    from pluton_rclone.microsoft.graph.drives import Drive
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.storages.storage import Storage

    from .trial import Trial

NEARLY_FULL = 0.9  # Microsoft says "nearing" below 10 % left (microsoft-graph-docs resources/quota.md)
IDLE_DAYS = 90  # a refresh token lives that long without use (entra-docs refresh-tokens.md)
SECRET_SOON = timedelta(days=30)
CLOCK_OFF = 120.0  # seconds; Microsoft refuses tokens from about five minutes on


def run_connection_test(storage: Storage, on_step: Callable[[Step], None]) -> ConnectionReport:
    """The whole test of a saved storage: a probe file is written, read back and deleted."""
    return _run(storage, on_step, probe)


def run_health_check(storage: Storage, on_step: Callable[[Step], None]) -> ConnectionReport:
    """The same without writing anything: for every day."""
    return _run(storage, on_step, None)


def _run(
    storage: Storage,
    on_step: Callable[[Step], None],
    write: Callable[[Walk, Storage, OneDriveRemote], None] | None,
) -> ConnectionReport:
    walk = Walk(on_step)
    try:
        with walk.step("config", "Configuration") as notes:
            remote = storage.remote
            storage.storages.conf.check_writable()
            notes.text = f"complete and writable, in {storage.storages.path}"
        _walk(walk, storage, remote, write)
    except StepFailed:
        pass
    return ConnectionReport(storage.name, tuple(walk.steps))


def run_trial(trial: Trial, on_step: Callable[[Step], None]) -> ConnectionReport:
    """The whole test of a remote that is not saved yet."""
    walk = Walk(on_step)
    try:
        with walk.step("config", "Configuration") as notes:
            trial.home.conf.check_writable()
            notes.text = f"complete, can be saved in {trial.home.path}"
        _walk(walk, trial.storage, trial.storage.remote, probe)
    except StepFailed:
        pass
    return ConnectionReport(trial.name, tuple(walk.steps))


def _walk(
    walk: Walk,
    storage: Storage,
    remote: OneDriveRemote,
    write: Callable[[Walk, Storage, OneDriveRemote], None] | None,
) -> None:
    """Every step; the first that fails ends it. Where there is nothing to `write` with, nothing is deleted either."""
    from pluton_rclone.microsoft.watched import WatchedHttp

    with WatchedHttp() as http:
        with walk.step("binary", "rclone") as notes:
            version = storage.storages.binary.version
            remote.require(version)
            notes.text = f"{version} ({storage.storages.binary.path})"
            _warn(notes, remote)
        with walk.step("token", "Token") as notes:
            _token(notes, storage, remote, http)
        with walk.step("drive", "Drive") as notes:
            drive = _drive(storage, remote, http)
            notes.text = f"{drive.name}, {human_drive_type(drive.type)}" + (
                f", owner {drive.owner}" if drive.owner else ""
            )
        with walk.step("clock", "Clock") as notes:
            _clock(notes, http.clock_offset)
        with walk.step("list", "Listing") as notes:
            entries = storage.list_if_there()
            notes.text = listed(storage, entries)
            if write is not None and entries and not reads_only(remote):
                notes.text += sweep(storage, entries)
        if write is not None:
            write(walk, storage, remote)
        with walk.step("quota", "Room") as notes:
            _room(notes, storage)
        with walk.step("throttling", "Throttling") as notes:
            _throttling(notes, http.throttled + storage.throttled)


def _warn(notes: Notes, remote: OneDriveRemote) -> None:
    warnings = remote.warnings()
    if warnings:
        notes.warning = RemoteError(
            "; ".join(f"{warning.option}: {warning.what}" for warning in warnings),
            advice=" ".join(warning.advice for warning in warnings),
        )


# ---- the token ----


def _token(notes: Notes, storage: Storage, remote: OneDriveRemote, http: Http) -> None:
    """Renewed for real, so that it is known now whether it can be: by us where the registration is ours, else by rclone."""
    if remote.client_credentials:
        graph_token(storage, http)
        notes.text = "app-only: Microsoft gives one for each run"
        notes.warning = _secret_ends(remote)
        return
    token = stored_token(remote)
    if not token.refresh_token:
        if token.expired():
            raise TokenExpired(
                "The token has ended and cannot be renewed.", why="it came without a refresh token"
            )
        notes.warning = TokenExpired(
            f"The token ends at {token.expiry:%Y-%m-%d %H:%M} UTC and cannot be renewed.",
            why="it came without a refresh token",
        )
        return
    how = storage.renew_token(http)
    token = stored_token(storage.remote)
    dies = datetime.now(timezone.utc) + timedelta(days=IDLE_DAYS)
    notes.text = f"valid until {token.expiry:%Y-%m-%d %H:%M} UTC, {how}; unused, it dies on {dies:%Y-%m-%d}"
    notes.warning = _secret_ends(remote)


def _secret_ends(remote: OneDriveRemote) -> PlutonRcloneError | None:
    if remote.secret_expires is None:
        return None
    left = remote.secret_expires - datetime.now(timezone.utc).date()
    if left > SECRET_SOON:
        return None
    return SecretExpired(f"The client secret ends on {remote.secret_expires}.", why=f"in {left.days} days")


# ---- the rest ----


def _drive(storage: Storage, remote: OneDriveRemote, http: Http) -> Drive:
    """The drive as Graph has it: there, readable, and of the kind that the remote says."""
    from pluton_rclone.microsoft.clouds import cloud
    from pluton_rclone.microsoft.graph.graph import Graph

    with Graph(cloud(remote.region), graph_token(storage, http), http=http) as graph:
        drive = graph.drive(remote.drive_id)
    if drive.type != remote.drive_type:
        raise DriveNotFound(
            f"The drive is of another kind: Microsoft says {drive.type}, the remote says {remote.drive_type}.",
            advice=f"Set drive_type to {drive.type}.",
        )
    return drive


def _clock(notes: Notes, offset: float | None) -> None:
    if offset is None:
        notes.skipped = True
        notes.text = "Microsoft did not say what time it is"
        return
    way = "behind" if offset > 0 else "ahead of"
    notes.text = (
        "agrees with Microsoft's"
        if abs(offset) < 5
        else f"this machine is {abs(offset):.0f} s {way} Microsoft's"
    )
    if abs(offset) > CLOCK_OFF:
        notes.warning = TokenExpired(
            f"The clock of this machine is {abs(offset):.0f} s {way} Microsoft's.",
            why="tokens seem to end too early or too late",
            advice="Set the clock (NTP): above five minutes Microsoft refuses sign-ins.",
        )


def _room(notes: Notes, storage: Storage) -> None:
    about = storage.about()
    if about.total is None:
        notes.text = "Microsoft does not say how much room there is"
        return
    used = about.used if about.used is not None else about.total - (about.free or 0)
    notes.text = f"{human_bytes(used)} of {human_bytes(about.total)} used"
    if about.total and used / about.total > NEARLY_FULL:
        notes.warning = QuotaFull(f"The drive is nearly full: {notes.text}.")


def _throttling(notes: Notes, seen: int) -> None:
    notes.text = "Microsoft did not ask to slow down"
    if seen:
        notes.warning = Throttled(
            f"Microsoft asked {seen} times to slow down during this test.",
            who=Who.LATER,
            advice="Nothing is wrong with the connection; other programs of this account or organisation are busy.",
        )
