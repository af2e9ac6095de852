"""Logs in to an account's server (RFC 4954), with the credentials of now."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from twisted.mail import smtp

from ..credentials import Credential, ICredentials
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..routing.account import Account, Auth
from .broken import SessionBrokenError
from .sender import AccountSender

#: Inside TLS the simplest mechanism is the best, and CRAM-MD5 (RFC 2195) would have the server
#: store the password itself; in the clear (`tls = "none"`) it at least does not send it.
_INSIDE_TLS = (Auth.PLAIN, Auth.LOGIN, Auth.CRAM_MD5)
_IN_THE_CLEAR = (Auth.CRAM_MD5, Auth.PLAIN, Auth.LOGIN)
#: LOGIN asks for the username, then for the password; others ask once.
_MOST_CHALLENGES = 2


class Login:
    """Logs the sessions of one account in.

    :param credentials: of the account.

    A refusal may be about the mechanism even where it speaks of the password, so one more mechanism
    is tried.  But each refusal counts towards a lock-out: that is done once for a password.  From
    then on each session tries one mechanism, in turn, until one has worked.
    """

    def __init__(self, account: Account, credentials: ICredentials) -> None:
        self._account = account
        self._credentials = credentials
        self._first: Auth | None = None
        self._has_worked = False
        self._refused_password: str | None = None

    def hide(self, session: AccountSender) -> None:
        """Have what is known hidden: the server may have heard it in an earlier session."""
        for known in self._credentials.known:
            secret = known.encode()
            session.redaction.hide(secret, _plain_response(session, secret))

    async def perform(self, session: AccountSender) -> Auth:
        """Log in; return the mechanism that has worked.

        :raise SessionBrokenError: the account cannot be used now.
        """
        credential = await self._credentials.current()
        try:
            return await self._attempt(session, credential)
        except SessionBrokenError as broken:
            if not broken.reply.permanent:
                raise
            newer = await self._credentials.after_refusal(credential)
            if newer == credential:
                raise
            try:
                return await self._attempt(session, newer)
            except SessionBrokenError as again:
                # To hang up after a refusal says nothing new.
                raise (again if again.reply.permanent else broken) from None

    async def _attempt(self, session: AccountSender, credential: Credential) -> Auth:
        """Log in, by one mechanism or two."""
        password = credential.secret
        secret = password.encode()
        session.redaction.hide(secret)
        mechanisms = self._mechanisms(session)
        if not mechanisms:
            raise SessionBrokenError(Phase.LOGIN, Reply(0, "4.7.0", self._not_offered(session)))
        refusal: Reply | None = None
        for mechanism, following in zip(mechanisms, mechanisms[1:] + mechanisms[:1], strict=True):
            try:
                reply = await _authenticate(session, mechanism, secret)
            except SessionBrokenError:
                if refusal:
                    break  # to hang up after a refusal says nothing new
                raise
            if reply.code == 235:
                self._first, self._has_worked = mechanism, True
                return mechanism
            if reply.code == 0 or 500 <= reply.code <= 504:
                # RFC 5321 section 4.2.2: it is the command that is not understood, whatever the
                # text says; no password was refused.
                continue
            if not reply.permanent:
                break
            refusal = reply
            no_more = self._has_worked or password == self._refused_password
            self._first, self._has_worked = following, False
            self._refused_password = password
            if no_more:
                break
        raise SessionBrokenError(Phase.LOGIN, refusal or reply)

    def _mechanisms(self, session: AccountSender) -> list[Auth]:
        """Return the mechanisms that both sides know, the one to begin with first."""
        order: tuple[Auth, ...] = _INSIDE_TLS if session.secure else _IN_THE_CLEAR
        if self._account.auth is not Auth.AUTO:
            order = (self._account.auth,)
        offered = _offered(session)
        known = [each for each in order if each.mechanism in offered]
        first = known.index(self._first) if self._first in known else 0
        return known[first:] + known[:first]

    def _not_offered(self, session: AccountSender) -> str:
        said = session.redaction.redacted(", ".join(_offered(session)).encode())
        offered = said.decode("utf-8", "replace")
        if not offered:
            text = "the server offers no login"
            return text if session.secure else f"{text} (it may do so with TLS)"
        if self._account.auth is Auth.AUTO:
            return f"the server offers no login mechanism that the relay supports, only {offered}"
        return (
            f"the server does not offer {self._account.auth.mechanism} (see auth), only {offered}"
        )


def _offered(session: AccountSender) -> list[str]:
    return session.offers.get("AUTH", "").split()


async def _authenticate(session: AccountSender, mechanism: Auth, secret: bytes) -> Reply:
    """Go through one exchange; return its last reply."""
    initial, respond = _RESPONDERS[mechanism](session, secret)
    command = b"AUTH " + mechanism.mechanism.encode()
    reply = await session.ask(b" ".join([command, *initial]), Phase.LOGIN)
    for _ in range(_MOST_CHALLENGES):
        if reply.code != 334:
            return reply
        response = respond(reply.text)
        if response is None:
            break
        reply = await session.ask(base64.b64encode(response), Phase.LOGIN)
    if reply.code != 334:
        return reply
    await session.ask(b"*", Phase.LOGIN)
    return Reply(0, "4.7.0", f"the server breaks the protocol of AUTH {mechanism.mechanism}")


#: Gives the response to a challenge; ``None``: the challenge makes no sense.
_Respond = Callable[[str], bytes | None]


def _plain(session: AccountSender, secret: bytes) -> tuple[list[bytes], _Respond]:
    response = _plain_response(session, secret)
    session.redaction.hide(response)
    # A server that asks has not looked at what came with the command.
    return [base64.b64encode(response)], lambda prompt: None if _decoded(prompt) else response


def _plain_response(session: AccountSender, secret: bytes) -> bytes:
    # Without authorization identity: the login acts for itself (RFC 4616 section 2).
    return b"\0".join((b"", session.username, secret))


def _login(session: AccountSender, secret: bytes) -> tuple[list[bytes], _Respond]:
    # The prompts are worded in many ways, in base64 or not; their order is the same everywhere.
    responses = iter((session.username, secret))
    return [], lambda _: next(responses, None)


def _cram_md5(session: AccountSender, secret: bytes) -> tuple[list[bytes], _Respond]:
    def respond(challenge: str) -> bytes | None:
        octets = _decoded(challenge)
        if octets is None:
            return None
        response: bytes = authenticator.challengeResponse(secret, octets)
        # By the digest, passwords can be guessed without asking the server.
        session.redaction.hide(response, response.rpartition(b" ")[2])
        return response

    authenticator = smtp.CramMD5ClientAuthenticator(session.username)
    return [], respond


_RESPONDERS = {Auth.PLAIN: _plain, Auth.LOGIN: _login, Auth.CRAM_MD5: _cram_md5}


def _decoded(challenge: str) -> bytes | None:
    """Decode a challenge, which may lack its padding; ``None``: it is not in base64."""
    try:
        return base64.b64decode(challenge + "=" * (-len(challenge) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
