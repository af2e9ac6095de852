"""The queue in time of one account and destination: its agenda, its gates, and the attempts.

A delivery leaves when it is due and all gates are open.  What an attempt means for the mail is
not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from math import inf
from random import random

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ..events import Publisher
from ..interfaces import IRelay, IStore
from ..mail.message import Delivery, LaneKey
from ..outcome.attempt import AccountFault, Attempt
from ..outcome.backoff import LONGEST_REST
from ..outcome.settlement import Settlement
from ..routing.account import Account
from .account_news import tell_of_change, tell_of_quota
from .agenda import Agenda, Left
from .bugs import attempt_with_bug, tell_of_bug
from .connections import others
from .destination_gates import AnyGates
from .line import Line
from .locks import Locks
from .quota_gate import Closed, QuotaGate
from .reservation import reserved_attempt
from .tasks import Tasks

#: Deliveries for which something else is done at a time while the account rests: some milliseconds.
RELIEVED_AT_ONCE = 20


@attrs.define(eq=False, repr=False, slots=False)
class Lane:
    """The lane of one account and destination.

    :param key: what it is known by in the spool.
    :param events: is told of the account.
    :param clock: is never set; `wall` tells the time that people read (seconds since the epoch).
    :param locks: of deliveries that are changed by hand.
    :param relieve: does what can be done for a delivery while the account rests; False: there is
        nothing.  It calls `settled` when that is durable.
    :ivar paused: nothing begins, until somebody resumes the account.
    :ivar retired: it begins nothing any more, see `retire`.
    :param line: where it waits for its turn; ``None``: it is the only lane of its account.
    :param conclude: is told of each attempt, when it ended, and whether a mail waits for its
        settlement; calls `settled` when its outcome is durable.
    """

    key: LaneKey
    account: Account
    relay: IRelay
    _spool: IStore
    _events: Publisher
    _tasks: Tasks
    _locks: Locks
    _agenda: Agenda
    gates: AnyGates
    _clock: IReactorTime
    _wall: Callable[[], float]
    _conclude: Callable[[Lane, Delivery, Attempt, float, bool], None]
    _relieve: Callable[[Lane, Delivery, AccountFault], bool]
    paused: bool = False
    line: Line | None = None
    retired: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._alarm: IDelayedCall | None = None
        #: Deliveries that a crash would have sent again: begun, and their outcome is not durable.
        self._unsettled: set[int] = set()
        self._relieved: set[int] = set()
        self._going = False
        self._stopping = False
        self._trying = 0
        self._all_ended: Deferred[None] | None = None
        self._emptied: Callable[[], None] | None = None
        self.gates.opened, self.gates.ready = self.go, self._is_ready

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries on the agenda."""
        for delivery in deliveries:
            self._agenda.add(delivery)
        self.go()

    def go(self) -> None:
        """Begin what can begin now, and wake up when the next thing can."""
        agenda = self._agenda
        if self._going:
            # Something has ended as soon as it began; the loop below goes on from there.
            return
        if agenda.waiting or agenda.missing:
            self._going = True
            try:
                self._go()
            except Exception:
                # Others, who have told it to go, are not harmed by it.
                tell_of_bug(self.account)
            finally:
                self._going = False
        if self.line is not None:
            self.line.rests(self)

    def _go(self) -> None:
        if self._alarm:
            self._turn_off_alarm()
        agenda, gates, line = self._agenda, self.gates, self.line
        now = self._clock.seconds()
        while (agenda.waiting or agenda.missing) and not (self._stopping or self.paused):
            if agenda.missing and agenda.wants_more(now):
                self._tasks.begin(self._fetch())
            due = agenda.waiting[0].due if agenda.waiting else inf
            opens_at = gates.opens_at()
            closed = None
            if gates.quota is not None and due <= now and (line is None or line.turn is self):
                closed = self._closed_by(gates.quota, now, ready=opens_at <= now)
                if closed:
                    opens_at = max(opens_at, closed.until)
            if due <= now < opens_at and self._relieve_first(closed, now):
                continue
            # So many a crash can send again, and so many are sent while outcomes cannot be written.
            # The price: with few connections to a server that is very near, mail waits for disks.
            if opens_at == inf or len(self._unsettled) >= gates.connections.configured:
                return
            if due > now or opens_at > now:
                self._wake_up(due, opens_at, now)
                return
            if line is not None and not line.takes_turn(self):
                return
            # A new mail may be greylisted, and would not show that the account works again: the
            # probe is one whose time has come again.
            self._attempt(agenda.take(agenda.tried(now) if gates.condition.fault else 0))

    def _closed_by(self, quota: QuotaGate, now: float, *, ready: bool) -> Closed | None:
        index = self._agenda.tried(now) if self.gates.condition.fault else 0
        closed = quota.closed_for(self._agenda.waiting[index], now, ready=ready)
        if closed:
            tell_of_quota(self._events, quota, closed, now, self._wall() - now)
        return closed

    def _relieve_first(self, closed: Closed | None, now: float) -> bool:
        """While the account rests, something else may be done for its mail than to wait."""
        fault, quota = self.gates.condition.fault, self.gates.quota
        if fault is None and closed is not None and quota is not None:
            fault = quota.relief(closed, now)
        if fault is None or len(self._relieved) >= RELIEVED_AT_ONCE:
            return False
        first = self._agenda.waiting[0]
        if not self._relieve(self, first, fault):
            return False
        self._agenda.take()
        self._relieved.add(first.number)
        return True

    def _turn_off_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _wake_up(self, due: float, opens_at: float, now: float) -> None:
        beyond = self._agenda.beyond
        if beyond is not None:
            due = min(due, beyond)
        if due < inf:
            # One that is closed for days is looked at by the hour: senders are told of the delay.
            pause = max(due, min(opens_at, now + LONGEST_REST)) - now
            self._alarm = self._clock.callLater(max(pause, 0.0), self._alarm_rings)

    def _alarm_rings(self) -> None:
        self._alarm = None
        self.go()

    async def _fetch(self) -> None:
        limit = 0

        def ask() -> Deferred[tuple[Delivery, ...]]:
            nonlocal limit
            limit, since = self._agenda.fetching()
            return self._spool.waiting(self.key, limit, since)

        deliveries = await self._tasks.ask(
            ask, f"waiting mail of account {self.account.name} not read from the spool"
        )
        self._agenda.fetched(deliveries, limit)
        self.go()

    # Attempts.

    def _attempt(self, delivery: Delivery) -> None:
        relay, gates = self.relay, self.gates
        gates.connections.begun()
        self._trying += 1
        self._unsettled.add(delivery.number)
        if self.line is not None:
            self.line.begun()
        quota = gates.quota
        if quota is None:
            attempt = relay.attempt(delivery, lambda: self._spool.content(delivery.message))
        else:
            attempt = self._reserved_attempt(delivery, relay, quota)
        attempt.addBoth(self._ended, delivery, relay, gates)

    def _reserved_attempt(
        self, delivery: Delivery, relay: IRelay, quota: QuotaGate
    ) -> Deferred[Attempt]:
        """Begin a mail of an account with quotas, once it is durable that it counts for them."""

        def begin(part: Delivery) -> Deferred[Attempt] | None:
            # Meanwhile it may be that nothing may begin any more.
            if self._stopping or self.paused or relay is not self.relay:
                return None
            return relay.attempt(part, lambda: self._spool.content(delivery.message))

        return Deferred.fromCoroutine(reserved_attempt(delivery, quota, begin, self._clock.seconds))

    def _ended(
        self, result: Attempt | Failure, delivery: Delivery, relay: IRelay, gates: AnyGates
    ) -> None:
        attempt = result
        if not isinstance(attempt, Attempt):
            attempt = attempt_with_bug(attempt, delivery, self._clock.seconds())
        if (self.retired or relay is not self.relay) and attempt.fault and not attempt.uncertain:
            # It is about settings that do not hold any more.
            attempt = attrs.evolve(attempt, inconclusive=True)
        try:
            self._pass_on(attempt, delivery, gates)
        except Exception:
            tell_of_bug(self.account)
            self.not_settled(delivery)
        if self.retired or gates is not self.gates:
            gates.of_account.opened()
        # Not before: who hears of the attempt may stop the lane, and waits for what follows.
        self._trying -= 1
        if self.line is not None:
            self.line.go()
        if self._all_ended is not None and not self._trying:
            self._all_ended.callback(None)

    def _pass_on(self, attempt: Attempt, delivery: Delivery, gates: AnyGates) -> None:
        account = gates.of_account
        before = account.condition
        now = self._clock.seconds()
        working = 0
        if attempt.fault:
            working = others(gates.connections.under_way, self.relay.idle, len(self._unsettled))
        judged = gates.ended(delivery, attempt, working=working, now=now, jitter=random())
        if account.condition is not before and not self._stopping:
            ahead = self._wall() - now
            if tell_of_change(self._events, account, before, now, ahead):
                account.since = now
        if judged is None:
            # A connection was refused, not the mail: that waits as it did before.
            self.settled([Settlement(delivery=delivery, remaining=delivery)])
            return
        waiting = self._agenda.waiting
        full = len(self._unsettled) >= gates.connections.configured
        awaited = full and bool(waiting) and waiting[0].due <= now
        self._conclude(self, delivery, judged, now, awaited)
        self.go()

    def settled(self, settlements: Sequence[Settlement]) -> None:
        """What came of deliveries is durable; what remains of them in this lane is on again."""
        tried = len(self._unsettled)
        for settlement in settlements:
            delivery, remaining = settlement.delivery, settlement.remaining
            self._agenda.done(delivery)
            self._unsettled.discard(delivery.number)
            self._relieved.discard(delivery.number)
            if remaining is not None and remaining.lane == self.key:
                self._agenda.add(remaining)
        if self._locks.holders:
            self._locks.ended([each.delivery.number for each in settlements])
        if self.line is not None:
            self.line.settled(tried - len(self._unsettled))
        self.go()
        if self.retired:
            self._tell_when_empty()

    def not_settled(self, delivery: Delivery) -> None:
        """What came of a delivery is lost; it stays as it is until the relay is started again."""
        if self.line is not None:
            self.line.settled(delivery.number in self._unsettled)
        self._unsettled.discard(delivery.number)
        self._relieved.discard(delivery.number)
        self._locks.ended([delivery.number])
        self.go()
        if self.retired:
            self._tell_when_empty()

    # What is changed by hand: see `changes`.

    def withdraw(self, numbers: Set[int], known: dict[int, Delivery]) -> Left:
        """Take deliveries off the agenda, into what is known; return those that cannot be."""
        agenda = self._agenda
        withdrawn = agenda.withdraw(numbers)
        if not self.retired:  # else it is in the spool for whichever lane begins it
            known.update((each.number, each) for each in withdrawn)
        handed_out = agenda.known(numbers)
        under_way = handed_out & (self._unsettled | self._relieved) if handed_out else handed_out
        return Left(under_way, handed_out - under_way)

    def outdate(self, changed: Mapping[int, object]) -> None:
        """Deliveries have changed in the spool."""
        self._agenda.outdate(changed)

    @property
    def under_way(self) -> frozenset[int]:
        """The numbers of the deliveries that are being tried, or were, and are not settled yet."""
        return frozenset(self._unsettled)

    def pause(self, paused: bool) -> None:
        """Begin nothing new, not even with another account, or go on."""
        self.paused = paused
        self.go()

    def _is_ready(self) -> bool:
        """A mail is due, and would begin if there were room in the quotas."""
        now, waiting = self._clock.seconds(), self._agenda.waiting
        due = bool(waiting) and waiting[0].due <= now and self.gates.opens_at() <= now
        return due and not (self._stopping or self.paused)

    def full(self, now: float) -> Closed | None:
        """Tell why its next mail has no room in a quota; if none waits, one like most."""
        quota, waiting = self.gates.quota, self._agenda.waiting
        due = waiting[0] if waiting and waiting[0].due <= now else None
        return None if quota is None else quota.closed(due, now)

    # Other settings.

    def begins_at(self, now: float) -> float | None:
        """Return when it may have something to do again, since it has nothing now.

        :return: ``math.inf``: never; ``None``: something is in hand still.
        """
        agenda = self._agenda
        if not agenda.idle:
            return None
        due = agenda.waiting[0].due if agenda.waiting else inf
        if agenda.beyond is not None:
            due = min(due, agenda.beyond)
        return max(due, min(self.gates.opens_at(), now + LONGEST_REST))

    @property
    def is_busy(self) -> bool:
        """It is being read from the spool, or another way is found for some of its mail."""
        return self._agenda.fetching_now or bool(self._relieved)

    def reconfigure(self, account: Account, relay: IRelay, gates: AnyGates) -> None:
        """Go on with other settings; what is under way ends as it was begun."""
        self.account, self.relay, self.gates = account, relay, gates
        gates.opened, gates.ready = self.go, self._is_ready
        self.go()

    def hasten(self, now: float) -> None:
        """Let all that waits be due by now, as it is in the spool, and the account not rest."""
        self._agenda.hasten(now)
        self.gates.probe()
        self.go()

    def retire(self, emptied: Callable[[], None]) -> None:
        """Begin nothing new for good: the account is not in use any more.

        :param emptied: is called when all is settled that is `in_hand`.
        """
        self.retired = True
        self._emptied = emptied
        self.halt()
        self._tell_when_empty()

    def _tell_when_empty(self) -> None:
        if self._emptied is not None and not (self._unsettled or self._relieved):
            emptied, self._emptied = self._emptied, None
            emptied()

    @property
    def in_hand(self) -> frozenset[int]:
        """The numbers of the deliveries of which it is being decided what becomes of them."""
        return frozenset(self._unsettled | self._relieved)

    def halt(self) -> None:
        """Begin nothing new; what is under way goes on."""
        self._stopping = True
        self._turn_off_alarm()

    def stop(self) -> Deferred[None]:
        """Begin nothing new.

        :return: fires when each attempt has been concluded.
        """
        self.halt()
        ended = self._all_ended = Deferred()
        if not self._trying:
            ended.callback(None)
        return ended
