"""Builds a whole report: its parts, its header, its envelope (RFC 3464, RFC 6522).

A report needs as few extensions of the servers on its way as it can: it is 7-bit, unless it brings
back an 8-bit message.  Only a report *to* an address that is not ASCII needs SMTPUTF8, and takes
the international form of RFC 6533.
"""

from __future__ import annotations

import hashlib
import re
from email.utils import formatdate

import attrs

from ..mail.envelope import Envelope
from ..settings.values import NdrSettings
from .bounds import LARGEST, beginning
from .facts import Facts, ReportAction
from .parts import encoded, header_part, message_part, safe, status_part, text_part, unstuffed
from .status import status
from .words import words

_DISPLAY_NAME = "Mail Delivery System"
_SUBJECTS = {
    ReportAction.FAILED: "Mail delivery failed",
    ReportAction.DELAYED: "Mail delivery is delayed",
    ReportAction.RELAYED: "Mail was passed on",
}
_MESSAGE_ID = re.compile(
    rb"^Message-ID[ \t]*:(?:[ \t]|\r\n[ \t])*(<[!-;=?-~]{1,900}>)[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)


@attrs.frozen(kw_only=True)
class Report:
    """A finished report, ready to be submitted.

    :param envelope: the null reverse-path, the one recipient, and what the content needs.
    :param content: wire form (CRLF, dot-stuffed, without the final dot).
    :param header_size: octets of its header block, the last CRLF included.
    """

    envelope: Envelope
    content: bytes
    header_size: int


def report(facts: Facts, original: bytes, *, settings: NdrSettings, recipient: str) -> Report:
    """Build a report.

    The same arguments give the same bytes, Message-ID included.

    :param original: the message in wire form: its header block, or all of it.
    :param recipient: who gets the report, see `addressees`.
    """
    header = unstuffed(original[: facts.message.header_size])
    whole = None
    if len(original) == facts.message.size > len(header):
        whole = message_part(unstuffed(original), header)
    made = _report(facts, header, whole, settings, recipient)
    if len(made.content) > LARGEST:
        # The recipients count for more than the text, which its author has.
        made = _report(facts, header, None, settings, recipient)
    return made


def _report(
    facts: Facts, header: bytes, whole: bytes | None, settings: NdrSettings, recipient: str
) -> Report:
    """Build a report with a part that holds the whole message, or with the header of it."""
    utf8 = not (recipient + settings.sender).isascii()
    start = beginning(header)
    returned = "the header of the message" if start == header else "the beginning of its header"
    parts = (
        text_part(
            "text/plain; charset=utf-8",
            encoded(words(facts, recipient, "the message" if whole else returned)),
        ),
        status_part(status(facts, utf8), utf8),
        whole or header_part(start, utf8),
    )
    eight_bit = utf8 or not all(part.isascii() for part in parts)

    # A digest of the parts cannot occur in them, so it can separate them, too (RFC 2046 section
    # 5.1.1).
    origin = encoded(f"{facts.hostname} {recipient} {facts.now!r}")
    digest = hashlib.sha256(b"\n".join((origin, *parts))).hexdigest()[:32]
    boundary = f"=_{digest}"
    message_id = f"<{digest}@{safe(facts.hostname)}>"
    fields = (
        f"Date: {formatdate(facts.now)}",
        f"From: {_DISPLAY_NAME} <{safe(settings.sender)}>",
        f"To: <{safe(recipient)}>",
        f"Subject: {_SUBJECTS[facts.action]}",
        f"Message-ID: {message_id}",
        *_thread_fields(header),
        "Auto-Submitted: auto-replied",  # RFC 3834 section 5: nobody's program answers it
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        f"Content-Transfer-Encoding: {'8bit' if eight_bit else '7bit'}",
    )
    own_header = encoded("".join(f"{field}\r\n" for field in fields))
    separator = f"\r\n--{boundary}\r\n".encode()
    body = separator + separator.join(parts) + f"\r\n--{boundary}--\r\n".encode()
    return Report(
        envelope=Envelope(
            # RFC 5321 section 4.5.5, so that no report is made on a report.
            reverse_path="",
            recipients=(recipient,),
            author=settings.sender,
            eight_bit=eight_bit,
            utf8=utf8,
            message_id=message_id,
            subject=_SUBJECTS[facts.action],
        ),
        content=own_header + body.replace(b"\r\n.", b"\r\n.."),
        header_size=len(own_header),
    )


def _thread_fields(header: bytes) -> list[str]:
    """Let the report appear next to the message it is about (RFC 3834, section 3.1.5)."""
    found = _MESSAGE_ID.search(header)
    if not found:
        return []
    message_id = found[1].decode("ascii")
    return [f"In-Reply-To: {message_id}", f"References: {message_id}"]
