"""The translation of names, compared with the real rclone."""

from __future__ import annotations

import sys
import tempfile
import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.values.encoding import (
    ONEDRIVE_ENCODING,
    Encoding,
    coarse_key,
    lower_case,
    opens_again,
    rclone_key,
    standard_name,
    to_onedrive,
)
from tests.preflight.real_rclone import make, rclone, tree

TELLING = (
    "\"*:<>?|\\ .~‛‛␀␁␊␍␡␠＂＊：＜＞？｜＼／．～\t\n\r\x0b\x01\x1f\x7f#%$'`[];"
    "!aB\ufffd\udcff\udcc3\udca9é😀"
)
ENCODINGS = [
    ONEDRIVE_ENCODING,
    "Slash,Dot",
    "None",
    "Raw",
    "Slash,InvalidUtf8",
    "Slash,LtGt,SquareBracket,Semicolon,SingleQuote,BackQuote,Dollar,Hash,Percent,LeftPeriod,"
    "RightPeriod,Dot",
    "Slash,CrLf,LeftCrLfHtVt,RightCrLfHtVt,LeftSpace,RightSpace,Colon,Question,Pipe,Del,"
    "InvalidUtf8",
]

# names of up to 30 characters stay below the file system's 255 bytes, however they are translated
local_names = (
    st.lists(
        st.one_of(st.sampled_from(TELLING), st.characters(exclude_characters="/\0", codec="utf-8")),
        min_size=1,
    )
    .map(lambda letters: "".join(letters)[:12])
    .map(lambda name: name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))
    .filter(lambda name: name not in {".", ".."})
)


