"""The budgets of the accounts that this process works for: one per account and app."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .budgets import Budget

BUDGETS: dict[tuple[str, str], Budget] = {}
_LOCK = threading.Lock()


def account_of(section: Mapping[str, str]) -> tuple[str, str]:
    """What remotes that share a budget have in common; `section` is one in rclone.conf."""
    account = section.get("pluton_account_name") or section.get("drive_id", "")
    return section.get("client_id", ""), account


def budget_of(section: Mapping[str, str]) -> Budget | None:
    """The account's budget; None for a personal drive, for which Microsoft documents none."""
    if section.get("drive_type") == "personal":
        return None
    with _LOCK:
        return BUDGETS.setdefault(account_of(section), Budget())
