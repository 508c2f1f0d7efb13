"""Transfers between a storage and other remotes of its rclone.conf, each really rclone's."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.rclone.events import Throttled
from pluton_rclone.saved.wrapping import looked_through
from pluton_rclone.storages.storage import Storages
from tests.cli.conftest import Command
from tests.connected import connected as save_storage
from tests.connected import emulated_drive
from tests.pace.known import holds

KEY = "just-for-this-test"
PASSWORD = "W_uzGzhuyMOw7EwZhZC6Op9sMgTCBEgKQNU"  # "secret", as rclone obscures it
HASHLESS = ("safe:there", "vault:there")
KINDS = (*HASHLESS, "disk:there", "team:there")


def served(how: str, folder: Path, *flags: str) -> Iterator[str]:
    """Serve a folder with rclone, on a free port of this machine."""
    argv = [str(find_binary(None).path), "serve", how, str(folder), "--addr=127.0.0.1:0", *flags]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        server.terminate()
        server.stderr.read()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "bucket").mkdir()
    yield from served("s3", folder, f"--auth-key={KEY},{KEY}")


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from served("webdav", tmp_path_factory.mktemp("dav"))


@pytest.fixture
def remotes(
    cloud: Emulator,
    connected: Command,
    s3: str,
    webdav: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Like `connected`, with several other kinds of remotes."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "disk").mkdir()
    save_storage(cloud, "business", name="team")
    keys = {"access_key_id": KEY, "secret_access_key": KEY}
    sections = {
        "s3": {"type": "s3", "provider": "Rclone", "endpoint": s3, **keys},
        "dav": {"type": "webdav", "url": webdav, "vendor": "rclone"},
        "disk": {"type": "alias", "remote": str(tmp_path / "disk")},
        "plain": {"type": "local"},
        "safe": {"type": "crypt", "remote": "dav:safe", "password": PASSWORD},
        "vault": {"type": "crypt", "remote": "team:vault", "password": PASSWORD},
    }
    for name, section in sections.items():
        Storages().conf.add(name, section)
    return connected


@pytest.fixture
def letters(cloud: Emulator) -> None:
    drive = emulated_drive(cloud, "personal")
    for name in ("one.txt", "two.txt", "deep/three.txt", "deep/four.txt"):
        drive.write(f"letters/{name}", f"Dear {name}".encode())


class Busy(BaseHTTPRequestHandler):
    """Asks every client to wait for half a minute."""

    def do_GET(self) -> None:
        self.send_response(429)
        self.send_header("Retry-After", "30")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PROPFIND = do_HEAD = do_GET  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy(remotes: Command) -> Iterator[str]:
    """The address of a server that is not Microsoft's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def listed(command: Command, place: str) -> list[str]:
    ran = command("ls", "-R", "--json", place)
    assert ran.code == 0, ran.err
    return sorted(one["path"] for one in ran.lines if not one["is_dir"])


@pytest.mark.parametrize("there", KINDS)
def test_files_go_from_a_storage_to_another_remote_and_back(
    there: str, remotes: Command, letters: None, cloud: Emulator
) -> None:
    copied = remotes("copy", "work-files:letters", there)
    assert (copied.code, "4 files transferred" in copied.err) == (0, True), copied.err
    assert listed(remotes, there) == ["deep/four.txt", "deep/three.txt", "one.txt", "two.txt"]
    assert remotes("cat", f"{there}/one.txt").out == "Dear one.txt"
    checked = remotes("check", "work-files:letters", there)
    assert (checked.code, "4 of them by size" in checked.err) == (0, there in HASHLESS), checked.err
    content = remotes("check", "--download", "work-files:letters", there)
    assert (content.code, "compared by content" in content.err) == (0, True), content.err

    assert remotes("delete", "--yes", "work-files:letters/two.txt").code == 0
    assert "1 deleted" in remotes("sync", "--yes", "work-files:letters", there).err
    moved = remotes("move", "--yes", there, "work-files:back")
    assert (moved.code, "3 files moved" in moved.err) == (0, True), moved.err
    assert listed(remotes, "work-files:back") == ["deep/four.txt", "deep/three.txt", "one.txt"]
    assert listed(remotes, there.partition("there")[0]) == []


