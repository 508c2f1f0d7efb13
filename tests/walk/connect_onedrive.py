"""The guide's walk: connect, choose, test, save, back up, restore; test_walk.py runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pluton_rclone import AppRegistration, Storages, StorageSetup
from pluton_rclone.setup.connect import DriveKind

CALLBACK = "https://pluton.example/onedrive/callback"


def walk(
    app: AppRegistration, kind: DriveKind, visit: Callable[[str], str], source: Path, restore: Path
) -> None:
    storages = Storages()
    setup = StorageSetup(app)
    setup.name = f"OneDrive {kind} Backups"  # Step 2
    flow = setup.begin_sign_in(redirect_uri=CALLBACK)  # Step 3: send the person to flow.url …
    print("Signed in as", setup.finish_sign_in(flow, visit(flow.url)))  # … who comes back
    if setup.choose_type(kind):  # Step 4: SharePoint needs a further permission
        flow = setup.begin_sign_in(redirect_uri=CALLBACK)
        setup.finish_sign_in(flow, visit(flow.url))
    if kind == "sharepoint":  # Step 5
        setup.choose_drive(setup.libraries(setup.sites("backup")[0])[0])
    else:
        setup.choose_drive(setup.drives_of(kind)[0])
    setup.set_options(chunk_size="20Mi", hard_delete=True)  # Step 6
    report = setup.test(storages)  # Step 7
    for step in report.steps:
        print(f"{step.status:8} {step.title}: {step.text}", file=sys.stderr)
    storage = setup.save(storages)
    with storage.upload(source, "laptop") as transfer:
        for progress in transfer:
            print(progress.bytes, "of", progress.total_bytes)
    print(transfer.result().transfers, "files backed up")
    storages[storage.name].download("laptop", restore).result()
