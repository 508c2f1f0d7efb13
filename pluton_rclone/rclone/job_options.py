"""The options of a transfer, as a job in a session takes them (`_config` and `_filter` of rclone's remote
control)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pluton_rclone.errors import UsageError

ROUNDS = 3
"""rclone's --retries, which its remote control does not know: a job is started again that often."""

_CONFIG = {
    "backup_dir": "BackupDir",
    "buffer_size": "BufferSize",
    "check_first": "CheckFirst",
    "checkers": "Checkers",
    "checksum": "CheckSum",
    "cutoff_mode": "CutoffMode",
    "fast_list": "UseListR",
    "ignore_existing": "IgnoreExisting",
    "ignore_times": "IgnoreTimes",
    "immutable": "Immutable",
    "inplace": "Inplace",
    "low_level_retries": "LowLevelRetries",
    "dry_run": "DryRun",
    "max_delete": "MaxDelete",
    "max_depth": "MaxDepth",
    "max_duration": "MaxDuration",
    "max_transfer": "MaxTransfer",
    "metadata": "Metadata",
    "multi_thread_streams": "MultiThreadStreams",
    "no_traverse": "NoTraverse",
    "order_by": "OrderBy",
    "size_only": "SizeOnly",
    "suffix": "Suffix",
    "timeout": "Timeout",
    "contimeout": "ConnectTimeout",
    "tpslimit": "TPSLimit",
    "track_renames": "TrackRenames",
    "transfers": "Transfers",
    "update": "UpdateOlder",
}
_FILTER = {
    "filters": "FilterRule",
    "max_age": "MaxAge",
    "max_size": "MaxSize",
    "min_age": "MinAge",
    "min_size": "MinSize",
}
_SIZES = frozenset({"max_transfer", "buffer_size", "max_size", "min_size"})
_SECONDS = frozenset({"max_duration", "timeout", "contimeout", "max_age", "min_age"})


def job_parameters(options: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The parameters of the call, and the number of rounds. UsageError for what only a one-shot run can
    do."""
    config: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    more: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or name == "retries":
            continue
        if name == "create_empty_src_dirs":
            more["createEmptySrcDirs"] = value
        elif name in _CONFIG:
            config[_CONFIG[name]] = _value(name, value)
        elif name in _FILTER:
            rules[_FILTER[name]] = _value(name, value)
        else:
            raise UsageError(
                f"a job in a session does not take {name!r}",
                advice="Use the one-shot call: Rclone.copy and the like.",
            )
    if config:
        more["_config"] = config
    if rules:
        more["_filter"] = rules
    return more, int(options.get("retries") or ROUNDS)


def _value(name: str, value: Any) -> Any:
    if name in _SIZES and isinstance(value, int):
        return f"{value}B"
    if name in _SECONDS and isinstance(value, int | float):
        return f"{value:.3f}s"
    if name == "filters":
        return list(value)
    return value
