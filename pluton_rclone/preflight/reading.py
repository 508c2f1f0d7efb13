"""Reading a local folder: names, sizes and kinds of its entries, in batches that bound memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from pluton_rclone.process import system

from .finding import Finding
from .judge import Folder, below
from .rules import MAX_FILE_SIZE, RULES

BATCH = 16_384  # names at a time
_ALL_MAY_READ = 0o444
_OWNER_MAY_READ = 0o400
_EFFECTIVE = os.access in os.supports_effective_ids


@dataclass
class Batch:
    """Some entries of one folder, as far as rclone would see them, and what is wrong with some.
    `sizes` goes with `files`: bytes to send, 0 for a file that cannot be sent, whose bytes are in
    `bytes`."""

    files: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    bytes: int = 0


def read_folder(path: bytes, folder: Folder, only: bytes | None = None) -> Iterator[Batch]:
    """The entries of the folder at `path`, or `only` one, at most BATCH at a time, without those
    that vanish meanwhile. If the folder cannot be read, the last batch has that finding. Symbolic
    links are not followed."""
    batch, user = Batch(), system.user()
    try:
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries, 1):
                if only is not None and entry.name != only:
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        size = status.st_size
                        batch.files.append(entry.name)
                        all_may_read = status.st_mode & _ALL_MAY_READ == _ALL_MAY_READ
                        if not all_may_read or size > MAX_FILE_SIZE:
                            mine = status.st_uid == user and status.st_mode & _OWNER_MAY_READ
                            size = _odd_file(entry, size, folder, batch, readable=bool(mine))
                        batch.sizes.append(size)
                    elif entry.is_dir(follow_symlinks=False):
                        batch.folders.append(entry.name)
                    else:
                        kind = "symlink" if entry.is_symlink() else "special_file"
                        batch.findings.append(Finding(below(folder, entry.name), RULES[kind]))
                except FileNotFoundError:
                    pass
                except OSError as error:
                    batch.findings.append(_unreadable(below(folder, entry.name), error.strerror))
                if number % BATCH == 0:
                    yield batch
                    batch = Batch()
    except FileNotFoundError:
        pass
    except OSError as error:
        batch.findings.append(_unreadable(folder.shown, error.strerror, is_dir=True))
    yield batch


def _odd_file(
    entry: os.DirEntry[bytes], size: int, folder: Folder, batch: Batch, *, readable: bool
) -> int:
    """A file that is too large, or not readable for everybody: the bytes of it that can be sent."""
    if not readable and not os.access(entry.path, os.R_OK, effective_ids=_EFFECTIVE):
        batch.findings.append(_unreadable(below(folder, entry.name)))
    elif size > MAX_FILE_SIZE:
        path = below(folder, entry.name)
        batch.findings.append(Finding(path, RULES["file_too_large"], detail=gigabytes(size)))
    else:
        return size
    batch.bytes += size
    return 0


def _unreadable(path: str, reason: str | None = None, *, is_dir: bool = False) -> Finding:
    return Finding(path, RULES["unreadable"], is_dir, reason or "")


def gigabytes(size: int) -> str:
    """A size for a person: decimal, as Microsoft counts."""
    return f"{size / 1e9:,.1f} GB"
