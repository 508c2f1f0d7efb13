"""Exceptions from rclone's log: one table of its messages.

Exit codes do not classify faults (tried): every failure to open a remote ends with 1, and so do
401, 403, 429 and 503 later on; 6 ("no retry") also means a lost upload session, although a new run
helps. So the messages decide, and the exit code only without them. Microsoft's error is in a line
as `code: inner code: message`, as a quoted body, or, if the body was not JSON, as the status alone
(`503 Service Unavailable: `); `values.refusals` judges it, as for our HTTP. Sources: captures of
rclone 1.75.2 and 1.60.1; fs/fs.go, fs/operations, lib/rest and backend/onedrive of rclone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who
from pluton_rclone.values.redaction import redact
from pluton_rclone.values.refusals import (
    BEHIND_PROXY,
    BY_STATUS,
    CLAIMS,
    FORBIDDEN,
    NOT_MICROSOFT,
    PROXY,
    UNTRUSTED,
    WRONG_CLOCK,
    Meaning,
    Place,
    judged,
    of_saved,
)

_LONGEST = 8192
"""Characters of a message that are searched, half at its beginning and half at its end."""


def _rule(
    pattern: str,
    kind: type[PlutonRcloneError],
    what: str,
    *,
    retry: bool = False,
    advice: str | None = None,
    who: Who | None = None,
    step: errors.NextStep | None = None,
) -> tuple[re.Pattern[str], Meaning]:
    return _as(pattern, Meaning(kind, what, who, advice, retry, step))


def _as(pattern: str, meaning: Meaning) -> tuple[re.Pattern[str], Meaning]:
    return re.compile(pattern, re.IGNORECASE), meaning


_NO_ANSWER = "The server does not answer."
_LIMIT = "The limit for this run was reached."
_HERE = "at this location"
_NOTHING = f"There is nothing {_HERE}."

# Every quantifier is bounded or at the end, so the time is linear in the length of a message.
_BEFORE = (
    _rule(r"(?:^|: )corrupted on transfer: ", errors.Corrupted,  # with the names of both places
          "The copy differs from the source in size or hash.", retry=True),
    # Go's own messages when it ends, in lower case
    _rule(r"^(?-i:fatal error|runtime(?:/cgo)?): .{0,80}(?:\bmemory\b|newosproc|thread)",
          errors.RcloneError, "rclone lacked memory, or could not start a thread.", retry=True,
          who=Who.LATER, advice="Run it again when this machine is less busy, or with fewer "
          "transfers and checkers; or raise the limits on memory and processes."),
    _rule(r"^(?-i:fatal error|panic|runtime(?:/cgo)?): ", errors.RcloneError, "rclone crashed.",
          retry=True, advice="Run it again. If it happens again, use another version of rclone."),
    # rclone does not start; a message of the system may follow, so these rules come first
    _rule(r"^(?:Failed to (?:read|load|add certificates from)|Both) --(?:ca|client)-",
          errors.RcloneUsage, "rclone cannot use a certificate named by a variable or flag.",
          advice="Correct RCLONE_CA_CERT, RCLONE_CLIENT_CERT and RCLONE_CLIENT_KEY, or the flags."),
    _rule(r"^(?:Failed to (?:load filters|open log file): |Invalid value when setting )"
          r"|^--[\w-]{2,30}: (?:Failed|Invalid) |failed to \w{1,20} \"\w{1,30}\" options: ",
          errors.RcloneUsage, "rclone cannot use an option given to it.",
          advice="Correct the pattern, value or file named in the message."),
    # the configuration
    _rule(r"unable to decrypt configuration and not allowed to ask|Failed to read line: EOF",
          errors.ConfigPasswordMissing,
          "The configuration is encrypted and no password was given."),
    _rule(r"most likely wrong password|RCLONE_CONFIG_PASS env password, unable to decrypt",
          errors.ConfigPasswordWrong, "The configuration is encrypted with another password."),
    _rule(r"password command failed|--password-command returned", errors.ConfigPasswordMissing,
          "The command that should print the configuration's password failed."),
    _rule(r"Failed to load config file", errors.ConfigUnreadable,
          "rclone cannot read the configuration.",
          advice="Correct the error named in the message, or use another file."),
    # our own token endpoint (`microsoft.entra.token_endpoint`), which sends the code of an error
    _rule(r"fetch token: (?:oauth2: \")?unreachable: ", errors.Unreachable,
          "Microsoft's sign-in service cannot be reached.", retry=True),
    _as(r"fetch token: .{0,200}something else answered", NOT_MICROSOFT),
    _rule(r"fetch token: (?:oauth2: \")?config_password_missing: ", errors.ConfigPasswordMissing,
          "rclone.conf was encrypted during this run, and its password is not known here."),
    _rule(r"fetch token: (?:oauth2: \")?config_password_wrong: ", errors.ConfigPasswordWrong,
          "The password of rclone.conf was changed during this run."),
    _rule(r"fetch token: (?:oauth2: \")?config_unreadable: ", errors.ConfigUnreadable,
          "rclone.conf can no longer be read."),
    _rule(r"fetch token: (?:oauth2: \")?config_\w{1,20}: ", errors.ConfigNotWritable,
          "A renewed token could not be saved, so none was requested.", retry=True),
    _rule(r"fetch token: (?:oauth2: \")?storage_not_found: ", errors.StorageNotFound,
          "The storage no longer exists."),
    _as(r": (?:connect|read|write|socket|sendto): (?:permission denied|operation not permitted)"
        r"\W*$", FORBIDDEN),  # for a connection; for a file, it follows the file's path
    # the local disk: the system's message is at the end
    _rule(r": (?:no space left on device|disk quota exceeded"
          r"|file too big for remaining disk space)\W*$", errors.QuotaFull,
          "The disk is full, or this user's quota on it is used up.",
          advice="Free up space on this machine's disk."),
    _rule(r": file name too long\W*$", errors.PathTooLong,
          "The name is too long for the file system."),
    _rule(r": (?:permission denied|operation not permitted|read-only file system)\W*$",
          errors.AccessDenied, "This user may not read or write it on this machine.",
          who=Who.YOU, advice="Give this user permission, or exclude the file."),
    _rule(r"^Failed to create file system .{0,4096}: no such file or directory\W*$",
          errors.OptionInvalid, "An option of the remote names a file that does not exist.",
          advice="Correct the option, or create the file."),
    _rule(r": no such file or directory\W*$", errors.NothingFound, _NOTHING),
    _rule(r"can't limit to single files when using filters", errors.RcloneUsage,
          "Filter rules select files in a folder, but this is a single file.",
          advice="Omit the rule, or name the folder that contains the file."),
    # the remote
    _rule(r"found file when looking for folder", errors.RcloneError,
          "There is a file where rclone needs a folder, or it is a single file in a folder that "
          "somebody shared.",
          advice="If the destination has a file with that folder's name, delete it there, then run "
          "it again. For a file in a shared folder, use the folder that contains it, with a filter "
          "for the file."),
    _rule(r"didn't find section in config file", errors.StorageNotFound,
          "The configuration has no remote of that name."),
    _rule(r"unable to get drive_id and drive_type", errors.RemoteIncomplete,
          "The remote has no drive.", advice="Look up its drive again: the token stays.",
          step=errors.NextStep.REPAIR),
    _rule(r"empty token found|failed to configure OneDrive", errors.RemoteIncomplete,
          "The remote has no token that can be read.",
          advice="Sign in for it again: drive and options stay as they are.",
          step=errors.NextStep.REAUTHORIZE),
    _rule(r"couldn't parse config item|chunk size: .{0,60} is not a multiple"
          r"|upload cutoff: .{0,60} is (?:greater|less)"
          r"|tenant parameter must be set|unsupported protocol scheme"
          r"|check the value of the (?:remote|upstreams) setting",
          errors.OptionInvalid, "An option of the remote has a value that cannot work.",
          advice="Correct the value; chunk_size is a multiple of 320Ki."),
    _rule(r"didn't find backend called|no such backend", errors.RcloneTooOld,
          "This rclone does not know that type of remote."),
    # signing in
    _rule(r"AADSTS7000222\b", errors.SecretExpired,
          "The client secret of the app registration has expired."),
    _rule(r"The certificate .{0,500} cannot be (?:used|read)", errors.RegistrationError,
          "The certificate that this remote signs in with cannot be used here.", who=Who.YOU,
          advice="Set its password in PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD, or use another file."),
    _rule(r"AADSTS70002[1347]\b|client assertion", errors.RegistrationError,
          "Microsoft does not accept the certificate that this remote signs in with.",
          advice="Upload this certificate to the app registration, or use the registered one; also "
          "check this machine's clock."),
    _rule(r"invalid_client|unauthorized_client|registration_error", errors.RegistrationError,
          "Microsoft does not accept the app registration that this remote uses."),
    _as(r"claims challenge|insufficient_claims|needs more claims", CLAIMS),
    _rule(r"interaction_required", errors.InteractionRequired,
          "Microsoft requires an interactive sign-in."),
    _rule(r"temporarily_unavailable|\bserver_error\b", errors.Unreachable,
          "Microsoft's sign-in service is busy.", retry=True),
    _rule(r"invalid_grant|token expired and there's no refresh token", errors.TokenExpired,
          "Microsoft no longer accepts the token."),
    _rule(r"\b(?:delet|purg|rmdir|remov)\w{0,6}\b.{0,200}\bnotSupported\b", errors.OptionInvalid,
          "OneDrive Personal cannot bypass the recycle bin.",  # no permanentDelete there
          advice="Turn off the option hard_delete."),
)  # fmt: skip
"""The first match counts. These rules come before Microsoft's errors."""

