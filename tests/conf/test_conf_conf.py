"""rclone.conf as a list of remotes: every operation, on every kind of file that people have."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.environment import default_path
from pluton_rclone.conf.ini import Document
from pluton_rclone.conf.shared import SharedConfig
from pluton_rclone.errors import OptionInvalid, StorageExists, StorageNotFound
from pluton_rclone.process import folders
from tests.conf.encrypted import OTHERS
from tests.conf.real_rclone import RCLONE, dump, run

TOKEN = (
    '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
)
OLD_TOKEN = TOKEN.replace("2030", "2029").replace('"R"', '"old"')


def test_a_remote_is_added_read_changed_renamed_and_removed(path: Path) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "drive_id": "d", "token": TOKEN})
    assert conf.names() == ["disk", "vault", "anna"]
    assert conf.remotes() == {"disk": "local", "vault": "crypt", "anna": "onedrive"}
    conf.update("anna", {"drive_id": "e", "chunk_size": "20Mi"})
    conf.rename("anna", "anna 2")
    section = conf.section("anna 2")
    assert section["drive_id"] == "e"
    assert section["chunk_size"] == "20Mi"
    assert section["token"] == TOKEN
    assert dump(path)["anna 2"] == section
    conf.update("anna 2", {"chunk_size": None})
    assert "chunk_size" not in conf.section("anna 2")
    conf.delete("anna 2")
    assert path.read_text() == OTHERS + "\n"


def test_what_is_not_concerned_stays_byte_for_byte(path: Path) -> None:
    conf = Conf(path)
    conf.add("anna", {"type": "memory"})
    conf.update("anna", {"description": "x"})
    assert path.read_text().startswith(OTHERS)


def test_a_new_file_is_made_with_its_folder_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "rclone.conf"
    Conf(path).add("anna", {"type": "memory"})
    assert path.read_text() == "[anna]\ntype = memory\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o660, 0o600), (0o600, 0o600), (0o400, 0o400)]
)
def test_the_mode_is_600_and_a_stricter_one_is_kept(path: Path, before: int, after: int) -> None:
    path.chmod(before)
    Conf(path).add("anna", {"type": "memory"})
    assert stat.S_IMODE(path.stat().st_mode) == after


def test_the_owner_stays(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root on another user's file; only root can give files away, others become the owner."""
    # No runtime folder belongs to that other user: the ones made here go with this test.
    monkeypatch.setattr(folders, "_places", lambda: [tmp_path])
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: given.append((user, group)))
    Conf(path).add("anna", {"type": "memory"})
    assert given == [(path.stat().st_uid, path.stat().st_gid)]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
def test_where_the_owner_cannot_stay_the_file_is_written_all_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """EINVAL: in a container without this user (`unshare --user --map-root-user`, with another
    user's file beside it)."""

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folders, "_places", lambda: [tmp_path])
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(os, "fchown", refused)
    Conf(path).add("anna", {"type": "memory"})
    assert "anna" in Conf(path).names()


def test_a_symbolic_link_is_followed_and_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.conf"
    link.parent.mkdir()
    link.symlink_to(path)
    conf = Conf(link)
    assert conf.path == path
    conf.add("anna", {"type": "memory"})
    assert link.is_symlink()
    assert "anna" in Conf(path).names()
    assert os.listdir(link.parent) == ["link.conf"]


def test_a_saved_file_leaves_nothing_beside_it_but_the_lock(path: Path) -> None:
    Conf(path).add("anna", {"type": "memory"})
    assert sorted(os.listdir(path.parent)) == [".rclone.conf.pluton.lock", "rclone.conf"]


def test_what_is_not_there_and_what_is_there_already(path: Path) -> None:
    conf = Conf(path)
    before = path.read_bytes()
    for operation in (
        lambda: conf.section("nobody"),
        lambda: conf.update("nobody", {"a": "b"}),
        lambda: conf.rename("nobody", "x"),
        lambda: conf.delete("nobody"),
        lambda: conf.remote("nobody"),
    ):
        with pytest.raises(StorageNotFound, match="nobody"):
            operation()
    with pytest.raises(StorageExists, match="disk"):
        conf.add("disk", {"type": "local"})
    with pytest.raises(StorageExists, match="vault"):
        conf.rename("disk", "vault")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (" x", "begins with a space"),
        ("x ", "ends with a space"),
        ("\u00a0x", "no-break space"),
        ("x\u2003", r"U\+2003"),
        ("a\nb", "line break"),
        ("a\rb", "carriage return"),
        ("`x", "backtick"),
        ("a`b", "backtick"),
        ('"""x', '"""'),
        ("a%(b)sc", r"%\(b\)s"),
        ("\ud800", "surrogate"),
        ("\x00", "NUL"),
    ],
)
def test_values_that_the_format_cannot_carry_are_refused(path: Path, value: str, said: str) -> None:
    with pytest.raises(OptionInvalid, match=said):
        Conf(path).add("anna", {"type": "memory", "description": value})
    with pytest.raises(OptionInvalid, match=said):
        Conf(path).update("disk", {"description": value})
    assert path.read_text() == OTHERS


