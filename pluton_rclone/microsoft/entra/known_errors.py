"""Microsoft's numbered sign-in errors: the table behind the mapping and the list for people."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from pluton_rclone import errors
from pluton_rclone.errors import SignInError, Who

_WHO = {"user": Who.YOU, "admin": Who.ADMINISTRATOR, "developer": Who.DEVELOPER, "retry": Who.LATER}

# The exception for each number; `error` and `suberror` decide for any other.
_NUMBERS: dict[type[errors.PlutonRcloneError], str] = {
    errors.AuthorizationFailed: "50089 50126 50134 70018 90013 900561",
    errors.SignInTimedOut: "70019 70020",
    errors.SignInDeclined: "65004",
    errors.CodeUsedTwice: "54005",
    errors.SignInBlocked: "50131 53000 53001 53002 53003 53004 530032 530035 500021",
    errors.InteractionRequired: (
        "50055 50058 50072 50074 50076 50078 50079 50097 50140 50158 50199 700020 9002341"
    ),
    errors.ConsentRequired: "65001",
    errors.AdminConsentRequired: "90094 90095",
    errors.TokenExpired: "50132 50133 50173 70000 70008 70043 70044 700003 700082 700084 9002313",
    errors.SecretExpired: "7000222",
    errors.AccountError: (
        "16000 50001 50020 50034 50053 50057 50105 500200 500207 500208 650052 90072"
    ),
    errors.Throttled: "50196 90055",
    errors.RegistrationError: (
        "50011 50049 50059 50128 50194 500011 65005 650056 650057 70001 70002 70003 70011 700005 "
        "700016 700022 700025 700027 700054 7000112 7000215 7000218 90002 90014 90019 90023 90038 "
        "900382 900144 9001023 90124 90130 9002325 9002326 9002331 9002332 9002346"
    ),
    SignInError: "50087 70012 70016 90006 90012 90024 90033 90036",
}
_EXCEPTIONS = {int(one): kind for kind, numbers in _NUMBERS.items() for one in numbers.split()}


@dataclass(frozen=True)
class KnownError:
    """One of Microsoft's numbered errors, explained."""

    aadsts: int
    name: str
    error: str  # the OAuth `error`; programs branch on this and on suberror
    suberror: str | None
    exception: type[errors.PlutonRcloneError]
    who: Who
    meaning: str
    advice: str

    @property
    def code(self) -> str:
        return f"AADSTS{self.aadsts}"

    @property
    def link(self) -> str:
        return f"https://login.microsoftonline.com/error?code={self.aadsts}"


@functools.cache
def known_errors() -> dict[int, KnownError]:
    """Every error of data/entra-errors.json by its number."""
    file = resources.files(__package__).joinpath("data/entra-errors.json")
    rows = json.loads(file.read_text(encoding="utf-8"))["errors"]
    return {known.aadsts: known for known in map(_known, rows)}


def _known(row: dict[str, str]) -> KnownError:
    number, suberror = int(row["code"].removeprefix("AADSTS")), row.get("suberror")
    suberror = suberror if suberror and " " not in suberror else None
    kind, who = _EXCEPTIONS.get(number, SignInError), _WHO[row["who_fixes"]]
    name, error, meaning = row["name"], row["oauth_error"], row["meaning"]
    return KnownError(number, name, error, suberror, kind, who, meaning, row["advice"])


def look_up(text: str) -> Sequence[KnownError]:
    """The errors with `text` as number (also `AADSTS700082`, also in a whole message), as name or
    OAuth error; all of them for an empty text."""
    rows = sorted(known_errors().values(), key=lambda row: row.aadsts)
    if not text.strip():
        return rows
    numbers = {int(number) for number in re.findall(r"(?<!\d)\d{5,7}(?!\d)", text)}
    word = text.strip().lower()
    return [
        row
        for row in rows
        if row.aadsts in numbers
        or word in (row.name.lower(), row.error.lower(), row.exception.code)
    ]
