"""Which person signed in, as Microsoft tells it; and whether it is the person that was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pluton_rclone.errors import AccountError

PERSONAL_TENANT_ID = (
    "9188040d-6c67-4c5b-b112-36a304b66dad"  # of all personal accounts (id token reference)
)

Kind = Literal["personal", "work", "application"]


@dataclass(frozen=True)
class Account:
    """Somebody at Microsoft. `id` is the directory's object id; for a personal account it ends with
    the CID, the id of its drive. `kind` "application" stands for an app that acts on its own, with
    no person.
    """

    id: str
    name: str
    username: str
    tenant_id: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.name} ({self.username})" if self.username else self.name

    def record(self) -> dict[str, str]:
        """As JSON, for a storage's section."""
        return {
            "id": self.id,
            "name": self.name,
            "username": self.username,
            "tenant_id": self.tenant_id,
            "kind": self.kind,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Account:
        """From what `record` gave; a member that is missing is empty."""
        kind = record.get("kind")
        return cls(
            str(record.get("id") or ""),
            str(record.get("name") or ""),
            str(record.get("username") or ""),
            str(record.get("tenant_id") or ""),
            kind if kind in ("personal", "application") else "work",
        )

    @classmethod
    def from_id_token(cls, claims: Mapping[str, Any]) -> Account:
        """From the id token, which Microsoft writes for us; access tokens are opaque and stay
        closed."""
        tenant = str(claims.get("tid") or "")
        username = str(claims.get("preferred_username") or claims.get("email") or "")
        return cls(
            str(claims.get("oid") or claims.get("sub") or ""),
            str(claims.get("name") or username or "unknown"),
            username,
            tenant,
            "personal" if tenant == PERSONAL_TENANT_ID else "work",
        )

    def same_as(self, other: Account) -> bool:
        """Whether both are one account. An id that is missing on one side leaves the user name to
        decide."""
        if self.id and other.id:
            if self.kind == "personal" and other.kind == "personal":
                return _cid(self.id) == _cid(other.id)
            return self.id.lower() == other.id.lower()
        return bool(self.username) and self.username.lower() == other.username.lower()


def _cid(account_id: str) -> str:
    return account_id.lower().replace("-", "")[-16:].rjust(16, "0")


def require_same(expected: Account, actual: Account) -> None:
    """Raise `AccountError` when somebody else signed in than the one a storage belongs to."""
    if not expected.same_as(actual):
        raise AccountError(
            f"{actual} signed in, and this storage belongs to {expected}.",
            why="drive and files of another account would not be the ones that were backed up",
            advice=(
                f"Sign in as {expected.username or expected.name}, or allow the other account "
                "explicitly."
            ),
            expected=expected.username or expected.id,
            actual=actual.username or actual.id,
        )
