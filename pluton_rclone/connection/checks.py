"""Runs the connection test: configuration, rclone, token, drive, clock, listing, probe, space."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

from pluton_rclone import errors
from pluton_rclone.conf.conf import Conf
from pluton_rclone.microsoft.graph.drives import Drive, Quota
from pluton_rclone.microsoft.graph.graph import drive_path
from pluton_rclone.microsoft.graph.locations import rooted
from pluton_rclone.microsoft.http import Http
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.rules import SECRET_SOON, days_left
from pluton_rclone.saved.base_folder import with_id, with_path
from pluton_rclone.saved.registration import registration
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.token_text import TOKEN
from pluton_rclone.values.units import counted, human_bytes, human_drive_type, human_seconds

from .probe import listed, probe, sweep
from .report import ConnectionReport, OnStep, Step, StepFailed, Walk

NEARLY_FULL = 0.9  # Microsoft reports "nearing" below 10 % left (microsoft-graph-docs quota.md)
IDLE_DAYS = 90  # a refresh token unused for this long expires (entra-docs refresh-tokens.md)
CLOCK_OFF = 120.0  # seconds; Microsoft refuses tokens from about five minutes on


def run_test(
    saved: SavedRemote,
    on_step: OnStep = None,
    *,
    writing: bool = True,
    home: Conf | None = None,
    origin: SavedRemote | None = None,
) -> ConnectionReport:
    """Run all steps until one fails. With `writing`, a probe file is written, read back and
    deleted, and abandoned ones are deleted. With `home`, the remote is on trial and would be saved
    there; its base folder is created if missing, and gets its id. `origin` is the saved remote with
    the same sign-in. For a saved remote, the path of the base folder is kept up to date."""
    on_trial, home = home is not None, home or saved.conf
    walk = Walk(on_step, unsaved=on_trial and origin is None)
    with suppress(StepFailed), Http() as http:
        with walk.step("config", "Configuration") as step:
            remote = saved.options
            if home.is_variable(saved.name) and not on_trial:
                step.text = "complete, made by variables"
            else:
                home.check_writable()
                good = "complete, can be saved" if on_trial else "complete and writable,"
                step.text = f"{good} in {home.path}"
        with walk.step("binary", "rclone") as step:
            version = saved.rclone.binary.version
            remote.require(version)
            step.text = f"{version} ({saved.rclone.binary.path})"
            _warn(step, remote)
        with walk.step("token", "Token") as step:
            _token(step, saved, remote, http, origin)
        with walk.step("drive", "Drive") as step:
            if remote.tenant_url:  # its token is SharePoint's, which Graph would refuse
                quota = None
                step.status, step.text = "skipped", f"reached through {remote.tenant_url}"
            else:
                drive = _drive(saved, remote, http)
                quota = drive.quota
                owner = f", owner {drive.owner}" if drive.owner else ""
                step.text = f"{drive.name}, {human_drive_type(drive.type)}{owner}"
        with walk.step("clock", "Clock") as step:
            _clock(step, http.clock_offset)
        with walk.step("list", "Listing") as step:
            if on_trial and remote.base_folder and not remote.base_folder_id:
                place = saved.at(f"/{remote.base_folder}")
                _keep(saved, remote, with_id(remote, saved.rclone, place))
            entries, step.text = listed(saved)
            _shortcuts(step, saved, http)
            if writing and entries and not remote.reads_only:
                step.text += sweep(saved, entries)
        if writing:
            probe(walk, saved, remote)
        with walk.step("quota", "Room") as step:
            _room(step, saved, quota)
        with walk.step("throttling", "Throttling") as step:
            _throttling(step, http.throttled + saved.rclone.throttled)
    return ConnectionReport(saved.title, tuple(walk.steps))


def _warn(step: Step, remote: OneDriveRemote) -> None:
    if warnings := remote.warnings():
        what = "; ".join(f"{warning.option}: {warning.what}" for warning in warnings)
        advice = " ".join(warning.advice for warning in warnings)
        step.error = errors.RemoteError(what, advice=advice)


def _has_registration(origin: SavedRemote, remote: OneDriveRemote) -> bool:
    with suppress(errors.RemoteError):  # without a drive, for example
        return registration(origin.options.to_section()) == registration(remote.to_section())
    return False


def _token(
    step: Step, saved: SavedRemote, remote: OneDriveRemote, http: Http, origin: SavedRemote | None
) -> None:
    """Renew the token, which proves that this works: by us if the registration is ours."""
    if remote.client_credentials:
        saved.graph_token(http)
        step.text = "app-only: a new one is requested for each run"
        step.error = _secret_ends(remote)
        return
    token = saved.token()
    if not token.refresh_token:
        why, expired = "it came without a refresh token", token.expired()
        end = "has expired" if expired else f"expires at {token.expiry:%Y-%m-%d %H:%M} UTC"
        step.error = errors.TokenExpired(f"The token {end} and cannot be renewed.", why=why)
        if expired:
            raise step.error
        return
    if origin and _has_registration(origin, remote):
        how = origin.renew()  # there, a kill cannot lose the token that replaces the old one
        saved.conf.update(saved.name, {TOKEN: origin.section[TOKEN]})
    else:
        how = saved.renew()
    until = f"{saved.token().expiry:%Y-%m-%d %H:%M} UTC"
    idle = datetime.now(timezone.utc) + timedelta(days=IDLE_DAYS)
    step.text = f"valid until {until}, {how}; if unused, it expires on {idle:%Y-%m-%d}"
    step.error = _secret_ends(remote)


def _secret_ends(remote: OneDriveRemote) -> errors.PlutonRcloneError | None:
    if (end := remote.secret_expires) is None:
        return None
    days = days_left(end)
    if days > SECRET_SOON:
        return None
    if days < 0:
        return errors.SecretExpired(f"The client secret expired on {end}.")
    why = f"in {counted(days, 'day')}" if days else "today"
    return errors.SecretExpired(f"The client secret expires on {end}.", why=why)


def _drive(saved: SavedRemote, remote: OneDriveRemote, http: Http) -> Drive:
    """The drive from Graph: it exists, is readable, and has the remote's drive type."""
    with saved.graph(http) as graph:
        drive = rooted(graph, remote.drive_id, remote.root_folder_id).drive
        if remote.base_folder_id:
            _keep(saved, remote, with_path(remote, graph))
    if drive.type != remote.drive_type:
        what = "The drive's type does not match."
        why = f"Microsoft says {drive.type}, the remote says {remote.drive_type}"
        advice = "Look up its drive again: token and options stay."
        step = errors.NextStep.REPAIR
        raise errors.DriveNotFound(what, why=why, advice=advice, next_step=step)
    return drive


