"""The command line in this process, for tests that need no separate process: no Python starts, and
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
    """Run `pluton-rclone WORDS < stdin` with streams in this encoding (PYTHONIOENCODING); return
    the exit code, stdout and stderr."""
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
