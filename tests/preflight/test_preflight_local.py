"""Scanning a local folder: every rule that it can break, counts, memory, streaming."""

from __future__ import annotations

import json
import os
import socket
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from pluton_rclone.errors import NothingFound, UsageError
from pluton_rclone.preflight import Finding, preflight
from pluton_rclone.preflight import rules as table

from .real_rclone import make, unreadable_as_ordinary_user


def rules(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The findings as sorted pairs of path and rule."""
    return sorted((finding.path, finding.rule.name) for finding in findings)


def test_a_tree_without_faults(tmp_path: Path) -> None:
    names = {
        "a.txt": b"1",
        "b/c d.txt": b"22",
        "b/é:?.txt": b"333",
        "b/~$x": b"",
        "b/e/": b"",
        ".hidden": b"4444",
    }
    scan = preflight(make(tmp_path, names), quota_free=10)
    assert list(scan) == []
    summary = scan.summary
    assert (summary.files, summary.folders, summary.bytes, summary.bytes_to_send) == (5, 2, 10, 10)
    assert summary.clean
    assert summary.finished


@pytest.mark.parametrize(
    "name", ["CON", "con", "Prn", "AUX", "nul", "COM0", "lpt9", ".lock", "Desktop.INI"]
)
def test_reserved_names_are_refused_as_file_and_as_folder(tmp_path: Path, name: str) -> None:
    make(
        tmp_path, {f"files/{name}": b"1", f"folders/{name}/inside": b"22", f"fine/{name}.txt": b"4"}
    )
    scan = preflight(tmp_path)
    assert rules(scan) == [
        (f"files/{name}", "name_forbidden"),
        (f"folders/{name}", "name_forbidden"),
    ]
    assert (scan.summary.bytes, scan.summary.bytes_to_send) == (4, 1)


def test_vti_anywhere_in_a_name(tmp_path: Path) -> None:
    make(tmp_path, {"_vti_": b"", "x_VTI_y": b"", "vti": b"", "_vti": b""})
    assert rules(preflight(tmp_path)) == [
        ("_vti_", "name_holds_vti"),
        ("x_VTI_y", "name_holds_vti"),
    ]


def test_forms_is_refused_at_the_root_of_a_library_only(tmp_path: Path) -> None:
    make(tmp_path, {"Forms/x": b"", "inside/forms/x": b""})
    assert rules(preflight(tmp_path, drive_type="documentLibrary")) == [
        ("Forms", "name_forms_at_root")
    ]
    assert rules(preflight(tmp_path, drive_type="business")) == [("Forms", "name_forms_at_root")]
    assert rules(preflight(tmp_path, drive_type="business", base="backup")) == []
    assert rules(preflight(tmp_path, drive_type="personal")) == []


def test_the_folder_that_receives_it_is_looked_at_too(tmp_path: Path) -> None:
    make(tmp_path, {"x": b"1"})
    scan = preflight(tmp_path, base="Backups/con")
    assert [(found.path, found.rule.name) for found in scan] == [(".", "name_forbidden")]
    assert scan.summary.bytes_to_send == 0
    assert rules(preflight(tmp_path, base="a" * 255, prefix="b" * 150)) == [(".", "path_too_long")]


def test_a_path_has_at_most_399_characters_site_library_and_destination_included(
    tmp_path: Path,
) -> None:
    prefix, base = (
        "sites/Backups/Shared Documents",
        "laptop/data",
    )  # 30 and 11 characters, one "/" after each
    room = 399 - 30 - 1 - 11 - 1
    folder = "f" * 150
    fits, long = "x" * (room - 151), "x" * (room - 150)
    make(tmp_path, {f"{folder}/{fits}": b"1", f"{folder}/{long}": b"22"})
    scan = preflight(tmp_path, prefix=prefix, base=base)
    (finding,) = scan
    assert (finding.path, finding.rule.name) == (f"{folder}/{long}", "path_too_long")
    assert "400 characters" in finding.what
    assert scan.summary.bytes_to_send == 1


def test_the_length_is_that_of_the_translated_name(tmp_path: Path) -> None:
    # 120 bytes that are not UTF-8 become three characters each
    folder = "x" * 100
    make(tmp_path, {f"{folder}/{'y' * 200}": b"", f"{folder}/a{chr(0xDCFF) * 80}": b""})
    findings = rules(preflight(tmp_path, base="b" * 57))
    assert (f"{folder}/a{chr(0xDCFF) * 80}", "path_too_long") in findings
    assert (f"{folder}/{'y' * 200}", "path_too_long") not in findings


def test_a_folder_that_is_too_deep_is_told_once_and_not_for_everything_in_it(
    tmp_path: Path,
) -> None:
    deep = "/".join(["d" * 100] * 4)
    make(tmp_path, {f"{deep}/one": b"", f"{deep}/two/three": b"", f"{deep}/CON": b""})
    assert rules(preflight(tmp_path)) == [
        (deep, "path_too_long"),
        (f"{deep}/CON", "name_forbidden"),
    ]


def test_a_name_longer_than_255_characters_once_translated(tmp_path: Path) -> None:
    name = chr(0xDCFF) * 86  # 258 characters on OneDrive
    make(tmp_path, {name: b""})
    assert rules(preflight(tmp_path)) == [(name, "name_not_utf8"), (name, "name_too_long")]


def test_emoji_make_a_length_doubtful_since_windows_counts_them_twice(tmp_path: Path) -> None:
    name = "😀" * 60
    make(tmp_path, {name: b"", "x" * 100: b""})
    base = "b" * 200 + "/" + "b" * 80
    (finding,) = preflight(tmp_path, base=base)
    assert (finding.path, finding.rule.name) == (name, "length_doubtful")
    assert finding.detail == "the path: 402, as Windows counts"
    assert rules(preflight(tmp_path, base=base[:-10])) == []


def test_a_file_over_250_gb(tmp_path: Path) -> None:
    for name, size in (("fits", 250_000_000_000), ("large", 250_000_000_001)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, size)
    scan = preflight(tmp_path, quota_free=250_000_000_000)
    (finding,) = scan
    assert (finding.path, finding.rule.name, finding.detail) == (
        "large",
        "file_too_large",
        "250.0 GB",
    )
    assert scan.summary.bytes == 500_000_000_001
    assert scan.summary.bytes_to_send == 250_000_000_000


def test_more_than_the_quota_has(tmp_path: Path) -> None:
    make(tmp_path, {"a": b"12345", "CON": b"not counted: it is refused anyway"})
    assert rules(preflight(tmp_path, quota_free=5)) == [("CON", "name_forbidden")]
    *_, last = preflight(tmp_path, quota_free=4)
    assert (last.path, last.rule.name) == (".", "quota_exceeded")
    assert rules(preflight(tmp_path / "a", quota_free=None)) == []


def test_what_is_at_the_target_already_is_not_sent_again(tmp_path: Path) -> None:
    make(tmp_path, {"a": b"12345"})
    assert rules(preflight(tmp_path, quota_free=2, not_there_yet=lambda: 2)) == []
    *_, last = preflight(tmp_path, quota_free=2, not_there_yet=lambda: 3)
    assert (last.rule.name, last.detail) == ("quota_exceeded", "3 B to send, 2 B free")


def test_what_is_refused_for_two_reasons_is_taken_off_once(tmp_path: Path) -> None:
    long = "_vti_" + "x" * 120
    base = "/".join(["b" * 100] * 3)
    make(tmp_path, {long: b"123", "a": b"12345"})
    scan = preflight(tmp_path, base=base, quota_free=4)
    assert len([finding for finding in scan if finding.path == long and finding.rule.refuses]) == 2
    assert scan.summary.bytes_to_send == 5


def test_names_that_are_one_for_rclone_and_onedrive(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            **dict.fromkeys(["case/Read Me", "case/read me", "case/READ ME", "case/other"], b""),
            **dict.fromkeys(["case/Äpfel", "case/äpfel", "folders/Docs/a", "folders/docs/b"], b""),
            **dict.fromkeys(["accents/é", "accents/e\u0301", "mixed/X", "mixed/x/inside"], b""),
            **dict.fromkeys(["marks/‛a", "marks/‛‛a", "bytes/b\udcff", "bytes/b\udcfe"], b""),
            **dict.fromkeys(["perhaps/straße", "perhaps/STRASSE", "apart/a:b", "apart/a：b"], b""),
        },
    )
    found = rules(
        finding for finding in preflight(tmp_path) if finding.rule.name != "name_not_utf8"
    )
    assert found == sorted(
        [
            (f"case/{name}", "same_but_case")
            for name in ("Read Me", "read me", "READ ME", "Äpfel", "äpfel")
        ]
        + [("folders/Docs", "same_but_case"), ("folders/docs", "same_but_case")]
        + [("accents/é", "same_but_accents"), ("accents/e\u0301", "same_but_accents")]
        + [("mixed/X", "file_and_folder_same"), ("mixed/x", "file_and_folder_same")]
        + [("marks/‛a", "same_when_translated"), ("marks/‛‛a", "same_when_translated")]
        + [("bytes/b\udcff", "same_when_translated"), ("bytes/b\udcfe", "same_when_translated")]
        + [("perhaps/straße", "same_perhaps"), ("perhaps/STRASSE", "same_perhaps")]
    )


def test_folders_that_look_alike_once_translated(tmp_path: Path) -> None:
    make(
        tmp_path,
        {"in/a:b/x": b"", "in/a：b/x": b"", "a:b": b"", "a：b": b"", "c:d/x": b"", "‛‛/x": b""},
    )
    found = list(preflight(tmp_path))
    assert rules(found) == [
        ("in/a:b", "folder_looks_alike"),
        ("in/a：b", "folder_looks_alike"),
    ]
    assert {(one.detail, one.is_dir) for one in found} == {
        ("beside 'a:b'", True),
        ("beside 'a：b'", True),
    }


def test_a_finding_names_the_others(tmp_path: Path) -> None:
    make(tmp_path, dict.fromkeys(["a", "A", "é", "e\u0301"], b""))
    details = {finding.path: finding.detail for finding in preflight(tmp_path)}
    assert details == {
        "a": "beside 'A'",
        "A": "beside 'a'",
        "é": "beside 'e\\u0301'",
        "e\u0301": "beside 'é'",
    }


def test_links_and_special_files_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, {"file": b"1", "folder/x": b""})
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder link").symlink_to("folder")
    (tmp_path / "broken").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        scan = preflight(tmp_path)
        assert rules(scan) == [
            ("broken", "symlink"),
            ("folder link", "symlink"),
            ("link", "symlink"),
            ("pipe", "special_file"),
            ("socket", "special_file"),
        ]
        kinds = {rule for _, rule in rules(preflight(tmp_path, links=True))}
        assert kinds == {"special_file"}
    assert (scan.summary.files, scan.summary.folders) == (2, 1)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """As an ordinary user: root first drops its right to read everything."""
    make(
        tmp_path, {"mine": b"1", "open": b"1", "closed": b"1", "folder/x": b"1", "no entry/x": b"1"}
    )
    for name, mode in {"mine": 0o600, "closed": 0o000, "folder": 0o000, "no entry": 0o400}.items():
        (tmp_path / name).chmod(mode)
    found = unreadable_as_ordinary_user(tmp_path)
    for name in ("folder", "no entry"):
        (tmp_path / name).chmod(0o700)
    assert found == ["closed unreadable", "folder unreadable", "no entry/x unreadable"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    make(tmp_path, {"gro\udcdf/x": b"", "fine ü": b""})
    (finding,) = preflight(tmp_path)
    assert finding.rule.name == "name_not_utf8"
    assert "arrives as gro‛DF" in finding.what
    assert os.path.isdir(os.path.join(os.fsencode(tmp_path), os.fsencode(finding.path)))
    record = json.loads(json.dumps(finding.record(), ensure_ascii=False).encode())
    assert (record["path"], record["path_base64"]) == ("gro\\xdf", "Z3Jv3w==")
    assert str(finding).startswith("gro\\xdf: warning: ")


def test_a_name_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    make(tmp_path, {"CON\n\x1b[31m_vti_": b""})
    (finding,) = preflight(tmp_path)
    assert finding.path == "CON\n\x1b[31m_vti_"
    assert str(finding).startswith("CON\\n\\x1b[31m_vti_: refused: ")


def test_an_encoding_that_leaves_characters_as_they_are(tmp_path: Path) -> None:
    names = ["a:b", "~$x", "~x", "x.", " x", "tilde/~y/z", "fine"]
    make(tmp_path, dict.fromkeys(names, b""))
    assert rules(preflight(tmp_path, encoding="Slash,Dot")) == sorted(
        (name, "name_not_translated") for name in ("a:b", "~$x", "x.", " x", "tilde/~y")
    )
    assert rules(preflight(tmp_path, encoding="Slash,Dot", drive_type="personal")) == sorted(
        (name, "name_not_translated") for name in ("a:b", "~$x", "x.", " x")
    )


def test_a_single_file(tmp_path: Path) -> None:
    make(tmp_path, {"con": b"12", "CON": b"not looked at"})
    scan = preflight(tmp_path / "con")
    assert rules(scan) == [("con", "name_forbidden")]
    assert (scan.summary.files, scan.summary.bytes) == (1, 2)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    scan = preflight(tmp_path / "missing")
    with pytest.raises(NothingFound, match="missing"):
        next(scan)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_a_source_that_no_path_can_name(name: str) -> None:
    with pytest.raises(UsageError, match="no path can contain"):
        next(preflight(name))


def test_findings_stream_while_the_scan_goes_on(tmp_path: Path) -> None:
    make(tmp_path, {f"{folder}/{name}": b"" for folder in range(50) for name in ("CON", "x", "y")})
    scan = preflight(tmp_path)
    first = next(scan)
    assert first.rule.name == "name_forbidden"
    assert scan.summary.files < 150
    assert not scan.summary.finished
    for _ in scan:
        pass
    summary = scan.summary
    assert (summary.files, summary.by_rule["name_forbidden"], summary.finished) == (150, 50, True)
    assert summary.record()["findings"] == {"refused": 50, "spoiled": 0, "skipped": 0, "warning": 0}


def test_what_vanishes_during_the_scan_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, {"first/CON": b"", "second/CON": b""})
    scan = preflight(tmp_path)
    gone = "second" if next(scan).path.startswith("first") else "first"
    (tmp_path / gone / "CON").unlink()
    (tmp_path / gone).rmdir()
    assert rules(scan) == []


def test_the_memory_stays_flat(tmp_path: Path) -> None:
    def peak(folders: range) -> int:
        for folder in folders:
            make(tmp_path, {f"{folder}/file number {number}": b"" for number in range(100)})
        tracemalloc.start()
        scan = preflight(tmp_path)
        assert list(scan) == []
        assert scan.summary.files == 100 * folders.stop
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(range(10)), peak(range(10, 60))
    assert large - small < 64 * 1024


@pytest.mark.parametrize(
    ("limits", "rule"), [((5, 6), "folder_large"), ((4, 5), "folder_too_full")]
)
def test_folders_with_very_many_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], rule: str
) -> None:
    monkeypatch.setattr(table, "MANY_ENTRIES", limits[0])
    monkeypatch.setattr(table, "TOO_MANY_ENTRIES", limits[1])
    make(
        tmp_path,
        {"full/a": b"", "full/b": b"", "full/c": b"", "full/d/": b"", "full/e/": b"", "few/a": b""},
    )
    (finding,) = preflight(tmp_path)
    assert (finding.path, finding.rule.name, finding.detail) == ("full", rule, "5 entries")
