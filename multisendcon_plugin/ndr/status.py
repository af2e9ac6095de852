"""The second part of a report, for programs: message/delivery-status (RFC 3464, section 2)."""

from __future__ import annotations

import textwrap
from email.utils import formatdate
from functools import lru_cache

from ..mail.dsn import decode, in_ascii, original_recipient
from ..mail.message import MOST_TOLD_REPLIES, Recipient
from ..outcome.attempt import Outcome
from .bounds import STATUS_ROOM, STATUS_ROOM_FOR_ALL, said
from .facts import Facts, ReportAction
from .parts import safe

#: Octets without CRLF (RFC 5322 section 2.1.1).
_LONGEST_LINE = 998


def status(facts: Facts, utf8: bool) -> str:
    """Return the fields about the message and about each recipient."""
    about_message = [
        f"Reporting-MTA: dns; {safe(facts.hostname)}",
        f"Arrival-Date: {formatdate(facts.message.arrived)}",
    ]
    if envelope_id := decode(facts.message.envelope.envelope_id):
        about_message[:0] = _whole(f"Original-Envelope-Id: {safe(envelope_id)}")
    groups = [about_message]
    size = 0
    for n, outcome in enumerate(facts.outcomes):
        group = _group(facts, outcome, utf8)
        whole = [*group, *_details(facts, outcome)] if n < MOST_TOLD_REPLIES else group
        if size + _size(whole) > STATUS_ROOM:
            whole = group
        size += _size(whole)
        # RFC 3464 section 2.1: there has to be one.
        if size > STATUS_ROOM_FOR_ALL and n:
            break
        groups.append(whole)
    return "\r\n\r\n".join("\r\n".join(group) for group in groups) + "\r\n"


def _group(facts: Facts, outcome: Outcome, utf8: bool) -> list[str]:
    """Return what has to be said of a recipient (RFC 3464 section 2.3)."""
    recipient = outcome.recipient
    return [
        *_original_recipient(recipient, utf8),
        f"Final-Recipient: {_typed_address(safe(recipient.address), utf8)}",
        f"Action: {facts.action.value}",
        f"Status: {_status_code(facts, outcome)}",
    ]


def _details(facts: Facts, outcome: Outcome) -> list[str]:
    """Return what else there is to be said."""
    reply = said(outcome.reply)
    details = [f"Last-Attempt-Date: {formatdate(facts.now)}"]
    if facts.action is ReportAction.DELAYED:
        details.append(f"Will-Retry-Until: {formatdate(facts.retry_until)}")
    # RFC 3464 section 2.3.6: the type says whose words they are, and these are ours.
    if not outcome.said_by_server:
        return [_folded(f"Diagnostic-Code: X-Multisendcon; {reply}"), *details]
    remote = f"Remote-MTA: dns; {safe(facts.server)}"
    return [remote, _folded(f"Diagnostic-Code: smtp; {reply}"), *details]


def _size(group: list[str]) -> int:
    """Return how many octets a group takes, at most."""
    return sum(len(field.encode("ascii", "backslashreplace")) + 2 for field in group) + 2


def _original_recipient(recipient: Recipient, utf8: bool) -> list[str]:
    original = original_recipient(recipient.original)
    if original is None:
        return []
    kind, address = original
    shown = f"{kind}; {address}" if address.isascii() else _typed_address(address, utf8)
    return _whole(f"Original-Recipient: {safe(shown)}")


def _status_code(facts: Facts, outcome: Outcome) -> str:
    """Return the enhanced status code of a recipient (RFC 3463).

    Its class is our verdict: 2 for what was passed on, 5 for what was refused, and 4 for what is
    delayed or has expired, since class 4 also covers a temporary condition that lasted until
    delivery was abandoned (section 2).  The rest is the server's.  Without one, what has expired
    is X.4.7: section 3.5 prefers the code for the actual problem, if there is one.
    """
    expired = facts.expired(outcome)
    kind = {ReportAction.RELAYED: 2, ReportAction.FAILED: 4 if expired else 5}.get(facts.action, 4)
    detail = outcome.reply.enhanced[2:] or ("4.7" if expired else "0.0")
    return f"{kind}.{detail}"


def _typed_address(address: str, utf8: bool) -> str:
    """Write an address with its type (RFC 3464, section 2.3.2; RFC 6533, section 3)."""
    if address.isascii():
        return f"rfc822; {address}"
    if utf8:
        return f"utf-8; {address}"
    return f"utf-8; {in_ascii(address)}"


def _whole(field: str) -> list[str]:
    """Return a field whose value cannot be cut, unless it is too long for a line."""
    return [field] if len(field.encode()) <= _LONGEST_LINE else []


@lru_cache(maxsize=32)  # thousands of recipients often get the same reply
def _folded(field: str) -> str:
    """Return a field in lines of a length that everybody can read."""
    lines = textwrap.wrap(safe(field), 78, subsequent_indent=" ", break_on_hyphens=False)
    return "\r\n".join(lines)
