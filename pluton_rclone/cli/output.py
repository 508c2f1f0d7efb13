"""What the command line prints: tables and sentences for people, JSON for programs, errors for both."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pluton_rclone.errors import Cancelled, PlutonRcloneError
from pluton_rclone.values.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Results go to stdout, everything said on the way to stderr; with `as_json`, both are JSON lines."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The person's terminal (stderr, so that a result can be piped); rich loads when first needed."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False, soft_wrap=True, no_color=no_color())
        return self._console

    def say(self, text: str = "") -> None:
        """A sentence for the person; silent under --json."""
        if not self.as_json:
            print(text, file=sys.stderr, flush=True)

    def result(self, record: Mapping[str, Any] | Sequence[Any]) -> None:
        """The command's result as one JSON document."""
        print(json.dumps(record, ensure_ascii=False, default=str), flush=True)

    def line(self, record: Mapping[str, Any]) -> None:
        """One entry of a stream: a JSON object on a line of its own."""
        sys.stdout.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns on stdout, as wide as their widest cell; headings only when there is something below them."""
        cells = [list(map(printable, row)) for row in rows]
        if not cells:
            return
        widths = [max(len(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
        for row in [[heading.upper() for heading in headings], *cells]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def error(self, error: PlutonRcloneError) -> None:
        """What happened, why, who can fix it and how."""
        if self.as_json:
            print(json.dumps(error.record(), ensure_ascii=False, default=str), file=sys.stderr)
            return
        if isinstance(error, Cancelled):
            print(printable(error.what), file=sys.stderr)  # somebody wanted that: nothing to explain
            return
        red, bold, reset = (
            ("", "", "") if no_color() or not sys.stderr.isatty() else ("\x1b[31m", "\x1b[1m", "\x1b[0m")
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
        ("Who", f"{error.who} can fix it" if str(error.who) != "nobody: try again later" else str(error.who))
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
