"""One exchange of AUTH over a session (RFC 4954), by one mechanism of `sasl`.

What follows from its last reply is up to `login`.
"""

from __future__ import annotations

import base64

import attrs

from ..interfaces.credentials import Credential
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..routing.account import Auth
from . import sasl
from .broken import SessionBrokenError
from .sender import AccountSender

#: LOGIN asks for the username, then for the password; a token may be asked for, then refused.
_MOST_CHALLENGES = 2
#: Octets of a command line with its end (RFC 5321 section 4.5.3.1.4).
_LONGEST_COMMAND = 512


async def authenticate(session: AccountSender, mechanism: Auth, credential: Credential) -> Reply:
    """Go through one exchange; return its last reply, with what the server says of a token.

    :raise SessionBrokenError: the session is over.
    """
    hop = session.hop
    secret = credential.secret.encode()
    identity = sasl.Identity(credential.username.encode(), secret, hop.host, hop.port)
    exchange = sasl.EXCHANGES[mechanism](identity, session.redaction.hide)
    try:
        reply = await _converse(session, b"AUTH " + mechanism.mechanism.encode(), exchange)
    except SessionBrokenError as broken:
        if not exchange.complaint:
            raise
        # To hang up after a complaint says nothing new.
        text = f"the server refuses the token ({exchange.complaint}), and then: {broken.reply}"
        reply = Reply(0, "5.7.8", shown(session, text))
        raise SessionBrokenError(Phase.LOGIN, reply) from None
    if reply.code == 334:
        await session.ask(b"*", Phase.LOGIN)
        return Reply(0, "4.7.0", f"the server breaks the protocol of AUTH {mechanism.mechanism}")
    if exchange.complaint and not reply.positive:
        text = f"{reply.text} (the server says of the token: {exchange.complaint})"
        reply = attrs.evolve(reply, text=shown(session, text))
    return reply


def shown(session: AccountSender, text: str) -> str:
    """Return what may be shown of a text in which a server may have repeated a secret."""
    return session.redaction.redacted(text.encode()).decode("utf-8", "replace")


async def _converse(session: AccountSender, command: bytes, exchange: sasl.Exchange) -> Reply:
    if exchange.initial is not None:
        line = command + b" " + base64.b64encode(exchange.initial)
        # A longer one must not be sent (RFC 4954 section 4), and tokens mostly make one: Dovecot
        # takes no more than this, Google about a thousand octets.  Then the server asks for it.
        if len(line) + 2 <= _LONGEST_COMMAND:
            command = line
    reply = await session.ask(command, Phase.LOGIN)
    for _ in range(_MOST_CHALLENGES):
        if reply.code != 334:
            break
        response = exchange.respond(reply.text)
        if response is None:
            break
        reply = await session.ask(base64.b64encode(response), Phase.LOGIN)
    return reply
