"""What a reply means for people who are not postmasters: the cause, and what they can do.

Reads the action that follows from it, words that tell more than codes, enhanced status codes
(RFC 3463, RFC 5248) and, where there is none, the basic code and the command it answers (RFC 5321,
section 4.2.3).  Pure; used by the reports only: no decision about a mail depends on it.
"""

from __future__ import annotations

import re

import attrs

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Outcome, Verdict
from ..outcome.failure import Action
from ..outcome.judgement import DELETED


@attrs.frozen
class Diagnosis:
    """Plain words: one sentence on the cause, true of a delay too, and one on the remedy."""

    cause: str
    remedy: str


UNKNOWN_ADDRESS = Diagnosis(
    "The mail server does not know this address.",
    "Check the address for typing mistakes, then send the message again.",
)
UNKNOWN_DOMAIN = Diagnosis(
    "No mail server can be found for the part of the address after the @.",
    "Check the address for typing mistakes, then send the message again.",
)
TAKES_NO_MAIL = Diagnosis(
    "The part of the address after the @ is of a domain that takes no mail.",
    "Check the address for typing mistakes, or ask the recipient for another one.",
)
MAILBOX_FULL = Diagnosis(
    "The mailbox of the recipient is full.",
    "Tell the recipient by other means, and send the message again later.",
)
MAILBOX_BUSY = Diagnosis(
    "The mailbox of the recipient gets more messages than it may at the moment.",
    "Send the message again later.",
)
MAILBOX_CLOSED = Diagnosis(
    "The mailbox of the recipient does not accept messages.",
    "Ask the recipient by other means for an address that does.",
)
OWN_MAILBOX_FULL = Diagnosis(
    "The mailbox that the message was sent from is full, so it cannot send.",
    "Remove messages from your own mailbox, then send the message again. If the mailbox is not"
    " yours, show this report to the administrator of your mail system.",
)
TOO_LARGE = Diagnosis(
    "The message is too large.",
    "Send it again with smaller or fewer attachments, or share the files in another way.",
)
SENDER_REFUSED = Diagnosis(
    "The mail server does not allow messages from this sender address.",
    "Check which address the message was sent from. If it is the right one, show this report"
    " to the administrator of your mail system.",
)
NOT_PASSED_ON = Diagnosis(
    "The mail server through which the message leaves does not pass it on to this address.",
    "Check the address for typing mistakes. If it is the right one, show this report to the"
    " administrator of your mail system.",
)
REFUSED = Diagnosis(
    "The mail server does not accept the message because of its rules, for example against spam.",
    "If the reply below does not say what to change, show this report to the administrator of"
    " your mail system.",
)
CONTENT = Diagnosis(
    "The mail server cannot handle the form of the message.",
    "Send it again as plain text or without attachments, or show this report to the"
    " administrator of your mail system.",
)
INTERNATIONAL_ADDRESS = Diagnosis(
    "The mail server cannot handle addresses with letters outside the English alphabet.",
    "Use another address of the recipient, or send from another address of yours.",
)
LOOP = Diagnosis(
    "The message went round in circles between mail servers.",
    "Show this report to the administrator of your mail system.",
)
BUSY = Diagnosis(
    "The mail server takes no more messages at the moment.",
    "Send the message again later. If that fails too, show this report to the administrator"
    " of your mail system.",
)
UNREACHABLE = Diagnosis(
    "The mail server cannot be reached, or breaks off the connection.",
    "Send the message again later. If that fails too, show this report to the administrator"
    " of your mail system.",
)
CONFIRMATION_LOST = Diagnosis(
    "The message was handed over, but the confirmation got lost: it may have arrived.",
    "Ask the recipient by other means before you send the message again.",
)
ACCOUNT_UNUSABLE = Diagnosis(
    "Your mail system cannot use the server through which it sends this message."
    " Nothing is known to be wrong with the message or the address.",
    "Show this report to the administrator of your mail system.",
)
ACCOUNT_LIMIT = Diagnosis(
    "Your mail system has sent as much as the provider allows at the moment. Nothing is known to be"
    " wrong with the message or the address.",
    "Send the message again later. If that fails too, show this report to the administrator"
    " of your mail system.",
)
NO_ACCOUNT = Diagnosis(
    "Your mail system has no account for messages from this sender to this address.",
    "Check which address the message was sent from. If it is the right one, show this report"
    " to the administrator of your mail system.",
)
DELETED_BY_HAND = Diagnosis(
    "An administrator of your mail system has deleted the message before it was sent to this"
    " address.",
    "Ask the administrator of your mail system before you send the message again.",
)
OTHER = Diagnosis(
    "The mail server does not accept the message.",
    "If the reply below does not say what to change, show this report to the administrator of"
    " your mail system.",
)

_BEFORE_MAIL = frozenset({Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.EHLO, Phase.LOGIN})

#: What follows from what the servers of one destination say, or leave unsaid.
_OF_A_DESTINATION = frozenset({Action.DEFER, Action.FAIL})