_AFTER = (
    # the network
    _as(r"current time .{0,80} is (?:before|after)", WRONG_CLOCK),
    _as(r"x509:|failed to verify certificate", UNTRUSTED),
    _rule(r"proxyconnect|Proxy Authentication Required", errors.Unreachable, _NO_ANSWER, retry=True,
          who=Who.YOU, advice=BEHIND_PROXY.advice),
    _as(r"invalid character '<' looking for beginning of value", PROXY),  # a page, with status 200
    _rule(r"connection refused|no such host|i/o timeout|TLS handshake timeout|connection reset"
          r"|network is unreachable|no route to host|\bEOF\b|broken pipe|server misbehaving"
          r"|Client\.Timeout|awaiting headers|temporary failure in name resolution|http2: "
          r"|stream error|use of closed network connection|connection abort|timed out|is down\b"
          r"|\b(?:dial|read|write) (?:tcp|udp)\b|net/http: |http: server |malformed HTTP|tls: ",
          errors.Unreachable, _NO_ANSWER, retry=True),
    _rule(r"couldn't fetch token: ", errors.TokenExpired, "Microsoft does not renew the token."),
    # the transfer
    _rule(r"max transfer (?:limit|duration) reached|context deadline exceeded"
          r"|--max-delete(?:-size)? threshold",
          errors.LimitReached, _LIMIT, retry=True),
    _rule(r"source file is being updated", errors.TransferFailed,
          "The file changed while it was being read.", retry=True,
          advice="Run it again when no program writes to it, leave it out, or back up a snapshot."),
    _rule(r"immutable file modified|Timestamp mismatch between immutable", errors.Conflict,
          "The file has changed, and the option immutable forbids overwriting it."),
    _rule(r"(?:directory|object) not found|doesn't exist", errors.NothingFound, _NOTHING),
    _rule(r"permission denied", errors.AccessDenied, "This user does not have permission."),
    _rule(r"overlapping remotes", errors.RcloneUsage, "One location is inside the other.",
          advice="Choose separate locations, or exclude the inner one with a filter rule."),
    _rule(r"is a file not a directory", errors.RcloneError,
          "There is a file where a folder is needed.",
          advice="Name the folder: a file that is copied into it keeps its name."),
    _rule(r"is a directory|not a regular file|directory not empty",
          errors.RcloneError, "The location is a file instead of a folder, or the reverse.",
          advice="Check whether it is a file or a folder."),
    _rule(r"context canceled", errors.Cancelled, "It was cancelled."),
    _rule(r": (?:invalid argument|file too large)\W*$", errors.RcloneError,
          "This disk does not allow that name, size or operation.",
          advice="Rename it, exclude it, or choose a disk with another file system."),
    # the command
    _rule(r"unknown (?:flag|shorthand flag|command)|invalid argument \"|needs? \d+ arguments"
          r"|flag needs an argument|Fatal error: |couldn't find method|Didn't find key",
          errors.RcloneUsage, "rclone did not understand the command."),
)  # fmt: skip
"""The first match counts, unless the message holds an error of Microsoft's."""

