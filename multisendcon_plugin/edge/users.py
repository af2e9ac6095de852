"""Checks the logins of clients against the hashes of `users`, for Twisted Cred.

To hash a password takes a tenth of a second: it is done in threads, few at a time.  A wrong login
costs the same, and is answered at the same time, whether there is such a user or not.  Logins from
one address wait for each other, so that guessing from one does not delay the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, DeferredSemaphore, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.mail.interfaces import IMessageDeliveryFactory
from zope.interface import implementer

from ..mail.reply import ReplyError
from ..settings.password import SALT_SIZE, PasswordHash
from ..settings.users import Users, user_key
from . import replies
from .guesses import Guesses

T = TypeVar("T")

#: Runs a function in another thread.
InThread = Callable[..., Deferred[Any]]

#: Passwords that are hashed at the same time: more would take the processors from mail.
AT_A_TIME = 2
#: Passwords that are hashed or wait for it; more are put off.
MOST_WAITING = 50
#: Logins of one address (a /64 of IPv6) that are under way, from their password to their reply:
#: others of it wait, over whatever connections they come.  With the pause of three seconds that is
#: an answer to forty guesses in a minute.
AT_A_TIME_FROM_ONE_ADDRESS = 2
#: Logins of one address that are under way or wait for it; more are put off.
MOST_WAITING_FROM_ONE_ADDRESS = 20


#: What costs as much as the hash of a new user.
_BLANK = PasswordHash(salt=bytes(SALT_SIZE), digest=bytes(32))


class UserChecker:
    """Compares passwords with the hashes of the users.

    :param users: see `use`.
    :param clock: for the pause after a wrong login.
    """

    def __init__(self, users: Users | None, clock: IReactorTime, in_thread: InThread) -> None:
        self.use(users)
        self._clock = clock
        self._in_thread = in_thread
        self._turns = DeferredSemaphore(AT_A_TIME)
        self._guesses = Guesses()
        self._turns_of_one: defaultdict[Hashable, DeferredSemaphore] = defaultdict(
            lambda: DeferredSemaphore(AT_A_TIME_FROM_ONE_ADDRESS)
        )

    def use(self, users: Users | None) -> None:
        """Know these users from now on; ``None``: nobody.

        Who is not among them any more cannot log in over sessions that have begun before, either.
        """
        hashes = users.hashes if users else {}
        self._hashes = {user_key(name): each for name, each in hashes.items()}
        # Takes as long as the longest of them.
        slowest = max(hashes.values(), key=_work, default=_BLANK)
        self._nobody = attrs.evolve(slowest, salt=bytes(SALT_SIZE))

    def at(self, place: Hashable) -> ICredentialsChecker:
        """Return what checks the logins of sessions from one place."""
        return _CheckerAt(self, place)

    def check(self, name: bytes, password: bytes, place: Hashable) -> Deferred[bytes]:
        """Return the name of the user who is now logged in.

        Fails with `UnauthorizedLogin`, or with `ReplyError` when there are too many logins.

        :param place: the address or network that the login comes from.
        """
        turns = self._turns_of_one[place]
        if _logins(turns) >= MOST_WAITING_FROM_ONE_ADDRESS:
            return fail(ReplyError(replies.TOO_MANY_LOGINS_AT_ONCE))
        # Not awaited: a login that is collected with its relay must not wake up the next one.
        checked = turns.run(
            lambda: Deferred.fromCoroutine(self._check_in_turn(name, password, place))
        )
        return checked.addBoth(self._ended, place)

    def _ended(self, result: T, place: Hashable) -> T:
        if not _logins(self._turns_of_one[place]):
            del self._turns_of_one[place]
        return result

    async def _check_in_turn(self, name: bytes, password: bytes, place: Hashable) -> bytes:
        if _logins(self._turns) >= MOST_WAITING:
            raise ReplyError(replies.TOO_MANY_LOGINS_AT_ONCE)
        begun = self._clock.seconds()
        known = self._hashes.get(user_key(_decoded(name)))
        right = await self._turns.run(self._in_thread, (known or self._nobody).matches, password)
        if known and right:
            # At once, however many wrong ones there were before: the address may be that of many.
            return name
        now = self._clock.seconds()
        # A client that hangs up meanwhile gains nothing: its address's turn lasts as long.
        left = begun + self._guesses.wrong(place, now) - now
        await deferLater(self._clock, max(0.0, left))
        raise UnauthorizedLogin


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _work(password: PasswordHash) -> int:
    return password.parallelism * password.block_size << password.cost


def _logins(turns: DeferredSemaphore) -> int:
    """Return how many have their turn or wait for it."""
    return turns.limit - turns.tokens + len(turns.waiting)


def portal(
    checker: ICredentialsChecker, deliveries: Callable[[str], IMessageDeliveryFactory]
) -> Portal:
    """Return what a session asks for a login.

    :param deliveries: returns the delivery hook that a user gets then.
    """
    return Portal(_Realm(deliveries), [checker])


@implementer(ICredentialsChecker)
@attrs.frozen
class _CheckerAt:
    """The checker, for sessions from one place."""

    checker: UserChecker
    place: Hashable
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        login: Deferred[Any] = self.checker.check(
            credentials.username, credentials.password, self.place
        )
        return login


@implementer(IRealm)
@attrs.frozen
class _Realm:
    """Gives each user the delivery hook with their rights."""

    deliveries: Callable[[str], IMessageDeliveryFactory]

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: object) -> Any:  # noqa: ARG002
        deliveries = self.deliveries(_decoded(avatarId))
        return IMessageDeliveryFactory, deliveries, lambda: None
