"""What is used up of all quotas: which windows an account has, and that what they know is durable.

A server counts what comes by a login, so windows go on with that, also if the account has another
name, or is gone for a while; those of a group go on with its name.  What has changed in a turn is
written as a whole when the turn ends; who begins a mail waits for that.

The times are those of the clock that is never set.  After a restart they are put right by the time
since the machine was started, which all processes have in common: so it does not matter what
somebody has set the clock on the wall to, or when.  If the machine was started anew, or does not
tell, the clock on the wall is believed, as far as it was known to differ when something was last
written; what would be still to come was counted at the start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..errors import SpoolError
from ..interfaces import IStore
from ..outcome.usage import Usage, UsageClock, UsageLog
from ..routing.account import Account
from ..settings.quota import Quota
from ..turn import Turn
from .quota import LONGEST, QuotaWindows
from .quota_gate import QuotaGate
from .succession import predecessors
from .tasks import Tasks

#: Seconds by which the clock on the wall differs if somebody has set it.
_SET = 0.5

#: Returns a name of the time since the machine was started, ``""`` if it has none, and its length.
Boot = Callable[[], tuple[str, float]]


class _Known(NamedTuple):
    """The windows of a login, as `predecessors` knows an account.

    :ivar unnamed: the account whose they were until now; ``None``: that was before the start.
    """

    name: str
    login: tuple[Any, ...]
    unnamed: Account | None
    windows: QuotaWindows


def _name(account: Account) -> str:
    """Return the name of an account's windows: no group's and no other login's."""
    group = account.quota_group
    known_by = (account.name, *account.login) if group is None else (group,)
    return json.dumps(known_by, ensure_ascii=False)


