"""Connect Microsoft OneDrive (Personal, Business, SharePoint) to Pluton backups, driven by the real
rclone.

from pluton_rclone import AppRegistration, StorageSetup, Storages
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conf.conf import Conf
    from .connection.health import HealthReport
    from .connection.report import ConnectionReport, Step
    from .errors import PlutonRcloneError, Who
    from .microsoft.entra.account import Account
    from .microsoft.entra.app import AppRegistration, Certificate
    from .microsoft.entra.device_code import DeviceCode
    from .microsoft.entra.redirect import Flow
    from .microsoft.entra.token import Token
    from .microsoft.graph.drives import Drive, Quota, Site
    from .rclone.engine import Rclone
    from .rclone.events import Progress
    from .rclone.listing import Entry
    from .rclone.results import About, CheckResult, FailedFile, TransferResult
    from .rclone.transfer import Transfer
    from .remote.onedrive import OneDriveRemote
    from .remote.schema import remote_schema
    from .runs.run import Run
    from .runs.store import RunRecord
    from .setup.connect import StorageSetup
    from .storages.storage import Storage
    from .storages.storages import Storages
    from .values.size import Size

from .values.program import VERSION

__version__ = VERSION

# Names load when first used: importing the package costs nothing, and MSAL, requests and rich come
# only with a sign-in.
_MODULES = {
    "About": "rclone.results",
    "Account": "microsoft.entra.account",
    "AppRegistration": "microsoft.entra.app",
    "Certificate": "microsoft.entra.app",
    "CheckResult": "rclone.results",
    "Conf": "conf.conf",
    "ConnectionReport": "connection.report",
    "DeviceCode": "microsoft.entra.device_code",
    "Drive": "microsoft.graph.drives",
    "Entry": "rclone.listing",
    "FailedFile": "rclone.results",
    "Flow": "microsoft.entra.redirect",
    "HealthReport": "connection.health",
    "OneDriveRemote": "remote.onedrive",
    "PlutonRcloneError": "errors",
    "Progress": "rclone.events",
    "Quota": "microsoft.graph.drives",
    "Rclone": "rclone.engine",
    "Run": "runs.run",
    "RunRecord": "runs.store",
    "Site": "microsoft.graph.drives",
    "Size": "values.size",
    "Step": "connection.report",
    "Storage": "storages.storage",
    "StorageSetup": "setup.connect",
    "Storages": "storages.storages",
    "Token": "microsoft.entra.token",
    "Transfer": "rclone.transfer",
    "TransferResult": "rclone.results",
    "Who": "errors",
    "remote_schema": "remote.schema",
}

__all__ = [
    "About",
    "Account",
    "AppRegistration",
    "Certificate",
    "CheckResult",
    "Conf",
    "ConnectionReport",
    "DeviceCode",
    "Drive",
    "Entry",
    "FailedFile",
    "Flow",
    "HealthReport",
    "OneDriveRemote",
    "PlutonRcloneError",
    "Progress",
    "Quota",
    "Rclone",
    "Run",
    "RunRecord",
    "Site",
    "Size",
    "Step",
    "Storage",
    "StorageSetup",
    "Storages",
    "Token",
    "Transfer",
    "TransferResult",
    "Who",
    "remote_schema",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
