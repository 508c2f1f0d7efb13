"""A saved storage: options changed after a test, names, removal, paths, and the health of all
storages at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages, StorageSetup
from pluton_rclone.connection.health import HealthReport, check_all, renew_all
from pluton_rclone.connection.report import ConnectionReport, OnStep, Step
from pluton_rclone.emulator import DAEMON_CLIENT_ID, Emulator
from pluton_rclone.errors import (
    ConnectionTestFailed,
    NextStep,
    OptionInvalid,
    StorageExists,
    StorageNotFound,
    UsageError,
)
from pluton_rclone.saved.remote import SavedRemote
from tests.connected import ANNA, BERT, KINDS, connected, emulated_drive, remote_of, saved
from tests.microsoft.certificate import DER_CERTIFICATE, PEM_CERTIFICATE, pem_key
from tests.setup.signing_in import by_device_code

# ---- changing ----


def test_options_are_changed_after_a_test_and_none_gives_the_default_back(cloud: Emulator) -> None:
    storage = connected(cloud, "business")
    storage.update(chunk_size="20Mi", hard_delete=True)
    assert (str(storage.remote.chunk_size), storage.remote.hard_delete) == ("20Mi", True)
    sign_in = storage.remote.sign_in
    storage.update(chunk_size=None)
    assert str(storage.remote.chunk_size) == "10Mi"
    assert storage.remote.sign_in == sign_in


def test_what_is_refused_or_fails_its_test_leaves_everything_but_a_newer_token(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, "business")
    before = storage.section_with_secrets()
    with pytest.raises(OptionInvalid, match="chunk_size"):
        storage.update(chunk_size="19Mi")
    assert storage.section_with_secrets() == before
    with pytest.raises(ConnectionTestFailed):
        storage.update(drive_id="b!nothing")
    assert {**storage.section_with_secrets(), "token": before["token"]} == before


def test_what_is_wrong_in_rclone_conf_is_corrected_by_setting_it(cloud: Emulator) -> None:
    """Formerly, `set` refused the correct value because of the wrong one in its place."""
    storage = connected(cloud, "business", base_folder="x", hard_delete=True)
    bad = {"chunk_size": "banana", "list_chunk": "010", "hard_delete": "yes", "encoding": "slash"}
    storage.storages.conf.update(storage.remote_name, bad)
    with pytest.raises(OptionInvalid, match="list_chunk"):
        storage.update(chunk_size="5Mi")
    storage.update(chunk_size="5Mi", list_chunk=7, hard_delete=None, encoding=None)
    remote = storage.remote
    assert (str(remote.chunk_size), remote.list_chunk, remote.hard_delete) == ("5Mi", 7, False)
    assert (remote.base_folder, bool(remote.base_folder_id)) == ("x", True)
    assert "encoding" not in storage.section_with_secrets()
    assert storage.storages.conf.inspect() == []


def test_a_failed_test_names_the_storage_also_where_it_has_no_friendly_name(
    cloud: Emulator,
) -> None:
    """Formerly, it named 'new-storage', the name in the test's own rclone.conf."""
    storage = connected(cloud, "business")
    storage.storages.conf.update(storage.remote_name, {"description": None})
    with pytest.raises(ConnectionTestFailed, match="of 'business' failed"):
        storage.update(drive_id="b!nothing")


def signed_in_again(cloud: Emulator, storage: Storage, on_step: OnStep) -> ConnectionReport:
    setup = StorageSetup.for_storage(storage)
    by_device_code(setup, cloud, BERT)
    return storage.reauthorize(setup, on_step)