_BY_EXIT_CODE: dict[int, tuple[type[PlutonRcloneError], str]] = {
    2: (errors.RcloneUsage, "rclone did not understand the command."),
    3: (errors.NothingFound, "The folder does not exist."),
    4: (errors.NothingFound, "The file does not exist."),
    5: (errors.Unreachable, "An error that may pass with another try."),
    6: (errors.TransferFailed, "An error that another try does not fix."),
    7: (errors.RcloneError, "rclone gave up, because another try would not help."),
    9: (errors.TransferFailed, "There was nothing to transfer."),
    **dict.fromkeys((8, 10), (errors.LimitReached, _LIMIT)),
}

_NO_FOLDER = 3
_FINAL = frozenset({2, _NO_FOLDER, 4, 6, 7})
"""Exit codes after which the same call would fail again."""

_NOISE = re.compile(
    r"(?:Attempt \d+/\d+ |Can't retry any|Fatal error received|not attempting retries"
    r"|Failed to save config|Setting .{1,4096} from environment variable"
    r"|Local file system at .{0,4096}: Replacing invalid UTF-8)"
)
_LEAD = re.compile(
    r"(?:Failed to \w{1,30}(?: with \d{1,20} errors)?: (?:last error was: )?|error in ListJSON: "
    r"|Failed to create file system for (?:destination )?\"(?:[^\"\\]|\\.)*\": "
    r"|failed to get root: |error listing: |(?:Cancelling sync due to fatal|Fatal) error: "
    r"|Failed to (?:load filters|initialise global options): "
    r"|failed to reload \"\w{1,30}\" options: ){0,9}"
)
_NOT_MOVED = "Not deleting source as copy failed: "
_REMOTE = re.compile(r"Failed to create file system for (?:destination )?\"([^\":,/]{1,200}):")
_HOST = re.compile(r"https?://(?:[^/\s\"@]*@)?([\w.-]+)[:/\"]")
# For a proxy's refusal, Go prints only the text of its status (net/http, transport.go).
_BY_PROXY = re.compile(r"\"https://[^\s\"]{1,4096}\": [A-Z][a-z][A-Za-z' -]{1,60}\W{0,3}$")
_REQUEST = re.compile(r"\b[A-Z][a-z]{2,9} \"https?://[^\s\"]{1,4096}\": ")
# The position of names: in quotes after a word, or between an operation and the system's message.
_QUOTED = re.compile(r"(?<=\w )\"(?!https?://)(?:[^\"\\]|\\.)*\"(?=(?: to wrap)?::? )")
_OPERATION = re.compile(r"(?:^|: )(?:[a-z/]{2,12} )?(?=/)")
# It names the remote in our private file, and a reconnect there would not be permanent.
_RCLONES_ADVICE = re.compile(
    r"\s{1,4}-\s{1,4}(?:\w{1,20} ){1,4}\\?\"rclone config reconnect [^\"\\]*\\?\""
)

