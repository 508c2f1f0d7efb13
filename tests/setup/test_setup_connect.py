"""The walk without a user interface: possible next steps, wrong orders, permissions, state as
JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import (
    AppRegistration,
    Certificate,
    OneDriveRemote,
    Storages,
    StorageSetup,
)
from pluton_rclone.conf.export import as_conf
from pluton_rclone.conf.ini import parse
from pluton_rclone.connection.report import OnStep, Step
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    RCLONE_CLIENT_ID,
    SINGLE_TENANT_WEB_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
    client_id,
)
from pluton_rclone.errors import (
    AccessDenied,
    AccountError,
    Cancelled,
    ConsentRequired,
    DriveNotFound,
    GraphError,
    OptionInvalid,
    RegistrationError,
    StorageNotFound,
    TokenExpired,
    TokenInvalid,
    Unreachable,
    UsageError,
    Who,
)
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.setup.connect import DriveKind
from tests.connected import ANNA, BERT, connected, emulated_drive, remote_of

from .signing_in import by_device_code

PUBLIC = AppRegistration(PUBLIC_CLIENT_ID)
WEB = AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)


def sign_in(setup: StorageSetup, cloud: Emulator, who: str) -> None:
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    setup.finish_sign_in(flow, cloud.person(who).visit(flow.url).answer)


def kept(setup: StorageSetup, member: str) -> Any:
    return setup.record_with_secrets()[member]


def signed_in(cloud: Emulator, who: str = ANNA) -> StorageSetup:
    setup = StorageSetup(WEB)
    sign_in(setup, cloud, who)
    return setup


# ---- what is possible next ----


def test_an_access_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no access 'readonly'"):
        StorageSetup(access="readonly")  # type: ignore[arg-type]


def test_each_step_says_what_is_next(cloud: Emulator) -> None:
    setup = StorageSetup(WEB)
    seen = [setup.next_steps[0]]
    setup.name = "Backups"
    seen.append(setup.next_steps[0])
    sign_in(setup, cloud, BERT)
    seen.append(setup.next_steps[0])
    setup.choose_type("sharepoint")
    seen.append(setup.next_steps[0])
    sign_in(setup, cloud, BERT)
    seen.append(setup.next_steps[0])
    setup.choose_drive(setup.libraries(setup.sites("Backups")[0])[0])

    assert seen == ["name", "sign_in", "drive_type", "consent", "location"]
    assert setup.next_steps == ("options", "test", "save")


@pytest.mark.parametrize(
    "step",
    [
        lambda setup: setup.drives(),
        lambda setup: setup.sites("x"),
        lambda setup: setup.choose_address("https://contoso.sharepoint.com/sites/Backups"),
        lambda setup: setup.suggested_type(),
        lambda setup: setup.remote(),
        lambda setup: setup.test(Storages()),
        lambda setup: setup.authorization(),
    ],
)
def test_before_the_sign_in_every_later_step_says_that_nobody_signed_in(
    home: object, step: Callable[[StorageSetup], object]
) -> None:
    with pytest.raises(UsageError, match="Nobody has signed in yet") as caught:
        step(StorageSetup(PUBLIC))
    assert caught.value.advice.startswith("Sign in first")


def test_test_and_save_want_a_drive_and_a_name(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    with pytest.raises(UsageError, match="No drive is chosen yet") as drive:
        setup.test(Storages())
    assert drive.value.advice == "Choose the drive, site or address first."
    setup.choose_own_drive()
    with pytest.raises(UsageError, match="The storage has no name yet") as name:
        setup.save(Storages())
    assert name.value.advice == "Give it a name, then save it."
    with pytest.raises(UsageError, match=r"cannot be a storage's name"):
        setup.name = " \n"


def test_without_a_registration_the_way_out_is_named(home: object) -> None:
    setup = StorageSetup()
    assert not setup.has_app
    with pytest.raises(RegistrationError) as caught:
        setup.begin_sign_in(WEB_REDIRECT_URI)
    assert "rclone's own" in caught.value.advice
    assert "sign_in" not in caught.value.advice  # each interface has its own


# ---- permissions ----


def test_the_first_sign_in_asks_for_little_and_sharepoint_for_more_from_the_same_account(
    cloud: Emulator,
) -> None:
    setup = StorageSetup(WEB)
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    first = cloud.person(BERT).visit(flow.url)
    setup.finish_sign_in(flow, first.answer)
    assert "Files.ReadWrite" in first.permissions
    assert not any(permission.endswith(".All") for permission in first.permissions)

    assert setup.choose_type("sharepoint") == ("Files.ReadWrite.All", "Sites.Read.All")
    with pytest.raises(ConsentRequired) as caught:
        setup.sites("x")
    assert caught.value.details["missing_scopes"] == ["Files.ReadWrite.All", "Sites.Read.All"]
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    anna = cloud.person(ANNA).visit(flow.url).answer
    with pytest.raises(AccountError):
        setup.finish_sign_in(flow, anna)
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    setup.finish_sign_in(flow, cloud.person(BERT).visit(flow.url).answer)

    assert setup.missing_permissions() == ()
    assert [site.name for site in setup.sites("Backups")] == ["Backups"]


def test_a_drive_type_chosen_before_the_sign_in_is_asked_for_at_once(cloud: Emulator) -> None:
    setup = StorageSetup(WEB)
    setup.choose_type("sharepoint")
    sign_in(setup, cloud, BERT)
    assert setup.next_steps == ("name", "location", "options")


def test_reading_only_asks_for_no_writing(cloud: Emulator) -> None:
    sign_in(StorageSetup(WEB), cloud, ANNA)  # writing was granted once, and is granted again
    setup = StorageSetup(WEB, access="read")
    sign_in(setup, cloud, ANNA)
    assert [scope for scope in kept(setup, "scopes") if scope != "User.Read"] == ["Files.Read"]


def test_what_a_bare_token_may_read_is_found_out_by_using_it(cloud: Emulator) -> None:
    """The token does not state it: what it lacks is unknown, even if it may only read."""
    token = remote_of(cloud, "sharepoint").token
    assert token is not None
    setup = StorageSetup(PUBLIC, access="read")
    setup.use_token(token.get_secret_value())
    assert setup.choose_type("sharepoint") == ()
    (site,) = setup.sites("Backups")
    remote = setup.remote(setup.libraries(site)[0])
    assert remote.reads_only
    assert set(remote.granted_scopes) == {"Files.Read.All", "Sites.Read.All"}


# ---- ways of signing in ----


def test_in_the_browser_of_this_machine(cloud: Emulator, browser: Callable[..., None]) -> None:
    browser(ANNA)
    setup = StorageSetup(PUBLIC)
    assert setup.sign_in_with_browser().username == ANNA
    assert setup.suggested_type() == "personal"


def test_with_a_code_that_is_typed_elsewhere(cloud: Emulator) -> None:
    setup = StorageSetup(PUBLIC)
    assert by_device_code(setup, cloud, ANNA).username == ANNA
    assert setup.signed_in


def test_as_the_application_itself_with_a_drive_by_user_name(cloud: Emulator) -> None:
    cloud.files.drive_of(BERT)
    app = AppRegistration(
        DAEMON_CLIENT_ID, tenant="contoso.onmicrosoft.com", client_secret=DAEMON_CLIENT_SECRET
    )
    setup = StorageSetup(app)
    setup.name = "Daemon"
    setup.sign_in_as_app()
    setup.choose_drive(setup.user_drive(BERT))
    storage = setup.save(Storages())
    assert storage.remote.client_credentials
    assert storage.list() == []


def test_a_pasted_remote_brings_its_drive_and_options_along(cloud: Emulator) -> None:
    remote = remote_of(cloud, "business", chunk_size="20Mi", hard_delete=True)
    lines = ["[old]", *(f"{key} = {value}" for key, value in remote.to_section().items())]
    setup = StorageSetup()

    setup.use_token("\n".join(lines))

    assert setup.app.client_id == PUBLIC_CLIENT_ID
    assert setup.drive_type == "business"
    assert setup.remote().hard_delete
    assert str(setup.remote().chunk_size) == "20Mi"


@pytest.mark.parametrize("signed_out", [True, False])
def test_a_second_paste_has_nothing_of_the_first(cloud: Emulator, signed_out: bool) -> None:
    first = remote_of(cloud, "business", chunk_size="20Mi", hard_delete=True, base_folder="alpha")
    second = remote_of(cloud, "business", base_folder="beta", no_versions=True)
    setup = StorageSetup()
    setup.use_token(pasted(first))
    setup.set_options(hard_delete=True)  # now the person has set it

    if signed_out:
        setup.sign_out()
    setup.use_token(pasted(second))

    assert setup.remote().base_folder == "beta"
    assert setup.remote().chunk_size == second.chunk_size
    assert setup.remote().no_versions
    assert setup.remote().hard_delete


def pasted(remote: OneDriveRemote) -> str:
    lines = [f"{key} = {value}" for key, value in remote.to_section().items()]
    return "\n".join(["[old]", *lines])


def test_a_folder_that_a_person_chose_outlives_the_paste(cloud: Emulator) -> None:
    setup = StorageSetup()
    setup.use_token(pasted(remote_of(cloud, "business", base_folder="alpha")))
    drive = setup.chosen_drive
    assert drive is not None
    setup.choose_drive(drive, "gamma")

    setup.sign_out()

    assert setup.folder == "gamma"


def test_a_pasted_token_belongs_to_the_registration_in_use(cloud: Emulator) -> None:
    """An expired one is renewed with it."""
    remote = remote_of(cloud, "business", seconds=-60)
    setup = StorageSetup(PUBLIC)
    setup.use_token(remote.to_section()["token"])
    setup.choose_own_drive()
    assert setup.remote().client_id == PUBLIC_CLIENT_ID


def test_a_pasted_remote_without_a_registration_has_rclones_own(cloud: Emulator) -> None:
    """Formerly, it was saved with the environment's registration, which cannot renew its token."""
    remote = remote_of(cloud, "business").replace(client_id="")
    setup = StorageSetup(PUBLIC)
    setup.use_token(as_conf("old", remote.to_section()).decode())
    assert not setup.has_app
    assert setup.remote().client_id == ""


