"""Makes the relays of accounts: those of one, for its lane and its test, share what limits it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from ..interfaces import IArchive, IRelay
from ..interfaces.credentials import ICredentials
from ..outcome.attempt import Scope
from ..routing.account import Account, AccountType
from ..routing.hop import Hop
from .budget import ConnectionBudget
from .direct import DirectRelay, MailServers
from .factory import AccountSenderFactory
from .part import PartOfBudget
from .places import Places
from .trial import Trials


def _no_servers() -> MailServers:
    raise LookupError("nobody has said how mail servers are found")


class Relays:
    """Makes relays; those of one account have its connections in common.

    :param reactor: connects, resolves names, and is the clock.
    :param limit: connections that all accounts together may have.
    :param logins: returns the credentials of an account.
    :param archive: keeps copies of what accounts with ``archive`` send.
    :param servers: returns what direct accounts need; called when there is one.
    """

    def __init__(
        self,
        reactor: Any,
        limit: int,
        logins: Callable[[Account], ICredentials],
        archive: IArchive | None = None,
        servers: Callable[[], MailServers] = _no_servers,
    ) -> None:
        self.reactor = reactor
        self.logins = logins
        self._archive = archive
        self._budget = ConnectionBudget(limit, reactor)
        self._trials = Trials()
        self.servers = servers
        #: Of the accounts that have relays, by name.
        self._places: WeakValueDictionary[str, Places] = WeakValueDictionary()
        self._parts: WeakValueDictionary[str, PartOfBudget] = WeakValueDictionary()

    def of(self, account: Account) -> IRelay:
        """Return a new relay of an account."""
        if account.type is AccountType.DIRECT:
            return self._direct(account)
        return self.sessions(account)

    def sessions(self, account: Account) -> AccountSenderFactory:
        """Return a new relay of an account that has a server of its own."""
        places = self._places.get(account.name)
        if places is None:
            places = self._places[account.name] = Places(account.connections)
        places.resize(account.connections)
        return self._made(account, places)

    def apart(self, account: Account, hop: Hop | None = None) -> AccountSenderFactory:
        """Return a relay whose connections do not count as those of its account.

        :param hop: the server, where it is not the account's own.
        """
        return self._made(account, Places(account.connections), hop)

    def to_host(self, account: Account, hop: Hop) -> AccountSenderFactory:
        """Return a relay of a direct account to one host, within the limits of the account."""
        return AccountSenderFactory(
            account,
            self.reactor,
            self._part(account),
            self._trials,
            logins=self.logins,
            hop=hop,
            scope=Scope.DESTINATION,
        )

    def _part(self, account: Account) -> PartOfBudget:
        budget = self._parts.get(account.name)
        if budget is None:
            budget = PartOfBudget(account.connections, self._budget, self.reactor)
            self._parts[account.name] = budget
        budget.resize(account.connections)
        return budget

    def _direct(self, account: Account) -> DirectRelay:
        make = partial(
            AccountSenderFactory,
            reactor=self.reactor,
            trials=self._trials,
            logins=self.logins,
            archive=self._archive,
        )
        return DirectRelay(
            account,
            self.servers(),
            budget=self._part(account),
            make_sessions=make,
            reactor=self.reactor,
        )

    def _made(
        self, account: Account, places: Places, hop: Hop | None = None
    ) -> AccountSenderFactory:
        return AccountSenderFactory(
            account,
            self.reactor,
            self._budget,
            self._trials,
            logins=self.logins,
            places=places,
            hop=hop,
            archive=self._archive,
        )

    def resize(self, limit: int) -> None:
        """Let all accounts together have another number of connections."""
        self._budget.resize(limit)
