"""What preflight accepts arrives on OneDrive, and what it refuses does not: the real rclone, the
emulated OneDrive."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.preflight import RULES, Finding, Severity, library_prefix, preflight
from pluton_rclone.values.encoding import rclone_key, standard_name, to_onedrive

from .real_rclone import ORDINARY_USER, make, rclone, tree, unreadable_as_ordinary_user

KINDS = {
    "personal": "anna@outlook.com",
    "business": "bert@contoso.onmicrosoft.com",
    "documentLibrary": "bert@contoso.onmicrosoft.com",
}
DROPPED = {
    "same_but_case",
    "same_but_accents",
    "same_when_translated",
    "same_name_twice",
    "name_not_utf8",
}
ONE_OF_THEM = DROPPED - {"name_not_utf8"} | {"file_and_folder_same", "same_perhaps"}
NOT_THERE = {
    name for name, rule in RULES.items() if rule.severity in {Severity.REFUSED, Severity.SKIPPED}
} - ONE_OF_THEM


@dataclass
class Remote:
    """A drive of the emulated Microsoft, and the remote "od" for it."""

    drive: Drive

    @property
    def prefix(self) -> str:
        return library_prefix(self.drive.web_url)

    def content(self, base: str) -> dict[str, bytes | None]:
        """The content below a folder of the drive, by path; None for folders."""
        start = self.drive.find(base)
        if start is None:
            return {}
        found: dict[str, bytes | None] = {}
        waiting = [(start, "")]
        while waiting:
            folder, path = waiting.pop()
            for child in (folder.children or {}).values():
                below = f"{path}{child.name}"
                found[below] = (
                    self.drive.read(f"{base}/{below}") if child.children is None else None
                )
                if child.children is not None:
                    waiting.append((child, f"{below}/"))
        return found


@pytest.fixture
def remote(cloud: Emulator) -> Callable[[str], Remote]:
    """The remote for a kind of drive, without a sign-in."""

    def of_kind(kind: str) -> Remote:
        world = cloud.world
        person = world.person(KINDS[kind])
        files = world.part(Files)
        drive = files.drive_of(person)
        if kind == "documentLibrary":
            site = next(site for site in files.sites_of(person.tenant) if site.title == "Backups")
            drive = site.libraries[0]
        scopes = frozenset({"Files.ReadWrite.All", "Sites.Read.All", "User.Read"})
        world.access_tokens["token"] = Grant(
            person,
            world.registrations[PUBLIC_CLIENT_ID],
            scopes,
            "global",
            person.tenant,
            issued=world.now(),
            expires=world.now() + 3600,
        )
        token = json.dumps(
            {"access_token": "token", "token_type": "Bearer", "expiry": "2099-01-01T00:00:00Z"}
        )
        Path(os.environ["RCLONE_CONFIG"]).write_text(
            f"[od]\ntype = onedrive\ndrive_id = {drive.id}\ndrive_type = {kind}\ntoken = {token}\n"
        )
        return Remote(drive)

    return of_kind


def below_and_above(path: str) -> list[str]:
    """The path and its parent folders."""
    parts = path.split("/")
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def translated(path: str) -> str:
    return to_onedrive().path("/".join(map(standard_name, path.split("/"))))


def check_exact(source: Path, od: Remote, base: str, findings: list[Finding]) -> None:
    """Copy the source and compare every entry of it with the findings.

    What is neither refused nor skipped arrives with the predicted name and content; what is refused
    or skipped does not; of names that are the same, exactly one arrives; nothing else does; and
    rclone ends with an error exactly if something is refused.
    """
    rules: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        rules[finding.path].add(finding.rule.name)
    # with look-alikes among them, creating empty folders fails: then only files are sent
    alike = any("folder_looks_alike" in found for found in rules.values())
    options = [] if alike else ["--create-empty-src-dirs"]
    done = rclone("copy", str(source), f"od:{base}", "--transfers", "2", *options)
    there = od.content(base)
    local = tree(source)
    for path, content in local.items():
        told = set().union(*(rules[step] for step in below_and_above(path)))
        if content is None and (alike or "name_not_found_again" in rules[path]):
            continue  # the folder may exist, but its content is not found again
        if told & NOT_THERE:
            assert translated(path) not in there, f"{path!r} is {told} and arrived"
        elif not told & ONE_OF_THEM:
            assert translated(path) in there, f"{path!r} is passed and did not arrive"
            assert there[translated(path)] == content
    for group in same_places(rules, local):
        assert len(set(map(translated, group)) & set(there)) == 1, f"one of {group}"
    assert set(there) <= set(map(translated, local)), (
        "something arrived under a name that was not foretold"
    )
    refused = any(finding.severity is Severity.REFUSED for finding in findings)
    assert (done.returncode != 0) is refused, done.stderr.decode(errors="replace")


def same_places(rules: dict[str, set[str]], local: dict[str, bytes | None]) -> list[list[str]]:
    """The groups of files of which exactly one must arrive, if nothing else is wrong there."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, content in local.items():
        folder, _, name = path.rpartition("/")
        if (
            content is not None
            and rules[path] & DROPPED
            and not any(map(rules.get, below_and_above(folder)))
        ):
            groups[folder, rclone_key(standard_name(name))].append(path)
    return [group for group in groups.values() if not any(rules[path] - DROPPED for path in group)]


