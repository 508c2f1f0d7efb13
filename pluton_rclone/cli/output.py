"""The command line's output: tables and sentences for people, JSON for programs, and errors."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from pluton_rclone import errors
from pluton_rclone.errors import NextStep, PlutonRcloneError
from pluton_rclone.values.printable import printable

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage

T = TypeVar("T")

NAMED: dict[str, str] = {}
"""The storages that the command has opened, and their remotes: an error that names none is about
the only one."""
GIVEN: dict[str, str] = {}
"""--config and --rclone as given."""
VARIABLES: list[str] = []
"""The variables that define the app registration, except those that options override."""
CONNECTING = ("connect", "import", "web")
COMMANDS = {
    NextStep.CONNECT: "The command is: pluton-rclone connect NAME",
    NextStep.REAUTHORIZE: "The command is: pluton-rclone reauthorize {storage}",
    NextStep.CONNECT_ANEW: "Connect it again: pluton-rclone remove {storage}, then pluton-rclone "
    "connect {storage}",
    NextStep.REPAIR: "The command is: pluton-rclone repair {storage}",
    NextStep.TEST: "The command is: pluton-rclone test {storage}",
    NextStep.RENEW_SECRET: "The command is: pluton-rclone set {storage} --secret client_secret",
    NextStep.PREFLIGHT: "`pluton-rclone preflight SRC NAME:path` lists all such names in advance.",
    NextStep.RUN_RESTIC: "The command is: pluton-rclone restic {storage} -- …",
    NextStep.LIST_STORAGES: "`pluton-rclone storages` lists the storages.",
}


class ReaderGone(Exception):
    """The output's reader is gone. Not an OSError, which click would turn into an exit code."""


