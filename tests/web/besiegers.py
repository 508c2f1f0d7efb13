"""Two hundred clients that attack a page, and an observer, in separate processes: in one process,
the attackers would slow down the observer. `python -m tests.web.besiegers ROLE` reads a line of
JSON from stdin and runs until stdin ends."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from .attackers import ServedPage

CLIENTS = 200
PAUSE = 0.2  # seconds between two requests of a client


def attack(page: ServedPage, over: threading.Event, at: str, local: str) -> None:
    """Slow headers, floods with and without a session, aborted downloads and jobs, all at once."""

    def slow() -> None:
        with page.connect("GET /add HTTP/1.1\r\n@X-Slow: ") as connection:
            while not over.wait(1):
                connection.sendall(b"x")

    def strangers() -> None:
        with page.connect("GET / HTTP/1.1\r\n@\r\n") as connection:
            connection.recv(65536)

    def flood() -> None:
        with page.connect("GET /transfers HTTP/1.1\r\n$\r\n") as connection:
            connection.recv(65536)

    def abort() -> None:
        asked = f"GET {at}/download?path=large HTTP/1.1\r\n$\r\n"
        with page.connect(asked, small=True) as connection:
            connection.recv(100)

    def jobs() -> None:
        page.post(f"{at}/copy", local=local, path="x")

    def again(attack: Callable[[], None]) -> None:
        while not over.is_set():
            with suppress(OSError):
                attack()
            over.wait(PAUSE)

    kinds = (slow, strangers, flood, abort, jobs)
    for number in range(CLIENTS):
        threading.Thread(target=again, args=(kinds[number % len(kinds)],), daemon=True).start()
    over.wait()


def watch(page: ServedPage, over: threading.Event) -> None:
    """Print how long each request took, and the most memory that the page used."""
    waits, most = [], {"memory": 0, "rclones": 0, "files": 0}
    while not over.wait(0.1):
        waits.append(page.answers_in())
        most = {name: max(value, getattr(page, name)) for name, value in most.items()}
    print(json.dumps({"waits": waits, **most}))


def main(role: str) -> None:
    given = json.loads(sys.stdin.readline())
    page = ServedPage.opened(given.pop("pid"), given.pop("address"))
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    roles: dict[str, Callable[..., None]] = {"attack": attack, "watch": watch}
    roles[role](page, over, **given)


if __name__ == "__main__":
    main(sys.argv[1])
