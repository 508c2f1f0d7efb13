"""What the command line prints: tables and sentences for people, JSON for programs, errors for
both."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from pluton_rclone.errors import Cancelled, PlutonRcloneError
from pluton_rclone.values.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


class ReaderGone(Exception):
    """Nobody reads what a command prints; no OSError, of which click would make an exit code."""


class Outlet:
    """stdout or stderr: what it cannot write any more (a full disk) is lost and remembered; nothing
    ends for it.

    A reader that has gone (`| head`) ends a command, but nothing that is `going_on`: a transfer.
    """

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
    """stdout and stderr as `Outlet`s, which no character stops: what the terminal does not know is
    shown as an escape.

    No stream is missing either, not even stdin: rclone.conf must not get its descriptor.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as we live
    before = sys.stdout, sys.stderr
    Outlet.going_on, Outlet.lost = False, None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as we live
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Outlet(stream))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def as_json(record: object) -> str:
    """One line of JSON, with escapes where the encoding of stdout lacks a character or a terminal
    heeds it."""
    if (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        line = json.dumps(record, ensure_ascii=False, default=str)
        if line.isprintable():
            return line
    return json.dumps(record, default=str)


def tell(text: object = "", *, file: TextIO | None = None) -> None:
    """Lines on stdout, where names from outside do not steer the terminal: what every command
    prints."""
    print("\n".join(map(printable, str(text).split("\n"))), file=file, flush=file is not None)


class Output:
    """Results go to stdout, everything said on the way to stderr; with `as_json`, both are JSON
    lines."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The person's terminal (stderr, so that a result can be piped); rich loads when first
        needed."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(
                stderr=True, highlight=False, soft_wrap=True, no_color=no_color()
            )
        return self._console

    def say(self, text: str = "") -> None:
        """A sentence for the person; silent under --json."""
        if not self.as_json:
            tell(text, file=sys.stderr)

    def result(self, record: Mapping[str, Any] | Sequence[Any]) -> None:
        """The command's result as one JSON document."""
        print(as_json(record), flush=True)

    def line(self, record: Mapping[str, Any]) -> None:
        """One entry of a stream: a JSON object on a line of its own."""
        sys.stdout.write(as_json(record) + "\n")

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns on stdout, as wide as their widest cell; headings only when there is something
        below them."""
        cells = [list(map(printable, row)) for row in rows]
        if not cells:
            return
        widths = [
            max(len(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))
        ]
        for row in [[heading.upper() for heading in headings], *cells]:
            print(
                "  ".join(
                    cell.ljust(width) for cell, width in zip(row, widths, strict=True)
                ).rstrip()
            )

    def error(self, error: PlutonRcloneError) -> None:
        """What happened, why, who can fix it and how."""
        if self.as_json:
            print(as_json(error.record()), file=sys.stderr)
            return
        if isinstance(error, Cancelled):
            print(
                printable(error.what), file=sys.stderr
            )  # somebody wanted that: nothing to explain
            return
        red, bold, reset = (
            ("", "", "")
            if no_color() or not sys.stderr.isatty()
            else ("\x1b[31m", "\x1b[1m", "\x1b[0m")
        )
        print(f"{red}{bold}ERROR{reset} {printable(error.what)}", file=sys.stderr)
        for heading, text in error_lines(error):
            print(f"  {bold}{heading:<10}{reset} {printable(text)}", file=sys.stderr)

    def stopped(self) -> None:
        """Ctrl-C. On a terminal the line holds ^C by now, or a prompt that was not answered."""
        if sys.stderr.isatty() and not self.as_json:
            print(file=sys.stderr)
        self.error(Cancelled("Stopped."))


def error_lines(error: PlutonRcloneError) -> list[tuple[str, str]]:
    """The lines below an error's first sentence: (heading, text)."""
    lines = []
    if error.why:
        lines.append(("Why", error.why))
    lines.append(
        (
            "Who",
            f"{error.who} can fix it"
            if str(error.who) != "nobody: try again later"
            else str(error.who),
        )
    )
    lines.append(("What to do", error.advice))
    if error.link:
        lines.append(("More", error.link))
    support = {
        key: value
        for key, value in error.details.items()
        if key in ("aadsts", "graph_code", "correlation_id", "request_id")
    }
    if support:
        lines.append(("Support", ", ".join(f"{key} {value}" for key, value in support.items())))
    return lines


def no_color() -> bool:
    """https://no-color.org: any value but the empty one."""
    return bool(os.environ.get("NO_COLOR"))
