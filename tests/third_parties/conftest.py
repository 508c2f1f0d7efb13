"""Third-party clients of OneDrive; `make third-parties` installs and runs them in a separate venv,
because the SDK alone is larger than everything else that the tests need."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("msgraph") and find_spec("O365") else ["test_*.py"]
