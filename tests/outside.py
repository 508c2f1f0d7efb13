"""The environment in which the tests were started, for downloads from a package index.

Tests emulate Microsoft by setting HTTPS_PROXY and the like; a client that inherits those reaches
nothing outside. This module is imported while tests are collected, before any fixture runs.
"""

from __future__ import annotations

import os

ENVIRONMENT = dict(os.environ)
