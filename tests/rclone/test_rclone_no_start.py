"""An rclone that cannot start, or cannot open a remote, has not looked: nothing is concluded about
the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import errors
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone

REMOTES = """
[web]
type = webdav
url = https://127.0.0.1:1/

[ssh]
type = sftp
host = 127.0.0.1
key_file = /nowhere/key
"""
ENCRYPTED = "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAA\n"

NO_START: dict[str, tuple[dict[str, str], tuple[str, ...], str, type[errors.PlutonRcloneError]]] = {
    # environment, flags, remote, description
    "a CA that is not there": (
        {"RCLONE_CA_CERT": "/nowhere/ca.pem"}, (), "web", errors.RcloneUsage
    ),
    "a CA that is none": ({"RCLONE_CA_CERT": "/dev/null"}, (), "web", errors.RcloneUsage),
    "a certificate without its key": (
        {"RCLONE_CLIENT_CERT": "/dev/null"}, (), "web", errors.RcloneUsage
    ),
    "a key that is not there": (
        {"RCLONE_CLIENT_CERT": "/nowhere/a", "RCLONE_CLIENT_KEY": "/nowhere/b"},
        (),
        "web",
        errors.RcloneUsage,
    ),
    "rules that are not there": ({}, ("--filter-from=/nowhere/rules",), "web", errors.RcloneUsage),
    "a bad pattern": ({}, ("--exclude=[a",), "web", errors.RcloneUsage),
    "a log that cannot be written": ({}, ("--log-file=/nowhere/log",), "web", errors.RcloneUsage),
    "a bad number": ({"RCLONE_TRANSFERS": "many"}, (), "web", errors.RcloneUsage),
    "a key of ssh that is not there": ({}, (), "ssh", errors.OptionInvalid),
}  # fmt: skip


@pytest.fixture(params=["binary", "old_binary"])
def any_binary(request: pytest.FixtureRequest) -> Binary:
    binary: Binary = request.getfixturevalue(request.param)
    return binary


def refusal(rclone: Rclone, place: str) -> errors.PlutonRcloneError:
    """The error that both requests end with, one for a file and one for a folder."""
    with pytest.raises(errors.PlutonRcloneError) as of_stat:
        rclone.stat(place)
    with pytest.raises(errors.PlutonRcloneError) as of_list:
        rclone.list(place)
    assert str(of_stat.value) == str(of_list.value)
    return of_stat.value


@pytest.mark.parametrize("what", NO_START)
def test_who_cannot_start_does_not_say_that_there_is_nothing(
    what: str, any_binary: Binary, tmp_path: Path
) -> None:
    environment, flags, remote, kind = NO_START[what]
    config = tmp_path / "rclone.conf"
    config.write_text(REMOTES)
    rclone = Rclone(any_binary, config=config, environment=environment, flags=flags)
    assert type(refusal(rclone, f"{remote}:file")) is kind


@pytest.mark.parametrize("command", ["/nowhere/tell", "false"])
def test_a_password_that_nobody_tells_is_not_nothing(
    command: str, any_binary: Binary, tmp_path: Path
) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text(ENCRYPTED)
    rclone = Rclone(any_binary, config=config, environment={"RCLONE_PASSWORD_COMMAND": command})
    assert type(refusal(rclone, "web:file")) is errors.ConfigPasswordMissing