@pytest.mark.parametrize(
    "change",
    [
        signed_in_again,
        lambda cloud, storage, on_step: storage.update(on_step, chunk_size="20Mi"),
        lambda cloud, storage, on_step: storage.repair(on_step),
    ],
    ids=["reauthorize", "update", "repair"],
)
@pytest.mark.parametrize("drive", ["another drive", "the same drive"])
def test_who_takes_the_name_during_a_test_gets_nothing_of_the_one_before(
    cloud: Emulator, change: Callable[..., ConnectionReport], drive: str
) -> None:
    """Formerly, it got the other account's token and lost its own."""
    storage = connected(cloud, "business", name="team")
    storage.storages.conf.update("team", {"region": None})  # as a repair does
    other = remote_of(cloud)
    if drive == "the same drive":
        other = storage.remote.replace(account_id="4711", account_name="eva@contoso.com")
        other = other.replace(sign_in="2020-01-01T00:00:00+00:00")
    kept: list[dict[str, str]] = []

    def taken(step: Step) -> None:
        if step.name == "drive":
            storage.remove()
            kept.append(Storages().add_tested("team", other).section_with_secrets())

    with pytest.raises(StorageNotFound, match="'team' no longer exists"):
        change(cloud, storage, taken)
    assert [Storages()["team"].section_with_secrets()] == kept


def test_what_was_asked_for_one_storage_removes_no_other_of_its_name(cloud: Emulator) -> None:
    """As in `remove`, which waits for the answer."""
    storage = connected(cloud, "business", name="team")
    meant = storage.section_with_secrets()
    storage.remove()
    connected(cloud, name="team")
    with pytest.raises(StorageNotFound, match="another storage now has its name"):
        storage.remove(of=meant)
    assert Storages()["team"].list() == []


def test_a_change_goes_on_where_somebody_changes_the_storage_meanwhile(cloud: Emulator) -> None:
    """The user signs in again and chooses another drive: it is the same storage."""
    storage = connected(cloud, "business", name="team")
    changes = iter([{"pluton_sign_in": "2045"}, {"drive_id": "b!another"}])

    def changed(step: Step) -> None:
        if step.name == "drive":
            storage.storages.conf.update("team", next(changes))

    storage.update(changed, chunk_size="20Mi")
    storage.update(changed, chunk_size="5Mi")
    section = storage.section_with_secrets()
    assert (section["chunk_size"], section["drive_id"]) == ("5Mi", "b!another")


def test_another_friendly_name_keeps_the_remotes_name_and_the_other_way_round(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, name="OneDrive Backups")
    connected(cloud, "business", name="Work")
    storage.rename("Anna's files")
    assert storage.storages["Anna's files"].remote_name == "onedrive-backups"
    with pytest.raises(StorageExists):
        storage.rename("Work")
    with pytest.raises(UsageError):
        storage.rename("")
    storage.rename("onedrive-backups")  # its own name
    storage.rename("Anna's files")
    renamed = storage.rename_remote("anna")
    assert renamed.name == "Anna's files"
    assert renamed.list() == []
    with pytest.raises(StorageExists):
        renamed.rename_remote("work")


def test_no_remote_takes_a_name_that_another_storage_goes_by(cloud: Emulator) -> None:
    """A remote's name has priority over a friendly name: a backup would go elsewhere."""
    storage = connected(cloud, name="OneDrive Backups")
    storage.rename(" work ")
    assert storage.name == "work"
    other = connected(cloud, "business", name="Work")
    assert (other.remote_name, storage.storages["work"].remote_name) == (
        "work-2",
        "onedrive-backups",
    )
    with pytest.raises(StorageExists):
        other.rename_remote("work")
    with pytest.raises(StorageExists):
        other.rename(" work ")
    with pytest.raises(StorageExists):
        storage.storages.add_tested("Third", other.remote, remote_name="work")
    assert storage.rename_remote("work").name == "work"


def test_no_storage_is_called_as_a_remote_of_another_type(cloud: Emulator) -> None:
    """Formerly, `copy SRC backup:` went to the other remote, which has that name in rclone.conf."""
    storage = connected(cloud, "business", base_folder="x")
    storage.storages.conf.add("backup", {"type": "alias", "remote": "/srv"})
    for name in ("backup", "business-drive"):
        with pytest.raises(StorageExists, match=f"a remote called '{name}'"):
            storage.rename(name)
        with pytest.raises(StorageExists, match=f"a remote called '{name}'"):
            storage.storages.free_name(name)
    storage.rename("business")


