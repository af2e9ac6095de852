"""The curves of a run as plots: `python -m tests.benchmarks.plots curves.json docs/benchmarks`.

Each curve becomes one SVG, with a panel for each of its figures.  Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

#: The same results make the same file, and texts stay texts.
_STYLE = {"svg.hashsalt": "multisendcon", "svg.fonttype": "none"}


def draw(curve, path):
    """Draw a curve into a file.

    :param curve: as it stands in the results.
    """
    panels = Figure(figsize=(4.5 * len(curve["figures"]), 3.2), layout="constrained")
    for axes, (key, unit) in zip(
        panels.subplots(ncols=len(curve["figures"]), squeeze=False)[0],
        curve["figures"].items(),
        strict=True,
    ):
        for side, points in curve["sides"].items():
            axes.plot(curve["points"], [point[key] for point in points], marker="o", label=side)
        axes.set_xscale("log")
        axes.set_xticks(curve["points"], [f"{point:,}" for point in curve["points"]], fontsize=8)
        axes.minorticks_off()
        axes.set_ylim(
            0, 1.15 * max(point[key] for side in curve["sides"].values() for point in side)
        )
        axes.set_xlabel(curve["scale"])
        axes.set_ylabel(unit)
        axes.grid(alpha=0.3)
        if len(curve["sides"]) > 1:
            axes.legend()
    with mpl.rc_context(_STYLE):
        panels.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plots", description=__doc__)
    parser.add_argument("results", type=Path, help="of a run with --curves")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name, curve in json.loads(chosen.results.read_text())["curves"].items():
        draw(curve, chosen.folder / f"{name}.svg")


if __name__ == "__main__":
    main()
