"""A misbehaving binary: each run ends with the right error, in bounded time, and leaves no process
behind."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pluton_rclone import errors
from pluton_rclone.process import Child
from pluton_rclone.rclone import commands, events
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Limits, Rclone
from pluton_rclone.rclone.results import TransferResult
from pluton_rclone.rclone.tally import Tally
from pluton_rclone.rclone.transfer import Ended, Transfer
from tests.process.test_process import goes, settles
from tests.terminal import PATIENCE

Fake = Callable[..., Rclone]


def finished(rclone: Rclone) -> errors.PlutonRcloneError:
    """The error of its transfer."""
    return failure(rclone.copy("a:", "b:"))


def failure(transfer: Transfer) -> errors.PlutonRcloneError:
    with pytest.raises(errors.PlutonRcloneError) as caught:
        transfer.result(timeout=PATIENCE)
    return caught.value


def test_a_flood_in_both_pipes_of_a_transfer(fake: Fake) -> None:
    assert fake("flood").copy("a:", "b:").result(timeout=PATIENCE).ok


def test_a_flood_in_both_pipes_of_a_listing(fake: Fake) -> None:
    with pytest.raises(errors.RcloneError):
        list(fake("flood").walk("a:"))


def test_a_flood_in_both_pipes_of_anything_else(fake: Fake) -> None:
    assert len(fake("flood").run("x").stdout) == 20 * 1024 * 1024


def test_a_line_without_end_does_not_fill_the_memory(fake: Fake) -> None:
    transfer = fake("endless_line").copy("a:", "b:")
    assert transfer.result(timeout=PATIENCE).ok


@pytest.mark.parametrize("name", ["HUP", "INT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "SYS"])
def test_death_by_a_signal(fake: Fake, name: str) -> None:
    number = signal.Signals[f"SIG{name}"].value
    error = finished(fake(f"signal {number}"))
    assert type(error) is errors.RcloneError
    assert f"signal {number} " in error.what
    assert error.result.retry_helps


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, errors.RcloneError),
        (2, errors.RcloneUsage),
        (3, errors.NothingFound),
        (4, errors.NothingFound),
        (5, errors.Unreachable),
        (6, errors.TransferFailed),
        (7, errors.RcloneError),
        (8, errors.LimitReached),
        (9, errors.TransferFailed),
        (10, errors.LimitReached),
    ],
)
def test_exit_codes_where_no_words_help(
    fake: Fake, code: int, kind: type[errors.PlutonRcloneError]
) -> None:
    error = finished(fake(f"exit {code}"))
    assert type(error) is kind
    assert error.why == "something"
    assert error.details["exit_code"] == code


def test_too_little_memory_is_no_fault_of_the_command(binary: Binary, tmp_path: Path) -> None:
    """Go ends with rclone's exit code for a wrong call."""
    script = tmp_path / "rclone"
    limited = f'[ "$1" = version ] || ulimit -v 400000\nexec {shlex.quote(binary.path)} "$@"\n'
    script.write_text(f"#!/bin/sh\n{limited}")
    script.chmod(0o755)
    with pytest.raises(errors.RcloneError) as caught:
        Rclone(script).list(tmp_path)
    assert str(caught.value).startswith("rclone lacked memory, or could not start a thread.")
    assert type(caught.value) is errors.RcloneError
    assert (caught.value.who, caught.value.details["retry"]) == (errors.Who.LATER, True)


def test_a_crash_is_told_by_its_first_line(fake: Fake) -> None:
    error = finished(fake("crash"))
    assert (type(error), error.what) == (errors.RcloneError, "rclone crashed.")
    assert error.why == "panic: assignment to entry in nil map"


def test_exit_code_0(fake: Fake) -> None:
    assert fake("exit 0").copy("a:", "b:").result().ok


def test_half_a_line_of_json_is_kept_for_the_error(fake: Fake) -> None:
    error = finished(fake("half_json"))
    assert "Failed to" in str(error)
    assert error.result.bytes == 10


