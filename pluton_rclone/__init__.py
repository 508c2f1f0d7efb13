"""Connect Microsoft OneDrive (Personal, Business, SharePoint) to Pluton backups, driven by the real rclone.

from pluton_rclone import AppRegistration, StorageSetup, Storages
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connect import StorageSetup
    from .connection import ConnectionReport, Step
    from .errors import PlutonRcloneError, Who
    from .health import HealthReport
    from .microsoft.account import Account
    from .microsoft.app import AppRegistration, Certificate
    from .microsoft.device_code import DeviceCode
    from .microsoft.drives import Drive, Quota, Site
    from .microsoft.redirect import Flow
    from .microsoft.token import Token
    from .rclone.engine import Rclone
    from .rclone.events import Progress
    from .rclone.listing import Entry
    from .rclone.results import About, CheckResult, FailedFile, TransferResult
    from .rclone.transfer import Transfer
    from .remote.conf import Conf
    from .remote.onedrive import OneDriveRemote
    from .remote.schema import remote_schema
    from .remote.size import Size
    from .storage import Storage
    from .storages import Storages

__version__ = "0.1.0"

# Names load when first used: importing the package costs nothing, and MSAL, requests and rich come only with a sign-in.
_MODULES = {
    "About": "rclone.results",
    "Account": "microsoft.account",
    "AppRegistration": "microsoft.app",
    "Certificate": "microsoft.app",
    "CheckResult": "rclone.results",
    "Conf": "remote.conf",
    "ConnectionReport": "connection",
    "DeviceCode": "microsoft.device_code",
    "Drive": "microsoft.drives",
    "Entry": "rclone.listing",
    "FailedFile": "rclone.results",
    "Flow": "microsoft.redirect",
    "HealthReport": "health",
    "OneDriveRemote": "remote.onedrive",
    "PlutonRcloneError": "errors",
    "Progress": "rclone.events",
    "Quota": "microsoft.drives",
    "Rclone": "rclone.engine",
    "Site": "microsoft.drives",
    "Size": "remote.size",
    "Step": "connection",
    "Storage": "storage",
    "StorageSetup": "connect",
    "Storages": "storages",
    "Token": "microsoft.token",
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
