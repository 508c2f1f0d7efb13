"""Fixtures from other folders that the walk's tests need, too."""

from tests.cli.conftest import command
from tests.storages.test_storages_restic import restic

__all__ = ["command", "restic"]
