"""`pluton-rclone emulator`: a command in the emulated world, or the world as a server."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import requests

from pluton_rclone import process
from pluton_rclone.emulator import Emulator, command
from pluton_rclone.errors import UsageError
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]

CLIENT = """
import os, requests, sys
answer = requests.get("https://login.microsoftonline.com/common/discovery/v2.0/keys")
print(answer.status_code, os.environ["PLUTON_EMULATOR_PERSON"], "NO_PROXY" in os.environ)
print("one\\ntwo", file=sys.stderr)
raise SystemExit(7)
"""

ASKS = "import sys; print(input('which one? ') + ', on a terminal:', sys.stdout.isatty())"


def test_a_command_runs_in_that_world_and_its_exit_code_is_ours(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("RCLONE_CONFIG", "given")
    code = command.run(
        [sys.executable, "-c", CLIENT], person="bert@contoso.onmicrosoft.com", write=print
    )
    assert code == 7
    seen = capfd.readouterr()
    assert seen.out == "200 bert@contoso.onmicrosoft.com False\n"
    assert seen.err == "one\ntwo\n"


def test_a_command_that_a_signal_ended_has_the_shells_exit_code() -> None:
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert command.run([sys.executable, "-c", kill], write=print) == 128 + signal.SIGTERM


def test_a_command_that_asks_can_be_answered() -> None:
    run = (
        f"from pluton_rclone.emulator import command; "
        f"command.run({[sys.executable, '-c', ASKS]!r}, write=print)"
    )
    with Terminal([sys.executable, "-c", run], cwd=ROOT) as terminal:
        terminal.expect("which one? ")
        terminal.answer("the second")
        terminal.expect("the second, on a terminal: True")
        assert terminal.end() == 0


SHOWS = "import os; print(os.environ['RCLONE_CONFIG']);open(os.environ['RCLONE_CONFIG'], 'w')"


def test_the_persons_own_storages_are_left_alone_unless_they_name_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RCLONE_CONFIG")
    said: list[str] = []
    assert command.run([sys.executable, "-c", SHOWS], write=said.append) == 0
    path = Path(capfd.readouterr().out.split()[0])
    assert not path.is_relative_to(home)
    assert not path.parent.exists()
    assert [line for line in said if str(path) in line] == said != []

    monkeypatch.setenv("RCLONE_CONFIG", str(home / "named.conf"))
    assert command.run([sys.executable, "-c", SHOWS], write=said.append) == 0
    assert capfd.readouterr().out.split()[0] == str(home / "named.conf")
    assert (home / "named.conf").exists()
    assert len(said) == 1


def test_the_program_itself_is_on_the_path_of_its_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    assert command.run(["pluton-rclone", "storages", "--json"], write=lambda line: None) == 0
    assert capfd.readouterr().out == "[]\n"
    assert (
        command.run(["sh", "-c", "exec pluton-rclone storages --json"], write=lambda line: None)
        == 0
    )
    assert capfd.readouterr().out == "[]\n"


def test_a_demo_has_files_a_registration_a_person_and_both_programs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("PLUTON_ONEDRIVE_TENANT", "of-somebody")
    bert = "bert@contoso.onmicrosoft.com"
    tries = (
        "pluton-rclone connect work --type business && rclone copy $DEMO_FILES work:b "
        "&& rclone size work:b"
    )
    assert command.demo(["sh", "-c", tries], person=bert) == 0
    said = capfd.readouterr().out
    assert "control page" in said
    assert "Total objects: 3" in said
    assert not (home / "rclone.conf").exists()
    with pytest.raises(UsageError, match="there is no account"):
        command.demo(["true"], person="eve@example.org")


def test_the_port_file_is_there_while_it_serves(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port_file = tmp_path / "port"
    show = (
        f"print(open({str(port_file)!r}).read().strip(), __import__('os').environ['HTTPS_PROXY'])"
    )
    assert (
        command.run([sys.executable, "-c", show], port_file=port_file, write=lambda line: None) == 0
    )
    port, proxy = capfd.readouterr().out.split()
    assert proxy == f"http://127.0.0.1:{port}"
    assert not port_file.exists()


def test_unknown_people_and_commands_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no account") as caught:
        command.run(["true"], person="eve@example.org", write=print)
    assert "anna@outlook.com" in caught.value.advice
    with pytest.raises(UsageError, match="no command"):
        command.run(["no-such-command-anywhere"], write=lambda line: None)


def test_without_a_command_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    arguments = f"port_file=Path({str(port_file)!r}), write=lambda line: print(line, flush=True)"
    script = (
        "import sys; from pathlib import Path; from pluton_rclone.emulator import command; "
        f"sys.exit(command.run({arguments}))"
    )
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    with process.start([sys.executable, "-c", script], env=environment) as child:
        lines = []
        for line in child.stdout:
            lines.append(line.decode().rstrip("\n"))
            if lines[-1].startswith("Ctrl-C"):
                break
        exports = dict(line[7:].split("=", 1) for line in lines if line.startswith("export "))
        assert not Path(exports["RCLONE_CONFIG"]).exists()
        assert exports["HTTPS_PROXY"].rpartition(":")[2] == port_file.read_text().strip()
        answer = requests.get(
            "https://graph.microsoft.com/v1.0/me",
            proxies={"https": exports["HTTPS_PROXY"]},
            verify=exports["SSL_CERT_FILE"],
        )
        assert answer.status_code == 401
        child.signal(signal.SIGINT)
        assert child.wait(300) == 130
    assert not Path(exports["SSL_CERT_FILE"]).exists()


def test_nothing_of_the_outside_leads_away(cloud: Emulator) -> None:
    base = {"HOME": "/h", "https_proxy": "http://corp:1", "NO_PROXY": "*", "SSL_CERT_DIR": "/certs"}
    environment = command.environment(cloud, base, accept=False)
    assert environment["HOME"] == "/h"
    assert set(base) & set(environment) == {"HOME"}
    assert environment["HTTPS_PROXY"] == cloud.proxy_url
    assert environment["PLUTON_EMULATOR_ANSWER"] == "cancel"
