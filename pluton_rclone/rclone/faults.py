"""What went wrong, from rclone's words: one mapping of log text to exceptions.

Exit codes do not classify faults (tried): everything that goes wrong while a remote is opened ends with 1,
and so do 401, 403, 429 and 503 later on; 6 ("no retry") also stands for a lost upload session, where a new
run helps. So the code word in the message decides, and the exit code only where there are no words.
Sources: captures of rclone 1.75.2 and 1.60.1; fs/fs.go, fs/operations, lib/rest and backend/onedrive of
rclone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who


@dataclass(frozen=True)
class Rule:
    """If `pattern` is found, it is a `kind`; `retry`: whether the same call can succeed later without a
    change."""

    pattern: re.Pattern[str]
    kind: type[PlutonRcloneError]
    what: str
    retry: bool = False
    advice: str | None = None
    who: Who | None = None


def _rule(
    pattern: str,
    kind: type[PlutonRcloneError],
    what: str,
    *,
    retry: bool = False,
    advice: str | None = None,
    who: Who | None = None,
) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, what, retry, advice, who)


_NEW_CHUNKS = "Correct the value; chunk_size is a multiple of 320Ki."
_NO_ANSWER = "There is no answer from the other side."
_SPACE_HERE = "Free room on this machine's disk."

RULES: tuple[Rule, ...] = (
    # the local disk: Go's words stand at the end, after a path that may hold any word
    _rule(r": no space left on device\W*$", errors.QuotaFull, "The disk is full.", advice=_SPACE_HERE),
    _rule(r": file name too long\W*$", errors.PathTooLong, "The name is too long for the file system."),
    _rule(
        r": (?:permission denied|operation not permitted|read-only file system)\W*$",
        errors.AccessDenied,
        "This user may not read or write that on this machine.",
        who=Who.YOU,
        advice="Give this user the right to do it, or leave the file out.",
    ),
    _rule(r": no such file or directory\W*$", errors.NothingFound, "There is nothing at this place."),
    # the configuration
    _rule(
        r"unable to decrypt configuration and not allowed to ask|Failed to read line: EOF",
        errors.ConfigPasswordMissing,
        "The configuration is encrypted and no password was given.",
    ),
    _rule(
        r"most likely wrong password|RCLONE_CONFIG_PASS env password, unable to decrypt",
        errors.ConfigPasswordWrong,
        "The configuration is encrypted with another password.",
    ),
    _rule(
        r"password command failed|--password-command returned",
        errors.ConfigPasswordMissing,
        "The command that should print the configuration's password failed.",
    ),
    _rule(
        r"Failed to load config file",
        errors.ConfigUnreadable,
        "rclone cannot read the configuration.",
    ),
    _rule(
        r"didn't find section in config file|not found in config|remote .* not found",
        errors.StorageNotFound,
        "The configuration has no remote of that name.",
    ),
    _rule(
        r"unable to get drive_id and drive_type",
        errors.RemoteIncomplete,
        "The remote has no drive.",
        advice="Connect it again, and choose a drive.",
    ),
    _rule(
        r"empty token found|failed to configure OneDrive",
        errors.RemoteIncomplete,
        "The remote has no token that can be read.",
        advice="Connect it again, or re-authorize it.",
    ),
    _rule(
        r"couldn't parse config item|chunk size: .* is not a multiple|upload cutoff: .* is (?:greater|less)"
        r"|tenant parameter must be set|unsupported protocol scheme",
        errors.OptionInvalid,
        "An option of the remote has a value that cannot work.",
        advice=_NEW_CHUNKS,
    ),
    _rule(
        r"didn't find backend called|no such backend",
        errors.RcloneTooOld,
        "This rclone does not know that type of remote.",
    ),
    # signing in
    _rule(
        r"invalid_client|unauthorized_client",
        errors.RegistrationError,
        "Microsoft does not accept the app registration that this remote was made with.",
    ),
    _rule(
        r"interaction_required|claims challenge|insufficient_claims",
        errors.InteractionRequired,
        "Microsoft wants to see the person again.",
    ),
    _rule(
        r"temporarily_unavailable",
        errors.Unreachable,
        "Microsoft's sign-in service is busy.",
        retry=True,
    ),
    _rule(
        r"invalid_grant|token expired|InvalidAuthenticationToken|unauthenticated|HTTP error 401",
        errors.TokenExpired,
        "Microsoft does not accept the token any more.",
    ),
    # the upload session: a 404 on its address is not a missing file
    _rule(
        r"uploadSession(?:NotFound|Failed|Incomplete)|upload session not found|fragment(?:Overlap|OutOfOrder)"
        r"|HTTP error (?:404|410|416)[^:]*returned body",
        errors.UploadSessionLost,
        "The upload session broke.",
        retry=True,
    ),
    # what OneDrive says about files and drives
    _rule(
        r"insufficientStorage|quotaLimitReached|HTTP error 507|quota (?:limit|exceeded)",
        errors.QuotaFull,
        "The drive is full.",
    ),
    _rule(r"pathIsTooLong", errors.PathTooLong, "The path is too long for OneDrive."),
    _rule(r"file name too long", errors.PathTooLong, "The name is too long."),
    _rule(
        r"invalidFileName|invalidPath|name cannot contain|invalid (?:file ?)?name|nameContainsInvalid",
        errors.NameRefused,
        "OneDrive does not take this name.",
    ),
    _rule(
        r"malwareDetected",
        errors.AccessDenied,
        "Microsoft found malware in this file.",
        who=Who.YOU,
        advice="Delete it, or keep it out of the backup.",
    ),
    _rule(
        r"accessDenied|HTTP error 403|sharingLimitReached",
        errors.AccessDenied,
        "This account is not allowed to do that.",
    ),
    _rule(
        r"nameAlreadyExists|resource(?:Modified|Locked)|lockMismatch|editConflict|HTTP error (?:409|412|423)",
        errors.Conflict,
        "Somebody else uses or changed it, or the name is taken.",
        retry=True,
    ),
    _rule(
        r"activityLimitReached|too ?many ?requests|throttled|serviceNotAvailable|HTTP error (?:429|503|509)",
        errors.Throttled,
        "Microsoft asks to slow down.",
        retry=True,
    ),
    _rule(  # rclone issue 8736; a drive that is not there says invalidRequest alone
        r"invalidResourceId: ObjectHandle is Invalid",
        errors.AccessDenied,
        "This folder is the Personal Vault, which Microsoft keeps locked for every program.",
        who=Who.YOU,
        advice="Leave it out (--exclude with its name and /**); what is in it has to be moved out of it to be backed up.",
    ),
    _rule(
        r"ObjectHandle is Invalid|failed to get root: itemNotFound",
        errors.DriveNotFound,
        "The drive of this remote is not there, or not for this account.",
    ),
    _rule(r"itemNotFound|HTTP error 404", errors.ItemNotFound, "There is nothing at this place."),
    # the network
    _rule(
        r"x509:|tls: |certificate (?:signed|has expired|is not)",
        errors.Unreachable,
        "The other side's certificate is not trusted here.",
        who=Who.YOU,
        advice="Set SSL_CERT_FILE to the certificates that your network or proxy uses.",
    ),
    _rule(
        r"proxyconnect|Proxy Authentication Required",
        errors.Unreachable,
        _NO_ANSWER,
        retry=True,
        who=Who.YOU,
        advice="Check HTTPS_PROXY and NO_PROXY, or ask the network's administrator to allow this host.",
    ),
    _rule(
        r"connection refused|no such host|i/o timeout|TLS handshake timeout|network is unreachable"
        r"|connection reset|no route to host|unexpected EOF|server misbehaving|Client\.Timeout"
        r"|HTTP error 5\d\d|awaiting headers|temporary failure in name resolution",
        errors.Unreachable,
        _NO_ANSWER,
        retry=True,
    ),
    # the transfer
    _rule(
        r"corrupted on transfer",
        errors.Corrupted,
        "What arrived is not what was sent: sizes or hashes differ.",
        retry=True,
    ),
    _rule(
        r"max transfer limit reached|max transfer duration reached|context deadline exceeded|--max-delete",
        errors.TransferFailed,
        "The limit that was given for this run is reached.",
        retry=True,
        advice="Run it again to go on where it stopped.",
    ),
    _rule(
        r"immutable file modified|Timestamp mismatch between immutable",
        errors.Conflict,
        "The file has changed, and immutable forbids to overwrite it.",
    ),
    _rule(
        r"(?:directory|object) not found|doesn't exist",
        errors.NothingFound,
        "There is nothing at this place.",
    ),
    _rule(
        r"permission denied",
        errors.AccessDenied,
        "That is not allowed for this user.",
    ),
    _rule(
        r"is a directory|is a file not|not a regular file|directory not empty|overlapping remotes",
        errors.RcloneError,
        "That cannot be done with what is there.",
        advice="Check whether the place is a file or a folder.",
    ),
    _rule(r"context canceled", errors.Cancelled, "It was cancelled."),
    # the command
    _rule(
        r"unknown (?:flag|shorthand flag|command)|invalid argument|needs? \d+ arguments"
        r"|flag needs an argument|Fatal error: |couldn't find method|Didn't find key",
        errors.RcloneUsage,
        "rclone did not understand the command.",
    ),
)  # fmt: skip
"""In this order: the first that is found counts."""

_BY_EXIT_CODE: dict[int, tuple[type[PlutonRcloneError], str]] = {
    2: (errors.RcloneUsage, "rclone did not understand the command."),
    3: (errors.NothingFound, "The directory is not there."),
    4: (errors.NothingFound, "The file is not there."),
    5: (errors.Unreachable, "A fault that more tries may help against."),
    6: (errors.TransferFailed, "A fault that another try does not help against."),
    7: (errors.RcloneError, "rclone gave up: another try would not help."),
    8: (errors.TransferFailed, "The limit that was given for this run is reached."),
    9: (errors.TransferFailed, "There was nothing to transfer."),
    10: (errors.TransferFailed, "The limit that was given for this run is reached."),
}

_FINAL = frozenset({2, 3, 4, 6, 7})
"""Exit codes after which the same call would end in the same way."""

_NOISE = re.compile(
    r"(?:Attempt \d+/\d+ |Can't retry any|Fatal error received|not attempting retries|Failed to save config"
    r"|Local file system at .*: Replacing invalid UTF-8)"
)
_LEAD = re.compile(
    r"(?:Failed to \w+(?: with \d+ errors)?: (?:last error was: )?|error in ListJSON: |error listing: "
    r"|Failed to create file system for (?:destination )?\"(?:[^\"\\]|\\.)*\": |failed to get root: "
    r"|Cancelling sync due to fatal error: |Fatal error: )*"
)


_HOST = re.compile(r"https?://(?:[^/\s\"@]*@)?([\w.-]+)[:/\"]")

# It names the remote in a private file of ours, where reconnecting would change nothing that lasts.
_RCLONES_ADVICE = re.compile(r"\s+-\s+(?:\w+ ){1,4}\\?\"rclone config reconnect [^\"\\]*\\?\"")


def find_rule(text: str) -> Rule | None:
    """The first rule that fits; None for a text that no rule knows."""
    return next((rule for rule in RULES if rule.pattern.search(text)), None)


def retry_helps(text: str) -> bool:
    """Whether the same call can succeed later with nothing changed. An unknown fault: yes, it costs
    little."""
    rule = find_rule(text)
    return True if rule is None else rule.retry


def fault(text: str, *, subject: str | None = None, **details: Any) -> PlutonRcloneError:
    """The exception for one message. `subject` (a path, a remote) stands before it for a person."""
    rule = find_rule(text)
    kind, what = (rule.kind, rule.what) if rule else (errors.RcloneError, "rclone reports a fault.")
    host = _HOST.search(text) if what == _NO_ANSWER and "HTTP error" not in text else None
    if host:
        what = f"{host[1]} cannot be reached."
        details.setdefault("host", host[1])
    if subject:
        what = f"{redact(subject)}: {what[0].lower()}{what[1:]}"
    return kind(
        what,
        why=_reason(text),
        who=rule.who if rule else None,
        advice=rule.advice if rule else None,
        retry=retry_helps(text),
        **details,
    )


def run_fault(
    command: str, exit_code: int, messages: Iterable[str], *, version: str | None = None
) -> PlutonRcloneError:
    """The exception for a run that failed: from the last message that a rule knows, else from the exit code.

    `messages` are rclone's notices and errors in the order in which it wrote them.
    """
    told = [text for text in messages if text.strip() and not _NOISE.match(text)]
    details: dict[str, Any] = {"exit_code": exit_code, "command": command, "version": version}
    for text in reversed(told):
        if find_rule(text) is not None:
            return fault(text, **details)
    if exit_code < 0 or exit_code in (130, 143, 137):
        number = -exit_code if exit_code < 0 else exit_code - 128
        return errors.RcloneError(
            f"rclone was ended by signal {number} during {command}.",
            why=_reason(told[-1]) if told else None,
            retry=True,
            **details,
        )
    kind, what = _BY_EXIT_CODE.get(
        exit_code, (errors.RcloneError, f"rclone {command} failed with exit code {exit_code}.")
    )
    why = _reason(told[-1]) if told else None
    return kind(what, why=why, retry=exit_code not in _FINAL, **details)


def _reason(text: str) -> str:
    """rclone's words without secrets, without what it puts before every message and without its advice."""
    clean = _RCLONES_ADVICE.sub("", redact(text)).strip()
    return _LEAD.sub("", clean, count=1) or clean


_QUOTED = r"\"(?:[^\"\\]|\\.)*\""
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"(?i)(\\?\"(?:access_token|refresh_token|id_token|client_secret|password|pass)\\?\"\s*:\s*)"
            r"\\?\"[^\"]*\\?\""
        ),
        r"\1***",
    ),
    (
        re.compile(
            r"(?i)(\b(?:\w+_)?(?:token|secret\w*|pass(?:word)?\d?|tempauth|sig|code|assertion|key)=)"
            rf"(?:{_QUOTED}|'[^']*'|[^\s,&:\"']+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]+"), r"\1***"),
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*"), "***"),
    (re.compile(r"(https?://)[^/\s:@\"]+:[^/\s@\"]+@"), r"\1***@"),
)


def redact(text: str) -> str:
    """The text without tokens, secrets, passwords and pre-authenticated addresses."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
