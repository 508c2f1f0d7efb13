"""Builders of rclone's arguments; they run nothing.

So that no name can be read as a flag, `Command.argv` puts `--` before the places, and a value
stands in the same argument as its flag (`--flag=value`). Filters and lists of files go through
stdin: they may be long, and nobody else should see them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from pluton_rclone.errors import UsageError
from pluton_rclone.process.pipes import Source
from pluton_rclone.values.conf_text import REMOTE_NAME

from .brake import Brake
from .flags import flag, of_options
from .locations import Location, is_local, location
from .locations import source as read_from

Size = int | str
"""Bytes, or rclone's way to say it: "10Mi"."""
Duration = float | str
"""Seconds, or rclone's way to say it: "1h30m"."""
LogLevel = Literal["DEBUG", "INFO", "NOTICE"]

DELETING = frozenset({"delete", "deletefile", "purge", "rmdir", "rmdirs"})
"""The commands that only delete."""
TRANSFERS = frozenset({"copy", "copyto", "sync", "move", "moveto"})
"""The commands that bring files from one place to another."""
WRITING = TRANSFERS.union(DELETING, ("mkdir", "rcat", "touch", "cleanup"))
"""The commands that change their last place; those that move change the first, too."""

_BRIEF = frozenset({"about", "cat", "deletefile", "lsjson", "mkdir", "rmdir"})


class Command(NamedTuple):
    """An rclone command: its words, its flags, its places, and what it reads on stdin."""

    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    stdin: Source | None = None
    brake: Brake | None = None
    """What a sync may delete; None if it may delete everything."""

    @property
    def dry(self) -> bool:
        """Whether nothing is done, by its flags."""
        return is_dry(self.flags)

    @property
    def is_brief(self) -> bool:
        """Whether rclone ends soon and never holds much: a file's bytes, the list of a folder."""
        return self.words[0] in _BRIEF and "--recursive" not in self.flags

    @property
    def picks(self) -> bool:
        """Whether it is only about the files that a list on stdin names."""
        return "--files-from-raw=-" in self.flags

    @property
    def rules(self) -> list[str]:
        """Its flags that choose files by name."""
        return [flag for flag in self.flags if flag.startswith(_RULES)]

    @property
    def selecting(self) -> tuple[str, ...]:
        """Its flags that leave files out."""
        return tuple(flag for flag in self.flags if flag.startswith(_SELECTING_FLAGS))

    @property
    def includes(self) -> bool:
        """Whether its rules name what it is about, and not only what is left out."""
        if self.rules == ["--filter-from=-"] and isinstance(self.stdin, bytes):
            return any(line.startswith(b"+ ") for line in self.stdin.split(b"\n"))
        return not all(flag.startswith("--exclude") for flag in self.rules)

    @property
    def lists(self) -> bool:
        """Whether its answer is about all that a folder holds."""
        return self.words[0] in ("lsjson", "size") and "--stat" not in self.flags

    @property
    def keeps(self) -> bool:
        """Whether nothing is overwritten or deleted for good."""
        return any(flag.startswith(("--backup-dir=", "--suffix=")) for flag in self.flags)

    def argv(self, binary: str, flags: Iterable[str] = ()) -> list[str]:
        return [binary, *self.words, *flags, *self.flags, "--", *self.places]


class FilterOptions(TypedDict, total=False):
    """For every command that takes options: what is left out, and how the service is asked."""

    filters: Sequence[str]
    """rclone's filter rules, the first match wins: "- *.tmp", "+ /docs/**". See `filter_name`."""
    files_from: Iterable[str | bytes]
    """Only these files: paths below the source as listings show them. Not with `filters`. What a
    transfer or check does not find there counts as failed; in a remote, if it logs at DEBUG."""
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
    """Each symbolic link is kept as a small file NAME.rclonelink, which becomes a link again on the
    way back. Without one of these three options, a link is left out and counts as failed."""
    copy_links: bool
    """The target of each link is copied in its place."""
    skip_links: bool
    """Links are left out."""
    extra: Sequence[str]
    """Any other arguments from rclone's documentation: ["--onedrive-hard-delete"]."""


class ListOptions(FilterOptions, total=False):
    """For listings."""

    files_only: bool
    dirs_only: bool
    hashes: Sequence[str]
    """Hash types to list, such as "quickxor". Local files are read for them."""
    mime_types: bool
    """List MIME types, which costs time; those of local files are guessed from the name."""


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
    """Empty folders are made at the destination, too (copy, sync, move). True by default."""
    track_renames: bool
    no_traverse: bool
    metadata: bool
    max_transfer: Size
    max_duration: Duration
    max_delete: int | str
    """sync stops before the first deletion if it would delete more files than this: a number, or
    "N%" of those at the destination; by default half of them or ten, whichever is more. For other
    commands a number, at which rclone stops."""
    allow_empty_source: bool
    """sync may delete everything if its source is empty."""
    cutoff_mode: Literal["hard", "soft", "cautious"]
    order_by: str
    multi_thread_streams: int
    buffer_size: Size
    retries_sleep: Duration
    inplace: bool
    log_level: LogLevel
    """What becomes an event. NOTICE (by default): progress and failures. INFO: also each file that
    is transferred or deleted. DEBUG: also skipped files, and each wait that the service asks for.
    Measured with 10,000 small local files: INFO takes 15% more processor time, DEBUG 100%."""


