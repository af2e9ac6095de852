"""The logins of all accounts, as a service: those of one are shared by all who use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.web.iweb import IAgent

from ..errors import SignInError
from ..events import Publisher
from ..interfaces.credentials import ICredentials
from ..routing.account import Account
from .password import PasswordCredentials
from .standing import LoginStanding

if TYPE_CHECKING:
    from .sign_in import CodeSignIn, DeviceSignIn
    from .tokens import TokenCredentials

#: What makes the login of an account another one.
_Key = tuple[Any, ...]


class Logins(Service):
    """Keeps the credentials of accounts.

    Until it is started, tokens are got for sessions only; then they are looked after by the clock,
    too.

    :param reactor: is called from threads, has threads, connects, and is the clock.
    :param folder: of the spool, in which tokens are kept; ``""``: no account has any.
    :param events: is told of tokens that come, and of those that do not.
    :param wall: tells the time in seconds since the epoch.
    :param agent: sends requests to those who give out tokens.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        folder: str = "",
        events: Publisher | None = None,
        wall: Callable[[], float] = time.time,
        agent: IAgent | None = None,
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._events = events or Publisher()
        self._wall = wall
        self._agent = agent
        self._accounts: tuple[Account, ...] = ()
        self._passwords: dict[_Key, PasswordCredentials] = {}
        self._tokens: dict[_Key, TokenCredentials] = {}
        #: Those that nobody needs any more, and that are not at rest yet.
        self._stopping: list[Deferred[None]] = []

    def of(self, account: Account) -> ICredentials:
        """Return the credentials of an account: the same as long as its login is the same."""
        if account.oauth2 is not None:
            return self._tokens_of(account)
        key = _password_key(account)
        found = self._passwords.get(key)
        if found is None:
            found = self._passwords[key] = PasswordCredentials(account, self._reactor)
        return found

    def _tokens_of(self, account: Account) -> TokenCredentials:
        key = _token_key(account)
        found = self._tokens.get(key)
        if found is None:
            # Its libraries need not be there without such an account.
            from .tokens import make_tokens  # noqa: PLC0415

            found = self._tokens[key] = make_tokens(
                account,
                self._folder,
                reactor=self._reactor,
                events=self._events,
                wall=self._wall,
                agent=self._agent,
                known=lambda: {each.name for each in self._accounts},
                after=self._at_rest(),
            )
            # Somebody may only want to know how it stands.
            if self.running and account.enabled:
                found.begin()
        return found

    def standing(self, account: Account) -> LoginStanding:
        """Tell how the login of an account stands, which has one."""
        if account.oauth2 is None:
            return LoginStanding(kind="password")
        return self._tokens_of(account).standing()

    def probe(self, account: Account) -> None:
        """Have whoever gives out tokens asked again for the next session, whatever was said.

        For what somebody wants, who may have done something about it.
        """
        if account.oauth2 is not None:
            self._tokens_of(account).probe()

    def begin_device(self, account: Account) -> Deferred[DeviceSignIn]:
        """Ask for a code by which somebody signs in for an account, on any device.

        Fails with `SignInError`.
        """
        from .sign_in import begin_device  # noqa: PLC0415 -- as above

        wall, agent = self._wall, self._agent
        return begin_device(account, self._folder, self._reactor, wall=wall, agent=agent)

    def begin_code(self, account: Account, port: int) -> CodeSignIn:
        """Have somebody sign in for an account with a browser.

        :param port: of the machine that the browser runs on, where it is sent to in the end.
        :raise SignInError: nobody can.
        """
        from .sign_in import begin_code, redirect_to  # noqa: PLC0415 -- as above

        if account.oauth2 is None:
            raise SignInError("this account does not log in with tokens")
        redirect = redirect_to(account.oauth2, port)
        wall, agent = self._wall, self._agent
        return begin_code(account, self._folder, redirect, self._reactor, wall=wall, agent=agent)

    def reconfigure(self, accounts: Iterable[Account]) -> None:
        """Go on with these accounts; the credentials of those with the same login survive.

        Tokens are the same by whatever secret or key they are got.
        """
        self._accounts = tuple(accounts)
        keys = {_password_key(account) for account in self._accounts}
        for key in self._passwords.keys() - keys:
            del self._passwords[key]
        before = self._tokens
        self._tokens = {}
        for account in self._accounts:
            if account.oauth2 is not None:
                kept = before.pop(_token_key(account), None)
                if kept is not None:
                    kept.reconfigure(account)
                    self._tokens[_token_key(account)] = kept
        for tokens in before.values():
            self._stop(tokens)
        if self.running:
            self._begin()

    def _begin(self) -> None:
        for account in self._accounts:
            if account.oauth2 is not None and account.enabled:
                self._tokens_of(account).begin()

    def _stop(self, tokens: TokenCredentials) -> None:
        stopping = tokens.stop()
        self._stopping.append(stopping)
        stopping.addCallback(lambda _: self._stopping.remove(stopping))

    def _at_rest(self) -> Deferred[None]:
        """Return what fires when those that nobody needs any more are at rest.

        One of them may be the same account by another name, or with other settings: then a request
        under way may use up the refresh token that its successor would find.
        """
        at_rest: Deferred[None] = Deferred()

        def tell(_: object) -> None:
            if not at_rest.called:  # else who waited for it has given up
                at_rest.callback(None)

        DeferredList(self._stopping).addCallback(tell)
        return at_rest

    def startService(self) -> None:
        super().startService()
        if any(account.oauth2 for account in self._accounts):
            from .store import sweep  # noqa: PLC0415 -- as above

            pool = self._reactor.getThreadPool()
            deferToThreadPool(self._reactor, pool, sweep, self._folder)
        self._begin()

    def stopService(self) -> Deferred[Any]:
        """Have nothing under way; fires when that is so."""
        super().stopService()
        for tokens in self._tokens.values():
            self._stop(tokens)
        return DeferredList(self._stopping)


def _password_key(account: Account) -> _Key:
    return account.name, account.username, account.password


def _token_key(account: Account) -> _Key:
    return account.name, account.username, account.oauth2 and account.oauth2.without_proof()
