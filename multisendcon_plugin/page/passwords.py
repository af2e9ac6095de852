"""Checks passwords, one at a time: each check takes a tenth of a second, and much memory.

How long one takes does not tell whether there is a user of that name.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime

from ..settings.admins import Admin, Admins
from ..settings.password import PasswordHash
from ..settings.users import user_key
from .delays import Delays, network_of
from .reading import RequestError

#: Sign-ins that may wait for their turn, and those of one network.
MOST, MOST_OF_ONE = 32, 4
#: Octets of a password; no longer one is right.
LONGEST = 1024
#: Checked if nobody has a password.
_NOBODY = PasswordHash(salt=bytes(16), digest=bytes(32))


class SignInRefusedError(RequestError):
    """A password is not looked at now."""

    def __init__(self, status: int, text: str, seconds: float) -> None:
        super().__init__(status, text, {"Retry-After": f"{seconds:.0f}"})


class Passwords:
    """The passwords of all admins.

    :param users: returns those that there are now.
    :param in_thread: has a function called in a thread.
    """

    def __init__(
        self,
        users: Callable[[], Admins | None],
        clock: IReactorTime,
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._users = users
        self._clock = clock
        self._in_thread = in_thread
        self._delays = Delays()
        self._turns = DeferredLock()
        self._in_line: Counter[str] = Counter()
        self._key = secrets.token_bytes(32)

    def check_delay(self, address: str) -> None:
        """See that an address has not to wait, for what it has said before.

        :raise SignInRefusedError: it has to.
        """
        if left := self._delays.left(address, self._clock.seconds()):
            seconds = max(left, 1.0)
            text = f"too many wrong passwords: try again in {seconds:.0f} s"
            raise SignInRefusedError(429, text, seconds)

    async def whose(self, address: str, name: str, password: str) -> Admin | None:
        """Return who has this name and password; ``None``: nobody.

        :raise SignInRefusedError: it is not looked at now.
        """
        self.check_delay(address)
        network = network_of(address)
        if self._in_line.total() >= MOST or self._in_line[network] >= MOST_OF_ONE:
            raise SignInRefusedError(503, "many are just signing in: try again in a moment", 2)
        self._in_line[network] += 1
        try:
            async with self._turns:
                # Others of the same address may have failed meanwhile.
                self.check_delay(address)
                admin = await self._check(name, password.encode())
                # Before it is the turn of the next one.
                self._note(address, right=admin is not None)
                return admin
        finally:
            self._in_line[network] -= 1
            self._in_line += Counter()  # forgets those of none

    def _note(self, address: str, *, right: bool) -> None:
        if right:
            self._delays.succeeded(address)
        else:
            self._delays.failed(address, self._clock.seconds())

    async def _check(self, name: str, password: bytes) -> Admin | None:
        admin = self._named(name)
        known = admin.password if admin else None
        fits = len(password) <= LONGEST
        right = await self._in_thread((known or self._decoy(name)).matches, password[:LONGEST])
        # They may have got another one while it was checked.
        return admin if known and fits and right and self._named(name) == admin else None

    def _named(self, name: str) -> Admin | None:
        users = self._users()
        return users.named(name) if users else None

    def _decoy(self, name: str) -> PasswordHash:
        """Return what is checked in the place of a password: it costs what one of those does."""
        users = self._users()
        some = users.passwords if users else ()
        if not some:
            return _NOBODY
        # The same one each time, as it would be with a user.
        chosen = hmac.digest(self._key, user_key(name).encode(), "sha256")
        like = some[int.from_bytes(chosen, "big") % len(some)]
        return attrs.evolve(like, digest=bytes(len(like.digest)))


class Remembered:
    """Passwords that were right a moment ago, of programs that send them with each request.

    Kept are digests, by a key that is nowhere else; they are of no use to who finds them later.
    """

    #: Seconds after which a password is checked anew, and after which it is told again.
    CHECKED, TOLD = 300.0, 12 * 3600.0
    MOST = 256

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, _Right] = {}

    def find(self, address: str, name: str, password: str, now: float) -> Admin | None:
        """Return whose password it is; ``None``: it has to be checked."""
        right = self._known.get(self._digest(address, name, password))
        return right.admin if right and now < right.checked + self.CHECKED else None

    def keep(self, address: str, name: str, password: str, admin: Admin, now: float) -> bool:
        """Remember a password that was right.

        :return: it is news that this admin comes from there.
        """
        digest = self._digest(address, name, password)
        before = self._known.pop(digest, None)
        is_news = before is None or before.admin != admin or now >= before.told + self.TOLD
        self._known[digest] = _Right(admin, now, now if before is None or is_news else before.told)
        if len(self._known) > self.MOST:
            del self._known[next(iter(self._known))]
        return is_news

    def _digest(self, *said: str) -> bytes:
        # The lengths: no two of them are the same text.
        text = "".join(f"{len(each)}:{each}" for each in said)
        return hashlib.blake2b(text.encode(), key=self._key).digest()


@attrs.frozen
class _Right:
    """A password that was right."""

    admin: Admin
    checked: float
    told: float
