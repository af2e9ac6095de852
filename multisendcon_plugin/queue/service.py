"""The queue: joins spool, lanes and relays; answers for each message until it is settled.

The states of a delivery, and what a crash costs in each, are in ``docs/INTERNALS.rst``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import SpoolBrokenError, SpoolError, SpoolFullError
from ..events import MailAccepted, Publisher
from ..interfaces import (
    Commit,
    Committed,
    IBatchIntake,
    IClaims,
    IDraft,
    IRelay,
    ISpool,
)
from ..mail.envelope import Envelope
from ..mail.json_form import texts_of
from ..mail.message import Delivery, LaneKey, NewMessage, Parcel
from ..outcome.backoff import longest_pause
from ..outcome.settlement import Settlement
from ..routing.account import Account
from ..turn import Turn
from .changes import Changes
from .control import QueueControl
from .lane import Lane
from .lanes import Lanes
from .locks import Locks
from .orphans import in_use
from .policy import InForce, QueuePolicy
from .quotas import Boot, Quotas
from .recorder import Recorded, Recorder, only
from .relief import Relief
from .reports import ReportWriter
from .rerouting import Rerouting
from .revival import Revival
from .room import Room
from .tasks import Tasks
from .ways import Ways

#: Seconds that a mail which is on its way may take when the relay stops.
GRACE = 10.0


@implementer(IBatchIntake)
@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class QueueService(Service):
    """The queue of one relay.

    :param policy: what holds at the start: see `reconfigure`.
    :param events: is told of mails and accounts.
    :param make_relay: returns the relay of an account; called when its lane has its first mail.
    :ivar control: what an admin does with it.
    :param clock: is never set, see `clock`.
    :param wall: tells the time that people read, in seconds since the epoch.
    :param boot: see `Boot`; by default, nobody knows when the machine was started.
    """

    log = Logger()

    _policy: QueuePolicy
    _spool: ISpool
    _claims: IClaims
    _events: Publisher
    _make_relay: Callable[[Account], IRelay]
    _clock: IReactorTime
    _wall: Callable[[], float]
    _boot: Boot = lambda: ("", 0.0)

    def __attrs_post_init__(self) -> None:
        self._turn = Turn.of(self._clock)
        self._tasks = Tasks(self._clock, self._halt)
        self._in_force = InForce(self._policy)
        self._quotas = Quotas(self._spool, self._tasks, self._clock, self._wall, self._boot)
        reports = ReportWriter(
            self._in_force,
            self._spool,
            events=self._events,
            clock=self._clock,
            wall=self._wall,
            hand_in=self._hand_in,
        )
        self._paused: dict[str, float] = {}
        self._recorder = Recorder(
            self._in_force,
            self._spool,
            reports,
            self._tasks,
            events=self._events,
            clock=self._clock,
            paused=self._paused,
            go_on=self._go_on,
        )
        self._locks = Locks(self._turn)
        self._ways = Ways(self._make_relay, self._quotas, self._events, self._clock)
        relief = Relief(self._recorder, self._ways, self._clock)
        self._all_lanes = Lanes(
            in_force=self._in_force,
            ways=self._ways,
            spool=self._spool,
            events=self._events,
            tasks=self._tasks,
            locks=self._locks,
            clock=self._clock,
            wall=self._wall,
            paused=self._paused,
            relieve=relief.relieve,
            conclude=self._recorder.conclude,
        )
        self._lanes = self._all_lanes.alive
        self._revival = Revival(
            self._lanes,
            self._begin_or_reroute,
            self._spool,
            self._tasks,
            self._events,
            self._clock,
        )
        self._changes = Changes(
            self._locks, self._lanes.values, self._take_up, self._announce, self._halt
        )
        self._rerouting = Rerouting(
            self._in_force,
            self._spool,
            self._recorder,
            self._tasks,
            events=self._events,
            clock=self._clock,
            in_hand=self._in_hand,
            changes=self._changes,
            over=self._begin_again,
        )
        self.control = QueueControl(
            self._in_force,
            self._spool,
            self._changes,
            self._all_lanes,
            self._paused,
            self._quotas,
            reports,
            started=lambda: self._recorder.started,
            events=self._events,
            clock=self._clock,
            wall=self._wall,
        )
        self._room = Room(self._clock, self._events)
        self._fresh: list[tuple[Delivery, ...]] = []
        self._ready = False

    # Start and stop.

    def startService(self) -> None:
        """Pick up everything that waits in the spool, which is open."""
        super().startService()
        self._tasks.begin(self._pick_up())

    async def _pick_up(self) -> None:
        now = self._recorder.started = self._clock.seconds()
        states = None
        if self._claims.clean:
            states = await self._tasks.ask(
                self._spool.account_states, "the ends of the last mails not read from the spool"
            )
        usage = await self._tasks.ask(
            self._spool.usage, "what is used of quotas not read from the spool"
        )
        pauses = await self._tasks.ask(
            self._spool.pauses, "the accounts that are paused not read from the spool"
        )
        # At once: somebody may have resumed one since.
        self._paused.update(pauses)
        self._quotas.start(usage, now, in_use(self._in_force.policy.registry))
        self._ways.start(states, now)
        # What is committed before this is found in the spool, what comes after it is announced.
        self._ready = not self._tasks.stopping
        waiting = await self._tasks.ask(
            self._claims.lanes, "number of waiting mails not read from the spool"
        )
        counts = Counter[str]()
        for (name, _), what in waiting.items():
            counts[name] += what.mails
        for name, count in counts.items():
            self.log.info("mail waits for account {account}: {count}", count=count, account=name)
        # No mail waits for a time that was set by a clock that was wrong.
        latest = now + longest_pause(self._in_force.policy.delivery.retry)
        for lane, what in waiting.items():
            if what.last > latest:
                await self._tasks.ask(
                    partial(self._spool.bring_forward, lane, latest),
                    f"due times of account {lane[0]} not corrected in the spool",
                )
            self._begin_or_reroute(lane, min(what.first, latest))
        self._all_lanes.is_complete()

    def _begin_or_reroute(self, lane: LaneKey, due: float) -> None:
        account = self._all_lanes.account(lane)
        if account is None:
            self._rerouting.begin(lane)
        elif self._ready and lane not in self._rerouting:
            self._all_lanes.know(lane, account, due)

    # Another configuration.

    def reconfigure(self, policy: QueuePolicy) -> None:
        """Go by another policy from now on.

        What is under way keeps what was decided for it; the mail of accounts that are not in use
        any more is routed anew.
        """
        before, self._in_force.policy = self._in_force.policy, policy
        self._quotas.reconfigure(in_use(policy.registry))
        anew = self._ways.reconfigure(in_use(before.registry), in_use(policy.registry))
        self._all_lanes.reconfigure(self._revival.hasten, self._revival.rouse, anew, self._retire)
        if self._ready:
            # What has waited for want of an account may have one now.
            self._tasks.begin(self._look_for_lanes())

    def _retire(self, key: LaneKey, lane: Lane) -> None:
        lane.retire(partial(self._emptied, key))
        self._rerouting.begin(key)

    async def _look_for_lanes(self) -> None:
        waiting = await self._tasks.ask(
            self._claims.lanes, "number of waiting mails not read from the spool"
        )
        for lane, what in waiting.items():
            self._begin_or_reroute(lane, what.first)

    def _in_hand(self, key: LaneKey) -> frozenset[int]:
        lane = self._lanes.get(key)
        return lane.in_hand if lane else frozenset()

    def _emptied(self, key: LaneKey) -> None:
        """What a lane had in hand when its account was gone is settled."""
        del self._lanes[key]
        self._begin_or_reroute(key, 0.0)

    def _begin_again(self, key: LaneKey) -> None:
        """Its mail is not moved any more; its account may be in use again."""
        account = self._all_lanes.account(key)
        if self._ready and account is not None:
            self._all_lanes.know(key, account, 0.0)

    # The end.

    def stopService(self) -> Deferred[Any]:
        """Let the mails that are on their way finish, and their outcomes become durable."""
        super().stopService()
        self._ready = False
        self._room.stop()
        self._locks.give_up(SpoolError("the relay stops"))
        self._tasks.stop()
        self._take_up()
        stopped = DeferredList([*self._all_lanes.stop(), self._ways.stop(GRACE)])
        stopped.addCallback(lambda _: self._quotas.write())
        return stopped.addCallback(lambda _: self._recorder.stop())

    def _halt(self) -> None:
        """Begin nothing new: what came of it could not be written, and it would be sent again."""
        self._ready = False
        self._locks.give_up(SpoolBrokenError("nothing is written to the spool any more"))
        self._all_lanes.halt()

    def _announce(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries that are in the spool on the agendas of their lanes."""
        if not self._ready:
            return
        lanes: dict[LaneKey, list[Delivery]] = {}
        for delivery in deliveries:
            key = delivery.account, delivery.destination
            lanes.setdefault(key, []).append(delivery)
        for key, some in lanes.items():
            lane = self._lanes.get(key)
            if lane is not None:
                if not lane.retired:
                    lane.add(some)
                continue
            account = self._all_lanes.account(key)
            if account is None:
                # A session that has begun before a reload knows the accounts that were there then.
                self._rerouting.begin(key, min(each.position for each in some))
            elif key not in self._rerouting:
                self._all_lanes.add(key, account, some)

    # Messages come in.

    def draft(self, number: int | None = None) -> IDraft:
        """Begin a message: see `IIntake`."""
        return self._spool.draft(number)

    def commit(
        self, draft: IDraft, envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...]
    ) -> Deferred[None]:
        """Take a message over: see `IIntake`."""
        commit = Commit(draft, envelope, header_size, parcels, texts_of(envelope, parcels))
        return self.commit_all([commit]).addCallback(only)

    def commit_all(self, commits: Sequence[Commit]) -> Deferred[list[SpoolError | None]]:
        """Take messages over together: see `IBatchIntake`."""
        return self._spool.commit(commits).addCallback(self._committed)

    def _hand_in(self, submission: NewMessage) -> Deferred[None]:
        """Take over a message of our own."""
        draft = self.draft()
        draft.write(submission.content)
        return self.commit(draft, submission.envelope, submission.header_size, submission.parcels)

    @property
    def full(self) -> bool:
        """There was no room for the last message: see `IIntake`."""
        return self._room.full

    def _committed(self, committed: list[Committed]) -> list[SpoolError | None]:
        errors: list[SpoolError | None] = []
        for each in committed:
            if isinstance(each, SpoolError):
                self._not_committed(each)
                errors.append(each)
                continue
            # Clients first: what they are told now leaves at the end of this turn too, but before.
            if not self._fresh:
                self._turn.at_end(lambda: self._turn.at_end(self._take_up))
            self._fresh.append(each)
            if self._room.lacking:
                self._room.has_some()
            errors.append(None)
        return errors

    def _not_committed(self, error: SpoolError) -> None:
        if isinstance(error, SpoolFullError):
            self._room.refused(error)
        if isinstance(error, SpoolBrokenError):
            self._halt()

    def _take_up(self) -> None:
        """Begin with what has become durable."""
        fresh, self._fresh = self._fresh, []
        announced: list[Delivery] = []
        for deliveries in fresh:
            self._events.publish(MailAccepted(deliveries))
            announced += deliveries
        self._announce(announced)

    # Deliveries end.

    def _go_on(self, recorded: list[Recorded]) -> None:
        """Go on from what is in the spool; each lane is told once of all that was its own."""
        by_lane: dict[Lane, list[Settlement]] = {}
        elsewhere: list[Delivery] = []
        ended = False
        for lane, settlement, reports in recorded:
            by_lane.setdefault(lane, []).append(settlement)
            remaining = settlement.remaining
            if remaining is None:
                ended = True
            elif remaining.lane != lane.key:
                elsewhere.append(remaining)
                elsewhere += settlement.parts
            elsewhere += reports
        if ended and self._room.lacking:
            self._room.made()
        for lane, settlements in by_lane.items():
            lane.settled(settlements)
        self._announce(elsewhere)
