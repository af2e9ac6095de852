"""The first part of a report, for people: what happened, why, and what they can do (RFC 3464)."""

from __future__ import annotations

import textwrap
from email.utils import formatdate
from functools import lru_cache

from ..mail.message import MOST_TOLD_REPLIES, Message
from ..outcome.attempt import Outcome
from .bounds import WORDS_ROOM, WORDS_ROOM_BY_ADDRESS, said, shortened, words_size
from .diagnosis import diagnose
from .facts import Facts, ReportAction
from .parts import safe

_WIDTH = 72


def words(facts: Facts, recipient: str, returned: str) -> str:
    """Return the text.

    :param returned: what is attached, in words.
    """
    message = facts.message
    subject = f"{_whose(message, recipient)} of {_moment(message.arrived)}"
    if facts.action is ReportAction.FAILED:
        blocks = [
            _wrapped(
                f"{subject} could not be delivered to the recipients below. Recipients who are"
                " not listed are not affected."
            )
        ]
    elif facts.action is ReportAction.RELAYED:
        blocks = [
            _wrapped(
                f"{subject} was passed on to the next mail server for the recipients below. That"
                " server does not confirm deliveries, so you will hear of this message again only"
                " if its delivery fails."
            )
        ]
    else:
        blocks = [
            _wrapped(
                f"{subject} has not been delivered to the recipients below yet. Delivery will be"
                f" tried again until {_moment(facts.retry_until)}."
            ),
            _wrapped("You do not have to do anything. Please do not send the message again."),
        ]

    blocks += _recipients(facts)
    blocks.append(
        "-- \r\n"
        + _wrapped(
            f"This report was created automatically by the mail server {facts.hostname}; please do"
            f" not reply to it. The ID of the message there is {message.id}. Details for"
            f" administrators, and {returned}, are attached."
        )
    )
    return "\r\n\r\n".join(blocks) + "\r\n"


def _recipients(facts: Facts) -> list[str]:
    """Return the recipients, and why: as many as there is room for."""
    # One refusal of the whole message is told once, however many recipients it has.  Who is left
    # over is named at least, as far as there is room: see `bounds`.
    alike: dict[str, list[str]] = {}
    others: list[str] = []
    size = others_size = 0
    for n, outcome in enumerate(facts.outcomes):
        address = f"<{safe(outcome.recipient.address)}>"
        if n < MOST_TOLD_REPLIES:
            explanation = _explanation(facts, outcome)
            more = words_size(address)
            if explanation not in alike:
                more += words_size(f"{explanation}\r\n\r\n")
            if size + more <= WORDS_ROOM:
                size += more
                alike.setdefault(explanation, []).append(address)
                continue
        others_size += words_size(address)
        if others_size <= WORDS_ROOM_BY_ADDRESS:
            others.append(address)
    blocks = []
    for explanation, addresses in alike.items():
        blocks += ["\r\n".join(addresses), explanation]
    shown = sum(map(len, alike.values()))
    if more := len(facts.outcomes) - shown:
        not_named = f", of whom {more - len(others)} are not named" if more > len(others) else ""
        blocks.append(
            _wrapped(
                f"And {more} more recipients, without what was said of each{not_named}. The log of"
                " the mail server has it all."
            )
        )
        if others:
            blocks.append("\r\n".join(others))
    return blocks


def _whose(message: Message, recipient: str) -> str:
    sender = message.envelope.reverse_path
    if not sender:
        return "A message without a sender address"
    return (
        "Your message"
        if sender.lower() == recipient.lower()
        else f"A message from <{shortened(sender)}>"
    )


def _explanation(facts: Facts, outcome: Outcome) -> str:
    source = f"The mail server {facts.server} said:" if outcome.said_by_server else "Details:"
    lines = [_wrapped(source, "    "), _wrapped(said(outcome.reply), "    ")]
    if facts.action is not ReportAction.RELAYED:
        diagnosis = diagnose(outcome)
        sentences = [diagnosis.cause]
        if facts.expired(outcome):
            sentences.append(f"All attempts have failed, the last one on {_moment(facts.now)}.")
        if facts.action is ReportAction.FAILED:
            sentences.append(diagnosis.remedy)
        lines = [_wrapped(" ".join(sentences), "    "), "", *lines]
    return "\r\n".join(lines)


def _moment(time: float) -> str:
    return formatdate(time).removesuffix("-0000") + "UTC"


@lru_cache(maxsize=32)  # thousands of recipients often get the same reply
def _wrapped(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(
        safe(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        # So that addresses and links can be copied.
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\r\n".join(lines)
