"""rclone as a Python object: each method is one run of the binary, typed in, typed out, typed when
it fails."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from pluton_rclone.errors import NothingFound, RcloneError
from pluton_rclone.process import Completed
from pluton_rclone.process.pipes import Source, paced
from pluton_rclone.values.versions import Version

from . import commands, listing
from .binary import Binary, find_binary
from .commands import Command, Duration, FilterOptions, ListOptions, TransferOptions
from .commands import LogLevel as LogLevel  # for who overrides `transfer`
from .listing import Entry
from .locations import Location, location
from .results import About, CheckResult, Total
from .run import Run, compare, decoded
from .runner import BareRclone, Callbacks, Order, Runner, nothing
from .transfer import STALL_LIMIT, Starting, Transfer

if TYPE_CHECKING:
    from typing_extensions import Unpack


T = TypeVar("T")


class Limits(NamedTuple):
    """How long a run may take: `time` seconds in all, `stall` seconds without coming forward. None:
    no limit.

    The stall limit holds for transfers; everything else has the time limit alone.
    """

    time: float | None = None
    stall: float | None = STALL_LIMIT


class Rclone:
    """One binary with one configuration. Objects share nothing: two of them never meet.

    `config`: the configuration file; None means rclone's own default place. `environment`:
    variables that are added to the child's (see `environment.py` for what it inherits).
    `user_agent`: sent to the service, with rclone's own appended. `flags`: global flags for every
    run. `runner` starts rclone in place of all these. A location is a str as rclone reads it
    ("name:path"), or bytes or a path object for a local path that is taken literally.
    """

    def __init__(
        self,
        binary: Binary | str | os.PathLike[str] | None = None,
        *,
        config: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        flags: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 - immutable
        runner: Runner | None = None,
    ) -> None:
        self.limits = limits
        self.runner: Runner = runner or BareRclone(
            binary if isinstance(binary, Binary) else find_binary(binary),
            config=None if config is None else Path(config),
            environment=environment,
            user_agent=user_agent,
            flags=flags,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.binary.path!r})"

    @property
    def binary(self) -> Binary:
        """The rclone that is started."""
        return self.runner.binary

    # ---- transfers -------------------------------------------------------------------------------

    def copy(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Copy what is new or changed; nothing is deleted at the destination. A file is copied into
        the folder."""
        return self._started(commands.transfer("copy", source, destination, options), options)

    def copyto(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """As copy; a file gets the destination's name."""
        return self._started(commands.transfer("copyto", source, destination, options), options)

    def sync(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Make the destination the same as the source: what is not in the source is deleted
        there."""
        return self._started(commands.transfer("sync", source, destination, options), options)

    def move(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """As copy, and delete at the source what has arrived."""
        return self._started(commands.transfer("move", source, destination, options), options)

    def moveto(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """As move; a file gets the destination's name."""
        return self._started(commands.transfer("moveto", source, destination, options), options)

    def delete(self, place: Location, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete the files in a folder and below, as filters say; folders stay."""
        return self._started(commands.remove("delete", place, options), options)

    def purge(self, place: Location, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete a folder and all that is in it."""
        return self._started(commands.remove("purge", place, options), options)

    def deletefile(self, place: Location, **options: Unpack[TransferOptions]) -> None:
        """Delete one file. NothingFound if there is none."""
        self.execute(commands.remove("deletefile", place, options))

    def mkdir(self, place: Location) -> None:
        """Make a folder and those above it; nothing happens if it is there."""
        self.execute(commands.simple("mkdir", place))

    def rmdir(self, place: Location) -> None:
        """Remove an empty folder."""
        self.execute(commands.simple("rmdir", place))

    def cleanup(self, place: Location) -> None:
        """Empty the trash, remove old versions: whatever the remote means by it."""
        self.execute(commands.simple("cleanup", place))

    # ---- content ---------------------------------------------------------------------------------

    def cat(self, place: Location, *, offset: int | None = None, count: int | None = None) -> bytes:
        """The content of a file, or `count` bytes from `offset` (negative: from the end)."""
        return b"".join(self.blocks(place, offset=offset, count=count))

    def blocks(
        self, place: Location, *, offset: int | None = None, count: int | None = None
    ) -> Iterator[bytes]:
        """As `cat`, in blocks as they come; raises at the end if it broke off. Stopping early ends
        rclone."""
        try:
            yield from self._output(commands.cat(place, offset=offset, count=count))
        except RcloneError as problem:
            above, name = _in_shared_folder(place, problem)
            command = commands.cat(above, offset=offset, count=count)
            yield from self._output(command._replace(flags=(*command.flags, *commands.only(name))))

    def _output(self, command: Command) -> Iterator[bytes]:
        run = self.begin(command)
        with run.child:
            while block := run.child.read():
                yield block
            run.finish()

    def rcat(self, source: Source, place: Location, *, size: int | None = None) -> None:
        """Make a file from a stream: bytes, a binary file, or blocks. If the source raises, nothing
        is stored."""
        self.execute(commands.rcat(place, size=size)._replace(stdin=source))

    # ---- looking ---------------------------------------------------------------------------------

    def walk(self, place: Location, **options: Unpack[ListOptions]) -> Iterator[Entry]:
        """Everything below a folder, as rclone prints it, in flat memory.

        A listing that fails after it began raises at its end: it never looks complete. Stopping
        early ends rclone.
        """
        return self._entries(commands.lsjson(place, options, depth="all"))

    def list(self, place: Location, **options: Unpack[ListOptions]) -> builtins.list[Entry]:
        """What is in a folder."""
        return builtins.list(self._entries(commands.lsjson(place, options, depth="one")))

    def stat(self, place: Location) -> Entry | None:
        """One file or folder; None if there is nothing. A folder has no `modified` here: rclone
        makes one up."""
        try:
            text = self.execute(commands.stat(place)).stdout.strip()
        except NothingFound:
            return None
        except RcloneError as problem:
            above, name = _in_shared_folder(place, problem)
            return next((one for one in self.list(above) if one.name == name), None)
        if text in (b"", b"null"):
            return None
        return listing.named(listing.entry(text), place)

    def about(self, place: Location) -> About:
        """The room on the remote."""
        text = self.execute(commands.json_report("about", place, {})).stdout
        return decoded(text, About)

    def size(self, place: Location, **options: Unpack[FilterOptions]) -> Total:
        """How many files there are below a folder, and how many bytes."""
        return decoded(self.execute(commands.json_report("size", place, options)).stdout, Total)

    def check(
        self,
        source: Location,
        destination: Location,
        *,
        content: Literal["hash", "download", "size"] = "hash",
        direction: Literal["both", "one_way"] = "both",
        on_progress: Callable[[int], None] | None = None,
        **options: Unpack[FilterOptions],
    ) -> CheckResult:
        """Compare two folders by hash, by content, or by size alone. Differences are the result,
        not an exception.

        `on_progress` is told the number of files compared so far.
        """
        command = commands.check(source, destination, options, content=content, direction=direction)
        return self.again(lambda: compare(self.begin(command), on_progress))

    def hashsum(
        self,
        kind: str,
        place: Location,
        *,
        read: Literal["stored", "content"] = "stored",
        **options: Unpack[FilterOptions],
    ) -> dict[str, str]:
        """The hash of every file, by path. `kind` as rclone names it: "quickxor", "md5",
        "sha256"…"""
        text = self.execute(commands.hashsum(kind, place, options, read=read)).stdout.decode(
            errors="replace"
        )
        pairs = (line.split("  ", 1) for line in text.splitlines() if "  " in line)
        return {path: value for value, path in pairs}

    def link(self, place: Location, *, expire: Duration | None = None) -> str:
        """Make a public link to a file or folder."""
        return (
            self.execute(commands.link(place, expire=expire, action="create"))
            .stdout.decode()
            .strip()
        )

    def unlink(self, place: Location) -> None:
        """Remove the public link."""
        self.execute(commands.link(place, expire=None, action="remove"))

    def version(self) -> Version:
        """The version of the binary; it was asked once."""
        return self.binary.version

    def copyfile(self, source: Location, destination: Location) -> None:
        """Copy one file to a name. NothingFound if there is none."""
        self.copyto(source, destination).result()

    # ---- anything else ---------------------------------------------------------------------------

    def run(
        self, *words: str, places: Sequence[Location] = (), stdin: Source | None = None
    ) -> Completed:
        """Any rclone command: its words and flags, its places. Raises as the other methods do.

        `rclone.run("backend", "features", places=["od:"])`
        """
        return self.execute(Command(words, (), tuple(map(location, places)))._replace(stdin=stdin))

    def begin(self, command: Command, *, on_stdout: Callable[[bytes], None] | None = None) -> Run:
        """Start a command that is not a transfer; close the run's child."""
        return Run(self.runner, command, time_limit=self.limits.time, on_stdout=on_stdout)

    def execute(self, command: Command) -> Completed:
        """Run a command to its end. Raises the mapped fault if it fails."""
        out: list[bytes] = []
        run = self.begin(command, on_stdout=out.append)
        with run.child:
            run.finish()
        return Completed(0, b"".join(out), run.child.stderr_tail)

    def again(self, call: Callable[[], T]) -> T:
        """Calls it; an engine that can remove the cause of a failure calls it once more."""
        return call()

    def _entries(self, command: Command) -> Iterator[Entry]:
        run = self.begin(command)
        with run.child:
            complete = yield from listing.single(listing.entries(paced(run.child.read)))
            run.finish()
            if not complete:
                raise RcloneError("The listing broke off.", why="rclone's output has no end")

    def _started(self, command: Command, options: TransferOptions) -> Transfer:
        level = options.get("log_level")
        return self.transfer(command) if level is None else self.transfer(command, level=level)

    def transfer(
        self, command: Command, *, level: LogLevel = "NOTICE", every: float = 0.5
    ) -> Transfer:
        """Start a command as a transfer, with progress `every` so many seconds; `level` as in
        `TransferOptions`.
        """
        return Transfer(
            command,
            self._starting(),
            commands.progress_flags(level, every),
            time_limit=self.limits.time,
            stall_limit=self.limits.stall,
        )

    def _starting(self, notice: Callable[[str], None] = nothing) -> Starting:
        """What starts a run of a transfer; `notice` is told what should be known about it."""
        return lambda run, flags: (
            lambda line, watch, end: self.runner.start(
                Order(run, tuple(flags), Callbacks(nothing, line, watch, end, notice))
            )
        )


def _in_shared_folder(place: Location, problem: RcloneError) -> tuple[str, str]:
    """The folder and name of a single file that rclone cannot open: below a folder that somebody
    shared, 1.75.2 finds files by listing only. Raises the problem if it is another one."""
    above, slash, name = location(place).rpartition("/")
    if not slash or commands.NOT_A_FOLDER not in (problem.why or ""):
        raise problem
    return above, name
