"""What rclone skips with exit code 0 is no success: names that a crypt cannot decrypt, listed names
that do not exist, and a dry run that was set elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pluton_rclone.errors import NothingFound, RcloneError
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.tally import Tally

NAMES = [str(number) for number in range(10)]


def fill(folder: Path) -> Path:
    (folder / "folder").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(name)
    (folder / "folder/inside").write_text("inside")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return fill(tmp_path / "source")


@pytest.fixture(scope="module")
def passwords(binary: Binary) -> list[str]:
    """Two passwords in the form of rclone.conf."""
    argv = [binary.path, "obscure"]
    found = [subprocess.run([*argv, one], stdout=subprocess.PIPE, check=True) for one in "ab"]
    return [one.stdout.decode().strip() for one in found]


def crypts(binary: Binary, folder: Path, passwords: list[str]) -> Rclone:
    """`before:` and `now:`, the same folder with two passwords."""
    conf = ""
    for name, password in zip(("before", "now"), passwords, strict=True):
        conf += f"[{name}]\ntype = crypt\nremote = {folder}/stored\npassword = {password}\n"
    folder.joinpath("crypts.conf").write_text(conf)
    return Rclone(binary, config=folder / "crypts.conf")


@pytest.fixture(scope="module")
def stored(binary: Binary, passwords: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of `source`, and the folder, were stored with an earlier password."""
    folder = tmp_path_factory.mktemp("crypts")
    source, rclone = fill(folder / "source"), crypts(binary, folder, passwords)
    rclone.copy(source, "before:", filters=["+ /[0-3]", "+ /folder/**", "- *"]).result()
    rclone.copy(source, "now:", filters=["+ /[4-9]", "- *"]).result()
    return folder / "stored"


@pytest.fixture
def mixed(binary: Binary, passwords: list[str], stored: Path, tmp_path: Path) -> Rclone:
    shutil.copytree(stored, tmp_path / "stored")
    return crypts(binary, tmp_path, passwords)


def test_a_restore_without_what_cannot_be_decrypted_is_not_done(
    mixed: Rclone, tmp_path: Path
) -> None:
    result = mixed.copy("now:", tmp_path / "back").wait()
    assert (result.ended, result.transfers, result.exit_code) == ("failed", 6, 0)
    assert sorted(file.is_dir for file in result.failed) == [False] * 4 + [True]
    assert str(result.error).startswith("5 files and folders were not transferred")
    assert result.error is not None
    assert "Check password and password2" in result.error.advice


def test_a_sync_from_a_crypt_deletes_nothing_for_names_that_it_cannot_decrypt(
    mixed: Rclone, source: Path
) -> None:
    dry = mixed.sync("now:", source, dry_run=True).wait()
    result = mixed.sync("now:", source, max_delete="75%").wait()
    assert {path.name for path in source.iterdir()} == {*NAMES, "folder"}
    assert (dry.deletes, result.deletes, result.ended) == (0, 0, "failed")
    assert any("Nothing was deleted" in notice for notice in result.notices)


def test_what_a_crypt_cannot_decrypt_is_an_extra_where_one_copies_to(
    mixed: Rclone, source: Path
) -> None:
    assert len(mixed.sync(source, "now:").result().left_out) == 5
    assert mixed.check(source, "now:", direction="one_way").same
    both_ways = mixed.check(source, "now:")
    assert (both_ways.same, len(both_ways.failed)) == (False, 5)


def test_a_list_or_a_sum_of_what_cannot_all_be_decrypted_fails_at_its_end(mixed: Rclone) -> None:
    seen: list[str] = []
    with pytest.raises(RcloneError, match="its name cannot be decrypted, nor are 4 more"):
        seen.extend(entry.path for entry in mixed.walk("now:"))
    assert sorted(seen) == NAMES[4:]
    for ask in (mixed.list, mixed.size):
        with pytest.raises(RcloneError, match="cannot be decrypted"):
            ask("now:")
    found = mixed.stat("now:4")
    assert found is not None
    assert mixed.cat("now:4") == b"4"


def test_names_that_a_crypt_cannot_decrypt_are_excluded_one_by_one_as_they_stand(
    mixed: Rclone, tmp_path: Path
) -> None:
    (tmp_path / "stored/desktop[1].ini").write_text("plain")
    found = mixed.copy("now:", tmp_path / "back").wait().failed
    assert "desktop[1].ini" in {file.path for file in found}
    rules = [f"- /{commands.filter_name(file.path)}" + "/**" * file.is_dir for file in found]
    assert mixed.copy("now:", tmp_path / "back", filters=rules).result().checks == 6
    assert mixed.size("now:", filters=rules).count == 6
    assert not mixed.copy("now:", tmp_path / "some", filters=["+ [0-3]", "- **"]).wait().ok


