"""Pure builders: what is to be done becomes rclone's arguments. Nothing here runs anything.

A `Command` holds what stands after the binary and the global flags; `argv` puts `--` before the
places, so that no name can be read as a flag. Values stand in the same argument as their flag
(`--flag=value`) for the same reason. Filters and lists of files go through stdin: they may be long,
and they are nobody else's business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from pluton_rclone.errors import UsageError
from pluton_rclone.process.pipes import Source

from .brake import Brake
from .locations import Location, is_local, location
from .locations import source as read_from

Size = int | str
"""Bytes, or rclone's way to say it: "10Mi"."""
Duration = float | str
"""Seconds, or rclone's way to say it: "1h30m"."""
LogLevel = Literal["DEBUG", "INFO", "NOTICE"]


TRANSFERS = frozenset({"copy", "copyto", "sync", "move", "moveto"})
"""The commands that bring files from one place to another."""
WRITING = TRANSFERS.union(
    ("mkdir", "rmdir", "rmdirs", "delete", "deletefile", "purge", "rcat", "touch", "cleanup")
)
"""What changes its last place; move its first, too."""


class Command(NamedTuple):
    """An rclone command: its words, its flags, its places, and what it reads on stdin."""

    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    stdin: Source | None = None
    brake: Brake | None = None
    """What a sync may delete; None where it may delete all, or nothing."""

    def argv(self, binary: str, flags: Iterable[str] = ()) -> list[str]:
        return [binary, *self.words, *flags, *self.flags, "--", *self.places]


class FilterOptions(TypedDict, total=False):
    """What is left out, and how the other side is spoken to. Every command with options takes
    these."""

    filters: Sequence[str]
    """rclone's filter rules, first match wins: "- *.tmp", "+ /docs/**". `filter_name` quotes a name
    for one."""
    files_from: Iterable[str | bytes]
    """Only these files: paths below the source, in rclone's form as listings show them. Not with
    `filters`."""
    min_size: Size
    max_size: Size
    min_age: Duration
    max_age: Duration
    max_depth: int
    checkers: int
    tpslimit: float
    retries: int
    low_level_retries: int
    timeout: Duration
    contimeout: Duration
    fast_list: bool
    links: bool
    """Symbolic links are kept, each as a small file NAME.rclonelink, which becomes a link again on
    the way back. Without one of these three options, a link is left out and counts as failed."""
    copy_links: bool
    """What links lead to stands in their place."""
    skip_links: bool
    """Links stay behind."""
    extra: Sequence[str]
    """Any other arguments, as rclone's documentation has them: ["--onedrive-hard-delete"]."""


class ListOptions(FilterOptions, total=False):
    """For listings."""

    files_only: bool
    dirs_only: bool
    hashes: Sequence[str]
    """Hash types to list, such as "quickxor"; local files are read for it."""
    mime_types: bool
    """Ask for MIME types (costs time; guessed from the name for local files)."""


class TransferOptions(FilterOptions, total=False):
    """For copy, sync, move and the like."""

    bwlimit: Size
    transfers: int
    dry_run: bool
    backup_dir: Location
    suffix: str
    immutable: bool
    checksum: bool
    size_only: bool
    ignore_existing: bool
    ignore_times: bool
    update: bool
    check_first: bool
    create_empty_src_dirs: bool
    """Empty folders are made at the destination, too (copy, sync, move). Default: True."""
    track_renames: bool
    no_traverse: bool
    metadata: bool
    max_transfer: Size
    max_duration: Duration
    max_delete: int | str
    """sync stops before the first deletion if more files would go: a number, or "N%" of the files
    at the destination. Default: more than half of them and more than ten. Elsewhere a number, at
    which rclone stops."""
    allow_empty_source: bool
    """sync may delete everything because its source is empty."""
    cutoff_mode: Literal["hard", "soft", "cautious"]
    order_by: str
    multi_thread_streams: int
    buffer_size: Size
    retries_sleep: Duration
    inplace: bool
    log_level: LogLevel
    """What becomes an event. NOTICE (by default): progress, and what fails. INFO: also each file
    that is transferred or deleted. DEBUG: also what is skipped, and each wait that the service asks
    for. Measured with 10,000 small files on a local disk: INFO takes 15% more of the processor,
    DEBUG twice as much in all."""


_SIZES = frozenset({"min_size", "max_size", "bwlimit", "max_transfer", "buffer_size"})
_DURATIONS = frozenset(
    {"min_age", "max_age", "timeout", "contimeout", "max_duration", "retries_sleep"}
)
_PLACES = frozenset({"backup_dir"})
_SPECIAL = frozenset(
    {"filters", "files_from", "extra", "hashes", "mime_types", "log_level", "allow_empty_source"}
)
_KEEPS_FOLDERS = ("copy", "sync", "move")