def test_a_pasted_remote_of_rclones_own_that_has_expired_is_renewed_by_rclone(
    cloud: Emulator,
) -> None:
    """Formerly, yesterday's rclone.conf was refused: only rclone can renew it."""
    remote = remote_of(cloud, "business", client_id=RCLONE_CLIENT_ID, seconds=-60)
    setup = StorageSetup()
    setup.use_token(as_conf("old", remote.replace(client_id="").to_section()).decode())
    assert setup.drives_of("business")
    setup.sign_out()
    with cloud.quirks.connection_reset(), pytest.raises(Unreachable):
        setup.use_token(as_conf("old", remote.replace(client_id="").to_section()).decode())


@pytest.mark.parametrize("registration", [PUBLIC_CLIENT_ID, ""], ids=["own", "rclone's"])
def test_a_paste_that_has_expired_for_microsoft_alone_is_renewed(
    cloud: Emulator, registration: str
) -> None:
    """This machine's clock is behind: the advice was to test a storage that did not exist yet."""
    used = registration or RCLONE_CLIENT_ID
    remote = remote_of(cloud, "business", client_id=used, seconds=24 * 3600)
    cloud.world.advance(2 * 3600)
    setup = StorageSetup()
    account = setup.use_token(
        as_conf("old", remote.replace(client_id=registration).to_section()).decode()
    )
    assert account.username == BERT
    assert setup.save(Storages(), "Work").list() == []


