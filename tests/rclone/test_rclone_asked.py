"""rclone's log of its own requests, counted as Microsoft counts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone import asked
from pluton_rclone.rclone.binary import find_binary
from tests.connected import connected

METRICS = b"""\
HTTP/1.0 200 OK

# HELP rclone_http_status_code
# TYPE rclone_http_status_code counter
rclone_http_status_code{code="200",host="graph.microsoft.com",method="GET"} 12
rclone_http_status_code{code="302",host="graph.microsoft.com",method="GET"} 3
rclone_http_status_code{code="404",host="graph.microsoft.com",method="GET"} 4
rclone_http_status_code{code="200",host="contoso-my.sharepoint.com",method="GET"} 3
rclone_http_status_code{code="201",host="contoso-my.sharepoint.com",method="PUT"} 1.5e+03
rclone_http_status_code{code="429",host="graph.microsoft.com",method="POST"} 2
rclone_http_status_code{code="503",host="graph.microsoft.com",method="GET"} 1
rclone_http_status_code{code="200",host="login.microsoftonline.com",method="POST"} 1
rclone_http_status_code{code="429",host="bucket.s3.example.com",method="PUT"} 40
rclone_http_status_code{code="200",host="127.0.0.1:8080",method="PROPFIND"} 50
rclone_bytes_transferred_total 4096
"""


def test_sign_in_and_other_services_are_not_counted_and_downloads_cost_one_unit() -> None:
    assert asked.parsed(METRICS) == asked.Asked(
        answers=12 + 3 + 4 + 3 + 1500 + 2 + 1,
        refusals=3,
        units=2 * 12 + 3 + 4 + 3 + 2 * 1500 + 2 * 2 + 2 * 1,
    )


def test_an_rclone_that_has_asked_nothing_yet() -> None:
    assert asked.parsed(b"HTTP/1.0 200 OK\r\n\r\n") == asked.Asked()


def test_nobody_serves() -> None:
    assert asked.read(Path("/nowhere/asked")) is None


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    assert asked.address(tmp_path / ("x" * 100)) is None
    assert asked.address(Path("/run/asked")) == "unix:///run/asked"


def test_the_real_rclone_counts_what_the_emulator_saw(cloud: Emulator, tmp_path: Path) -> None:
    connected(cloud, "business")
    socket = tmp_path / "asked"
    before = len(cloud.requests)
    argv = [find_binary().path, "rcat", f"--config={Storages().path}", "business:a.txt"]
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        env={**_environment(), asked.VARIABLE: str(asked.address(socket))},
    ) as child:
        assert child.stdin is not None
        try:
            found = None
            while not found or not found.answers:  # it opens the drive first, then waits for stdin
                assert child.poll() is None
                found = asked.read(socket)
            seen = [
                request
                for request in cloud.requests[before:]
                if not request.host.startswith("login.")
            ]
            assert 0 < found.answers <= len(seen)
            assert found.answers <= found.units <= 2 * found.answers
        finally:
            child.stdin.write(b"a")
    assert child.returncode == 0
    assert asked.read(socket) is None


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)
