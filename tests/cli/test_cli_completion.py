"""Tab in the real bash, zsh and fish: commands, options, their values, storages, paths."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.storages.storage import Storages
from tests.cli.conftest import Command
from tests.connected import emulated_drive
from tests.forked import Forks
from tests.terminal import Terminal

# How each shell starts: its file, its arguments, and the command that shows the line at Ctrl-G.
STARTS = {
    "bash": (
        "rc",
        ["--rcfile", "rc", "-i"],
        "PS1='ready> '; bind 'set enable-bracketed-paste off'\n"
        'bind -x \'"\\C-g": echo "<$READLINE_LINE>"\'',
    ),
    "zsh": (
        ".zshrc",
        ["--no-globalrcs", "-i"],
        "PS1='ready> '; autoload -Uz compinit; compinit -u -d dump\n"
        "shown() { print -r -- \"<$BUFFER>\" }; zle -N shown; bindkey '^G' shown",
    ),
    "fish": (
        "fish/config.fish",
        ["-i"],
        "function fish_prompt; echo 'ready> '; end; set -U fish_greeting\n"
        'bind \\cg \'echo "<"(commandline)">"\'',
    ),
}
# The typed text, and the line after Tab.
BY_ALL = {
    "stor": "storages ",
    "show wo": "show work-files ",
    "ls wo": "ls work-files:",
    "ls work-files:da": "ls work-files:data/",
    "ls work-files:data/My": r"ls work-files:data/My\ Folder/",
    "ls work-files:data/My\\ F": r"ls work-files:data/My\ Folder/",
    "ls 'work-files:data/My F": "ls 'work-files:data/My Folder/",
    "--json copy ./loc": r"--json copy ./local\ file,\ too ",
    "copy x work-files:data/no": "copy x work-files:data/notes.txt ",
    "copy work-files: els": "copy work-files: elsewhere:",
    "connect --method dev": "connect --method device ",
    "copy --max-tr": "copy --max-transfer ",
}


@pytest.mark.parametrize("shell", STARTS)
def test_tab_offers_what_can_stand_in_a_line_and_means_the_file(
    connected: Command, tmp_path: Path, forks: Forks, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """Formerly, a name that is not valid text ended it with a traceback, and a line break in a name
    made false entries. -dash is an option and a:b a storage."""
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    for name in (b"c\xff", b"x\nplain\nplain,y", b"-dash", b"a:b", b"sub/a:c", b"usual"):
        (here / os.fsdecode(name)).write_text("")
    monkeypatch.chdir(here)
    conf = Storages().path
    conf.write_bytes(conf.read_bytes().replace(b"Work files", b"B\xe9rt"))  # Latin-1

    def offered(command: str, word: str) -> list[str]:
        variables = {
            "_PLUTON_RCLONE_COMPLETE": f"{shell}_complete",
            "COMP_LINE": f"pluton-rclone {command} {word}",
            "COMP_WORDS": f"pluton-rclone {command} {word}".strip(),
            "COMP_CWORD": word if shell == "fish" else "2",
        }
        done = forks.run(env={**os.environ, **variables})
        assert done.stderr == b""
        lines = done.stdout.decode().splitlines()
        if shell == "zsh":  # type, value and help
            return lines[1::3]
        return [line.partition(",")[2].partition("\t")[0] for line in lines]

    assert offered("copy", "") == ["work-files:", "./-dash", "./a:b", "sub/", "usual"]
    assert offered("copy", "./a") == ["./a:b"]
    assert offered("copy", "sub/") == ["./sub/a:c"]
    assert offered("show", "") == ["work-files"]


@pytest.fixture
def at_shell(
    connected: Command, tmp_path: Path, program: str, programs: str, sourced: bool
) -> Terminal:
    """A shell on a terminal, with the completion that the program prints for it."""
    file, arguments, setting = STARTS[program]
    script = tmp_path / ("script" if sourced else "_pluton-rclone")
    script.write_text(connected("completion", program).out)
    start = tmp_path / file
    start.parent.mkdir(exist_ok=True)
    found_by = f"{setting}\n. {script}\n" if sourced else f"fpath=({tmp_path} $fpath)\n{setting}\n"
    start.write_text(found_by)
    own = {"ZDOTDIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    own["TERM"] = "xterm" if program == "fish" else "dumb"  # fish lists nothing on a dumb one
    environment = {**os.environ, **own, "PATH": programs}
    found = shutil.which(program)
    assert found, f"This needs {program}: .ci/system installs it."
    return Terminal([found, *arguments], env=environment, cwd=tmp_path)


@pytest.mark.parametrize("sourced", [False])
@pytest.mark.parametrize("program", ["zsh"])
def test_zsh_finds_the_script_in_a_folder_of_functions(at_shell: Terminal) -> None:
    with at_shell as terminal:
        terminal.expect("ready> ")
        for typed, completed in (("stor", "storages "), ("ls wo", "ls work-files:")):
            terminal.press(f"pluton-rclone {typed}\t\x07")
            terminal.expect(f"<pluton-rclone {completed}>")
            terminal.press("\x15")


@pytest.mark.parametrize("sourced", [True])
@pytest.mark.parametrize("program", STARTS)
def test_the_shell_completes_with_tab(
    at_shell: Terminal, program: str, cloud: Emulator, tmp_path: Path
) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.write("data/notes.txt", b"x")
    drive.write("data/My Folder/x.txt", b"x")
    Storages().conf.add("elsewhere", {"type": "local"})
    (tmp_path / "local file, too").write_text("")
    with at_shell as terminal:
        terminal.expect("ready> ")
        for typed, completed in BY_ALL.items():
            terminal.press(f"pluton-rclone {typed}\t\x07")
            quoted = "'" in completed  # some shells close the quote
            terminal.expect(f"<pluton-rclone {completed}" + ">" * (not quoted))
            terminal.press("\x15")
        # If several match, they are listed; bash needs a second Tab and shows no help.
        terminal.press("pluton-rclone co\t" + "\t" * (program == "bash"))
        terminal.expect("connect" if program == "bash" else "Connect a OneDrive and save")
