"""Runs restic on a storage, through our rclone and a private rclone.conf that is merged back."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from pluton_rclone import errors, process
from pluton_rclone.pace import outside
from pluton_rclone.process import Child, Completed, terminal
from pluton_rclone.process.pipes import Source
from pluton_rclone.process.spawning import killed_with_parent
from pluton_rclone.process.system import KILL
from pluton_rclone.rclone.runner import child_environment
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import Recording
from pluton_rclone.saved.lent import lend
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.saved.wrapping import runs_of
from pluton_rclone.values.program import USER_AGENT
from pluton_rclone.values.redaction import redact
from pluton_rclone.values.token_text import TOKEN

log = logging.getLogger(__name__)

VARIABLE = "PLUTON_RESTIC_BINARY"
_USER_AGENT = f"{USER_AGENT} restic"
# restic's default for its rclone.args (0.14 to 0.18, internal/backend/rclone), without a B2 flag.
_SERVE = ["serve", "restic", "--stdio", f"--user-agent={_USER_AGENT}"]

LADDER = ((signal.SIGINT, 30.0), (signal.SIGTERM, 5.0), (KILL, 5.0))
"""The signals that end a restic, which first removes its lock from the repository."""
INTERRUPTED = 130
"""restic's exit code after SIGINT (its manual, "Scripting")."""
_UNREACHED = b"error talking HTTP to rclone"  # in every version (internal/backend/rclone)
_STARTS = 60.0  # seconds, as in restic (its rclone.timeout), for an rclone to start
_ANOTHER_REPOSITORY = ("--from-repo", "--repo2", "RESTIC_FROM_REPOSITORY", "RESTIC_REPOSITORY2")


@dataclass(frozen=True)
class _Begun:
    argv: list[str]
    environment: dict[str, str] = field(repr=False)
    recording: Recording
    let_go: Callable[[], None]


