"""One rclone kept alive (`rclone rcd` on a unix socket), for browsing and many small operations.

Each one-shot call pays for the start of a process; a session pays once. The socket lies in a folder that only
this user may enter, so whoever can reach it could run rclone anyway, and no network port is opened.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from pluton_rclone.errors import NothingFound, PlutonRcloneError, RcloneError, TimedOut, UsageError

from . import faults, listing
from .brake import Brake
from .commands import Command
from .job import Job
from .job_options import job_parameters
from .listing import Entry
from .locations import Location, split
from .rc import Lost, RcClient
from .results import About, Total
from .tally import Tally

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .commands import ListOptions, TransferOptions
    from .engine import Rclone

START_LIMIT = 30.0
"""Seconds until a daemon that does not listen is given up."""

_SOCKET = "rc.sock"
_LADDER = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))


class _Listing(msgspec.Struct, gc=False):
    entries: builtins.list[Entry] = msgspec.field(name="list")


class Session:
    """A living rclone. `with rclone.session() as session:` starts and ends it; it may be used from many
    threads.

    Its methods are those of `Rclone` with the same meaning, results and errors. A listing comes whole, not as
    a stream: for a million entries use `Rclone.walk`.
    """

    def __init__(self, rclone: Rclone) -> None:
        rclone.binary.require_feature("a session on a unix socket")
        self._folder = _private_folder()
        self._tally = Tally()
        socket_path = os.path.join(self._folder, _SOCKET)
        flags = (
            f"--rc-addr=unix://{socket_path}",
            "--rc-no-auth",
            "--rc-job-expire-duration=24h",
            "--rc-server-read-timeout=24h",
            "--rc-server-write-timeout=24h",
        )
        self._rc = RcClient(socket_path)
        try:
            self._child = rclone.start(
                Command(("rcd",), flags), on_stdout=_ignore, on_stderr=self._tally.line
            )
            try:
                self._wait_until_it_listens()
            except BaseException:
                self._child.close()
                raise
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def __repr__(self) -> str:
        return f"<Session, process {self.pid}, {'over' if self._child.ended else 'running'}>"

    @property
    def pid(self) -> int:
        return self._child.pid

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not self._rc.alive():
            if self._child.ended:
                raise faults.run_fault("rcd", self._child.wait(), self._tally.messages)
            if time.monotonic() > deadline:
                raise TimedOut(f"rclone did not listen on its socket within {START_LIMIT:g} s.")
            time.sleep(0.005)

    def close(self) -> None:
        """End it; running jobs are cancelled. Idempotent."""
        self._rc.close()
        self._child.cancel(_LADDER)
        self._child.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- looking -------------------------------------------------------------------------------------------

    def list(self, place: Location, **options: Unpack[ListOptions]) -> builtins.list[Entry]:
        """What is in a folder."""
        return self._listing(place, options, recurse=False)

    def walk(self, place: Location, **options: Unpack[ListOptions]) -> builtins.list[Entry]:
        """Everything below a folder, at once."""
        return self._listing(place, options, recurse=True)

    def stat(self, place: Location) -> Entry | None:
        """One file or folder; None if there is nothing."""
        fs, remote = split(place)
        try:
            item = self.call("operations/stat", fs=fs, remote=remote, opt={"noMimeType": True})["item"]
        except NothingFound:
            return None
        if item is None:
            return None
        found = listing.from_objects([item])[0]
        return listing.named(found, place) if found.is_dir else listing.below(found, "")

    def about(self, place: Location) -> About:
        """The room on the remote."""
        return msgspec.convert(self.call("operations/about", fs=split(place)[0]), About)

    def size(self, place: Location) -> Total:
        """How many files there are below a folder, and how many bytes."""
        fs, remote = split(place)
        return msgspec.convert(self.call("operations/size", fs=_joined(fs, remote)), Total)

    def _listing(self, place: Location, options: Mapping[str, Any], *, recurse: bool) -> builtins.list[Entry]:
        fs, remote = split(place)
        parameters = {"fs": fs, "remote": remote, **_list_parameters(options, recurse)}
        try:
            found = self._rc.call_typed("operations/list", parameters, _Listing).entries
        except msgspec.ValidationError:
            found = listing.from_objects(self.call("operations/list", **parameters)["list"])
        except Lost:
            raise self._lost() from None
        except PlutonRcloneError as error:
            return self._file_itself(place, options, error)
        return found if not remote else [listing.below(entry, remote) for entry in found]

    def _file_itself(
        self, place: Location, options: Mapping[str, Any], error: PlutonRcloneError
    ) -> builtins.list[Entry]:
        """What lsjson lists for a file: the file. The daemon refuses instead, in words that differ by
        remote."""
        with contextlib.suppress(PlutonRcloneError):
            item = self.stat(place)
            if item is not None and not item.is_dir:
                return [] if options.get("dirs_only") else [item]
        raise error

    # ---- changing ------------------------------------------------------------------------------------------

    def mkdir(self, place: Location) -> None:
        """Make a folder and those above it."""
        self._on_place("operations/mkdir", place)

    def rmdir(self, place: Location) -> None:
        """Remove an empty folder."""
        self._on_place("operations/rmdir", place)

    def deletefile(self, place: Location) -> None:
        """Delete one file. NothingFound if there is none."""
        self._on_place("operations/deletefile", place)

    def copyfile(self, source: Location, destination: Location) -> None:
        """Copy one file to a name."""
        self._two_files("operations/copyfile", source, destination)

    def movefile(self, source: Location, destination: Location) -> None:
        """Move one file to a name."""
        self._two_files("operations/movefile", source, destination)

    def copy(self, source: Location, destination: Location, **options: Unpack[TransferOptions]) -> Job:
        """Copy what is new or changed in a folder, as a job."""
        return self._folders("sync/copy", source, destination, options)

    def sync(self, source: Location, destination: Location, **options: Unpack[TransferOptions]) -> Job:
        """Make the destination the same as the source, as a job. Waits for a look at what it would delete: TooManyDeletions."""
        wanted: dict[str, Any] = dict(options)
        brake = Brake(wanted.pop("max_delete", None), wanted.pop("allow_empty_source", False))
        if not options.get("dry_run"):
            looking = {**wanted, "dry_run": True, "checksum": False, "size_only": True, "retries": 1}
            look = self._folders("sync/sync", source, destination, looking)
            whole = look.wait().ok
            wanted["max_delete"] = brake.judge(look.progress, whole=whole)
        return self._folders("sync/sync", source, destination, wanted)

    def move(self, source: Location, destination: Location, **options: Unpack[TransferOptions]) -> Job:
        """Move the files of a folder, as a job."""
        return self._folders("sync/move", source, destination, options)

    def purge(self, place: Location) -> Job:
        """Delete a folder and all that is in it, as a job."""
        fs, remote = split(place)
        return Job("purge", self.call, "operations/purge", {"fs": fs, "remote": remote}, rounds=1)

    def _on_place(self, method: str, place: Location) -> None:
        fs, remote = split(place)
        self.call(method, fs=fs, remote=remote)

    def _two_files(self, method: str, source: Location, destination: Location) -> None:
        source_fs, source_remote = split(source)
        fs, remote = split(destination)
        folder, _, name = remote.rpartition("/")
        self.call(  # the folder itself as the root: on personal drives rclone stumbles over one that is not there yet
            method, srcFs=source_fs, srcRemote=source_remote, dstFs=_joined(fs, folder), dstRemote=name
        )

    def _folders(
        self, method: str, source: Location, destination: Location, options: Mapping[str, Any]
    ) -> Job:
        parameters, rounds = job_parameters({"create_empty_src_dirs": True, **options})
        return Job(
            method.rpartition("/")[2],
            self.call,
            method,
            {"srcFs": _joined(*split(source)), "dstFs": _joined(*split(destination)), **parameters},
            rounds=rounds,
        )

    # ---- anything else -------------------------------------------------------------------------------------

    def call(self, method: str, /, **parameters: Any) -> Any:
        """Any method of rclone's remote control, such as "core/version". Raises as the other methods do."""
        try:
            return self._rc.call(method, parameters)
        except Lost:
            raise self._lost() from None

    def _lost(self) -> Exception:
        with contextlib.suppress(TimeoutError):
            code = self._child.wait(1.0)
            return faults.run_fault("rcd", code, self._tally.messages)
        return RcloneError("The rclone of this session does not answer any more.")


