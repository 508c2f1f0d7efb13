"""What Microsoft Graph refused, as an exception.

Graph's rules (concepts/errors.md): the error object nests `innerError` (or `innererror`) to any depth; the
innermost known code tells most; `message` is for developers and never decides; an unknown code is judged by
the HTTP status.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who

Target = Literal["drive", "item", "site", "sites", "upload", "account"]

_TEMPORARY = "Try again in a few minutes; Microsoft publishes its state at https://status.cloud.microsoft."

_NO_ONEDRIVE = "Microsoft says that this account has no OneDrive yet."
_NO_SUCH_DRIVE = "Microsoft says that this drive is not there, or not for this account."

_BY_CODE: dict[str, type[PlutonRcloneError]] = {
    "uploadsessionnotfound": errors.UploadSessionLost,
    "uploadsessionfailed": errors.UploadSessionLost,
    "uploadsessionincomplete": errors.UploadSessionLost,
    "fragmentoverlap": errors.UploadSessionLost,
    "fragmentoutoforder": errors.UploadSessionLost,
    "fragmentrowcountmismatch": errors.UploadSessionLost,
    "invalidrange": errors.UploadSessionLost,
    "pathistoolong": errors.PathTooLong,
    "invalidpath": errors.NameRefused,
    "invalidfilename": errors.NameRefused,
    "quotalimitreached": errors.QuotaFull,
    "insufficientstorage": errors.QuotaFull,
    "namealreadyexists": errors.Conflict,
    "upload_name_conflict": errors.Conflict,
    "resourcemodified": errors.Conflict,
    "entitytagdoesnotmatch": errors.Conflict,
    "resourcelocked": errors.Conflict,
    "lockmismatch": errors.Conflict,
    "locknotfoundoralreadyexpired": errors.Conflict,
    "editconflict": errors.Conflict,
    "activitylimitreached": errors.Throttled,
    "throttledrequest": errors.Throttled,
    "toomanyrequests": errors.Throttled,
    "servicenotavailable": errors.Throttled,
    "invalidauthenticationtoken": errors.TokenExpired,
    "unauthenticated": errors.TokenExpired,
    "malwaredetected": errors.AccessDenied,
    "accessdenied": errors.AccessDenied,
    "sharinglimitreached": errors.AccessDenied,
    "itemnotfound": errors.ItemNotFound,
}
_BY_STATUS: dict[int, type[PlutonRcloneError]] = {
    401: errors.TokenExpired,
    403: errors.AccessDenied,
    404: errors.ItemNotFound,
    409: errors.Conflict,
    412: errors.Conflict,
    416: errors.UploadSessionLost,
    423: errors.Conflict,
    429: errors.Throttled,
    500: errors.Unreachable,
    502: errors.Unreachable,
    503: errors.Throttled,
    504: errors.Unreachable,
    507: errors.QuotaFull,
    509: errors.Throttled,
}
_WHAT: dict[type[PlutonRcloneError], str] = {
    errors.UploadSessionLost: "The upload session broke.",
    errors.PathTooLong: "The path is too long for OneDrive.",
    errors.NameRefused: "OneDrive does not take this name.",
    errors.QuotaFull: "The drive is full.",
    errors.Conflict: "Somebody else uses or changed this, or the name is taken.",
    errors.Throttled: "Microsoft asks to slow down.",
    errors.TokenExpired: "Microsoft does not accept the access token any more.",
    errors.InteractionRequired: "Microsoft wants to see the person again before it gives access.",
    errors.AccessDenied: "This account is not allowed to do that.",
    errors.SitesPermissionMissing: "The permission to find SharePoint sites (Sites.Read.All) is missing.",
    errors.DriveNotFound: "There is no drive for this account.",
    errors.ItemNotFound: "There is nothing at this place.",
    errors.Unreachable: "Microsoft did not answer properly.",
    errors.GraphError: "Microsoft Graph refused.",
}


def graph_error(
    status: int,
    body: Any,
    *,
    headers: Mapping[str, str] | None = None,
    target: Target = "item",
    subject: str | None = None,
) -> PlutonRcloneError:
    """The exception for a refused Graph request.

    `body` is the parsed JSON, or anything else when it was none. `target` is what was asked for, since a 404
    on a drive is another thing than on a file. `subject` names it for a person. Never raises.
    """
    low = {name.lower(): value for name, value in (headers or {}).items()}
    codes, message, request_id = _read(body)
    challenge = low.get("www-authenticate", "")
    kind = _kind(status, codes, target, challenge)
    what = f"{subject}: {_lowered(_WHAT[kind])}" if subject else _WHAT[kind]
    why = f"{' / '.join(codes)}: {message}" if codes and message else message or f"HTTP {status}"
    who: Who | None = None
    advice: str | None = None
    if kind is errors.DriveNotFound:  # Graph's own words speak of a resource; its code stays in the details
        why = _NO_ONEDRIVE if target == "account" else _NO_SUCH_DRIVE
    if "malwaredetected" in (code.lower() for code in codes):
        who, advice = (
            Who.YOU,
            "Microsoft found malware in this file: delete it, or keep it out of the backup.",
        )
    elif kind is errors.GraphError and status >= 500:
        who, advice = Who.LATER, _TEMPORARY
    elif kind is errors.Unreachable:
        who, advice = Who.LATER, _TEMPORARY
        if status == 504:
            advice = (
                "Try again. If it is one folder that does this, it holds too many files: "
                "keep fewer than 50,000 in one folder."
            )
    elif kind is errors.UploadSessionLost:
        advice = errors.UploadSessionLost.default_advice
    elif kind is errors.InteractionRequired:
        advice = "Sign in again in a browser: a rule of your organisation asks for a fresh proof."
    elif kind is errors.GraphError and target == "sites":
        who = Who.YOU
        advice = "SharePoint sites belong to work or school accounts: sign in with one, or choose OneDrive."
    return kind(
        what,
        why=why,
        who=who,
        advice=advice,
        status=status,
        graph_code=codes[0] if codes else None,
        graph_inner_codes=list(codes[1:]) or None,
        request_id=request_id or low.get("request-id"),
        retry_after=low.get("retry-after"),
        claims=_claims(challenge),
    )


def _lowered(sentence: str) -> str:
    """To stand behind a colon; a name keeps its capital."""
    return sentence if sentence.startswith(("Microsoft", "OneDrive")) else sentence[0].lower() + sentence[1:]


def _kind(status: int, codes: tuple[str, ...], target: Target, challenge: str) -> type[PlutonRcloneError]:
    if "insufficient_claims" in challenge:
        return errors.InteractionRequired
    if status == 507:  # whatever the code says: reports differ, the status does not
        return errors.QuotaFull
    kind: type[PlutonRcloneError] | None = None
    for code in reversed(codes):  # the innermost knows most
        kind = _BY_CODE.get(code.lower())
        if kind is not None:
            break
    if kind is None:
        kind = _BY_STATUS.get(status, errors.GraphError)
    if target == "upload" and (status in (404, 410) or kind is errors.ItemNotFound):
        return errors.UploadSessionLost
    if kind is errors.ItemNotFound and target in ("drive", "account"):
        return errors.DriveNotFound
    if kind is errors.AccessDenied and target == "sites":
        return errors.SitesPermissionMissing
    return kind


def _read(body: Any) -> tuple[tuple[str, ...], str, str | None]:
    """All codes from the outermost in, the message, the request id."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):  # {"error": "invalid_request", "error_description": …}
        return (error,), str(body.get("error_description") or ""), None
    codes: list[str] = []
    message = ""
    request_id: str | None = None
    depth = 0
    while isinstance(error, Mapping) and depth < 20:
        code = error.get("code")
        if isinstance(code, str) and code and not code.isdigit():
            codes.append(code)
        if not message and isinstance(error.get("message"), str):
            message = error["message"][:1000]
        if isinstance(error.get("request-id"), str):
            request_id = error["request-id"]
        error = error.get("innerError", error.get("innererror"))
        depth += 1
    return tuple(codes), message, request_id


def _claims(challenge: str) -> str | None:
    """What the next sign-in must prove, decoded from the WWW-Authenticate header; not a secret."""
    found = re.search(r'claims="([^"]+)"', challenge)
    if found is None:
        return None
    try:
        return base64.b64decode(found.group(1) + "==").decode()
    except (ValueError, binascii.Error):
        return None
