"""The mail by which an account is tested: it is sent as any other mail of the account is."""

from __future__ import annotations

import math
from email.utils import formatdate, make_msgid

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..interfaces import IContent
from ..mail.envelope import Envelope
from ..mail.header import header_end
from ..mail.message import Delivery, Message, Recipient
from ..outcome.attempt import Outcome
from ..routing.account import Account
from .sender import AccountSender
from .transaction import Transaction


def sample(account: Account, sender: str, to: str, now: float) -> tuple[Delivery, bytes]:
    """Return a delivery that is in no spool, and its content in wire form.

    :param sender: reverse-path; ``""`` is the null one.
    :param now: seconds since the epoch.
    """
    name = account.name.encode("ascii", "backslashreplace").decode()
    lines = [
        *([f"From: {sender}"] if sender else []),
        f"To: {to or 'undisclosed-recipients:;'}",
        "Subject: Test of a mail account",
        f"Date: {formatdate(now, localtime=True)}",
        f"Message-ID: {make_msgid('test', account.hop.helo_name.strip('[]'))}",
        "Auto-Submitted: auto-generated",
        "",
        f"Somebody tests the account {name} of the relay {account.hop.helo_name}.",
        "This mail was sent by it.",
        "",
    ]
    content = "\r\n".join(lines).encode()
    utf8 = not f"{sender}{to}".isascii()
    message = Message(
        number=0,
        envelope=Envelope(reverse_path=sender, recipients=(to,), utf8=utf8),
        size=len(content),
        header_size=header_end(content),
        arrived=now,
    )
    recipients = (Recipient(address=to, reason="the account is tested"),)
    delivery = Delivery(
        number=0, message=message, account=account.name, recipients=recipients, due=now
    )
    return delivery, content


async def send(session: AccountSender, delivery: Delivery, content: bytes) -> Outcome:
    """Send a sample; return what came of it.

    :param session: has logged in.
    """
    transaction = Transaction(session, delivery, lambda: _AtHand(content), math.inf)
    over: Deferred[None] = Deferred()
    session.talk(transaction.go_on, lambda: over.callback(None), over.errback)
    await over
    (outcome,) = transaction.outcomes.all()
    return outcome


@implementer(IContent)
class _AtHand:
    """A content that is there as a whole."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self) -> bytes:
        left, self._left = self._left, b""
        return left

    def close(self) -> None:
        """Do nothing: nobody waits."""
