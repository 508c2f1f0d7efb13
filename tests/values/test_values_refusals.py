"""The meaning of refusals: the tables, and that kinds of answers are recognised, not strings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import errors
from pluton_rclone.errors import Who
from pluton_rclone.microsoft.entra import faults as entra_faults
from pluton_rclone.microsoft.entra import paste
from pluton_rclone.microsoft.graph.faults import graph_error
from pluton_rclone.microsoft.http import Answer
from pluton_rclone.rclone import faults
from pluton_rclone.values import redaction, refusals
from pluton_rclone.values.refusals import Place, by_status, judged, of_saved, personal

if sys.version_info >= (3, 11):
    from re import _parser as sre  # type: ignore[attr-defined]  # not public
else:
    import sre_parse as sre

PLACES: list[Place] = list(get_args(Place))
REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    423: "Locked",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    507: "Insufficient Storage",
    509: "",
    511: "",
}

WORDS = st.text(" abcdefghijklmnopqrstuvwxyzäßé.,'0123456789", max_size=30)


def cased(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([text, text.upper(), text.lower(), text.title()])


# ---- the status alone ---------------------------------------------------------------------------


@given(st.integers(100, 999), st.sampled_from(PLACES))
def test_every_status_has_a_meaning_that_can_be_shown(status: int, place: Place) -> None:
    meaning = by_status(status, place)
    assert meaning.what.endswith(".")
    assert issubclass(meaning.kind, errors.GraphError | errors.SignInError)


@pytest.mark.parametrize("status", REASONS)
@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('Failed to create file system for "od:": failed to get root: {}: ', "drive"),
        ("error reading source directory: couldn't list files: {}: ", "folder"),
        ("failed to open source object: {}: ", "item"),
        ("{}: ", "item"),
        (
            'Failed to create file system for "od:": failed to get root: Get '
            '"https://graph.microsoft.com/v1.0/x": '
            "couldn't fetch token: oauth2: cannot fetch token: {}\nResponse: <html>busy</html>",
            "sign-in",
        ),
    ],
)
def test_rclones_log_and_our_own_http_read_a_status_alike(
    status: int, line: str, place: Place
) -> None:
    told = faults.fault(line.format(f"{status} {REASONS[status]}"))
    ours = of_saved(by_status(status, place))
    assert (type(told), told.who, told.advice) == (
        ours.kind,
        ours.who or ours.kind.default_who,
        ours.advice or ours.kind.default_advice,
    )
    assert told.details["retry"] is ours.retry
    if place != "sign-in":
        own = graph_error(Answer(status, {}, None), target=place, saved=True)
        assert (type(own), own.who, own.advice, own.exit_code) == (
            type(told),
            told.who,
            told.advice,
            told.exit_code,
        )


@pytest.mark.parametrize(
    ("status", "kind", "who", "retry", "exit_code"),
    [
        (401, errors.TokenExpired, Who.YOU, False, 3),
        (403, errors.AccessDenied, Who.ADMINISTRATOR, False, 4),
        (404, errors.ItemNotFound, Who.YOU, False, 4),
        (423, errors.Conflict, Who.YOU, True, 4),
        (429, errors.Throttled, Who.LATER, True, 8),
        (500, errors.Unreachable, Who.LATER, True, 8),
        (502, errors.Unreachable, Who.LATER, True, 8),
        (503, errors.Throttled, Who.LATER, True, 8),
        (504, errors.Unreachable, Who.LATER, True, 8),
        (507, errors.QuotaFull, Who.YOU, False, 4),
        (511, errors.Unreachable, Who.YOU, True, 8),
        (599, errors.Unreachable, Who.LATER, True, 8),
        (418, errors.GraphError, Who.YOU, False, 4),
    ],
)
def test_the_status_decides_kind_who_retry_and_exit_code(
    status: int, kind: type[errors.PlutonRcloneError], who: Who, retry: bool, exit_code: int
) -> None:
    meaning = by_status(status)
    assert meaning.kind is kind
    assert (meaning.who or kind.default_who) is who
    assert meaning.retry is retry
    assert kind.exit_code == exit_code


@pytest.mark.parametrize(
    "text", ["last error was: 404 differences found", "412 files were not there", "size 403: odd"]
)
def test_a_number_that_is_no_status_is_none(text: str) -> None:
    assert faults.meaning(text) is None


# ---- variations: a kind, not a string -----------------------------------------------------------

KINDS: dict[str, tuple[list[str], str, type[errors.PlutonRcloneError], Place]] = {
    # the case: codes from outside in, the significant part of the message, the class, the requested
    # thing
    "no licence": (["BadRequest"], "does not have a SPO license", errors.DriveNotFound, "account"),
    "no mysite": (["ResourceNotFound"], "User's mysite not found", errors.DriveNotFound, "account"),
    "mysite address": (
        ["BadRequest"],
        "unable to retrieve user's mysite URL",
        errors.DriveNotFound,
        "drive",
    ),
    "blocked": (
        ["notAllowed", "resourceLocked"],
        "Access to this site has been blocked",
        errors.AccessDenied,
        "site",
    ),
    "read-only": (
        ["accessDenied", "serviceReadOnly"],
        "Database Is Read Only",
        errors.Unreachable,
        "drive",
    ),
    "phantom": (["invalidRequest"], "ObjectHandle is Invalid", errors.DriveNotFound, "drive"),
    "vault": (
        ["invalidRequest", "invalidResourceId"],
        "ObjectHandle is Invalid",
        errors.AccessDenied,
        "folder",
    ),
    "locked": (
        ["accessDenied"],
        "checked out or locked for editing by another user",
        errors.Conflict,
        "item",
    ),
    "passing": (
        ["InvalidAuthenticationToken"],
        "Unable to initialize RPS",
        errors.Unreachable,
        "item",
    ),
    "full": (["generalException"], "Insufficient Space Available", errors.QuotaFull, "upload"),
}


def nested(codes: list[str], message: str, member: str, extra: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = {}
    for depth, code in enumerate(reversed(codes)):
        error = {"code": code, **({member: error} if depth else extra)}
    return {"error": {**error, "message": message}}


@given(
    st.sampled_from(list(KINDS)),
    st.data(),
    WORDS,
    WORDS,
    st.sampled_from([400, 403, 404, 406, 422]),
    st.sampled_from(["innerError", "innererror"]),
)
def test_other_words_case_status_and_nesting_mean_the_same(
    name: str, data: st.DataObject, before: str, after: str, status: int, member: str
) -> None:
    codes, telling, kind, place = KINDS[name]
    message = f"{before} {data.draw(cased(telling))} {after}"
    written = [data.draw(cased(code)) for code in codes]
    deeper = {member: {"code": "x", "request-id": "1"}} if data.draw(st.booleans()) else {}
    answer = Answer(status, {}, nested(written, message, member, deeper))
    assert type(graph_error(answer, target=place)) is kind
    sign = {
        "drive": "failed to get root: ",
        "account": "failed to get root: ",
        "site": "failed to get root: ",
    }
    lead = {"folder": "couldn't list files: ", **sign}.get(place, "Failed to copy: ")
    told = faults.fault(f"{lead}{': '.join(written)}: {message}")
    assert type(told) is kind


@given(st.sampled_from(list(KINDS)), st.sampled_from([400, 403, 404, 423]), st.text(max_size=60))
def test_a_localized_message_leaves_what_code_and_status_say(
    name: str, status: int, message: str
) -> None:
    codes, _, kind, place = KINDS[name]
    answer = Answer(status, {}, nested(codes, message, "innerError", {}))
    found = type(graph_error(answer, target=place))
    plain = judged(codes, "", status, place)
    assert plain is not None
    assert found in (kind, plain.kind)


BODY = (
    r'"{\"error\": {\"code\": \"accessDenied\", \"message\": \"The file is currently checked out '
    r"or locked for editing "
    r"by another user.\", \"innerError\": {\"date\": \"2026-01-01T00:00:00\", \"request-id\": "
    r'\"0\"}}}"'
)


@given(
    st.integers(0, len(BODY)),
    st.sampled_from([(423, errors.Conflict), (507, errors.QuotaFull), (503, errors.Throttled)]),
)
def test_a_body_that_is_cut_anywhere_leaves_what_the_status_says(
    end: int, answer: tuple[int, type[errors.PlutonRcloneError]]
) -> None:
    status, kind = answer
    line = (
        f"Failed to copy: HTTP error {status} ({status} {REASONS[status]}) returned body: "
        f"{BODY[:end]}"
    )
    assert type(faults.fault(line)) is kind


@given(
    st.text(),
    st.lists(st.text(max_size=30), max_size=4),
    st.none() | st.integers(100, 999),
    st.sampled_from(PLACES),
)
def test_whatever_comes_is_judged(
    text: str, codes: list[str], status: int | None, place: Place
) -> None:
    meaning = judged(codes, text, status, place)
    assert meaning is not None or status is None
    assert faults.fault(text).what


SIGN_IN = {
    9002331: (
        "invalid_request",
        "configured for use by Microsoft Account users only",
        errors.RegistrationError,
    ),
    9002346: (
        "invalid_request",
        "configured for use by Microsoft Account users only",
        errors.RegistrationError,
    ),
    500200: (
        "invalid_request",
        "User account is a personal Microsoft account",
        errors.AccountError,
    ),
    70000: (
        "invalid_grant",
        "The provided value for the 'code' parameter is not valid",
        errors.AuthorizationFailed,
    ),
}


@given(st.sampled_from(list(SIGN_IN)), WORDS, WORDS, st.integers(0, 400), st.booleans())
def test_sign_in_errors_in_other_words_and_cut_anywhere(
    number: int, before: str, after: str, end: int, listed: bool
) -> None:
    error, words, kind = SIGN_IN[number]
    text = (
        f"AADSTS{number}: {before} {words} {after}\r\nTrace ID: 0\r\nCorrelation ID: "
        f"1\r\nTimestamp: 2025-02-24 22:39:43Z"
    )
    answer: dict[str, Any] = {"error": error, "error_description": text[:end]}
    if listed:
        answer["error_codes"] = [number]
    problem = entra_faults.sign_in_error(answer, entra_faults.Asked(way="redirect"))
    if listed or f"AADSTS{number}:" in text[:end]:
        assert type(problem) is kind
    else:  # the honest default of its `error`; a truncated number may be another's
        assert isinstance(problem, errors.SignInError | errors.GraphError)
    assert "stored" not in problem.what


@given(WORDS, WORDS, cased("'userAudience'"), st.sampled_from(["Consumer", "Consumers"]))
def test_a_registration_for_personal_accounts_alone_wants_the_tenant_consumers(
    before: str, after: str, word: str, audience: str
) -> None:
    text = (
        f"{before} the application's {word} configuration {after} must not be configured with "
        f"'{audience}'"
    )
    problem = entra_faults.sign_in_error({"error": "invalid_request", "error_description": text})
    assert type(problem) is errors.RegistrationError
    assert "consumers" in problem.advice


# ---- the other rules ----------------------------------------------------------------------------


def test_a_personal_account_has_no_administrator() -> None:
    assert personal(by_status(403)).who is Who.YOU
    assert "administrator" not in str(personal(by_status(403)).advice)
    assert personal(by_status(503)) == by_status(503)


def test_deleting_for_good_from_a_personal_drive_names_the_option() -> None:
    error = faults.fault("Couldn't delete: notSupported: The operation is not supported")
    assert type(error) is errors.OptionInvalid
    assert "hard_delete" in error.advice


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            'couldn\'t fetch token: oauth2: "invalid_client" "AADSTS700027: Client assertion"',
            errors.RegistrationError,
        ),
        (
            'couldn\'t fetch token: oauth2: "invalid_client" "AADSTS7000222: expired"',
            errors.SecretExpired,
        ),
        (
            'couldn\'t fetch token: Post "https://login.microsoftonline.com/x": EOF',
            errors.Unreachable,
        ),
        (
            'couldn\'t fetch token: Post "https://login.microsoftonline.com/x": read tcp: '
            "connection reset by peer: "
            "maybe token expired?",
            errors.Unreachable,
        ),
    ],
)
def test_a_token_that_rclone_cannot_renew(text: str, kind: type[errors.PlutonRcloneError]) -> None:
    assert type(faults.fault(f"failed to get root: {text}")) is kind


def test_a_site_that_stays_closed_although_sites_may_be_read() -> None:
    answer = Answer(403, {}, None)
    assert type(graph_error(answer, target="sites")) is errors.SitesPermissionMissing
    closed = graph_error(answer, target="site")
    assert type(closed) is errors.AccessDenied
    assert "owner of the site" in closed.advice


# ---- no expression takes more than the length of its text ---------------------------------------

PATTERNS: list[re.Pattern[str]] = [
    *(pattern for pattern, _ in refusals.BY_MESSAGE),
    *(pattern for pattern, _ in (*faults._BEFORE, *faults._AFTER)),
    *(pattern for pattern, _ in redaction._SECRETS),
    *(
        value
        for module in (refusals, faults, redaction, paste, entra_faults)
        for value in vars(module).values()
        if isinstance(value, re.Pattern)
    ),
]

UNBOUNDED = 5000  # more repetitions count as endless


def repeats(tree: Any, *, inside: bool = False, last: bool = True) -> Iterator[str]:
    """Forbidden parts of a parsed pattern: an endless repeat in another, an endless dot inside."""
    items = list(tree)
    for index, (kind, value) in enumerate(items):
        at_end = last and index == len(items) - 1
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = value
            endless = int(most) > UNBOUNDED
            if endless and inside:
                yield "a repeat without end in another"
            if endless and str(body[0][0]) == "ANY" and not at_end:
                yield "a dot without end"
            yield from repeats(body, inside=inside or endless, last=False)
        elif name == "SUBPATTERN":
            yield from repeats(value[-1], inside=inside, last=at_end)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from repeats(branch, inside=inside, last=at_end)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern[:40])
def test_no_expression_repeats_without_end_inside_another(pattern: re.Pattern[str]) -> None:
    assert list(repeats(sre.parse(pattern.pattern, pattern.flags & ~re.UNICODE))) == []


HOSTILE: list[Callable[[int], str]] = [
    lambda size: "--->" * size + " " * size,
    lambda size: "\n" * size + "x",
    lambda size: "[" * size,
    lambda size: " " * size + "token" + " " * size + "=",
    lambda size: '{"a":' * size,
    lambda size: "A" * size + " " * size + "!",
    lambda size: "=" * size + "x",
    lambda size: 'key="\\' * size,
    lambda size: "remote " * size,
    lambda size: "HTTP error 404 " * size,
    lambda size: "https://a:" * size,
    lambda size: "Failed to copy: " * size,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hundreds_of_thousands_of_hostile_characters_are_answered(
    hostile: Callable[[int], str],
) -> None:
    """A cubic pattern would not finish within the day: the test needs no clock."""
    text = hostile(50_000)
    assert faults.fault(text).what
    assert redaction.redact(text)
    with pytest.raises(errors.TokenInvalid):
        paste.read_paste(text)
    assert entra_faults.sign_in_error({"error": "x", "error_description": text}).what
