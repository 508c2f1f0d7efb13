"""A path whose text is encrypted as by rclone, so that the same tests run on plain and on encrypted
files."""

from __future__ import annotations

from pathlib import PosixPath
from typing import Any

from pluton_rclone.conf import encryption

PASSWORD = "geheim"
OTHERS = "# my disks\n[disk]\ntype = local\n\n; keep\n[vault]\ntype : crypt\nremote=anna:x\n"
"""Foreign remotes, written by hand."""
_KEY = encryption.key_from_password(PASSWORD)


class EncryptedPath(PosixPath):
    """`read_text` and `write_text` decrypt and encrypt; the methods for bytes do not."""

    def read_text(self, *_arguments: Any, **_more: Any) -> str:
        data = self.read_bytes()
        assert encryption.is_encrypted(data)
        return encryption.decrypt(data, _KEY).decode()

    def write_text(self, data: str, *_arguments: Any, **_more: Any) -> int:
        return self.write_bytes(encryption.encrypt(data.encode(), _KEY))
