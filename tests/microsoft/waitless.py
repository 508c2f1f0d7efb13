"""A clock for tests: waits end at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from pluton_rclone.emulator import Emulator
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.device_code import DeviceCode, begin_device_code
from pluton_rclone.microsoft.entra.sign_in import SignIn


class Clock(threading.Event):
    """A cancel event whose waits end at once: it records the seconds, and they pass in the emulated
    world."""

    def __init__(self, cloud: Emulator) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._cloud = cloud

    def now(self) -> float:
        """The seconds that have passed."""
        return sum(self.waits)

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._cloud.world.advance(timeout or 0.0)
        return self.is_set()


def sign_in_with_device_code(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    show: Callable[[DeviceCode], None],
    cancel: threading.Event,
) -> SignIn:
    """Sign in as `StorageSetup` does: show a code to the person and wait for the answer."""
    code = begin_device_code(app, scopes)
    show(code)
    return code.wait(cancel)
