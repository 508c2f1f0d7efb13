"""The sign-in service, as Entra answers: discovery, authorize, token, device code, admin
consent."""

from .application import entra_app
from .sessions import Sessions
from .shortcut import sign_in

__all__ = ["Sessions", "entra_app", "sign_in"]
