"""Somebody signs in for an account from afar, as on a page: where, by which code, with what end.

By a code, the provider is asked until somebody has entered it.  A browser can be sent back to its
own machine only (RFC 8252 section 7.3), where nobody listens: the address at which it ends is
brought here instead, as it can be pasted at the command line.  Codes and tokens are told to nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import SignInError, WrongAddressError
from ..routing.account import Account
from ..settings.commands import account_login, account_test
from ..settings.oauth2 import Grant, OAuth2
from ..times import Time
from .errors import BadRequestError, RefusedError

if TYPE_CHECKING:
    from ..logins.sign_in import CodeSignIn, DeviceSignIn
    from ..logins.token import Token

#: Seconds that somebody has who signs in with a browser; of a code, the provider says it.
PATIENCE = 900.0
#: To which a browser is sent in the end: nothing is there, and what it brings is no secret by
#: itself (RFC 7636).
_PORT = 65_535


class Beginning(Protocol):
    """Begins sign-ins, as `Logins` does; fails with `SignInError`."""

    def begin_device(self, account: Account) -> Awaitable[DeviceSignIn]:
        """Ask for a code."""

    def begin_code(self, account: Account, port: int) -> CodeSignIn:
        """Have somebody sign in with a browser, which ends at a port of its machine."""


class SignInState(enum.Enum):
    """What has come of a sign-in."""

    NONE = "none"
    """None was begun."""
    WAITING = "waiting"
    """Somebody has to sign in."""
    DONE = "done"
    """Somebody has signed in, and the relay uses the token."""
    FAILED = "failed"
    """Nobody has; another one can be begun."""


@attrs.frozen(kw_only=True)
class SignInStep:
    """What is to be done for a sign-in.

    :param redirected: the address of the page at which a browser has ended; ``null``: begin.
    """

    redirected: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class SignIn:
    """How a sign-in for an account stands; nothing of it is secret for who signs in.

    :param username: who is to sign in; ``""``: that is not known.
    :param mailbox: to which they need access.
    :param url: to open in a browser; ``""``: none.
    :param user_code: to enter there; ``""``: none.
    :param complete_url: the same address with the code in it; ``""``: the provider has none.
    :param message: what the provider says of it, in its words.
    :param redirect: how the address begins at which the browser ends, which cannot be shown there,
        and is to be brought back; ``""``: none is.
    :param until: when it is too late; ``None``: it does not wait.
    :param valid_until: the token is, which is renewed in time; ``None``: there is none.
    :param trouble: why nobody has signed in, and what to do; ``""``: nothing is wrong.
    :param command: by which somebody can sign in at the command line.
    """

    account: str
    grant: str
    state: SignInState
    username: str
    mailbox: str
    url: str = ""
    user_code: str = ""
    complete_url: str = ""
    message: str = ""
    redirect: str = ""
    until: Time | None = None
    valid_until: Time | None = None
    trouble: str = ""
    command: str


@attrs.define
class _Begun:
    """One that was begun.

    :param told: how it stands.
    :param code: ends by an address; ``None``: it does not.
    :param waits: for who enters a code; ``None``: it does not.
    """

    told: SignIn
    code: CodeSignIn | None = None
    waits: Deferred[None] | None = None


class SignIns:
    """The sign-ins of all accounts, the last of each.

    :param account: returns the one of a name.
    :param signed_in: is told of an account that can log in now.
    :param wall: tells the time that people read.
    """

    log = Logger()

    def __init__(
        self,
        beginning: Beginning,
        account: Callable[[str], Account],
        signed_in: Callable[[Account], Awaitable[object]],
        wall: Callable[[], float],
    ) -> None:
        self._beginning = beginning
        self._account = account
        self._signed_in = signed_in
        self._wall = wall
        self._begun: dict[str, _Begun] = {}

    def stop(self) -> None:
        """Wait for nobody any more."""
        for name in tuple(self._begun):
            self._forget(name)

    async def sign_in(self, name: str) -> SignIn:
        """Tell how the last sign-in for an account stands."""
        account = self._account(name)
        oauth2 = with_tokens(account)
        begun = self._begun.get(name)
        if begun is None:
            return _told(account, oauth2, SignInState.NONE)
        told = begun.told
        if begun.code and told.until is not None and told.until <= self._wall():
            minutes = f"{PATIENCE / 60:.0f} minutes"
            self._failed(begun, f"nobody has signed in within {minutes}; try it again")
        return begun.told

    async def begin_sign_in(self, name: str, step: SignInStep) -> SignIn:
        """Begin a sign-in for an account, in the place of one before; or end it by an address."""
        if step.redirected is not None:
            return await self._finish(name, step.redirected)
        account = self._account(name)
        oauth2 = with_tokens(account)
        check_by_person(account, oauth2)
        self._forget(name)
        try:
            if oauth2.grant is Grant.DEVICE:
                begun = await self._begin_device(account, oauth2)
            else:
                begun = self._begin_code(account, oauth2)
        except SignInError as error:
            raise RefusedError(f"nobody can sign in for {name}: {error}") from None
        self._forget(name)  # who asked at the same time
        self._begun[name] = begun
        return begun.told

    async def _begin_device(self, account: Account, oauth2: OAuth2) -> _Begun:
        sign_in = await self._beginning.begin_device(account)
        told = attrs.evolve(
            _told(account, oauth2, SignInState.WAITING),
            url=sign_in.url,
            user_code=sign_in.user_code,
            complete_url=sign_in.complete_url,
            message=sign_in.message,
            until=Time(sign_in.ends_at),
        )
        begun = _Begun(told)
        begun.waits = Deferred.fromCoroutine(self._end(account, begun, sign_in.finish()))
        begun.waits.addErrback(self._ended_badly)
        return begun

    def _begin_code(self, account: Account, oauth2: OAuth2) -> _Begun:
        sign_in = self._beginning.begin_code(account, _PORT)
        told = attrs.evolve(
            _told(account, oauth2, SignInState.WAITING),
            url=sign_in.url,
            redirect=f"{sign_in.redirect}/",
            until=Time(self._wall() + PATIENCE),
        )
        return _Begun(told, sign_in)

    async def _finish(self, name: str, redirected: str) -> SignIn:
        told = await self.sign_in(name)
        begun = self._begun.get(name)
        if begun is None or begun.code is None or told.state is not SignInState.WAITING:
            raise RefusedError(f"no sign-in for {name} waits for an address; begin one")
        await self._end(self._account(name), begun, begun.code.finish(redirected))
        return begun.told

    async def _end(self, account: Account, begun: _Begun, finished: Deferred[Token]) -> None:
        """Wait until somebody has signed in, and note it."""
        try:
            token = await finished
        except WrongAddressError as error:
            raise BadRequestError(f"redirected: {error}") from None
        except SignInError as error:
            self._failed(begun, f"{error}; try it again, or {account_login(account.name)}")
            return
        begun.told = attrs.evolve(
            begun.told,
            state=SignInState.DONE,
            valid_until=Time(token.expires_at),
            until=None,
        )
        await self._signed_in(account)

    def _ended_badly(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("internal error of a sign-in (a bug); traceback follows", failure)

    def _failed(self, begun: _Begun, why: str) -> None:
        begun.told = attrs.evolve(begun.told, state=SignInState.FAILED, trouble=why, until=None)

    def _forget(self, name: str) -> None:
        begun = self._begun.pop(name, None)
        if begun is not None and begun.waits is not None:
            begun.waits.cancel()


def with_tokens(account: Account) -> OAuth2:
    """Return by what an account gets its tokens.

    :raise RefusedError: it does not log in with tokens.
    """
    if account.oauth2 is None:
        how = "logs in with a password" if account.username else "does not log in"
        raise RefusedError(
            f"nobody has to sign in for {account.name}: it {how}, and not with a token;"
            f" {_test(account)}"
        )
    return account.oauth2


def check_by_person(account: Account, oauth2: OAuth2) -> None:
    """See that somebody has to sign in for an account.

    :raise RefusedError: nobody has to.
    """
    if not oauth2.grant.by_person:
        raise RefusedError(
            f"nobody has to sign in for {account.name}: the relay gets its tokens by itself"
            f" ({oauth2.grant.value}); {_test(account)}"
        )


def _test(account: Account) -> str:
    return f"to see whether it works: {account_test(account.name)}"


def _told(account: Account, oauth2: OAuth2, state: SignInState) -> SignIn:
    return SignIn(
        account=account.name,
        grant=oauth2.grant.value,
        state=state,
        username=account.username,
        mailbox=account.sasl_user,
        command=account_login(account.name),
    )
