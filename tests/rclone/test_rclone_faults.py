"""rclone's messages become exceptions: every real capture, and rules that let no secret through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pluton_rclone import errors
from pluton_rclone.errors import Who
from pluton_rclone.rclone import faults
from pluton_rclone.rclone.tally import Tally

CAPTURES: dict[str, Any] = {
    capture["capture"]: capture
    for capture in json.loads((Path(__file__).parents[1] / "data" / "rclone-log.json").read_text())[
        "captures"
    ]
}

EXPECTED: dict[str, tuple[type[errors.PlutonRcloneError], bool]] = {
    # capture: the exception, and whether the same call can succeed later
    "cat-file-missing": (errors.NothingFound, False),
    "config-encrypted-dump-no-password": (errors.ConfigPasswordMissing, False),
    "config-encrypted-no-password": (errors.ConfigPasswordMissing, False),
    "config-encrypted-no-password-prompt": (errors.ConfigPasswordMissing, False),
    "config-encrypted-password-command-fails": (errors.ConfigPasswordMissing, False),
    "config-encrypted-wrong-password": (errors.ConfigPasswordWrong, False),
    "config-encrypted-wrong-password-prompt": (errors.ConfigPasswordWrong, False),
    "config-garbage": (errors.ConfigUnreadable, False),
    "copy-dest-not-writable": (errors.AccessDenied, False),
    "copy-immutable": (errors.Conflict, False),
    "copy-nothing-to-do-exit9": (errors.TransferFailed, True),
    "copy-permission-denied": (errors.AccessDenied, False),
    "copy-source-missing": (errors.NothingFound, False),
    "copyto-file-missing": (errors.NothingFound, False),
    "delete-missing": (errors.NothingFound, False),
    "flag-error-with-json-log": (errors.RcloneUsage, False),
    "limit-max-duration": (errors.LimitReached, True),
    "limit-max-transfer": (errors.LimitReached, True),
    "lsjson-missing-dir": (errors.NothingFound, False),
    "onedrive-bad-chunk-size-multiple": (errors.OptionInvalid, False),
    "onedrive-bad-chunk-size-syntax": (errors.OptionInvalid, False),
    "onedrive-bad-region": (errors.OptionInvalid, False),
    "onedrive-bad-token-json": (errors.RemoteIncomplete, False),
    "onedrive-bad-upload-cutoff": (errors.OptionInvalid, False),
    "onedrive-client-credentials-no-tenant": (errors.OptionInvalid, False),
    "onedrive-dns-failure": (errors.Unreachable, True),
    "onedrive-expired-token-no-refresh": (errors.TokenExpired, False),
    "onedrive-fake-400-path-too-long": (errors.PathTooLong, False),
    "onedrive-fake-401": (errors.TokenExpired, False),
    "onedrive-fake-403": (errors.AccessDenied, False),
    "onedrive-fake-404-drive": (errors.DriveNotFound, False),
    "onedrive-fake-409-exists": (errors.Conflict, True),
    "onedrive-fake-423-locked": (errors.Conflict, True),
    "onedrive-fake-503-always": (errors.Throttled, True),
    "onedrive-fake-503-always-copy": (errors.Throttled, True),
    "onedrive-fake-507-upload": (errors.QuotaFull, False),
    "onedrive-fake-copy-up-corrupted": (errors.Corrupted, True),
    "onedrive-fake-session-401-always": (errors.TokenExpired, False),
    "onedrive-fake-session-403-always": (errors.AccessDenied, False),
    "onedrive-fake-session-429-always": (errors.Throttled, True),
    "onedrive-fake-session-503-always": (errors.Throttled, True),
    "onedrive-fake-token-503": (errors.Unreachable, True),
    "onedrive-fake-token-invalid-client": (errors.RegistrationError, False),
    "onedrive-fake-token-invalid-grant": (errors.TokenExpired, False),
    "onedrive-fake-token-invalid-grant-debug": (errors.TokenExpired, False),
    "onedrive-fake-token-no-expiry": (errors.TokenExpired, False),
    "onedrive-fake-upload-404-once": (errors.UploadSessionLost, True),
    "onedrive-fake-upload-404-plain-once": (errors.UploadSessionLost, True),
    "onedrive-missing-drive-id": (errors.RemoteIncomplete, False),
    "onedrive-missing-token": (errors.RemoteIncomplete, False),
    "onedrive-token-host-unreachable": (errors.Unreachable, True),
    "onedrive-unknown-option": (errors.TokenExpired, False),
    "onedrive-unreachable": (errors.Unreachable, True),
    "onedrive-unreachable-copy": (errors.Unreachable, True),
    "signal-sigint": (errors.RcloneError, True),
    "signal-sigkill": (errors.RcloneError, True),
    "signal-sigterm": (errors.RcloneError, True),
    "size-missing": (errors.NothingFound, False),
    "unknown-command": (errors.RcloneUsage, False),
    "unknown-remote": (errors.StorageNotFound, False),
    "unknown-remote-json": (errors.StorageNotFound, False),
}


def ended(capture: str) -> errors.PlutonRcloneError | None:
    """The error of a run with this log; for files that failed, the cause of the first."""
    tally = Tally()
    for line in CAPTURES[capture]["stderr"]:
        tally.line(line.encode())
    result = tally.result(
        "copy", CAPTURES[capture]["exit_code"], duration=1, stopped=None, ended="done"
    )
    return result.failed[0].error if result.failed else result.error


@pytest.mark.parametrize("capture", sorted(EXPECTED))
def test_real_failures_are_told_apart(capture: str) -> None:
    error = ended(capture)
    assert error is not None
    assert type(error) is EXPECTED[capture][0]
    assert error.advice


@pytest.mark.parametrize("capture", sorted(EXPECTED))
def test_whether_the_same_call_can_succeed_later(capture: str) -> None:
    tally = Tally()
    for line in CAPTURES[capture]["stderr"]:
        tally.line(line.encode())
    result = tally.result(
        "copy", CAPTURES[capture]["exit_code"], duration=1, stopped=None, ended="done"
    )
    assert result.retry_helps is EXPECTED[capture][1]


def test_what_is_unchanged_counts_whenever_other_files_are_transferred() -> None:
    tally = Tally()
    for name, text in [
        ("a", "Unchanged skipping"),
        ("b", "Need to transfer - File not found at Destination"),
        ("c", "Unchanged skipping"),
        ("b", "Copied (new)"),
    ]:
        record = {"level": "debug", "msg": text, "object": name, "objectType": "*local.Object"}
        tally.line(json.dumps(record).encode())
    result = tally.result("copy", 0, duration=1, stopped=None, ended="done")
    assert (result.unchanged, result.ok) == (2, True)


def test_every_failed_capture_is_told_apart() -> None:
    failed = {name for name, capture in CAPTURES.items() if capture["exit_code"] not in (0, None)}
    told = {name for name in failed if type(ended(name)) is not errors.RcloneError}
    unknown = failed - told - set(EXPECTED)
    assert unknown <= {"check-json-log", "rcd-unix-second-daemon"}


@pytest.mark.parametrize(
    "capture", ["onedrive-fake-upload-404-retries3", "onedrive-fake-429-int", "copy-progress"]
)
def test_what_ended_well_after_a_retry_is_no_failure(capture: str) -> None:
    assert ended(capture) is None


@pytest.mark.parametrize(
    ("text", "kind", "who"),
    [
        ("open /home/me/certificate.pdf: permission denied", errors.AccessDenied, Who.YOU),
        (
            "open /srv/accessDenied/token expired.txt: no such file or directory",
            errors.NothingFound,
            Who.YOU,
        ),
        ("write /mnt/x: no space left on device", errors.QuotaFull, Who.YOU),
        ("open /mnt/x: invalid argument", errors.RcloneError, Who.YOU),
        (
            'Get "https://graph.microsoft.com/": x509: certificate signed by unknown authority',
            errors.Unreachable,
            Who.YOU,
        ),
        ("malwareDetected: Malware detected", errors.AccessDenied, Who.YOU),
        ("accessDenied: Access denied", errors.AccessDenied, Who.ADMINISTRATOR),
        (
            "error reading source directory: couldn't list files: invalidRequest: "
            "invalidResourceId: ObjectHandle is "
            "Invalid",
            errors.AccessDenied,
            Who.YOU,
        ),
        (
            "failed to get root: invalidRequest: ObjectHandle is Invalid",
            errors.DriveNotFound,
            Who.YOU,
        ),
        ("invalidRequest: invalidFileName: The name is not allowed", errors.NameRefused, Who.YOU),
        ("HTTP error 504 (504 Gateway Timeout)", errors.Unreachable, Who.LATER),
        ("--max-delete threshold reached", errors.LimitReached, Who.YOU),
        ('invalid argument "x" for "--max-delete" flag', errors.RcloneUsage, Who.YOU),
        ("something that nobody has seen yet", errors.RcloneError, Who.YOU),
    ],
)
def test_who_can_mend_it(text: str, kind: type[errors.PlutonRcloneError], who: Who) -> None:
    error = faults.fault(text)
    assert type(error) is kind
    assert error.who is who


@pytest.mark.parametrize(
    ("reason", "kind", "retry"),
    [
        ("unreachable: login.microsoftonline.com cannot be reached.", errors.Unreachable, True),
        ("config_not_writable: /x/rclone.conf cannot be written.", errors.ConfigNotWritable, True),
        ("config_locked: another program holds it.", errors.ConfigNotWritable, True),
        ("config_password_missing: it is encrypted.", errors.ConfigPasswordMissing, False),
        ("config_password_wrong: another one.", errors.ConfigPasswordWrong, False),
        ("config_unreadable: line 3 is no option.", errors.ConfigUnreadable, False),
        ("storage_not_found: The storage 'a' is gone.", errors.StorageNotFound, False),
        ("sign_in_failed: something else answered. (HTTP 403)", errors.SignInError, False),
        ("invalid_grant: AADSTS700082", errors.TokenExpired, False),
    ],
)
@pytest.mark.parametrize("quoted", ['oauth2: "{}"', "{}: maybe token expired?"])
def test_what_our_token_endpoint_says_is_told_apart(
    reason: str, kind: type[errors.PlutonRcloneError], retry: bool, quoted: str
) -> None:
    """rclone 1.75.2 logs the endpoint's answer in these two forms."""
    text = f"Failed to lsjson: couldn't fetch token: {quoted.format(reason)}"
    found = faults.run_fault("lsjson", 1, [text])
    assert (type(found), found.details["retry"]) == (kind, retry)


