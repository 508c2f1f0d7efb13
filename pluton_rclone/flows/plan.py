"""A plan: what to do in which storages, when, and how much at once. Read from TOML."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import commands, locations
from pluton_rclone.rclone.passed import require_passable
from pluton_rclone.runs.run import Run
from pluton_rclone.values.paths import in_drive
from pluton_rclone.values.units import system_says

from .options import TYPED, fault

Do = Literal["upload", "download", "sync", "check", "restic", "health", "keep-alive"]
_LOCAL = ("upload", "download", "sync", "check")
_SOME = Field(min_length=1)
_WORDS = {
    "extra_forbidden": "there is no such setting",
    "missing": "it is missing",
    "too_short": "it is empty",
    "string_too_short": "it is empty",
    "string_pattern_mismatch": "it takes lower-case letters and digits, with single hyphens inside",
    **dict.fromkeys(
        ("tuple_type", "list_type", "sequence_str", "is_instance_of"), "it takes a list, in [ ]"
    ),
    **dict.fromkeys(("dict_type", "model_type"), "it takes settings, in { }"),
    "string_type": "it takes a text, in quotes",
    "int_type": "it takes a whole number",
    "float_type": "it takes a number",
    "bool_type": "it takes true or false",
}
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_RESTIC_OURS = re.compile(r"-[rp]|--repo(sitory-file)?(=|$)|--password-(file|command)(=|$)")
_RESTIC_HOW = (
    "the repository is the step's folder, and its password in RESTIC_PASSWORD_FILE or "
    "RESTIC_PASSWORD_COMMAND where it runs"
)


def _is_a_home(place: str) -> bool:
    """Whether a folder is a user's home, or contains homes, such as / and /home."""
    path, mine = (Path(os.path.realpath(one)) for one in (place, os.path.expanduser("~")))
    top = Path(path.anchor)
    homes = (top / "home", top / "Users")
    return path in (mine, *mine.parents, top / "root", *homes) or path.parent in homes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, strict=True)]


class Which(_Part):
    """Storages by name, or those of a whole organisation (one of the two)."""

    names: tuple[Name, ...] = ()
    """Names of storages or of their remotes; `*` and `?` are wildcards."""
    tenant_of: str = ""
    """An app-only storage, whose organisation's drives are used. A drive that rclone.conf does not
    have yet is added there, with this storage's registration and options."""
    users: tuple[str, ...] = ("*",)
    """With `tenant_of`: the user names whose drives are used."""
    sites: tuple[str, ...] = ()
    """With `tenant_of`: the names or addresses of the sites whose libraries are used."""

    @model_validator(mode="after")
    def _one_way(self) -> Which:
        if bool(self.names) == bool(self.tenant_of):
            raise fault("needs either names or tenant_of")
        if self.names and {"users", "sites"} & self.model_fields_set:
            raise fault("users and sites need tenant_of")
        return self


