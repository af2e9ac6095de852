"""Tells of alarms by HTTP POST: each is sent as JSON, one after the other, until it is taken.

A server that hangs, floods or lies costs a connection and some memory, both with limits.  The
address may hold a token: nothing says more of it than the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent, IResponse

from ..network.web_client import ANSWERS_WITHIN, WebClient, reason
from ..operations.json_form import encode
from ..operations.values import Alarm, AlarmKind

#: Seconds between tries; the last one repeats.
PAUSES = (5.0, 30.0, 120.0, 600.0)
#: Tries that fail until that is a trouble of its own.
TRIES_UNTOLD = 3
#: Alarms that wait; beyond, the oldest are dropped.
MOST_WAITING = 1000


class Webhook:
    """Sends alarms to the address of ``[alarm]``, webhook.

    :param address: on the web.
    :param reactor: connects, and is the clock.
    :param report: is told why it cannot be reached, and ``""`` when it can again.
    :param agent: sends requests.
    """

    log = Logger()

    def __init__(
        self,
        address: str,
        reactor: Any,
        report: Callable[[str], None],
        agent: IAgent | None = None,
    ) -> None:
        self._address = address.encode()
        self._host = urlsplit(address).hostname
        self._reactor = reactor
        self._report = report
        self._client = WebClient(reactor, agent)
        self._waiting: deque[Alarm] = deque()
        self._failures = 0
        self._stopping = False
        self._sending: Deferred[None] | None = None

    def tell(self, alarm: Alarm) -> None:
        """Send an alarm, when those before have been taken; not the one that this is impossible."""
        if alarm.kind is AlarmKind.WEBHOOK or self._stopping:
            return
        if len(self._waiting) == MOST_WAITING:
            self.log.error("webhook {host}: too many alarms wait, one is dropped", host=self._host)
            self._waiting.popleft()
        self._waiting.append(alarm)
        if self._sending is None:
            self._sending = Deferred.fromCoroutine(self._send_all())
            self._sending.addErrback(self._stopped)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping = True
        if self._sending is not None:
            self._sending.cancel()

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("internal error of the webhook (a bug); traceback follows", failure)

    async def _send_all(self) -> None:
        while self._waiting:
            alarm = self._waiting.popleft()
            while why := await self._send(alarm):
                if self._stopping:
                    return
                self._failures += 1
                if self._failures == TRIES_UNTOLD:
                    self._report(f"the webhook at {self._host} does not take alarms: {why}")
                pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
                await deferLater(self._reactor, pause)
            if self._failures >= TRIES_UNTOLD:
                self._report("")
            self._failures = 0
        self._sending = None

    async def _send(self, alarm: Alarm) -> str:
        """Send an alarm; return why it was not taken."""
        asked = self._client.post(self._address, _HEADERS, encode(alarm))
        try:
            response: IResponse = await asked.addTimeout(ANSWERS_WITHIN, self._reactor)
        except Exception as error:
            return f"it {reason(error)}"
        finally:
            # What else it says, if ever, is of no interest.
            self._client.hang_up()
        return "" if 200 <= response.code < 300 else f"it answers {response.code}"


_HEADERS = {"Content-Type": "application/json", "User-Agent": "multisendcon"}
