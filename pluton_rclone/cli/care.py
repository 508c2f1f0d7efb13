"""Commands that maintain storages: `health`, `reauthorize`, `set`, `rename`, `remove` and so on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pluton_rclone.errors import AccountError, ConnectionTestFailed, StorageNotFound, UsageError
from pluton_rclone.microsoft.entra.app import Certificate
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.values.units import counted, human_drive_type

from . import ask
from .ask import METHOD, Method, sign_in, usual_method
from .complete import NAME, storage_names
from .context import FILE, Context, command, flag, needs, valued
from .output import Output, advice, named, ours
from .storages import MARKS, run_test
from .timer import pinged
from .transfers import SURE, confirm
from .values import contradiction, parse_settings, refuse_contradictions

if TYPE_CHECKING:
    from pluton_rclone.connection.health import HealthReport
    from pluton_rclone.connection.report import ConnectionReport

TEXTFILE = "prometheus: for node_exporter's textfile collector."


@command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=storage_names)
@valued("--format form", None, TEXTFILE, type=click.Choice(["text", "prometheus"]), default="text")
@pinged
def health(ctx: Context, names: tuple[str, ...], form: str) -> None:
    """Check storages without writing, for a scheduled job. Exit code 4 if one of them fails, 8 if
    that is only because Microsoft could not be reached.

    Warns of a token or client secret that expires soon, of a drive that is nearly full, and of a
    configuration that is not writable.

    \b
    pluton-rclone health
    pluton-rclone health work --format prometheus > /var/lib/node_exporter/onedrive.prom
    pluton-rclone health --json | jq '.storages[] | select(.ok | not) | .storage'
    """
    if form == "prometheus":
        if ctx.as_json:
            raise UsageError("--json and --format prometheus exclude each other.")
        needs("prometheus", "prometheus_client")
    chosen = [ctx.storage_and_path(name)[0].remote_name for name in names]
    report = ctx.storages.health(*chosen)
    if form == "prometheus" and report.reports:
        print(metrics(report), end="")
    report_health(ctx, report)


def metrics(report: HealthReport) -> str:
    """The results in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    found: dict[str, tuple[str, Callable[[ConnectionReport], float]]] = {
        "ok": ("1: no step failed", lambda each: each.ok),
        "warnings": ("Steps that warn", lambda each: len(each.warnings)),
        "seconds": ("Duration of the check", lambda each: sum(one.seconds for one in each.steps)),
        "checked_time_seconds": ("When it was checked", lambda each: time.time()),
    }
    registry = CollectorRegistry()
    for name, (meaning, value) in found.items():
        gauge = Gauge(f"pluton_rclone_storage_{name}", meaning, ["storage"], registry=registry)
        for each in report.reports:
            gauge.labels(each.storage).set(value(each))
    return generate_latest(registry).decode()


@command(name="keep-alive")
def keep_alive(ctx: Context) -> None:
    """Renew the token of every storage.

    A token expires if it is not used for 90 days.

    \b
    0 4 * * 0  pluton-rclone keep-alive
    """
    report_health(ctx, ctx.storages.keep_alive())


def report_health(ctx: Context, report: HealthReport) -> None:
    """Print the results by storage. ConnectionTestFailed if one failed."""
    output = ctx.output
    output.result(report.record())
    if not report.reports:  # a scheduled job with the wrong file must not succeed forever
        what = f"There is no OneDrive storage to check in {ctx.storages.path}."
        raise StorageNotFound(what, advice="Check --config, or connect a storage.")
    names = {one.name: named(one) for one in ctx.storages.values()}
    for each in report.reports:
        output.say(f"{'ok' if each.ok else 'FAILED':<8} {each.storage}")
        for step in (one for one in each.steps if one.status in ("failed", "warning")):
            output.say(f"         {MARKS[step.status]}: {step.title}: {step.text}")
            if step.error is not None:
                output.say(f"         {advice(step.error, names.get(each.storage, each.storage))}")
    failed = [each.storage for each in report.reports if not each.ok]
    if failed:
        of_all = f"{len(failed)} of {counted(len(report.reports), 'storage')}"
        raise ConnectionTestFailed(
            f"{of_all} failed: {', '.join(failed)}.",
            who=report.silence.who if report.silence else None,
            advice=f"Follow the advice of each failed step; `{ours('test', 'NAME')}` shows all.",
        ) from report.silence


