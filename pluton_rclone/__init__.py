"""Connects Microsoft OneDrive (Personal, Business, SharePoint) to Pluton backups with rclone.

from pluton_rclone import AppRegistration, StorageSetup, Storages
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conf.conf import Conf as Conf
    from .connection.health import HealthReport as HealthReport
    from .connection.report import ConnectionReport as ConnectionReport
    from .connection.report import Step as Step
    from .errors import PlutonRcloneError as PlutonRcloneError
    from .errors import Who as Who
    from .microsoft.entra.account import Account as Account
    from .microsoft.entra.app import AppRegistration as AppRegistration
    from .microsoft.entra.app import Certificate as Certificate
    from .microsoft.entra.device_code import DeviceCode as DeviceCode
    from .microsoft.entra.redirect import Flow as Flow
    from .microsoft.entra.token import Token as Token
    from .microsoft.graph.drives import Drive as Drive
    from .microsoft.graph.drives import Quota as Quota
    from .microsoft.graph.drives import Site as Site
    from .rclone.engine import Rclone as Rclone
    from .rclone.events import Progress as Progress
    from .rclone.listing import Entry as Entry
    from .rclone.results import About as About
    from .rclone.results import CheckResult as CheckResult
    from .rclone.results import FailedFile as FailedFile
    from .rclone.results import TransferResult as TransferResult
    from .rclone.transfer import Transfer as Transfer
    from .remote.onedrive import OneDriveRemote as OneDriveRemote
    from .remote.schema import remote_schema as remote_schema
    from .runs.record import RunRecord as RunRecord
    from .runs.run import Run as Run
    from .setup.connect import StorageSetup as StorageSetup
    from .storages.storage import Storage as Storage
    from .storages.storage import Storages as Storages
    from .values.size import Size as Size

from .values.program import VERSION

__version__ = VERSION

# Names are loaded when first used, so importing the package is fast, and MSAL, requests and rich
# are imported only for a sign-in.
_NAMES = {
    "conf.conf": "Conf",
    "connection.health": "HealthReport",
    "connection.report": "ConnectionReport Step",
    "errors": "PlutonRcloneError Who",
    "microsoft.entra.account": "Account",
    "microsoft.entra.app": "AppRegistration Certificate",
    "microsoft.entra.device_code": "DeviceCode",
    "microsoft.entra.redirect": "Flow",
    "microsoft.entra.token": "Token",
    "microsoft.graph.drives": "Drive Quota Site",
    "rclone.engine": "Rclone",
    "rclone.events": "Progress",
    "rclone.listing": "Entry",
    "rclone.results": "About CheckResult FailedFile TransferResult",
    "rclone.transfer": "Transfer",
    "remote.onedrive": "OneDriveRemote",
    "remote.schema": "remote_schema",
    "runs.record": "RunRecord",
    "runs.run": "Run",
    "setup.connect": "StorageSetup",
    "storages.storage": "Storage Storages",
    "values.size": "Size",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
