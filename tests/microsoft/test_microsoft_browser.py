"""Sign-in in a browser on this machine: real MSAL, a simulated person, a real loopback port."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Emulator
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import LoopbackReceiver, sign_in_with_browser
from pluton_rclone.microsoft.entra.scopes import least, missing

APP = AppRegistration(PUBLIC_CLIENT_ID)
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
Browser = Callable[..., Callable[[str], bool]]


def page(
    address: str, form: dict[str, str] | None = None, host: str | None = None
) -> tuple[int, str]:
    """The status and the text of a page on this machine, without any proxy."""
    request = urllib.request.Request(address, data=urlencode(form).encode() if form else None)
    if host is not None:
        request.add_header("Host", host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


@pytest.mark.parametrize(
    ("username", "name", "kind"), [(ANNA, "Anna Berg", "personal"), (BERT, "Bert Jansen", "work")]
)
def test_a_person_signs_in(browser_of: Browser, username: str, name: str, kind: str) -> None:
    signed_in = sign_in_with_browser(APP, least(), open_browser=browser_of(username))

    assert (signed_in.account.name, signed_in.account.username) == (name, username)
    assert signed_in.account.kind == kind
    assert missing(signed_in.scopes, least()) == ()
    assert signed_in.token.refresh_token
    assert not signed_in.token.expired()


def test_the_first_sign_in_asks_for_no_more_than_the_own_files(browser_of: Browser) -> None:
    addresses: list[str] = []
    sign_in_with_browser(
        APP,
        least(),
        open_browser=browser_of(ANNA),
        show_address=lambda url, _: addresses.append(url),
    )

    query = parse_qs(urlsplit(addresses[0]).query)
    assert set(query["scope"][0].split()) == {
        "Files.ReadWrite",
        "offline_access",
        "openid",
        "profile",
    }
    assert query["code_challenge_method"] == ["S256"]
    assert query["prompt"] == ["select_account"]


def test_who_refuses_is_told_what_it_means(cloud: Emulator, browser_of: Browser) -> None:
    with pytest.raises(errors.SignInDeclined) as refusal:
        sign_in_with_browser(APP, least(), open_browser=browser_of(ANNA, accept=False))

    assert refusal.value.details["error"] == "access_denied"
    assert refusal.value.who is errors.Who.YOU


@pytest.mark.parametrize(
    ("accept", "title"), [(True, "You are signed in"), (False, "The sign-in did not work")]
)
def test_the_page_says_how_it_ended(cloud: Emulator, accept: bool, title: str) -> None:
    pages: list[str] = []
    visits: list[threading.Thread] = []

    def open_browser(url: str) -> bool:
        person = cloud.person(ANNA)
        visit = threading.Thread(target=lambda: pages.append(person.visit(url, accept=accept).text))
        visit.start()
        visits.append(visit)
        return True

    try:
        sign_in_with_browser(APP, least(), open_browser=open_browser)
    except errors.SignInDeclined:
        assert not accept
    visits[0].join()

    assert f"<h1>{title}</h1>" in pages[0]
    assert "You can close this window." in pages[0]


def test_where_no_browser_opens_the_address_is_shown(cloud: Emulator) -> None:
    shown: list[tuple[str, bool]] = []
    visits: list[threading.Thread] = []

    def show_address(url: str, opened: bool) -> None:
        shown.append((url, opened))
        visits.append(threading.Thread(target=lambda: cloud.person(ANNA).visit(url)))
        visits[0].start()

    signed_in = sign_in_with_browser(
        APP, least(), open_browser=lambda _: False, show_address=show_address
    )
    visits[0].join()

    assert signed_in.account.username == ANNA
    assert shown[0][0].startswith("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?")
    assert shown[0][1] is False


def test_nobody_comes(cloud: Emulator) -> None:
    with pytest.raises(errors.SignInTimedOut):
        sign_in_with_browser(APP, least(), open_browser=lambda _: True, timeout=0.01)


def test_cancelling_ends_the_waiting(cloud: Emulator) -> None:
    cancel = threading.Event()

    def open_browser(_: str) -> bool:
        cancel.set()
        return True

    with pytest.raises(errors.Cancelled):
        sign_in_with_browser(APP, least(), open_browser=open_browser, cancel=cancel)


def test_somebody_else_than_expected_is_refused(browser_of: Browser) -> None:
    anna = Account("", "Anna Berg", ANNA, "", "personal")

    with pytest.raises(errors.AccountError, match=r"Bert Jansen.*Anna Berg"):
        sign_in_with_browser(APP, least(), open_browser=browser_of(BERT), account=anna)


def test_less_granted_than_asked_is_said_in_words(cloud: Emulator, browser_of: Browser) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.withheld = frozenset({"Sites.Read.All"})

    with pytest.raises(errors.ConsentRequired) as refusal:
        sign_in_with_browser(APP, least("sharepoint"), open_browser=browser_of(BERT))

    assert "not granted: find and read SharePoint sites (Sites.Read.All)" in str(refusal.value)
    assert refusal.value.details["missing_scopes"] == ["Sites.Read.All"]


def test_a_tenant_that_does_not_exist_is_named(cloud: Emulator) -> None:
    with pytest.raises(errors.RegistrationError) as refusal:
        sign_in_with_browser(
            AppRegistration(PUBLIC_CLIENT_ID, tenant="nobody.example"),
            least(),
            open_browser=lambda _: True,
        )

    assert refusal.value.details["aadsts"] == "AADSTS90002"


def test_a_single_tenant_registration_needs_its_tenant(
    cloud: Emulator, browser_of: Browser
) -> None:
    # Microsoft shows AADSTS50194 on its own page: no redirect comes back
    with pytest.raises(errors.SignInTimedOut):
        sign_in_with_browser(
            AppRegistration(SINGLE_TENANT_CLIENT_ID),
            least(),
            open_browser=browser_of(BERT),
            timeout=1,
        )

    signed_in = sign_in_with_browser(
        AppRegistration(SINGLE_TENANT_CLIENT_ID, tenant="contoso.onmicrosoft.com"),
        least(),
        open_browser=browser_of(BERT),
    )
    assert signed_in.account.username == BERT


# ---- the loopback port


def test_the_port_is_on_this_machine_only() -> None:
    with LoopbackReceiver() as receiver:
        port = urlsplit(receiver.redirect_uri).port
        assert port is not None
        others = [
            info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)
        ]
        for address in {*others, "127.0.0.2"} - {"127.0.0.1"}:
            with pytest.raises(OSError, match=r"refused|unreachable"):
                socket.create_connection((str(address), port), timeout=5)


@pytest.mark.parametrize("posted", [True, False])
def test_an_answer_comes_as_a_form_or_as_a_query_and_only_one_is_taken(posted: bool) -> None:
    with LoopbackReceiver() as receiver:
        receiver.expect("right")
        receiver.tell("Done", "Well.")

        def answer(code: str, state: str) -> tuple[int, str]:
            parameters = {"code": code, "state": state}
            if posted:
                return page(f"{receiver.redirect_uri}/", parameters)
            return page(f"{receiver.redirect_uri}/?{urlencode(parameters)}")

        foreign, mine, late = (
            answer("foreign", "wrong"),
            answer("mine", "right"),
            answer("second", "right"),
        )

        assert foreign[0] == 400
        assert "belongs to another sign-in" in foreign[1]
        assert mine[0] == 200
        assert "<h1>Done</h1>" in mine[1]
        assert late[0] == 400
        assert "already been answered" in late[1]
        assert receiver.wait(300)["code"] == "mine"


def test_a_browser_that_answers_before_anybody_waits_is_heard(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits: list[threading.Thread] = []
    answered, take = threading.Event(), LoopbackReceiver.take

    def taken(receiver: LoopbackReceiver, answer: dict[str, str]) -> tuple[str, str] | None:
        try:
            return take(receiver, answer)
        finally:
            answered.set()

    def open_browser(url: str) -> bool:
        visits.append(threading.Thread(target=lambda: cloud.person(ANNA).visit(url)))
        visits[0].start()
        return answered.wait(120)  # from now on the page waits for the outcome

    monkeypatch.setattr(LoopbackReceiver, "take", taken)
    signed_in = sign_in_with_browser(APP, least(), open_browser=open_browser)
    visits[0].join()
    assert signed_in.account.username == ANNA


def test_a_foreign_answer_is_named_when_time_is_over() -> None:
    with LoopbackReceiver() as receiver:
        receiver.expect("right")
        page(f"{receiver.redirect_uri}/?code=x&state=wrong")

        with pytest.raises(errors.SignInTimedOut, match="another sign-in"):
            receiver.wait(0.01)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/favicon.ico", 404), ("/?code=1&code=2", 400), ("/", 200), ("/?" + "a=b&" * 100, 400)],
)
def test_other_requests_do_not_end_the_waiting(path: str, status: int) -> None:
    with LoopbackReceiver() as receiver:
        assert page(f"{receiver.redirect_uri}{path}")[0] == status
        with pytest.raises(errors.SignInTimedOut):
            receiver.wait(0.01)


@pytest.mark.parametrize("target", ["http://[", "//[x", "http://[x]y/?state=expected&code=c"])
def test_an_address_that_is_none_is_answered(target: str) -> None:
    with LoopbackReceiver() as receiver:
        receiver.expect("expected")
        connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=60)
        with connection, connection.makefile("rb") as answer:
            line = f"GET {target} HTTP/1.1\r\nHost: localhost:{receiver.port}\r\n\r\n"
            connection.sendall(line.encode())
            assert answer.readline().split()[1] in (b"400", b"404")


def test_a_page_elsewhere_cannot_reach_in_through_a_name_of_its_own() -> None:
    with LoopbackReceiver() as receiver:
        status, _ = page(f"{receiver.redirect_uri}/?code=x&state=y", host="evil.example")

    assert status == 400


def test_words_in_the_page_are_escaped() -> None:
    with LoopbackReceiver() as receiver:
        receiver.expect("s")
        receiver.tell("<script>", "a & b")

        _, text = page(f"{receiver.redirect_uri}/?error=x&state=s")

    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text
