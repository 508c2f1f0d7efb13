"""A process that copies a folder to a storage, within the small budgets of a test: `python -m
tests.pace.worker NAME PATH SMALLER`. It says "ready", and takes the folder from a line on stdin."""

from __future__ import annotations

import sys

from pluton_rclone import Storages
from pluton_rclone.pace import ledger
from pluton_rclone.pace.budgets import LIMITS, Budget, Limit


def main() -> None:
    name, path, smaller = sys.argv[1], sys.argv[2], float(sys.argv[3])
    storage = Storages()[name]
    small = [
        Limit(limit.amount / smaller, limit.seconds / smaller, limit.counts) for limit in LIMITS
    ]
    key = ledger.account_of(storage.section_with_secrets())
    ledger.BUDGETS[key] = Budget(small, shelf=ledger.Ledger(key))
    print("ready", flush=True)
    source = sys.stdin.readline().rstrip("\n")
    print(storage.upload(source, path, transfers=4).result().transfers, flush=True)


if __name__ == "__main__":
    main()
