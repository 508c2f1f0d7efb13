"""A runner starts rclone: the bare binary, or with something added to what another one starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pluton_rclone import process
from pluton_rclone.errors import RcloneNotFound
from pluton_rclone.process import Child

from .binary import Binary
from .commands import Command


def nothing(*_: object) -> None:
    """For output and notices that are not wanted."""


class Callbacks(NamedTuple):
    """What a run calls, in the child's threads (see `process.start`)."""

    stdout: Callable[[bytes], None] | None = None
    """With each block; None: the caller reads the output from the child."""
    stderr: Callable[[bytes], None] = nothing
    """With each line of rclone's log."""
    watch: Callable[[], float | None] | None = None
    end: Callable[[], None] = nothing
    """Once, after rclone has ended."""
    notice: Callable[[str], None] = nothing
    """While it runs, with what the caller should know about it."""


class Order(NamedTuple):
    """A run to be started: what its caller wants, and what the runners on the way add."""

    command: Command
    flags: tuple[str, ...] = ()
    on: Callbacks = Callbacks()
    config: Path | None = None
    """The rclone.conf that it reads; None: that of the runner."""
    variables: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Order({self.command!r})"  # the variables may hold a password

    @property
    def every_flag(self) -> tuple[str, ...]:
        return (*self.flags, *self.command.flags)

    def plus(self, variables: Mapping[str, str]) -> Order:
        """With these variables in addition."""
        return self._replace(variables={**self.variables, **variables})

    def calling(self, **callbacks: Callable[..., None]) -> Order:
        """With these members of `Callbacks` in place of the caller's."""
        return self._replace(on=self.on._replace(**callbacks))


class Runner(Protocol):
    """Starts rclone; the child is the caller's."""

    @property
    def binary(self) -> Binary: ...

    def start(self, order: Order) -> Child: ...


class Around:
    """The base of runners that add something to the runs of another one."""

    def __init__(self, inner: Runner) -> None:
        self.inner = inner

    @property
    def binary(self) -> Binary:
        return self.inner.binary


class BareRclone:
    """The binary with global flags and an environment."""

    def __init__(
        self,
        binary: Binary,
        *,
        config: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self._config = config
        self._environment = dict(environment or {})
        self._user_agent = user_agent
        self._flags = tuple(flags)

    def start(self, order: Order) -> Child:
        """RcloneNotFound if the binary cannot be started."""
        own, command = self._global_flags(order.config or self._config), order.command
        given = (*own, *command.words, *command.flags)
        chosen = order.flags == (TOLD,) and any(word.startswith(_LOUDER) for word in given)
        flags = own if chosen else (*own, *order.flags)
        memory = {} if MEMORY.keys() & os.environ.keys() or not order.command.is_brief else MEMORY
        try:
            return process.start(
                order.command.argv(self.binary.path, flags),
                env=child_environment({**memory, **self._environment, **order.variables}),
                stdin=order.command.stdin,
                on_stdout=order.on.stdout,
                on_stderr=order.on.stderr,
                watch=order.on.watch,
                on_end=order.on.end,
            )
        except OSError as error:
            raise RcloneNotFound(f"{self.binary.path} cannot be started", why=str(error)) from error

    def _global_flags(self, config: Path | None) -> tuple[str, ...]:
        own = ["--use-json-log", "--ask-password=false"]
        if config is not None:
            own.append(f"--config={config}")
        if self._user_agent is not None:
            mine = "" if " rclone/" in f" {self._user_agent}" else f" rclone/v{self.binary.version}"
            own.append(f"--user-agent={self._user_agent}{mine}")
        return (*own, *self._flags)


MEMORY = {"GOGC": "off", "GOMEMLIMIT": "256MiB"}
"""For brief commands, unless the caller set one of them: Go collects garbage several times while
rclone starts, 13 of its 72 ms of CPU. Below the limit there is no need: an `about` takes 70 MiB
instead of 68, the list of a folder with 300,000 files 292 instead of 195."""

TOLD = "--log-level=DEBUG"
"""For a run that is not a transfer, whose log counts nothing: a caller's own takes its place."""
_LOUDER = ("-v", "--verbose", "-q", "--quiet")  # rclone refuses these beside it

KEPT = frozenset(
    f"RCLONE_{name}"
    for names in (
        "BIND BUFFER_SIZE BWLIMIT BWLIMIT_FILE CACHE_DIR CA_CERT CHECKERS CLIENT_CERT CLIENT_KEY",
        "CONTIMEOUT DISABLE_HTTP2 DISABLE_HTTP_KEEP_ALIVES EXPECT_CONTINUE_TIMEOUT HTTP_PROXY",
        "LOW_LEVEL_RETRIES MAX_BACKLOG MAX_BUFFER_MEMORY RETRIES RETRIES_SLEEP TEMP_DIR TIMEOUT",
        "TPSLIMIT TPSLIMIT_BURST TRANSFERS USE_MMAP",
    )
    for name in names.split()
)
"""The caller's RCLONE_… variables that pass: they concern the network and the pace.

rclone reads every option also from RCLONE_…: RCLONE_DRY_RUN, RCLONE_EXCLUDE or RCLONE_LOG_FILE of
the caller would change what is transferred or hide the log that we read, and RCLONE_CONFIG… would
bring in another configuration, or a token that wins over the one in the file. For these there are
options, and `Rclone(environment=…)`."""


def child_environment(explicit: Mapping[str, str]) -> dict[str, str]:
    """Our environment without RCLONE_… except `KEPT`, and `explicit`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("RCLONE_") or name in KEPT
    }
    bundle = passed.get("REQUESTS_CA_BUNDLE") or passed.get("CURL_CA_BUNDLE")
    if bundle and not passed.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR", "RCLONE_CA_CERT"}:
        # the sign-in trusts it; rclone reads neither of the two
        passed["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    return {**passed, **explicit}
