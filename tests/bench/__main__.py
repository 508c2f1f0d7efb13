"""Benchmarks: `python -m tests.bench [NAME…]`; without a name, all of them. Ratios against peers in
the same run."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

NAMES = sorted(
    path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "measure"
)


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("-")] or NAMES
    options = [argument for argument in arguments if argument.startswith("-")]
    if unknown := [name for name in names if name not in NAMES]:
        print(
            f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}",
            file=sys.stderr,
        )
        return 2
    for name in names:
        print(f"==== {name} ====", flush=True)
        sys.argv = [name, *options]
        runpy.run_module(f"tests.bench.{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
