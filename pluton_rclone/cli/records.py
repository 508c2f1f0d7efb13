"""The output of `--json` as types, from which `pluton-rclone schema` makes JSON Schema.

Sizes are in bytes, durations in seconds, speeds in bytes per second. Any version may add a member;
only a new major version removes one or changes its meaning."""

from __future__ import annotations

from types import GenericAlias
from typing import Any, Literal, get_type_hints

from msgspec import UNSET, Struct, UnsetType, defstruct
from msgspec.json import schema_components

from pluton_rclone.connection.report import ConnectionReport
from pluton_rclone.connection.report import Step as TestStep
from pluton_rclone.flows import steps
from pluton_rclone.microsoft.entra.known_errors import KnownError
from pluton_rclone.microsoft.graph import drives
from pluton_rclone.preflight.finding import Summary
from pluton_rclone.rclone import events, results
from pluton_rclone.remote.inspect import Finding
from pluton_rclone.runs import record, run

from .progress import IN_FLIGHT, REPORTED


class Record(Struct, forbid_unknown_fields=True):
    """A JSON object with exactly these members."""


def made(called: str, doc: str | None = None, /, **members: Any) -> Any:
    """A record with these members."""
    return defstruct(called, members.items(), bases=(Record,), namespace={"__doc__": doc})


def like(kind: type, /, *only: str, called: str = "", **others: Any) -> Any:
    """The record of a class: its fields, or `only` these, and `others` with another type."""
    hints = get_type_hints(kind)
    members = {field: hints[field] for field in only or hints if field not in others}
    return made(called or kind.__name__, kind.__doc__, **members, **others)


def many(kind: Any) -> Any:
    """A list of records of one kind."""
    return GenericAlias(list, (kind,))


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


class FailedFile(Error):
    """A file that did not arrive, and why."""

    path: str
    retry_helps: bool


class PreflightFinding(Record):
    """What OneDrive would refuse or spoil; `path_base64` if the path is not UTF-8."""

    path: str
    is_dir: bool
    rule: str
    severity: str
    what: str
    advice: str
    source: str
    path_base64: str | UnsetType = UNSET


Ended = Literal["done", "failed", "cancelled", "stalled", "timed out"]
MAYBE, TEXTS = Error | None, dict[str, str]

TYPE = Literal["personal", "business", "documentLibrary"] | None
OF_STORAGE: dict[str, Any] = {"drive_type": TYPE, "drive_id": str | None, "region": str}
OF_STORAGE |= {"account": str | None, "base_folder": str}
Storage = made("Storage", name=str, remote=str, **OF_STORAGE)
ELSEWHERE = "`text` is an rclone.conf, `variables` the same for an environment, `written` the file."
EXPORTED = {"text": str | None, "variables": TEXTS | None, "written": str | None}
Export = made("Export", ELSEWHERE, remote=str, warnings=list[str], **EXPORTED)
LISTED = "A file or folder; `modified` is ISO 8601 with its zone."
KNOWN = {"size": int | None, "modified": str | None, "id": str | None}
Entry = made("Entry", LISTED, path=str, name=str, is_dir=bool, **KNOWN)
OF_SECTION = "A storage's section of rclone.conf, secrets masked."
Section = made("Section", OF_SECTION, name=str, remote=str, options=TEXTS)
TO_SIGN_IN = "Where to sign in; `opened`: a browser window has opened."
SignInAddress = made("SignInAddress", TO_SIGN_IN, sign_in_address=str, opened=bool)
TO_TYPE = "The code to type at `verification_uri` until `expires`, seconds since 1970."
SignInCode = made("SignInCode", TO_TYPE, verification_uri=str, user_code=str, expires=float)
OF_RCLONES = "`table`: a header, and a row for each feature that an rclone has or lacks."
Versions = made("Versions", OF_RCLONES, table=list[list[str]])

