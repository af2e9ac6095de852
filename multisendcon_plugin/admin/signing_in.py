"""Waits while somebody signs in: tells where, and takes what the browser brings, or who pastes it.

Codes and tokens pass through here and are told to nobody; `logins` stores the token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import attrs
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredQueue

from ..errors import SignInError, WrongAddressError
from ..logins.sign_in import CodeSignIn, begin_code, begin_device, redirect_to
from ..logins.token import Token
from ..operations.errors import RefusedError
from ..routing.account import Account
from ..settings.oauth2 import Grant, OAuth2
from . import typed
from .loopback import Loopback

#: Seconds that somebody has to sign in with a browser; a provider says itself how long a code for a
#: device is good.
PATIENCE = 900.0


@attrs.frozen
class _Arrived:
    """What the browser was sent to.

    :param query: has the code, or what the provider says instead.
    :param answer: tells the browser whether it was good.
    """

    query: str
    answer: Callable[[bool], None]


@attrs.frozen
class SigningIn:
    """Has somebody sign in for an account.

    :param oauth2: of the account, with a grant by a person.
    :param folder: of the spool.
    :param tell: takes a line for people.
    :param descriptor: of what they type.
    """

    account: Account
    oauth2: OAuth2
    folder: str
    tell: Callable[[str], None]
    descriptor: int

    async def perform(self, reactor: Any) -> Token:
        """Return the token, which is stored.

        :raise SignInError: there is none.
        :raise RefusedError: nobody has signed in.
        """
        if self.oauth2.grant is Grant.DEVICE:
            return await self._by_device(reactor)
        return await self._by_code(reactor)

    async def _by_device(self, reactor: Any) -> Token:
        sign_in = await begin_device(self.account, self.folder, reactor)
        self.tell(f"Open {sign_in.url} in a browser anywhere, and enter {sign_in.user_code}")
        if sign_in.complete_url:
            self.tell(f"or open {sign_in.complete_url}")
        self.tell(f"{self._as_whom()} Ctrl-C gives up.")
        return await sign_in.finish()

    async def _by_code(self, reactor: Any) -> Token:
        arrivals: DeferredQueue[_Arrived] = DeferredQueue()
        loopback = Loopback(reactor, lambda *arrived: arrivals.put(_Arrived(*arrived)))
        redirect = redirect_to(self.oauth2, loopback.port)
        try:
            sign_in = begin_code(self.account, self.folder, redirect, reactor)
            self.tell("Open this in a browser:")
            self.tell(sign_in.url)
            self.tell(f"{self._as_whom()} Ctrl-C gives up.")
            self.tell(
                "A browser on another machine cannot show the page at the end: copy the address of"
                f" that page, {_expected(redirect)}, and paste it here."
            )
            typed.follow(
                reactor,
                self.descriptor,
                lambda line: self._paste(line, redirect, arrivals),
            )
            waiting = Deferred.fromCoroutine(self._first_good(sign_in, arrivals))
            return await waiting.addTimeout(PATIENCE, reactor)
        except defer.TimeoutError:
            minutes = f"{PATIENCE / 60:.0f} minutes"
            raise RefusedError(f"nobody has signed in within {minutes}; try it again") from None
        finally:
            await loopback.close()

    def _as_whom(self) -> str:
        mailbox, username = self.account.sasl_user, self.account.username
        if username and username.lower() != mailbox.lower():
            return f"Sign in as {username}, who has access to the mailbox {mailbox}."
        return f"Sign in as {mailbox}."

    def _paste(self, line: str, redirect: str, arrivals: DeferredQueue[_Arrived]) -> None:
        """Take a line that somebody has pasted, if it is what it is to be."""
        text = line.strip().strip("\"'<>").partition("#")[0]
        query = text.partition("?")[2] or text
        if _FROM_THE_PROVIDER.isdisjoint(parse_qs(query, keep_blank_values=True)):
            self.tell(
                f"That is not the address of the page at the end, {_expected(redirect)}. It is in"
                " the address bar of the browser, after somebody has signed in. Paste all of it:"
            )
            return
        arrivals.put(_Arrived(query, lambda _: None))

    async def _first_good(self, sign_in: CodeSignIn, arrivals: DeferredQueue[_Arrived]) -> Token:
        """Wait for the first redirect that is one of ours."""
        while True:
            arrived = await arrivals.get()
            try:
                token = await sign_in.finish(arrived.query)
            except WrongAddressError as error:
                # Any page in any browser of this machine can send somebody here.
                arrived.answer(False)
                self.tell(f"{error}. It goes on waiting.")
            except SignInError:
                arrived.answer(False)
                raise
            else:
                arrived.answer(True)
                return token


#: One of these is in the query of every redirect (RFC 6749 sections 4.1.2, 4.1.2.1).
_FROM_THE_PROVIDER = frozenset({"code", "error"})


def _expected(redirect: str) -> str:
    return f"{redirect}/?... with a code in it"
