"""The accounts in order of priority, with what decides on their mail, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..mail.selection import Total
from ..outcome.condition import Condition
from ..routing.account import REPORTS_ACCOUNT, Account
from ..routing.registry import AccountRegistry
from .errors import NotFoundError
from .parts import Part, page_of, pages_of
from .survey import Look, Survey
from .values import AccountStatus


@attrs.frozen(kw_only=True)
class ListedAccount:
    """One of them.

    :param place: in order of priority, from 1 on; 0: the account of reports, which has none.
    :param server: with its port; ``""``: it delivers to the mail servers of the recipients.
    :param senders: masks as they are written, as are `recipients`.
    :param by_person: somebody has to sign in for it.
    :param counted: whether what waits is known.
    """

    place: int
    server: str
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    by_person: bool
    counted: bool
    status: AccountStatus


@attrs.frozen(kw_only=True)
class AccountPage:
    """A page of the list.

    :param found: how many accounts are like that, on all pages.
    :param page: the one that this is: the last, if there are less than was asked for.
    :param total: how many accounts there are that have a place.
    :param counted: whether what waits is known; else its figures are 0.
    """

    rows: tuple[ListedAccount, ...]
    found: int
    page: int
    total: int
    counted: bool

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return pages_of(self.found)


@attrs.define(eq=False, repr=False)
class AccountList:
    """Lists the accounts of one relay.

    :param statuses: puts together what is known of accounts.
    """

    _registry: Callable[[], AccountRegistry]
    _survey: Survey
    _statuses: Callable[[Mapping[str, Total], Iterable[Condition]], tuple[AccountStatus, ...]]

    async def page(self, part: Part) -> AccountPage:
        """List some accounts, found by name, server and masks."""
        look = await self._survey.look()
        states = {each.account: each.state for each in look.conditions} if part.state else {}
        accounts = list(enumerate(self._registry(), 1))
        found = [
            (place, account)
            for place, account in accounts
            if part.state is states.get(account.name) and part.admits(_texts(account))
        ]
        shown, page = page_of(found, part.page)
        return AccountPage(
            rows=self._rows(shown, look),
            found=len(found),
            page=page,
            total=sum(account.name != REPORTS_ACCOUNT for _, account in accounts),
            counted=look.totals is not None,
        )

    async def one(self, name: str) -> ListedAccount:
        """Tell of one account.

        :raise NotFoundError: there is none of that name.
        """
        look = await self._survey.look()
        for place, account in enumerate(self._registry(), 1):
            if account.name == name:
                [row] = self._rows([(place, account)], look)
                return row
        raise NotFoundError(f'there is no account "{name}"')

    def _rows(self, shown: Sequence[tuple[int, Account]], look: Look) -> tuple[ListedAccount, ...]:
        # How they are at this moment: somebody may have paused one just now.
        conditions = self._survey.now([account for _, account in shown])
        statuses = {each.name: each for each in self._statuses(look.totals or {}, conditions)}
        return tuple(
            ListedAccount(
                place=0 if account.name == REPORTS_ACCOUNT else place,
                server="" if account.direct else f"{account.server}:{account.port}",
                senders=account.senders.texts,
                recipients=account.recipients.texts,
                by_person=account.oauth2 is not None and account.oauth2.grant.by_person,
                counted=look.totals is not None,
                status=statuses[account.name],
            )
            for place, account in shown
        )


def _texts(account: Account) -> tuple[str, ...]:
    """Return what it is looked for by."""
    return (account.name, account.server, *account.senders.texts, *account.recipients.texts)
