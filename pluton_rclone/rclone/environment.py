"""The environment that an rclone gets: all of the caller's, except what could change its meaning
behind our back.

rclone reads every option also from RCLONE_…: RCLONE_DRY_RUN, RCLONE_EXCLUDE or RCLONE_LOG_FILE of
the caller would change what is transferred or hide the log that we read, and RCLONE_CONFIG… would
bring in another configuration, or a token that wins over the one in the file. So none of them
passes, except those in `KEPT`: they steer the network and the pace, and an operator sets them for
good reason. Whoever needs another gives it explicitly (`Rclone(environment=…)`), or as an option.
Everything else passes: HOME, PATH, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR and so on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

KEPT = frozenset(
    {
        "RCLONE_BIND",
        "RCLONE_BUFFER_SIZE",
        "RCLONE_BWLIMIT",
        "RCLONE_BWLIMIT_FILE",
        "RCLONE_CACHE_DIR",
        "RCLONE_CA_CERT",
        "RCLONE_CHECKERS",
        "RCLONE_CLIENT_CERT",
        "RCLONE_CLIENT_KEY",
        "RCLONE_CONTIMEOUT",
        "RCLONE_DISABLE_HTTP2",
        "RCLONE_DISABLE_HTTP_KEEP_ALIVES",
        "RCLONE_EXPECT_CONTINUE_TIMEOUT",
        "RCLONE_HTTP_PROXY",
        "RCLONE_LOW_LEVEL_RETRIES",
        "RCLONE_MAX_BACKLOG",
        "RCLONE_MAX_BUFFER_MEMORY",
        "RCLONE_RETRIES",
        "RCLONE_RETRIES_SLEEP",
        "RCLONE_TEMP_DIR",
        "RCLONE_TIMEOUT",
        "RCLONE_TPSLIMIT",
        "RCLONE_TPSLIMIT_BURST",
        "RCLONE_TRANSFERS",
        "RCLONE_USE_MMAP",
    }
)
"""The caller's RCLONE_… variables that pass."""


def child_environment(
    explicit: Mapping[str, str] | None = None, caller: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What a child gets: the caller's environment (os.environ by default) less RCLONE_… but KEPT,
    then `explicit`."""
    caller = os.environ if caller is None else caller
    passed = {
        name: value
        for name, value in caller.items()
        if not name.upper().startswith("RCLONE_") or name in KEPT
    }
    bundle = caller.get("REQUESTS_CA_BUNDLE") or caller.get("CURL_CA_BUNDLE")
    if bundle and not passed.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR", "RCLONE_CA_CERT"}:
        # What the sign-in trusts holds for rclone, too, which does not read these two.
        passed["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    return {**passed, **(explicit or {})}
