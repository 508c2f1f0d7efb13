"""Microsoft Graph's errors as exceptions: parsed here, judged by `values.refusals`.

Graph's rules (concepts/errors.md): the error object nests `innerError` (or `innererror`) to any
depth; the innermost known code is the most specific; for unknown codes, use the HTTP status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pluton_rclone import errors
from pluton_rclone.values import refusals
from pluton_rclone.values.redaction import redact
from pluton_rclone.values.refusals import Place

from ..http import Answer

_NO_ONEDRIVE = "Microsoft says that this account has no OneDrive yet."
_NO_SUCH_DRIVE = "Microsoft says that this drive does not exist, or this account cannot open it."


def graph_error(
    answer: Answer,
    *,
    target: Place = "item",
    subject: str | None = None,
    personal: bool = False,
    saved: bool = False,
) -> errors.PlutonRcloneError:
    """The exception for Graph's error response. `subject` names the requested resource. `personal`:
    it belongs to a personal account; `saved`: to a saved remote. Never raises."""
    status, headers = answer.status, answer.headers
    codes, message, request_id = _read(answer.json)
    meaning = refusals.judged(codes, message, status, target) or refusals.by_status(status, target)
    if personal:
        meaning = refusals.personal(meaning)
    if saved:
        meaning = refusals.of_saved(meaning)
    if "insufficient_claims" in headers.get("www-authenticate", ""):
        meaning = refusals.CLAIMS
    why = f"{' / '.join(codes)}: {message}" if codes and message else message
    why = redact(why) or f"HTTP {status}"
    if meaning.kind is errors.DriveNotFound and status == 404:  # Graph only says "resource"
        why = _NO_ONEDRIVE if target == "account" else _NO_SUCH_DRIVE
    return meaning.error(
        why,
        subject=subject,
        status=status,
        graph_code=next(iter(codes), None),
        graph_inner_codes=codes[1:] or None,
        request_id=request_id or headers.get("request-id"),
        retry_after=headers.get("retry-after"),
    )


def is_microsofts(answer: Answer) -> bool:
    """Whether Microsoft answered, and not a proxy or a captive portal, which answers with a page or
    a redirect to one. Microsoft's own pages have a request id or name its server. A 429, or a
    status from 500 on, means the same from either."""
    headers, status = answer.headers, answer.status
    if answer.json is not None or status == 429 or status >= 500:
        return True
    page = 300 <= status < 400 or headers.get("content-type", "").startswith("text/html")
    named = "request-id" in headers or headers.get("server", "").startswith("Microsoft")
    return named or not page


def _read(body: Any) -> tuple[list[str], str, str | None]:
    """All codes, from the outermost to the innermost; the message; the request id."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):  # {"error": "invalid_request", "error_description": …}
        return [error], str(body.get("error_description") or ""), None
    codes, message, request_id = list[str](), "", None
    for _ in range(20):
        if not isinstance(error, Mapping):
            break
        code = error.get("code")
        if isinstance(code, str) and code and not code.isdigit():
            codes.append(code)
        if not message and isinstance(error.get("message"), str):
            message = error["message"][:1000]
        if isinstance(error.get("request-id"), str):
            request_id = error["request-id"]
        error = error.get("innerError", error.get("innererror"))
    return codes, message, request_id
