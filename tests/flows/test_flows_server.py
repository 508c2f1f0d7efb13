"""Plans on Prefect: a server on SQLite, two workers, forty storages in two organisations."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import OneDriveRemote, Storages
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.drive import Drive
from tests.children import children_of
from tests.gates import Gate

pytestmark = pytest.mark.soak

MINUTES = 60.0
FILES = int(os.environ.get("FLOW_FILES", "12"))  # per storage
PLAN = """\
name = "nightly"

[[storages]]
names = ["home-*", "contoso-*", "fabrikam-*", "team-*"]

[[steps]]
do = "upload"
local = "{source}"
folder = "data/{{storage}}"
options = {{ transfers = 2 }}

[[steps]]
do = "check"
local = "{source}"
folder = "data/{{storage}}"

[retry]
times = 3
wait = 1

[at_once]
account = 2
tenant = 4
worker = 3
batch = 5
"""
LEASES = "prefect.server.concurrency.lease_storage.filesystem"


class Cluster:
    """Prefect's server and our workers, each a process with its children."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.environment = {
            **os.environ,
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(folder / "prefect"),
            "NO_PROXY": "127.0.0.1,localhost",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # SQLite on a busy disk
            # as in docs/flows.md: a restarted server must remember who holds a limit
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        }

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        self._stack.callback(log.close)
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._stack.callback(kill, process)
        return process

    def serve(self) -> subprocess.Popen[bytes]:
        words = ["server", "start", "--host=127.0.0.1", f"--port={self.port}", "--no-ui"]
        server = self.start("server", "prefect", *words)
        until(lambda: self.ask("health", method="GET") is True)
        return server

    def ask(self, path: str, body: object = None, method: str = "POST") -> Any:
        """The server's answer as JSON; None while it does not answer."""
        data = None if method == "GET" else json.dumps(body or {}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.api}/{path}", data, headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=60
            ) as answer:
                return json.load(answer)
        except OSError:
            return None

    def runs(self) -> list[dict[str, Any]]:
        return self.ask("flow_runs/filter", {"limit": 200}) or []

    def states(self) -> list[str]:
        return sorted(run["state_type"] for run in self.runs())

    def history(self) -> set[str]:
        """The names of all states that the runs had."""
        with closing(sqlite3.connect(self.folder / "prefect" / "prefect.db")) as database:
            return {name for (name,) in database.execute("SELECT name FROM flow_run_state")}

    def everything(self) -> str:
        """Everything that the server reveals: its database, its logs and its API."""
        kinds = ("flow_runs", "task_runs", "logs", "artifacts", "deployments")
        told = [json.dumps(self.ask(f"{kind}/filter", {"limit": 200})) for kind in kinds]
        files = [*self.folder.glob("*.log"), *(self.folder / "prefect").rglob("*")]
        told += [one.read_bytes().decode(errors="replace") for one in files if one.is_file()]
        return "\n".join(told)


def until(happened: Callable[[], bool], patience: float = 10 * MINUTES) -> None:
    end = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for child in children_of(pid):
        found += family(child)
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it as if its machine were gone."""
    if process.poll() is None:
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def connected(cloud: Emulator, name: str, username: str, drive: Drive, kind: Any) -> None:
    """A storage whose access token expires soon."""
    scopes = ["Files.ReadWrite.All", "Sites.Read.All"] if kind == "documentLibrary" else []
    answer = cloud.sign_in(username, *(scopes or ["Files.ReadWrite"]), "offline_access")
    expiry = (datetime.now(timezone.utc) + timedelta(seconds=20)).isoformat()
    token = {
        "access_token": answer["access_token"],
        "refresh_token": answer["refresh_token"],
        "token_type": "Bearer",
        "expiry": expiry,
    }
    remote = OneDriveRemote(
        drive_id=drive.id,
        drive_type=kind,
        client_id=PUBLIC_CLIENT_ID,
        token=SecretStr(json.dumps(token)),
        account_name=username,
        granted_scopes=tuple(scopes or ["Files.ReadWrite"]),
    )
    Storages().add_tested(name, remote)


@pytest.fixture
def drives(cloud: Emulator) -> dict[str, Drive]:
    """Forty storages of three kinds, in two organisations and in Microsoft accounts."""
    cloud.world.add_tenant("fabrikam.onmicrosoft.com", "Fabrikam")
    found: dict[str, Drive] = {}
    for number in range(10):
        for place in ("contoso", "fabrikam", "home"):
            name = f"{place}-{number}"
            domain = "outlook.com" if place == "home" else f"{place}.onmicrosoft.com"
            person = cloud.world.add_person(f"p{number}@{domain}", name)
            kind = "personal" if place == "home" else "business"
            found[name] = cloud.files.drive_of(person)
            connected(cloud, name, person.username, found[name], kind)
    for place in ("contoso", "fabrikam"):
        tenant = cloud.world.tenant(f"{place}.onmicrosoft.com")
        for number in range(5):
            site = cloud.files.add_site(tenant, f"Team {number}")
            name = f"team-{place}-{number}"
            found[name] = site.libraries[0]
            username = f"p{number}@{place}.onmicrosoft.com"
            connected(cloud, name, username, found[name], "documentLibrary")
    return found


@pytest.fixture
def cluster(cloud: Emulator, tmp_path: Path) -> Iterator[Cluster]:
    """In memory if possible: a busy disk locks Prefect's SQLite."""
    place = Path("/dev/shm")
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(
            dir=place if place.is_dir() else tmp_path, ignore_cleanup_errors=True
        )
        yield Cluster(Path(stack.enter_context(folder)), stack)


