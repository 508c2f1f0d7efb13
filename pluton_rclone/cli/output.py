"""What the command line prints: tables and sentences for people, JSON for programs, and errors."""

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
"""The storages that the command has opened, and their remotes: an error that names none means the
only one."""
GIVEN: dict[str, str] = {}
"""--config and --rclone, as they were given."""
VARIABLES: list[str] = []
"""The variables that the app registration comes from, as far as no option took their place."""
CONNECTING = ("connect", "import", "web")
COMMANDS = {
    NextStep.CONNECT: "The command is: pluton-rclone connect NAME",
    NextStep.REAUTHORIZE: "The command is: pluton-rclone reauthorize {storage}",
    NextStep.CONNECT_ANEW: "Connect it anew: pluton-rclone remove {storage}, then pluton-rclone "
    "connect {storage}",
    NextStep.REPAIR: "The command is: pluton-rclone repair {storage}",
    NextStep.TEST: "The command is: pluton-rclone test {storage}",
    NextStep.RENEW_SECRET: "The command is: pluton-rclone set {storage} --secret client_secret",
    NextStep.PREFLIGHT: "`pluton-rclone preflight SRC NAME:path` lists all such names before a "
    "byte is sent.",
    NextStep.RUN_RESTIC: "The command is: pluton-rclone restic {storage} -- …",
    NextStep.LIST_STORAGES: "`pluton-rclone storages` lists what is there.",
}


class ReaderGone(Exception):
    """Nothing reads the output. Not an OSError, which click would turn into an exit code."""


class Outlet:
    """stdout or stderr. What it cannot write (a full disk) is lost and remembered; nothing ends.
    A reader that has gone (`| head`) ends a command, but not a transfer (`going_on`)."""

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
            # What lies in its buffers must not be tried again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError) and not Outlet.going_on:
                raise ReaderGone from None
            Outlet.lost = error
            return otherwise


