"""Posts a form to a provider, and brings what it answers.

Certificates are verified by the authorities of the system; nobody is followed elsewhere, where
secrets have no business.  A provider that hangs or floods costs a connection and some memory, both
with limits.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import attrs
import treq
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.task import Cooperator
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, FileBodyProducer
from twisted.web.iweb import IAgent

from .answers import Answer

#: Seconds for a connection, and for all of a request.
CONNECTS_WITHIN, ANSWERS_WITHIN = 10.0, 30.0
#: Octets of an answer.
MOST_SAID = 64 * 1024
#: Seconds that a provider may have us wait.
LONGEST_PAUSE = 3600.0
_HEADERS: dict[str | bytes, str | bytes] = {
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
        # Twisted's and treq's own would import a reactor.
        self._cooperator = Cooperator(scheduler=partial(reactor.callLater, 0))
        self._agent = agent or Agent(
            reactor, BrowserLikePolicyForHTTPS(), connectTimeout=CONNECTS_WITHIN
        )

    async def post(self, url: str, body: bytes) -> Dated:
        """Post a form.

        :raise NotAnsweredError: there is no answer, for whatever reason.
        """
        asked = Deferred.fromCoroutine(self._post(url, body))
        try:
            return await asked.addTimeout(ANSWERS_WITHIN, self._reactor)
        except _TooLongError:
            raise NotAnsweredError(f"{host_of(url)} answers with more than a token") from None
        except CancelledError:
            raise
        except Exception as error:
            raise NotAnsweredError(f"{host_of(url)} {_reason(error)}") from None

    async def _post(self, url: str, body: bytes) -> Dated:
        # A client for each: it would keep the cookies of the one before.
        client = HTTPClient(self._agent)
        response = await client.post(
            url,
            data=FileBodyProducer(io.BytesIO(body), self._cooperator),
            headers=_HEADERS,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        said: list[bytes] = []
        room = MOST_SAID

        def take(octets: bytes) -> None:
            nonlocal room
            room -= len(octets)
            if room < 0:
                raise _TooLongError
            said.append(octets)

        await treq.collect(response, take)
        now = self._wall()
        date = _moment(_header(response, "Date"))
        ahead = None if date is None else date - now
        pause = _retry_after(_header(response, "Retry-After"), date or now)
        return Dated(Answer(response.code, b"".join(said), pause), ahead)


class _TooLongError(Exception):
    """An answer has no end."""


def host_of(url: str) -> str:
    """Return what is told of an address."""
    return urlsplit(url).hostname or "the provider"


def _header(response: Any, name: str) -> str:
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
    while reasons := getattr(error, "reasons", None):  # Twisted puts one into another
        error = reasons[0].value
    if isinstance(error, defer.TimeoutError | ConnectingCancelledError):
        return f"gives no answer within {ANSWERS_WITHIN:.0f} s"
    if isinstance(error, DNSLookupError):
        return "cannot be found in the DNS"
    if isinstance(error, ConnectError):
        return f"cannot be reached: {error}".rstrip(".")[:_LONGEST_REASON]
    # The text of others may have what was sent, or is longer than what it says.
    return f"cannot be asked: {_tls_fault(error) or type(error).__name__}"


def _tls_fault(error: BaseException) -> str:
    """Return what OpenSSL says; ``""``: it is another error."""
    faults = error.args[0] if error.args else None
    if isinstance(faults, list) and faults and isinstance(faults[0], tuple):
        return f"TLS: {faults[0][-1]}"[:_LONGEST_REASON]
    return ""
