"""The engine for saved remotes: a private rclone.conf per run, transfers as OneDrive needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TypeVar

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import NextStep, PlutonRcloneError, TokenExpired, Who
from pluton_rclone.process import Completed
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.commands import Command, progress_flags
from pluton_rclone.rclone.engine import LogLevel, Rclone
from pluton_rclone.rclone.listing import Entry
from pluton_rclone.rclone.locations import Location, is_local
from pluton_rclone.rclone.results import TransferResult
from pluton_rclone.rclone.runner import Runner
from pluton_rclone.rclone.transfer import Again, Start, Starting, Transfer
from pluton_rclone.values.refusals import ASK_THE_OWNER

from . import office
from .counted import Counted
from .lent import Lent, is_refusal
from .wrapping import below

T = TypeVar("T")


class OneDriveTransfer(Transfer):
    """As `Transfer`, with the Office files of a library in a run of their own."""

    def __init__(
        self,
        command: Command,
        starting: Starting,
        flags: Sequence[str],
        *,
        runs: office.Runs,
        notices: list[str],
        again: Again,
        personal: bool,
        **limits: float | None,
    ) -> None:
        self._notices, self._personal = notices, personal

        def for_office_files() -> Start | None:
            assert runs.office is not None
            found = office.has_office_files(command.places[0], lambda: self._stopped is not None)
            if found:
                notices.append(office.SAID)
            # a sync deletes what only the library has, too
            return self._bound(runs.office) if found or command.words == ("sync",) else None

        then = () if runs.office is None else (for_office_files,)
        super().__init__(command, starting, flags, run=runs.first, then=then, again=again, **limits)

    def wait(self, timeout: float | None = None) -> TransferResult:
        """As `Transfer.wait`, with these notices."""
        result = super().wait(timeout)
        if self._personal:
            for error in (result.error, *(file.error for file in result.failed)):
                without_administrator(error)
        return dataclasses.replace(result, notices=(*self._notices, *result.notices))


class SavedRclone(Rclone):
    """As `Rclone`; every run has a private copy of these remotes, merged back at its end.

    A run whose token Microsoft refuses before its end is started once more, with a renewed one.
    """

    def __init__(self, runner: Runner, conf: Conf, names: Sequence[str]) -> None:
        self._lent = Lent(runner, conf, names)
        self._counted = Counted(self._lent)
        super().__init__(runner=self._counted)
        self._conf = conf
        self._names = tuple(names)

    @property
    def throttled(self) -> int:
        """How often Microsoft asked its runs to slow down, as far as they log it (`log_level`)."""
        return self._counted.throttled

    def renew(self) -> None:
        """The next run renews the present tokens, whether they have expired or not."""
        self._lent.refuse()

    def again(self, call: Callable[[], T]) -> T:
        """Calls it, and once more if the first failed for a refused token."""
        before = self._lent.refusals
        with self._telling():
            try:
                return call()
            except TokenExpired:
                if self._lent.refusals == before:
                    raise
            return call()

    def resumed(self, stream: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
        """As `again`, for what comes piece by piece: once something has come, it ends, and the next
        run renews the token."""
        before, empty = self._lent.refusals, True
        with self._telling():
            try:
                with closing(stream()) as running:  # type: ignore[type-var]
                    for one in running:
                        empty = False
                        yield one
                    return
            except TokenExpired as problem:
                if self._lent.refusals == before:
                    raise
                if not empty:
                    raise _broke_off(problem) from problem
            yield from stream()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """rclone's log does not say that an account is a personal one."""
        try:
            yield
        except PlutonRcloneError as problem:
            if self._personal():
                without_administrator(problem)
            raise

    def _personal(self) -> bool:
        sections = [self._conf.whole_section(name) for name in self._names]
        kinds = {one.get("drive_type") for one in sections if one.get("type") == "onedrive"}
        return kinds == {"personal"}

    def execute(self, command: Command) -> Completed:
        once = super().execute
        if not isinstance(command.stdin, bytes | None):  # a stream has been read
            with self._telling():
                return once(command)
        return self.again(lambda: once(command))

    def blocks(
        self, place: Location, *, offset: int | None = None, count: int | None = None
    ) -> Generator[bytes, None, None]:
        once = super().blocks
        return self.resumed(lambda: once(place, offset=offset, count=count))

    def _entries(self, command: Command) -> Generator[Entry, None, None]:
        once = super()._entries
        return self.resumed(lambda: once(command))

    def _is_folder(self, place: str) -> bool | None:
        """As `office.is_folder_here`, also of a remote's; None if it does not answer."""
        if is_local(place):
            return office.is_folder_here(place)
        with suppress(PlutonRcloneError):  # the transfer says why
            found = self.stat(place)
            return found.is_dir if found else None
        return None

    def transfer(
        self, command: Command, *, level: LogLevel = "DEBUG", every: float = 0.5
    ) -> Transfer:
        """At DEBUG: only there rclone says that Microsoft asked it to wait (`events.Throttled`)."""
        notices: list[str] = []

        def notice(text: str) -> None:
            if text not in notices:  # each of several runs may say so
                notices.append(text)

        before = self._lent.refusals
        section = destination(command, self._conf, self._names) or {}
        into_a_library = section.get("drive_type") == "documentLibrary"
        runs = office.Runs(command)
        if into_a_library:
            runs = office.runs(command, self._is_folder)
        if runs.ignoring:
            notice(office.SAID)
        starting, flags = self._starting(notice), progress_flags(level, every)

        def again(told: Iterable[str], last: Start) -> Start | None:
            beside = commands.beside(command)
            if beside and any(commands.NOT_A_FOLDER in text for text in told):
                return starting(beside, flags)
            # by its own words: another run of these remotes may have been refused meanwhile
            return last if self._lent.refusals > before and any(map(is_refusal, told)) else None

        return OneDriveTransfer(
            command,
            starting,
            flags,
            runs=runs,
            notices=notices,
            again=again,
            personal=self._personal(),
            time_limit=self.limits.time,
            stall_limit=self.limits.stall,
        )


def without_administrator(problem: PlutonRcloneError | None) -> None:
    """The same for a personal account, which has none."""
    if problem is not None and problem.who is Who.ADMINISTRATOR:
        problem.who, problem.advice = Who.YOU, ASK_THE_OWNER


def _broke_off(problem: PlutonRcloneError) -> TokenExpired:
    return TokenExpired(
        "It broke off: Microsoft does not accept the access token any more.",
        why=problem.why,
        advice="Run it again: the token is renewed then.",
        next_step=NextStep.TEST,
        retry=True,
    )


def destination(command: Command, conf: Conf, names: Sequence[str]) -> dict[str, str] | None:
    """The section of the OneDrive that a command writes to, also through a remote that wraps it;
    None for a place that is in none of these."""
    name, colon, _ = command.places[-1].partition(":") if command.places else ("", "", "")
    if not colon or name not in names:
        return None
    name = next(iter(below(conf, name)), "")
    return conf.whole_section(name) if name else None
