"""The current password of an account, wherever it is kept."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..interfaces.credentials import Credential, ICredentials
from ..routing.account import Account
from .secret import LiveSecret


@implementer(ICredentials)
class PasswordCredentials:
    """The password of one account.

    :param reactor: is called from threads.
    """

    def __init__(self, account: Account, reactor: Any) -> None:
        self._username = account.username
        self._password = LiveSecret(account.name, "password", account.password, reactor)

    @property
    def known(self) -> tuple[str, ...]:
        """What it was when it was read last."""
        return (self._password.value,) if self._password.value else ()

    def current(self) -> Deferred[Credential]:
        """Return it for a new session: see `ICredentials`."""
        return succeed(self._credential(self._password.now()))

    def after_refusal(self, refused: Credential) -> Deferred[Credential]:
        """Return it after a server has refused one; the same if there is no other."""
        return self._password.after_refusal(refused.secret).addCallback(self._credential)

    def tried(self, credential: Credential, worked: bool) -> None:
        """Learn nothing: a password is read anew after a refusal, whatever it was good for."""

    def _credential(self, password: str) -> Credential:
        return Credential(self._username, password)
