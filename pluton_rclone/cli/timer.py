"""Unattended runs: the command `timer`; --ping and --notify, which report how a run ended."""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from pluton_rclone.errors import PlutonRcloneError, UsageError
from pluton_rclone.values.printable import printable
from pluton_rclone.values.redaction import redact

from .context import FOLDER, AnyCommand, Context, command, flag, needs, valued
from .output import tell

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

CREDENTIAL = "pluton-rclone-notify"
PING_TIME = 10.0
"""Seconds that a service has to answer a ping; then the run goes on without it."""
PING = (
    "Call URL/start, then URL or URL/fail, as Healthchecks expects. [default: PLUTON_RCLONE_PING, "
    "which others on this machine cannot read]"
)
NOTIFY = (
    "At the end, message each apprise address in FILE, one per line; `failure=ADDRESS`: failures "
    f"only. [default: PLUTON_RCLONE_NOTIFY, or systemd's credential {CREDENTIAL}]"
)
_SERVICE = re.compile(r"(?:(failure)\s*=\s*)?(\w[\w+.-]*://.+)")
_NO_PASSWORD = (
    "rclone.conf is encrypted, and the job does not get its password from this. Add to the unit "
    "LoadCredentialEncrypted=rclone-config-pass:FILE, or set RCLONE_PASSWORD_COMMAND for it."
)
_UNIT = """\
[Unit]
Description=pluton-rclone {what}

[Service]
Type=oneshot
WorkingDirectory={folder}
{environment}ExecStart={command}
KillMode=mixed
"""
_TIMER = """\
[Unit]
Description=pluton-rclone {name}, daily

[Timer]
OnCalendar=*-*-* {at}:00
Persistent=true

[Install]
WantedBy=timers.target
"""
NETWORK = (
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
# The environment variables of a job; RCLONE_CONFIG_… are storages.
_TAKEN = (
    r"PLUTON_RCLONE_(PING|NOTIFY|BINARY)|PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD|"
    rf"RCLONE_CONFIG_(?!(PASS|DIR)$).+|{'|'.join(NETWORK)}"
)
_BY_RESTIC = r"PLUTON_RESTIC_BINARY|RESTIC_PASSWORD.*"
_MORE = {"restic": _BY_RESTIC, "again": _BY_RESTIC, "flow": f"{_BY_RESTIC}|PREFECT_API_URL"}
_ENDLESS = {"mount", "serve", "web", "demo", "emulator", "worker"}


def pinged(command: AnyCommand) -> AnyCommand:
    """Add --ping and --notify to a command."""

    @functools.wraps(command)
    def run(ctx: Context, ping: str | None, notify: str | None, **given: Any) -> Any:
        if not (ping or notify) or given.get("dry_run") or given.get("environment"):
            return command(ctx, **given)
        call = _caller(ctx, ping) if ping else lambda end: None
        tell = teller(notify) if notify else lambda *_: []
        call("/start")
        failed, text = True, "It was stopped."
        try:
            result = command(ctx, **given)
            failed, text = bool(result), ctx.output.said  # an exit code
            return result
        except PlutonRcloneError as error:
            text = "\n".join(filter(None, (error.what, error.why, error.advice)))
            raise
        finally:
            call("/fail" if failed else "")
            name = click.get_current_context().command_path
            places = [str(given[one]) for one in ("source", "destination", "name") if one in given]
            title = f"{'FAILED' if failed else 'ok'}: {' '.join([name, *places])}"
            for service in tell(failed, title, text):
                ctx.output.note(f"{service} did not accept the message about this run")

    ping = valued("--ping", "URL", PING, envvar="PLUTON_RCLONE_PING")
    notify = valued("--notify", "FILE", NOTIFY, envvar="PLUTON_RCLONE_NOTIFY", default=credential)
    return ping(notify(run))


def _given(name: str) -> str:
    """The option of this name, or the variable that gave its value."""
    source = click.get_current_context().get_parameter_source(name)
    from_variable = source is click.core.ParameterSource.ENVIRONMENT
    return f"PLUTON_RCLONE_{name.upper()}" if from_variable else f"--{name}"


def _caller(ctx: Context, ping: str) -> Callable[[str], None]:
    """A function that requests the address with a suffix, and reports failures. UsageError."""
    try:
        parts = urlsplit(ping)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"{_given('ping')} needs an http:// or https:// address.")

    def call(end: str) -> None:
        from pluton_rclone.microsoft.http import Http

        path = parts.path.rstrip("/") + end
        try:
            with Http(longest=PING_TIME) as http:
                status = http.once("GET", parts._replace(path=path).geturl(), None).status
            trouble = f"it answered {status}" if status >= 300 else ""  # redirects are not followed
        except PlutonRcloneError as error:
            trouble = str(error.why)
        if trouble:
            ctx.output.note(f"{parts.hostname} could not be told of this run: {trouble}")

    return call


