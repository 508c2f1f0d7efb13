"""Flags that go on to rclone as they are, after `--`: all but those that would leak or mislead."""

from __future__ import annotations

import click

from pluton_rclone.errors import UsageError

PASSED = click.argument(
    "passed", metavar="[-- RCLONE-FLAG…]", nargs=-1, type=click.UNPROCESSED, default=()
)
_REFUSED = {
    "what it holds would be in the list of processes, which everybody on this machine can read": (
        "--header", "--password-command", "--onedrive-token", "--onedrive-client-secret",
        "--onedrive-link-password", "--onedrive-auth-url", "--onedrive-token-url",
    ),
    "it prints secrets, or sends them elsewhere": (
        "--dump", "--no-check-certificate", "--rc", "--metrics", "--http-proxy",
    ),
    "this program sets it itself": (
        "--config", "--ask-password", "--use-json-log", "--log", "--stats", "--progress", "-P",
        "--quiet", "-q", "--verbose", "-v", "--interactive", "-i", "--syslog", "--user-agent",
        "--dry-run", "-n", "--combined", "--error-on-no-transfer",
    ),
    "it has an option of its own here, which counts first": (
        "--filter", "-f", "--include", "--exclude", "--files-from", "--max-delete", "--min-size",
        "--max-size", "--min-age", "--max-age",
    ),
}  # fmt: skip


def checked(flags: tuple[str, ...]) -> list[str]:
    """The flags, if they are some and none of them is refused. UsageError."""
    if flags and not flags[0].startswith("-"):
        raise UsageError(
            f"{flags[0]!r} is not a flag of rclone.",
            advice="Behind -- stand flags for rclone alone; SRC and DST stand before it.",
        )
    for flag in flags:
        for why, names in _REFUSED.items():
            if flag.startswith(tuple(name for name in names if name.startswith("--"))) or (
                flag[:2] in names
            ):
                raise UsageError(f"{flag.partition('=')[0]} is not passed to rclone.", why=why)
    return list(flags)
