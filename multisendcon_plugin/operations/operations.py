"""What an admin can ask and do: one object behind command line, HTTP and web page.

Knows no HTTP, and does nothing by itself: the queue changes the queue, the spool is read piece by
piece.  What is asked with a wrong name raises `NotFoundError`, what cannot be understood
`BadRequestError`, what must not be done `RefusedError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import cache, partial
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from ..errors import AccountNotFoundError, AccountUnfitError, ConfigurationError
from ..events import Event, Publisher
from ..history import FORWARD, History, Story, Way
from ..interfaces import IContent, IQueueControl, IQueueReading
from ..interfaces.configuring import ConfigurationFile
from ..logins import LoginStanding
from ..mail.message import Message
from ..mail.selection import Total
from ..outcome.condition import Condition
from ..relay.direct import MailServers
from ..routing.account import Account
from ..routing.registry import AccountRegistry
from ..times import Time
from .account_list import AccountList
from .account_status import quotas_of, statuses
from .account_tests import AccountTests, TestedAccount, TestStep
from .ages import AccountAges
from .changing import Changing, answered
from .choice import Choice
from .comparing import Comparing
from .configuring import Configuring
from .counted_ages import CountedAges
from .directions import Directions
from .errors import NotFoundError, RefusedError
from .explained import Explanation
from .explanation import explain_stored
from .flow import Flow
from .live import Live
from .moving import Outlook
from .overviews import Overviews
from .past import Past
from .pieces import Pieces
from .public_events import Public
from .rows import Present
from .sign_ins import Beginning, SignIns
from .standing import Standing
from .survey import Survey
from .values import (
    AccountCounts,
    AccountStatus,
    AccountTest,
    Alarm,
    Changed,
    Chosen,
    Deletion,
    Filter,
    HistoryFilter,
    Move,
    Question,
    Status,
    WaitingDelivery,
    WaitingMessage,
)
from .waiting_mail import WaitingMail

#: More than there are: the numbers of events go on behind those of the relay before a restart.
_EVENTS_PER_SECOND = 10_000


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Operations:
    """All that an admin can ask and do of one relay.

    :ivar version: of the program.
    :param events: which are told to other programs.
    :param queue: is told of changes.
    :param view: is read.
    :param content: begins to read a message.
    :param registry: returns the accounts as they are now.
    :param standing: of spool and front process.
    :param counts: of an account, by its name.
    :param by_minute: how many of its mails left in each of the last whole minutes, likewise.
    :param logins: how the login of an account stands, which has one.
    :param log_in_anew: has an account's tokens asked for, whatever was said of them.
    :param alarms: those that are not over.
    :param history: returns it, unless it is off.
    :param explain: says where and how a mail would leave.
    :param servers: returns what knows the mail servers of the recipients of direct accounts.
    :param tests: tests accounts.
    :param reload: has the configuration read anew.
    :param file: from which the relay was started.
    :param in_thread: calls a function in a thread.
    :param sign_ins: begin so.
    :param clock: the spool's, in seconds since the epoch, which is never set.
    :param wall: tells the time that people read.
    :ivar live: tells what happens; `flow` begins to tell samples; `overviews` are for one glance.
    :ivar account_list: tells of accounts in order of priority, with what decides on their mail.
    :ivar configuring: reads and changes the configuration.
    :ivar sign_ins: have somebody sign in for accounts.
    """

    version: str
    _events: Publisher
    _queue: IQueueControl
    _view: IQueueReading
    _content: Callable[[Message], IContent]
    _registry: Callable[[], AccountRegistry]
    _standing: Standing
    _counts: Callable[[str], AccountCounts]
    _by_minute: Callable[[str], tuple[int, ...]]
    _logins: Callable[[Account], LoginStanding]
    _log_in_anew: Callable[[Account], object]
    _alarms: Callable[[], Sequence[Alarm]]
    _history: Callable[[], History | None]
    _explain: Callable[[Question], Awaitable[Explanation]]
    _servers: Callable[[], MailServers]
    _tests: AccountTests
    _reload: Callable[[], Awaitable[object]]
    _file: ConfigurationFile
    _in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    _sign_ins: Beginning
    _clock: IReactorTime
    _wall: Callable[[], float]

    def __attrs_post_init__(self) -> None:
        self._started = Time(self._wall())
        self._pieces = Pieces(self._view, self._events, self._clock)
        now = self._clock.seconds
        self._mail = WaitingMail(
            pieces=self._pieces, content=self._content, present=self._present, now=now
        )
        self._ages = CountedAges(self._view.ages, self._clock)
        self._changing = Changing(self._queue, self._choice, self._known, self._ages.forget)
        survey = Survey(self._registry, self._queue.conditions, self._view.totals, self._clock)
        self.account_list = AccountList(self._registry, survey, self._account_statuses)
        self.overviews = Overviews(survey, self._status, self._alarms, self._by_minute)
        self.flow = partial(Flow, self._events, self._public)
        self._directions = Directions(self._servers, self._registry, self._clock)
        first = int(self._started * _EVENTS_PER_SECOND)
        self.live = Live(self._events, self._public, self._clock, first)
        self._past = Past(self._history, self._events, self._clock, self._wall)
        comparing = Comparing(self._history, self._events, self._clock, self._wall)
        self.configuring = Configuring(self._file, self._in_thread, comparing)
        self.sign_ins = SignIns(self._sign_ins, self._known, self._signed_in, self._wall)

    async def stop(self) -> None:
        """Begin nothing that changes the relay any more; return when nothing is under way."""
        self._tests.stop()
        self.sign_ins.stop()
        await self.configuring.stop()

    # The relay, and its accounts.

    async def status(self) -> Status:
        """Tell how the relay is, and each of its accounts."""
        totals = await self._view.totals()
        return self._status(totals, self._queue.conditions())

    def _status(self, totals: Mapping[str, Total], conditions: Iterable[Condition]) -> Status:
        # Mail of accounts that are not configured any more waits, too.
        arrived = [each.oldest for each in totals.values() if each.oldest is not None]
        return Status(
            version=self.version,
            started=self._started,
            accepting=self._standing.accepting,
            waiting=sum(each.waiting for each in totals.values()),
            held=sum(each.held for each in totals.values()),
            oldest=Time(min(arrived) + self._set_by) if arrived else None,
            accounts=self._account_statuses(totals, conditions),
            alarms=tuple(self._alarms()),
            history=self._past.status,
            front=self._standing.front,
            spool=self._standing.spool,
        )

    async def accounts(self) -> tuple[AccountStatus, ...]:
        """Tell how each account is, in order of priority."""
        return self._account_statuses(await self._view.totals(), self._queue.conditions())

    async def account(self, name: str) -> AccountStatus:
        """Tell how an account is."""
        self._known(name)
        [found] = [each for each in await self.accounts() if each.name == name]
        return found

    def _account_statuses(
        self, totals: Mapping[str, Total], conditions: Iterable[Condition]
    ) -> tuple[AccountStatus, ...]:
        return statuses(
            self._registry(),
            conditions,
            totals,
            counts=self._counts,
            logins=self._logins,
            set_by=self._set_by,
        )

    def _known(self, name: str) -> Account:
        account = self._registry().account(name)
        if account is None:
            names = ", ".join(each.name for each in self._registry())
            raise NotFoundError(f'there is no account "{name}"; there are: {names}')
        return account

    async def pause(self, name: str) -> AccountStatus:
        """Let an account begin no mail until `resume`, also over restarts."""
        self._known(name)
        await answered(self._queue.pause(name))
        return await self.account(name)

    async def resume(self, name: str) -> AccountStatus:
        """Let an account that was paused go on."""
        self._known(name)
        await answered(self._queue.resume(name))
        return await self.account(name)

    async def probe(self, name: str) -> AccountStatus:
        """Try one mail of an account that rests, now."""
        self._log_in_anew(self._known(name))
        await answered(self._queue.probe(name))
        return await self.account(name)

    async def test(self, name: str, asked: AccountTest) -> TestedAccount:
        """Test an account."""
        account = self._known(name)
        self._log_in_anew(account)
        return await self._tests.run(account, asked)

    async def test_steps(
        self, name: str, asked: AccountTest
    ) -> AsyncGenerator[list[TestStep | TestedAccount], None]:
        """Test an account; tell each step at its end, and last what `test` answers."""
        account = self._known(name)
        self._log_in_anew(account)
        async with aclosing(self._tests.steps(account, asked)) as steps:
            async for step in steps:
                yield [step]

    # The queue.

    async def listing(
        self, asked: Filter, limit: int | None = None, after: str = ""
    ) -> AsyncGenerator[list[WaitingDelivery], None]:
        """List deliveries in order of their arrival, in pieces that are read when they are wanted.

        :param limit: rows, or a few more: all of a message are listed, or none.
        :param after: id of the last message that is left out.
        """
        rows = self._mail.listing(asked, limit, after)
        async with aclosing(rows) as pieces:
            async for piece in pieces:
                yield piece

    async def ages(self) -> tuple[AccountAges, ...]:
        """Count for how long mail waits, by account; the one with the most of it first."""
        return await self._ages.ask()

    def enabled_accounts(self) -> tuple[str, ...]:
        """Return the names of those to which mail can be moved, in order of priority."""
        return tuple(each.name for each in self._registry() if each.enabled)

    async def message(self, name: str) -> WaitingMessage:
        """Show a message in the queue."""
        return await self._mail.message(name)

    async def hold(self, chosen: Chosen) -> Changed:
        """Let deliveries wait until they are released."""
        return await self._changing.hold(chosen)

    async def release(self, chosen: Chosen) -> Changed:
        """Let deliveries that are held wait in their lanes again, due as they were."""
        return await self._changing.release(chosen)

    async def retry(self, chosen: Chosen) -> Changed:
        """Let deliveries be tried now, but for those that are held."""
        return await self._changing.retry(chosen)

    async def delete(self, deletion: Deletion) -> Changed:
        """Delete deliveries."""
        return await self._changing.delete(deletion)

    async def move(self, move: Move) -> Changed:
        """Move deliveries to another account."""
        return await self._changing.move(move)

    async def outlook(self, move: Move) -> Outlook:
        """Tell what would become of a move, and what masks refuse; nothing is moved."""
        return await self._changing.outlook(move)

    def _choice(self, chosen: Chosen) -> Choice:
        return Choice(chosen, self._pieces, self._clock.seconds(), self._present)

    # The history.

    def history(
        self,
        asked: HistoryFilter,
        limit: int | None = None,
        after: str = "",
        way: Way = FORWARD,
    ) -> AsyncGenerator[list[Story], None]:
        """List what became of mails in order of their arrival, in pieces that are read when wanted.

        :param limit: stories at most.
        :param after: id of the last message that is left out.
        :param way: or against that order.
        """
        return self._past.told(asked, limit, after, way)

    async def story(self, name: str) -> Story:
        """Tell what became of one mail."""
        return await self._past.story(name)

    # The configuration.

    async def explain(self, question: Question) -> Explanation:
        """Say which account would take a mail, why no other does, and what would leave."""
        return await self._completed(await self._explain(question))

    async def explain_waiting(self, name: str) -> Explanation:
        """Say so of a message in the queue, as it would be routed now."""
        message = (await self._mail.deliveries(name))[0].message
        start = await self._mail.start(message, message.header_size + 2)
        return await self._completed(explain_stored(self._registry(), message, start))

    async def _completed(self, explanation: Explanation) -> Explanation:
        """Return an explanation with what is used of the quotas now, and what the DNS says."""
        explanation = await self._directions.added_to(explanation)
        quotas = {each.account: quotas_of(each) for each in self._queue.conditions()}
        return explanation.with_quotas(quotas)

    async def reload(self) -> object:
        """Go on with the configuration as its file is now."""
        try:
            return await self._reload()
        except ConfigurationError as error:
            raise RefusedError(
                "the configuration has faults; nothing has changed", tuple(error.faults)
            ) from None

    async def _signed_in(self, account: Account) -> None:
        """Have the token used at once that somebody has signed in for."""
        self._log_in_anew(account)
        # It may be gone, or paused.
        with suppress(AccountNotFoundError, AccountUnfitError):
            await self._queue.probe(account.name)

    # What is so now.

    def now(self) -> Time:
        """Return the time that people read."""
        return Time(self._wall())

    def _public(self, event: Event) -> list[dict[str, Any]]:
        return list(Public(self.now(), self._set_by, self._queue.conditions).told(event))

    def _condition(self, name: str) -> Condition | None:
        account = self._registry().account(name)
        return None if account is None else self._queue.conditions([account])[0]

    def _present(self) -> Present:
        return Present(
            # Of thousands of accounts, few have mail in a piece of a list, but that much.
            cache(self._condition),
            self._queue.under_way(),
            self._queue.rest,
            self._set_by,
        )

    @property
    def _set_by(self) -> int:
        # Whole seconds: the same mail has the same times whenever it is asked for.
        return round(self._wall() - self._clock.seconds())
