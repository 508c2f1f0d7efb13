"""The page "Connecting OneDrive": an ASGI application to mount, or served on this machine. It needs
the extra [web].

from pluton_rclone.web import create_app, serve
"""

from .app import create_app, one_time_address
from .serving import serve

__all__ = ["create_app", "one_time_address", "serve"]
