"""Secrets taken out of texts that are shown or logged: tokens, passwords, pre-signed addresses.

An address that needs no further proof is a secret itself. Classic personal OneDrive has the secret in the path
(public.dm.files.1drv.com/y4m…, api.onedrive.com/up/…, …storage.live.com/y4m…), the others in the query (tempauth).
"""

from __future__ import annotations

import re

# Every quantifier stands behind a fixed start and before a class that ends it: the time grows with the length alone.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"(?i)(https?://(?:[\w-]{1,63}\.){0,6}(?:1drv\.com|1drv\.ms|livefilestore\.com|storage\.live\.com|svc\.ms"
            r"|api\.onedrive\.com)(?::\d{1,5})?/)[^\s\"'<>]+"
        ),
        r"\1***",
    ),
    (
        re.compile(
            r"(?i)(\\?\"(?:access_token|refresh_token|id_token|client_secret|password|pass)\\?\"\s{0,20}:\s{0,20})"
            r"\\?\"[^\"]*\\?\""
        ),
        r"\1***",
    ),
    (
        re.compile(
            r"(?i)(\b(?:\w{1,40}_)?(?:\w{0,20}token|secret\w{0,20}|pass(?:word)?\d?|tempauth|authkey|sig|code|assertion|key)=)"
            r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,&:\"']+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)(\bbearer\s{1,20})[\w.~+/=-]+"), r"\1***"),
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*"), "***"),
    (re.compile(r"(https?://)[^/\s:@\"]{1,200}:[^/\s@\"]{1,500}@"), r"\1***@"),
)


def redact(text: str) -> str:
    """The text without tokens, secrets, passwords and pre-signed addresses; of those the host stays."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
