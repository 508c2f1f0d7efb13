"""The meaning of errors of OneDrive and SharePoint: one judgement for rclone's log and our HTTP.

Microsoft's rule: the innermost known code decides, and messages are for developers. Real responses
(tests/data/captures) break it in three ways, which explains the order in `judged`: an old code can
mean anything (generalException for a full drive), and only the message is specific; a weak code
(accessDenied) has a more specific status (423); without a body, there is only the status.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from pluton_rclone import errors
from pluton_rclone.errors import NextStep, PlutonRcloneError, Who

Place = Literal["drive", "account", "item", "folder", "site", "sites", "upload", "sign-in"]
"""What was requested: a 404 for a drive is not one for a file. folder: a list; sites: a search."""

_WHAT: dict[type[PlutonRcloneError], str] = {
    errors.UploadSessionLost: "The upload session broke.",
    errors.PathTooLong: "The path is too long for OneDrive.",
    errors.NameRefused: "OneDrive does not allow this name.",
    errors.QuotaFull: "The drive is full.",
    errors.Conflict: "Someone else is using or has changed this, or the name is taken.",
    errors.Throttled: "Microsoft asks to slow down.",
    errors.TokenExpired: "Microsoft no longer accepts the access token.",
    errors.AccessDenied: "This account is not allowed to do that.",
    errors.SitesPermissionMissing: "The permission to find sites (Sites.Read.All) is missing.",
    errors.DriveNotFound: "The drive does not exist, or this account cannot open it.",
    errors.ItemNotFound: "There is nothing at this location.",
    errors.Unreachable: "Microsoft did not answer as expected.",
    errors.GraphError: "Microsoft Graph refused the request.",
}
_RETRIED = (errors.UploadSessionLost, errors.Conflict, errors.Throttled, errors.Unreachable)


@dataclass(frozen=True)
class Meaning:
    """The exception for an error, and its texts; None means the default of the class."""

    kind: type[PlutonRcloneError]
    words: str | None = None
    who: Who | None = None
    advice: str | None = None
    again: bool | None = None
    step: NextStep | None = None

    @property
    def what(self) -> str:
        return self.words or _WHAT[self.kind]

    @property
    def next_step(self) -> NextStep | None:
        return self.step or self.kind.default_next_step

    @property
    def retry(self) -> bool:
        """Whether the same call can succeed later without a change."""
        return issubclass(self.kind, _RETRIED) if self.again is None else self.again

    def error(
        self, why: str | None, *, what: str = "", subject: str | None = None, **details: Any
    ) -> PlutonRcloneError:
        """The exception with this meaning, or with another text (`what`), about `subject`."""
        what = what or self.what
        if subject:
            what = about(subject, what)
        who, step = self.who, self.next_step
        return self.kind(what, why=why, who=who, advice=self.advice, next_step=step, **details)


def about(subject: str, what: str) -> str:
    """The subject, a colon, and the sentence, in lower case unless it begins with a name."""
    named = what.startswith(("Microsoft", "OneDrive", "SharePoint"))
    return f"{subject}: {what if named else what[0].lower() + what[1:]}"


# fmt: off
_DENIED = Meaning(errors.AccessDenied)
_MISSING = Meaning(errors.ItemNotFound)
_DOWN = Meaning(
    errors.Unreachable,
    advice="Try again in a few minutes. Microsoft's status page: https://status.cloud.microsoft.")
_SLOW = Meaning(
    errors.Unreachable, advice="Try again. If it keeps failing, keep fewer than 50,000 files in a "
    "folder; for an upload, set a smaller chunk_size.")
PROXY = Meaning(
    errors.Unreachable, "The network did not let the request through.", Who.YOU,
    "Sign in to the network, check HTTPS_PROXY and NO_PROXY, or ask its administrator to allow it.")
_MALWARE = Meaning(
    errors.AccessDenied, "Microsoft found malware in this file.", Who.YOU, "Delete or exclude it.")
_FROZEN = Meaning(
    errors.Unreachable, "Microsoft has locked this drive or made it read-only for now.",
    advice="Try again in a few hours. If it stays locked, check its quota on the web.")
_BLOCKED = Meaning(
    errors.AccessDenied, "An administrator has blocked this site.",
    advice="Ask the administrator of the organisation to unlock the site.")
_NO_ONEDRIVE = Meaning(errors.DriveNotFound, "This account has no OneDrive.")
_NO_DRIVE = Meaning(
    errors.DriveNotFound, advice="Check the drive's id, and whether this account may open it.")
LOST_DRIVE = Meaning(  # the same for a saved remote
    errors.DriveNotFound,
    advice="Look up its drive again: the token stays. An account that no longer has a OneDrive "
    "needs a OneDrive licence.", step=NextStep.REPAIR)
_NO_SITES = Meaning(
    errors.GraphError, who=Who.YOU,
    advice="Sign in with a work or school account that has SharePoint, or choose OneDrive.")
_NO_ENTRY = Meaning(
    errors.AccessDenied, "This account has no access to this site.",
    advice="Ask an owner of the site for access: the sites permission does not open every site.")
_FOREIGN = Meaning(
    errors.ItemNotFound, "This site belongs to another organisation than the account.",
    advice="Sign in with an account of that organisation; as a guest, set its tenant.")
_BY_CLOCK = Meaning(  # a token that has expired by our own clock is renewed, and never sent
    errors.TokenExpired,
    "Microsoft says that the access token has expired; by this machine's clock it has not.",
    advice="Test the storage: that renews the token and compares the clocks.", step=NextStep.TEST)
_TAKEN = Meaning(
    errors.Conflict, "This name is taken.",
    advice="Run it again. If it keeps failing and the destination has a folder with this file's "
    "name, delete it there. If not, an item that rclone does not list has this name, such as a "
    "OneNote notebook: rename it on the web, or exclude this file.")
_UNCHECKED = Meaning(
    errors.Unreachable, "Microsoft could not check the token just now.",
    advice="Try again in a few minutes; the sign-in itself is good.")
_VAULT = Meaning(  # rclone#8736; a missing drive has only invalidRequest
    errors.AccessDenied,
    "This folder is the Personal Vault, which Microsoft keeps locked for every program.", Who.YOU,
    "Exclude its name followed by /**. To back up its files, move them out of it.")
_ELSEWHERE = Meaning(  # rclone#4342: a server-side copy
    errors.ItemNotFound, "OneDrive cannot reach this item from here.",
    advice="If it is a copy between two accounts or drives, do not set server_side_across_configs.")
NOT_MICROSOFT = Meaning(
    errors.SignInError, "Microsoft's sign-in service was not reached: something else answered.",
    Who.LATER, "Try again; if it keeps failing, check the proxy and open the sign-in page.")
# Faults between this machine and Microsoft, for rclone and for our HTTP alike.
UNTRUSTED = Meaning(
    errors.Unreachable, "The server's certificate is not trusted here.", Who.YOU,
    "Set SSL_CERT_FILE, and REQUESTS_CA_BUNDLE where that is set, to the certificates that your "
    "network or proxy uses.", again=False)
WRONG_CLOCK = Meaning(
    errors.Unreachable, "By this machine's clock, the server's certificate is not valid.", Who.YOU,
    "Set this machine's clock. If it is right, the server's or proxy's certificate has expired.",
    again=False)
FORBIDDEN = Meaning(
    errors.Unreachable, "This machine blocks the connection.", Who.YOU,
    "Allow it in the firewall or the network rules of this machine, or set HTTPS_PROXY.",
    again=False)
CLAIMS = Meaning(  # conditional access
    errors.InteractionRequired, "A rule of the organisation requires a stronger sign-in.",
    advice="Sign in again in a browser. If it happens again, ask your administrator: the sign-in "
    "log names the rule.", step=NextStep.REAUTHORIZE)
_EVALUATED = Meaning(errors.TokenExpired, advice=CLAIMS.advice)  # unless a renewal helps
BEHIND_PROXY = Meaning(
    errors.Unreachable, "The proxy did not let the connection through.", Who.YOU,
    "Check HTTPS_PROXY and NO_PROXY, or ask the network's administrator to allow it.")

BY_STATUS: dict[int, Meaning] = {
    401: Meaning(errors.TokenExpired), 403: _DENIED, 404: _MISSING, 407: PROXY, 408: _DOWN,
    409: Meaning(errors.Conflict), 412: Meaning(errors.Conflict), 414: Meaning(errors.PathTooLong),
    416: Meaning(errors.UploadSessionLost), 423: Meaning(errors.Conflict),
    429: Meaning(errors.Throttled), 503: Meaning(errors.Throttled), 504: _SLOW,
    507: Meaning(errors.QuotaFull), 509: Meaning(errors.Throttled), 511: PROXY,
}
# fmt: on
"""If there is only a status. Of the others, those from 500 on are Microsoft's faults."""

