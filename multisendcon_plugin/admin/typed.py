"""Lines that somebody types while the reactor runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import Any

_PIECE = 4096
#: Octets of a line that anybody may mean.
_LONGEST = 64 * 1024


def follow(reactor: Any, descriptor: int, take: Callable[[str], object]) -> None:
    """Have each line taken from now on, until there are no more.

    :param reactor: is called from a thread, which ends with the program; the terminal, which is not
        ours alone, stays as it is.
    :param descriptor: of what is read.
    """
    Thread(target=_read, args=(reactor, descriptor, take), daemon=True).start()


def _read(reactor: Any, descriptor: int, take: Callable[[str], object]) -> None:
    rest = b""
    while piece := _piece(descriptor):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            reactor.callFromThread(take, line.decode("utf-8", "replace"))
        rest = rest[:_LONGEST]
    if rest:
        reactor.callFromThread(take, rest.decode("utf-8", "replace"))


def _piece(descriptor: int) -> bytes:
    # Not a file of Python: at the end of the program, nobody may hold its lock.
    try:
        return os.read(descriptor, _PIECE)
    except OSError:  # closed, or a terminal of somebody else
        return b""