_SELECTING = ("filters", "files_from", "min_size", "max_size", "min_age", "max_age", "max_depth")
LINKS = frozenset({"links", "copy_links", "skip_links"})
"""The options that say what to do with symbolic links."""
LINK_END = ".rclonelink"
"""The end of the name of a file that a link is kept as, with `links`."""
_KEEPING = ("backup_dir", "suffix", "immutable", "max_transfer")
"""What people take for a safety net, and no deletion of rclone's heeds."""
_RULES = ("-f", "--exclude", "--files", "--filter", "--include")
_SELECTING_FLAGS: tuple[str, ...] = (
    *(f"--{name.replace('_', '-')}" for name in _SELECTING[2:]),
    *(*_RULES, "--hash-filter", "--metadata-exclude", "--metadata-filter", "--metadata-include"),
)


def selects(options: FilterOptions) -> bool:
    """Whether the options leave files out: rules, sizes, ages, depth, and such flags in `extra`."""
    return any(options.get(name) is not None for name in _SELECTING) or any(
        flag.startswith(_SELECTING_FLAGS) for flag in options.get("extra") or ()
    )


def filter_name(path: str) -> str:
    """A path in rclone's form, quoted so that a rule takes it literally: f"- /{filter_name(p)}"."""
    quoted = re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
    return f"{quoted[:-1]}[{quoted[-1]}]" if quoted[-1:].isspace() else quoted  # rclone cuts it off


def _apart(source: str, options: TransferOptions) -> list[str]:
    """Rules for a sync that leave alone what an earlier one kept under the suffix: rclone would
    keep it again, under the suffix twice. UsageError: files of the source could have such names."""
    suffix = options.get("suffix")
    if not suffix or options.get("backup_dir") or options.get("files_from") is not None:
        return []
    pattern = re.compile(re.escape(suffix) + r"(?:\.[^/]*)?$")
    told = f"A sync with the suffix {suffix!r} would leave out files of the source."
    advice = "Choose a backup-dir as well, outside of the destination, or another suffix."
    if not is_local(source):
        raise UsageError(told, why="those that end with it, if it has any", advice=advice)
    for path, _, names in os.walk(source):
        found = next((name for name in names if pattern.search(name)), None)
        if found is not None:
            why = f"{os.path.join(path, found)} is called like a file that is kept"
            raise UsageError(told, why=why, advice=advice)
    ending = "{,.*}" if "--suffix-keep-extension" in (options.get("extra") or ()) else ""
    return [f"- *{filter_name(suffix)}{ending}"]


def transfer(
    word: str, source: Location, destination: Location, options: TransferOptions
) -> Command:
    """copy, copyto, sync, move, moveto: two places."""
    folders = True if word in ("copy", "sync", "move") else None
    wanted: dict[str, Any] = {"create_empty_src_dirs": folders, **options}
    brake = None
    if word == "sync":
        brake = Brake.of(wanted.pop("max_delete", None), bool(options.get("allow_empty_source")))
        if rules := _apart(location(source), options):
            wanted["filters"] = [*rules, *(options.get("filters") or ())]
    given, stdin = of_options(wanted, TransferOptions)
    places = (read_from(source, follow=bool(options.get("copy_links"))), location(destination))
    return Command((word,), given, places, stdin, brake)


_DRY = re.compile(r"(?:--dry-run|-[cIilLMPquvx]*n[cIilLMnPquvx]*)(?:=(.*))?")
_TRUE = (None, "1", "t", "T", "true", "TRUE", "True")  # Go's strconv.ParseBool


def is_dry(flags: Iterable[str]) -> bool:
    """Whether the flags make a dry run of it: "--dry-run", "-n", also among others: "-vn"."""
    found = [match[1] in _TRUE for match in map(_DRY.fullmatch, flags) if match]
    return found[-1:] == [True]


def progress_flags(level: LogLevel = "NOTICE", every: float = 0.5) -> tuple[str, ...]:
    """For the log of a transfer: progress `every` so many seconds, at every level."""
    shown = ("--stats-log-level=NOTICE", "--stats-one-line")
    return (f"--log-level={level}", f"--stats={every:g}s", *shown)


