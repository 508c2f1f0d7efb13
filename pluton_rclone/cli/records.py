"""What `--json` prints, command by command, as types: `pluton-rclone schema` makes JSON Schema of
them.

Sizes are bytes, durations seconds, speeds bytes a second. A new member may come with any version;
none goes away or changes its meaning without a new major one.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, defstruct

from pluton_rclone.rclone.results import COUNTS


class Record(Struct, forbid_unknown_fields=True):
    """A JSON object whose members are exactly these."""


class Error(Record):
    """On stderr when a command fails, and inside results. `who`: you, your administrator, …"""

    error: str
    what: str
    why: str | None
    who: str
    advice: str
    next_step: str | None
    link: str | None
    details: dict[str, Any]


class Storage(Record):
    name: str
    remote: str
    drive_type: Literal["personal", "business", "documentLibrary"] | None
    drive_id: str | None
    region: str
    account: str | None
    base_folder: str


class Section(Record):
    """A storage's section of rclone.conf, secrets masked."""

    name: str
    remote: str
    options: dict[str, str]


class Step(Record):
    name: str
    title: str
    status: Literal["ok", "warning", "failed", "skipped"]
    text: str
    seconds: float
    error: Error | None


class Report(Record):
    """A connection test, step by step."""

    storage: str
    ok: bool
    steps: list[Step]


class Health(Record):
    ok: bool
    storages: list[Report]


class SignInAddress(Record):
    """Where to sign in; `opened`: a browser window has come up."""

    sign_in_address: str
    opened: bool


class SignInCode(Record):
    """The code to type at `verification_uri` until `expires`, seconds since 1970."""

    verification_uri: str
    user_code: str
    expires: float


class Removed(Record):
    removed: str


class Export(Record):
    """`text` is an rclone.conf, `variables` the same for an environment; `written` the file that
    was made instead."""

    remote: str
    text: str | None
    variables: dict[str, str] | None
    warnings: list[str]
    written: str | None


class Drive(Record):
    id: str
    name: str
    type: str
    owner: str
    web_url: str


class Site(Record):
    id: str
    name: str
    web_url: str


class Entry(Record):
    """A file or folder; `modified` is ISO 8601 with its zone."""

    path: str
    name: str
    size: int | None
    modified: str | None
    is_dir: bool
    id: str | None


class About(Record):
    """The room on a drive; null where Microsoft does not say."""

    total: int | None
    used: int | None
    free: int | None
    trashed: int | None


class InFlight(Record):
    name: str
    bytes: int
    size: int | None
    speed: float
    eta: float | None


class Progress(Record):
    bytes: int
    total_bytes: int
    speed: float
    eta: float | None
    transfers: int
    total_transfers: int
    checks: int
    errors: int
    elapsed: float
    in_flight: list[InFlight]


class ProgressLine(Record):
    progress: Progress


class FailedFile(Error):
    """A file that did not make it, and why."""

    path: str
    retry_helps: bool


class LeftOut(Record):
    """What was not looked at, and is not missing at the destination."""

    path: str
    why: str


class Planned(Record):
    """What a dry run would do."""

    action: str
    path: str
    size: int | None


_Counts = defstruct(
    "_Counts", [(name, int) for name in COUNTS], bases=(Record,), forbid_unknown_fields=True
)


class TransferResult(_Counts):  # type: ignore[misc, valid-type]
    ended: Literal["done", "failed", "cancelled", "stalled", "timed out"]
    exit_code: int
    duration: float
    failed: list[FailedFile]
    left_out: list[LeftOut]
    planned: list[Planned]
    retry_helps: bool
    error: Error | None
    notices: list[str]


class ResultLine(Record):
    """The last line of a transfer."""

    result: TransferResult


class CheckResult(Record):
    same: bool
    matching: int
    differing: list[str]
    missing_on_source: list[str]
    missing_on_destination: list[str]
    failed: list[FailedFile]
    left_out: list[LeftOut]


class PreflightFinding(Record):
    """What OneDrive would refuse or spoil; `path_base64` when the path is not UTF-8."""

    path: str
    is_dir: bool
    rule: str
    severity: str
    what: str
    advice: str
    source: str
    path_base64: str | UnsetType = UNSET


class PreflightSummary(Record):
    files: int
    folders: int
    bytes: int
    bytes_to_send: int
    findings: dict[str, int]
    by_rule: dict[str, int]
    clean: bool
    finished: bool


class SummaryLine(Record):
    """The last line of a preflight."""

    summary: PreflightSummary


class Inspected(Record):
    """A fault of one remote, or of the file (remote "")."""

    remote: str
    option: str
    severity: Literal["error", "warning"]
    what: str
    advice: str


class Versions(Record):
    """`table`: a header and one row for each thing that an rclone knows or not; `drift`:
    differences to this library."""

    table: list[list[str]]
    drift: dict[str, list[str]]


class KnownError(Record):
    code: str
    name: str
    error: str
    suberror: str | None
    exception: str
    who: str
    meaning: str
    advice: str
    link: str | None


class Address(Record):
    """The one-time address of the page."""

    address: str


SIGN_IN = (SignInAddress, SignInCode)
TRANSFER = (ProgressLine, ResultLine)
PREFLIGHT = (PreflightFinding, SummaryLine)

# command: what its lines may be. One document is a stream of one line.
RECORDS: dict[str, tuple[Any, ...]] = {
    "connect": (*SIGN_IN, Storage),
    "storages": (list[Storage],),
    "show": (Section,),
    "test": (Report,),
    "health": (Health,),
    "keep-alive": (Health,),
    "reauthorize": (*SIGN_IN, Report),
    "set": (Report,),
    "rename": (Storage,),
    "remove": (Removed,),
    "export": (Export,),
    "drives": (list[Drive],),
    "sites": (list[Site],),
    "ls": (Entry,),
    "tree": (Entry,),
    "stat": (Entry,),
    "about": (About,),
    "copy": (*PREFLIGHT, *TRANSFER),
    "sync": (*PREFLIGHT, *TRANSFER),
    "move": TRANSFER,
    "delete": TRANSFER,
    "check": (CheckResult,),
    "preflight": PREFLIGHT,
    "restic": (dict[str, str],),
    "inspect": (list[Inspected],),
    "options": (dict[str, Any],),
    "versions": (Versions,),
    "errors": (list[KnownError],),
    "doctor": (dict[str, str],),
    "web": (Address,),
}


def schema_of(command: str) -> dict[str, Any]:
    """JSON Schema (2020-12) for each line that `command --json` prints on stdout. KeyError when it
    has none."""
    import msgspec

    kinds = RECORDS[command]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of pluton-rclone {command} --json",
        **(schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}),
        "$defs": components,
    }
