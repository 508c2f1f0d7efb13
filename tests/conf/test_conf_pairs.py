"""A storage with a base folder has two sections, an alias and its drive: both change in one step,
and the token is saved however the base folder changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.conf import disk
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.ini import parse
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import StorageExists, StorageNotFound
from tests.conf.encrypted import OTHERS
from tests.conf.real_rclone import dump
from tests.conf.test_conf_other_writers import NOBODY, OLD_TOKEN, TOKEN
from tests.conf.test_conf_private import conf as signed_in
from tests.conf.test_conf_private import is_last, plain, rclone

BASE, ID = "pluton_base_folder", "pluton_base_folder_id"
ANNA = {"type": "onedrive", "region": "us", "token": OLD_TOKEN}
Change = Callable[[Conf], None]

conf = signed_in


def base(path: str | None) -> Change:
    return lambda conf: conf.update("anna", {BASE: path})


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_it_is_one_storage_for_us_and_two_remotes_for_rclone(path: Path) -> None:
    conf = Conf(path)
    conf.add("anna", {**ANNA, BASE: "Backups", ID: "b!x#1"})
    conf.add("anna-drive-2", {"type": "memory"})
    assert conf.names() == [*conf.remotes()] == ["disk", "vault", "anna", "anna-drive-2"]
    assert conf.section("anna") == {**ANNA, BASE: "Backups", ID: "b!x#1"} | {
        "pluton_sign_in": conf.section("anna")["pluton_sign_in"]
    }
    seen = dump(path)
    assert seen["anna"] == {"type": "alias", "remote": "anna-drive:Backups"}
    assert seen["anna-drive"]["pluton_alias"] == "anna:Backups"
    assert (conf.drive_of("anna"), conf.storage_of("anna-drive")) == ("anna-drive", "anna")
    for change in (
        lambda: conf.section("anna-drive"),
        lambda: conf.update("anna-drive", {"region": "cn"}),
        lambda: conf.rename("anna-drive", "mine"),
        lambda: conf.delete("anna-drive"),
    ):
        with pytest.raises(StorageNotFound, match="it holds the drive of 'anna'"):
            change()
    with pytest.raises(StorageExists):
        conf.rename("vault", "anna-drive")
    conf.rename("anna", "zoe")  # a running rclone renews its token under the old name
    assert conf.section("zoe")[BASE] == "Backups"
    conf.add("anna", {**ANNA, BASE: "x"})
    assert conf.drive_of("anna") == "anna-drive-3"
    conf.delete("anna")
    conf.delete("zoe")
    conf.delete("anna-drive-2")
    assert path.read_text().rstrip() == OTHERS.rstrip()


def test_a_base_folder_that_is_set_and_cleared_leaves_the_file_as_it_was(path: Path) -> None:
    conf = Conf(path)
    path.write_text("# by hand\n[anna]\n  type   = onedrive\n; mine\nregion=us\n\n" + OTHERS)
    before = path.read_text()
    base("Backups")(conf)
    base("Other/sub")(conf)
    assert dump(path)["anna"]["remote"] == "anna-drive:Other/sub"
    conf.update("anna", {"region": "cn"})
    conf.update("anna", {"region": "us", BASE: ""})
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("start", "change"),
    [({}, base("b")), ({BASE: "a"}, base("b")), ({BASE: "a"}, base(None))],
    ids=["set", "changed", "cleared"],
)
@pytest.mark.parametrize("when", ["before it is there", "after it is there"])
def test_an_rclone_that_saves_what_it_read_before_undoes_no_change_and_its_token_stays(
    path: Path, patch: pytest.MonkeyPatch, start: dict[str, str], change: Change, when: str
) -> None:
    conf = Conf(path)
    conf.add("anna", {**ANNA, **start})
    by_rclone = [line for line in path.read_text().splitlines(True) if "sign_in" not in line]
    path.write_text(before := "".join(by_rclone))
    wanted = Conf(path.with_name("wanted.conf"))
    wanted.path.write_text(before.replace(OLD_TOKEN, TOKEN))
    change(wanted)
    put, wait = disk.ConfigFile.put, disk.ConfigFile.wait_for_savers

    def save() -> None:
        patch.undo()
        path.with_name("rclone.conf4711").write_text(before.replace(OLD_TOKEN, TOKEN))
        path.with_name("rclone.conf4711").rename(path)

    def early(self: disk.ConfigFile, new: bytes, *, instead_of: bytes | None) -> disk.Put:
        save()
        return put(self, new, instead_of=instead_of)

    def late(self: disk.ConfigFile, placed: disk.Put, foreigners: set[int]) -> bool:
        save()
        return wait(self, placed, {NOBODY})

    patch.setattr(
        disk.ConfigFile, *(("put", early) if when[0] == "b" else ("wait_for_savers", late))
    )
    change(conf)
    assert conf.sections() == wanted.sections()
    assert parse(path.read_text()).names() == parse(wanted.path.read_text()).names()


def test_a_token_that_an_rclone_saves_in_what_is_an_alias_now_belongs_to_the_drive(
    path: Path,
) -> None:
    """rclone reads the file again and sets the token in the section with which it started."""
    conf = Conf(path)
    conf.add("anna", {**ANNA, BASE: "a"})
    path.write_text(path.read_text().replace("= alias\n", f"= alias\ntoken = {TOKEN}\n"))
    assert conf.section("anna")["token"] == TOKEN
    conf.update("anna", {"chunk_size": "20Mi"})
    seen = dump(path)
    assert (seen["anna-drive"]["token"], "token" in seen["anna"]) == (TOKEN, False)
    path.write_text(path.read_text().replace("= alias\n", f"= alias\ntoken = {OLD_TOKEN}\n"))
    assert conf.section("anna")["token"] == TOKEN


@plain
@pytest.mark.parametrize("after", ["b", None], ids=["set or changed", "cleared"])
@pytest.mark.parametrize("before", [None, "a"], ids=["one section", "pair"])
def test_a_token_that_a_loan_renews_comes_home_though_the_base_folder_changes(
    conf: Conf, cloud: Emulator, before: str | None, after: str | None
) -> None:
    base(before)(conf)
    with conf.private(["anna"]) as private:
        base(after)(conf)
        rclone(private, "lsd", "anna-drive:" if before else "anna:")
    assert is_last(cloud, conf, "anna")
    assert conf.section("anna").get(BASE) == after


@plain
def test_rclone_itself_renews_the_token_of_the_drive_and_a_rename_meanwhile_is_no_matter(
    conf: Conf, cloud: Emulator
) -> None:
    base("a")(conf)
    for name in ("zoe", "anna"):
        rclone(conf.path, "mkdir", f"{conf.names()[1]}:new")
        conf.rename(conf.names()[1], name)
        assert is_last(cloud, conf, name)
    with conf.private() as private:
        assert Conf(private.path).names() == conf.names()