def test_a_line_of_10_mb(fake: Fake) -> None:
    error = finished(fake("long_line"))
    assert isinstance(error, errors.TransferFailed)
    assert isinstance(error.result.failed[0].error, errors.AccessDenied)


def test_bytes_that_are_no_utf_8(fake: Fake) -> None:
    error = finished(fake("invalid_utf8"))
    assert "bad \ufffd\ufffd byte" in str(error)


def test_a_listing_that_breaks_off(fake: Fake) -> None:
    entries = fake("half_listing").walk("a:")
    assert next(entries).path == "a"
    with pytest.raises(errors.RcloneError, match="is incomplete"):
        next(entries)


def test_a_listing_that_fails_after_it_began(fake: Fake) -> None:
    entries = fake("failing_listing").walk("a:")
    assert next(entries).path == "a"
    with pytest.raises(errors.AccessDenied, match=r"^locked: ") as caught:
        next(entries)
    assert caught.value.details["unread"] == ["locked"]


def test_what_a_listing_meets_everywhere_is_not_about_the_folder_of_the_moment(fake: Fake) -> None:
    with pytest.raises(errors.Unreachable) as caught:
        list(fake("offline_listing").walk("a:"))
    assert "2026" not in caught.value.what
    assert "unread" not in caught.value.details


def test_odd_lines_in_a_listing_do_not_spoil_the_others(fake: Fake) -> None:
    entries = list(fake("odd_listing").walk("a:"))
    assert [(entry.path, entry.size) for entry in entries] == [("x/a", 1), ("b\ufffd", 2), ("c", 3)]
    assert [entry.modified is None for entry in entries] == [True, True, False]


def test_stopping_a_listing_early_ends_rclone(fake: Fake) -> None:
    entries = fake("flood").blocks("a:x")
    next(entries)
    assert isinstance(entries, Iterator)
    entries.close()


class Stopped:
    """The clock of a transfer's limits: it advances when the test says so, however slowly this
    machine starts a program."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def passes_with_each_line(
        self, monkeypatch: pytest.MonkeyPatch, pass_on: Callable[[Tally], None]
    ) -> None:
        """It advances once the line is counted: earlier, the transfer would count as stalled."""
        line = Tally.line

        def counted(tally: Tally, text: bytes) -> events.Event:
            event = line(tally, text)
            pass_on(tally)
            return event

        monkeypatch.setattr(Tally, "line", counted)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    stopped = Stopped()
    monkeypatch.setattr("pluton_rclone.rclone.transfer.time", stopped)
    return stopped


@pytest.mark.parametrize("what", ["sleep", "crawl"])
def test_no_byte_and_no_check_for_too_long(fake: Fake, time: Stopped, what: str) -> None:
    transfer = fake(what, Limits(stall=0.2)).copy("a:", "b:")
    next(iter(transfer))
    time.now = 0.3
    error = failure(transfer)
    assert isinstance(error, errors.Stalled)
    assert "0.2 s" in error.what
    assert error.result.ended == "stalled"
    assert error.result.bytes == 1


@pytest.mark.parametrize("what", ["hashing", "arrived"])
def test_a_large_file_that_is_compared_is_no_stall_unless_it_takes_far_too_long(
    fake: Fake, time: Stopped, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    heard = 0

    def pass_on(tally: Tally) -> None:
        nonlocal heard
        if tally.progress.comparing:  # the first line may be a different one
            heard += 1
            time.now = min(4.0, heard * 0.2) if heard < 30 else 6.0

    time.passes_with_each_line(monkeypatch, pass_on)
    error = failure(fake(what, Limits(stall=0.2)).copy("a:", "b:"))
    assert isinstance(error, errors.Stalled)
    assert heard >= 30
    assert (error.why, error.result.ended) == (None, "stalled")


def test_the_real_one_says_while_it_reads_a_large_file_that_it_compares_it(
    rclone: Rclone, tmp_path: Path
) -> None:
    for number, folder in enumerate((tmp_path / "source", tmp_path / "disk")):
        folder.mkdir(exist_ok=True)
        with (folder / "large").open("wb") as file:
            file.truncate(1_000_000_000)
        os.utime(folder / "large", (number, number))
    command = commands.transfer("copy", tmp_path / "source", "disk:", {})
    with rclone.transfer(command, every=0.05) as transfer:
        assert any(progress.comparing for progress in transfer)


def test_who_comes_forward_does_not_stall(
    fake: Fake, time: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_on(tally: Tally) -> None:
        time.now += 0.1

    time.passes_with_each_line(monkeypatch, pass_on)
    assert fake("steady", Limits(stall=0.2)).copy("a:", "b:").result(timeout=PATIENCE).ok
    assert time.now > 1


def test_a_stall_of_ours_is_none_of_rclones(
    fake: Fake, time: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-Z, or in a frozen container, the clock jumps."""
    looks, watch = list[float | None](), Transfer._watch

    def looked(transfer: Transfer) -> float | None:
        looks.append(watch(transfer))
        return looks[-1]

    monkeypatch.setattr(Transfer, "_watch", looked)
    transfer = fake("sleep", Limits(stall=0.2)).copy("a:", "b:")
    next(iter(transfer))
    time.now, before = 1000.0, len(looks)
    assert settles(lambda: len(looks) > before + 1)
    assert None not in looks
    time.now += 0.3
    assert isinstance(failure(transfer), errors.Stalled)


