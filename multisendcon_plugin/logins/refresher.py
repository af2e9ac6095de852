"""Looks after the token of one account: has a good one there before it is needed.

One thing at a time is done for an account, whoever asks for it: the file is looked at, which
`account login` may have written; the provider is asked; what it answers is written, and only then
used.  A provider that is down is no dead token: the one that is there is used until its end.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Container, Coroutine
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..events import Publisher, TokenNotStored, TokenRefreshed, TokenRefused, TokenStored
from ..interfaces.credentials import CredentialError
from ..settings.files import Stamp
from ..times import Time
from . import schedule
from .answers import RefusedError
from .source import TokenSource
from .store import StoredMeanwhileError, StoreError, TokenFile
from .token import Token

T = TypeVar("T")

#: Seconds that a request under way has when the relay stops: the refresh token that it has used may
#: be good for nothing by now.
GRACE = 5.0


@attrs.frozen
class Trouble:
    """Why there is no new token.

    :param final: it stays so until somebody does something.
    :param until: when the provider is asked again, by the reactor's clock; of no meaning if final.
    """

    text: str
    final: bool
    until: float
    code: str = ""


class Refresher:
    """Looks after the token of one account.

    :param account: its name.
    :param source: is asked for tokens.
    :param file: keeps them.
    :param reactor: has threads, and is the clock: of timers, and of how long a token lives.
    :param wall: tells the time in seconds since the epoch.
    :param known: returns the names of all accounts.
    :param after: fires when nobody else uses up the refresh token that is stored: until then
        nothing is done.
    :param chance: returns a number from 0 to 1.
    :ivar source: is asked for tokens; another one may take its place.
    :ivar token: the one of now; it may have run out.
    :ivar former: the access token before.
    :ivar trouble: why there is no other; ``None``: nothing is wrong.
    """

    log = Logger()

    def __init__(
        self,
        account: str,
        source: TokenSource,
        file: TokenFile,
        *,
        reactor: Any,
        wall: Callable[[], float],
        events: Publisher,
        known: Callable[[], Container[str]],
        after: Deferred[None] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.token: Token | None = None
        self.former = ""
        self.trouble: Trouble | None = None
        self._account = account
        self.source = source
        self._by_person = source.settings.grant.by_person
        self._file = file
        self._reactor = reactor
        self._wall = wall
        self._events = events
        self._known = known
        self._after = after
        self._chance = chance
        #: Of the file as it was looked at; unset: it was not.
        self._stamp: Stamp | object = _UNSEEN
        #: When the access token came, and when it ends, by the reactor's clock.
        self._came = self._end = 0.0
        #: The access token that a server has refused.
        self._refused = ""
        #: Somebody has wanted it since it came.
        self._used = False
        #: When the time for another one comes, by the reactor's clock; and whether it has come.
        self._due_at = math.inf
        self._due = False
        self._unwritten = False
        self._failures = 0
        self._begun = self._stopped = False
        self._timer: IDelayedCall | None = None
        self._work: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []

    # What sessions ask.

    def use(self) -> None:
        """Say that the token is wanted: it is renewed before its end."""
        if not self._used:
            self._used = True
            self._set_timer()

    def is_good(self) -> bool:
        """The token lives long enough for a session, and there is no other one."""
        return self._is_fresh() and self._stamp == self._file.stamp()

    def is_alive(self) -> bool:
        """The token has not run out, and no server has refused it."""
        return (
            self.token is not None
            and self.token.access_token != self._refused
            and self._remaining() > 0
        )

    def age(self) -> float:
        """Return how many seconds ago the access token came."""
        return self.now() - self._came

    def refuse(self) -> None:
        """Say that a server has refused the token."""
        if self.token is not None:
            self._refused = self.token.access_token
            self.use()

    def renew(self) -> Deferred[None]:
        """Do what can be done for a token that is good; fires when that is done, never fails."""
        waiter: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if self._stopped and self._work is None:
            self._fire()
        elif self._work is None:
            self._begin(self._do())
        return waiter

    def _begin(self, work: Coroutine[Deferred[Any], Any, Any]) -> None:
        self._work = Deferred.fromCoroutine(work)
        self._work.addBoth(self._done)

    def error(self) -> CredentialError:
        """Return why there is no token."""
        if self.trouble is None:
            return CredentialError("there is no token to log in with yet", needs_admin=False)
        text = f"there is no token to log in with: {self.trouble.text}"
        if not self.trouble.final:
            text += f"; asked again in {max(self.trouble.until - self.now(), 0):.0f} s"
        return CredentialError(text, needs_admin=self.trouble.final)

    # What the relay says.

    def begin(self) -> None:
        """Look after the token by the clock, too."""
        if not self._begun:
            self._begun = True
            self.renew()

    def probe(self) -> None:
        """Have the provider asked again when somebody wants a token, whatever it said."""
        if self.trouble is not None:
            self.trouble = attrs.evolve(self.trouble, final=False, until=0.0)

    def stop(self) -> Deferred[None]:
        """Write what is in memory only, begin nothing more; fires when nothing is under way."""
        self._stopped = True
        self._set_timer()
        if self._work is None and self._unwritten and self.token is not None:
            self._begin(self._write(self.token))
        work = self._work
        if work is None:
            return succeed(None)
        late = self._reactor.callLater(GRACE, work.cancel)
        return self.renew().addCallback(lambda _: late.cancel() if late.active() else None)

    # One thing at a time.

    async def _do(self) -> None:
        if self._after is not None:
            await self._after
            self._after = None
        if self._unwritten and self.token is not None:
            await self._write(self.token)
        if self._stamp != self._file.stamp() and await self._look():
            # It was due while another one was there.
            self._due = False
        # That nobody has signed in is told at once, and not when the first mail waits.
        missing = self._by_person and self.token is None
        wanted = self._due or missing or (self._used and not self._is_fresh())
        if wanted and not self._stopped:
            await self._get()

    def _done(self, result: object) -> None:
        self._work, self._due = None, False
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.log.failure(
                "internal error with the token of account {account} (a bug); traceback follows",
                result,
                account=self._account,
            )
            self._fail(RefusedError("internal error of the relay; see the log"))
        self._set_timer()
        self._fire()

    def _fire(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def _look(self) -> bool:
        """Take the token of the file; say whether there is another one."""
        try:
            self._stamp, token = await self._in_thread(self._file.read)
            if self._by_person and self._stamp is None and self.token is None:
                token = await self._in_thread(self._file.adopt, self._known())
                self._stamp = self._file.stamp()
        except StoreError as error:
            # It may be mended by a chmod, of which no stamp tells.
            self._stamp = _UNSEEN
            # One that is in memory is written over it when it is renewed, and so is one for which
            # nobody has to sign in.
            if self._by_person and self.token is None:
                self._fail(RefusedError(str(error), code="file", final=True))
            return False
        if token is None or token == self.token:
            return False
        recovered = self.trouble is not None
        self._accept(token)
        if recovered:
            self._tell_of(token, recovered=True)
        return True

    async def _get(self) -> None:
        """Get a token, if there is a way to it now."""
        token = self.token
        if self._by_person and not (token and token.refresh_token):
            if self.trouble is None or not self.trouble.final:
                text = "it has run out, and cannot be renewed" if token else "nobody has signed in"
                self._fail(RefusedError(text, code="sign_in", final=True))
        elif await self._may_ask():
            await self._ask()

    async def _may_ask(self) -> bool:
        """The provider has said nothing that forbids to ask it now."""
        trouble = self.trouble
        if trouble is None:
            return True
        if not trouble.final:
            return self.now() >= trouble.until
        # Another secret may be there, or another key.
        return await self.source.proofs() != self.source.proved

    async def _ask(self) -> None:
        try:
            newer = await self.source.next(self.token)
        except RefusedError as refused:
            self._fail(refused)
            return
        recovered = self.trouble is not None
        if await self._write(newer):
            self._accept(newer)
            self._used = False
            self._tell_of(newer, recovered=recovered)

    async def _write(self, token: Token) -> bool:
        """Write a token; say whether it is the one to use.

        One that cannot be written is used all the same: the refresh token before it may be good for
        nothing by now, and mail that waits mends no disk.  With a restart it would be lost; until
        then it is written again and again.
        """
        while True:
            expected = None if self._stamp is _UNSEEN else self._stamp
            try:
                self._stamp = await self._in_thread(self._file.write, token, expected)
            except StoredMeanwhileError:
                # Somebody has signed in while the provider was asked.
                if await self._look():
                    self._unwritten = False
                    return False
            except StoreError as error:
                if not self._unwritten:
                    self._unwritten = True
                    self._events.publish(TokenNotStored(self._account, str(error)))
                return True
            else:
                if self._unwritten:
                    self._unwritten = False
                    self._events.publish(TokenStored(self._account))
                return True

    def _accept(self, token: Token) -> None:
        self.former = self.token.access_token if self.token else ""
        self.token = token
        self._came = self.now()
        self._end = self._came + token.expires_at - self._wall()
        self.trouble = None
        self._failures = 0
        self._refused = ""

    def _tell_of(self, token: Token, *, recovered: bool) -> None:
        until = Time(token.expires_at)
        self._events.publish(TokenRefreshed(self._account, until, recovered=recovered))

    def _fail(self, refused: RefusedError) -> None:
        before = self.trouble
        self._failures += 1
        pause = schedule.pause(self._failures, refused.pause, self._chance())
        until = self.now() + pause
        self.trouble = Trouble(str(refused), refused.final, until, refused.code)
        same = before and (before.final, before.code) == (refused.final, refused.code)
        if not same:
            text = self.trouble.text
            self._events.publish(TokenRefused(self._account, text, needs_login=refused.final))

    # Time.

    def _remaining(self) -> float:
        """Return how many seconds the token lives.

        By both clocks: one may have been set, the other stands still while the machine sleeps.
        """
        if self.token is None:
            return 0.0
        return min(self._end - self.now(), self.token.expires_at - self._wall())

    def _is_fresh(self) -> bool:
        return (
            self.token is not None
            and self.is_alive()
            and self._remaining() >= schedule.margin(self.token.life)
        )

    def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._stopped or not self._begun:
            return
        renewed = max(self._renewed_in(), 0.0)
        self._due_at = self.now() + renewed
        delay = min(renewed, schedule.WRITE_AGAIN) if self._unwritten else renewed
        if self.trouble is not None and self._by_person:
            delay = min(delay, schedule.LOOK_AGAIN)
        if delay < math.inf:
            self._timer = self._reactor.callLater(delay, self._timed)

    def _renewed_in(self) -> float:
        """Return in how many seconds the token is to be renewed."""
        token, trouble, jitter = self.token, self.trouble, self._chance()
        renewable = token is not None and token.refresh_token != ""
        if trouble is not None:
            wanted = not trouble.final and (self._used or renewable)
            return trouble.until - self.now() if wanted else math.inf
        if token is not None and self._used:
            return self._remaining() - schedule.ahead(token.life, jitter)
        if token is not None and renewable:
            idle = schedule.idle_after(jitter) - (self._wall() - token.refreshed_at)
            return max(idle, schedule.AFTER_START * jitter)
        return math.inf

    def _timed(self) -> None:
        self._due = self.now() >= self._due_at
        if self._due or self._unwritten or self._stamp != self._file.stamp():
            self.renew()
        else:
            self._set_timer()

    def now(self) -> float:
        """Return the time by the reactor's clock."""
        return float(self._reactor.seconds())

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, function, *arguments)


#: The file was not looked at.
_UNSEEN = object()