def test_an_expired_paste_that_rclone_cannot_renew_says_whose_it_may_be(cloud: Emulator) -> None:
    """Formerly, no error said that its registration is not rclone's own."""
    remote = remote_of(cloud, "business", seconds=-60)
    with pytest.raises(TokenExpired, match="expired, and rclone cannot renew it") as caught:
        StorageSetup().use_token(remote.to_section()["token"])
    assert caught.value.why == "it is of a registration other than rclone's own, or too old"
    assert caught.value.advice == "Run `rclone authorize onedrive` and paste its output."


def test_a_paste_is_of_the_cloud_that_it_names_or_else_of_the_registrations(
    cloud: Emulator,
) -> None:
    """Only Graph of that cloud can tell whose it is."""
    carla, app = "carla@fabrikam.onmicrosoft.us", client_id(PUBLIC_CLIENT_ID, "us")
    answer = cloud.sign_in(carla, "Files.ReadWrite", "offline_access", client_id=app)
    token = json.dumps(
        {key: answer[key] for key in ("access_token", "refresh_token")}
        | {"token_type": "Bearer", "expiry": "2100-01-01T00:00:00Z"}
    )
    section = {"type": "onedrive", "client_id": app, "region": "us", "token": token}
    setup = StorageSetup()
    assert setup.use_token(as_conf("old", section).decode()).username == carla
    assert setup.choose_own_drive().type == "business"
    setup = StorageSetup(AppRegistration(app, "fabrikam.onmicrosoft.us", "us"))
    assert setup.use_token(token).username == carla


def test_a_paste_with_a_registration_that_cannot_be_says_why(home: object) -> None:
    token = '{"access_token":"AT","refresh_token":"RT","expiry":"2100-01-01T00:00:00Z"}'
    section = {"type": "onedrive", "client_id": "two words", "token": token}
    with pytest.raises(TokenInvalid, match="The pasted remote cannot be used") as caught:
        StorageSetup().use_token(as_conf("old", section).decode())
    assert caught.value.why == "The client id is empty or has spaces."


def test_a_pasted_app_only_remote_signs_in_as_the_application(cloud: Emulator) -> None:
    """Formerly, Graph was asked for the token's owner and refused: /me is for people."""
    remote = remote_of(cloud, "business").replace(
        client_id=DAEMON_CLIENT_ID,
        client_secret=DAEMON_CLIENT_SECRET,
        tenant="contoso.onmicrosoft.com",
        client_credentials=True,
        token='{"access_token":"AT","expiry":"2020-01-01T00:00:00Z"}',
        chunk_size="20Mi",
    )
    setup = StorageSetup()
    account = setup.use_token(as_conf("old", remote.to_section()).decode())
    assert account.kind == "application"
    made = setup.remote()
    assert (made.client_credentials, made.drive_id, str(made.chunk_size)) == (
        True,
        remote.drive_id,
        "20Mi",
    )
    assert setup.test(Storages()).ok


