"""A backup machine whose work is killed at random moments, again and again: `python -m
tests.saved.killing KILLS SEED FOLDER WHAT [DISK...]`; prints its counts as JSON. Each round leaves
a different amount of space on the disks.

Every round forks a child that runs one operation with an expired token (so that rclone, or we,
renew it), kills the child, its rclone or both, then completes the operation in another child, which
often has a different login session (XDG_RUNTIME_DIR), as under cron. It forks from a process
without threads. RCLONE_CONFIG has the storages "anna" and "spare".
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from pluton_rclone import Storages
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.private import CONF, UNFINISHED, mark, sweep
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.process.folders import runtime_folders
from pluton_rclone.values.token_text import SIGN_IN, TOKEN

MARK = "PLUTON_KILLED_ROUND"
PATIENCE = 120.0
LONGEST = {"copy": 0.7, "sync": 0.7, "set": 3.0, "renew": 0.3, "look": 0.5}
PAST = "2020-01-01T00:00:00Z"

Sections = dict[str, dict[str, str]]


class Machine:
    def __init__(self, folder: Path, chance: random.Random, disks: list[Path]) -> None:
        self.source = folder / "source"
        self.disks = disks
        self.session = os.environ["XDG_RUNTIME_DIR"]
        self.chance = chance
        self.conf = Conf()
        self.round = 0
        self.seen: dict[str, int] = collections.Counter()
        self.faults: list[str] = []

    # ---- what is done; each is repeatable ----

    def copy(self) -> None:
        Storages()["anna"].upload(self.source, "copied").result()

    def sync(self) -> None:
        Storages()["anna"].rclone.sync(str(self.source), "anna:synced").result()

    def set(self) -> None:
        chunk = "20Mi" if self.round % 2 else "10Mi"
        Storages()["anna"].update(chunk_size=chunk)

    def renew(self) -> None:
        home = Storages()
        saved_remote(home.conf, "anna", lambda: home.binary).renew()

    def look(self) -> None:
        Storages()["anna"].list("")

    def add(self) -> None:
        home = Storages()
        if "added" in home.conf:
            Storages()["added"].remove()
        home.add_tested("added", home["spare"].remote)

    def rename(self) -> None:
        Storages()["spare"].rename(f"Spare {self.round}")

    def rename_remote(self) -> None:
        home = Storages()
        if "moved" in home.conf:
            home["moved"].rename_remote("spare")
        else:
            home["spare"].rename_remote("moved")
            home["moved"].rename_remote("spare")

    def remove(self) -> None:
        home = Storages()
        if "added" not in home.conf:
            home.add_tested("added", home["spare"].remote)
        home["added"].remove()

    # ---- a round ----

    def play(self, name: str, kills: str) -> None:
        self.round += 1
        for disk in self.disks:
            self.fill(disk)
        self.expire()
        before = self.conf.sections()
        place = self.chance.choice([self.session, ""])
        child = self.child(getattr(self, name), place)
        time.sleep(self.chance.uniform(0.0, LONGEST.get(name, 0.15)))
        killed = self.kill(child, kills)
        self.seen["killed"] += killed
        self.seen[f"{name} killed"] += killed
        self.seen["orphans"] += self.orphans()
        if killed and self.newest(loans=True) > self.newest():
            self.seen["tokens that waited"] += 1
        newest = self.newest(loans=True)
        self.check(name, before)
        again = self.child(getattr(self, name), self.chance.choice([self.session, ""]), "again")
        if self.ended(again) != 0:
            self.faults.append(f"round {self.round}: {name} does not work again")
        self.check(name, before)
        self.seen["renewed"] += self.newest() > PAST
        if self.newest() < newest:
            self.faults.append(f"round {self.round}: {name}: the token of {newest} is lost")
        self.left()

    def fill(self, disk: Path) -> None:
        """Fill the disk: then nothing fits, or a file, or a loan, or everything."""
        filler = disk / "filler"
        filler.unlink(missing_ok=True)
        free = shutil.disk_usage(disk).free - self.chance.choice([0, 2**14, 2**18, 2**19, 2**20])
        filler.write_bytes(bytes(max(0, free)))
        self.seen["rounds on a full disk"] += free > 0

    def expire(self) -> None:
        """Expire the access tokens, as after an hour."""
        for name, section in self.conf.sections().items():
            token = json.loads(section[TOKEN])
            changes = {TOKEN: json.dumps({**token, "expiry": PAST}), SIGN_IN: section.get(SIGN_IN)}
            self.conf.update(name, changes)

    def child(self, work: Callable[[], None], place: str, what: str = "killed") -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            os.setsid()
            os.environ[MARK] = f"{os.getppid()}-{self.round}"
            os.environ.pop("XDG_RUNTIME_DIR")
            if place:
                os.environ["XDG_RUNTIME_DIR"] = place
            if what == "killed":  # its messages about the killed rclone do not matter
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work()
            code = 0
        except Exception:  # noqa: BLE001 - reported by the exit code and on stderr
            traceback.print_exc()
        finally:
            os._exit(code)

    def kill(self, child: int, which: str) -> bool:
        """Kill the child, its rclone or both; return whether the child was still running."""
        done, _ = os.waitpid(child, os.WNOHANG)
        if done:
            return False
        for rclone in self.started("rclone") if which != "python" else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rclone, signal.SIGKILL)
        if which != "rclone":
            os.kill(child, signal.SIGKILL)
        if self.ended(child) is None:
            self.faults.append(f"round {self.round}: it hangs after its rclone was killed")
        return True

    def ended(self, child: int) -> int | None:
        """The exit code; None if the child hangs, in which case it is killed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None

    # ---- what is there ----

    def started(self, only: str = "") -> list[int]:
        """The running processes that the child of this round started, or those with this name."""
        found, wanted = [], f"{MARK}={os.getpid()}-{self.round}".encode()
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                    name = Path(f"/proc/{process}/comm").read_text().strip()
                    if only in ("", name):
                        found.append(int(process))
        return found

    def orphans(self) -> int:
        """The number of processes left after the child's end; the kernel needs a moment."""
        deadline = time.monotonic() + PATIENCE / 4
        while found := self.started():
            if time.monotonic() > deadline:
                return len(found)
            time.sleep(0.01)
        return 0

    def newest(self, *, loans: bool = False) -> str:
        """When anna's latest token expires: the one in rclone.conf, or, with `loans`, in a loan."""
        confs = [self.conf]
        for folder in self.loans() if loans else []:
            confs.append(Conf(folder / CONF))
        expiries = []
        for conf in confs:
            with contextlib.suppress(Exception):
                expiries.append(json.loads(conf.section("anna")[TOKEN])["expiry"])
        return str(max(expiries))

    def loans(self) -> list[Path]:
        return [
            folder
            for home in runtime_folders()
            for folder in home.glob(f"{mark(self.conf.path)}-*")
            if folder.is_dir()
        ]

    def check(self, name: str, before: Sections) -> None:
        """Check that rclone.conf has every section complete: in its old or its new form."""
        now, free = self.conf.sections(), {"chunk_size", "description", TOKEN, SIGN_IN}
        expected = {*before} - {"added", "moved"} | {"spare"}
        if {*now} - {"added", "moved"} | {"spare"} != expected or not {"spare", "moved"} & {*now}:
            self.faults.append(f"round {self.round}: {name}: storages {sorted(now)}")
        for section, values in now.items():
            was = before.get(section, before.get("spare", before.get("moved", {})))
            if any(values.get(key) != was.get(key) for key in {*was, *values} - free):
                self.faults.append(f"round {self.round}: {name}: {section} is changed")
            if "refresh_token" not in json.loads(values[TOKEN]):
                self.faults.append(f"round {self.round}: {name}: {section} has half a token")

    def left(self) -> None:
        """Check that nothing of the first run is left after the second."""
        for folder in self.loans():
            self.faults.append(f"round {self.round}: {folder} is left")
        beside = [entry for entry in self.conf.path.parent.iterdir() if "pluton" in entry.name]
        for path in beside:
            if not path.name.endswith(".lock"):
                self.faults.append(f"round {self.round}: {path.name} is left")

    def unfinished(self) -> int:
        """Check that loans not yet lent are removed after an hour, which is simulated here."""
        found = [one for home in runtime_folders() for one in home.glob(f"{UNFINISHED}-*")]
        for one in found:
            os.utime(one, (0, 0))
        self.ended(self.child(sweep, self.session, "again"))
        self.seen["unfinished loans left"] = sum(one.exists() for one in found)
        return len(found)


def main() -> None:
    kills, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    chance = random.Random(seed)
    machine = Machine(folder, chance, [Path(disk) for disk in sys.argv[5:]])
    names = ["copy", "sync", "look", "renew", "set"]
    if sys.argv[4] == "everything":
        names += ["add", "rename", "rename_remote", "remove"]
    while machine.seen["killed"] < kills and machine.round < 3 * kills and not machine.faults:
        name = names[machine.round % len(names)]
        machine.play(name, chance.choice(["python", "rclone", "both"]))
    unfinished = machine.unfinished()
    seen = {**machine.seen, "rounds": machine.round, "unfinished loans": unfinished}
    print(json.dumps({**seen, "faults": machine.faults}))


if __name__ == "__main__":
    main()
