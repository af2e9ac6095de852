"""Signals that end the program, handled in turn.

Twisted's handlers write to the log at once, wherever the program is just then.  If it is locking
the log's file, it waits for itself for ever, and neither ends nor relays
(https://github.com/twisted/twisted/issues/7736).  So here the reactor calls them in its turns.
"""

from __future__ import annotations

import signal
from functools import partial
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)


def handle_in_turn(reactor: Any) -> None:
    """Have the handlers that the reactor has installed called in its turns.

    :param reactor: of Twisted; it runs.
    """
    for number in _ENDING:
        handler = signal.getsignal(number)
        if handler in (reactor.sigInt, reactor.sigTerm):
            signal.signal(number, partial(_hand_on, reactor, handler))


def _hand_on(reactor: Any, handler: Any, number: int, _: FrameType | None) -> None:
    reactor.callFromThread(handler, number)
