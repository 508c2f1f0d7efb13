"""The public interface, read from the source: classes, members, signatures and docstrings.

Signatures come from the syntax tree, so that defaults are shown as written, and the text is the
same with every Python.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "pluton_rclone"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Member:
    """A method or property. `names` are the words in its annotations."""

    signature: str
    text: str
    names: frozenset[str]


@dataclass(frozen=True)
class Named:
    """A class, function or alias of a module."""

    module: str
    name: str

    @property
    def node(self) -> ast.stmt | None:
        return module(self.module).local.get(self.name)


@dataclass(frozen=True)
class Module:
    """A module: its definitions, and its imports from this package."""

    name: str
    local: dict[str, ast.stmt]
    imported: dict[str, Named]
    following: dict[str, str]

    def find(self, word: str) -> Named | None:
        """The definition of a name used in this module, if it is in this package."""
        if word in self.local:
            return Named(self.name, word)
        found = self.imported.get(word)
        if found is None:
            return None
        return module(found.module).find(found.name)


@functools.cache
def module(name: str) -> Module:
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    local: dict[str, ast.stmt] = {}
    following: dict[str, str] = {}
    imported: dict[str, Named] = {}
    for index, node in enumerate(tree.body):
        before = tree.body[index - 1] if index else None
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            local[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            local.update((target, node) for target in _targets(node))
        elif (text := _string(node)) and isinstance(before, (ast.Assign, ast.AnnAssign)):
            following.update((target, text) for target in _targets(before))
    for found in ast.walk(tree):
        if isinstance(found, ast.ImportFrom):
            source = _absolute(found, package)
            if source.partition(".")[0] == PACKAGE:
                imported.update(
                    (each.asname or each.name, Named(source, each.name)) for each in found.names
                )
    return Module(name, local, imported, following)


def bases(named: Named) -> list[Named]:
    """The bases of the class in this package, lowest first, and the class."""
    node = named.node
    if not isinstance(node, ast.ClassDef):
        return []
    found: list[Named] = []
    for base in node.bases:
        parent = module(named.module).find(ast.unparse(base).partition("[")[0])
        if parent is not None:
            found += [each for each in bases(parent) if each not in found]
    return [*found, named]


def docstring(node: ast.stmt | None) -> str:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return ast.get_docstring(node) or ""
    return ""


def fields(named: Named) -> list[tuple[str, str, str, str]]:
    """(name, type, default, docstring) of the fields of a class and its bases."""
    rows = []
    for each in bases(named):
        assert isinstance(each.node, ast.ClassDef)
        body = each.node.body
        for node, after in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name, kind = node.target.id, ast.unparse(node.annotation)
                if not name.startswith("_") and "ClassVar" not in kind:
                    rows.append((name, kind, _default(node.value), _string(after) or ""))
    return rows


def values(named: Named) -> list[tuple[str, str]]:
    """The members of an enumeration."""
    assert isinstance(named.node, ast.ClassDef)
    return [
        (target, ast.unparse(node.value))
        for node in named.node.body
        if isinstance(node, ast.Assign)
        for target in _targets(node)
        if target.isupper()
    ]


def members(named: Named) -> list[Member]:
    """Public methods and properties, those of the bases first, each once."""
    found: dict[str, Member] = {}
    for each in bases(named):
        assert isinstance(each.node, ast.ClassDef)
        for node in each.node.body:
            if isinstance(
                node, (ast.FunctionDef, ast.AsyncFunctionDef)
            ) and not node.name.startswith("_"):
                decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
                if not any(
                    name.endswith((".setter", "validator")) or "validator(" in name
                    for name in decorators
                ):
                    found[node.name] = member(node, decorators)
    return list(found.values())


def constructor(named: Named) -> Member | None:
    """The constructor, if the class or a base has its own `__init__`."""
    classes = [one.node for one in reversed(bases(named))]
    for node in (each for one in classes if isinstance(one, ast.ClassDef) for each in one.body):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            found = member(node, set())
            signature = found.signature.replace("__init__", named.name).removesuffix(" -> None")
            return Member(signature, found.text, found.names)
    return None


def member(node: Function, decorators: set[str]) -> Member:
    names = frozenset(
        word.id
        for annotation in _annotations(node)
        for word in ast.walk(annotation)
        if isinstance(word, ast.Name)
    )
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if "property" in decorators:
        return Member(node.name + returns.replace(" -> ", ": "), docstring(node), names)
    arguments = node.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments = ast.arguments(
            arguments.posonlyargs,
            arguments.args[1:],
            arguments.vararg,
            arguments.kwonlyargs,
            arguments.kw_defaults,
            arguments.kwarg,
            arguments.defaults,
        )
    before = "classmethod " if "classmethod" in decorators else ""
    context = "with " if "contextmanager" in decorators else ""
    return Member(
        f"{before}{context}{node.name}({ast.unparse(arguments)}){returns}", docstring(node), names
    )


def mentioned(named: Named) -> Iterator[Named]:
    """The definitions in this package that the annotations of a class or function name."""
    for each in bases(named) or [named]:
        node, here = each.node, module(each.module)
        words = (
            {word for found in members(each) for word in found.names}
            if isinstance(node, ast.ClassDef)
            else set()
        )
        if isinstance(node, ast.ClassDef):
            kinds = [ast.parse(kind, mode="eval") for _, kind, _, _ in fields(each)]
            words |= {
                word.id for kind in kinds for word in ast.walk(kind) if isinstance(word, ast.Name)
            }
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            words = set(member(node, set()).names)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            words = {word.id for word in ast.walk(node.value) if isinstance(word, ast.Name)}
        for word in sorted(words):
            found = here.find(word)
            if found is not None and found != named:
                yield found


def _annotations(node: Function) -> Iterator[ast.expr]:
    every = [
        *node.args.posonlyargs,
        *node.args.args,
        *node.args.kwonlyargs,
        node.args.vararg,
        node.args.kwarg,
    ]
    yield from (
        argument.annotation for argument in every if argument is not None and argument.annotation
    )
    if node.returns:
        yield node.returns


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _string(node: ast.stmt | None) -> str | None:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return inspect.cleandoc(node.value.value)
    return None


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    text = ast.unparse(value)
    if text.startswith("field("):
        assert isinstance(value, ast.Call)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords}
        return given.get(
            "default", f"{given['default_factory']}()" if "default_factory" in given else ""
        )
    return text
