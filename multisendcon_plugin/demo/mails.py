"""The mails that the demonstration sends: a dozen ways in which mail differs.

Only texts; who carries them is decided by the accounts in `scene`.  What there is to see at a mail
stands in its field ``Comments:`` (RFC 5322 section 3.6.5).
"""

from __future__ import annotations

import attrs


@attrs.frozen
class DemoMail:
    """One mail: its envelope, and its content."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def plain(sender: str, recipient: str, subject: str) -> DemoMail:
    """Return a mail at which there is nothing to see."""
    text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello!\r\n"
    return DemoMail(sender, (recipient,), text.encode())


def _mail(
    point: str, sender: str, recipients: str, header: str, body: str = "Hello!\n"
) -> DemoMail:
    to = recipients.split()
    text = f"{header}\nTo: {', '.join(to)}\nComments: {point}\n\n{body}"
    return DemoMail(sender, tuple(to), text.replace("\n", "\r\n").encode())


#: Mails that arrive: one goes to two providers, and for the one that does not there is a report.
ARRIVALS = 13

MAILS = (
    _mail(
        "the sales brand has one address for all",
        "boss@sales.example.com",
        "anna@customer.example",
        'From: "The Boss" <boss@sales.example.com>\nSubject: Offer',
    ),
    _mail(
        "marked private: the author's own address stays",
        "boss@sales.example.com",
        "notary@law.example",
        "From: The Boss <boss@sales.example.com>\nSubject: My will\nSensitivity: Private",
    ),
    _mail(
        "a newsletter: its account sends a mail every 1.5 seconds",
        "news@example.com",
        "reader1@list.example",
        "From: News <news@example.com>\nSubject: Autumn, 1 of 3",
    ),
    _mail(
        "the second one waits, other accounts do not",
        "news@example.com",
        "reader2@list.example",
        "From: News <news@example.com>\nSubject: Autumn, 2 of 3",
    ),
    _mail(
        "and so does the third",
        "news@example.com",
        "reader3@list.example",
        "From: News <news@example.com>\nSubject: Autumn, 3 of 3",
    ),
    _mail(
        "a sender without an account of their own: the last account takes all the rest",
        "info@example.com",
        "bob@elsewhere.example",
        "From: info@example.com\nSubject: Opening hours",
    ),
    _mail(
        "one mail, two recipients, two accounts: the partner has its own",
        "info@example.com",
        "carol@partner.example dave@elsewhere.example",
        "From: info@example.com\nSubject: To both of you",
    ),
    _mail(
        "a name in an encoded word, and folded: only the address is replaced",
        "mueller@sales.example.com",
        "anna@customer.example",
        "From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?=\n <mueller@sales.example.com>\n"
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    ),
    _mail(
        "8-bit content leaves unchanged",
        "info@example.com",
        "eve@elsewhere.example",
        "From: info@example.com\nSubject: Umlauts\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit",
        "Grüße aus Köln\n",
    ),
    _mail(
        "a megabyte",
        "boss@sales.example.com",
        "anna@customer.example",
        "From: boss@sales.example.com\nSubject: The catalogue",
        "All work and no play makes a dull catalogue.\n" * 23_000,
    ),
    _mail(
        "an automatic reply has no sender: its From: decides, and nothing is replaced",
        "",
        "anna@customer.example",
        "From: boss@sales.example.com\nSubject: I am on holiday\nAuto-Submitted: auto-replied",
    ),
    _mail(
        "an unknown recipient: the author gets a report",
        "info@example.com",
        "nobody@elsewhere.example",
        "From: info@example.com\nSubject: Are you there?",
    ),
)
