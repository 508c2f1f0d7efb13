"""The simulated person, and the command that a program opens as its browser."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msal
import pytest

from pluton_rclone import process
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator, command, person
from tests.serving import serving

LOGIN = "https://login.microsoftonline.com"
ANNA = "anna@outlook.com"
ROOT = Path(__file__).parents[2]
AnswerBrowser = Callable[..., None]


class _Receiver(http.server.BaseHTTPRequestHandler):
    """An app's own small server at the redirect address."""

    def do_GET(self) -> None:
        self._received(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._received(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _received(self, text: str) -> None:
        assert isinstance(self.server, Receiver)
        self.server.got.update(parse_qsl(text))  # before the answer: the test reads it after that
        self.server.arrived.set()
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"thanks!")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Receiver(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.got: dict[str, str] = {}
        self.arrived = threading.Event()


def sign_in_address(port: int, **more: str) -> str:
    query = "&".join(f"{key}={value}" for key, value in more.items())
    return (
        f"{LOGIN}/common/oauth2/v2.0/authorize?client_id={PUBLIC_CLIENT_ID}&response_type=code"
        f"&redirect_uri=http://localhost:{port}&scope=Files.Read&state=s&{query}"
    )


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_loopback_redirect_is_followed(cloud: Emulator, mode: str) -> None:
    with serving(Receiver()) as app:
        visit = cloud.person(ANNA).visit(sign_in_address(app.server_port, response_mode=mode))
    assert visit.text == "thanks!"
    assert app.got["code"] == visit.answer["code"]


SIGN_IN = f"""
import msal
app = msal.PublicClientApplication({PUBLIC_CLIENT_ID!r}, authority="{LOGIN}/common")
result = app.acquire_token_interactive(["Files.ReadWrite"], timeout=120)
print(result["id_token_claims"]["preferred_username"])
"""


def test_msals_own_interactive_sign_in_is_answered_by_the_browser_command(cloud: Emulator) -> None:
    """MSAL opens $BROWSER, waits at its own loopback port, and gets its token without a person."""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **cloud.environment}
    environment |= command.browser(ANNA)
    done = process.run([sys.executable, "-c", SIGN_IN], env=environment, timeout=300)
    assert done.stdout.decode().strip() == ANNA, done.stderr


def test_msals_own_interactive_sign_in_is_answered_in_a_test(
    cloud: Emulator, browser: AnswerBrowser
) -> None:
    browser(ANNA)
    app = msal.PublicClientApplication(PUBLIC_CLIENT_ID, authority=f"{LOGIN}/common")
    result = app.acquire_token_interactive(["Files.ReadWrite"], timeout=120)
    assert result["id_token_claims"]["preferred_username"] == ANNA


def run_robot(cloud: Emulator, address: str, **variables: str) -> process.Completed:
    """The command, run as a browser is: with nothing but the environment."""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **cloud.environment, **variables}
    argv = [sys.executable, "-m", "pluton_rclone.emulator.person", address]
    return process.run(argv, env=environment, timeout=300)


@pytest.mark.parametrize(("answer", "member"), [("accept", "code"), ("cancel", "error")])
def test_the_command_reaches_the_world_through_the_environment(
    cloud: Emulator, answer: str, member: str
) -> None:
    with serving(Receiver()) as app:
        variables = {
            person.PERSON_VARIABLE: "bert@contoso.onmicrosoft.com",
            person.ANSWER_VARIABLE: answer,
        }
        done = run_robot(cloud, sign_in_address(app.server_port), **variables)
    assert done.returncode == 0, done.stderr
    assert member in app.got


def test_the_command_tells_a_refusal(cloud: Emulator) -> None:
    done = run_robot(
        cloud, f"{LOGIN}/common/oauth2/v2.0/authorize?client_id=unknown&redirect_uri=x"
    )
    assert done.returncode == 1
    assert b"AADSTS700016" in done.stderr