class Quotas:
    """The windows of all accounts.

    :param clock: is never set.
    :param wall: tells the time that people read.
    """

    def __init__(
        self,
        spool: IStore,
        tasks: Tasks,
        clock: IReactorTime,
        wall: Callable[[], float],
        boot: Boot,
    ) -> None:
        self._spool = spool
        self._tasks = tasks
        #: Accounts in use that have windows of their own.
        self._own: dict[str, Account] = {}
        self._clock = clock
        self._wall = wall
        self._boot = boot
        self._turn = Turn.of(clock)
        #: By name.
        self._windows: dict[str, QuotaWindows] = {}
        #: To be forgotten, with the name that it had.
        self._forgotten: list[Usage] = []
        self._written: UsageClock | None = None
        self._waiting: list[Deferred[None]] = []
        self._put_off = False
        self._changed: dict[QuotaWindows, None] = {}
        #: Have been asked in vain: somebody waits for them.
        self._asked: dict[QuotaWindows, dict[QuotaGate, None]] = {}

    # Which windows an account has.

    def start(self, log: UsageLog, started: float, accounts: Iterable[Account]) -> None:
        """Take what was written before the start.

        :param accounts: those in use.
        """
        shift = 0.0 if log.clock is None else log.clock.shift(self._this_clock())
        by_name: dict[str, list[Usage]] = {}
        for each in log.usages:
            counted = None if each.counted is None else each.counted + shift
            if counted is None or counted + LONGEST > started:
                by_name.setdefault(each.name, []).append(attrs.evolve(each, counted=counted))
        self._windows = {
            name: QuotaWindows(name, usages, started=started) for name, usages in by_name.items()
        }
        for windows in self._windows.values():
            self.changed(windows)
        self.reconfigure(accounts)

    def reconfigure(self, accounts: Iterable[Account]) -> None:
        """Let these accounts be in use from now on."""
        now = self._clock.seconds()
        quotas: dict[str, list[Quota]] = {}
        own = []
        for account in accounts:
            if account.quota:
                held = quotas.setdefault(_name(account), [])
                # One that two of a group have is one; the others hold for both.
                held += [each for each in account.quota if each not in held]
                if account.quota_group is None:
                    own.append(account)
        self._succeed(own, now)
        for name, held in quotas.items():
            windows = self._windows.get(name)
            if windows is None:
                windows = self._windows[name] = QuotaWindows(name)
            windows.configure(held, now)
        for name, windows in tuple(self._windows.items()):
            if name not in quotas:
                windows.configure((), now)
                if windows.is_empty(now):
                    del self._windows[name]
            self._wake(windows)

    def _succeed(self, accounts: list[Account], now: float) -> None:
        """Let accounts have the windows of their logins, under whatever name these are known."""
        known = []
        for windows in sorted(self._windows.values(), key=lambda each: each.last(now)):
            name, *login = json.loads(windows.name)
            if login:
                before = self._own.get(name)
                same = before is not None and before.login == tuple(login)
                unnamed = before.unnamed if before and same else None
                known.append(_Known(name, tuple(login), unnamed, windows))
        places = predecessors(accounts, known)
        for account in accounts:
            place = places.get(account.name)
            if place is not None and known[place].name != account.name:
                windows = known[place].windows
                del self._windows[windows.name]
                self._forgotten += windows.rename(_name(account))
                self._windows[windows.name] = windows
                self.changed(windows)
        self._own = {account.name: account for account in accounts}

    def gate(self, account: Account) -> QuotaGate | None:
        """Return the gate of an account, if it has quotas."""
        if not account.quota:
            return None
        name = _name(account)
        windows = self._windows.get(name)
        if windows is None:
            windows = self._windows[name] = QuotaWindows(name)
            windows.configure(account.quota, self._clock.seconds())
        return QuotaGate(account, windows, self)

    # Who waits for room.

    def await_room(self, gate: QuotaGate) -> None:
        """Call `QuotaGate.opened` when there may be room: see `Keeper`."""
        self._asked.setdefault(gate.windows, {})[gate] = None

    def _wake(self, windows: QuotaWindows) -> None:
        for gate in self._asked.pop(windows, ()):
            self._turn.at_end(gate.opened)

    # What is written.

    def changed(self, windows: QuotaWindows) -> None:
        """Have written what has changed: see `Keeper`."""
        self._wake(windows)
        self._changed[windows] = None
        self._write_soon()

    def written(self) -> Deferred[None]:
        """Return what fires when all that has changed is durable.

        Fails with `SpoolError`: the relay stops, and it is not.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        self._write_soon()
        return waiting

    def _write_soon(self) -> None:
        if not self._put_off:
            self._put_off = True
            self._turn.at_end(self.write)

    def write(self) -> None:
        """Have all that has changed written."""
        self._put_off = False
        changes = [(windows, windows.take_changed()) for windows in self._changed]
        self._changed.clear()
        forgotten, self._forgotten = self._forgotten, []
        waiting, self._waiting = self._waiting, []
        if changes or forgotten or waiting or self._was_set():
            self._tasks.begin(self._write(changes, forgotten, waiting))

    async def _write(
        self,
        changes: list[tuple[QuotaWindows, set[int]]],
        forgotten: list[Usage],
        waiting: list[Deferred[None]],
    ) -> None:
        clock: UsageClock | None = None

        def ask() -> Deferred[None]:
            # As it is now: later changes may have been written since this was tried first.
            nonlocal clock
            if self._written is None or self._was_set():
                clock = self._this_clock()
                usages = [
                    usage
                    for windows in self._windows.values()
                    for usage in windows.usage(windows.numbers)
                ]
            else:
                clock = None
                usages = [*forgotten]
                for windows, numbers in changes:
                    usages += windows.usage(numbers)
            return self._spool.count(usages, clock, bool(waiting))

        try:
            await self._tasks.ask(ask, "what is used of quotas not written to the spool")
        except SpoolError as error:
            for each in waiting:
                each.errback(error)
            raise
        self._written = clock or self._written
        for each in waiting:
            each.callback(None)

    def _this_clock(self) -> UsageClock:
        now = self._clock.seconds()
        boot, since = self._boot()
        return UsageClock(boot, now - since, self._wall() - now)

    def _was_set(self) -> bool:
        """The clock on the wall was set since it was written how it differs."""
        written = self._written
        return written is not None and abs(self._this_clock().wall - written.wall) > _SET
