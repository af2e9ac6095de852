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
from twisted.internet.error import ConnectError, ConnectionAborted, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgent, IResponse

from ..web_client import ANSWERS_WITHIN, WebClient, cause, is_silence
from .answers import Answer

#: Seconds that a provider may have us wait.
LONGEST_PAUSE = 3600.0
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "User-Agent": "multisendcon",
}
_LONGEST_REASON = 200


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
            raise NotAnsweredError(f"{host_of(url)} {_reason(cause(error))}") from None
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


def _reason(error: BaseException) -> str:
    """Say why there was no answer."""
    if is_silence(error):
        return f"gives no answer within {ANSWERS_WITHIN:.0f} s"
    if isinstance(error, DNSLookupError):
        return "cannot be found in the DNS"
    if isinstance(error, ConnectError):
        return f"cannot be reached: {error}".rstrip(".")[:_LONGEST_REASON]
    if isinstance(error, ConnectionAborted):
        return "says more than a token"
    # The text of others may have what was sent, or is longer than what it says.
    return f"cannot be asked: {_tls_fault(error) or type(error).__name__}"


def _tls_fault(error: BaseException) -> str:
    """Return what OpenSSL says; ``""``: it is another error."""
    faults = error.args[0] if error.args else None
    if isinstance(faults, list) and faults and isinstance(faults[0], tuple):
        return f"TLS: {faults[0][-1]}"[:_LONGEST_REASON]
    return ""
