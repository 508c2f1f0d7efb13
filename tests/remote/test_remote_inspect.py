"""The faults of existing remotes, and how to repair them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.export import as_conf, as_environment
from pluton_rclone.remote.inspect import inspect_remote
from pluton_rclone.values.versions import Version
from tests.conf.mounts import inside_mount
from tests.conf.real_rclone import run

TOKEN = (
    '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
)
GOOD = {"type": "onedrive", "drive_id": "b!x", "drive_type": "business", "token": TOKEN}


def day(after: int) -> str:
    """The day `after` days from now, in UTC."""
    return (datetime.now(timezone.utc) + timedelta(days=after)).date().isoformat()


def found(section: dict[str, str], name: str = "anna", **more: object) -> list[tuple[str, str]]:
    findings = inspect_remote(name, section, **more)  # type: ignore[arg-type]
    assert all(finding.remote == name and finding.what and finding.advice for finding in findings)
    return [(finding.option, finding.severity) for finding in findings]


def test_a_good_remote_has_no_findings() -> None:
    assert found(GOOD, version=Version(1, 75, 2)) == []


@pytest.mark.parametrize("zone", ["UTC-14", "UTC+12"])
def test_a_client_secret_expires_on_utcs_day_as_the_test_of_the_connection_says(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any moment, one of these zones has another day, where formerly an error was found before
    the secret had expired, or none after."""
    try:
        with monkeypatch.context() as there:
            there.setenv("TZ", zone)
            time.tzset()
            today, yesterday = (
                found(GOOD | {"pluton_secret_expires": day(after)}) for after in (0, -1)
            )
    finally:
        time.tzset()
    assert (today, yesterday) == ([("client_secret", "warning")], [("client_secret", "error")])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"drive_id": ""}, [("drive_id", "error")]),
        ({"drive_type": ""}, [("drive_type", "error")]),
        ({"token": ""}, [("token", "error")]),
        ({"token": "nonsense"}, [("token", "error")]),
        ({"token": '{"access_token":"A","expiry":"2030-01-01T00:00:00Z"}'}, [("token", "warning")]),
        ({"token": '{"access_token":"A","refresh_token":"R"}'}, [("token", "warning")]),
        ({"region": "de"}, [("region", "warning")]),
        ({"region": "mars"}, [("region", "error")]),
        ({"chunk_size": "5000Ki"}, [("chunk_size", "error")]),
        ({"chunk_size": "ten"}, [("chunk_size", "error")]),
        ({"chunk_size": "100Mi"}, [("chunk_size", "warning")]),
        ({"chunksize": "10Mi"}, [("chunksize", "warning")]),
        ({"description": "%(x)s"}, [("description", "error")]),
        ({"pluton_secret_expires": day(-22)}, [("client_secret", "error")]),
        ({"pluton_secret_expires": day(8)}, [("client_secret", "warning")]),
        ({"pluton_secret_expires": day(373)}, []),
        ({"pluton_secret_expires": "soon"}, []),
        (
            {"client_credentials": "true", "token": ""},
            [("tenant", "error"), ("client_id", "error"), ("client_secret", "error")],
        ),
    ],
)
def test_each_fault_is_found_once(change: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert found({**GOOD, **change}) == expected


@pytest.mark.parametrize("token", ["", "nonsense", '{"access_token":"A","refresh_token":"R"}'])
def test_a_remote_is_connected_anew_only_where_its_drive_is_missing_too(token: str) -> None:
    """Signing in again repairs it; removing it would lose its options."""
    (finding,) = inspect_remote("anna", {**GOOD, "token": token})
    assert finding.advice == "Re-authorize it: drive and options stay as they are."
    for missing in ("drive_id", "drive_type"):
        *_, finding = inspect_remote("anna", {**GOOD, "token": token, missing: ""})
        assert finding.option == "token"
        assert "connect it again" in finding.advice


def test_a_misspelt_option_is_named() -> None:
    (finding,) = inspect_remote("anna", {**GOOD, "chunk_sise": "10Mi"})
    assert finding.advice == "Did you mean chunk_size?"


def test_what_the_rclone_at_hand_ignores_or_cannot_is_found() -> None:
    section = {**GOOD, "hard_delete": "true", "client_id": "public", "description": "Anna"}
    assert found(section, "zoë", version=Version(1, 60, 1)) == [
        ("name", "error"),
        ("hard_delete", "error"),
        ("client_id", "error"),
        *[("version", "warning")] * 4,
    ]
    assert found(section, "zoë", version=Version(1, 75, 2)) == []


def test_a_variable_that_wins_over_the_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCLONE_CONFIG_ANNA_TOKEN", "x")
    (finding,) = inspect_remote("anna", GOOD)
    assert "is set and overrides the file when rclone runs on its own" in finding.what  # not for us
    assert "never used" in finding.what
    assert finding.advice == "Unset RCLONE_CONFIG_ANNA_TOKEN."


def test_variables_that_make_a_storage_are_no_fault_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formerly, each was to be unset, and the storage with it."""
    for key, value in GOOD.items():
        monkeypatch.setenv(f"RCLONE_CONFIG_ANNA_{key.upper()}", value)
    assert Conf("/dev/null", with_variables=True).inspect() == []


@pytest.mark.parametrize(
    ("name", "kind"), [("Anna", "onedrive"), ("anna", "s3")], ids=["capitals", "another type"]
)
def test_variables_that_make_a_remote_of_the_same_name_win_over_the_file(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, rclone used their drive and we the file's, without a message."""
    conf = Conf(tmp_path / "rclone.conf", with_variables=True)
    conf.add(name, GOOD)
    for key, value in {**GOOD, "type": kind, "drive_id": "b!theirs"}.items():
        monkeypatch.setenv(f"RCLONE_CONFIG_ANNA_{key.upper()}", value)
    assert conf.section(name)["drive_id"] == "b!x"
    found = conf.inspect(name)
    assert {finding.option for finding in found} == {"type", "drive_id", "drive_type", "token"}
    assert found[0].advice == "Unset RCLONE_CONFIG_ANNA_TYPE."


def test_remotes_of_other_types_are_not_judged() -> None:
    assert found({"type": "s3", "whatever": "x"}) == []


def test_the_file_itself_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    conf = Conf(path)
    conf.add("anna", GOOD)
    assert conf.inspect() == []
    path.chmod(0o644)
    left_behind(tmp_path / "rclone.conf.old1447880401")
    assert [finding.option for finding in conf.inspect()] == ["mode", "leftover"]


def test_an_advice_for_a_shell_is_quoted_as_one(tmp_path: Path) -> None:
    path = tmp_path / "my rclone.conf"
    Conf(path).add("anna", GOOD)
    path.chmod(0o644)
    assert Conf(path).inspect()[0].advice == f"chmod 600 '{path}'"


def left_behind(path: Path) -> None:
    """Make a file look an hour old."""
    path.write_text("secrets")
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def test_what_a_killed_rclone_left_is_told_from_what_a_person_put_aside(tmp_path: Path) -> None:
    """Formerly, `inspect` said of a person's backup: Remove it."""
    conf = Conf(tmp_path / "my[1].conf")
    conf.add("anna", GOOD)
    for mine in (".old", ".old-2", ".older", ".old1", ".old20240101", "2", "20240101", ".bak"):
        left_behind(tmp_path / f"my[1].conf{mine}")
    (tmp_path / "my[1].conf1194880401").write_text("of an rclone that is saving")
    (tmp_path / "my[1].conf.old1194880402").touch()
    left_behind(tmp_path / "my1.conf.old1447880401")
    assert conf.inspect() == []
    for left in (".old1447880401", "3701141347"):
        left_behind(tmp_path / f"my[1].conf{left}")
    found = conf.inspect()
    assert {finding.what.split()[0] for finding in found} == {
        "my[1].conf.old1447880401",
        "my[1].conf3701141347",
    }
    assert {finding.advice for finding in found} == {"Remove it, unless you made it."}


def test_what_a_remote_takes_from_another_one_by_its_name_is_told(tmp_path: Path) -> None:
    conf = Conf(tmp_path / "rclone.conf")
    conf.add("work", {**GOOD, "hard_delete": "true"})
    with conf.path.open("a") as file:
        lines = [f"{key} = {value}" for key, value in GOOD.items()]
        print("\n[work.archive]", *lines, "\n[late.archive]", *lines, sep="\n", file=file)
    (finding,) = conf.inspect()
    assert (finding.remote, finding.option) == ("work.archive", "name")
    assert "each option of 'work' that it does not set: hard_delete" in finding.what
    conf.update("work.archive", {"hard_delete": None, "pluton_base_folder": "x"})
    (finding,) = conf.inspect("work.archive")  # what [work] gets next, it would inherit
    assert (finding.remote, finding.option) == ("work.archive", "name")
    conf.rename("work.archive", "archive")
    assert conf.inspect() == []


def test_a_file_that_is_a_mount_point_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o600)
    (tmp_path / "b").touch(0o600)
    script = (
        "import sys; from pluton_rclone.conf.conf import Conf; "
        "print(Conf(sys.argv[1]).inspect()[0].option)"
    )
    argv = inside_mount(
        tmp_path / "a", tmp_path / "b", [sys.executable, "-c", script, str(tmp_path / "b")]
    )
    said = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    assert said.stdout == "mount\n"


