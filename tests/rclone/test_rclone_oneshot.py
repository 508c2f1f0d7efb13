"""The engine's use of streams and options, on a disk with an old rclone and on a drive."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pluton_rclone.errors import (
    AccessDenied,
    Corrupted,
    NothingFound,
    RcloneUsage,
    TransferFailed,
    UsageError,
)
from pluton_rclone.rclone import events
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone

from .places import DISK, make_place


@pytest.fixture(params=["personal", f"old {DISK}"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rclone(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Rclone:
    binary: Binary = request.getfixturevalue("old_binary" if kind.startswith("old") else "binary")
    return Rclone(binary, config=make_place(kind.rpartition(" ")[2], tmp_path, request))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    for name, size in {"a.txt": 5, "b.bin": 300_000, "sub/c.bin": 70_000}.items():
        (folder / name).write_bytes(os.urandom(size))
    return folder


@pytest.mark.parametrize("size", [0, 700_000])
def test_a_stream_becomes_a_file_and_a_file_a_stream(rclone: Rclone, size: int) -> None:
    content = os.urandom(size)
    rclone.rcat(io.BytesIO(content), "place:x/y.bin")
    assert rclone.cat("place:x/y.bin") == content
    assert b"".join(rclone.blocks("place:x/y.bin")) == content


def test_parts_of_a_file_and_a_folder_is_not_read_as_one(rclone: Rclone) -> None:
    rclone.rcat(b"0123456789", "place:folder/digits", size=10)
    parts = ((2, 3), (None, 4), (7, None), (-2, None))
    file = "place:folder/digits"
    found = [rclone.cat(file, offset=offset, count=count) for offset, count in parts]
    assert found == [b"234", b"0123", b"789", b"89"]
    for folder in ("place:folder", "place:folder/", "place:", "place:/"):
        with pytest.raises(UsageError, match="is a folder"):
            rclone.cat(folder)
    assert rclone.cat(f"{file}/") == b"0123456789"


def test_a_folder_of_this_machine_or_of_a_remote_without_a_name_is_not_read_as_a_file(
    rclone: Rclone, source: Path
) -> None:
    for folder in (source, bytes(source), f"{source}/", f":local:{source}", f":local:{source}/"):
        with pytest.raises(UsageError, match="is a folder"):
            rclone.cat(folder)
    content = (source / "a.txt").read_bytes()
    for file in (source / "a.txt", str(source / "a.txt"), f":local:{source}/a.txt"):
        assert rclone.cat(file) == content
    for nothing in (source / "nothing", f":local:{source}/nothing"):
        with pytest.raises(NothingFound):
            rclone.cat(nothing)


def test_a_source_that_breaks_leaves_nothing(rclone: Rclone) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise LookupError("the source broke")

    with pytest.raises(LookupError):
        rclone.rcat(broken(), "place:x/broken.bin")
    assert rclone.stat("place:x/broken.bin") is None


def test_reading_what_is_not_there(rclone: Rclone) -> None:
    with pytest.raises(NothingFound):
        rclone.cat("place:nothing")


def test_check(rclone: Rclone, source: Path) -> None:
    rclone.copy(source, "place:x").result()
    seen: list[int] = []
    same = rclone.check(source, "place:x", on_progress=seen.append)
    assert (same.same, same.matching) == (True, 3)
    assert seen == [1, 2, 3]
    (source / "a.txt").write_bytes(b"other")
    (source / "new.txt").write_bytes(b"new")
    (source / "b.bin").unlink()
    changed = rclone.check(source, "place:x")
    assert not changed.same
    assert (changed.matching, changed.differing) == (1, ("a.txt",))
    assert (changed.missing_on_source, changed.missing_on_destination) == (("b.bin",), ("new.txt",))
    assert rclone.check(source, "place:x", direction="one_way").missing_on_source == ()
    assert rclone.check(source, "place:x", content="size", filters=["- new.txt", "- b.bin"]).same
    assert rclone.check(source, "place:x", content="download").differing == ("a.txt",)
    assert set(rclone.check(source, "place:nothing").missing_on_destination) == {
        "a.txt",
        "new.txt",
        "sub/c.bin",
    }
    with pytest.raises(NothingFound):
        rclone.check(source / "nothing", "place:x")


def test_every_file_is_an_event_and_has_its_hashes(rclone: Rclone, source: Path, kind: str) -> None:
    transfer = rclone.copy(source, "place:x", log_level="INFO")
    seen = {event.path for event in transfer.events() if isinstance(event, events.Transferred)}
    assert seen == {"a.txt", "b.bin", "sub/c.bin"}
    assert transfer.result().ok
    stored = "quickxor" if kind == "personal" else "sha1"
    there, here = (
        {
            line.split("  ", 1)[1]: line.split("  ", 1)[0]
            for line in out.stdout.decode().splitlines()
        }
        for out in (
            rclone.run("hashsum", stored, places=["place:x"]),
            rclone.run("hashsum", stored, "--download", places=[source]),
        )
    )
    assert there == here
    assert set(there) == {"a.txt", "b.bin", "sub/c.bin"}


def test_a_dry_run_is_a_plan_and_deleting_goes_by_a_filter(rclone: Rclone, source: Path) -> None:
    rclone.copy(source, "place:x").result()
    (source / "a.txt").unlink()
    (source / "new").write_bytes(b"12345")
    result = rclone.sync(source, "place:x", dry_run=True).result()
    assert {(plan.action, plan.path) for plan in result.planned} >= {
        ("copy", "new"),
        ("delete", "a.txt"),
    }
    assert rclone.stat("place:x/new") is None
    assert rclone.delete("place:x", filters=["- *.txt", "+ *"]).result().ok
    assert [entry.path for entry in rclone.walk("place:x", files_only=True)] == ["a.txt"]


def test_what_must_not_change_is_named_and_what_is_replaced_can_be_kept(
    rclone: Rclone, source: Path
) -> None:
    rclone.copy(source, "place:x").result()
    (source / "a.txt").write_bytes(b"a longer one")
    with pytest.raises(TransferFailed) as caught:
        rclone.copy(source, "place:x", immutable=True, retries=1).result()
    [failed] = caught.value.result.failed
    assert (failed.path, failed.error.code, failed.retry_helps) == ("a.txt", "conflict", False)
    rclone.sync(source, "place:x", backup_dir="place:old").result()
    assert rclone.stat("place:old/a.txt") is not None


def test_only_these_files(rclone: Rclone, source: Path) -> None:
    rclone.copy(source, "place:x", files_from=["sub/c.bin"]).result()
    assert [entry.path for entry in rclone.walk("place:x", files_only=True)] == ["sub/c.bin"]


def test_a_limit_for_one_run(rclone: Rclone, source: Path) -> None:
    with pytest.raises(TransferFailed, match="limit") as caught:
        rclone.copy(
            source, "place:x", max_transfer=100_000, cutoff_mode="hard", transfers=1
        ).result()
    assert caught.value.result.retry_helps


def test_any_other_command(rclone: Rclone) -> None:
    assert b'"Name"' in rclone.run("backend", "features", places=["place:"]).stdout
    with pytest.raises(RcloneUsage):
        rclone.run("frobnicate")


def test_an_option_that_this_rclone_does_not_know(rclone: Rclone, source: Path) -> None:
    with pytest.raises(RcloneUsage, match="no-such-flag"):
        rclone.copy(source, "place:x", extra=["--no-such-flag"]).result()


def test_a_public_link(rclone: Rclone, kind: str) -> None:
    rclone.rcat(b"x", "place:shared.txt")
    if kind == "personal":
        assert rclone.run("link", places=["place:shared.txt"]).stdout.startswith(b"https://")
    else:
        with pytest.raises(Exception, match="doesn't support public links"):
            rclone.run("link", places=["place:shared.txt"])


def test_what_the_disk_refuses_is_named(binary: Binary, tmp_path: Path) -> None:
    """A folder without write permission cannot stop root; a folder in place of a file stops
    everyone."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_bytes(b"1")
    (tmp_path / "target").write_bytes(b"a file")
    with pytest.raises((TransferFailed, AccessDenied)) as caught:
        Rclone(binary, config=os.devnull).copy(
            tmp_path / "source", tmp_path / "target" / "below", retries=1
        ).result()
    assert not isinstance(caught.value, Corrupted)
