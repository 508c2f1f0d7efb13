"""Commands about saved storages: `storages`, `show`, `test`, `export`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pluton_rclone.errors import ConfigNotWritable, ConfigUnreadable, PlutonRcloneError
from pluton_rclone.values.units import human_drive_type

from .app import common
from .output import Output, tell

if TYPE_CHECKING:
    from pluton_rclone.connection.report import Step
    from pluton_rclone.storages.storage import Storage
    from pluton_rclone.storages.storages import Storages


def open_storages(config: str | None, binary: str | None) -> Storages:
    """The storages of `--config`, driven by `--rclone`. ConfigUnreadable when --config names no
    file."""
    storages = new_storages(config, binary)
    if config is not None and not storages.path.exists():
        raise ConfigUnreadable(
            f"There is no file {config}.",
            advice=(
                "Check --config. The first storage makes it: pluton-rclone connect NAME "
                f"--config {config}"
            ),
        )
    return storages


def new_storages(config: str | None, binary: str | None) -> Storages:
    """The same for a file that may have to be made."""
    from pluton_rclone.storages.storages import Storages

    from .advice import NAMED

    class Opened(Storages):
        def __getitem__(self, name: str) -> Storage:
            found = super().__getitem__(name)
            NAMED.add(found.name)
            return found

        def reach(self, name: str) -> Storage:
            found = super().reach(name)
            NAMED.update(each for each in self.below(name) if each != found.remote_name)
            return found

    return Opened(config, binary=binary)


def storage_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What Tab offers for NAME: the remotes, which need no quoting, with their friendly names
    beside them."""
    try:
        found = open_storages(ctx.params.get("config"), None)
        names = [(storage.remote_name, storage.name) for storage in found.values()]
    except PlutonRcloneError:  # an unreadable file: nothing to offer, and no place to say it
        return []
    return [
        CompletionItem(remote, help=name) for remote, name in names if remote.startswith(incomplete)
    ]


@click.command()
@common
def storages(config: str | None, binary: str | None, as_json: bool) -> None:
    """List the OneDrive storages in rclone.conf.

    \b
    pluton-rclone storages
    pluton-rclone storages --json | jq -r '.[].name'
    """
    output, found = Output(as_json), new_storages(config, binary)
    records = [storage.record() for storage in found.values()]
    if as_json:
        output.result(records)
    elif not records:
        where = f" in {found.path}" if found.path.exists() else f": there is no file {found.path}"
        output.say(f"There is no OneDrive storage{where}. Make one: pluton-rclone connect NAME")
    output.table(
        ("Name", "Remote", "Type", "Region", "Account"),
        [
            (
                record["name"],
                record["remote"],
                human_drive_type(record["drive_type"] or "incomplete"),
                record["region"],
                record["account"] or "",
            )
            for record in records
            if not as_json
        ],
    )


@click.command()
@click.argument("name", shell_complete=storage_names)
@common
def show(name: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Show a storage's section of rclone.conf, secrets masked.

    \b
    pluton-rclone show "OneDrive Personal Backups"
    """
    storage = open_storages(config, binary)[name]
    section = storage.masked_section()
    if as_json:
        Output(as_json).result(
            {"name": storage.name, "remote": storage.remote_name, "options": section}
        )
        return
    tell(f"[{storage.remote_name}]")
    for option, value in section.items():
        tell(f"{option} = {value}")


@click.command()
@click.argument("name", shell_complete=storage_names)
@common
def test(name: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Test the connection of a storage, step by step.

    Token, drive, clock, listing, writing, room. A small file is written, read back and deleted
    again.

    \b
    pluton-rclone test "OneDrive Personal Backups"
    pluton-rclone test work --json
    """
    output = Output(as_json)
    report = open_storages(config, binary)[name].test(on_step=lambda step: print_step(output, step))
    if as_json:
        output.result(report.record())
    report.raise_for_failure()


MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


def print_step(output: Output, step: Step) -> None:
    """One line of a connection test, as it happens."""
    output.say(f"  {MARKS[step.status]:<8} {step.title:<18} {step.text}  ({step.seconds:.1f} s)")


@click.command()
@click.argument("name", shell_complete=storage_names)
@click.option(
    "--as-environment",
    is_flag=True,
    help="RCLONE_CONFIG_* variables for a container instead of a file.",
)
@click.option(
    "--output", "path", metavar="FILE", help="Write there, readable by you alone. [default: stdout]"
)
@common
def export(
    name: str,
    as_environment: bool,
    path: str | None,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Print a storage as an rclone.conf of its own, with secrets.

    For a container, or another machine.

    \b
    pluton-rclone export work --output rclone.conf
    """
    from pluton_rclone.conf.export import as_conf
    from pluton_rclone.conf.export import as_environment as environment_of

    output, storage = Output(as_json), open_storages(config, binary)[name]
    section = storage.section_with_secrets()
    record: dict[str, Any] = {
        "remote": storage.remote_name,
        "text": None,
        "variables": None,
        "warnings": [],
    }
    if as_environment:
        exported = environment_of(storage.remote_name, section)
        record |= {"variables": exported.variables, "warnings": list(exported.warnings)}
        data = "".join(f"{key}={value}\n" for key, value in exported.variables.items()).encode()
    else:
        data = as_conf(storage.remote_name, section)
        record["text"] = data.decode()
    for warning in record["warnings"]:
        output.say(f"Mind: {warning}")
    if path is not None:
        write_secret(path, data)
        record |= {"text": None, "variables": None}
        output.say(f"Written to {path}; whoever reads it can read and write the drive.")
    elif not as_json:
        sys.stdout.buffer.write(data)
    if as_json:
        output.result({**record, "written": path})


def write_secret(path: str, data: bytes) -> None:
    """A new file, never one that is there: it is a secret, and an older one may hold the newer
    token."""
    import os

    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise ConfigNotWritable(
            f"{path} cannot be written.", why=error.strerror, advice="Name a new file."
        ) from None
