"""One rclone kept alive (`rclone rcd` on a unix socket), for browsing and many small operations.

Each one-shot call pays for the start of a process; a session pays once. The socket lies in a folder
that only this user may enter, so whoever can reach it could run rclone anyway, and no network port
is opened.
"""

from __future__ import annotations

import builtins
import contextlib
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from pluton_rclone.errors import NothingFound, PlutonRcloneError, RcloneError, TimedOut, UsageError
from pluton_rclone.process.folders import claimed, owned_folder, runtime_folder
from pluton_rclone.process.system import KILL
from pluton_rclone.values.versions import Feature

from . import faults, listing
from .commands import Command
from .listing import Entry
from .locations import Location, split
from .rc import Lost, RcClient
from .runner import Callbacks, Order, Runner, nothing
from .tally import Tally

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from typing_extensions import Unpack

    from .commands import ListOptions

START_LIMIT = 30.0
"""Seconds until a daemon that does not listen is given up."""

_SOCKET = "rc.sock"
_PREFIX = "session-"
_SOCKET_PATH = 107  # bytes at most, says the kernel
_LADDER = ((signal.SIGTERM, 2.0), (KILL, 5.0))


class _Listing(msgspec.Struct, gc=False):
    entries: builtins.list[Entry] = msgspec.field(name="list")


class Session:
    """A living rclone. `with rclone.session() as session:` starts and ends it; it may be used from
    many threads.

    Its methods are those of `Rclone` with the same meaning, results and errors; for everything else
    there is `call`. A listing comes whole, not as a stream. Transfers are `Rclone`'s: processes of
    their own.
    """

    def __init__(self, runner: Runner) -> None:
        runner.binary.require(Feature.UNIX_SOCKET)
        self._folder, self._owner = _private_folder()
        self._tally = Tally()
        socket_path = str(self._folder / _SOCKET)
        flags = (
            f"--rc-addr=unix://{socket_path}",
            "--rc-no-auth",
            "--rc-job-expire-duration=24h",
            "--rc-server-read-timeout=24h",
            "--rc-server-write-timeout=24h",
        )
        self._rc = RcClient(socket_path)
        try:
            on = Callbacks(stdout=nothing, stderr=self._tally.line)
            self._child = runner.start(Order(Command(("rcd",), flags), on=on))
            try:
                self._wait_until_it_listens()
            except BaseException:
                self._child.close()
                raise
        except BaseException:
            self._remove_folder()
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
        """End it. Idempotent."""
        self._rc.close()
        self._child.cancel(_LADDER)
        self._child.close()
        if self._child.ours:
            self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._owner.release()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- looking ---------------------------------------------------------------------------------

    def list(self, place: Location, **options: Unpack[ListOptions]) -> builtins.list[Entry]:
        """What is in a folder."""
        return self._listing(place, options)

    def stat(self, place: Location) -> Entry | None:
        """One file or folder; None if there is nothing."""
        fs, remote = split(place)
        try:
            item = self.call("operations/stat", fs=fs, remote=remote, opt={"noMimeType": True})[
                "item"
            ]
        except NothingFound:
            return None
        if item is None:
            return None
        found = listing.from_objects([item])[0]
        return listing.named(found, place) if found.is_dir else listing.below(found, "")

    def _listing(self, place: Location, options: Mapping[str, Any]) -> builtins.list[Entry]:
        fs, remote = split(place)
        parameters = {"fs": fs, "remote": remote, "opt": _list_options(options)}
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
        """What lsjson lists for a file: the file. The daemon refuses instead, in words that differ
        by remote."""
        with contextlib.suppress(PlutonRcloneError):
            item = self.stat(place)
            if item is not None and not item.is_dir:
                return [] if options.get("dirs_only") else [item]
        raise error

    # ---- changing --------------------------------------------------------------------------------

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

    def _on_place(self, method: str, place: Location) -> None:
        fs, remote = split(place)
        self.call(method, fs=fs, remote=remote)

    def _two_files(self, method: str, source: Location, destination: Location) -> None:
        source_fs, source_remote = split(source)
        fs, remote = split(destination)
        folder, _, name = remote.rpartition("/")
        self.call(  # the folder itself as the root: on personal drives rclone stumbles over one that is not there yet
            method, srcFs=source_fs, srcRemote=source_remote, dstFs=fs + folder, dstRemote=name
        )

    # ---- anything else ---------------------------------------------------------------------------

    def call(self, method: str, /, **parameters: Any) -> Any:
        """Any method of rclone's remote control, such as "core/version". Raises as the other
        methods do."""
        try:
            return self._rc.call(method, parameters)
        except Lost:
            raise self._lost() from None

    def _lost(self) -> Exception:
        with contextlib.suppress(TimeoutError):
            code = self._child.wait(1.0)
            return faults.run_fault("rcd", code, self._tally.messages)
        return RcloneError("The rclone of this session does not answer any more.")


def _list_options(options: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := set(options) - {"files_only", "dirs_only", "hashes", "mime_types"}:
        raise UsageError(f"a session's listing does not take {', '.join(sorted(unknown))}")
    hashes = (
        {"showHash": True, "hashTypes": list(options["hashes"])} if options.get("hashes") else {}
    )
    return {
        "noMimeType": not options.get("mime_types"),
        "filesOnly": bool(options.get("files_only")),
        "dirsOnly": bool(options.get("dirs_only")),
        **hashes,
    }


def _ignore(block: bytes) -> None:
    """The daemon's stdout holds nothing."""


def _private_folder() -> tuple[Path, BaseFileLock]:
    """A new folder for one session, with its owner's lock; those of killed sessions are swept
    out."""
    home = runtime_folder(longest=_SOCKET_PATH - len(f"/{_PREFIX}{'0' * 8}/{_SOCKET}"))
    for left in home.glob(f"{_PREFIX}*"):
        if (owner := claimed(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            owner.release()
    made, owner = owned_folder(home)
    return made.rename(home / f"{_PREFIX}{secrets.token_hex(4)}"), owner
