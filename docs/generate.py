"""Writes the pages that come from the code: docs/reference.md, docs/options.md, docs/errors.md.

python docs/generate.py            # write them
python docs/generate.py --check    # exit code 1 when a page is not what the code says
"""

from __future__ import annotations

import argparse
import ast
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

import source  # noqa: E402 - found beside this file
from source import Named  # noqa: E402

import pluton_rclone  # noqa: E402
from pluton_rclone import errors  # noqa: E402
from pluton_rclone.cli.app import exit_codes  # noqa: E402
from pluton_rclone.microsoft.entra.known_errors import look_up  # noqa: E402
from pluton_rclone.remote.options import OPTIONS, OWN, Decider, Option  # noqa: E402
from pluton_rclone.values import refusals  # noqa: E402

WRITTEN_BY = "<!-- Written by docs/generate.py from the code. Do not edit: run it again. -->\n"
# What stands in signatures and is nothing to use: seams of the inside, and what only stands in for
# pydantic.
INSIDE = {"Http", "Command", "Child", "Completed", "Source"} | {
    "Home",
    "Order",
    "Run",
    "Runner",
    "Saved",
    "SavedRemote",
    "Target",
}
RAISED = "PlutonRcloneError"


def pages() -> dict[str, str]:
    """Every generated page: file name and text."""
    return {"reference.md": reference(), "options.md": options(), "errors.md": errors_page()}


# ---- reference.md --------------------------------------------------------------------------------


def public() -> list[Named]:
    """What `pluton_rclone.__all__` names, where it is defined."""
    home = source.module(source.PACKAGE)
    found = [(name, home.find(name)) for name in pluton_rclone.__all__]
    return [named for _, named in found if named is not None]


def around(names: list[Named]) -> list[Named]:
    """What stands in the signatures of these, and is not among them."""
    found = {named for name in names for named in source.mentioned(name)}
    found = {named for named in found if named.name not in INSIDE and named not in names}
    found = {named for named in found if "TypeVar(" not in ast.unparse(named.node or ast.Pass())}
    options_of = {
        each
        for named in found
        if named.name.endswith("Options")
        for each in source.mentioned(named)
    }
    return sorted(found | options_of, key=lambda named: (named.name.lower(), named.module))


def reference() -> str:
    names = public()
    others = around(names)
    types = [named for named in others if isinstance(named.node, ast.ClassDef)]
    short = [named for named in others if isinstance(named.node, (ast.Assign, ast.AnnAssign))]
    parts = [
        WRITTEN_BY,
        "# Reference\n",
        "Everything that `from pluton_rclone import …` offers, from the docstrings. Sizes are "
        "bytes, times are seconds, "
        "moments are aware datetimes unless it says otherwise. Whatever goes wrong is raised as a "
        "[`PlutonRcloneError`](errors.md). What an option of a remote means is in "
        "[options.md](options.md); how it all "
        "goes together is in [embedding.md](embedding.md).\n",
        "- Public names: " + ", ".join(link(named) for named in names),
        "- Types that they give and take: " + ", ".join(link(named) for named in types) + "\n",
        "# Public names\n",
        *(section(named) for named in names),
        "# Types that they give and take\n",
        "Import them from the module named, for annotations; the methods above make them.\n",
        *(section(named) for named in types),
        "# Short names in signatures\n",
        "| Name | Stands for |\n|---|---|",
        *(row(f"`{named.name}` ({named.module})", alias(named)) for named in short),
    ]
    return "\n".join(parts) + "\n"


def link(named: Named) -> str:
    return f"[{named.name}](#{named.name.lower()})"


def section(named: Named) -> str:
    node = named.node
    lines = [f"## {named.name}\n", f"*in `{named.module}`*\n"]
    if isinstance(node, ast.ClassDef):
        lines += [source.docstring(node) + "\n", *making(named), *data(named), *kinds(named)]
        methods = [
            found for found in source.members(named) if "http" not in found.signature.split("(")[0]
        ]
        above = source.bases(named)[-2:-1]
        if above and above[0] in public():
            lines += [f"Has all that {link(above[0])} has.\n"]
            inherited = source.members(above[0])
            methods = [found for found in methods if found not in inherited and found.text]
        for found in methods:
            lines += [f"- `{found.signature}`\n"]
            if found.text:
                lines += [textwrap.indent(found.text, "  ") + "\n"]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        lines += [f"`{source.member(node, set()).signature}`\n", source.docstring(node) + "\n"]
    return "\n".join(lines)


