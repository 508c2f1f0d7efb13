"""Secrets are removed from all shown text: tokens, passwords, pre-authenticated addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.values.redaction import redact

# Hosts from Microsoft's documents (createUploadSession, get-content-range) and from public logs.
PRE_SIGNED = [
    "https://sn3302.up.1drv.com/up/{}",
    "https://public.dm.files.1drv.com/y4m{}/report.docx?AVOverride=1",
    "https://b0mpua-by3301.files.1drv.com/y23{}",
    "https://api.onedrive.com/rup/0a1b2c3d4e5f6a42/{}/x",
    "https://by3302files.storage.live.com/y4m{}?download",
    "https://public.bay.livefilestore.com/y2m{}/a.jpg",
    "https://southcentralus1-mediap.svc.ms/transform/zip?cs={}",
    "https://1drv.ms/f/s!{}",
    "https://contoso.sharepoint.com/_layouts/15/download.aspx?UniqueId=1&tempauth={}",
    "https://my.microsoftpersonalcontent.com/personal/1/_api/v2.0/x/uploadSession?guid=1&tempauth=v1.{}",
    "https://onedrive.live.com/redir?resid=1!1&authkey={}",
    "https://contoso.sharepoint.com/x?prooftoken={}",
]
KEY = st.text(
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnopqrstuvwxyz0123456789-_", min_size=12, max_size=60
)
AROUND = st.sampled_from(
    ['Put "{}": EOF', "Get {}: dial tcp: i/o timeout", "{}", "<a href='{}'>", "see\n{}\nand"]
)


@given(st.sampled_from(PRE_SIGNED), KEY, AROUND, st.booleans())
def test_an_address_that_opens_by_itself_is_shown_without_what_opens_it(
    address: str, key: str, around: str, loud: bool
) -> None:
    whole = address.format(key)
    shown = redact(around.format(whole.upper() if loud else whole))
    assert key.lower() not in shown.lower()
    host = address.split("/")[2]
    assert host in shown.lower()
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents",
        "https://graph.microsoft.com/v1.0/me/drive",
        "Failed to copy: accessDenied: Access denied",
        "code: itemNotFound",
        "the tokens are good, the key is lost",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert redact(redact(text)) == redact(text)
