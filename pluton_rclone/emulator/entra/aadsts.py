"""The refusals of the sign-in service: an exception inside, Microsoft's error body or redirect
outside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.resources import files
from typing import Any

_STATUS = {"invalid_client": 401, "temporarily_unavailable": 503, "server_error": 500}


@cache
def _codes() -> dict[str, dict[str, str]]:
    text = (files(__package__) / "aadsts.json").read_text(encoding="utf-8")
    codes: dict[str, dict[str, str]] = json.loads(text)["codes"]
    return codes


@dataclass(frozen=True)
class Trace:
    """The lines below each refusal by which Microsoft's support can find it."""

    timestamp: datetime
    trace_id: str
    correlation_id: str

    @classmethod
    def of(cls, now: float, correlation_id: str | None) -> Trace:
        return cls(
            datetime.fromtimestamp(now, timezone.utc),
            str(uuid.uuid4()),
            correlation_id or str(uuid.uuid4()),
        )

    @property
    def time(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%SZ}"


class EntraError(Exception):
    """One refusal. `code` is the AADSTS number, None where Microsoft sends none.

    `error` and `suberror` are looked up by number; `words` fill the placeholders of the text.
    """

    def __init__(
        self,
        code: int | None,
        *,
        error: str | None = None,
        suberror: str | None = None,
        text: str | None = None,
        claims: str | None = None,
        **words: str,
    ) -> None:
        known = _codes().get(str(code), {})
        self.code = code
        self.error = error or known.get("error") or "invalid_request"
        self.suberror = suberror or known.get("suberror")
        self.claims = claims
        template = text or known.get("words") or known.get("meaning") or "The request is not valid."
        self.text = template.format_map(_Blank(words)) if words else template
        self.status = _STATUS.get(self.error, 400)
        self.headers: Mapping[str, str] = {"Retry-After": "5"} if self.status == 503 else {}
        super().__init__(f"AADSTS{code}: {self.text}" if code else self.text)

    def description(self, trace: Trace) -> str:
        """The text for people: several lines, as in the samples."""
        if self.code is None:
            return self.text
        return (
            f"AADSTS{self.code}: {self.text}\r\nTrace ID: {trace.trace_id}\r\n"
            f"Correlation ID: {trace.correlation_id}\r\nTimestamp: {trace.time}"
        )

    def body(self, trace: Trace, login_host: str) -> dict[str, Any]:
        """The JSON answer of the token and device-code endpoints."""
        answer: dict[str, Any] = {"error": self.error, "error_description": self.description(trace)}
        if self.code is not None:
            answer |= {
                "error_codes": [self.code],
                "timestamp": trace.time,
                "trace_id": trace.trace_id,
                "correlation_id": trace.correlation_id,
                "error_uri": f"https://{login_host}/error?code={self.code}",
            }
        if self.suberror:
            answer["suberror"] = self.suberror
        if self.claims:
            answer["claims"] = self.claims
        return answer


class _Blank(dict[str, str]):
    """Leaves unfilled placeholders as they are."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
