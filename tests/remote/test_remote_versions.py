"""Old and new rclones side by side: our table matches what each of them reports."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import RcloneTooOld
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME, OPTIONS
from pluton_rclone.remote.pairs import joined
from pluton_rclone.remote.versions import Known, known_faults, lacks, table
from pluton_rclone.values.versions import KNOWS_ALL, Feature, Version
from tests.conf.real_rclone import RCLONE, dump
from tests.conf.wheels import wheel_rclone
from tests.rclone.debian import debian_rclone

TOKEN = (
    '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
)
FOUR = ["1.60.1", "1.65.2", "1.69.0", "1.75.2"]


def binary(version: str) -> Path:
    if version == "1.60.1":
        return debian_rclone()
    return RCLONE if version == "1.75.2" else wheel_rclone(version)


@cache
def ask(path: Path) -> Known:
    found = Binary(path)
    return Known.parse(found.version, found.providers())


def drift(known: Known) -> list[str]:
    """The binary's differences from our table; empty for the rclone that the table describes."""
    rclone = f"rclone {known.version}"
    found = [f"{name}: new in {rclone}" for name in known.options if name not in BY_NAME]
    for option in OPTIONS:
        name, since, other = option.name, option.since, known.options.get(option.name)
        if other is None:
            if known.version >= since:
                found.append(f"{name}: not in {rclone}, though known since {since}")
            continue
        if known.version < since:
            found.append(f"{name}: {rclone} knows it before {since}")
        if (default := other["DefaultStr"]) != option.default:
            found.append(f"{name}: default {default!r}, here {option.default!r}")
        theirs = sorted(example["Value"] for example in other.get("Examples") or ())
        ours = sorted(choice.value for choice in option.choices)
        if theirs and ours != theirs:
            found.append(f"{name}: choices {theirs}, here {ours}")
        # Before 1.63, rclone did not report which options are sensitive.
        if (other.get("Sensitive") or other.get("IsPassword")) and not option.sensitive:
            found.append(f"{name}: sensitive in rclone, not here")
    return found


def test_the_table_has_the_thirty_options_of_the_installed_rclone_and_no_drift() -> None:
    known = ask(RCLONE)
    assert str(known.version) == "1.75.2"
    assert drift(known) == []
    assert set(known.options) == {option.name for option in OPTIONS}
    assert len(OPTIONS) == 30


@pytest.mark.parametrize("version", FOUR)
def test_each_rclone_knows_what_our_table_says_that_it_knows(version: str) -> None:
    known = ask(binary(version))
    assert str(known.version) == version
    assert [line for line in drift(known) if "choices" not in line] == []
    since = {option.name for option in OPTIONS if option.since <= known.version}
    assert set(known.options) == since


def test_drift_names_what_differs() -> None:
    known = ask(RCLONE)
    options = {name: one for name, one in known.options.items() if name != "client_id"}
    changed = Known(Version(1, 99), {**options, "brand_new": {"DefaultStr": ""}})
    assert drift(changed) == [
        "brand_new: new in rclone 1.99.0",
        "client_id: not in rclone 1.99.0, though known since 1.40.0",
    ]


def test_the_table_shows_what_each_accepts() -> None:
    rows = {row[0]: row[1:] for row in table([ask(binary(version)) for version in FOUR])}
    assert rows[""] == FOUR
    assert rows["chunk_size"] == ["yes", "yes", "yes", "yes"]
    assert rows["delta"] == ["no", "yes", "yes", "yes"]
    assert rows["hard_delete"] == ["no", "no", "yes", "yes"]
    assert rows["client_credentials"] == ["no", "no", "yes", "yes"]
    assert rows["tenant_url"] == ["no", "no", "no", "yes"]
    assert rows["names: @ and +"] == ["no", "yes", "yes", "yes"]
    assert rows["renews a public client's token"] == ["no", "no", "yes", "yes"]


@pytest.mark.parametrize("version", FOUR)
def test_every_rclone_reads_a_section_with_options_that_it_does_not_know(
    version: str, tmp_path: Path
) -> None:
    remote = OneDriveRemote(
        drive_id="b!x",
        drive_type="business",
        token=TOKEN,
        chunk_size="20Mi",
        description="Zoë's",
        base_folder="a/b",
    )
    config = tmp_path / "rclone.conf"
    Conf(config).add("zoe", remote.to_section())
    seen = dump(config, binary=binary(version))
    assert seen.pop("zoe") == {"type": "alias", "remote": "zoe-drive:a/b"}
    assert seen["zoe-drive"].pop("pluton_sign_in")
    assert joined(seen["zoe-drive"]) == remote.to_section()


@pytest.mark.parametrize(
    ("options", "version", "named"),
    [
        ({"hard_delete": True}, (1, 60, 1), "1.67.0"),
        ({"delta": True}, (1, 60, 1), "1.65.0"),
        ({"tenant": "contoso.com"}, (1, 65, 2), "1.69.0"),
        ({"tenant_url": "https://c.sharepoint.com/_api"}, (1, 69, 0), "1.75.0"),
        ({"client_id": "public"}, (1, 65, 2), "1.67.0"),
    ],
)
def test_what_the_rclone_at_hand_would_ignore_is_refused_with_both_versions(
    options: dict[str, object], version: tuple[int, int, int], named: str
) -> None:
    remote = OneDriveRemote(drive_id="b!x", drive_type="business", token=TOKEN, **options)
    with pytest.raises(RcloneTooOld) as caught:
        remote.require(version)
    assert ".".join(map(str, version)) in str(caught.value)
    assert named in str(caught.value)
    remote.require((1, 75, 2))


def test_options_at_their_default_and_the_friendly_name_need_no_newer_rclone() -> None:
    remote = OneDriveRemote(
        drive_id="b!x", drive_type="business", token=TOKEN, description="Anna", hard_delete=False
    )
    remote.require((1, 60, 1))
    switched = {**remote.to_section(), "hard_delete": "False", "chunk_size": "10Mi"}
    assert list(lacks(switched, (1, 60, 1))) == []


def test_the_version_that_knows_all_is_that_of_the_latest_option_or_feature() -> None:
    assert max(one.since for one in (*OPTIONS, *Feature)) == KNOWS_ALL


def test_old_versions_are_known_for_their_faults() -> None:
    assert len(known_faults((1, 60, 1))) == 4
    assert "1.65.1" in known_faults(Version(1, 60, 1))[0].advice
    assert known_faults((1, 75, 2)) == []
