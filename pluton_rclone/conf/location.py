"""Where rclone keeps its rclone.conf (rclone fs/config/config.go, makeConfigPath)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "rclone.conf"


def default_path(environment: Mapping[str, str] | None = None) -> Path:
    """The file that rclone itself would use: RCLONE_CONFIG, else the first that exists of
    $XDG_CONFIG_HOME/rclone/rclone.conf, ~/.config/rclone/rclone.conf and ~/.rclone.conf; else the first of
    these. On Windows %APPDATA%/rclone/rclone.conf comes before them.
    """
    values = os.environ if environment is None else environment
    if values.get("RCLONE_CONFIG"):
        return Path(values["RCLONE_CONFIG"])
    home = Path(values.get("HOME") or os.path.expanduser("~"))
    places = [home / ".config" / "rclone" / _NAME, home / ".rclone.conf"]
    if values.get("XDG_CONFIG_HOME"):
        places.insert(0, Path(values["XDG_CONFIG_HOME"]) / "rclone" / _NAME)
    if sys.platform == "win32" and values.get("APPDATA"):
        places.insert(0, Path(values["APPDATA"]) / "rclone" / _NAME)
    return next((place for place in places if place.exists()), places[0])
