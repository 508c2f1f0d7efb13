"""Commands that keep storages well: `health`, `keep-alive`, `reauthorize`, `set`, `rename`,
`remove`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pluton_rclone.errors import ConnectionTestFailed, StorageNotFound, UsageError
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.values.units import counted, human_drive_type

from . import ask
from .advice import advice
from .app import common
from .output import Output
from .signing import METHODS, Method, sign_in
from .storages import MARKS, open_storages, print_step, storage_names
from .transfers import SURE, confirm
from .values import parse_settings

if TYPE_CHECKING:
    from pluton_rclone.connection.health import HealthReport

FILE = click.Path(path_type=Path)


@click.command()
@common
def health(config: str | None, binary: str | None, as_json: bool) -> None:
    """Check every storage without writing: for a scheduled job. Exit code 4 when one of them fails, 8 when
    Microsoft was just not reached.

    Warned of: a token or client secret that ends soon, a drive that is nearly full, a configuration
    that cannot be written.

    \b
    pluton-rclone health
    pluton-rclone health --json | jq '.storages[] | select(.ok | not) | .storage'
    """
    storages = open_storages(config, binary)
    report_health(Output(as_json), storages.health(), storages.path)


@click.command("keep-alive")
@common
def keep_alive(config: str | None, binary: str | None, as_json: bool) -> None:
    """Renew the token of every storage.

    Microsoft ends one that nobody used for 90 days.

    \b
    0 4 * * 0  pluton-rclone keep-alive
    """
    storages = open_storages(config, binary)
    report_health(Output(as_json), storages.keep_alive(), storages.path)


def report_health(output: Output, report: HealthReport, path: Path) -> None:
    """What was found, storage by storage. ConnectionTestFailed when one failed."""
    if output.as_json:
        output.result(report.record())
    if not report.reports:
        # A scheduled job that looks at the wrong file must not look fine for ever.
        raise StorageNotFound(
            f"There is no OneDrive storage to look at in {path}.",
            advice="Check --config, or connect one.",
        )
    for each in report.reports:
        bad = [step for step in each.steps if step.status in ("failed", "warning")]
        output.say(f"{'ok' if each.ok else 'FAILED':<8} {each.storage}")
        for step in bad:
            output.say(f"         {MARKS[step.status]}: {step.title}: {step.text}")
            if step.error is not None:
                output.say(f"         {advice(step.error, each.storage)}")
    failed = [each.storage for each in report.reports if not each.ok]
    if failed:
        raise ConnectionTestFailed(
            f"{len(failed)} of {counted(len(report.reports), 'storage')} failed: {', '.join(failed)}.",
            who=report.silence.who if report.silence else None,
            advice="Fix what their failed steps name; `pluton-rclone test NAME` shows each step.",
        ) from report.silence


@click.command()
@click.argument("name", shell_complete=storage_names)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="browser",
    show_default=True,
    help="As in connect.",
)
@click.option(
    "--other-account",
    is_flag=True,
    help="Allow somebody else to sign in than the person it belongs to.",
)
@click.option(
    "--client-secret", is_flag=True, help="Read a new client secret, as `set --secret` does."
)
@click.option(
    "--client-secret-file", type=FILE, metavar="FILE", help="Holds the new client secret."
)
@click.option(
    "--certificate", type=FILE, metavar="FILE", help="The new client certificate, PEM or PFX."
)
@common
def reauthorize(
    name: str,
    method: Method,
    other_account: bool,
    client_secret: bool,
    client_secret_file: Path | None,
    certificate: Path | None,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Sign in again for a storage whose token has ended. Drive and options stay as they are.

    \b
    pluton-rclone reauthorize "OneDrive Personal Backups"
    pluton-rclone reauthorize work --client-secret-file new.txt
    """
    from pluton_rclone.microsoft.entra.app import Certificate

    output, storage = Output(as_json), open_storages(config, binary)[name]
    credential: str | Certificate | None = Certificate(certificate) if certificate else None
    if client_secret or client_secret_file:
        credential = read_secret(output, "client_secret", client_secret_file)
    expected: Literal["anyone", "same"] = "anyone" if other_account else "same"
    setup = StorageSetup.for_storage(storage, expected=expected, credential=credential)
    kind = setup.drive_type
    sign_in(
        setup,
        method,
        output,
        place="sharepoint" if kind == "sharepoint" else "own",
        confirm=other_account,
    )
    report = storage.reauthorize(setup, on_step=lambda step: print_step(output, step))
    if as_json:
        output.result(report.record())
    report.raise_for_failure()
    output.say(f"{storage.name} is connected again; drive and options are unchanged")


