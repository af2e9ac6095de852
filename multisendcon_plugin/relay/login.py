"""Logs in to an account's server (RFC 4954), with the credentials of now.

What is said is in `authentication` and `sasl`; here is by what it is tried, and what follows.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..interfaces.credentials import Credential, CredentialError, ICredentials
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.failure import Action
from ..routing.account import Account, Auth
from . import sasl
from .authentication import authenticate, shown
from .broken import SessionBrokenError
from .sender import AccountSender

#: Inside TLS the simplest mechanism is the best, and CRAM-MD5 (RFC 2195) would have the server
#: store the password itself; in the clear (`tls = "none"`) it at least does not send it.
_INSIDE_TLS = (Auth.PLAIN, Auth.LOGIN, Auth.CRAM_MD5)
_IN_THE_CLEAR = (Auth.CRAM_MD5, Auth.PLAIN, Auth.LOGIN)
#: Exchange Online has XOAUTH2 only, Google and Dovecot have both: by the one that is everywhere,
#: which all clients of them use, nothing depends on how a server reads host and port.
_BY_TOKEN = (Auth.XOAUTH2, Auth.OAUTHBEARER)
#: These are about the command and not about what was said with it (RFC 5321 section 4.2.2).
_COMMAND_CODES = frozenset({500, 501, 502, 503, 504})


class Login:
    """Logs the sessions of one account in.

    :param credentials: of the account.

    A refusal may be about the mechanism even where it speaks of the password, so one more mechanism
    is tried.  But each refusal counts towards a lock-out: that is done once for a password.  From
    then on each session tries one mechanism, in turn, until one has worked.

    A token that is refused may have ended: another one is asked for, once, and tried in another
    session, since some servers end the one in which they refuse (Exchange Online).
    """

    def __init__(self, account: Account, credentials: ICredentials) -> None:
        self._account = account
        self._credentials = credentials
        self._first: Auth | None = None
        self._has_worked = False
        self._refused_password: str | None = None
        self._refused_token: Credential | None = None

    def hide(self, session: AccountSender) -> None:
        """Have what is known hidden: the server may have heard it in an earlier session."""
        account, hop = self._account, session.hop
        username = account.sasl_user.encode()
        for known in self._credentials.known:
            secret = known.encode()
            if account.oauth2 is None:
                session.redaction.hide(secret, sasl.plain(username, secret))
            else:
                identity = sasl.Identity(username, secret, hop.host, hop.port)
                responses = sasl.xoauth2(username, secret), sasl.oauthbearer(identity)
                session.redaction.hide(secret, *map(base64.b64encode, responses))

    async def session(
        self,
        ready: Callable[[], Awaitable[AccountSender]],
        wait: Callable[[Deferred[Credential]], Awaitable[Credential]],
    ) -> AccountSender:
        """Open a session and log in.

        A token is asked for before there is a connection: that may take its time, in which no
        server has to wait, and nobody who needs the connection.

        :param ready: opens a session, up to the login.
        :param wait: waits for a token, as long as it is needed.
        :raise SessionBrokenError: the account cannot be used now.
        """
        if self._account.oauth2 is None:
            return await self._log_in(await ready(), None)
        token = await wait(_given(self._credentials.current()))
        is_last = token == self._refused_token
        if is_last:
            token = await wait(_given(self._credentials.after_refusal(token)))
        while True:
            try:
                return await self._log_in(await ready(), token)
            except SessionBrokenError as broken:
                if not self._is_refusal(broken):
                    raise
                self._refused_token = token
                if is_last:
                    raise
                newer = await wait(_given(self._credentials.after_refusal(token)))
                if newer == token:
                    raise
            token, is_last = newer, True

    def _is_refusal(self, broken: SessionBrokenError) -> bool:
        # Also a 5xx may say that there are too many logins, and not that this one is wrong.
        action = self._account.classify(broken.phase, broken.reply)
        return broken.phase is Phase.LOGIN and action is Action.ALARM

    async def _log_in(self, session: AccountSender, credential: Credential | None) -> AccountSender:
        try:
            await self.perform(session, credential)
        except SessionBrokenError:
            session.quit()
            raise
        self._refused_token = None
        return session

    async def perform(self, session: AccountSender, credential: Credential | None = None) -> Auth:
        """Log in; return the mechanism that has worked.

        :param credential: ``None``: that of now.
        :raise SessionBrokenError: the account cannot be used now.
        """
        credential = credential or await _given(self._credentials.current())
        try:
            return await self._attempt(session, credential)
        except SessionBrokenError as broken:
            if credential.is_token and self._is_refusal(broken):
                self._credentials.tried(credential, False)
            if credential.is_token or not broken.reply.permanent:
                raise
            newer = await _given(self._credentials.after_refusal(credential))
            if newer == credential:
                raise
            try:
                return await self._attempt(session, newer)
            except SessionBrokenError as again:
                # To hang up after a refusal says nothing new.
                raise (again if again.reply.permanent else broken) from None

    async def _attempt(self, session: AccountSender, credential: Credential) -> Auth:
        """Log in, by one mechanism or two."""
        session.redaction.hide(credential.secret.encode())
        mechanisms = self._mechanisms(session, credential)
        if not mechanisms:
            text = self._not_offered(session, credential)
            raise SessionBrokenError(Phase.LOGIN, Reply(0, "4.7.0", text))
        refusal: Reply | None = None
        for mechanism, following in zip(mechanisms, mechanisms[1:] + mechanisms[:1], strict=True):
            try:
                reply = await authenticate(session, mechanism, credential)
            except SessionBrokenError:
                if refusal:
                    break  # to hang up after a refusal says nothing new
                raise
            if reply.code == 235:
                self._first, self._has_worked = mechanism, True
                self._credentials.tried(credential, True)
                return mechanism
            if reply.code == 0 or reply.code in _COMMAND_CODES:
                # It is the command that is not understood, whatever the text says; no password was
                # refused.
                continue
            if not reply.permanent:
                break
            refusal = reply
            if self._refused(credential, following):
                break
        raise SessionBrokenError(Phase.LOGIN, refusal or reply)

    def _refused(self, credential: Credential, following: Auth) -> bool:
        """Note that a credential was refused; tell whether no further mechanism is to be tried.

        :param following: the mechanism after the one that was tried.
        """
        if credential.is_token:
            # By another mechanism it is the same; and where one has worked, that is the one.
            if not self._has_worked:
                self._first = following
            return True
        password = credential.secret
        no_more = self._has_worked or password == self._refused_password
        self._first, self._has_worked = following, False
        self._refused_password = password
        return no_more

    def _mechanisms(self, session: AccountSender, credential: Credential) -> list[Auth]:
        """Return the mechanisms that both sides know, the one to begin with first.

        A token is no password, and to send one for the other would give it away.
        """
        if credential.is_token:
            order: tuple[Auth, ...] = _BY_TOKEN
        else:
            order = _INSIDE_TLS if session.secure else _IN_THE_CLEAR
        if self._account.auth is not Auth.AUTO:
            order = tuple(each for each in order if each is self._account.auth)
        offered = _offered(session)
        known = [each for each in order if each.mechanism in offered]
        first = known.index(self._first) if self._first in known else 0
        return known[first:] + known[:first]

    def _not_offered(self, session: AccountSender, credential: Credential) -> str:
        offered = shown(session, ", ".join(_offered(session)))
        if not offered:
            text = "the server offers no login"
            return text if session.secure else f"{text} (it may do so with TLS)"
        if self._account.auth is not Auth.AUTO:
            name = self._account.auth.mechanism
            return f"the server does not offer {name} (see auth), only {offered}"
        for_what = " for a token" if credential.is_token else ""
        return (
            f"the server offers no login mechanism that the relay supports{for_what}, only"
            f" {offered}"
        )


def _given(asked: Deferred[Credential]) -> Deferred[Credential]:
    """Wait for a credential; that there is none is a fault of the account."""

    def none_there(failure: Failure) -> NoReturn:
        failure.trap(CredentialError)
        error: Any = failure.value
        enhanced = "5.7.8" if error.needs_admin else "4.7.0"
        raise SessionBrokenError(Phase.LOGIN, Reply(0, enhanced, str(error))) from None

    return asked.addErrback(none_there)


def _offered(session: AccountSender) -> list[str]:
    return session.offers.get("AUTH", "").split()
