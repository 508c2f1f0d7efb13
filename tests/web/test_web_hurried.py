"""People in a hurry or curious: buttons pressed twice, Back, addresses typed by hand, a browser
that is closed in the middle."""

from __future__ import annotations

import logging
import re
import signal
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pluton_rclone import Storages, cli
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import UsageError
from pluton_rclone.web import create_app, serve, serving
from pluton_rclone.web.plumbing.jobs import Copying
from tests.connected import connected

from .client import APP, PATIENCE, at_the_page, local_folder, ready_to_save, until_over
from .server import served


def test_save_pressed_twice_saves_once_and_back_leads_to_the_storage(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tested, pressed = Storages.add_tested, threading.Event()

    def save_late(*args: Any, **given: Any) -> object:
        assert pressed.wait(PATIENCE)
        return add_tested(*args, **given)

    monkeypatch.setattr(Storages, "add_tested", save_late)
    with at_the_page() as anna:
        draft = ready_to_save(cloud, anna)
        answers = [anna.post(f"{draft}/save", follow_redirects=False) for _ in range(2)]
        pressed.set()
        until_over(anna)
        seen = [anna.get(f"{draft}/{step}") for step in ("name", "authorize", "options", "save")]
        seen.append(anna.post(f"{draft}/save"))

    assert [one.status_code for one in answers] == [303, 303]
    assert [one.url.path for one in seen] == ["/storages/mine"] * 5
    assert list(Storages()) == ["Mine"]


def test_a_copy_button_pressed_twice_begins_one_copy(cloud: Emulator, tmp_path: Path) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    with at_the_page(local_folders=[folder]) as anna:
        at = f"/storages/{storage.remote_name}/copy"
        once = re.search(r'name="once" value="([^"]+)"', anna.get(at).text)
        assert once is not None
        form = {"local": str(folder), "path": "x", "once": once[1]}
        pressed = [anna.post(at, form).url.path for _ in range(2)]
        later = anna.post(at, {**form, "once": "another"}).url.path
        elsewhere = anna.post(at, {**form, "path": "y"}).url.path  # Back, and another folder
        until_over(anna)
        begun = anna.app.state.page.jobs.all(Copying, "")

    assert pressed[0] == pressed[1]
    assert len({pressed[0], later, elsewhere}) == len(begun) == 3


@pytest.mark.parametrize("run", ["99999999999999999999", "9" * 19, "9" * 5000, "0", "-1", "x"])
def test_a_run_that_cannot_be_is_not_there(cloud: Emulator, tmp_path: Path, run: str) -> None:
    storage, folder = connected(cloud), local_folder(tmp_path)
    storage.upload(folder, "x").result()
    with at_the_page() as anna:
        answer = anna.get(f"/storages/{storage.remote_name}/runs/{run}")

    assert (answer.status_code, "There is no" in answer.text) == (400, True)


def test_a_folder_that_the_system_refuses_is_said_in_the_form(
    cloud: Emulator, tmp_path: Path
) -> None:
    storage, file = connected(cloud), tmp_path / "file"
    file.write_text("no folder")
    with at_the_page(local_folders=[file / "below", tmp_path]) as anna:
        at = f"/storages/{storage.remote_name}"
        refused = anna.post(f"{at}/restore", {"local": str(file / "below")})
        long = anna.post(f"{at}/copy", {"local": str(tmp_path / ("x" * 300))})

    assert [refused.status_code, long.status_code] == [422, 422]
    assert "cannot be used" in refused.text
    assert "cannot be used" in long.text


def test_an_address_that_only_takes_a_form_says_so_on_a_page(home: Path) -> None:
    with at_the_page() as anna:
        answer = anna.get("/leave")

    assert answer.status_code == 405
    assert "This address only receives a form" in answer.text
    assert "Go to the storages" in answer.text


def test_a_browser_that_leaves_in_the_middle_of_a_form_is_no_fault(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), served(APP) as address:
        origin = address.rpartition("/open/")[0]
        port = urlsplit(origin).port or 0
        head = f"POST /add HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: {origin}\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na="
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(head.encode())
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""

    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_a_tab_of_before_a_restart_says_why_its_storage_is_not_there(home: Path) -> None:
    with at_the_page() as anna:  # with the new address, in the same browser
        answer = anna.get("/setups/of-before/authorize")
    assert answer.status_code == 404
    assert "or the page was restarted" in answer.text


def test_ctrl_c_pressed_twice_still_ends_what_runs(home: Path) -> None:
    running = serving.server(create_app(Storages(), public_url="http://localhost:1", app=APP))
    for _ in range(2):
        running.handle_exit(signal.SIGINT, None)

    assert (running.should_exit, running.force_exit) == (True, False)


@pytest.mark.parametrize("sign", ["SIGHUP", "SIGTERM"])
def test_a_terminal_that_is_closed_ends_the_page_as_ctrl_c_does(
    home: Path, request: pytest.FixtureRequest, sign: str
) -> None:
    for name, handler in ((sign, cli._cancel), ("SIGINT", signal.default_int_handler)):
        before = signal.signal(getattr(signal, name), handler)
        request.addfinalizer(partial(signal.signal, getattr(signal, name), before))
    running = serving.server(create_app(Storages(), public_url="http://localhost:1", app=APP))

    def run() -> None:
        with running.capture_signals():
            for _ in range(2):
                signal.raise_signal(getattr(signal, sign))

    with pytest.raises(KeyboardInterrupt):  # it ends with this, after the job's end
        run()
    assert (running.should_exit, running.force_exit) == (True, False)


# ---- where the page is ---------------------------------------------------------------------------


NO_ADDRESSES = """\
pluton.example ftp://pluton.example https:// https://me@host https://host/?x https://host#x
https://host:99999 https://[::1 https://:80
"""


@pytest.mark.parametrize("address", ["", "https://a b", *NO_ADDRESSES.split()])
def test_what_is_no_address_of_a_page_is_refused_in_words(home: Path, address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a page"):
        create_app(Storages(), public_url=address, app=APP)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("HTTPS://Pluton.Example/onedrive/", "pluton.example"),
        ("https://pluton.example:443", "pluton.example"),
        ("https://[::1]:8443", "[::1]:8443"),
    ],
)
def test_it_answers_to_the_host_that_browsers_name(home: Path, address: str, host: str) -> None:
    made = create_app(Storages(), public_url=address, app=APP)
    assert made.state.page.address.host == host


