"""Begins a session, from the greeting to the login: EHLO, STARTTLS.

RFC 5321 section 3.1 and 3.2, RFC 3207.  All that fails here is a fault of the account: it
says nothing about any mail.
"""

from __future__ import annotations

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.tls import TlsFinding, TlsResult
from ..routing.hop import Tls
from .broken import SessionBrokenError
from .sender import AccountSender

#: What EHLO advertised: keyword in capitals to its parameters.
Offers = dict[str, str]


async def shake_hands(session: AccountSender, *, starttls: bool = True) -> Offers:
    """Make a session ready for the login, or for mail where there is none.

    :param starttls: use STARTTLS where the hop lets it.
    :return: what the server offers.
    :raise SessionBrokenError: the server cannot be used now, as the hop demands.
    """
    await greet(session)
    offers = await say_ehlo(session)
    if starttls and may_start_tls(session):
        offers = await start_tls(session, offers)
    return offers


async def greet(session: AccountSender) -> Reply:
    """Wait for the greeting.

    :raise SessionBrokenError: it is none, or a refusal.
    """
    greeting = await session.ask(None, Phase.GREETING)
    if greeting.code != 220:
        raise SessionBrokenError(Phase.GREETING, greeting)
    return greeting


async def say_ehlo(session: AccountSender) -> Offers:
    """Say EHLO, or else HELO; return what the server offers.

    :raise SessionBrokenError: the server takes neither.
    """
    reply = await session.ask(b"EHLO " + session.identity, Phase.EHLO)
    if reply.positive:
        return _offers(reply)
    hop = session.hop
    needs_ehlo = hop.login or (hop.tls_required and not session.secure)
    # It may be the command that is refused, and not we.
    if (500 <= reply.code <= 504 or reply.code == 554) and not needs_ehlo:
        reply = await session.ask(b"HELO " + session.identity, Phase.EHLO)
    if not reply.positive:
        raise SessionBrokenError(Phase.EHLO, reply)
    return {}


def _offers(reply: Reply) -> Offers:
    """Read the keywords of a reply to EHLO (RFC 5321 section 4.1.1.1)."""
    offers: Offers = {}
    for line in reply.text.upper().split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.startswith("AUTH="):  # as some servers wrote it before RFC 2554
            keyword, parameters = "AUTH", keyword[5:] + " " + parameters
        offers[keyword] = f"{offers[keyword]} {parameters}" if keyword in offers else parameters
    return offers


def may_start_tls(session: AccountSender) -> bool:
    """Tell whether STARTTLS is to be used as far as there is any."""
    return not session.secure and session.hop.tls.mode is not Tls.NONE


async def start_tls(session: AccountSender, offers: Offers) -> Offers:
    """Use STARTTLS, as far as the hop demands it or the server offers it.

    :return: what the server offers then.
    :raise SessionBrokenError: there is no TLS as the hop demands it.
    """
    hop = session.hop
    offered = "STARTTLS" in offers
    if offered:
        reply = await session.ask(b"STARTTLS", Phase.TLS)
        if reply.positive:
            session.start_tls()
            # Nothing said in the clear counts (RFC 3207 section 4.2).
            return await say_ehlo(session)
    else:
        reply = Reply(0, "4.7.0", "the server does not offer STARTTLS")
    session.lacks_tls(TlsFinding(TlsResult.STARTTLS_NOT_SUPPORTED, str(reply)))
    if hop.login:
        reason = "the login is never sent in clear text"
    elif hop.tls_required:
        reason = "TLS is required"
    elif offered and not hop.tls_dispensable:
        # A server that could do it yesterday, or somebody between the two, is no reason to.
        reason = 'no mail is sent in clear text unless tls is "opportunistic"'
    else:
        return offers
    raise SessionBrokenError(
        Phase.TLS, Reply(reply.code, reply.enhanced, f"{reply.text} ({reason})")
    )
