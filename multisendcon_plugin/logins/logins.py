"""The credentials of all accounts: those of one are shared by all that log in with them."""

from __future__ import annotations

from typing import Any

from ..credentials import ICredentials
from ..routing.account import Account
from .password import PasswordCredentials
from .standing import LoginStanding


class Logins:
    """Keeps the credentials of accounts.

    :param reactor: is called from threads, connects, and is the clock.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def of(self, account: Account) -> ICredentials:
        """Return the credentials of an account."""
        return PasswordCredentials(account, self._reactor)

    def standing(self, account: Account) -> LoginStanding | None:
        """Tell how the login of an account stands; ``None``: it has none."""
        return LoginStanding(kind="password") if account.username else None