_STATUS = re.compile(r"HTTP error (\d{3})\b|(?:^|: )([45]\d\d) (?:[A-Z][\w' -]{1,40})?(?=:|\n|$)")
_WORD = re.compile(r"-\d{1,12}, [A-Za-z.]{5,100}|(?<![\w/.-])[A-Za-z_]{5,60}(?![\w/.-]|\\.)")
_PASSING = Meaning(  # rclone#6075, #8558
    errors.ItemNotFound,
    "OneDrive did not find an item that it had just listed.",
    advice="Run it again: this passes, unless the item was moved or deleted in the meantime.",
    again=True,
)

_PLACES: tuple[tuple[str, Place], ...] = (
    ("fetch token", "sign-in"),
    ("returned body", "upload"),
    ("couldn't list files", "folder"),
    ("failed to get root", "drive"),
)


def meaning(text: str) -> Meaning | None:
    """The meaning of a message; None if it is unknown."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 2] + text[-_LONGEST // 2 :]
    text = _nameless(text)
    if _BY_PROXY.search(text):
        return BEHIND_PROXY
    text = _REQUEST.sub("", text)
    return _ruled(_BEFORE, text) or _refused(text) or _ruled(_AFTER, text)


def _nameless(text: str) -> str:
    """The message without the names of places and files, which may contain any word."""
    text = _QUOTED.sub("", "".join(text.rpartition("is a directory or doesn't exist")[1:]))
    before, _, cause = text.rpartition(": ")
    operation = _OPERATION.search(before)
    return text if operation is None else f"{before[: operation.end()]}: {cause}"


def _ruled(rules: tuple[tuple[re.Pattern[str], Meaning], ...], text: str) -> Meaning | None:
    return next((found for pattern, found in rules if pattern.search(text)), None)


def _refused(text: str) -> Meaning | None:
    """Microsoft's refusal, if the message holds one."""
    moved = text.startswith(("Failed to copy", "Failed to move", _NOT_MOVED))
    otherwise: Place = "item" if moved else "folder"
    place = next((where for sign, where in _PLACES if sign in text), otherwise)
    status = _STATUS.search(text)
    number = int(status[1] or status[2]) if status else None
    found = judged(_WORD.findall(text), text, number, place)
    if (moved or text.startswith("Couldn't ")) and found == BY_STATUS[404]:
        return _PASSING
    return None if found is None else of_saved(found)


