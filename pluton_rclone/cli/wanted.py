"""The registration and place that options or variables name, and whether a paste matches them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pluton_rclone.errors import UsageError
from pluton_rclone.microsoft.clouds import cloud, refuse_rclone_registration
from pluton_rclone.microsoft.entra.app import (
    CERTIFICATE,
    ID,
    PASSWORD,
    REGION,
    SECRET,
    TENANT,
    AppRegistration,
    Certificate,
)
from pluton_rclone.setup.connect import DriveKind, StorageSetup
from pluton_rclone.values.drive_ids import normal_drive_id

from . import ask
from .output import VARIABLES
from .values import contradiction


@dataclass(frozen=True)
class Wanted:
    """The options that say which app registration, and which drive."""

    kind: DriveKind | None = None
    site: str | None = None
    drive_id: str | None = None
    user: str | None = None
    base_folder: str = ""
    client_id: str | None = None
    client_secret_file: Path | None = None
    certificate: Path | None = None
    tenant: str | None = None
    region: str | None = None


def registration(wanted: Wanted, *, may_come: bool = False) -> AppRegistration | None:
    """The registration from the options or the environment; None if neither names one. Then what
    rclone's own cannot do is refused, unless one `may_come` with a paste or a form."""
    secret, certificate = wanted.client_secret_file, wanted.certificate
    given: dict[str, Any] = {ID: wanted.client_id, TENANT: wanted.tenant, REGION: wanted.region}
    # Either overrides both of the environment's.
    given |= {SECRET: secret or certificate, CERTIFICATE: secret or certificate, PASSWORD: None}
    variables = [name for name, option in given.items() if not option and os.environ.get(name)]
    if wanted.client_id and os.environ.get(ID, "") not in ("", wanted.client_id):
        variables = []  # they belong to another registration
    VARIABLES[:] = variables
    environment = {name: os.environ[name] for name in variables}
    environment |= {name: given[name] for name in (ID, TENANT, REGION) if given[name] is not None}
    found = AppRegistration.from_environment(environment)
    if found is None:
        if not may_come:
            _refuse_rclones(environment)
        if secret or certificate:
            raise UsageError(
                "A client secret or certificate belongs to an app registration, but none is given.",
                advice="Give its id with --client-id as well.",
            )
        return None
    if secret:
        return replace(found, client_secret=ask.secret_in(secret))
    return replace(found, certificate=Certificate.at(certificate)) if certificate else found


def _refuse_rclones(given: Mapping[str, str]) -> None:
    """Raise RegistrationError if rclone's own registration cannot serve this region or tenant."""
    region, tenant = given.get(REGION), given.get(TENANT)
    refuse_rclone_registration(cloud(region or "global"), tenant or "common")


def refuse_another(setup: StorageSetup, app: AppRegistration | None, wanted: Wanted) -> None:
    """Raise UsageError if options contradict the registration that signed in, or the pasted place;
    RegistrationError if the environment contradicts rclone's own registration."""
    used, drive = setup.app if setup.has_app else None, setup.chosen_drive
    for option, member, otherwise in (
        ("--client-id", "client_id", "rclone's own registration"),
        ("--tenant", "tenant", "common"),
        ("--region", "region", "global"),
        ("--client-secret-file", "client_secret", None),
    ):
        asked = getattr(wanted, option[2:].replace("-", "_"))
        one, other = (getattr(each, member, otherwise) for each in (app or wanted, used))
        if asked and str(one).lower() != str(other).lower():
            secret = member == "client_secret"
            what = "what was pasted" if secret else f"what was pasted ({other})"
            raise contradiction(option if secret else f"{option} {asked}", what)
    if used is None:
        _refuse_rclones({name: os.environ[name] for name in VARIABLES})
    another = drive and wanted.drive_id and normal_drive_id(wanted.drive_id) != drive.id
    if drive and (wanted.site or another):
        what = f"what was pasted ({drive.name}, {drive.id})"
        raise contradiction("--site" if wanted.site else f"--drive {wanted.drive_id}", what)
