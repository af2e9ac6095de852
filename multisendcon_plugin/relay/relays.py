"""Makes the relays of accounts: those of one, for its lane and its test, share what limits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from ..credentials import ICredentials
from ..interfaces import IArchive
from ..routing.account import Account
from .budget import ConnectionBudget
from .factory import AccountSenderFactory
from .places import Places
from .trial import Trials


class Relays:
    """Makes relays; those of one account have its connections in common.

    :param reactor: connects, resolves names, and is the clock.
    :param limit: connections that all accounts together may have.
    :param logins: returns the credentials of an account.
    :param archive: keeps copies of what accounts with ``archive`` send.
    """

    def __init__(
        self,
        reactor: Any,
        limit: int,
        logins: Callable[[Account], ICredentials],
        archive: IArchive | None = None,
    ) -> None:
        self.reactor = reactor
        self.logins = logins
        self._archive = archive
        self._budget = ConnectionBudget(limit, reactor)
        self._trials = Trials()
        #: Of the accounts that have relays, by name.
        self._places: WeakValueDictionary[str, Places] = WeakValueDictionary()

    def of(self, account: Account) -> AccountSenderFactory:
        """Return a new relay of an account."""
        places = self._places.get(account.name)
        if places is None:
            places = self._places[account.name] = Places(account.connections)
        places.resize(account.connections)
        return self._made(account, places)

    def apart(self, account: Account) -> AccountSenderFactory:
        """Return a relay whose connections do not count as those of its account."""
        return self._made(account, Places(account.connections))

    def _made(self, account: Account, places: Places) -> AccountSenderFactory:
        return AccountSenderFactory(
            account,
            self.reactor,
            self._budget,
            self._trials,
            logins=self.logins,
            places=places,
            archive=self._archive,
        )

    def resize(self, limit: int) -> None:
        """Let all accounts together have another number of connections."""
        self._budget.resize(limit)
