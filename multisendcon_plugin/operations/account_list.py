"""The accounts in order of priority, with what decides on their mail, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ..mail.selection import Total
from ..outcome.condition import Condition, State
from ..routing.account import REPORTS_ACCOUNT, Account
from ..routing.registry import AccountRegistry
from .values import AccountStatus

#: Accounts of one page.
ROWS = 100
#: Accounts that are looked at in one turn of the reactor.
_STEP = 500


@attrs.frozen(kw_only=True)
class Wanted:
    """Which accounts are to be listed.

    :param words: each stands in the name, the server or a mask of an account, in capitals or not.
    :param state: ``None``: in any.
    :param page: from 1 on, of `ROWS` accounts each.
    """

    words: tuple[str, ...] = ()
    state: State | None = None
    page: int = 1


@attrs.frozen(kw_only=True)
class ListedAccount:
    """One of them.

    :param place: in order of priority, from 1 on; 0: the account of reports, which has none.
    :param server: with its port; ``""``: it delivers to the mail servers of the recipients.
    :param senders: masks as they are written, as are `recipients`.
    :param by_person: somebody has to sign in for it.
    """

    place: int
    server: str
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    by_person: bool
    status: AccountStatus


@attrs.frozen(kw_only=True)
class AccountPage:
    """A page of the list.

    :param found: how many accounts are like that, on all pages.
    :param page: the one that this is: the last, if there are less than was asked for.
    :param total: how many accounts there are.
    """

    rows: tuple[ListedAccount, ...]
    found: int
    page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.found // ROWS))


@attrs.define(eq=False, repr=False)
class AccountList:
    """Lists the accounts of one relay.

    :param conditions: returns how each account is, in order of priority.
    :param totals: has what waits counted.
    :param statuses: puts together what is known of accounts.
    """

    _registry: Callable[[], AccountRegistry]
    _conditions: Callable[[], Iterable[Condition]]
    _totals: Callable[[], Deferred[dict[str, Total]]]
    _statuses: Callable[[Mapping[str, Total], Iterable[Condition]], tuple[AccountStatus, ...]]
    _clock: IReactorTime

    async def page(self, wanted: Wanted) -> AccountPage:
        """List some accounts."""
        conditions = {each.account: each for each in self._conditions()}
        found: list[tuple[int, Account]] = []
        total = 0
        accounts = enumerate(self._registry(), 1)
        while some := list(islice(accounts, _STEP)):
            found += (each for each in some if _is_wanted(each[1], conditions, wanted))
            total += sum(account.name != REPORTS_ACCOUNT for _, account in some)
            await deferLater(self._clock, 0) if len(some) == _STEP else None
        page = max(1, min(wanted.page, -(-len(found) // ROWS)))
        shown = found[(page - 1) * ROWS : page * ROWS]
        rows = await self._rows(shown, conditions)
        return AccountPage(rows=rows, found=len(found), page=page, total=total)

    async def one(self, account: Account) -> ListedAccount:
        """Tell of one account."""
        place = next(n for n, each in enumerate(self._registry(), 1) if each is account)
        conditions = {each.account: each for each in self._conditions()}
        [row] = await self._rows([(place, account)], conditions)
        return row

    async def _rows(
        self, shown: list[tuple[int, Account]], conditions: Mapping[str, Condition]
    ) -> tuple[ListedAccount, ...]:
        totals = await self._totals()
        wanted = [conditions[each.name] for _, each in shown if each.name in conditions]
        statuses = {each.name: each for each in self._statuses(totals, wanted)}
        # While what waits was counted, a reload may have taken some of them.
        return tuple(
            ListedAccount(
                place=0 if account.name == REPORTS_ACCOUNT else place,
                server="" if account.direct else f"{account.server}:{account.port}",
                senders=account.senders.texts,
                recipients=account.recipients.texts,
                by_person=account.oauth2 is not None and account.oauth2.grant.by_person,
                status=statuses[account.name],
            )
            for place, account in shown
            if account.name in statuses
        )


def _is_wanted(account: Account, conditions: Mapping[str, Condition], wanted: Wanted) -> bool:
    condition = conditions.get(account.name)
    if condition is None or (wanted.state is not None and condition.state is not wanted.state):
        return False
    if not wanted.words:
        return True
    parts = (account.name, account.server, *account.senders.texts, *account.recipients.texts)
    text = "\n".join(parts).casefold()
    return all(word.casefold() in text for word in wanted.words)
