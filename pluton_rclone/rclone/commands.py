"""Builds rclone's arguments; runs nothing.

So that rclone never reads a name as a flag, `Command.argv` puts `--` before the places, and a value
in the same argument as its flag (`--flag=value`). Filters and lists of files go through stdin: they
may be long, and other users must not see them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from pluton_rclone.errors import UsageError
from pluton_rclone.process.pipes import Source
from pluton_rclone.values.conf_text import REMOTE_NAME
from pluton_rclone.values.words import require_word

from .brake import Brake
from .flags import flag, of_options
from .locations import Location, is_local, location
from .locations import source as read_from

Size = int | str
"""Bytes, or a size in rclone's notation: "10Mi"."""
Duration = float | str
"""Seconds, or a duration in rclone's notation: "1h30m"."""
LogLevel = Literal["DEBUG", "INFO", "NOTICE"]
Content = Literal["hash", "download", "size"]
Direction = Literal["both", "one_way"]

DELETING = frozenset({"delete", "deletefile", "purge", "rmdir", "rmdirs"})
"""The commands that only delete."""
TRANSFERS = frozenset({"copy", "copyto", "sync", "move", "moveto"})
"""The commands that transfer files from one place to another."""
WRITING = TRANSFERS.union(DELETING, ("mkdir", "rcat", "touch", "cleanup"))
"""The commands that write to their last place; move and moveto also delete from the first."""

_BRIEF = frozenset({"about", "cat", "deletefile", "lsjson", "mkdir", "rmdir"})


class Command(NamedTuple):
    """An rclone command: its words, its flags, its places, and its input on stdin."""

    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    stdin: Source | None = None
    brake: Brake | None = None
    """The limit for a sync's deletions; None if it may delete everything."""

    @property
    def dry(self) -> bool:
        """Whether its flags make it a dry run."""
        return is_dry(self.flags)

    @property
    def is_brief(self) -> bool:
        """Whether rclone ends soon and holds little: the bytes of a file, the list of a folder."""
        return self.words[0] in _BRIEF and "--recursive" not in self.flags

    @property
    def picks(self) -> bool:
        """Whether it is limited to the files that a list on stdin names."""
        return "--files-from-raw=-" in self.flags

    @property
    def rules(self) -> list[str]:
        """Its flags that select files by name."""
        return [flag for flag in self.flags if flag.startswith(_RULES)]

    @property
    def selecting(self) -> tuple[str, ...]:
        """Its flags that exclude files."""
        return tuple(flag for flag in self.flags if flag.startswith(_SELECTING_FLAGS))

    @property
    def includes(self) -> bool:
        """Whether its rules include files, instead of only excluding some."""
        if self.rules == ["--filter-from=-"] and isinstance(self.stdin, bytes):
            return any(line.startswith(b"+ ") for line in self.stdin.split(b"\n"))
        return not all(flag.startswith("--exclude") for flag in self.rules)

    @property
    def lists(self) -> bool:
        """Whether it reports on the whole content of a folder."""
        return self.words[0] in ("lsjson", "size") and "--stat" not in self.flags

    @property
    def keeps(self) -> bool:
        """Whether it keeps a copy of each file that it overwrites or deletes."""
        return any(flag.startswith(("--backup-dir=", "--suffix=")) for flag in self.flags)

    def argv(self, binary: str, flags: Iterable[str] = ()) -> list[str]:
        return [binary, *self.words, *flags, *self.flags, "--", *self.places]


class FilterOptions(TypedDict, total=False):
    """For every command that takes options: the choice of files, and requests to the service."""

    filters: Sequence[str]
    """rclone's filter rules; the first match wins: "- *.tmp", "+ /docs/**". See `filter_name`."""
    files_from: Iterable[str | bytes]
    """Only these files: paths below the source, as listings show them. Not with `filters`. One that
    a transfer or check does not find counts as failed; on a remote, only with a log at DEBUG."""
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
    """Store each symbolic link as a small file NAME.rclonelink, which becomes a link again when it
    is restored. Without one of these three options, a link is left out and counts as failed."""
    copy_links: bool
    """Copy the target of each link in its place."""
    skip_links: bool
    """Leave links out."""
    extra: Sequence[str]
    """Any other arguments from rclone's documentation: ["--onedrive-hard-delete"]."""