def sent(names: list[str], encoding: str) -> dict[int, str]:
    """What the real rclone makes of local names on their way to a storage with that encoding, by
    index.

    The storage is a second local remote; each name is in its own folder, so that no two names meet.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = make(
            Path(folder, "source"), {f"{number}/{name}": b"x" for number, name in enumerate(names)}
        )
        target = Path(folder, "target")
        rclone(
            "copy",
            str(source),
            f"storage:{target}",
            environment={
                "RCLONE_CONFIG_STORAGE_TYPE": "local",
                "RCLONE_CONFIG_STORAGE_ENCODING": encoding,
            },
        )
        arrived = tree(target)
    files = [path.split("/", 1) for path, content in arrived.items() if content is not None]
    return {int(number): name for number, name in files}


@pytest.mark.parametrize(
    ("local", "at_onedrive"),
    [
        ("plain.txt", "plain.txt"),
        ("a:b?.txt", "a：b？.txt"),
        ("~lead.txt", "～lead.txt"),
        ("~$doc.docx", "～$doc.docx"),
        ("in~side", "in~side"),
        ("trail.", "trail．"),
        ("trail. ", "trail.␠"),
        (" lead space", "␠lead space"),
        ("CON", "CON"),
        (".lock", ".lock"),
        ("a#b%.txt", "a#b%.txt"),
        ("x_vti_y.txt", "x_vti_y.txt"),
        ("a\nb\x7f", "a␊b␡"),
        ("a：b", "a‛：b"),
        ("gro\udcdf", "gro‛DF"),
        ("...", "..．"),
        ("  ", "␠␠"),
        ("．", "．"),
        ("a／b", "a／b"),
        ("‛‛", "‛‛"),
    ],
)
def test_what_reaches_onedrive(local: str, at_onedrive: str) -> None:
    assert to_onedrive().from_standard(standard_name(local)) == at_onedrive


def test_the_names_above_are_what_the_real_rclone_sends() -> None:
    letters = [chr(code) for code in range(1, 128) if chr(code) != "/"]
    names = [f"x{c}y" for c in letters] + [f"{c}y" for c in letters] + [f"x{c}" for c in letters]
    names += [
        "CON",
        "~$doc.docx",
        "trail. ",
        "  ",
        "...",
        "gro\udcdf",
        "a／b",
        "．",
        "‛‛",
        "␀",
        " ~",
        "~ ",
    ]
    translated = map(to_onedrive().from_standard, map(standard_name, names))
    assert sent(names, ONEDRIVE_ENCODING) == dict(enumerate(translated))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(local_names, min_size=50, max_size=150), encoding=st.sampled_from(ENCODINGS))
def test_any_name_becomes_what_the_real_rclone_makes_of_it(names: list[str], encoding: str) -> None:
    translate = to_onedrive(encoding).from_standard
    arriving = {
        number: translate(standard_name(name))
        for number, name in enumerate(names)
        if opens_again(name)
    }
    # a slash that no encoding holds back would be a folder; "Raw" and "None" let "．" become "."
    odd = {n for n, name in arriving.items() if "/" in name or "\0" in name or name in {".", ".."}}
    arrived = sent(names, encoding)
    assert {n: name for n, name in arrived.items() if n not in odd} == {
        n: name for n, name in arriving.items() if n not in odd
    }


def cased_letters() -> list[str]:
    """All letters of Unicode 3.2 that have upper, lower or composed forms: old enough for every
    Python."""
    old = unicodedata.ucd_3_2_0
    letters = map(chr, range(0x80, sys.maxunicode + 1))
    return [
        letter
        for letter in letters
        if old.category(letter)[0] in "LNS"
        and (
            letter.lower() != letter
            or letter.upper() != letter
            or unicodedata.normalize("NFC", letter) != letter
        )
    ]


def test_rclone_takes_the_same_letters_for_one() -> None:
    """With --ignore-case-sync, rclone compares names as for OneDrive, and keeps one of each
    group."""
    letters = cased_letters()
    assert len(letters) > 1500
    names = [f"{letter}é" for letter in letters] + [f"{letter}e\u0301" for letter in letters[:100]]
    names += [
        "ΑΣ",
        "ας",
        "ασ",
        "İx",
        "ix",
        "i\u0307x",
        "\u212ax",
        "kx",
        "KX",
        "ſx",
        "sx",
        "ẞ",
        "ß",
        "ss",
    ]
    names += ["b\udcff", "b\udcfe", "b\ufffd", "B\udcff\udcff", "plain", "PLAIN"]
    classes: dict[str, set[str]] = defaultdict(set)
    for name in names:
        classes[rclone_key(name)].add(name)
    with tempfile.TemporaryDirectory() as folder:
        source = make(Path(folder, "source"), dict.fromkeys(names, b"x"))
        done = rclone("copy", "--ignore-case-sync", str(source), f"{folder}/target", environment={})
        arrived = set(tree(f"{folder}/target"))
    assert done.returncode == 0
    assert [len(members & arrived) for members in classes.values()] == [1] * len(classes)


def test_what_rclone_takes_for_one_has_one_coarse_key() -> None:
    coarse: dict[str, str] = {}
    for letter in cased_letters():
        for form in (letter, letter.lower(), letter.upper(), letter.casefold(), lower_case(letter)):
            name = f"x{form}"
            assert coarse.setdefault(rclone_key(name), coarse_key(name)) == coarse_key(name)


@given(name=local_names, other=local_names)
def test_coarse_keys_are_never_finer_than_rclone_itself(name: str, other: str) -> None:
    for variant in (other, name.swapcase(), unicodedata.normalize("NFD", name), lower_case(name)):
        if rclone_key(name) == rclone_key(variant):
            assert coarse_key(name) == coarse_key(variant)


def test_a_lone_mark_of_rclones_is_not_found_again() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = make(Path(folder, "source"), {"‛a": b"x", "b‛‛": b"x"})
        done = rclone("copy", str(source), f"{folder}/target", environment={})
        assert set(tree(f"{folder}/target")) == {"b‛‛"}
    assert b"no such file or directory" in done.stderr
    assert [opens_again("‛a"), opens_again("b‛‛")] == [False, True]


@given(name=local_names)
def test_decoding_undoes_encoding(name: str) -> None:
    encoding = Encoding("Slash,Ctl,Del,Dot")
    assert encoding.decode(encoding.encode(name)) == name


def test_an_encoding_that_rclone_does_not_know_is_refused() -> None:
    with pytest.raises(OptionInvalid, match="Colons"):
        Encoding("Slash,Colons")
