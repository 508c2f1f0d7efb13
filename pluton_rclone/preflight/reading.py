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
    `bytes`.
    """

    files: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    bytes: int = 0


def read_folder(path: bytes, folder: Folder, only: bytes | None = None) -> Iterator[Batch]:
    """The entries of the folder at `path`, or `only` one, at most BATCH names at a time.

    What vanishes meanwhile is left out. A folder that cannot be read ends in a batch with that
    finding. Symbolic links are not followed.
    """
    batch = Batch()
    user = system.user()
    try:
        with os.scandir(path) as entries:
            files, sizes = batch.files, batch.sizes
            for entry in entries:
                if only is not None and entry.name != only:
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        size = status.st_size
                        files.append(entry.name)
                        all_may_read = status.st_mode & _ALL_MAY_READ == _ALL_MAY_READ
                        if all_may_read and size <= MAX_FILE_SIZE:
                            sizes.append(size)
                        else:
                            mine = status.st_uid == user and status.st_mode & _OWNER_MAY_READ
                            sizes.append(_odd_file(entry, size, folder, batch, readable=bool(mine)))
                        full = len(files) >= BATCH
                    elif entry.is_dir(follow_symlinks=False):
                        batch.folders.append(entry.name)
                        full = len(batch.folders) >= BATCH
                    else:
                        kind = "symlink" if entry.is_symlink() else "special_file"
                        batch.findings.append(Finding(below(folder, entry.name), RULES[kind]))
                        full = len(batch.findings) >= BATCH
                except FileNotFoundError:
                    continue
                except OSError as error:
                    batch.findings.append(_unreadable(below(folder, entry.name), error.strerror))
                    full = len(batch.findings) >= BATCH
                if full:
                    yield batch
                    batch = Batch()
                    files, sizes = batch.files, batch.sizes
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
