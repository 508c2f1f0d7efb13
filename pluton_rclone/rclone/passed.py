"""The flags that a user may pass to rclone: none that leak secrets or that this package sets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pluton_rclone.errors import UsageError
from pluton_rclone.values.redaction import SECRET_NAME

_LEAKS = "its value would appear in the list of processes, which others on this machine can read"
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
    "it would outlive the temporary rclone.conf that it runs with": ("--daemon",),
    "rclone would leave out items listed before their folder": ("--onedrive-delta",),
    "the storage's own options set its location and account": (
        "--onedrive-drive", "--onedrive-root-folder-id", "--onedrive-client", "--onedrive-tenant",
        "--onedrive-region", "--onedrive-access-scopes", "--onedrive-description",
    ),
    "this program has its own option for it, which takes precedence": (
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
            reasons = ["combined letters could hide one that is refused; write each separately"]
        if reasons:
            raise UsageError(f"{name} is not passed to rclone.", why=reasons[0])