_TELLING = frozenset({409, 412, 416, 423, 429})  # like 5xx, more specific than a weak code

_STRONG: dict[type[PlutonRcloneError], str] = {
    errors.UploadSessionLost: "uploadSessionNotFound uploadSessionFailed uploadSessionIncomplete "
    "fragmentOverlap fragmentOutOfOrder fragmentRowCountMismatch invalidRange",
    errors.PathTooLong: "pathIsTooLong",
    errors.NameRefused: "invalidPath invalidFileName nameContainsInvalidCharacters",
    errors.QuotaFull: "quotaLimitReached insufficientStorage",
    errors.Conflict: "resourceModified entityTagDoesNotMatch "
    "resourceLocked lockMismatch lockNotFoundOrAlreadyExpired editConflict",
    errors.Throttled: "activityLimitReached throttledRequest tooManyRequests throttled "
    "serviceNotAvailable",
    errors.TokenExpired: "invalidAuthenticationToken unauthenticated "
    "tokenIssuedBeforeRevocationTimestamp",
    errors.AccessDenied: "sharingLimitReached sharingDisabled",
}
BY_CODE: dict[str, Meaning] = {
    **{word.lower(): Meaning(kind) for kind, words in _STRONG.items() for word in words.split()},
    "malwaredetected": _MALWARE,
    "namealreadyexists": _TAKEN,
    "upload_name_conflict": _TAKEN,
    "servicereadonly": _FROZEN,
}
_WEAK = {
    "accessdenied": _DENIED,
    "unauthorizedaccessexception": _DENIED,  # SharePoint's own, beside a localized message
    "itemnotfound": _MISSING,
    "resourcenotfound": _MISSING,
    "notsupported": Meaning(errors.GraphError, "OneDrive does not offer this here."),
}
_FOR_STATUS = {  # rclone's log has these codes in place of the status
    **dict.fromkeys(("generalexception", "internalservererror", "badgateway"), _DOWN),
    "gatewaytimeout": _SLOW,
    "serviceunavailable": Meaning(errors.Throttled),
    "forbidden": _DENIED,
}