# ---- taken elsewhere ----


def test_an_exported_conf_stands_alone_and_the_real_rclone_reads_it(tmp_path: Path) -> None:
    conf = Conf(tmp_path / "rclone.conf")
    conf.add("other", {"type": "memory"})
    conf.add("anna", GOOD)
    target = tmp_path / "export.conf"
    target.write_bytes(as_conf("anna", conf.whole_section("anna")))
    assert Conf(target).names() == ["anna"]
    assert Conf(target).section("anna") == conf.section("anna")
    done = run(target, "listremotes")
    assert done.stdout == b"anna:\n"


def test_an_exported_environment_makes_the_remote_exist_and_says_what_it_costs(
    tmp_path: Path,
) -> None:
    conf = Conf(tmp_path / "rclone.conf")
    conf.add("annas-onedrive", {**GOOD, "chunk_size": "1000Ki", "pluton_base_folder": "x"})
    export = as_environment("annas-onedrive", conf.whole_section("annas-onedrive"))
    assert export.name == "annas_onedrive"
    assert set(export.variables) == {
        *(f"RCLONE_CONFIG_ANNAS_ONEDRIVE_{key}" for key in ("TYPE", "REMOTE")),
        *(
            f"RCLONE_CONFIG_ANNAS_ONEDRIVE_DRIVE_{key}"
            for key in ("TYPE", "DRIVE_ID", "DRIVE_TYPE", "TOKEN", "CHUNK_SIZE", "PLUTON_ALIAS")
        ),
    }
    assert "access_token" not in repr(export)
    assert len(export.warnings) == 2
    assert "cannot save renewed tokens" in export.warnings[0]
    # it gets as far as the chunk size that we gave it
    done = run(tmp_path / "none.conf", "lsd", f"{export.name}:", environment=export.variables)
    assert b"1000Ki is not a multiple of 320Ki" in done.stderr
