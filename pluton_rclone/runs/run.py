"""A run of rclone or restic as a value that can be stored, sent as JSON, and repeated."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from pluton_rclone.errors import UsageError
from pluton_rclone.rclone import locations
from pluton_rclone.rclone.brake import Brake
from pluton_rclone.rclone.commands import TRANSFERS, Command
from pluton_rclone.values.printable import printable
from pluton_rclone.values.redaction import SECRET_NAME, redact

RESTIC = "restic"
LONGEST = 2**18
"""The most bytes of filters, or of file names, that are kept."""
_HIDDEN = "***"


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done in `storages`, the names of their remotes. A run holds no secrets: a possible
    secret is replaced and named in `withheld`, and such a run cannot be repeated.

    `command` is rclone's command ("copy", "sync", "purge", "check"…), or "restic", whose arguments
    are the `options`. `source` (None if there is only one place) and `destination` are rclone
    locations: "work:laptop/data", "/srv/data". `options` are rclone's flags, `lines` the filters or
    file names that belong to them. `max_delete` and `allow_empty_source` are options of a sync
    (`TransferOptions`). `folder` is where restic was started: its arguments may name files there.
    """

    command: str
    storages: tuple[str, ...]
    source: str | None = None
    destination: str
    options: tuple[str, ...] = ()
    lines: str | None = None
    max_delete: int | str | None = None
    allow_empty_source: bool = False
    withheld: tuple[str, ...] = ()
    folder: str | None = None

    @classmethod
    def of(cls, command: Command, storages: Iterable[str]) -> Run:
        """The run of an rclone command."""
        options, withheld = _without_secrets(command.flags)
        places = []
        for place in command.places:
            whole = os.path.abspath(place) if locations.is_local(place) else place
            places.append(redact(whole))
            withheld += () if places[-1] == whole else ("a place",)
        lines = os.fsdecode(command.stdin) if isinstance(command.stdin, bytes) else None
        if lines is not None and (len(lines) > LONGEST or redact(lines) != lines):
            lines, withheld = "", (*withheld, "the filters or names of files")
        brake = command.brake or Brake("100%", True)
        return cls(
            command=" ".join(command.words),
            storages=tuple(storages),
            source=places[0] if len(places) > 1 else None,
            destination=places[-1],
            options=options,
            lines=lines,
            max_delete=brake.most if command.words == ("sync",) else None,
            allow_empty_source=command.words == ("sync",) and brake.empty_source,
            withheld=withheld,
        )

    @classmethod
    def restic(cls, storage: str, repository: str, arguments: Iterable[str]) -> Run:
        """The run of restic with `arguments` on a repository, a location in a storage."""
        options, withheld = _without_secrets(arguments)
        names = {"command": RESTIC, "storages": (storage,), "destination": repository}
        with suppress(OSError):  # the current folder may have been deleted
            names["folder"] = os.getcwd()
        return msgspec.convert({**names, "options": options, "withheld": withheld}, cls)

    def as_command(self) -> Command:
        """The rclone command. UsageError if part of the run was withheld."""
        self.require_whole()
        source, flags = self.source, self.options
        if source is not None and self.command in TRANSFERS:  # it may have become a link
            source = locations.source(source, follow="--copy-links" in flags)
        is_sync = self.command == "sync"
        brake = Brake.of(self.max_delete, self.allow_empty_source) if is_sync else None
        places = (*(() if source is None else (source,)), self.destination)
        stdin = None if self.lines is None else os.fsencode(self.lines)
        return Command(tuple(self.command.split()), flags, places, stdin, brake)

    def dry(self) -> Run:
        """The same run as a dry run."""
        return msgspec.structs.replace(self, options=(*self.options, "--dry-run"))

    def require_whole(self) -> None:
        """UsageError if part of the run was withheld."""
        if self.withheld:
            raise UsageError(
                f"This run cannot be repeated: {', '.join(self.withheld)} was not kept.",
                why="it may contain a secret, or is too long",
                advice="Start it as a new run, with all its options.",
            )

    def record(self) -> dict[str, Any]:
        """As a JSON object, for `from_record`; `json.dumps` preserves names that are not UTF-8."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_record(cls, record: object) -> Run:
        """From its JSON object. UsageError if it is not a run."""
        try:
            return msgspec.convert(record, cls)
        except msgspec.ValidationError as error:
            raise UsageError("This is not the record of a run.", why=str(error)) from None

    def __str__(self) -> str:
        """For display: `copy /srv/data → work:laptop/data`."""
        if self.command == RESTIC:
            return printable(f"restic {' '.join(self.options[:1])} in {self.destination}")
        source = f"{self.source} → " if self.source else ""
        return printable(f"{self.command} {source}{self.destination}")


def _without_secrets(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a command line with secrets replaced, and the options whose values were:
    "--pass=x" and "--pass x"."""
    kept: list[str] = []
    withheld: list[str] = []
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        is_option = word.startswith("-")
        if is_option:
            option = name
        secret = SECRET_NAME.search(option) is not None and not option.endswith("-file")
        shown = redact(word)
        if secret and (value if is_option else True):
            shown = f"{name}={_HIDDEN}" if is_option else _HIDDEN
        if shown != word:
            withheld.append(option or "an argument")
        kept.append(shown)
        if equals or not is_option:
            option = ""
    return tuple(kept), tuple(withheld)
