"""Values and fakes for tests of the queue: deliveries, attempts, a relay and a spool on a clock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import get_args

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from multisendcon_plugin.daemon.event_log import EventLog
from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.events import Event, Publisher
from multisendcon_plugin.interfaces import Commit, IClaims, IRelay, IStore
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.json_form import texts_of
from multisendcon_plugin.mail.message import Delivery, Message, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import AccountFault, Attempt, Outcome, Verdict
from multisendcon_plugin.outcome.failure import Action, classify
from multisendcon_plugin.queue.locks import Locks
from multisendcon_plugin.turn import Turn

NOW = 1_700_000_000.0


def fault(phase, *reply):
    """Return the fault of an account whose server replied so, without rows of its own."""
    reply = Reply(*reply)
    return AccountFault(phase=phase, reply=reply, action=classify(phase, reply))


CLOSED = fault(Phase.CONNECT, 0, "4.4.1", "connection refused")
LOGIN_REFUSED = fault(Phase.LOGIN, 535, "5.7.8", "bad password")
LOST = fault(Phase.END, 0, "4.4.2", "connection lost")

REPLIES = {
    Verdict.DELIVERED: (Phase.END, Reply(250, "2.0.0", "taken")),
    Verdict.DEFERRED: (Phase.RCPT, Reply(451, "4.7.1", "greylisted")),
    Verdict.FAILED: (Phase.RCPT, Reply(550, "5.1.1", "no such user")),
    Verdict.UNCERTAIN: (Phase.END, Reply(0, "4.4.2", "connection lost")),
}


#: What a greylisting server says after the final dot.
GREYLISTED = (Phase.END, Reply(451, "4.7.1", "Try again later"), Action.DEFER_THEN_SLOW)


def clock_now(now=NOW):
    clock = Clock()
    clock.advance(now)
    return clock


def delivery(number, due=NOW, account="A", recipients=("r@b.example",), **more):
    return Delivery(
        number=number,
        message=Message(
            number=number,
            envelope=Envelope(reverse_path="s@a.example", recipients=recipients),
            size=10,
            header_size=0,
            arrived=NOW,
        ),
        account=account,
        recipients=tuple(Recipient(address=each, reason="test") for each in recipients),
        due=due,
        **more,
    )


def attempt(tried, *verdicts, fault=None, mail_ended=None, deferred_by=None, **more):
    """Return an attempt with these verdicts; the last one stands for all further recipients.

    :param deferred_by: phase, reply and action of the recipients that are deferred.
    """
    if deferred_by is not None:
        verdicts = verdicts or (Verdict.DEFERRED,)
    verdicts = verdicts or (Verdict.DEFERRED if fault else Verdict.DELIVERED,)
    outcomes = []
    for n, recipient in enumerate(tried.recipients):
        verdict = verdicts[min(n, len(verdicts) - 1)]
        phase, reply = REPLIES[verdict]
        action = None
        if deferred_by is not None and verdict is Verdict.DEFERRED:
            phase, reply, action = deferred_by
        outcomes.append(
            Outcome(recipient=recipient, verdict=verdict, phase=phase, reply=reply, action=action)
        )
    return Attempt(outcomes=tuple(outcomes), fault=fault, mail_ended=mail_ended, **more)


@attrs.frozen
class Log:
    events: list

    def texts(self, least=LogLevel.warn):
        return [formatEvent(event) for event in self.events if event["log_level"] >= least]

    def failures(self, kind):
        """Return how many exceptions of this kind were logged; there are no others."""
        kinds = [event["log_failure"].type for event in self.events if "log_failure" in event]
        assert all(issubclass(each, kind) for each in kinds)
        return len(kinds)


@contextmanager
def logged():
    with capturedLogs() as events:
        yield Log(events)


def no_locks():
    """Return what tells that no delivery is changed by hand."""
    return Locks(Turn.of(Clock()))


def in_the_log(clock):
    """Return a publisher whose events the log tells."""
    events = Publisher()
    EventLog(events, clock)
    return events


def collected(events, *kinds):
    """Return the list of the events that are published from now on, all or those of some kinds."""
    got = []
    for kind in kinds or get_args(Event):
        events.subscribe(kind, got.append)
    return got


@attrs.define(eq=False)
class Try:
    """An attempt that a `FakeRelay` was asked for."""

    relay: FakeRelay
    delivery: Delivery
    open_content: object
    began: float
    done: Deferred = attrs.field(factory=Deferred)
    result: Attempt | None = None

    def end(self, *verdicts, fault=None, mail_began=None, **more):
        """End it; a mail began unless the account failed before."""
        if mail_began is None:
            mail_began = fault is None or fault.phase is Phase.END
        self.relay.under_way.remove(self)
        ended = self.relay.clock.seconds() if mail_began else None
        if mail_began and self.relay.account is not None and self.relay.account.quota:
            more.setdefault("counted", ended)
        self.result = attempt(self.delivery, *verdicts, fault=fault, mail_ended=ended, **more)
        self.done.callback(self.result)


@implementer(IRelay)
class FakeRelay:
    """Remembers what it is asked for; the test, or a script, says how each attempt ends.

    :param script: called with each `Try` after `seconds`, and ends it if it likes to.
    """

    def __init__(self, clock, account=None, script=None, seconds=0.0):
        self.clock = clock
        self.account = account
        self.script = script
        self.seconds = seconds
        self.tries = []
        self.under_way = []
        self.most = 0
        self.grace = None
        self.drained = False
        self.probed = []

    @property
    def numbers(self):
        return [each.delivery.number for each in self.tries]

    idle = 0

    @property
    def connections(self):
        return len(self.under_way)

    def attempt(self, delivery, open_content):
        assert self.grace is None, "nothing begins after stop"
        began = Try(self, delivery, open_content, self.clock.seconds())
        self.tries.append(began)
        self.under_way.append(began)
        self.most = max(self.most, len(self.under_way))
        if self.script:
            self.clock.callLater(self.seconds, self.script, began)
        return began.done

    def probe(self, destination):
        self.probed.append(destination)

    def reconfigured(self, account):
        if account.reached_as(self.account):
            self.account = account
            return self
        self.drain()
        return type(self)(self.clock, account, self.script, self.seconds)

    def drain(self):
        self.drained = True

    def stop(self, grace):
        self.grace = grace
        return succeed(None)


@implementer(IStore, IClaims)
class SlowSpool:
    """A spool whose answers come late: they tell how it was when it was asked."""

    def __init__(self, spool, clock, seconds=0.01):
        self.spool = spool
        self.clock = clock
        self.seconds = seconds
        self.settlements = []

    @property
    def clean(self):
        return self.spool.clean

    def open(self):
        self.spool.open()

    def close(self, *, clean=True):
        return self.spool.close(clean=clean)

    def _later(self, answer):
        return deferLater(self.clock, self.seconds, lambda: answer)

    def draft(self, number=None):
        return self.spool.draft(number)

    def commit(self, commits):
        return self._later(self.spool.commit(commits))

    def settle(self, settlements):
        self.settlements += settlements
        return self._later(self.spool.settle(settlements))

    def waiting(self, *question):
        return self._later(self.spool.waiting(*question))

    def bring_forward(self, account, latest):
        return self._later(self.spool.bring_forward(account, latest))

    def lanes(self):
        return self._later(self.spool.lanes())

    def account_states(self):
        return self._later(self.spool.account_states())

    def pauses(self):
        return self._later(self.spool.pauses())

    def pause(self, account, since):
        return self._later(self.spool.pause(account, since))

    def resume(self, account):
        return self._later(self.spool.resume(account))

    def usage(self):
        return self._later(self.spool.usage())

    def count(self, usages, clock, awaited):
        return self._later(self.spool.count(usages, clock, awaited))

    def read(self, numbers):
        return self._later(self.spool.read(numbers))

    def hold(self, numbers):
        return self._later(self.spool.hold(numbers))

    def release(self, numbers):
        return self._later(self.spool.release(numbers))

    def retry(self, numbers):
        return self._later(self.spool.retry(numbers))

    def content(self, message):
        return self.spool.content(message)


def commit(spool, draft, envelope, header_size, parcels):
    """Commit a message; return a Deferred of its deliveries, which fails if it is not stored."""
    message = Commit(draft, envelope, header_size, parcels, texts_of(envelope, parcels))

    def answer(committed):
        (only,) = committed
        if isinstance(only, SpoolError):
            raise only
        return only

    return spool.commit([message]).addCallback(answer)


def run(clock, seconds, most=100_000):
    """Let time pass, each call at its own time."""
    end = clock.seconds() + seconds
    for _ in range(most):
        times = [call.getTime() for call in clock.getDelayedCalls() if call.active()]
        if not times or min(times) > end:
            clock.advance(end - clock.seconds())
            return
        clock.advance(max(0.0, min(times) - clock.seconds()))
    raise AssertionError("the clock is kept busy without end")


def turn(clock):
    """Let a reactor's turn pass: what is to be called by now, but not what that asks for."""
    for call in clock.getDelayedCalls().copy():
        if call.active() and call.getTime() <= clock.seconds():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