@command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@valued("--at", "HH:MM", "The time of day.", default="03:00", show_default=True)
@valued("--output", "DIR", "Write the units to DIR, e.g. ~/.config/systemd/user.", type=FOLDER)
@flag("--cron", help="Print a line for crontab instead of systemd's units.")
def timer(
    ctx: Context, name: str, command: tuple[str, ...], at: str, output: Path | None, cron: bool
) -> None:
    """Print systemd units, or a crontab line, that run a pluton-rclone command every day.

    The command runs in the current folder, with the rclone.conf in use now.

    \b
    pluton-rclone timer nightly -- copy /srv/data work:laptop/data
    pluton-rclone timer nightly --output ~/.config/systemd/user -- copy /srv/data work:data
    pluton-rclone timer early --cron --at 04:30 -- sync --yes /srv/data work:laptop/data
    """
    from .app import application

    of_program = click.get_current_context().find_root()
    hour = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    wanted = application.get_command(of_program, command[0] if command else "")
    if wanted is None:
        raise UsageError("Write a pluton-rclone command after --, as in: -- copy SRC DST.")
    if not hour or not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise UsageError(
            "NAME consists of letters, digits, _, . and -, not . or - first; --at is as in 03:00."
        )
    if any(word.startswith("--ping") for word in command):
        raise UsageError(
            "--ping does not belong in a unit or a crontab: others on this machine could read it.",
            advice="Set PLUTON_RCLONE_PING for the job instead, as with systemd's EnvironmentFile.",
        )
    with wanted.make_context(command[0], [*command[1:]], parent=of_program) as job:
        if {command[0], job.params.get("action")} & _ENDLESS:
            raise UsageError(f"{' '.join(command)!r} never ends, so a timer cannot run it.")
        if command[0] in ("connect", "reauthorize", "encrypt"):
            what = f"{command[0]!r} needs a person, so a timer cannot run it."
            raise UsageError(what, advice="Run it yourself, once.")
        if any(re.fullmatch("(?:--.*=)?-", word) for word in command):
            raise UsageError("A job of a timer has no stdin (-).", advice="Name a file.")
        if job.params.get("yes") is False and not job.params.get("dry_run"):
            raise UsageError(f"A job cannot answer {command[0]}'s question.", advice="Add --yes.")
    import shutil

    from pluton_rclone.rclone.runner import KEPT

    program = shutil.which("pluton-rclone")
    argv = [os.path.abspath(program)] if program else [sys.executable, "-I", "-m", "pluton_rclone"]
    argv += ["--config", str(ctx.new_storages.conf.named)]
    argv += ["--rclone", os.path.abspath(ctx.binary)] if ctx.binary else []
    argv += command
    path = os.environ.get("PATH", os.defpath)  # cron's and systemd's own may lack a folder
    folder = os.getcwd() + "/" * os.getcwd().endswith("\\")  # a final \ would continue the line
    for word in (*argv, path, folder):
        if not word.isprintable():
            why = "they consist of lines of printable UTF-8 text"
            raise UsageError(f"{word!a} cannot be part of a unit or a crontab.", why=why)
    if ctx.new_storages.conf.is_encrypted():
        ctx.output.note(_NO_PASSWORD)
    needed = f"{_TAKEN}|{_MORE.get(command[0], '')}"
    for variable in sorted(filter(os.environ.get, os.environ)):
        if variable in KEPT or re.fullmatch(needed, variable):
            ctx.output.note(f"The job needs {variable} in its own environment, too.")
    if cron:
        line = f"cd {shlex.quote(folder)} && PATH={shlex.quote(path)} {shlex.join(argv)}"
        line = f"{int(hour[2])} {int(hour[1])} * * * {line}".replace("%", r"\%")
        if not ctx.output.result({"crontab": line}):
            tell(line)
        return
    units = {
        f"{name}.service": _UNIT.format(
            what=shlex.join(command).replace("%", "%%"),
            folder=folder.replace("%", "%%"),
            environment=f"Environment={_word(f'PATH={path}')}\n",
            command=" ".join(map(_word, argv)).replace("$", "$$"),
        ),
        f"{name}.timer": _TIMER.format(name=name, at=f"{int(hour[1]):02}:{hour[2]}"),
    }
    if output is not None:
        _write(output, units)
        ctx.output.say(f"Start it: systemctl --user enable --now {name}.timer")
    if not ctx.output.result(units) and output is None:
        tell("\n".join(f"# {file}\n{text}" for file, text in units.items()))


