"""A keyring for this process: the real library, with a backend that keeps its entries in a dict."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

SERVICE = "rclone.conf"


class Kept(KeyringBackend):
    """The entries for rclone.conf, by path."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        assert service == SERVICE
        return self.entries.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        assert service == SERVICE
        self.entries[username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop(username, None) is None:
            raise PasswordDeleteError(username)


def kept() -> Iterator[dict[str, str]]:
    before, backend = keyring.get_keyring(), Kept()
    keyring.set_keyring(backend)
    yield backend.entries
    keyring.set_keyring(before)