@pytest.mark.parametrize(
    ("exit_code", "messages", "kind", "what", "why", "retry"),
    [
        (-9, [], errors.RcloneError, "rclone was ended by signal 9 during copy.", None, True),
        (
            137,
            ["odd"],
            errors.RcloneError,
            "rclone was ended by signal 9 during copy.",
            "odd",
            True,
        ),
        (143, [], errors.RcloneError, "rclone was ended by signal 15 during copy.", None, True),
        (130, [], errors.RcloneError, "rclone was ended by signal 2 during copy.", None, True),
        (3, ["odd", " "], errors.NothingFound, "The folder does not exist.", "odd", False),
        (4, [], errors.NothingFound, "The file does not exist.", None, False),
        (5, [], errors.Unreachable, "An error that may pass with another try.", None, True),
        (99, [], errors.RcloneError, "rclone copy failed with exit code 99.", None, True),
        (
            1,
            ["accessDenied: Access denied", "odd", "Attempt 3/3 failed with 1 errors and: odd"],
            errors.AccessDenied,
            "This account is not allowed to do that.",
            "accessDenied: Access denied",
            False,
        ),
    ],
)
def test_a_run_fails_by_its_last_known_message_else_by_its_exit_code(
    exit_code: int,
    messages: list[str],
    kind: type[errors.PlutonRcloneError],
    what: str,
    why: str | None,
    retry: bool,
) -> None:
    error = faults.run_fault("copy", exit_code, messages)
    assert (type(error), error.what, error.why) == (kind, what, why)
    assert error.details == {"exit_code": exit_code, "command": "copy", "retry": retry}


