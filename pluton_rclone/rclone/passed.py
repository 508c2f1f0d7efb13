"""The flags that a user may pass to rclone: none that leak secrets or that this package sets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pluton_rclone.errors import UsageError
from pluton_rclone.values.redaction import SECRET_NAME

_LEAKS = "what it holds would be in the list of processes, which others on this machine can read"
_FILES = ("--htpasswd", "--key", "--client-key", "--authorized-keys")  # their values are paths
_REFUSED = {
    "it prints secrets, or sends them elsewhere": (
        "--dump", "--no-check-certificate", "--rc", "--metrics", "--http-proxy",
    ),
    "this program sets it itself": (
        "--config", "--ask-password", "--use-json-log", "--log", "--stats", "--progress", "-P",
        "--quiet", "-q", "--verbose", "-v", "--interactive", "-i", "--syslog", "--user-agent",
        "--dry-run", "-n", "--combined", "--error-on-no-transfer",
    ),
    "it would go on when the rclone.conf that is lent to it is gone": ("--daemon",),
    "rclone would leave out what comes before its folder": ("--onedrive-delta",),
    "the storage has its place and account, as its options": (
        "--onedrive-drive", "--onedrive-root-folder-id", "--onedrive-client", "--onedrive-tenant",
        "--onedrive-region", "--onedrive-access-scopes", "--onedrive-description",
    ),
    "it has an option of its own here, which counts first": (
        "--filter", "-f", "--include", "--exclude", "--files-from", "--max-delete", "--min-size",
        "--max-size", "--min-age", "--max-age",
    ),
}  # fmt: skip


def require_passable(flags: Iterable[str]) -> None:
    """Raise UsageError with the first refused flag and the reason."""
    for flag in flags:
        name = flag.partition("=")[0]
        reasons = [
            why
            for why, names in _REFUSED.items()
            if name in names or name.startswith(tuple(one for one in names if one.startswith("--")))
        ]
        if name.startswith("--") and SECRET_NAME.search(name) and name not in _FILES:
            reasons = [_LEAKS]
        if re.match(r"-[A-Za-z].", name):  # -un is -u and -n
            reasons = ["several letters in one could hide one that is refused; write each alone"]
        if reasons:
            raise UsageError(f"{name} is not passed to rclone.", why=reasons[0])