class Outlet:
    """stdout or stderr. Output that cannot be written (a full disk) is lost; the error is kept, and
    nothing ends. A closed pipe (`| head`) ends a command, but not a transfer (`going_on`)."""

    going_on = False
    lost: OSError | None = None

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._patiently(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        self._patiently(self._stream.flush, None)

    def _patiently(self, act: Callable[[], T], otherwise: T) -> T:
        try:
            return act()
        except OSError as error:
            # The buffered output must not be written again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError) and not Outlet.going_on:
                raise ReaderGone from None
            Outlet.lost = error
            return otherwise


@contextmanager
def outlets() -> Iterator[None]:
    """Make stdout and stderr `Outlet`s, which escape characters that the terminal lacks. A missing
    stream, also stdin, is opened, so that rclone.conf does not get its descriptor. A missing stdout
    is opened for reading, so that output counts as lost; a missing stderr does not matter."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 - never closed
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    before = sys.stdout, sys.stderr
    Outlet.going_on, Outlet.lost = False, None
    for name, mode in (("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        stream = getattr(sys, name) or os.fdopen(os.open(os.devnull, mode), "w", encoding="utf-8")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Outlet(stream))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def as_json(record: object) -> str:
    """A line of JSON, escaped if stdout lacks a character or a terminal would interpret one."""
    if (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        line = json.dumps(record, ensure_ascii=False, default=str)
        if line.isprintable():
            return line
    return json.dumps(record, default=str)


def tell(text: object = "", *, file: TextIO | None = None) -> None:
    """Print lines on stdout; control characters in external names are escaped."""
    print("\n".join(map(printable, str(text).split("\n"))), file=file, flush=file is not None)


def tell_bytes(data: bytes) -> None:
    """Write bytes to stdout unchanged. A failure ends the command, whose only task this is."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # as `Outlet` does
        raise ReaderGone from None


class Output:
    """Writes results to stdout and messages to stderr; with `as_json`, both as JSON lines."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.said = ""
        """The last sentence, even if not printed."""

    @property
    def is_live(self) -> bool:
        """Whether somebody watches at a terminal."""
        return not self.as_json and sys.stderr.isatty()

    def say(self, text: str = "") -> None:
        """Print a sentence for people; nothing under --json."""
        self.said = text
        if not self.as_json:
            tell(text, file=sys.stderr)

    def note(self, text: str) -> None:
        """Print a remark for people."""
        self.say(f"note    {text}")

    def result(self, record: Mapping[str, Any] | Sequence[Any]) -> bool:
        """With --json, print the result as one JSON document; return whether it was printed."""
        if self.as_json:
            print(as_json(record), flush=True)
        return self.as_json

    def line(self, record: Mapping[str, Any], *, now: bool = True) -> None:
        """With --json, print one entry of a stream as a JSON object on its own line: at once or,
        without `now`, in blocks, as suits a list of a million files."""
        if self.as_json:
            sys.stdout.write(as_json(record) + "\n")
            if now:
                sys.stdout.flush()

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print columns on stdout, as wide as their widest cell; nothing if there are no rows."""
        cells = [[heading.upper() for heading in headings]]
        cells += [list(map(printable, row)) for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells if len(cells) > 1 else ():
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(padded).rstrip())

    def error(self, error: PlutonRcloneError) -> None:
        """Print what happened, why, who can fix it and how."""
        if self.as_json:
            print(as_json(error.record()), file=sys.stderr)
            return
        if isinstance(error, errors.Cancelled):
            # The person wanted that: no explanation is needed.
            print(printable(error.what), file=sys.stderr)
            return
        # https://no-color.org: any non-empty value
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        plain = plain or not sys.stderr.isatty()
        red, bold, reset = ("", "", "") if plain else ("\x1b[31m", "\x1b[1m", "\x1b[0m")
        print(f"{red}{bold}ERROR{reset} {printable(error.what)}", file=sys.stderr)
        nobody = error.who is errors.Who.LATER
        names = ("aadsts", "graph_code", "correlation_id", "request_id")
        support = [f"{key} {value}" for key, value in error.details.items() if key in names]
        lines = {
            "Why": error.why,
            "Who": str(error.who) if nobody else f"{error.who} can fix it",
            "What to do": error.advice,
            "More": error.link,
            "Support": ", ".join(support),
        }
        for heading, text in lines.items():
            if text or heading == "What to do":
                print(f"  {bold}{heading:<10}{reset} {printable(text or '')}", file=sys.stderr)

    def stopped(self) -> None:
        """Report Ctrl-C. On a terminal, end the line first: it has ^C, or an unanswered prompt."""
        if sys.stderr.isatty() and not self.as_json:
            print(file=sys.stderr)
        self.error(errors.Cancelled("Stopped."))


def refused(error: OSError) -> PlutonRcloneError:
    """An error of the system (a missing folder or file) that no other code has explained."""
    said = error.strerror or str(error)
    what = f"{error.filename}: {said}." if error.filename else f"The system says: {said}."
    advice = "Check the path, its permissions and free space, and that your current folder exists."
    return PlutonRcloneError(what, advice=advice)


def ours(*words: str) -> str:
    """A command of ours for the shell, with the --config and --rclone of the one in progress."""
    given = [word for option in sorted(GIVEN.items()) for word in option]
    return shlex.join(["pluton-rclone", *given, *words])


def named(storage: Storage) -> str:
    """The storage's name for a command: the friendly name, unless the command would take it for an
    option. From now on, `advice` uses it."""
    name = storage.remote_name if storage.name.startswith("-") else storage.name
    NAMED[name] = storage.remote_name
    return name


def advice(error: PlutonRcloneError, storage: str | None = None) -> str:
    """The error's advice, and the command for its next step, about `storage`."""
    name = storage or (next(iter(NAMED)) if len(NAMED) == 1 else error.details.get("storage"))
    command = COMMANDS.get(error.next_step, "") if error.next_step else ""
    which = ""
    if name is None and NAMED and "{storage}" in command:
        name, *others = sorted(NAMED)
        which = f" (or {', '.join(others)}: `{ours('health')}` shows which)"
    quoted, command = shlex.quote(name or "NAME"), command.replace("pluton-rclone", "{ours}")
    text = f"{error.advice} {command.format(ours=ours(), storage=quoted)}".rstrip()
    if name and error.next_step is NextStep.CONNECT_ANEW:
        from pluton_rclone.remote.names import derive_name

        remote = NAMED.get(name, name)
        text += f" --remote-name {shlex.quote(remote)}" if derive_name(name) != remote else ""
    return text + which


def with_command(error: PlutonRcloneError, command: str) -> PlutonRcloneError:
    """The error, with commands in its advice, except while a storage is being connected."""
    if error.advice == errors.UsageError.default_advice:
        error.advice = f"See pluton-rclone {command} --help."
    elif command not in CONNECTING:
        error.advice = advice(error)
    if variables := _variables_of(error):
        why = (error.why or "").rstrip(".")
        error.why = f"{why}{why and '; '}from the environment: {', '.join(variables)}"
    return error


def _variables_of(error: PlutonRcloneError) -> list[str]:
    """The variables to blame for an error about an app registration."""
    if option := str(error.details.get("option") or ""):
        option = "region" if option == "address" else option  # perhaps of another cloud
        return [name for name in VARIABLES if name.endswith(f"_{option.upper()}")]
    return VARIABLES if isinstance(error, errors.RegistrationError | errors.AccountError) else []


def exit_code(error: PlutonRcloneError) -> int:
    """The error's own; its cause's if a connection test failed because Microsoft did not answer."""
    cause, silent = error.__cause__, errors.Unreachable | errors.Throttled
    if isinstance(error, errors.ConnectionTestFailed) and isinstance(cause, silent):
        return cause.exit_code
    return error.exit_code