def fault(text: str, *, subject: str | None = None, **details: Any) -> PlutonRcloneError:
    """The exception for one message; its text begins with `subject` (a path, a remote). Its detail
    `retry` is whether the same call can succeed later, as after any unknown fault."""
    found = meaning(text) or Meaning(errors.RcloneError, "rclone reports an error.", again=True)
    what = found.what
    if what == _NO_ANSWER:
        # before it is the request that needs the token
        _, token, cause = _nameless(text).rpartition("fetch token: ")
        if host := _HOST.search(cause):
            what = f"{host[1]} cannot be reached."
            details.setdefault("host", host[1])
        elif token:
            what = "Microsoft's sign-in service cannot be reached."
    if remote := _REMOTE.search(text):
        details.setdefault("storage", remote[1])
    about = subject and redact(subject)
    return found.error(_reason(text), what=what, subject=about, retry=found.retry, **details)


def run_fault(
    command: str, exit_code: int, messages: Iterable[str], place: str = ""
) -> PlutonRcloneError:
    """The exception for a failed run: from the last message with a known meaning, else from the
    exit code. `messages` are rclone's notices and errors, in order; `place` is its first place."""
    told = [text for text in messages if text.strip() and not _NOISE.match(text)]
    details: dict[str, Any] = {"exit_code": exit_code, "command": command}
    for text in reversed(told):
        if meaning(text) is not None:
            problem = fault(text, **details)
            if exit_code == _NO_FOLDER and place:  # rclone does not name it
                problem.what = problem.what.replace(_HERE, f"at {redact(place)!r}")
            return problem
    why = _reason(told[-1]) if told else None
    if exit_code < 0 or exit_code in (130, 143, 137):
        number = -exit_code if exit_code < 0 else exit_code - 128
        what = f"rclone was ended by signal {number} during {command}."
        advice = "Run it again; if memory was short, with fewer transfers at a time."
        return errors.RcloneError(what, why=why, advice=advice, retry=True, **details)
    other = (errors.RcloneError, f"rclone {command} failed with exit code {exit_code}.")
    kind, what = _BY_EXIT_CODE.get(exit_code, other)
    return kind(what, why=why, retry=exit_code not in _FINAL, **details)


def _reason(text: str) -> str:
    """rclone's message without secrets, addresses, rclone's advice, and common prefixes."""
    clean = _REQUEST.sub("", _RCLONES_ADVICE.sub("", redact(text))).strip()
    return _LEAD.sub("", clean.removeprefix(_NOT_MOVED), count=1) or clean
