"""A separate process that changes an rclone.conf and is killed at every point, or at random ones.

`python -m tests.conf.killing FOLDER each PASSWORD`, `… some PASSWORD` (every 11th point) and `…
random PASSWORD`, in sequence if there are several; prints the result of each as a line of JSON. It
forks from a small process without threads, so a thousand killed writers take seconds; nothing needs
to be installed for it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from pluton_rclone.conf import encryption
from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.ini import parse
from pluton_rclone.errors import PlutonRcloneError

# The modules of which every line is a point to kill at: they contain all the system calls of a
# save.
_WATCHED = ("disk.py", "journal.py", "shared.py", "system.py")
OLD = (
    "# by hand\n[anna]\ntype = memory\none = 1\ntwo = 1\n\n[bert]\ntype = memory\ndescription = "
    + "x" * 9000
    + "\n"
)


def _encoded(text: str, password: str) -> bytes:
    data = text.encode()
    return encryption.encrypt(data, encryption.key_from_password(password)) if password else data


def _sections(data: bytes, password: str) -> dict[str, dict[str, str]]:
    """The sections that rclone would read from these bytes. Raises if it would refuse them."""
    if password:
        assert encryption.is_encrypted(data)
        data = encryption.decrypt(data, encryption.key_from_password(password))
    document = parse(data.decode())
    return {name: document.section(name) for name in document.names()}


def _conf(path: Path, password: str) -> Conf:
    return Conf(path, password=password or None)


def _change(path: Path, password: str, value: str) -> None:
    """Set two keys together, and a third, longer or shorter, or delete it."""
    conf = _conf(path, password)
    conf.update(
        "anna", {"one": value, "two": value, "three": "y" * (int(value) % 7 * 3000) or None}
    )


def _killed_at_line(count: int, change: Callable[[], None]) -> bool:
    """Change in a child that kills itself before line `count`; False if it finished before that."""
    child = os.fork()
    if child == 0:
        seen = 0

        def trace(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal seen
            if not frame.f_code.co_filename.endswith(_WATCHED):
                return None
            if event == "line":
                seen += 1
                if seen == count:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        change()
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def each(path: Path, password: str, step: int = 1) -> dict[str, Any]:
    """Kill a save before every line, or before every `step`th."""
    path.write_bytes(_encoded(OLD, password))
    # the first save pays for imports
    _change(path, password, "1")
    seen: dict[str, int] = {"killed": 0, "old": 0, "new": 0}
    faults: list[str] = []
    for value, before in (("3", "1"), ("1", "3")):  # longer, and shorter again
        count = 1
        while _killed_at_line(count, partial(_change, path, password, value)):
            seen["killed"] += 1
            count += step
            state = _state(path, password, faults)
            if state not in (before, value):
                faults.append(f"after line {count}: {state}")
                return {**seen, "faults": faults}
            seen["new" if state == value else "old"] += 1
            _change(path, password, before)
            left = [
                entry.name
                for entry in path.parent.iterdir()
                if "pluton" in entry.name and "lock" not in entry.name
            ]
            if left:
                faults.append(f"after line {count}: left {left}")
    return {**seen, "faults": faults}


def some(path: Path, password: str) -> dict[str, Any]:
    return each(path, password, 11)


def recoded(path: Path, _: str, step: int = 17) -> dict[str, Any]:
    """Kill encrypting, a change of the password and decrypting before every `step`th line: the file
    is either the old or the new one, complete, and the next run finishes the work.
    """
    seen: dict[str, int] = {"killed": 0, "old": 0, "new": 0}
    faults: list[str] = []
    path.write_bytes(_encoded(OLD, ""))
    _change(path, "", "1")
    text = path.read_text()
    for before, after in (("", "a"), ("a", "b"), ("b", "")):
        count, killed = 1, True
        while killed:
            path.write_bytes(_encoded(text, before))
            change = partial(_conf(path, before).encrypt, after or None)
            killed = _killed_at_line(count, change)
            count += step
            found = []
            for password in (before, after):
                try:
                    if encryption.is_encrypted(path.read_bytes()) == bool(password):
                        _sections(path.read_bytes(), password)
                        found.append(password)
                except PlutonRcloneError:
                    continue
            if len(found) != 1 or not (killed or found == [after]):
                faults.append(f"{before!r} to {after!r}, line {count}: {found}")
                break
            seen["killed"] += killed
            seen["new" if found == [after] else "old"] += killed
            _conf(path, found[0]).encrypt(after or None)
            # the killed process's lock is free, and its temporary files are removed
            _change(path, after, "2")
            left = [one.name for one in path.parent.iterdir() if "save-" in one.name]
            if left or _conf(path, after).section("anna")["one"] != "2":
                faults.append(f"{before!r} to {after!r}, line {count}: left {left}")
    return {**seen, "faults": faults}


def paired(path: Path, _: str, step: int = 13) -> dict[str, Any]:
    """Kill setting, changing and clearing a base folder before every `step`th line: the storage has
    either the old or the new one, never half of a pair.
    """
    seen: dict[str, int] = {"killed": 0, "old": 0, "new": 0}
    faults: list[str] = []
    path.write_text(OLD.replace("memory", "onedrive", 1))
    folder = "pluton_base_folder"
    for before, after in ((None, "a"), ("a", "b"), ("b", None)):
        _conf(path, "").update("anna", {folder: before})
        text, count = path.read_text(), 1
        change = partial(_conf(path, "").update, "anna", {folder: after})
        while _killed_at_line(count, change):
            count += step
            raw = _sections(path.read_bytes(), "")
            found = _conf(path, "").sections()
            there = found["anna"].get(folder)
            names = {"anna", "bert"} if there is None else {"anna", "anna-drive", "bert"}
            whole = (set(raw), set(found)) == (names, {"anna", "bert"})
            if there not in (before, after) or not whole or found["anna"]["one"] != "1":
                faults.append(f"{before} to {after}, line {count}: {raw.keys()}, {there}")
                break
            seen["killed"] += 1
            seen["new" if there == after else "old"] += 1
            _conf(path, "").update("anna", {folder: before})
            if path.read_text() != text:
                faults.append(f"{before} to {after}, line {count}: not as before")
                break
    return {**seen, "faults": faults}


def at_random(path: Path, password: str) -> dict[str, Any]:
    """Kill fifty writers, each at a random moment."""
    path.write_bytes(_encoded(OLD, password))
    _change(path, password, "1")
    chance = random.Random(7)
    faults: list[str] = []
    states = set()
    for _ in range(50):
        child = os.fork()
        if child == 0:
            for number in range(10**6):
                _change(path, password, str(number % 9 + 1))
        time.sleep(chance.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        # SIGKILL can stop even a single write between two pages; then the journal has everything.
        states.add(_state(path, password, faults, torn_beside_journal=True))
    return {"killed": 50, "states": len(states), "faults": faults}


def _state(
    path: Path, password: str, faults: list[str], *, torn_beside_journal: bool = False
) -> str | None:
    """The version that the library reads. rclone must read the same one, unless there is a
    journal."""
    journal = path.with_name(f".{path.name}.pluton-journal").exists()
    try:
        conf = _conf(path, password)
        ours = conf.section("anna")
        _check(ours, {name: conf.section(name) for name in conf.names()})
    except (PlutonRcloneError, OSError, AssertionError, KeyError) as error:
        faults.append(f"the library: {error!r}")
        return None
    if journal and torn_beside_journal:
        return ours["one"]
    try:
        raw = _sections(path.read_bytes(), password)
        _check(raw["anna"], raw)
    except (PlutonRcloneError, OSError, AssertionError, KeyError) as error:
        faults.append(f"rclone: {error!r}")
        return None
    if raw["anna"] != ours and not journal:
        faults.append("rclone and the library read different versions")
    return ours["one"]


def _check(anna: dict[str, str], sections: dict[str, dict[str, str]]) -> None:
    assert anna["one"] == anna["two"], "half of a change"
    assert anna.get("three", "") == "y" * (int(anna["one"]) % 7 * 3000), "half of a change"
    assert set(sections) == {"anna", "bert"}, "a section is gone"
    assert len(sections["bert"]["description"]) == 9000, "another section was changed"


if __name__ == "__main__":
    modes: dict[str, Callable[[Path, str], dict[str, Any]]] = {
        "each": each,
        "some": some,
        "random": at_random,
        "pairs": paired,
        "recode": recoded,
        "recode, closely": partial(recoded, step=3),
    }
    for mode, password in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
        print(json.dumps(modes[mode](Path(sys.argv[1]) / "rclone.conf", password)))
