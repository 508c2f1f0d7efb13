"""Fixtures for every test: the emulated Microsoft, an empty home folder, processes, a browser."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from coverage import Coverage

    from pluton_rclone.emulator import Emulator
    from tests.forked import Forks

# Every run has the same examples, and none is too slow: a failure is reproducible, and its cause is
# in the code. `--hypothesis-profile=explore` looks for new examples.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    settings.get_profile("suite"),
    derandomize=False,
    max_examples=200,
    print_blob=True,
)
settings.load_profile("suite")

MEASURED: list[Coverage] = []
"""The coverage of this process, for `make coverage`; each worker of pytest-xdist has its own."""


MEMORY = "/dev/shm"
ROOM = 2 * 2**30
"""Bytes that must be free in MEMORY: a whole run takes some hundred MB."""


def _work_in_memory(config: pytest.Config) -> None:
    """Put temporary folders in memory, unless TMPDIR is set. The tests save rclone.conf tens of
    thousands of times, and each sync to a disk takes 4 ms (12 on a busy machine), 0.2 of it CPU.
    Not with a container's 64 MB, or where scripts cannot run."""
    try:
        disk = os.statvfs(MEMORY)
    except OSError:
        return
    too_small = disk.f_bavail * disk.f_frsize < ROOM
    if "TMPDIR" in os.environ or too_small or disk.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
        return
    folder = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="tests-", dir=MEMORY)
    tempfile.tempdir = None  # looked up again on next use; workers inherit the variable
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def _forget_folders() -> None:
    """Remove the links that killed programs left to their private folders, which are gone."""
    words = Path(MEMORY, f"pluton-rclone-{os.getuid()}")
    for word in words.glob("*"):
        if word.is_symlink() and not word.exists():
            word.unlink(missing_ok=True)
    with suppress(OSError):  # another run has links there
        words.rmdir()


