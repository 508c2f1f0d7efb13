"""No text from outside takes regular expressions longer than its length: each pattern of the
package meets hostile texts.

For each repetition in a pattern, texts are made that reach it and repeat it, alone or together with
the part before it. Their length is doubled twice: the steps of a linear pattern grow fourfold,
those of a quadratic one sixteenfold.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import itertools
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pluton_rclone
from pluton_rclone.cli import values as cli_values

if sys.version_info >= (3, 11):
    from re import _constants as sre  # type: ignore[attr-defined]  # not public
    from re import _parser as parser
else:
    import sre_constants as sre
    import sre_parse as parser

SHORT, LONG = 60, 240
GROWTH = 8
KEPT = re.IGNORECASE | re.DOTALL | re.MULTILINE | re.ASCII
MOST = 100_000  # steps: exponential
WAYS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")


def module_names() -> list[str]:
    found = pkgutil.walk_packages(pluton_rclone.__path__, "pluton_rclone.")
    return [
        each.name for each in found if ".emulator" not in each.name and "__main__" not in each.name
    ]


def compiled(value: object, name: str, depth: int = 0) -> Iterator[tuple[re.Pattern[Any], str]]:
    """Patterns, each with the method that uses it; "" in a collection."""
    if isinstance(value, re.Pattern):
        yield value, name
    elif depth < 4 and isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from compiled(each, "", depth + 1)
    elif depth < 4 and isinstance(value, dict):
        yield from compiled([*value, *value.values()], "", depth + 1)
    elif depth < 3 and type(value).__module__.startswith("pluton_rclone"):
        for attribute, each in dict(getattr(value, "__dict__", {})).items():
            yield from compiled(each, attribute, depth + 1)


def written(path: Path) -> Iterator[tuple[re.Pattern[Any], str]]:
    """Patterns in a call, such as re.sub("…", …), and the called function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of, text = node.func.value, node.args[0]
            if isinstance(of, ast.Name) and of.id == "re" and isinstance(text, ast.Constant):
                with suppress(re.error):
                    yield re.compile(text.value), node.func.attr


@functools.cache
def patterns() -> dict[re.Pattern[Any], set[str]]:
    """Every pattern, with the methods that use it; all methods if that is unknown."""
    files = [Path(str(importlib.import_module(name).__file__)) for name in module_names()]
    source = "\n".join(file.read_text() for file in files)
    all_calls: dict[str, set[str]] = {}
    for owner, call in re.findall(rf"\b(\w+)\.({'|'.join(WAYS)})\(", source):
        all_calls.setdefault(owner, set()).add(call)
    found: dict[re.Pattern[Any], set[str]] = {}
    for name, file in zip(module_names(), files, strict=True):
        for pattern, call in written(file):
            if call != "compile":
                found.setdefault(pattern, set()).add(call)
        for variable, value in dict(vars(importlib.import_module(name))).items():
            for pattern, called in compiled(value, variable):
                used = all_calls.get(called) or set(WAYS)
                found.setdefault(pattern, set()).update(used)
    for form in (cli_values.RATE, cli_values.SIZES, cli_values.AGES, cli_values.TIMES):
        text = inspect.getclosurevars(form).nonlocals["pattern"]  # compiled when it is needed
        found[re.compile(text, re.IGNORECASE | re.ASCII)] = {"fullmatch"}
    return found


def sample(items: Any) -> str:
    """A text that the items roughly match: the shortest, with first alternatives."""
    text = ""
    for kind, value in items:
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind is sre.NOT_LITERAL:
            text += "a" if value != ord("a") else "b"
        elif kind is sre.ANY:
            text += "a"
        elif kind is sre.IN:
            text += member(value)
        elif kind is sre.BRANCH:
            text += sample(value[1][0])
        elif kind is sre.SUBPATTERN:
            text += sample(value[-1])
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            text += sample(value[2]) * min(value[0], 40)
    return text


