"""The command line in this process, for tests that are not about the process: no Python starts, and
nothing is imported again."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from pluton_rclone.cli import run


def run_here(
    *words: object, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """`pluton-rclone WORDS < stdin`, with the exit code, stdout and stderr of the process, whose
    streams know the characters of this encoding (PYTHONIOENCODING)."""
    arguments = [str(word) for word in words]
    given, out, err = (
        io.TextIOWrapper(io.BytesIO(text), encoding, errors)
        for text, errors in (
            (stdin.encode(encoding), "strict"),
            (b"", "strict"),
            (b"", "backslashreplace"),
        )
    )
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", given):
        code = run(arguments)
    said = []
    for stream in (out, err):
        stream.seek(0)
        said.append(stream.read())
    return subprocess.CompletedProcess(arguments, code, *said)