def test_that_a_source_is_kept_is_not_the_reason() -> None:
    error = faults.fault("Not deleting source as copy failed: accessDenied: Access denied")
    assert error.why == "accessDenied: Access denied"


def test_of_an_rclone_that_was_killed_nothing_it_had_from_us_is_the_reason() -> None:
    told = (
        'Setting --metrics-addr "unix:///run/asked" from environment variable RCLONE_METRICS_ADDR'
    )
    error = faults.run_fault("copy", -9, [told])
    assert error.why is None
    assert error.advice.startswith("Run it again")


@pytest.mark.parametrize(
    ("text", "kind", "retry"),
    [
        ("Failed to copy: HTTP error 404 (404 Not Found)", errors.ItemNotFound, True),
        ("Failed to move: HTTP error 404 (404 Not Found)", errors.ItemNotFound, True),
        ("Couldn't move: itemNotFound: It could not be found.", errors.ItemNotFound, True),
        (
            "Not deleting source as copy failed: HTTP error 404 (404 Not Found)",
            errors.ItemNotFound,
            True,
        ),
        ("Couldn't delete: HTTP error 404 (404 Not Found)", errors.ItemNotFound, True),
        ("couldn't list files: HTTP error 404 (404 Not Found)", errors.ItemNotFound, False),
        ("failed to get root: HTTP error 404 (404 Not Found)", errors.DriveNotFound, False),
        ("something that nobody has seen yet", errors.RcloneError, True),
    ],
)
def test_a_404_means_what_was_asked_for(
    text: str, kind: type[errors.PlutonRcloneError], retry: bool
) -> None:
    """For a file that was listed a moment ago it passes (rclone#6075, #8558)."""
    found = faults.fault(text)
    assert (type(found), found.details["retry"]) == (kind, retry)


