"""What a process and all that it has started take of their machine: memory and CPU time (proc(5)).

Each one's memory counts in full, also what it shares with others, such as libraries.
"""

from __future__ import annotations

import contextlib
import threading
import time

import attrs

from tests.interop import processes
from tests.interop.processes import descendants, tree_seconds

_MIB = 1024
#: Written to `clear_refs`, lets the peak begin anew.
_RESET_PEAK = "5"


@attrs.frozen(kw_only=True)
class Figures:
    """Memory in MiB before, at its peak and after; CPU and wall time in seconds."""

    before: float
    peak: float
    after: float
    cpu: float
    seconds: float

    @property
    def growth(self):
        return self.peak - self.before

    def __str__(self):
        return (
            f"memory {self.before:.1f} MiB, at most {self.peak:.1f}, then {self.after:.1f}; "
            f"CPU {self.cpu:.2f} s in {self.seconds:.1f} s"
        )


class Footprint:
    """Measures a process, with its descendants, from the start of a block to its end.

    All of it raises `ProcessLookupError` when the process itself is not there any more.

    :ivar figures: here when the block has ended.
    """

    def __init__(self, pid):
        self._pid = pid
        self.figures = None

    def __enter__(self):
        self._reset_peaks()
        self._before, self._cpu = self.memory(), tree_seconds(self._pid)
        self._begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.figures = Figures(
            before=self._before,
            peak=self.peak(),
            after=self.memory(),
            cpu=tree_seconds(self._pid) - self._cpu,
            seconds=time.monotonic() - self._begin,
        )

    def memory(self):
        """Return the memory of now, in MiB."""
        return self._sum("VmRSS")

    def peak(self):
        """Return the most memory since they or the block began, in MiB.

        It is the sum of their peaks, which need not have been at the same time: there was no more
        than that, of those that live now.
        """
        return self._sum("VmHWM")

    def _reset_peaks(self):
        for pid in self._tree():
            try:
                (processes.PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue

    def _sum(self, name):
        sizes = {pid: _size(pid, name) for pid in self._tree()}
        if not sizes[self._pid]:
            raise ProcessLookupError(f"process {self._pid} has ended")
        return sum(sizes.values()) / _MIB

    def _tree(self):
        return [self._pid, *descendants(self._pid)]


class Memory:
    """Watches the memory of a process, with its descendants, while a block runs.

    What several of them share counts once, unlike in `Footprint`: for servers of many processes.

    :ivar before: MiB at the start.
    :ivar peak: MiB at most, as seen twice a second.
    """

    def __init__(self, pid):
        self._pid = pid
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.before = self.peak = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()

    def _watch(self):
        while not self._ending.wait(0.5):
            self.peak = max(self.peak, self._now())

    def _now(self):
        return sum(_share(pid) for pid in [self._pid, *descendants(self._pid)]) / _MIB


def _share(pid):
    """Return the KiB of a process, of what it shares only its share; none if it has ended."""
    with contextlib.suppress(OSError):
        for line in (processes.PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _size(pid, name):
    """Return a size in KiB; none of a process that has ended."""
    try:
        lines = (processes.PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
