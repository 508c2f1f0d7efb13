"""Unattended runs: units and cron lines that work as printed, and pings."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pluton_rclone import Storages, process
from pluton_rclone.cli.timer import NETWORK
from tests.cli.conftest import Command
from tests.serving import serving


@pytest.fixture
def pings() -> Iterator[tuple[str, list[str]]]:
    """A service that takes pings; yields its address and the requested paths."""
    called: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            answers = {"gone": 404, "moved": 301}
            self.send_response(next((answers[one] for one in answers if one in self.path), 200))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Service)) as server:
        yield f"http://127.0.0.1:{server.server_port}", called


@pytest.fixture(autouse=True)
def no_proxy(connected: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pinged service is on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_run_is_told_at_its_start_and_its_end(
    connected: Command, pings: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, called = pings
    (tmp_path / "a.txt").write_text("x")

    ran = connected("copy", str(tmp_path), "work-files:a", "--ping", f"{address}/uuid?rid=1")

    assert ran.code == 0, ran.err
    assert called == ["/uuid/start?rid=1", "/uuid?rid=1"]


def test_a_run_that_fails_is_told_as_failed_with_its_own_exit_code(
    connected: Command, pings: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, called = pings
    monkeypatch.setenv("PLUTON_RCLONE_PING", f"{address}/uuid")

    ran = connected("copy", "/nowhere/at/all", "work-files:a")

    assert ran.code == 7
    assert called == ["/uuid/start", "/uuid/fail"]


def test_a_dry_run_is_not_told(
    connected: Command, pings: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, called = pings

    assert connected("copy", "-n", str(tmp_path), "work-files:a", "--ping", address).code == 0
    assert called == []


def test_a_ping_that_fails_does_not_fail_the_run_and_its_address_is_not_said(
    connected: Command, pings: tuple[str, list[str]]
) -> None:
    address, _ = pings
    ran = connected("health", "--ping", f"{address}/gone-secret")
    closed = connected("health", "--ping", "http://127.0.0.1:9/secret")

    assert ran.code == closed.code == 0
    assert "127.0.0.1 could not be told of this run: it answered 404" in ran.err
    assert "127.0.0.1 could not be told of this run: " in closed.err
    assert "secret" not in ran.err + closed.err
    assert connected("health", "--ping", "file:///etc/passwd").code == 2


def test_a_service_that_does_not_answer_a_ping_holds_up_no_run(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pluton_rclone.cli.timer.PING_TIME", 0.2, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ran = connected("health", "--ping", f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert ran.code == 0
    assert ran.err.count("be told of this run: its answer took longer than 0.2 s") == 2, ran.err


def test_a_redirect_of_a_ping_is_not_taken_for_an_answer(
    connected: Command, pings: tuple[str, list[str]]
) -> None:
    address, called = pings
    ran = connected("health", "--ping", f"{address}/moved")
    assert called == ["/moved/start", "/moved"]
    assert "127.0.0.1 could not be told of this run: it answered 301" in ran.err


def test_what_restic_would_need_is_no_run(connected: Command, pings: tuple[str, list[str]]) -> None:
    address, called = pings
    assert connected("restic", "Work files", "--environment", "--ping", address).code == 0
    assert called == []


# ---- timer ---------------------------------------------------------------------------------------

ODD = 'a folder/100% "of" $HOME \\ it\'s'


def test_systemd_accepts_the_units(connected: Command, tmp_path: Path) -> None:
    ran = connected(
        *("timer", "nightly", "--at", "4:30", "--output", str(tmp_path)),
        *("--", "copy", ODD, "work-files:a", "--bwlimit", "08:00,512K 19:00,off"),
    )
    assert ran.code == 0, ran.err
    units = [str(tmp_path / f"nightly.{kind}") for kind in ("service", "timer")]
    checked = process.run(
        ["/usr/bin/env", "systemd-analyze", "verify", "--man=no", *units], env=dict(os.environ)
    )
    said = checked.stdout.decode() + checked.stderr.decode()

    assert checked.returncode == 0, said
    assert "nightly" not in said
    assert "OnCalendar=*-*-* 04:30:00" in (tmp_path / "nightly.timer").read_text()
    assert "systemctl --user enable --now nightly.timer" in ran.err


def test_systemd_starts_in_a_folder_whose_name_ends_in_a_backslash(
    connected: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trailing backslash continues the line: formerly, the next line became part of the name."""
    (tmp_path / "odd\\").mkdir()
    monkeypatch.chdir(tmp_path / "odd\\")
    lines = connected("timer", "x", "--", "health").out.splitlines()
    assert f"WorkingDirectory={tmp_path}/odd\\/" in lines


