"""The command `connect`: the guide's setup at a terminal, by questions or by options."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from pluton_rclone.connection.report import Step
from pluton_rclone.errors import (
    AccessDenied,
    AccountError,
    ConsentRequired,
    DriveNotFound,
    GraphError,
    ItemNotFound,
    OptionInvalid,
    RegistrationError,
    SitesPermissionMissing,
    TokenInvalid,
    UsageError,
)
from pluton_rclone.microsoft.clouds import CLOUDS
from pluton_rclone.microsoft.entra.app import ID
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.remote.rules import drive_id_fault
from pluton_rclone.setup.connect import DRIVE_TYPES, DriveKind, StorageSetup
from pluton_rclone.values.units import human_bytes, human_drive_type

from . import ask
from .ask import METHOD, Method, sign_in, usual_method
from .context import FILE, Context, command, flag, valued
from .output import VARIABLES, Output, ours
from .storages import print_step
from .transfers import SURE, confirm
from .values import GIVEN, contradiction, parse_settings, refuse_contradictions
from .wanted import Wanted, refuse_another, registration

TYPES: dict[DriveKind, str] = {
    "personal": "OneDrive Personal: your own OneDrive storage",
    "business": "OneDrive for Business: your work or school OneDrive",
    "sharepoint": "SharePoint document library: the files of a site or team",
}
APP = "The app registration's client id. [default: PLUTON_ONEDRIVE_CLIENT_ID]"
CLIENT_ID = valued("--client-id", "ID", APP, type=GIVEN)
MADE = "The remote's name in rclone.conf. [default: made from the friendly name]"
REMOTE_NAME = valued("--remote-name", "NAME", MADE)
_ANOTHER = (
    *(UsageError, OptionInvalid, AccountError, AccessDenied, DriveNotFound, ItemNotFound),
    ConsentRequired,  # all that can be asked for is granted: this account may not open it
)
"""Errors about an address or a site for which another one may help."""
_ADDRESS = re.compile(r"://|\.sharepoint\.|^\S+\.[a-z]+/", re.IGNORECASE)
"""Matches addresses, even if typed incompletely, but not part of a site's name."""
SITE = "The address of a SharePoint site, library or folder, as the browser shows it."
SETTING = "An option of the remote: see `options`; e.g. chunk_size=20Mi, secret_expires=2027-03-31."
HOW = (
    "How to sign in: browser, on this machine; device, a code typed elsewhere; app, without a "
    "person; rclone, with rclone's own registration; token, pasted on stdin. [default: app with "
    "--user or --certificate, rclone without a client id, else browser]"
)
# Options of one row exclude each other.
CONTRADICTIONS = (
    ("--site", "--drive", "--user"),
    ("--base-folder", "--set base_folder"),
    ("--client-secret-file", "--certificate"),
    ("--method rclone", "--client-id"),
    ("--method rclone", "--client-secret-file"),
    ("--method rclone", "--certificate"),
    *(("--type personal", one) for one in ("--method app", "--user", "--certificate")),
    ("--type personal", "--tenant organizations"),
    ("--tenant consumers", "--type business", "--type sharepoint"),
    *(("--type personal", f"--region {region}") for region in CLOUDS if region != "global"),
    *(("--user", f"--method {method}") for method in ("browser", "device", "rclone", "token")),
    *(("--certificate", f"--method {method}") for method in ("browser", "device", "token")),
)


