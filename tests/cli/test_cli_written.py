"""Places as people write them, and output that cannot be written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage
from pluton_rclone.cli.output import Output
from pluton_rclone.cli.progress import follow
from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.events import Progress
from tests.command_line import run_here
from tests.connected import connected, emulated_drive
from tests.forked import Forks


@pytest.fixture
def storage(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.chdir(tmp_path)
    return connected(cloud, "business", name="work")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(6):
        (folder / f"Übersicht {number} 🦊.txt").write_text("content")
    return folder


# ---- places ----


def test_a_friendly_name_may_hold_slashes(storage: Storage, source: Path, tmp_path: Path) -> None:
    storage.rename("Anna / private")
    assert run_here("copy", source, "Anna / private:docs").returncode == 0
    assert len(storage.list("docs")) == 6
    assert not (tmp_path / "Anna ").exists()


def test_a_storages_name_that_is_a_path_in_another_one_is_refused_with_both_spellings(
    storage: Storage, cloud: Emulator, source: Path
) -> None:
    """Formerly, `copy data 'work: photos'`, without its colon, went into " photos" of work."""
    connected(cloud, name="photos")
    storage.storages.conf.update("photos", {"description": "work: photos"})  # as an old file has it
    for words in (("copy", source), ("ls",), ("restic",)):
        refused = run_here(
            *words, "work: photos", *(("--", "init") if words[0] == "restic" else ())
        )
        assert refused.returncode == 2, refused.stderr
        assert "'work: photos:' for the storage, 'work:./ photos' for" in refused.stderr
    assert storage.list() == []
    assert run_here("copy", source, "work:./ photos").returncode == 0
    assert run_here("copy", source / "Übersicht 1 🦊.txt", "work: photos:").returncode == 0
    assert [one.name for one in storage.list()] == [" photos"]
    assert len(run_here("ls", "work: photos:").stdout.splitlines()) == 1
    assert run_here("show", "work: photos").returncode == 0


@pytest.mark.parametrize("place", ["Anna / private:docs", "no such:docs", "folder/no such:docs"])
def test_what_looks_like_a_storage_and_is_none_makes_no_folder_here(
    storage: Storage, tmp_path: Path, place: str
) -> None:
    done = run_here("copy", "work:", place)
    assert done.returncode == 5
    assert f"For a local path, write ./{place}" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


@pytest.mark.parametrize("lead", ["./", "{cwd}/", "../{name}/"])
def test_a_local_path_with_a_colon_is_one_that_begins_like_one(
    storage: Storage, cloud: Emulator, tmp_path: Path, lead: str
) -> None:
    emulated_drive(cloud, "business").write("x/a", b"a")
    place = f"{lead.format(cwd=tmp_path, name=tmp_path.name)}a b/c:d"
    assert run_here("copy", "work:x", place).returncode == 0
    assert (tmp_path / "a b/c:d/a").read_bytes() == b"a"


SERVER_PATHS = [
    ("https://contoso-my.sharepoint.com/personal/bert_contoso_com/Documents/sub", "work:sub"),
    ("https://contoso.sharepoint.com/sites/Backups/Shared%20Documents/my%20sub/x", "work:my sub/x"),
    ("personal/bert_contoso_com/Documents/sub", "work:sub"),
    ("/sites/Backups/Shared Documents/sub", "work:sub"),
    ("p7\\sub\\", "work:p7/sub"),
]


@pytest.mark.parametrize(("path", "meant"), SERVER_PATHS)
@pytest.mark.parametrize("command", ["copy", "ls"])
def test_a_servers_path_becomes_no_folder_and_the_right_spelling_is_told(
    storage: Storage,
    source: Path,
    tmp_path: Path,
    cloud: Emulator,
    path: str,
    meant: str,
    command: str,
) -> None:
    words = ("copy", source, f"work:{path}") if command == "copy" else ("ls", f"work:{path}")
    done = run_here(*words)
    assert done.returncode == 2
    assert meant in done.stderr
    assert emulated_drive(cloud, "business").count == 0


def test_a_folder_that_is_really_called_so_is_taken(
    storage: Storage, cloud: Emulator, tmp_path: Path
) -> None:
    emulated_drive(cloud, "business").write("sites/x/Documents/file", b"a")
    emulated_drive(cloud, "business").write("a＼b/file", b"a")
    for path in ("sites/x/Documents", "a\\b"):
        assert run_here("ls", f"work:{path}").stdout.endswith("file\n")


# ---- output ----


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("flag", ["--json", "--verbose"])
def test_a_full_disk_under_the_output_ends_no_transfer(
    storage: Storage, source: Path, forks: Forks, stream: str, flag: str
) -> None:
    with open("/dev/full", "w") as full:
        out, err = (full.fileno() if stream == name else None for name in ("stdout", "stderr"))
        done = forks.run("copy", flag, source, "work:x", stdout=out, stderr=err)
    assert len(storage.list("x")) == 6
    nothing_was_to_be_written = (flag, stream) in (("--json", "stderr"), ("--verbose", "stdout"))
    assert done.returncode == (0 if nothing_was_to_be_written else 1)
    if done.returncode and stream == "stdout":
        assert json.loads(done.stderr)["why"].endswith("No space left on device")


def test_a_reader_that_goes_away_ends_no_transfer(
    storage: Storage, source: Path, forks: Forks
) -> None:
    read, write = os.pipe()
    os.close(read)
    done = forks.run("copy", "--json", source, "work:x", stdout=write)
    os.close(write)
    assert len(storage.list("x")) == 6
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["ls work:x", "cat work:x/a", "export work"])
def test_a_reader_that_goes_away_ends_what_only_reads(
    storage: Storage, source: Path, forks: Forks, command: str
) -> None:
    (source / "a").write_text("a")
    storage.upload(source, "x").result()
    read, write = os.pipe()
    os.close(read)
    done = forks.run(*command.split(), stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("command", "code"),
    [("export work", 1), ("storages --json", 1), ("export work --output new.conf", 0)],
)
def test_what_is_written_to_a_closed_stdout_is_not_taken_for_written(
    storage: Storage, command: str, code: int
) -> None:
    """Formerly, `export work >&-` ended with 0. A command without output there has lost nothing."""
    shell = f'"$0" -m pluton_rclone {command} >&-'
    done = subprocess.run(["/bin/sh", "-c", shell, sys.executable], stderr=subprocess.PIPE)
    assert (done.returncode, b"Bad file descriptor" in done.stderr) == (code, code == 1)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_what_the_library_warns_of_is_a_record_under_json(storage: Storage) -> None:
    """Formerly, it was a bare line, which no JSON reader accepts."""
    conf = storage.storages.path

    def said(*more: str) -> str:
        conf.rename(conf.with_name("rclone.conf.old1447880401"))  # as a killed rclone leaves it
        conf.with_name("rclone.conf3701141347").touch()
        argv = [sys.executable, "-m", "pluton_rclone", "set", "work", "hard_delete=true", *more]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    told = f"{conf} is missing; recovered from "
    assert said().startswith(told)
    (record,) = map(json.loads, said("--json").splitlines())
    assert list(record) == ["warning"]
    assert record["warning"].startswith(told)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_knows_few_characters_gets_escapes(
    storage: Storage, source: Path, encoding: str
) -> None:
    storage.upload(source, "Übersicht").result()
    storage.rename("Bérts Ablage 🦊")
    for words in (
        ("ls", "work:Übersicht"),
        ("tree", "work:"),
        ("storages",),
        ("show", "work"),
        ("preflight", source, "work:x"),
        ("copy", source, "work:Übersicht"),
    ):
        for more in ((), ("--json",)):
            done = run_here(*words, *more, encoding=encoding)
            assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
            if more:
                texts = [json.loads(line) for line in done.stdout.splitlines()[-1:]]
                assert "\\x" not in str(texts)


def test_a_program_reads_each_report_of_progress_when_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Formerly, they came in blocks of 8 KiB: for a small copy, all at its end."""
    read = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(read, encoding="utf-8"))

    class Going:
        def __iter__(self) -> Iterator[Progress]:
            yield Progress(text="", bytes=1)
            assert json.loads(read.getvalue())["progress"]["bytes"] == 1

        def wait(self) -> None:
            """Record that it has ended."""

    going: Any = Going()
    follow(going, Output(as_json=True))