class Restic:
    """One restic repository in a storage. Its private rclone.conf exists within the `with` block.

    The caller sets the repository's password: RESTIC_PASSWORD, RESTIC_PASSWORD_FILE or
    RESTIC_PASSWORD_COMMAND, in `environment` or in this process's environment. No argument contains
    a secret."""

    def __init__(
        self,
        saved: SavedRemote,
        path: str = "restic",
        *,
        binary: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._saved, self._wanted = saved, binary
        self._runs = runs_of(saved.conf)
        self._given = dict(environment or {})
        self._open: ExitStack | None = None
        self._lent: dict[str, str] = {}
        self._numbers = count()  # of restics
        self.repository = f"rclone:{saved.at(path)}"

    @property
    def options(self) -> list[str]:
        """restic's own options: which rclone to start, and how. They contain no secrets."""
        program = shlex.join([*killed_with_parent(), self._saved.rclone.binary.path])
        return ["-o", f"rclone.program={program}", "-o", f"rclone.args={shlex.join(_SERVE)}"]

    @property
    def environment(self) -> dict[str, str]:
        """restic's whole environment, which rclone inherits. UsageError if it is not open."""
        if self._open is None:
            advice = "Use `with storage.restic() as restic:`."
            raise errors.UsageError("The repository is not open.", advice=advice)
        # restic accepts either, and the caller may have set the file for another repository
        ours = {"RESTIC_REPOSITORY": self.repository, "RESTIC_REPOSITORY_FILE": ""}
        return child_environment({**self._lent, **self._given, **ours})

    def argv(self, *arguments: str) -> list[str]:
        """The command line for restic's `arguments`. ResticNotFound."""
        return [find_restic(self._wanted), *self.options, *arguments]

    def start(
        self,
        *arguments: str,
        stdin: Source | None = None,
        on_stdout: Callable[[bytes], None] | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
    ) -> Child:
        """Start restic; callbacks as for `process.start`."""
        starting = threading.Lock()
        with ExitStack() as stack, starting:
            begun = stack.enter_context(self._begun(arguments))

            def end() -> None:
                with starting:  # it may end before `child` is assigned
                    if child.stopped and child.returncode:
                        begun.recording.broke_off(errors.Cancelled("restic was stopped."))
                    else:  # it may have ended before the signal
                        begun.recording.exited(child.returncode or 0)
                    held.close()

            child = process.start(
                begun.argv,
                env=begun.environment,
                stdin=stdin,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
                on_signal=begun.let_go,
                on_end=end,
                ladder=LADDER,
            )
            held = stack.pop_all()
        return child

    def run(self, *arguments: str, timeout: float | None = None) -> Completed:
        """Run restic to its end; a failure is in the exit status. TimeoutError after `timeout`
        seconds, once it has ended."""
        return process.collected(partial(self.start, *arguments), timeout)

    def fault(self, said: bytes) -> errors.PlutonRcloneError:
        """Why restic failed, from its stderr: Microsoft's refusal of its rclone, or restic's own
        last message. UsageError if the repository is not open."""
        refused = _refusal(said)
        if refused is None and _UNREACHED in said:
            refused = _refusal(self._words_of_rclone())
        if refused is not None:
            self._saved.rclone.suit(refused)
            return refused
        lines = said.decode(errors="replace").strip().split("\n")
        first = max((n for n, line in enumerate(lines) if line.startswith("Fatal: ")), default=-1)
        why, advice = redact(" ".join(lines[first:]))[:500], "Run restic by hand for details."
        lasts = "wrong password" in why or "unable to open config" in why
        return errors.TransferFailed(
            "restic failed.", why=why or None, advice=advice, retry=not lasts
        )

    def _words_of_rclone(self) -> bytes:
        """What restic's rclone reports if started by itself. Before 0.15, restic may miss the
        output of an rclone that ends at once: it closes the pipe too early (restic's 5600f1169)."""
        at = self.repository.removeprefix("rclone:")
        argv = [self._saved.rclone.binary.path, *_SERVE, at]
        try:
            said = process.run(argv, env=self.environment, timeout=_STARTS).stderr
        except (OSError, TimeoutError):
            return b""
        return b"".join(b"rclone: %s\n" % line for line in said.split(b"\n") if line)

    def foreground(self, *arguments: str) -> int:
        """Run restic on our terminal; return its exit code (`terminal.foreground`)."""
        with self._begun(arguments) as begun:
            argv = [os.path.abspath(begun.argv[0]), *begun.argv[1:]]
            status = terminal.foreground(
                argv,
                env=begun.environment,
                on_signal=begun.let_go,
                ends_with=signal.SIGINT,  # before 0.17, it does not remove its lock on SIGTERM
            )
            if status == INTERRUPTED:
                begun.recording.broke_off(errors.Cancelled("restic was stopped."))
            else:
                begun.recording.exited(status)
        return status

    @contextmanager
    def _begun(self, arguments: Iterable[str]) -> Iterator[_Begun]:
        """A run of restic, with its rclone at the account's pace. If restic starts two rclones, one
        metrics socket cannot count both."""
        argv, environment = self.argv(*arguments), self.environment
        words = [*arguments, *environment]
        two = any(word.startswith(_ANOTHER_REPOSITORY) for word in words)
        run = Run.restic(self._saved.name, self.repository.removeprefix("rclone:"), arguments)
        socket = Path(self._lent["RCLONE_CONFIG"]).with_name(f"asked{next(self._numbers)}")
        with (
            self._runs.begin(run) as recording,
            outside.paced(self._saved, None if two else socket) as (variables, let_go),
        ):
            yield _Begun(argv, {**environment, **variables}, recording, let_go)

    def environment_for_people(self) -> dict[str, str]:
        """Variables to run restic by hand: the real rclone.conf, our rclone first on PATH, no
        secrets. UsageError for a storage with a certificate, which only this library can use."""
        remote = self._saved.options
        if remote.certificate and remote.client_secret is None:
            raise errors.UsageError(
                "restic cannot use this storage on its own: rclone cannot read its certificate.",
                advice="Run restic through this library.",
                next_step=errors.NextStep.RUN_RESTIC,
            )
        folder = os.path.dirname(self._saved.rclone.binary.path)
        return {
            "RESTIC_REPOSITORY": self.repository,
            "RCLONE_CONFIG": str(self._saved.conf.named),
            "RCLONE_USER_AGENT": _USER_AGENT,
            "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }

    def __enter__(self) -> Restic:
        if self._open is not None:
            raise errors.UsageError("The repository is open already.")
        self._renew_if_refused()
        self._lend()
        return self

    def _lend(self) -> None:
        with ExitStack() as stack:
            saved, version = self._saved, self._saved.rclone.binary.version
            loan = stack.enter_context(lend(saved.conf, [saved.name], version, warn=log.warning))
            lent = {"RCLONE_CONFIG": str(loan.path), "RCLONE_ASK_PASSWORD": "false"}
            self._lent = {**lent, **loan.environment}
            self._open = stack.pop_all()

    def refused(self) -> bool:
        """Whether Microsoft refuses the last restic's token before it expires (rclone does not
        renew such a token). If so, it is renewed: start restic again."""
        before = self._saved.section.get(TOKEN)
        self._renew_if_refused()
        if self._saved.section.get(TOKEN) == before:
            return False
        self.__exit__()
        self._lend()
        return True

    def _renew_if_refused(self) -> None:
        """Renew a refused token, which restic's rclone would not. SignInError, which restic would
        not report; other errors are left to restic."""
        from pluton_rclone.microsoft.graph.graph import drive_path

        try:
            with self._saved.graph() as graph:
                graph.get(drive_path(self._saved.options.drive_id), {"$select": "id"})
        except errors.SignInError:
            raise
        except errors.PlutonRcloneError:
            pass

    def __exit__(self, *_: object) -> None:
        held, self._open = self._open, None
        self._lent = {}
        if held is not None:
            held.close()


def _refusal(said: bytes) -> errors.PlutonRcloneError | None:
    """Microsoft's refusal of restic's rclone, from restic's stderr; None if there is none."""
    from pluton_rclone.rclone import events, faults

    for line in reversed(said.decode(errors="replace").strip().split("\n")):
        text = events.parse(line.removeprefix("rclone: ").encode()).text
        if line.startswith("rclone: ") and faults.meaning(text):
            return faults.fault(text)
    return None


def find_restic(path: str | os.PathLike[str] | None = None) -> str:
    """The restic to use: `path`, PLUTON_RESTIC_BINARY, or on PATH. ResticNotFound."""
    named = path if path is not None else os.environ.get(VARIABLE)
    found = shutil.which(os.path.expanduser(named or "restic"))
    if found is None:
        origin = f" (from {VARIABLE})" if path is None else ""
        where = f"at {os.fspath(named)!r}{origin}" if named else "on PATH"
        raise errors.ResticNotFound(f"There is no restic {where}.")
    return found


def as_shell(variables: Mapping[str, str]) -> str:
    """`export NAME=value` lines, quoted for a shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