AGAIN = "As in connect. [default: as it was connected: app or rclone, otherwise browser]"


@command(NAME)
@valued("--method", None, AGAIN, type=METHOD)
@flag("--other-account", help="Allow an account other than the storage's own to sign in.")
@flag("--client-secret", help="Read a new client secret, as `set --secret` does.")
@valued("--client-secret-file", "FILE", "A file with the new client secret.", type=FILE)
@valued("--certificate", "FILE", "The new certificate, PEM or PFX.", type=FILE)
def reauthorize(
    ctx: Context,
    name: str,
    method: Method | None,
    other_account: bool,
    client_secret: bool,
    client_secret_file: Path | None,
    certificate: Path | None,
) -> None:
    """Sign in again for a storage whose token has expired. Its drive and options do not change.

    \b
    pluton-rclone reauthorize "OneDrive Personal Backups"
    pluton-rclone reauthorize work --client-secret-file new.txt
    """
    refuse_contradictions(
        ("--client-secret", "--certificate"), ("--client-secret-file", "--certificate")
    )
    output, storage = ctx.output, ctx.storage(name)
    credential: str | Certificate | None = Certificate.at(certificate) if certificate else None
    if client_secret or client_secret_file:
        credential = read_secret(output, "client_secret", client_secret_file)
    expected: Literal["anyone", "same"] = "anyone" if other_account else "same"
    setup = StorageSetup.for_storage(storage, expected=expected, credential=credential)
    if method in ("browser", "device", "app") and not setup.has_app:
        what = f"{storage.name} was connected through rclone's own registration."
        why = f"--method {method} needs a registration of your own"
        advice = "Leave --method out, or connect it again with --client-id."
        raise UsageError(what, why=why, advice=advice)
    usual: Method = "app" if storage.remote_to_sign_in().client_credentials else usual_method(setup)
    try:
        sign_in(setup, method or usual, output, confirm=other_account)
    except AccountError as problem:
        if "expected" in problem.details:
            problem.advice += " To let it take over this storage, give --other-account."
        raise
    run_test(output, storage.reauthorize, setup)
    output.say(f"{storage.name} is connected again; drive and options are unchanged")


SECRET = (
    "Also set client_secret or link_password: from --secret-file, PLUTON_ONEDRIVE_CLIENT_SECRET "
    "(PLUTON_ONEDRIVE_LINK_PASSWORD), a hidden prompt, or stdin. OPTION= removes it."
)


@command(NAME, name="set")
@click.argument("settings", nargs=-1, metavar="[OPTION=VALUE]...")
@valued("--secret", "OPTION", SECRET)
@valued("--secret-file", "FILE", "A file with that secret.", type=FILE)
def set_options(
    ctx: Context, name: str, settings: tuple[str, ...], secret: str | None, secret_file: Path | None
) -> None:
    """Change options of a storage, if the connection test passes with them.

    \b
    pluton-rclone set work chunk_size=5Mi hard_delete=true
    pluton-rclone set work --secret client_secret secret_expires=2027-03-31
    """
    if not settings and not secret:
        advice = "Give OPTION=VALUE, or --secret OPTION."
        raise UsageError("There is nothing to change.", advice=advice)
    if secret_file and not secret:
        raise UsageError("--secret-file is given without --secret.", advice="Add --secret OPTION.")
    if "=" in name and name not in ctx.storages:
        raise UsageError(f"{name!r} is not a storage's name.", advice="Give the name first.")
    output, storage = ctx.output, ctx.storage(name)
    changes: dict[str, Any] = parse_settings(settings)
    if secret:
        if secret in changes:
            raise contradiction(f"--secret {secret}", f"{secret}=")
        changes[secret] = read_secret(output, secret, secret_file)
    run_test(output, storage.update, **changes)
    output.say(f"Saved: {', '.join((*settings, *([secret] if secret else [])))}")


