"""The token broker: rclones are lent access tokens; refresh tokens stay at home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.conf.conf import Conf
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, RCLONE_CLIENT_ID, Emulator
from pluton_rclone.emulator.entra.sessions import Sessions
from pluton_rclone.errors import StorageNotFound, TokenExpired
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.sign_in import refresh
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.rclone.runner import child_environment
from pluton_rclone.saved.lent import lend
from pluton_rclone.saved.renewal import good_token, renewed_here
from pluton_rclone.values.token_text import token_digest
from pluton_rclone.values.versions import NEWEST, Feature, Version
from tests.conf.real_rclone import RCLONE
from tests.connected import ANNA, connected
from tests.forked import Forks
from tests.terminal import PATIENCE

SOON = 12.0
"""Seconds until a token expires; rclone counts ten seconds early."""


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    """Its token expires while its folders are listed, and a refresh token works only once."""
    cloud.quirks.refresh_tokens_once()
    cloud.faults.latency = 0.2
    cloud.files.drive_of(ANNA).write("1/2/3/4/5/6/7/8/9/10/11/12/a.txt", b"a")
    return connected(cloud, seconds=SOON)


def renewals(cloud: Emulator) -> list[int]:
    """The answers to requests for a token, by status."""
    return [request.status for request in cloud.requests if request.path.endswith("/token")]


def token(conf: Conf, name: str = "personal") -> dict[str, str]:
    return dict(json.loads(conf.section(name)["token"]))


def secrets_of(cloud: Emulator) -> list[str]:
    return list(cloud.world.part(Sessions).refresh_tokens)


def rclone(config: Path, *words: str) -> str:
    done = subprocess.run(
        [RCLONE, f"--config={config}", *words],
        env=child_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


IN_ANOTHER_PROCESS = """
from pluton_rclone import Storages
print(sum(1 for _ in Storages()["personal"].rclone.walk("personal:")))
"""


@pytest.mark.usefixtures("renewed_by_python")
def test_of_four_rclones_in_three_processes_one_gets_a_new_token_for_all(
    cloud: Emulator, storage: Storage, forks: Forks
) -> None:
    with ThreadPoolExecutor() as threads:
        others = [threads.submit(forks.run, "-c", IN_ANOTHER_PROCESS) for _ in range(2)]
        walks = [
            threads.submit(lambda: list(Storages()["personal"].rclone.walk("personal:")))
            for _ in range(2)
        ]
        assert {len(walk.result()) for walk in walks} == {13}
        assert {other.result().stdout for other in others} == {b"13\n"}
    assert renewals(cloud) == [200]
    assert storage.list()


def test_a_path_that_somebody_put_on_pythons_path_is_no_obstacle(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = connected(cloud, seconds=-1)
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/opt/site")])
    assert expired.list() == []
    assert renewals(cloud) == [200]


def test_no_refresh_token_is_in_a_lent_file_and_nothing_needs_to_come_home(
    cloud: Emulator, storage: Storage
) -> None:
    conf = storage.storages.conf
    with ExitStack() as stack:
        loans = [stack.enter_context(lend(conf, ["personal"], NEWEST)) for _ in range(4)]
        lent = [loan.path.read_text() for loan in loans]
        with ThreadPoolExecutor() as threads:
            for loan in loans:
                threads.submit(rclone, loan.path, "lsjson", "-R", "personal:")
        lent += [loan.path.read_text() for loan in loans]
        known = secrets_of(cloud)
        assert len(known) == 2
        assert not any(secret in text for text in lent for secret in known)
        assert {json.loads(conf_token(text))["access_token"] for text in lent[4:]} == {
            token(conf)["access_token"]
        }
        at_home = conf.path.read_bytes()
    assert conf.path.read_bytes() == at_home
    assert renewals(cloud) == [200]


def conf_token(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("token =")).split("= ")[1]


def below(process: int) -> Iterator[int]:
    """The processes that another one started."""
    for each in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{each}/stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == process:
            yield int(each)


def test_no_refresh_token_is_in_what_an_rclone_of_ours_is_started_with(
    cloud: Emulator, storage: Storage
) -> None:
    listing = storage.rclone.walk("personal:")
    next(listing)
    seen = b""
    for process in below(os.getpid()):
        with suppress(OSError):  # a process of another test ends
            seen += Path(f"/proc/{process}/cmdline").read_bytes()
            seen += Path(f"/proc/{process}/environ").read_bytes()
    assert b"--config" in seen
    config = next(word for word in seen.split(b"\0") if word.startswith(b"--config="))
    seen += Path(config.removeprefix(b"--config=").decode()).read_bytes()
    assert len(list(listing)) == 12
    assert not any(secret.encode() in seen for secret in secrets_of(cloud))


def test_what_is_given_out_is_at_home_before_and_a_loan_ends_with_its_run(
    cloud: Emulator, storage: Storage
) -> None:
    conf = storage.storages.conf
    with lend(conf, ["personal"], NEWEST, {token_digest(token(conf)["access_token"])}) as loan:
        copy = loan.path.read_text()
        rclone(loan.path, "lsjson", "personal:")
    assert token(conf)["refresh_token"] == secrets_of(cloud)[-1]
    again = loan.path.parent / "again.conf"
    again.parent.mkdir(parents=True)
    again.write_text(copy)
    with pytest.raises(AssertionError, match="connection refused"):
        rclone(again, "lsjson", "personal:", "--low-level-retries=1", "--retries=1")


def test_a_renewed_token_finds_its_remote_under_another_name_and_not_a_newer_sign_in(
    cloud: Emulator, storage: Storage
) -> None:
    conf = storage.storages.conf
    given = {token_digest(token(conf)["access_token"])}
    with lend(conf, ["personal"], NEWEST, given) as loan:
        conf.rename("personal", "other")
        rclone(loan.path, "lsjson", "personal:")
        assert token(conf, "other")["refresh_token"] == secrets_of(cloud)[-1]
    keep = conf.keeper("other")
    newer = connected(cloud, name="newer").section_with_secrets()["token"]
    conf.update("other", {"token": newer})
    keep(json.dumps({"access_token": "a", "refresh_token": "b", "expiry": "2045-01-01T00:00:00Z"}))
    assert conf.section("other")["token"] == newer


def test_a_remote_that_was_removed_gives_its_rclones_nothing_more(
    cloud: Emulator, storage: Storage
) -> None:
    conf = storage.storages.conf
    with lend(conf, ["personal"], NEWEST, {token_digest(token(conf)["access_token"])}) as loan:
        conf.delete("personal")
        with pytest.raises(AssertionError, match="no longer exists"):
            rclone(loan.path, "lsjson", "personal:")


def test_a_token_that_another_program_renewed_meanwhile_is_taken(
    cloud: Emulator, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, present = storage.storages.conf, token(storage.storages.conf)
    other = Token.from_rclone(json.dumps(present))

    def faster(self: Conf, name: str = "") -> None:
        conf.keeper("personal")(refresh(AppRegistration(PUBLIC_CLIENT_ID), other).to_rclone())

    monkeypatch.setattr(Conf, "check_writable", faster)
    found = renewed_here(conf, "personal", {token_digest(present["access_token"])})
    assert found.refresh_token == secrets_of(cloud)[-1]
    assert renewals(cloud) == [200, 400]


def test_only_rclone_renews_a_token_of_its_own_registration_and_that_comes_home(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, client_id=RCLONE_CLIENT_ID, seconds=-10)
    conf = storage.storages.conf
    conf.update("personal", {"client_id": None})
    before = token(conf)["refresh_token"]
    with lend(conf, ["personal"], NEWEST) as loan:
        assert before in loan.path.read_text()
        rclone(loan.path, "lsjson", "personal:")
    assert token(conf)["refresh_token"] != before


def test_an_rclone_that_cannot_ask_us_has_the_whole_token(storage: Storage) -> None:
    conf, first = storage.storages.conf, Feature.TOKEN_ADDRESS.since
    for version, is_whole in ((Version(first.major, first.minor - 1, 3), True), (first, False)):
        with lend(conf, ["personal"], version) as loan:
            assert (token(conf)["refresh_token"] in loan.path.read_text()) == is_whole


def test_where_rclone_conf_cannot_be_written_the_whole_token_is_lent(
    cloud: Emulator, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pluton_rclone.conf.disk import not_writable

    def refused(*_: object) -> None:
        raise not_writable(storage.storages.conf.path, PermissionError(13, "no"))

    expired = connected(cloud, name="expired", seconds=-1)
    monkeypatch.setattr("pluton_rclone.conf.disk.ConfigFile.check_writable", refused)
    monkeypatch.setattr("pluton_rclone.conf.private.POLL_SECONDS", 0.01)
    told: SimpleQueue[str] = SimpleQueue()
    with lend(expired.storages.conf, ["expired"], NEWEST, notice=told.put) as loan:
        assert secrets_of(cloud)[-1] in loan.path.read_text()
        assert "). A token that is renewed now is lost" in told.get(timeout=PATIENCE)


def test_a_repair_takes_nothing_from_an_rclone_that_runs(cloud: Emulator) -> None:
    """It rewrites the drive's id and adds the region that rclone omits."""
    storage = connected(cloud, seconds=-1)
    conf = storage.storages.conf
    drive = conf.section("personal")["drive_id"].upper()
    conf.update("personal", {"drive_id": drive, "region": None, "pluton_sign_in": None})
    with lend(conf, ["personal"], NEWEST) as loan:
        storage.repair()
        assert conf.section("personal")["region"] == "global"
        assert rclone(loan.path, "lsjson", "personal:").split() == ["[", "]"]


def test_why_there_is_no_new_token_is_the_runs_own_error(cloud: Emulator, storage: Storage) -> None:
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    with pytest.raises(TokenExpired):
        list(storage.rclone.walk("personal:"))
    with pytest.raises(StorageNotFound):
        good_token(storage.storages.conf, "nobody")