def test_no_new_name_is_a_path_in_another_storage_or_an_option(cloud: Emulator) -> None:
    """A command could not express which of the two it means; for every program, -x is an option."""
    storage, other = connected(cloud, "business", name="Work"), connected(cloud, name="Mine")
    for name in ("Work: photos", "work:photos"):  # the friendly name, the remote's name
        with pytest.raises(StorageExists, match=r"is a path in '[Ww]ork'"):
            other.rename(name)
        with pytest.raises(StorageExists):
            storage.storages.free_name(name)
    other.rename("Home: photos")
    with pytest.raises(StorageExists, match="'Home: photos' is a path in 'Home'"):
        storage.rename("Home")
    other.rename("home: photos")
    assert storage.storages.free_name("HOME") == "home-2"
    for refused in (storage.rename, storage.storages.free_name):
        with pytest.raises(UsageError, match="'-x' cannot be a storage's name"):
            refused("-x")


def test_no_rename_breaks_what_lies_on_it(cloud: Emulator) -> None:
    """Formerly, a crypt over it named a remote that no longer existed."""
    storage = connected(cloud, "business", base_folder="x")
    conf = storage.storages.conf
    wrapping = (
        {"type": "crypt", "remote": "business:vault"},
        {"type": "alias", "remote": "business,chunk_size=5Mi:vault"},
        {"type": "combine", "upstreams": '"a b=business:c d" e=other:'},
        {"type": "union", "upstreams": "/srv business:"},
    )
    for section in wrapping:
        conf.add("over", section)
        with pytest.raises(UsageError, match="'over' would lead nowhere"):
            storage.rename_remote("work")
        conf.delete("over")
    conf.add("over", {"type": "alias", "remote": "business-drive:vault"})
    assert storage.rename_remote("work").name == "business"


def test_before_it_is_removed_one_can_ask_whether_files_are_on_it(cloud: Emulator) -> None:
    storage = connected(cloud, base_folder="laptop")
    assert storage.holds_files() is False
    emulated_drive(cloud, "personal").write("laptop/a.txt", b"a")
    assert storage.holds_files() is True
    cloud.faults.refuse(403, times=None)
    assert storage.holds_files() is None
    storage.remove()
    assert list(storage.storages) == []
    assert emulated_drive(cloud, "personal").read("laptop/a.txt") == b"a"


def test_a_path_is_below_the_base_folder_and_a_leading_slash_is_the_drives_root(
    cloud: Emulator,
) -> None:
    drive = emulated_drive(cloud, "business")
    drive.write("laptop/a.txt", b"a")
    drive.write("TeamFolder/b.txt", b"b")
    storage = connected(cloud, "business", base_folder="laptop")
    assert [entry.name for entry in storage.list()] == ["a.txt"]
    assert [entry.name for entry in storage.list("/TeamFolder")] == ["b.txt"]
    with pytest.raises(UsageError, match="leads above"):
        storage.list("../TeamFolder")


# ---- health ----


def test_health_looks_at_all_and_one_that_fails_does_not_hide_the_others(cloud: Emulator) -> None:
    connected(cloud, "personal")
    connected(cloud, "business", secret_expires=date.today() + timedelta(days=3))
    connected(cloud, "sharepoint")
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(1)

    health = Storages().health()

    assert [(report.storage, report.ok) for report in health.reports] == [
        ("personal", False),
        ("business", True),
        ("sharepoint", True),
    ]
    assert [[step.name for step in each.warnings] for each in health.reports] == [[], ["token"], []]
    assert not health.ok
    assert json.loads(json.dumps(health.record()))["storages"][0]["steps"][-1]["error"]["error"]


@pytest.mark.parametrize("look", [check_all, renew_all])
def test_a_storage_that_is_removed_meanwhile_does_not_hide_the_others(
    cloud: Emulator, look: Callable[[list[SavedRemote]], HealthReport]
) -> None:
    storages = [connected(cloud, "personal"), connected(cloud, "business")]
    remotes = [saved(one) for one in storages]
    storages[0].remove()
    found = look(remotes).reports
    assert [(one.storage, one.ok) for one in found] == [("personal", False), ("business", True)]
    assert isinstance(found[0].steps[-1].error, StorageNotFound)


