"""rclone.conf as text: read exactly as rclone reads it, and edited without changing other bytes.

rclone reads its file with github.com/unknwon/goconfig 1.0.0 (read.go, conf.go), whose behaviour
explains what looks odd below: `:` separates like `=`; backticks and triple quotes enclose a value;
the last of duplicate keys counts; sections with the same name are merged; `%(name)s` is expanded;
`[a.b]` inherits missing keys from `[a]`. Text is UTF-8 with surrogateescape, which keeps any bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pluton_rclone.errors import ConfigUnreadable, StorageNotFound
from pluton_rclone.values.conf_text import DEFAULT, SPACE, VARIABLE, handed_down, parent_of

_BOM = "\ufeff"
_SEPARATOR = re.compile("[=:]")
_LINE = re.compile("[^\n]*\n|[^\n]+")  # to rclone, only LF ends a line
_MOST_EXPANSIONS = 200
_LONGEST_VALUE = 2**20  # characters; each variable may double it
LOOP = "rclone itself crashes on it"
_SECTION_MARK = " "  # a key that rclone itself sets to create a section


class Line(NamedTuple):
    """One line with its line end. `key` is None unless it is a `key = value` line."""

    raw: str
    section: str
    key: str | None = None
    value: str = ""
    is_header: bool = False
    is_comment: bool = False

    def __repr__(self) -> str:
        # the value may be a secret
        return f"Line([{self.section}] {self.key or 'comment'})"

    @property
    def is_blank(self) -> bool:
        return self.key is None and not self.is_header and not self.is_comment

    def with_value(self, value: str) -> Line:
        """The line with another value, but the same key, separator, spacing and line end."""
        body = self.raw.rstrip(SPACE)
        end = self.raw[len(body) :]
        split = _value_index(self.raw) + 1
        rest = body[split:]
        gap = rest[: len(rest) - len(rest.lstrip(SPACE))] if rest.strip(SPACE) else " "
        raw = self.raw[:split] + gap + quoted(value) + (end.lstrip(" \t") or end)
        return self._replace(raw=raw, value=value)


class Document:
    """A whole rclone.conf. Every edit returns a new document; unedited, `text` is unchanged."""

    def __init__(self, lines: tuple[Line, ...] = ()) -> None:
        self.lines = lines
        self._sections = found = dict[str, dict[str, str]]()
        for line in lines:
            if line.is_header:
                found.setdefault(line.section, {})
            elif line.key is not None:
                values = found.setdefault(line.section, {})
                if line.key != _SECTION_MARK:
                    values[line.key] = line.value

    def __repr__(self) -> str:
        return f"Document({self.names()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.lines == other.lines

    def text(self) -> str:
        return "".join(line.raw for line in self.lines)

    @property
    def sections(self) -> Mapping[str, Mapping[str, str]]:
        """The sections' own keys as they are in the file, `%(name)s` not expanded."""
        return self._sections

    def names(self) -> list[str]:
        """The names of the sections in the order of the file, each once."""
        return list(self._sections)

    def __contains__(self, name: object) -> bool:
        return name in self._sections

    def require(self, *names: str) -> Document:
        """This document, if it has all of these sections. Raises StorageNotFound."""
        if missing := [name for name in names if name not in self]:
            raise StorageNotFound(f"there is no remote {missing[0]!r}")
        return self

    def section(self, name: str) -> dict[str, str]:
        """The section as `rclone config dump` shows it: its own keys, `%(name)s` expanded."""
        return {key: self._expanded(name, value) for key, value in self._sections[name].items()}

    def whole_section(self, name: str) -> dict[str, str]:
        """The section as rclone uses it: its own keys and those that it inherits."""
        return {**self.section(name), **self.inherited(name)}

    def inherited(self, name: str) -> dict[str, str]:
        """The keys that the section inherits: `[a.b]` from `[a]`, if it does not have them."""
        return {
            key: self._expanded(where, self._sections[where][key])
            for key, where in handed_down(self._sections, name).items()
            if key not in self._sections[name]
        }

    def _without_heirs(self, name: str) -> Document:
        """Copy this section's keys to the sections that inherit them, so that it can be removed."""
        document = self
        for heir in self._sections:
            if parent_of(heir) == name:
                document = document.changed(heir, document.inherited(heir))
        return document

    def _expanded(
        self, name: str, value: str, depth: int = 0, known: dict[str, str | None] | None = None
    ) -> str:
        if depth > _MOST_EXPANSIONS:
            what = f"the section [{name}] has a %(name)s that refers back to itself"
            raise ConfigUnreadable(what, why=LOOP)
        known = {} if known is None else known
        for _ in range(_MOST_EXPANSIONS):
            match = VARIABLE.search(value)
            if match is None:
                break
            variable = match.group().lstrip("%(").rstrip(")s")
            if variable not in known:  # once each: nested variables would grow exponentially
                default = self._sections.get(DEFAULT, {}).get(variable)
                known[variable] = default and self._expanded(DEFAULT, default, depth + 1, known)
            found = known[variable]
            if found is None and name != DEFAULT:
                found = self._sections[name].get(variable)
            value = value.replace(match.group(), found or "")
            if len(value) > _LONGEST_VALUE:
                raise ConfigUnreadable(f"the section [{name}] has %(name)s that grow without limit")
        return value

    @property
    def line_end(self) -> str:
        first = next((line.raw for line in self.lines if line.raw.endswith("\n")), "\n")
        return "\r\n" if first.endswith("\r\n") else "\n"

    def changed(self, name: str, changes: Mapping[str, str | None]) -> Document:
        """Set (text) or remove (None) keys of an existing section. A removed key that would then be
        inherited becomes empty instead, which is the default to rclone."""
        current = self._sections[name]
        empty = dict.fromkeys(handed_down(self._sections, name), "")
        texts = {key: empty.get(key) if text is None else text for key, text in changes.items()}
        wanted = {key: text for key, text in texts.items() if text != current.get(key)}
        if not wanted:
            return self
        last = {line.key: n for n, line in enumerate(self.lines) if line.section == name}
        lines: list[Line] = []
        for index, line in enumerate(self.lines):
            if line.section == name and line.key in wanted:
                value = wanted[line.key]
                if value is None:
                    continue
                line = line.with_value(value) if last[line.key] == index else line
            lines.append(line)
        added = {key: text for key, text in wanted.items() if text is not None and key not in last}
        new = [self._key_line(name, key, text) for key, text in added.items()]
        if new:
            mine = [n for n, line in enumerate(lines) if line.section == name]
            where = max(n for n in mine if lines[n].key or lines[n].is_header)
            lines[where : where + 1] = [self._ended(lines[where]), *new]
        return Document(tuple(lines))

    def _key_line(self, name: str, key: str, value: str) -> Line:
        return Line(f"{key} = {quoted(value)}{self.line_end}", name, key, value)

    def _ended(self, line: Line) -> Line:
        is_ended = line.raw.endswith("\n") or line.raw == _BOM
        return line if is_ended else line._replace(raw=line.raw + self.line_end)

    def with_section(
        self, name: str, values: Mapping[str, str], above: str | None = None
    ) -> Document:
        """Add a section, and a blank line, `above` another and its comment, or at the end."""
        new, lines = self._section_lines(name, values), list(self.lines)
        if above is not None:
            at = [owner for _, owner in self._owned()].index(above)
            return Document((*lines[:at], *new, Line(self.line_end, name), *lines[at:]))
        if lines:
            lines[-1] = self._ended(lines[-1])
            if not lines[-1].is_blank:
                lines.append(Line(self.line_end, lines[-1].section))
        return Document((*lines, *new))

    def _section_lines(self, name: str, values: Mapping[str, str]) -> list[Line]:
        header = Line(f"[{name}]{self.line_end}", name, is_header=True)
        return [header, *(self._key_line(name, key, value) for key, value in values.items())]

    def without_section(self, name: str) -> Document:
        """Remove a section and the comment right above its header; the next section's stays."""
        owned = self._without_heirs(name)._owned()
        return Document(tuple(line for line, owner in owned if owner != name or line.raw == _BOM))

    def renamed(self, name: str, new_name: str) -> Document:
        """Rename a section; its place, comments and spacing stay. Keys that it inherited by its old
        name, or that others inherited from it, are copied to their sections."""

        def raw(line: Line) -> str:
            if line.section != name or not line.is_header:
                return line.raw
            return line.raw.replace(line.raw.strip(SPACE), f"[{new_name}]", 1)

        alone = self._without_heirs(name).changed(name, self.inherited(name))
        return parse("".join(map(raw, alone.lines)))

    def only(self, names: Iterable[str]) -> Document:
        """A new document with only these sections, with inherited keys and expanded variables."""
        new, lines = Document(), list[Line]()
        for name in names:  # `with_section` would create a document for each
            if lines:
                lines.append(Line(new.line_end, lines[-1].section))
            lines += new._section_lines(name, self.whole_section(name))
        return Document(tuple(lines))

    def _owned(self) -> Iterator[tuple[Line, str]]:
        """Each line with the section whose removal would remove it, too."""
        owner = DEFAULT
        waiting: list[Line] = []
        for line in self.lines:
            if line.is_comment:
                waiting.append(line)
                continue
            # a comment before a blank line belongs to no section
            comments = line.section if line.is_header else "" if line.is_blank else owner
            yield from ((comment, comments) for comment in waiting)
            waiting.clear()
            owner = line.section if line.is_header else owner
            yield line, owner
        yield from ((comment, "") for comment in waiting)


