"""rclone-python's functions on our engine: `from pluton_rclone import rclone_python as rclone`.

Names, parameters and results are those of rclone_python.rclone 0.1.25, without its faults: no shell
interprets a path (a file called `$(touch PWNED).txt` is just a file), transfers also use the
executable that was set, the configuration can be set more than once, both pipes are drained, a
transfer whose listener fails is cancelled, and `create_remote` shows no secret in the process list.
Additional arguments are words for rclone, split as by a shell (`["--bwlimit 1M"]`). Every error is
both rclone-python's `RcloneException` (`description`, `error_msg`) and ours (`what`, `why`, `who`,
`advice`).

The functions use the caller's own configuration, so RCLONE_CONFIG… and RCLONE_PASSWORD_COMMAND of
the environment apply, unlike elsewhere in this package."""

from __future__ import annotations

import functools
import logging
import os
import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from rclone_python.hash_types import HashTypes as HashTypes
from rclone_python.remote_types import RemoteTypes as RemoteTypes
from rclone_python.utils import RcloneException as RcloneException
from rich.progress import Progress as Pbar

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import PlutonRcloneError, RcloneNotFound, StorageExists, UsageError
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.events import Failed, Progress
from pluton_rclone.rclone.locations import location
from pluton_rclone.rclone.run import Run, decoded
from pluton_rclone.saved.shortcuts import Shortcuts

from .errors import compatible, told_as
from .progress import Place, bars, update_of
from .sparing import Sparing

if TYPE_CHECKING:
    from typing_extensions import Unpack

Args = Sequence[str] | None
Listener = Callable[[dict[str, Any]], None] | None
T = TypeVar("T")

_config: str | None = None
_executable: str | None = None
_CALLERS = re.compile(r"RCLONE_CONFIG(_.*)?|RCLONE_PASSWORD_COMMAND")


def _engine() -> Sparing:
    environment = {name: value for name, value in os.environ.items() if _CALLERS.fullmatch(name)}
    return Sparing(_executable, config=_config, environment=environment)


def set_config_file(config_file: Place) -> None:
    """Use this configuration file from now on."""
    global _config
    _config = os.fspath(config_file)


def set_executable_file(executable_file: Place, validate: bool = True) -> None:
    """Use this rclone from now on. FileNotFoundError if it is missing and `validate` is set."""
    global _executable
    if validate and not Path(executable_file).is_file():
        raise FileNotFoundError(f"Executable path '{executable_file}' does not exist")
    _executable = os.fspath(executable_file)


def set_log_level(level: int) -> None:
    """Set the log level of both libraries."""
    logging.getLogger("rclone_python").setLevel(level)
    logging.getLogger("pluton_rclone").setLevel(level)


def is_installed() -> bool:
    """Whether rclone is installed."""
    with suppress(RcloneNotFound):
        return bool(find_binary(_executable))
    return False


def get_remotes() -> list[str]:
    """The configured remotes, each with its colon."""
    return _lines(_text("listremotes"))


def check_remote_existing(remote_name: str) -> bool:
    """Whether a remote of that name exists."""
    return (remote_name if remote_name.endswith(":") else f"{remote_name}:") in get_remotes()


def create_remote(
    remote_name: str,
    remote_type: str | RemoteTypes,
    client_id: str | None = None,
    client_secret: str | None = None,
    **kwargs: Any,
) -> None:
    """Create a remote. Its options are written to the configuration, with passwords obscured, and
    never appear on a command line. rclone then completes it, for some types by a sign-in."""
    name = f"config create {remote_name}"
    if check_remote_existing(remote_name):
        taken = StorageExists(f"A rclone remote with the name '{remote_name}' already exists!")
        raise compatible(taken, name)
    options = {key: str(value) for key, value in kwargs.items()}
    if client_id and client_secret:
        options |= {"client_id": client_id, "client_secret": client_secret}
    kind = _value(remote_type)
    for password in _passwords(kind) & options.keys():
        out = _text("obscure", places=["-"], stdin=f"{options[password]}\n".encode())
        options[password] = out.rstrip("\n")
    with told_as(name):
        Conf(_config).add(remote_name, {"type": kind, **options})
    _text("config", "update", remote_name)


def _passwords(kind: str) -> set[str]:
    """The options of a type of remote that rclone stores obscured."""
    backends = _json(list[dict[str, Any]], "config", "providers")
    known = [backend["Options"] for backend in backends if backend["Name"] == kind]
    return {option["Name"] for options in known for option in options if option["IsPassword"]}


