"""Writes the pages that come from the code: docs/reference.md, docs/options.md, docs/errors.md.

python docs/generate.py            # write them
python docs/generate.py --check    # exit code 1 if a page does not match the code
"""

from __future__ import annotations

import argparse
import ast
import re
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
# Names in signatures that callers do not use: internal interfaces, and stand-ins for pydantic.
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
    """The definitions of the names in `pluton_rclone.__all__`."""
    home = source.module(source.PACKAGE)
    found = [(name, home.find(name)) for name in pluton_rclone.__all__]
    return [named for _, named in found if named is not None]


def around(names: list[Named]) -> list[Named]:
    """The other types in the signatures of these."""
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
        prose(
            "All names of `from pluton_rclone import …`, with their docstrings. Unless stated "
            "otherwise, sizes are in bytes, durations in seconds, and points in time are aware "
            "datetimes. Every failure is raised as a [`PlutonRcloneError`](errors.md). The options "
            "of a remote are in [options.md](options.md); [embedding.md](embedding.md) shows how "
            "to use these names together."
        ),
        listed("Public names: ", names),
        listed("Types of their arguments and results: ", types) + "\n",
        "# Public names\n",
        *(section(named) for named in names),
        "# Types of their arguments and results\n",
        "For annotations, import them from the module named; the methods above return them.\n",
        *(section(named) for named in types),
        "# Short names in signatures\n",
        "| Name | Meaning |\n|---|---|",
        *(row(f"`{named.name}` ({named.module})", alias(named)) for named in short),
    ]
    return "\n".join(parts) + "\n"


def listed(title: str, names: list[Named]) -> str:
    return wrapped(f"- {title}{', '.join(link(named) for named in names)}", "  ")


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
            lines += [f"Has all members of {link(above[0])}.\n"]
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
    """The constructor, for classes that callers instantiate and that are not plain records."""
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
    """The kinds of events of `Transfer.events`, each with the fields that it adds."""
    if named.name != "Event":
        return
    yield "| Kind | Fields besides `text` and `level` | |\n|---|---|---|"
    for name in source.module(named.module).local:
        kind = Named(named.module, name)
        if named in source.bases(kind)[:-1] and name != "FileEvent":
            more = [f"`{field}`" for field, *_ in source.fields(kind)[2:]]
            shown = ", ".join(more) if name != "Progress" else link(kind)
            yield row(f"`{name}`", shown, source.docstring(kind.node))
    yield ""


def data(named: Named) -> Iterator[str]:
    """The fields of a class as a table; the options of a remote are on their own page."""
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
            ("why", "str | None", "", "The cause, if known."),
            ("who", "Who", "", "Who can fix it."),
            ("advice", "str", "", "The next step."),
            ("link", "str | None", "", "A page with more information."),
            ("details", "dict[str, Any]", "", "For programs and support."),
            ("result", "Any", "", "The result so far, if any."),
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
        prose(
            "Names, values and defaults are those of rclone. Set an option with "
            "`pluton-rclone connect … --set OPTION=VALUE` or `pluton-rclone set NAME "
            "OPTION=VALUE`, on the page under Advanced options, or in Python with "
            '`setup.remote(drive, chunk_size="20Mi")`. Sizes have the units Ki, Mi and Gi, which '
            'are powers of 1024. "Since" is the first rclone that has the option: an older one '
            "would silently ignore it, so this library refuses the option with an older rclone."
        ),
        prose(
            "`pluton-rclone options` prints the same in a terminal; `pluton-rclone options "
            "--schema` prints a JSON Schema from which a form can be built."
        ),
        "## Basic\n",
        *(option_text(option) for option in OPTIONS if option.group == "basic"),
        "## Advanced\n",
        *(option_text(option) for option in OPTIONS if option.group == "advanced"),
        "## Kept by this library\n",
        prose(
            "These are in the same section of rclone.conf, with the prefix `pluton_`. rclone "
            "ignores them and keeps them."
        ),
        "| Name | | | Set by |\n|---|---|---|---|",
        *own,
    ]
    return "\n".join(parts) + "\n"


def option_text(option: Option) -> str:
    facts = [
        {
            "switch": "on or off (`true`, `false`)",
            "list": "a list",
            "secret": "a secret text, never shown",
        }.get(option.kind, f"a {option.kind}"),
        f"in {option.unit}" if option.unit else "",
        f"since rclone {'.'.join(map(str, option.since[:2]))}",
        "" if option.decided_by == "person" else f"set by {WHO_DECIDES[option.decided_by]}",
    ]
    lines = [f"### `{option.name}`: {option.title}\n", prose(option.help)]
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
        prose(
            "Every error states what happened, why, who can fix it, and the next step. In Python, "
            "it is an exception of `pluton_rclone.errors`; branch on its class or on `error.code`, "
            "never on its text. With `--json`, the command line prints it as a JSON object on "
            "stderr. The page shows the same text."
        ),
        "## Exit codes\n",
        "| Exit code | Meaning |\n|---|---|",
        *(row(*part.split(" ", 1)) for part in words.split(" · ")),
        "\n## Exceptions\n",
        prose(
            "A subclass is indented below its base class: `except SignInError` also catches all of "
            "its subclasses. An error may give more specific advice than its class does here."
        ),
        "| Class | Code | Exit code | Who can fix it | Advice |\n|---|---|---|---|---|",
        *tree(errors.PlutonRcloneError, 0),
        "\n## What OneDrive and SharePoint refuse\n",
        prose(
            "If a response has no readable body (it is empty, or an HTML page), its status alone "
            "determines the exception, both in rclone's log and for this library's own requests:"
        ),
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
        "\n"
        + prose(
            "Any other status below 500 raises `GraphError`; any other from 500 on raises "
            "`Unreachable`. If there is a body, the innermost known code in it determines the "
            "exception:"
        ),
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
        prose(
            "The exceptions for Microsoft's numbered errors. `pluton-rclone errors CODE` explains "
            "each; CODE may be a whole error message."
        ),
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


def prose(text: str) -> str:
    """A paragraph."""
    return wrapped(text) + "\n"


def wrapped(text: str, indent: str = "") -> str:
    """Lines of at most 100 characters; words in code stay together."""
    text = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the pages that come from the code.")
    parser.add_argument("--check", action="store_true", help="only report which pages are stale")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, text in pages().items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = 1
        if check:
            print(
                f"docs/{name} does not match the code: run python docs/generate.py",
                file=sys.stderr,
            )
        else:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    return stale if check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
