"""Sign-in with a device code that a person types elsewhere, without waits."""

from __future__ import annotations

from typing import Any

from pluton_rclone import Account, DeviceCode, StorageSetup
from pluton_rclone.emulator import Emulator
from tests.microsoft.waitless import Clock


def by_device_code(setup: StorageSetup, cloud: Emulator, person: str, **asked: Any) -> Account:
    """Sign in; `asked` are options of `StorageSetup.sign_in_with_device_code`."""

    def show(code: DeviceCode) -> None:
        cloud.person(person).enter_device_code(code.user_code)

    return setup.sign_in_with_device_code(show=show, cancel=Clock(cloud), **asked)
