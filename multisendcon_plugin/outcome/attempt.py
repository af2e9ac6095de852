"""The result of one attempt to deliver: an outcome per recipient, or a fault of the account.

Pure values.  The relay makes them, ``judgement`` decides what follows from them.
"""

from __future__ import annotations

import enum

import attrs

from ..mail.message import Recipient
from ..mail.phase import Phase
from ..mail.reply import Reply
from .failure import Action


class Verdict(enum.StrEnum):
    """What an attempt means for one recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """The connection was lost between the final dot and its reply (RFC 1047)."""


class Scope(enum.Enum):
    """Whom a fault is about."""

    ACCOUNT = "account"
    """The whole account: its server, its login, its local address."""
    DESTINATION = "destination"
    """The servers of one destination; others can be reached."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The verdict for one recipient, and the reply that says so.

    :param action: what follows from the reply; ``None``: the mail was delivered, or there was no
        reply that tells.
    """

    recipient: Recipient
    verdict: Verdict
    phase: Phase
    reply: Reply
    action: Action | None = None

    @property
    def said_by_server(self) -> bool:
        """The reply is what a server has said, and no statement of ours."""
        return self.reply.code > 0 and self.phase is not Phase.DNS


def all_deferred(
    recipients: tuple[Recipient, ...], phase: Phase, reply: Reply, action: Action | None = None
) -> tuple[Outcome, ...]:
    """Return the outcomes of an attempt that says nothing about any recipient."""
    return tuple(
        Outcome(recipient=each, verdict=Verdict.DEFERRED, phase=phase, reply=reply, action=action)
        for each in recipients
    )


@attrs.frozen(kw_only=True)
class AccountFault:
    """The account could not be used: nothing is said about the mail.

    :param action: what follows for the account: one that `Action.stops_account`.
    :param scope: for all of it, or for one destination.
    """

    phase: Phase
    reply: Reply
    action: Action
    scope: Scope = Scope.ACCOUNT

    @classmethod
    def of(
        cls, phase: Phase, reply: Reply, action: Action, scope: Scope = Scope.ACCOUNT
    ) -> AccountFault:
        """Return what the end of a session means for the account, whatever its reply is about."""
        action = action if action.stops_account else Action.REST
        return cls(phase=phase, reply=reply, action=action, scope=scope)

    @property
    def leaves(self) -> bool:
        """Its destination cannot be reached: mail leaves by an account that is meant for that.

        Who demands a certificate there would have it demanded by whoever sends the mail: it waits.
        """
        away = self.scope is Scope.DESTINATION and self.phase is not Phase.TLS
        return away and self.action is not Action.SLOW

    def __str__(self) -> str:
        return f"{self.phase.value}: {self.reply}"


@attrs.frozen(kw_only=True)
class Attempt:
    """One try of a delivery.

    :param outcomes: one for each recipient of the delivery.
    :param fault: set when the account failed; each outcome is then DEFERRED or UNCERTAIN.
    :param mail_ended: when the mail ended that this attempt began with MAIL FROM (seconds
        since the epoch); ``None`` when it got no further than the login.
    :param counted: when the server had counted the mail at the latest, for an account with quotas;
        ``None``: nobody knows, or it is not asked for.
    :param said: recipients that it was told of; ``None``: the same.
    :param session: the session it went over, in words: addresses, TLS.
    :param policy: for TLS that applied, a word of `AppliedPolicy`; ``""``: there are none for the
        account's own server, or it did not come to that.
    :param server: the name of the server that was tried last; ``""``: the account's own.
    :param reports_success: the server has taken it over to tell the sender of success (RFC 3461).
    :param scope: what `possible_fault` is about.
    :param inconclusive: nothing follows from the outcomes for the account or the mail, which is due
        as it was: the next attempt is made in another way.
    :param not_before: nothing was tried, for the server has no room for more of us; when it may
        have (seconds since the epoch).
    """

    outcomes: tuple[Outcome, ...]
    fault: AccountFault | None = None
    mail_ended: float | None = None
    counted: float | None = None
    said: int | None = None
    session: str = ""
    policy: str = ""
    server: str = ""
    reports_success: bool = False
    scope: Scope = Scope.ACCOUNT
    inconclusive: bool = False
    not_before: float | None = None

    @property
    def possible_fault(self) -> AccountFault | None:
        """The fault of the account, if other mails hear the same: see `DEFER_THEN_SLOW`.

        ``None`` when there is a fault already, or the server has taken the mail for somebody.
        """
        if self.fault is not None:
            return None
        # Greylisting says the same of one mail as a server that takes none: only the number of
        # mails that hear it tells the two apart.
        heard = None
        for outcome in self.outcomes:
            if outcome.verdict is Verdict.DELIVERED:
                return None
            if heard is None and outcome.action is Action.DEFER_THEN_SLOW:
                heard = outcome
        if heard is None:
            return None
        return AccountFault.of(heard.phase, heard.reply, Action.SLOW, self.scope)

    def blamed_on(self, fault: AccountFault) -> Attempt:
        """Return it as the account's failure, which says nothing final about any recipient."""
        outcomes = tuple(
            attrs.evolve(each, verdict=Verdict.DEFERRED, action=None)
            if each.verdict is Verdict.FAILED
            else each
            for each in self.outcomes
        )
        return attrs.evolve(self, outcomes=outcomes, fault=fault)

    def of_whole(self, recipients: tuple[Recipient, ...], reply: Reply) -> Attempt:
        """Return it as the attempt of a delivery of which it had the first recipients.

        :param recipients: of the delivery; the others are left to the next transaction.
        :param reply: says why.
        """
        others = recipients[len(self.outcomes) :]
        if not others:
            return self
        left = all_deferred(others, Phase.RCPT, reply, Action.SPLIT)
        return attrs.evolve(self, outcomes=self.outcomes + left)

    @property
    def uncertain(self) -> bool:
        """The mail may have arrived."""
        return any(outcome.verdict is Verdict.UNCERTAIN for outcome in self.outcomes)

    @property
    def moves(self) -> bool:
        """Another account may take the mail over, for all whom it has not reached."""
        if self.fault is not None:
            # Who asks to slow down is there, and takes the mail a little later.  A destination that
            # cannot be reached is a reason to try again (RFC 5321 section 4.5.4.1).
            fault = self.fault
            return fault.action is not Action.SLOW and fault.scope is Scope.ACCOUNT
        moves = delivered = split = False
        for outcome in self.outcomes:
            action = outcome.action
            if outcome.verdict is Verdict.DELIVERED:
                delivered = True
            elif action is Action.MOVE:
                moves = True
            elif action is Action.SPLIT:
                split = True
            elif action is not None and action is not Action.FAIL:
                return False
        # Whom the next transaction would take goes with those who were refused in this one.
        return moves and not (split and delivered)