def test_values_that_only_look_dangerous_survive_the_real_rclone(path: Path) -> None:
    given = ['"abc"', "#x", ";x", "50%", "C:\\dir\\", "a=b", "[x]", "%(", "x:y", "é漢😀", '""']
    for number, value in enumerate(given):
        Conf(path).add(f"anna {number}", {"type": "memory", "description": value})
    read = dump(path)
    assert [read[f"anna {number}"]["description"] for number in range(len(given))] == given
    done = run(path, "config", "update", "disk", "description=x", "--non-interactive")
    assert done.returncode == 0, done.stderr
    kept = Conf(path).sections()
    assert [kept[f"anna {number}"]["description"] for number in range(len(given))] == given


def test_no_option_name_can_smuggle_a_line_in(path: Path) -> None:
    with pytest.raises(OptionInvalid, match="name of an option"):
        Conf(path).add("anna", {"type": "memory", "x = 1\n[evil]\ntype": "y"})


def test_changing_an_option_keeps_a_token_that_was_refreshed_meanwhile(path: Path) -> None:
    """Read, refreshed by another program, then changed, as happens with a form that is open in a
    browser."""
    conf = Conf(path)
    conf.add("anna", {"type": "onedrive", "token": OLD_TOKEN})
    form = conf.section("anna")
    path.write_text(path.read_text().replace(OLD_TOKEN, TOKEN))
    conf.update("anna", {"chunk_size": "20Mi" if form["token"] == OLD_TOKEN else None})
    assert conf.section("anna")["token"] == TOKEN
    assert conf.section("anna")["chunk_size"] == "20Mi"


@pytest.mark.parametrize("look", [Conf.remotes, Conf.names, Conf.sections, Conf.inspect])
def test_a_remote_that_goes_away_while_all_are_looked_at_disturbs_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch, look: Callable[[Conf], object]
) -> None:
    """Formerly, each name was read from the file again, so that 2 % of unrelated backups failed
    while another process removed remotes."""
    Conf(path).add("anna", {"type": "memory"})
    conf = Conf(path)
    real, others = SharedConfig.document, [Conf(path)]

    def read(self: SharedConfig) -> Document:
        found = real(self)
        if "anna" in found and others:
            others.pop().delete("anna")
        return found

    monkeypatch.setattr(SharedConfig, "document", read)
    assert look(conf) is not None


def test_a_storage_is_found_though_another_one_goes_away_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storages = Storages(tmp_path / "rclone.conf")
    for name in ("anna", "bert"):
        storages.conf.add(name, {"type": "onedrive", "description": name.title()})
    real = Conf.sections

    def then_bert_goes(self: Conf) -> dict[str, dict[str, str]]:
        found = real(self)
        if "bert" in found:
            self.delete("bert")
        return found

    monkeypatch.setattr(Conf, "sections", then_bert_goes)
    assert storages["Anna"].remote_name == "anna"
    assert list(storages) == ["Anna"]