@command(click.argument("name", required=False), REMOTE_NAME)
@valued("--method", None, HOW, type=METHOD)
@valued("--type kind", None, "The drive type. [default: asked]", type=click.Choice(list(TYPES)))
@valued("--site", "URL", SITE, type=GIVEN)
@valued("--drive drive_id", "ID", "The drive, if there are several.", type=GIVEN)
@valued("--user", "NAME", "With --method app: the user name of the OneDrive's owner.", type=GIVEN)
@valued("--base-folder", "PATH", "The folder on the drive where the storage starts.", default="")
@flag("--read-only", help="Ask for read permission only.")
@CLIENT_ID
@valued("--client-secret-file", "FILE", "A file with the client secret.", type=FILE)
@valued("--certificate", "FILE", "A client certificate, PEM or PFX.", type=FILE)
@click.option("--tenant", help="An id, a domain, organizations or consumers. [default: common]")
@valued("--region", None, "The Microsoft cloud. [default: global]", type=click.Choice([*CLOUDS]))
@valued("--set settings", "OPTION=VALUE", SETTING, multiple=True)
def connect(
    ctx: Context,
    name: str | None,
    remote_name: str | None,
    method: Method | None,
    read_only: bool,
    settings: tuple[str, ...],
    **given: Any,
) -> None:
    """Connect a OneDrive and save it as a storage.

    NAME can be any name. Signs in with Microsoft, finds the drive, tests the connection, and saves
    it to rclone.conf only if the test passed. At a terminal, asks for what is missing.
    Secrets are read from files, PLUTON_ONEDRIVE_CLIENT_SECRET, or stdin.

    \b
    pluton-rclone connect
    pluton-rclone connect work --type business --set chunk_size=20Mi --set hard_delete=true
    pluton-rclone connect team --site https://contoso.sharepoint.com/sites/Backups
    pluton-rclone connect server --method device
    """
    output, storages = ctx.output, ctx.new_storages
    refuse_contradictions(*CONTRADICTIONS)
    options, wanted = parse_settings(settings), Wanted(**given)
    if method is None and (wanted.user or wanted.certificate):
        method = "app"
    app = registration(wanted, may_come=method == "token")
    if wanted.base_folder:
        options["base_folder"] = wanted.base_folder
    # Impossible combinations are reported before the sign-in.
    drive_id = wanted.drive_id or ""
    if wanted.kind and drive_id_fault(drive_id, DRIVE_TYPES[wanted.kind]):
        raise contradiction(f"--type {wanted.kind}", f"--drive {drive_id}")
    placed, library = wanted.site or wanted.drive_id or wanted.user, wanted.kind == "sharepoint"
    if method == "app" and not (library or placed):
        raise UsageError(
            "Whose OneDrive, or which library?",
            why="an application signs in for itself: there is no person whose drive it could be",
            advice="Give --user NAME, --site URL or --drive ID.",
        )
    if library and not placed and method != "token" and not ask.interactive(output):
        advice = "Give --site URL, as the browser shows it, or --drive ID."
        raise UsageError("Which library?", advice=advice)
    friendly = name or ask.text(
        output, "Storage name", option="NAME", default="OneDrive Backups", check=storages.free_name
    )
    friendly = friendly.removesuffix(":")  # NAME: is the form in other commands
    storages.free_name(friendly, remote_name)
    setup = StorageSetup(app, access="read" if read_only else "write")
    setup.name = friendly
    likely = setup.check_address(wanted.site) if wanted.site else None
    kind = wanted.kind or likely
    if likely and (kind == "personal") != (likely == "personal"):
        raise contradiction(f"--type {kind}", f"--site {wanted.site}")
    if kind:
        setup.choose_type(kind)
    setup.set_options(**options)
    output.say(f"Add storage: {friendly}")
    if VARIABLES not in ([], [ID]):
        output.say(f"From the environment: {', '.join(VARIABLES)}")
    if method is None and not setup.has_app:
        output.say("No app registration is given: signing in with rclone's own.")
    sign_in(setup, method or usual_method(setup), output, confirm=True)
    refuse_another(setup, app, wanted)
    drive = locate(setup, output, replace(wanted, kind=kind), method)
    if wanted.kind and setup.drive_type != wanted.kind:
        other = "--site" if wanted.site else "--drive" if wanted.drive_id else "what was pasted"
        raise contradiction(f"--type {wanted.kind}", f"{other} ({human_drive_type(drive.type)})")
    room = f", {human_bytes(drive.quota.remaining)} free" if drive.quota.state == "known" else ""
    folder = f", folder {setup.folder}" if setup.folder else ""
    output.say(f"Drive: {drive.name} ({human_drive_type(drive.type)}{room}){folder}")
    if name is None and not settings:
        ask_options(setup, output)
    save(ctx, setup, remote_name)


