"""A real Chromium without a window, driven over a pipe: for what a person sees and presses.

Speaks the DevTools protocol on the file descriptors that `--remote-debugging-pipe` asks for: no
port, no driver program. `python -m tests.chromium` finds it, installs it when that is possible, and
prints its path.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

PATIENCE = 120.0
"""Seconds until what does not come is given up: long, for a busy machine."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = {"chromium": NAMES, "libnss3-tools": ("certutil",)}

# Puts the two ends of the pipes where Chromium expects them: 3 to read, 4 to write.
_LAUNCHER = (
    "import os,sys; r,w=map(int,sys.argv[1:3]); os.dup2(r,3); os.dup2(w,4); "
    "os.execv(sys.argv[3],sys.argv[3:])"
)


def _left(error: str) -> bool:
    """Whether there is no answer because the page was being left."""
    return "context" in error.lower() or "Inspected target navigated" in error


class Unavailable(Exception):
    """There is none, and it cannot be installed here; the message says what to do."""


def find_chromium() -> Path:
    """Chromium's path; it and certutil are installed with apt-get when they are missing and this
    user may.

    Raises `Unavailable` otherwise.
    """
    missing = [package for package, names in PACKAGES.items() if not any(map(shutil.which, names))]
    if missing:
        _install(missing)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None or shutil.which("certutil") is None:
        raise Unavailable(f"A real browser is needed: apt-get install {' '.join(PACKAGES)}")
    return Path(found)


def _install(packages: list[str]) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    with open(
        Path(tempfile.gettempdir()) / "pluton-rclone-apt.lock", "w"
    ) as lock:  # one worker at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(any(map(shutil.which, PACKAGES[package])) for package in packages):
            return
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
        for command in (install, ["apt-get", "update", "--quiet"], install):
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=900,
                check=False,
            )
            if command is install and done.returncode == 0:
                return


class Chromium:
    """One browser with one page. `home` is its HOME: certificates are trusted from there
    (emulator/browser.py).
    """

    def __init__(self, program: Path, home: Path, arguments: Sequence[str] = ()) -> None:
        self._program = program
        self._home = home
        self._arguments = list(arguments)
        self._number = 0
        self._session: str | None = None
        self._rest = b""

    def __enter__(self) -> Chromium:
        # a short path: Chromium puts a socket there, whose name may not be longer than 107 bytes
        self._temporary = tempfile.TemporaryDirectory(
            prefix="chromium-", ignore_cleanup_errors=True
        )
        there_read, here_write = os.pipe()
        here_read, there_write = os.pipe()
        command = [
            str(self._program),
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._home / 'chromium'}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-default-browser-check",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
            *self._arguments,
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER, str(there_read), str(there_write), *command],
            pass_fds=(there_read, there_write),
            env={**os.environ, "HOME": str(self._home), "TMPDIR": self._temporary.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(there_read)
        os.close(there_write)
        self._in: IO[bytes] = os.fdopen(here_write, "wb", buffering=0)
        self._out = here_read
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"
            ]
            self._call("Page.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; nothing of it is left."""
        try:
            self._in.write(json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
            self._process.wait(20)
        except BrokenPipeError:
            self._process.wait()
        except subprocess.TimeoutExpired:
            os.killpg(
                self._process.pid, signal.SIGKILL
            )  # a session of its own: its helpers, nobody else
            self._process.wait()
        self._in.close()
        os.close(self._out)
        self._temporary.cleanup()

    # ---- what a person does ----------------------------------------------------------------------

    def open(self, address: str) -> None:
        """Go to an address; returns when the browser has begun to."""
        self._call("Page.navigate", url=address)

    def wait_for(self, selector: str, seconds: float = PATIENCE) -> str:
        """The text of the first element that fits, once it is there."""
        element = f"document.querySelector({json.dumps(selector)})"
        return str(self._until(f"{element}?.innerText ?? null", selector, seconds))

    def read(self, words: str, seconds: float = PATIENCE) -> str:
        """The page's text, once these words are in it."""
        text = "document.body?.innerText"
        return str(
            self._until(f"{text}?.includes({json.dumps(words)}) ? {text} : null", words, seconds)
        )

    def press(self, selector: str, seconds: float = PATIENCE) -> None:
        """Click an element with the mouse, once it is there."""
        place = self._until(
            "(() => "
            f"{{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
            " if (document.readyState != 'complete') return null;"  # it may still move
            " e.scrollIntoView(); const b = e.getBoundingClientRect();"
            " return b.width ? [b.x + b.width / 2, b.y + b.height / 2] : null; })()",
            selector,
            seconds,
        )
        for what in ("mousePressed", "mouseReleased"):
            self._call(
                "Input.dispatchMouseEvent",
                type=what,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )

    def enter(self, selector: str, text: str, seconds: float = PATIENCE) -> None:
        """Type into a field."""
        self.press(selector, seconds)
        self._call("Input.insertText", text=text)

    def _until(self, expression: str, what: str, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while (found := self.evaluate(expression)) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"{what!r} did not appear at {self.address}:\n{self.text}")
            time.sleep(0.05)
        return found

    @property
    def text(self) -> str:
        """What the page says."""
        return str(self.evaluate("document.body?.innerText ?? ''"))

    @property
    def address(self) -> str:
        return str(self.evaluate("location.href"))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; None while a page is being left."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer.get("result", {}).get("value")

    # ---- the protocol ----------------------------------------------------------------------------

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._in.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer and not _left(str(answer["error"])):
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer.get("result", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._out, 1 << 16)
            if not block:
                raise RuntimeError("Chromium has ended")
            self._rest += block
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


if __name__ == "__main__":
    try:
        print(find_chromium())
    except Unavailable as error:
        sys.exit(str(error))
