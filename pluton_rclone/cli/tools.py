"""Commands around the work: `completion` for shells, `emulator` for trying things without an account."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--port-file",
    type=click.Path(path_type=Path),
    metavar="F",
    help="Write the proxy's port to this file once it serves.",
)
@click.option(
    "--person", default="anna@outlook.com", show_default=True, help="Who answers at the sign-in page."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def emulator(port_file: Path | None, person: str, command: tuple[str, ...]) -> int:
    """Run COMMAND in a world where Microsoft is emulated; without one, serve until Ctrl-C.

    The command gets HTTPS_PROXY, SSL_CERT_FILE and REQUESTS_CA_BUNDLE, and a BROWSER that plays the person.

    \b
    pluton-rclone emulator -- pluton-rclone connect demo --client-id 00001111-aaaa-2222-bbbb-3333cccc4444
    """
    from ..emulator.command import run

    return run(command, port_file=port_file, person=person, write=lambda line: print(line, file=sys.stderr))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    eval "$(pluton-rclone completion bash)"
    pluton-rclone completion fish > ~/.config/fish/completions/pluton-rclone.fish
    """
    from click.shell_completion import get_completion_class

    from .app import application

    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(application, {}, "pluton-rclone", "_PLUTON_RCLONE_COMPLETE").source())
