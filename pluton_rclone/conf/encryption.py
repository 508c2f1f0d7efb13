"""rclone's encryption of rclone.conf: recognise, decrypt, encrypt.

Format (rclone fs/config/crypt.go): comment lines, `RCLONE_ENCRYPT_V0:`, then base64 of a 24-byte
nonce and a NaCl secretbox; the key is SHA-256 of "[" + password in NFKC + "][rclone-config]".
"""

from __future__ import annotations

import io

from pluton_rclone.errors import ConfigPasswordMissing, ConfigPasswordWrong, ConfigUnreadable

_ANY_MARK = "RCLONE_ENCRYPT_V"
_MARK = "RCLONE_ENCRYPT_V0:"
_HEAD = f"# Encrypted rclone configuration File\n\n{_MARK}\n".encode()
_SHORTEST = 24 + 16  # the nonce, and the overhead of a secretbox


def is_encrypted(data: bytes) -> bool:
    """Whether the file is encrypted. Raises ConfigUnreadable for the format of a newer rclone."""
    return _body_start(data) is not None


def key_from_password(password: str) -> bytes:
    """The 32-byte key as rclone derives it. Raises ConfigPasswordMissing if rclone rejects it."""
    if not password.strip():
        what, why = "the password of rclone.conf is empty", "rclone accepts no blank password"
        raise ConfigPasswordMissing(what, why=why)
    if any("\ud800" <= letter <= "\udfff" for letter in password):
        what, why = "the password of rclone.conf is not UTF-8", "rclone accepts only UTF-8"
        raise ConfigPasswordMissing(what, why=why, advice="Set it again, in UTF-8.")
    import hashlib
    import unicodedata

    text = unicodedata.normalize("NFKC", password)
    return hashlib.sha256(f"[{text}][rclone-config]".encode()).digest()


def decrypt(data: bytes, key: bytes) -> bytes:
    """The plain file. Raises ConfigPasswordWrong for a wrong key, ConfigUnreadable if damaged."""
    import base64
    import binascii

    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    start = _body_start(data)
    if start is None:
        return data
    damaged = "the encrypted rclone.conf is damaged"
    try:
        box = base64.b64decode(data[start:].translate(None, b"\r\n"), validate=True)
    except binascii.Error:
        raise ConfigUnreadable(damaged, why="its base64 text is not complete") from None
    if len(box) < _SHORTEST:
        raise ConfigUnreadable(damaged, why="it is too short")
    try:
        return bytes(SecretBox(key).decrypt(box))
    except CryptoError:
        raise ConfigPasswordWrong("rclone.conf cannot be decrypted with this password") from None


def encrypt(plain: bytes, key: bytes) -> bytes:
    """The file as rclone writes it, with a new random nonce."""
    import base64

    from nacl.secret import SecretBox

    return _HEAD + base64.b64encode(bytes(SecretBox(key).encrypt(plain)))


def _body_start(data: bytes) -> int | None:
    """The offset of the base64 text; None for a plain file."""
    lines = io.BytesIO(data)
    for raw in lines:
        line = raw.decode("utf-8", "replace").strip()
        if not line or line[0] in "#;":
            continue
        if line == _MARK:
            return lines.tell()
        if line.startswith(_ANY_MARK):
            what, why = "rclone.conf is encrypted in a newer format", f"it says {line[:40]!r}"
            advice = "Update pluton-rclone and rclone."
            raise ConfigUnreadable(what, why=f"{why}; only {_MARK} is supported", advice=advice)
        return None
    return None