class Step(_Part):
    """One action in each storage. `{storage}` in a text is replaced by the remote's name."""

    do: Do
    local: str = ""
    """A folder or file on the machine that runs the step, as an absolute path."""
    folder: str = ""
    """A folder in the storage; restic: its repository's (default "restic")."""
    into: Literal["storage", "local"] = "storage"
    """sync: which of the two is made the same as the other. check with the direction "one_way":
    which of the two must have everything that the other has."""
    options: Annotated[dict[str, Any], TYPED] = {}
    """Options of the transfer or comparison, as the library names them: filters, max_delete,
    bwlimit, checksum…"""
    arguments: tuple[str, ...] = ()
    """restic's arguments."""
    shards: int = Field(1, ge=1, le=64, strict=True)
    """upload, download: the number of parts into which the tree is divided, each its own task."""
    through: tuple[str, ...] = ()
    """With shards: storages of the same drive with other accounts or apps, used in turn."""
    verify: bool = Field(True, strict=True)
    """With shards: everything is compared at the end, unless a later step of the plan does so."""
    part: SkipJsonSchema[str] = ""
    """Which of the shards this step is."""

    @model_validator(mode="after")
    def _fits(self) -> Step:
        if self.do in _LOCAL and not Path(self.local).is_absolute():
            raise fault(f"{self.do} needs local, an absolute path")
        for text in (self.local, self.folder, *self.through, self.options.get("backup_dir", "")):
            if unknown := set(_PLACEHOLDER.findall(text)) - {"{storage}"}:
                raise fault(f"{', '.join(sorted(unknown))} is unknown: only {{storage}} exists")
        if self.do == "sync" and self.into == "local" and _is_a_home(self.local_in("x")):
            raise fault(f"sync would delete everything else in {self.local}: use a separate folder")
        if (self.do == "restic") != bool(self.arguments):
            raise fault("arguments are only for restic, which requires them")
        if ours := [each for each in self.arguments if _RESTIC_OURS.match(each)]:
            raise fault(f"{ours[0].partition('=')[0]} is not allowed in a plan: {_RESTIC_HOW}")
        given = self.model_fields_set - {"do"}
        allowed = {"local", "folder", "options"} if self.do in _LOCAL else set()
        both, divided = {"into"}, {"shards", "through", "verify", "part"}
        more = {"sync": both, "check": both, "upload": divided, "download": divided}
        allowed |= {**more, "restic": {"folder", "arguments"}}.get(self.do, set())
        if wrong := sorted(given - allowed):
            raise fault(f"{self.do} does not take {', '.join(wrong)}")
        dry = ["dry_run"] if self.options.get("dry_run") else []
        dry += [each for each in self.arguments if commands.is_dry([each])]
        if dry:
            word = dry[0].partition("=")[0]
            raise fault(f"{word} would count as done without transferring anything: leave it out")
        try:
            require_passable(self.options.get("extra") or ())
            in_drive(self.folder_in("x"))
            run = self.run("x", "x:")
        except (UsageError, TypeError) as error:
            raise fault(str(error)) from None
        if run and run.withheld:
            raise fault(f"{', '.join(run.withheld)} may contain a secret, which a plan must not")
        if self.shards == 1 and {"through", "verify"} & given:
            raise fault("through and verify need shards")
        extra: Any = {"extra": self.options.get("extra")}
        if self.shards > 1 and (
            commands.selects(extra)
            or "--ignore-case" in (extra["extra"] or ())
            or self.options.get("files_from") is not None
            or "!" in self.options.get("filters", ())
        ):
            raise fault("shards accept filters, min_size and the like, but no other selection")
        return self

    def run(self, storage: str, place: str) -> Run | None:
        """The run for the remote `storage`, with its folder at `place`, an rclone location; None
        for health and keep-alive. UsageError for an unknown option."""
        if self.do == "restic":
            return Run.restic(storage, place, (_said(each, storage) for each in self.arguments))
        if self.do not in _LOCAL:
            return None
        here, options = locations.local(self.local_in(storage)), dict(self.options)
        if "backup_dir" in options:
            options["backup_dir"] = _said(options["backup_dir"], storage)
        if self.do == "check":
            here, place = (place, here) if self.into == "local" else (here, place)
            content, way = options.get("content", "hash"), options.get("direction", "both")
            filters: Any = {k: v for k, v in options.items() if k not in ("content", "direction")}
            command = commands.check(here, place, filters, content=content, direction=way)
        else:
            down = self.do == "download" or self.into == "local"
            word: Any = "sync" if self.do == "sync" else "copy"
            source, end = (place, here) if down else (here, place)
            command = commands.transfer(word, source, end, options)  # type: ignore[arg-type]
        return Run.of(command, [storage])

    def folder_in(self, storage: str) -> str:
        """The folder in the storage."""
        return _said(self.folder or ("restic" if self.do == "restic" else ""), storage)

    def local_in(self, storage: str) -> str:
        """The local folder or file."""
        return _said(self.local, storage)

    def doors_in(self, storage: str) -> list[str]:
        """The storages through which its shards are transferred."""
        return [_said(each, storage) for each in self.through]

    @property
    def choosing(self) -> dict[str, Any]:
        """Those of its options that also apply to a listing and a comparison."""
        known = commands.FilterOptions.__annotations__
        return {name: value for name, value in self.options.items() if name in known}

    def comparison(self) -> Step:
        """The check, after an upload or download, that everything has arrived."""
        into: Any = {"into": "local"} if self.do == "download" else {}
        options = {**self.choosing, "direction": "one_way"}
        return Step(do="check", local=self.local, folder=self.folder, options=options, **into)

    def __str__(self) -> str:
        """For display: `upload /srv/data → :laptop`."""
        if self.do == "restic":
            return f"restic {' '.join(self.arguments)} in :{self.folder_in('{storage}')}"
        if self.do not in _LOCAL:
            return self.do
        back = self.do == "download" or self.into == "local"
        of = f" ({self.part or f'{self.shards} shards'})" if self.part or self.shards > 1 else ""
        return f"{self.do} {self.local} {'←' if back else '→'} :{self.folder}{of}"