def one_of_every_rule(source: Path, prefix: str, base: str) -> None:
    """A tree with an example of every rule that a local tree can break, beside one that just
    passes."""
    room = 399 - len(f"{prefix}/{base}/" if prefix else f"{base}/")
    folder = "f" * 200
    last = room - len(folder) - 1
    good = [
        "plain",
        "Com10",
        "con.txt",
        "a:b",
        "a：b",
        "~$x",
        " lead",
        "trail.",
        "\x01",
        "vti_",
        "forms",
        "x\udcdf",
        "😀",
    ]
    files = dict.fromkeys((f"good/{name}" for name in good), b"good")
    files |= {
        f"{folder}/{'x' * last}": b"399 characters",
        f"{folder}/{'y' * (last + 1)}": b"400 characters",
        f"{folder}/{'d' * (last + 1)}/inside": b"in a folder of 400 characters",
        "\udcff" * 85: b"255 characters",
        "\udcff" * 86: b"258 characters",
        **{f"reserved/{name}": b"" for name in ("CON", "lpt5", ".LOCK", "desktop.ini")},
        "reserved/nul/a/b": b"in a reserved folder",
        "reserved/my_vti_cnf": b"",
        "Forms/x": b"at the root, when there is no base folder",
        "same/case": b"1",
        "same/CASE": b"2",
        "same/é": b"1",
        "same/e\u0301": b"2",
        "same/‛q": b"1",
        "same/‛‛q": b"2",
        **{f"same/b{chr(0xDC00 + byte)}": bytes([byte]) for byte in (0xFE, 0xFF)},
        "same/Folder/a": b"1",
        "same/folder/b": b"2",
        "kinds/X": b"1",
        "kinds/x/inside": b"2",
        "perhaps/straße": b"1",
        "perhaps/STRASSE": b"2",
        "lone/‛a": b"",
        "lone/‛folder/x": b"",
        "empty/": b"",
    }
    make(source, files)
    for name, size in (("large", 250_000_000_001), ("sparse", 3_000_000)):
        (source / name).touch()
        os.truncate(source / name, size)
    (source / "link").symlink_to("good")
    os.mkfifo(source / "pipe")


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_of_every_rule_goes_exactly_as_preflight_says(
    kind: str, remote: Callable[[str], Remote], tmp_path: Path
) -> None:
    od = remote(kind)
    source = tmp_path / "source"
    one_of_every_rule(source, od.prefix, "Backups/laptop")
    scan = preflight(source, drive_type=kind, prefix=od.prefix, base="Backups/laptop")
    findings = list(scan)
    assert set(scan.summary.by_rule) == {
        *{
            "file_too_large",
            "path_too_long",
            "name_too_long",
            "name_forbidden",
            "name_holds_vti",
            "name_not_utf8",
        },
        *{
            "name_not_found_again",
            "same_but_case",
            "same_but_accents",
            "same_when_translated",
            "symlink",
        },
        *{"file_and_folder_same", "same_perhaps", "special_file"},
    }
    check_exact(source, od, "Backups/laptop", findings)


@pytest.mark.parametrize("kind", KINDS)
def test_forms_at_the_root(kind: str, remote: Callable[[str], Remote], tmp_path: Path) -> None:
    od = remote(kind)
    source = make(tmp_path / "source", {"Forms/x": b"1", "other/forms/x": b"2"})
    findings = list(preflight(source, drive_type=kind, prefix=od.prefix))
    assert [finding.rule.name for finding in findings] == (
        [] if kind == "personal" else ["name_forms_at_root"]
    )
    check_exact(source, od, "", findings)


@pytest.mark.parametrize("kind", KINDS)
def test_what_arrived_comes_back_byte_for_byte(
    kind: str, remote: Callable[[str], Remote], tmp_path: Path
) -> None:
    od = remote(kind)
    names = [
        "a:b",
        "a：b",
        "~$x",
        " lead",
        "trail.",
        "\x01\n",
        "gro\udcdf/\udcff",
        "‛‛",
        "␀",
        "e\u0301",
        "ÄÖ/ß",
        "…/😀",
    ]
    source = make(
        tmp_path / "source", {name: name.encode("utf-8", "surrogateescape") for name in names}
    )
    scan = preflight(source, drive_type=kind, prefix=od.prefix, base="back")
    list(scan)
    assert scan.summary.clean
    assert rclone("copy", str(source), "od:back").returncode == 0
    assert rclone("copy", "od:back", str(tmp_path / "restored")).returncode == 0
    assert tree(tmp_path / "restored") == tree(source)


