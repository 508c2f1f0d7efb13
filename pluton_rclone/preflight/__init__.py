"""Preflight: what OneDrive would refuse or spoil of a source, found before a byte is sent.

```python
scan = preflight("/srv/data", drive_type=drive.type, prefix=library_prefix(drive.web_url), base="laptop/data",
                 quota_free=about.free)
for finding in scan:                  # streams, while the scan goes on
    print(finding.path, finding.severity, finding.what, finding.advice)
scan.summary                          # files, folders, bytes, findings by rule
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Union

from pluton_rclone.values.encoding import ONEDRIVE_ENCODING
from pluton_rclone.values.units import human_bytes

from .entries import EntryScan, Listed
from .finding import Finding, Summary
from .judge import Judge, Target
from .local import scan_local
from .rules import RULES, Rule, Severity, library_prefix

__all__ = [
    "RULES",
    "Finding",
    "Listed",
    "Preflight",
    "Rule",
    "Severity",
    "Source",
    "Summary",
    "library_prefix",
    "preflight",
]

Source = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", Iterable[Listed]]


class Preflight(Iterator[Finding]):
    """A scan under way: an iterator of findings, to be gone through once; `summary` counts along.

    Scanning happens while it is iterated, in the thread that does so; leaving early ends it.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        quota_free: int | None = None,
        not_there_yet: Callable[[], int] | None = None,
    ) -> None:
        self.summary = Summary()
        self._findings = self._scan(source, Judge(target), quota_free, not_there_yet)

    def __iter__(self) -> Iterator[Finding]:
        return self

    def __next__(self) -> Finding:
        finding = next(self._findings)
        self.summary.by_rule[finding.rule.name] += 1
        return finding

    def finish(self) -> Summary:
        """Go through the rest of the findings for the counts alone."""
        for _ in self:
            pass
        return self.summary

    def _scan(
        self,
        source: Source,
        judge: Judge,
        quota_free: int | None,
        not_there_yet: Callable[[], int] | None,
    ) -> Iterator[Finding]:
        if isinstance(source, (str, bytes, os.PathLike)):
            yield from scan_local(os.fsencode(source), judge, self.summary)
        else:
            yield from EntryScan(source, judge, self.summary)
        to_send = self.summary.bytes_to_send
        if quota_free is not None and to_send > quota_free and not_there_yet is not None:
            to_send = min(to_send, not_there_yet())
        if quota_free is not None and to_send > quota_free:
            detail = f"{human_bytes(to_send)} to send, {human_bytes(quota_free)} free"
            yield Finding(".", RULES["quota_exceeded"], True, detail)
        self.summary.finished = True


def preflight(
    source: Source,
    *,
    drive_type: str = "business",
    prefix: str = "",
    base: str = "",
    quota_free: int | None = None,
    encoding: str | None = None,
    not_there_yet: Callable[[], int] | None = None,
) -> Preflight:
    """Scan `source` for what OneDrive would refuse or spoil. Nothing is read before the result is
    iterated.

    `source` is a local folder or file, or the entries of another remote (anything with `path`,
    `size`, `is_dir`, in any order, listed recursively). The target is described by `drive_type`
    (personal, business, documentLibrary), `prefix` (the site and library part of every path,
    `library_prefix(web_url)` of the drive's root), `base` (the folder in the drive that receives
    the source, "" for its root, as rclone takes it), `quota_free` (bytes left, None when the drive
    does not tell) and `encoding` (the remote's option of that name, None for rclone's default).
    `not_there_yet` gives the bytes of the source that do not lie at the target already; it is asked
    only where the whole source is larger than `quota_free`, and None takes all as new.

    A source of a million local files takes memory for its largest folder only. What already lies at
    the target is not looked at: case-only collisions with it and its share of a folder's entries
    are not seen.

    Raises, when iterated, `NothingFound` for a local source that is not there and `OptionInvalid`
    for an encoding that rclone does not know.
    """
    target = Target(drive_type, prefix, base, ONEDRIVE_ENCODING if encoding is None else encoding)
    return Preflight(source, target, quota_free, not_there_yet)
