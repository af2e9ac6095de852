"""Reactors for tests: no more than what the code under test asks of one."""

from __future__ import annotations

import time
from queue import Empty, Queue

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class QueueReactor:
    """Collects what threads call, and runs it while a test waits for a Deferred.

    Time passes when there is nothing else to do.
    """

    def __init__(self, now=1_700_000_000.0):
        self.now = now
        self._calls = Queue()
        self._clock = Clock()
        self.callLater = self._clock.callLater

    def seconds(self):
        return self.now

    def passed(self):
        """Return how many seconds a test has waited for timers."""
        return self._clock.seconds()

    def callFromThread(self, function, *args):  # noqa: N802
        self._calls.put((function, args))

    def is_busy(self):
        """Something is to be run now."""
        now = self._clock.seconds()
        due = any(each.getTime() <= now for each in self._clock.getDelayedCalls())
        return due or not self._calls.empty()

    def wait(self, deferred, timeout=60.0):
        """Return the result of a Deferred, or raise its failure."""
        results = []
        deferred.addBoth(results.append)
        deadline = time.monotonic() + timeout
        while not results:
            timers = self._clock.getDelayedCalls()
            if timers and self._calls.empty():
                self._clock.advance(min(each.getTime() for each in timers) - self._clock.seconds())
                continue
            try:
                function, args = self._calls.get(timeout=max(0, deadline - time.monotonic()))
            except Empty:
                raise TimeoutError("the Deferred never fired") from None
            function(*args)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result


class StillReactor(QueueReactor):
    """The same, but time passes only when a test lets it."""

    def advance(self, seconds):
        self.now += seconds
        self._clock.advance(seconds)

    def wait(self, deferred, timeout=60.0):
        """Return the result of a Deferred, or raise its failure."""
        results = []
        deferred.addBoth(results.append)
        while True:
            self._clock.advance(0)
            if results:
                break
            function, args = self._calls.get(timeout=timeout)
            function(*args)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result


class ReactorWithClock:
    """The real reactor, but with a clock that a test sets."""

    def __init__(self, reactor):
        self._reactor = reactor
        self._waiting = Deferred()
        self.clock = Clock()
        self.seconds = self.clock.seconds

    def __getattr__(self, name):
        return getattr(self._reactor, name)

    def callLater(self, *args):  # noqa: N802
        call = self.clock.callLater(*args)
        waiting, self._waiting = self._waiting, Deferred()
        self._reactor.callLater(0, waiting.callback, None)
        return call

    def timer_set(self):
        """Wait until something waits for the clock."""
        return self._waiting