def _write(folder: Path, units: dict[str, str]) -> None:
    """Write the units. UsageError, before writing, if a different file with such a name exists."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {folder / file: text.encode() for file, text in units.items()}
    for place, data in places.items():
        if place.exists() and place.read_bytes() != data:
            why = "it may contain your own changes"
            advice = "Remove it first, or choose another NAME or DIR."
            raise UsageError(f"{place} already exists, and differs.", why=why, advice=advice)
    for place, data in places.items():
        place.write_bytes(data)


def _word(text: str) -> str:
    """One word of a unit's line: systemd.syntax(7), and its specifiers (%)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# ---- --notify: messages through apprise, to addresses that contain secrets ----


def credential() -> str | None:
    """The file that systemd gives a service (LoadCredential=), if any."""
    file = Path(os.environ.get("CREDENTIALS_DIRECTORY") or os.devnull, CREDENTIAL)
    return str(file) if file.is_file() else None


def teller(file: str) -> Callable[[bool, str, str], list[str]]:
    """A function that sends (has_failed, title, text) to the apprise addresses in a file, one per
    line, and returns the services that did not take it. UsageError, without addresses."""
    needs("notify", "apprise")
    if "://" in file:
        why = "others on this machine can read a command line, and an address contains secrets"
        advice = "Write the address into a file that only you can read, and give that file."
        raise UsageError(f"{_given('notify')} takes a file.", why=why, advice=advice)
    import logging

    from apprise import Apprise, AppriseAsset, NotifyType

    from .ask import secret_in

    try:
        lines = secret_in(Path(file)).split("\n")
    except UsageError as problem:
        if (variable := _given("notify")) != "--notify":
            problem.why = "; ".join(filter(None, (problem.why, f"{variable} names it")))
        raise
    logging.getLogger("apprise").disabled = True  # it logs whole addresses
    asset = AppriseAsset(app_id="pluton-rclone", app_desc="pluton-rclone", async_mode=False)
    services = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        found = _SERVICE.fullmatch(line)
        service = found and Apprise.instantiate(found[2], asset=asset)
        if not (found and service):
            what = f"Line {number} of {file} is not an address that apprise knows."
            raise UsageError(what, advice="https://appriseit.com/services/ lists them.")
        services.append((found[1] is not None, service))
    if not services:
        raise UsageError(f"There is no address in {file}.")

    def tell(failed: bool, title: str, text: str) -> list[str]:
        kind = NotifyType.FAILURE if failed else NotifyType.SUCCESS
        said = {"title": _sent(title), "body": "\n".join(map(_sent, text.split("\n")))}

        def takes(service: NotifyBase) -> bool:
            try:
                return bool(service.notify(**said, notify_type=kind))
            except Exception:  # noqa: BLE001 - third-party code: the run, and the others, go on
                return False

        wanted = [service for only_failures, service in services if failed or not only_failures]
        return [str(service.service_name) for service in wanted if not takes(service)]

    return tell


def _sent(line: str) -> str:
    """The line as sent: names may be any bytes, and a place may contain a password."""
    return printable(redact(line))
