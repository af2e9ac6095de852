"""A report on a mail, with recipients, replies and a header that are made up from octets.

Judged by Python's `email`, and by the limits that hold whatever the mail was.
"""

from __future__ import annotations

import email
import email.policy
import re

from multisendcon_plugin.mail.dsn import Return
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.header import header_end
from multisendcon_plugin.mail.message import Message, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.ndr import Facts, ReportAction, report, returned_size
from multisendcon_plugin.outcome.attempt import Outcome, Verdict
from multisendcon_plugin.settings.values import NdrSettings

_LARGEST, _LARGEST_HEADER, _LONGEST_LINE, _MOST_REPLIES, _LONGEST_REPLY = (
    256 * 1024,
    16 * 1024,
    998,
    50,
    300,
)
_SENDERS = (
    "boss@home.example",
    "böss@home.example",
    "x" * 3000 + "@home.example",
    '"a b"@h.example',
)
_COUNTS = (1, 1, 1, 2, 3, 49, 50, 51, 200, 1000)
_TEXTS = (
    *("no such user", "x" * 4000, "\r\n\r\n--=_", "\r\n.\r\n", "ä" * 600, "\u2028Status: 2.0.0"),
    *("\x1b[2J", "\x85", "\u202e", "a b " * 200, "\ud800", "; ", "=?utf-8?q?x?=", "\0", "", "\t"),
)
_LOCALS = ("a", "ä", "x" * 300, '"a b"', '";"', "o'neil", "=?x?q?y?=", "\U0001f600", "a..b")
_LINES = (
    *(b"Subject: x\r\n", b"Message-ID: <1@home.example>\r\n", b"X: " + b"y" * 2000 + b"\r\n"),
    *(
        b"Message-ID: <" + b"x" * 950 + b">\r\n",
        b"X: \xff\r\n",
        b"X: \xc3\xa4\r\n",
        b"X: \r\n y\r\n",
    ),
    *(
        b"..X: y\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b"--x: y\r\n",
        b"X: y\r\n" * 3000,
    ),
)
_BODIES = (
    b"\r\nhello\r\n",
    b"",
    b"\r\n" + b"x" * 5000 + b"\r\n",
    b"\r\n\xff\r\n",
    b"\r\n" + b"y\r\n" * 64_000,
)


def play(octets):
    """Build one report.

    :raise AssertionError: a rule is broken.
    """
    steps = iter(octets)

    def one_of(choices):
        return choices[next(steps, 0) % len(choices)]

    sender, to, returns = (
        one_of(_SENDERS),
        one_of(_SENDERS),
        one_of((None, Return.FULL, Return.HEADER)),
    )
    action, count, body = one_of(tuple(ReportAction)), one_of(_COUNTS), one_of(_BODIES)
    envelope_id = one_of(("", "x", "+C3+A4", "+00+0D+0A", "y" * 90))
    replies = [
        Reply(
            one_of((550, 451, 250, 0, 421)),
            one_of(("", "5.1.1", "4.7.1")),
            one_of(_TEXTS) + one_of(_TEXTS),
        )
        for _ in range(1 + next(steps, 0) % 5)
    ]
    locals_ = [one_of(_LOCALS) for _ in range(1 + next(steps, 0) % 5)]
    originals = [one_of(("", "rfc822;a", "utf-8;+C3+A4", "x;" + "y" * 400)) for _ in range(3)]
    header = b"".join(one_of(_LINES) for _ in range(next(steps, 0) % 6))
    header = header[: header_end(header)]
    content = header + body
    outcomes = tuple(
        Outcome(
            recipient=Recipient(
                address=f"{locals_[n % len(locals_)]}{n}@far.example",
                reason="",
                original=originals[n % len(originals)],
            ),
            verdict=Verdict.FAILED,
            phase=Phase.RCPT,
            reply=replies[n % len(replies)],
        )
        for n in range(count)
    )
    facts = Facts(
        action=action,
        message=Message(
            number=1,
            envelope=Envelope(
                reverse_path=sender, recipients=("x",), returns=returns, envelope_id=envelope_id
            ),
            size=len(content),
            header_size=len(header),
            arrived=1.7e9,
        ),
        outcomes=outcomes,
        hostname="relay.example",
        server=one_of(("mx.far.example", "192.0.2.1", "x" * 255)),
        now=1.7e9 + 60,
        retry_until=1.7e9 + 3600,
    )
    settings = NdrSettings(sender="mailer-daemon@relay.example")
    made = report(facts, content[: returned_size(facts)], settings=settings, recipient=to)
    _judge(made, facts, to)


def _judge(made, facts, to):
    content = made.content
    assert len(content) <= _LARGEST, f"it has {len(content)} octets"
    assert header_end(content) == made.header_size, "its header ends elsewhere"
    assert content.endswith(b"\r\n"), "it does not end with a line"
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", content), "a CR or LF stands alone, or a NUL"
    assert made.envelope.eight_bit or content.isascii(), "it says that it is 7-bit"
    assert (made.envelope.reverse_path, made.envelope.recipients) == ("", (to,))
    assert not re.search(rb"\r\n\.(?!\.)", content), "a dot is not stuffed"
    plain = content.replace(b"\r\n.", b"\r\n")
    assert max(map(len, plain[: made.header_size].split(b"\r\n"))) <= max(
        _LONGEST_LINE, len(to) + 10
    )
    message = email.message_from_bytes(plain, policy=email.policy.compat32)
    assert message.get_content_type() == "multipart/report"
    assert not message.defects, message.defects
    words, status, returned = message.get_payload()
    assert words.get_content_type() == "text/plain"
    assert "This report was created automatically" in words.get_payload(decode=True).decode()
    assert status.get_content_type() in (
        "message/delivery-status",
        "message/global-delivery-status",
    )
    if returned.get_content_type() != "message/rfc822":
        assert returned.get_content_type() in ("text/rfc822-headers", "message/global-headers")
        # The package takes the second one for a message, and has no octets of it.
        header = returned.get_payload(decode=True) or returned.as_bytes()
        assert len(header) <= _LARGEST_HEADER + 200, "too much of the header"
    _judge_status(status, facts)


def _judge_status(status, facts):
    # That package knows the groups of one type only, and no UTF-8 in them.
    text = status.as_bytes().decode().replace("\r\n", "\n").partition("\n\n")[2]
    about_message, *groups = map(email.message_from_string, text.strip("\n").split("\n\n"))
    assert about_message["Reporting-MTA"] == "dns; relay.example"
    assert 1 <= len(groups) <= len(facts.outcomes), "groups of nobody"
    told = [group for group in groups if group["Diagnostic-Code"]]
    assert len(told) <= _MOST_REPLIES, "too many replies"
    for group in groups:
        assert group["Action"] == facts.action.value, "a reply has written a field"
        assert group["Final-Recipient"], "a group of nobody"
        assert len(group.get_all("Status")) == 1, "a reply has written a field"
    for group in told:
        # Folded at blanks, and shown in ASCII.
        shown = " ".join(group["Diagnostic-Code"].split())
        assert len(re.sub(r"\\(x..|u....|U.{8})", "?", shown)) <= _LONGEST_REPLY + 40