def save(ctx: Context, setup: StorageSetup, remote_name: str | None) -> None:
    """Test the connection, and save the storage; report both."""

    def step_done(step: Step) -> None:
        ctx.output.line({"step": step.record()})
        print_step(ctx.output, step)

    ctx.output.say("Test connection:")
    storage = setup.save(ctx.new_storages, on_step=step_done, remote_name=remote_name)
    ctx.output.result(storage.record())
    ctx.output.say(f"Saved as the remote {storage.remote_name!r} in {ctx.new_storages.path}")
    if ask.interactive(ctx.output) and not ctx.new_storages.conf.is_encrypted():
        ctx.output.say(f"Its token is not encrypted there; to encrypt it, run: {ours('encrypt')}")


@command(name="import")
@click.argument("name")
@click.argument("file", type=click.File("rb"), required=False)
@valued("--section", "NAME", "The remote in FILE, if there are several. [default: asked]")
@REMOTE_NAME
@SURE
def import_(
    ctx: Context,
    name: str,
    file: BinaryIO | None,
    section: str | None,
    remote_name: str | None,
    yes: bool,
) -> None:
    """Save a OneDrive remote that was made elsewhere as the storage NAME.

    FILE is an rclone.conf, the output of `export` or of `rclone config show`, or a token; without
    FILE, paste one of these (- is stdin). Shows what will be saved first.

    \b
    pluton-rclone import work rclone.conf
    pluton-rclone import work rclone.conf --section old
    ssh old-machine pluton-rclone export work | pluton-rclone import work - --yes
    """
    output, name = ctx.output, name.removesuffix(":")
    if file is None and Path(name).is_file():
        advice = f"The storage's name comes first: {ours('import', 'NAME', name)}"
        raise UsageError(f"{name!r} is a file, and the storage's name is missing.", advice=advice)
    remote = ctx.new_storages.free_name(name, remote_name)
    setup = StorageSetup(registration(Wanted(), may_come=True))
    setup.name = name
    text = ask.text_of(file.read()) if file else ask.paste(output, "Paste the remote, or the token")
    account, drive = setup.use_token(chosen(output, text, section)), setup.chosen_drive
    refuse_another(setup, None, Wanted())
    if drive is None:  # only a token
        drive = locate(setup, output, Wanted())
    output.say(f"Account      {account}")
    output.say(f"Drive        {drive.name} ({human_drive_type(drive.type)})")
    output.say(f"Base folder  {setup.folder or 'none: the whole drive'}")
    output.say(f"Names        {name!r} for people, {remote!r} in {ctx.new_storages.path}")
    confirm(output, yes, "Save this storage?", advice="Add --yes to confirm.")
    save(ctx, setup, remote)


def chosen(output: Output, text: str, section: str | None) -> str:
    """The text of one of several remotes. TokenInvalid if none is named, or it does not exist."""
    from pluton_rclone.microsoft.entra.paste import remotes_in

    found = remotes_in(text)
    if section is None and len(found) < 2:
        return text
    if section is None and ask.interactive(output):
        labels = [(name, name) for name in found]
        section = ask.choose(output, "Remote", labels, option="--section")
    if section not in found:
        what = f"OneDrive remotes with a token in this text: {', '.join(found) or 'none'}."
        raise TokenInvalid(what, advice="Name one of them: --section NAME.")
    return found[section]


