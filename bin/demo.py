"""`make demo`: all of "Connecting OneDrive" without a person or an account, on the emulated
Microsoft.

Every step is a real command of `pluton-rclone`, with the real MSAL and the real rclone; the
emulator plays Microsoft and, at its sign-in page, the person.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shlex
import sys
import tempfile
from pathlib import Path

from demo_files import make_source

from pluton_rclone import process
from pluton_rclone.cli import run
from pluton_rclone.cli.output import Output
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.command import environment
from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.values.units import human_bytes

NAME = "OneDrive Personal Backups"
PERSON = "anna@outlook.com"


class DemoFailed(Exception):
    """A step did not end as it should."""


def main() -> None:
    """`python bin/demo.py [--source FOLDER]`."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--source", type=Path, help="the folder to back up [default: one that is generated]"
    )
    source = parser.parse_args().source
    if source is not None and not source.is_dir():
        sys.exit(f"{source} is not a folder")
    with tempfile.TemporaryDirectory(prefix="pluton-rclone-demo-") as folder:
        try:
            demonstrate(Path(folder), source)
        except DemoFailed as failure:
            sys.exit(f"\nThe demo failed: {failure}")
        except PlutonRcloneError as error:
            Output(as_json=False).error(error)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)


def demonstrate(folder: Path, source: Path | None) -> None:
    """Run all steps in `folder`, which the caller removes."""
    say("Microsoft is an emulator in this demo: nothing leaves this machine, no account is needed.")
    say("MSAL, rclone and every command are real. For your own account, see the last lines.")
    if source is None:
        source = folder / "source"
        source.mkdir()
        make_source(source)
    files, size = measure(source)
    say(f"Source: {source} ({files} files, {human_bytes(size)})")
    conf, restored = folder / "rclone.conf", folder / "restored"
    with Emulator() as cloud:
        os.environ.update(environment(cloud, os.environ, person=PERSON))
        os.environ.update(RCLONE_CONFIG=str(conf), PLUTON_ONEDRIVE_CLIENT_ID=PUBLIC_CLIENT_ID)
        heading("1-7  Connect: sign in, choose the drive, test, save")
        step(
            "connect", NAME, "--method", "browser", "--type", "personal", "--set", "chunk_size=20Mi"
        )
        step("storages")
        heading("Back up")
        step("copy", str(source), f"{NAME}:backup")
        uploads = [request for request in cloud.requests if request.method == "PUT"]
        heading("Back up again: nothing is transferred twice")
        before = len(uploads)
        step("copy", str(source), f"{NAME}:backup")
        again = len([request for request in cloud.requests if request.method == "PUT"]) - before
        if again:
            raise DemoFailed(f"{again} uploads in the second run")
        say(f"     the second run sent 0 uploads; the first sent {before}, all by the user agent")
        say(f"     {uploads[0].user_agent!r}")
        heading("Verify every file by its hash")
        step("check", str(source), f"{NAME}:backup")
        heading("Restore into a new folder, and compare byte by byte")
        step("copy", f"{NAME}:backup", str(restored))
        compare(source, restored)
        say(f"     {restored} equals {source}: {files} files, {human_bytes(size)}")
        heading("What operators get")
        step("about", NAME)
        step("show", NAME)
        say("\nPlain rclone works with the same file:")
        plain_rclone(conf, "lsd", "onedrive-personal-backups:backup")
    say(
        "\nThat was the emulator; its drive and this demo's files are gone now. For your own "
        "account:\n"
    )
    say(
        '     bin/pluton-rclone connect "OneDrive Personal Backups" --client-id '
        "YOUR-APP-REGISTRATION"
    )


def step(*arguments: str) -> None:
    """Show a command as a person would type it, and run it."""
    say(f"\n$ pluton-rclone {shlex.join(arguments)}")
    sys.stdout.flush()
    code = run(arguments)
    if code != 0:
        raise DemoFailed(f"`pluton-rclone {shlex.join(arguments)}` ended with exit code {code}")


def plain_rclone(conf: Path, *arguments: str) -> None:
    """Show and run rclone's own command line, as an operator can use it."""
    binary = find_binary().path
    say(f"\n$ {shlex.join([binary, '--config', str(conf), *arguments])}")
    done = process.run([binary, "--config", str(conf), *arguments], env=os.environ)
    say(done.stdout.decode(errors="replace").rstrip())
    if done.returncode != 0:
        raise DemoFailed(
            f"rclone ended with exit code {done.returncode}: {done.stderr.decode(errors='replace')}"
        )


def measure(folder: Path) -> tuple[int, int]:
    """(files, bytes) below a folder; links are not followed."""
    files = size = 0
    for place, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                files += 1
                size += os.path.getsize(path)
    return files, size


def compare(left: Path, right: Path) -> None:
    """Raise DemoFailed unless both trees have the same file names (as bytes) and contents."""
    trees = []
    for top in (os.fsencode(left), os.fsencode(right)):
        trees.append(
            {
                os.path.relpath(os.path.join(place, name), top)
                for place, _, names in os.walk(top)
                for name in names
                if os.path.isfile(os.path.join(place, name))
                and not os.path.islink(os.path.join(place, name))
            }
        )
    if trees[0] != trees[1]:
        odd = sorted(trees[0] ^ trees[1])
        raise DemoFailed(f"{len(odd)} files are on one side only, the first is {odd[0]!r}")
    for path in trees[0]:
        if not filecmp.cmp(
            os.path.join(os.fsencode(left), path),
            os.path.join(os.fsencode(right), path),
            shallow=False,
        ):
            raise DemoFailed(f"{path!r} has different content")


def heading(text: str) -> None:
    say(f"\n=== {text}")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
