"""What the page reads and writes on its machine: only the named folders, and nothing private in
them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.process.folders import runtime_folder
from pluton_rclone.web.plumbing.jobs import Work
from tests.connected import connected

from .client import Person, at_the_page, until_over
from .test_web_page import posted_by_a_browser

SECRET = "secret of the person"


def begun(anna: Person, storage: Storage, kind: str, local: Path | str, path: str = "x") -> int:
    """The status of the form; the job that it began has ended."""
    answer = anna.post(
        f"/storages/{storage.remote_name}/{kind}", {"local": str(local), "path": path}
    )
    until_over(anna)
    return answer.status_code


def on_drive(storage: Storage, path: str = "x") -> set[str]:
    return {entry.path for entry in storage.walk(path) if not entry.is_dir}


def tree(folder: Path) -> Path:
    """A folder with one ordinary file, and with everything that is private."""
    for name in (
        "a.txt",
        ".ssh/id_ed25519",
        ".bashrc",
        "deep/.env",
        "deep/er/rclone.conf",
        "Rclone.conf.bak",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("alpha" if name == "a.txt" else SECRET)
    return folder


# ---- which folders -------------------------------------------------------------------------------


def test_the_home_folder_is_closed_and_a_folder_for_restores_is_there(
    cloud: Emulator, home: Path
) -> None:
    storage = connected(cloud)
    (home / "letter.txt").write_text(SECRET)
    with at_the_page() as anna:
        assert begun(anna, storage, "copy", home) == 422
        assert begun(anna, storage, "copy", home / "letter.txt") == 422
        assert begun(anna, storage, "restore", home) == 422
        storage.rclone.rcat(b"kept", storage.at("x/file"))
        restores = home / "pluton-restores"
        assert str(restores) in anna.get(f"/storages/{storage.remote_name}/restore").text
        assert begun(anna, storage, "restore", restores) == 200
        assert (restores / "file").read_bytes() == b"kept"
    assert restores.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_was_named_from_here_is_offered_as_it_is_taken(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = connected(cloud)
    tree(tmp_path / "src")
    monkeypatch.chdir(tmp_path)
    with at_the_page(local_folders=[Path("src")]) as anna:
        form = anna.get(f"/storages/{storage.remote_name}/copy").text
        offered = re.search(r'id="local"[^>]* value="([^"]*)"', form)
        assert offered is not None
        assert offered[1] == str(tmp_path / "src")
        assert f"<code>{tmp_path / 'src'}</code>" in form
        assert begun(anna, storage, "copy", offered[1]) == 200
    assert on_drive(storage) == {"a.txt"}


PRIVATE = (
    "{home}/.ssh",
    "{home}/.ssh/id_ed25519",
    "{home}/.bashrc",
    "{home}/deep/.env",
    "{home}/deep/er/rclone.conf",
    "{home}/Rclone.conf.bak",
    "{home}/rclone.conf",
    "{home}/../home/.ssh",
    "{home}/deep/../.ssh",
    "{home}//.ssh/",
    "~/.ssh",
    "{home}/out",
    "{home}/out/passwd",
    "{home}/keys",
    "{home}/keys/id_ed25519",
    "{home}/runtime",
    "{runtime}",
    "/proc/self/environ",
    "/proc/self/root/etc",
    "/etc",
    "/dev/shm",
)


@pytest.mark.parametrize("typed", PRIVATE)
def test_no_way_of_writing_a_private_path_opens_it(
    cloud: Emulator, home: Path, tmp_path: Path, typed: str
) -> None:
    storage = connected(cloud)
    tree(home)
    (home / "out").symlink_to("/etc")
    (home / "keys").symlink_to(".ssh")
    (home / "runtime").symlink_to(runtime_folder())
    local = typed.format(home=home, runtime=runtime_folder())
    before = sorted(map(str, home.rglob("*")))
    with at_the_page(local_folders=[home]) as anna:
        for kind in ("copy", "restore"):
            assert begun(anna, storage, kind, local) == 422, kind
        assert anna.app.state.page.jobs.all(Work, "") == []
    assert sorted(map(str, home.rglob("*"))) == before


def test_what_rclone_conf_leads_to_by_now_is_private(cloud: Emulator, home: Path) -> None:
    storage, conf, open_folder = connected(cloud), home / "rclone.conf", home / "open"
    open_folder.mkdir()
    for release in ("first", "second"):
        (open_folder / release).write_bytes(conf.read_bytes())
    (home / "next").symlink_to(open_folder / "first")
    (home / "next").replace(conf)
    with at_the_page(local_folders=[open_folder]) as anna:
        (home / "next").symlink_to(open_folder / "second")
        (home / "next").replace(conf)
        assert begun(anna, storage, "copy", open_folder / "second") == 422


# ---- what is left out of them --------------------------------------------------------------------


def test_a_copy_takes_nothing_private_along(cloud: Emulator, home: Path, tmp_path: Path) -> None:
    """No dot files, no rclone.conf (whatever this page's own is called), no runtime folder, no
    links."""
    storage = connected(cloud)
    tree(home)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b").write_text(SECRET)
    (home / "folder-link").symlink_to(tmp_path / "elsewhere")
    (home / "file-link").symlink_to(home / ".bashrc")
    own = home / "my [own] settings"
    own.write_bytes(Storages().path.read_bytes())
    (home / "my [own] settings.lock").write_text(SECRET)
    (home / "runtime" / "run").mkdir(parents=True)
    with at_the_page(local_folders=[home]) as anna:
        anna.app.state.page.private += (own, home / "runtime")
        assert begun(anna, storage, "copy", home) == 200
    assert on_drive(storage) == {"a.txt"}


def test_a_restore_writes_nothing_private_and_through_no_link(
    cloud: Emulator, home: Path, tmp_path: Path
) -> None:
    storage, open_folder, elsewhere = connected(cloud), tmp_path / "open", tmp_path / "elsewhere"
    (open_folder / "deep").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "victim").write_text("as it was")
    (open_folder / "link").symlink_to(elsewhere)
    (open_folder / "deep" / "li[n]k ").symlink_to(elsewhere)
    (open_folder / "one").symlink_to(elsewhere / "victim")
    names = (
        ".bashrc",
        ".ssh/authorized_keys",
        "link/victim",
        "link/new",
        "deep/li[n]k /victim",
        "one",
    )
    for name in (*names, "rclone.conf", "fine/file", "evil.rclonelink"):
        storage.rclone.rcat(b"planted", storage.at(f"x/{name}"))
    with at_the_page(local_folders=[open_folder]) as anna:
        assert begun(anna, storage, "restore", open_folder) == 200
        for name in (".bashrc", "rclone.conf", "one"):
            assert (
                begun(anna, storage, "restore", open_folder, f"x/{name}") == 200
            )  # its page says so
    assert (open_folder / "fine" / "file").read_bytes() == b"planted"
    assert not (open_folder / "evil").exists()
    assert [path.name for path in elsewhere.iterdir()] == ["victim"]
    assert (elsewhere / "victim").read_text() == "as it was"
    assert not [name for name in os.listdir(open_folder) if name.startswith((".", "rclone.conf"))]
    assert (open_folder / "one").is_symlink()


def test_a_file_that_is_not_written_is_said(cloud: Emulator, tmp_path: Path) -> None:
    storage = connected(cloud)
    storage.rclone.rcat(b"planted", storage.at(".bashrc"))
    with at_the_page(local_folders=[tmp_path / "open"]) as anna:
        form = {"local": str(tmp_path / "open"), "path": ".bashrc"}
        at = anna.post(f"/storages/{storage.remote_name}/restore", form).url.path
        until_over(anna)
        shown = anna.get(at).text
    assert "may not be written to" in shown
    assert "Not everything arrived" in shown


def test_the_end_of_a_restore_says_what_it_leaves_out(cloud: Emulator, tmp_path: Path) -> None:
    """Formerly, it said "Done", although `.env` was missing."""
    storage = connected(cloud)
    for name in ("fine", ".env"):
        storage.rclone.rcat(b"content", storage.at(name))
    with at_the_page(local_folders=[tmp_path / "open"]) as anna:
        form = {"local": str(tmp_path / "open"), "path": ""}
        at = anna.post(f"/storages/{storage.remote_name}/restore", form).url.path
        until_over(anna)
        shown = anna.get(at).text
    assert os.listdir(tmp_path / "open") == ["fine"]
    assert "1 file transferred" in shown
    assert "names that begin with a dot" in shown


@pytest.mark.parametrize(("typed", "found"), [(None, "listed"), (" x ", "typed")])
def test_a_listed_folder_is_restored_even_if_its_name_ends_with_a_space(
    cloud: Emulator, tmp_path: Path, typed: str | None, found: str
) -> None:
    """Formerly, "x " led to "x", as a folder that was typed with spaces around it does."""
    storage = connected(cloud)
    storage.rclone.rcat(b"listed", storage.at("x /a.txt"))
    storage.rclone.rcat(b"typed", storage.at("x/a.txt"))
    with at_the_page(local_folders=[tmp_path / "open"]) as anna:
        at = f"/storages/{storage.remote_name}/restore"
        form = posted_by_a_browser(
            anna.get(at, params={"path": "x "} if typed is None else {}).text
        )
        anna.post(at, form if typed is None else {**form, "path": typed})
        until_over(anna)
    assert (tmp_path / "open" / "a.txt").read_text() == found


def test_a_transfer_that_cannot_start_is_said_on_its_page(cloud: Emulator, tmp_path: Path) -> None:
    storage = connected(cloud)
    with at_the_page(local_folders=[tmp_path / "open"]) as anna:
        form = {"local": str(tmp_path / "open"), "path": "nothing"}
        at = anna.post(f"/storages/{storage.remote_name}/restore", form).url.path
        until_over(anna)
        for path in ("/transfers", at):
            answer = anna.get(path)
            assert answer.status_code == 200
        assert "Not everything arrived" in answer.text