def pytest_configure(config: pytest.Config) -> None:
    """Restore SIGINT and SIGHUP for the tests and their processes. In a script's background, or
    under nohup, they are ignored, which is inherited (POSIX, Shell Command Language, 2.11).
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    if not hasattr(config, "workerinput"):
        config.add_cleanup(_forget_folders)  # runs last
    _work_in_memory(config)
    gc.disable()  # until the tests begin: all objects made so far stay
    if os.environ.get("COVERED"):
        from coverage import Coverage

        MEASURED.append(Coverage(data_suffix=True))
        MEASURED[0].start()


def pytest_collection(session: pytest.Session) -> None:
    """Let each worker of pytest-xdist import a different part of the files first: the assertions of
    a file are then rewritten once, for all. Eight workers each took 10 s of CPU to rewrite all."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    root, named = session.config.rootpath, (one.partition("::")[0] for one in session.config.args)
    places = [Path(session.config.invocation_params.dir, place) for place in named]
    files = {file for place in places for file in place.rglob("test_*.py")}
    files |= {place for place in places if place.is_file()}
    for file in sorted(files)[int(worker["workerid"][2:]) :: worker["workercount"]]:
        with suppress(Exception):  # collection reports it, if the file is collected
            import_module(".".join(file.relative_to(root).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Exempt the tests and modules, which stay, from each garbage collection."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    for measured in MEASURED:
        measured.stop()
        measured.save()


# The variables that configure rclone, restic, Prefect, terminals, desktops, systemd and us.
OF_A_PERSON = re.compile(
    "(RCLONE|RESTIC|PLUTON|PREFECT|XDG|DBUS|AWS)_.*|(HTTPS?|ALL|NO)_PROXY|(WAYLAND_)?DISPLAY|"
    "SSL_CERT_(FILE|DIR)|(CURL|REQUESTS)_CA_BUNDLE|NO_COLOR|FORCE_COLOR|COLUMNS|LINES|BROWSER|TZ|"
    "NOTIFY_SOCKET|INVOCATION_ID|JOURNAL_STREAM|CREDENTIALS_DIRECTORY|NETRC|GO(GC|MEMLIMIT|DEBUG)",
    re.IGNORECASE,
)


@pytest.fixture(scope="session", autouse=True)
def of_nobody() -> Iterator[None]:
    """Isolate the tests from the user's shell variables, except for downloads from a package index
    (outside.py)."""
    from tests.outside import ENVIRONMENT

    mask = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(OF_A_PERSON.fullmatch, ENVIRONMENT):
            patch.delenv(name)
        time.tzset()
        yield
    os.umask(mask)


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(of_nobody: None) -> Iterator[Path]:
    """A folder of this run for private configs, sockets and notes: nothing stays on the machine.

    Its path is short, because that of a unix socket is limited to 107 bytes (unix(7)).
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="pluton-", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("XDG_RUNTIME_DIR", folder)
        patch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
        # no test uses the keyring of the person who runs the tests
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        # Go's garbage collection during start-up is a large part of an rclone's cost in these tests
        # (78 ms of CPU, 47 ms without it). Above the limit, it collects after all.
        patch.setenv("GOGC", "off")
        patch.setenv("GOMEMLIMIT", "128MiB")
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def port_of_rclone() -> Iterator[None]:
    """Keep connections of these tests from taking the port of rclone's own sign-in by chance."""
    from tests.rclone_port import kept_free

    held = None
    with suppress(OSError):  # it is in use: a test that needs it waits in `rclone_port`
        held = kept_free()
    yield
    if held is not None:
        held.close()


@pytest.fixture(scope="session")
def forks(runtime_folder: Path) -> Iterator[Forks]:
    """Starts our commands as processes without Python's start-up and imports for each."""
    from tests.forked import forking

    with forking(runtime_folder) as forks:
        yield forks


@pytest.fixture(scope="session", autouse=True)
def renewed_by_forks(forks: Forks) -> Iterator[Callable[..., None]]:
    """Renew tokens in forks, too: there are hundreds of renewals, and a new Python and its imports
    take 0.3 s of CPU each. Yields the product's own function."""
    from pluton_rclone import process

    kept = process.to_the_end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "to_the_end", forks.to_the_end)
        yield kept


@pytest.fixture
def renewed_by_python(
    renewed_by_forks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renew tokens in a new Python, as the product does."""
    monkeypatch.setattr("pluton_rclone.process.to_the_end", renewed_by_forks)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder: nothing of the person who runs the tests is read or written."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("RCLONE_CONFIG", str(folder / "rclone.conf"))
    return folder


@pytest.fixture
def folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder of this process has been removed."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()


@pytest.fixture
def keyring() -> Iterator[dict[str, str]]:
    """A keyring for this process; yields its entries for rclone.conf, by path."""
    from tests.keyrings import kept

    yield from kept()


@pytest.fixture
def cloud(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The emulated Microsoft, which gets every request of this test and its child processes.

    An exception in the emulator itself fails the test, however the client handled the answer.
    """
    from pluton_rclone.emulator import Emulator
    from pluton_rclone.emulator.command import LEADING_AWAY

    with Emulator() as emulator:
        emulator.world.lifetimes.device_poll_interval = 1
        for name in LEADING_AWAY:
            monkeypatch.delenv(name, raising=False)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        # Otherwise Go also reads the system's 290 certificates: 5 of an rclone's 50 ms of CPU.
        monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
        yield emulator
    assert emulator.crashes == []


@pytest.fixture
def browser(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`browser("anna@outlook.com", accept=True)` sets the person at the browser that Python's
    webbrowser opens.

    A thread answers the sign-in pages, because the program that opened them has to receive the
    answer.
    """
    threads: list[threading.Thread] = []
    failures: list[BaseException] = []

    def answer(username: str, *, accept: bool = True) -> None:
        person = cloud.person(username)

        def visit(address: str) -> None:
            try:
                person.visit(address, accept=accept)
            except OSError as error:  # the program that opened the page did not wait
                failures.append(error)

        def opened(address: str, new: int = 0, autoraise: bool = True) -> bool:
            threads.append(threading.Thread(target=visit, args=(address,)))
            threads[-1].start()
            return True

        monkeypatch.setattr(webbrowser, "open", opened)

    yield answer
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture(autouse=True)
def no_memory_of_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the requests of other tests and the limits that they found, in memory and in the file
    that processes share (in the tests' runtime folder, not the machine's)."""
    from pluton_rclone.pace import ledger
    from pluton_rclone.process import folders

    monkeypatch.setattr(ledger, "BUDGETS", {})
    for file in folders.runtime_folder().glob(f"{ledger.FILE}*"):
        file.unlink(missing_ok=True)  # another worker may remove it, too


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder such as a desktop session has, so that nothing is left in the machine's
    memory."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder
