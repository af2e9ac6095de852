"""Makes the reactor's timers use a monotonic clock.

Twisted's timers run on the wall clock: set back by an hour, all of them fire an hour late, and set
forward all of them fire at once.  Minimum waits, retries and time limits must not depend on that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def make_steady(
    reactor: Any,
    *,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Let a reactor's time, and so its timers, run on whatever happens to the wall clock.

    It starts with the time of the wall clock, in seconds since the epoch.

    :param reactor: of Twisted; to be called before it runs.
    :param monotonic: a clock that is never set.
    """
    # As a time since the epoch, since due times are in the spool, where a restart must understand
    # them.
    ahead = wall() - monotonic()
    reactor.seconds = lambda: ahead + monotonic()


def since_boot() -> tuple[str, float]:
    """Return a name of the time since this machine was started, and a clock that began then.

    :return: all processes of a machine agree in both, whatever the wall clock is set to.  The name
        is ``""`` where the system has none.
    """
    return _boot(), time.monotonic()


@cache
def _boot() -> str:
    try:
        # https://docs.kernel.org/admin-guide/sysctl/kernel.html#random
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
