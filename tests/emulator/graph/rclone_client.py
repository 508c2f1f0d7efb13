"""The real rclone with a remote on a drive of the emulator, without the product."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator, client_id
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.rclone.binary import find_binary

from .graph_client import ANNA, BERT

FAR = "2100-01-01T00:00:00Z"


class Rclone:
    """rclone with one remote, `od:`, on one drive. It renews its token if `expiry` is in the
    past."""

    def __init__(
        self,
        cloud: Emulator,
        username: str,
        drive: Drive,
        *scopes: str,
        expiry: str = FAR,
        **options: str,
    ) -> None:
        tenant = cloud.world.person(username).tenant
        app = client_id(PUBLIC_CLIENT_ID, tenant.cloud)
        asked = scopes or ("Files.ReadWrite.All", "offline_access")
        token = cloud.sign_in(username, *asked, client_id=app)
        saved = {
            "access_token": token["access_token"],
            "token_type": "Bearer",
            "refresh_token": token.get("refresh_token", ""),
            "expiry": expiry,
        }
        options = {
            "type": "onedrive",
            "drive_id": drive.id,
            "drive_type": drive.kind,
            "client_id": app,
            "region": tenant.cloud,
            "token": json.dumps(saved),
            "chunk_size": "320Ki",  # the smallest
            **options,
        }
        lines = [f"{name} = {value}" for name, value in options.items()]
        Path(os.environ["RCLONE_CONFIG"]).write_text("\n".join(["[od]", *lines, ""]))
        self.drive = drive

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Run rclone; return stdout. On an unexpected exit code the test fails with rclone's
        output."""
        command = [str(find_binary().path), *arguments, "--retries", "1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == expect, done.stderr
        return done.stdout if expect == 0 else done.stderr

    def listing(self, *options: str) -> dict[str, Any]:
        """All items by path."""
        return {
            each["Path"]: each
            for each in json.loads(self.run("lsjson", "-R", "--hash", "od:", *options))
        }


def remote(cloud: Emulator, kind: str, *scopes: str, expiry: str = FAR, **options: str) -> Rclone:
    """A remote on Anna's drive, on Bert's, or on the library of the site "Backups"."""
    if kind == "personal":
        return Rclone(cloud, ANNA, cloud.files.drive_of(ANNA), *scopes, expiry=expiry, **options)
    if kind == "business":
        return Rclone(cloud, BERT, cloud.files.drive_of(BERT), *scopes, expiry=expiry, **options)
    site = cloud.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    return Rclone(cloud, BERT, site.libraries[0], *scopes, expiry=expiry, **options)
