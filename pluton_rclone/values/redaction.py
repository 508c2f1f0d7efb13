"""Removes secrets from texts that are shown or logged: tokens, passwords, pre-signed addresses.

An address that needs no further authentication is a secret itself. Classic personal OneDrive has
the secret in the path (public.dm.files.1drv.com/y4m…, api.onedrive.com/up/…,
…storage.live.com/y4m…), other drives have it in the query (tempauth).
"""

from __future__ import annotations

import re

# Each quantifier follows a fixed start and ends with its class, so the time is linear.
# fmt: off
_SECRETS = [(re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in (
    (r"(https?://(?:[\w-]{1,63}\.){0,6}(?:1drv\.com|1drv\.ms|livefilestore\.com|storage\.live\.com"
     r"|svc\.ms|api\.onedrive\.com)(?::\d{1,5})?/)[^\s\"'<>]+", r"\1***"),
    (r"(\\?\"(?:access_token|refresh_token|id_token|client_secret|password|pass)\\?\"\s{0,9}:"
     r"\s{0,9})\\?\"[^\"]*\\?\"", r"\1***"),
    (r"(\b(?:\w{1,40}_)?(?:\w{0,20}token|secret\w{0,20}|pass(?:word)?\d?|tempauth|authkey|sig|code"
     r"|assertion|key)=)(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,&:\"']+)", r"\1***"),
    (r"(\bbearer\s{1,9})[\w.~+/=-]+", r"\1***"),
    (r"\beyJ[\w-]{8}[\w.-]*", "***"),
    (r"(https?://)[^/\s:@\"]{1,200}:[^/\s@\"]{1,500}@", r"\1***@"),
)]
# fmt: on
SECRET_NAME = re.compile(r"pass|secret|token|key|auth|credential|header", re.IGNORECASE)
"""Found in the name of an option whose value may be a secret."""


def redact(text: str) -> str:
    """The text without tokens, passwords and pre-signed addresses, of which only the host stays."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def how_it_ended(code: int, stderr: bytes) -> str:
    """Why a program had no output, in words: how it ended, and 200 characters of its last line."""
    said = redact(stderr.decode(errors="replace").strip().rpartition("\n")[2])[:200]
    how = f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it"
    return (how if code else "it printed nothing") + (f" and said: {said}" if said else "")
