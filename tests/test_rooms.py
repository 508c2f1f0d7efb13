"""No module of the package depends on itself in a circle, not even by a late or a type-checking
import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, module: str, is_package: bool, known: set[str]) -> Iterator[str]:
    """The modules that a syntax tree imports, anywhere in it."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = (
                package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            )
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                if name in known:
                    yield name
                elif base in known:
                    yield base


def arrows(folder: Path) -> dict[str, set[str]]:
    """Every module below a folder, and the modules that it imports; the package of an imported
    module is left out."""
    files = {module_of(path): path for path in folder.rglob("*.py")}
    return {
        module: set(
            imported(ast.parse(path.read_text()), module, path.stem == "__init__", set(files))
        )
        for module, path in files.items()
    }


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that can each be reached from the others (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in arrows[module]:
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            at = stack.index(module)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1 or module in arrows[module]:
                found.append(group)

    for module in arrows:
        if module not in number:
            visit(module)
    return found


def test_no_import_goes_round_in_a_circle() -> None:
    assert circles(arrows(ROOT / "pluton_rclone")) == []


def test_a_circle_is_found_wherever_its_imports_stand() -> None:
    module = "pluton_rclone.a"
    known = {"pluton_rclone", module, "pluton_rclone.b", "pluton_rclone.c"}
    text = (
        "if TYPE_CHECKING:\n    from .b import B\ndef late():\n    from pluton_rclone import "
        "c, nothing\n"
    )
    assert set(imported(ast.parse(text), module, False, known)) == {
        "pluton_rclone.b",
        "pluton_rclone.c",
        "pluton_rclone",
    }
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]