def about(path: Place) -> dict[str, int]:
    """The space on a remote, in bytes."""
    return _json(dict[str, int], "about", "--json", places=[path])


def ls(
    path: Place,
    max_depth: int | None = None,
    dirs_only: bool = False,
    files_only: bool = False,
    args: Args = None,
) -> list[dict[str, Any]]:
    """The entries of a folder, as in rclone's lsjson."""
    flags = _given(max_depth=max_depth, dirs_only=dirs_only, files_only=files_only)
    return _json(list[dict[str, Any]], "lsjson", *flags, places=[path], args=args)


def size(path: Place, args: Args = None) -> dict[str, int]:
    """The number of files and of bytes."""
    return _json(dict[str, int], "size", "--json", places=[path], args=args)


def tree(path: Place, args: Args = None) -> str:
    """The folders below, drawn as a tree."""
    return _text("tree", places=[path], args=args)


def cat(
    path: Place,
    count: int | None = None,
    head: int | None = None,
    offset: int | None = None,
    tail: int | None = None,
    args: Args = None,
) -> str:
    """The content of a file, or part of it, as text."""
    flags = _given(count=count, head=head, offset=offset, tail=tail)
    return _text("cat", *flags, places=[path], args=args)


def hash(
    hash: str | HashTypes,
    path: Place,
    download: bool = False,
    checkfile: Place | None = None,
    output_file: Place | None = None,
    args: Args = None,
) -> str | bool | dict[str, str] | dict[str, bool] | None:
    """The hashes of files by path, or the hash of a single file; with `checkfile`, whether they are
    correct; with `output_file`, None."""
    kind = _value(hash)
    flags = _given(download=download, checkfile=checkfile, output_file=output_file)
    code, text, run = _run("hashsum", *flags, places=[kind, path], args=args)
    lines = _lines(text)
    judged = checkfile is not None and all(line.startswith(("= ", "* ")) for line in lines)
    if code != 0 and not (judged and lines):
        raise _failed(run, code, f'hashsum command failed on path "{path}" with hash="{kind}"')
    if output_file is not None:
        return None
    parts = (line.partition(" " if checkfile is not None else "  ") for line in lines)
    # blanks stand for an unknown hash
    pairs = {name if value else name.lstrip(): value for value, _, name in parts}
    if checkfile is not None:
        right = {name: value == "=" for name, value in pairs.items()}
        return next(iter(right.values())) if len(right) == 1 else right
    return next(iter(pairs.values())) if len(pairs) == 1 else pairs


def check(
    source: Place,
    dest: Place,
    combined: Place | None = None,
    size_only: bool = False,
    download: bool = False,
    one_way: bool = False,
    args: Args = None,
) -> tuple[bool, list[tuple[str, str]]]:
    """Whether two folders are equal, and each path with its sign: = equal, * different, - and +
    missing, ! error."""
    flags = _given(size_only=size_only, download=download, one_way=one_way)
    flags.append(f"--combined={'-' if combined is None else os.fspath(combined)}")
    written = Path("" if combined is None else combined)
    is_ours = _emptied(written)
    code, text, run = _run("check", *flags, places=[source, dest], args=args)
    if combined is not None:
        is_ours = is_ours and written.is_file()
        text = written.read_bytes().decode(errors="replace") if is_ours else ""
    lines = [(sign, name) for sign, _, name in (line.partition(" ") for line in _lines(text))]
    if code not in (0, 1) or (code == 1 and not lines):
        raise _failed(run, code, f'check command failed on source: "{source}" dest: "{dest}"')
    return code == 0, lines


def version(check: bool = False, args: Args = None) -> str | tuple[str, str | None, str | None]:
    """rclone's version; with `check` also the latest release and beta, from the network."""
    text = _text("version", *(["--check"] if check else []), args=args)
    if not check:
        return _lines(text)[0].replace("rclone ", "")
    known = dict(re.findall(r"^(yours|latest|beta):\s+([.\w-]+)", text, re.MULTILINE))
    return known["yours"], known.get("latest"), known.get("beta")


def mkdir(path: Place, args: Args = None) -> None:
    """Create a folder."""
    _text("mkdir", places=[path], args=args)


def purge(path: Place, args: Args = None) -> None:
    """Delete a folder with everything in it. Refused for a shortcut, whose target is not ours."""
    _text("purge", places=[path], args=args)


def delete(path: Place, args: Args = None) -> None:
    """Delete a file, or the files below a folder; the folders stay. Shortcuts as for `purge`."""
    _text("delete", places=[path], args=args)


