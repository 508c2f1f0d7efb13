"""Technical terms become plain words, and nothing that a person typed is changed or trusted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from pluton_rclone.web.plumbing import view as wording
from pluton_rclone.web.wizard import fields


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1536, "1.5 KiB"), (5 * 2**30, "5 GiB"), (None, "unknown")]
)
def test_a_size_stays_on_one_line(count: int | None, shown: str) -> None:
    assert wording.size(count) == shown.replace(" ", "\u00a0")


def test_sizes_of_rclone_are_written_out() -> None:
    fault = (
        "7340032 bytes is not a multiple of 320Ki; the nearest valid sizes are 6.875Mi and 7.500Mi"
    )

    assert (
        wording.sizes(fault)
        == "7 MiB is not a multiple of 320 KiB; the nearest valid sizes are 6.875 MiB and 7.5 MiB"
    )
    assert wording.sizes("folder10Mi, 10Mint") == "folder10Mi, 10Mint"


@pytest.mark.parametrize("typed", ["20 MiB", "20MiB", "20Mi", " 20 Mi "])
def test_a_size_is_understood_as_it_is_shown(typed: str) -> None:
    assert fields.read({"chunk_size": typed}, {}) == {"chunk_size": "20Mi"}


def test_the_default_as_it_is_shown_is_still_the_default() -> None:
    shown = {field.option.name: field for field in fields.fields({})}
    labels = {choice.value: choice.label for choice in shown["link_scope"].option.choices}

    assert shown["chunk_size"].value == "10 MiB"
    assert shown["link_scope"].default == labels["anonymous"]
    assert (
        fields.read(
            {
                name: str(field.value)
                for name, field in shown.items()
                if field.option.kind != "switch"
            },
            {},
        )
        == {}
    )


def test_an_address_may_break_and_is_escaped() -> None:
    shown = wording.place("https://contoso.sharepoint.com/sites/A%20%3Cb%3E/")

    assert shown == "contoso.sharepoint.com/<wbr>sites/<wbr>A &lt;b&gt;"


def test_an_address_that_would_turn_its_letters_round_stays_encoded() -> None:
    assert "%E2%80%AE" in wording.place("https://contoso.sharepoint.com/sites/%E2%80%AEA")


def test_a_moment_says_its_zone() -> None:
    when = datetime(2026, 10, 1, 16, 3, tzinfo=timezone(timedelta(hours=2)))

    assert (
        wording.moment(when)
        == '<time datetime="2026-10-01T14:03:00+00:00">2026-10-01 14:03 UTC</time>'
    )
    assert wording.moment(None) == ""


def test_a_folder_that_is_called_true_is_no_switch() -> None:
    given = fields.of_section({"pluton_base_folder": "true", "hard_delete": "true"})
    assert given == {"base_folder": "true", "hard_delete": True}