def test_what_cannot_be_decrypted_is_not_deleted_and_is_named(
    mixed: Rclone, tmp_path: Path
) -> None:
    for delete in (mixed.delete, mixed.purge):
        result = delete("now:").wait()
        assert len(list((tmp_path / "stored").iterdir())) == 5
        assert str(result.error).startswith("5 files and folders were not deleted")


@pytest.mark.parametrize("how", ["-n", "-un", "--dry-run=true", "flag", "variable"])
@pytest.mark.parametrize("word", ["copy", "sync"])
def test_a_dry_run_is_a_plan_however_rclone_is_told_of_it(
    binary: Binary, source: Path, tmp_path: Path, how: str, word: str
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/extra").write_text("extra")
    environment = {"RCLONE_DRY_RUN": "true"} if how == "variable" else {}
    flags = ["--dry-run"] if how == "flag" else []
    rclone = Rclone(binary, config=os.devnull, environment=environment, flags=flags)
    extra = [how] if how.startswith("-") else []
    result = getattr(rclone, word)(source, tmp_path / "there", extra=extra).result()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["extra"]
    planned = {one.path: one.action for one in result.planned if "directory" not in one.action}
    goes = {"extra": "delete"} if word == "sync" else {}
    assert planned == {**dict.fromkeys([*NAMES, "folder/inside"], "copy"), **goes}


def test_what_only_looks_like_a_dry_run_is_none(rclone: Rclone, source: Path) -> None:
    for extra in (["--dry-run=false"], ["-n", "--dry-run=0"]):
        assert rclone.copy(source, "disk:", extra=extra).result().planned == ()
    assert rclone.sync(source, "disk:").result().planned == ()
    assert rclone.stat("disk:folder/inside") is not None


@pytest.fixture(params=["disk", "remote"])
def start(request: pytest.FixtureRequest, rclone: Rclone, tmp_path: Path) -> str:
    """The files of `source`, locally or in a remote."""
    fill(tmp_path / "disk/source")
    return str(tmp_path / "disk/source") if request.param == "disk" else "disk:source"


LIST = ["./0", "././folder/inside", "/1", "nowhere", "folder", "no/where"]
NOWHERE = {"nowhere", "folder", "no/where"}


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("word", ["copy", "move", "sync"])
def test_names_in_a_list_that_are_not_there_are_missing(
    rclone: Rclone, start: str, tmp_path: Path, word: str, dry: bool
) -> None:
    for name in ("0", "nowhere", "unlisted"):  # 0 is at the destination already, nowhere only there
        rclone.rcat(name.encode(), tmp_path / "there" / name)
    result = getattr(rclone, word)(
        start, tmp_path / "there", files_from=LIST, log_level="DEBUG", dry_run=dry
    ).wait()
    assert {file.path for file in result.failed} == NOWHERE
    assert {type(file.error) for file in result.failed} == {NothingFound}
    assert "Correct the list" in result.error.advice
    assert (result.ended, result.transfers) == ("failed", 2)
    kept = {path.name for path in (tmp_path / "there").iterdir()}
    assert kept == {"0", "nowhere", "unlisted"} | (set() if dry else {"1", "folder"})
    assert ("delete", "nowhere") not in {(one.action, one.path) for one in result.planned}


def test_a_sync_names_what_its_look_did_not_find_at_any_level(
    rclone: Rclone, start: str, tmp_path: Path
) -> None:
    rclone.rcat(b"nowhere", tmp_path / "there/nowhere")
    result = rclone.sync(start, tmp_path / "there", files_from=LIST).wait()
    assert {file.path for file in result.failed} == NOWHERE
    assert (tmp_path / "there/nowhere").exists()


def test_a_check_of_names_that_are_not_there_is_none(
    rclone: Rclone, start: str, tmp_path: Path
) -> None:
    for name in ("0", "1", "nowhere"):
        rclone.rcat(name.encode(), tmp_path / "there" / name)
    for content in ("hash", "size", "download"):
        assert rclone.check(start, tmp_path / "there", content=content, files_from=LIST[:1]).same
    result = rclone.check(start, tmp_path / "there", files_from=LIST)
    assert (result.matching, result.missing_on_source) == (2, ("nowhere",))
    assert result.missing_on_destination == ("folder/inside",)
    assert {file.path for file in result.failed} == NOWHERE - {"nowhere"}


@pytest.mark.parametrize(
    ("local", "listed", "found"),
    [
        (b"tab\t", "tab\t", False),
        (b"tab\t", "tab\u2409", True),
        ("tab\u2409".encode(), "tab\u2409", False),
        (b"bytes \xff", b"bytes \xff", True),
        ("\u00e9".encode(), "e\u0301", False),
        (b"a name", "A name", False),
        (b"deep/name", "deep//name", False),
        (b"deep/name", "deep/../deep/name", False),
        (b"deep/name", "deep/name/", True),
    ],
)
def test_a_name_in_a_list_is_missing_just_where_rclone_does_not_find_it(
    rclone: Rclone, tmp_path: Path, local: bytes, listed: str | bytes, found: bool
) -> None:
    path = os.path.join(os.fsencode(tmp_path / "disk"), local)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).write_text("content")
    result = rclone.copy(tmp_path / "disk", tmp_path / "there", files_from=[listed]).wait()
    assert (result.transfers, len(result.failed)) == ((1, 0) if found else (0, 1))