def test_a_comparison_that_is_broken_off_is_an_error(fake: Fake) -> None:
    with pytest.raises(errors.RcloneError, match="signal 9"):
        fake("broken_check").check("a:", "b:")


def test_a_time_limit(fake: Fake) -> None:
    error = finished(fake("sleep", Limits(time=0.5)))
    assert isinstance(error, errors.TimedOut)
    assert error.result.ended == "timed out"


@pytest.mark.parametrize("call", ["walk", "cat", "about"])
def test_a_time_limit_for_everything_else(fake: Fake, call: str) -> None:
    engine = fake("sleep", Limits(time=0.3))
    with pytest.raises(errors.TimedOut):
        getattr(engine, call)("a:x") if call != "walk" else list(engine.walk("a:x"))


def test_one_that_ignores_every_polite_signal(fake: Fake) -> None:
    transfer = fake("stubborn").copy("a:", "b:")
    next(iter(transfer))
    result = transfer.cancel()
    assert result.exit_code == -signal.SIGKILL
    assert result.ended == "cancelled"


def test_a_helper_that_holds_the_pipes_when_rclone_has_ended_well(
    fake: Fake, time: Stopped
) -> None:
    """The time limit ends the helper; rclone's result counts all the same."""
    with fake("helper_stays", Limits(time=0.2)).copy("a:", "b:") as transfer:
        assert goes(transfer.pid)
        time.now = 0.3
        assert transfer.result(timeout=PATIENCE).ok


def test_an_rclone_that_never_reads_what_it_is_fed(fake: Fake) -> None:
    with pytest.raises(errors.AccessDenied):
        fake("deaf").rcat(b"x" * 10_000_000, "a:x")


def test_the_error_of_the_source_wins_over_that_of_rclone(fake: Fake) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("the source broke")

    with pytest.raises(LookupError):
        fake("echo").rcat(broken(), "a:x")


def test_leaving_a_transfer_early_cancels_it(fake: Fake) -> None:
    with fake("sleep").copy("a:", "b:") as transfer:
        assert transfer.running
    assert transfer.wait().ended == "cancelled"


def test_an_error_in_the_block_cancels_it(fake: Fake) -> None:
    with pytest.raises(ZeroDivisionError), fake("sleep").copy("a:", "b:") as transfer:
        raise ZeroDivisionError
    assert not transfer.running


