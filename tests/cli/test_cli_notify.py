"""--notify: messages about a run, to addresses that are read from a file and never shown."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.serving import serving

SLOW = "?cto=120&rto=120"
"""The service is a thread beside the sender: on a busy machine both may pause longer than apprise's
four seconds."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A service that takes messages as JSON; yields its address for apprise and the messages."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    posted: list[dict[str, Any]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append({"path": self.path, **json.loads(text)})
            self.send_response(403 if "full" in self.path else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Service)) as server:
        yield f"json://me:s3cr3t@127.0.0.1:{server.server_port}", posted


@pytest.fixture
def letter(tmp_path: Path) -> str:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.txt").write_text("x")
    return str(tmp_path / "source")


def test_each_address_hears_how_a_run_ended_and_some_of_failures_alone(
    connected: Command, service: tuple[str, list[dict[str, Any]]], letter: str, tmp_path: Path
) -> None:
    address, posted = service
    file = tmp_path / "addresses"
    file.write_text(f"# mine\n{address}/all{SLOW}\n\nfailure={address}/alarm{SLOW}\n")

    ran = connected("copy", letter, "work-files:a", "--notify", str(file))
    assert ran.code == 0, ran.err
    assert [one["path"] for one in posted] == ["/all"]
    assert posted[0]["title"] == f"ok: pluton-rclone copy {letter} work-files:a"
    assert posted[0]["message"].startswith("1 file transferred (1 B)")
    assert posted[0]["type"] == "success"

    posted.clear()
    failed = connected("copy", "/nowhere", "work-files:a", "--json", "--notify", str(file))
    assert failed.code == 7
    assert [one["path"] for one in posted] == ["/all", "/alarm"]
    assert posted[1]["title"] == "FAILED: pluton-rclone copy /nowhere work-files:a"
    assert "SRC does not exist" in posted[1]["message"]
    assert "Check the path" in posted[1]["message"]


def test_a_credential_of_systemd_is_taken_without_an_option_and_a_dry_run_is_not_told(
    connected: Command,
    service: tuple[str, list[dict[str, Any]]],
    letter: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, posted = service
    (tmp_path / "pluton-rclone-notify").write_text(f"{address}{SLOW}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert connected("copy", "-n", letter, "work-files:a").code == 0
    assert posted == []
    assert connected("health").code == 0
    assert [one["title"] for one in posted] == ["ok: pluton-rclone health"]


def test_a_message_that_is_not_taken_does_not_fail_the_run_and_no_secret_is_shown(
    connected: Command, service: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, _ = service
    (tmp_path / "addresses").write_text(f"{address}/full")
    ran = connected("health", "-v", "--notify", str(tmp_path / "addresses"))
    assert ran.code == 0
    assert "note    JSON did not accept the message about this run" in ran.err
    assert "s3cr3t" not in ran.out + ran.err


def test_a_name_of_any_bytes_and_a_secret_in_a_place_do_not_travel_as_they_are(
    connected: Command, service: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, posted = service
    (tmp_path / "addresses").write_text(f"{address}/all{SLOW}")
    odd = tmp_path / "a\udcffb\nc"  # some services refuse bytes that are not UTF-8
    odd.mkdir()
    ran = connected("copy", str(odd), "work-files:a", "--notify", str(tmp_path / "addresses"))
    assert ran.code == 0, ran.err
    shown = posted[0]["title"].encode(errors="replace").decode()
    assert shown == f"ok: pluton-rclone copy {tmp_path}/a\\xffb\\nc work-files:a"

    there = ":sftp,host=example.org,pass=s3cr3t:"
    refused = connected("copy", there, "work-files:a", "--notify", str(tmp_path / "addresses"))
    assert refused.code == 5
    assert "pass=***" in posted[1]["title"]
    assert "s3cr3t" not in json.dumps(posted)


def test_a_service_that_fails_in_any_way_changes_nothing_about_the_run_and_the_next_one_hears(
    connected: Command,
    service: tuple[str, list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apprise.plugins.custom_form import NotifyForm

    def fails(*_: object, **__: object) -> bool:
        raise UnicodeEncodeError("utf-8", "s3cr3t", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(NotifyForm, "send", fails)
    address, posted = service
    form = address.replace("json", "form")
    (tmp_path / "addresses").write_text(f"{form}/one\n{address}/two{SLOW}")
    ran = connected("health", "--notify", str(tmp_path / "addresses"))
    assert ran.code == 0, ran.err
    assert "note    Form did not accept the message about this run" in ran.err
    assert [one["path"] for one in posted] == ["/two"]
    assert "s3cr3t" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("json://127.0.0.1/ok\nnothing://s3cr3t", "Line 2 of"),
        ("json:/s3cr3t", "Line 1 of"),
        ("slack://s3cr3t", "is not an address that apprise knows"),
        ("# nothing\n", "There is no address in"),
    ],
)
def test_a_file_without_usable_addresses_is_refused_before_the_run_and_not_shown(
    connected: Command, text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "addresses").write_text(text)
    refused = connected("health", "--notify", str(tmp_path / "addresses"))
    assert (refused.code, said in refused.err) == (2, True), refused.err
    assert "s3cr3t" not in refused.err
    assert "ok  " not in refused.err


def test_an_address_on_the_command_line_and_a_missing_file_or_extra_are_refused(
    connected: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "takes a file" in connected("health", "--notify", "json://127.0.0.1/").err
    missing = connected("health", "--notify", str(tmp_path / "none"))
    assert (missing.code, "cannot be read" in missing.err) == (2, True)
    assert re.search(r"Why +No such file or directory$", missing.err, re.MULTILINE)
    assert "PLUTON_RCLONE_NOTIFY" not in missing.err
    monkeypatch.setenv("PLUTON_RCLONE_NOTIFY", str(tmp_path / "none"))
    assert "PLUTON_RCLONE_NOTIFY names it" in connected("health").err
    monkeypatch.setenv("PLUTON_RCLONE_NOTIFY", "json://127.0.0.1/")
    assert "PLUTON_RCLONE_NOTIFY takes a file" in connected("health").err
    monkeypatch.delenv("PLUTON_RCLONE_NOTIFY")
    for name in ("apprise", "prometheus_client"):
        monkeypatch.setitem(sys.modules, name, None)
    for options, extra in (("--notify=x", "notify"), ("--format=prometheus", "prometheus")):
        assert f"pip install 'pluton-rclone[{extra}]'" in connected("health", options).err
