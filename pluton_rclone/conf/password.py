"""The password of an encrypted rclone.conf: given, from a command or the environment in rclone's
order, else from systemd or the system's keyring, which rclone does not know.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pluton_rclone.errors import ConfigPasswordMissing, UsageError

COMMAND = "RCLONE_PASSWORD_COMMAND"
VARIABLE = "RCLONE_CONFIG_PASS"
CREDENTIAL = "rclone-config-pass"
"""Its name as a credential of a systemd service (LoadCredential=, systemd.exec(5))."""
SERVICE = "rclone.conf"
"""What the keyring has it for; the user's name there is the path of the file."""
_SECONDS = 60.0


def find_password(
    given: str | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    path: Path | None = None,
) -> str:
    """The given password, else what RCLONE_PASSWORD_COMMAND prints, else RCLONE_CONFIG_PASS, else
    the credential of a systemd service, else what the keyring has for the file at `path`.

    Raises ConfigPasswordMissing, also for a command that fails; its output is never in the error.
    """
    values = os.environ if environment is None else environment
    if given is not None:
        return given
    if values.get(COMMAND, "").strip():
        return from_command(values[COMMAND], values)
    if values.get(VARIABLE):
        return values[VARIABLE]
    folder = values.get("CREDENTIALS_DIRECTORY")
    if folder and (credential := Path(folder, CREDENTIAL)).is_file():
        return credential.read_text("utf-8").strip("\r\n")
    if path is not None and (kept := keyring_password(path)):
        return kept
    raise ConfigPasswordMissing("rclone.conf is encrypted and no password was given")


def keyring_password(path: Path) -> str | None:
    """What the keyring has for this file; None where there is nothing, or no keyring."""
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, str(path))
    except NoKeyringError:
        return None
    except KeyringError as error:
        what = "the keyring does not give the password of rclone.conf"
        raise ConfigPasswordMissing(what, why=str(error)) from None


def keep_in_keyring(path: Path, password: str | None) -> None:
    """Into the keyring, or what is there out of it (None). UsageError where none can be used."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        advice = "Install the library keyring (the extra of that name)."
        raise UsageError("No keyring can be used.", why=str(error), advice=advice) from None
    try:
        if password is None:
            keyring.delete_password(SERVICE, str(path))
        else:
            keyring.set_password(SERVICE, str(path), password)
    except KeyringError as error:
        raise UsageError("No keyring can be used.", why=str(error)) from None


def from_command(command: str, environment: Mapping[str, str] = os.environ) -> str:
    """The password that a command prints; ConfigPasswordMissing if it fails."""
    # rclone splits it as a line of CSV with spaces (fs.SpaceSepList)
    argv = next(csv.reader([command.strip()], delimiter=" "))
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise _failed(argv[0], "there is no such program")
    try:
        from pluton_rclone import process  # only for who has a password command

        done = process.run([program, *argv[1:]], env=environment, timeout=_SECONDS)
    except TimeoutError:
        raise _failed(argv[0], f"it did not end within {_SECONDS:.0f} seconds") from None
    except OSError as error:
        raise _failed(argv[0], error.strerror or "it cannot be started") from None
    if done.returncode != 0:
        raise _failed(argv[0], f"it ended with exit code {done.returncode}")
    password = done.stdout.decode("utf-8", "surrogateescape").strip("\r\n")
    if not password:
        raise _failed(argv[0], "it printed nothing")
    return password


def _failed(program: str, why: str) -> ConfigPasswordMissing:
    return ConfigPasswordMissing(
        f"the password command of rclone.conf failed ({program})",
        why=why,
        advice=(
            f"Run the command in {COMMAND} yourself: it must print the password and nothing else."
        ),
    )
