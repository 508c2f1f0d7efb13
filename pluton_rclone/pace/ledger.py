"""The budgets of the accounts that this process works for: one for each account and app, as at
Microsoft."""

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
    """What is left of it; None for a personal drive: Microsoft documents no budget there."""
    if section.get("drive_type") == "personal":
        return None
    with _LOCK:
        return BUDGETS.setdefault(account_of(section), Budget())