class Schedule(_Part):
    """When: a cron expression of five fields, in a time zone."""

    cron: str
    timezone: Name = "UTC"

    @model_validator(mode="after")
    def _known(self) -> Schedule:
        from . import offline as offline  # before Prefect is imported

        # isort: split
        from prefect.client.schemas.schedules import CronSchedule

        if len(self.cron.split()) != 5:
            raise fault(f'{self.cron!r} does not have five fields, as in "0 3 * * *"')
        try:
            CronSchedule(cron=self.cron, timezone=self.timezone)
        except ValueError as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise fault(first.removeprefix("Value error, ")) from None
        if _never_comes(self.cron):
            raise fault(f"{self.cron!r} never occurs: none of its months has such a day")
        return self


def _never_comes(cron: str) -> bool:
    """Whether Prefect would find no date for it; False if that cannot be found out."""
    with suppress(ImportError):  # Prefect's private copy
        library: Any = import_module("prefect._vendor.croniter")
        try:
            library.croniter(cron).get_next()
        except library.CroniterBadDateError:
            return True
    return False


class Retry(_Part):
    """How often a failed step is retried, if that may help. The first wait is in seconds; each
    further one is twice as long."""

    times: int = Field(3, ge=0, le=20, strict=True)
    wait: float = Field(60, ge=0, le=3600, strict=True, allow_inf_nan=False)


class AtOnce(_Part):
    """How much runs at once: on all machines together, except for `worker`."""

    account: Count = 1
    """Steps in one account."""
    tenant: Count = 4
    """Steps in one organisation."""
    worker: Count = 4
    """Storages in one process."""
    batch: Count = 10
    """Storages of one flow run, which a worker takes as a whole, and which is restarted if lost."""


