"""No text from outside takes regular expressions longer than its length: each pattern of the
package meets hostile ones.

For each repetition in a pattern, texts are made that lead to it and repeat it, alone or together
with what leads to it. Their length is doubled three times: the processor time of a linear pattern
grows eightfold, of a quadratic one 64-fold.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pluton_rclone

if sys.version_info >= (3, 11):
    from re import _constants as sre  # type: ignore[attr-defined]  # not public
    from re import _parser as parser
else:
    import sre_constants as sre
    import sre_parse as parser

SHORT, LONG = 1024, 8192
NOTHING = 0.01  # seconds for LONG: so few that no growth can be measured, nor hurt
GROWTH = 24
WAYS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")
TOO_LONG = 5.0  # seconds of processor time: exponential


def module_names() -> list[str]:
    found = pkgutil.walk_packages(pluton_rclone.__path__, "pluton_rclone.")
    return [
        each.name for each in found if ".emulator" not in each.name and "__main__" not in each.name
    ]


def compiled(value: object, name: str, depth: int = 0) -> Iterator[tuple[re.Pattern[Any], str]]:
    """Patterns, each with the name that it is used by; "" in a collection."""
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
    """Patterns that stand in a call, such as re.sub("…", …), and what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of, text = node.func.value, node.args[0]
            if isinstance(of, ast.Name) and of.id == "re" and isinstance(text, ast.Constant):
                with suppress(re.error):
                    yield re.compile(text.value), node.func.attr


def patterns() -> dict[re.Pattern[Any], set[str]]:
    """Every pattern, with the ways in which it is used; all of them where that cannot be seen."""
    files = [Path(str(importlib.import_module(name).__file__)) for name in module_names()]
    source = "\n".join(file.read_text() for file in files)
    found: dict[re.Pattern[Any], set[str]] = {}
    for name, file in zip(module_names(), files, strict=True):
        for pattern, call in written(file):
            if call != "compile":
                found.setdefault(pattern, set()).add(call)
        for variable, value in dict(vars(importlib.import_module(name))).items():
            for pattern, called in compiled(value, variable):
                calls = re.findall(rf"\b{re.escape(called)}\.(\w+)\(", source) if called else []
                used = set(calls) & set(WAYS) or set(WAYS)
                found.setdefault(pattern, set()).update(used)
    for pattern, _ in compiled(dict(vars(importlib.import_module("pluton_rclone.cli.values"))), ""):
        found[pattern] = {"fullmatch"}  # its class has a `pattern`, as loops elsewhere have
    return found


def sample(items: Any) -> str:
    """A text that the items match, more or less: the shortest, first alternatives."""
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
    """(what leads to it, what it repeats) for each repetition without a small bound."""
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
    """What is to be repeated, behind what; with a letter at the end that most patterns do not
    expect."""
    text = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    tree = parser.parse(
        text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else 0
    )
    for lead, body in dict.fromkeys(repetitions(tree)):
        yield f"{lead}\0{body or 'a'}"
        yield f"\0{lead}{body or 'a'}"


def seconds(pattern: re.Pattern[Any], ways: set[str], shape: str, length: int, end: str) -> float:
    lead, _, body = shape.partition("\0")
    text: Any = (lead + body * (length // len(body) + 1))[:length] + end
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1", "replace")
    best = TOO_LONG
    for _ in range(2):
        began = time.process_time()
        if "match" in ways:
            pattern.match(text)
        if "fullmatch" in ways:
            pattern.fullmatch(text)
        if "search" in ways:
            pattern.search(text)
        if ways - {"match", "fullmatch", "search"}:
            pattern.findall(text)
        best = min(best, time.process_time() - began)
        if best < NOTHING:
            break
    return best


class Endless(Exception):
    pass


def test_every_pattern_is_linear() -> None:
    slow: list[str] = []

    def give_up(number: int, frame: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, give_up)
    try:
        for pattern, ways in patterns().items():
            for shape, end in itertools.product(hostile(pattern), ("!", "\x07")):
                signal.setitimer(signal.ITIMER_VIRTUAL, TOO_LONG)
                try:
                    long = seconds(pattern, ways, shape, LONG, end)
                    if long > NOTHING and long > GROWTH * seconds(pattern, ways, shape, SHORT, end):
                        slow.append(f"{pattern.pattern!r} {ways} at {shape!r}: {long:.3f} s")
                        break
                except Endless:
                    slow.append(f"{pattern.pattern!r} at {shape!r}: endless")
                    break
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize(
    "bad", [r"[\w.+@]+(?:[ -]+[\w.+@-]+)*", r"--->\s*(.*?)\s*<---", r"(a|a)*b", r"\s+$"]
)
def test_the_test_finds_those_that_are_not(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.patterns", lambda: {re.compile(bad, re.DOTALL): set(WAYS)})
    with pytest.raises(AssertionError):
        test_every_pattern_is_linear()


def test_names_are_what_rclone_takes_for_names() -> None:
    from pluton_rclone.rclone.locations import REMOTE_NAME

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
        with pytest.raises(ConfigUnreadable, match="without measure"):
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
