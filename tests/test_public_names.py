"""The public names of the package, and the cost of its import."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pluton_rclone

PACKAGE = Path(pluton_rclone.__file__).parent
STARTERS = ("os.system", "os.popen", "os.fork", "os.execv", "os.posix_spawn", "os.spawnv")


@functools.cache
def trees() -> dict[Path, list[ast.AST]]:
    """The whole syntax tree of every module."""
    return {
        path: list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        for path in PACKAGE.rglob("*.py")
    }


def test_every_public_name_exists_and_the_list_is_complete_and_sorted() -> None:
    tree = ast.parse(Path(pluton_rclone.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for each in node.body
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }
    assert pluton_rclone.__all__ == sorted(typed)
    for name in pluton_rclone.__all__:
        assert getattr(pluton_rclone, name).__doc__, name


def test_importing_the_storages_loads_neither_msal_nor_requests_nor_rich() -> None:
    code = "from pluton_rclone import Storages; import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    top = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert top.isdisjoint(
        {"msal", "requests", "rich", "rclone_python", "pydantic", "click", "starlette"}
    )


def test_only_the_room_of_processes_starts_them() -> None:
    starters = {
        str(path.relative_to(PACKAGE))
        for path, nodes in trees().items()
        for node in nodes
        if (
            isinstance(node, ast.Import) and any(alias.name == "subprocess" for alias in node.names)
        )
        or (isinstance(node, ast.ImportFrom) and node.module == "subprocess")
        or (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and f"{node.value.id}.{node.attr}" in STARTERS
        )
    }
    assert {path.partition("/")[0] for path in starters} == {"process"}


def test_no_shell_is_ever_asked_for() -> None:
    for path, nodes in trees().items():
        for node in nodes:
            assert not (isinstance(node, ast.keyword) and node.arg == "shell"), path
