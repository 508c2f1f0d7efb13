"""One tree in shards: each file in exactly one, whatever its name, and all of them through several
apps."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import Storages
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.graph.budgets import Asking, Verdict
from pluton_rclone.flows import alone
from pluton_rclone.flows.plan import Plan, check
from pluton_rclone.flows.shards import Piece, divide
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.values.encoding import ToOneDrive, standard_name
from tests.connected import connected, emulated_drive, remote_of
from tests.forked import Forks
from tests.terminal import PATIENCE

NAMES = st.text(
    st.sampled_from("ab{}[]*?\\,.-+ $^()|é\ud7ff\ue000\U0001f600\U0010ffff～").filter(str.strip)
    | st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/"),
    min_size=1,
    max_size=4,
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=30)


class Entry(NamedTuple):
    path: str
    size: int = 1
    is_dir: bool = False


def matches(piece: Piece, path: str) -> bool:
    """As rclone's fs/filter/glob.go reads the pattern of a piece: /, *, **, {{}}, \\ and [ ]."""
    found, rest = "", piece.pattern[1:]
    parts = re.compile(r"\{\{(.*?)\}\}(?!\})|\\(.)|(\*\*)|(\*)|(\[.\])|(.)", re.DOTALL)
    for one in parts.finditer(rest):
        code, quoted, stars, star, group, plain = one.groups()
        if code is not None:
            found += f"({code})"
        elif quoted or plain:
            found += re.escape(quoted or plain)
        else:
            found += ".*" if stars else "[^/]*" if star else group
    found = re.sub(r"\\x\{([0-9a-f]+)\}", lambda hit: rf"\U{int(hit[1], 16):08x}", found)
    return re.fullmatch(found, path, re.DOTALL) is not None


@given(PATHS, st.integers(2, 6), PATHS)
def test_every_file_is_in_one_shard_also_one_that_was_not_listed(
    listed: list[str], shards: int, new: list[str]
) -> None:
    dealt = divide(map(Entry, listed), shards)
    assert len(dealt) <= shards
    assert divide(map(Entry, sorted(listed, reverse=True)), shards) == dealt
    pieces = [piece for mine in dealt for piece in mine]
    for path in listed + new if len(dealt) > 1 else ():
        assert sum(matches(piece, path) for piece in pieces) == 1


def test_the_shards_weigh_about_the_same_where_there_are_folders_to_divide() -> None:
    tree = [Entry(f"{a}/{a}{b:02}/{n}") for a in "abcdefg" for b in range(40) for n in range(25)]
    tree += [Entry(f"deep/er/{b}/{n}") for b in range(3000) for n in range(2)]
    dealt = divide(tree, 8)
    weights = [sum(piece.weight for piece in mine) for mine in dealt]
    assert len(dealt) == 8
    assert max(weights) < 1.3 * min(weights)
    assert sum(map(len, dealt)) < 100  # rules


