"""Long runs of a real relay with hard providers: `python -m tests.endurance RUN`, see `--help`.

Each prints its figures, and ends with status 1 when the relay has not kept what it promises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.endurance import accounts, outage, wait

#: Modules with `add_options(parser)` and `run(folder, options)`, which returns what went wrong.
RUNS = {"accounts": accounts, "outage": outage, "wait": wait}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--folder", help="for spools; default: where temporary files are")
    runs = parser.add_subparsers(dest="run", required=True)
    for name, module in RUNS.items():
        module.add_options(runs.add_parser(name, description=module.__doc__))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        violations = RUNS[options.run].run(Path(folder), options)
    for violation in violations:
        print("VIOLATION:", violation)
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
