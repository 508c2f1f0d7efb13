"""The password of an encrypted rclone.conf in the system's keyring (extra: the library keyring).

Any package may bring a backend, and a variable or file chooses one: they raise what they like, also
ImportError for one that is gone.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pluton_rclone.errors import ConfigPasswordMissing, UsageError

SERVICE = "rclone.conf"  # what a password is for; the user's name there is the file's path


def kept(path: Path) -> str | None:
    """The password for this file; None if there is none, or no keyring. ConfigPasswordMissing."""
    try:
        import keyring
        from keyring.errors import NoKeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, str(path))
    except NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001 - what a backend raises is not known
        what = "the keyring does not give the password of rclone.conf"
        raise ConfigPasswordMissing(what, why=str(error) or type(error).__name__) from None


def keep(path: Path, password: str | None) -> None:
    """Store the password, or remove the present one (None). UsageError without a usable keyring."""
    import keyring

    try:
        if password is None:
            keyring.delete_password(SERVICE, str(path))
        else:
            keyring.set_password(SERVICE, str(path), password)
    except Exception as error:  # noqa: BLE001 - what a backend raises is not known
        why = str(error) or type(error).__name__
        raise UsageError("No keyring can be used.", why=why) from None


def forget(path: Path) -> None:
    """Remove the password for this file, if the keyring has one and lets it go: it opens nothing
    any more."""
    with suppress(ConfigPasswordMissing, UsageError):
        if kept(path):
            keep(path, None)
