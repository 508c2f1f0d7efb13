"""The engine for saved remotes: a private rclone.conf per run, a separate run for the Office files
of a library, and error messages that suit the kind of account."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import PlutonRcloneError, TokenExpired, TransferFailed, Who
from pluton_rclone.process import Completed
from pluton_rclone.process.folders import runtime_folder
from pluton_rclone.process.system import Held
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.commands import Command, LogLevel, progress_flags
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.locations import Location, is_local
from pluton_rclone.rclone.runner import Runner, nothing
from pluton_rclone.values.drive_ids import normal_drive_id

from . import office
from .lent import Lent, is_refusal
from .shortcuts import Shortcuts
from .wrapping import below, is_of_another_service, require_apart, runs_of, spots

if TYPE_CHECKING:
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.rclone.results import CheckResult, TransferResult
    from pluton_rclone.rclone.transfer import Ended, Start, Transfer
    from pluton_rclone.runs.store import Recording

T = TypeVar("T")


class SavedRclone(Rclone):
    """An `Rclone` whose runs each have a private copy of these remotes, merged back at the end. If
    Microsoft refuses a token before it expires, the run is repeated once, with a renewed token."""

    def __init__(self, runner: Runner, conf: Conf, names: Sequence[str]) -> None:
        self._lent = Lent(runner, conf, names)
        super().__init__(runner=self._lent)
        self._conf = conf
        self._names = tuple(names)

    @property
    def throttled(self) -> int:
        """How often Microsoft asked its runs to slow down, if they log it (`log_level`)."""
        return self._lent.throttled

    def renew(self) -> None:
        """Make the next run renew the current tokens, whether or not they have expired."""
        self._lent.refuse()

    def again(self, call: Callable[[], T]) -> T:
        """Call it, and call it once more if the first call failed because of a refused token."""
        before = self._lent.refusals
        with self._telling():
            try:
                return call()
            except TokenExpired:
                if self._lent.refusals == before:
                    raise
            return call()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Adapt errors to the accounts, which rclone's log does not mention."""
        try:
            yield
        except PlutonRcloneError as problem:
            self.suit(problem)
            raise

    def suit(self, problem: PlutonRcloneError) -> None:
        """Adapt an error from rclone's log to the kinds of account of these remotes."""
        suit(problem, self._sections())

    def _sections(self) -> list[dict[str, str]]:
        return [self._conf.whole_section(name) for name in self._names]

    def execute(self, command: Command) -> Completed:
        once = super().execute
        self._shortcuts.require_own(command)
        if not isinstance(command.stdin, bytes | None):  # a stream has already been consumed
            with self._telling():
                return once(command)
        return self.again(lambda: once(command))

    def blocks(
        self, place: Location, *, offset: int | None = None, count: int | None = None
    ) -> Generator[bytes, None, None]:
        once = super().blocks

        def begun() -> tuple[bytes, Generator[bytes, None, None]]:
            blocks = once(place, offset=offset, count=count)
            return next(blocks, b""), blocks

        first, rest = self.again(begun)
        with closing(rest), self._telling():
            yield first
            yield from rest

    def entries(self, command: Command) -> Generator[Entry, None, None]:
        once = super().entries
        return self.resumed(lambda: once(command))

    def resumed(
        self, listing: Callable[[], Generator[Entry, None, None]]
    ) -> Generator[Entry, None, None]:
        """As `again`; a second listing omits the entries already yielded, of which it keeps eight
        bytes each, because rclone lists folders in no fixed order."""
        before, given = self._lent.refusals, array("q")
        with self._telling():
            try:
                with closing(listing()) as running:
                    for entry in running:
                        given.append(hash(entry.path))
                        yield entry
                return
            except TokenExpired:
                if self._lent.refusals == before:
                    raise
            seen = set(given)
            with closing(listing()) as running:
                yield from (entry for entry in running if hash(entry.path) not in seen)

    def _recording(self, command: Command, notice: Callable[[str], None] = nothing) -> Recording:
        from pluton_rclone.runs.run import Run

        return runs_of(self._conf).begin(Run.of(command, self._names), notice)

    @property
    def _shortcuts(self) -> Shortcuts:
        return Shortcuts(self, self._conf, partial(self.transfer, recorded=False))

    def compare(
        self, command: Command, on_progress: Callable[[int], None] | None = None
    ) -> CheckResult:
        notices: list[str] = []
        with self._recording(command, notices.append) as recording:
            result = super().compare(command, on_progress)
            recording.compared(result)
        from dataclasses import replace

        return replace(result, notices=tuple(notices))

    def transfer(
        self,
        command: Command,
        *,
        level: LogLevel = "DEBUG",
        every: float = 0.5,
        recorded: bool = True,
    ) -> Transfer:
        """Start a transfer. At DEBUG, as rclone logs only there that Microsoft asked it to wait
        (`events.Throttled`). A run not requested by a user, such as a test's, need not be
        `recorded`; it deletes only its own files. UsageError if source and destination are the same
        or one contains the other, through any remotes, or if a shortcut would be deleted."""
        shortcuts = self._shortcuts
        require_apart(command, self._conf, shortcuts.is_folder)
        command = shortcuts.looking(command)
        notices = shortcuts.require_own(command) if recorded else []

        def notice(text: str) -> None:
            if text not in notices:  # several runs may report the same
                notices.append(text)

        source = command.places[0]
        if command.selecting and is_local(source) and office.is_folder_here(source) is False:
            notice(f"{source!r} is a file: filters select files in a folder, and have no effect.")
        before = self._lent.refusals
        section = destination(command, self._conf, self._names) or {}
        into_a_library = section.get("drive_type") == "documentLibrary"
        runs = office.runs(command, shortcuts.is_folder) if into_a_library else office.Runs(command)
        if runs.ignoring:
            notice(office.SAID)
        from pluton_rclone.rclone.transfer import Transfer

        starting, flags = self._starting(notice), progress_flags(level, every)

        def again(told: Iterable[str], last: Start) -> Start | None:
            beside = commands.beside(command)
            if beside and any(commands.NOT_A_FOLDER in text for text in told):
                return starting(beside, flags)
            # by its own messages: another run of these remotes may have been refused meanwhile
            return last if self._lent.refusals > before and any(map(is_refusal, told)) else None

        def office_files(stopped: Callable[[], bool]) -> Command | None:
            found = office.has_office_files(command.places[0], stopped)
            if found:
                notices.append(office.SAID)
            # a sync also deletes what exists only in the library
            return runs.office if found or command.words == ("sync",) else None

        alone = ExitStack()

        def begun() -> Ended:
            recording = self._recording(command, notice).transferred if recorded else nothing

            def ended(result: TransferResult) -> None:
                alone.close()
                recording(result)

            return ended

        sections = self._sections()

        def told(result: TransferResult) -> TransferResult:
            for error in (result.error, *(file.error for file in result.failed)):
                if error is not None:
                    suit(error, sections)
            from dataclasses import replace  # late: rclone is already running

            return replace(result, notices=(*notices, *result.notices))

        try:
            alone = alone_with(command)
            return Transfer(
                command,
                starting,
                flags,
                run=runs.first,
                then=() if runs.office is None else (office_files,),
                again=again,
                begun=begun,
                told=told,
                deleting=partial(shortcuts.require_none, command, notice),
                by_file=runs.office is not None or shortcuts.moves_by_file(command),
                time_limit=self.limits.time,
                stall_limit=self.limits.stall,
            )
        except BaseException as error:
            alone.close()
            if recorded:
                self._recording(command, notice).broke_off(error)
            raise


