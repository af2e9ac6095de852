"""Reports to the sender of a message: it could not be delivered, is delayed, or was passed on.

Builds a delivery status notification (RFC 3464) in a multipart/report (RFC 6522) as bytes in
wire form, and says who gets it.  Never sends it, never touches the original message.

A report asks as little of the servers on its way back as it can: it is 7-bit, unless it brings
back an 8-bit message.  Only a report *to* an address that is not ASCII needs SMTPUTF8, and takes
the international form of RFC 6533.
"""

from __future__ import annotations

import enum
import hashlib
import re
import textwrap
from binascii import b2a_qp
from email.utils import formatdate

import attrs

from .attempt import Outcome, Verdict
from .configuration.values import NdrSettings, ReportTo
from .diagnosis import diagnose
from .dsn import UNSAID, Notify, Return, decode, in_ascii, original_recipient
from .envelope import Envelope
from .message import Message, Recipient


class Action(enum.Enum):
    """What a report says; the words of RFC 3464, section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"


#: What a sender wants to be told of (RFC 3461), for each of them.
_WISHES = {
    Action.FAILED: Notify.FAILURE,
    Action.DELAYED: Notify.DELAY,
    Action.RELAYED: Notify.SUCCESS,
}
#: Octets up to which a message comes back as a whole: when nothing was said of it, and when the
#: sender wants to have it back (RFC 3461 section 4.3).
_SMALL, _LARGE = 64 * 1024, 1024 * 1024

_DISPLAY_NAME = "Mail Delivery System"
_SUBJECTS = {
    Action.FAILED: "Mail delivery failed",
    Action.DELAYED: "Mail delivery is delayed",
    Action.RELAYED: "Mail was passed on",
}
_WIDTH = 72

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Controls, and what else Unicode takes for the end of a line."""
_SEVEN_BIT = re.compile(rb"(?:[\x01-\x09\x0b\x0c\x0e-\x7f]{0,998}(?:\r\n|\Z))*")
"""RFC 2045, section 2.7."""
_EIGHT_BIT = re.compile(rb"(?:[^\0\r\n]{0,998}(?:\r\n|\Z))*")
"""RFC 2045, section 2.8."""
_MESSAGE_ID = re.compile(
    rb"^Message-ID[ \t]*:(?:[ \t]|\r\n[ \t])*(<[!-;=?-~]{1,900}>)[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)


@attrs.frozen(kw_only=True)
class Facts:
    """What a report is about.

    :param outcomes: of the recipients reported on, at least one.  With FAILED, a verdict other
        than FAILED means that the recipient has expired.
    :param hostname: our own name.
    :param server: the account's server, which gave all replies that have a code.
    :param now: when the attempt ended, seconds since the epoch.
    :param retry_until: when the delivery will be given up, seconds since the epoch; told of
        delays only.
    """

    action: Action
    message: Message
    outcomes: tuple[Outcome, ...]
    hostname: str
    server: str
    now: float
    retry_until: float

    def later_by(self, seconds: float) -> Facts:
        """Return the same facts by a clock that is ahead by so much."""
        message = attrs.evolve(self.message, arrived=self.message.arrived + seconds)
        return attrs.evolve(
            self, message=message, now=self.now + seconds, retry_until=self.retry_until + seconds
        )

    def expired(self, outcome: Outcome) -> bool:
        """Tell whether a recipient was not refused but is given up."""
        return self.action is Action.FAILED and outcome.verdict is not Verdict.FAILED


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


def wanted(action: Action, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Return the outcomes of which the sender wants to be told (RFC 3461 section 4.1)."""
    return tuple(
        outcome
        for outcome in outcomes
        if _WISHES[action]
        & (UNSAID if outcome.recipient.notify is None else outcome.recipient.notify)
    )


def returned_size(facts: Facts) -> int:
    """Return how much of a message a report brings back, in octets of its wire form.

    A report on anything but a failure brings back the header only (RFC 3461 section 4.3).
    """
    message = facts.message
    wish = message.envelope.returns
    limit = {None: _SMALL, Return.FULL: _LARGE, Return.HEADER: 0}[wish]
    whole = facts.action is Action.FAILED and message.size <= limit
    return message.size if whole else message.header_size


def addressees(facts: Facts, settings: NdrSettings) -> tuple[str, ...]:
    """Return who gets a report; nobody is a possible answer, which the caller logs.

    That a message is delayed or was passed on is told to the sender only.  A message with the null
    reverse-path was a report itself: its failure is told to the postmaster, unless it was the
    postmaster whom it did not reach (RFC 5321, section 6.1: no report on a report goes to its
    sender, and never a loop).
    """
    sender = facts.message.envelope.reverse_path
    postmaster = settings.postmaster
    if facts.action is not Action.FAILED:
        told = [sender]
    elif not sender:
        unreached = {outcome.recipient.address.lower() for outcome in facts.outcomes}
        told = [] if postmaster.lower() in unreached else [postmaster]
    elif settings.recipient is ReportTo.SENDER:
        told = [sender]
    elif settings.recipient is ReportTo.POSTMASTER:
        told = [postmaster or sender]
    else:
        told = [sender, postmaster]
    return tuple({address.lower(): address for address in told if address}.values())


def report(facts: Facts, original: bytes, *, settings: NdrSettings, recipient: str) -> Report:
    """Build a report.

    The same arguments give the same bytes, Message-ID included.

    :param original: the message in wire form: its header block, or all of it.
    :param recipient: who gets the report, see `addressees`.
    """
    utf8 = not (recipient + settings.sender).isascii()
    original_header = _unstuffed(original[: facts.message.header_size])
    whole = None
    if len(original) == facts.message.size > len(original_header):
        whole = _message_part(_unstuffed(original), original_header)
    returned = "the message" if whole else "the header of the message"
    parts = (
        _text_part("text/plain; charset=utf-8", _encoded(_words(facts, recipient, returned))),
        _status_part(_status(facts, utf8), utf8),
        whole or _header_part(original_header, utf8),
    )
    eight_bit = utf8 or not all(part.isascii() for part in parts)

    # A digest of the parts cannot occur in them, so it can separate them, too.
    origin = _encoded(f"{facts.hostname} {recipient} {facts.now!r}")
    digest = hashlib.sha256(b"\n".join((origin, *parts))).hexdigest()[:32]
    boundary = f"=_{digest}"
    fields = (
        f"Date: {formatdate(facts.now)}",
        f"From: {_DISPLAY_NAME} <{_safe(settings.sender)}>",
        f"To: <{_safe(recipient)}>",
        f"Subject: {_SUBJECTS[facts.action]}",
        f"Message-ID: <{digest}@{_safe(facts.hostname)}>",
        *_thread_fields(original_header),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        f"Content-Transfer-Encoding: {'8bit' if eight_bit else '7bit'}",
    )
    own_header = _encoded("".join(f"{field}\r\n" for field in fields))
    separator = f"\r\n--{boundary}\r\n".encode()
    body = separator + separator.join(parts) + f"\r\n--{boundary}--\r\n".encode()
    return Report(
        envelope=Envelope(
            reverse_path="",
            recipients=(recipient,),
            author=settings.sender,
            eight_bit=eight_bit,
            utf8=utf8,
        ),
        content=own_header + body.replace(b"\r\n.", b"\r\n.."),
        header_size=len(own_header),
    )


def _thread_fields(original_header: bytes) -> list[str]:
    """Let the report appear next to the message it is about (RFC 3834, section 3.1.5)."""
    found = _MESSAGE_ID.search(original_header)
    if not found:
        return []
    message_id = found[1].decode("ascii")
    return [f"In-Reply-To: {message_id}", f"References: {message_id}"]


# The first part: for people.


def _words(facts: Facts, recipient: str, returned: str) -> str:
    message = facts.message
    subject = f"{_whose(message, recipient)} of {_moment(message.arrived)}"
    if facts.action is Action.FAILED:
        blocks = [
            _wrapped(
                f"{subject} could not be delivered to the recipients below. Recipients who are"
                " not listed are not affected."
            )
        ]
    elif facts.action is Action.RELAYED:
        blocks = [
            _wrapped(
                f"{subject} was handed over for the recipients below. The next mail server does"
                " not report deliveries, so this is the last report that can be made, unless the"
                " delivery fails."
            )
        ]
    else:
        blocks = [
            _wrapped(
                f"{subject} has not been delivered to the recipients below yet. Delivery will be"
                f" tried again until {_moment(facts.retry_until)}."
            ),
            _wrapped("There is nothing you have to do. Please do not send the message again."),
        ]

    # One refusal of the whole message is told once, however many recipients it has.
    alike: dict[str, list[str]] = {}
    for outcome in facts.outcomes:
        alike.setdefault(_explanation(facts, outcome), []).append(outcome.recipient.address)
    for explanation, addresses in alike.items():
        blocks.append("\r\n".join(f"<{_safe(address)}>" for address in addresses))
        blocks.append(explanation)

    blocks.append(
        "-- \r\n"
        + _wrapped(
            f"The mail server {facts.hostname} made this report by itself; please do not answer"
            f" it. It knows the message as {message.id}. Details for administrators, and"
            f" {returned}, are attached."
        )
    )
    return "\r\n\r\n".join(blocks) + "\r\n"


def _whose(message: Message, recipient: str) -> str:
    sender = message.envelope.reverse_path
    if not sender:
        return "A message without a sender address"
    return "Your message" if sender.lower() == recipient.lower() else f"A message from <{sender}>"


def _explanation(facts: Facts, outcome: Outcome) -> str:
    source = f"The mail server {facts.server} said:" if outcome.reply.code else "Details:"
    lines = [_wrapped(source, "    "), _wrapped(str(outcome.reply), "    ")]
    if facts.action is not Action.RELAYED:
        diagnosis = diagnose(outcome)
        sentences = [diagnosis.cause]
        if facts.expired(outcome):
            sentences.append(f"All attempts have failed, the last one on {_moment(facts.now)}.")
        if facts.action is Action.FAILED:
            sentences.append(diagnosis.remedy)
        lines = [_wrapped(" ".join(sentences), "    "), "", *lines]
    return "\r\n".join(lines)


def _moment(time: float) -> str:
    return formatdate(time).removesuffix("-0000") + "UTC"


def _wrapped(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(
        _safe(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\r\n".join(lines)


# The second part: for programs.


def _status(facts: Facts, utf8: bool) -> str:
    about_message = [
        f"Reporting-MTA: dns; {_safe(facts.hostname)}",
        f"Arrival-Date: {formatdate(facts.message.arrived)}",
    ]
    if envelope_id := decode(facts.message.envelope.envelope_id):
        about_message.insert(0, _folded(f"Original-Envelope-Id: {envelope_id}"))
    groups = [about_message]
    for outcome in facts.outcomes:
        recipient = outcome.recipient
        group = [
            *_original_recipient(recipient, utf8),
            f"Final-Recipient: {_typed_address(_safe(recipient.address), utf8)}",
            f"Action: {facts.action.value}",
            f"Status: {_status_code(facts, outcome)}",
        ]
        if outcome.reply.code:
            group.append(f"Remote-MTA: dns; {_safe(facts.server)}")
            group.append(_folded(f"Diagnostic-Code: smtp; {outcome.reply}"))
        else:
            group.append(_folded(f"Diagnostic-Code: X-Multisendcon; {outcome.reply}"))
        group.append(f"Last-Attempt-Date: {formatdate(facts.now)}")
        if facts.action is Action.DELAYED:
            group.append(f"Will-Retry-Until: {formatdate(facts.retry_until)}")
        groups.append(group)
    return "\r\n\r\n".join("\r\n".join(group) for group in groups) + "\r\n"


def _original_recipient(recipient: Recipient, utf8: bool) -> list[str]:
    original = original_recipient(recipient.original)
    if original is None:
        return []
    kind, address = original
    shown = f"{kind}; {address}" if address.isascii() else _typed_address(address, utf8)
    return [f"Original-Recipient: {_safe(shown)}"]


def _status_code(facts: Facts, outcome: Outcome) -> str:
    """Return the enhanced status code of a recipient (RFC 3463).

    Its class is our verdict: 2 for what was passed on, 5 for what was refused, and 4 for what is
    delayed or has expired, since class 4 also covers a temporary condition that lasted until
    delivery was abandoned (section 2).  The rest is the server's.  Without one, what has expired
    is X.4.7: section 3.5 prefers the code for the actual problem, if there is one.
    """
    expired = facts.expired(outcome)
    kind = {Action.RELAYED: 2, Action.FAILED: 4 if expired else 5}.get(facts.action, 4)
    detail = outcome.reply.enhanced[2:] or ("4.7" if expired else "0.0")
    return f"{kind}.{detail}"


def _typed_address(address: str, utf8: bool) -> str:
    """Write an address with its type (RFC 3464, section 2.3.2; RFC 6533, section 3)."""
    if address.isascii():
        return f"rfc822; {address}"
    if utf8:
        return f"utf-8; {address}"
    return f"utf-8; {in_ascii(address)}"


def _folded(field: str) -> str:
    lines = textwrap.wrap(_safe(field), 78, subsequent_indent=" ", break_on_hyphens=False)
    return "\r\n".join(lines)


# MIME, and what may stand in it.


def _text_part(content_type: str, data: bytes) -> bytes:
    if _SEVEN_BIT.fullmatch(data):
        return _part(content_type, "7bit", data)
    return _part(content_type, "quoted-printable", _quoted_printable(data))


def _status_part(status: str, utf8: bool) -> bytes:
    if utf8 and not status.isascii():
        return _part("message/global-delivery-status", "8bit", _encoded(status))
    return _part("message/delivery-status", "7bit", status.encode("ascii", "backslashreplace"))


def _message_part(message: bytes, header: bytes) -> bytes | None:
    """Return a part with a whole message; ``None`` when it cannot be one as it is.

    Its content must not be encoded (RFC 2046 section 5.2.1).
    """
    if _SEVEN_BIT.fullmatch(message):
        return _part("message/rfc822", "7bit", message)
    if header.isascii() and _EIGHT_BIT.fullmatch(message):
        return _part("message/rfc822", "8bit", message)
    return None


def _header_part(header: bytes, utf8: bool) -> bytes:
    if header.isascii():
        return _text_part("text/rfc822-headers", header)
    try:
        header.decode("utf-8")
    except UnicodeDecodeError:
        return _text_part("text/rfc822-headers", header)
    if utf8:
        return _part("message/global-headers", "8bit", header)
    return _text_part("text/rfc822-headers; charset=utf-8", header)


def _part(content_type: str, transfer_encoding: str, data: bytes) -> bytes:
    header = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {transfer_encoding}\r\n"
    return header.encode("ascii") + b"\r\n" + data


def _unstuffed(content: bytes) -> bytes:
    return content.removeprefix(b".").replace(b"\r\n.", b"\r\n")


def _quoted_printable(data: bytes) -> bytes:
    """Encode by RFC 2045, section 6.7, so that every octet comes back, a bare CR or LF too."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(b2a_qp(line, istext=False).replace(b"\n", b"\r\n") for line in lines)


def _safe(text: str) -> str:
    return _UNSAFE.sub(" ", text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