class ListOptions(FilterOptions, total=False):
    """For listings."""

    files_only: bool
    dirs_only: bool
    hashes: Sequence[str]
    """Hash types to list, such as "quickxor". They require reading local files completely."""
    mime_types: bool
    """List MIME types, which takes time; those of local files are guessed from the name."""


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
    """Also create empty folders at the destination (copy, sync, move). True by default."""
    track_renames: bool
    no_traverse: bool
    metadata: bool
    max_transfer: Size
    max_duration: Duration
    max_delete: int | str
    """A sync stops before its first deletion if it would delete more files than this: a number, or
    "N%" of those at the destination; by default half of them or ten, whichever is more. For other
    commands, a number at which rclone stops."""
    allow_empty_source: bool
    """A sync may delete everything if its source is empty."""
    cutoff_mode: Literal["hard", "soft", "cautious"]
    order_by: str
    multi_thread_streams: int
    buffer_size: Size
    retries_sleep: Duration
    inplace: bool
    log_level: LogLevel
    """Selects the events. NOTICE (the default): progress and failures. INFO: also each file that is
    transferred or deleted. DEBUG: also skipped files, and each wait that the service asks for.
    Measured with 10,000 small local files: INFO takes 15% more CPU time, DEBUG 100%."""


_SELECTING = ("filters", "files_from", "min_size", "max_size", "min_age", "max_age", "max_depth")
LINKS = frozenset({"links", "copy_links", "skip_links"})
"""The options for symbolic links."""
LINK_END = ".rclonelink"
"""The suffix of a file that stores a symbolic link, with `links`."""
_KEEPING = ("backup_dir", "suffix", "immutable", "max_transfer")
"""Options that look like a safety net, but that rclone ignores when it deletes."""
_RULES = ("-f", "--exclude", "--files", "--filter", "--include")
_SELECTING_FLAGS: tuple[str, ...] = (
    *(f"--{name.replace('_', '-')}" for name in _SELECTING[2:]),
    *(*_RULES, "--hash-filter", "--metadata-exclude", "--metadata-filter", "--metadata-include"),
)


def selects(options: FilterOptions) -> bool:
    """Whether the options exclude files: by rule, size, age or depth, or by a flag in `extra`."""
    return any(options.get(name) is not None for name in _SELECTING) or any(
        flag.startswith(_SELECTING_FLAGS) for flag in options.get("extra") or ()
    )


def filter_name(path: str) -> str:
    """A path in rclone's form, escaped for literal use in a rule: f"- /{filter_name(p)}"."""
    quoted = re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
    return f"{quoted[:-1]}[{quoted[-1]}]" if quoted[-1:].isspace() else quoted  # rclone strips it


def _apart(source: str, options: TransferOptions) -> list[str]:
    """Rules that exclude files kept by an earlier sync under `suffix`: rclone would keep them
    again, with a second suffix. Raises UsageError if files of the source may have such names."""
    suffix = options.get("suffix")
    if not suffix or options.get("backup_dir") or options.get("files_from") is not None:
        return []
    pattern = re.compile(re.escape(suffix) + r"(?:\.[^/]*)?$")
    told = f"A sync with the suffix {suffix!r} would leave out files of the source."
    advice = "Choose a backup-dir as well, outside of the destination, or another suffix."
    if not is_local(source):
        raise UsageError(told, why="those whose names end with it, if there are any", advice=advice)
    for path, _, names in os.walk(source):
        found = next((name for name in names if pattern.search(name)), None)
        if found is not None:
            why = f"{os.path.join(path, found)} looks like the name of a kept old file"
            raise UsageError(told, why=why, advice=advice)
    ending = "{,.*}" if "--suffix-keep-extension" in (options.get("extra") or ()) else ""
    return [f"- *{filter_name(suffix)}{ending}"]


def transfer(
    word: str, source: Location, destination: Location, options: TransferOptions
) -> Command:
    """copy, copyto, sync, move, moveto: a command with two places."""
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
    """Whether the flags ask for a dry run: "--dry-run", "-n", or combined as in "-vn"."""
    found = [match[1] in _TRUE for match in map(_DRY.fullmatch, flags) if match]
    return found[-1:] == [True]


