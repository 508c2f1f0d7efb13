"""Looking at the names of one folder, many at a time: one by one only if something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from pluton_rclone.values.encoding import coarse_key, opens_again, standard_name, to_onedrive

from .finding import Finding
from .rules import (
    FORBIDDEN_ANYWHERE,
    FORBIDDEN_AT_ROOT,
    FORBIDDEN_NAMES,
    MAX_NAME,
    MAX_PATH,
    RULES,
    UNTRANSLATED,
    not_translated,
    refused_name,
    utf16_length,
)


@dataclass(frozen=True)
class Folder:
    """A folder of the source while it is looked at; `room`: the characters before a name in it."""

    path: bytes  # relative to the source; b"" for the source itself
    room: int
    room_utf16: int
    at_root: bool = False
    arrives: bool = True  # neither it nor a folder above it is refused
    too_long: bool = False  # reported for it or for a folder above: not again for what is below

    @property
    def shown(self) -> str:
        """Its path in a finding."""
        return decoded(self.path) or "."


@dataclass(frozen=True)
class Names:
    """Some names of one folder, files before folders, and what was seen at a glance."""

    raw: list[bytes]
    files: int
    keys: list[str]  # coarse
    translated: list[str]
    rare: bool  # some hold look-alikes or rclone's mark
    alike: bool  # fewer different keys than names
    suspicious: bool  # some name breaks a rule by itself, perhaps


class Judge:
    """Applies the table of rules to the names of folders on their way to one target, which is
    described as for `preflight`."""

    def __init__(self, drive_type: str, prefix: str, base: str, encoding: str) -> None:
        self._drive_type, self._prefix, self._base = drive_type, prefix, base
        self._to_onedrive = to_onedrive(encoding)

    def top(self) -> tuple[Folder, list[Finding]]:
        """The source's own folder at the target, and what is wrong with the target's path."""
        found = []
        translated = self._to_onedrive.path(self._base.strip("/"))
        parts = translated.split("/") if translated else []
        for depth, part in enumerate(parts):
            rule = self._name_rule(part, folder=True, at_root=depth == 0)
            if rule is not None:
                found.append(Finding(".", RULES[rule], True, f"the destination folder {part!r}"))
        whole = "/".join(filter(None, (self._prefix.strip("/"), translated)))
        if too_long := len(whole) > MAX_PATH:
            detail = f"the destination has {len(whole)} characters"
            found.append(Finding(".", RULES["path_too_long"], True, detail))
        before = f"{whole}/" if whole else ""
        room, room_utf16 = len(before), utf16_length(before)
        return Folder(b"", room, room_utf16, not parts, not found, too_long), found

    def look(self, folder: Folder, files: list[bytes], folders: list[bytes]) -> Names:
        """Read the names: if they are `suspicious`, `findings` has to go through them one by one.
        Joined with "/", which no name holds, they are checked in a few passes at the speed of C."""
        raw = files + folders
        blob = b"/" + b"/".join(raw) + b"/"
        translator = self._to_onedrive
        wrong = False
        try:
            names = standard = blob.decode()
        except UnicodeDecodeError:
            names = standard = decoded(blob)
            wrong = True
        if rare := not names.isascii() and translator.is_rare(names):
            standard = translator.standard_all(names)
            wrong = wrong or not all(map(opens_again, names.split("/")))
        translated = translator.from_local_all(names, blob)
        folded = coarse_key(standard)
        keys = folded.split("/")[1:-1]
        arriving = translated.split("/")[1:-1]
        if len(arriving) != len(raw):  # an encoding without Slash brings one into a name
            arriving = [translator.from_local(decoded(name)) for name in raw]
        different = set(keys)
        longest = max(map(len, arriving)) * (1 if translated.isascii() else 2)
        suspicious = (
            wrong
            or longest > MAX_NAME
            or folder.room_utf16 + longest > MAX_PATH
            or FORBIDDEN_ANYWHERE in folded
            or not different.isdisjoint(FORBIDDEN_NAMES)
            or (folder.at_root and FORBIDDEN_AT_ROOT in different)
            or (not translator.is_default and UNTRANSLATED.search(translated) is not None)
        )
        return Names(raw, len(files), keys, arriving, rare, len(different) != len(raw), suspicious)

    def findings(self, folder: Folder, names: Names) -> Iterator[tuple[int, Finding]]:
        """What is wrong with single names: the index and the finding; a name may have several."""
        for index, (raw, arriving) in enumerate(zip(names.raw, names.translated, strict=True)):
            is_dir = index >= names.files
            found = self.name_findings(folder, arriving, is_dir)
            if not raw.isascii():
                found = chain(found, _local_name_findings(decoded(raw), arriving))
            for rule, detail in found:
                yield index, Finding(below(folder, raw), RULES[rule], is_dir, detail)

    def child(self, folder: Folder, raw: bytes, arriving: str, refused: set[str]) -> Folder:
        """A folder inside `folder`, itself under the rules named in `refused`."""
        room = folder.room + len(arriving) + 1
        room_utf16 = folder.room_utf16 + utf16_length(arriving) + 1
        arrives = folder.arrives and not refused
        too_long = folder.too_long or "path_too_long" in refused
        return Folder(_joined(folder, raw), room, room_utf16, False, arrives, too_long)

    def looking_alike(self, folders: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Pairs in one folder: the first arrives under the name that rclone shows of the second."""
        shown = {standard_name(decoded(raw)): raw for raw in folders}
        for standard, raw in shown.items():
            arriving = self.arriving(standard)
            if arriving != standard and arriving in shown:
                yield raw, shown[arriving]

    def _name_rule(self, arriving: str, *, folder: bool, at_root: bool) -> str | None:
        rule = refused_name(arriving, drive_type=self._drive_type, at_root=at_root)
        if rule is None and not self._to_onedrive.is_default:
            unfit = not_translated(arriving, drive_type=self._drive_type, folder=folder)
            rule = "name_not_translated" if unfit else None
        return rule

    def arriving(self, standard: str) -> str:
        """What reaches OneDrive of a name as rclone shows it."""
        return self._to_onedrive.from_standard(standard)

    def plain_length(self, folder: Folder) -> int:
        """The length up to which only certain ASCII names in `folder` break a rule."""
        if folder.at_root or not self._to_onedrive.is_default:
            return 0
        return min(MAX_NAME, MAX_PATH - folder.room)

    def name_findings(
        self, folder: Folder, arriving: str, is_dir: bool
    ) -> Iterator[tuple[str, str]]:
        """What is wrong with a name as it arrives: rules and details."""
        rule = self._name_rule(arriving, folder=is_dir, at_root=folder.at_root)
        if rule is not None:
            yield rule, f"{len(arriving)} characters" if rule == "name_too_long" else ""
        length, as_windows_counts = folder.room + len(arriving), utf16_length(arriving)
        if length > MAX_PATH:
            if not folder.too_long:
                yield "path_too_long", f"{length} characters"
        elif as_windows_counts > MAX_NAME >= len(arriving):
            yield "length_doubtful", f"the name: {as_windows_counts}, as Windows counts"
        elif (whole := folder.room_utf16 + as_windows_counts) > MAX_PATH:
            yield "length_doubtful", f"the path: {whole}, as Windows counts"


def _local_name_findings(name: str, arriving: str) -> Iterator[tuple[str, str]]:
    """What rclone makes of an unusual local name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        yield "name_not_utf8", f"arrives as {arriving}"
    if not opens_again(name):
        yield "name_not_found_again", ""


def decoded(raw: bytes) -> str:
    """A local name as Python carries it, whatever the locale."""
    return raw.decode("utf-8", "surrogateescape")


def below(folder: Folder, raw: bytes) -> str:
    """The path, relative to the source, of a name in a folder."""
    return decoded(_joined(folder, raw))


def _joined(folder: Folder, raw: bytes) -> bytes:
    return folder.path + b"/" + raw if folder.path else raw


def encoded(name: str) -> bytes:
    """The bytes of `decoded`."""
    return name.encode("utf-8", "surrogateescape")