_LOST_HANDLE = re.compile(r"ObjectHandle\W{0,3}is\W{0,3}invalid", re.IGNORECASE)
# fmt: off
_MESSAGES = (  # pattern, meaning; where it was reported, and with which code
    (r"insufficient (?:storage )?space|quota (?:limit|exceeded)|out of (?:storage )?quota",
     Meaning(errors.QuotaFull)),  # OneDrive/onedrive-api-docs#23: 500 generalException
    (r"\b(?:SPO|SharePoint(?: Online)?|OneDrive(?: for Business)?) licen[sc]e|\bmy ?site url\b"
     r"|\buser\W{0,3}s? my ?site\b|\bOneDrive\b.{0,40}\bnot (?:been )?(?:provisioned|set up)",
     _NO_ONEDRIVE),  # onedrive-api-docs#1266, skilion/onedrive#276: BadRequest, ResourceNotFound
    (r"access to this site has been blocked|\bsite\b.{0,40}\bblocked\b.{0,80}\badministrator",
     _BLOCKED),  # alcionai/corso PR 4465: notAllowed / resourceLocked
    (r"database is read.?only", _FROZEN),  # rclone#9794: accessDenied
    (r"checked out|locked for (?:shared use|editing|exclusive)|locked by another",
     Meaning(errors.Conflict)),  # onedrive-api-docs#912, #1199: 423 accessDenied
    (r"continuous access evaluation resulted in", _EVALUATED),  # EntraCP#356: 401
    (r"token has expired or is not yet valid|Lifetime validation failed", _BY_CLOCK),  # 401
    (r"\bE-?Tag does not match", Meaning(errors.Conflict)),  # abraunegg/onedrive#24: 412 notAllowed
    (r"server did not answer in time", _SLOW),  # rclone#2707: 504 UnknownError
    (r"unable to initialize RPS", _UNCHECKED),  # rclone#5270: InvalidAuthenticationToken
    (r"upload session\b.{0,20}\bnot found",
     Meaning(errors.UploadSessionLost)),  # abraunegg/onedrive#3859: itemNotFound
    (r"not supported for MSA|no addressUrl for", _NO_SITES),  # microslop_one_drive: BadRequest
    (r"invalid hostname for this tenan(?:cy|t)", _FOREIGN),  # Microsoft Q&A: invalidRequest
    (r"name cannot contain|invalid (?:file ?)?name\b|nameContainsInvalid",
     Meaning(errors.NameRefused)),  # Jwink3101/syncrclone#11: invalidRequest
)
# fmt: on
BY_MESSAGE = [(re.compile(pattern, re.IGNORECASE), meaning) for pattern, meaning in _MESSAGES]
"""For codes that are unspecific or wrong. Loose patterns, because Microsoft rewords messages."""


