"""The current password of an account, wherever it is kept.

One that is kept in a file is read again for each session.  A program that tells one is run again
after a login that was refused, once for all sessions that were refused together, and in a thread of
its own: mail does not wait for it.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..credentials import Credential, ICredentials
from ..errors import ConfigurationError
from ..routing.account import Account
from ..settings.secret import StoredSecret


@implementer(ICredentials)
class PasswordCredentials:
    """The password of one account.

    :param reactor: is called from the thread.
    """

    log = Logger()

    def __init__(self, account: Account, reactor: Any) -> None:
        self._account = account
        self._reactor = reactor
        stored = account.password
        self._stored = stored if isinstance(stored, StoredSecret) else None
        self._value = stored.value if isinstance(stored, StoredSecret) else stored
        self._trouble = ""
        #: The sessions that wait for the program.
        self._waiting: list[Deferred[Credential]] = []

    @property
    def known(self) -> tuple[str, ...]:
        """What it was when it was read last."""
        return (self._value,) if self._value else ()

    def current(self) -> Deferred[Credential]:
        """Return it for a new session: see `ICredentials`."""
        if self._stored is not None and not self._stored.slow:
            self._take(*_read(self._stored))
        return succeed(self._credential())

    def _credential(self) -> Credential:
        return Credential(self._account.username, self._value)

    def after_refusal(self, refused: Credential) -> Deferred[Credential]:
        """Return it after a server has refused one; the same if there is no other."""
        stored = self._stored
        # Another session may have asked meanwhile.
        if stored is None or not stored.slow or refused.secret != self._value:
            return succeed(self._credential())
        told: Deferred[Credential] = Deferred()
        self._waiting.append(told)
        if len(self._waiting) == 1:
            # A daemon: the relay ends although the program hangs.
            Thread(target=self._ask, args=(stored,), daemon=True).start()
        return told

    def _ask(self, stored: StoredSecret) -> None:
        """Run the program; in the thread."""
        self._reactor.callFromThread(self._told, *_read(stored))

    def _told(self, value: str | None, trouble: str) -> None:
        self._take(value, trouble)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(self._credential())

    def _take(self, value: str | None, trouble: str) -> None:
        """Use a value; one that could not be read leaves the one before in its place."""
        if value is not None:
            self._value = value
        elif trouble != self._trouble:
            # With `--uid`, root may have read it, and the relay's own user may not.
            self.log.warn(
                "account {account}: its password cannot be read again, so the one before is"
                " used: {error}",
                account=self._account.name,
                error=trouble,
            )
        self._trouble = trouble


def _read(stored: StoredSecret) -> tuple[str | None, str]:
    """Return a secret as it is now, or what is wrong with it."""
    try:
        return stored.read(), ""
    except ConfigurationError as error:
        return None, str(error)
