"""Routes as one ASGI application that tolerates clients that disconnect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .dispatch import App


def routed(routes: Iterable[BaseRoute]) -> App:
    """An application that serves `routes`. As in the real cloud, a client that ends while it sends
    a form is no fault of the service."""
    return cast(
        "App", Starlette(routes=list(routes), exception_handlers={ClientDisconnect: _to_nobody})
    )


async def _to_nobody(request: Request, error: Exception) -> Response:
    """Only for the log: nginx's "client closed request"."""
    return Response(status_code=499)
