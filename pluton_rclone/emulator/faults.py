"""Graph's refusals: an exception inside the emulator, a JSON error body outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class GraphFault(Exception):
    """Raised anywhere while a Graph request is handled; becomes the error body of Graph's docs.

    `inner_codes` are more detailed codes, outermost first (`innerError.code`,
    `innerError.innerError.code`, …), as in error-507-quota.json of the facts.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        inner_codes: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.inner_codes = inner_codes
        self.headers = dict(headers or {})

    def body(
        self, *, date: str, request_id: str, client_request_id: str | None = None
    ) -> dict[str, Any]:
        """The answer's JSON. `date` is UTC, `2026-01-01T00:00:00`, without a zone, as in Graph."""
        inner: dict[str, Any] = {}
        for code in reversed(self.inner_codes):
            inner = {"code": code, "innerError": inner} if inner else {"code": code}
        inner |= {
            "date": date,
            "request-id": request_id,
            "client-request-id": client_request_id or request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


class BareFault(GraphFault):
    """A refusal without a Graph body: what a gateway in front of Graph answers instead of Graph.

    `raw` is the body as it is sent, `content_type` the value of its header ("" for none).
    """

    def __init__(self, status: int, raw: bytes = b"", content_type: str = "") -> None:
        super().__init__(
            status, "", "", headers={"Content-Type": content_type} if content_type else {}
        )
        self.raw = raw


class ConnectionCut(GraphFault):
    """No answer at all: the connection is reset once the request has arrived."""

    def __init__(self) -> None:
        super().__init__(0, "", "")


class TokenRefused(GraphFault):
    """401: the access token is missing, expired, from another cloud, or was never issued here.

    Source: error-401-invalid-token.json of the facts (code and messages of live answers).
    """

    def __init__(
        self, message: str, *, login_host: str, error: str = "invalid_token", claims: str = ""
    ) -> None:
        where = f"https://{login_host}/common/oauth2/authorize"
        challenge = f'Bearer realm="", authorization_uri="{where}", error="{error}"'
        if claims:
            challenge += f', claims="{claims}"'
        super().__init__(
            401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge}
        )