def locate(
    setup: StorageSetup, output: Output, wanted: Wanted, method: Method | None = None
) -> Drive:
    """The drive that the options name, the only one, or the one that the person chooses. If that
    needs further permissions, the person signs in again by the same method."""
    if setup.chosen_drive is not None:  # from a pasted remote
        return setup.chosen_drive
    if wanted.drive_id:
        return setup.choose_drive(wanted.drive_id)
    if wanted.user:
        return setup.choose_drive(setup.user_drive(wanted.user))
    again = method if method == "device" else usual_method(setup)
    typed = setup.folder
    if wanted.kind or not ask.interactive(output):
        pick_drive(setup, output, wanted.kind or setup.suggested_type(), wanted.site, again)
    while setup.chosen_drive is None:
        labels = [(label, one) for one, label in TYPES.items()]
        default = list(TYPES).index(setup.suggested_type()) + 1
        kind = ask.choose(output, "Drive type", labels, option="--type", default=default)
        try:
            pick_drive(setup, output, kind, None, again)
        except (GraphError, ConsentRequired, RegistrationError) as error:  # another type may work
            output.error(error)
    if typed:  # takes precedence over the address's own folder
        setup.set_options(base_folder=typed)
    assert setup.chosen_drive is not None
    return setup.chosen_drive


def pick_drive(
    setup: StorageSetup, output: Output, kind: DriveKind, site: str | None, again: Method
) -> None:
    """Choose a drive of this type, by the address of a `site` if given."""
    if setup.choose_type(kind):
        output.say("SharePoint needs further permissions: Microsoft asks for them now.")
        sign_in(setup, again, output)
    if site:
        try:
            setup.choose_address(site)
        except (ConsentRequired, SitesPermissionMissing) as problem:
            if isinstance(problem, SitesPermissionMissing):  # another person's, by its path
                setup.choose_type("sharepoint")
            if not setup.missing_permissions():  # this account may not open it
                raise
            output.say("This folder needs a further permission: Microsoft asks for it now.")
            sign_in(setup, again, output)
            setup.choose_address(site)
    elif kind == "sharepoint":
        setup.choose_drive(pick_library(setup, output), setup.folder)
    else:
        drives = setup.drives_of(kind)
        found = [(f"{one.name}  {one.owner}  {one.web_url}  {one.id}", one) for one in drives]
        setup.choose_drive(ask.choose(output, "Drive", found, option="--drive"))


def ask_options(setup: StorageSetup, output: Output) -> None:
    """Ask for advanced options, one per line, until an empty line; repeat for an invalid one."""

    def keep(setting: str) -> None:
        setup.set_options(**parse_settings((setting,) if setting else ()))

    example = "for example chunk_size=20Mi; `pluton-rclone options` explains each."
    output.say(f"Advanced options, {example}")
    while ask.text(output, "OPTION=VALUE (Return: done)", option="--set", default="", check=keep):
        pass


def pick_library(setup: StorageSetup, output: Output) -> Drive:
    """A library of a site found by a search term, or the one at a pasted address."""
    question = "Site: part of its name, its address, or * for all"
    while True:
        term = ask.text(output, question, option="--site", default="*")
        try:
            if _ADDRESS.search(term):
                return setup.choose_address(term).drive
            sites = setup.sites(term)
            if not sites:
                output.say(f"No site matches {term!r}.")
                continue
            labels = [(f"{site.name}  {site.web_url}", site) for site in sites]
            site = ask.choose(output, "Site", labels, option="--site")
            libraries = setup.libraries(site)
        except SitesPermissionMissing:  # no other answer helps
            raise
        except _ANOTHER as error:
            output.error(error)
            continue
        if libraries:
            choices = [(f"{drive.name}  {drive.web_url}", drive) for drive in libraries]
            return ask.choose(output, "Document library", choices, option="--site")
        none = f"{site.name} has no library that this account can open."
        output.say("\n".join((none, *libraries.notes)))
