"""A clock for tests: what would be waited for passes at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from pluton_rclone.emulator import Emulator
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.device_code import DeviceCode, begin_device_code
from pluton_rclone.microsoft.entra.sign_in import SignIn


class Clock(threading.Event):
    """A cancel event that nobody waits on: the seconds asked for are noted, and pass in the
    emulated world.
    """

    def __init__(self, cloud: Emulator) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._cloud = cloud

    def now(self) -> float:
        """Seconds that have passed."""
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
    """As `StorageSetup` does it: a code, shown to the person, and waited for."""
    code = begin_device_code(app, scopes)
    show(code)
    return code.wait(cancel)