def progress_flags(level: LogLevel = "NOTICE", every: float = 0.5) -> tuple[str, ...]:
    """Flags for a transfer's log, with progress every `every` seconds at any log level."""
    require_word("log level", level, LogLevel)
    shown = ("--stats-log-level=NOTICE", "--stats-one-line")
    return (f"--log-level={level}", f"--stats={every:g}s", *shown)


def look(command: Command, *, by_file: bool = False) -> Command:
    """The dry run that counts a sync's deletions, or finds files that a move must leave. `by_file`:
    it reports each file, even if a folder would be moved as a whole."""
    without = ("--checksum", "--ignore-times", "--size-only", "--immutable")  # the last would fail
    kept = (flag for flag in command.flags if not flag.startswith(without))
    whole = ("--disable=DirMove",) if by_file else ()
    return command._replace(flags=(*kept, *whole, "--size-only", "--dry-run"))  # the last counts


ONLY_COPY = -1


def bound(command: Command, most: int) -> Command:
    """The sync with a limit of `most` deletions. ONLY_COPY: a copy instead of the sync or move,
    because it does not fail where these would."""
    if most == ONLY_COPY:
        word = "copyto" if command.words == ("moveto",) else "copy"
        kept = (flag for flag in command.flags if not flag.startswith("--delete-empty-src-dirs"))
        return command._replace(words=(word,), flags=tuple(kept))
    return command._replace(flags=(*command.flags, f"--max-delete={most}"))


def remove(
    word: Literal["delete", "deletefile", "purge"], place: Location, options: TransferOptions
) -> Command:
    """delete (files by filter, not folders), deletefile (one file), purge (a whole folder)."""
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
    """A command for one place, with its `own` flags and the flags for its options."""
    given, stdin = of_options(options, kind)
    return Command((word,), (*own, *given), (location(place),), stdin)


def simple(word: str, place: Location, **given: object) -> Command:
    """mkdir, cat, rcat…: a command for one place, with a flag for each value that is not None."""
    own = (flag(name, value) for name, value in given.items() if value is not None)
    return Command((word,), tuple(own), (location(place),))


def one_file(word: str, place: Location, **given: object) -> Command:
    """Like `simple`, for a single file: rclone gets its folder and, as a list, its name. So one run
    is enough, and rclone cannot treat a folder as its files. Raises UsageError for a local folder
    and for a remote's root. A place on a remote without a name stays as it is."""
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
    """The exception for a folder in place of a file."""
    return UsageError(f"{place!r} is a folder.", advice="Name a single file in it.")


def lsjson(place: Location, options: ListOptions, *, depth: Literal["all", "one"]) -> Command:
    """lsjson: a listing of the folder, or of everything below it."""
    own = ["--recursive"] if depth == "all" else []
    own += [f"--hash-type={name}" for name in options.get("hashes") or ()]
    own += [] if options.get("mime_types") else ["--no-mimetype"]
    return at(place, "lsjson", options, ListOptions, *own)


NOT_A_FOLDER = "found file when looking for folder"
"""rclone's error for a single file below a shared folder."""


def only(name: str) -> list[str]:
    """Filter rules that select one file of a folder."""
    return [f"+ /{filter_name(name)}", "- *"]


def beside(command: Command) -> Command | None:
    """The copy or move of one file as one of its folder with a filter; None for other commands."""
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
    content: Content,
    direction: Direction,
) -> Command:
    """check, with the combined report on stdout: one line for each file."""
    require_word("content", content, Content)
    require_word("direction", direction, Direction)
    given, stdin = of_options(options, FilterOptions)
    how = {"hash": (), "download": ("--download",), "size": ("--size-only",)}[content]
    way = ("--one-way",) if direction == "one_way" else ()
    places = (location(source), location(destination))
    # rclone reports an omitted notebook only at DEBUG
    told = () if is_local(places[0]) else ("--log-level=DEBUG",)
    return Command(("check",), ("--combined=-", *told, *how, *way, *given), places, stdin)