ODD = [
    "Fotos/2024 {Mai}/IMG_[1].jpg",
    "Fotos/2024 {Mai}/sub/*stern*?.txt",
    "Fotos/2024/a,b.txt",
    "Fotos/{{re}}/x.txt",
    "Fotos/\\back\\slash/y.txt",
    "Fotos/~tilde/$money^(1)|2.txt",
    "Fotos/- minus/+ plus/# hash.txt",
    "Fotos/ende /punkt./z.txt",
    "Müller/ʼΩ/ſtraße/\U0001f600 \ue000\ud7ff.txt",
    "lone.txt",
    "- x/** /only one.txt",
]
BUSY = [f"Busy/{letter}{n}/{letter * n}.txt" for letter in "abcxyzäöü" for n in range(1, 4)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with odd names, and a folder without files."""
    root = tmp_path / "tree"
    for path in ODD + BUSY:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (root / "Fotos" / "empty").mkdir()
    return root


def plan_of(step: dict[str, Any], **more: Any) -> Plan:
    at_once = {"at_once": {"account": 4}}
    which = {"name": "big", "storages": [{"names": ["one"]}]}
    return Plan.model_validate({**which, "steps": [step], **at_once, **more})


def two_doors(cloud: Emulator) -> Drive:
    """A team's library, which two people reach, each with another app."""
    connected(cloud, "sharepoint", name="one")
    drive = emulated_drive(cloud, "sharepoint")
    remote = remote_of(cloud, "sharepoint", client_id=SINGLE_TENANT_CLIENT_ID)
    Storages().add_tested("two", remote)
    return drive


def files_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_tree_goes_up_in_shards_through_two_apps_which_share_the_requests_and_comes_back(
    cloud: Emulator, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_doors(cloud)
    asked, charge = Counter[str](), cloud.budgets.charge

    def counted(who: Asking, units: int) -> Verdict:
        asked[who.app] += units
        return charge(who, units)

    monkeypatch.setattr(cloud.budgets, "charge", counted)
    up = {"do": "upload", "local": str(tree), "folder": "data", "shards": 4}
    outcomes = alone.run(plan_of({**up, "through": ["one", "two"]}), Storages())
    assert min(asked[PUBLIC_CLIENT_ID], asked[SINGLE_TENANT_CLIENT_ID]) > 0.3 * asked.total()
    assert [one.ended for one in outcomes] == ["done", "done"]
    assert [one.files for one in outcomes] == [len(ODD + BUSY)] * 2
    back = tmp_path / "back"
    down = {"do": "download", "local": str(back), "folder": "data", "shards": 3}
    outcomes = alone.run(plan_of(down), Storages())
    assert [one.files for one in outcomes] == [len(ODD + BUSY)] * 2
    assert files_of(back) == files_of(tree)
    assert (back / "Fotos" / "empty").is_dir()


def test_a_run_that_was_killed_is_run_again_and_sends_what_is_missing_through_both_apps(
    cloud: Emulator, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: Forks
) -> None:
    drive = two_doors(cloud)
    cloud.faults.latency = 0.05
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "big"\nstorages = [{ names = ["one"] }]\nat_once = { account = 4 }\n'
        f'[[steps]]\ndo = "upload"\nlocal = "{tree}"\nfolder = "data"\n'
        'shards = 5\nthrough = ["{storage}", "two"]\n'
    )
    asked, charge = Counter[str](), cloud.budgets.charge
    with forks.started("flow", "run", "--no-server", file) as (process, _):

        def counted(who: Asking, units: int) -> Verdict:
            asked[who.app] += 1
            if asked.total() == 150:
                process.send_signal(signal.SIGKILL)
            return charge(who, units)

        monkeypatch.setattr(cloud.budgets, "charge", counted)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    plan, _ = check(file)
    assert plan is not None
    outcomes = alone.run(plan, Storages())
    assert [one.ended for one in outcomes] == ["done", "done"]
    assert 0 < outcomes[0].files < outcomes[1].files == len(ODD + BUSY)
    stored = ToOneDrive()
    for path, content in files_of(tree).items():
        there = stored.path("/".join(map(standard_name, path.split("/"))))
        assert drive.read(f"data/{there}") == content
    assert asked[PUBLIC_CLIENT_ID] > asked[SINGLE_TENANT_CLIENT_ID] > 0


def test_a_shard_that_fails_is_repeated_alone_and_its_files_are_in_the_result_of_all(
    cloud: Emulator, tree: Path
) -> None:
    two_doors(cloud)
    cloud.faults.refuse(500, times=None, where=r"lone\.txt")
    options = {"retries": 1, "low_level_retries": 1, "filters": ["- *.jpg", "+ *.txt", "- *"]}
    up = {"do": "upload", "local": str(tree), "shards": 3, "options": options}
    outcomes = alone.run(plan_of(up, retry={"times": 1, "wait": 0}), Storages())
    (outcome,) = outcomes  # nothing to compare
    assert (outcome.ended, outcome.failures) == ("failed", 1)
    assert [one["path"] for one in outcome.failed] == ["lone.txt"]
    ends = [one.ended for one in Storages().runs.last()]
    assert sorted(ends) == ["done", "done", "failed", "failed"]


def test_a_folder_whose_name_onedrive_refuses_does_not_keep_the_others_back(
    cloud: Emulator, tree: Path
) -> None:
    drive = two_doors(cloud)
    for path in ("CON/a/1", "CON/b/2", "CON/c/3", "CON/d/4", "CON/e/5"):
        (tree / path).mkdir(parents=True)
        for number in range(9):
            (tree / path / str(number)).touch()
    up = {"do": "upload", "local": str(tree), "shards": 6, "options": {"retries": 1}}
    (outcome,) = alone.run(plan_of(up, retry={"times": 0}), Storages())
    assert outcome.ended == "failed"
    assert all(one["path"].startswith("CON") for one in outcome.failed)
    assert drive.read("lone.txt") == b"lone.txt"
    assert outcome.files == len(ODD + BUSY)


def test_shards_go_through_storages_of_the_same_drive_only(cloud: Emulator, tree: Path) -> None:
    two_doors(cloud)
    connected(cloud, "business", name="other")
    up = {"do": "upload", "local": str(tree), "shards": 2}
    for name, why in (("other", "another drive_id"), ("nobody", "no storage called")):
        (outcome,) = alone.run(plan_of({**up, "through": ["one", name]}), Storages())
        assert outcome.ended == "failed"
        assert why in str(outcome.error).lower()
    assert cloud.requests == []


def test_what_is_one_file_or_empty_is_one_shard(cloud: Emulator, tree: Path) -> None:
    drive = two_doors(cloud)
    (tree / "nothing").mkdir()
    for name, files in (("lone.txt", 1), ("nothing", 0)):
        up = {"do": "upload", "local": str(tree / name), "folder": "few", "shards": 9}
        outcomes = alone.run(plan_of({**up, "verify": False}), Storages())
        assert [(one.ended, one.files) for one in outcomes] == [("done", files)]
    assert drive.read("few/lone.txt") == b"lone.txt"


def test_rclone_sees_each_file_in_one_shard_also_what_is_new_or_not_utf_8(tree: Path) -> None:
    root = os.fsencode(tree)
    for name in (b"Fotos/M\xfcller/1", b"Fotos/M\xf6ll/2", b"Busy/\xff/3", b"\xe4/\xe4/4"):
        os.makedirs(os.path.join(root, os.path.dirname(name)))
        Path(os.fsdecode(os.path.join(root, name))).touch()
    rclone = Rclone()
    dealt = divide(rclone.walk(root), 4)
    for path in ("Fotos/New\u200b/1.txt", "Busy/\U0010ffff/2.txt", "new.txt", "\x01/~/ /3.txt"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).touch()
    seen = Counter[str]()
    for mine in dealt:
        rules = [f"- {piece.pattern}" for other in dealt if other is not mine for piece in other]
        seen.update(one.path for one in rclone.walk(root, filters=rules, files_only=True))
    assert len(dealt) == 4
    assert seen.total() == len(files_of(tree))
    assert set(seen.values()) == {1}


def test_a_folder_that_cannot_be_listed_fails_in_its_shard_and_the_rest_goes_up(
    cloud: Emulator, tree: Path
) -> None:
    drive = two_doors(cloud)
    (tree / "Fotos" / "odd ‛").mkdir()  # rclone does not find it again
    up = {"do": "upload", "local": str(tree), "shards": 3, "options": {"retries": 1}}
    (outcome,) = alone.run(plan_of(up, retry={"times": 0}), Storages())
    assert outcome.ended == "failed"
    assert "odd" in str(outcome)
    assert drive.read("lone.txt") == b"lone.txt"
    assert outcome.files == len(ODD + BUSY)
