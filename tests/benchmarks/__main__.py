"""multisendcon against Postfix, in turns, on the same machine: `python -m tests.benchmarks`.

Both take mail from smtp-source, keep it on the same disk and hand it to an smtp-sink, over as many
connections.  Needs Postfix, and root, as Postfix does; see `--help`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

import attrs

import twisted
from tests.benchmarks.measurement import Load, measure
from tests.benchmarks.postfix import Postfix
from tests.interop.programs import run
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

#: Where smtp-sink writes what it gets: in memory, so that it does not use the disk as well.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

_FIGURES = {
    "accepted": "messages/s accepted",
    "through": "messages/s through to the sink",
    "cpu": "ms CPU per message",
}


class Multisendcon(Relay):
    """The relay with one account."""

    name = "multisendcon"

    def __init__(self, folder, sink, connections):
        settings = account("Sink", sink.address, sink.port, max_connections=connections)
        super().__init__(folder, settings)


def options():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=5000, help="in each measurement")
    parser.add_argument("--size", type=int, default=4096, help="octets of a message")
    parser.add_argument("--sessions", type=int, default=10, help="of the clients")
    parser.add_argument("--connections", type=int, default=20, help="to the sink")
    parser.add_argument("--folder", help="on the disk to be used; default: for temporary files")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), help="results")
    return parser.parse_args()


def one(server_class, load, chosen):
    """Measure one server from a fresh start."""
    with (
        tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
        tempfile.TemporaryDirectory(dir=_MEMORY) as memory,
        Sink(folder, Path(memory) / "mails") as sink,
        server_class(folder, sink, chosen.connections) as server,
    ):
        return measure(server, sink, load)


def spread(values):
    """Return the median, and how far the values lie apart."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def summary(rounds):
    """Return medians of each server, and of the ratios of each round."""
    figures = {
        name: {key: spread([getattr(each[name], key) for each in rounds]) for key in _FIGURES}
        for name in rounds[0]
    }
    ratios = {
        key: spread([getattr(r["multisendcon"], key) / getattr(r["Postfix"], key) for r in rounds])
        for key in _FIGURES
    }
    return {**figures, "multisendcon / Postfix": ratios}


def show(results):
    print(f"{'median (least to most)':30}" + "".join(f"{name:>28}" for name in results))
    for key, text in _FIGURES.items():
        cells = [
            f"{each[key]['median']:.2f} ({each[key]['least']:.2f} to {each[key]['most']:.2f})"
            for each in results.values()
        ]
        print(f"{text:30}" + "".join(f"{cell:>28}" for cell in cells))


def machine():
    version = run("postconf", "-d", "-h", "mail_version").stdout.strip()
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "twisted": twisted.__version__,
        "postfix": version,
    }


def main():
    chosen = options()
    if os.getuid():
        sys.exit("Postfix is started as root only: run this as root")
    load = Load(messages=chosen.messages, size=chosen.size, sessions=chosen.sessions)
    rounds = []
    for number in range(chosen.rounds):
        # In turns, and the first one changes: what else the machine does hits both.
        order = [Multisendcon, Postfix] if number % 2 else [Postfix, Multisendcon]
        rounds.append({each.name: one(each, load, chosen) for each in order})
        for name, figures in rounds[-1].items():
            print(
                f"round {number + 1}: {name:14} accepted {figures.accepted:7.0f}/s, "
                f"through {figures.through:7.0f}/s, {figures.cpu:.3f} ms CPU",
                flush=True,
            )
    results = summary(rounds)
    show(results)
    chosen.json.write_text(
        json.dumps(
            {
                "machine": machine(),
                "load": {**attrs.asdict(load), "connections": chosen.connections},
                "rounds": [
                    {name: attrs.asdict(figures) for name, figures in each.items()}
                    for each in rounds
                ],
                "summary": results,
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