def by_status(status: int, place: Place = "item") -> Meaning:
    """The meaning of a response without a readable body, for any status, even an unknown one."""
    meaning = BY_STATUS.get(status, _DOWN if status >= 500 else Meaning(errors.GraphError))
    if place != "sign-in":
        return _placed(meaning, place, status)
    return meaning if meaning.kind in (errors.Throttled, errors.Unreachable) else NOT_MICROSOFT


def judged(
    codes: Iterable[str], message: str, status: int | None = None, place: Place = "item"
) -> Meaning | None:
    """The meaning of an error; None if codes and message are unknown and there is no status. Never
    raises. `codes` begin with the outermost, in any case, and may be like "-1,
    Microsoft.SharePoint…Exception". `message` is Microsoft's, in any language."""
    words = [word.lower() for code in codes for word in re.findall(r"[A-Za-z_]+", code[:400])][::-1]
    message = message[:4000]
    if status == 507:  # the codes for a full drive differ, but not the status
        return by_status(507, place)
    busy = status is not None and (status == 429 or status >= 500)
    for pattern, meaning in BY_MESSAGE:
        if (not busy or meaning.kind is errors.QuotaFull) and pattern.search(message):
            return _NO_SITES if meaning is _NO_ONEDRIVE and place in ("site", "sites") else meaning
    if _LOST_HANDLE.search(message) and not busy:
        if place in ("drive", "account"):
            return _NO_DRIVE
        return _VAULT if place == "folder" else _ELSEWHERE
    if {"notallowed", "resourcelocked"} <= set(words):
        return _BLOCKED
    found = next((BY_CODE[word] for word in words if word in BY_CODE), None)
    if found is None and not (busy or status in _TELLING):
        weak = _WEAK if status is not None else _FOR_STATUS | _WEAK
        found = next((weak[word] for word in words if word in weak), None)
    if found is not None:
        return _placed(found, place, status)
    return None if status is None else by_status(status, place)


def _placed(meaning: Meaning, place: Place, status: int | None) -> Meaning:
    """The meaning for the kind of resource that was requested."""
    if place == "upload" and (status in (404, 410) or meaning is _MISSING):
        return Meaning(errors.UploadSessionLost)
    if meaning is _MISSING and place in ("drive", "account"):
        return _NO_ONEDRIVE if place == "account" else _NO_DRIVE
    if meaning is _DENIED and place in ("site", "sites"):
        return _NO_ENTRY if place == "site" else Meaning(errors.SitesPermissionMissing)
    return meaning


ASK_THE_OWNER = "Ask the owner of the drive for access; open your own once in a browser."


def of_saved(meaning: Meaning) -> Meaning:
    """The meaning for a saved remote: its drive can be looked for."""
    return LOST_DRIVE if meaning == _NO_DRIVE else meaning


def of_unsaved(problem: PlutonRcloneError) -> None:
    """Adapt the advice to a remote that is not saved: it cannot be re-authorized or repaired."""
    if problem.advice == errors.TokenExpired.default_advice:  # else Microsoft's error has a better
        problem.advice = "Sign in again."
    elif problem.next_step is NextStep.REPAIR:
        problem.advice = "Choose its drive again."
    if problem.next_step in (NextStep.REAUTHORIZE, NextStep.REPAIR):
        problem.next_step = None


def of_application(problem: PlutonRcloneError) -> PlutonRcloneError:
    """The error for an application, which has just got its token: nobody can sign in for it."""
    refused = isinstance(problem, errors.InteractionRequired | errors.TokenExpired)
    if refused and problem.next_step is NextStep.REAUTHORIZE:
        problem.who, problem.advice, problem.next_step = Who.ADMINISTRATOR, _KEPT_OUT, None
    elif problem.advice == errors.AccessDenied.default_advice:  # no drive's owner lets it in
        problem.advice = _UNGRANTED
    return problem


_KEPT_OUT = (
    "Ask your administrator whether a Conditional Access rule blocks this application, or this "
    "machine's address: the sign-in log names it. Nobody can sign in for an application."
)
_UNGRANTED = (
    "Ask your administrator to set Files.ReadWrite.All as an application permission of the "
    "registration and to consent; for Sites.Selected, to give it access to this site."
)


def personal(meaning: Meaning) -> Meaning:
    """The meaning for a personal account, which has no administrator."""
    if (meaning.who or meaning.kind.default_who) is not Who.ADMINISTRATOR:
        return meaning
    return replace(meaning, who=Who.YOU, advice=ASK_THE_OWNER)
