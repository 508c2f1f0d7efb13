"""What `pluton-rclone emulator` does: run a command in that world, or serve until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pluton_rclone import process
from pluton_rclone.emulator.person import ANSWER_VARIABLE, DEFAULT_PERSON, PERSON_VARIABLE
from pluton_rclone.emulator.server import Emulator
from pluton_rclone.errors import UsageError

# Variables that would lead a program past the emulator, or that it would prefer to ours.
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
    """`base` with the emulator's three variables, and with $BROWSER for the person at the sign-in page."""
    inherited = {key: value for key, value in base.items() if key not in LEADING_AWAY}
    return inherited | cloud.environment | browser(person, accept=accept)


def browser(person: str = DEFAULT_PERSON, *, accept: bool = True) -> dict[str, str]:
    """$BROWSER and what it needs: an address that a program opens is answered without a person.

    The `&` is Python's own (webbrowser): it does not wait, as the program has to answer that browser itself.
    """
    return {
        "BROWSER": f"{shlex.quote(sys.executable)} -m pluton_rclone.emulator.person %s &",
        PERSON_VARIABLE: person,
        ANSWER_VARIABLE: "accept" if accept else "cancel",
    }


def run(
    command: Sequence[str] = (),
    *,
    port_file: Path | None = None,
    person: str = DEFAULT_PERSON,
    write: Callable[[str], None],
    content_folder: Path | None = None,
) -> int:
    """Start the emulator, run `command` in it, return its exit code. Without one, serve until Ctrl-C (130).

    `port_file` gets the proxy's port, a number and a newline, as soon as it serves. `write` gets the lines
    for the person at the terminal. Raises UsageError for an unknown person or a command that does not
    exist.
    """
    with Emulator(content_folder=content_folder) as cloud:
        if person not in cloud.world.people:
            known = ", ".join(sorted(cloud.world.people))
            raise UsageError(f"nobody here is called {person!r}", advice=f"Known are: {known}.")
        if port_file is not None:
            port_file.write_text(f"{cloud.proxy_url.rpartition(':')[2]}\n", encoding="ascii")
        try:
            return _run(cloud, command, person) if command else _serve(cloud, person, write)
        finally:
            if port_file is not None:
                port_file.unlink(missing_ok=True)


def _run(cloud: Emulator, command: Sequence[str], person: str) -> int:
    program = shutil.which(command[0])
    if program is None:
        raise UsageError(f"there is no command {command[0]!r}")
    status = process.foreground(
        [os.path.abspath(program), *command[1:]], env=environment(cloud, os.environ, person=person)
    )
    return status if status >= 0 else 128 - status


def _serve(cloud: Emulator, person: str, write: Callable[[str], None]) -> int:
    for line in explanation(cloud, person):
        write(line)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        write("stopped")
    return 130


def explanation(cloud: Emulator, person: str) -> list[str]:
    """What is served and how to use it, ready to be pasted into a shell."""
    variables = [f"export {key}={shlex.quote(value)}" for key, value in cloud.environment.items()]
    variables += [f"export {key}={shlex.quote(value)}" for key, value in browser(person).items()]
    accounts = [
        f"  {account.username:<36} {account.kind}, {account.tenant.cloud}" + ", administrator" * account.admin
        for account in cloud.world.people.values()
    ]
    return [
        "This is an emulated Microsoft; nothing leaves this machine. In another terminal:",
        "",
        *variables,
        "",
        "then for example: pluton-rclone connect onedrive, or rclone, or any program that heeds HTTPS_PROXY.",
        "A browser: start it with --proxy-server=" + cloud.proxy_url + " and trust the CA in SSL_CERT_FILE.",
        "Accounts (any of them may sign in, without a password):",
        *accounts,
        "Ctrl-C ends it, and everything stored in it is gone.",
    ]
