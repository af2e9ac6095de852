"""The tokens of one account: what its sessions log in with."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.iweb import IAgent
from zope.interface import implementer

from ..events import Publisher
from ..interfaces.credentials import Credential, ICredentials
from ..routing.account import Account
from ..times import Time, beginning
from .refresher import Refresher
from .source import TokenSource
from .standing import LoginStanding
from .store import TokenFile
from .token import Identity

#: Seconds for which a token that came in the place of a refused one is not replaced again, although
#: it is refused as well: then another one would be, too.
_REFUSED_TOO = 600.0
#: The same for one that has worked: it may be revoked at any time, but a server that takes a token
#: and refuses it by turns is not to cost a request each time.
_WORKED = 10.0


@implementer(ICredentials)
class TokenCredentials:
    """The tokens of one account.

    :param account: has ``oauth2``.
    :param refresher: gets them.
    :param source_of: makes the source of an account's tokens.
    """

    def __init__(
        self,
        account: Account,
        refresher: Refresher,
        source_of: Callable[[Account], TokenSource],
    ) -> None:
        self._source_of = source_of
        self._account = account
        self._refresher = refresher
        self.begin, self.stop = refresher.begin, refresher.stop
        #: The access token that came in the place of a refused one.
        self._replacement = ""
        #: The last ones that servers have taken, and refused.
        self._worked = self._refused = ""

    @property
    def known(self) -> tuple[str, ...]:
        """The access tokens of now and before; no server of mail is ever told anything else."""
        token, former = self._refresher.token, self._refresher.former
        return tuple(filter(None, (token.access_token if token else "", former)))

    def current(self) -> Deferred[Credential]:
        """Return one that lives long enough for a session: see `ICredentials`."""
        refresher = self._refresher
        refresher.use()
        if refresher.is_good():
            return succeed(self._credential())
        return refresher.renew().addCallback(lambda _: self._usable())

    def after_refusal(self, refused: Credential) -> Deferred[Credential]:
        """Return another one after a server has refused one: see `ICredentials`.

        The same, if it has just come in the place of another one that was refused, and has not
        worked since: what the server says then tells more than we could.
        """
        refresher = self._refresher
        token = refresher.token
        if token is None or token.access_token != refused.secret:
            return self.current()
        if token.access_token == self._replacement:
            kept = _WORKED if token.access_token == self._worked else _REFUSED_TOO
            if refresher.age() < kept:
                return succeed(refused)
        refresher.refuse()
        return refresher.renew().addCallback(self._replaced, refused)

    def tried(self, credential: Credential, worked: bool) -> None:
        """Hear what a server has said to one: see `ICredentials`."""
        if worked:
            self._worked = credential.secret
            if credential.secret == self._refused:
                self._refused = ""
        else:
            self._refused = credential.secret

    def probe(self) -> None:
        """Have another one for the next session, if this one was refused, or there is none.

        Whatever the provider has said: somebody may have done something about it, as to grant a
        right that a token has from its beginning only.
        """
        token = self._refresher.token
        if token is not None and token.access_token == self._refused:
            self._refresher.refuse()
        self._refresher.probe()

    def _replaced(self, _: object, refused: Credential) -> Credential:
        credential = self._usable()
        if credential.secret != refused.secret:
            self._replacement = credential.secret
        return credential

    def _usable(self) -> Credential:
        """Return what there is.

        :raise CredentialError: nothing that a server would take.
        """
        if self._refresher.is_alive():
            return self._credential()
        raise self._refresher.error()

    def _credential(self) -> Credential:
        token = self._refresher.token
        assert token is not None, "it is alive"  # noqa: S101 -- for the type checker
        return Credential(self._account.sasl_user, token.access_token, is_token=True)

    def reconfigure(self, account: Account) -> None:
        """Go on with an account that gets the same tokens, maybe by another secret or key."""
        if account.oauth2 != self._account.oauth2:
            self._refresher.source = self._source_of(account)
        self._account = account

    def standing(self) -> LoginStanding:
        """Tell how it stands."""
        token, trouble = self._refresher.token, self._refresher.trouble
        day = self._account.oauth2.expires if self._account.oauth2 else None
        return LoginStanding(
            kind="token",
            valid_until=Time(token.expires_at) if token else None,
            refreshed=Time(token.refreshed_at) if token else None,
            unused_since=Time(token.refreshed_at) if token and token.refresh_token else None,
            expires=beginning(day) if day else None,
            trouble=trouble.text if trouble else "",
            needs_admin=trouble.final if trouble else False,
        )


def make_tokens(
    account: Account,
    folder: str,
    *,
    reactor: Any,
    events: Publisher,
    wall: Callable[[], float],
    known: Callable[[], Container[str]],
    after: Deferred[None],
    agent: IAgent | None = None,
) -> TokenCredentials:
    """Return the tokens of an account; the arguments are those of `Logins` and `Refresher`."""

    def source_of(account: Account) -> TokenSource:
        return TokenSource(account, reactor, wall, agent)

    source = source_of(account)
    identity = Identity.of(source.settings, account.sasl_user)
    refresher = Refresher(
        account.name,
        source,
        TokenFile(folder, account.name, identity),
        reactor=reactor,
        wall=wall,
        events=events,
        known=known,
        after=after,
    )
    return TokenCredentials(account, refresher, source_of)
