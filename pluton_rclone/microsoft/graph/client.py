"""Requests to Microsoft Graph in one cloud: single answers, all pages, several at a time."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pluton_rclone.errors import GraphError, UsageError

from ..clouds import Cloud
from ..entra.token import Token
from ..http import Http
from .faults import Target, graph_error

Given = TypeVar("Given")
Made = TypeVar("Made")

_PERSONAL_DRIVE = re.compile(r"/drives/[0-9A-Fa-f]{15,16}(?:/|$|\?)")
AT_ONCE = 8  # requests in parallel: quick, and far below Microsoft's limits
MOST_PAGES = 1000  # a bound against a feed that never ends


class GraphClient:
    """Asks Graph. The token goes only to this cloud's Graph, whatever a link says."""

    def __init__(
        self,
        cloud: Cloud,
        token: Token | str,
        *,
        cancel: threading.Event | None = None,
        http: Http | None = None,
    ) -> None:
        self.cloud = cloud
        self._authorization = f"Bearer {token if isinstance(token, str) else token.access_token}"
        granted = () if isinstance(token, str) else token.scopes
        self._sites_granted = any(scope.startswith("Sites.") for scope in granted)
        self._http = http or Http(cancel=cancel)
        self._own_http = http is None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.cloud.region!r})"

    def __enter__(self) -> GraphClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._own_http:
            self._http.close()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        target: Target = "item",
        subject: str | None = None,
    ) -> dict[str, Any]:
        """The JSON object at a path below /v1.0, or at a whole address that Graph gave.

        `target` and `subject` word the error. Raises `GraphError`, and `TokenExpired` for a 401.
        """
        url = path if "://" in path else f"{self.cloud.graph_root}/v1.0{path}"
        if parameters:
            url = f"{url}?{urlencode(parameters, safe='$,', quote_via=quote)}"
        if not self.cloud.owns(url):
            why = f"the address is not at {self.cloud.graph_host}"
            raise UsageError("A token of one cloud is not sent to a host of another.", why=why)
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if url.partition("?")[0].endswith("/root/children"):
            # Many accounts list shortcuts with it alone (onedrive-api-docs#1427, #1781, #1891).
            headers["Prefer"] = "Include-Feature=AddToOneDrive"
        answer = self._http.request("GET", url, headers=headers)
        if not answer.ok:
            raise graph_error(
                answer.status,
                answer.json,
                headers=answer.headers,
                target=self._place(url.partition("?")[0], target),
                subject=subject,
                personal=_PERSONAL_DRIVE.search(url) is not None,
            )
        if not isinstance(answer.json, dict):
            raise GraphError(
                "Microsoft Graph answered with something that is not a JSON object.",
                why="a proxy may have answered in its place",
                status=answer.status,
            )
        return answer.json

    def _place(self, path: str, target: Target) -> Target:
        """`target`, where the path or what was granted says more."""
        if target == "item" and path.endswith("/children"):
            return "folder"
        return "site" if target == "sites" and self._sites_granted else target

    def pages(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        target: Target = "item",
        subject: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every entry of a list, all pages. The link to the next page is taken as it is."""
        page = self.get(path, parameters, target=target, subject=subject)
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            values = page.get("value")
            if isinstance(values, list):
                yield from (value for value in values if isinstance(value, dict))
            link = page.get("@odata.nextLink")
            if not isinstance(link, str) or link in seen:
                return
            seen.add(link)
            page = self.get(link, target=target, subject=subject)

    def at_once(self, work: Callable[[Given], Made], items: Iterable[Given]) -> list[Made]:
        """`work` on each item, a few at a time, the results in the items' order."""
        waiting = list(items)
        if len(waiting) < 2:
            return [work(item) for item in waiting]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(AT_ONCE, len(waiting)), "graph") as executor:
            return list(executor.map(work, waiting))
