"""The lanes of one direct account: each has its turn, and only those at work are in memory.

A destination whose mail waits for a time, or for its own rest, is one entry of a heap; one whose
mail could begin, but for the gates of the account, stands in a line.  When those open, the first of
the line begins one mail, and goes to the end if it has more: so a destination that is dead, slow or
busy keeps no other one waiting, and a turn costs the same however many there are.  A lane is made
when it is its turn, or when new mail comes, and ends when it has nothing in hand: what waits is in
the spool.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..mail.message import Delivery, LaneKey
from ..outcome.backoff import LONGEST_REST
from ..outcome.condition import Rest
from ..settings.destinations import Pace
from .destination_gates import DestinationGates
from .gates import Gates
from .lane import Lane
from .line import Line
from .quota_gate import A_MOMENT

#: Lanes of an account that are kept with their mail while they stand in the line, beside those that
#: are the next ones.
MOST_ALIVE = 2000
#: Lanes that are read from the spool at a time, at least.
FILLED_AT_ONCE = 8
#: Destinations that are woken at a time: a millisecond.
ROUSED_AT_ONCE = 1000
#: Stale entries of the heap that are let be.
_STALE = 1000


class Turns(Line):
    """The line of one account: see `Line`.

    :param name: of the account.
    :param gates: of the account.
    :param pace: returns how fast it sends to a destination.
    :param make: makes the lane of a destination; its last argument: nothing waits for it in the
        spool.
    :param lanes: those of all accounts that are at work.
    :param relieves: tells whether the mail of the account may leave by another one.
    :param clock: is never set.
    :ivar complete: all that waits in the spool is known.
    :ivar paused: nothing begins, until somebody resumes the account.
    """

    def __init__(
        self,
        *,
        name: str,
        gates: Gates,
        pace: Callable[[str], Pace],
        make: Callable[[LaneKey, DestinationGates, Turns, bool], Lane],
        lanes: dict[LaneKey, Lane],
        relieves: Callable[[], bool],
        clock: IReactorTime,
    ) -> None:
        self.name = name
        self.turn: Lane | None = None
        self.complete = False
        self.paused = False
        self._pace = pace
        self._make = make
        self._lanes = lanes
        self._relieves = relieves
        self._clock = clock
        self._stopping = False
        self._going = False
        self._alarm: IDelayedCall | None = None
        self._alive = 0
        #: Mails that a crash would have sent again.
        self._unsettled = 0
        #: A quota has no room before.
        self._full_until = 0.0
        #: Destinations whose mail may begin, as far as they are concerned.
        self._line: OrderedDict[str, None] = OrderedDict()
        #: When others have something to do; stale entries of the heap have another time.
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        #: Those whose turn is used by reading from the spool, or by finding relief for their mail.
        self._filling: set[str] = set()
        #: Before all in the line: those whose turn was used so, and that can begin now.  They are
        #: not left to the spool again.
        self._next: OrderedDict[str, None] = OrderedDict()
        self._gates: dict[str, DestinationGates] = {}
        self.gates = gates
        self._listen()

    def _listen(self) -> None:
        self.gates.opened, self.gates.ready = self._has_room, self._is_ready

    # What waits.

    def add(self, destination: str, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries that are in the spool on the agenda of their lane, or leave them there."""
        lane = self._lanes.get((self.name, destination))
        if lane is None:
            if self._alive >= MOST_ALIVE:
                self.know(destination, min(each.due for each in deliveries))
                return
            alone = destination not in self._times and not self._stands(destination)
            lane = self._begin(destination, alone=alone and self.complete)
        lane.add(deliveries)

    def know(self, destination: str, due: float) -> None:
        """Keep in mind that mail of a destination waits in the spool."""
        if (self.name, destination) in self._lanes or self._stands(destination):
            return
        if due < self._times.get(destination, inf):
            self._sleep(destination, due)
            self.go()

    def _sleep(self, destination: str, at: float) -> None:
        if self._times.get(destination) == at:
            return
        self._times[destination] = at
        heappush(self._heap, (at, destination))
        if len(self._heap) > 2 * len(self._times) + _STALE:
            self._heap = [(when, each) for each, when in self._times.items()]
            heapify(self._heap)

    def _rouse(self, now: float) -> None:
        """Let those stand in the line whose time has come."""
        for _ in range(ROUSED_AT_ONCE):
            if not self._heap or self._heap[0][0] > now:
                return
            at, destination = heappop(self._heap)
            if self._times.get(destination) == at:
                del self._times[destination]
                if not self._stands(destination):
                    self._line[destination] = None

    def _begin(self, destination: str, *, alone: bool) -> Lane:
        key = self.name, destination
        gates = self._gates.get(destination)
        if gates is None:
            gates = self._gates[destination] = DestinationGates(self.gates, self._pace(destination))
        lane = self._lanes[key] = self._make(key, gates, self, alone)
        self._alive += 1
        return lane

    def _end(self, lane: Lane, at: float, now: float) -> None:
        """Let a lane end that has nothing in hand, and nothing to do before a time."""
        destination = lane.key[1]
        lane.halt()
        del self._lanes[lane.key]
        self._alive -= 1
        gates = self._gates[destination]
        if gates.forgettable(now, waiting=at < inf):
            del self._gates[destination]
        elif at == inf:
            at = max(gates.opens_at(), now)  # then there is nothing to remember any more
        if self._stands(destination):
            return
        if at < inf:
            self._sleep(destination, at)
        else:
            self._times.pop(destination, None)

    # Turns.

    def go(self) -> None:
        """Let lanes have their turns: see `Line`."""
        if self._going or self._stopping:
            return
        self._going = True
        try:
            self._go()
        finally:
            self._going = False

    def _go(self) -> None:
        now = self._clock.seconds()
        self._rouse(now)
        most = max(FILLED_AT_ONCE, self.gates.connections.configured)
        while (line := self._next or self._line) and len(self._filling) < most:
            is_open = self._is_open(now)
            if not is_open and not self._is_to_relieve(now):
                break
            destination, _ = line.popitem(last=False)
            self._serve(destination, is_open, now)
        self._set_alarm(now)

    def _stands(self, destination: str) -> bool:
        """Tell whether a destination stands in the line."""
        return destination in self._line or destination in self._next

    def _is_open(self, now: float) -> bool:
        return (
            not self.paused
            # Of what has ended, a crash sends no more again than the account has connections.
            and self._unsettled - self.gates.connections.under_way < self.gates.account.connections
            and max(self.gates.opens_at(), self._full_until) <= now
        )

    def _is_to_relieve(self, now: float) -> bool:
        """Tell whether the lanes are to look for another way for their mail: the account rests."""
        rests = self.gates.health.opens_at - now
        # Without another account, there are senders to be told of a delay, which nobody hurries.
        return not self.paused and rests > 0.0 and (rests > LONGEST_REST / 2 or self._relieves())

    def _serve(self, destination: str, is_open: bool, now: float) -> None:
        lane = self._lanes.get((self.name, destination)) or self._begin(destination, alone=False)
        self._filling.add(destination)
        self.turn = lane if is_open else None
        lane.go()
        waits, self.turn = self.turn is not None, None
        if lane.is_busy:
            return
        self._filling.discard(destination)
        at = lane.begins_at(now) if waits else None
        if at is not None and at <= now:
            # It needs room in a quota, which others may have claimed: all others wait with it, as
            # in one lane.
            closed = lane.full(now)
            self._full_until = now + A_MOMENT if closed is None else closed.until
            self._line.pop(destination, None)
            self._next[destination] = None
            self._next.move_to_end(destination, last=False)
            return
        self.rests(lane)

    def takes_turn(self, lane: Lane) -> bool:
        """Tell whether it is the turn of a lane; else it is in the line: see `Line`."""
        if self.turn is lane:
            return True
        destination = lane.key[1]
        if not self._stands(destination):
            line = self._next if destination in self._filling else self._line
            line[destination] = None
        return False

    def begun(self) -> None:
        """The lane whose turn it is has begun a mail: see `Line`."""
        if self.turn is not None:
            self._filling.discard(self.turn.key[1])
            self.turn = None
        self.gates.connections.begun()
        self._unsettled += 1

    def settled(self, count: int) -> None:
        """What came of so many mails is durable: see `Line`."""
        self._unsettled -= count

    def rests(self, lane: Lane) -> None:
        """A lane has done what it could: see `Line`."""
        if self._stopping or self.turn is lane or self._lanes.get(lane.key) is not lane:
            return
        destination, now = lane.key[1], self._clock.seconds()
        if not lane.is_busy:
            self._filling.discard(destination)
        at = None if lane.retired else lane.begins_at(now)
        if at is not None:
            if at <= now and not self._stands(destination):
                self._line[destination] = None
            if at > now or (self._alive > MOST_ALIVE and destination not in self._next):
                self._end(lane, at, now)
        self.go()

    # Alarms.

    def _set_alarm(self, now: float) -> None:
        at = self._heap[0][0] if self._heap else inf
        if self._line or self._next:
            opens_at = max(self.gates.opens_at(), self._full_until)
            if opens_at > now:
                at = min(at, opens_at)
        at = max(at, now)
        if self._alarm is not None:
            if self._alarm.getTime() == at:
                return
            self._alarm.cancel()
            self._alarm = None
        if at < inf:
            self._alarm = self._clock.callLater(at - now, self._alarm_rings)

    def _alarm_rings(self) -> None:
        self._alarm = None
        self.go()

    def _has_room(self) -> None:
        """There may be room in the quotas."""
        self._full_until = 0.0
        self.go()

    def _is_ready(self) -> bool:
        """A mail is due, and would begin if there were room in the quotas."""
        now = self._clock.seconds()
        return bool(self._line or self._next) and not self.paused and self.gates.opens_at() <= now

    # By hand, and by a reload.

    def probe(self, destination: str) -> None:
        """Let one mail of a destination be tried now, although that or the account rests."""
        gates, lane = self._gates.get(destination), self._lanes.get((self.name, destination))
        if gates is not None:
            gates.probe()
        elif self.gates.condition.fault is not None:
            self.gates.probe()
        if lane is not None:
            lane.go()
        elif self._times.pop(destination, None) is not None:
            self._line[destination] = None
        self.go()

    def reconfigure(self, gates: Gates, pace: Callable[[str], Pace]) -> None:
        """Go on with other gates of the account, and other paces; the lanes are told by `gates_of`.

        :param gates: others than before: another server would be told, so nothing is known.
        """
        self._pace = pace
        if gates is not self.gates:
            self.gates = gates
            self._gates = {}
        for destination, each in self._gates.items():
            each.reconfigure(pace(destination))
        self._listen()

    def gates_of(self, destination: str) -> DestinationGates:
        """Return the gates of a destination whose lane is at work."""
        if destination not in self._gates:
            self._gates[destination] = DestinationGates(self.gates, self._pace(destination))
        return self._gates[destination]

    def stop(self) -> None:
        """Begin nothing new for good."""
        self._stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # What is told.

    def rest(self, destination: str) -> Rest | None:
        """Return the rest of a destination after a fault; ``None``: it does not rest."""
        gates = self._gates.get(destination)
        return gates.rest(self._clock.seconds()) if gates else None

    @property
    def resting(self) -> int:
        """How many destinations rest."""
        now = self._clock.seconds()
        return sum(gates.rest(now) is not None for gates in self._gates.values())

    @property
    def destinations(self) -> list[str]:
        """Those for which mail waits, the next ones first."""
        return [*self._next, *self._line, *self._times]
