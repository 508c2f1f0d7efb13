"""rclone's own sign-in, `rclone authorize onedrive`, which needs no app registration."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable

from pluton_rclone import errors, process

from .binary import find_binary
from .runner import child_environment

# rclone's registration allows only http://localhost:53682/ (onedrive.go, oauthutil.go)
PORT = 53682

_ADDRESS = re.compile(rf"http://127\.0\.0\.1:{PORT}/auth\?state=\S+")
_REFUSAL = re.compile(r"No code returned by remote server: (?P<error>\w+): (?P<description>.*)")
_DETAILS = re.compile(r"(?:Trace ID|Correlation ID|Timestamp): .*")


def authorize(
    *,
    show_address: Callable[[str], None],
    scopes: Iterable[str] = ("Files.ReadWrite",),
    timeout: float = 600.0,
    cancel: threading.Event | None = None,
) -> str:
    """Run the sign-in. Returns rclone's output, its token between arrows, for `read_paste`; secret.

    `show_address` gets the local address that redirects a browser on this machine to Microsoft.
    `scopes` replace rclone's larger default. Only accounts of the global cloud can sign in this
    way. No rclone.conf is read or written. Raises SignInDeclined, SignInTimedOut, Cancelled,
    AuthorizationFailed with Microsoft's `error` and `error_description`, and RcloneError if
    rclone's fixed port is in use.
    """
    stop = cancel or threading.Event()
    out: list[bytes] = []
    said: list[str] = []

    def listen(line: bytes) -> None:
        said.append(line.decode(errors="replace"))
        if found := _ADDRESS.search(said[-1]):
            show_address(found.group())

    wanted = " ".join((*scopes, "offline_access"))
    own = {"RCLONE_CONFIG": os.devnull, "RCLONE_ONEDRIVE_ACCESS_SCOPES": wanted}
    # `show_address` opens the browser
    argv = [find_binary().path, "authorize", "onedrive", "--auth-no-open-browser"]
    with process.start(
        argv, env=child_environment(own), on_stdout=out.append, on_stderr=listen
    ) as child:
        end = time.monotonic() + timeout
        while not child.ended:
            if stop.wait(0.05):
                raise errors.Cancelled("The sign-in was cancelled.", advice="Sign in again.")
            if time.monotonic() > end:
                what = f"Nobody finished the sign-in within {timeout:.0f} seconds."
                raise errors.SignInTimedOut(what)
        code = child.wait()
    if code != 0:
        raise refusal("\n".join(said), code)
    return b"".join(out).decode(errors="replace")


def refusal(text: str, code: int) -> Exception:
    """The exception for the stderr (`text`) and the exit code of `rclone authorize`."""
    if "address already in use" in text:
        return errors.RcloneError(
            "rclone's sign-in cannot start: another program uses its port.",
            why=f"127.0.0.1:{PORT} is in use, most likely by another rclone's sign-in",
            advice="End the other sign-in, or use your own app registration: it allows any port.",
        )
    if found := _REFUSAL.search(text):
        description = "\n".join((found["description"], *_DETAILS.findall(text)[:3]))
        aadsts = re.search(r"AADSTS\d+", description)
        declined = found["error"] == "access_denied"
        kind = errors.SignInDeclined if declined else errors.AuthorizationFailed
        return kind(
            "Microsoft refused the sign-in.",
            why=found["description"],
            error=found["error"],
            error_description=description,
            aadsts=aadsts.group() if aadsts else None,
        )
    if "unknown command" in text or "unknown flag" in text:
        what = "This rclone does not have the `authorize` command needed here."
        return errors.RcloneUsage(what, exit_code=code)
    lines = [line for line in text.split("\n") if "Fatal error" in line or "Failed" in line]
    what, why = "rclone's sign-in did not finish.", lines[-1] if lines else None
    return errors.AuthorizationFailed(what, why=why, exit_code=code)
