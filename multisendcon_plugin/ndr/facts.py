"""What a report is about, who gets it, and how much of the message is returned with it.

RFC 3461 (what the sender asked for), RFC 5321 section 6.1 (reports on reports).
"""

from __future__ import annotations

import enum

import attrs

from ..mail.dsn import UNSAID, Notify, Return
from ..mail.message import Message
from ..outcome.attempt import Outcome, Verdict
from ..settings.values import NdrSettings, ReportTo


class ReportAction(enum.Enum):
    """What a report says; the words of RFC 3464, section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"


#: What a sender wants to be told of (RFC 3461), for each of them.
_NOTIFY = {
    ReportAction.FAILED: Notify.FAILURE,
    ReportAction.DELAYED: Notify.DELAY,
    ReportAction.RELAYED: Notify.SUCCESS,
}
#: What is reported to a sender who gives no NOTIFY.
_UNSAID = frozenset(action for action, notify in _NOTIFY.items() if notify in UNSAID)
#: Octets up to which a message comes back as a whole: when nothing was said of it, and when the
#: sender wants to have it back (RFC 3461 section 4.3).  The sender may be forged, so what is
#: returned must not amplify an attack (backscatter).  If the report would be too large with it, or
#: it cannot stand in a report as it is, its header comes back: see `bounds` and
#: `parts.message_part`.
_SMALL, _LARGE = 64 * 1024, 192 * 1024


@attrs.frozen(kw_only=True)
class Facts:
    """What a report is about.

    :param outcomes: of the recipients reported on, at least one.  With FAILED, a verdict other
        than FAILED means that the recipient has expired.
    :param hostname: our own name.
    :param server: that of the account, or of the destination, which gave all replies of a server.
    :param now: when the attempt ended, seconds since the epoch.
    :param retry_until: when the delivery will be given up, seconds since the epoch; told of
        delays only.
    """

    action: ReportAction
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
        return self.action is ReportAction.FAILED and outcome.verdict is not Verdict.FAILED


def wanted(action: ReportAction, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Return the outcomes of which the sender wants to be told (RFC 3461 section 4.1).

    Asked before it is known who gets the report: `NOTIFY=NEVER` also spares the postmaster.
    """
    asked = _NOTIFY[action]
    unsaid = action in _UNSAID
    return tuple(
        outcome
        for outcome in outcomes
        if (unsaid if outcome.recipient.notify is None else asked in outcome.recipient.notify)
    )


def returned_size(facts: Facts) -> int:
    """Return how much of a message a report brings back, in octets of its wire form.

    A report on anything but a failure brings back the header only (RFC 3461 section 4.3).
    """
    message = facts.message
    limit = {None: _SMALL, Return.FULL: _LARGE, Return.HEADER: 0}[message.envelope.returns]
    whole = facts.action is ReportAction.FAILED and message.size <= limit
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
    if facts.action is not ReportAction.FAILED:
        told = [sender]
    elif not sender:
        # Nobody else would ever learn that a report was lost.
        unreached = {outcome.recipient.address.lower() for outcome in facts.outcomes}
        told = [] if postmaster.lower() in unreached else [postmaster]
    elif settings.recipient is ReportTo.SENDER:
        told = [sender]
    elif settings.recipient is ReportTo.POSTMASTER:
        told = [postmaster or sender]
    else:
        told = [sender, postmaster]
    return tuple({address.lower(): address for address in told if address}.values())
