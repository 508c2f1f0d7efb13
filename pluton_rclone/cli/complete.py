"""Names and places as arguments of commands, with their completions."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import click
from click import shell_completion
from click.shell_completion import CompletionItem, FishComplete

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.values.printable import printable

from .context import Context
from .places import names_storage, parse_place


def storage_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The completions of NAME: remotes, which need no quoting; friendly names as help."""
    try:
        found = Context(ctx.params.get("config")).storages.values()
        names = [(storage.remote_name, storage.name) for storage in found]
    except PlutonRcloneError:  # an unreadable file: no completions, and nowhere to report it
        return []
    return [CompletionItem(name, help=help) for name, help in names if name.startswith(incomplete)]


def local_or_storage(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For SRC and DST. A local name that looks like an option or a storage is prefixed with ./."""
    items = in_storage(ctx, param, incomplete)
    if names_storage(incomplete):
        return items
    folder, slash, start = incomplete.rpartition("/")
    with suppress(OSError), os.scandir(os.path.expanduser(folder + slash) or ".") as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name.startswith(start) and (start or entry.name[0] != "."):
                name = folder + slash + entry.name + "/" * entry.is_dir()
                lead = "./" if name[0] == "-" or names_storage(name) else ""
                items.append(CompletionItem(lead + name))
    return items


def in_storage(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For NAME:PATH."""
    context = Context(ctx.params.get("config"), ctx.params.get("binary"))
    try:
        found = list(_in_storage(context, incomplete))
    except (PlutonRcloneError, OSError):  # no completions, and nowhere to report it
        return []
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _in_storage(context: Context, incomplete: str) -> Iterator[str]:
    if ":" not in incomplete:
        yield from (f"{name}:" for name in context.storages.conf.remotes())
        return
    place = parse_place(incomplete, context)
    if place.storage is None:
        return
    above, slash, _ = place.path.rpartition("/")
    before = incomplete.removesuffix(place.path) + above + slash
    for one in place.storage.list(above or slash):
        yield before + one.name + "/" * one.is_dir


NAME = click.argument("name", shell_complete=storage_names)
PLACE = click.argument("place", metavar="NAME:PATH", shell_complete=in_storage)
SOURCE = click.argument("source", metavar="SRC", shell_complete=local_or_storage)
DESTINATION = click.argument("destination", metavar="DST", shell_complete=local_or_storage)


class _Lines(shell_completion.ShellComplete):
    """Entries are lines of text, as the shell functions read them."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        for item in found:
            item.help = printable(item.help or "") or None
        return [item for item in found if str(item.value).isprintable()]


class Bash(_Lines, shell_completion.BashComplete):
    """click splits at a colon, like bash (COMP_WORDBREAKS), and does not quote."""

    source_template = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            *) COMPREPLY+=("$value")
               [[ $value == *[:/] ]] && compopt -o nospace ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words, self.quoted = shell_completion.split_arg_string(line), False
        try:
            shlex.split(line)
        except ValueError:  # an open quote
            self.quoted = not line.endswith("\\")
        if re.search(r"(?<!\\)\s$", line) and not self.quoted:
            words.append("")
        self.incomplete = words[-1]
        return words[1:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        value = str(item.value)
        if not self.quoted:
            value = value.removeprefix(self.incomplete[: self.incomplete.rfind(":") + 1])
            value = re.sub(r"[^\w@%+=:,./~-]", r"\\\g<0>", value)
        return f"{item.type},{value}"


class Zsh(_Lines, shell_completion.ZshComplete):
    """click adds a space after a folder, and splits values at colons."""

    source_template = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local type value help
    local -a response shown
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \\
        %(complete_var)s=zsh_complete "${words[1]}")}")
    for type value help in $response; do
        [[ $help == _ ]] && shown=("$value") || shown=("$value  -- $help")
        case $type,$value in
            dir,*) _files -/ ;;
            file,*) _files ;;
            *[:/]) compadd -U -S '' -- "$value" ;;
            *) compadd -U -l -d shown -- "$value" ;;
        esac
    done
}
if [[ $zsh_eval_context[-1] == (loadautofunc|shfunc) ]]; then  # a file on fpath
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Fish(_Lines, FishComplete):
    """click splits values at every comma."""

    source_template = FishComplete.source_template.replace("string split", "string split -m 1")


for each in (Bash, Zsh, Fish):
    shell_completion.add_completion_class(each)
