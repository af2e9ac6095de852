"""The login at an account's server (RFC 4954), with the password as it is now.

One that is kept in a file is read for each session: so a new one is used from the next login on.
"""

from __future__ import annotations

import base64
import binascii

from twisted.logger import Logger
from twisted.mail import smtp

from ..account import Account
from ..errors import ConfigurationError
from ..phase import Phase
from ..reply import Reply
from ..secret import StoredSecret
from .broken import SessionBrokenError
from .sender import AccountSender

#: Inside TLS the simplest mechanism is the best; in the clear the password is to be kept.
_INSIDE_TLS = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_THE_CLEAR = ("CRAM-MD5", "PLAIN", "LOGIN")
#: LOGIN asks for the username, then for the password; CRAM-MD5 asks once.
_MOST_CHALLENGES = 2


class Login:
    """Logs the sessions of one account in."""

    log = Logger()

    def __init__(self, account: Account) -> None:
        self._account = account
        stored = account.password
        self._password = stored.value if isinstance(stored, StoredSecret) else stored
        self._trouble = ""

    async def perform(self, session: AccountSender) -> None:
        """Log in.

        :raise SessionBrokenError: the account cannot be used now.
        """
        session.secret = self._password_now().encode()
        offered = session.offers.get("AUTH", "").split()
        order = _INSIDE_TLS if session.secure else _IN_THE_CLEAR
        mechanisms = [mechanism for mechanism in order if mechanism in offered]
        reply = Reply(0, "4.7.0", _no_login(session, offered))
        for mechanism in mechanisms:
            reply = await _authenticate(session, mechanism)
            if reply.code == 235:
                return
            if reply.code != 504:  # mechanism not known
                break
        raise SessionBrokenError(Phase.LOGIN, reply)

    def _password_now(self) -> str:
        """Return the password; one that cannot be read leaves the one before in its place."""
        stored = self._account.password
        if isinstance(stored, StoredSecret):
            try:
                self._password = stored.read()
                self._trouble = ""
            except ConfigurationError as error:
                # For example for a user that is not the one who has started the relay.
                if self._trouble != str(error):
                    self._trouble = str(error)
                    self.log.warn(
                        "account {account}: its password cannot be read again, so the one before is"
                        " used: {error}",
                        account=self._account.name,
                        error=self._trouble,
                    )
        return self._password


def _no_login(session: AccountSender, offered: list[str]) -> str:
    if offered:
        return f"the server offers no login that we know, only {', '.join(offered)}"
    text = "the server offers no login"
    return text if session.secure else f"{text} (it may do so with TLS)"


async def _authenticate(session: AccountSender, mechanism: str) -> Reply:
    """Go through one exchange; return its last reply."""
    if mechanism == "PLAIN":
        # Without authorization identity: the login acts for itself (RFC 4616 section 2).
        secret = base64.b64encode(b"\0" + session.username + b"\0" + session.secret)
        reply = await session.ask(b"AUTH PLAIN " + secret, Phase.LOGIN)
    else:
        reply = await _respond(session, mechanism)
    if reply.code == 334:
        await session.ask(b"*", Phase.LOGIN)
        return Reply(0, "4.7.0", f"the server does not keep to the rules of AUTH {mechanism}")
    return reply


async def _respond(session: AccountSender, mechanism: str) -> Reply:
    """Answer the challenges of a mechanism, unless they make no sense."""
    authenticator = (
        smtp.CramMD5ClientAuthenticator(session.username)
        if mechanism == "CRAM-MD5"
        else smtp.LOGINAuthenticator(session.username)
    )
    reply = await session.ask(b"AUTH " + mechanism.encode(), Phase.LOGIN)
    for _ in range(_MOST_CHALLENGES):
        if reply.code != 334:
            break
        try:
            challenge = base64.b64decode(reply.text, validate=True)
        except (binascii.Error, ValueError):
            break
        response: bytes = authenticator.challengeResponse(session.secret, challenge)
        reply = await session.ask(base64.b64encode(response), Phase.LOGIN)
    return reply
