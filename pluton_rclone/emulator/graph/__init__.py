"""The OneDrive and SharePoint part of Microsoft Graph, with the hosts that its answers lead to."""

from .app import graph_app
from .budgets import Budgets
from .faults import Faults

__all__ = ["Budgets", "Faults", "graph_app"]
