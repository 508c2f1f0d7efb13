"""Commands about saved storages: `storages`, `show`, `test`, `export`, `encrypt`."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pluton_rclone.conf import keyrings
from pluton_rclone.conf.environment import from_command
from pluton_rclone.conf.export import as_conf
from pluton_rclone.conf.export import as_environment as environment_of
from pluton_rclone.connection.report import ConnectionReport, Step
from pluton_rclone.errors import ConfigNotWritable
from pluton_rclone.process.system import new_private_file
from pluton_rclone.values.units import human_drive_type

from . import ask
from .complete import NAME
from .context import FILE, Context, command, flag, needs, valued
from .output import Output, ours, tell, tell_bytes
from .values import refuse_contradictions


@command()
def storages(ctx: Context) -> None:
    """List the OneDrive storages in rclone.conf.

    \b
    pluton-rclone storages
    pluton-rclone storages --json | jq -r '.[].name'
    """
    output, found = ctx.output, ctx.new_storages
    records = [storage.record() for storage in found.values()]
    if output.result(records):
        return
    if not records:
        where = f" in {found.path}" if found.conf.exists() else f": there is no file {found.path}"
        output.say(f"There is no OneDrive storage{where}. Connect one: {ours('connect', 'NAME')}")
    for one in records:
        one["drive_type"] = human_drive_type(one["drive_type"] or "incomplete")
    members = ("name", "remote", "drive_type", "region", "account")
    rows = [[one[name] or "" for name in members] for one in records]
    output.table(("Name", "Remote", "Type", "Region", "Account"), rows)


@command(NAME)
def show(ctx: Context, name: str) -> None:
    """Show a storage's section of rclone.conf, secrets masked.

    \b
    pluton-rclone show "OneDrive Personal Backups"
    """
    storage = ctx.storage(name)
    section, remote = storage.masked_section(), storage.remote_name
    if not ctx.output.result({"name": storage.name, "remote": remote, "options": section}):
        tell(f"[{remote}]")
        for option, value in section.items():
            tell(f"{option} = {value}")


@command(NAME)
def test(ctx: Context, name: str) -> None:
    """Test the connection of a storage, step by step.

    Token, drive, clock, listing, writing, space. A small file is written, read back and deleted.

    \b
    pluton-rclone test "OneDrive Personal Backups"
    pluton-rclone test work --json
    """
    run_test(ctx.output, ctx.storage_and_path(name)[0].test)


MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


def print_step(output: Output, step: Step) -> None:
    """Print one line of a connection test when its step ends."""
    output.say(f"  {MARKS[step.status]:<8} {step.title:<18} {step.text}  ({step.seconds:.1f} s)")
    for one in step.shortcuts:
        whose = f"a folder of {one.owner}" if one.owner else "a folder of a shared library"
        output.say(f"           {one.path}, {whose}, is not in a backup of this drive")
        place = ("--site", one.address) if one.address else ("--drive", one.drive_id)
        command = ours("connect", "NAME", *place)
        output.say(f"           connect it as a storage of its own: {command}")


def run_test(output: Output, run: Callable[..., ConnectionReport], *given: Any, **to: Any) -> None:
    """Run a connection test, printing each step as it ends. ConnectionTestFailed."""
    report = run(*given, on_step=lambda step: print_step(output, step), **to)
    output.result(report.record())
    report.raise_for_failure()


@command(NAME)
@flag("--as-environment", help="Print RCLONE_CONFIG_* variables for a container, not a file.")
@valued("--output path", "FILE", "Write to FILE, readable only by you. [default: stdout]")
def export(ctx: Context, name: str, as_environment: bool, path: str | None) -> None:
    """Print a storage as a separate rclone.conf, with secrets.

    For a container, or another machine.

    \b
    pluton-rclone export work --output rclone.conf
    """
    output, storage = ctx.output, ctx.storage(name)
    remote, section = storage.remote_name, storage.section_with_secrets()
    record: dict[str, Any] = {"remote": remote, "text": None, "variables": None, "warnings": []}
    if as_environment:
        exported = environment_of(remote, section)
        record |= {"variables": exported.variables, "warnings": list(exported.warnings)}
        text = "".join(f"{key}={value}\n" for key, value in exported.variables.items())
    else:
        text = record["text"] = as_conf(remote, section).decode("utf-8", "surrogateescape")
    data = text.encode("utf-8", "surrogateescape")  # rclone.conf may have bytes that are not UTF-8
    for warning in record["warnings"]:
        output.say(f"Note: {warning}")
    if path is not None:
        try:
            with new_private_file(path) as file:  # an existing file may have a newer token: keep it
                file.write(data)
        except OSError as error:
            what = f"{path} cannot be written."
            raise ConfigNotWritable(what, why=error.strerror, advice="Name a new file.") from None
        record |= {"text": None, "variables": None}
        output.say(f"Written to {path}; anyone who can read it can read and write the drive.")
    elif not ctx.as_json:
        tell_bytes(data)
    output.result({**record, "written": path})


@command()
@flag("--keyring", help="Generate a password and keep it in this system's keyring.")
@valued("--password-command", "COMMAND", "A program that prints the password.")
@valued("--password-file", "FILE", "A file with the password.", type=FILE)
@flag("--decrypt", help="Remove the encryption.")
def encrypt(
    ctx: Context,
    keyring: bool,
    password_command: str | None,
    password_file: Path | None,
    decrypt: bool,
) -> None:
    """Encrypt rclone.conf as rclone does, or change its password.

    The new password is asked for, or read from a file, a command, PLUTON_RCLONE_NEW_PASSWORD or
    stdin. Later commands, and this one for the current password, read it from
    RCLONE_PASSWORD_COMMAND, RCLONE_CONFIG_PASS, the credential rclone-config-pass of a systemd
    service, or the keyring. rclone reads the first two. First stop all programs that use the file.

    \b
    pluton-rclone encrypt --keyring
    pluton-rclone encrypt --password-command "pass show rclone"
    pluton-rclone encrypt --decrypt
    """
    if keyring:
        needs("keyring", "keyring")
    refuse_contradictions(("--keyring", "--password-command", "--password-file", "--decrypt"))
    ctx.require_file()
    output, conf = ctx.output, ctx.storages.conf
    new, spare = None, Path(f"{conf.path} (next)")
    if keyring:
        new = secrets.token_urlsafe(32)
        keyrings.keep(spare, new)  # if this is interrupted now, both passwords are stored
    elif password_command:
        new = from_command(password_command)
    elif not decrypt:
        question = "New password of rclone.conf"
        new = ask.secret(
            output, question, variable="PLUTON_RCLONE_NEW_PASSWORD", file=password_file, twice=True
        )
    conf.encrypt(new)
    if keyring:
        keyrings.keep(conf.path, new)
        keyrings.keep(spare, None)
    else:
        keyrings.forget(conf.path)  # the previous one
    output.result({"config": str(conf.path), "encrypted": new is not None, "keyring": keyring})
    output.say(f"{conf.path} is {'no longer encrypted' if new is None else 'encrypted'}")
    words, where = password_command, "Set this wherever the file is used"
    if keyring:
        words = f"keyring get {keyrings.SERVICE} {shlex.quote(str(conf.path))}"
        where = "For rclone itself"
    if words:
        output.say(f"{where}: export RCLONE_PASSWORD_COMMAND={shlex.quote(words)}")
