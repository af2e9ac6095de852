"""The program's signals: handled in turn, and by one process only.

Twisted's handlers write to the log at once, wherever the program is just then.  If it is locking
the log's file, it waits for itself for ever, and neither ends nor relays
(https://github.com/twisted/twisted/issues/7736).  So here the reactor calls them in its turns.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)
#: Twistd rotates its own log file at SIGUSR1.
_FOR_ONE_PROCESS = {*_ENDING, signal.SIGHUP, signal.SIGUSR1}


def handle_in_turn(reactor: Any) -> None:
    """Have the handlers that the reactor has installed called in its turns.

    :param reactor: of Twisted; it runs.
    """
    for number in _ENDING:
        handler = signal.getsignal(number)
        if handler in (reactor.sigInt, reactor.sigTerm):
            signal.signal(number, partial(_hand_on, reactor, handler))


def handle_hangup(reactor: Any, handler: Callable[[int], object]) -> None:
    """Have SIGHUP, which would end the program at once, handled in a turn of the reactor."""
    # Under nohup it is ignored already.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, partial(_hand_on, reactor, handler))


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Let the processes that are started in this block never get these signals.

    A terminal, systemd and pkill send them to all processes; this one tells the others what to do.
    Blocked signals stay blocked in a new process, from its first instruction on (signal(7)).
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_ONE_PROCESS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hand_on(reactor: Any, handler: Any, number: int, _: FrameType | None) -> None:
    reactor.callFromThread(handler, number)
