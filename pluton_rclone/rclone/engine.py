"""rclone as a Python object: each method runs the binary, with typed options and results."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from pluton_rclone.errors import NothingFound, RcloneError
from pluton_rclone.process import Completed
from pluton_rclone.process.pipes import Source, paced

from . import commands
from .binary import Binary, find_binary
from .commands import Command, FilterOptions, ListOptions, LogLevel, TransferOptions
from .locations import Location, is_local, location
from .run import Run, compare, decoded
from .runner import BareRclone, Callbacks, Order, Runner, nothing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .listing import Entry
    from .results import About, CheckResult, Total
    from .transfer import Starting, Transfer

T = TypeVar("T")


class Limits(NamedTuple):
    """Time limits of a run in seconds, None for no limit: `time` in all, and for a transfer `stall`
    without a byte, a check or a listed entry (longer while files are compared: see
    `transfer.COMPARING`). If Microsoft asks for a longer wait, the run ends with Throttled."""

    time: float | None = None
    stall: float | None = 900.0


class Rclone:
    """One binary with one configuration. Objects share no state.

    `config` is the configuration file, by default rclone's. `environment` is added to the variables
    that rclone inherits (`runner.KEPT`). `user_agent` is sent to the service before rclone's own.
    `flags` are added to every run. `runner`, if given, replaces all of these. A location is a str
    as rclone reads it ("name:path"), or bytes or a path object for a local path, taken literally.
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
        """The rclone binary that is run."""
        return self.runner.binary

    def copy(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Copy new and changed files into a folder; nothing is deleted there."""
        return self._started(commands.transfer("copy", source, destination, options), options)

    def copyto(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Like copy, but a file gets the destination's name."""
        return self._started(commands.transfer("copyto", source, destination, options), options)

    def sync(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Make the destination identical to the source: other files there are deleted."""
        return self._started(commands.transfer("sync", source, destination, options), options)

    def move(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Like copy, but each file is deleted at the source once it has arrived."""
        return self._started(commands.transfer("move", source, destination, options), options)

    def moveto(
        self, source: Location, destination: Location, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Like move, but a file gets the destination's name."""
        return self._started(commands.transfer("moveto", source, destination, options), options)

    def delete(self, place: Location, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete all files below a folder, or those that filters select; folders stay."""
        return self._started(commands.remove("delete", place, options), options)

    def purge(self, place: Location, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete a folder with its content."""
        return self._started(commands.remove("purge", place, options), options)

    def deletefile(self, place: Location, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete one file. Raises NothingFound if it does not exist."""
        return self._started(commands.remove("deletefile", place, options), options)

    def mkdir(self, place: Location) -> None:
        """Create a folder and its parents, unless they exist."""
        self.execute(commands.simple("mkdir", place))

    def cat(self, place: Location, *, offset: int | None = None, count: int | None = None) -> bytes:
        """The content of a file, or `count` bytes from `offset` (negative: from the end)."""
        return b"".join(self.blocks(place, offset=offset, count=count))

    def blocks(
        self, place: Location, *, offset: int | None = None, count: int | None = None
    ) -> Generator[bytes, None, None]:
        """Like `cat`, but in blocks as they arrive; raises at the end if rclone failed. Stopping
        early ends rclone. Raises UsageError for a folder: rclone would print all of its files."""
        chosen, empty = commands.one_file("cat", place, offset=offset, count=count), True
        by_name = chosen.stdin is not None
        if not by_name and not is_local(*chosen.places):
            self._require_file(place)
        run = self.begin(chosen)
        with run.child:
            while block := run.child.read():
                empty = False
                yield block
            run.finish()
        if empty and by_name:  # an empty file, a folder, or nothing
            self._require_file(place)

    def _require_file(self, place: Location) -> None:
        entry = self.stat(place)
        if entry is None:
            raise NothingFound(f"There is no {location(place)!r}.")
        if entry.is_dir:
            raise commands.not_a_file(location(place))

    def rcat(self, source: Source, place: Location, *, size: int | None = None) -> None:
        """Create a file from bytes, a binary file, or blocks; nothing is stored if the source
        raises. With `size`, rclone need not spool data for remotes that must know it beforehand."""
        self.execute(commands.simple("rcat", place, size=size)._replace(stdin=source))

    def walk(self, place: Location, **options: Unpack[ListOptions]) -> Iterator[Entry]:
        """Everything below a folder, as rclone prints it, in constant memory. Raises at the end if
        the listing is not complete. Stopping early ends rclone."""
        return self.entries(commands.lsjson(place, options, depth="all"))

    def list(self, place: Location, **options: Unpack[ListOptions]) -> builtins.list[Entry]:
        """The entries of a folder."""
        return builtins.list(self.entries(commands.lsjson(place, options, depth="one")))

    def stat(self, place: Location) -> Entry | None:
        """One file or folder; None if it does not exist. A folder has no `modified`, because rclone
        would make it up."""
        command = commands.simple("lsjson", place, stat=True, no_mimetype=True)
        try:
            text = self.execute(command).stdout.strip()
        except NothingFound as problem:
            if problem.details.get("exit_code") == 1:  # something else is missing: see `faults`
                raise
            return None
        except RcloneError as problem:
            above, slash, name = location(place).rpartition("/")
            if not slash or commands.NOT_A_FOLDER not in (problem.why or ""):
                raise
            # below a shared folder, 1.75.2 finds files only by listing
            return next((one for one in self.list(above) if one.name == name), None)
        if text in (b"", b"null"):
            return None
        from . import listing

        return listing.named(listing.entry(text), place)

    def about(self, place: Location) -> About:
        """The quota of the remote."""
        text = self.execute(commands.simple("about", place, json=True)).stdout
        from .results import About

        return decoded(text, About)

    def size(self, place: Location, **options: Unpack[FilterOptions]) -> Total:
        """The number and total size of the files below a folder."""
        text = self.execute(commands.at(place, "size", options, FilterOptions, "--json")).stdout
        from .results import Total

        return decoded(text, Total)

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
        """Compare two folders by hash, by content, or by size only. Differences are a result, not
        an exception. `on_progress` is called with the number of files compared so far."""
        command = commands.check(source, destination, options, content=content, direction=direction)
        return self.compare(command, on_progress)

    def compare(
        self, command: Command, on_progress: Callable[[int], None] | None = None
    ) -> CheckResult:
        """Like `check`, given its command. Raises RcloneError if no file was compared, unless both
        folders exist and no rule includes files. A one-way check from a local folder always raises
        it then, because an empty folder may be a disk that is not mounted."""
        result = self.again(lambda: compare(self.begin(command), on_progress))
        one_way = "--one-way" in command.flags and is_local(command.places[0])
        whole = not (command.includes or one_way)
        if not result.matching and result.same and not (whole and self.stat(command.places[1])):
            raise RcloneError(
                "Nothing was compared: no file was found.",
                why="an unmounted disk, or a pattern without a match, looks like this",
                advice="Check the source, the destination and the filters.",
                retry=False,
            )
        return result

    def run(
        self, *words: str, places: Sequence[Location] = (), stdin: Source | None = None
    ) -> Completed:
        """Run any rclone command: `rclone.run("backend", "features", places=["od:"])`. Raises like
        the other methods."""
        return self.execute(Command(words, (), tuple(map(location, places)), stdin))

    def begin(self, command: Command, *, on_stdout: Callable[[bytes], None] | None = None) -> Run:
        """Start a command that is not a transfer. The caller closes the run's child."""
        return Run(self.runner, command, time_limit=self.limits.time, on_stdout=on_stdout)

    def execute(self, command: Command) -> Completed:
        """Run a command and wait for its end. Raises if it fails."""
        out: list[bytes] = []
        run = self.begin(command, on_stdout=out.append)
        with run.child:
            # importing these, to parse the output, takes 10 ms, less than rclone takes to start
            from . import listing as listing
            from . import results as results

            run.finish()
        return Completed(0, b"".join(out), run.child.stderr_tail)

    def again(self, call: Callable[[], T]) -> T:
        """Call it. A subclass that can remove the cause of a failure calls it once more."""
        return call()

    def entries(self, command: Command) -> Generator[Entry, None, None]:
        """Like `walk`, given its command."""
        run = self.begin(command)
        with run.child:
            yield from run.entries(paced(run.child.read))

    def _started(self, command: Command, options: TransferOptions) -> Transfer:
        level = options.get("log_level")
        return self.transfer(command) if level is None else self.transfer(command, level=level)

    def transfer(
        self, command: Command, *, level: LogLevel = "NOTICE", every: float = 0.5
    ) -> Transfer:
        """Start a command as a transfer, with progress every `every` seconds; `level` is as
        `log_level` in `TransferOptions`."""
        from .transfer import Transfer

        flags = commands.progress_flags(level, every)
        time, stall = self.limits
        return Transfer(command, self._starting(), flags, time_limit=time, stall_limit=stall)

    def _starting(self, notice: Callable[[str], None] = nothing) -> Starting:
        """A function that starts the runs of a transfer; `notice` gets messages for the user."""
        return lambda run, flags: (
            lambda line, watch, end: self.runner.start(
                Order(run, tuple(flags), Callbacks(nothing, line, watch, end, notice))
            )
        )