def quoted(value: str) -> str:
    """The text that is read back as `value`: enclosed if its first or last character needs it."""
    plain = value.strip(SPACE) == value and not (len(value) >= 2 and value[0] == "`")
    return value if plain and not _has_triple_quote(value) else f"`{value}`"


def parse(text: str) -> Document:
    """Parse an rclone.conf. Raises ConfigUnreadable, with the line that rclone would reject."""
    section = DEFAULT
    lines = [Line(_BOM, section)] if text.startswith(_BOM) else []
    nameless = False
    dashes = 0
    for number, raw in enumerate(_LINE.findall(text.removeprefix(_BOM)), 1):
        body = raw.strip(SPACE)
        if not body:
            lines.append(Line(raw, section))
        elif body[0] in "#;":
            lines.append(Line(raw, section, is_comment=True))
        elif body[0] == "[" and body[-1] == "]":
            section = body[1:-1].strip(SPACE)
            nameless = not section
            section = section or DEFAULT
            dashes = 0
            lines.append(Line(raw, section, is_header=True))
        elif nameless:
            raise _unreadable(number, "it belongs to a section without a name")
        else:
            key, value = _key_value(body, number)
            if key == "-":
                dashes += 1
                key = f"#{dashes}"
            # rclone ignores a key without a name
            lines.append(Line(raw, section, key or None, value, is_comment=not key))
    return Document(tuple(lines))


