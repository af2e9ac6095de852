"""All lanes of a queue: made when they have something to do, told of other settings, and halted.

An account with a server has one lane, which stays; of a direct account there is one for each
destination that has something to do now, and its `Turns` know of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..events import Publisher
from ..interfaces import ISpool
from ..mail.message import Delivery, LaneKey
from ..outcome.attempt import AccountFault, Attempt
from ..routing.account import Account
from ..settings.destinations import Pace
from .agenda import Agenda, window
from .destination_gates import AnyGates, DestinationGates
from .lane import Lane
from .locks import Locks
from .orphans import account_in_use, fits
from .policy import InForce
from .tasks import Tasks
from .turns import Turns
from .ways import Ways

#: Lanes of an account that are looked at for a mail to try.
MOST_LISTED = 1000


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Lanes:
    """The lanes of one queue.

    For what is passed on to lanes, see `Lane`.

    :param paused: names of accounts that are.
    :ivar alive: the lanes that there are.
    :ivar complete: all that waits in the spool has been told to `know`.
    """

    _in_force: InForce
    ways: Ways
    _spool: ISpool
    _events: Publisher
    _tasks: Tasks
    _locks: Locks
    _clock: IReactorTime
    _wall: Callable[[], float]
    _paused: dict[str, float]
    _relieve: Callable[[Lane, Delivery, AccountFault], bool]
    _conclude: Callable[[Lane, Delivery, Attempt, float, bool], None]

    def __attrs_post_init__(self) -> None:
        self.alive: dict[LaneKey, Lane] = {}
        self.complete = False
        self._turns: dict[str, Turns] = {}

    def account(self, key: LaneKey) -> Account | None:
        """Return the account of a lane; ``None``: no mail can leave from there."""
        registry = self._in_force.policy.registry
        return account_in_use(registry, key[0]) if fits(key, registry) else None

    # What waits.

    def add(self, key: LaneKey, account: Account, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries that are in the spool on the agenda of their lane, if there is one.

        :param account: of the lane.
        """
        if account.direct:
            self._turns_of(account).add(key[1], deliveries)
            return
        lane = self.alive.get(key) or self._begin(key, account)
        if not lane.retired:
            lane.add(deliveries)

    def know(self, key: LaneKey, account: Account, due: float) -> None:
        """Begin with what waits in the spool for a lane, when it is due."""
        if account.direct:
            self._turns_of(account).know(key[1], due)
        elif key not in self.alive:
            self._begin(key, account)

    def is_complete(self) -> None:
        """All that waits in the spool is known from now on."""
        self.complete = True
        for turns in self._turns.values():
            turns.complete = True

    # Lanes begin.

    def _begin(self, key: LaneKey, account: Account) -> Lane:
        """Begin the lane of an account with a server."""
        way = self.ways.of(account)
        # The spool may hold deliveries that this process does not know of yet.
        lane = self.alive[key] = self._make(key, account, way.gates, beyond=0.0)
        lane.go()
        return lane

    def _turns_of(self, account: Account) -> Turns:
        turns = self._turns.get(account.name)
        if turns is None:
            turns = self._turns[account.name] = Turns(
                name=account.name,
                gates=self.ways.of(account).gates,
                pace=self._paces(account),
                make=self._make_one_of_many,
                lanes=self.alive,
                relieves=partial(self._has_fallback, account.name),
                clock=self._clock,
            )
            turns.complete = self.complete
            turns.paused = account.name in self._paused
        return turns

    def _paces(self, account: Account) -> Callable[[str], Pace]:
        return partial(
            self._in_force.policy.destinations.pace,
            connections=account.connections,
            mails_per_connection=account.max_mails_per_connection,
        )

    def _has_fallback(self, name: str) -> bool:
        return self._in_force.policy.registry.has_fallback(name)

    def _make_one_of_many(
        self, key: LaneKey, gates: DestinationGates, line: Turns, alone: bool
    ) -> Lane:
        return self._make(key, gates.account, gates, beyond=None if alone else 0.0, line=line)

    def _make(
        self,
        key: LaneKey,
        account: Account,
        gates: AnyGates,
        *,
        beyond: float | None,
        line: Turns | None = None,
    ) -> Lane:
        lanes = len(self.alive) if line else sum(1 for _ in self._in_force.policy.registry)
        return Lane(
            key,
            account,
            relay=self.ways.of(account).relay,
            spool=self._spool,
            events=self._events,
            tasks=self._tasks,
            locks=self._locks,
            agenda=Agenda(self._locks, window(lanes), beyond),
            gates=gates,
            clock=self._clock,
            wall=self._wall,
            relieve=self._relieve,
            conclude=self._conclude,
            paused=account.name in self._paused,
            line=line,
        )

    # Other settings.

    def reconfigure(
        self,
        hasten: Callable[[Lane], None],
        rouse: Callable[[Sequence[LaneKey]], None],
        anew: Iterable[str],
        retire: Callable[..., None],
    ) -> None:
        """Go by the policy that is in force now.

        :param hasten: is called for a lane of an account that may be at fault no more: see `Ways`.
        :param rouse: is called for those of such an account that are not at work.
        :param anew: names of these.
        :param retire: is called for a lane whose account is not in use any more.
        """
        registry = self._in_force.policy.registry
        for name, turns in tuple(self._turns.items()):
            account = account_in_use(registry, name)
            if account is not None and account.direct:
                # Nobody has a turn as long as there are lanes that would take it with the gates and
                # the relay of before.
                turns.paused = True
                turns.reconfigure(self.ways.of(account).gates, self._paces(account))
            else:
                turns.stop()
                del self._turns[name]
        for key, lane in tuple(self.alive.items()):
            if lane.retired:
                continue
            account = self.account(key)
            if account is None:
                retire(key, lane)
                continue
            way = self.ways.of(account)
            turns_of = self._turns.get(account.name)
            gates = turns_of.gates_of(key[1]) if turns_of else way.gates
            lane.reconfigure(account, way.relay, gates)
            if account.name in anew:
                hasten(lane)
        for name, turns in self._turns.items():
            turns.paused = name in self._paused
            turns.go()
            if name in anew:
                rouse([(name, each) for each in turns.destinations])

    # By hand.

    def of(self, name: str) -> list[Lane]:
        """Return the lanes of an account that there are."""
        return [lane for (account, _), lane in self.alive.items() if account == name]

    def turns_of(self, name: str) -> Turns | None:
        """Return the turns of an account, if it is direct and has had any mail."""
        return self._turns.get(name)

    def waiting(self, account: Account) -> list[LaneKey]:
        """Return the lanes of an account in which mail waits, or may wait; at most a thousand."""
        if not account.direct:
            return [(account.name, "")]
        lanes = [lane.key for lane in self.of(account.name)]
        turns = self._turns.get(account.name)
        others = turns.destinations if turns else []
        lanes += [(account.name, each) for each in others[:MOST_LISTED]]
        return list(dict.fromkeys(lanes))[:MOST_LISTED]

    def probe(self, key: LaneKey) -> None:
        """Let one mail of a lane be tried now, although its account or destination rests."""
        turns, lane = self._turns.get(key[0]), self.alive.get(key)
        if (way := self.ways.known(key[0])) is not None:
            way.relay.probe(key[1])
        if turns is not None:
            turns.probe(key[1])
        elif lane is not None:
            lane.gates.probe()
            lane.go()

    def pause(self, name: str, paused: bool) -> None:
        """Let the lanes of an account begin nothing new, or go on."""
        turns = self._turns.get(name)
        if turns is not None:
            # Nobody has a turn as long as there are lanes that would not take it.
            turns.paused = True
        for lane in self.of(name):
            lane.pause(paused)
        if turns is not None:
            turns.paused = paused
            turns.go()

    # The end.

    def halt(self) -> None:
        """Begin nothing new; what is under way goes on."""
        for turns in self._turns.values():
            turns.stop()
        for lane in self.alive.values():
            lane.halt()

    def stop(self) -> list[Deferred[None]]:
        """Begin nothing new.

        :return: these fire when each attempt has been concluded.
        """
        for turns in self._turns.values():
            turns.stop()
        return [lane.stop() for lane in self.alive.values()]
