"""Finds the policies of domains for MTA-STS, and keeps them (RFC 8461 section 3 and 5).

One request is under way for a domain, for all whose mail waits for it, and mail of other domains
does not.  What cannot be had is not asked for again for a while; what was had before goes on to
hold as long as it may be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..dns import DnsError, Names, Txt
from ..outcome.tls import TlsFinding
from .fetch import Fetcher, NotFetchedError
from .kept import KeptPolicies, KeptPolicy
from .mta_sts import StsPolicy, policy_id
from .store import PolicyStore

#: Seconds for which a policy that could not be fetched is not asked for again.
FAILED_FOR = 300.0
#: Domains of which that is known.
_MOST_FAILED = 10_000
#: Requests beside which none is made before its time: no mail waits for those, so that the mail
#: under way does not limit them.
MOST_AHEAD = 20


@attrs.frozen
class Found:
    """What is known of a domain.

    :param policy: that holds; ``None``: it has none.
    :param finding: why a newer one, or one at all, cannot be had; ``None``: that is it.
    """

    policy: StsPolicy | None = None
    finding: TlsFinding | None = None


class Discovery:
    """The policies of domains.

    :param names: answers whether a domain has one.
    :param fetcher: fetches it.
    :param now: tells the time in seconds since the epoch.
    :param store: keeps them over restarts; ``None``: nothing does.
    """

    log = Logger()

    def __init__(
        self,
        names: Names,
        fetcher: Fetcher,
        now: Callable[[], float],
        store: PolicyStore | None = None,
    ) -> None:
        self._names = names
        self._fetcher = fetcher
        self._now = now
        self._store = store
        self._kept = KeptPolicies()
        self._failed: dict[str, tuple[float, TlsFinding]] = {}
        self._under_way: dict[str, _Request] = {}
        self._loading: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []

    # Beginning and end.

    def start(self) -> None:
        """Read what is kept; until it is there, whoever asks waits."""
        if self._store is not None:
            self._loading = self._store.load(self._now()).addCallback(self._loaded)

    def _loaded(self, found: list[KeptPolicy]) -> None:
        for kept in found:
            self._kept.put(kept)
        self._loading = None
        waiting, self._waiting = self._waiting, []
        _tell(waiting)

    def stop(self) -> Deferred[None]:
        """End all that is under way, and finish what is being written.

        Whoever waits is cancelled: nothing is known, and that is not to be taken for no policy.
        """
        for request in tuple(self._under_way.values()):
            for place in tuple(request.waiting):
                place.cancel()
            request.done.cancel()
        return self._store.stop() if self._store is not None else succeed(None)

    # Questions.

    async def of(self, domain: str) -> Found:
        """Return what is known of a domain, after a request if one is needed.

        :param domain: an A-label in lower case.
        """
        if self._loading is not None:
            await _place(self._waiting)
        name = await self._published(domain)
        kept = self._kept.get(domain, self._now())
        if name is None:
            # A record that is gone takes no policy with it, or anybody could have it so.
            return Found(kept.policy if kept else None)
        if kept is not None and kept.id == name:
            if kept.aged(self._now()) and self._failure(domain) is None and self._has_room:
                self._request(domain, name)
            return Found(kept.policy)
        if self._failure(domain) is None:
            request = self._request(domain, name)
            if not request.done.called:
                await _place(request.waiting)
            if request.policy is not None:
                return Found(request.policy)  # also one that is not to be kept
            kept = self._kept.get(domain, self._now())
        return Found(kept.policy if kept else None, self._failure(domain))

    @property
    def _has_room(self) -> bool:
        return len(self._under_way) < MOST_AHEAD

    async def _published(self, domain: str) -> str | None:
        try:
            answer = await self._names.query(f"_mta-sts.{domain}", "TXT")
        except DnsError:
            return None
        return policy_id(each.text for each in answer.records if isinstance(each, Txt))

    def _failure(self, domain: str) -> TlsFinding | None:
        since, finding = self._failed.get(domain, (0.0, None))
        # Not from the future either: the clock may have been set back, by any time.
        return finding if 0.0 <= self._now() - since < FAILED_FOR else None

    # Requests.

    def _request(self, domain: str, name: str) -> _Request:
        """Have a policy fetched, unless that is under way."""
        request = self._under_way.get(domain)
        if request is None:
            request = self._under_way[domain] = _Request()
            request.done = Deferred.fromCoroutine(self._fetch(domain, name, request))
            request.done.addBoth(self._ended, domain, request)
        return request

    async def _fetch(self, domain: str, name: str, request: _Request) -> None:
        try:
            policy = request.policy = await self._fetcher.fetch(domain)
        except NotFetchedError as error:
            self._fail(domain, error.finding)
            return
        self._failed.pop(domain, None)
        kept = KeptPolicy(domain, name, self._now(), policy)
        gone = self._kept.put(kept)
        if self._store is not None:
            self._store.write(kept, gone)

    def _fail(self, domain: str, finding: TlsFinding) -> None:
        self.log.warn(
            "MTA-STS of {domain}: {text}; {follows}",
            domain=domain,
            text=finding.text,
            follows="the policy that is known goes on to hold"
            if self._kept.get(domain, self._now())
            else "its mail is sent as though it had no policy",
        )
        self._failed.pop(domain, None)
        self._failed[domain] = self._now(), finding
        if len(self._failed) > _MOST_FAILED:
            del self._failed[next(iter(self._failed))]

    def _ended(self, result: Failure | None, domain: str, request: _Request) -> None:
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.log.failure("internal error (a bug); traceback follows", failure=result)
        self._under_way.pop(domain, None)
        _tell(request.waiting)


@attrs.define(eq=False)
class _Request:
    """A policy is being fetched.

    :ivar policy: what came of it.
    """

    done: Deferred[None] = attrs.field(factory=Deferred)
    waiting: list[Deferred[None]] = attrs.field(factory=list)
    policy: StsPolicy | None = None


def _place(waiting: list[Deferred[None]]) -> Deferred[None]:
    """Return a place among those who wait; whoever cancels it gives it up alone."""
    place: Deferred[None] = Deferred(waiting.remove)
    waiting.append(place)
    return place


def _tell(waiting: list[Deferred[None]]) -> None:
    for place in tuple(waiting):
        if not place.called:  # cancelled by one before it
            place.callback(None)
