"""The command `connect`: the guide's walk at a terminal, by questions or by options."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from pluton_rclone.errors import ItemNotFound, UsageError
from pluton_rclone.setup.connect import DriveKind, StorageSetup
from pluton_rclone.values.units import human_bytes, human_drive_type

from . import ask
from .context import FILE, Context, command, flag, valued
from .output import Output
from .signing import METHODS, Method, sign_in
from .storages import print_step
from .transfers import SURE, confirm
from .values import parse_settings

if TYPE_CHECKING:
    from pluton_rclone.connection.report import Step
    from pluton_rclone.microsoft.entra.app import AppRegistration
    from pluton_rclone.microsoft.entra.scopes import Place
    from pluton_rclone.microsoft.graph.drives import Drive

TYPES: dict[DriveKind, str] = {
    "personal": "OneDrive Personal: your own OneDrive storage",
    "business": "OneDrive for Business: your work or school OneDrive",
    "sharepoint": "SharePoint document library: the files of a site or team",
}


CLIENT_ID = valued(
    "--client-id", "ID", "The app registration. [default: PLUTON_ONEDRIVE_CLIENT_ID]"
)


REMOTE_NAME = valued(
    "--remote-name",
    "NAME",
    "The remote's name in rclone.conf. [default: made from the friendly name]",
)


@command()
@click.argument("name", required=False)
@REMOTE_NAME
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="How to sign in: browser on this machine; device, a code typed elsewhere; app, without "
    "any person; rclone, through rclone's own registration; token, pasted on stdin. [default: "
    "browser]",
)
@click.option(
    "--type", "kind", type=click.Choice(list(TYPES)), help="The drive type. [default: asked]"
)
@valued("--site", "URL", "A SharePoint site, library or folder, as the browser shows its address.")
@valued("--drive drive_id", "ID", "The drive, if there are several.")
@valued("--user", "NAME", "With --method app: whose OneDrive, by user name.")
@valued(
    "--base-folder", "PATH", "The folder of the drive that the storage starts from.", default=""
)
@flag("--read-only", help="Ask for permission to read only.")
@CLIENT_ID
@valued("--client-secret-file", "FILE", "Holds the client secret.", type=FILE)
@valued("--certificate", "FILE", "A client certificate, PEM or PFX.", type=FILE)
@click.option("--tenant", help="An id, a domain, organizations or consumers. [default: common]")
@click.option(
    "--region",
    type=click.Choice(["global", "us", "de", "cn"]),
    help="The Microsoft cloud. [default: global]",
)
@valued(
    "--set settings",
    "OPTION=VALUE",
    "An option of the remote, e.g. chunk_size=20Mi, or secret_expires=2027-03-31, the day on "
    "which its client secret expires.",
    multiple=True,
)
def connect(
    ctx: Context,
    name: str | None,
    remote_name: str | None,
    method: Method | None,
    kind: DriveKind | None,
    site: str | None,
    drive_id: str | None,
    user: str | None,
    base_folder: str,
    read_only: bool,
    client_id: str | None,
    client_secret_file: Path | None,
    certificate: Path | None,
    tenant: str | None,
    region: str | None,
    settings: tuple[str, ...],
) -> None:
    """Connect a OneDrive and save it as a storage.

    NAME is of your choice. Signs in with Microsoft, finds the drive, tests the connection, and
    saves it to rclone.conf only if the test passed. At a terminal, what is not given is asked.
    Secrets are read from files, PLUTON_ONEDRIVE_CLIENT_SECRET, or stdin.

    \b
    pluton-rclone connect
    pluton-rclone connect work --type business --set chunk_size=20Mi --set hard_delete=true
    pluton-rclone connect team --site https://contoso.sharepoint.com/sites/Backups
    pluton-rclone connect server --method device
    """
    output, storages = ctx.output, ctx.new_storages
    options = parse_settings(settings)
    base_folder = options.pop("base_folder", base_folder)
    # What is impossible is said before the sign-in, not after it.
    if method == "app" and kind != "sharepoint" and not (user or site or drive_id):
        raise UsageError(
            "Whose OneDrive, or which library?",
            why="an application signs in for itself: there is no person whose drive it could be",
            advice="Give --user NAME, --site URL or --drive ID.",
        )
    friendly = name or ask.text(
        output, "Storage name", option="NAME", default="OneDrive Backups", check=storages.free_name
    )
    storages.free_name(friendly, remote_name)
    app = registration(client_id, tenant, region, client_secret_file, certificate)
    setup = StorageSetup(app, access="read" if read_only else "write")
    setup.name = friendly
    if site:
        setup.check_address(site)
        kind = kind or "sharepoint"
    if kind:
        setup.choose_type(kind)
    setup.set_options(**options)
    output.say(f"Add storage: {friendly}")
    place: Place = "sharepoint" if kind == "sharepoint" else "own"
    sign_in(setup, method or default_method(setup, output), output, place=place, confirm=True)
    drive = locate(setup, output, kind, site, drive_id, user, base_folder)
    room = f", {human_bytes(drive.quota.remaining)} free" if drive.quota.state == "known" else ""
    folder = f", folder {setup.folder}" if setup.folder else ""
    output.say(f"Drive: {drive.name} ({human_drive_type(drive.type)}{room}){folder}")
    if name is None and not settings:
        ask_options(setup, output)
    save(ctx, setup, remote_name)


def save(ctx: Context, setup: StorageSetup, remote_name: str | None) -> None:
    """Tests the connection and saves the storage; both are told."""

    def step_done(step: Step) -> None:
        ctx.output.line({"step": step.record()})
        sys.stdout.flush()
        print_step(ctx.output, step)

    ctx.output.say("Test connection:")
    storage = setup.save(ctx.new_storages, on_step=step_done, remote_name=remote_name)
    ctx.output.result(storage.record())
    where = f"the remote {storage.remote_name!r} in {ctx.new_storages.path}"
    ctx.output.say(f"Saved as {where}")
    if ask.interactive(ctx.output) and not ctx.new_storages.conf.is_encrypted():
        ctx.output.say("Its token is not encrypted there: pluton-rclone encrypt does that")


@command(name="import")
@click.argument("name")
@click.argument("file", type=click.File(), required=False)
@REMOTE_NAME
@SURE
def import_(
    ctx: Context, name: str, file: TextIO | None, remote_name: str | None, yes: bool
) -> None:
    """Save a OneDrive remote that was made elsewhere as the storage NAME.

    FILE is an rclone.conf with one OneDrive remote, what `export` or `rclone config show` printed,
    or a token; without it, paste that (- is stdin). What becomes of it is shown first.

    \b
    pluton-rclone import work rclone.conf
    ssh old-machine pluton-rclone export work | pluton-rclone import work - --yes
    """
    output = ctx.output
    remote = ctx.new_storages.free_name(name, remote_name)
    setup = StorageSetup(registration(None, None, None, None, None))
    setup.name = name
    text = file.read() if file else ask.paste(output, "Paste the remote, or the token")
    account, drive = setup.use_token(text), setup.chosen_drive
    if drive is None:  # a token alone
        drive = locate(setup, output, None, None, None, None, "")
    output.say(f"Account      {account}")
    output.say(f"Drive        {drive.name} ({human_drive_type(drive.type)})")
    output.say(f"Base folder  {setup.folder or 'none: the whole drive'}")
    output.say(f"Names        {name!r} for people, {remote!r} in {ctx.new_storages.path}")
    confirm(output, yes, "Save it so?", advice="Add --yes if that is meant.")
    save(ctx, setup, remote)


def registration(
    client_id: str | None,
    tenant: str | None,
    region: str | None,
    secret_file: Path | None,
    certificate: Path | None,
) -> AppRegistration | None:
    """The registration of the options, or of the environment; None if neither names one."""
    from pluton_rclone.microsoft.clouds import cloud, refuse_rclone_registration
    from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate

    environment = dict(os.environ)
    named = "PLUTON_ONEDRIVE_CLIENT_ID"
    if client_id and environment.get(named, client_id) != client_id:
        environment = {}  # its secret is another registration's
    found = AppRegistration.from_environment(
        {**environment, named: client_id} if client_id else environment
    )
    if found is None:
        refuse_rclone_registration(cloud(region or "global"), tenant or "common")
        if secret_file is not None or certificate is not None:
            raise UsageError(
                "A client secret or certificate belongs to an app registration, and none is given.",
                advice="Give its id with --client-id as well.",
            )
        return None
    changes: dict[str, Any] = {"tenant": tenant, "region": region}
    if secret_file is not None:
        changes["client_secret"] = ask.secret_in(secret_file)
    if certificate is not None:
        password = os.environ.get("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD")
        changes["certificate"] = Certificate(certificate, password or None)
    return replace(found, **{key: value for key, value in changes.items() if value is not None})


def default_method(setup: StorageSetup, output: Output) -> Method:
    """A browser with a registration of one's own; without one, rclone's."""
    if setup.has_app:
        return "browser"
    output.say("No app registration is given: signing in through rclone's own.")
    return "rclone"


def locate(
    setup: StorageSetup,
    output: Output,
    kind: DriveKind | None,
    site: str | None,
    drive_id: str | None,
    user: str | None,
    base_folder: str,
) -> Drive:
    """The drive that the options name, the only one, or the one that the person chooses."""
    if setup.chosen_drive is not None:  # a pasted remote brought it along
        drive = setup.chosen_drive
        return setup.choose_drive(drive, base_folder) if base_folder else drive
    if drive_id:
        return setup.choose_drive(drive_id, base_folder)
    if user:
        return setup.choose_drive(setup.user_drive(user), base_folder)
    chosen_kind = kind or ask_type(setup, output)
    if setup.choose_type(chosen_kind):
        output.say("SharePoint needs further permissions: Microsoft asks for them now.")
        sign_in(setup, "browser" if setup.has_app else "rclone", output, place="sharepoint")
    if site:
        setup.choose_address(site)
    elif chosen_kind == "sharepoint":
        setup.choose_drive(pick_library(setup, output), setup.folder)
    else:
        drives = setup.drives_of(chosen_kind)
        found = [(f"{one.name}  {one.owner}  {one.web_url}  {one.id}", one) for one in drives]
        setup.choose_drive(ask.only_or_chosen(output, "Drive", found, option="--drive"))
    assert setup.chosen_drive is not None
    drive = setup.chosen_drive
    return setup.choose_drive(drive, base_folder) if base_folder else drive


def ask_type(setup: StorageSetup, output: Output) -> DriveKind:
    """The drive type that a person chooses; without one, the type that suits the account."""
    suggested = setup.suggested_type()
    if not ask.interactive(output):
        return suggested
    default = list(TYPES).index(suggested) + 1
    labels = [(label, kind) for kind, label in TYPES.items()]
    return ask.choose(output, "Drive type", labels, option="--type", default=default)


def ask_options(setup: StorageSetup, output: Output) -> None:
    """Advanced options, one a line, until an empty line; a wrong one is told and asked again."""

    def keep(setting: str) -> None:
        setup.set_options(**parse_settings((setting,) if setting else ()))

    output.say(
        "Advanced options, for example chunk_size=20Mi; `pluton-rclone options` explains each."
    )
    while ask.text(output, "OPTION=VALUE (Return: go on)", option="--set", default="", check=keep):
        pass


def pick_library(setup: StorageSetup, output: Output) -> Drive:
    """A library of a site that a word finds, or the one that a pasted address leads to."""
    question = "Site: a part of its name, its address, or * for all"
    while True:
        term = ask.text(output, question, option="--site", default="*")
        try:
            if "://" in term:
                return setup.choose_address(term).drive
            sites = setup.sites(term)
        except (UsageError, ItemNotFound) as error:
            output.error(error)
            continue
        if sites:
            break
        output.say(f"No site matches {term!r}.")
    labels = [(f"{site.name}  {site.web_url}", site) for site in sites]
    site = ask.only_or_chosen(output, "Site", labels, option="--site")
    choices = [(f"{drive.name}  {drive.web_url}", drive) for drive in setup.libraries(site)]
    return ask.only_or_chosen(output, "Document library", choices, option="--site")
