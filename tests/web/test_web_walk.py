"""The guide's walk in a real browser, on the emulated Microsoft: every page, every kind of drive,
errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pluton_rclone import AppRegistration, Storages
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.errors import StorageNotFound
from pluton_rclone.web.plumbing import guard
from pluton_rclone.web.plumbing.context import Healths, Seen
from tests.chromium import Chromium
from tests.connected import connected, emulated_drive

from .attackers import eventually
from .axe import violations
from .server import served
from .tour import NAME, tour
from .visitor import ANNA, BERT, Visitor, at_microsoft, closes

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = pytest.mark.long  # all in one worker, with one browser
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1200), ("dark", 390))
APP = AppRegistration(PUBLIC_CLIENT_ID)


def test_every_page_is_reached_and_accessible(
    cloud: Emulator, home: Path, chromium: Chromium
) -> None:
    """Personal, Business and SharePoint; refused once, an administrator needed once, expired and
    signed in again.

    Each page is viewed light and wide, and dark at a phone's width.
    """
    found: list[str] = []
    seen: list[str] = []

    def look(page: Page, name: str) -> None:
        if name in seen:
            return
        seen.append(name)
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            found.extend(f"{name}, {scheme}: {violation}" for violation in violations(page))
            if page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            ):
                found.append(f"{name}: wider than {width} pixels")
        page.set_viewport_size({"width": 1200, "height": 900})

    with served(APP, folders=[home]) as address, chromium.person(cloud) as context:
        visitor = Visitor(context, address, look)
        tour(visitor, cloud, home)
    assert found == []
    assert visitor.complaints == []
    assert len(seen) >= 30
    types = {name: storage.remote.drive_type for name, storage in Storages().items()}
    assert types == {NAME: "personal", "Work": "business", "Team library": "documentLibrary"}


def press_with_the_window_blocked(visitor: Visitor, button: str) -> None:
    """A person's click allows one window. It is used up here, so that Chromium's own pop-up blocker
    blocks ours. When the page has been viewed, the delay after which the sign-in continues is over:
    Chromium does not answer questions about a page that is about to unload."""
    visitor.page.evaluate(
        "const usual = setTimeout; window.setTimeout = (call, time, ...given) => time === 3000"
        "  ? void (window.goOn = () => call(...given)) : usual(call, time, ...given)"
    )
    devtools = visitor.context.new_cdp_session(visitor.page)
    click = f"window.open('', 'another', 'popup').close(); {button}.click()"
    devtools.send("Runtime.evaluate", {"expression": click, "userGesture": True})


def test_a_blocked_window_is_said_and_the_sign_in_goes_on_in_this_tab(
    cloud: Emulator, chromium: Chromium
) -> None:
    with served(APP) as address, chromium.person(cloud) as context:
        anna = Visitor(context, address)
        anna.add("Blocked")
        press_with_the_window_blocked(anna, "document.getElementById('authorize')")
        anna.page.get_by_role("alert").get_by_text(
            "Your browser blocked the sign-in window"
        ).wait_for()
        assert violations(anna.page) == []
        anna.page.evaluate("goOn()")
        anna.page.locator(f'[id="account-{ANNA}"]').wait_for()  # in this tab
        assert context.pages == [anna.page]
        at_microsoft(anna.page, ANNA, "accept")
        anna.heading("Which OneDrive")
        assert anna.page.get_by_text("blocked the sign-in window").is_visible()
        assert anna.complaints == []


def at_the_authorize_page_again(context: BrowserContext, address: str, name: str) -> Visitor:
    """Anna has signed in and goes back: she meant to choose another account."""
    anna = Visitor(context, address)
    anna.add(name)
    anna.authorize(ANNA, "accept")
    anna.heading("Which OneDrive")
    anna.page.get_by_role("link", name="Authorize", exact=True).click()
    anna.heading("Authorize with OneDrive")
    anna.page.get_by_text(f"({ANNA})").wait_for()
    anna.page.get_by_text("Use another account").click()
    return anna


def test_another_account_signs_in_in_a_window_that_is_opened_again_and_in_this_tab(
    cloud: Emulator, chromium: Chromium
) -> None:
    with served(APP) as address, chromium.person(cloud) as context:
        anna = at_the_authorize_page_again(context, address, "Another")
        for button in ("Sign in with another account", "Open it again"):
            with context.expect_page() as opened:
                anna.press(button)
            opened.value.locator(f'[id="account-{BERT}"]').wait_for()
            anna.page.get_by_role("heading", name="Continue in the Microsoft window").wait_for()
            opened.value.close()
        anna.press("Sign in in this tab instead")
        at_microsoft(anna.page, BERT, "accept")
        anna.heading("Which OneDrive")
        assert anna.page.get_by_text(f"({BERT})").is_visible()

        anna.page.get_by_role("link", name="Authorize", exact=True).click()
        anna.page.get_by_text("Use another account").click()
        with context.expect_page() as opened:
            anna.press("Sign in with another account")
        at_microsoft(opened.value, ANNA)
        closes(opened.value)
        anna.heading("Which OneDrive")  # without a click
        assert anna.page.get_by_text(f"({ANNA})").is_visible()


def test_another_account_signs_in_in_this_tab_if_its_window_is_blocked(
    cloud: Emulator, chromium: Chromium
) -> None:
    with served(APP) as address, chromium.person(cloud) as context:
        anna = at_the_authorize_page_again(context, address, "Another, blocked")
        press_with_the_window_blocked(anna, "document.querySelector('button[name=again]')")
        anna.press("Continue now")
        at_microsoft(anna.page, BERT, "accept")
        anna.heading("Which OneDrive")
        assert anna.page.get_by_text(f"({BERT})").is_visible()


def test_a_part_that_fails_draws_no_page_in_the_page(
    cloud: Emulator, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> object:
        raise StorageNotFound("It was removed meanwhile.")

    connected(cloud)
    monkeypatch.setattr(Healths, "of", gone)
    with served(APP) as address, chromium.person(cloud) as context:
        visitor = Visitor(context, address)
        visitor.page.get_by_text("This did not load. Reload the page to try again.").wait_for()
        assert visitor.page.get_by_role("heading", level=1).count() == 1


def test_many_storages_are_looked_at_a_few_at_a_time_and_none_is_left_out(
    cloud: Emulator, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP/2, a browser requests all parts at once, and the server refuses more than twelve;
    over HTTP/1.1, it requests six at once, as many as are counted here before they leave it."""
    for number in range(15):
        connected(cloud, name=f"Storage {number}")
    monkeypatch.setattr(Healths, "of", lambda *_: Seen())
    asked: list[Route] = []
    most: list[int] = []

    def ask(route: Route) -> None:
        asked.append(route)
        most.append(len(asked))

    with served(APP) as address, chromium.person(cloud) as context:
        context.route("**/health", ask)
        visitor = Visitor(context, address)
        for shown in range(15):
            eventually(lambda: bool(visitor.page.evaluate("true") and asked), "nothing is asked")
            asked.pop(0).continue_()
            visitor.page.get_by_text("Works", exact=True).nth(shown).wait_for()
    assert max(most) == 6


