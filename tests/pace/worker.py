"""A process that copies a folder to a storage, within the small budgets of a test: `python -m
tests.pace.worker NAME PATH SMALLER [alone]`. It prints "ready" and reads the folder from a line on
stdin."""

from __future__ import annotations

import sys

from pluton_rclone import Storage, Storages
from pluton_rclone.pace import ledger
from pluton_rclone.pace.budgets import LIMITS, Budget, Limit

Key = tuple[str, ...]


def small_budget(storage: Storage, smaller: float, *, alone: bool = False) -> tuple[Key, Budget]:
    """The budget of the storage's account, scaled down; `alone`: without the ledger."""
    small = [
        Limit(limit.amount / smaller, limit.seconds / smaller, limit.counts) for limit in LIMITS
    ]
    key = ledger.account_of(storage.section_with_secrets())
    return key, Budget(small, shelf=None if alone else ledger.Ledger(key))


def main() -> None:
    name, path, smaller, *alone = sys.argv[1:]
    storage = Storages()[name]
    key, budget = small_budget(storage, float(smaller), alone=bool(alone))
    ledger.BUDGETS[key] = budget
    print("ready", flush=True)
    source = sys.stdin.readline().rstrip("\n")
    print(storage.upload(source, path, transfers=4).result().transfers, flush=True)


if __name__ == "__main__":
    main()