# ---- where it is ----


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ([], "xdg/rclone/rclone.conf"),
        (["home/.rclone.conf"], "home/.rclone.conf"),
        (
            ["home/.rclone.conf", "home/.config/rclone/rclone.conf"],
            "home/.config/rclone/rclone.conf",
        ),
        (["xdg/rclone/rclone.conf", "home/.config/rclone/rclone.conf"], "xdg/rclone/rclone.conf"),
    ],
)
def test_the_default_is_the_file_that_rclone_itself_uses(
    existing: list[str], expected: str, tmp_path: Path
) -> None:
    for name in existing:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    environment = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert default_path(environment) == tmp_path / expected
    said = subprocess.run(
        [RCLONE, "config", "file"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    assert said.splitlines()[-1] == str(tmp_path / expected)


def test_the_file_beside_a_portable_rclone_comes_first(tmp_path: Path) -> None:
    (tmp_path / "home" / ".config" / "rclone").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "rclone" / "rclone.conf").touch()
    for folder in ("stick", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(RCLONE, tmp_path / "stick" / "rclone")
    (tmp_path / "bin" / "rclone").symlink_to(tmp_path / "stick" / "rclone")
    environment = {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}

    def told() -> str:
        argv = [os.fspath(tmp_path / "bin" / "rclone"), "config", "file"]
        done = subprocess.run(argv, env=environment, capture_output=True, timeout=300, check=True)
        return done.stdout.decode().split("\n")[-2]

    assert told() == str(default_path(environment)) == f"{tmp_path}/home/.config/rclone/rclone.conf"
    (tmp_path / "stick" / "rclone.conf").touch()
    assert told() == str(default_path(environment)) == f"{tmp_path}/stick/rclone.conf"


def test_without_a_home_rclone_takes_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in its source; on a test machine, the system's list of users has a home for every user."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert default_path({}) == Path(".rclone.conf")


def test_rclones_variable_wins(tmp_path: Path) -> None:
    assert default_path({"RCLONE_CONFIG": str(tmp_path / "x"), "HOME": "/"}) == tmp_path / "x"
    # as inaccessible as /root to another user, who may have HOME=/root in a container
    closed = Path("/", "x" * 300)
    assert default_path({"HOME": str(closed)}) == closed / ".config" / "rclone" / "rclone.conf"


# ---- names with a dot ----


@pytest.fixture
def kin(tmp_path: Path) -> Conf:
    """[a.b] inherits the folder of [a], and [a.b.c] inherits it through [a.b]; [x] does not."""
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    path = tmp_path / "rclone.conf"
    path.write_text(
        f"[a]\ntype = alias\nremote = {tmp_path}/folder\n\n"
        "[a.b]\ntype = alias\n\n[a.b.c]\ntype = alias\n\n[x]\ntype = memory\n"
    )
    return Conf(path)


def listed(conf: Conf, name: str) -> str:
    """The real rclone's listing of a remote."""
    done = run(conf.path, "lsf", f"{name}:")
    return (done.stdout if done.returncode == 0 else done.stderr).decode().strip()


def test_no_remote_gets_a_name_with_which_rclone_gives_it_anothers_options(kin: Conf) -> None:
    before = kin.path.read_text()
    for parent in ("x", "a.b", "a.b.c"):
        name = f"{parent}.new"
        changes = (partial(kin.add, name, {"type": "memory"}), partial(kin.rename, "a", name))
        for change in changes:
            with pytest.raises(OptionInvalid, match="cannot be the name") as caught:
                change()
            assert f"{name!r} would inherit each option of {parent!r}" in str(caught.value.why)
            assert "'.'" not in str(caught.value.advice)
    assert kin.path.read_text() == before
    kin.add("y.new", {"type": "memory"})  # there is no [y] from which it could inherit options
    with pytest.raises(OptionInvalid) as caught:
        kin.add("y", {"type": "memory"})
    assert "'y.new' would inherit each option of 'y'" in str(caught.value.why)
    assert "'y.new'" in str(caught.value.advice)
    kin.rename("y.new", "y")
    kin.rename("x", "x.new")
    assert listed(kin, "a.b.c") == "inside/"


def test_the_defaults_of_the_file_reach_a_name_that_starts_with_a_dot(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    conf = Conf(tmp_path / "rclone.conf")
    conf.path.write_text(f"remote = {tmp_path}\n[.a]\ntype = alias\n")
    assert "inside/" in listed(conf, ".a")
    assert conf.whole_section(".a")["remote"] == str(tmp_path)


def test_an_inherited_option_that_is_removed_is_off_for_rclone_too(kin: Conf) -> None:
    assert listed(kin, "a.b") == "inside/"
    kin.update("a.b", {"remote": None})
    assert "alias can't point to an empty remote" in listed(kin, "a.b")
    assert kin.whole_section("a.b")["remote"] == ""
    assert "alias can't point to an empty remote" in listed(kin, "a.b.c")
    before = kin.path.read_bytes()
    kin.update("a.b", {"remote": None})
    assert kin.path.read_bytes() == before
    kin.update("a.b", {"remote": str(kin.path.parent)})
    assert "folder/" in listed(kin, "a.b.c")


@pytest.mark.parametrize(
    "change",
    [
        lambda conf: conf.rename("a", "z"),
        lambda conf: conf.delete("a"),
        lambda conf: conf.rename("a.b", "z"),
        lambda conf: conf.delete("a.b"),
    ],
    ids=["a parent renamed", "a parent deleted", "a child renamed", "a child deleted"],
)
def test_no_rename_and_no_removal_changes_what_another_remote_is(
    kin: Conf, change: Callable[[Conf], None]
) -> None:
    """Formerly, a folder that it inherited from the other one was gone with that name."""
    change(kin)
    assert {name: listed(kin, name) for name in kin.names()} == {
        name: "" if name == "x" else "inside/" for name in kin.names()
    }
    assert len(kin.names()) >= 3
