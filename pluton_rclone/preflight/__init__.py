"""Preflight: finds what OneDrive would refuse or spoil before a byte is sent.

```python
prefix = library_prefix(drive.web_url)
scan = preflight("/srv/data", drive_type=drive.type, prefix=prefix, quota_free=about.free)
for finding in scan:                  # streams, while the scan goes on
    print(finding.path, finding.severity, finding.what, finding.advice)
scan.summary                          # files, folders, bytes, findings by rule
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Union

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.values.encoding import ONEDRIVE_ENCODING
from pluton_rclone.values.paths import require_path
from pluton_rclone.values.units import human_bytes

from .entries import Listed as Listed
from .entries import scan_entries
from .finding import Finding as Finding
from .finding import Summary as Summary
from .judge import Judge
from .local import scan_local
from .rules import RULES as RULES
from .rules import Rule as Rule
from .rules import Severity as Severity
from .rules import library_prefix as library_prefix

Source = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", Iterable[Listed]]


@dataclass(eq=False)
class Preflight(Iterator[Finding]):
    """A running scan, as an iterator of findings. Iterating runs the scan, in the same thread, and
    updates `summary`."""

    summary: Summary
    _findings: Iterator[Finding] = field(repr=False)

    def __next__(self) -> Finding:
        finding = next(self._findings)
        self.summary.by_rule[finding.rule.name] += 1
        return finding


def preflight(
    source: Source,
    *,
    drive_type: str = "business",
    prefix: str = "",
    base: str = "",
    quota_free: int | None = None,
    encoding: str | None = None,
    links: bool = False,
    link_end: str = "",
    not_there_yet: Callable[[], int] | None = None,
) -> Preflight:
    """Scan `source`, while the result is iterated, for what OneDrive would refuse or spoil.

    `source` is a local folder or file, or a recursive listing of another remote (anything with
    `path`, `size`, `is_dir`, in any order). The target is described by `drive_type` (personal,
    business, documentLibrary), `prefix` (`library_prefix(web_url)` of the drive's root), `base`
    (the folder in the drive that receives the source, "" for its root, in rclone's form),
    `quota_free` (bytes left, None if unknown) and `encoding` (the remote's option of that name,
    None for rclone's default). With `links`, an option of the transfer handles symbolic links, so
    they are not reported; with a `link_end`, each arrives as a file with that suffix.
    `not_there_yet` returns the bytes of the source that the target lacks; it is called only if the
    source is larger than `quota_free`. Without it, everything counts as new.

    For a million local files, the scan takes the memory of the largest folder. It does not look at
    the target's content, so it finds neither case-only collisions with it nor its share of a
    folder's entries. Iterating raises `NothingFound` for a missing local source, `UsageError` for
    an impossible path, and `OptionInvalid` for an encoding that rclone does not know."""
    encoding = ONEDRIVE_ENCODING if encoding is None else encoding
    judge, summary = partial(Judge, drive_type, prefix, base, encoding), Summary()

    def scan() -> Iterator[Finding]:
        if isinstance(source, (str, bytes, os.PathLike)):
            root = os.fsencode(require_path(os.fsdecode(source)))
            yield from scan_local(root, judge(local=True), summary, links=links, link_end=link_end)
        else:
            unread: list[Finding] = []
            yield from scan_entries(_readable(source, unread), judge(local=False), summary)
            yield from unread
        to_send = summary.bytes_to_send
        if quota_free is not None and to_send > quota_free and not_there_yet is not None:
            to_send = min(to_send, not_there_yet())
        if quota_free is not None and to_send > quota_free:
            detail = f"{human_bytes(to_send)} to send, {human_bytes(quota_free)} free"
            yield Finding(".", RULES["quota_exceeded"], True, detail)
        summary.finished = True

    return Preflight(summary, scan())


def _readable(entries: Iterable[Listed], unread: list[Finding]) -> Iterator[Listed]:
    """The entries of a listing, which continues to its end past unreadable entries."""
    try:
        yield from entries
    except PlutonRcloneError as problem:
        if not (paths := problem.details.get("unread")):  # the source itself is unreadable
            raise
        why = (problem.why or "") if len(paths) == 1 else ""
        unread += (Finding(path, RULES["unreadable"], detail=why) for path in paths)
