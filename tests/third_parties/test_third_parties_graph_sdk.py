"""Microsoft's own SDK for Graph signs in, lists, uploads, downloads, follows changes and deletes on
the emulator."""

from __future__ import annotations

import asyncio
import os

import httpx
import pytest
from azure.identity.aio import ClientSecretCredential
from msgraph import GraphServiceClient
from msgraph.generated.drives.item.items.item.create_upload_session import (
    create_upload_session_post_request_body as upload,
)
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator

BERT = "bert@contoso.onmicrosoft.com"
SCOPE = "https://graph.microsoft.com/.default"
PART = 320 * 1024  # bytes; createUploadSession requires multiples


async def send_in_parts(url: str, content: bytes) -> httpx.Response:
    """As documented for Graph. The SDK's own LargeFileUploadTask (msgraph-core 1.5) cannot read the
    documented open range, "26-", of an answer."""
    async with httpx.AsyncClient() as client:
        for start in range(0, len(content), PART):
            part = content[start : start + PART]
            span = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
            answer = await client.put(url, content=part, headers={"Content-Range": span})
            answer.raise_for_status()
    return answer


async def walk() -> None:
    small, large = b"hello", os.urandom(3 * PART + 9_000)
    async with ClientSecretCredential(
        "contoso.onmicrosoft.com", DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET
    ) as credential:
        graph = GraphServiceClient(credential, [SCOPE])
        drive = await graph.users.by_user_id(BERT).drive.get()
        assert (drive.drive_type, drive.owner.user.display_name) == ("business", "Bert Jansen")
        items = graph.drives.by_drive_id(drive.id).items
        root = items.by_drive_item_id("root")

        item = await items.by_drive_item_id("root:/letters/small.txt:").content.put(small)
        assert (item.name, item.size) == ("small.txt", len(small))
        session = await items.by_drive_item_id(
            "root:/letters/large.bin:"
        ).create_upload_session.post(upload.CreateUploadSessionPostRequestBody())
        assert (await send_in_parts(session.upload_url, large)).status_code == 201

        listed = await items.by_drive_item_id("root:/letters:").children.get()
        assert {one.name: one.size for one in listed.value} == {
            "small.txt": len(small),
            "large.bin": len(large),
        }
        assert await items.by_drive_item_id("root:/letters/large.bin:").content.get() == large

        before = await root.delta.get()
        assert {"letters", "small.txt", "large.bin"} <= {one.name for one in before.value}
        await items.by_drive_item_id("root:/letters/large.bin:").delete()
        after = await root.delta.with_url(before.odata_delta_link).get()
        assert [one.id for one in after.value if one.deleted] == [
            one.id for one in before.value if one.name == "large.bin"
        ]
        with pytest.raises(ODataError) as refused:
            await items.by_drive_item_id("root:/letters/large.bin:").get()
        assert refused.value.response_status_code == 404
        assert refused.value.error.code == "itemNotFound"


def test_the_sdk_cannot_tell_the_emulator_from_microsoft(cloud: Emulator) -> None:
    asyncio.run(walk())

    assert {"graph.microsoft.com", "login.microsoftonline.com"} <= {
        request.host for request in cloud.requests
    }