def member(choices: Any) -> str:
    negated = bool(choices) and choices[0][0] is sre.NEGATE
    whole = re.compile("[" + "".join(part(choice) for choice in choices) + "]")
    order = "a-1 .A%\\\"'=\t@\n:/\udc80" if negated else "-a1 .A_%\\\"'=\t@\n:/\udc80{}"
    candidates = [*order, *(chr(c) for c in range(1, 256)), *map(chr, range(0x2000, 0x2440))]
    return next((each for each in candidates if whole.match(each)), "a")


def part(choice: Any) -> str:
    kind, value = choice
    if kind is sre.NEGATE:
        return "^"
    if kind is sre.LITERAL:
        return re.escape(chr(value))
    if kind is sre.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    names = {
        sre.CATEGORY_DIGIT: r"\d",
        sre.CATEGORY_NOT_DIGIT: r"\D",
        sre.CATEGORY_SPACE: r"\s",
        sre.CATEGORY_NOT_SPACE: r"\S",
        sre.CATEGORY_WORD: r"\w",
        sre.CATEGORY_NOT_WORD: r"\W",
    }
    return names[value]


def repetitions(items: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(the part before it, the repeated part) for each repetition without a small bound."""
    for index, (kind, value) in enumerate(items):
        lead = before + sample(items[:index])
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            if value[1] is sre.MAXREPEAT or value[1] > 8:
                bodies = {sample(value[2])}
                for each_kind, each in value[2]:
                    if each_kind is sre.BRANCH:
                        bodies |= {sample(branch) for branch in each[1]}
                    if each_kind is sre.IN:
                        bodies |= {
                            sample([(sre.IN, [choice])])
                            for choice in each
                            if choice[0] is not sre.NEGATE
                        }
                for body in bodies:
                    yield lead, body
            yield from repetitions(value[2], lead)
        elif kind is sre.SUBPATTERN:
            yield from repetitions(value[-1], lead)
        elif kind is sre.BRANCH:
            for branch in value[1]:
                yield from repetitions(branch, lead)


def hostile(pattern: re.Pattern[Any]) -> Iterator[str]:
    """The repeated part after the part before it, with a final letter that most patterns do not
    expect."""
    for lead, body in dict.fromkeys(repetitions(tree(pattern))):
        yield f"{lead}\0{body or 'a'}"
        yield f"\0{lead}{body or 'a'}"


class Endless(Exception):
    """More steps than any polynomial would take."""


class Steps:
    """Matches as Python's engine does, by backtracking, and counts the characters that it tries.

    It measures no time, so a busy machine changes nothing. A repetition with a bound of up to 512
    is tried with a bound of 12: it costs a constant per character. A larger one counts as endless.
    """

    def __init__(self, pattern: re.Pattern[Any], text: str) -> None:
        self.text, self.count = text, 0
        self.items = nodes(tree(pattern), pattern.flags & KEPT)

    def tried(self, matches: Match, at: int) -> bool:
        self.count += 1
        if self.count > MOST:
            raise Endless
        return matches(self.text, at) is not None

    def ends(self, items: tuple[Node, ...], at: int) -> Iterator[int]:
        """Each position where a match of the items from `at` can end, the preferred one first."""
        for index, (kind, value) in enumerate(items):
            if kind is not sre.ANY:
                rest = items[index + 1 :]
                for middle in self.one(kind, value, at):
                    if rest:
                        yield from self.ends(rest, middle)
                    else:
                        yield middle
                return
            if not self.tried(value, at):
                return
            at += 1
        yield at

    def one(self, kind: Any, value: Any, at: int) -> Iterator[int]:
        if kind is sre.AT:
            if self.tried(value, at):
                yield at
        elif kind is sre.BRANCH:
            for branch in value:
                yield from self.ends(branch, at)
        elif kind is sre.ASSERT:
            wanted, back, body = value
            found = at >= back and any(True for _ in self.ends(body, at - back))
            if found is wanted:
                yield at
        else:
            greedy, low, high, body = value
            yield from self.repeated(greedy, low, high, body, at)

    def repeated(
        self, greedy: bool, low: int, high: int, body: tuple[Node, ...], at: int
    ) -> Iterator[int]:
        if low <= 0 and not greedy:
            yield at
        if len(body) == 1 and body[0][0] is sre.ANY and greedy:
            end = at
            while end - at < high and self.tried(body[0][1], end):
                end += 1
            yield from range(end, at + max(low, 0) - 1, -1)
            return
        if high > 0:
            for middle in self.ends(body, at):
                if middle > at:
                    yield from self.repeated(greedy, low - 1, high - 1, body, middle)
        if low <= 0 and greedy:
            yield at

    def match(self, at: int = 0) -> int | None:
        return next(self.ends(self.items, at), None)

    def fullmatch(self) -> bool:
        return any(end == len(self.text) for end in self.ends(self.items, 0))

    def findall(self) -> list[tuple[int, int]]:
        found, at = [], 0
        while at <= len(self.text):
            end = self.match(at)
            if end is not None:
                found.append((at, end))
            at = end if end is not None and end > at else at + 1
        return found


def nodes(items: Any, flags: int) -> tuple[Node, ...]:
    """The parsed pattern, with everything that matches one character as sre.ANY."""
    made: list[Node] = []
    for kind, value in items:
        if code := single(kind, value):
            made.append((sre.ANY, re.compile(code, flags).match))
        elif kind is sre.AT:
            made.append((kind, re.compile(PLACES[value], flags).match))
        elif kind is sre.BRANCH:
            made.append((kind, [nodes(branch, flags) for branch in value[1]]))
        elif kind is sre.SUBPATTERN:
            _, more, fewer, body = value  # flags for this group, as in (?-i:…)
            made += nodes(body, flags & ~fewer | more)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            back = value[1].getwidth()[0] if value[0] < 0 else 0
            made.append((sre.ASSERT, (kind is sre.ASSERT, back, nodes(value[1], flags))))
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, body = value
            most = 10**9 if high is sre.MAXREPEAT or high > 512 else max(low, min(high, 12))
            greedy = kind is sre.MAX_REPEAT
            made.append((sre.MAX_REPEAT, (greedy, low, most, nodes(body, flags))))
        else:
            raise NotImplementedError(f"{kind}: teach it to this function")
    return tuple(made)


PLACES = {
    sre.AT_BEGINNING: "^",
    sre.AT_BEGINNING_STRING: r"\A",
    sre.AT_BOUNDARY: r"\b",
    sre.AT_NON_BOUNDARY: r"\B",
    sre.AT_END: "$",
    sre.AT_END_STRING: r"\Z",
}


Match = Callable[[str, int], object]
Node = tuple[Any, Any]


@functools.cache
def tree(pattern: re.Pattern[Any]) -> Any:
    text, flags = pattern.pattern, pattern.flags
    if isinstance(text, bytes):
        return parser.parse(text.decode("latin-1"), flags & ~re.UNICODE)
    return parser.parse(text, flags)


def single(kind: Any, value: Any) -> str:
    """The part that matches this one character, as a pattern; "" if there is none."""
    if kind is sre.LITERAL:
        return re.escape(chr(value))
    if kind is sre.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    if kind is sre.ANY:
        return "."
    if kind is sre.IN:
        return "[" + "".join(part(choice) for choice in value) + "]"
    return ""


def steps(pattern: re.Pattern[Any], ways: set[str], shape: str, length: int, end: str) -> int:
    lead, _, body = shape.partition("\0")
    text = (lead + body * (length // len(body) + 1))[:length] + end
    counted = Steps(pattern, text)
    if "match" in ways:
        counted.match()
    if "fullmatch" in ways:
        counted.fullmatch()
    if ways - {"match", "fullmatch"}:
        counted.findall()
    return counted.count


def slow_shapes(pattern: re.Pattern[Any], ways: set[str]) -> Iterator[str]:
    for shape, end in itertools.product(hostile(pattern), ("!", "\x07")):
        try:
            short, long = (steps(pattern, ways, shape, length, end) for length in (SHORT, LONG))
        except Endless:
            yield f"{pattern.pattern!r} {ways} at {shape!r}: endless"
            continue
        if long > GROWTH * short:
            yield f"{pattern.pattern!r} {ways} at {shape!r}: {short} steps, then {long}"


@pytest.fixture
def deep() -> Iterator[None]:
    """The recursion for a repeated group is as deep as its number of rounds."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("deep")
def test_every_pattern_is_linear() -> None:
    slow = [
        each for found in patterns().items() for each in itertools.islice(slow_shapes(*found), 1)
    ]
    assert not slow, "\n".join(slow)


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize(
    "bad",
    [
        r"[\w.+@]+(?:[ -]+[\w.+@-]+)*",
        r"--->\s*(.*?)\s*<---",
        r"(a|a)*b",
        r"\s+$",
        "The certificate .{0,4096} cannot be used",
    ],
)
def test_the_count_finds_those_that_are_not(bad: str) -> None:
    assert any(slow_shapes(re.compile(bad, re.DOTALL), set(WAYS)))


@pytest.mark.usefixtures("deep")
def test_the_count_matches_what_the_engine_matches() -> None:
    """On the same hostile texts: a count for another language would prove nothing."""
    for pattern in patterns():
        for shape in hostile(pattern):
            text = shape.replace("\0", "") * 3 + "!"
            given: Any = text.encode("latin-1", "replace") if is_bytes(pattern) else text
            if is_bytes(pattern):
                text = given.decode("latin-1")
            engine = [found.span() for found in pattern.finditer(given)]
            counted = Steps(pattern, text)
            if any(begin == end for begin, end in engine):
                continue  # empty matches beside others differ between Pythons
            assert [(b, e) for b, e in counted.findall() if e > b] == engine, (pattern, text)


def is_bytes(pattern: re.Pattern[Any]) -> bool:
    return isinstance(pattern.pattern, bytes)


def test_names_are_what_rclone_takes_for_names() -> None:
    from pluton_rclone.values.conf_text import REMOTE_NAME

    rclones = re.compile(r"[\w.+@]+(?:[ -]+[\w.+@-]+)*")
    for length in range(8):
        for letters in itertools.product("a -:", repeat=length):
            text = "".join(letters)
            ours, theirs = REMOTE_NAME.match(text), rclones.match(text)
            assert (ours and ours.group()) == (theirs and theirs.group()), text


@pytest.mark.parametrize("ends", ["", "x" * 100])
def test_variables_that_double_exhaust_neither_memory_nor_time(ends: str) -> None:
    from pluton_rclone.conf.ini import parse
    from pluton_rclone.errors import ConfigUnreadable

    levels = [
        f"a{n} = %(b{n})s%(c{n})s\nb{n} = %(a{n + 1})s\nc{n} = %(a{n + 1})s\n" for n in range(60)
    ]
    text = f"[DEFAULT]\n{''.join(levels)}a60 = {ends}\n[one]\ntype = %(a0)s\n"
    document = parse(text)
    if ends:
        with pytest.raises(ConfigUnreadable, match="without limit"):
            document.section("one")
    else:
        assert document.section("one") == {"type": ""}


def test_nested_tokens_are_errors_of_ours() -> None:
    from pluton_rclone.errors import PlutonRcloneError
    from pluton_rclone.microsoft.entra.paste import read_paste
    from pluton_rclone.values.token_text import token_fields

    for depth in (100, 300, 900, 980, 100_000):
        nested = "[" * depth + "]" * depth
        for text in (
            nested,
            '{"a":' * depth,
            f'{{"token": {nested}}}',
            f'{{"access_token":"a","x":{nested}}}',
        ):
            with suppress(PlutonRcloneError):
                read_paste(text)
            token_fields(text)
        option = f'{{"token": {{"access_token":"a","refresh_token":"b"}}, "other": {nested}}}'
        with suppress(PlutonRcloneError):
            read_paste(option)
