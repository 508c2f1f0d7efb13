"""Locations and environments: nothing is mistaken for something else, and nothing leaks in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import locations
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.runner import KEPT, MEMORY, child_environment
from tests.connected import connected


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("od", "", "od:"),
        ("od", "a/b", "od:a/b"),
        ("My Drive-2", "/Team/x", "My Drive-2:/Team/x"),
        ("é.+@_", "x", "é.+@_:x"),
    ],
)
def test_remotes(name: str, path: str, expected: str) -> None:
    assert locations.remote(name, path) == expected


@pytest.mark.parametrize("name", ["", "-od", " od", "od ", "a:b", "a/b", "a,b", "a\nb", "$(x)"])
def test_names_that_no_remote_has(name: str) -> None:
    with pytest.raises(UsageError):
        locations.remote(name, "x")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a:b", "/here/a:b"),
        ("-rf", "/here/-rf"),
        (b"x\xff", "/here/x\udcff"),
        (Path(":memory:"), "/here/:memory:"),
        ("/abs/ü", "/abs/ü"),
        ("␊ and ␡", "/here/\u201b␊ and \u201b␡"),
        ("␀ ／", "/here/␀ ／"),
        ("../up", "/here/../up"),
    ],
)
def test_local_paths(path: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: "/here")
    assert locations.local(path) == expected


@pytest.mark.usefixtures("folder_that_is_gone")
def test_a_whole_path_is_one_also_where_the_current_folder_is_gone(tmp_path: Path) -> None:
    assert locations.local(tmp_path) == str(tmp_path)


CALLER = {
    "PATH": "/bin",
    "HOME": "/root",
    "HTTPS_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "localhost",
    "SSL_CERT_FILE": "/ca.pem",
    "RCLONE_CONFIG": "/other/rclone.conf",
    "RCLONE_CONFIG_PASS": "secret",
    "RCLONE_CONFIG_OD_TOKEN": "secret",
    "RCLONE_DRY_RUN": "true",
    "RCLONE_EXCLUDE": "*",
    "RCLONE_LOG_FILE": "/tmp/log",
    "RCLONE_VERBOSE": "2",
    "RCLONE_BWLIMIT": "10M",
    "RCLONE_TPSLIMIT": "5",
    "rclone_config": "/odd",
}


def test_what_passes_to_rclone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", CALLER)
    passed = child_environment({})
    assert set(CALLER) - set(passed) == {
        "RCLONE_CONFIG",
        "RCLONE_CONFIG_PASS",
        "RCLONE_CONFIG_OD_TOKEN",
        "RCLONE_DRY_RUN",
        "RCLONE_EXCLUDE",
        "RCLONE_LOG_FILE",
        "RCLONE_VERBOSE",
        "rclone_config",
    }
    assert passed["SSL_CERT_FILE"] == "/ca.pem"


def test_what_is_given_explicitly_passes_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", CALLER)
    given = child_environment({"RCLONE_CONFIG_PASS": "given"})
    assert given["RCLONE_CONFIG_PASS"] == "given"


@pytest.mark.parametrize(
    ("words", "flags", "own", "limit"),
    [
        (("cat",), (), {}, "256MiB"),
        (("lsjson",), (), {}, "256MiB"),
        (("lsjson",), ("--recursive",), {}, None),
        (("copy",), (), {}, None),
        (("cat",), (), {"GOMEMLIMIT": "1GiB"}, "1GiB"),
    ],
)
def test_go_collects_no_garbage_in_a_brief_run_unless_the_caller_says_how(
    words: tuple[str, ...],
    flags: tuple[str, ...],
    own: dict[str, str],
    limit: str | None,
    fake: Callable[..., Rclone],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in MEMORY:  # the tests set it for every rclone
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    said = msgspec.json.decode(fake("echo").execute(Command(words, flags)).stdout)["environment"]
    assert said.get("GOMEMLIMIT") == limit
    assert said.get("GOGC") == (None if own or limit is None else "off")


def test_nothing_that_is_kept_can_hold_a_secret_or_change_what_is_transferred() -> None:
    telling = (
        "PASS",
        "TOKEN",
        "CONFIG",
        "FILTER",
        "EXCLUDE",
        "INCLUDE",
        "DRY",
        "LOG_",
        "DELETE",
        "STATS",
    )
    assert not [name for name in KEPT if any(word in name for word in telling)]


def test_a_child_gets_just_that(
    fake: Callable[..., Rclone], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_DRY_RUN", "true")
    monkeypatch.setenv("RCLONE_CONFIG_X_TYPE", "local")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    seen = msgspec.json.decode(fake("echo").run("x").stdout)
    assert seen["environment"]["HTTPS_PROXY"] == "http://proxy:3128"
    assert not [name for name in seen["environment"] if name.startswith("RCLONE_")]


def test_a_dry_run_of_the_caller_does_not_make_a_backup_that_is_none(
    binary: Binary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_DRY_RUN", "true")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("x")
    Rclone(binary, config=os.devnull).copy(tmp_path / "a", tmp_path / "b").result()
    assert (tmp_path / "b" / "file").read_text() == "x"


def test_the_user_agent_keeps_rclones_own(fake: Callable[..., Rclone]) -> None:
    binary = fake("echo").binary
    engine = Rclone(binary, environment={"FAKE": "echo"}, user_agent="ISV|Example|backup/1.0")
    seen = msgspec.json.decode(engine.run("x").stdout)
    assert b"--user-agent=ISV|Example|backup/1.0 rclone/v1.75.2".hex() in seen["argv"]


def test_an_empty_no_proxy_does_not_hide_the_one_in_upper_case(
    fake: Callable[..., Rclone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests takes the first of the two that is not empty."""
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "graph.microsoft.com")
    engine = Rclone(fake("echo").binary, environment={"FAKE": "echo"})
    seen = msgspec.json.decode(engine.run("x").stdout)
    assert seen["environment"]["NO_PROXY"] == "graph.microsoft.com"


@pytest.mark.parametrize(
    "given",
    [
        {"ALL_PROXY": "{}"},
        {"all_proxy": "{}", "ALL_PROXY": "http://127.0.0.1:9"},
        {"https_proxy": "{}", "HTTPS_PROXY": "http://127.0.0.1:9"},
        {"HTTPS_PROXY": "{}", "ALL_PROXY": "http://127.0.0.1:9"},
        {"HTTPS_PROXY": "{}", "no_proxy": "a.example", "NO_PROXY": "graph.microsoft.com"},
    ],
)
def test_rclone_goes_through_the_proxy_that_the_sign_in_goes_through(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    """The sign-in was good, and then rclone could not reach Microsoft: Go has another order."""
    storage, proxy = connected(cloud), os.environ["HTTPS_PROXY"]
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value.format(proxy))
    assert storage.check_health().ok
    assert storage.list() == []