def read_secret(output: Output, option: str, file: Path | None) -> str:
    """The new value of a secret option. UsageError for any other option, or one of the sign-in."""
    if option not in ("client_secret", "link_password"):
        advice = "Give client_secret or link_password."
        raise UsageError(f"{option!r} is not a secret that can be set.", advice=advice)
    question = option.capitalize().replace("_", " ")
    return ask.secret(output, question, variable=f"PLUTON_ONEDRIVE_{option.upper()}", file=file)


@command(NAME)
@click.argument("new_name")
@flag("--remote", "remote_name", help="Rename the remote in rclone.conf, not the friendly name.")
def rename(ctx: Context, name: str, new_name: str, remote_name: bool) -> None:
    """Rename a storage.

    Changes the friendly name; with --remote, the name of its remote instead, which scripts may
    use.

    \b
    pluton-rclone rename "OneDrive" "OneDrive of Anna"
    """
    storage, new_name = ctx.storage(name), new_name.removesuffix(":")
    if remote_name:
        storage = storage.rename_remote(new_name)
    else:
        storage.rename(new_name)
    ctx.output.result(storage.record())
    ctx.output.say(f"The storage is called {storage.name!r}, its remote {storage.remote_name!r}")


@command(NAME, SURE)
def remove(ctx: Context, name: str, yes: bool) -> None:
    """Forget a storage: its sign-in and options. Nothing on the drive is touched.

    \b
    pluton-rclone remove old-work
    """
    from pluton_rclone.saved.wrapping import above

    output, storage = ctx.output, ctx.storage(name)
    friendly, meant = storage.name, storage.section_with_secrets()
    if not yes:
        about = {
            True: "It contains files, perhaps backups; they stay on the drive.",
            False: "It is empty.",
            None: "Whether it contains files could not be checked.",
        }[storage.holds_files()]
        if wrapping := above(ctx.storages.conf, storage.remote_name):
            about += f" Without it, {wrapping} cannot be used."
        advice = "Add --yes to confirm; nothing on the drive is touched."
        confirm(output, yes, f"{about} Forget {friendly!r}?", advice=advice)
    storage.remove(of=meant)
    output.result({"removed": friendly})
    output.say(f"{friendly!r} is forgotten; its files are still on the drive")


@command(NAME)
def drives(ctx: Context, name: str) -> None:
    """List the drives of a storage's account.

    \b
    pluton-rclone drives work
    """
    with ctx.storage_and_path(name)[0].graph() as graph:
        found = graph.drives()
    members = ("id", "name", "type", "owner", "web_url")
    if not ctx.output.result([{key: getattr(one, key) for key in members} for one in found]):
        rows = [(d.name, human_drive_type(d.type), d.owner, d.id, d.web_url) for d in found]
        ctx.output.table(("Name", "Type", "Owner", "Id", "Address"), rows)
    for note in found.notes:
        ctx.output.say(f"note: {note}")


@command(NAME)
@click.argument("term", default="*")
def sites(ctx: Context, name: str, term: str) -> None:
    """Search the SharePoint sites that an account can reach.

    TERM is part of a site's name.

    \b
    pluton-rclone sites work backup
    """
    with ctx.storage_and_path(name)[0].graph() as graph:
        found = graph.sites(term)
    members = ("id", "name", "web_url")
    if ctx.output.result([{key: getattr(one, key) for key in members} for one in found]):
        return
    if not found:
        raise UsageError(f"No site matches {term!r}.")
    ctx.output.table(("Name", "Address"), [(site.name, site.web_url) for site in found])


@command(NAME)
@valued("--drive drive_id", "ID", "The drive, if the account has several.", default="")
def repair(ctx: Context, name: str, drive_id: str) -> None:
    """Find the drive of a storage that has none, or one that Microsoft lists but cannot open.

    The token and the options stay. An encoding is rewritten in rclone's spelling, and a base folder
    so that rclone itself starts there. Saves only if the connection test passes.

    \b
    pluton-rclone repair work
    """
    output, storage = ctx.output, ctx.storage(name)
    run_test(output, storage.repair, drive_id=drive_id)
    output.say(f"{storage.name} is repaired: its drive is {storage.remote.drive_id}")