def tokens() -> set[str]:
    """Every secret in rclone.conf."""
    sections = [one.section_with_secrets() for one in Storages().values()]
    known = [json.loads(section["token"]) for section in sections]
    return {one[kind] for one in known for kind in ("access_token", "refresh_token")}


def test_a_worker_is_lost_and_the_server_restarted_and_every_file_is_there(
    cloud: Emulator, cluster: Cluster, drives: dict[str, Drive], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(FILES):
        (source / f"{number}.bin").write_bytes(os.urandom(20_000))
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(source=source))
    cloud.world.lifetimes.access_token = 30
    cloud.budgets.enable()
    cloud.faults.latency = 0.05
    secrets = tokens()
    server = cluster.serve()
    deployed = cluster.start("deploy", "pluton_rclone", "flow", "deploy", str(plan))
    assert deployed.wait(5 * MINUTES) == 0
    workers = [
        cluster.start(f"worker-{number}", "pluton_rclone", "flow", "worker", "--limit=3")
        for number in range(2)
    ]
    deployment = cluster.ask("deployments/name/pluton-rclone/nightly", method="GET")
    assert cluster.ask(f"deployments/{deployment['id']}/create_flow_run")

    until(lambda: sum(drive.count for drive in drives.values()) > 5 * FILES)
    secrets |= tokens()
    kill(workers[0])
    kill(server)
    server = cluster.serve()
    conf = os.path.relpath(Storages().path, cluster.folder)  # a run's own folder is different
    cluster.start("worker-2", "pluton_rclone", "flow", "worker", "--limit=3", f"--config={conf}")
    until(lambda: cluster.states() == ["COMPLETED"] * 9, 20 * MINUTES)

    contents = {one.name: one.read_bytes() for one in source.iterdir()}
    for name, drive in drives.items():
        for file, content in contents.items():
            assert drive.read(f"data/{name}/{file}") == content
    assert "AwaitingRetry" in cluster.history()
    assert [one for one in cloud.requests if one.status == 429] == []
    secrets |= tokens()
    assert len(secrets) > 4 * len(drives)  # renewed and saved
    told = cluster.everything()
    assert "data/home-0" in told or "home-0" in told
    assert [secret for secret in secrets if secret in told] == []
    assert all(report.ok for report in Storages().health().reports)


def test_a_large_tree_goes_in_shards_to_all_workers_and_one_that_is_lost_loses_no_file(
    cloud: Emulator, cluster: Cluster, tmp_path: Path
) -> None:
    site = cloud.files.add_site(cloud.world.tenant("contoso.onmicrosoft.com"), "Archive")
    drive = site.libraries[0]
    for name in ("archive", "other-door"):
        username = cloud.world.add_person(f"{name}@contoso.onmicrosoft.com", name).username
        connected(cloud, name, username, drive, "documentLibrary")
    source = tmp_path / "source"
    contents = {f"{a}/{b}/{n}.bin": os.urandom(9000) for a in "abcd" for b in "xyz" for n in "1234"}
    for path, content in contents.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'name = "big"\nstorages = [{ names = ["archive"] }]\nat_once = { account = 2 }\n'
        f'[[steps]]\ndo = "upload"\nlocal = "{source}"\nfolder = "all"\nshards = 4\n'
        'through = ["archive", "other-door"]\n'
    )
    cloud.faults.latency = 0.2
    cluster.serve()
    deployed = cluster.start("deploy", "pluton_rclone", "flow", "deploy", str(plan))
    assert deployed.wait(5 * MINUTES) == 0
    workers = [
        cluster.start(f"worker-{number}", "pluton_rclone", "flow", "worker", "--limit=4")
        for number in range(2)
    ]
    deployment = cluster.ask("deployments/name/pluton-rclone/big", method="GET")
    assert cluster.ask(f"deployments/{deployment['id']}/create_flow_run")
    until(lambda: drive.count > 24)
    kill(workers[0])
    until(lambda: cluster.states() == ["COMPLETED"] * 6, 20 * MINUTES)  # the plan's, 4, the check
    assert {path: drive.read(f"all/{path}") for path in contents} == contents
    assert "AwaitingRetry" in cluster.history()


def test_a_run_without_a_server_that_was_killed_holds_up_no_later_one(
    cloud: Emulator, cluster: Cluster, tmp_path: Path
) -> None:
    person = cloud.world.add_person("p@contoso.onmicrosoft.com", "p")
    drive = cloud.files.drive_of(person)
    connected(cloud, "work", person.username, drive, "business")
    (tmp_path / "file").write_bytes(b"content")
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'name = "n"\nstorages = [{ names = ["work"] }]\n'
        f'[[steps]]\ndo = "upload"\nlocal = "{tmp_path}/file"\nfolder = "data"\n'
    )
    del cluster.environment["PREFECT_API_URL"]
    words = ("pluton_rclone", "flow", "run", str(plan))
    at_work = Gate(cloud, "createUploadSession")
    killed = cluster.start("killed", *words)
    at_work.wait()
    kill(killed)
    at_work.open()
    assert cluster.start("later", *words).wait(5 * MINUTES) == 0
    assert drive.read("data/file") == b"content"
