"""The results of a preflight: one finding for each problem, and a summary."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone.values.printable import printable

from .rules import RULES, Rule, Severity


@dataclass(frozen=True)
class Finding:
    """One entry of the source, and what OneDrive or rclone will do with it. `path` is relative to
    the source, "." for the source itself; bytes that are not UTF-8 are decoded as by `os.fsdecode`.
    `detail` has the numbers or names of this case."""

    path: str
    rule: Rule
    is_dir: bool = False
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """Refused, spoiled, skipped or only a warning."""
        return self.rule.severity

    @property
    def what(self) -> str:
        """What will happen, in one or two sentences for display."""
        return f"{self.rule.happens} ({self.detail})" if self.detail else self.rule.happens

    @property
    def advice(self) -> str:
        """What the user can do."""
        return self.rule.advice

    def __str__(self) -> str:
        return f"{printable(self.path)}: {self.rule.severity}: {self.what} {self.rule.advice}"

    def record(self) -> dict[str, Any]:
        """The finding as a JSON object. A path that is not UTF-8 has \\xHH escapes in `path`, and
        its bytes in `path_base64`."""
        raw = self.path.encode("utf-8", "surrogateescape")
        record: dict[str, Any] = {
            "path": raw.decode("utf-8", "backslashreplace"),
            "is_dir": self.is_dir,
            "rule": self.rule.name,
            "severity": self.rule.severity.value,
            "what": self.what,
            "advice": self.rule.advice,
            "source": self.rule.source,
        }
        if record["path"].encode() != raw:
            record["path_base64"] = base64.b64encode(raw).decode()
        return record


@dataclass
class Summary:
    """The counts of a preflight so far; `finished` is set once they are complete. `files` and
    `bytes` count regular files, `folders` the folders below the source; `bytes_to_send` excludes
    refused and unreadable files. `by_rule` counts the findings."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    bytes_to_send: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    finished: bool = False

    def add_file(self, size: int, arrives: bool) -> None:
        self.files += 1
        self.bytes += size
        self.bytes_to_send += size if arrives else 0

    def count(self, severity: Severity) -> int:
        """The number of findings with that severity."""
        return sum(n for rule, n in self.by_rule.items() if RULES[rule].severity is severity)

    @property
    def clean(self) -> bool:
        """Whether nothing is refused or spoiled: what is sent arrives and can be restored."""
        return not self.count(Severity.REFUSED) and not self.count(Severity.SPOILED)

    def record(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return {
            **vars(self),
            "findings": {severity.value: self.count(severity) for severity in Severity},
            "by_rule": dict(sorted(self.by_rule.items())),
            "clean": self.clean,
        }
