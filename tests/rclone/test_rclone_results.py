"""The error of a run in which files failed: one sentence, from the files' own errors."""

from __future__ import annotations

import pytest

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who
from pluton_rclone.rclone.results import FailedFile, transfer_failed

FULL = errors.QuotaFull("The drive is full.", why="quotaLimitReached")
LIMIT = errors.LimitReached("A limit of this run was reached.")
DAMAGED = errors.Corrupted("The copy differs from the source in size or hash.")


def failed(
    path: str, error: PlutonRcloneError = FULL, *, is_dir: bool = False, deleting: bool = False
) -> FailedFile:
    return FailedFile(path, error, retry_helps=False, is_dir=is_dir, deleting=deleting)


@pytest.mark.parametrize(
    ("command", "files", "early", "what"),
    [
        ("copy", [failed("a")], False, "1 file was not transferred."),
        ("move", [failed("a"), failed("b")], False, "2 files were not moved."),
        ("check", [failed("a"), failed("b")], False, "2 files were not checked."),
        ("delete", [failed("d", is_dir=True)], False, "1 folder was not deleted."),
        ("purge", [failed("a")], False, "1 file was not deleted."),
        ("copy", [failed("d", is_dir=True)] * 2, False, "2 folders were not transferred."),
        (
            "copy",
            [failed("d", is_dir=True), failed("a"), failed("b")],
            True,
            "3 files and folders were not transferred; it ended before everything was tried.",
        ),
        (
            "sync",
            [failed("a"), failed("b", deleting=True), failed("c", deleting=True)],
            False,
            "1 file was not transferred, 2 files were not deleted.",
        ),
        ("sync", [failed("b", deleting=True)], False, "1 file was not deleted."),
    ],
)
def test_what_failed_is_counted_and_named(
    command: str, files: list[FailedFile], early: bool, what: str
) -> None:
    error = transfer_failed(command, tuple(files), early=early)
    assert (type(error), error.what) == (errors.TransferFailed, what)


def test_one_cause_of_all_has_its_own_advice() -> None:
    error = transfer_failed("copy", (failed("a/b.txt"), failed("c.txt")), bytes=5)
    assert error.why == "a/b.txt: quotaLimitReached, and more"
    assert (error.who, error.advice, error.next_step) == (FULL.who, FULL.advice, FULL.next_step)
    assert error.details == {
        "failed": 2,
        "causes": ["quota_full"],
        "command": "copy",
        "bytes": 5,
    }


def test_several_causes_have_no_advice_of_one_of_them() -> None:
    denied = errors.AccessDenied("Not allowed.", who=Who.ADMINISTRATOR, advice="Ask for it.")
    error = transfer_failed("copy", (failed("a", denied), failed("b", FULL)))
    assert error.why == "a: Not allowed., and more"
    assert error.advice == errors.TransferFailed.default_advice
    assert error.who is errors.TransferFailed.default_who
    assert error.details["causes"] == ["access_denied", "quota_full"]


def test_what_one_cause_has_cancelled_is_no_cause_of_its_own() -> None:
    """rclone ends at once if a drive is full, and cancels the transfers in progress."""
    cancelled = errors.Cancelled("It was cancelled.")
    error = transfer_failed("copy", (failed("a", cancelled), failed("b", FULL)))
    assert (error.why, error.advice) == ("b: quotaLimitReached, and more", FULL.advice)
    assert (error.details["failed"], error.details["causes"]) == (2, ["quota_full"])


@pytest.mark.parametrize(
    ("causes", "kind", "why"),
    [
        ([LIMIT, LIMIT], errors.LimitReached, "the limit for this run was reached"),
        ([DAMAGED], errors.Corrupted, "a: The copy differs from the source in size or hash."),
        (
            [LIMIT, DAMAGED],
            errors.TransferFailed,
            "a: A limit of this run was reached., and more",
        ),
    ],
)
def test_a_limit_and_damage_have_classes_of_their_own_if_nothing_else_failed(
    causes: list[PlutonRcloneError], kind: type[errors.TransferFailed], why: str
) -> None:
    error = transfer_failed("copy", tuple(failed("a", cause) for cause in causes))
    assert (type(error), error.why) == (kind, why)
