"""Drives for tests, without a server."""

from __future__ import annotations

from pluton_rclone.emulator import World
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.files import Files


def personal() -> Drive:
    """Anna's."""
    return World().part(Files).drive_of("anna@outlook.com")


def business() -> Drive:
    """Bert's: personal/bert_contoso_onmicrosoft_com/Documents."""
    return World().part(Files).drive_of("bert@contoso.onmicrosoft.com")


def library() -> Drive:
    """The default library of the site "Backups": sites/Backups/Shared Documents."""
    site = World().part(Files).site_at("contoso.sharepoint.com", "/sites/backups")
    assert site is not None
    return site.libraries[0]
