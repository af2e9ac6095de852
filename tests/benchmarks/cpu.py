"""The CPU time of a process and all that it has started, from ``/proc`` (proc(5)).

The times of a process that is gone are in those of its parent, once that has waited for it: so the
sum over the living tree, with the times of waited-for children, misses no short-lived process.
Linux gives them in ticks of usually 10 ms, cut from an exact sum.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs


@attrs.frozen
class _Process:
    parent: int
    ticks: int


def tree_seconds(root):
    """Return the CPU seconds, user and system, of a process and its descendants."""
    processes = dict(_processes())
    tree = {root}
    while more := {pid for pid, each in processes.items() if each.parent in tree} - tree:
        tree |= more
    return sum(processes[pid].ticks for pid in tree) / os.sysconf("SC_CLK_TCK")


def _processes():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        # The name in parentheses may hold blanks and parentheses itself.
        fields = stat.rpartition(")")[2].split()
        yield int(folder.name), _Process(parent=int(fields[1]), ticks=sum(map(int, fields[11:15])))
