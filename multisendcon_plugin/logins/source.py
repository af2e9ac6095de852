"""Where the tokens of one account come from: asks its provider, as its settings say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.web.iweb import IAgent

from ..routing.account import Account
from ..settings.files import Stamp, stamp
from ..settings.oauth2 import Grant, OAuth2
from .answers import DeviceCode, RefusedError, read_device_code, read_token
from .assertion import KeyUnfitError, client_assertion, service_assertion
from .endpoints import endpoints_of
from .grants import Client, Form
from .http import Forms, NotAnsweredError, host_of
from .secret import LiveSecret
from .token import Token

T = TypeVar("T")

#: With these, it is us whom the provider does not know: another secret may help.
_ABOUT_US = ("invalid_client", "unauthorized_client")
#: Seconds by which clocks differ until assertions and their dates are refused.
_CLOCKS_DIFFER = 120.0

#: What may have become another one: the secret, and the files of keys.
Proofs = tuple[str, Stamp]


class TokenSource:
    """Asks for the tokens of one account.

    :param account: has ``oauth2``.
    :param reactor: is called from threads, has threads, connects, and is the clock.
    :param wall: tells the time in seconds since the epoch.
    :param agent: sends requests.
    :ivar settings: of the account.
    :ivar endpoints: where it asks.
    :ivar proved: what was proven by the last request.
    """

    def __init__(
        self,
        account: Account,
        reactor: Any,
        wall: Callable[[], float],
        agent: IAgent | None = None,
    ) -> None:
        assert account.oauth2 is not None, "who asks has looked"  # noqa: S101 -- a type
        self.settings: OAuth2 = account.oauth2
        self.endpoints = endpoints_of(self.settings)
        self._mailbox = account.sasl_user
        self._reactor = reactor
        self._wall = wall
        self._forms = Forms(reactor, wall, agent)
        self._secret = LiveSecret(
            account.name, "client_secret", self.settings.client_secret, reactor
        )
        self._files = [
            path
            for path in (
                self.settings.client_certificate,
                self.settings.client_key,
                self.settings.service_account_key,
            )
            if path
        ]
        self.proved: Proofs = ("", None)

    async def next(self, token: Token | None) -> Token:
        """Ask for the token that comes after another one, or for the first one.

        :param token: if the grant is one by which somebody signs in, it has a refresh token.
        :raise RefusedError: there is none.
        """
        if self.settings.grant is Grant.SERVICE_ACCOUNT:
            return await self._token(self._by_service_account)
        if token is not None and token.refresh_token:
            refresh_token = token.refresh_token
            return (await self._token(lambda client: client.refresh(refresh_token))).after(token)
        return await self._token(lambda client: client.for_itself(self.endpoints.scope))

    async def by_code(self, code: str, redirect: str, verifier: str) -> Token:
        """Ask for a token with what a browser has brought.

        :raise RefusedError: there is none.
        """
        return await self._token(lambda client: client.by_code(code, redirect, verifier))

    async def by_device(self, device_code: str) -> Token:
        """Ask for a token of somebody who has signed in, or may yet.

        :raise RefusedError: there is none; RFC 8628 section 3.5 has codes of its own.
        """
        return await self._token(lambda client: client.by_device(device_code))

    async def device_code(self) -> DeviceCode:
        """Ask for a code for a device.

        :raise RefusedError: there is none.
        """
        return await self._asked(
            self.endpoints.device,
            lambda client: client.device_code(self.endpoints.scope),
            lambda answer, form, _: read_device_code(answer, form.secrets),
        )

    async def proofs(self) -> Proofs:
        """Return what is proven now who we are with; if a program tells it, that is run."""
        secret = await self._secret.after_refusal(self._secret.now())
        return secret, stamp(self._files)

    async def _token(self, make: Callable[[Client], Form]) -> Token:
        return await self._asked(
            self.endpoints.token,
            make,
            lambda answer, form, now: read_token(answer, form.secrets, now),
        )

    async def _asked(
        self, url: str, make: Callable[[Client], Form], read: Callable[[Any, Form, float], T]
    ) -> T:
        secret = self._secret.now()
        try:
            return await self._asked_with(secret, url, make, read)
        except RefusedError as refused:
            if refused.code not in _ABOUT_US:
                raise
            newer = await self._secret.after_refusal(secret)
            if newer == secret:
                raise
            return await self._asked_with(newer, url, make, read)

    async def _asked_with(
        self,
        secret: str,
        url: str,
        make: Callable[[Client], Form],
        read: Callable[[Any, Form, float], T],
    ) -> T:
        # Its answer counts the seconds later: what is believed to live is alive.
        begun = self._wall()
        self.proved = secret, stamp(self._files)
        try:
            form = await self._in_thread(lambda: make(self._client(secret, begun)))
            dated = await self._forms.post(url, form.body)
        except KeyUnfitError as unfit:
            raise RefusedError(str(unfit), final=True) from None
        except NotAnsweredError as silent:
            raise RefusedError(str(silent)) from None
        try:
            return read(dated.answer, form, begun)
        except RefusedError as refused:
            raise self._explained(refused, host_of(url), dated.ahead) from None

    def _client(self, secret: str, now: float) -> Client:
        """Say who we are; in a thread."""
        settings = self.settings
        if settings.client_certificate is None:
            return Client(settings.client_id, secret)
        assertion = client_assertion(
            settings.client_certificate,
            settings.client_key,
            client_id=settings.client_id,
            audience=self.endpoints.token,
            now=now,
        )
        return Client(settings.client_id, assertion=assertion)

    def _by_service_account(self, client: Client) -> Form:
        """Ask by the key of a service account; in a thread."""
        assertion = service_assertion(
            self.settings.service_account_key or "",
            mailbox=self._mailbox,
            scope=self.endpoints.scope,
            audience=self.endpoints.token,
            now=self._wall(),
        )
        return client.by_service_account(assertion)

    def _explained(self, refused: RefusedError, host: str, ahead: float | None) -> RefusedError:
        """Return a refusal with the name of who says so, and whether the clocks differ."""
        text = f"{host} {refused}"
        if refused.final and ahead is not None and abs(ahead) > _CLOCKS_DIFFER:
            way = "behind" if ahead > 0 else "ahead of"
            text += (
                f"; the clock of this machine is {abs(ahead) / 60:.0f} minutes {way} the provider's"
            )
        return RefusedError(text, code=refused.code, final=refused.final, pause=refused.pause)

    def _in_thread(self, function: Callable[[], T]) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function)