def making(named: Named) -> Iterator[str]:
    """How one is made, for classes that callers make themselves and that are no plain records."""
    made = source.constructor(named)
    if made is not None and named.name not in (
        RAISED,
        "Transfer",
        "Storage",
        "SavedRclone",
        "Restic",
        "Preflight",
        "Session",
        "Graph",
        "Throttled",
        "Unreachable",
    ):
        yield f"`{made.signature}`\n"


def kinds(named: Named) -> Iterator[str]:
    """What `Transfer.events` gives, each with the fields that it adds."""
    if named.name != "Event":
        return
    yield "| Kind | Of it, beside `text` and `level` | |\n|---|---|---|"
    for name in source.module(named.module).local:
        kind = Named(named.module, name)
        if named in source.bases(kind)[:-1] and name != "FileEvent":
            more = [f"`{field}`" for field, *_ in source.fields(kind)[2:]]
            shown = ", ".join(more) if name != "Progress" else link(kind)
            yield row(f"`{name}`", shown, source.docstring(kind.node))
    yield ""


def data(named: Named) -> Iterator[str]:
    """The fields of a class as a table; a remote's options have a page of their own."""
    node = named.node
    assert isinstance(node, ast.ClassDef)
    if any(ast.unparse(base).endswith("Enum") for base in node.bases):
        yield (
            "\n".join(f"- `{named.name}.{name}` = {value}" for name, value in source.values(named))
            + "\n"
        )
        return
    rows = source.fields(named)
    if named.name == "OneDriveRemote":
        yield "Its fields are the options in [options.md](options.md).\n"
        return
    if named.name == RAISED:
        rows = [
            ("what", "str", "", "What happened: one sentence."),
            ("why", "str | None", "", "The cause, where it is known."),
            ("who", "Who", "", "Who can fix it."),
            ("advice", "str", "", "The next step."),
            ("link", "str | None", "", "A page that says more."),
            ("details", "dict[str, Any]", "", "For programs and support."),
            ("result", "Any", "", "What was reached before, if anything."),
            ("code", "str", "", "The class's stable code."),
            ("exit_code", "int", "", "The exit code of the command line."),
        ]
    if not rows:
        return
    yield "| Field | Type | Default | |\n|---|---|---|---|"
    for name, kind, default, text in rows:
        default = default.replace("lambda :", "lambda:")  # as Python 3.11 and later write it
        yield row(f"`{name}`", f"`{kind}`", f"`{default}`" if default else "", flat(text))
    yield ""


def alias(named: Named) -> str:
    node = named.node
    assert isinstance(node, (ast.Assign, ast.AnnAssign))
    value = ast.unparse(node.value) if node.value is not None else ""
    text = source.module(named.module).following.get(named.name, "")
    return f"`{value}` {flat(text)}".strip()


# ---- options.md ----------------------------------------------------------------------------------


WHO_DECIDES: dict[Decider, str] = {
    "person": "you",
    "walk": "the walk: name and location",
    "sign_in": "the sign-in",
}


def options() -> str:
    own = [
        row(f"`{option.name}`", option.title, option.help, WHO_DECIDES[option.decided_by])
        for option in OWN
    ]
    parts = [
        WRITTEN_BY,
        "# Options of a OneDrive remote\n",
        "Names, defaults and values are rclone's. Set them with `pluton-rclone connect … --set "
        "OPTION=VALUE`, "
        "`pluton-rclone set NAME OPTION=VALUE`, on the page under Advanced options, or in Python "
        "with "
        '`setup.remote(drive, chunk_size="20Mi")`. Sizes take the units Ki, Mi and Gi, powers of '
        '1024. "Since" is the '
        "first rclone that knows the option: an older one would ignore it without a word, so this "
        "library refuses to use "
        "it then.\n",
        "`pluton-rclone options` prints the same at a terminal; `pluton-rclone options --schema` "
        "prints a JSON Schema "
        "from which a form can be built.\n",
        "## Basic\n",
        *(option_text(option) for option in OPTIONS if option.group == "basic"),
        "## Advanced\n",
        *(option_text(option) for option in OPTIONS if option.group == "advanced"),
        "## Kept by this library\n",
        "They stand in the same section of rclone.conf with `pluton_` in front; rclone passes "
        "them over and keeps them.\n",
        "| Name | | | Decided by |\n|---|---|---|---|",
        *own,
    ]
    return "\n".join(parts) + "\n"


