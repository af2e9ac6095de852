"""From the server's greeting to a session that can carry mail: EHLO, STARTTLS, then the login.

RFC 5321 section 3.1 and 3.2, RFC 3207, RFC 4954.  All that fails here is a fault of the account: it
says nothing about any mail.
"""

from __future__ import annotations

import base64
import binascii

from twisted.mail import smtp

from ..account import Tls
from ..phase import Phase
from ..reply import Reply
from .broken import SessionBrokenError
from .sender import AccountSender

#: Inside TLS the simplest mechanism is the best; in the clear the password is to be kept.
_INSIDE_TLS = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_THE_CLEAR = ("CRAM-MD5", "PLAIN", "LOGIN")
#: LOGIN asks for the username, then for the password; CRAM-MD5 asks once.
_MOST_CHALLENGES = 2


async def shake_hands(session: AccountSender, *, starttls: bool = True) -> None:
    """Make a session ready for the login, or for mail where there is none.

    :param starttls: use STARTTLS where the account lets it.
    :raise SessionBrokenError: the server cannot be used now, in the way of this account.
    """
    account = session.account
    greeting = await session.reply(Phase.GREETING)
    if greeting.code != 220:
        raise SessionBrokenError(Phase.GREETING, greeting)
    await _ehlo(session)
    if starttls and not session.secure and account.tls is not Tls.NONE:
        await _starttls(session)


async def _ehlo(session: AccountSender) -> None:
    reply = await session.ask(b"EHLO " + session.identity, Phase.EHLO)
    if reply.positive:
        session.offers = _offers(reply)
        return
    needs_ehlo = session.account.username or (session.account.tls_required and not session.secure)
    if reply.code in (500, 502, 504) and not needs_ehlo:
        reply = await session.ask(b"HELO " + session.identity, Phase.EHLO)
    if not reply.positive:
        raise SessionBrokenError(Phase.EHLO, reply)
    session.offers = {}


def _offers(reply: Reply) -> dict[str, str]:
    """Read the keywords of a reply to EHLO (RFC 5321 section 4.1.1.1)."""
    offers: dict[str, str] = {}
    for line in reply.text.upper().split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.startswith("AUTH="):  # as some servers wrote it before RFC 2554
            keyword, parameters = "AUTH", keyword[5:] + " " + parameters
        offers[keyword] = f"{offers[keyword]} {parameters}" if keyword in offers else parameters
    return offers


async def _starttls(session: AccountSender) -> None:
    account = session.account
    if "STARTTLS" in session.offers:
        reply = await session.ask(b"STARTTLS", Phase.TLS)
        if reply.positive:
            session.start_tls()
            await _ehlo(session)  # nothing said in the clear counts (RFC 3207 section 4.2)
            return
    else:
        reply = Reply(0, "4.7.0", "the server does not offer STARTTLS")
    if account.tls_required:
        reason = "the login is not sent in the clear" if account.username else "TLS is required"
        raise SessionBrokenError(
            Phase.TLS, Reply(reply.code, reply.enhanced, f"{reply.text} ({reason})")
        )


async def log_in(session: AccountSender) -> None:
    """Log in.

    :raise SessionBrokenError: the account cannot be used now.
    """
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
