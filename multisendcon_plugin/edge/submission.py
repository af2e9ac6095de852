"""Accepts mail that an application submits without SMTP (`RelayService.submit`).

It goes the same way as one that came by SMTP: the same delivery hook, the same checks, a trace
field on top, and the submission help of `[master_relay]`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ..errors import AddressError, ContentError
from ..mail import dsn
from ..mail.address import parse_path
from ..mail.envelope import Envelope
from ..mail.reply import ReplyError
from . import replies
from .delivery import MessageDelivery, TransactionPolicy
from .parameters import ForwardPath, ReversePath


async def submit(policy: TransactionPolicy, envelope: Envelope, content: bytes) -> str:
    """Take over a mail.

    :param content: a message (RFC 5322) with CRLF or LF line ends, not dot-stuffed.
    :return: its queue id.
    :raise AddressError: an address, or the envelope's id, breaks the grammar.
    :raise ContentError: the content cannot be carried by SMTP.
    :raise ReplyError: it is refused; the reply is what an SMTP client would have got.
    :raise SpoolError: it could not be stored.
    """
    octets = wire_form(content)
    if len(octets) > policy.settings.max_message_size:
        raise ReplyError(replies.TOO_LARGE)
    if not envelope.recipients:
        raise AddressError("a mail needs a recipient")
    envelope_id = dsn.envelope_id(envelope.envelope_id) if envelope.envelope_id else ""
    if envelope_id is None:
        raise AddressError("an envelope id is xtext (RFC 3461)")
    transaction = MessageDelivery(policy, lambda: "", lambda: None, lambda _: None)
    origin = ReversePath(
        address=checked(envelope.reverse_path, null_allowed=True),
        eight_bit=envelope.eight_bit or not octets.isascii(),
        utf8=envelope.utf8 or not "".join((envelope.reverse_path, *envelope.recipients)).isascii(),
        returns=envelope.returns,
        envelope_id=envelope_id,
    )
    transaction.validateFrom(None, origin)
    for recipient in envelope.recipients:
        make_message = transaction.validateTo(ForwardPath(checked(recipient, null_allowed=False)))
    message = make_message()
    try:
        message.lineReceived(transaction.receivedHeader(None, origin, []))
        pause = message.chunkReceived(octets)
        if isinstance(pause, Deferred):
            await pause
    except ReplyError:
        message.connectionLost()
        raise
    await message.eomReceived()
    return message.name


def checked(address: str, *, null_allowed: bool) -> str:
    """Return an address that was given without its brackets.

    :raise AddressError: it breaks the grammar.
    """
    # A lone surrogate becomes octets that are no UTF-8, which the grammar refuses.
    path = f"<{address}>".encode(errors="surrogatepass")
    read, rest = parse_path(path, null_allowed=null_allowed)
    if rest:
        raise AddressError("an address must not hold '>'")
    return read


def wire_form(content: bytes) -> bytes:
    """Return content as it goes over the wire: CRLF line ends, dot-stuffed (RFC 5321 4.5.2).

    :raise ContentError: it mixes line ends, or holds NUL.
    """
    if b"\r" not in content:
        content = content.replace(b"\n", b"\r\n")
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    pairs = content.count(b"\r\n")
    if not (pairs == content.count(b"\r") == content.count(b"\n")) or b"\0" in content:
        raise ContentError("lines end with CRLF or with LF, all alike, and there is no NUL")
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
