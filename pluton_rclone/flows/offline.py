"""Prefect's settings for this process and what it starts, unless somebody has set them: it reports
nothing to its makers, and logs little. They hold for a Prefect that is imported after this module.

PREFECT_HOME, PREFECT_API_URL and profiles are Prefect's own.
"""

from __future__ import annotations

import os

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # Prefect's own is 20 s; a small or busy machine needs more to start it
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    # a worker that is lost is noticed by their absence (30 s is the least that Prefect takes)
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
