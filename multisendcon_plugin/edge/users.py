"""The logins of clients: which passwords are right, and what a session needs to ask for them.

To hash a password takes a tenth of a second: it is done in threads, few at a time.  A wrong login
costs the same, and is answered at the same time, whether there is such a user or not.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.mail.interfaces import IMessageDeliveryFactory
from zope.interface import implementer

from ..configuration import Users, user_key
from ..password import SALT_SIZE, PasswordHash
from ..reply import ReplyError
from . import replies

#: Runs a function in another thread.
InThread = Callable[..., Deferred[Any]]

#: Passwords that are hashed at the same time.
AT_A_TIME = 2
#: Logins that are under way or wait for it; more are put off.
MOST_WAITING = 50
#: Seconds from a wrong login to its reply.
PAUSE = 3.0


@implementer(ICredentialsChecker)
class UserChecker:
    """Compares passwords with the hashes of the users.

    :param clock: for the pause after a wrong login.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: Users, clock: IReactorTime, in_thread: InThread) -> None:
        self._hashes = {user_key(name): each for name, each in users.hashes.items()}
        # Takes as long as the longest of them.
        slowest = max(users.hashes.values(), key=_work)
        self._nobody = attrs.evolve(slowest, salt=bytes(SALT_SIZE))
        self._clock = clock
        self._in_thread = in_thread
        self._turns = DeferredSemaphore(AT_A_TIME)
        self._waiting = 0

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Return the name of the user who is now logged in.

        Fails with `UnauthorizedLogin`, or with `ReplyError` when there are too many logins.
        """
        coroutine: Coroutine[Any, Any, bytes] = self._check(
            credentials.username, credentials.password
        )
        return Deferred.fromCoroutine(coroutine)

    async def _check(self, name: bytes, password: bytes) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise ReplyError(replies.TOO_MANY_LOGINS_AT_ONCE)
        begun = self._clock.seconds()
        known = self._hashes.get(user_key(_decoded(name)))
        self._waiting += 1
        try:
            right = await self._turns.run(
                self._in_thread, (known or self._nobody).matches, password
            )
        finally:
            self._waiting -= 1
        if known and right:
            return name
        left = begun + PAUSE - self._clock.seconds()
        await deferLater(self._clock, max(0.0, left))
        raise UnauthorizedLogin


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _work(password: PasswordHash) -> int:
    return password.parallelism * password.block_size << password.cost


def portal(checker: UserChecker, deliveries: Callable[[str], IMessageDeliveryFactory]) -> Portal:
    """Return what a session asks for a login.

    :param deliveries: returns the delivery hook that a user gets then.
    """
    return Portal(_Realm(deliveries), [checker])


@implementer(IRealm)
@attrs.frozen
class _Realm:
    """Gives each user the delivery hook with their rights."""

    deliveries: Callable[[str], IMessageDeliveryFactory]

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: object) -> Any:  # noqa: ARG002
        deliveries = self.deliveries(_decoded(avatarId))
        return IMessageDeliveryFactory, deliveries, lambda: None