@pytest.mark.parametrize(
    "known", [{"granted_scopes": ("Files.Read",)}, {"access_scopes": "Files.Read offline_access"}]
)
def test_a_pasted_remote_that_was_for_reading_only_stays_so(
    cloud: Emulator, known: dict[str, Any]
) -> None:
    remote = remote_of(cloud, "business").replace(**{"granted_scopes": (), **known})
    setup = StorageSetup()
    setup.use_token(as_conf("old", remote.to_section()).decode())
    setup.name = "new"
    assert "consent" not in setup.next_steps
    assert setup.access == "read"
    assert setup.remote().granted_scopes == ("Files.Read",)
    storage = setup.save(Storages())
    with pytest.raises(AccessDenied, match="for reading only"):
        storage.upload(__file__, "x").result()


def test_a_pasted_base_folder_keeps_its_id_and_a_certificates_file_is_not_this_machines(
    cloud: Emulator,
) -> None:
    remote = remote_of(cloud, "business", base_folder="laptop", base_folder_id="01LAPTOP")
    section = {**remote.to_section(), "pluton_certificate": "/etc/other.pem"}
    setup = StorageSetup()
    setup.use_token(as_conf("old", section).decode())
    assert (setup.folder, setup.remote().base_folder_id) == ("laptop", "01LAPTOP")
    assert setup.app.certificate is None


CONTOSO = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0"


def of_one_organisation(**addresses: str) -> dict[str, Any]:
    """The fields of a single-organisation registration from before rclone supported `tenant`."""
    app = {"client_id": SINGLE_TENANT_WEB_CLIENT_ID, "client_secret": WEB_CLIENT_SECRET}
    return {**app, **(addresses or {"token_url": f"{CONTOSO}/token"})}


@pytest.mark.parametrize(
    "addresses",
    [
        {"auth_url": f"{CONTOSO}/authorize", "token_url": f"{CONTOSO}/token"},
        {"auth_url": f"{CONTOSO}/authorize"},
    ],
)
def test_an_expired_token_of_a_remote_that_names_its_organisation_in_addresses_is_taken(
    cloud: Emulator, addresses: dict[str, str]
) -> None:
    remote = remote_of(cloud, "business", seconds=-60, **of_one_organisation(**addresses))
    setup = StorageSetup()
    setup.use_token(as_conf("old", remote.to_section()).decode())
    assert setup.app.tenant == "contoso.onmicrosoft.com"
    assert setup.test(Storages()).ok


@pytest.mark.parametrize(
    "address", ["https://login.example/contoso.example/oauth2/v2.0/token", f"{CONTOSO[:33]}/token"]
)
def test_an_address_that_names_no_organisation_of_microsofts_is_none(
    cloud: Emulator, address: str
) -> None:
    storage = connected(cloud, "business", **of_one_organisation(token_url=address))
    assert StorageSetup.for_storage(storage).app.tenant == "common"


def test_a_paste_that_is_refused_changes_no_access(cloud: Emulator) -> None:
    setup = StorageSetup()
    setup.use_token(as_conf("mine", remote_of(cloud, "business").to_section()).decode())
    other = remote_of(cloud, "personal").replace(granted_scopes=("Files.Read",))
    with pytest.raises(AccountError):
        setup.use_token(as_conf("other", other.to_section()).decode())
    assert setup.access == "write"


# ---- location and options ----


def test_an_address_leads_to_library_and_folder(cloud: Emulator) -> None:
    library = emulated_drive(cloud, "sharepoint")
    library.folder("laptop/data")
    setup = StorageSetup(WEB)
    setup.choose_type("sharepoint")
    sign_in(setup, cloud, BERT)

    setup.choose_address(
        "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents/Forms/AllItems.aspx"
        "?id=%2Fsites%2FBackups%2FShared%20Documents%2Flaptop%2Fdata"
    )

    assert (setup.drive_type, setup.folder) == ("sharepoint", "laptop/data")
    assert setup.remote().base_folder == "laptop/data"


def test_a_type_that_the_account_has_not_says_what_there_is(cloud: Emulator) -> None:
    setup = signed_in(cloud, ANNA)
    with pytest.raises(DriveNotFound) as caught:
        setup.drives_of("business")
    assert caught.value.why == "there is: personal"


