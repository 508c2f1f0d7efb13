"""The paste importer: every known form is read, everything else is refused with its fault."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pluton_rclone.errors import TokenInvalid
from pluton_rclone.microsoft.entra.paste import Pasted, read_paste
from pluton_rclone.microsoft.entra.token import Token

TOKEN = Token("planted-access", "planted-refresh", datetime(2030, 1, 1, tzinfo=timezone.utc))
JSON = TOKEN.to_rclone()


def unpadded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


SECTION = f"""# a comment
[Backup of Anna]
type = onedrive
client_id = 0000
drive_id = b!abc
drive_type = business
token = {JSON}
"""

FORMS = {
    "rclone's JSON": JSON,
    "with spaces around": f"\n\n  {JSON}  \n",
    "pretty printed": json.dumps(json.loads(JSON), indent=4),
    "the whole output of rclone authorize": (
        "2026/11/23 12:00:00 NOTICE: Make sure your Redirect URL is set to ...\n"
        "If your browser doesn't open automatically go to the following link: "
        "http://127.0.0.1:53682/auth?state=x\n"
        "Log in and authorize rclone for access\nWaiting for code...\nGot code\n"
        f"Paste the following into your remote machine --->\n{JSON}\n<---End paste\n"
    ),
    "between the arrows, on one line": f"---> {JSON} <---",
    "Windows line ends": f"--->\r\n{JSON}\r\n<---End paste\r\n",
    "base64 of the JSON": unpadded(JSON),
    "base64 with padding, wrapped": "\n".join(
        base64.b64encode(JSON.encode()).decode()[i : i + 60] for i in range(0, 400, 60)
    ),
    "base64 of the options, between arrows": "--->\n"
    f"{unpadded(json.dumps({'token': JSON}))}\n<---End paste",
    "in a shell's quotes": f"'{JSON}'",
    "escaped for a shell": json.dumps(JSON),
    "escaped without quotes": JSON.replace('"', '\\"'),
    "curly quotes of a word processor": JSON.replace('"', "”"),
    "with a byte order mark": f"\ufeff{JSON}",
    "wrapped by a terminal": "\n".join(JSON[i : i + 40] for i in range(0, len(JSON), 40)),
    "the option alone": f"token = {JSON}",
    "with words around": f"here it is: {JSON} thanks!",
    "a section of rclone.conf": SECTION,
    "rclone config dump": json.dumps(
        {"od": {"type": "onedrive", "token": JSON}, "s3": {"type": "s3"}}
    ),
    "export --json": json.dumps({"remote": "od", "text": SECTION, "variables": None}),
    "options as JSON": json.dumps({"type": "onedrive", "token": json.loads(JSON)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_known_form_is_read(form: str) -> None:
    assert read_paste(FORMS[form]).token == TOKEN


@pytest.mark.parametrize("form", ["a section of rclone.conf", "export --json"])
def test_a_remote_brings_its_options_and_its_name(form: str) -> None:
    pasted = read_paste(FORMS[form])

    assert pasted.options == {
        "type": "onedrive",
        "client_id": "0000",
        "drive_id": "b!abc",
        "drive_type": "business",
    }


def test_microsofts_own_answer_is_a_token_too() -> None:
    pasted = read_paste(
        '{"token_type":"Bearer","expires_in":3599,"access_token":"AT","refresh_token":"RT"}'
    )

    assert pasted.token.refresh_token == "RT"
    assert pasted.token.expired()  # the time of the answer is unknown


REFUSED = {
    "": "Nothing was pasted",
    "   \n ": "Nothing was pasted",
    "hello": "no token in this text",
    "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x": "an address",
    "http://127.0.0.1:53682/auth?state=x": "an address",
    "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJl": "only an access token",
    JSON[:-1]: "ends too early",
    JSON[:40]: "ends too early",
    JSON[20:]: "beginning of the token is missing",
    JSON.replace(":", ";"): "damaged",
    "--->\n\n<---End paste": "nothing between the arrows",
    '{"access_token":"AT","expiry":"2030-01-01T00:00:00Z"}': "cannot be renewed",
    '{"refresh_token":5}': "not plain text",
    '{"access_token":"AT","refresh_token":"RT","expiry":"soon"}': "expiry",
    '{"type":"onedrive"}': "no token in it",
    unpadded('{"nothing": "here at all, and long enough"}'): "base64",
    "RCLONE_ENCRYPT_V0:\nAAAA": "encrypted",
    f"RCLONE_CONFIG_WORK_TYPE=onedrive\nRCLONE_CONFIG_WORK_TOKEN={JSON}\n": "for a container",
    "[s3]\ntype = s3\n": "no OneDrive remote with a token",
    f"[g]\ntype = drive\ntoken = {JSON}": "no OneDrive remote with a token",
    f"type = drive\ntoken = {JSON}": "no OneDrive remote with a token",
    json.dumps({"type": "drive", "token": JSON}): "no OneDrive remote with a token",
    json.dumps({"g": {"type": "drive", "token": JSON}}): "no OneDrive remote with a token",
    "[a]\ntype = onedrive\n": "no OneDrive remote with a token",
    "".join(f"[{name}]\ntype = onedrive\ntoken = {JSON}\n" for name in "ab"): "2 remotes: a, b",
    "[a]\ntype = onedrive\ntoken = null-and-void": "not JSON",
    "x" * (1024 * 1024 + 1): "too long",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: REFUSED[text][:30])
def test_what_is_wrong_is_said_without_repeating_it(text: str) -> None:
    with pytest.raises(TokenInvalid) as refusal:
        read_paste(text)

    assert REFUSED[text] in str(refusal.value)
    assert "planted" not in str(refusal.value) + refusal.value.advice
    assert refusal.value.advice


def test_an_app_only_remote_needs_no_refresh_token() -> None:
    text = '[a]\ntype = onedrive\nclient_credentials = true\ntoken = {"access_token":"AT"}'

    assert read_paste(text).token.refresh_token is None


PIECES = st.sampled_from(
    [
        JSON,
        '{"',
        "}",
        "[",
        "]",
        "token = ",
        "--->",
        "<---",
        "\n",
        "\\",
        '"',
        "eyJ",
        "access_token",
        "{" * 50,
        "=",
        "\x00",
    ]
)


def outcome(text: str) -> Pasted | TokenInvalid:
    try:
        return read_paste(text)
    except TokenInvalid as refusal:
        return refusal


@given(st.lists(st.text() | PIECES).map("".join))
@example("[" * 100_000)
@example("{" * 100_000)
@example('{"token":' * 5_000)
@example(unpadded("[" * 50_000))
def test_no_paste_brings_it_down(text: str) -> None:
    result = outcome(text)

    assert result.token.to_rclone() if isinstance(result, Pasted) else result.advice


@given(st.integers(0, len(JSON) - 1), st.integers(1, 30))
def test_a_paste_that_lost_a_piece_is_refused_or_whole(start: int, length: int) -> None:
    result = outcome(JSON[:start] + JSON[start + length :])

    if isinstance(result, Pasted):
        assert result.token.refresh_token
        assert result.token.access_token
    else:
        assert "planted" not in str(result)


def test_a_paste_is_not_shown() -> None:
    assert "planted" not in repr(read_paste(SECTION.replace("0000", "planted-id")))


@pytest.mark.parametrize("form", ["rclone.conf", "dump"])
def test_a_remote_brings_what_it_takes_from_another_one_by_its_name(form: str) -> None:
    """In rclone, [a.b] inherits from [a]: imported without it, its root was another folder."""
    own = {"type": "onedrive", "drive_id": "b!abc", "drive_type": "business", "token": JSON}
    parts = {
        "a": {"type": "s3", "root_folder_id": "X!1", "no_versions": "true", "region": "us"},
        "a.b": {**own, "no_versions": "", "region": "cn"},
    }
    lines = [
        line
        for name, part in parts.items()
        for line in (f"[{name}]", *(f"{key} = {value}" for key, value in part.items()))
    ]
    options = read_paste(json.dumps(parts) if form == "dump" else "\n".join(lines)).options
    assert (options["root_folder_id"], options["no_versions"], options["region"]) == (
        "X!1",
        "",
        "cn",
    )
