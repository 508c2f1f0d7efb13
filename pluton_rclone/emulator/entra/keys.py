"""The signing key of the sign-in service, and the tokens that are made with it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


def base64url(data: bytes) -> str:
    """Base64url without padding, as JOSE requires."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its name."""

    private: rsa.RSAPrivateKey
    kid: str

    def jwk(self, issuer: str) -> dict[str, Any]:
        """The public half as the keys endpoint shows it."""
        numbers = self.private.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": base64url(modulus),
            "e": base64url(exponent),
            "issuer": issuer,
        }

    def sign(self, claims: dict[str, Any], **headers: str) -> str:
        return jwt.encode(
            claims, self.private, algorithm="RS256", headers={"kid": self.kid, **headers}
        )


@cache
def signing_key() -> SigningKey:
    """The key of this process, made for the first token, because that takes a noticeable moment."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    modulus = private.public_key().public_numbers().n
    return SigningKey(
        private, base64url(hashlib.sha1(str(modulus).encode(), usedforsecurity=False).digest())
    )


def opaque(prefix: str, length: int) -> str:
    """`prefix` and `length` random bytes in base64url."""
    return prefix + secrets.token_urlsafe(length)