@pytest.mark.parametrize(
    ("text", "what", "details"),
    [
        (
            'Get "https://graph.microsoft.com/v1.0/me": dial tcp: connection refused',
            "graph.microsoft.com cannot be reached.",
            {"host": "graph.microsoft.com", "retry": True},
        ),
        (
            'Failed to create file system for "od:": failed to get root: '
            'Get "https://graph.microsoft.com/v1.0/drives/x/root": couldn\'t fetch token: '
            'Post "https://login.microsoftonline.com/common/oauth2/v2.0/token": read tcp '
            "10.0.0.2:1->10.0.0.3:443: read: connection reset by peer",
            "login.microsoftonline.com cannot be reached.",
            {"host": "login.microsoftonline.com", "storage": "od", "retry": True},
        ),
        (
            'Get "https://graph.microsoft.com/v1.0/drives/x/root": couldn\'t fetch token: '
            "read tcp 10.0.0.2:1->10.0.0.3:443: read: connection reset by peer",
            "Microsoft's sign-in service cannot be reached.",
            {"retry": True},
        ),
        (
            'Failed to create file system for "work:x": didn\'t find section in config file',
            "The configuration has no remote of that name.",
            {"storage": "work", "retry": False},
        ),
        ("nobody has seen this yet", "rclone reports an error.", {"retry": True}),
    ],
)
def test_what_a_message_names_is_in_the_errors_details(
    text: str, what: str, details: dict[str, object]
) -> None:
    error = faults.fault(text)
    assert (error.what, error.details) == (what, details)