#: What the words say, whatever the codes are.
_BY_WORDS = (
    (
        re.compile(
            r"send ?as ?denied|\bsend as\b|\bnot owned by\b|\bsender address rejected\b"
            r"|\bnot (?:allowed|permitted|authori[sz]ed) to send\b|\baddress is not verified\b",
            re.IGNORECASE,
        ),
        SENDER_REFUSED,
    ),
    (
        re.compile(
            r"\b(?:your|sender'?s?) (?:own )?mailbox\b.*\b(?:full|quota|exceed)"
            r"|submission\.exception:quotaexceeded",
            re.IGNORECASE | re.DOTALL,
        ),
        OWN_MAILBOX_FULL,
    ),
    # Exchange Online on what it has taken but does not send; its codes speak of a mailbox.
    (re.compile(r"storedrv\.submission", re.IGNORECASE), OTHER),
    (
        re.compile(
            r"\breceiving mail (?:at a rate|too)|\bmessages they can receive", re.IGNORECASE
        ),
        MAILBOX_BUSY,
    ),
)
_BY_ACTION = {
    Action.QUOTA: ACCOUNT_LIMIT,
    Action.SLOW: BUSY,
    Action.ALARM: ACCOUNT_UNUSABLE,
    Action.REST: ACCOUNT_UNUSABLE,
}
_BY_STATUS = {"5.4.1": UNKNOWN_ADDRESS}  # Exchange Online's "Recipient address rejected"
_BY_DETAIL = {
    "1.2": UNKNOWN_DOMAIN,
    "1.7": SENDER_REFUSED,
    "1.8": SENDER_REFUSED,
    "2.2": MAILBOX_FULL,
    "2.3": TOO_LARGE,
    "3.4": TOO_LARGE,
    "2.121": MAILBOX_BUSY,
    "2.122": MAILBOX_BUSY,
    "2.252": SENDER_REFUSED,  # not in the registry: Exchange Online's SendAsDenied
    "4.4": UNKNOWN_DOMAIN,
    "4.5": BUSY,
    "4.6": LOOP,
    "4.14": LOOP,  # not in the registry: Exchange's hop count
    "6.7": INTERNATIONAL_ADDRESS,
    "7.60": SENDER_REFUSED,  # not in the registry: Exchange's SendAsDenied
}
_BY_SUBJECT = {
    "1": UNKNOWN_ADDRESS,
    "2": MAILBOX_CLOSED,
    "4": UNREACHABLE,
    "6": CONTENT,
    "7": REFUSED,
}

_BY_CODE_OF_CONTENT = {550: REFUSED, 552: TOO_LARGE, 554: REFUSED}
_BY_CODE = {
    Phase.MAIL: {
        550: SENDER_REFUSED,
        551: SENDER_REFUSED,
        552: TOO_LARGE,
        553: SENDER_REFUSED,
        554: SENDER_REFUSED,
    },
    Phase.RCPT: {
        550: UNKNOWN_ADDRESS,
        551: UNKNOWN_ADDRESS,
        552: MAILBOX_FULL,
        553: UNKNOWN_ADDRESS,
        554: REFUSED,
    },
    Phase.DATA: _BY_CODE_OF_CONTENT,
    Phase.CONTENT: _BY_CODE_OF_CONTENT,
    Phase.END: _BY_CODE_OF_CONTENT,
}


def diagnose(outcome: Outcome) -> Diagnosis:
    """Explain why a recipient did not get the message."""
    if outcome.verdict is Verdict.UNCERTAIN:
        return CONFIRMATION_LOST
    reply, phase = outcome.reply, outcome.phase
    if reply == DELETED:
        return DELETED_BY_HAND
    if reply.code and outcome.action in _BY_ACTION:
        return _BY_ACTION[outcome.action]
    if phase in _BEFORE_MAIL and outcome.action not in _OF_A_DESTINATION:
        # A fault of an account never fails a mail: without a session, it had no account.
        return NO_ACCOUNT if outcome.verdict is Verdict.FAILED else ACCOUNT_UNUSABLE
    return _by_words(reply) or _by_codes(outcome)


def _by_words(reply: Reply) -> Diagnosis | None:
    return next((found for words, found in _BY_WORDS if words.search(reply.text)), None)


def _by_codes(outcome: Outcome) -> Diagnosis:
    reply, phase = outcome.reply, outcome.phase
    detail = reply.enhanced[2:]
    subject = detail.partition(".")[0]
    if reply.code == 556:  # RFC 7504: whoever says it knows it from the DNS
        return TAKES_NO_MAIL
    if phase is Phase.RCPT and outcome.action is Action.MOVE:
        return NOT_PASSED_ON
    if phase is Phase.MAIL and subject in {"1", "7"}:
        return SENDER_REFUSED
    if phase is Phase.MAIL and detail == "2.2":
        return OWN_MAILBOX_FULL
    # The most specific first; a basic code alone says least.
    return (
        _BY_STATUS.get(reply.enhanced)
        or _BY_DETAIL.get(detail)
        or _BY_SUBJECT.get(subject)
        or _BY_CODE.get(phase, {}).get(reply.code)
        or (OTHER if reply.code else UNREACHABLE)
    )