def option_names(options: type) -> frozenset[str]:
    """The names that a TypedDict of options knows, its bases included."""
    return frozenset(options.__annotations__)


def flags(options: Mapping[str, Any], known: type) -> tuple[tuple[str, ...], bytes | None]:
    """The flags for the options, and what goes to stdin. UsageError for a name that is none."""
    names = option_names(known)
    out: list[str] = []
    for name, value in options.items():
        if name not in names:
            import difflib

            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(names))}"
            raise UsageError(f"there is no option {name!r}", why=hint)
        if name in _SPECIAL or value is None:
            continue
        out.append(_flag(name, value))
    out.extend(options.get("extra") or ())
    rules, files = options.get("filters"), options.get("files_from")
    if rules is not None and files is not None:
        raise UsageError(
            "filters and files_from exclude each other", why="rclone ignores filters then"
        )
    if rules is not None:
        return (*out, "--filter-from=-"), _lines(map(_rule, rules))
    if files is not None:
        return (*out, "--files-from-raw=-"), _lines(files)
    return tuple(out), None


def _flag(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    if value is True:
        return flag
    if value is False:
        return flag + "=false"
    if name in _SIZES and isinstance(value, int):
        return f"{flag}={value}B"  # a bare number means KiB to rclone
    if name in _DURATIONS and isinstance(value, int | float):
        return f"{flag}={value:.3f}s"
    if name in _PLACES:
        return f"{flag}={location(value)}"
    return f"{flag}={value}"


def _rule(rule: str) -> str:
    """A filter rule that rclone reads as it is meant. UsageError."""
    if not rule.isascii() and _NO_UTF_8.search(rule):
        raise UsageError(
            f"{rule!r} holds bytes that are no UTF-8",
            why=(
                "rclone's rules take all such bytes for the same character, and would match other "
                "files, too (tried)"
            ),
            advice="Name the files in files_from, or match that part of the name with a wildcard.",
        )
    return rule


def _lines(lines: Iterable[str | bytes]) -> bytes:
    out = bytearray()
    for line in lines:
        raw = os.fsencode(line)
        if b"\n" in raw or b"\r" in raw:
            raise UsageError(
                f"{line!r} holds a line break",
                advice="Give names in rclone's form, as listings show them (standard_name).",
            )
        out += raw + b"\n"
    return bytes(out)


_NO_UTF_8 = re.compile("[\ud800-\udfff]")
_GLOB = str.maketrans({character: "\\" + character for character in "\\*?[]{}"})


def filter_name(path: str) -> str:
    """A path in rclone's form, quoted so that a filter rule takes it literally: f"-
    /{filter_name(path)}"."""
    quoted = path.translate(_GLOB)
    return quoted[:-1] + "[ ]" if quoted.endswith(" ") else quoted


# ---- transfers -----------------------------------------------------------------------------------


def transfer(
    word: str, source: Location, destination: Location, options: TransferOptions
) -> Command:
    """copy, copyto, sync, move, moveto: two places."""
    wanted: dict[str, Any] = {
        "create_empty_src_dirs": True if word in _KEEPS_FOLDERS else None,
        **options,
    }
    brake = None
    if word == "sync":
        brake = Brake(wanted.pop("max_delete", None), bool(options.get("allow_empty_source")))
        if options.get("dry_run") or (brake.percent == 100 and brake.empty_source):
            brake = None
    given, stdin = flags(wanted, TransferOptions)
    places = (read_from(source, follow=bool(options.get("copy_links"))), location(destination))
    return Command((word,), given, places, stdin, brake)


_BY_CONTENT = ("--checksum", "--ignore-times", "--size-only")


def progress_flags(level: LogLevel = "NOTICE", every: float = 0.5) -> tuple[str, ...]:
    """What a transfer logs; progress comes at every level."""
    return (
        f"--log-level={level}",
        f"--stats={every:g}s",
        "--stats-log-level=NOTICE",
        "--stats-one-line",
    )


def look(sync: Command) -> Command:
    """The dry run that counts what a sync would delete."""
    kept = (flag for flag in sync.flags if not flag.startswith(_BY_CONTENT))
    return sync._replace(flags=(*kept, "--size-only", "--dry-run"))  # the last one counts


ONLY_COPY = -1


def bound(sync: Command, most: int) -> Command:
    """The sync that deletes `most` files at most; ONLY_COPY: that neither fails where it would."""
    if most == ONLY_COPY:
        return sync._replace(words=("copy",))
    return sync._replace(flags=(*sync.flags, f"--max-delete={most}"))


def remove(
    word: Literal["delete", "deletefile", "purge"], place: Location, options: TransferOptions
) -> Command:
    """delete (files, keeping folders, filters apply), deletefile (one file), purge (a folder and
    all in it)."""
    given, stdin = flags(options, TransferOptions)
    if stdin is not None and word != "delete":
        raise UsageError(
            f"{word} takes no filters", why="rclone ignores them there, and deletes everything"
        )
    return Command((word,), given, (location(place),), stdin)


def simple(word: str, place: Location, *more: str) -> Command:
    """mkdir, rmdir, cleanup: one place."""
    return Command((word,), more, (location(place),))


# ---- looking -------------------------------------------------------------------------------------


def lsjson(place: Location, options: ListOptions, *, depth: Literal["all", "one"]) -> Command:
    """A listing of the folder, or of all below it."""
    given, stdin = flags(options, ListOptions)
    own = ["--recursive"] if depth == "all" else []
    own += [f"--hash-type={name}" for name in options.get("hashes") or ()]
    if not options.get("mime_types"):
        own.append("--no-mimetype")
    return Command(("lsjson",), (*own, *given), (location(place),), stdin)


def stat(place: Location) -> Command:
    """One file or folder."""
    return Command(("lsjson",), ("--stat", "--no-mimetype"), (location(place),))


def cat(place: Location, *, offset: int | None, count: int | None) -> Command:
    """The content of a file, or `count` bytes from `offset` (from the end if negative)."""
    given = [] if offset is None else [f"--offset={offset}"]
    given += [] if count is None else [f"--count={count}"]
    return Command(("cat",), tuple(given), (location(place),))


NOT_A_FOLDER = "found file when looking for folder"
"""What rclone says of a single file below a folder that somebody shared."""


def only(name: str) -> tuple[str, str]:
    """Flags that leave one file of a folder."""
    return f"--filter=+ /{filter_name(name)}", "--filter=- *"


def beside(command: Command) -> Command | None:
    """The same copy of one file by way of the folder that it is in; None for anything else."""
    above, slash, name = command.places[0].rpartition("/")
    if command.words not in (("copy",), ("move",)) or not slash or is_local(command.places[0]):
        return None
    flags = (*only(name), *command.flags)
    return command._replace(places=(above, *command.places[1:]), flags=flags)


def rcat(place: Location, *, size: int | None) -> Command:
    """stdin becomes a file. A known size saves spooling on remotes that must know it beforehand."""
    return Command(("rcat",), () if size is None else (f"--size={size}",), (location(place),))


def json_report(word: Literal["size", "about"], place: Location, options: FilterOptions) -> Command:
    """size or about, as one JSON object."""
    given, stdin = flags(options, FilterOptions)
    return Command((word,), ("--json", *given), (location(place),), stdin)


def check(
    source: Location,
    destination: Location,
    options: FilterOptions,
    *,
    content: Literal["hash", "download", "size"],
    direction: Literal["both", "one_way"],
) -> Command:
    """Compare; the combined report goes to stdout, one line per file."""
    given, stdin = flags(options, FilterOptions)
    how = {"hash": (), "download": ("--download",), "size": ("--size-only",)}[content]
    way = ("--one-way",) if direction == "one_way" else ()
    places = (location(source), location(destination))
    # only there does rclone say that it leaves out a notebook
    told = () if is_local(places[0]) else ("--log-level=DEBUG",)
    return Command(("check",), ("--combined=-", *told, *how, *way, *given), places, stdin)


def hashsum(
    kind: str, place: Location, options: FilterOptions, *, read: Literal["stored", "content"]
) -> Command:
    """The hash of every file: as the remote has stored it, or of the content, downloaded."""
    given, stdin = flags(options, FilterOptions)
    how = ("--download",) if read == "content" else ()
    if kind.startswith("-"):
        raise UsageError(f"{kind!r} is no hash type")
    return Command(("hashsum",), (*how, *given), (kind, location(place)), stdin)


def link(
    place: Location, *, expire: Duration | None, action: Literal["create", "remove"]
) -> Command:
    """A public link to a file or folder, or its end."""
    given = (
        ()
        if expire is None
        else (_flag("expire", f"{expire}s" if not isinstance(expire, str) else expire),)
    )
    return Command(
        ("link",), (*given, *(("--unlink",) if action == "remove" else ())), (location(place),)
    )