@pytest.mark.parametrize(
    ("text", "what", "retry"),
    [
        *((words, "graph.microsoft.com cannot be reached.", True) for words in (
            "dial tcp 13.107.136.8:443: connect: connection timed out",
            "dial tcp 13.107.136.8:443: connect: operation timed out",
            "dial tcp 13.107.136.8:443: connect: host is down",
            "dial tcp 13.107.136.8:443: connect: cannot assign requested address",
            "dial tcp: lookup graph.microsoft.com: network is down",
            "dial tcp: lookup graph.microsoft.com: Try again",
            "read tcp 10.0.0.5:4711->13.107.136.8:443: read: connection timed out",
            "local error: tls: bad record MAC",
            "remote error: tls: internal error",
            "http: server closed idle connection",
            "net/http: timeout awaiting response headers",
            "net/http: HTTP/1.x transport connection broken: unexpected status",
            'malformed HTTP response "\\x00"',
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        )),
        *((words, "This machine blocks the connection.", False) for words in (
            "dial tcp [2603::1]:443: connect: permission denied",
            "dial tcp: lookup graph.microsoft.com on 9.9.9.9:53: write udp 10.0.0.2:3->9.9.9.9:53: "
            "write: operation not permitted",
        )),
        ("proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused",
         "graph.microsoft.com cannot be reached.", True),
        *((words, "The proxy did not let the connection through.", True) for words in (
            "Forbidden", "Bad Gateway", "Service Unavailable", "Blocked by policy",
        )),
        ("invalid character '<' looking for beginning of value",
         "The network did not let the request through.", True),
    ],
)  # fmt: skip
def test_the_network_is_told_from_the_disk_and_from_certificates(
    text: str, what: str, retry: bool
) -> None:
    error = faults.fault(f'Get "https://graph.microsoft.com/v1.0/drives/x/root": {text}')
    assert (type(error), error.what) == (errors.Unreachable, what)
    assert error.details["retry"] is retry


@pytest.mark.parametrize(
    ("refusal", "kind", "retry"),
    [
        ("generalException: General exception while processing", errors.Unreachable, True),
        ("GatewayTimeout: ProfileException", errors.Unreachable, True),
        ("UnknownError: The server did not answer in time.", errors.Unreachable, True),
        ("ServiceUnavailable: Busy.", errors.Throttled, True),
        ("notAllowed: ETag does not match current item's value", errors.Conflict, True),
        ("-2147024891, System.UnauthorizedAccessException: Zugriff verweigert.",
         errors.AccessDenied, False),
        ("Forbidden: Nein.", errors.AccessDenied, False),
        ("accessDenied: The request needs more claims", errors.InteractionRequired, False),
    ],
)  # fmt: skip
def test_a_code_beside_which_rclone_prints_no_status_means_what_its_status_does(
    refusal: str, kind: type[errors.PlutonRcloneError], retry: bool
) -> None:
    """Codes and messages of tests/data (G14, G16, G25, graph-samples) as rclone prints them."""
    error = faults.fault(f"error reading source directory: couldn't list files: {refusal}")
    assert (type(error), error.details["retry"]) == (kind, retry)


@pytest.mark.parametrize(
    "words",
    [
        "write /restored/x.partial: no space left on device",
        "write /restored/x.partial: disk quota exceeded",
        "preallocate: file too big for remaining disk space",
    ],
)
def test_a_full_disk_here_is_not_a_full_drive_there(words: str) -> None:
    error = faults.fault(f"Failed to copy: {words}")
    assert type(error) is errors.QuotaFull
    assert error.advice == "Free up space on this machine's disk."


def test_a_rule_brings_its_advice_and_next_step() -> None:
    error = faults.fault("Failed to lsjson: unable to get drive_id and drive_type - fix it")
    assert error.advice == "Look up its drive again: the token stays."
    assert error.next_step is errors.NextStep.REPAIR


