"""The account that signed in, as Microsoft describes it, and whether it is the expected one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pluton_rclone.errors import AccountError

from ..clouds import PERSONAL_TENANT_ID

Kind = Literal["personal", "work", "application"]


@dataclass(frozen=True)
class Account:
    """A Microsoft account. `id` is the directory's object id; for a personal account it ends with
    the CID, the id of its drive. `kind` "application" is an app that acts without a user."""

    id: str
    name: str
    username: str
    tenant_id: str
    kind: Kind

    def __str__(self) -> str:
        both = self.username not in ("", self.name)
        return f"{self.name} ({self.username})" if both else self.name

    @classmethod
    def from_id_token(cls, claims: Mapping[str, Any]) -> Account:
        """The account in an id token, which is meant for us; access tokens are opaque."""
        tenant = str(claims.get("tid") or "")
        username = str(claims.get("preferred_username") or claims.get("email") or "")
        own_id = str(claims.get("oid") or claims.get("sub") or "")
        kind: Kind = "personal" if tenant == PERSONAL_TENANT_ID else "work"
        return cls(own_id, str(claims.get("name") or username or "unknown"), username, tenant, kind)

    def same_as(self, other: Account) -> bool:
        """Whether both are the same account; if an id is missing, the user names are compared."""
        if self.id and other.id:
            if self.kind == "personal" and other.kind == "personal":
                return _cid(self.id) == _cid(other.id)
            return self.id.lower() == other.id.lower()
        return bool(self.username) and self.username.lower() == other.username.lower()


def _cid(account_id: str) -> str:
    return account_id.lower().replace("-", "")[-16:].rjust(16, "0")


def require_same(expected: Account, actual: Account) -> None:
    """Raise `AccountError` if `actual` is not `expected`, the account that owns the storage."""
    if not expected.same_as(actual):
        who, other = expected.username or expected.id, actual.username or actual.id
        what = f"{actual} signed in, but this storage belongs to {expected}."
        why = "another account's drive does not hold the files that were backed up"
        person = expected.username or expected.name
        advice = f"Sign in as {person}; connect the other account as another storage."
        raise AccountError(what, why=why, advice=advice, expected=who, actual=other)
