"""The command `connect`: the guide's walk at a terminal, asked step by step or given by options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

import click

from ..connect import DriveKind, StorageSetup
from ..errors import UsageError
from ..units import human_bytes
from .app import common
from .output import Output
from .storages import open_storages, print_step

if TYPE_CHECKING:
    from ..microsoft.app import AppRegistration
    from ..microsoft.device_code import DeviceCode
    from ..microsoft.drives import Drive

METHODS = ("browser", "device", "token")


@click.command()
@click.argument("name")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="browser",
    show_default=True,
    help="How to sign in: in a browser on this machine; by a code typed on another device; or with a token pasted on stdin.",
)
@click.option(
    "--type",
    "kind",
    type=click.Choice(get_args(DriveKind)),
    help="The drive type. [default: what the account has]",
)
@click.option("--drive", "drive_id", metavar="ID", help="The drive, when there are several.")
@click.option("--client-id", metavar="ID", help="The app registration. [default: PLUTON_ONEDRIVE_CLIENT_ID]")
@click.option(
    "--tenant", help="The registration's tenant: an id, a domain, organizations, consumers. [default: common]"
)
@click.option(
    "--region", type=click.Choice(["global", "us", "de", "cn"]), help="The Microsoft cloud. [default: global]"
)
@click.option(
    "--set",
    "settings",
    metavar="OPTION=VALUE",
    multiple=True,
    help="An option of the remote, e.g. chunk_size=20Mi.",
)
@common
def connect(
    name: str,
    method: str,
    kind: DriveKind | None,
    drive_id: str | None,
    client_id: str | None,
    tenant: str | None,
    region: str | None,
    settings: tuple[str, ...],
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Connect a OneDrive and save it as the storage NAME, a name of your choice.

    Signs in with Microsoft, finds the drive, tests the connection, and saves it to rclone.conf only when the test passed.

    \b
    pluton-rclone connect "OneDrive Personal Backups"
    pluton-rclone connect work --type business --set chunk_size=20Mi --set hard_delete=true
    pluton-rclone connect server --method device
    """
    output, storages = Output(as_json), open_storages(config, binary)
    options = parse_settings(settings)
    storages.free_name(name)  # a name that is taken is told before the sign-in, not after it
    setup = StorageSetup(registration(client_id, tenant, region))
    output.say(f"Add storage: {name}")
    sign_in(setup, method, output)
    chosen = choose_drive(setup, kind, drive_id, output)
    room = f", {human_bytes(chosen.quota.remaining)} free" if chosen.quota.state == "known" else ""
    output.say(f"Drive: {chosen.name} ({chosen.type}{room})")
    remote = setup.remote(chosen, **options)
    output.say("Test connection:")
    storage = setup.save(storages, name, remote, lambda step: print_step(output, step))
    if as_json:
        output.result(storage.record())
    output.say(f"Saved as the remote {storage.remote_name!r} in {storages.path}")


def registration(client_id: str | None, tenant: str | None, region: str | None) -> AppRegistration | None:
    """The registration that the options name; None leaves it to the environment."""
    from dataclasses import replace

    from ..microsoft.app import AppRegistration

    found = AppRegistration(client_id) if client_id else AppRegistration.from_environment()
    if found is None:
        return None
    if tenant:
        found = replace(found, tenant=tenant)
    return replace(found, region=region) if region else found


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """OPTION=VALUE pairs as options of the remote. UsageError for what is none, or a secret."""
    import difflib

    from ..remote.options import BY_NAME

    given: dict[str, Any] = {}
    for setting in settings:
        option, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} is no OPTION=VALUE.")
        if option == "base_folder":
            given[option] = value
            continue
        if option not in BY_NAME:
            near = difflib.get_close_matches(option, BY_NAME, n=1)
            raise UsageError(f"There is no option {option!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
        if BY_NAME[option].kind == "secret":
            raise UsageError(
                f"{option} is secret: on a command line everybody on this machine could read it."
            )
        given[option] = tuple(value.split()) if BY_NAME[option].kind == "list" else value
    return given


def sign_in(setup: StorageSetup, method: str, output: Output) -> None:
    """Signs in and says who it was."""
    if method == "browser":
        output.say(
            "Authorize with OneDrive: Microsoft asks to read and write your files, and to stay connected."
        )
        account = setup.sign_in_with_browser(
            show_address=lambda url, opened: _show_address(output, url, opened)
        )
    elif method == "device":
        account = setup.sign_in_with_device_code(show=lambda code: _show_code(output, code))
    else:
        if sys.stdin.isatty():
            output.say("Paste what `rclone authorize onedrive` printed, then Ctrl-D:")
        account = setup.use_token(sys.stdin.read())
    output.say(f"Signed in as {account}")


def _show_address(output: Output, url: str, opened: bool) -> None:
    output.say("A browser window has opened; waiting for you there." if opened else "No browser opened here.")
    output.say(f"  If you see none, open this address on this machine:\n  {url}")


def _show_code(output: Output, code: DeviceCode) -> None:
    if output.as_json:
        output.line(
            {"verification_uri": code.verification_uri, "user_code": code.user_code, "expires": code.expires}
        )
        sys.stdout.flush()
    output.say(f"On any device, open {code.verification_uri} and type the code {code.user_code}")


def choose_drive(setup: StorageSetup, kind: DriveKind | None, drive_id: str | None, output: Output) -> Drive:
    """The drive named by the options, the only one there is, or the one that the person picks."""
    if drive_id:
        return setup.drive(drive_id)
    drives = setup.drives_of(kind or setup.suggested_type())
    if len(drives) == 1:
        return drives[0]
    if not sys.stdin.isatty() or output.as_json:
        names = ", ".join(f"{drive.name} ({drive.id})" for drive in drives)
        raise UsageError(
            f"There are {len(drives)} such drives.", why=names, advice="Choose one with --drive ID."
        )
    for number, drive in enumerate(drives, 1):
        output.say(f"  {number}  {drive.name}  {drive.owner}  {drive.web_url}")
    picked = click.prompt("Which drive", type=click.IntRange(1, len(drives)), err=True)
    return drives[int(picked) - 1]