class Plan(_Part):
    """What to do in which storages, in the order of the steps. After a failed step, the rest of
    that storage's steps are not run; other storages continue."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    storages: tuple[Which, ...] = _SOME
    steps: tuple[Step, ...] = _SOME
    schedule: Schedule | None = None
    retry: Retry = Retry()
    at_once: AtOnce = AtOnce()

    @field_validator("steps")
    @classmethod
    def _done_once(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if any(step in steps[:number] for number, step in enumerate(steps)):
            raise fault("the same step is listed twice")
        return steps

    @model_validator(mode="after")
    def _apart(self) -> Plan:
        names = [name for which in self.storages for name in which.names]
        if len(names) == 1 and len(self.storages) == 1 and not re.search("[*?]", names[0]):
            return self
        for step in self.steps:
            if step.part:  # for one storage, whose name is already in its path
                continue
            one, other = (os.path.normpath(step.local_in(name)) for name in "xy")
            does = "delete" if step.do == "sync" and step.into == "local" else "overwrite"
            if one == other and (does == "delete" or step.do == "download"):
                raise fault(
                    f"each storage's {step.do} would {does} the others' files in {step.local}: for "
                    f"a folder each, put {{storage}} into the path"
                )
        return self

    def all_steps(self) -> list[Step]:
        """The steps, each sharded one followed by its comparison."""
        found: list[Step] = []
        for number, step in enumerate(self.steps):
            found.append(step)
            check = ("check", step.local, step.folder)
            later = {(one.do, one.local, one.folder) for one in self.steps[number:]}
            if step.shards > 1 and step.verify and check not in later:
                found.append(step.comparison())
        return found

    def only(self, steps: Sequence[Step]) -> Plan:
        """The same plan with only these steps."""
        return self.model_copy(update={"steps": tuple(steps)})

    def record(self) -> dict[str, Any]:
        """As a JSON object, for `model_validate`. It contains names and paths, but no secrets."""
        return self.model_dump(mode="json", exclude_unset=True)


class Fault(NamedTuple):
    """A fault in a plan: the line in the file (None if it concerns the whole), where in the plan,
    such as `steps[0].local`, and what is wrong."""

    line: int | None
    where: str
    what: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{f'{self.where}: ' if self.where else ''}{self.what}"


def check(path: Path) -> tuple[Plan | None, list[Fault]]:
    """The plan in a TOML file, or every fault in it. UsageError if the file cannot be read."""
    loads: Callable[[str], dict[str, Any]]
    loads = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli").loads
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read.", why=system_says(error)) from None
    try:
        return Plan.model_validate(loads(text)), []
    except ValidationError as error:
        found = error.errors()
        inner = [one["loc"] for one in found]  # a parent of a faulty part is also reported as empty
        faults = [
            _placed(text, loc, _WORDS.get(one["type"], one["msg"]))
            for loc, one in zip(inner, found, strict=True)
            if not any(other != loc and other[: len(loc)] == loc for other in inner)
        ]
        return None, sorted(faults, key=lambda one: one.line or 0)
    except (ValueError, RecursionError) as error:  # not TOML, or nested too deeply
        said = str(error)
        line = re.search(r"at line (\d+)", said)
        return None, [Fault(int(line[1]) if line else None, "", said[:1].lower() + said[1:])]


def _placed(text: str, loc: Iterable[str | int], what: str) -> Fault:
    """Locate a fault: the last line that begins a part of its path, as a table header or a key."""
    where, table, line, lines = "", "", 0, text.split("\n")
    start, number = 0, 0
    for part in loc:
        if isinstance(part, int):
            where, number = f"{where}[{part}]", part
        else:
            where, table, number = f"{where}.{part}".lstrip("."), f"{table}.{part}".lstrip("."), 0
        name = re.escape(table.rpartition(".")[2])
        header = re.compile(rf"\s*\[+\s*{re.escape(table)}\s*\]+")
        found = [n for n, each in enumerate(lines, 1) if n > start and header.match(each)]
        if found[number:]:
            start = line = found[number]
            if isinstance(part, str):
                start -= 1  # its [[header]] is searched again with the index that follows
            continue
        key = re.compile(rf"\s*[\"']?{name}[\"']?\s*=")
        for n, each in enumerate(lines[start:], start + 1):
            if key.match(each):
                line = n
                break
            if each.lstrip().startswith("[") and n > start + 1:
                break
    return Fault(line or None, where, what[:1].lower() + what[1:])


def _said(text: str, storage: str) -> str:
    said = text.replace("{storage}", storage)
    if said != text and storage in (".", ".."):  # an ordinary name to rclone
        what = f"The name {storage!r} cannot be part of a path: it would mean a folder above."
        raise UsageError(what, advice="Give the storage's remote another name.")
    return said
