"""What came of one try of a delivery: an outcome per recipient, or a fault of the account.

Pure values.  The relay makes them, ``settle`` decides what follows from them.
"""

from __future__ import annotations

import enum

import attrs

from .failure import Action, Scope, classify
from .message import Recipient
from .phase import Phase
from .reply import Reply


class Verdict(enum.Enum):
    """What an attempt means for one recipient."""

    __hash__ = object.__hash__  # see `Phase`

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """The connection was lost between the final dot and its reply."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The verdict for one recipient, and the reply that says so."""

    recipient: Recipient
    verdict: Verdict
    phase: Phase
    reply: Reply


def all_deferred(
    recipients: tuple[Recipient, ...], phase: Phase, reply: Reply
) -> tuple[Outcome, ...]:
    """Return the outcomes of an attempt that says nothing about any recipient."""
    return tuple(
        Outcome(recipient=each, verdict=Verdict.DEFERRED, phase=phase, reply=reply)
        for each in recipients
    )


@attrs.frozen(kw_only=True)
class AccountFault:
    """The account could not be used: nothing is said about the mail."""

    phase: Phase
    reply: Reply

    @property
    def action(self) -> Action:
        """What follows for the account: REST, SLOW or ALARM."""
        rule = classify(self.phase, self.reply)
        return rule.action if rule.scope is Scope.ACCOUNT else Action.REST

    def __str__(self) -> str:
        return f"{self.phase.value}: {self.reply}"


@attrs.frozen(kw_only=True)
class Attempt:
    """One try of a delivery.

    :param outcomes: one for each recipient of the delivery.
    :param fault: set when the account failed; each outcome is then DEFERRED or UNCERTAIN.
    :param mail_ended: when the mail ended that this attempt began with MAIL FROM (seconds
        since the epoch); ``None`` when it got no further than the login.
    :param session: the session it went over, in words: addresses, TLS.
    :param reports_success: the server has taken it over to tell the sender of success (RFC 3461).
    """

    outcomes: tuple[Outcome, ...]
    fault: AccountFault | None = None
    mail_ended: float | None = None
    session: str = ""
    reports_success: bool = False
