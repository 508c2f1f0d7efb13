"""The log of a run so far: the latest progress, the failed files, the messages."""

from __future__ import annotations

import collections
import logging
import re
from datetime import datetime, timedelta, timezone

import msgspec

from pluton_rclone.errors import (
    NameRefused,
    PlutonRcloneError,
    RcloneError,
    Stalled,
    Throttled,
    TooManyDeletions,
    TransferFailed,
)
from pluton_rclone.values import units

from . import events, left_out
from .commands import Command
from .results import FailedFile, LeftOut, Planned, TransferResult, transfer_failed

log = logging.getLogger(__name__)

MESSAGES = 200
"""The number of recent notices and errors that are kept to explain a failure."""

_LONGEST_WAIT = 366 * 86400.0
"""Seconds: Microsoft never asks for a longer wait, and a datetime could overflow."""

_COUNTS = ("bytes", "transfers", "checks", "renames", "server_side_copies", "server_side_moves")
_LOUD = ("notice", "error", "critical")
_UNSAVED = "Failed to save config"
_CRASH = ("fatal error: ", "panic: ", "runtime: ")  # Go's; thousands of lines of stacks follow
_NEXT_ROUND = re.compile(r"Attempt (\d+)/(\d+) failed")
_BROKE_OFF = re.compile("Cancelling sync due to fatal error|max (?:transfer|delete)|.*--max-delete")
_DELETING = re.compile(
    r"Couldn't (?:delete|remove|move into backup)|Failed to rmdir|(Got fatal error on delete)"
)
_OF_A_FOLDER = re.compile(r"error (?:reading|listing)\b|Failed to (?:rmdir|update directory)\b")
_NOT_DELETING = "not deleting files as there were IO errors"
_KEPT = "Nothing was deleted at the destination: not everything could be read or transferred."
_NOT_TAKEN = "Nothing was removed from the source, because not everything can be moved."
_UNREAD = "not everything could be read beforehand"
_ONCE_MORE = "Run it again."
_WOULD_KEEP = "Nothing would be deleted at the destination: not everything can be transferred."
_UNSEEN = "not everything could be read when the deletions were counted beforehand"
_SEEING = "Run it again: it deletes only if it can read everything."
_DELETION = re.compile(r"delete|remove|move into backup")
_FOLDER_MOVED = "Server side directory move succeeded"
_SENDING = ("copy", "move")
FOLDER_MOVE = "server-side directory move"
_WHOLE = (FOLDER_MOVE, "purge directory")


class Tally:
    """Adds up events. A file counts as failed if its last attempt failed: rclone reports it again
    in each round of retries. `looking`: the dry run before a sync, whose plan is not reported.
    `absent`: names in a list of files that the source lacked before the run; None: check now."""

    def __init__(
        self,
        command: Command = Command(()),  # noqa: B008 - immutable
        *,
        looking: bool = False,
        absent: tuple[str, ...] | None = None,
    ) -> None:
        self.command, self._looking, self._dry = command, looking, command.dry
        self.absent = left_out.absent(command) if absent is None else absent
        self._unfound, self._at_debug = left_out.sought(command), False
        self._left_out: dict[left_out.Place, None] = {}
        self._unchanged = self._best = self._same = self._arrived = self._transferred = 0
        self._folders = self._undeleted = self._renamed = 0
        # the only trace in the log of a folder that cannot be created
        self._making: dict[str, None] = {}
        self._broke_off = self._kept = self.only_copies = self.blind = self._crashed = False
        self.progress = self._before = events.Progress(text="")
        self.messages: collections.deque[str] = collections.deque(maxlen=MESSAGES)
        self.last_error: str | None = None
        self._waits_until: datetime | None = None
        self._failed: dict[str, events.Failed] = {}
        self._earlier: dict[str, events.Failed] = {}
        self._begun: set[str] = set()  # of `_earlier`, in the present round
        self._before_round = 0
        self._quiet = True
        self._planned: list[Planned] = []
        self._of_runs_before: tuple[FailedFile, ...] = ()
        self._gone: tuple[FailedFile, ...] = ()
        self._notices: tuple[str, ...] = ()
        self.deleting: set[str] = set()
        """What a dry run found would be deleted or moved away: files, and folders that would become
        empty; "" stands for everything in a folder."""
        self.steps = 0
        """Increases with any progress: a byte, a check, a file, a listed entry."""

    def line(self, line: bytes) -> events.Event:
        """Add a line of the log. Returns its event; a progress covers all runs so far."""
        event = events.parse(line)
        self.add(event)
        return self.progress if isinstance(event, events.Progress) else event

    @property
    def waits_until(self) -> datetime | None:
        """The time before which the service wants no requests; None if it has passed."""
        until = self._waits_until
        return until if until is not None and until > datetime.now(timezone.utc) else None

    def wait(self, until: datetime) -> None:
        """Note that the service wants no requests before `until`, or a later time noted before."""
        self._waits_until = until = max(until, self._waits_until or until)
        self.progress = msgspec.structs.replace(self.progress, waits_until=until)

    def stalled(self, seconds: float) -> Stalled | Throttled:
        """The reason why nothing has happened for `seconds`."""
        what = f"Nothing transferred or checked for {seconds:g} s."
        if (until := self.waits_until) is None:
            return Stalled(what, why=self.last_error)
        advice = "Run it again after that; fewer parallel transfers send fewer requests."
        return Throttled(f"{units.waiting(until)}.", why=what.rstrip("."), advice=advice)

    def add(self, event: events.Event) -> None:
        self._quiet &= event.level in _LOUD
        if self._unfound:
            self._find(event)
        match event:
            case events.Progress():
                event = events.together(self._before, event)
                event = msgspec.structs.replace(event, waits_until=self.waits_until)
                if _counts(event) != _counts(self.progress):
                    self.steps += 1
                self.progress = event
                return
            case events.Transferred() | events.Checked():
                self._same += isinstance(event, events.Checked)
                self._transferred += isinstance(event, events.Transferred)
                self.steps += 1
                self._failed.pop(event.path, None)
                self._earlier.pop(event.path, None)
                for text in left_out.REPLACED if isinstance(event, events.Transferred) else ():
                    self._left_out.pop((event.path, text), None)
                return
            case _ if (found_out := left_out.told(event)) is not None:
                self._left_out[found_out] = None
                return
            case events.Failed():
                # rclone counts it as deleted, unless a limit prevented the deletion
                found = _DELETING.match(event.text)
                self._undeleted += found is not None and found[1] is None
                self._failed[event.path] = event
            case events.Skipped():
                if _DELETION.match(event.action) or event.action.startswith("move"):
                    self.deleting.add(event.path)
                elif event.action == FOLDER_MOVE:
                    self.deleting.add("")
                if not self._looking:
                    self._dry = True  # rclone may have the option from elsewhere
                    self._planned.append(Planned(event.action, event.path, event.size))
                return
            case events.Deleted() | events.Updated():
                self.steps += 1
                self._renamed += event.text.startswith("Renamed from")
                if event.text.startswith("Making directory with metadata"):
                    self._making[event.path] = None
                elif event.text.startswith("Made directory"):
                    self._making.pop(event.path, None)
                return
            case events.Throttled(seconds=float(seconds), by_microsoft=True) if (
                seconds >= units.WORTH_TELLING
            ):
                wait = timedelta(seconds=min(seconds, _LONGEST_WAIT))
                self.wait(datetime.now(timezone.utc) + wait)
            case _:
                self._folders += event.text == _FOLDER_MOVED
                self._kept |= event.text == _NOT_DELETING
                self._broke_off |= _BROKE_OFF.match(event.text) is not None
                found = _NEXT_ROUND.match(event.text)
                if found and found[1] != found[2]:
                    self._earlier.update(self._failed)
                    self._failed.clear()
                    self._begun.clear()
                    self._making.clear()  # rclone tries again to create them
                    self._before_round = self.progress.transfers
                    self._kept = False
                    self._end_of_round()
                elif event.text.startswith("Need to transfer"):
                    self._begun.update(self._earlier.keys() & {getattr(event, "about", None)})
        if event.text.startswith(_UNSAVED):  # the exit code is 0, but the token is lost
            self._notices = (f"A renewed token could not be saved: {event.text}",)
            log.warning(*self._notices)
        if event.level in ("error", "critical"):
            self.last_error = event.text
        if event.level in _LOUD or (isinstance(event, events.PlainText) and not self._crashed):
            self.messages.append(event.text)
            self._crashed |= event.text.startswith(_CRASH)

    def _find(self, event: events.Event) -> None:
        """Strike out files that the log mentions: at DEBUG, rclone mentions each file of the
        source, and its messages about files, except on deletions, are about the source."""
        self._at_debug |= event.level == "debug"
        match event:
            case events.FileEvent() if self.command.words == ("delete",):
                self._unfound.discard(hash(event.path))
            case events.Deleted() | events.Updated():  # these may be about folders
                return
            case events.Skipped() if _DELETION.match(event.action) or "directory" in event.action:
                return
            case events.Failed() if _DELETING.match(event.text):
                return
            case events.FileEvent():
                self._unfound.discard(hash(event.path))
            case events.Notice() if not event.text.startswith("Excluded"):
                self._unfound.discard(hash(event.about))

    def _end_of_round(self) -> None:
        """Files transferred in one round are unchanged in the next, so the best round counts."""
        self._best = max(self._best, self._same - self._arrived)
        self._same, self._arrived = 0, self._transferred

    def _anew(self) -> None:
        self._end_of_round()
        self._failed.clear()
        self._earlier.clear()

    def missing(self, *, whole: bool) -> tuple[tuple[FailedFile, ...], tuple[LeftOut, ...]]:
        """What rclone left out: what is missing at the destination, and what is not. `whole`: the
        run was complete."""
        missing, others = left_out.sorted_out(self.command, self._left_out)
        named = {file.path for file in missing}
        absent = (name for name in self.not_there(whole=whole) if name not in named)
        return missing + tuple(map(left_out.not_found, absent)), others

    def not_there(self, *, whole: bool) -> tuple[str, ...]:
        """Names in the list of files that the source lacks; `whole` as in `missing`."""
        names = dict.fromkeys(self.absent)
        if whole and self._unfound and self._at_debug:
            named = left_out.picked(self.command)
            names.update(dict.fromkeys(name for name in named if hash(name) in self._unfound))
        found = {one.path for one in self._planned if one.action in _SENDING} if names else set()
        found.update(self._failed)
        return tuple(name for name in names if name not in found)

    def in_the_way(self, *, whole: bool) -> tuple[FailedFile, ...]:
        """After the dry run: the failures that forbid the run to delete or move anything. A move
        may leave missing files behind, but not twins: it would delete the copy of one."""
        missing, _ = self.missing(whole=whole)
        if self.command.brake is not None:
            return missing
        if not whole:  # there may be twins
            return missing + self.failed()
        return missing if any(isinstance(one.error, NameRefused) for one in missing) else ()

    def undecrypted(self) -> RcloneError | None:
        """The exception for a listing that lacks files of a crypt; None if it lacks none."""
        return left_out.undecrypted(self.command, self._left_out)

    def next_run(self, exit_code: int) -> None:
        """Prepare for another rclone: it counts from zero, and its failures are added."""
        if exit_code != 0:
            self._of_runs_before = self._finally_failed(broken=False)
        self._gone += left_out.gone({} if exit_code != 0 or self._quiet else self._earlier)
        self._anew()
        self._unchanged += self._best
        self._best = self._arrived = self._transferred = 0
        self._before = self.progress

    def repeated(self) -> None:
        """Prepare for the same run again, like a round of retries: the files it has transferred are
        unchanged then, and its failures and plans start anew."""
        self._anew()
        self._planned.clear()
        self._broke_off = False
        self._before = msgspec.structs.replace(self.progress, checks=0, total_checks=0, errors=0)

    def failed(self) -> tuple[FailedFile, ...]:
        """Every file whose last attempt failed, once."""
        from . import faults  # late: its patterns take 10 ms, and only a failure needs them

        found = list(self._of_runs_before)
        for path, event in {**self._earlier, **self._failed}.items():
            error = faults.fault(event.text, subject=path)
            deleting = _DELETING.match(event.text)
            if self.blind and deleting and deleting[1]:
                what = f"{path} was not deleted."
                error = TransferFailed(what, why=_UNSEEN, advice=_SEEING, retry=True, path=path)
            retry, is_dir = error.details["retry"], _OF_A_FOLDER.match(event.text) is not None
            found.append(FailedFile(path, error, retry, is_dir, deleting is not None))
        return tuple(found)

    def _finally_failed(self, *, broken: bool) -> tuple[FailedFile, ...]:
        """The failures at the end. Those of an earlier round count only if the last one surely did
        not reach them, as seen at DEBUG. `broken`: it was cut off; even its counts may be old."""
        begun = self._begun | {file.name for file in self.progress.in_flight}
        unknown = self._quiet and (broken or self.progress.transfers > self._before_round)
        if unknown or (self._failed and not broken):
            self._earlier.clear()
        for path in begun:
            self._earlier.pop(path, None)
        return self.failed()

    def result(
        self,
        command: str,
        exit_code: int,
        *,
        duration: float,
        stopped: PlutonRcloneError | None,
        ended: str,
    ) -> TransferResult:
        """The result. `stopped` is the reason if we ended the run, `ended` the word for it."""
        missing, others = self.missing(whole=stopped is None and exit_code == 0)
        if self._dry:
            missing += self._not_planned()
        unheard = stopped is not None or exit_code != 0 or self._quiet
        missing += self._gone + left_out.gone({} if unheard else self._earlier)
        failed, error, broken = missing, stopped, stopped is not None or exit_code < 0
        if broken or exit_code != 0:
            failed = self._finally_failed(broken=broken) + missing
        if stopped is None and exit_code != 0:
            not_made = self._making.keys() - {file.path for file in failed}
            # a file that arrives in it creates it after all, with another time
            what = "The folder could not be created, or its time could not be set."
            fault = TransferFailed(what)
            failed += tuple(FailedFile(path, fault, True, is_dir=True) for path in sorted(not_made))
        if command == "deletefile":  # the error of the file is the error of the run
            failed = ()
        if stopped is None and failed:
            error = transfer_failed(command, failed, early=self._broke_off, exit_code=exit_code)
        elif stopped is None and exit_code != 0:
            from . import faults

            error = faults.run_fault(command, exit_code, self.messages, *self.command.places[:1])
        elif error is None and self.only_copies and self.blind:  # by now it can be read
            error = TransferFailed(_NOT_TAKEN, why=_UNREAD, advice=_ONCE_MORE, retry=True)
        self._end_of_round()
        now, planned, notices = self._judged(bool(missing))
        keeps = self.command.keeps
        kept = self._files_kept(command, now) if keeps else 0
        whole = sum(one.action in _WHOLE for one in planned)
        whole += command == "purge" and error is None and not (planned or now.deletes)
        return TransferResult(
            ended=ended if stopped is not None or error is None else "failed",
            exit_code=exit_code,
            **{name: getattr(now, name) for name in _COUNTS},
            deletes=0 if keeps and command == "sync" else max(0, now.deletes - self._undeleted),
            kept=kept,
            duration=duration,
            failed=failed,
            planned=tuple(planned),
            error=error,
            notices=(*self._notices, *notices),
            left_out=others,
            unchanged=self._unchanged + self._best,
            folders=self._folders + whole,
        )

    def _files_kept(self, word: str, now: events.Progress) -> int:
        """The number of files kept. rclone counts each as a rename, as it does real renames and the
        arrived files of a move; but it counts files that a sync deletes and keeps as deleted."""
        others = self._renamed + (now.transfers if word.startswith("move") else 0)
        deleted = now.deletes if self._dry and word == "sync" else 0
        return max(0, now.renames - others) + deleted

    def _not_planned(self) -> tuple[FailedFile, ...]:
        """Remove unreadable files from the plan, and return them as failures."""
        failed = left_out.unreadable(self.command, self._planned)
        paths = {file.path for file in failed}
        gone = sum(one.size or 0 for one in self._planned if one.path in paths)
        self._planned = [one for one in self._planned if one.path not in paths]
        transfers, sent = self.progress.transfers - len(failed), self.progress.bytes - gone
        self.progress = msgspec.structs.replace(self.progress, transfers=transfers, bytes=sent)
        return failed

    def _judged(self, missing: bool) -> tuple[events.Progress, list[Planned], list[str]]:
        """The counts, the plan and the notices: a dry run of a sync announces no deletion that the
        sync would not make."""
        now, planned, command = self.progress, self._planned, self.command
        if not self._dry or command.words != ("sync",):
            kept = _KEPT if command.words == ("sync",) else _NOT_TAKEN
            return now, planned, [kept] if self._kept or self.only_copies else []
        if missing or self._kept:
            planned = [one for one in planned if not _DELETION.match(one.action)]
            return msgspec.structs.replace(now, deletes=0), planned, [_WOULD_KEEP]
        try:
            if command.brake is not None:
                command.brake.judge(now, whole=True)
        except TooManyDeletions as refusal:
            why = refusal.what.partition(": ")[2]
            told = f"Without the dry run, nothing would be done: {why}"
            return now, planned, [told]
        return now, planned, []


def _counts(now: events.Progress) -> tuple[int, ...]:
    """All counts that increase only if something is done."""
    flying = sum(file.bytes for file in now.in_flight)
    return (flying, now.deletes, now.listed, *(getattr(now, name) for name in _COUNTS))