def test_the_cron_line_runs_the_command_as_it_was_typed(
    connected: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / ODD
    source.mkdir(parents=True)
    (source / "a.txt").write_text("x")
    monkeypatch.chdir(tmp_path)

    line = connected("timer", "n", "--cron", "--at", "04:05", "--", "copy", ODD, "work-files:a").out
    minute, hour, *stars, command = line.strip().split(" ", 5)
    crons = {**os.environ, "PATH": "/usr/bin:/bin"}
    ran = process.run(["/bin/sh", "-c", command.replace(r"\%", "%")], env=crons)

    assert (minute, hour, stars) == ("5", "4", ["*", "*", "*"])
    assert "%" not in command.replace(r"\%", "")
    assert f" && PATH={shlex.quote(os.environ['PATH'])} " in command.replace(r"\%", "%")
    assert ran.returncode == 0, ran.stderr
    assert "a.txt" in connected("ls", "work-files:a").out


def test_what_the_job_needs_of_this_environment_is_said(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_RCLONE_BINARY", "/opt/rclone")
    monkeypatch.delenv("PATH")
    ran = connected("timer", "n", "--cron", "--", "health")
    assert ran.code == 0, ran.err
    assert "The job needs PLUTON_RCLONE_BINARY" in ran.err


def test_what_a_storage_the_network_and_restic_need_is_said_without_its_value(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["RCLONE_CONFIG_BOX_TYPE", "RCLONE_CONFIG_BOX_TOKEN", "HTTPS_PROXY", "SSL_CERT_FILE"]
    names += ["CURL_CA_BUNDLE", "RCLONE_CA_CERT", "RCLONE_BWLIMIT"]
    names += ["PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD"]
    for name in (*names, "RESTIC_PASSWORD_FILE", "PREFECT_API_URL"):
        monkeypatch.setenv(name, "SECRET")
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "SECRET")  # it has a note of its own if needed
    copy = connected("timer", "x", "--cron", "--", "copy", "a", "work-files:")
    restic = connected("timer", "x", "--", "restic", "work-files", "--", "backup", "/srv")
    for name in names:
        assert f"The job needs {name} in its own environment, too." in copy.err
        assert f"The job needs {name} in its own environment, too." in restic.err
    assert "RESTIC_PASSWORD_FILE" in restic.err
    assert "RESTIC_PASSWORD_FILE" not in copy.err
    assert "PREFECT_API_URL" not in copy.err + restic.err
    assert "PREFECT_API_URL" in connected("timer", "x", "--", "flow", "run", "p.toml").err
    assert "RCLONE_CONFIG_PASS" not in copy.err
    assert "SECRET" not in copy.out + copy.err + restic.out + restic.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("x",),
        ("x", "--", "rm", "-rf"),
        ("x y", "--", "health"),
        ("x", "--at", "25:00", "--", "health"),
        ("x", "--", "sync", "/a", "work-files:a"),
        ("x", "--", "again", "12"),
        ("x", "--", "remove", "work-files"),
        ("x", "--", "connect", "work"),
        ("x", "--", "reauthorize", "work-files"),
        ("x", "--", "encrypt", "--keyring"),
        ("nächtlich", "--", "health"),
        ("x", "--output", "", "--", "health"),
        ("x", "--", "copy", "a\nb", "work-files:"),
        ("x", "--", "copy", "a\x1bb", "work-files:"),
        ("x", "--cron", "--", "copy", "a\udcffb", "work-files:"),
        ("x", "--output", "units", "--", "copy", "a\udcffb", "work-files:"),
        ("x", "--", "copy"),
        ("x", "--", "copy", "--frobnicate", "a", "work-files:"),
        ("x", "--", "copy", "a", "work-files:", "--bwlimit", "fast"),
        ("x", "--", "mount", "work-files:", "/mnt"),
        ("x", "--", "serve", "webdav", "work-files:"),
        ("x", "--", "web"),
        ("x", "--", "demo"),
        ("x", "--", "emulator"),
        ("x", "--", "flow", "worker"),
        ("x", "--", "copy", "--files-from", "-", "a", "work-files:"),
        ("x", "--", "sync", "--yes", "--filter-from=-", "a", "work-files:"),
        ("x", "--", "import", "box", "-", "--yes"),
        ("-x", "--", "health"),
        (".", "--", "health"),
        ("..", "--", "health"),
    ],
)
def test_a_timer_that_could_not_work_is_refused(
    connected: Command,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = connected("timer", *arguments)

    assert ran.code == 2
    assert not ran.out
    assert not Path("units").exists()


def test_a_job_that_only_looks_asks_nothing(connected: Command) -> None:
    ran = connected("timer", "x", "--", "sync", "--dry-run", "/a", "work-files:a")
    assert (ran.code, "sync --dry-run" in ran.out) == (0, True)


@pytest.mark.parametrize("folder", ["a\nb", "a\udcffb"])
def test_a_folder_that_no_unit_can_name_is_refused(
    connected: Command, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    for more in ((), ("--cron",)):
        assert connected("timer", "x", *more, "--", "health").code == 2


def test_a_refusal_names_the_help_of_the_command_that_is_wrong(connected: Command) -> None:
    assert "See pluton-rclone copy --help." in connected("timer", "x", "--", "copy").err
    assert "never ends" in connected("timer", "x", "--", "web").err
    assert "needs a person" in connected("timer", "x", "--", "connect", "work").err


def test_a_unit_that_somebody_has_changed_stays(connected: Command, tmp_path: Path) -> None:
    write = ("timer", "x", "--output", str(tmp_path), "--", "health")
    assert [connected(*write).code, connected(*write).code] == [0, 0]
    unit = tmp_path / "x.service"
    mine = unit.read_text() + "LoadCredentialEncrypted=rclone-config-pass:/etc/pass\n"
    unit.write_text(mine)

    ran = connected("timer", "x", "--at", "05:00", "--output", str(tmp_path), "--", "health")

    assert (ran.code, unit.read_text()) == (2, mine)
    assert f"{unit} already exists, and differs" in ran.err
    assert "*-*-* 03:00:00" in (tmp_path / "x.timer").read_text()


def test_a_timer_as_json_is_its_files(connected: Command) -> None:
    units = json.loads(connected("timer", "x", "--json", "--", "health").out)
    assert list(units) == ["x.service", "x.timer"]
    cron = json.loads(connected("timer", "x", "--cron", "--json", "--", "health").out)
    assert cron["crontab"].startswith("0 3 * * * cd ")


def test_the_command_in_the_unit_is_the_one_that_was_typed(connected: Command) -> None:
    out = connected("timer", "x", "--", "copy", ODD, "work-files:a").out
    (line,) = [line for line in out.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.partition("=")[2].replace("%%", "%").replace("$$", "$"))

    assert words[-3:] == ["copy", ODD, "work-files:a"]
    assert "KillMode=mixed" in out  # otherwise systemd would also end restic and its rclone
    assert sys.executable in words[0] or words[0].endswith("pluton-rclone")


def test_the_job_has_the_link_to_rclone_conf_and_not_what_it_leads_to_today(
    connected: Command, home: Path
) -> None:
    (home / "rclone.conf").rename(home / "release-1")
    (home / "rclone.conf").symlink_to("release-1")

    out = connected("timer", "x", "--", "health").out

    assert str(home / "rclone.conf") in out
    assert "release-1" not in out


def test_a_job_that_lacks_a_password_or_an_address_is_noted(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ("timer", "nightly", "--", "ls", "Work files:")
    for variable in NETWORK:  # through which these tests reach the emulator
        monkeypatch.delenv(variable, raising=False)
    assert "note" not in connected(*job).err
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "geheim")
    monkeypatch.setenv("PLUTON_RCLONE_PING", "https://hc.example/SECRET")
    Storages().conf.encrypt("geheim")

    ran = connected(*job)
    assert ran.code == 0
    assert "the job does not get its password from this" in ran.err
    assert "needs PLUTON_RCLONE_PING" in ran.err
    assert "geheim" not in ran.out + ran.err
    assert "SECRET" not in ran.out + ran.err
    refused = connected(*job, "--ping", "https://hc.example/SECRET")
    assert (refused.code, "others on this machine" in refused.err) == (2, True)


@pytest.mark.parametrize("address", ["http://[::1", "https://hc.example:99999/x", "ftp://x", "x"])
def test_an_address_that_is_none_is_refused_before_the_run(
    connected: Command, address: str
) -> None:
    ran = connected("copy", ".", "Work files:x", "--ping", address)
    assert (ran.code, "--ping needs an http" in ran.err) == (2, True)


def test_an_address_that_is_none_is_told_to_be_a_variables(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, the error named --ping, which was not given."""
    monkeypatch.setenv("PLUTON_RCLONE_PING", "ftp://x")
    ran = connected("copy", ".", "Work files:x")
    assert (ran.code, "ERROR PLUTON_RCLONE_PING needs an http" in ran.err) == (2, True)
