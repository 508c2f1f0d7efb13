"""What every test may ask for: the emulated Microsoft, and a home folder of its own."""

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

# The same examples in every run, and none is too slow: what is red is red for everybody, and says
# something about the code. `--hypothesis-profile=explore` looks for new ones.
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
"""What this process runs through, for `make coverage`: in each worker of pytest-xdist."""


MEMORY = "/dev/shm"
ROOM = 2 * 2**30
"""Bytes that have to be free there: a whole run takes some hundred MB."""


def _work_in_memory(config: pytest.Config) -> None:
    """Temporary folders lie in memory, unless TMPDIR says where. The tests save rclone.conf tens of
    thousands of times, each time until it is on the disk: 4 ms (12 on a busy machine), and 0.2 of
    CPU. Not in a container's 64 MB, or where no script can run."""
    try:
        disk = os.statvfs(MEMORY)
    except OSError:
        return
    too_small = disk.f_bavail * disk.f_frsize < ROOM
    if "TMPDIR" in os.environ or too_small or disk.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
        return
    folder = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="tests-", dir=MEMORY)
    tempfile.tempdir = None  # whoever asks again is told this one; workers inherit the variable
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def _forget_folders() -> None:
    """Removes the words that killed programs left of their private folders, which are gone."""
    words = Path(MEMORY, f"pluton-rclone-{os.getuid()}")
    for word in words.glob("*"):
        if word.is_symlink() and not word.exists():
            word.unlink(missing_ok=True)
    with suppress(OSError):  # another run's are in it
        words.rmdir()


def pytest_configure(config: pytest.Config) -> None:
    """Signals mean what they mean in the tests and in what they start, also where the suite runs in
    a script's background or under nohup: there SIGINT or SIGHUP is ignored, and ignoring is
    inherited (POSIX, Shell Command Language, 2.11).
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    if not hasattr(config, "workerinput"):
        config.add_cleanup(_forget_folders)  # the last of them
    _work_in_memory(config)
    gc.disable()  # all that is made until the tests begin is there to stay
    if os.environ.get("COVERED"):
        from coverage import Coverage

        MEASURED.append(Coverage(data_suffix=True))
        MEASURED[0].start()


def pytest_collection(session: pytest.Session) -> None:
    """Each worker of pytest-xdist begins with another part of the files: the assertions of each are
    rewritten once, and kept for all. Side by side, eight did that for all, in 10 s of CPU each."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    root, named = session.config.rootpath, (one.partition("::")[0] for one in session.config.args)
    places = [Path(session.config.invocation_params.dir, place) for place in named]
    files = {file for place in places for file in place.rglob("test_*.py")}
    files |= {place for place in places if place.is_file()}
    for file in sorted(files)[int(worker["workerid"][2:]) :: worker["workercount"]]:
        with suppress(Exception):  # a fault is told when it is collected, if it is
            import_module(".".join(file.relative_to(root).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules are no garbage: each collection looked through them."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    for measured in MEASURED:
        measured.stop()
        measured.save()


# What rclone, restic, Prefect, terminals, desktops, systemd and ours hear of the person who tests.
OF_A_PERSON = re.compile(
    "(RCLONE|RESTIC|PLUTON|PREFECT|XDG|DBUS|AWS)_.*|(HTTPS?|ALL|NO)_PROXY|(WAYLAND_)?DISPLAY|"
    "SSL_CERT_(FILE|DIR)|(CURL|REQUESTS)_CA_BUNDLE|NO_COLOR|FORCE_COLOR|COLUMNS|LINES|BROWSER|TZ|"
    "NOTIFY_SOCKET|INVOCATION_ID|JOURNAL_STREAM|CREDENTIALS_DIRECTORY|NETRC|GO(GC|MEMLIMIT|DEBUG)",
    re.IGNORECASE,
)


@pytest.fixture(scope="session", autouse=True)
def of_nobody() -> Iterator[None]:
    """What the person who runs the tests has set in their shell changes nothing in the tests, but
    for what fetches from a package index (outside.py)."""
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
    """Private configs, sockets and notes lie in a folder of this run: nothing stays on the machine.

    A short path of its own, because a unix socket's may have 107 bytes (unix(7)).
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="pluton-", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("XDG_RUNTIME_DIR", folder)
        patch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
        # nor is anything asked of the keyring of the person who runs the tests
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        # Half of what an rclone of these tests costs is Go's garbage collection while it starts
        # (78 ms of CPU, 47 ms without). The limit is when it begins to collect after all.
        patch.setenv("GOGC", "off")
        patch.setenv("GOMEMLIMIT", "128MiB")
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def port_of_rclone() -> Iterator[None]:
    """No connection of these tests takes the port of rclone's own sign-in by chance."""
    from tests.rclone_port import kept_free

    held = None
    with suppress(OSError):  # somebody has it now: who needs it waits in `rclone_port`
        held = kept_free()
    yield
    if held is not None:
        held.close()


@pytest.fixture(scope="session")
def forks(runtime_folder: Path) -> Iterator[Forks]:
    """Starts commands of ours as processes, without a Python's start and imports for each."""
    from tests.forked import forking

    with forking(runtime_folder) as forks:
        yield forks


@pytest.fixture(scope="session", autouse=True)
def renewed_by_forks(forks: Forks) -> Iterator[Callable[..., None]]:
    """A token is renewed by a fork, too: hundreds are, and a Python and its imports are 0.3 s of
    CPU for each. Yields what the product does."""
    from pluton_rclone import process

    kept = process.to_the_end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "to_the_end", forks.to_the_end)
        yield kept


@pytest.fixture
def renewed_by_python(
    renewed_by_forks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is renewed by a Python of its own, as for users."""
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
    """A keyring of this process: its entries for rclone.conf, by path."""
    from tests.keyrings import kept

    yield from kept()


@pytest.fixture
def cloud(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Microsoft, emulated: whatever this test and its child processes ask of Microsoft lands here.

    A fault of the emulator itself fails the test, whatever the client made of the answer.
    """
    from pluton_rclone.emulator import Emulator
    from pluton_rclone.emulator.command import LEADING_AWAY

    with Emulator() as emulator:
        emulator.world.lifetimes.device_poll_interval = 1
        for name in LEADING_AWAY:
            monkeypatch.delenv(name, raising=False)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        # Go reads the system's 290 certificates, too, which is 5 of the 50 ms of CPU of an rclone.
        monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
        yield emulator
    assert emulator.crashes == []


@pytest.fixture
def browser(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`browser("anna@outlook.com", accept=True)`: who sits at the browser that Python's webbrowser
    opens.

    The sign-in pages are answered in a thread, as the program that opened them has to receive the
    answer.
    """
    threads: list[threading.Thread] = []
    failures: list[BaseException] = []

    def answer(username: str, *, accept: bool = True) -> None:
        person = cloud.person(username)

        def visit(address: str) -> None:
            try:
                person.visit(address, accept=accept)
            except OSError as error:  # whoever opened the page did not wait for the answer
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
    """What other tests asked of Microsoft, and what they found out about its limits, is no matter
    of this one, also in the file that processes share: the tests' own, not the machine's."""
    from pluton_rclone.pace import ledger
    from pluton_rclone.process import folders

    monkeypatch.setattr(ledger, "BUDGETS", {})
    for file in folders.runtime_folder().glob(f"{ledger.FILE}*"):
        file.unlink(missing_ok=True)  # another worker may look there, too


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runtime folder that a desktop session has, so that nothing is left in the machine's
    memory."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder
