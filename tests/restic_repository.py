"""An empty restic repository whose key is cheap to derive.

`restic init` takes 1.8 s of CPU to measure scrypt on this machine and to calibrate it to half a
second, which every restic then takes to open the repository; with this one it takes 0.02 s. Apart
from scrypt's parameters it is like a repository of restic 0.14
(https://restic.readthedocs.io/en/stable/100_references.html).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from pluton_rclone.emulator.drives.drive import Drive

POLYNOMIAL = "2c2c04562ec831"
"""For cutting files into chunks: irreducible, as restic checks; from a repository of restic."""


def write_repository(drive: Drive, folder: str, password: str) -> None:
    """Write an empty repository into `folder`, as `restic init` does."""
    master, salt = os.urandom(64), os.urandom(64)
    user = hashlib.scrypt(password.encode(), salt=salt, n=2, r=1, p=1, dklen=64)
    secrets = {
        "mac": {"k": _text(master[32:48]), "r": _text(master[48:])},
        "encrypt": _text(master[:32]),
    }
    key = {
        "created": "2026-11-28T03:00:00Z",
        "username": "anna",
        "hostname": "laptop",
        "kdf": "scrypt",
        "N": 2,
        "r": 1,
        "p": 1,
        "salt": _text(salt),
        "data": _text(_sealed(user, json.dumps(secrets).encode())),
    }
    config = {"version": 2, "id": os.urandom(32).hex(), "chunker_polynomial": POLYNOMIAL}
    file = json.dumps(key).encode()
    drive.write(f"{folder}/keys/{hashlib.sha256(file).hexdigest()}", file)
    drive.write(f"{folder}/config", _sealed(master, json.dumps(config).encode()))


def _sealed(key: bytes, text: bytes) -> bytes:
    """AES-256 in counter mode, then Poly1305-AES."""
    nonce = os.urandom(16)
    hidden = Cipher(algorithms.AES(key[:32]), modes.CTR(nonce)).encryptor().update(text)
    # Poly1305 (RFC 8439) takes r and s; s is the nonce under AES-128 (Bernstein, 2005)
    once = Cipher(algorithms.AES(key[32:48]), modes.ECB()).encryptor().update(nonce)
    return nonce + hidden + Poly1305.generate_tag(key[48:64] + once, hidden)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
