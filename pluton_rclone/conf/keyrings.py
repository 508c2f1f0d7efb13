"""The password of an encrypted rclone.conf in the system's keyring (extra: the library keyring).

Any package may provide a backend, and a variable or file selects one. Backends may raise anything,
even ImportError if they have been removed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pluton_rclone.errors import ConfigPasswordMissing, UsageError

SERVICE = "rclone.conf"  # the keyring's service; its user name is the path of the file


def kept(path: Path) -> str | None:
    """The password of the file; None if there is none or no keyring. ConfigPasswordMissing."""
    try:
        import keyring
        from keyring.errors import NoKeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, str(path))
    except NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        what = "the keyring does not return the password of rclone.conf"
        raise ConfigPasswordMissing(what, why=str(error) or type(error).__name__) from None


def keep(path: Path, password: str | None) -> None:
    """Store the password, or remove it (None). Raises UsageError without a usable keyring."""
    import keyring

    try:
        if password is None:
            keyring.delete_password(SERVICE, str(path))
        else:
            keyring.set_password(SERVICE, str(path), password)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        why = str(error) or type(error).__name__
        raise UsageError("No keyring can be used.", why=why) from None


def forget(path: Path) -> None:
    """Remove the password of this file, which is obsolete, if the keyring has and releases it."""
    with suppress(ConfigPasswordMissing, UsageError):
        if kept(path):
            keep(path, None)
