"""Every refusal of the sign-in service becomes an exception with what, why, who and advice."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, SignInError, Who
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.faults import Asked, sign_in_error
from pluton_rclone.microsoft.entra.known_errors import KnownError, known_errors, look_up

SAMPLES = Path(__file__).parent.parent / "data" / "graph-samples"
ROWS = sorted(known_errors().values(), key=lambda row: row.aadsts)

EXPLAINED = [
    # (the sample, the way of signing in, the exception, who can fix it)
    ("entra-authorization-declined", "device code", errors.SignInDeclined, Who.YOU),
    ("entra-bad-verification-code", "device code", errors.AuthorizationFailed, Who.YOU),
    ("entra-expired-token", "device code", errors.SignInTimedOut, Who.YOU),
    ("entra-authorization-pending", "device code", SignInError, Who.LATER),
    ("entra-consent-required-65001", "refresh", errors.ConsentRequired, Who.YOU),
    ("entra-interaction-required-50076", "refresh", errors.InteractionRequired, Who.YOU),
    ("entra-invalid-client-7000215", "redirect", errors.RegistrationError, Who.DEVELOPER),
    ("entra-invalid-client-7000218", "device code", errors.RegistrationError, Who.DEVELOPER),
    ("entra-invalid-client-7000222", "app-only", errors.SecretExpired, Who.DEVELOPER),
    ("entra-invalid-grant-50173", "refresh", errors.TokenExpired, Who.YOU),
    ("entra-invalid-grant-70000-personal", "refresh", errors.TokenExpired, Who.YOU),
    ("entra-invalid-grant-700082", "refresh", errors.TokenExpired, Who.YOU),
    ("entra-invalid-grant-bad-token", "refresh", errors.TokenExpired, Who.DEVELOPER),
    ("entra-invalid-scope-70011", "redirect", errors.RegistrationError, Who.DEVELOPER),
    ("entra-temporarily-unavailable", "refresh", SignInError, Who.LATER),
    ("entra-instance-discovery-unknown", "redirect", errors.RegistrationError, Who.DEVELOPER),
    ("entra-authorize-redirect-error", "redirect", errors.SignInDeclined, Who.YOU),
    ("entra-consent-required-authorize", "redirect", errors.ConsentRequired, Who.YOU),
    ("entra-admin-consent-denied", "redirect", errors.SignInDeclined, Who.YOU),
]


def answer_of(sample: str) -> dict[str, Any]:
    """The error of a sample: from its body, or from its redirect address."""
    record = json.loads((SAMPLES / f"{sample}.json").read_text(encoding="utf-8"))
    body = record["response"]["body"]
    if body is not None:
        return dict(body)
    address = record["response"].get("headers", {}).get("Location") or record["request"]["path"]
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.mark.parametrize("row", ROWS, ids=[row.code for row in ROWS])
def test_every_known_number_is_explained(row: KnownError) -> None:
    problem = sign_in_error(
        {
            "error": row.error,
            "suberror": row.suberror,
            "error_description": f"{row.code}: Something.\r\nTrace ID: t\r\nCorrelation ID: "
            "78b0fdfc-dd0e-4dfb-b13a-d316333783f6\r\nTimestamp: 2026-01-01 00:00:00Z",
            "error_codes": [row.aadsts],
        },
        Asked(way="refresh"),
    )

    assert type(problem) is row.exception
    assert (problem.what, problem.who, problem.advice) == (row.meaning, row.who, row.advice)
    assert problem.why == f"{row.code}: Something."
    assert problem.link == f"https://login.microsoftonline.com/error?code={row.aadsts}"
    assert problem.details["aadsts"] == row.code
    assert problem.details["error"] == row.error
    assert problem.details["correlation_id"] == "78b0fdfc-dd0e-4dfb-b13a-d316333783f6"


def test_the_table_names_no_command_since_a_page_shows_it_as_well() -> None:
    assert [row.code for row in ROWS if "pluton-rclone" in row.advice + row.meaning] == []


def test_an_app_without_a_secret_is_not_told_only_to_correct_it() -> None:
    """In old answers 70002 also means that a secret was expected and none was sent."""
    (row,) = [row for row in ROWS if row.code == "AADSTS70002"]
    assert "If the app has none, switch on 'Allow public client flows'" in row.advice


def test_the_table_leaves_no_number_to_chance() -> None:
    undecided = {
        row.code for row in ROWS if row.exception is SignInError and row.who is not Who.LATER
    }

    # a directory fault that neither the person nor the registration can fix
    assert undecided == {"AADSTS90036"}
    assert len(ROWS) == 152


@pytest.mark.parametrize("row", ROWS, ids=[row.code for row in ROWS])
def test_every_row_speaks_to_a_person(row: KnownError) -> None:
    ours = re.compile(
        r"\b(admin|URI|URL|authority|consented|interactively|As for|docs)\b|/common|/consumers"
    )

    assert ours.search(f"{row.meaning} {row.advice}") is None
    assert row.meaning.endswith(".")
    assert ". " not in row.meaning  # one sentence
    assert row.advice.endswith(".")


@pytest.mark.parametrize(("sample", "way", "kind", "who"), EXPLAINED)
def test_every_sample_of_a_refusal(
    sample: str, way: str, kind: type[PlutonRcloneError], who: Who
) -> None:
    problem = sign_in_error(answer_of(sample), Asked(way=way))

    assert type(problem) is kind
    assert problem.who is who
    assert problem.what.endswith(".")
    assert problem.advice
    assert "Trace ID" not in str(problem)


def test_no_sample_of_a_refusal_is_left_out() -> None:
    refusals = {
        path.stem for path in SAMPLES.glob("entra-*.json") if "error" in answer_of(path.stem)
    }

    assert refusals == {sample for sample, *_ in EXPLAINED}


@pytest.mark.parametrize(
    ("error", "suberror", "kind"),
    [
        ("invalid_grant", "consent_required", errors.ConsentRequired),
        ("invalid_grant", "bad_token", errors.TokenExpired),
        ("invalid_grant", "token_expired", errors.TokenExpired),
        ("interaction_required", "basic_action", errors.InteractionRequired),
        ("invalid_grant", "user_password_expired", errors.InteractionRequired),
        ("invalid_grant", "protection_policy_required", errors.SignInBlocked),
        ("invalid_grant", None, errors.TokenExpired),
        ("invalid_client", None, errors.RegistrationError),
        ("server_error", None, SignInError),
    ],
)
def test_programs_branch_on_error_and_suberror_when_the_number_is_new(
    error: str, suberror: str | None, kind: type[PlutonRcloneError]
) -> None:
    answer = {"error": error, "suberror": suberror, "error_description": "AADSTS99999999: New."}

    problem = sign_in_error(answer, Asked(way="refresh"))

    assert type(problem) is kind
    assert problem.details["error"] == error


def test_an_unknown_error_is_still_useful() -> None:
    problem = sign_in_error(
        {"error": "brand_new", "error_description": "AADSTS123456: Never seen."}
    )

    assert type(problem) is SignInError
    assert "brand_new" in problem.what
    assert problem.why == "AADSTS123456: Never seen."
    assert problem.details["aadsts"] == "AADSTS123456"
    assert problem.link == "https://login.microsoftonline.com/error?code=123456"


def test_of_two_numbers_the_second_tells_more() -> None:
    problem = sign_in_error(
        {
            "error": "invalid_grant",
            "error_description": "AADSTS70002: Error. AADSTS70008: Expired.",
        },
        Asked(way="refresh"),
    )

    assert problem.details["aadsts"] == "AADSTS70008"
    assert type(problem) is errors.TokenExpired


def test_a_code_that_came_too_late_is_no_stored_token_that_ended() -> None:
    answer = {
        "error": "invalid_grant",
        "error_description": "AADSTS70008: The provided code has expired.",
    }

    assert type(sign_in_error(answer, Asked(way="redirect"))) is errors.SignInTimedOut


@pytest.mark.parametrize("number", [530002, 530003, 530034, 53011])
def test_a_stored_sign_in_that_a_rule_blocks_has_not_expired(number: int) -> None:
    """ "Re-authorize the storage" was said: the rule would block that, too."""
    answer = {"error": "invalid_grant", "error_description": f"AADSTS{number}: Required."}

    problem = sign_in_error(answer, Asked(way="refresh"))

    assert type(problem) is errors.SignInBlocked
    assert problem.who is Who.ADMINISTRATOR


def test_every_number_that_the_emulator_says_is_explained() -> None:
    said = files("pluton_rclone.emulator.entra").joinpath("aadsts.json").read_text("utf-8")
    numbers = {int(number) for number in re.findall(r'"(\d{5,7})":', said)}
    assert numbers - set(known_errors()) == set()


@pytest.mark.parametrize("number", [50131, 53000, 53001, 53003, 530002, 530003, 530033, 530035])
def test_a_blocked_device_code_offers_the_browser(number: int) -> None:
    answer = {"error": "interaction_required", "error_description": f"AADSTS{number}: Blocked."}

    problem = sign_in_error(answer, Asked(way="device code"))

    assert type(problem) is errors.SignInBlocked
    assert "device code" in problem.what
    assert "browser" in problem.advice


@pytest.mark.parametrize("number", [500021, 53002, 530032, 53004])
def test_a_block_that_holds_in_a_browser_as_well_does_not_send_there(number: int) -> None:
    answer = {"error": "access_denied", "error_description": f"AADSTS{number}: Blocked."}

    problem = sign_in_error(answer, Asked(way="device code"))

    assert type(problem) is errors.SignInBlocked
    assert problem.what == known_errors()[number].meaning
    assert problem.advice == known_errors()[number].advice


def test_who_needs_an_administrator_gets_the_address_to_send() -> None:
    app = AppRegistration("client", tenant="contoso.onmicrosoft.us", region="us")
    answer = {"error": "access_denied", "error_description": "AADSTS90094: Admin."}

    problem = sign_in_error(answer, Asked(app, ("Files.ReadWrite.All", "Sites.Read.All")))

    assert type(problem) is errors.AdminConsentRequired
    assert problem.who is Who.ADMINISTRATOR
    assert problem.link is not None
    assert problem.link.startswith(
        "https://login.microsoftonline.us/contoso.onmicrosoft.us/v2.0/adminconsent?"
    )
    assert "read and write all files" in problem.what


@pytest.mark.parametrize("text", ["AADSTS65001: Nobody.", "AADSTS99999999: New."])
def test_who_may_agree_alone_is_told_so_and_what_the_address_is_for(text: str) -> None:
    answer = {"error": "invalid_grant", "suberror": "consent_required", "error_description": text}

    problem = sign_in_error(answer, Asked(AppRegistration("client"), ("Sites.Read.All",)))

    assert type(problem) is errors.ConsentRequired
    assert problem.who is Who.YOU
    assert problem.advice.startswith("Sign in again and accept the permissions.")
    assert "administrator, send them the consent address below" in problem.advice
    assert problem.link == problem.details["admin_consent_url"]


def test_an_app_on_its_own_has_nobody_who_could_sign_in_again() -> None:
    app = AppRegistration("client", tenant="contoso.onmicrosoft.com")
    answer = {"error": "invalid_grant", "error_description": "AADSTS65001: Nobody."}

    problem = sign_in_error(answer, Asked(app, way="app-only"))

    assert type(problem) is errors.AdminConsentRequired
    assert problem.who is Who.ADMINISTRATOR
    assert "ign in" not in problem.advice


def test_what_was_sent_does_not_come_back() -> None:
    answer = {
        "error": "invalid_grant",
        "error_description": "AADSTS70000: The token planted-secret is odd.",
    }

    problem = sign_in_error(answer, Asked(secrets=("planted-secret", "")))

    assert "planted" not in str(problem) + repr(problem.record())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "error",
                "suberror",
                "error_subcode",
                "error_description",
                "error_codes",
                "claims",
                "correlation_id",
            ]
        ),
        JSON,
    )
)
def test_whatever_comes_is_an_error_that_can_be_shown(answer: dict[str, Any]) -> None:
    problem = sign_in_error(answer)

    assert problem.what
    assert problem.advice
    assert json.dumps(problem.record())


def test_an_operator_looks_a_code_up() -> None:
    assert [row.code for row in look_up("AADSTS700082")] == ["AADSTS700082"]
    assert [row.code for row in look_up("700082")] == ["AADSTS700082"]
    pasted = "invalid_grant: AADSTS700082: The refresh token has expired. Trace ID: 1234567890"
    assert [row.code for row in look_up(pasted)] == ["AADSTS700082"]
    assert {row.exception for row in look_up("secret_expired")} == {errors.SecretExpired}
    assert look_up("no such thing") == []
    assert len(look_up("")) == len(ROWS)