def test_options_are_checked_and_refused_ones_leave_the_others(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    setup.choose_own_drive()
    setup.set_options(chunk_size="20Mi")
    with pytest.raises(OptionInvalid, match="chunk_size"):
        setup.set_options(chunk_size="19Mi")
    with pytest.raises(OptionInvalid, match="chunk_sise") as caught:
        setup.set_options(chunk_sise="20Mi")
    assert caught.value.why == "did you mean 'chunk_size'?"
    assert kept(setup, "options") == {"chunk_size": "20Mi"}
    setup.set_options(chunk_size=None)
    assert kept(setup, "options") == {}


def test_options_are_checked_at_once_before_there_is_a_drive_or_a_sign_in(home: object) -> None:
    setup = StorageSetup(WEB)
    with pytest.raises(OptionInvalid, match="chunk_size"):
        setup.set_options(chunk_size="19Mi")
    with pytest.raises(OptionInvalid, match="base_folder"):
        setup.set_options(base_folder=["laptop"])
    assert setup.folder == ""
    setup.set_options(no_versions=True)  # a business drive would accept it
    setup.set_options(no_versions=None, link_password="hunter2")  # a personal one this
    setup.set_options(link_password=None)
    setup.choose_type("personal")
    with pytest.raises(OptionInvalid, match="no_versions"):
        setup.set_options(no_versions=True)
    assert kept(setup, "options") == {}


def test_what_the_walk_or_the_sign_in_decides_is_no_option(cloud: Emulator) -> None:
    """Formerly, `set_options(drive_id=…)` replaced the chosen drive."""
    setup = signed_in(cloud)
    drive = setup.choose_own_drive()
    decided = {option.name for option in BY_NAME.values() if option.decided_by != "person"}
    assert "drive_id" in decided
    for option in sorted(decided):
        with pytest.raises(OptionInvalid, match=f"{option} cannot be set") as caught:
            setup.set_options(**{option: "B!ANOTHER"})
        assert "decide" in str(caught.value.why)
        with pytest.raises(OptionInvalid, match=f"{option} cannot be set"):
            setup.remote(drive, **{option: "B!ANOTHER"})
        assert setup.remote().drive_id == drive.id


def test_the_base_folder_is_the_one_that_was_given_last_whichever_way(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    with pytest.raises(OptionInvalid, match="base_folder"):
        setup.set_options(base_folder="a/../../out")
    setup.set_options(base_folder="/typed before there is a drive/")
    drive = setup.choose_own_drive()
    assert setup.remote().base_folder == "typed before there is a drive"
    setup.set_options(base_folder="/typed earlier/")
    assert setup.folder == setup.remote().base_folder == "typed earlier"
    setup.choose_drive(drive, "chosen later")
    assert setup.folder == setup.remote().base_folder == "chosen later"
    with pytest.raises(OptionInvalid):
        setup.set_options(base_folder="refused with the other", chunk_size="19Mi")
    with pytest.raises(OptionInvalid, match="base_folder"):
        setup.set_options(base_folder="a/../../out")
    assert setup.folder == "chosen later"
    setup.set_options(base_folder=None)
    assert setup.remote().base_folder == ""


def test_a_base_folder_that_was_typed_outlives_a_step_back(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    drive = setup.choose_own_drive()
    setup.set_options(base_folder="Backups", chunk_size="20Mi")

    setup.choose_drive(drive)
    assert setup.folder == "Backups"
    setup.choose_type("sharepoint")
    setup.choose_type("personal")
    setup.choose_drive(drive)
    assert setup.folder == "Backups"
    setup.sign_out()
    setup.use_app(WEB)
    sign_in(setup, cloud, ANNA)
    setup.choose_own_drive()
    assert (setup.folder, str(setup.remote().chunk_size)) == ("Backups", "20Mi")
    setup.choose_drive(drive, "")
    assert setup.folder == ""


def test_the_folder_of_an_address_goes_with_its_drive(cloud: Emulator) -> None:
    library = emulated_drive(cloud, "sharepoint")
    library.folder("laptop")
    setup = StorageSetup(WEB)
    setup.choose_type("sharepoint")
    sign_in(setup, cloud, BERT)
    chosen = setup.choose_address(
        "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents/laptop"
    )
    setup.set_options(base_folder=setup.folder)  # as a form does that showed it
    assert setup.folder == "laptop"
    setup.choose_drive(chosen.drive)
    assert setup.folder == ""


def test_the_base_folder_of_a_paste_outlives_its_drive(cloud: Emulator) -> None:
    remote = remote_of(cloud, "business", base_folder="Backups").replace(drive_id="b!gone")
    lines = ["[old]", *(f"{key} = {value}" for key, value in remote.to_section().items())]
    setup = StorageSetup()
    with pytest.raises(GraphError):
        setup.use_token("\n".join(lines))
    setup.choose_own_drive()
    assert setup.folder == "Backups"


def test_options_given_before_a_paste_win_over_those_that_it_brings(cloud: Emulator) -> None:
    remote = remote_of(
        cloud, "business", chunk_size="20Mi", hard_delete=True, base_folder="Backups"
    )
    setup = StorageSetup()
    setup.set_options(chunk_size="5Mi")
    setup.use_token(
        "\n".join(["[old]", *(f"{key} = {value}" for key, value in remote.to_section().items())])
    )
    made = setup.remote()
    assert (str(made.chunk_size), made.hard_delete, made.base_folder) == ("5Mi", True, "Backups")


# ---- saving ----


def test_what_passed_the_test_is_saved_without_another_one_and_a_changed_setup_is_not(
    cloud: Emulator,
) -> None:
    setup, storages = signed_in(cloud), Storages()
    setup.name = "Backups"
    setup.choose_own_drive()
    assert setup.test(storages).ok
    before = len(cloud.requests)
    setup.save(storages)
    looked = [(one.method, one.path.partition("/drives/")[1]) for one in cloud.requests[before:]]
    assert looked == [("GET", "/drives/")] * 2  # is the drive still there, and its root

    setup.set_options(chunk_size="5Mi")
    setup.save(storages, "Others")
    assert "PUT" in [one.method for one in cloud.requests[before:]]


def test_each_step_of_the_test_is_told_and_the_remotes_name_can_be_given(cloud: Emulator) -> None:
    setup, storages = signed_in(cloud), Storages()
    setup.choose_own_drive()
    tested: list[str] = []
    saved: list[str] = []
    report = setup.test(storages, lambda step: tested.append(step.name))
    assert tested == [step.name for step in report.steps]
    setup.set_options(chunk_size="5Mi")
    storage = setup.save(
        storages, "My backups", lambda step: saved.append(step.name), remote_name="od"
    )
    assert saved == tested
    assert (storage.name, storage.remote_name) == ("My backups", "od")


def test_a_token_that_the_test_renewed_is_the_one_that_is_kept(cloud: Emulator) -> None:
    """rclone renewed it: if refresh tokens work only once, the previous one is spent."""
    cloud.quirks.refresh_tokens_once()
    remote = remote_of(cloud, "business", client_id=RCLONE_CLIENT_ID)
    setup = StorageSetup()
    setup.use_token(as_conf("old", remote.replace(client_id="").to_section()).decode())
    before = kept(setup, "token")
    cloud.world.advance(2 * 3600)
    expired = {**before, "expiry": "2020-01-01T00:00:00Z"}
    setup = StorageSetup.from_record({**setup.record_with_secrets(), "token": expired})
    assert setup.test(Storages()).ok
    after = kept(setup, "token")
    assert after["refresh_token"] != before["refresh_token"]
    assert after["scopes"] == ("Files.ReadWrite",)
    assert setup.save(Storages(), "Backups").list() == []


def test_what_is_chosen_while_a_test_runs_is_not_undone_by_its_end(cloud: Emulator) -> None:
    """The token that the test renewed is kept: if refresh tokens work only once, the previous one
    is spent."""
    cloud.quirks.refresh_tokens_once()
    setup = signed_in(cloud)
    setup.choose_own_drive()
    setup.set_options(base_folder="Old")
    before = kept(setup, "token")
    assert setup.test(Storages(), lambda step: setup.set_options(base_folder="New")).ok
    assert (setup.folder, kept(setup, "passed")) == ("New", None)
    assert kept(setup, "token") != before
    assert setup.save(Storages(), "Backups").remote.base_folder == "New"


def test_a_test_that_ends_leaves_whoever_signed_in_meanwhile_their_own_token(
    cloud: Emulator,
) -> None:
    setup, theirs = signed_in(cloud, ANNA), list[Any]()
    setup.choose_own_drive()

    def sign_in_anew(step: Step) -> None:
        if step.name == "list":
            setup.sign_out()
            sign_in(setup, cloud, BERT)
            theirs.append(kept(setup, "token"))

    assert setup.test(Storages(), sign_in_anew).ok
    assert str(setup.account).endswith(f"({BERT})")
    assert [kept(setup, "token")] == theirs
    assert kept(setup, "passed") is None


def test_a_test_of_the_sign_in_before_does_not_pass_the_one_after(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    setup.choose_own_drive()

    def sign_in_anew(step: Step) -> None:
        if step.name == "list":
            sign_in(setup, cloud, ANNA)

    assert setup.test(Storages(), sign_in_anew).ok
    assert kept(setup, "passed") is None


def test_a_test_that_ends_signs_nobody_in_who_signed_out_meanwhile(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    setup.choose_own_drive()
    assert setup.test(Storages(), lambda step: setup.sign_out()).ok
    assert (setup.signed_in, setup.account, kept(setup, "passed")) == (False, None, None)


def test_a_personal_account_has_no_administrator_also_before_its_drive_is_known(
    cloud: Emulator,
) -> None:
    cloud.faults.refuse(403, times=None, where="/me/drive")
    setup = signed_in(cloud, ANNA)
    with pytest.raises(AccessDenied) as refusal:
        setup.drives()
    assert refusal.value.who is Who.YOU


def test_a_failed_test_saves_nothing(cloud: Emulator) -> None:
    setup, storages = signed_in(cloud), Storages()
    setup.choose_own_drive()
    cloud.faults.refuse(403, where="root", times=None)
    assert not setup.test(storages).ok
    with pytest.raises(Exception, match="connection test"):
        setup.save(storages, "Backups")
    assert list(storages) == []


# ---- state ----


def test_the_state_goes_through_json_at_every_step(cloud: Emulator) -> None:
    def carried(setup: StorageSetup) -> StorageSetup:
        return StorageSetup.from_record(json.loads(json.dumps(setup.record_with_secrets())))

    setup = StorageSetup(WEB)
    setup.name = "Backups"
    setup = carried(setup)
    sign_in(setup, cloud, BERT)
    setup = carried(setup)
    setup.choose_type("sharepoint")
    setup = carried(setup)
    sign_in(setup, cloud, BERT)
    setup = carried(setup)
    setup.choose_drive(setup.libraries(setup.sites("Backups")[0])[0], "laptop")
    setup.set_options(hard_delete=True)
    setup = carried(setup)
    assert setup.test(Storages()).ok
    storage = carried(setup).save(Storages())

    assert storage.remote.base_folder == "laptop"
    assert storage.remote.hard_delete
    assert {"Files.ReadWrite.All", "Sites.Read.All"} <= set(storage.remote.granted_scopes)


def test_what_is_shown_holds_no_secret(cloud: Emulator) -> None:
    setup = signed_in(cloud)
    setup.choose_own_drive()
    setup.set_options(link_password=SecretStr("hunter2-hunter2"))
    token = setup.record_with_secrets()["token"]
    shown = f"{setup!r} {setup._state!r}"  # as in a traceback with variables
    written = json.dumps(setup.record_with_secrets())
    for secret in (
        token["access_token"],
        token["refresh_token"],
        WEB_CLIENT_SECRET,
        "hunter2-hunter2",
    ):
        assert secret not in shown
        assert secret in written


def test_a_certificate_goes_through_json_and_is_not_shown(home: object) -> None:
    certificate = Certificate(Path("/etc/pluton/key.pem"), "hunter2-hunter2")
    app = AppRegistration(PUBLIC_CLIENT_ID, "contoso.onmicrosoft.com", certificate=certificate)
    setup = StorageSetup(app)
    record = json.loads(json.dumps(setup.record_with_secrets()))
    assert StorageSetup.from_record(record).app == app
    assert "hunter2" not in repr(setup)


@pytest.mark.parametrize("record", [None, [], {}, {"version": 1}, "text"])
def test_what_is_no_state_is_refused(home: object, record: Any) -> None:
    with pytest.raises(UsageError, match="A setup cannot continue from this state") as caught:
        StorageSetup.from_record(record)
    assert caught.value.why
    assert caught.value.advice == "Store what record_with_secrets() returns."


# ---- re-authorizing ----


def test_reauthorizing_keeps_drive_and_options_and_refuses_somebody_else(cloud: Emulator) -> None:
    storage = connected(
        cloud, "business", chunk_size="20Mi", base_folder="laptop", description="Work"
    )
    before = storage.remote
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    cloud.world.advance(1)

    setup = StorageSetup.for_storage(storage)
    with pytest.raises(AccountError):
        by_device_code(setup, cloud, ANNA)
    by_device_code(setup, cloud, BERT)
    storage.reauthorize(setup)

    after = storage.remote
    assert (after.drive_id, after.chunk_size, after.base_folder) == (
        before.drive_id,
        before.chunk_size,
        "laptop",
    )
    assert after.token != before.token
    assert storage.check_health().ok


def test_somebody_else_may_take_over_when_that_is_asked_for(cloud: Emulator) -> None:
    storage = connected(cloud, "sharepoint")
    setup = StorageSetup.for_storage(storage, expected="anyone")
    by_device_code(setup, cloud, "admin@contoso.onmicrosoft.com")
    storage.reauthorize(setup)
    assert storage.remote.account_name == "admin@contoso.onmicrosoft.com"


def test_a_sign_in_is_not_given_to_a_storage_that_took_the_name(cloud: Emulator) -> None:
    """Also if the setup was stored meanwhile."""
    storage = connected(cloud, "business", name="team")
    setup = StorageSetup.for_storage(storage)
    by_device_code(setup, cloud, BERT)
    storage.remove()
    other = connected(cloud, "sharepoint", name="team")  # which Bert can write to, too
    before = other.section_with_secrets()
    with pytest.raises(StorageNotFound, match="another storage now has its name"):
        storage.reauthorize(StorageSetup.from_record(setup.record_with_secrets()))
    assert other.section_with_secrets() == before


def test_a_sign_in_follows_a_storage_that_was_renamed(cloud: Emulator) -> None:
    storage = connected(cloud, "business", name="team")
    before, setup = storage.remote.token, StorageSetup.for_storage(storage)
    by_device_code(setup, cloud, BERT)
    renamed = storage.rename_remote("crew")
    storage.reauthorize(setup)
    assert renamed.remote.token != before


def test_the_organisation_in_a_remotes_addresses_is_the_one_that_signs_in_again(
    cloud: Emulator,
) -> None:
    storage = connected(cloud, "business", **of_one_organisation())
    setup = StorageSetup.for_storage(storage)
    sign_in(setup, cloud, BERT)
    storage.reauthorize(setup)
    assert storage.check_health().ok


def test_a_new_credential_takes_the_place_of_the_one_before(cloud: Emulator) -> None:
    secret, certificate = "another secret", Certificate(Path("/etc/pluton/key.pem"))
    storage = connected(cloud, "business", client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
    app = StorageSetup.for_storage(storage).app
    assert (app.client_id, app.client_secret) == (WEB_CLIENT_ID, WEB_CLIENT_SECRET)
    renewed = StorageSetup.for_storage(storage, credential=secret)
    assert renewed.app == replace(app, client_secret=secret)
    renewed = StorageSetup.for_storage(storage, credential=certificate)
    assert renewed.app == replace(app, client_secret=None, certificate=certificate)
    assert renewed.name == "business"


@pytest.mark.parametrize("damage", [{"account": None}, {"token": None}, {"kind": "\ud800"}])
def test_a_damaged_record_is_refused_before_anything_is_done_with_it(
    cloud: Emulator, damage: dict[str, Any]
) -> None:
    setup = StorageSetup(PUBLIC)
    by_device_code(setup, cloud, BERT)
    record = setup.record_with_secrets()

    with pytest.raises(UsageError, match="from this state"):
        StorageSetup.from_record({**record, **damage})


@pytest.mark.parametrize(
    ("name", "kept"), [(" Berg,\u00a0Anna ", "Berg, Anna"), ("Anna `A` Berg", ""), ("%(x)s", "")]
)
def test_no_name_of_a_person_keeps_their_storage_from_being_saved(
    cloud: Emulator, name: str, kept: str
) -> None:
    """As with rclone's own registration: without User.Read, Microsoft gives only a display name."""
    token = remote_of(cloud, "personal").token
    assert token is not None
    cloud.world.person(ANNA).name = name
    setup = StorageSetup(PUBLIC)
    setup.use_token(token.get_secret_value())
    setup.choose_own_drive()

    storage = setup.save(Storages(), "Anna's")

    assert storage.remote.account_name == kept
    assert storage.remote.account_id


@pytest.mark.parametrize("folder", ["Berichte „2024“", "a\u00a0b", "x\u200by", "“q”/z"])
@pytest.mark.parametrize("form", ["section", "dump"])
def test_a_pasted_remote_keeps_its_folder_to_the_letter(
    cloud: Emulator, folder: str, form: str
) -> None:
    """Quotes and spaces that a chat program changed in a token are corrected; a folder's name is
    kept."""
    remote = remote_of(cloud, "business", base_folder=folder)
    text = as_conf("old", remote.to_section()).decode()
    if form == "dump":
        document = parse(text)
        sections = {name: document.section(name) for name in document.names()}
        text = json.dumps(sections, ensure_ascii=False)
    setup = StorageSetup()

    setup.use_token(text)

    assert setup.remote().base_folder == folder


@pytest.mark.parametrize("way", ["test", "save", "reauthorize"])
def test_a_test_that_is_stopped_keeps_the_token_that_it_renewed(cloud: Emulator, way: str) -> None:
    """Where a refresh token is good once, nothing could be tested any more without a sign-in."""
    setup, storages = StorageSetup(), Storages()
    if way == "reauthorize":
        setup = StorageSetup.for_storage(connected(cloud))
        setup.use_token(remote_of(cloud).to_section()["token"])
    else:
        setup.use_token(as_conf("old", remote_of(cloud).to_section()).decode())
    setup.name = "new"
    ways: dict[str, Callable[[OnStep], object]] = {
        "test": lambda hear: setup.test(storages, hear),
        "save": lambda hear: setup.save(storages, on_step=hear),
        "reauthorize": lambda hear: storages["personal"].reauthorize(setup, hear),
    }

    def stop(step: Step) -> None:
        if step.name == "drive":
            raise Cancelled("It was cancelled.")

    with cloud.quirks.refresh_tokens_once():
        with pytest.raises(Cancelled):
            ways[way](stop)
        done = ways[way](None)
    assert getattr(done, "ok", True)


@pytest.mark.parametrize("kind", ["personal", "business", "sharepoint"])
def test_a_drive_that_goes_between_test_and_save_is_not_saved(
    cloud: Emulator, kind: DriveKind
) -> None:
    """It was, as ready for use: on the page, hours may lie between the two."""
    setup, storages = StorageSetup(), Storages()
    setup.use_token(as_conf("old", remote_of(cloud, kind).to_section()).decode())
    setup.name = "new"
    assert setup.test(storages).ok
    assert setup.chosen_drive is not None
    del cloud.files._drives[setup.chosen_drive.id]
    with pytest.raises(DriveNotFound):
        setup.save(storages)
    assert list(storages) == []
