"""Hostile names: as content, source, destination, filter and files-from, bytes arrive intact or a
clear error says why.

Nothing is ever executed: every name is tested with a canary that shell code in it would create.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pluton_rclone.errors import PlutonRcloneError, UsageError
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.commands import filter_name
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.values.encoding import standard_name

NASTY = [
    b"$(touch PWNED).txt",
    b"`touch PWNED`",
    b"; touch PWNED;",
    b"| touch PWNED",
    b"&& touch PWNED",
    b"-rf",
    b"--config=x",
    b"--",
    b"a:b",
    b":local:x",
    b":memory,token=x:",
    b"remote:",
    b'"quoted"',
    b"it's",
    b"new\nline",
    b"tab\tand\rreturn",
    b"\x01\x1f\x7f",
    b" leading and trailing ",
    b"~",
    b"*",
    b"?[a-z]{b,c}",
    b"{{regex}}",
    b"# comment",
    b"; comment",
    b"back\\slash",
    b"%2e%2e",
    b"...",
    b"\xff\xfe",
    b"half\xc3",
    "räksmörgås 🎉 日本".encode(),
    "．".encode(),
    "␊␀".encode(),
    "／".encode(),
    b"x" * 255,
    "🎉".encode() * 63,
]
LONGEST = 255 - len(".26c15a3d.partial")
"""Bytes that still leave room for rclone's suffix of a file in transfer; see below."""
HOSTILE = st.one_of(
    st.sampled_from(NASTY),
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=4).map(
        lambda parts: b"".join(parts)[:LONGEST]
    ),
).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))
QUOTE = "\u201b".encode()
"""rclone's quoting character: a local name with it is translated, a limit of rclone; see below."""
NAMES = st.sets(HOSTILE.filter(lambda name: QUOTE not in name), min_size=1, max_size=12)

SLOW = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder; after the test, it must be unchanged."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.rglob("PWNED*")) == []


@pytest.fixture
def engine(binary: Binary) -> Rclone:
    return Rclone(binary, config=os.devnull)


def folder(here: Path, names: set[bytes] | None = None) -> bytes:
    """A new folder with a file for each name, whose content is the name."""
    made = os.fsencode(tempfile.mkdtemp(dir=here))
    for name in names or ():
        with open(os.path.join(made, name), "wb") as file:
            file.write(b"I am " + name)
    return made


def content(place: bytes) -> dict[bytes, bytes]:
    found = {}
    for name in os.listdir(place):
        with open(os.path.join(place, name), "rb") as file:
            found[name] = file.read()
    return found


@SLOW
@given(names=NAMES, new=HOSTILE)
def test_one_file_as_source_and_another_name_as_destination(
    here: Path, engine: Rclone, names: set[bytes], new: bytes
) -> None:
    source, target = folder(here, names), folder(here)
    name = min(names)
    if QUOTE in new:
        with pytest.raises(UsageError, match="U\\+201B"):
            engine.copyto(os.path.join(source, name), os.path.join(target, new))
        assert content(target) == {}
        return
    engine.copyto(os.path.join(source, name), os.path.join(target, new)).result()
    assert content(target) == {new: b"I am " + name}


@SLOW
@given(names=NAMES)
def test_the_content_of_a_folder_arrives_byte_for_byte_also_in_folders_with_such_names(
    here: Path, engine: Rclone, names: set[bytes]
) -> None:
    source, target = folder(here, names), os.path.join(folder(here), *sorted(names)[:2])
    assert engine.copy(source, target).result().transfers == len(names)
    assert content(target) == content(source)


@SLOW
@given(names=NAMES)
def test_as_a_filter(here: Path, engine: Rclone, names: set[bytes]) -> None:
    source, target = folder(here, {*names, b"bystander"}), folder(here)
    wanted = max(names)
    rules = [f"+ /{filter_name(standard_name(wanted))}", "- *"]
    if re.search("[\ud800-\udfff]", rules[0]):  # rclone's rules cannot distinguish such bytes
        with pytest.raises(UsageError, match="not UTF-8"):
            engine.copy(source, target, filters=rules)
        return
    engine.copy(source, target, filters=rules).result()
    assert content(target) == {wanted: b"I am " + wanted}


