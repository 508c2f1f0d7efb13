"""Bind mounts and small disks without root: a command runs in its own mount namespace (`unshare
-rm`)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def inside(preparation: str, argv: Sequence[str]) -> list[str]:
    """The command, run after this shell preparation (mounts), which ends with the command."""
    return [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-euc",
        f"{preparation}\nexec {shlex.join(argv)}",
    ]


def inside_mount(
    source: Path, target: Path, argv: Sequence[str], *, options: str = ""
) -> list[str]:
    """The command, run where `source` is mounted on `target`."""
    mount = f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(target))}"
    if options:
        mount += f"\nmount -o remount,bind,{options} {shlex.quote(str(target))}"
    return inside(mount, argv)


def inside_small_disk(folder: Path, size: str, argv: Sequence[str]) -> list[str]:
    """The command, run where `folder` is a disk of this size (tmpfs)."""
    return inside(f"mount -t tmpfs -o size={size} small {shlex.quote(str(folder))}", argv)