def option_text(option: Option) -> str:
    facts = [
        {
            "switch": "on or off (`true`, `false`)",
            "list": "a list",
            "secret": "a text, secret: never shown",
        }.get(option.kind, f"a {option.kind}"),
        f"in {option.unit}" if option.unit else "",
        f"since rclone {'.'.join(map(str, option.since[:2]))}",
        "" if option.decided_by == "person" else f"decided by {WHO_DECIDES[option.decided_by]}",
    ]
    lines = [f"### `{option.name}`: {option.title}\n", f"{option.help}\n"]
    lines += [f"- {'; '.join(fact for fact in facts if fact)}"]
    lines += [f"- default: {f'`{option.default}`' if option.default else 'none'}"]
    lines += [f"- `{choice.value}`: {choice.label}" for choice in option.choices]
    return "\n".join(lines) + "\n"


# ---- errors.md -----------------------------------------------------------------------------------


def errors_page() -> str:
    words = exit_codes().strip().removeprefix("Exit codes: ").removesuffix(".")
    parts = [
        WRITTEN_BY,
        "# Errors\n",
        "Every error says what happened, why, who can fix it, and the next step. In Python it is "
        "an exception of "
        "`pluton_rclone.errors`; branch on the class or on `error.code`, never on the text. With "
        "`--json` the command line "
        "prints it as a JSON object on stderr. The page shows the same words.\n",
        "## Exit codes\n",
        "| Exit code | Means |\n|---|---|",
        *(row(*part.split(" ", 1)) for part in words.split(" · ")),
        "\n## Exceptions\n",
        "A class stands below the class that it is a kind of: `except SignInError` catches all of "
        "its children. What one "
        "error says may differ from the advice here where more is known.\n",
        "| Class | Code | Exit code | Who can fix it | Advice |\n|---|---|---|---|---|",
        *tree(errors.PlutonRcloneError, 0),
        "\n## What OneDrive and SharePoint refuse\n",
        "Where an answer has no body that can be read (a page of HTML, nothing at all), its status "
        "alone "
        "decides, in rclone's log as in our own requests:\n",
        "| Status | Exception | Who can fix it | Whether the same call can succeed later "
        "|\n|---|---|---|---|",
        *(
            row(
                str(status),
                f"`{meaning.kind.__name__}`",
                str(meaning.who or meaning.kind.default_who),
                "yes" if meaning.retry else "no",
            )
            for status, meaning in refusals.BY_STATUS.items()
        ),
        "\nOther statuses below 500 are a `GraphError`; others from 500 on are `Unreachable`. "
        "With a body, Microsoft's code "
        "decides, the innermost that is known:\n",
        "| Microsoft's code | Exception | Who can fix it |\n|---|---|---|",
        *(
            row(
                f"`{code}`",
                f"`{meaning.kind.__name__}`",
                str(meaning.who or meaning.kind.default_who),
            )
            for code, meaning in refusals.BY_CODE.items()
        ),
        "\n## Microsoft's sign-in errors\n",
        "What Microsoft's numbered errors become. `pluton-rclone errors CODE` says what each "
        "means; CODE may be the whole "
        "message.\n",
        "| Microsoft's code | Exception | Who can fix it | Advice |\n|---|---|---|---|",
        *(
            row(
                f"[{known.code}]({known.link})",
                f"`{known.exception.__name__}`",
                str(known.who),
                known.advice,
            )
            for known in sorted(look_up(""), key=lambda known: known.aadsts)
        ),
    ]
    return "\n".join(parts) + "\n"


def tree(kind: type[errors.PlutonRcloneError], depth: int) -> Iterator[str]:
    yield row(
        "&nbsp;&nbsp;" * depth + f"`{kind.__name__}`",
        f"`{kind.code}`",
        str(kind.exit_code),
        str(kind.default_who),
        kind.default_advice,
    )
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__ and child.__mro__[1] is kind:
            yield from tree(child, depth + 1)


# ---- Markdown ------------------------------------------------------------------------------------


def row(*cells: str) -> str:
    return "| " + " | ".join(flat(cell).replace("|", "\\|") for cell in cells) + " |"


def flat(text: str) -> str:
    return " ".join(text.split())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the pages that come from the code.")
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, text in pages().items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = 1
        if check:
            print(
                f"docs/{name} is not what the code says: run python docs/generate.py",
                file=sys.stderr,
            )
        else:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    return stale if check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
