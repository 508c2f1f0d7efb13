"""Commands that look things up: `errors`, `options`, `versions`, `inspect`, `doctor`, `schema`."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import ConfigError, PlutonRcloneError, RemoteError
from pluton_rclone.values.units import counted

from .app import common
from .output import Output, tell
from .records import RECORDS, schema_of
from .storages import new_storages, open_storages, storage_names
from .values import unknown_option

if TYPE_CHECKING:
    from pluton_rclone.conf.conf import Conf
    from pluton_rclone.remote.options import Option

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("text", required=False, default="", metavar="[CODE]")
@JSON
def errors(text: str, as_json: bool) -> None:
    """Explain Microsoft's sign-in errors.

    All of them, or the one in CODE, which may be a whole message.

    \b
    pluton-rclone errors AADSTS700082
    pluton-rclone errors "AADSTS65001: The user or administrator has not consented …"
    """
    from pluton_rclone.errors import UsageError
    from pluton_rclone.microsoft.entra.known_errors import look_up

    output, rows = Output(as_json), look_up(text)
    if not rows:
        raise UsageError(
            f"{text!r} is no error that is known here.", advice="Without CODE, all are listed."
        )
    if as_json:
        output.result(
            [
                {
                    "code": row.code,
                    "name": row.name,
                    "error": row.error,
                    "suberror": row.suberror,
                    "exception": row.exception.__name__,
                    "who": row.who.value,
                    "meaning": row.meaning,
                    "advice": row.advice,
                    "link": row.link,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        tell(f"{row.code}  {row.error}  {row.exception.__name__}")
        tell(f"    {row.meaning}")
        tell(f"    Who: {row.who}. What to do: {row.advice}\n")


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--schema", is_flag=True, help="The JSON Schema that a form can be drawn from.")
@JSON
def options(name: str | None, schema: bool, as_json: bool) -> None:
    """Explain every option of a OneDrive remote, or the one called NAME.

    What it does, its default, its choices, the first rclone with it.

    \b
    pluton-rclone options
    pluton-rclone options chunk_size
    pluton-rclone options --schema > onedrive.schema.json
    """
    from pluton_rclone.remote.options import BY_NAME
    from pluton_rclone.remote.schema import remote_schema

    output, properties = Output(as_json), remote_schema()["properties"]
    if name is not None and name not in properties:
        raise unknown_option(name)
    if schema or as_json:
        output.result(remote_schema() if name is None else {name: properties[name]})
        return
    for option in BY_NAME.values() if name is None else [BY_NAME[name]]:
        explain(option)


def explain(option: Option) -> None:
    """One option, in full."""
    since = f"rclone {'.'.join(map(str, option.since[:2]))} and later"
    if option.group == "pluton":
        since = "kept beside rclone's options"
    tell(f"{option.name}  {option.title} ({option.group}, {option.kind}, {since})")
    tell(f"    {option.help}")
    if option.choices:
        tell("    " + "; ".join(f"{choice.value}: {choice.label}" for choice in option.choices))
    tell(f"    Default: {option.default or 'none'}\n")


@click.command()
@click.argument("binaries", nargs=-1, metavar="[RCLONE]...")
@JSON
def versions(binaries: tuple[str, ...], as_json: bool) -> None:
    """Show what rclone binaries know, and how they differ.

    \b
    pluton-rclone versions
    pluton-rclone versions /usr/bin/rclone /opt/rclone-1.75/rclone
    """
    from pluton_rclone.rclone.binary import find_binary
    from pluton_rclone.remote.versions import Known, drift, table

    found = [find_binary(binary) for binary in binaries or [None]]
    known = [Known.parse(binary.version, binary.providers()) for binary in found]
    rows, output = table(known), Output(as_json)
    if as_json:
        output.result(
            {"table": rows, "drift": {str(binary.version): drift(binary) for binary in known}},
        )
        return
    output.table(rows[0], rows[1:])
    for binary in known if len(known) == 1 else ():
        for line in drift(binary):
            output.say(f"differs from what this library knows: {line}")


@click.command()
@click.argument("name", required=False, shell_complete=storage_names)
@common
def inspect(name: str | None, config: str | None, binary: str | None, as_json: bool) -> None:
    """Find what is wrong with the remotes in rclone.conf.

    Whoever made them, and how to mend each. Exit code 5 when something does not work; warnings
    alone leave it 0.

    \b
    pluton-rclone inspect
    pluton-rclone inspect work --json
    """
    output, storages = Output(as_json), open_storages(config, binary)
    looked_at = [storages[name].remote_name] if name else []
    found = storages.conf.inspect(*looked_at, version=storages.binary.version)
    if as_json:
        output.result([finding.__dict__ for finding in found])
    for finding in found:
        output.say(
            f"{finding.severity:<8} {finding.remote or storages.path.name}: {finding.option}: "
            f"{finding.what}"
        )
        output.say(f"         {finding.advice}")
    broken = [finding for finding in found if finding.severity == "error"]
    if broken:
        raise RemoteError(
            f"{counted(len(broken), 'fault')} found in {storages.path}.",
            advice="Mend each as it says.",
        )
    output.say(
        f"{counted(len(looked_at or storages.conf.names()), 'remote')} looked at, "
        f"{counted(len(found), 'warning')}"
    )


@click.command()
@common
def doctor(config: str | None, binary: str | None, as_json: bool) -> None:
    """Say everything about this machine that a bug report needs. It holds no secret.

    \b
    pluton-rclone doctor --json
    """
    facts = machine(config, binary)
    if as_json:
        Output(as_json).result(facts)
        return
    for name, value in facts.items():
        tell(f"{name:<20} {value}")


@click.command()
@click.argument("command", type=click.Choice(list(RECORDS)), metavar="COMMAND")
def schema(command: str) -> None:
    """Print the JSON Schema of what a command prints with --json.

    Of each line, where it prints several.

    \b
    pluton-rclone schema copy
    """
    Output(as_json=True).result(schema_of(command))


def file_state(conf: Conf) -> str:
    """Of an rclone.conf: whether it is there, and encrypted."""
    if not conf.path.exists():
        return "not there yet"
    return "encrypted" if conf.is_encrypted() else "plain"


def machine(config: str | None, binary: str | None) -> dict[str, Any]:
    """The facts that `doctor` prints."""
    import os
    from importlib import metadata

    facts: dict[str, Any] = {
        "pluton-rclone": metadata.version("pluton-rclone"),
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package in ("msal", "pydantic", "requests", "rclone-python"):
        facts[package] = metadata.version(package)
    try:
        storages = new_storages(config, binary)
        facts["rclone"] = f"{storages.binary.version} ({storages.binary.path})"
    except PlutonRcloneError as error:
        facts["rclone"] = str(error)
    try:
        storages = new_storages(config, binary)
        kinds = list(storages.conf.remotes().values())
        facts["rclone.conf"] = f"{storages.path}, {file_state(storages.conf)}"
        facts["remotes"] = f"{len(kinds)}, {kinds.count('onedrive')} of them OneDrive"
        storages.conf.check_writable()
    except ConfigError as error:
        facts["rclone.conf fault"] = str(error)
    proxies = (
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
    )
    # Set or not, never the value: a proxy's address may hold a password.
    facts["network variables"] = (
        ", ".join(name for name in proxies if os.environ.get(name)) or "none"
    )
    facts["rclone variables"] = (
        ", ".join(sorted(name for name in os.environ if name.startswith("RCLONE_"))) or "none"
    )
    return facts
