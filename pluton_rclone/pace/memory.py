"""How much memory a program may still take on this machine, or in the container that it runs in."""

from __future__ import annotations

from pathlib import Path

_MACHINE = "proc/meminfo"
_GROUP = "proc/self/cgroup"


def available(root: Path = Path("/")) -> int | None:
    """Bytes; None where the system does not say (anything but Linux). `root` is where /proc and
    /sys are.

    The machine's MemAvailable (proc_meminfo(5)), and what the limits of its control groups leave: a
    container's memory is full long before the machine's. What they hold of files and can drop at
    once counts as free (cgroups(7); the kernel's admin-guide/cgroup-v2 and v1/memory).
    """
    found = [_machine(root / _MACHINE), *_groups(root)]
    known = [number for number in found if number is not None]
    return max(0, min(known)) if known else None


def _machine(path: Path) -> int | None:
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _groups(root: Path) -> list[int | None]:
    found: list[int | None] = []
    for line in _text(root / _GROUP).splitlines():
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
        # The group's own limit, and those of all that it is in; a container may see its own group
        # as the top.
        found += [_left(top / above, *files) for above in (group, *group.parents)]
    return found


def _left(group: Path, limit: str, used: str, inactive: str) -> int | None:
    most, spent = _text(group / limit).strip(), _text(group / used).strip()
    if not most.isdigit() or not spent.isdigit():
        return None  # "max", or no such group here
    files = dict(
        line.split() for line in _text(group / "memory.stat").splitlines() if len(line.split()) == 2
    )
    return int(most) - int(spent) + int(files.get(inactive, "0"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