def _joined(fs: str, remote: str) -> str:
    return fs + remote


def _list_parameters(options: Mapping[str, Any], recurse: bool) -> dict[str, Any]:
    known = {"files_only", "dirs_only", "hashes", "mime_types", "max_depth"}
    if unknown := set(options) - known:
        raise UsageError(f"a session's listing does not take {', '.join(sorted(unknown))}")
    opt: dict[str, Any] = {"recurse": recurse, "noMimeType": not options.get("mime_types")}
    opt |= {"filesOnly": bool(options.get("files_only")), "dirsOnly": bool(options.get("dirs_only"))}
    if options.get("hashes"):
        opt |= {"showHash": True, "hashTypes": list(options["hashes"])}
    depth = {"_config": {"MaxDepth": options["max_depth"]}} if "max_depth" in options else {}
    return {"opt": opt, **depth}


def _ignore(block: bytes) -> None:
    """The daemon's stdout holds nothing."""


# ---- the folder --------------------------------------------------------------------------------------------


def _private_folder() -> str:
    """A new folder for one session, in a folder that only this user may enter. Left-over ones are swept
    out."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = runtime if runtime and os.path.isdir(runtime) else tempfile.gettempdir()
    if len(base) > 50:  # the path of a unix socket has 107 bytes at most
        base = "/tmp"
    home = os.path.join(base, f"pluton-rclone-sessions-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(home, 0o700)
    found = os.lstat(home)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RcloneError(
            f"{home} is not a folder of this user alone.",
            advice="Remove it, or set XDG_RUNTIME_DIR or TMPDIR to a folder of this user.",
        )
    _sweep(home)
    return tempfile.mkdtemp(prefix="s-", dir=home)


def _sweep(home: str) -> None:
    """Remove the folders of sessions that were killed: there is a socket, and nobody listens on it."""
    for name in os.listdir(home):
        folder = os.path.join(home, name)
        path = os.path.join(folder, _SOCKET)
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.lstat(path).st_mode) and not RcClient(path).alive():
                shutil.rmtree(folder)