@click.command("set")
@click.argument("name", shell_complete=storage_names)
@click.argument("settings", nargs=-1, metavar="[OPTION=VALUE]...")
@click.option(
    "--secret",
    metavar="OPTION",
    help="Set client_secret or link_password, too: from --secret-file, the variable PLUTON_ONEDRIVE_CLIENT_SECRET "
    "(PLUTON_ONEDRIVE_LINK_PASSWORD), typed unseen, or from stdin. OPTION= takes it away.",
)
@click.option("--secret-file", type=FILE, metavar="FILE", help="Holds that secret.")
@common
def set_options(
    name: str,
    settings: tuple[str, ...],
    secret: str | None,
    secret_file: Path | None,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Change options of a storage. The connection is tested first; when it fails, everything stays
    as it was.

    \b
    pluton-rclone set work chunk_size=5Mi hard_delete=true
    pluton-rclone set work --secret client_secret secret_expires=2027-03-31
    """
    if not settings and not secret:
        raise UsageError(
            "Nothing is to be changed.", advice="Give OPTION=VALUE, or --secret OPTION."
        )
    output, storage = Output(as_json), open_storages(config, binary)[name]
    changes: dict[str, Any] = parse_settings(settings)
    if secret:
        changes[secret] = read_secret(output, secret, secret_file)
    report = storage.update(on_step=lambda step: print_step(output, step), **changes)
    if as_json:
        output.result(report.record())
    report.raise_for_failure()
    output.say(f"Saved: {', '.join((*settings, *([secret] if secret else [])))}")


def read_secret(output: Output, option: str, file: Path | None) -> str:
    """The new value of a secret option. UsageError for one that is none, or that only a sign-in
    gives."""
    if option not in ("client_secret", "link_password"):
        raise UsageError(
            f"{option!r} is no secret to set.", advice="Give client_secret or link_password."
        )
    question = option.capitalize().replace("_", " ")
    return ask.secret(output, question, variable=f"PLUTON_ONEDRIVE_{option.upper()}", file=file)


@click.command()
@click.argument("name", shell_complete=storage_names)
@click.argument("new_name")
@click.option(
    "--remote",
    "remote_name",
    is_flag=True,
    help="Rename the remote in rclone.conf, not the friendly name.",
)
@common
def rename(
    name: str,
    new_name: str,
    remote_name: bool,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Give a storage another name.

    The friendly one; with --remote that of its remote. Scripts that use the remote's name have to
    follow: that is why it stays unless you say so.

    \b
    pluton-rclone rename "OneDrive" "OneDrive of Anna"
    """
    output, storage = Output(as_json), open_storages(config, binary)[name]
    if remote_name:
        storage = storage.rename_remote(new_name)
    else:
        storage.rename(new_name)
    if as_json:
        output.result(storage.record())
    output.say(f"The storage is called {storage.name!r}, its remote {storage.remote_name!r}")


@click.command()
@click.argument("name", shell_complete=storage_names)
@SURE
@common
def remove(name: str, yes: bool, config: str | None, binary: str | None, as_json: bool) -> None:
    """Forget a storage: its sign-in and options. Nothing on the drive is touched.

    \b
    pluton-rclone remove old-work
    """
    output, storage = Output(as_json), open_storages(config, binary)[name]
    friendly = storage.name
    if not yes:
        holds = storage.holds_files()
        about = {
            True: "There are files in it, perhaps backups; they stay on the drive.",
            False: "It is empty.",
            None: "Whether there are files in it cannot be seen now.",
        }[holds]
        confirm(
            output,
            yes,
            f"{about} Forget {friendly!r}?",
            advice="Add --yes when that is meant; nothing on the drive is touched.",
        )
    storage.remove()
    if as_json:
        output.result({"removed": friendly})
    output.say(f"{friendly!r} is forgotten; its files are still on the drive")


@click.command()
@click.argument("name", shell_complete=storage_names)
@common
def drives(name: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """List the drives that a storage's account has.

    \b
    pluton-rclone drives work
    """
    output, storage = Output(as_json), open_storages(config, binary)[name]
    with storage.graph() as graph:
        found = graph.drives()
    if as_json:
        output.result(
            [
                {
                    "id": each.id,
                    "name": each.name,
                    "type": each.type,
                    "owner": each.owner,
                    "web_url": each.web_url,
                }
                for each in found
            ]
        )
        return
    output.table(
        ("Name", "Type", "Owner", "Id", "Address"),
        [(d.name, human_drive_type(d.type), d.owner, d.id, d.web_url) for d in found],
    )
    for note in found.notes:
        output.say(f"note: {note}")


@click.command()
@click.argument("name", shell_complete=storage_names)
@click.argument("term", default="*")
@common
def sites(name: str, term: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Search the SharePoint sites that an account can reach.

    TERM is a part of their name.

    \b
    pluton-rclone sites work backup
    """
    output, storage = Output(as_json), open_storages(config, binary)[name]
    with storage.graph() as graph:
        found = graph.sites(term)
    if as_json:
        output.result(
            [{"id": site.id, "name": site.name, "web_url": site.web_url} for site in found]
        )
        return
    if not found:
        raise UsageError(f"No site matches {term!r}.")
    output.table(("Name", "Address"), [(site.name, site.web_url) for site in found])
