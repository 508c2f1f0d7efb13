"""The environment of an rclone: the caller's, except what could change what rclone does unseen.

rclone reads every option also from RCLONE_…: RCLONE_DRY_RUN, RCLONE_EXCLUDE or RCLONE_LOG_FILE of
the caller would change what is transferred or hide the log that we read, and RCLONE_CONFIG… would
bring in another configuration, or a token that wins over the one in the file. So only those in
`KEPT` pass, which concern the network and the pace. For others there are options, and
`Rclone(environment=…)`. Everything else passes: HOME, PATH, HTTPS_PROXY, SSL_CERT_FILE and so on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

KEPT = frozenset(
    f"RCLONE_{name}"
    for names in (
        "BIND BUFFER_SIZE BWLIMIT BWLIMIT_FILE CACHE_DIR CA_CERT CHECKERS CLIENT_CERT CLIENT_KEY",
        "CONTIMEOUT DISABLE_HTTP2 DISABLE_HTTP_KEEP_ALIVES EXPECT_CONTINUE_TIMEOUT HTTP_PROXY",
        "LOW_LEVEL_RETRIES MAX_BACKLOG MAX_BUFFER_MEMORY RETRIES RETRIES_SLEEP TEMP_DIR TIMEOUT",
        "TPSLIMIT TPSLIMIT_BURST TRANSFERS USE_MMAP",
    )
    for name in names.split()
)
"""The caller's RCLONE_… variables that pass."""


def child_environment(
    explicit: Mapping[str, str] | None = None, caller: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The caller's environment (os.environ by default) without RCLONE_… except `KEPT`, and
    `explicit`."""
    caller = os.environ if caller is None else caller
    passed = {
        name: value
        for name, value in caller.items()
        if not name.upper().startswith("RCLONE_") or name in KEPT
    }
    bundle = caller.get("REQUESTS_CA_BUNDLE") or caller.get("CURL_CA_BUNDLE")
    if bundle and not passed.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR", "RCLONE_CA_CERT"}:
        # the sign-in trusts it; rclone reads neither of the two
        passed["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    return {**passed, **(explicit or {})}
