"""The steps of the walk, one by one: what each requests, from which service, and its error if it is
impossible."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pluton_rclone import AppRegistration, DeviceCode, Storages, StorageSetup
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
)
from pluton_rclone.errors import (
    Cancelled,
    ConsentRequired,
    DriveNotFound,
    InteractionRequired,
    OptionInvalid,
    TokenExpired,
    UsageError,
    Who,
)
from pluton_rclone.microsoft.entra.sign_in import refresh
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from tests.connected import BERT, emulated_drive, link_to_another_drive

from .signing_in import by_device_code

PUBLIC = AppRegistration(PUBLIC_CLIENT_ID)
ELSEWHERE = "https://pluton.example/answer"
SHAREPOINT = ("Files.ReadWrite.All", "Sites.Read.All")


@pytest.fixture
def setup(cloud: Emulator) -> StorageSetup:
    """Bert has signed in with a device code, and chosen nothing."""
    made = StorageSetup(PUBLIC)
    by_device_code(made, cloud, BERT)
    return made


# ---- signing in ----


def test_an_address_asks_for_the_place_and_proposes_who_signed_in(setup: StorageSetup) -> None:
    flow = setup.begin_sign_in(ELSEWHERE, place="sharepoint")
    assert flow.scopes == SHAREPOINT
    assert (flow.account, "login_hint=bert%40contoso" in flow.url) == (setup.account, True)


def test_a_device_code_asks_for_the_place_from_the_same_account(
    cloud: Emulator, setup: StorageSetup
) -> None:
    assert setup.choose_type("sharepoint") == SHAREPOINT
    setup.choose_type("business")
    by_device_code(setup, cloud, BERT, place="sharepoint")
    assert setup.choose_type("sharepoint") == ()

    code: list[DeviceCode] = []

    def show(shown: DeviceCode) -> None:
        code.append(shown)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        setup.sign_in_with_device_code(show=show)
    assert code[0].account == setup.account


def test_the_browser_is_told_the_place_and_who_signed_in(
    cloud: Emulator, setup: StorageSetup, browser: Callable[..., None]
) -> None:
    browser(BERT)
    shown: list[str] = []
    setup.sign_in_with_browser(
        place="sharepoint", show_address=lambda address, _: shown.append(address)
    )
    assert "login_hint=bert%40contoso" in shown[0]
    assert setup.choose_type("sharepoint") == ()


def test_the_wait_for_the_browser_can_be_cancelled(
    setup: StorageSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda *_, **__: True)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        setup.sign_in_with_browser(cancel=cancel)


def test_signing_out_forgets_what_the_sign_in_reached(cloud: Emulator, setup: StorageSetup) -> None:
    setup.choose_own_drive()
    record = {**setup.record_with_secrets(), "shared": True, "app_only": True}
    setup = StorageSetup.from_record(record)
    setup.sign_out()
    record = setup.record_with_secrets()
    assert not (record["shared"])
    assert not (record["app_only"])
    assert not (setup.signed_in)
    assert not setup.chosen_drive
    assert setup.drive_type == "business"


def test_an_application_may_take_the_place_of_a_person(
    cloud: Emulator, setup: StorageSetup
) -> None:
    app = AppRegistration(
        DAEMON_CLIENT_ID, tenant="contoso.onmicrosoft.com", client_secret=DAEMON_CLIENT_SECRET
    )
    record = setup.record_with_secrets()
    setup = StorageSetup.from_record({**record, "expected": record["account"]})
    setup.use_app(app)
    assert setup.sign_in_as_app().kind == "application"


def test_a_person_may_take_the_place_of_an_application(cloud: Emulator) -> None:
    contoso = cloud.world.tenant("contoso.onmicrosoft.com")
    cloud.world.registrations[WEB_CLIENT_ID].granted_roles[contoso.id] = frozenset()
    setup = StorageSetup(AppRegistration(WEB_CLIENT_ID, contoso.id, "global", WEB_CLIENT_SECRET))
    setup.sign_in_as_app()
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    assert setup.finish_sign_in(flow, cloud.person(BERT).visit(flow.url).answer).username == BERT


# ---- permissions ----


def test_another_type_needs_no_folder_of_somebody_else(setup: StorageSetup) -> None:
    record = {**setup.record_with_secrets(), "shared": True}
    setup = StorageSetup.from_record(record)
    assert setup.missing_permissions() == ("Files.ReadWrite.All",)
    assert setup.choose_type("business") == ()


@pytest.fixture
def refused(cloud: Emulator, setup: StorageSetup) -> str:
    """The link of a folder for which a permission is missing."""
    setup.choose_type("business")
    link = link_to_another_drive(cloud)
    with pytest.raises(ConsentRequired, match="a permission is missing"):
        setup.choose_address(link)
    return link


def test_the_next_sign_in_asks_for_what_a_folder_of_somebody_else_lacked(
    cloud: Emulator, setup: StorageSetup, refused: str
) -> None:
    assert setup.missing_permissions() == ("Files.ReadWrite.All",)
    assert "consent" in setup.next_steps
    by_device_code(setup, cloud, BERT)
    assert setup.choose_address(refused).drive.name == "Team"
    assert setup.begin_sign_in(ELSEWHERE).scopes == ("Files.ReadWrite.All",)


@pytest.mark.parametrize(
    "choose",
    [lambda setup: setup.choose_type("business"), lambda setup: setup.choose_own_drive()],
)
def test_who_gives_up_a_folder_of_somebody_else_needs_no_permission_for_it(
    setup: StorageSetup, refused: str, choose: Callable[[StorageSetup], object]
) -> None:
    choose(setup)
    assert setup.missing_permissions() == ()


def test_a_type_that_there_is_not_is_refused_with_those_that_there_are(
    setup: StorageSetup,
) -> None:
    with pytest.raises(UsageError, match="no drive type 'teams'") as caught:
        setup.choose_type("teams")  # type: ignore[arg-type]
    assert caught.value.advice == "Choose one of: personal, business, sharepoint."


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (lambda setup: setup.sites("x"), "Looking for SharePoint sites"),
        (lambda setup: setup.libraries(None), "Opening a SharePoint site"),
    ],
)
def test_sharepoint_needs_its_permissions_whatever_type_is_chosen(
    setup: StorageSetup, step: Callable[[StorageSetup], object], what: str
) -> None:
    with pytest.raises(ConsentRequired) as caught:
        step(setup)
    problem = caught.value
    assert problem.what == f"{what} needs another permission."
    assert problem.why is not None
    assert "(Sites.Read.All)" in problem.why
    assert problem.details["missing_scopes"] == list(SHAREPOINT)
    assert problem.advice.startswith("Sign in again with this account and accept it")


@pytest.mark.parametrize("changed", [{"app_only": True}, {"scopes": []}])
def test_an_application_and_unknown_permissions_lack_nothing(
    setup: StorageSetup, changed: dict[str, object]
) -> None:
    """An administrator granted the application's; only Graph knows those of a paste."""
    setup = StorageSetup.from_record({**setup.record_with_secrets(), **changed})
    assert setup.choose_type("sharepoint") == ()


