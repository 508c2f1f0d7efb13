"""rclone.conf as text: parsed like rclone does, edited without touching anything else."""

from __future__ import annotations

import pytest

from pluton_rclone.conf.ini import parse
from pluton_rclone.errors import ConfigUnreadable

BY_HAND = (
    "\ufeff# written by hand\r\n"
    "\r\n"
    "# Anna's own\r\n"
    "[anna]\r\n"
    "type:onedrive\r\n"
    '  token   =   {"access_token":"x"}   \r\n'
    "; why not\r\n"
    "chunk_size = 5Mi\r\n"
    "chunk_size = 10Mi\r\n"
    "\r\n"
    "# secret stuff\r\n"
    "[vault]\r\n"
    "type = crypt\r\n"
    "remote = anna:vault\r\n"
    'unknown thing = "kept"'
)


def test_reading_what_people_write() -> None:
    document = parse(BY_HAND)
    assert document.names() == ["anna", "vault"]
    assert document.section("anna") == {
        "type": "onedrive",
        "token": '{"access_token":"x"}',
        "chunk_size": "10Mi",
    }
    assert document.section("vault") == {
        "type": "crypt",
        "remote": "anna:vault",
        "unknown thing": '"kept"',
    }


def test_an_unedited_document_is_the_text_it_came_from() -> None:
    assert parse(BY_HAND).text() == BY_HAND


def test_changing_a_value_changes_nothing_else() -> None:
    changed = parse(BY_HAND).changed("anna", {"token": "{}"})
    assert changed.text() == BY_HAND.replace('{"access_token":"x"}   ', "{}")


def test_of_a_key_that_comes_twice_the_one_that_counts_is_changed() -> None:
    changed = parse(BY_HAND).changed("anna", {"chunk_size": "20Mi"})
    assert changed.text() == BY_HAND.replace("chunk_size = 10Mi", "chunk_size = 20Mi")
    assert changed.section("anna")["chunk_size"] == "20Mi"


def test_a_removed_key_is_gone_wherever_it_stood() -> None:
    changed = parse(BY_HAND).changed("anna", {"chunk_size": None, "nothing": None})
    assert changed.text() == BY_HAND.replace("chunk_size = 5Mi\r\nchunk_size = 10Mi\r\n", "")


def test_a_new_key_comes_last_in_its_section_with_the_line_end_of_the_file() -> None:
    changed = parse(BY_HAND).changed("anna", {"region": "us"})
    assert changed.text() == BY_HAND.replace(
        "chunk_size = 10Mi\r\n", "chunk_size = 10Mi\r\nregion = us\r\n"
    )


def test_a_value_that_is_right_already_changes_nothing() -> None:
    document = parse(BY_HAND)
    assert document.changed("anna", {"chunk_size": "10Mi"}) is document


def test_a_new_section_stands_at_the_end_after_a_blank_line() -> None:
    added = parse(BY_HAND).with_section("new", {"type": "local"})
    assert added.text() == BY_HAND + "\r\n\r\n[new]\r\ntype = local\r\n"
    assert parse("").with_section("new", {"type": "local"}).text() == "[new]\ntype = local\n"


def test_a_section_goes_with_its_own_comment_only() -> None:
    removed = parse(BY_HAND).without_section("anna")
    assert removed.text() == (
        "\ufeff# written by hand\r\n\r\n# secret stuff\r\n[vault]\r\ntype = crypt\r\nremote = "
        "anna:vault\r\n"
        'unknown thing = "kept"'
    )
    assert parse(BY_HAND).without_section("vault").text() == BY_HAND.partition("# secret stuff")[0]


def test_a_section_is_renamed_in_place() -> None:
    assert parse(BY_HAND).renamed("anna", "bert").text() == BY_HAND.replace("[anna]", "[bert]")
    assert parse(" [ a ] \nx = 1\n").renamed("a", "b").text() == " [b] \nx = 1\n"


def test_sections_of_one_name_are_one() -> None:
    document = parse("[a]\nx = 1\n[b]\ny = 1\n[a]\nx = 2\nz = 3\n")
    assert document.section("a") == {"x": "2", "z": "3"}
    assert document.changed("a", {"x": "9"}).text() == "[a]\nx = 1\n[b]\ny = 1\n[a]\nx = 9\nz = 3\n"
    assert document.without_section("a").text() == "[b]\ny = 1\n"
    assert document.renamed("a", "c").section("c") == {"x": "2", "z": "3"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("k = `  edges  `", "  edges  "),
        ('k = """  edges  """', "  edges  "),
        ('k = "quotes"', '"quotes"'),
        ("k = a # b ; c", "a # b ; c"),
        ("k = C:\\dir", "C:\\dir"),
        ("k =\u00a0x\u00a0", "x"),
        ("k = ", ""),
        ("k = %(other)s!", "o!"),
        ("k = %(none)s!", "!"),
        ("k = 100%", "100%"),
    ],
)
def test_values_as_rclone_understands_them(line: str, value: str) -> None:
    assert parse(f"[a]\nother = o\n{line}\n").section("a")["k"] == value


def test_values_that_need_quotes_get_them() -> None:
    """Values of another program's section must reach a private config unchanged."""
    for value in ("  edges  ", '"""abc"""', "`", "``x``", "\u00a0"):
        text = parse("").with_section("a", {"k": value}).text()
        assert parse(text).section("a")["k"] == value


def test_what_a_section_inherits_and_expands_is_written_out_for_a_private_config() -> None:
    document = parse("[DEFAULT]\nd = D\n[base]\ntype = s3\nkey = %(d)s\n[base.one]\nbucket = b\n")
    assert document.section("base.one") == {"bucket": "b"}
    assert document.only(["base.one"]).section("base.one") == {
        "bucket": "b",
        "type": "s3",
        "key": "D",
    }


def test_bytes_that_are_no_text_survive() -> None:
    data = b"[a]\nname = \xff\xfe\n"
    document = parse(data.decode("utf-8", "surrogateescape")).changed("a", {"new": "1"})
    assert document.text().encode("utf-8", "surrogateescape") == data + b"new = 1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a]\nno separator\n", 2),
        ("[a]\n= x\n", 2),
        ("[]\nx = 1\n", 2),
        ('"x = 1\n', 1),
        ("[a]\nk = `secret\n", 2),
    ],
)
def test_what_rclone_refuses_is_refused_with_its_line_and_without_its_text(
    text: str, line: int
) -> None:
    with pytest.raises(ConfigUnreadable) as caught:
        parse(text)
    assert caught.value.details["line"] == line
    assert "secret" not in str(caught.value)


def test_no_repr_shows_a_value() -> None:
    document = parse("[a]\ntoken = secret\n")
    assert "secret" not in repr(document) + repr(document.lines)
