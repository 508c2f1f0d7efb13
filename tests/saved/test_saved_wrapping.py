"""crypt, alias, combine and union over storages: the remotes that they wrap are lent, too, and
renewed tokens are saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import AccessDenied, OptionInvalid, StorageNotFound
from pluton_rclone.saved.wrapping import below, with_wrapped
from tests.connected import BERT, connected, emulated_drive

from .test_saved_complete import command

PASSWORD = "W_uzGzhuyMOw7EwZhZC6Op9sMgTCBEgKQNU"  # "secret", as rclone obscures it
SECTIONS = {
    "near": {"type": "alias", "remote": "work:near"},
    "secret": {"type": "crypt", "remote": "near:vault", "password": PASSWORD},
    "both": {"type": "combine", "upstreams": '"at home=home:" deep=secret:'},
    "one": {"type": "union", "upstreams": "secret:sub home:one:ro"},
    "round": {"type": "alias", "remote": "about:"},
    "about": {"type": "alias", "remote": "round:"},
    "disk": {"type": "alias", "remote": "/tmp"},
    "lost": {"type": "alias", "remote": "nowhere:"},
}


@pytest.fixture
def storages(cloud: Emulator) -> Storages:
    connected(cloud, "personal", name="home")
    connected(cloud, "business", name="work")
    found = Storages()
    for name, section in SECTIONS.items():
        found.conf.add(name, section)
    return found


def test_what_is_below_however_deep(storages: Storages) -> None:
    conf = storages.conf
    assert list(with_wrapped(conf, ["secret"])) == ["secret", "near", "work"]
    assert {name: sorted(below(conf, name)) for name in ("both", "one", "lost")} == {
        "both": ["home", "work"],
        "one": ["home", "work"],
        "lost": [],
    }


def test_what_lies_on_itself_is_refused_before_rclone_follows_it_without_end(
    storages: Storages, tmp_path: Path
) -> None:
    storages.conf.add("self", {"type": "alias", "remote": "self:"})
    storages.conf.add("far", {"type": "union", "upstreams": "home: round:sub"})
    for name in ("self", "round", "far"):
        code, said = command("copy", tmp_path, f"{name}:x")
        assert code != 0
        assert "wraps itself" in said["what"]


def test_a_crypt_over_an_alias_over_a_storage(
    storages: Storages, cloud: Emulator, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "letter.txt").write_text("Dear reader")
    code, done = command("copy", source, "secret:x")
    assert (code, done["transfers"]) == (0, 1)
    vault = emulated_drive(cloud, "business").folder("near/vault")
    stored = [item for item in emulated_drive(cloud, "business").walk(vault) if item.content]
    assert len(stored) == 1
    assert "letter" not in stored[0].name
    assert command("check", source, "secret:x")[0] == 0
    assert [entry.path for entry in storages.reach("both").walk("deep/x")] == ["letter.txt"]
    assert storages.rclone("secret").cat("secret:x/letter.txt") == b"Dear reader"
    assert command("copy", "secret:x", tmp_path / "back")[0] == 0
    assert (tmp_path / "back" / "letter.txt").read_text() == "Dear reader"
    assert command("delete", "--yes", "secret:x")[0] == 0


def test_a_token_that_is_renewed_below_a_crypt_comes_home(storages: Storages) -> None:
    text = storages["work"].section_with_secrets()["token"]
    old = {**json.loads(text), "expiry": "2020-01-01T00:00:00Z"}
    storages.conf.update("work", {"token": json.dumps(old)})
    storages.reach("secret").rclone.mkdir("secret:new")
    new = json.loads(storages["work"].section_with_secrets()["token"])
    assert new["refresh_token"] != old["refresh_token"]
    assert "token" not in storages.conf.whole_section("secret")


def test_what_has_to_sign_in_again_is_named_and_not_the_crypt(
    storages: Storages, cloud: Emulator, tmp_path: Path
) -> None:
    text = storages["work"].section_with_secrets()["token"]
    storages.conf.update(
        "work", {"token": json.dumps({**json.loads(text), "expiry": "2020-01-01T00:00:00Z"})}
    )
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    code, refused = command("ls", "secret:")
    assert (code, refused["next_step"]) == (3, "reauthorize")
    assert "pluton-rclone reauthorize work" in refused["advice"]
    code, refused = command("test", "secret")
    assert (code, "those of 'work'" in refused["advice"]) == (5, True)


def test_it_has_no_sign_in_of_its_own_and_says_whose_it_is(storages: Storages) -> None:
    with pytest.raises(StorageNotFound, match="wraps 'work'") as refused:
        storages["secret"]
    assert "those of 'work'" in refused.value.advice
    with pytest.raises(StorageNotFound, match="not a OneDrive storage"):
        storages["disk"]
    with pytest.raises(StorageNotFound, match="no storage called 'nobody'"):
        storages.reach("nobody")
    assert sorted(storages) == ["home", "work"]


def test_what_was_connected_for_reading_only_is_not_written_through_a_crypt(
    storages: Storages,
) -> None:
    storages.conf.update("work", {"pluton_granted_scopes": "Files.Read"})
    with pytest.raises(AccessDenied, match="'work' was connected for reading only"):
        storages.reach("secret").rclone.mkdir("secret:new")


def test_a_folder_that_a_union_has_made_is_not_told_as_failed(
    storages: Storages, tmp_path: Path
) -> None:
    """rclone logs that it is creating one there, but not that it has."""
    storages.conf.add("two", {"type": "union", "upstreams": "home:one work:two"})
    (tmp_path / "source/deep").mkdir(parents=True)
    (tmp_path / "source/CON").write_text("refused")
    (tmp_path / "source/deep/a.txt").write_text("a")
    result = storages.rclone("two").copy(tmp_path / "source", "two:x").wait()
    assert [file.path for file in result.failed] == ["CON"]
    assert storages.rclone("two").stat("two:x/deep/a.txt")


def test_with_a_single_try_it_may_be_there_all_the_same(storages: Storages, tmp_path: Path) -> None:
    """A file that arrived in it has created it, although rclone calls the run a failure."""
    storages.conf.add("two", {"type": "union", "upstreams": "home:one work:two"})
    (tmp_path / "source/deep").mkdir(parents=True)
    (tmp_path / "source/deep/a.txt").write_text("a")
    result = storages.rclone("two").copy(tmp_path / "source", "two:x", retries=1).wait()
    (deep,) = result.failed
    assert str(deep.error) == "The folder could not be created, or its time could not be set."
    assert storages.rclone("two").stat("two:x/deep/a.txt")


def test_an_option_of_a_remote_that_wraps_others_is_named(storages: Storages) -> None:
    storages.conf.add("alone", {"type": "union", "upstreams": "home:one"})
    with pytest.raises(OptionInvalid, match="An option of the remote") as refusal:
        storages.rclone("alone").list("alone:x")
    assert "can't point to a single upstream" in str(refusal.value.why)