# ---- location ----


# ---- an hour later ----


@pytest.mark.parametrize("whose", ["Microsoft's", "ours"])
def test_who_comes_back_after_an_hour_goes_on(
    cloud: Emulator, setup: StorageSetup, whose: str
) -> None:
    """The access token had expired: the advice was to test a storage that did not exist yet."""
    if whose == "ours":
        assert setup._state.token is not None
        setup._state.token = replace(setup._state.token, expiry=ALREADY_EXPIRED)
    with cloud.quirks.refresh_tokens_once():
        cloud.world.advance(4000)
        begun = len(cloud.requests)
        setup.choose_own_drive()
        renewals = [one for one in cloud.requests[begun:] if one.path.endswith("/token")]
        assert len(renewals) == 1
        setup.name = "Work"
        assert setup.save(Storages()).list() == []


def test_who_signs_out_while_it_is_renewed_stays_signed_out(
    cloud: Emulator, setup: StorageSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, the token came back, without an account, or in the next person's sign-in."""
    cloud.world.advance(4000)

    def meanwhile(*given: Any, **options: Any) -> Token:
        setup.sign_out()
        return refresh(*given, **options)

    monkeypatch.setattr("pluton_rclone.setup.imported.refresh", meanwhile)
    with pytest.raises(UsageError, match="Nobody has signed in"):
        setup.choose_own_drive()
    assert (setup.signed_in, setup.account) == (False, None)


def test_an_application_that_comes_back_after_an_hour_goes_on(cloud: Emulator) -> None:
    tenant = cloud.world.person(BERT).tenant
    roles = {"Files.ReadWrite.All", "Sites.Read.All", "User.ReadBasic.All"}
    cloud.world.registrations[DAEMON_CLIENT_ID].granted_roles[tenant.id] = frozenset(roles)
    made = StorageSetup(
        AppRegistration(DAEMON_CLIENT_ID, tenant.id, client_secret=DAEMON_CLIENT_SECRET)
    )
    made.sign_in_as_app()
    cloud.world.advance(2 * 24 * 3600)
    assert made.user_drive(BERT).type == "business"


def test_who_cannot_go_on_after_an_hour_is_asked_to_sign_in_again(
    cloud: Emulator, setup: StorageSetup
) -> None:
    cloud.world.advance(4000)
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    with pytest.raises(TokenExpired) as refused:
        setup.choose_own_drive()
    assert refused.value.advice.startswith("Sign in again")
    assert refused.value.next_step is None


def test_a_drive_can_be_named_by_its_id(cloud: Emulator, setup: StorageSetup) -> None:
    drive = emulated_drive(cloud, "business")
    assert setup.drive(drive.id) == setup.choose_drive(drive.id)
    assert setup.remote().drive_id == drive.id


def test_an_address_of_another_cloud_is_refused_before_the_sign_in(home: object) -> None:
    setup = StorageSetup(AppRegistration(PUBLIC_CLIENT_ID, "contoso.onmicrosoft.us", "us"))
    setup.check_address("https://contoso.sharepoint.us/sites/Backups")
    with pytest.raises(OptionInvalid, match="belongs to Microsoft Cloud Global"):
        setup.check_address("https://contoso.sharepoint.com/sites/Backups")


def test_the_remote_of_another_drive_chooses_it(cloud: Emulator, setup: StorageSetup) -> None:
    setup.choose_own_drive()
    other = cloud.files.list_too(BERT, cloud.files.add(cloud.files.beside(BERT, "Archive")))
    made = setup.remote(setup.drive(other.id))
    assert made.drive_id == other.id
    assert setup.chosen_drive is not None
    assert setup.chosen_drive.id == other.id
    setup = StorageSetup.from_record({**setup.record_with_secrets(), "folder": "of an address"})
    assert setup.remote(setup.chosen_drive).base_folder == "of an address"  # not chosen again


def test_the_folder_that_is_open_in_a_drive_goes_with_that_drive(
    cloud: Emulator, setup: StorageSetup
) -> None:
    drive = setup.choose_own_drive()
    record = {**setup.record_with_secrets(), "options": {"root_folder_id": "01TEAM"}}
    setup = StorageSetup.from_record(record)
    setup.choose_drive(drive, "laptop")
    assert setup.remote().root_folder_id == "01TEAM"
    other = cloud.files.list_too(BERT, cloud.files.add(cloud.files.beside(BERT, "Archive")))
    setup.choose_drive(other.id)
    assert setup.remote().root_folder_id == ""


def test_of_several_drives_of_the_type_one_has_to_be_named(
    cloud: Emulator, setup: StorageSetup
) -> None:
    own = emulated_drive(cloud, "business")
    other = cloud.files.list_too(BERT, cloud.files.add(cloud.files.beside(BERT, "Archive")))
    with pytest.raises(UsageError, match="There are 2 such drives") as caught:
        setup.choose_own_drive()
    assert caught.value.why == f"{own.name} ({own.id}), Archive ({other.id})"
    assert caught.value.advice == "Choose one by its id, shown in brackets."


def test_a_type_that_the_account_has_not_says_which_there_are(
    cloud: Emulator, setup: StorageSetup
) -> None:
    with pytest.raises(DriveNotFound, match=r"has no drive of the type personal") as caught:
        setup.drives_of("personal")
    assert caught.value.why == "there is: business"
    assert caught.value.advice == "Choose the drive type business."
    library = cloud.files.beside(BERT, "Team", kind="documentLibrary")
    cloud.files.list_too(BERT, cloud.files.add(library))
    with pytest.raises(DriveNotFound) as caught:
        setup.drives_of("personal")
    assert caught.value.why == "there is: business, document library"
    assert caught.value.advice == DriveNotFound.default_advice


def test_drives_that_cannot_be_read_are_the_reason_if_there_is_no_other(
    cloud: Emulator, setup: StorageSetup
) -> None:
    cloud.files.drive_of(BERT).root_readable = False
    cloud.files.list_too(BERT, cloud.files.add(cloud.files.beside(BERT, "PersonalCacheLibrary")))
    with pytest.raises(DriveNotFound) as caught:
        setup.drives_of("business")
    assert caught.value.why is not None
    assert "OneDrive" in caught.value.why


def test_the_id_of_a_folder_goes_when_another_is_typed(
    cloud: Emulator, setup: StorageSetup
) -> None:
    drive = setup.choose_own_drive()
    record = {**setup.record_with_secrets(), "folder": "laptop", "folder_id": "01LAPTOP"}
    setup = StorageSetup.from_record(record)
    setup.set_options(base_folder="laptop")
    assert setup.remote().base_folder_id == "01LAPTOP"
    setup.set_options(base_folder="desktop")
    assert setup.remote().base_folder_id == ""
    setup = StorageSetup.from_record(record)
    setup.choose_drive(drive, "laptop")  # perhaps another folder has that name by now
    assert setup.remote().base_folder_id == ""


def test_an_application_that_a_rule_keeps_out_is_not_sent_to_a_browser(cloud: Emulator) -> None:
    setup = StorageSetup(
        AppRegistration(
            DAEMON_CLIENT_ID, tenant="contoso.onmicrosoft.com", client_secret=DAEMON_CLIENT_SECRET
        )
    )
    setup.sign_in_as_app()
    cloud.faults.challenge(times=None)

    with pytest.raises(InteractionRequired) as caught:
        setup.user_drive(BERT)

    assert caught.value.who is Who.ADMINISTRATOR
    assert "browser" not in caught.value.advice