Step = like(TestStep, error=MAYBE, shortcuts=many(like(drives.Shortcut)))
Report = like(ConnectionReport, called="Report", ok=bool, steps=many(Step))
Health = made("Health", ok=bool, storages=many(Report))
KEPT: dict[str, Any] = {"failed": list[FailedFile], "left_out": many(like(results.LeftOut))}
CheckResult = like(results.CheckResult, same=bool, **KEPT)
ENDED: dict[str, Any] = {"ended": Ended, "planned": many(like(results.Planned)), "error": MAYBE}
TransferResult = like(results.TransferResult, **ENDED, retry_helps=bool, **KEPT)
InFlight = like(events.InFlight, *IN_FLIGHT)
Progress = like(events.Progress, *REPORTED, in_flight=many(InFlight), waits_until=str | None)
ProgressLine = made("ProgressLine", progress=Progress)
ResultLine = made("ResultLine", "The last line of a transfer.", result=TransferResult)
COUNTS = dict[str, int]
Counted = like(Summary, called="PreflightSummary", findings=COUNTS, by_rule=COUNTS, clean=bool)
SummaryLine = made("SummaryLine", "The last line of a preflight.", summary=Counted)
TOLD = ("name", "error", "suberror", "meaning", "advice")

StepLine = made("StepLine", "A step of the connection test, as it is done.", step=Step)

RECORDED: dict[str, Any] = {"run": like(run.Run), "error": MAYBE, "began": str}
Recorded = like(record.RunRecord, **RECORDED, failed=many(FailedFile))

OF_PLAN = "A plan, the remotes that it covers, and what rclone.conf lacks."
PlanChecked = made("PlanChecked", OF_PLAN, plan=dict[str, Any], storages=list[str], notes=list[str])

SIGN_IN = (SignInAddress, SignInCode)
TRANSFER = (ProgressLine, ResultLine)
PREFLIGHT = (PreflightFinding, SummaryLine)

# command: the types of its lines. One document is a stream of one line.
RECORDS: dict[str, tuple[Any, ...]] = {
    "connect": (*SIGN_IN, StepLine, Storage),
    "import": (StepLine, Storage),
    "storages": (many(Storage),),
    "show": (Section,),
    "test": (Report,),
    **dict.fromkeys(("health", "keep-alive"), (Health,)),
    "reauthorize": (*SIGN_IN, Report),
    **dict.fromkeys(("repair", "set"), (Report,)),
    "rename": (Storage,),
    "remove": (made("Removed", removed=str),),
    "history": (many(Recorded), Recorded),
    "again": (*TRANSFER, CheckResult),
    "plan": (PlanChecked,),
    "flow": (like(steps.Outcome),),
    "encrypt": (made("Encrypted", config=str, encrypted=bool, keyring=bool),),
    "export": (Export,),
    "drives": (many(like(drives.Drive, "id", "name", "owner", "web_url", type=str)),),
    "sites": (many(like(drives.Site, "id", "name", "web_url")),),
    **dict.fromkeys(("ls", "tree", "stat"), (Entry,)),
    "size": (like(results.Total),),
    "about": (like(results.About),),
    **dict.fromkeys(("copy", "sync"), (*PREFLIGHT, *TRANSFER)),
    **dict.fromkeys(("move", "delete"), TRANSFER),
    "check": (CheckResult,),
    "preflight": PREFLIGHT,
    "restic": (TEXTS,),
    "timer": (TEXTS,),
    "inspect": (many(like(Finding, called="Inspected")),),
    "options": (dict[str, Any],),
    "versions": (Versions,),
    "errors": (many(like(KnownError, *TOLD, code=str, exception=str, who=str, link=str | None)),),
    "doctor": (TEXTS,),
    "web": (made("Address", "The one-time address of the page.", address=str),),
}


def schema_of(command: str) -> dict[str, Any]:
    """JSON Schema (2020-12) for each line that `command --json` prints. KeyError if it has none."""
    schemas, components = schema_components(RECORDS[command], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of pluton-rclone {command} --json",
        **(schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}),
        "$defs": components,
    }