def test_at_port_80_microsoft_sends_people_back_to_where_the_page_is(home: Path) -> None:
    made = create_app(Storages(), public_url="http://localhost:80", app=APP)
    assert (made.state.page.redirect_uri, made.state.page.address.host) == (
        "http://localhost",
        "localhost",
    )


def test_a_page_of_its_own_has_no_path(home: Path) -> None:
    with pytest.raises(UsageError, match="below a path"):
        serve(public_url="https://pluton.example/onedrive", app=APP)


def other_on_ipv6(port: int = 0) -> socket.socket:
    try:
        return socket.create_server(("::1", port), family=socket.AF_INET6)
    except OSError:
        if port:
            raise
        pytest.skip("no IPv6 here")


def test_another_programs_port_on_ipv6_is_not_shared() -> None:
    """A browser that tries ::1 first would reveal the one-time address to it."""
    with socket.socket() as kept:  # so that no other program has it on 127.0.0.1
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        other_on_ipv6().close()
        with other_on_ipv6(port), pytest.raises(UsageError, match=f"::1, port {port}"):
            serving.listen(None, port)


def test_one_address_of_this_machine_may_be_of_either_kind() -> None:
    other_on_ipv6().close()
    for host in ("127.0.0.1", "::1"):
        (listening,) = serving.listen(host, 0)
        with listening:
            assert listening.getsockname()[0] == host
    for host in ("nowhere.invalid", "x" * 70):
        with pytest.raises(UsageError, match="cannot listen"):
            serving.listen(host, 0)
