"""The person of a request and their rights, as the application around the page gives them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from anyio import from_thread
from starlette.requests import Request

from pluton_rclone.storages.storage import Storage

log = logging.getLogger(__name__)

OWNER = "pluton_owner"
"""The key in a storage's section of rclone.conf: who added it on a page with several people."""

Action = Literal["see", "read", "write", "change", "remove", "add"]
"""see: list, health, room. read: browse, download, restore. write: copy to it, test. change: name,
options, sign-in. remove: out of rclone.conf. add: a new storage (`storage` is None then).
"""

Identify = Callable[[Request], str | Awaitable[str | None] | None]
Authorize = Callable[[str, Action, Storage | None], bool | Awaitable[bool]]


async def identified(identify: Identify, request: Request) -> str | None:
    """The person; None for an `identify` that fails or gives anything but a non-empty text."""
    try:
        answer: Any = identify(request)
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception:
        log.exception("identify failed: the request is refused")
        return None
    if isinstance(answer, str) and answer.strip():
        return answer
    level, kind = logging.INFO if answer is None else logging.WARNING, type(answer).__name__
    log.log(level, "identify gave %s, not a person's name: the request is refused", kind)
    return None


def permits(authorize: Authorize, person: str, action: Action, storage: Storage | None) -> bool:
    """Whether `authorize`, called in a handler's thread, gave True; a failure forbids."""
    try:
        answer: Any = authorize(person, action, storage)
        if inspect.isawaitable(answer):
            answer = from_thread.run(_result, answer)
    except Exception:
        log.exception("authorize failed: %s is refused", action)
        return False
    if not isinstance(answer, bool):
        log.warning("authorize gave %s, not a bool: %s is refused", type(answer).__name__, action)
    return answer is True


async def _result(answer: Awaitable[Any]) -> Any:
    return await answer


def owner(storage: Storage) -> str | None:
    """Who added it; None for one that came by another way, such as the command line."""
    return storage.storages.conf.whole_section(storage.remote_name).get(OWNER)