def test_a_sync_from_or_to_another_remote_keeps_what_a_fault_would_delete(
    remotes: Command, letters: None, tmp_path: Path
) -> None:
    (tmp_path / "disk/empty").mkdir()
    refused = remotes("sync", "--yes", "--json", "disk:empty", "work-files:letters")
    assert (refused.code, refused.error["error"]) == (7, "too_many_deletions")
    assert "unmounted disk" in refused.error["why"]

    (tmp_path / "disk/full").mkdir()
    for number in range(40):
        (tmp_path / f"disk/full/{number}").write_text("kept")
    refused = remotes("sync", "--yes", "--json", "work-files:letters", "disk:full")
    assert "would delete 40 of the 40 files" in refused.error["what"]
    assert len(list((tmp_path / "disk/full").iterdir())) == 40
    assert len(listed(remotes, "work-files:letters")) == 4


def test_a_preflight_takes_files_from_another_remote_but_knows_onedrives_rules_alone(
    remotes: Command, letters: None, tmp_path: Path
) -> None:
    (tmp_path / "disk/desktop.ini").write_text("")
    found = remotes("copy", "--preflight", "--json", "disk:", "work-files:new")
    assert (found.code, found.lines[0]["path"]) == (4, "desktop.ini")
    refused = remotes("preflight", "work-files:letters", "disk:new", "--json")
    assert refused.code == 5
    assert refused.error["what"] == "'disk' is a remote of type alias, not a OneDrive storage."
    assert "'team'" in remotes("preflight", "work-files:letters", "vault:").err


def test_a_preflight_says_why_it_cannot_look_through_what_wraps_a_storage(
    remotes: Command, letters: None
) -> None:
    """Formerly, it reported whose sign-in it is, which is not the question."""
    Storages().conf.add("both", {"type": "union", "upstreams": "work-files:a team:b"})
    for arguments in (
        ("preflight", "work-files:letters", "vault:new"),
        ("copy", "--preflight", "work-files:letters", "both:new"),
    ):
        refused = remotes(*arguments, "--json")
        assert (refused.code, refused.error["error"]) == (5, "storage_not_found")
        assert "cannot be predicted" in refused.error["what"]
        assert "its own names, sizes or locations in" in refused.error["why"]
        assert "without a preflight" in refused.error["advice"]
        assert refused.error["next_step"] is None


def test_a_preflight_looks_through_an_alias_of_a_storage(
    remotes: Command, letters: None, tmp_path: Path
) -> None:
    for name, place in {"deep": "team:a/b", "deeper": "deep:c"}.items():
        Storages().conf.add(name, {"type": "alias", "remote": place})
    (tmp_path / "disk/desktop.ini").write_text("")
    (tmp_path / "disk/forms").mkdir()
    found = remotes("preflight", "--json", "disk:", "deeper:new")
    assert [one.get("path") for one in found.lines] == ["desktop.ini", None], found.err
    assert remotes("set", "team", "base_folder=Base").code == 0
    assert remotes("preflight", "--json", "disk:", "deep:").lines[0]["path"] == "desktop.ini"


@pytest.mark.parametrize("inside", ["", "sub", "/sub/"])
def test_what_it_looks_at_through_an_alias_is_below_the_base_folder(
    inside: str, remotes: Command, letters: None
) -> None:
    """Formerly, it was the drive's root, if the alias names a storage without a folder."""
    assert remotes("set", "team", "base_folder=Base").code == 0
    Storages().conf.add("flat", {"type": "alias", "remote": f"team:{inside}"})
    assert remotes("copy", "work-files:letters/one.txt", "flat:q").code == 0
    name, path = looked_through(Storages().conf, "flat:q")
    assert [entry.path for entry in Storages()[name].list(path)] == ["one.txt"]


@pytest.mark.parametrize("there", ["s3:bucket/new", "team:new"])
def test_tokens_of_both_sides_are_lent_and_come_home_renewed(
    there: str, remotes: Command, letters: None
) -> None:
    conf = Storages().conf
    lent = [name for name in ("work-files", "team") if name != "team" or there[0] == "t"]
    before = {name: json.loads(conf.section(name)["token"]) for name in lent}
    for name, token in before.items():
        expired = json.dumps({**token, "expiry": "2020-01-01T00:00:00Z"})
        conf.update(name, {"token": expired})

    assert remotes("copy", "work-files:letters", there).code == 0

    for name, token in before.items():
        now = json.loads(conf.section(name)["token"])
        assert now["refresh_token"] != token["refresh_token"], name


