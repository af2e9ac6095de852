"""Long runs that show that nothing is lost, nor anybody bothered: `python -m tests.endurance RUN`.

Each prints its figures, and ends with status 1 when the relay has not kept what it promises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.endurance import (
    accounts,
    attacks,
    direct,
    greylist,
    idle,
    kills,
    operators,
    outage,
    powercut,
    quotas,
    reloads,
    restarts,
    silent,
    tokens,
    wait,
)

#: Modules with `add_options(parser)` and `run(folder, options)`, which prints figures and yields
#: what went wrong.
RUNS = {
    "kills": kills,
    "restarts": restarts,
    "powercut": powercut,
    "reloads": reloads,
    "operators": operators,
    "accounts": accounts,
    "outage": outage,
    "greylist": greylist,
    "wait": wait,
    "quotas": quotas,
    "tokens": tokens,
    "idle": idle,
    "silent": silent,
    "direct": direct,
    "attacks": attacks,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--folder", help="for spools; default: where temporary files are")
    runs = parser.add_subparsers(dest="run", required=True, metavar="RUN")
    for name, module in RUNS.items():
        summary, *_ = module.__doc__.splitlines()
        module.add_options(runs.add_parser(name, help=summary, description=module.__doc__))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        violations = list(RUNS[options.run].run(Path(folder), options))
    for violation in violations:
        print("VIOLATION:", violation)
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
