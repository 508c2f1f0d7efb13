"""Names and places as arguments of commands, with what Tab offers for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import PlutonRcloneError

from .context import Context

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def storage_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What Tab offers for NAME: remotes, which need no quoting; friendly names as help."""
    from click.shell_completion import CompletionItem

    try:
        found = Context(ctx.params.get("config")).storages
        names = [(storage.remote_name, storage.name) for storage in found.values()]
    except PlutonRcloneError:  # an unreadable file: nothing to offer, and no place to say it
        return []
    return [CompletionItem(name, help=help) for name, help in names if name.startswith(incomplete)]


def _places(kind: str) -> Callable[..., list[CompletionItem]]:
    """What Tab offers for a place; the module is loaded at a Tab alone."""

    def offered(*asked: Any) -> list[CompletionItem]:
        from . import complete

        return list(getattr(complete, kind)(*asked))

    return offered


NAME = click.argument("name", shell_complete=storage_names)
ANYWHERE = _places("local_or_storage")
SOURCE = click.argument("source", metavar="SRC", shell_complete=ANYWHERE)
DESTINATION = click.argument("destination", metavar="DST", shell_complete=ANYWHERE)
IN_STORAGE = _places("in_storage")
PLACE = click.argument("place", metavar="NAME:PATH", shell_complete=IN_STORAGE)
