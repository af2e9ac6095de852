"""Looks for troubles while the relay runs, and has alarms told of them.

What is a trouble is decided in `troubles`, when it is told in `alarm`; how it is told is up to
those who tell it.  None of them keeps another, or a mail, waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .. import events
from ..logins import LoginStanding
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..mail.selection import StoreFigures, Total
from ..operations.values import Alarm, AlarmKind
from ..outcome.attempt import AccountFault
from ..outcome.condition import Condition
from ..outcome.failure import Action
from ..routing.account import Account
from ..settings.operation import AlarmSettings
from . import troubles
from .alarm import AlarmBook
from .sources import told
from .tokens import of_logins
from .troubles import Expiry, Trouble

#: Seconds between two looks at what no event tells.
LOOKS_EVERY = 15.0
#: Seconds between two looks at the certificates, which are read anew.
READS_EVERY = 3600.0
#: Seconds that a question to the spool may take; then what is known of it stays.
ANSWER_WITHIN = 10.0


class Teller(Protocol):
    """A way to tell somebody of alarms."""

    def tell(self, alarm: Alarm) -> None:
        """Tell of an alarm, now or later."""

    def stop(self) -> None:
        """Tell nothing more."""


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Alarms(Service):
    """The alarms of one relay.

    :param settings: ``[alarm]``.
    :param publisher: tells of what has happened, and is told of each alarm.
    :param conditions: of the accounts, now.
    :param totals: of what waits.
    :param figures: of the spool.
    :param logins: of the accounts that have one, now.
    :param cure: says what can be done about a fault of an account, by its name; ``""``: nobody
        knows.
    :param expiries: reads the certificates; in a thread, whose end it tells.
    :param make_tellers: returns who tells of alarms beside the log, by the settings; they are given
        what is to be called when they cannot, with the reason, and with ``""`` when they can again.
    :param clock: the spool's, which is never set.
    :param wall: tells the time that people read, in seconds since the epoch.
    """

    log = Logger()

    _settings: AlarmSettings
    _publisher: events.Publisher
    _conditions: Callable[[], Iterable[Condition]]
    _totals: Callable[[], Deferred[dict[str, Total]]]
    _figures: Callable[[], Deferred[StoreFigures]]
    _logins: Callable[[], Iterable[tuple[Account, LoginStanding]]]
    _cure: Callable[[str, AccountFault], str]
    _expiries: Callable[[], Deferred[Sequence[Expiry]]]
    _make_tellers: Callable[[AlarmSettings, Callable[[str], None]], Sequence[Teller]]
    _clock: IReactorTime
    _wall: Callable[[], float]

    def __attrs_post_init__(self) -> None:
        self._book = AlarmBook()
        self._waiting: Mapping[str, Total] = {}
        self._disk: tuple[Trouble, ...] = ()
        self._certificates: Sequence[Expiry] = ()
        self._read_at = 0.0
        #: What events have told, and is not over.
        self._told: dict[AlarmKind, Trouble] = {}
        #: The last fault of each account.
        self._faults: dict[str, AccountFault] = {}
        self._looking = False
        self._timer: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._tellers = self._make_tellers(self._settings, self._webhook)
        subscribe = self._publisher.subscribe
        subscribe(events.AccountFaulted, self._faulted)
        subscribe(events.AccountRecovered, self._recovered)
        subscribe(events.TokenRefused, self._something)
        subscribe(events.TokenRefreshed, self._something)
        subscribe(events.SpoolFull, self._full)
        subscribe(events.SpoolHasRoom, self._has_room)
        subscribe(events.SpoolBroken, self._broken)
        subscribe(events.HistoryInterrupted, self._history_interrupted)
        subscribe(events.HistoryResumed, self._history_resumed)
        subscribe(events.ArchiveFailed, self._archive_failed)
        subscribe(events.ArchiveRecovered, self._archive_recovered)
        subscribe(events.FrontProcessEnded, self._front_ended)
        subscribe(events.FrontProcessStarted, self._front_started)

    @property
    def current(self) -> tuple[Alarm, ...]:
        """The alarms that are not over, the oldest first."""
        return self._book.current

    def startService(self) -> None:
        """Look for troubles from now on."""
        super().startService()
        self._look()

    def stopService(self) -> None:
        """Look no more; what is told just now may not arrive."""
        super().stopService()
        for timer in (self._timer, self._soon):
            if timer is not None and timer.active():
                timer.cancel()
        for teller in self._tellers:
            teller.stop()

    def reconfigure(self, settings: AlarmSettings) -> None:
        """Go by other settings, and other certificates, from now on; alarms that there are stay."""
        before, self._settings = self._settings, settings
        if (before.command, before.webhook) != (settings.command, settings.webhook):
            for teller in self._tellers:
                teller.stop()
            self._told.pop(AlarmKind.WEBHOOK, None)
            self._tellers = self._make_tellers(settings, self._webhook)
        self._read_at = 0.0
        self._something()

    # Looking.

    def _look(self) -> None:
        self._timer = self._clock.callLater(LOOKS_EVERY, self._look)
        if not self._looking:  # else something hangs, and what is known stays
            self._looking = True
            done = Deferred.fromCoroutine(self._look_at_all())
            done.addErrback(
                lambda failure: self.log.failure(
                    "internal error while looking for alarms (a bug); traceback follows", failure
                )
            )

    async def _look_at_all(self) -> None:
        try:
            # Without an answer, what is known stays.
            totals = await told(self._totals, ANSWER_WITHIN, self._clock)
            if totals is not None:
                self._waiting = totals
            figures = await told(self._figures, ANSWER_WITHIN, self._clock)
            if figures is not None:
                self._disk = tuple(troubles.of_disk(figures))
            now = self._clock.seconds()
            if now >= self._read_at:
                self._read_at = now + READS_EVERY
                self._certificates = await self._expiries()
        finally:
            self._looking = False
        self._update()

    def _something(self, _: object = None) -> None:
        """Tell soon of what has happened: when all that belongs to it has."""
        if self.running and (self._soon is None or not self._soon.active()):
            self._soon = self._clock.callLater(0, self._update)

    def _update(self) -> None:
        if not self.running:
            return
        now = self._wall()
        found = chain(
            # Before those of accounts: of the same, these say more.
            of_logins(self._logins(), now, self._cure_of_token),
            troubles.of_accounts(
                self._conditions(),
                now,
                waiting=self._waiting,
                cure=self._cure_of,
            ),
            troubles.of_mail(self._waiting, self._clock.seconds(), self._settings.oldest_mail),
            troubles.of_certificates(self._certificates, now),
            self._disk,
            self._told.values(),
        )
        for alarm in self._book.update(found, now, self._settings.repeat):
            self._publisher.publish(
                events.AlarmTold(
                    kind=alarm.kind.value,
                    account=alarm.account,
                    text=alarm.text,
                    since=alarm.since,
                    over=alarm.over,
                )
            )
            for teller in self._tellers:
                teller.tell(alarm)

    def _cure_of(self, name: str) -> str:
        fault = self._faults.get(name)
        return "" if fault is None else self._cure(name, fault)

    def _cure_of_token(self, name: str, trouble: str) -> str:
        # As it is told to a session that wants a token.
        fault = AccountFault(
            phase=Phase.LOGIN, reply=Reply(0, "5.7.8", trouble), action=Action.ALARM
        )
        return self._cure(name, fault)

    # What events tell.

    def _faulted(self, event: events.AccountFaulted) -> None:
        self._faults[event.account] = event.fault
        self._something()

    def _recovered(self, event: events.AccountRecovered) -> None:
        self._faults.pop(event.account, None)
        self._something()

    def _full(self, event: events.SpoolFull) -> None:
        self._tell(troubles.full(event.error))

    def _has_room(self, _: events.SpoolHasRoom) -> None:
        self._end(AlarmKind.SPOOL_FULL)

    def _broken(self, event: events.SpoolBroken) -> None:
        self._tell(troubles.broken(event.error, event.advice))

    def _history_interrupted(self, event: events.HistoryInterrupted) -> None:
        self._tell(troubles.no_history(event.why))

    def _history_resumed(self, _: events.HistoryResumed) -> None:
        self._end(AlarmKind.HISTORY)

    def _archive_failed(self, event: events.ArchiveFailed) -> None:
        self._tell(troubles.no_archive(event.error))

    def _archive_recovered(self, _: events.ArchiveRecovered) -> None:
        self._end(AlarmKind.ARCHIVE)

    def _front_ended(self, event: events.FrontProcessEnded) -> None:
        self._tell(troubles.front_ended(event.why))

    def _front_started(self, _: events.FrontProcessStarted) -> None:
        self._end(AlarmKind.FRONT)

    def _webhook(self, why: str) -> None:
        if why:
            self._tell(Trouble(kind=AlarmKind.WEBHOOK, text=why))
        else:
            self._end(AlarmKind.WEBHOOK)

    def _tell(self, trouble: Trouble) -> None:
        self._told[trouble.kind] = trouble
        self._something()

    def _end(self, kind: AlarmKind) -> None:
        if self._told.pop(kind, None) is not None:
            self._something()
