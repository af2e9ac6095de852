"""What a process takes of its machine while something goes on: memory and CPU time (proc(5))."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

from tests.interop.processes import tree_seconds

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
    """Measures a process from the start of a block to its end.

    :ivar figures: here when the block has ended.
    """

    def __init__(self, pid):
        self._pid = pid
        self.figures = None

    def __enter__(self):
        Path(f"/proc/{self._pid}/clear_refs").write_text(_RESET_PEAK)
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
        """Return the memory of now."""
        return self._status("VmRSS")

    def peak(self):
        """Return the most memory since the process or the block began."""
        return self._status("VmHWM")

    def _status(self, name):
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) / _MIB