def _has_triple_quote(text: str) -> bool:
    # rclone counts bytes
    return text.startswith('"""') and len(text.encode("utf-8", "surrogateescape")) >= 6


def _unreadable(number: int, why: str) -> ConfigUnreadable:
    # The message does not quote the line, which may hold a secret.
    return ConfigUnreadable(f"line {number} of rclone.conf cannot be read", why=why, line=number)


def _quoted_key_end(body: str) -> tuple[int, int]:
    """The start and end of a quoted key; (0, 0) if it is not quoted, end -1 if it is not closed."""
    quote = '"""' if _has_triple_quote(body) else body[0] if body[0] in '"`' else ""
    return (len(quote), body.find(quote, len(quote))) if quote else (0, 0)


def _value_index(raw: str) -> int:
    """The index of the separator in a `key = value` line."""
    indent = len(raw) - len(raw.lstrip(SPACE))
    start, end = _quoted_key_end(raw.strip(SPACE))
    match = _SEPARATOR.search(raw, indent + (end if start else 0))
    return match.start() if match else -1


def _key_value(body: str, number: int) -> tuple[str, str]:
    start, end = _quoted_key_end(body)
    if end == -1:
        raise _unreadable(number, "the quote around the key is not closed")
    match = _SEPARATOR.search(body, end)
    if match is None or match.start() == end:
        raise _unreadable(number, "it is neither a [section], nor a comment, nor key = value")
    key = body[start:end] if start else body[: match.start()].strip(SPACE)
    return key, _value(body[match.start() + 1 :].strip(SPACE), number)


def _value(text: str, number: int) -> str:
    is_quoted = len(text) >= 2 and text[0] == "`"
    quote = "`" if is_quoted else '"""' if _has_triple_quote(text) else ""
    if not quote:
        return text
    end = text.rfind(quote, len(quote))
    if end == -1:
        raise _unreadable(number, "the quote around the value is not closed")
    return text[len(quote) : end]
