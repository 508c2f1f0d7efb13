"""Folders on the page's machine: those open to the page, except private files in them.

A name that begins with a dot is private (keys, program settings); so are rclone.conf and the
runtime folder. Links are never followed out of an open folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone.commands import filter_name
from pluton_rclone.values.encoding import standard_name

NO_LINKS = ("--links=false", "--copy-links=false", "--ignore-case")
"""Arguments for rclone with `rules`, which ignore case, as some file systems do."""


def allowed(
    typed: str, folders: Sequence[Path], private: Iterable[Path], *, must_exist: bool
) -> Path:
    """The folder or file that a person typed, with links resolved, if it is in one of `folders` and
    not private. A missing folder of `folders` is created if needed for writing. UsageError."""
    roots = [_real(folder) for folder in folders]
    names = ", ".join(str(root) for root in roots) or "no folder"
    text = typed.strip()
    if not text or "\0" in text:
        raise UsageError("No folder is given.", advice=f"Give a folder below {names}.")
    path = Path(os.path.expanduser(text))
    if not path.is_absolute():
        advice = f"Start it with a slash, below {names}."
        raise UsageError(f"{text!r} is not an absolute path.", advice=advice)
    real = _real(path)
    root = next((root for root in roots if real.is_relative_to(root)), None)
    if root is None:
        advice = "Choose a folder there, or allow that folder when you start the page."
        what, why = f"{text!r} is not open to this page.", f"it may use {names} only"
        raise UsageError(what, why=why, advice=advice)
    if is_private(real, root, private):
        why = "this page uses no names that begin with a dot, no rclone.conf and no runtime folder"
        raise UsageError(f"{text!r} is private.", why=why, advice="Choose another folder.")
    try:
        if must_exist and not real.exists():
            raise UsageError(f"There is no {text!r} on this machine.", advice="Check the path.")
        if not must_exist:
            if real.exists() and not real.is_dir():
                advice = "Give a folder, new or existing."
                raise UsageError(f"{text!r} is a file.", advice=advice)
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        advice = "Change its permissions, or choose another folder."
        raise UsageError(f"{text!r} cannot be used.", why=error.strerror, advice=advice) from None
    return real


def is_private(path: Path, root: Path, private: Iterable[Path]) -> bool:
    """Whether a path without links, in an open folder, is private."""
    parts = [part.casefold() for part in path.relative_to(root).parts]
    if any(part.startswith((".", "rclone.conf")) for part in parts):
        return True
    return any(str(path).startswith(str(_real(one))) for one in private)


def rules(folder: Path, private: Iterable[Path], *, writing: bool) -> list[str]:
    """rclone's filter rules that exclude the private files in a folder. rclone does not read links,
    but writes through a link to a folder: if `writing`, each link gets a rule. UsageError."""
    inside = [path for path in map(_real, private) if path.is_relative_to(folder)]
    names = [str(path.relative_to(folder)) for path in inside]
    found = ["- .*", "- rclone.conf*", *(_rule(name) + "*" for name in names)]
    for top, folders, files in os.walk(folder) if writing else ():
        for name in (*folders, *files):
            path = os.path.join(top, name)
            if os.path.islink(path):
                found.append(_rule(os.path.relpath(path, folder)))
        folders[:] = (name for name in folders if not name.startswith("."))
    return [line for rule in found for line in (rule, rule + "/**")]


def _rule(path: str) -> str:
    return "- /" + filter_name("/".join(map(standard_name, path.split("/"))))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
