"""Random trees and drives: after a transfer and a check that succeed, both sides are equal, or the
result names the differences.

FAILED has the seeds that once failed. `make soak` runs many seeds.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.errors import TooManyDeletions
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.rclone.results import TransferResult
from pluton_rclone.values.encoding import to_onedrive
from tests.connected import emulated_drive, remote_of

from .random_trees import (
    canonical,
    covered,
    differences,
    fold,
    grow,
    local,
    on_drive,
    plant,
    wipe,
)

FAILED: list[int] = [1040, 1340, 1338, 2302, 2378, 2741, 6768, 10098, 10166]
# 1338: an empty folder that could not be created; 2378: in a sync with twins, the drive's copy of
# the omitted one was deleted; 6768: rclone cannot open a file called "‛", and this was the only
# file; 10098, 10166: a dry run planned to copy unreadable files, and deletions
SOAK = range(int(os.environ.get("TREES_FROM", "1000")), int(os.environ.get("TREES_TO", "3000")))


class Both:
    """A storage, its drive, and a local folder."""

    def __init__(self, cloud: Emulator, here: Path) -> None:
        self.here = here
        self.storage: Storage = Storages().add_tested(
            "home", remote_of(cloud, "personal", granted_scopes=("Files.ReadWrite.All",))
        )
        self.drive: Drive = emulated_drive(cloud, "personal")
        self.other: Drive = emulated_drive(cloud, "business")
        self.encoding = self.storage.remote.encoding


@pytest.fixture
def both(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """rclone must not read files without read permission, even if the tests run as root."""
    if os.geteuid() == 0:
        script = tmp_path / "rclone"
        drop = "-dac_override,-dac_read_search"
        script.write_text(
            f"#!/bin/sh\nexec setpriv --bounding-set={drop} --inh-caps={drop} "
            f'{shlex.quote(str(find_binary().path))} "$@"\n'
        )
        script.chmod(stat.S_IRWXU)
        monkeypatch.setenv("PLUTON_RCLONE_BINARY", str(script))
        allowed = os.access
        monkeypatch.setattr(  # neither may we
            "pluton_rclone.rclone.left_out.os.access",
            lambda path, mode: (
                allowed(path, mode) and (mode != os.R_OK or bool(_mode(path) & 0o400))
            ),
        )
    return Both(cloud, tmp_path)


def _mode(path: str) -> int:
    return os.stat(path).st_mode


def named(result: TransferResult) -> set[str]:
    return {canonical(file.path) for file in result.failed}


def copied(both: Both, seed: int) -> None:
    """Upload a random folder and compare."""
    rng = random.Random(seed)
    links = rng.choice(["", "links", "copy_links", "skip_links"])
    tree = grow(rng, both.here / str(seed) / "source", links=links)
    options = {links: True} if links else {}
    result = both.storage.upload(tree.root, f"t{seed}", retries=1, **options).wait()  # type: ignore[arg-type]
    found = on_drive(both.drive, f"t{seed}", both.encoding)
    if both.drive.find(f"t{seed}") is None:  # nothing is created for a source without entries
        missing = named(result)
        assert [path for path in tree.view if not covered(path, missing)] == []
        assert (result.transfers, result.ok) == (0, not tree.view and not tree.named)
        return
    check = both.storage.check(tree.root, f"t{seed}", **options)  # type: ignore[arg-type]
    apart = set(differences(tree.view, found))
    if result.ok and check.same:
        assert apart == set()
        assert tree.named == set()
    missing = named(result)
    assert [path for path in apart | tree.named if not covered(path, missing)] == []
    assert {canonical(one.path) for one in result.left_out} >= {
        p for p in tree.special if not covered(p, missing)
    }
    arrived = sum(content is not None for content in found.values())
    assert result.transfers == arrived
    assert check.matching == arrived


def restored(both: Both, seed: int) -> None:
    """Download a random folder and compare."""
    rng = random.Random(seed)
    names = to_onedrive(both.encoding).shown
    notebooks = {
        canonical("/".join(map(names, path.split("/"))))
        for path in plant(rng, both.drive, both.other, f"d{seed}")
    }
    back = both.here / str(seed) / "back"
    result = both.storage.download(f"d{seed}", back, retries=1).wait()
    rclone = both.storage.rclone
    back.mkdir(parents=True, exist_ok=True)
    check = rclone.check(both.storage.at(f"d{seed}"), str(back))
    wanted, found = on_drive(both.drive, f"d{seed}", both.encoding), local(back)
    apart = set(differences(wanted, found))
    if result.ok and check.same:
        assert (apart, notebooks) == (set(), set())
    missing = named(result)
    assert [path for path in apart if not covered(path, missing)] == []
    by_name = {path.rpartition("/")[2] for path in missing}  # rclone tells no more of a notebook
    assert [
        path
        for path in notebooks
        if not covered(path, missing) and path.rpartition("/")[2] not in by_name
    ] == []
    assert result.transfers == sum(content is not None for content in found.values())


def synced(both: Both, seed: int) -> None:
    """Sync over other content, sometimes interrupted."""
    rng = random.Random(seed)
    tree = grow(rng, both.here / str(seed) / "source", links="skip_links")
    place = f"s{seed}"
    both.drive.folder(place)
    for path, content in tree.view.items():  # a part of it exists, with other content
        if (
            content is not None
            and rng.random() < 0.5
            and not any(c in path for c in '\\:*?"<>|‛\ufffd')
        ):
            _write(both.drive, f"{place}/{path}", rng)
    for number in range(rng.choice([0, 3, 30])):
        both.drive.write(f"{place}/old/{number}", b"old")
    before = on_drive(both.drive, place, both.encoding)
    dry = both.storage.rclone.sync(
        str(tree.root), both.storage.at(place), skip_links=True, retries=1, dry_run=True
    ).wait()
    assert on_drive(both.drive, place, both.encoding) == before
    transfer = both.storage.rclone.sync(
        str(tree.root), both.storage.at(place), skip_links=True, retries=1
    )
    cut = rng.random() < 0.3
    if cut:
        time.sleep(rng.random() * 0.6)
        result = transfer.cancel()
    else:
        result = transfer.wait()
    after = on_drive(both.drive, place, both.encoding)
    mine = {fold(path) for path in tree.view} | {fold(path) for path in tree.named | tree.special}
    gone = {path for path, content in before.items() if content is not None and path not in after}
    assert [
        path for path in gone if fold(path) in mine and fold(path) not in {fold(p) for p in after}
    ] == []
    if isinstance(result.error, TooManyDeletions):
        assert after == before
        assert (result.transfers, result.deletes, result.failed) == (0, 0, ())
    elif result.ok:
        assert set(differences(tree.view, after)) == set()
        assert result.deletes == len({fold(p) for p in gone} - {fold(p) for p in after})
    known = named(dry) == named(result)  # without what only the drive refuses
    if not cut and known and not isinstance(result.error, TooManyDeletions):
        assert (dry.deletes, dry.transfers) == (result.deletes, result.transfers)
    if not cut and not result.ok and not isinstance(result.error, TooManyDeletions):
        missing = named(result)
        wanted = {path for path in tree.view if fold(path) not in {fold(p) for p in after}}
        assert [path for path in wanted if not covered(path, missing)] == []


def _write(drive: Drive, path: str, rng: random.Random) -> None:
    """Write a file in advance, if OneDrive accepts it."""
    with contextlib.suppress(GraphFault):
        drive.write(path, rng.randbytes(2))


def moved(both: Both, seed: int) -> None:
    """Whatever happens, every file is on one of the two sides."""
    rng = random.Random(seed)
    tree = grow(rng, both.here / str(seed) / "source", links="skip_links")
    everything = local(tree.root)
    transfer = both.storage.rclone.move(
        str(tree.root), both.storage.at(f"m{seed}"), skip_links=True, retries=1
    )
    cut = rng.random() < 0.3
    if cut:
        time.sleep(rng.random() * 0.5)
        result = transfer.cancel()
    else:
        result = transfer.wait()
    here, there = local(tree.root), on_drive(both.drive, f"m{seed}", both.encoding)
    for path, content in everything.items():
        if content is not None:
            assert here.get(path) == content or there.get(path) == content, path
    if result.ok:
        assert [path for path, content in here.items() if content is not None] == []
        assert list(differences(everything, there)) == []
    elif not cut:
        assert [p for p, c in here.items() if c is not None and not covered(p, named(result))] == []
    if not cut:
        assert result.transfers == sum(content is not None for content in there.values())


KINDS: list[Callable[[Both, int], None]] = [copied, restored, synced, moved]


def run(both: Both, seeds: range | list[int]) -> None:
    failed = []
    for seed in seeds:
        try:
            KINDS[seed % 4](both, seed)
        except Exception as error:  # noqa: BLE001 - all of them are wanted
            failed.append((seed, KINDS[seed % 4].__name__, repr(error)[:1500]))
            print(failed[-1], flush=True)
        wipe(both.here / str(seed))
    assert failed == []


@pytest.mark.parametrize("first", [0])
def test_what_differs_after_a_transfer_is_named(both: Both, first: int) -> None:
    run(both, range(first, first + 10))


def test_what_went_wrong_once_does_not_any_more(both: Both) -> None:
    run(both, FAILED)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SOAK.start, SOAK.stop, 100))
def test_it_holds_for_thousands_of_trees(both: Both, first: int) -> None:
    run(both, range(first, min(first + 100, SOAK.stop)))