@contextmanager
def outlets() -> Iterator[None]:
    """stdout and stderr as `Outlet`s, which escape each character that the terminal lacks. A
    missing stream, also stdin, is opened: rclone.conf must not get its descriptor. A missing stdout
    is opened for reading, so that what is written to it counts as lost; nobody misses stderr."""
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
    """A line of JSON; escaped if stdout lacks a character or a terminal would act on one."""
    if (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        line = json.dumps(record, ensure_ascii=False, default=str)
        if line.isprintable():
            return line
    return json.dumps(record, default=str)


def tell(text: object = "", *, file: TextIO | None = None) -> None:
    """Lines on stdout; control characters in names from outside are escaped."""
    print("\n".join(map(printable, str(text).split("\n"))), file=file, flush=file is not None)


def tell_bytes(data: bytes) -> None:
    """As they are, on stdout. What cannot be written ends the command, whose work that is."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # as `Outlet` does
        raise ReaderGone from None


class Output:
    """Results go to stdout, messages to stderr; with `as_json`, both are JSON lines."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.said = ""
        """The last sentence, also of a silent one."""

    @property
    def is_live(self) -> bool:
        """Whether somebody watches at a terminal."""
        return not self.as_json and sys.stderr.isatty()

    def say(self, text: str = "") -> None:
        """A sentence for the person; silent under --json."""
        self.said = text
        if not self.as_json:
            tell(text, file=sys.stderr)

    def result(self, record: Mapping[str, Any] | Sequence[Any]) -> bool:
        """The command's result as one JSON document, with --json alone: whether that was all."""
        if self.as_json:
            print(as_json(record), flush=True)
        return self.as_json

    def line(self, record: Mapping[str, Any], *, now: bool = True) -> None:
        """One entry of a stream: a JSON object on a line of its own; silent without --json. A
        reader gets it at once; without `now`, in blocks, as suits a list of a million files."""
        if self.as_json:
            sys.stdout.write(as_json(record) + "\n")
            if now:
                sys.stdout.flush()

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns on stdout, as wide as their widest cell; nothing if there are no rows."""
        cells = [[heading.upper() for heading in headings]]
        cells += [list(map(printable, row)) for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells if len(cells) > 1 else ():
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(padded).rstrip())

    def error(self, error: PlutonRcloneError) -> None:
        """What happened, why, who can fix it and how."""
        if self.as_json:
            print(as_json(error.record()), file=sys.stderr)
            return
        if isinstance(error, errors.Cancelled):
            # A person wanted that: there is nothing to explain.
            print(printable(error.what), file=sys.stderr)
            return
        plain = no_color() or not sys.stderr.isatty()
        red, bold, reset = ("", "", "") if plain else ("\x1b[31m", "\x1b[1m", "\x1b[0m")
        print(f"{red}{bold}ERROR{reset} {printable(error.what)}", file=sys.stderr)
        for heading, text in error_lines(error):
            print(f"  {bold}{heading:<10}{reset} {printable(text)}", file=sys.stderr)

    def stopped(self) -> None:
        """Ctrl-C. On a terminal the line holds ^C by now, or a prompt that was not answered."""
        if sys.stderr.isatty() and not self.as_json:
            print(file=sys.stderr)
        self.error(errors.Cancelled("Stopped."))


def refused(error: OSError) -> PlutonRcloneError:
    """What the system refuses (a folder that is gone, a file), where no room has words for it."""
    said = error.strerror or str(error)
    what = f"{error.filename}: {said}." if error.filename else f"The system says: {said}."
    advice = "Check that path, its rights and its room, and that your current folder still exists."
    return PlutonRcloneError(what, advice=advice)


def error_lines(error: PlutonRcloneError) -> list[tuple[str, str]]:
    """The lines below an error's first sentence: (heading, text)."""
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
    return [(head, text or "") for head, text in lines.items() if text or head == "What to do"]


def no_color() -> bool:
    """https://no-color.org: any value but the empty one. A terminal that is "dumb" knows none."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def ours(*words: str) -> str:
    """A command of ours as a shell takes it, about the same file and by the same rclone as the one
    that suggests it."""
    given = [word for option in sorted(GIVEN.items()) for word in option]
    return shlex.join(["pluton-rclone", *given, *words])


def named(storage: Storage) -> str:
    """What a command calls the storage: by its friendly name, unless it would take that for an
    option. From now on `advice` knows it."""
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
        which = f" (or {', '.join(others)}: `{ours('health')}` tells which)"
    quoted, command = shlex.quote(name or "NAME"), command.replace("pluton-rclone", "{ours}")
    text = f"{error.advice} {command.format(ours=ours(), storage=quoted)}".rstrip()
    if name and error.next_step is NextStep.CONNECT_ANEW:
        from pluton_rclone.remote.names import derive_name

        remote = NAMED.get(name, name)
        text += f" --remote-name {shlex.quote(remote)}" if derive_name(name) != remote else ""
    return text + which


def with_command(error: PlutonRcloneError, command: str) -> PlutonRcloneError:
    """The error of a command, its advice as commands, but not while a storage is connected."""
    if error.advice == errors.UsageError.default_advice:
        error.advice = f"See pluton-rclone {command} --help."
    elif command not in CONNECTING:
        error.advice = advice(error)
    if variables := _variables_of(error):
        why = (error.why or "").rstrip(".")
        error.why = f"{why}{why and '; '}from the environment: {', '.join(variables)}"
    return error


def _variables_of(error: PlutonRcloneError) -> list[str]:
    """Those that what is wrong with an app registration comes from."""
    if option := str(error.details.get("option") or ""):
        option = "region" if option == "address" else option  # it may be of another cloud
        return [name for name in VARIABLES if name.endswith(f"_{option.upper()}")]
    return VARIABLES if isinstance(error, errors.RegistrationError | errors.AccountError) else []


def exit_code(error: PlutonRcloneError) -> int:
    """The error's own; its cause's if a connection test failed because Microsoft did not answer."""
    cause, silent = error.__cause__, errors.Unreachable | errors.Throttled
    if isinstance(error, errors.ConnectionTestFailed) and isinstance(cause, silent):
        return cause.exit_code
    return error.exit_code