NAMES = (
    "SharePoint licenses",
    "remote files not found",
    'a\\" accessDenied: resourceLocked',
    "x509: tls: EOF",
    "open the file: no space left on device",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('Failed to create file system for "od:{}": failed to get root: itemNotFound: Item not '
         "found", errors.DriveNotFound),
        ('Failed to create file system for destination "od:{}": nobody has seen this',
         errors.RcloneError),
        ('Failed to create file system for "safe:": failed to make remote "od:{}" to wrap: '
         "didn't find section in config file", errors.StorageNotFound),
        ('Failed to create file system for "web:{}": read metadata failed: x509: certificate '
         "signed by unknown authority", errors.Unreachable),
        ('Get "https://graph.microsoft.com/v1.0/drives/x/root:/{}:/children": nobody has seen this',
         errors.RcloneError),
        ("Failed to copy: failed to open source object: open /srv/{}: nobody has seen this",
         errors.RcloneError),
        ("Failed to copy: mkdir {}: permission denied", errors.AccessDenied),
        ("/srv/{}: no such file or directory", errors.NothingFound),
        ('error reading source directory: failed to open directory "{}": open /srv/{}: nobody has '
         "seen this", errors.RcloneError),
        ("Failed to copy: corrupted on transfer: sizes differ src(Local file system at /srv/{}) 5 "
         "vs dst(OneDrive root '{}') 6", errors.Corrupted),
        ("Failed to deletefile: od:{} is a directory or doesn't exist: object not found",
         errors.NothingFound),
    ],
)  # fmt: skip
def test_the_names_of_files_do_not_say_what_is_wrong(
    name: str, text: str, kind: type[errors.PlutonRcloneError]
) -> None:
    told = quote(name) if "https" in text else name
    assert type(faults.fault(text.replace("{}", told))) is kind


def test_a_file_in_the_place_of_the_destination_is_called_one() -> None:
    text = 'Failed to create file system for destination "od:a/b.txt": is a file not a directory'
    error = faults.fault(text)
    assert error.what == "There is a file where a folder is needed."
    assert "Name the folder" in error.advice


@pytest.mark.parametrize("place", ["{} {}", "{1} {0}"])
def test_of_a_very_long_message_both_ends_count(place: str) -> None:
    text = place.format("x" * 10**6, "accessDenied: Access denied")
    assert type(faults.fault(text)) is errors.AccessDenied


def test_the_subject_stands_before_the_sentence() -> None:
    error = faults.fault("accessDenied: Access denied", subject="a/b.txt")
    assert error.what == "a/b.txt: this account is not allowed to do that."
    assert error.why == "accessDenied: Access denied"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "couldn't fetch token: invalid_grant: maybe - try refreshing with \"rclone config "
            'reconnect a-b c:"',
            "couldn't fetch token: invalid_grant: maybe",
        ),
        (
            "token expired and there's no refresh token - manually refresh with \"rclone config "
            'reconnect od:"',
            "token expired and there's no refresh token",
        ),
        (
            'failed to configure OneDrive: empty token found - please run "rclone config '
            'reconnect od:"',
            "failed to configure OneDrive: empty token found",
        ),
    ],
)
def test_rclones_own_advice_is_left_out(text: str, why: str) -> None:
    assert faults.fault(text).why == why
    assert faults.run_fault("lsf", 1, [text]).why == why


SECRETS = [
    '{"access_token":"S3CRET","token_type":"Bearer","refresh_token":"S3CRET"}',
    '{\\"access_token\\":\\"S3CRET\\"}',
    ":onedrive,token=S3CRET,drive_id=x:path",
    ':onedrive,token="{S3CRET: \\"x\\"}":path',
    "Authorization: Bearer S3CRET.abc-def",
    "client_secret=S3CRET&grant_type=refresh_token",
    "https://contoso.sharepoint.com/_api/v2.0/upload?tempauth=S3CRET&x=1",
    "https://user:S3CRET@proxy.example:3128",
    "eyJ0S3CRETeXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.S3CRET.S3CRET",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_comes_along(text: str) -> None:
    for error in (
        faults.fault(f"Failed to copy: {text}", subject=text),
        faults.run_fault("copy", 1, [text]),
    ):
        assert "S3CRET" not in f"{error} {error!r} {error.record()}"
