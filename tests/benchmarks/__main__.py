"""The benchmark of the relay, beside Postfix and beside itself: `python -m tests.benchmarks`.

Runs rows in several rounds, prints a table of their medians and ratios beside what is wanted, and
writes all of it as JSON.  Needs Postfix, and root, as Postfix does; see `--help`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import twisted
from tests.benchmarks.row import Bench, in_turns, with_quiet_disk
from tests.benchmarks.rows import CURVES, ROWS
from tests.benchmarks.summary import summarize
from tests.benchmarks.table import number, tables
from tests.interop.programs import run


def options():
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog="\n".join(f"{row.name:16}{row.about}" for row in ROWS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = [row.name for row in ROWS.values() if row.usual]
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=usual, metavar="ROW", help="see below"
    )
    parser.add_argument("--curves", action="store_true", help="gather the plots' points instead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small loads and one round: a trial")
    parser.add_argument("--folder", help="on the disk to be used; default: for temporary files")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), help="results")
    chosen = parser.parse_args()
    chosen.rounds = 1 if chosen.quick else max(1, chosen.rounds)
    return chosen


def machine():
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "Twisted": twisted.__version__,
        "Postfix": run("postconf", "-d", "-h", "mail_version").stdout.strip(),
    }


def run_rows(chosen, bench):
    """Run rows round by round, and return the results."""
    rounds = {name: [] for name in chosen.rows}
    for count in range(chosen.rounds):
        for name in chosen.rows:
            row = ROWS[name]
            measured = row.measure(in_turns(row.sides, count), bench)
            rounds[name].append(measured)
            for side, figures in measured.items():
                say(f"round {count + 1}", name, side, row.figures, figures)
    return {
        "rounds": chosen.rounds,
        "rows": {
            name: {
                "about": ROWS[name].about,
                "sides": ROWS[name].sides,
                "rounds": each,
                "summary": summarize(ROWS[name], each),
            }
            for name, each in rounds.items()
        },
    }


def run_curves(bench):
    """Measure all points of the curves, and return them."""
    curves = {}
    for name, curve in CURVES.items():
        points = {side: [] for side in curve.sides}
        for count, point in enumerate(curve.points):
            for side in in_turns(curve.sides, count):
                figures = with_quiet_disk(curve.measure, side, point, bench)
                points[side].append({key: figures[key] for key in curve.figures})
                say(f"{point:,} {curve.scale}", name, side, curve.figures, points[side][-1])
        curves[name] = {
            "scale": curve.scale,
            "points": curve.points,
            "figures": curve.figures,
            "sides": points,
        }
    return {"curves": curves}


def say(when, name, side, known, figures):
    text = ", ".join(
        f"{number(value)} {getattr(known[key], 'unit', known[key])}"
        for key, value in figures.items()
    )
    print(f"{when}, {name}, {side}: {text}", flush=True)


def main():
    chosen = options()
    if os.getuid():
        sys.exit("Postfix is started as root only: run this as root")
    # So that whoever ends the run, `timeout` for one, ends what it has started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the run was asked to end"))
    bench = Bench(folder=chosen.folder, quick=chosen.quick)
    try:
        results = run_curves(bench) if chosen.curves else run_rows(chosen, bench)
    except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
        sys.exit(f"the run has ended: {error}")
    results = {"machine": machine(), "quick": chosen.quick, **results}
    chosen.json.write_text(json.dumps(results, indent=2) + "\n")
    if not chosen.curves:
        print(tables(results))


if __name__ == "__main__":
    main()
