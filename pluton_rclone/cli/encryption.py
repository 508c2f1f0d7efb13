"""The command `encrypt`: rclone.conf with a password, as rclone itself encrypts it."""

from __future__ import annotations

import secrets
import shlex
from pathlib import Path

from pluton_rclone.errors import UsageError

from . import ask
from .context import FILE, Context, command, flag, valued

NEW = "PLUTON_RCLONE_NEW_PASSWORD"


@command()
@flag("--keyring", help="Make a password that nobody needs to know, in this system's keyring.")
@valued("--password-command", "COMMAND", "A program that prints the password.")
@valued("--password-file", "FILE", "Holds the password.", type=FILE)
@flag("--decrypt", help="Take the encryption away.")
def encrypt(
    ctx: Context,
    keyring: bool,
    password_command: str | None,
    password_file: Path | None,
    decrypt: bool,
) -> None:
    """Encrypt rclone.conf as rclone does, or give it another password.

    The new password is asked for, or read from a file, a command, PLUTON_RCLONE_NEW_PASSWORD or
    stdin. From then on every command, and the present password for this one, takes it from
    RCLONE_PASSWORD_COMMAND, RCLONE_CONFIG_PASS, the credential rclone-config-pass of a systemd
    service, or the keyring; rclone itself knows the first two. End what uses the file before.

    \b
    pluton-rclone encrypt --keyring
    pluton-rclone encrypt --password-command "pass show rclone"
    pluton-rclone encrypt --decrypt
    """
    from pluton_rclone.conf import keyrings
    from pluton_rclone.conf.environment import from_command

    if sum(map(bool, (keyring, password_command, password_file, decrypt))) > 1:
        raise UsageError("Only one of the options can be taken.")
    output, conf = ctx.output, ctx.storages.conf
    new, spare = None, Path(f"{conf.path} (next)")
    if keyring:
        new = secrets.token_urlsafe(32)
        keyrings.keep(spare, new)  # should this end now, both passwords are there
    elif password_command:
        new = from_command(password_command)
    elif not decrypt:
        question = "New password of rclone.conf"
        new = ask.secret(output, question, variable=NEW, file=password_file, twice=True)
    conf.encrypt(new)
    if keyring:
        keyrings.keep(conf.path, new)
        keyrings.keep(spare, None)
    elif keyrings.kept(conf.path):  # the one before
        keyrings.keep(conf.path, None)
    output.result({"config": str(conf.path), "encrypted": new is not None, "keyring": keyring})
    output.say(f"{conf.path} is {'not encrypted any more' if new is None else 'encrypted'}")
    words = (
        f"keyring get {keyrings.SERVICE} {shlex.quote(str(conf.path))}"
        if keyring
        else password_command
    )
    if words:
        output.say(f"For rclone itself: export RCLONE_PASSWORD_COMMAND={shlex.quote(words)}")
