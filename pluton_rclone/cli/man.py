"""The command `man`: a manual page for each command, from its --help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from .app import COMMANDS, application
from .context import FOLDER

PROGRAM = "pluton-rclone"


class Roff(click.HelpFormatter):
    """Formats the parts of a --help as a manual page: man(7)."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        self.write(f".SH SYNOPSIS\n.B {_roff(prog)}\n{_roff(args)}\n.SH DESCRIPTION\n")

    def write_heading(self, heading: str) -> None:
        self.write(f".SH {_roff(heading.upper())}\n")

    def write_paragraph(self) -> None:
        """Begin each part with its own request."""

    def write_dl(self, rows: Iterable[tuple[str, str]], *_: Any, **__: Any) -> None:
        for term, text in rows:
            self.write(f".TP\n.B {_roff(term.strip())}\n{_roff(text)}\n")

    def write_text(self, text: str) -> None:
        for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
            if part.startswith("\b\n"):  # click's mark for lines that are not wrapped
                self.write(f".SH EXAMPLES\n.nf\n{_roff(part[2:])}\n.fi\n")
            elif part.startswith("Exit codes: "):
                codes = part.removeprefix("Exit codes: ").rstrip(".").split(" · ")
                self.write_heading("Exit status")
                self.write_dl([(code, text) for code, _, text in (c.partition(" ") for c in codes)])
            else:
                self.write(f".PP\n{_roff(part)}\n")


def _roff(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^(?=[.'])", r"\&", escaped, flags=re.MULTILINE)


def page(name: str = "") -> str:
    """The manual page of a command, or of the program."""
    top = click.Context(application, info_name=PROGRAM)
    command = application.get_command(top, name) if name else application
    assert command is not None
    ctx = click.Context(command, info_name=name, parent=top) if name else top
    title, out = ctx.command_path.replace(" ", "-"), Roff(width=1000)
    short = command.get_short_help_str(1000).rstrip(".")
    out.write(f'.TH {title.upper()} 1 "" "{PROGRAM} {version(PROGRAM)}"\n')
    out.write(f".SH NAME\n{_roff(title)} \\- {_roff(short)}\n")
    command.format_help(ctx, out)
    others = [PROGRAM] if name else [f"{PROGRAM}-{one}" for one in COMMANDS]
    out.write(".SH SEE ALSO\n" + ",\n".join(f".BR {_roff(one)} (1)" for one in others) + "\n")
    return out.getvalue()


@click.command()
@click.argument("folder", type=FOLDER)
def man(folder: Path) -> None:
    """Write manual pages, one for each command.

    \b
    pluton-rclone man ~/.local/share/man/man1
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("", *COMMANDS):
        file = folder / f"{PROGRAM}{'-' * bool(name)}{name}.1"
        file.write_text(page(name), encoding="utf-8")
