"""Changes to a storage of one or two sections (`remote.pairs`), each an edit of the whole file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

from pluton_rclone.errors import StorageNotFound
from pluton_rclone.remote.pairs import BASE, BASE_ID, MARK, drive_of, joined, split, storage_of
from pluton_rclone.values.token_text import TOKEN

from .ini import Document
from .merge import later_token


def require(document: Document, name: str) -> Document:
    """The document, if it has this storage or other remote. Raises StorageNotFound."""
    if (owner := storage_of(document.require(name).sections, name)) != name:
        what = f"{name!r} is not a storage: it holds the drive of {owner!r}."
        advice = f"Write {owner}: for its base folder, {owner}:/ for the whole drive."
        raise StorageNotFound(what, advice=advice)
    return document


def names(document: Document) -> list[str]:
    """The names of the storages and other remotes, each once."""
    return [one for one in document.names() if storage_of(document.sections, one) == one]


def with_drives(document: Document, names: Iterable[str]) -> list[str]:
    """The names of the sections of these remotes."""
    return [
        one for name in names for one in dict.fromkeys((name, drive_of(document.sections, name)))
    ]


def section(
    document: Document, name: str, read: Callable[[str], Mapping[str, str]]
) -> dict[str, str]:
    """The section of a storage, joined from the one or two that `read` returns."""
    drive = drive_of(document.sections, name)
    return joined(read(name), None if drive == name else read(drive))


def added(document: Document, name: str, made: Mapping[str, str]) -> Document:
    for part, values in split(made, name, _free(document, name)).items():
        document = document.with_section(part, values)
    return document


def changed(document: Document, name: str, changes: Mapping[str, str | None]) -> Document:
    """Change keys. A new base folder turns one section into a pair; its removal undoes that."""
    drive = drive_of(document.sections, name)
    before = section(document, name, document.sections.__getitem__)
    if before.get("type") != "onedrive" or (drive == name and BASE not in changes):
        return document.changed(name, changes)
    base = changes.get(BASE) or "" if BASE in changes else before.get(BASE, "")
    if base and drive == name:
        drive = _free(document, name)
        document = document.renamed(name, drive)
        document = document.with_section(name, {"type": "alias", "remote": ""}, above=drive)
    elif BASE in changes and not base and drive != name:
        document, drive = document.without_section(name).renamed(drive, name), name
    mark = f"{name}:{base}" if drive != name else None
    if mark:
        document = document.changed(name, {"remote": f"{drive}:{base}"})
    known = {BASE_ID: before.get(BASE_ID), **changes}
    return document.changed(drive, {**known, BASE: None, MARK: mark})


def renamed(document: Document, name: str, new_name: str) -> Document:
    """The drive's section keeps its name, because a running rclone saves renewed tokens there."""
    if new_name in document:
        return removed(document, name)
    drive = drive_of(document.sections, name)
    document = document.renamed(name, new_name)
    if drive == name:
        return document
    path = document.sections[drive][MARK].partition(":")[2]
    return document.changed(drive, {**document.inherited(drive), MARK: f"{new_name}:{path}"})


def removed(document: Document, name: str) -> Document:
    for part in with_drives(document, [name]):
        document = document.without_section(part)
    return document


def tidied(document: Document) -> Document:
    """Move a token from an alias to its drive, if it is later: an rclone that started when the pair
    was one section saves it there."""
    for name, alias in document.sections.items():
        drive = drive_of(document.sections, name)
        if drive != name and TOKEN in alias:
            held = document.sections[drive]
            token = later_token(held, {**held, TOKEN: alias[TOKEN]})
            document = document.changed(drive, {TOKEN: token or held.get(TOKEN)})
            document = document.changed(name, {TOKEN: None})
    return document


def _free(document: Document, name: str) -> str:
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    plain = name.replace(".", "_")  # without a dot, it inherits no options
    return next(free for end in names if (free := f"{plain}-drive{end}") not in document)
