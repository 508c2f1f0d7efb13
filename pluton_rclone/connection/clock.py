"""How far this machine's clock is from Microsoft's."""

from __future__ import annotations

from datetime import timedelta

from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.http import Http


def ahead(region: str) -> timedelta:
    """By how much this machine's clock is ahead of that of Graph in the cloud of this region (a
    negative one: behind); none if Graph does not say. Unreachable."""
    with Http() as http:
        http.request("GET", f"{cloud(region).graph_root}/v1.0/")  # any answer has the time
    return timedelta(seconds=-(http.clock_offset or 0.0))
