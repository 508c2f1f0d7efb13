"""Fixtures from other folders that the tests of the page need, too."""

from tests.chromium import chromium

__all__ = ["chromium"]
