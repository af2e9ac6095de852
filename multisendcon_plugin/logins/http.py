"""Posts a form to a provider, and brings what it answers.

Its limits, and who is believed to be the provider, are those of `web_client`; nobody is followed
elsewhere, where secrets have no business.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgent, IResponse

from ..network.web_client import ANSWERS_WITHIN, WebClient, reason
from .answers import Answer

#: Seconds that a provider may have us wait.
LONGEST_PAUSE = 3600.0
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "User-Agent": "multisendcon",
}


class NotAnsweredError(Exception):
    """There is no answer; the text says why, and nothing of what was sent."""


@attrs.frozen
class Dated:
    """An answer.

    :param ahead: seconds by which the clock of who answers is ahead of ours; ``None``: it does not
        tell the time.
    """

    answer: Answer
    ahead: float | None


class Forms:
    """Posts forms.

    :param reactor: connects, and is the clock.
    :param wall: tells the time in seconds since the epoch.
    :param agent: sends requests.
    """

    def __init__(
        self, reactor: Any, wall: Callable[[], float], agent: IAgent | None = None
    ) -> None:
        self._reactor = reactor
        self._wall = wall
        self._client = WebClient(reactor, agent)

    async def post(self, url: str, body: bytes) -> Dated:
        """Post a form.

        :raise NotAnsweredError: there is no answer, for whatever reason.
        """
        asked = Deferred.fromCoroutine(self._post(url, body))
        try:
            return await asked.addTimeout(ANSWERS_WITHIN, self._reactor)
        except CancelledError:
            raise
        except Exception as error:
            raise NotAnsweredError(f"{host_of(url)} {reason(error)}") from None
        finally:
            self._client.hang_up()

    async def _post(self, url: str, body: bytes) -> Dated:
        response = await self._client.post(url.encode(), _HEADERS, body)
        reading = _Reading()
        response.deliverBody(reading)
        said = await reading.ended
        now = self._wall()
        date = _moment(_header(response, "Date"))
        ahead = None if date is None else date - now
        pause = _retry_after(_header(response, "Retry-After"), date or now)
        return Dated(Answer(response.code, said, pause), ahead)


class _Reading(Protocol):
    """Reads an answer; Twisted's `readBody` logs an error when it is given up.

    :ivar ended: fires with it.
    """

    def __init__(self) -> None:
        self.ended: Deferred[bytes] = Deferred()
        self._pieces: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Without a length, it ends with the connection.
        if reason.check(ResponseDone, PotentialDataLoss):
            self.ended.callback(b"".join(self._pieces))
        else:
            self.ended.errback(reason)


def host_of(url: str) -> str:
    """Return what is told of an address."""
    return urlsplit(url).hostname or "the provider"


def _header(response: IResponse, name: str) -> str:
    values = response.headers.getRawHeaders(name) or [""]
    return str(values[0])


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _retry_after(text: str, now: float) -> float | None:
    """Return the seconds of RFC 9110 section 10.2.3."""
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    elif (moment := _moment(text)) is not None:
        seconds = moment - now
    else:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)
