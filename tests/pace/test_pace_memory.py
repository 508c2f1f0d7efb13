"""Available memory: the machine's, and the limits of a container's control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone.pace.memory import available

MIB = 1024 * 1024


class Machine:
    """/proc and /sys of a machine with 8 GiB, of which 2 GiB are available."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/meminfo", "MemTotal:        8388608 kB\nMemAvailable:    2097152 kB\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def group(
        self, folder: str, limit: str, used: int, files: int, names: str = "max current"
    ) -> None:
        most, now = names.split()
        self.write(f"{folder}/memory.{most}", f"{limit}\n")
        self.write(f"{folder}/memory.{now}", f"{used}\n")
        kind = "inactive_file" if most == "max" else "total_inactive_file"
        self.write(f"{folder}/memory.stat", f"anon 1\n{kind} {files}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_limit_it_is_the_machines(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/user.slice\n")
    machine.group("sys/fs/cgroup/user.slice", "max", 5 * MIB, 0)
    assert available(machine.root) == 2048 * MIB


def test_a_container_sees_its_limit_at_the_top(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/\n")
    machine.group("sys/fs/cgroup", str(512 * MIB), 300 * MIB, 100 * MIB)
    assert available(machine.root) == 312 * MIB  # droppable file caches count as free


def test_a_limit_further_up_holds_too(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/pluton/backup\n")
    machine.group("sys/fs/cgroup/pluton/backup", str(900 * MIB), 100 * MIB, 0)
    machine.group("sys/fs/cgroup/pluton", str(256 * MIB), 200 * MIB, 0)
    assert available(machine.root) == 56 * MIB


def test_the_older_kind_of_groups(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/1\n0::/\n")
    machine.group(
        "sys/fs/cgroup/memory/docker/1",
        str(200 * MIB),
        50 * MIB,
        10 * MIB,
        "limit_in_bytes usage_in_bytes",
    )
    assert available(machine.root) == 160 * MIB


def test_what_is_overdrawn_is_nothing(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/\n")
    machine.group("sys/fs/cgroup", str(100 * MIB), 101 * MIB, 0)
    assert available(machine.root) == 0


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    assert available(tmp_path) is None


def test_this_machine_says() -> None:
    found = available()
    assert found is not None
    assert found > 0
