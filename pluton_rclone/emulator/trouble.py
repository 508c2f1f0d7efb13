"""Faults in front of the sign-in service: gateways that answer for it, connections that break."""

from __future__ import annotations

from .dispatch import App, Receive, Scope, Send
from .faults import BareFault
from .graph.faults import Faults


class SignInTrouble(Faults):
    """Armed faults of the sign-in service: a `BareFault` or a `ConnectionCut`, by host and path."""


def troubled(app: App, trouble: SignInTrouble) -> App:
    """The sign-in service behind the faults that are armed for it."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        host = (
            dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower().removesuffix(":443")
        )
        try:
            trouble.check(scope["method"], host + scope["path"])
        except BareFault as fault:
            headers = [
                (name.lower().encode(), value.encode()) for name, value in fault.headers.items()
            ]
            headers.append((b"content-length", str(len(fault.raw)).encode()))
            await send({"type": "http.response.start", "status": fault.status, "headers": headers})
            await send({"type": "http.response.body", "body": fault.raw})
            return
        await app(scope, receive, send)

    return answered