def alone_with(command: Command) -> ExitStack:
    """The locks that a move from this machine holds until it ends: on its source, and with others
    on the folders above. Raises TransferFailed if another move of the same source, of a part or of
    a folder above it is running: a file that it has moved would be missing here for the comparison,
    and so removed at the destination."""
    alone, source = ExitStack(), command.places[0]
    if command.dry or command.words[0] not in ("move", "moveto") or not is_local(source):
        return alone
    from hashlib import sha256

    whole = Path(os.path.realpath(source))
    try:
        for place in (whole, *whole.parents):
            key = sha256(os.fsencode(place)).hexdigest()[:16]
            file = runtime_folder() / f"move-{key}.lock"
            alone.enter_context(Held(file, shared=place != whole))
    except BlockingIOError:
        alone.close()
        what, advice = f"{source!r} is being moved already.", "Run it again once that has ended."
        why = "two moves of the same at once could lose files"
        raise TransferFailed(what, why=why, advice=advice, retry=True) from None
    except OSError:  # no place for a lock
        pass
    return alone


def suit(problem: PlutonRcloneError, sections: Sequence[Mapping[str, str]]) -> None:
    """As `SavedRclone.suit`, by the remotes' sections. A personal account has no administrator,
    nobody can sign in for an application, and if another service is involved, whose refusals look
    the same in rclone's log, Microsoft need not be the one that refused."""
    from pluton_rclone.remote.options import TRUE
    from pluton_rclone.values.refusals import ASK_THE_OWNER, of_application

    if any(map(is_of_another_service, sections)):
        problem.what = re.sub(r"(^|: )Microsoft\b", r"\1The remote", problem.what)
        problem.advice = problem.advice.replace("Wait as Microsoft says", "Wait as it says")
    drives = [one for one in sections if one.get("type") == "onedrive"]
    if drives and all(one.get("client_credentials") in TRUE for one in drives):
        of_application(problem)
    personal = {one.get("drive_type") for one in drives} == {"personal"}
    if personal and problem.who is Who.ADMINISTRATOR:
        problem.who, problem.advice = Who.YOU, ASK_THE_OWNER


def destination(command: Command, conf: Conf, names: Sequence[str]) -> dict[str, str] | None:
    """The section of the OneDrive that a command writes to, also through remotes that wrap it; of
    several, preferably a library's. None if the place is in none of these remotes."""
    name, colon, _ = command.places[-1].partition(":") if command.places else ("", "", "")
    name = conf.storage_of(name)
    if not colon or name not in names:
        return None
    drives = {drive for drive, *_ in spots(conf, command.places[-1], but=(":ro",))}
    found = [conf.whole_section(one) for one in below(conf, name)]
    found = [one for one in found if normal_drive_id(one.get("drive_id", "")) in drives]
    return min(found, key=lambda one: one.get("drive_type") != "documentLibrary", default=None)
