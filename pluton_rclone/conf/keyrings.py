"""The password of an encrypted rclone.conf in the system's keyring (extra: the library keyring)."""

from __future__ import annotations

from pathlib import Path

from pluton_rclone.errors import ConfigPasswordMissing, UsageError

SERVICE = "rclone.conf"  # what a password is for; the user's name there is the file's path


def kept(path: Path) -> str | None:
    """The password for this file; None if there is none, or no keyring. ConfigPasswordMissing."""
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


def keep(path: Path, password: str | None) -> None:
    """Store the password, or remove the present one (None). UsageError without a usable keyring."""
    import keyring
    from keyring.errors import KeyringError

    try:
        if password is None:
            keyring.delete_password(SERVICE, str(path))
        else:
            keyring.set_password(SERVICE, str(path), password)
    except KeyringError as error:
        raise UsageError("No keyring can be used.", why=str(error)) from None
