"""The real rclone reads what we write, and the reverse: plain and encrypted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from pluton_rclone.conf import encryption
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.ini import LOOP, parse
from pluton_rclone.errors import ConfigUnreadable
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.pairs import drive_of, joined, storage_of
from tests.conf.real_rclone import Daemon
from tests.conf.strategies import batches, files

PASSWORD = "Grüße # aus  ﬁle"
_BATCH = 10


@pytest.fixture(scope="module", params=[None, PASSWORD], ids=["plain", "encrypted"])
def daemon(request: pytest.FixtureRequest) -> Iterator[tuple[Daemon, str | None]]:
    with Daemon(request.param) as daemon:
        yield daemon, request.param


def _examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    )


def _start(folder: Path, password: str | None) -> Path:
    """An empty rclone.conf, encrypted or not."""
    path = folder / "rclone.conf"
    path.write_bytes(
        b"" if password is None else encryption.encrypt(b"", encryption.key_from_password(password))
    )
    return path


def written_remotes_are_read(daemon: Daemon, password: str | None, count: int) -> None:
    @given(batches(_BATCH))
    @_examples(count // _BATCH)
    def check(wanted: dict[str, OneDriveRemote]) -> None:
        path = _start(daemon.folder, password)
        conf = Conf(path, password=password)
        for name, remote in wanted.items():
            conf.add(name, remote.to_section())
        seen = storages(daemon.dump(path) or {})
        assert seen == {name: conf.section(name) for name in wanted}
        for name, remote in wanted.items():
            section = dict(seen[name])
            if not remote.sign_in:
                section.pop("pluton_sign_in")
            assert section == remote.to_section()
            assert OneDriveRemote.from_section(section) == remote
        assert encryption.is_encrypted(path.read_bytes()) == (password is not None)

    check()


def any_file_is_read_alike(daemon: Daemon, password: str | None, count: int) -> None:
    @given(files())
    @_examples(count)
    def check(data: bytes) -> None:
        path = daemon.folder / "any.conf"
        path.write_bytes(
            data
            if password is None
            else encryption.encrypt(data, encryption.key_from_password(password))
        )
        try:
            document = parse(data.decode("utf-8", "surrogateescape"))
            ours: dict[str, dict[str, str]] | None = {
                name: document.section(name) for name in document.names()
            }
        except ConfigUnreadable as refused:
            # a %(name)s that refers to itself overflows rclone's stack, and the daemon ends
            seen = None if refused.why == LOOP else daemon.dump(path)
            ours = None
        else:
            seen = daemon.dump(path)
        if ours is None:
            assert seen is None
            return
        assert document.text().encode("utf-8", "surrogateescape") == data
        assert seen == {
            _json(name): {_json(k): _json(v) for k, v in section.items()}
            for name, section in ours.items()
        }

    check()


def rclone_saves_what_we_wrote(daemon: Daemon, password: str | None, count: int) -> None:
    @given(batches(_BATCH).filter(lambda wanted: "other" not in wanted))
    @_examples(count // _BATCH)
    def check(wanted: dict[str, OneDriveRemote]) -> None:
        path = _start(daemon.folder, password)
        conf = Conf(path, password=password)
        conf.add("other", {"type": "memory"})
        for name, remote in wanted.items():
            conf.add(name, remote.to_section())
        before = {name: conf.section(name) for name in wanted}
        daemon.save(path, "other", "description", "changed by rclone")
        assert {name: conf.section(name) for name in wanted} == before
        assert conf.section("other")["description"] == "changed by rclone"

    check()


def storages(seen: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What rclone reads, with each storage as one section."""
    drives = {name: drive_of(seen, name) for name in seen if storage_of(seen, name) == name}
    return {
        name: joined(seen[name], None if drive == name else seen[drive])
        for name, drive in drives.items()
    }


def _json(text: str) -> str:
    """Bytes that are not UTF-8, as in rclone's JSON."""
    return "".join(
        "\ufffd" if "\udc80" <= character <= "\udcff" else character for character in text
    )


@pytest.mark.parametrize(
    "what", [written_remotes_are_read, any_file_is_read_alike, rclone_saves_what_we_wrote]
)
def test_the_real_rclone_and_this_library_read_each_other(
    what: Callable[[Daemon, str | None, int], None], daemon: tuple[Daemon, str | None]
) -> None:
    what(*daemon, 30)


@pytest.mark.soak
@pytest.mark.parametrize(
    "what", [written_remotes_are_read, any_file_is_read_alike, rclone_saves_what_we_wrote]
)
def test_the_real_rclone_and_this_library_read_each_other_for_long(
    what: Callable[[Daemon, str | None, int], None], daemon: tuple[Daemon, str | None]
) -> None:
    what(*daemon, 2000)