def test_waiting_with_a_timeout_leaves_it_running(fake: Fake) -> None:
    with fake("sleep").copy("a:", "b:") as transfer:
        with pytest.raises(TimeoutError):
            transfer.result(timeout=0.1)
        assert transfer.running


def test_ctrl_c_while_waiting_for_the_result_cancels_it(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = fake("sleep").copy("a:", "b:")
    wait = Child.wait
    interrupts = [KeyboardInterrupt()]

    def interrupted(child: Child, timeout: float | None = None) -> int:
        if interrupts:
            raise interrupts.pop()
        return wait(child, timeout)

    monkeypatch.setattr(Child, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        transfer.result()
    assert not transfer.running


def test_an_error_of_ours_in_a_thread_is_raised_as_it_is(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, the cancel that followed waited, met it again, cancelled: a RecursionError."""

    def broken(tally: Tally, line: bytes) -> events.Event:
        raise LookupError(line)

    monkeypatch.setattr(Tally, "line", broken)
    with pytest.raises(LookupError):
        fake("half_json").copy("a:", "b:").result(timeout=PATIENCE)


def test_what_takes_long_after_the_end_hides_neither_ctrl_c_nor_an_error(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a token that waits for rclone.conf: a cancel does not wait for its end."""
    saved = threading.Event()

    def save(result: TransferResult) -> None:
        saved.wait(PATIENCE)

    slow = partial(Transfer, begun=lambda: save)
    monkeypatch.setattr("pluton_rclone.rclone.transfer.Transfer", slow)
    monkeypatch.setattr("pluton_rclone.rclone.transfer.CANCEL", ((signal.SIGKILL, 0.01),))
    monkeypatch.setattr("pluton_rclone.rclone.transfer.SETTLING", 0.01)
    transfer = fake("sleep").copy("a:", "b:")
    with pytest.raises(TimeoutError):
        transfer.cancel()
    with pytest.raises(KeyboardInterrupt), transfer:
        raise KeyboardInterrupt
    saved.set()
    assert transfer.wait().ended == "cancelled"


def test_ctrl_c_while_a_run_is_being_recorded_ends_it_without_a_word(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, a thread printed a traceback because no one could be notified of the end yet."""

    def begun() -> Ended:
        raise KeyboardInterrupt

    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr("pluton_rclone.rclone.transfer.Transfer", partial(Transfer, begun=begun))
    with pytest.raises(KeyboardInterrupt):
        fake("sleep").copy("a:", "b:")
    for thread in threading.enumerate():
        if thread.name.startswith("_mind-"):
            thread.join(PATIENCE)
    assert said == []


def test_every_event_can_be_had(fake: Fake) -> None:
    kinds = [type(event) for event in fake("half_json").copy("a:", "b:").events()]
    assert kinds == [events.Progress, events.PlainText]


def test_a_slow_listener_loses_nothing(fake: Fake) -> None:
    """More lines than a listener's buffer holds: rclone waits for it."""
    number = sum(
        isinstance(event, events.PlainText) for event in fake("flood").copy("a:", "b:").events()
    )
    assert number == 20 * 1024


def test_a_listener_that_stops_does_not_stop_rclone(fake: Fake) -> None:
    transfer = fake("flood").copy("a:", "b:")
    listener = transfer.events()
    next(listener)
    assert transfer.result(timeout=PATIENCE).ok


def test_a_renewed_token_that_cannot_be_saved_is_said_though_rclone_calls_it_a_success(
    fake: Callable[[str], Rclone], caplog: pytest.LogCaptureFixture
) -> None:
    """As with a full runtime folder; the line is one of rclone 1.75.2."""
    result = fake("cannot_save").copy("a:", "b:").result()
    assert result.ok
    [notice] = result.notices
    assert notice.startswith(
        "A renewed token could not be saved: Failed to save config after 10 tries"
    )
    assert notice in caplog.text
    fake("cannot_save").run("lsd")
    assert caplog.text.count("could not be saved") == 2