def look(command: Command, *, by_file: bool = False) -> Command:
    """The dry run that counts what a sync would delete, or finds what a move must not take;
    `by_file`: it names each file also where it would say that the folder moves as a whole."""
    without = ("--checksum", "--ignore-times", "--size-only", "--immutable")  # one is a failure
    kept = (flag for flag in command.flags if not flag.startswith(without))
    whole = ("--disable=DirMove",) if by_file else ()
    return command._replace(flags=(*kept, *whole, "--size-only", "--dry-run"))  # the last counts


ONLY_COPY = -1


def bound(command: Command, most: int) -> Command:
    """The sync that deletes at most `most` files; ONLY_COPY: a copy in place of a sync or move,
    which does not fail there."""
    if most == ONLY_COPY:
        word = "copyto" if command.words == ("moveto",) else "copy"
        kept = (flag for flag in command.flags if not flag.startswith("--delete-empty-src-dirs"))
        return command._replace(words=(word,), flags=tuple(kept))
    return command._replace(flags=(*command.flags, f"--max-delete={most}"))


def remove(
    word: Literal["delete", "deletefile", "purge"], place: Location, options: TransferOptions
) -> Command:
    """delete (files by filter, folders stay), deletefile (one file), purge (a folder with all)."""
    why = "rclone ignores it there, and deletes everything"
    if word != "delete" and selects(options):
        raise UsageError(f"{word} takes no filters", why=why)
    kept = [name for name in _KEEPING if options.get(name)]
    if word != "delete" and options.get("max_delete") is not None:
        kept.append("max_delete")
    if kept:
        raise UsageError(f"{word} does not take {', '.join(kept)}", why=why)
    return at(place, word, options, TransferOptions)


def at(place: Location, word: str, options: Mapping[str, Any], kind: type, *own: str) -> Command:
    """A command for one place, with the flags for its options, and its `own` before them."""
    given, stdin = of_options(options, kind)
    return Command((word,), (*own, *given), (location(place),), stdin)


def simple(word: str, place: Location, **given: object) -> Command:
    """mkdir, stat, cat, rcat…: a command for one place, with these flags, if they are not None."""
    own = (flag(name, value) for name, value in given.items() if value is not None)
    return Command((word,), tuple(own), (location(place),))


def one_file(word: str, place: Location, **given: object) -> Command:
    """As `simple`, for a place that is a file: it is asked for by its name in the folder above, so
    that a folder's files are not taken for it, and one run finds that out. UsageError for a local
    folder, and for a whole remote. A remote that has no name is left as it is."""
    command = simple(word, place, **given)
    (at,) = command.places
    if is_local(at):
        if os.path.isdir(at if isinstance(place, str) else place):
            raise not_a_file(at)
        return command
    remote, _, path = at.rstrip("/").partition(":")
    above, slash, name = path.rpartition("/")
    if not REMOTE_NAME.fullmatch(remote) or "\n" in name:
        return command
    if not name:
        raise not_a_file(at)
    flags = (*command.flags, "--files-from-raw=-")
    return Command(command.words, flags, (f"{remote}:{above or slash}",), os.fsencode(name) + b"\n")


def not_a_file(place: str) -> UsageError:
    """What to raise for a folder, where one file is wanted."""
    return UsageError(f"{place!r} is a folder.", advice="Name one file of it.")


def lsjson(place: Location, options: ListOptions, *, depth: Literal["all", "one"]) -> Command:
    """A listing of the folder, or of all below it."""
    own = ["--recursive"] if depth == "all" else []
    own += [f"--hash-type={name}" for name in options.get("hashes") or ()]
    own += [] if options.get("mime_types") else ["--no-mimetype"]
    return at(place, "lsjson", options, ListOptions, *own)


NOT_A_FOLDER = "found file when looking for folder"
"""What rclone says of a single file below a folder that somebody shared."""


def only(name: str) -> list[str]:
    """Filter rules that leave one file of a folder."""
    return [f"+ /{filter_name(name)}", "- *"]


def beside(command: Command) -> Command | None:
    """The same copy of one file by way of the folder that it is in; None for anything else."""
    above, slash, name = command.places[0].rpartition("/")
    if command.words not in (("copy",), ("move",)) or not slash or is_local(command.places[0]):
        return None
    flags = (*(f"--filter={rule}" for rule in only(name)), *command.flags)
    return command._replace(places=(above, *command.places[1:]), flags=flags)


def check(
    source: Location,
    destination: Location,
    options: FilterOptions,
    *,
    content: Literal["hash", "download", "size"],
    direction: Literal["both", "one_way"],
) -> Command:
    """Compare; the combined report goes to stdout, one line for each file."""
    given, stdin = of_options(options, FilterOptions)
    how = {"hash": (), "download": ("--download",), "size": ("--size-only",)}[content]
    way = ("--one-way",) if direction == "one_way" else ()
    places = (location(source), location(destination))
    # rclone says only at DEBUG that it leaves out a notebook
    told = () if is_local(places[0]) else ("--log-level=DEBUG",)
    return Command(("check",), ("--combined=-", *told, *how, *way, *given), places, stdin)
