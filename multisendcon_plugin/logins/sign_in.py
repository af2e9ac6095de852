"""Somebody signs in: by a code on any device (RFC 8628), or in a browser (RFC 6749 4.1, RFC 7636).

For the command line, with a reactor of its own.  Both end in a token that is stored, where the
relay finds it, also one that runs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.web.iweb import IAgent

from ..errors import SignInError, WrongAddressError
from ..routing.account import Account
from ..settings.oauth2 import OAuth2, Provider
from .answers import DeviceCode, RefusedError, refusal_of
from .grants import Authorization
from .source import TokenSource
from .store import StoreError, TokenFile
from .token import Identity, Token

#: Seconds by which the pause grows at "slow_down" (RFC 8628 section 3.5).
SLOWER = 5.0
#: Seconds after which a provider that gives no answer is asked again.
_AFTER_SILENCE = 10.0


class DeviceSignIn:
    """A code waits for somebody to enter it; made by `begin_device`.

    :ivar user_code: is entered there.
    :ivar url: where.
    :ivar complete_url: the same with the code in it; ``""``: the provider has none.
    :ivar message: what the provider says of it, in its words; ``""``: nothing.
    :ivar ends_at: when the code runs out, by the wall clock.
    """

    def __init__(self, code: DeviceCode, ending: _Ending) -> None:
        self.user_code = code.user_code
        self.url = code.url
        self.complete_url = code.complete_url
        self.message = code.message
        self.ends_at = ending.wall() + code.life
        self._code = code
        self._ending = ending

    def finish(self) -> Deferred[Token]:
        """Wait until somebody has signed in; return the token, once it is stored.

        To cancel it ends the wait.  Fails with `SignInError`.
        """
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> Token:
        reactor, interval = self._ending.reactor, self._code.interval
        end = reactor.seconds() + self._code.life
        pause = interval
        while reactor.seconds() + pause <= end:
            await deferLater(reactor, pause)
            try:
                token = await self._ending.source.by_device(self._code.device_code)
            except RefusedError as refused:
                if refused.code == "slow_down":
                    interval += SLOWER
                elif refused.final:
                    text = _EXPIRED if refused.code == "expired_token" else str(refused)
                    raise SignInError(text, refused.code) from None
                # It is pending, or the provider cannot answer just now: neither ends anything.
                silent = 0.0 if refused.code else _AFTER_SILENCE
                pause = max(interval, refused.pause or 0.0, silent)
            else:
                return await self._ending.stored(token)
        raise SignInError(_EXPIRED, "expired_token")


_EXPIRED = "nobody has entered the code in time; begin anew"


class CodeSignIn:
    """Somebody may sign in with a browser; made by `begin_code`.

    :ivar url: where.
    :ivar redirect: where the browser is sent to in the end.
    """

    def __init__(self, authorization: Authorization, redirect: str, ending: _Ending) -> None:
        self.url = authorization.url
        self._authorization = authorization
        self.redirect = redirect
        self._ending = ending

    def finish(self, redirected: str) -> Deferred[Token]:
        """Take where the browser was sent to; return the token, once it is stored.

        :param redirected: the whole address, or its query.

        Fails with `SignInError`; with `WrongAddressError`, another one may be tried.
        """
        return Deferred.fromCoroutine(self._finish(redirected))

    async def _finish(self, redirected: str) -> Token:
        verifier = self._authorization.verifier
        code = _code_of(redirected, self._authorization)
        try:
            token = await self._ending.source.by_code(code, self.redirect, verifier)
        except RefusedError as refused:
            raise SignInError(str(refused), refused.code) from None
        return await self._ending.stored(token)


def begin_device(
    account: Account,
    folder: str,
    reactor: Any,
    *,
    wall: Callable[[], float] = time.time,
    agent: IAgent | None = None,
) -> Deferred[DeviceSignIn]:
    """Ask for a code for an account.

    :param account: has ``oauth2``.
    :param folder: of the spool.
    :param reactor: has threads, connects, and is the clock.
    :param wall: tells the time in seconds since the epoch.
    :param agent: sends requests.

    Fails with `SignInError`.
    """

    async def begin() -> DeviceSignIn:
        ending = _Ending(account, folder, reactor, wall, agent)
        if not ending.source.endpoints.device:
            raise SignInError(
                "the provider has no sign-in by device for mail; set grant = authorization_code, or"
                " device_url, in [account.oauth2]"
            )
        try:
            return DeviceSignIn(await ending.source.device_code(), ending)
        except RefusedError as refused:
            raise SignInError(str(refused), refused.code) from None

    return Deferred.fromCoroutine(begin())


def begin_code(
    account: Account,
    folder: str,
    redirect: str,
    reactor: Any,
    *,
    wall: Callable[[], float] = time.time,
    agent: IAgent | None = None,
) -> CodeSignIn:
    """Have somebody sign in with a browser, for an account; the arguments are as above.

    :param redirect: where the browser is sent to, ``http://127.0.0.1:PORT`` (RFC 8252 section 7.3).
    :raise SignInError: nobody can.
    """
    ending = _Ending(account, folder, reactor, wall, agent)
    source = ending.source
    if not source.endpoints.authorize:
        raise SignInError("set authorize_url in [account.oauth2]: somebody has to sign in there")
    authorization = Authorization.begin(
        source.settings.client_id, source.endpoints, redirect, account.sasl_user
    )
    return CodeSignIn(authorization, redirect, ending)


def redirect_to(settings: OAuth2, port: int) -> str:
    """Return where the browser is sent to in the end, on the machine that it runs on."""
    # Microsoft lets any port be behind this name, and behind no address.
    host = "localhost" if settings.provider is Provider.MICROSOFT else "127.0.0.1"
    return f"http://{host}:{port}"


class _Ending:
    """What both ways have: who is asked, and where the token goes."""

    def __init__(
        self,
        account: Account,
        folder: str,
        reactor: Any,
        wall: Callable[[], float],
        agent: IAgent | None,
    ) -> None:
        self.source = TokenSource(account, reactor, wall, agent)
        self.reactor = reactor
        self.wall = wall
        identity = Identity.of(self.source.settings, account.sasl_user)
        self._file = TokenFile(folder, account.name, identity)

    async def stored(self, token: Token) -> Token:
        """Store a token that is good for more than an hour.

        :raise SignInError: it is not, or it cannot be stored.
        """
        if not token.refresh_token:
            raise SignInError(
                "the provider has given no refresh token, so somebody would have to sign in again"
                " and again; check scope of [account.oauth2] (offline_access, for many)"
            )
        pool = self.reactor.getThreadPool()
        try:
            await deferToThreadPool(self.reactor, pool, self._file.write, token)
        except StoreError as error:
            raise SignInError(f"the token cannot be stored: {error}") from None
        return token


def _code_of(redirected: str, authorization: Authorization) -> str:
    """Return the code with which a browser has come.

    :raise WrongAddressError: it has none, or comes from somebody else.
    :raise SignInError: the provider lets nobody sign in.
    """
    text = redirected.strip()
    try:
        query = urlsplit(text).query if "?" in text else text
        given = {name: values[0] for name, values in parse_qs(query, max_num_fields=50).items()}
    except ValueError:
        given = {}
    # First of all: whoever does not know it is not who was sent there (RFC 6749 section 10.12).
    state = given.get("state", "").encode("utf-8", "replace")
    if not secrets.compare_digest(state, authorization.state.encode()):
        raise WrongAddressError(
            "this is not where the browser was sent to for this sign-in; paste the whole address"
        )
    if "error" in given:
        code, description = refusal_of(given, (authorization.state, authorization.verifier))
        said = f" ({description})" if description else ""
        raise SignInError(f"the provider lets nobody sign in: {code or 'error'}{said}", code)
    if not given.get("code"):
        raise WrongAddressError("this address has no code; paste the whole address")
    return given["code"]
