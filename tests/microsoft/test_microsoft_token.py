"""The token in rclone's shape."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.errors import TokenInvalid
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(
    access_token=WORDS,
    refresh_token=st.none() | WORDS,
    expiry=st.datetimes(
        datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc)
    ),
)
def test_what_is_written_for_rclone_is_read_back(
    access_token: str, refresh_token: str | None, expiry: datetime
) -> None:
    token = Token(access_token, refresh_token, expiry)

    assert Token.from_rclone(token.to_rclone()) == token


def test_the_members_are_the_ones_that_rclone_writes() -> None:
    token = Token("AT", "RT", datetime(2030, 1, 1, tzinfo=timezone.utc))

    assert json.loads(token.to_rclone()) == {
        "access_token": "AT",
        "token_type": "Bearer",
        "refresh_token": "RT",
        "expiry": "2030-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T13:37:03.716212339Z", datetime(2026, 11, 23, 13, 37, 3, 716212, timezone.utc)),
        ("2026-11-23T15:37:03+02:00", datetime(2026, 11, 23, 13, 37, 3, tzinfo=timezone.utc)),
        ("2026-11-23 13:37:03", datetime(2026, 11, 23, 13, 37, 3, tzinfo=timezone.utc)),
        ("2026-11-23T13:37:03.7-0130", datetime(2026, 11, 23, 15, 7, 3, 700000, timezone.utc)),
        ("0001-01-01T00:00:00Z", ALREADY_EXPIRED),  # Go's zero time
        ("", ALREADY_EXPIRED),
        (None, ALREADY_EXPIRED),
    ],
)
def test_expiry_as_go_writes_it(text: str | None, moment: datetime) -> None:
    token = Token.from_record({"access_token": "AT", "refresh_token": "RT", "expiry": text})

    assert token.expiry == moment


def test_a_token_without_expiry_is_renewed_first() -> None:
    # rclone would use it for ever and never refresh it (onedrive-fake-token-no-expiry in the
    # captures)
    assert Token.from_record({"access_token": "AT", "refresh_token": "RT"}).expired()


def test_an_empty_access_token_is_never_written() -> None:
    # rclone would lose the refresh token (onedrive-fake-token-empty-access in the captures)
    token = Token.from_record(
        {"access_token": "", "refresh_token": "RT", "expiry": "2030-01-01T00:00:00Z"}
    )

    assert json.loads(token.to_rclone())["access_token"]
    assert token.expired()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', "{}", '{"access_token": 1}', '{"access_token":"a","expiry":'
                                                                '"tomorrow"}',
     '{"access_token":"a\\nb"}', '{"access_token":"a","expiry":"2026-99-01T00:00:00Z"}'],
)  # fmt: skip
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        Token.from_rclone(text)


def test_the_scopes_of_microsofts_answer_are_kept_in_short() -> None:
    token = Token.from_msal(
        {
            "access_token": "AT",
            "refresh_token": "RT",
            "expires_in": 3599,
            "scope": "https://graph.microsoft.com/Files.ReadWrite User.Read profile openid",
        }
    )

    assert token.scopes == ("Files.ReadWrite", "User.Read")
    assert (
        timedelta(minutes=59) < token.expiry - datetime.now(timezone.utc) <= timedelta(seconds=3599)
    )


def test_an_answer_without_scopes_granted_what_was_asked() -> None:
    assert Token.from_msal({"access_token": "AT"}, asked=("Files.Read",)).scopes == ("Files.Read",)


def test_a_token_is_not_shown() -> None:
    token = Token("planted-access", "planted-refresh", ALREADY_EXPIRED)

    assert "planted" not in repr(token) + str(token)
