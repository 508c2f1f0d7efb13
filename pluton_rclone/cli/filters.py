"""What a command passes to rclone: filters (rules, sizes, ages), and the flags after `--`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone.commands import filter_name

from .context import valued, with_options
from .output import Output
from .places import Place
from .values import AGES, SIZES

FILTERS = ("filters", "files_from", "min_size", "max_size", "min_age", "max_age")
_GLOB = frozenset("[{*?\\")

LISTED = "Only the files listed in FILE, one path in SRC or NAME:PATH per line; - is stdin."
MORE = "Rules from FILE, one per line, applied after those of --filter."
RULE = "'- PATTERN' excludes, '+ PATTERN' includes; the first rule that matches applies."
# `--help` lists the last one first.
filtering = with_options(
    valued("--max-age", "AGE", "Only files changed since then, e.g. 30d.", type=AGES),
    valued("--min-age", "AGE", "Only files older than this, e.g. 2w.", type=AGES),
    valued("--max-size", "SIZE", "Only files of at most this size.", type=SIZES),
    valued("--min-size", "SIZE", "Only files of at least this size.", type=SIZES),
    valued("--files-from", "FILE", LISTED, type=click.File("rb")),
    valued("--filter-from", "FILE", MORE, type=click.File("rb")),
    valued("--filter rules", "RULE", RULE, multiple=True),
    valued("--exclude", "PATTERN", "Leave out what matches: '*.tmp', '/cache/**'.", multiple=True),
    valued("--include", "PATTERN", "Only what matches, e.g. '*.{jpg,png}'.", multiple=True),
)

PASSED = click.argument("passed", metavar="[-- RCLONE-FLAG…]", nargs=-1, type=click.UNPROCESSED)


def selection(
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    rules: Sequence[str] = (),
    filter_from: Any = None,
    files_from: Any = None,
    **others: Any,
) -> dict[str, Any]:
    """The given options in the library's form. Rules are in rclone's order: --include, --exclude,
    --filter, --filter-from; an --include excludes everything else."""
    if "" in (*include, *exclude):
        raise UsageError("A pattern is empty.", advice="Write one, as in --exclude '*.tmp'.")
    found = [f"+ {pattern}" for pattern in include] + [f"- {pattern}" for pattern in exclude]
    for rule in [*rules, *_lines(filter_from)]:
        if rule != "!" and not rule.startswith(("+ ", "- ")):
            advice = "Write '- PATTERN' to leave out what matches, '+ PATTERN' to keep it."
            raise UsageError(f"{rule!r} is not a filter rule.", advice=advice)
        found.append(rule)
    if include:
        found.append("- **")
    if files_from is not None:
        others["files_from"] = list(_lines(files_from))
    others["filters"] = found or None
    return {name: value for name, value in others.items() if value is not None}


def _lines(file: Any) -> Iterator[str]:
    """Lines as rclone reads such a file: stripped, without empty lines and comments."""
    if file is None:
        return
    from .ask import text_of

    for line in map(str.strip, text_of(file.read()).split("\n")):  # a name may hold other breaks
        if line and not line.startswith(("#", ";")):
            yield line


def say_what_cannot_match(output: Output, source: Place, options: dict[str, Any]) -> None:
    """Report a pattern that is the literal name of a file in a local SRC, but does not match it."""
    if source.storage is not None:
        return
    for rule in options.get("filters") or ():
        pattern = rule[2:]
        name = pattern.strip("/")
        if _GLOB & set(name) and os.path.lexists(os.path.join(source.path, name)):
            what = f"{name!r} is a file in SRC, but as a pattern it does not match that file"
            output.note(f"{what}: to match it, write {shlex.quote(filter_name(pattern))}")


def checked(flags: tuple[str, ...]) -> list[str]:
    """The flags, if any, unless one is refused. UsageError."""
    if not flags:
        return []
    if not flags[0].startswith("-"):
        advice = "After --, write only flags for rclone; SRC and DST go before it."
        raise UsageError(f"{flags[0]!r} is not a flag of rclone.", advice=advice)
    from pluton_rclone.rclone.passed import require_passable

    require_passable(flags)
    return list(flags)