def link(path: Place, expire: str | None = None, unlink: bool = False, args: Args = None) -> str:
    """Create a public link to a file or folder; with `unlink`, remove it."""
    return _text("link", *_given(expire=expire, unlink=unlink), places=[path], args=args)


def _transfer(
    word: str,
    in_path: Place,
    out_path: Place,
    ignore_existing: bool = False,
    show_progress: bool = True,
    listener: Listener = None,
    args: Args = None,
    pbar: Pbar | None = None,
) -> None:
    """Copy or move a file or folder into a folder; with "to", a file is named `out_path`."""
    doing = {"sync": "Syncing", "move": "Moving"}.get(word.removesuffix("to"), "Copying")
    description = f"{doing} from {in_path} to {out_path} failed"
    flags = _given(ignore_existing=ignore_existing)
    errors: list[str] = []
    with told_as(description):
        command = _command(word, *flags, places=[in_path, out_path], args=args)
        transfer = _engine().spared(command, Conf(_config))
    drawing = bars(doing, in_path, out_path, pbar) if show_progress else nullcontext()
    with transfer, drawing as draw:
        for event in transfer.events():
            if isinstance(event, Progress):
                if (update := update_of(event)) is not None:
                    for hearer in filter(None, (draw, listener)):
                        hearer(update)
            elif event.level in ("error", "critical"):
                about = f"{event.path}: " if isinstance(event, Failed) else ""
                errors.append(about + event.text)
        result = transfer.wait()
        if result.error is not None:
            result.error.result = result
            raise compatible(result.error, description, "\n".join(errors))


copy = functools.partial(_transfer, "copy")
copyto = functools.partial(_transfer, "copyto")
move = functools.partial(_transfer, "move")
moveto = functools.partial(_transfer, "moveto")


def sync(
    src_path: Place,
    dest_path: Place,
    show_progress: bool = True,
    listener: Listener = None,
    args: Args = None,
    pbar: Pbar | None = None,
) -> None:
    """Make the destination equal to the source."""
    _transfer("sync", src_path, dest_path, False, show_progress, listener, args, pbar)


# ---- on our engine -------------------------------------------------------------------------------


def _emptied(report: Path) -> bool:
    """Empty a report; return whether a file found there after a run is that run's."""
    try:
        os.truncate(report, 0)
    except OSError:  # rclone reports why it cannot be written
        return not report.exists()
    return True


def _value(kind: str | HashTypes | RemoteTypes) -> str:
    return kind if isinstance(kind, str) else kind.value


def _given(**flags: object) -> list[str]:
    """The flags that are set: True as the flag only, any other value with "="."""
    return [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in flags.items()
        if value is not None and value is not False
    ]


class _Given(TypedDict, total=False):
    places: Sequence[Place]
    args: Args
    stdin: bytes | None


def _command(words: str, *flags: str, **given: Unpack[_Given]) -> Command:
    args = given.get("args") or ()
    if isinstance(args, str):
        raise UsageError("args is a list", why="a text would be split into letters")
    try:
        more = [word for text in args for word in shlex.split(text)]
    except ValueError as error:
        raise UsageError("args cannot be split into words.", why=str(error)) from error
    places = tuple(location(os.fspath(place)) for place in given.get("places", ()))
    return Command((words,), (*flags, *more), places, given.get("stdin"))


def _run(words: str, *flags: str, **given: Unpack[_Given]) -> tuple[int, str, Run]:
    """The exit code, the output, and the run itself."""
    out: list[bytes] = []
    with told_as(f'Rclone "{words}" command failed'):
        engine, command = _engine(), _command(words, *flags, **given)
        Shortcuts(engine, Conf(_config), engine.transfer).require_own(command)
        run = engine.begin(command, on_stdout=out.append)
    with run.child:
        code = run.child.wait()
    return code, b"".join(out).decode(errors="replace"), run


def _lines(text: str) -> list[str]:
    """The lines of rclone's output. Splits only at "\\n": names may contain other line breaks."""
    return [line for line in text.split("\n") if line]


def _text(words: str, *flags: str, **given: Unpack[_Given]) -> str:
    """The output. Raises if the command fails."""
    code, text, run = _run(words, *flags, **given)
    if code != 0:
        raise _failed(run, code, f'Rclone "{words}" command failed')
    return text


def _json(kind: type[T], words: str, *flags: str, **given: Unpack[_Given]) -> T:
    text = _text(words, *flags, **given)
    with told_as(f'Rclone "{words}" command failed'):
        return decoded(text.encode(), kind)


def _failed(run: Run, code: int, description: str) -> PlutonRcloneError:
    return compatible(run.fault(code), description, "\n".join(run.tally.messages))
