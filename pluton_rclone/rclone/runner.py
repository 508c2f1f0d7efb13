"""Runners start rclone: either the bare binary, or with additions to the runs of another runner."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pluton_rclone import process
from pluton_rclone.process import Child

from .binary import Binary, not_started
from .commands import Command


def nothing(*_: object) -> None:
    """Discards output and notices."""


class Callbacks(NamedTuple):
    """The callbacks of a run, called in the child's threads (see `process.start`)."""

    stdout: Callable[[bytes], None] | None = None
    """Gets each block; if None, the caller reads the output from the child."""
    stderr: Callable[[bytes], None] = nothing
    """Gets each line of rclone's log."""
    watch: Callable[[], float | None] | None = None
    end: Callable[[], None] = nothing
    """Called once, after rclone has ended."""
    notice: Callable[[str], None] = nothing
    """Gets messages for the user while rclone runs."""


class Order(NamedTuple):
    """A run to start, as the caller requests it, with the additions of the runners in between."""

    command: Command
    flags: tuple[str, ...] = ()
    on: Callbacks = Callbacks()
    config: Path | None = None
    """The rclone.conf for rclone, by default the runner's."""
    variables: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Order({self.command!r})"  # the variables may hold a password

    @property
    def every_flag(self) -> tuple[str, ...]:
        return (*self.flags, *self.command.flags)

    def plus(self, variables: Mapping[str, str]) -> Order:
        """A copy with additional `variables`."""
        return self._replace(variables={**self.variables, **variables})

    def calling(self, **callbacks: Callable[..., None]) -> Order:
        """A copy with these members of `Callbacks` replaced."""
        return self._replace(on=self.on._replace(**callbacks))


class Runner(Protocol):
    """Starts rclone; the caller owns the child."""

    @property
    def binary(self) -> Binary: ...

    def start(self, order: Order) -> Child: ...


class Around:
    """The base of runners that add something to the runs of another runner."""

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
        """Start the run. Raises RcloneNotFound if the binary cannot be started."""
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
            raise not_started(f"{self.binary.path} cannot be started", error) from error

    def _global_flags(self, config: Path | None) -> tuple[str, ...]:
        own = ["--use-json-log", "--ask-password=false"]
        if config is not None:
            own.append(f"--config={config}")
        if self._user_agent is not None:
            mine = "" if " rclone/" in f" {self._user_agent}" else f" rclone/v{self.binary.version}"
            own.append(f"--user-agent={self._user_agent}{mine}")
        return (*own, *self._flags)


MEMORY = {"GOGC": "off", "GOMEMLIMIT": "256MiB"}
"""For brief commands, unless the caller has set one of these: Go's garbage collector runs several
times while rclone starts, which takes 13 of its 72 ms of CPU. Below the limit that is not needed:
`about` takes 70 MiB instead of 68, a list of a folder with 300,000 files 292 instead of 195."""

TOLD = "--log-level=DEBUG"
"""For a run that is not a transfer; a flag of the caller for the log replaces it."""
# rclone rejects these with --log-level
_LOUDER = ("-v", "--verbose", "-q", "--quiet", "--log-level")

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
"""The RCLONE_… variables of the caller that rclone inherits: those for the network and the pace.

rclone reads every option from RCLONE_… as well. The caller's RCLONE_DRY_RUN, RCLONE_EXCLUDE or
RCLONE_LOG_FILE would change what is transferred or hide the log that we read, and RCLONE_CONFIG…
would bring in another configuration, or a token that overrides the one in the file. Use options or
`Rclone(environment=…)` for these."""


def child_environment(explicit: Mapping[str, str]) -> dict[str, str]:
    """Our environment, of RCLONE_… only the variables in `KEPT`, plus `explicit`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("RCLONE_") or name in KEPT
    }
    bundle = passed.get("REQUESTS_CA_BUNDLE") or passed.get("CURL_CA_BUNDLE")
    if bundle and not passed.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR", "RCLONE_CA_CERT"}:
        # our sign-in trusts this bundle; rclone reads neither of the two variables
        passed["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    for name in ("HTTPS_PROXY", "NO_PROXY"):  # requests prefers lower case, Go upper case
        small = passed.get(name.lower())
        if small or (small == "" and name == "HTTPS_PROXY"):  # an empty one switches it off
            passed[name] = small
    every = passed.get("all_proxy", passed.get("ALL_PROXY"))  # unknown to Go
    if every and not passed.get("HTTPS_PROXY"):
        passed["HTTPS_PROXY"] = every
    return {**passed, **explicit}