def test_storages_that_share_a_friendly_name_are_told_apart_by_that_of_their_remote(
    cloud: Emulator,
) -> None:
    for kind in KINDS[:2]:  # as rclone's own "copy remote" leaves them
        connected(cloud, kind).storages.conf.update(kind, {"description": "Backups"})
    connected(cloud, "sharepoint", name="Library")
    for report in (Storages().health(), Storages().keep_alive()):
        assert [one.storage for one in report.reports] == ["personal", "business", "Library"]


def test_health_writes_nothing(cloud: Emulator) -> None:
    connected(cloud)
    assert Storages().health().ok
    assert [
        request
        for request in cloud.requests
        if request.host.startswith("graph") and request.method != "GET"
    ] == []


def test_without_any_storage_all_is_well(home: object) -> None:
    assert Storages().health().ok


def test_keep_alive_renews_every_token_before_it_dies_of_idleness(cloud: Emulator) -> None:
    storage = connected(cloud, "business")
    for _ in range(3):
        cloud.world.advance(60 * 24 * 3600)
        assert Storages().keep_alive().ok
    assert storage.check_health().ok
    cloud.world.advance(91 * 24 * 3600)
    report = Storages().keep_alive()
    assert not report.ok
    error = report.reports[0].steps[0].error
    assert error is not None
    assert error.code == "token_expired"
    assert error.next_step is NextStep.REAUTHORIZE
    assert error.details["storage"] == "business"


# ---- app-only with a certificate ----


def test_a_certificate_gives_rclone_its_tokens_for_as_long_as_it_runs(
    cloud: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "daemon.pem"
    path.write_bytes(pem_key() + PEM_CERTIFICATE)
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(DER_CERTIFICATE)
    remote = remote_of(cloud, "business").replace(
        client_id=DAEMON_CLIENT_ID,
        tenant=cloud.world.person(BERT).tenant.id,
        token=None,
        client_credentials=True,
        certificate=str(path),
        granted_scopes=(),
    )
    emulated_drive(cloud, "business").write("a.txt", b"a")
    storage = Storages().add_tested("Daemon", remote)
    assert [entry.name for entry in storage.list()] == ["a.txt"]
    storage.update(base_folder="below")
    assert storage.list() == []
    assert "client_secret" not in storage.section_with_secrets()


def test_no_storage_takes_options_of_another_one_by_the_dot_in_its_name(cloud: Emulator) -> None:
    """Formerly, as [work.archive] beside [work], it deleted permanently, as [work] does."""
    work = connected(cloud, "business", name="Work", hard_delete=True)
    other = connected(cloud, name="Archive")
    home = work.storages
    for attempt in (
        lambda: home.free_name("New", "work.archive"),
        lambda: home.add_tested("New", other.remote, remote_name="work.archive"),
        lambda: other.rename_remote("work.archive"),
    ):
        with pytest.raises(OptionInvalid, match="cannot be the name of a remote") as caught:
            attempt()
        assert "'work.archive' would inherit each option of 'work'" in str(caught.value.why)
    assert not home["Archive"].remote.hard_delete
    other.rename_remote("late.archive")
    with pytest.raises(OptionInvalid, match="cannot be the name of a remote"):
        work.rename_remote("late")
    assert home.free_name("Late") == "late-2"


def test_what_a_storage_takes_from_another_one_can_be_set_back(cloud: Emulator) -> None:
    """As in people's own files: formerly, `set` only claimed to have saved it."""
    work = connected(cloud, "business", name="Work", hard_delete=True)
    conf = work.storages.conf
    own = {key: value for key, value in work.section_with_secrets().items() if "hard" not in key}
    with conf.path.open("a") as file:
        print(
            "\n[work.archive]",
            *(f"{key} = {value}" for key, value in own.items()),
            sep="\n",
            file=file,
        )
    archive = work.storages["work.archive"]
    assert archive.remote.hard_delete
    archive.update(hard_delete=False)
    assert not archive.remote.hard_delete
    assert work.remote.hard_delete


# ---- preflight ----


def test_only_an_option_that_is_on_says_what_to_do_with_links(
    cloud: Emulator, tmp_path: Path
) -> None:
    storage = connected(cloud)
    (tmp_path / "link").symlink_to("nowhere")
    assert [one.rule.name for one in storage.preflight(tmp_path, links=False)] == ["symlink"]
    assert list(storage.preflight(tmp_path, links=True)) == []