def test_what_cannot_be_read_is_an_error_and_does_not_arrive(
    remote: Callable[[str], Remote], tmp_path: Path
) -> None:
    od = remote("business")
    source = make(
        tmp_path / "source", {"open": b"1", "closed": b"2", "folder/x": b"3", "no entry/x": b"4"}
    )
    for name, mode in {"closed": 0o000, "folder": 0o000, "no entry": 0o400}.items():
        (source / name).chmod(mode)
    found = unreadable_as_ordinary_user(source)
    done = rclone("copy", str(source), "od:x", before=ORDINARY_USER)
    for name in ("folder", "no entry"):
        (source / name).chmod(0o700)
    assert found == ["closed unreadable", "folder unreadable", "no entry/x unreadable"]
    assert (done.returncode, od.content("x")) == (1, {"open": b"1"})


def test_folders_that_look_alike_are_one_only_when_rclone_makes_empty_folders(
    remote: Callable[[str], Remote], tmp_path: Path
) -> None:
    od = remote("business")
    source = make(tmp_path / "source", {"a:b/x": b"1", "a：b/x": b"2"})
    found = sorted(
        (finding.path, finding.rule.name)
        for finding in preflight(source, prefix=od.prefix, base="x")
    )
    assert found == [("a:b", "folder_looks_alike"), ("a：b", "folder_looks_alike")]
    assert rclone("copy", str(source), "od:apart").returncode == 0
    assert od.content("apart") == {"a：b": None, "a：b/x": b"1", "a‛：b": None, "a‛：b/x": b"2"}
    together = rclone("copy", str(source), "od:one", "--create-empty-src-dirs")
    assert (together.returncode, set(od.content("one"))) == (1, {"a：b", "a：b/x"})


def test_the_quota(remote: Callable[[str], Remote], tmp_path: Path) -> None:
    od = remote("business")
    source = make(tmp_path / "source", {"a": b"x" * 600, "b": b"y" * 400})
    od.drive.quota.total = 1000
    assert list(preflight(source, prefix=od.prefix, base="x", quota_free=od.drive.remaining)) == []
    assert rclone("copy", str(source), "od:x").returncode == 0
    (source / "c").write_bytes(b"z")
    (finding,) = preflight(source, prefix=od.prefix, base="y", quota_free=od.drive.remaining)
    assert finding.rule.name == "quota_exceeded"
    refused = rclone("copy", str(source), "od:y")
    assert (refused.returncode, b"quotaLimitReached" in refused.stderr) == (7, True)


def test_a_changed_encoding_lets_names_through_that_onedrive_refuses(
    remote: Callable[[str], Remote], tmp_path: Path
) -> None:
    od = remote("business")
    encoding = "Slash,Del,Ctl,InvalidUtf8,Dot"
    source = make(
        tmp_path / "source",
        dict.fromkeys(["~$x", "~x", "~dir/x", " lead", "trail.", "a*b", "fine"], b"1"),
    )
    refused = {
        finding.path for finding in preflight(source, prefix=od.prefix, base="x", encoding=encoding)
    }
    assert refused == {"~$x", "~dir", " lead", "trail.", "a*b"}
    rclone("copy", str(source), "od:x", "--onedrive-encoding", encoding, "--create-empty-src-dirs")
    assert set(od.content("x")) == {"~x", "fine"}


RESERVED = [
    "CON",
    "con",
    "_vti_",
    ".lock",
    "forms",
    "desktop.ini",
    "~",
    "$",
    " ",
    ".",
    ":",
    "：",
    "‛",
    "␁",
    "#%",
]
LETTERS = [
    "a",
    "A",
    "é",
    "É",
    "e\u0301",
    "ß",
    "ss",
    "σ",
    "ς",
    "Σ",
    "İ",
    "K",
    "\u212a",
    "\x01",
    "\udcff",
    "\udcfe",
]
words = st.sampled_from(RESERVED + LETTERS)
names = (
    st.lists(words, min_size=1, max_size=3)
    .map("".join)
    .filter(lambda name: name not in {".", ".."})
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


# an example costs a run of rclone, so a failing one is reported as found, not shrunk
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),
)
@given(paths=st.lists(paths, min_size=10, max_size=30, unique=True))
def test_any_tree_goes_exactly_as_preflight_says(
    remote: Callable[[str], Remote], paths: list[str]
) -> None:
    od = remote("documentLibrary")
    with tempfile.TemporaryDirectory() as folder:
        base = f"tree {len(od.drive.root.children or ())}"
        source = Path(folder)
        for path in paths:
            try:
                make(source, {path: path.encode("utf-8", "surrogateescape")})
            except OSError:
                continue  # a file where a folder should be
        findings = list(
            preflight(source, drive_type="documentLibrary", prefix=od.prefix, base=base)
        )
        check_exact(source, od, base, findings)