def _shortcuts(step: Step, saved: SavedRemote, http: Http) -> None:
    """Add the shortcuts that rclone is not shown at a OneDrive's root and in the base folder;
    libraries have none. If looking for them fails, the step does not."""
    remote = saved.options
    if remote.drive_type == "documentLibrary" or remote.tenant_url or remote.root_folder_id:
        return
    folders = {f"{drive_path(remote.drive_id)}/root": ""}
    home, _, item = remote.base_folder_id.rpartition("#")
    if item and normal_drive_id(home).lower() == remote.drive_id.lower():
        folders[drive_path(remote.drive_id, item)] = remote.base_folder
    try:
        with saved.graph(http) as graph:
            found = [graph.hidden_shortcuts(*folder) for folder in folders.items()]
    except errors.GraphError as problem:
        step.text += f"; shortcuts in it could not be listed: {problem.why or problem.what}"
        return
    step.shortcuts = tuple(shortcut for each in found for shortcut in each)
    if step.shortcuts:
        count = counted(len(step.shortcuts), "shortcut")
        step.text += f", without {count} hidden from rclone"


def _keep(saved: SavedRemote, before: OneDriveRemote, remote: OneDriveRemote) -> None:
    changes = remote.changes_from(before)
    if changes:
        saved.conf.update(saved.name, changes, of=before.to_section())


def _clock(step: Step, offset: float | None) -> None:
    if offset is None:
        step.status, step.text = "skipped", "Microsoft did not say what time it is"
        return
    way = "behind" if offset > 0 else "ahead of"
    apart = f"is {human_seconds(abs(offset))} {way} Microsoft's"
    step.text = "agrees with Microsoft's" if abs(offset) < 5 else f"this machine {apart}"
    if abs(offset) > CLOCK_OFF:
        why = "tokens seem to expire too early or too late"
        advice = "Set the clock (NTP): Microsoft refuses sign-ins if it is over 5 minutes off."
        what = f"The clock of this machine {apart}."
        step.error = errors.TokenExpired(what, why=why, advice=advice)


def _room(step: Step, saved: SavedRemote, quota: Quota | None) -> None:
    room = quota or saved.about()
    if quota and quota.level == "exceeded":
        raise errors.QuotaFull(
            "The drive exceeds its quota.",
            why="Microsoft says that its quota is exceeded: nothing can be written to it",
            advice="Free up space on it (the recycle bin counts) or get more storage, soon: "
            "Microsoft closes an account that stays far above its quota.",
        )
    if room.total is None or room.used is None:
        step.text = "Microsoft does not say how much room there is"
        return
    step.text = f"{human_bytes(room.used)} of {human_bytes(room.total)} used"
    if room.used > NEARLY_FULL * room.total:
        step.error = errors.QuotaFull(f"The drive is nearly full: {step.text}.")


def _throttling(step: Step, seen: int) -> None:
    step.text = "Microsoft did not ask to slow down"
    if seen:
        what = f"Microsoft asked {counted(seen, 'time')} to slow down during this test."
        advice = "The connection works; other programs of this account or organisation are busy."
        step.error = errors.Throttled(what, advice=advice)
