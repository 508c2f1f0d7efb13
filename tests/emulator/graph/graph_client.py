"""Calls the emulated Graph without sockets, so that tests of its answers are fast and see every
byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, World
from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.graph import Budgets, Faults, graph_app

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
ADMIN = "admin@contoso.onmicrosoft.com"


@dataclass(frozen=True)
class Reply:
    """The answer to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])

    @property
    def inner_code(self) -> str | None:
        """The error's more detailed code."""
        code = self.json["error"]["innerError"].get("code")
        return None if code is None else str(code)


class Asking:
    """A person with an access token for some permissions; `world` may be shared with others."""

    def __init__(self, username: str | None, *scopes: str, world: World | None = None) -> None:
        self.world = world or World()
        self.files = self.world.part(Files)
        self.faults = self.world.part(Faults)
        self.budgets = self.world.part(Budgets)
        self.app = self.world.registrations[PUBLIC_CLIENT_ID]
        person = None if username is None else self.world.person(username)
        tenant = self.app.tenant if person is None else person.tenant
        self.cloud = tenant.cloud
        self.token = f"token-{len(self.world.access_tokens)}"
        self.world.access_tokens[self.token] = Grant(
            person,
            self.app,
            frozenset(scopes or ("Files.ReadWrite",)),
            tenant.cloud,
            tenant,
            app_only=person is None,
            expires=self.world.now() + 3600,
        )
        self._app = graph_app(self.world)
        self._hang_up = False

    @property
    def drive(self) -> Drive:
        """Bert's own drive."""
        return self.files.drive_of(BERT)

    def get(self, address: str, **headers: str) -> Reply:
        return self.ask("GET", address, None, headers)

    def delete(self, address: str, **headers: str) -> Reply:
        return self.ask("DELETE", address, None, headers)

    def post(self, address: str, body: Any = None, **headers: str) -> Reply:
        return self.ask(
            "POST", address, b"" if body is None else json.dumps(body).encode(), headers
        )

    def patch(self, address: str, body: Any, **headers: str) -> Reply:
        return self.ask("PATCH", address, json.dumps(body).encode(), headers)

    def put(self, address: str, body: bytes, **headers: str) -> Reply:
        return self.ask("PUT", address, body, headers)

    def everything(self, address: str) -> list[Any]:
        """All values of a paged list."""
        values: list[Any] = []
        while address:
            page = self.get(address).json
            values += page["value"]
            address = page.get("@odata.nextLink", "")
        return values

    def upload(self, address: str, data: bytes, **item: Any) -> Reply:
        """Upload through an upload session, in one fragment."""
        session = self.post(f"{address}:/createUploadSession", {"item": item} if item else None)
        if session.status != 200:
            return session
        whole = f"bytes 0-{len(data) - 1}/{len(data)}"
        return self.put(session.json["uploadUrl"], data, content_range=whole)

    def leave(self, method: str, address: str, body: bytes, **headers: str) -> None:
        """Send a part of a body and disconnect."""
        self._hang_up = True
        try:
            self.ask(method, address, body, headers)
        finally:
            self._hang_up = False

    def ask(self, method: str, address: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        """Send a request. `address` is a path below /v1.0, or a URL, which gets no token."""
        parts = urlsplit(
            address if "://" in address else f"https://graph.microsoft.com/v1.0{address}"
        )
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if parts.hostname == "graph.microsoft.com":
            sent.setdefault("authorization", f"Bearer {self.token}")
        if body is not None:
            sent.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [
                (b"host", (parts.hostname or "").encode()),
                *((name.encode(), value.encode()) for name, value in sent.items()),
            ],
        }
        return asyncio.run(self._exchange(scope, body or b""))

    async def _exchange(self, scope: MutableMapping[str, Any], body: bytes) -> Reply:
        sent: list[MutableMapping[str, Any]] = []
        parts = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]

        async def receive() -> MutableMapping[str, Any]:
            if not parts:
                return {"type": "http.disconnect"}
            if self._hang_up:
                return {"type": "http.request", "body": parts.pop(0), "more_body": True}
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = b"".join(bytes(message.get("body", b"")) for message in sent[1:])
        return Reply(sent[0]["status"], headers, content)
