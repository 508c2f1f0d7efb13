"""Prefect's settings for this process and its children, unless they are set already: no telemetry,
and little logging. They apply to a Prefect that is imported after this module.

PREFECT_HOME, PREFECT_API_URL and profiles are left to Prefect."""

from __future__ import annotations

import os

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # Prefect's default is 20 s; a small or busy machine needs longer to start the server
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    # a lost worker is detected by missing heartbeats (30 s is Prefect's minimum)
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
