"""The resolver of accounts that deliver by the DNS: `Names`, by asking servers.

The same question is asked once at a time, and answers are kept while they hold.  Only so many
questions are under way, and only so many wait for their turn: DNS servers that are slow or dead
cost time and memory within bounds, and while none can be asked, nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from ..settings.dns import MOST_UNDER_WAY, DnsSettings, NameServer
from .answer import TYPES, Answer, DnsError
from .cache import Cache
from .exchange import Exchange
from .inquiry import Inquiries
from .names import normal
from .reading import Finding
from .records import Record, Tlsa, Txt
from .servers import Servers
from .system import SystemServers
from .turns import Turns
from .wire import Question

#: Questions that wait until they are under way.
MOST_WAITING = 10_000
#: Seconds that a question waits until it is asked.
_WAITS = 10.0
#: Seconds that answers are kept at most: RFC 1035 knows no limit; of those that there is nothing,
#: RFC 2308 section 5 has one to three hours, but who corrects a mistake waits for it.
_LONGEST, _LONGEST_NOTHING = 24 * 3600.0, 900.0
#: Seconds that it is kept that there was no answer (RFC 9520 section 3.2).
_NO_ANSWER = 10.0
#: Entries that are kept, and octets of memory that they take, as estimated.
_MOST_KEPT, _ROOM = 50_000, 32 * 1024 * 1024
_ENTRY = 600

#: Answers, and why there was none.
_Kept = Cache[Question, Answer | str]


class Resolver:
    """Answers questions by asking the servers of the settings, or those of the system.

    :param reactor: has sockets, and is the clock.
    :param exchange: asks one server.
    :param system: the servers of the system.
    """

    def __init__(
        self,
        reactor: Any,
        settings: DnsSettings,
        *,
        exchange: Exchange | None = None,
        system: Callable[[], tuple[NameServer, ...]] | None = None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._exchange = exchange or Exchange(reactor)
        self._system = system or SystemServers(reactor.seconds).servers
        self._turns = Turns(reactor, MOST_UNDER_WAY)
        self._tasks: set[Deferred[None]] = set()
        self._stopped = False
        self._in_use: tuple[NameServer, ...] = ()
        self._servers = Servers(())
        self._inquiries = self._make_inquiries()
        self._cache = _make_cache()
        self._shared: dict[Question, list[Deferred[Answer]]] = {}

    def query(self, name: str, rdtype: str) -> Deferred[Answer]:
        if rdtype not in TYPES:
            raise ValueError(f"records of type {rdtype} are not asked for")
        try:
            question = Question(normal(name), rdtype)
            self._look_at_servers()
            known = self._cache.get(question, self._reactor.seconds())
            if isinstance(known, Answer):
                return succeed(known)
            if known is not None:
                raise DnsError(known)
            if question not in self._shared:
                self._check_room()
        except DnsError as error:
            return fail(error)
        return self._wait_for(question)

    def reconfigure(self, settings: DnsSettings) -> None:
        """Ask by other settings from now on; what is under way ends as it has begun."""
        if settings != self._settings:
            self._settings = settings
            self._begin(self._in_use)

    def stop(self) -> None:
        """End at once: whoever waits is told, and whoever asks from now on."""
        self._stopped = True
        self._inquiries.stop()
        self._turns.stop()
        for task in list(self._tasks):
            task.cancel()

    def _begin(self, servers: tuple[NameServer, ...]) -> None:
        """Ask these servers, and let nothing that others say be kept or shared."""
        self._in_use = servers
        self._servers = self._servers.of(servers)
        self._exchange.keep(set(servers))
        self._inquiries.stop()
        self._inquiries = self._make_inquiries()
        self._cache = _make_cache()
        self._shared = {}

    def _make_inquiries(self) -> Inquiries:
        return Inquiries(
            self._reactor, self._exchange, self._servers, trust_ad=self._settings.trust_ad
        )

    def _look_at_servers(self) -> None:
        servers = self._settings.servers or self._system()
        if servers != self._in_use:
            self._begin(servers)

    def _check_room(self) -> None:
        """Raise why a further question cannot be asked now."""
        if self._stopped:
            raise _stopped()
        if error := self._inquiries.nobody_left:
            raise error
        if self._turns.waiting >= MOST_WAITING:
            raise DnsError("too many questions to the DNS wait already")

    def _wait_for(self, question: Question) -> Deferred[Answer]:
        waiting = self._shared.get(question)
        if waiting is None:
            waiting = self._shared[question] = []
            answered: Deferred[Answer] = _waiter(waiting)
            task = Deferred.fromCoroutine(self._work(question))
            self._tasks.add(task)
            task.addBoth(lambda _: self._tasks.discard(task))
            return answered
        return _waiter(waiting)

    async def _work(self, question: Question) -> None:
        """Find the answer to a question, keep it, and tell it to all who wait for it."""
        # Those of the servers that are asked, whatever comes in between.
        shared, cache, waiting = self._shared, self._cache, self._shared[question]
        told: Answer | Failure
        try:
            told = await self._find(question, cache)
        except CancelledError:
            told = Failure(_stopped())
        except Exception:
            told = Failure()
        del shared[question]
        for each in list(waiting):
            _tell(each, told)

    async def _find(self, question: Question, cache: _Kept) -> Answer:
        inquiries = self._inquiries
        turn = self._turns.get()
        if not turn.called:
            turn.addTimeout(_WAITS, self._reactor)
        try:
            await turn
        except defer.TimeoutError:
            raise DnsError(f"{question}: the DNS servers are too slow for all questions") from None
        try:
            found = await inquiries.ask(question)
        except DnsError as error:
            now = self._reactor.seconds()
            if not inquiries.nobody_left:
                cache.put(question, str(error), now + _NO_ANSWER, _ENTRY)
            raise
        finally:
            self._turns.give_back()
        answer = self._answer(found)
        if found.ttl:
            cache.put(question, answer, answer.expires, _ENTRY + _size(answer.records))
        return answer

    def _answer(self, found: Finding) -> Answer:
        longest = _LONGEST if found.records else _LONGEST_NOTHING
        return Answer(
            kind=found.kind,
            records=found.records,
            secure=found.verified,
            canonical=found.canonical,
            expires=self._reactor.seconds() + min(found.ttl or 0, longest),
        )


def _make_cache() -> _Kept:
    return Cache(_MOST_KEPT, _ROOM)


def _waiter(waiting: list[Deferred[Answer]]) -> Deferred[Answer]:
    """Return a Deferred that waits with the others, until it is cancelled."""
    waiter: Deferred[Answer] = Deferred(waiting.remove)
    waiting.append(waiter)
    return waiter


def _tell(waiter: Deferred[Answer], told: Answer | Failure) -> None:
    if waiter.called:  # somebody who was told before has cancelled it
        return
    if isinstance(told, Answer):
        waiter.callback(told)
    elif isinstance(error := told.value, DnsError):
        # A new one for each, since each adds to it where it was raised.
        waiter.errback(DnsError(str(error), temporary=error.temporary, nobody=error.nobody))
    else:
        waiter.errback(told)


def _stopped() -> DnsError:
    return DnsError("the relay is stopping")


def _size(records: Iterable[Record]) -> int:
    """Return the octets of memory of records, about."""
    return sum(100 + len(_content(each)) for each in records)


def _content(record: Record) -> str | bytes:
    match record:
        case Tlsa():
            return record.data
        case Txt():
            return record.text
        case str():
            return record
        case _:
            return record.host