def test_links_in_a_list_have_the_names_that_the_option_gives_them(
    rclone: Rclone, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    fill(folder / "source")
    (folder / "file").symlink_to("source/0")
    (folder / "tree").symlink_to("source")

    def missing(*names: str, **options: bool) -> set[str]:
        result = rclone.copy(folder, tmp_path / "there", files_from=names, dry_run=True, **options)  # type: ignore[arg-type]
        return {file.path for file in result.wait().failed}

    assert missing("file.rclonelink", "tree.rclonelink", links=True) == set()
    assert missing("file", "tree", links=True) == {"file", "tree"}
    assert missing("file", "tree/0", copy_links=True) == set()
    assert missing("tree", copy_links=True) == {"tree"}
    assert missing("file", skip_links=True) == set()


@pytest.fixture
def chunked(binary: Binary, source: Path, tmp_path: Path) -> Rclone:
    """`chunks:` over a folder, where the file "big é" has lost a chunk."""
    conf = tmp_path / "chunks.conf"
    conf.write_text(f"[chunks]\ntype = chunker\nremote = {tmp_path}/stored\nchunk_size = 1Ki\n")
    rclone = Rclone(binary, config=conf)
    (source / "folder/big é").write_bytes(bytes(5000))
    rclone.copy(source, "chunks:").result()
    (tmp_path / "stored/folder/big é.rclone_chunk.002").unlink()
    return rclone


def test_a_file_that_has_lost_a_chunk_is_named_and_its_good_copy_stays(
    chunked: Rclone, source: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    shutil.copytree(source, back)
    for word in ("copy", "sync"):
        result = getattr(chunked, word)("chunks:", back, log_level="DEBUG").wait()
        assert [file.path for file in result.failed] == ["folder/big é"]
        assert (back / "folder/big é").read_bytes() == bytes(5000)
    assert [file.path for file in chunked.check("chunks:", back, direction="one_way").failed] == [
        "folder/big é"
    ]


def test_a_damaged_file_of_a_list_is_named_once(chunked: Rclone, tmp_path: Path) -> None:
    names = ["folder/big \u00e9"]
    result = chunked.copy("chunks:", tmp_path / "b", files_from=names, log_level="DEBUG").wait()
    assert [file.path for file in result.failed] == names
    assert "lost or damaged" in result.failed[0].error.what


@pytest.mark.parametrize("words", ['"a" or "b"', '"a', '"\\x"', ""])
def test_a_path_that_is_not_quoted_as_go_does_ends_nothing(words: str) -> None:
    tally = Tally()
    text = f"invalid chunks in object {words}"
    tally.line(json.dumps({"level": "debug", "msg": text, "object": "", "objectType": ""}).encode())
    assert tally.result("copy", 0, duration=1, stopped=None, ended="done").ok


def test_what_a_chunker_has_lost_is_sent_again(chunked: Rclone, source: Path) -> None:
    result = chunked.copy(source, "chunks:", log_level="DEBUG").result()
    assert (result.transfers, result.left_out) == (1, ())


@pytest.mark.parametrize("start", ["remote"], indirect=True)
def test_a_link_that_a_file_has_replaced_is_not_left_out(
    rclone: Rclone, start: str, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for name in ("0", "mine"):
        (there / name).symlink_to("elsewhere")
    result = rclone.copy(start, there, log_level="INFO").result()
    assert (there / "0").is_file()
    assert [one.path for one in result.left_out] == ["mine"]


@pytest.mark.parametrize("dry", [True, False])
def test_a_delete_names_what_a_list_names_in_vain(rclone: Rclone, start: str, dry: bool) -> None:
    result = rclone.delete(start, files_from=LIST, log_level="DEBUG", dry_run=dry).wait()
    assert {file.path for file in result.failed} == NOWHERE
    assert (result.ended, result.deletes) == ("failed", 3)
