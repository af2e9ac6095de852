"""A process with all that it has started, as ``/proc`` shows them (proc(5)).

Any of them may end while it is looked at; that is no fault.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

import attrs

PROC = Path("/proc")
#: The states of what has ended already, and waits for its parent to ask for its exit status.
_ENDED = frozenset("ZX")


@attrs.frozen
class _Process:
    state: str
    parent: int
    ticks: int


def descendants(root):
    """Return the pids of the living processes that a process has started, and that these have."""
    tree = _tree(root)
    return sorted(pid for pid in tree if pid != root and tree[pid].state not in _ENDED)


def tree_seconds(root):
    """Return the CPU seconds, user and system, of a process and its descendants.

    The times of a process that is gone are in those of its parent, once that has waited for it: so
    the sum over the tree, with the times of waited-for children, misses no short-lived process.
    Linux gives them in ticks of usually 10 ms, cut from an exact sum.

    :raise ProcessLookupError: the process itself is not there.
    """
    tree = _tree(root)
    if root not in tree:
        raise ProcessLookupError(f"there is no process {root}")
    return sum(each.ticks for each in tree.values()) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def all_end(pids, within):
    """Let a block end when processes have ended that lived before it.

    :param within: seconds that they have after the block.
    :raise TimeoutError: some have not; they are killed then.
    """
    with contextlib.ExitStack() as opened:
        # Unlike a pid, a descriptor never means another process, whoever waits for this one.
        living = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                living[pid] = os.pidfd_open(pid)
                opened.callback(os.close, living[pid])
        yield
        deadline = time.monotonic() + within
        left = [
            pid
            for pid, descriptor in living.items()
            if not has_ended(descriptor, max(0.0, deadline - time.monotonic()))
        ]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(living[pid], signal.SIGKILL)
            has_ended(living[pid], within=None)
    if left:
        raise TimeoutError(f"the processes {left} live on for more than {within:.1f} s")


def has_ended(descriptor, within=0.0):
    """Tell whether the process of a descriptor ends within some seconds; None: however many."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if within is None else within * 1000))


def _tree(root):
    processes = dict(_processes())
    tree = {root} & processes.keys()
    while more := {pid for pid, each in processes.items() if each.parent in tree} - tree:
        tree |= more
    return {pid: processes[pid] for pid in tree}


def _processes():
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        # The name in parentheses may hold blanks and parentheses itself.
        fields = stat.rpartition(")")[2].split()
        yield (
            int(folder.name),
            _Process(state=fields[0], parent=int(fields[1]), ticks=sum(map(int, fields[11:15]))),
        )