def test_the_command_wants_one_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert person.main(["file:///etc/passwd"]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_program_that_ended_before_its_page_was_read_is_no_trouble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with a Ctrl-C just when the browser opens."""
    assert person.main([(tmp_path / "gone.html").as_uri()]) == 1
    assert capsys.readouterr() == ("", "")


def test_the_person_never_calls_a_server_elsewhere(cloud: Emulator) -> None:
    from pluton_rclone.emulator import WEB_CLIENT_ID, WEB_REDIRECT_URI

    address = (
        f"{LOGIN}/common/oauth2/v2.0/authorize?client_id={WEB_CLIENT_ID}&response_type=code"
        f"&redirect_uri={WEB_REDIRECT_URI}&scope=Files.Read&response_mode=form_post"
    )
    visit = cloud.person(ANNA).visit(address)
    assert visit.address == WEB_REDIRECT_URI
    assert "code" in visit.answer
    assert cloud.refused_hosts == []


def test_an_unknown_person_is_a_mistake_of_the_test(cloud: Emulator) -> None:
    with pytest.raises(KeyError):
        cloud.person("nobody@outlook.com")


def test_a_page_is_read_as_a_browser_reads_it() -> None:
    forms = person._Forms()
    forms.feed(
        '<title>T</title><form id="a" action="/x"><input type="hidden" name="h" value="1&amp;2">'
        '<input type="checkbox" name="no" value="yes"><button id="b" name="n" '
        'value="v">B</button></form>'
        '<pre id="error">what\nwent wrong</pre><ul><li data-permission="Files.Read">Read</li></ul>'
    )
    (form,) = forms.forms
    assert form.fields == {"h": "1&2"}
    assert form.buttons == [("b", "n", "v")]
    assert forms.texts["error"] == "what\nwent wrong"
    assert forms.permissions == ["Files.Read"]
    assert forms.title == "T"


def opened_outside(tmp_path: Path, environment: dict[str, str], address: str) -> str:
    """The arguments of the person's own browser, and its variables."""
    note = tmp_path / "opened"
    own = tmp_path / "own-browser"
    own.write_text(f'#!/bin/sh\necho "$1 ${{HTTPS_PROXY-none}} $BROWSER" > {note}\n')
    own.chmod(0o755)
    outside = {"HOME": str(tmp_path), "PATH": os.defpath, "BROWSER": f"{own} %s"}
    with Emulator(door=True) as cloud:
        given = command.environment(cloud, outside) | environment | {"PYTHONPATH": str(ROOT)}
        program = [sys.executable, "-m", "pluton_rclone.emulator.person", address]
        ended = process.run(program, env=given, timeout=300)
        assert ended.returncode == 0, ended.stderr
    return note.read_text() if note.exists() else ""


def test_the_address_of_a_page_goes_to_the_persons_own_browser(tmp_path: Path) -> None:
    """A one-time address works once: the simulated person must not use it up."""
    with serving(Receiver()) as page:
        address = f"http://localhost:{page.server_port}/open/secret"
        said = opened_outside(tmp_path, {}, address)
        assert not page.arrived.is_set()
    assert said == f"{address} none {tmp_path}/own-browser %s\n"


def test_in_a_demo_with_the_own_browser_sign_ins_go_there_too(tmp_path: Path) -> None:
    assert LOGIN in opened_outside(tmp_path, {person.ANSWER_VARIABLE: "own"}, f"{LOGIN}/common")


def test_a_sign_in_through_the_door_is_answered(home: Path) -> None:
    """With a door, programs show plain HTTP addresses; here one leads to the app's redirect."""
    with Emulator(door=True) as cloud, serving(Receiver()) as app:
        address = cloud.world.shown(sign_in_address(app.server_port))
        assert address.startswith(f"{cloud.world.door}/login.microsoftonline.com/common/oauth2")
        visit = cloud.person(ANNA).visit(address)
        assert visit.text == "thanks!"
        assert app.got["code"] == visit.answer["code"]