def test_a_part_that_is_refused_for_now_is_asked_for_again(
    cloud: Emulator, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(cloud)
    monkeypatch.setattr(Healths, "of", lambda *_: Seen())
    with served(APP) as address, chromium.person(cloud) as context:
        visitor = Visitor(context, address)
        visitor.page.get_by_text("Works", exact=True).wait_for()
        monkeypatch.setattr(guard, "PAUSE", 0.1)

        def refuse(route: Route) -> None:
            with monkeypatch.context() as busy:
                busy.setattr(guard, "AT_ONCE", -1)  # every request is one too many
                answer = route.fetch()
            assert answer.status == 429
            route.fulfill(response=answer)

        context.route("**/health", refuse, times=1)
        visitor.page.reload()
        visitor.page.get_by_text("Works", exact=True).wait_for()


def test_a_page_that_goes_on_by_itself_is_not_over_while_it_is_refused(
    cloud: Emulator, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "PAUSE", 0.1)
    with served(APP) as address, chromium.person(cloud) as context:
        anna = Visitor(context, address)
        anna.add("Another device")
        anna.press("Sign in on another device")
        anna.heading("Sign in on another device")  # its script has run
        code = anna.page.get_by_label("The code").input_value()
        with monkeypatch.context() as busy:
            busy.setattr(guard, "AT_ONCE", -1)  # every request is one too many
            anna.page.get_by_text("trying again").wait_for(state="attached")
        cloud.person(ANNA).enter_device_code(code)
        anna.heading("Which OneDrive")


def test_a_session_that_ends_while_a_sign_in_is_waited_for_is_said(
    cloud: Emulator, chromium: Chromium
) -> None:
    with served(APP) as address, chromium.person(cloud) as context:
        anna = Visitor(context, address)
        anna.add("Left")
        anna.open_window()
        context.set_offline(True)
        anna.page.get_by_text("trying again").wait_for(state="attached")
        context.set_offline(False)
        elsewhere = context.new_page()
        elsewhere.goto(address.rpartition("/open/")[0])
        elsewhere.get_by_role("button", name="Leave").click()
        anna.heading("Your session here has ended")  # without a click


def test_what_is_drawn_anew_takes_no_focus_from_what_has_not_changed(
    cloud: Emulator, chromium: Chromium
) -> None:
    """Formerly, a keyboard user was sent back to the top of the page."""
    with served(APP) as address, chromium.person(cloud) as context:
        anna = Visitor(context, address)
        anna.add("Keyboard")
        anna.press("Sign in on another device")
        copy = anna.page.get_by_role("button", name="Copy")
        copy.focus()
        for _ in range(2):
            with anna.page.expect_response("**/waiting/*") as asked:
                pass
            asked.value.finished()
        anna.page.evaluate("new Promise(done => setTimeout(done))")
        assert copy.evaluate("button => button === document.activeElement")


def test_long_names_fit_into_the_narrowest_window(
    cloud: Emulator, home: Path, chromium: Chromium
) -> None:
    """320 pixels: an ordinary window at 400 % (WCAG 1.4.10)."""
    storage = connected(cloud, name="N" * 100)
    emulated_drive(cloud, "personal").write(f"{'d' * 120}/{'f' * 180}.txt", b"x")
    at = f"storages/{storage.remote_name}"
    pages = ["", at, f"{at}/files", f"{at}/files?path={'d' * 120}", "transfers", "nowhere"]
    pages += [f"{at}/{form}" for form in ("copy", "restore", "edit", "remove", "health")]
    with served(APP) as address, chromium.person(cloud, width=320) as context:
        page = Visitor(context, address).page
        top, wide = page.url, list[str]()
        for path in pages:
            page.goto(top + path)
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            if page.evaluate("document.documentElement.scrollWidth") > 320:
                wide.append(path)
    assert wide == []


def test_the_health_of_a_storage_is_a_page_too(
    cloud: Emulator, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = connected(cloud)
    monkeypatch.setattr(Healths, "of", lambda *_: Seen())
    with served(APP) as address, chromium.person(cloud) as context:
        visitor = Visitor(context, address)
        visitor.page.get_by_text("Works", exact=True).wait_for()  # in the list
        visitor.page.goto(f"{visitor.page.url}storages/{storage.remote_name}/health")
        visitor.page.get_by_text("Works", exact=True).wait_for()
        assert violations(visitor.page) == []


def test_without_scripts_the_whole_walk_works(cloud: Emulator, chromium: Chromium) -> None:
    with served(APP) as address, chromium.person(cloud, scripts=False) as context:
        bert = Visitor(context, address)
        bert.add("No scripts")
        bert.press("Authorize with OneDrive")
        at_microsoft(bert.page, BERT, "accept")
        bert.choose_type("OneDrive for Business")
        bert.heading("Which drive")
        bert.press("Continue")
        bert.options()
        bert.test()
        bert.press("Save")
        bert.page.get_by_text("ready for use").wait_for()
        bert.page.get_by_role("link", name="Check its health").click()
        bert.heading("Health")
        bert.page.get_by_text("used (").wait_for()
    assert Storages()["No scripts"].remote.drive_type == "business"
