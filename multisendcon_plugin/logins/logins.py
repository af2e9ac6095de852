"""The logins of all accounts, as a service: those of one are shared by all that log in with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList

from ..credentials import ICredentials
from ..events import Publisher
from ..routing.account import Account
from .password import PasswordCredentials
from .standing import LoginStanding

#: What makes the login of an account another one.
_Key = tuple[Any, ...]


class Logins(Service):
    """Keeps the credentials of accounts.

    Until it is started nobody is asked for tokens by the clock, only for sessions; afterwards those
    of `reconfigure` are looked after.

    :param reactor: is called from threads, has threads, connects, and is the clock.
    :param folder: of the spool, in which tokens are kept; ``None``: accounts with tokens cannot be
        asked for.
    :param events: is told of tokens that come, and of those that do not.
    :param wall: tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        folder: str | None = None,
        events: Publisher | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._events = events or Publisher()
        self._wall = wall
        self._accounts: tuple[Account, ...] = ()
        self._kept: dict[_Key, ICredentials] = {}

    def of(self, account: Account) -> ICredentials:
        """Return the credentials of an account: the same as long as its login is."""
        key = _key(account)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._made(account)
        return found

    def _made(self, account: Account) -> ICredentials:
        if account.oauth2 is None:
            return PasswordCredentials(account, self._reactor)
        raise NotImplementedError

    def standing(self, account: Account) -> LoginStanding:
        """Tell how the login of an account stands."""
        if account.oauth2 is None:
            return LoginStanding(kind="password")
        raise NotImplementedError

    def probe(self, account: Account) -> None:
        """Somebody wants an account to be tried: ask the provider again, whatever it said."""

    def reconfigure(self, accounts: Iterable[Account]) -> None:
        """Go on with these accounts; the credentials of those with the same login survive."""
        self._accounts = tuple(accounts)


def _key(account: Account) -> _Key:
    return account.name, account.username, account.password, account.oauth2