@SLOW
@given(names=NAMES)
def test_in_files_from(here: Path, engine: Rclone, names: set[bytes]) -> None:
    source, target = folder(here, {*names, b"bystander"}), folder(here)
    engine.copy(source, target, files_from=[standard_name(name) for name in names]).result()
    assert set(content(target)) == names


@SLOW
@given(names=NAMES)
def test_listed_names_lead_back_to_the_files(here: Path, engine: Rclone, names: set[bytes]) -> None:
    """Except invalid UTF-8, which JSON cannot hold: it is listed with replacement characters."""
    source = folder(here, names)
    listed = {entry.name for entry in engine.list(source)}
    expected = {re.sub("[\udc80-\udcff]", "\ufffd", standard_name(name)) for name in names}
    assert listed == expected


@pytest.mark.parametrize("name", ["a\u201bb", "\u201b", "\u201b\u201b", "\u201bFF"])
def test_the_character_that_rclone_quotes_with(here: Path, engine: Rclone, name: str) -> None:
    source, target = folder(here, {os.fsencode(name)}), folder(here)
    with pytest.raises(UsageError, match="U\\+201B"):
        engine.copy(os.path.join(source, os.fsencode(name)), target)


@pytest.mark.parametrize("text", ["", "nul\0", "lone surrogate \ud800"])
def test_what_no_path_can_be(here: Path, engine: Rclone, text: str) -> None:
    with pytest.raises(UsageError):
        engine.copy(text, here)
    with pytest.raises((UsageError, ValueError)):
        engine.copy(Path(text) if text else os.fsencode(text), here)


@pytest.mark.parametrize("end", ["␊", "␊␀"])
def test_a_name_whose_temporary_name_is_too_long_is_a_clear_error(
    here: Path, engine: Rclone, end: str
) -> None:
    """rclone shortens the name by its suffix's length, in its own spelling, where a file system's
    `␊` has six bytes, not three: that is too little (operations/copy.go, checkPartial)."""
    name = b"x" * (255 - len(end.encode())) + end.encode()
    source, target = folder(here, {name, b"bystander"}), folder(here)
    with pytest.raises(PlutonRcloneError, match="name too long"):
        engine.copy(source, target).result()
    assert set(content(target)) == {b"bystander"}


def test_a_name_that_is_too_long_is_a_clear_error(here: Path, engine: Rclone) -> None:
    source = folder(here, {b"a"})
    with pytest.raises(PlutonRcloneError) as caught:
        engine.copyto(os.path.join(source, b"a"), os.path.join(folder(here), b"x" * 256)).result()
    assert caught.value.code in ("path_too_long", "transfer_failed")
    assert "too long" in str(caught.value)


@pytest.mark.parametrize(
    "place",
    [
        ':onedrive,token="{secret}":x',
        "od,client_secret=abc:x",
        ":sftp,host=h,pass=abc:",
        ":s3,secret_access_key=abc:bucket",
    ],
)
def test_a_secret_in_a_location_is_refused(engine: Rclone, here: Path, place: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine.copy(place, here)
    assert "abc" not in repr(caught.value.record())


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("a ", b"a "), ("a\\ ", b"a "), ("a\\\\ ", b"a\\ "), ("a\\\\\\ ", b"a\\ ")],
)
def test_a_blank_at_the_end_of_a_pattern_counts_quoted_or_not(
    here: Path, engine: Rclone, pattern: str, name: bytes
) -> None:
    source, target = folder(here, {b"a", b"a ", b"a\\", b"a\\ "}), folder(here)
    engine.copy(source, target, filters=[f"- {pattern}"]).result()
    assert set(content(target)) == {b"a", b"a ", b"a\\", b"a\\ "} - {name}
