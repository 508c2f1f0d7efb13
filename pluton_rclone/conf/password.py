"""The password of an encrypted rclone.conf: given, from a command, or from the environment, in
rclone's order.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping

from pluton_rclone.errors import ConfigPasswordMissing

COMMAND = "RCLONE_PASSWORD_COMMAND"
VARIABLE = "RCLONE_CONFIG_PASS"
_SECONDS = 60.0


def find_password(given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """The given password, else what RCLONE_PASSWORD_COMMAND prints, else RCLONE_CONFIG_PASS.

    Raises ConfigPasswordMissing, also for a command that fails; its output is never in the error.
    """
    values = os.environ if environment is None else environment
    if given is not None:
        return given
    if values.get(COMMAND, "").strip():
        return _from_command(values[COMMAND], values)
    if values.get(VARIABLE):
        return values[VARIABLE]
    raise ConfigPasswordMissing("rclone.conf is encrypted and no password was given")


def _from_command(command: str, environment: Mapping[str, str]) -> str:
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
