"""Random local folders and random drives, and what a transfer must preserve of them."""

from __future__ import annotations

import os
import random
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item
from pluton_rclone.emulator.drives.quickxor import QuickXor
from pluton_rclone.values.encoding import standard_name, to_onedrive

NAMES = [
    "a",
    "A",
    "b",
    "B",
    "photos",
    "Photos",
    "PHOTOS",
    "read.txt",
    "Read.TXT",
    "é",
    "É",
    "e\u0301",
    "ß",
    "日本",
    "🦊",
    "two  spaces",
    " lead",
    "trail ",
    "dot.",
    ".hidden",
    "a:b",
    "x*y?",
    'q"uote',
    "<angle>",
    "pipe|",
    "back\\slash",
    "line\nbreak",
    "tab\t",
    "-rf",
    "--config=x",
    "~tilde",
    "#hash",
    "100%",
    "%41",
    "$(touch x)",
    "＊",
    "‛",
    "␊",
    "b.rclonelink",
    "desktop",
    "invalid \udcff",
    "...",
    "a.docx",
    "[brackets]",
    "{braces}",
    "ı",
    "İ",
    "ﬁ",
    "ﬀ",
]
_SURROGATE = re.compile("[\udc80-\udcff]")
_MANGLED = re.compile("(?:‛[0-9A-F]{2})|\ufffd")

View = dict[str, str | None]
"""Path, as rclone shows it, to the content's hash; None for a folder."""


@dataclass
class Tree:
    """A local folder: what a transfer should copy, and what it cannot."""

    root: Path
    links: str
    view: View = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """What must be reported as failed: links without an option for them, unreadable files."""
    special: set[str] = field(default_factory=set)


def canonical(path: str) -> str:
    """The same form for all of rclone's ways to write bytes that are not UTF-8."""
    return _MANGLED.sub("\ufffd", path)


def shown_here(path: str) -> str:
    return canonical(
        "/".join(_SURROGATE.sub("\ufffd", standard_name(name)) for name in path.split("/"))
    )


def hash_of(data: bytes) -> str:
    return QuickXor(data).base64()


def local(root: Path) -> View:
    """Everything below a local folder, without links and special files."""
    view: View = {}
    for path, folders, names in os.walk(root):
        for name in [*folders, *names]:
            whole = os.path.join(path, name)
            if os.path.islink(whole):
                continue
            key = shown_here(os.path.relpath(whole, root))
            if os.path.isdir(whole):
                view[key] = None
            elif os.path.isfile(whole):
                view[key] = hash_of(Path(whole).read_bytes())
    return view


def on_drive(drive: Drive, path: str, encoding: str) -> View:
    """Everything below a folder of the drive, with names as rclone shows them: a shortcut has the
    name of its target."""
    names = to_onedrive(encoding).shown
    folder = drive.find(path)
    view: View = {}

    def add(item: Item, above: str) -> None:
        for child in (item.children or {}).values():
            rare, name = child.rare, names(child.name)
            if rare is not None and rare.package is not None:
                continue
            target = rare.target[1] if rare is not None and rare.target is not None else None
            key = canonical(above + (name if target is None else target.name))
            if child.content is None:
                view[key] = None
                add(target or child, key + "/")
            else:
                view[key] = child.content.quick_xor

    if folder is not None:
        add(folder, "")
    return view


def grow(rng: random.Random, root: Path, *, links: str, most: int = 14) -> Tree:
    """Make a folder of up to `most` entries. `links`: "", "links", "copy_links" or "skip_links"."""
    root.mkdir(parents=True)
    tree = Tree(root, links)
    folders = [""]
    for _ in range(rng.randint(0, most)):
        name = rng.choice(NAMES)
        path = os.path.join(rng.choice(folders), name)
        whole = root / path
        if os.path.lexists(whole) or len(path.split("/")) > 4:
            continue
        kind = rng.choices(["file", "folder", "link", "special", "unreadable"], [10, 6, 2, 1, 1])[0]
        key = shown_here(path)
        if kind == "folder":
            whole.mkdir()
            folders.append(path)
            tree.view[key] = None
        elif kind == "special":
            os.mkfifo(whole)
            tree.special.add(key)
        elif kind == "link":
            _link(rng, tree, whole, key)
        else:
            data = rng.randbytes(rng.choice([0, 1, 5, 1000]))
            whole.write_bytes(data)
            tree.view[key] = hash_of(data)
            if kind == "unreadable":
                whole.chmod(0)
                tree.named.add(key)
    for key in tree.named:
        tree.view.pop(key, None)
    return tree


def _link(rng: random.Random, tree: Tree, whole: Path, key: str) -> None:
    outside = tree.root.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "file").write_bytes(b"outside")
    target = rng.choice([outside / "file", outside, Path("nowhere")])
    os.symlink(target, whole)
    if tree.links == "":
        tree.named.add(key)
    elif tree.links == "links":
        tree.view[key + ".rclonelink"] = hash_of(os.fsencode(target))
    elif tree.links == "copy_links":
        if target == outside:
            tree.view[key] = None
            tree.view[f"{key}/file"] = hash_of(b"outside")
        elif target == outside / "file":
            tree.view[key] = hash_of(b"outside")
        else:
            tree.named.add(key)


def plant(rng: random.Random, drive: Drive, other: Drive, path: str, *, most: int = 14) -> set[str]:
    """Make a random folder on the drive: files, empty folders, shortcuts with taken names,
    notebooks. Returns the paths of the notebooks."""
    drive.folder(path)
    named: set[str] = set()
    folders = [path]
    for number in range(rng.randint(0, most)):
        name = rng.choice(
            ["a", "b", "Bilder", "Été", "x＊y", "ends．", "␊", "docs", "read.txt", "日本", "‛"]
        )
        above = rng.choice(folders)
        whole = f"{above}/{name}"
        if drive.find(whole) is not None or whole.count("/") > 4:
            continue
        kind = rng.choices(["file", "folder", "shortcut", "notebook"], [10, 6, 3, 1])[0]
        if kind == "file":
            drive.write(whole, rng.randbytes(rng.choice([0, 1, 900])))
        elif kind == "folder":
            drive.folder(whole)
            folders.append(whole)
        elif kind == "notebook":
            drive.add_notebook(whole)
            named.add(whole.partition("/")[2])
        else:
            target = f"{path.replace('/', '-')}-{number}/{rng.choice(['Bilder', 'docs', 'a'])}"
            other.write(f"{target}/theirs", rng.randbytes(3))
            folder = other.find(target)
            parent = drive.find(above)
            assert folder is not None
            other.share(folder, "anna@outlook.com")
            drive.add_shortcut(other, folder, name, parent)
    return named


def covered(path: str, names: set[str]) -> bool:
    """Whether a path, or a folder above it, is one of the names."""
    parts = path.split("/")
    return any("/".join(parts[: n + 1]) in names for n in range(len(parts)))


def fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).lower()


def wipe(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)


def differences(wanted: View, found: View) -> Iterator[str]:
    """The paths that only one of the two has, or whose content differs."""
    for path in sorted({*wanted, *found}):
        if path not in wanted or path not in found or wanted[path] != found[path]:
            yield path
