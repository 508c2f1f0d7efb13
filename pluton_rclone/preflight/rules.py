"""What OneDrive and rclone do not accept, as one table: each rule with its source and a remedy.

tests/data/preflight/limits.json has the numbers and names with their sources; rclone's behaviour
was tried with rclone 1.75.2, and the tests try it again."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_FILE_SIZE = 250_000_000_000  # bytes; "250 GB", safe under both readings
MAX_PATH = 399  # characters of the decoded path, site and library included: "fewer than 400"
MAX_NAME = 255  # characters of one file or folder name
MANY_ENTRIES = 50_000  # in one folder: "at least 50,000 fine"
TOO_MANY_ENTRIES = 100_000  # in one folder: listing it fails

FORBIDDEN_NAMES = frozenset(
    [".lock", "con", "prn", "aux", "nul", "desktop.ini"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)]
)
FORBIDDEN_ANYWHERE = "_vti_"
FORBIDDEN_AT_ROOT = "forms"
FORBIDDEN_START = "~$"
UNTRANSLATED = re.compile('["*:<>?\\\\|\x00-\x1f\x7f\udc80-\udcff]|(?:^|/)[ ~]|[ .](?:/|$)')


class Severity(str, enum.Enum):
    """The consequence of a finding for the backup."""

    REFUSED = "refused"  # an error: it does not arrive
    SPOILED = "spoiled"  # no error, but it does not arrive, is altered, or cannot be used there
    SKIPPED = "skipped"  # rclone leaves it out with a notice
    WARNING = "warning"  # it may fail

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Rule:
    """A possible problem: its name, severity, consequence, advice and source."""

    name: str
    severity: Severity
    happens: str
    advice: str
    source: str

    @property
    def refuses(self) -> bool:
        """Whether the entry does not arrive, with an error."""
        return self.severity is Severity.REFUSED


_ARTICLE = (
    "Microsoft support article 'Restrictions and limitations in OneDrive and SharePoint' "
    "(support.microsoft.com, 64883a5d-228e-48f5-b3d2-eb39e07630fa), 2021-03-03"
)
_LIMITS = "Microsoft, SharePoint limits service description (learn.microsoft.com), read 2026-11"
_ADDRESSING = "OneDrive docs 'Addressing resources in a drive' (addressing-driveitems), 2024-10-22"
_RCLONE_DOCS = "rclone documentation, 'Microsoft OneDrive', 2026-08-21"
_TRIED = "tried with rclone 1.75.2"
_DUPLICATE = f"{_TRIED}: 'Duplicate object found in source - ignoring'"
_RENAME = "Rename it."
_RENAME_OTHERS = "Rename all but one of them."
_SENDS_ONE = "rclone sends one of them and leaves the others out, with a notice but no error."

_TABLE = {
    Severity.REFUSED: {
        "file_too_large": (
            "OneDrive accepts files up to 250 GB and refuses this one during the upload.",
            "Split it into parts, or leave it out.",
            f"{_LIMITS}; {_ARTICLE}",
        ),
        "path_too_long": (
            "OneDrive refuses it (pathIsTooLong): the whole path, site and library included, must "
            "have fewer than 400 characters.",
            "Shorten the names of its folders, or back up to a folder nearer to the drive's root.",
            f"{_ARTICLE}; {_LIMITS}; {_RCLONE_DOCS}",
        ),
        "name_too_long": (
            "OneDrive refuses it: as it arrives there, a name has at most 255 characters.",
            "Shorten the name.",
            _ARTICLE,
        ),
        "name_forbidden": (
            "OneDrive refuses the name: it is reserved, in upper and lower case.",
            _RENAME,
            _ARTICLE,
        ),
        "name_holds_vti": ("OneDrive refuses names that contain _vti_.", _RENAME, _ARTICLE),
        "name_forms_at_root": (
            "A library has its own 'Forms' at its root and refuses another.",
            "Rename it, or back up to a folder instead of the library's root.",
            _ARTICLE,
        ),
        "name_not_translated": (
            "OneDrive refuses the name, which the option `encoding` keeps rclone from translating.",
            "Remove `encoding` from the remote's options: rclone's default translates it.",
            f"{_ARTICLE}; {_ADDRESSING}; {_RCLONE_DOCS}",
        ),
        "name_not_found_again": (
            "rclone reads the character ‛ (U+201B) as its own quote, and looks for a file with "
            "another name: an error; the file is not sent.",
            _RENAME,
            f"{_TRIED}: 'failed to open source object: lstat …: no such file or directory'",
        ),
        "file_and_folder_same": (
            "A file and a folder whose names differ only in case cannot exist side by side on "
            "OneDrive: one of them is refused, a folder with everything in it.",
            "Rename one of them.",
            f"{_RCLONE_DOCS}; {_TRIED}: 'found file when looking for folder'",
        ),
        "quota_exceeded": (
            "The drive has less space than this needs: uploads end with 507 (quotaLimitReached).",
            "Free up space on it (the recycle bin counts), get more storage, or leave folders out.",
            "Microsoft Graph documentation, 'driveItem: createUploadSession', stored version",
        ),
        "unreadable": (
            "The user that runs this cannot read it: an error; it is not sent.",
            "Give that user read permission, or leave it out.",
            f"{_TRIED}: 'permission denied'",
        ),
    },
    Severity.SPOILED: {
        "same_but_case": (
            f"OneDrive ignores case in names: {_SENDS_ONE}",
            _RENAME_OTHERS,
            f"{_RCLONE_DOCS}; {_DUPLICATE}",
        ),
        "same_but_accents": (
            "The names differ only in how accents are stored (Unicode NFC and NFD): " + _SENDS_ONE,
            _RENAME_OTHERS,
            _DUPLICATE,
        ),
        "same_when_translated": (
            f"These names are the same to rclone: {_SENDS_ONE}",
            _RENAME_OTHERS,
            _DUPLICATE,
        ),
        "same_name_twice": (
            f"The source contains this name more than once: {_SENDS_ONE}",
            "Rename all but one of them, or merge them with `rclone dedupe`.",
            _DUPLICATE,
        ),
        "folder_too_full": (
            "With 100,000 entries or more, listing a folder fails (UnknownError, 504): what was "
            "sent can be neither compared nor found there.",
            "Spread it over several folders.",
            f"{_RCLONE_DOCS}; rclone issue 2707; onedrive-api-docs issue 948",
        ),
    },
    Severity.SKIPPED: {
        "symlink": (
            "rclone leaves symbolic links out, and each counts as failed, unless an option says "
            "what to do with them.",
            "Choose one of the options links (stores each as a small file), copy-links (sends its "
            "target) or skip-links (leaves it out).",
            f'{_TRIED}: "Can\'t follow symlink without -L/--copy-links"',
        ),
        "special_file": (
            "rclone leaves pipes, sockets and devices out, with a notice and without an error.",
            "Nothing to do: it contains nothing to restore.",
            f'{_TRIED}: "Can\'t transfer non file/directory"',
        ),
    },
    Severity.WARNING: {
        "length_doubtful": (
            "OneDrive may refuse it: the length is within the limit in characters, but beyond it "
            "if emoji and others outside Unicode's first plane count twice, as in Windows.",
            "Shorten the name or the names of its folders.",
            f"{_ARTICLE} (does not say how it counts)",
        ),
        "name_not_utf8": (
            "The name is not UTF-8: OneDrive shows ‛ and two digits for each such byte. A restore "
            "with rclone recovers the bytes; other programs see the name as shown there.",
            "Rename it in UTF-8 (the tool convmv does that for whole trees).",
            f"rclone documentation, 'Local Filesystem: Filenames'; {_TRIED}",
        ),
        "same_perhaps": (
            "rclone sends them all, but OneDrive may treat these names as one and keep only the "
            "last: which letters it treats as equal (ß and ss, ς and σ) is not documented.",
            _RENAME_OTHERS,
            f"{_RCLONE_DOCS} (names are case-insensitive; does not say by which rules)",
        ),
        "folder_looks_alike": (
            "rclone translates the name of one of these folders to that of the other. If it also "
            "makes empty folders, it treats them as one: files in them overwrite each other.",
            "Rename one of them, or do not give rclone --create-empty-src-dirs.",
            f"{_TRIED}: rclone copy --create-empty-src-dirs of the folders ':' and '：'",
        ),
        "folder_large": (
            "Folders with 50,000 entries work, those with 100,000 fail: this one is in between.",
            "Spread it over several folders before it grows.",
            f"{_RCLONE_DOCS}; rclone issue 2707",
        ),
    },
}

RULES: dict[str, Rule] = {
    name: Rule(name, severity, *told)
    for severity, rules in _TABLE.items()
    for name, told in rules.items()
}


def library_prefix(web_url: str) -> str:
    """The part of a root's `webUrl` that counts in paths ("sites/Team/Documents"); "" for none."""
    return unquote(urlsplit(web_url).path).strip("/")


def utf16_length(text: str) -> int:
    """UTF-16 units, as Windows counts: characters outside the first Unicode plane count twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def refused_name(name: str, *, drive_type: str, at_root: bool) -> str | None:
    """The rule by which OneDrive refuses a file or folder that arrives with this name, or None.
    `drive_type` is personal, business or documentLibrary; `at_root` is true in the drive's root."""
    lower = name.lower()
    if lower in FORBIDDEN_NAMES:
        return "name_forbidden"
    if FORBIDDEN_ANYWHERE in lower:
        return "name_holds_vti"
    if at_root and lower == FORBIDDEN_AT_ROOT and drive_type != "personal":
        return "name_forms_at_root"
    if len(name) > MAX_NAME:
        return "name_too_long"
    return None


def not_translated(name: str, *, drive_type: str, folder: bool) -> bool:
    """Whether a translated name still contains what OneDrive refuses, because of `encoding`."""
    if "/" in name or name.startswith(FORBIDDEN_START):
        return True
    if name.startswith("~") and not (folder and drive_type != "personal"):
        name = "x" + name[1:]
    return UNTRANSLATED.search(name) is not None
