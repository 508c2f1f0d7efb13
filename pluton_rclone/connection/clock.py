"""How far this machine's clock is from Microsoft's."""

from __future__ import annotations

from datetime import timedelta

from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.http import Http


def ahead(region: str) -> timedelta:
    """By how much this machine's clock is ahead of Graph's in the cloud of this region; negative if
    it is behind, zero if Graph does not say. Any answer, also a refusal, has a Date (RFC 9110,
    6.6.1). Unreachable."""
    with Http() as http:
        http.request("GET", f"{cloud(region).graph_root}/v1.0/")
    return timedelta(seconds=-(http.clock_offset or 0.0))
