"""The path and the password of rclone.conf, from the environment."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pluton_rclone import process
from pluton_rclone.errors import ConfigPasswordMissing
from pluton_rclone.process import system, terminal

from . import keyrings

PASSWORD_COMMAND = "RCLONE_PASSWORD_COMMAND"
PASSWORD = "RCLONE_CONFIG_PASS"
CREDENTIAL = "rclone-config-pass"  # its name as a credential of systemd (systemd.exec(5))
_NAME = "rclone.conf"
_SECONDS = 60.0
_MOST = 2**16  # bytes that a command may print


def default_path(environment: Mapping[str, str] | None = None, binary: str | None = None) -> Path:
    """The file that rclone (`binary`, or the one on PATH) would use (rclone fs/config/config.go):
    RCLONE_CONFIG, else rclone.conf beside the binary, else the first that exists of
    $XDG_CONFIG_HOME/rclone/rclone.conf, ~/.config/rclone/rclone.conf and ~/.rclone.conf, else the
    first of these. On Windows, %APPDATA%/rclone/rclone.conf precedes these."""
    values = os.environ if environment is None else environment
    if values.get("RCLONE_CONFIG"):
        return Path(values["RCLONE_CONFIG"])
    binary = binary or system.which("rclone", values.get("PATH", ""))
    if binary and os.path.exists(portable := Path(os.path.realpath(binary)).with_name(_NAME)):
        return portable
    home = Path(values.get("HOME") or os.path.expanduser("~"))
    places = [home / ".config" / "rclone" / _NAME, home / ".rclone.conf"]
    if home == Path("~"):  # for a user without a home, rclone takes the current folder
        places = [Path(".rclone.conf")]
    if values.get("XDG_CONFIG_HOME"):
        places.insert(0, Path(values["XDG_CONFIG_HOME"]) / "rclone" / _NAME)
    if sys.platform == "win32" and values.get("APPDATA"):
        places.insert(0, Path(values["APPDATA"]) / "rclone" / _NAME)
    # rclone, too, considers a file missing if this user may not enter its folder
    return next((place for place in places if os.path.exists(place)), places[0])


def find_password(given: str | None = None, path: Path | None = None) -> str:
    """The password: `given`, else the output of RCLONE_PASSWORD_COMMAND, else RCLONE_CONFIG_PASS,
    else two sources unknown to rclone: a systemd credential, and a keyring's entry for `path`.
    Raises ConfigPasswordMissing, also if the command fails, but never with its output."""
    if given is not None:
        return given
    if command := os.environ.get(PASSWORD_COMMAND, "").strip():
        return from_command(command)
    if password := os.environ.get(PASSWORD):
        return password
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY") or os.devnull, CREDENTIAL)
    with suppress(OSError):  # it does not exist, or is another user's
        return credential.read_bytes().decode("utf-8", "surrogateescape").strip("\r\n")
    if path is not None and (password := keyrings.kept(path)):
        return password
    raise ConfigPasswordMissing("rclone.conf is encrypted and no password was given")


def from_command(command: str) -> str:
    """The output of a password command. At a terminal, it may prompt, without a time limit. Raises
    ConfigPasswordMissing if it fails."""
    argv, asks = space_separated(command), _somebody_is_there()
    program = system.which(argv[0])
    if program is None:
        raise _failed(argv[0], "there is no such program")
    whole = [os.path.abspath(program), *argv[1:]]
    try:
        if asks:
            done = terminal.at_terminal(whole, env=os.environ)
        else:
            done = process.run(whole, env=os.environ, timeout=_SECONDS, most=_MOST)
    except TimeoutError:
        raise _failed(argv[0], f"it did not end within {_SECONDS:.0f} seconds", asks) from None
    except OSError as error:
        endless = error.errno == errno.EFBIG
        why = "it printed more than a password" if endless else error.strerror
        raise _failed(argv[0], why or "it cannot be started") from None
    password = done.stdout.decode("utf-8", "surrogateescape").strip("\r\n")
    if done.returncode != 0 or not password:
        from pluton_rclone.values.redaction import how_it_ended  # late: only for a failure

        # if it did not fail, its stderr may be the password
        said = done.stderr if done.returncode else b""
        raise _failed(argv[0], how_it_ended(done.returncode, said), asks)
    return password


def _somebody_is_there() -> bool:
    """Whether a command can prompt at our terminal. During Tab completion, the shell reads it."""
    if "_PLUTON_RCLONE_COMPLETE" in os.environ:
        return False
    return system.in_foreground() and (os.isatty(0) or os.isatty(2))


def space_separated(text: str) -> list[str]:
    """The words of a value that rclone reads as space-separated CSV (fs.SpaceSepList)."""
    import csv
    import io

    return next(csv.reader(io.StringIO(text, newline=""), delimiter=" "), [])


def _failed(program: str, why: str, asks: bool = True) -> ConfigPasswordMissing:
    what = f"the password command of rclone.conf failed ({program})"
    advice = f"Run the command in {PASSWORD_COMMAND} yourself: it must print only the password."
    if not asks:
        advice += " Here it has no terminal and cannot prompt."
    return ConfigPasswordMissing(what, why=why, advice=advice)
