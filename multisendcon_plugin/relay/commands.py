"""Builds MAIL and RCPT with the parameters of the client, as far as the server offers them.

RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN).  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ..errors import AddressError
from ..mail.address import ascii_domain
from ..mail.dsn import Notify, mail_parameters, rcpt_parameters
from ..mail.envelope import Envelope
from ..mail.message import Recipient
from ..outgoing import OutgoingMail

#: Positions of recipients in their delivery, and the paths to say for them.
Paths = Sequence[tuple[int, str]]


def without_utf8(mail: OutgoingMail, paths: Paths) -> tuple[OutgoingMail, Paths, list[int]]:
    """Return a mail and its paths for a server without SMTPUTF8, and the positions of the others.

    RFC 6531 section 3.2: no address or header beyond ASCII may be sent to it.  A domain in A-labels
    is the same domain (RFC 5890), so where no more is needed, the mail leaves; and so does a mail
    in ASCII whose client only said SMTPUTF8.

    :raise AddressError: the header or the reverse-path needs it.
    """
    if not mail.start[: mail.header_size].isascii():
        raise AddressError("the header goes beyond ASCII")
    mail = attrs.evolve(mail, reverse_path=ascii_domain(mail.reverse_path))
    fitting, others = [], []
    for position, address in paths:
        try:
            fitting.append((position, ascii_domain(address)))
        except AddressError:
            others.append(position)
    return mail, fitting, others


def mail_command(mail: OutgoingMail, envelope: Envelope, offers: Mapping[str, str]) -> bytes:
    """Return the line of MAIL for a mail.

    :param envelope: what its client asked for.
    :param offers: keywords of EHLO, and their parameters.
    """
    command = f"MAIL FROM:<{mail.reverse_path}>"
    if "SIZE" in offers:
        command += f" SIZE={mail.size}"
    if envelope.eight_bit and "8BITMIME" in offers:
        command += " BODY=8BITMIME"
    if mail.utf8 and "SMTPUTF8" in offers:
        command += " SMTPUTF8"
    if "DSN" in offers:
        command += mail_parameters(envelope.returns, envelope.envelope_id)
    return f"{command}\r\n".encode()


def rcpt_command(
    mail: OutgoingMail, recipient: Recipient, path: str, offers: Mapping[str, str]
) -> bytes:
    """Return the line of RCPT for a path of the recipient, with its sender's DSN parameters."""
    command = f"RCPT TO:<{path}>"
    if "DSN" in offers:
        notify = recipient.notify
        if notify is not None and not mail.own_sender:
            # The report on success would go to the fixed sender; ours goes to the sender.
            notify &= ~Notify.SUCCESS
        utf8 = "SMTPUTF8" in offers
        command += rcpt_parameters(notify, recipient.original, utf8=utf8)
    return f"{command}\r\n".encode()
