"""A secret as it is now, wherever it is kept.

One that is kept in a file is read again each time.  A program that tells one is run again when the
value was refused, once for all who were refused together, and in a thread of its own: mail does not
wait for it.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..errors import ConfigurationError
from ..settings.secret import Secret, StoredSecret


class LiveSecret:
    """A secret of one account.

    :param account: its name, for the log.
    :param what: what it is, for the log.
    :param reactor: is called from the thread.
    :ivar value: what it was when it was read last.
    """

    log = Logger()

    def __init__(self, account: str, what: str, secret: Secret, reactor: Any) -> None:
        self._account = account
        self._what = what
        self._reactor = reactor
        self._stored = secret if isinstance(secret, StoredSecret) else None
        self.value = secret.value if isinstance(secret, StoredSecret) else secret
        self._trouble = ""
        #: Who waits for the program.
        self._waiting: list[Deferred[str]] = []

    def now(self) -> str:
        """Return it; of a program, what it told last."""
        if self._stored is not None and not self._stored.slow:
            self._take(*_read(self._stored))
        return self.value

    def after_refusal(self, refused: str) -> Deferred[str]:
        """Return it after a value was refused; the same if there is no other."""
        stored = self._stored
        # Somebody else may have asked meanwhile.
        if stored is None or not stored.slow or refused != self.value:
            return succeed(self.value)
        told: Deferred[str] = Deferred()
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
            each.callback(self.value)

    def _take(self, value: str | None, trouble: str) -> None:
        """Use a value; one that could not be read leaves the one before in its place."""
        if value is not None:
            self.value = value
        elif trouble != self._trouble:
            # With `--uid`, root may have read it, and the relay's own user may not.
            self.log.warn(
                "account {account}: its {what} cannot be read again, so the one before is"
                " used: {error}",
                account=self._account,
                what=self._what,
                error=trouble,
            )
        self._trouble = trouble


def _read(stored: StoredSecret) -> tuple[str | None, str]:
    """Return a secret as it is now, or what is wrong with it."""
    try:
        return stored.read(), ""
    except ConfigurationError as error:
        return None, str(error)
