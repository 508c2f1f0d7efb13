"""How much memory is still available on this machine, or in the container of this process."""

from __future__ import annotations

import re
from pathlib import Path


def available(root: Path = Path("/")) -> int | None:
    """The available bytes; None if unknown (not Linux). `root` is the folder of /proc and /sys.

    The smallest of the machine's MemAvailable (proc_meminfo(5)) and what the limits of the control
    groups leave: a container is full long before the machine. Their reclaimable file cache counts
    as free (cgroups(7); the kernel's admin-guide/cgroup-v2 and v1/memory)."""
    machine = re.search(r"^MemAvailable:\s*(\d+)", _text(root / "proc/meminfo"), re.MULTILINE)
    found = [int(machine[1]) * 1024 if machine else None, *_groups(root)]
    known = [number for number in found if number is not None]
    return max(0, min(known)) if known else None


def _groups(root: Path) -> list[int | None]:
    found: list[int | None] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0" and not controllers:
            top, files = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = Path(name.strip("/"))
        # Its own limit, and those of all parent groups; a container may see its group as the root.
        found += [_left(top / above, *files) for above in (group, *group.parents)]
    return found


def _left(group: Path, limit: str, used: str, inactive: str) -> int | None:
    most, spent = _text(group / limit).strip(), _text(group / used).strip()
    if not most.isdigit() or not spent.isdigit():
        return None  # "max", or no such group here
    fields = map(str.split, _text(group / "memory.stat").splitlines())
    files = dict(field for field in fields if len(field) == 2)
    return int(most) - int(spent) + int(files.get(inactive, "0"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