def test_a_place_in_another_remote_is_looked_at_by_its_own_paths(
    remotes: Command, tmp_path: Path
) -> None:
    (tmp_path / "disk/letter.txt").write_text("Dear reader")
    (tmp_path / "disk/a\\b").write_text("")
    for place in ("disk:", "disk", f"plain:{tmp_path}/disk"):
        assert listed(remotes, place) == ["a\\b", "letter.txt"]
    assert remotes("stat", "disk:a\\b").code == 0
    assert "2 files" in remotes("size", "disk:").out
    assert remotes("delete", "--yes", "disk:a\\b").code == 0
    copied = remotes("copy", "disk:letter.txt", f"plain:{tmp_path}/elsewhere")
    assert copied.code == 0, copied.err
    assert (tmp_path / "elsewhere/letter.txt").read_text() == "Dear reader"


@pytest.mark.parametrize("looking", ["test", "about", "set", "reauthorize"])
def test_what_is_about_the_connection_says_that_another_remote_is_no_storage(
    looking: str, remotes: Command
) -> None:
    refused = remotes(looking, "s3", *["chunk_size=5Mi"] * (looking == "set"))
    assert (refused.code, "is a remote of type s3, not a OneDrive" in refused.err) == (5, True)


@pytest.mark.parametrize("source", ["disk:", "disk:report.docx", "disk:letter.txt"])
def test_office_files_arrive_in_a_library_from_another_remote_too(
    source: str, remotes: Command, cloud: Emulator, tmp_path: Path
) -> None:
    emulated_drive(cloud, "sharepoint").rewrites_office_files = True
    save_storage(cloud, "sharepoint", name="library")
    for name in ("letter.txt", "report.docx"):
        (tmp_path / "disk" / name).write_bytes(b"PK" + bytes(2000))

    ran = remotes("copy", source, "library:x")

    assert (ran.code, "SharePoint rewrites" in ran.err) == (0, source != "disk:letter.txt"), ran.err
    wanted = ["letter.txt", "report.docx"] if source == "disk:" else [source[5:]]
    assert listed(remotes, "library:x") == wanted
    assert "0 files transferred" in remotes("copy", source, "library:x").err


def test_before_a_storage_is_removed_what_lies_on_it_is_named(connected: Command) -> None:
    Storages().conf.add("vault", {"type": "crypt", "remote": "work-files:vault"})
    refused = connected("remove", "Work files")
    assert refused.code == 2
    assert "Without it, 'vault' cannot be used. Forget 'Work files'?" in refused.err


def test_where_another_remote_asks_to_wait_microsoft_did_not(busy: str) -> None:
    storages = Storages()
    account = {"url": busy, "auth_token": "x", "library": "there"}
    storages.conf.add("busy", {"type": "seafile", **account})
    rclone, team = storages.rclone("busy", "team"), storages["team"]
    with rclone.copy("busy:letters", team.at("letters")) as transfer:
        wait = next(event for event in transfer.events() if isinstance(event, Throttled))
        assert (wait.seconds, wait.by_microsoft) == (30.0, False)
        transfer.cancel()
    assert [progress for progress in transfer if progress.waits_until] == []
    assert rclone.throttled == 0
    budget = budget_of(team.section_with_secrets())
    assert budget is not None
    assert holds(budget, budget.clock.now()) is None


@pytest.mark.parametrize(
    "words", [["ls", "busy:"], ["copy", "work-files:letters", "busy:x"]], ids=["ls", "copy"]
)
def test_what_another_remote_refuses_is_not_said_of_microsoft(
    words: list[str], busy: str, remotes: Command, letters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_LOW_LEVEL_RETRIES", "1")
    monkeypatch.setenv("RCLONE_RETRIES", "1")
    Storages().conf.add("busy", {"type": "webdav", "url": busy, "vendor": "other"})
    ran = remotes(*words)
    assert (ran.code, "The remote asks to slow down" in ran.err) == (8, True), ran.err
    assert "Microsoft" not in ran.err
