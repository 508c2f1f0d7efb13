"""The page "Connecting OneDrive": an ASGI application to mount, or served on this machine.

from pluton_rclone.web import create_app, serve
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app, one_time_address
    from .serving import serve

__all__ = ["create_app", "one_time_address", "serve"]


def __getattr__(name: str) -> Any:
    # Starlette, Jinja and uvicorn come with the extra [web]: they load when the page is made.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(".serving" if name == "serve" else ".app", __name__)
    return getattr(module, name)
