"""What becomes of each recipient of a mail, while its transaction is under way.

The first outcome of a recipient stands, but for a fault of the account: that says nothing about
anybody.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from ..mail.message import Recipient
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import AccountFault, Outcome, Verdict
from ..outcome.failure import Action

#: The number of recipients that a server takes, as it says when there are more.
_NUMBER = re.compile(r"(?:exceed|max|limit|than|most|up to)\D{0,20}(\d{1,6})\b", re.IGNORECASE)


class RecipientOutcomes:
    """The outcomes of one transaction.

    :param most: recipients that the server takes in one transaction.
    :ivar most: lower than given when the server has refused the whole mail because of the number
        of its recipients; the mail has to be tried again with as many.
    :ivar fault: the account is at fault.
    """

    def __init__(self, recipients: tuple[Recipient, ...], most: float) -> None:
        self._recipients = recipients
        self._outcomes: list[Outcome | None] = [None] * len(recipients)
        self.most = most
        self.fault: AccountFault | None = None

    def all(self) -> tuple[Outcome, ...]:
        """Return one outcome for each recipient, in their order, when all have one."""
        return tuple(filter(None, self._outcomes))

    def conclude(
        self,
        verdict: Verdict,
        phase: Phase,
        reply: Reply,
        action: Action | None,
        positions: Iterable[int] | None = None,
    ) -> None:
        """Set an outcome for recipients that have none yet.

        :param positions: theirs; ``None``: those of all.
        """
        outcomes = self._outcomes
        for position in range(len(outcomes)) if positions is None else positions:
            if outcomes[position] is None:
                outcomes[position] = Outcome(
                    recipient=self._recipients[position],
                    verdict=verdict,
                    phase=phase,
                    reply=reply,
                    action=action,
                )

    def refuse_all(self, phase: Phase, reply: Reply, action: Action) -> None:
        """Set what follows from a refusal of the whole mail."""
        if action is Action.SPLIT:
            action = self._ask_fewer(reply)
        self.conclude(_verdict(action), phase, reply, action)

    def refuse(
        self, refused: Mapping[int, tuple[Reply, Action]], phase: Phase, *, others: bool
    ) -> None:
        """Set what follows from refusals of some recipients.

        Where the server takes other recipients, a refusal that speaks of the account is about the
        recipient ("relay access denied").  Where it takes none, one that speaks of too many (452,
        552, x.5.3) cannot be about their number.

        :param others: the server has accepted some recipients.
        """
        for position, (reply, said) in refused.items():
            action = said
            verdict = _verdict(action)
            if action.stops_account:
                if not others:
                    self.blame(phase, reply, action)
                    return
                firm = reply.permanent and action in (Action.REST, Action.ALARM)
                action = Action.MOVE if firm else Action.DEFER
                verdict = Verdict.FAILED if firm else Verdict.DEFERRED
            elif action is Action.SPLIT and not others:
                action = _without_split(reply)
                verdict = _verdict(action)
            self.conclude(verdict, phase, reply, action, [position])

    def blame(self, phase: Phase, reply: Reply, action: Action) -> None:
        """Set a fault of the account; those who were refused before it are deferred as well."""
        self.fault = AccountFault.of(phase, reply, action)
        self.conclude(Verdict.DEFERRED, phase, reply, self.fault.action)
        for position, outcome in enumerate(self._outcomes):
            if outcome is not None and outcome.verdict is Verdict.FAILED:
                self._outcomes[position] = attrs.evolve(
                    outcome, verdict=Verdict.DEFERRED, action=None
                )

    def _ask_fewer(self, reply: Reply) -> Action:
        """Lower `most`: the server has refused the whole mail for the number of its recipients.

        To as many as its reply names, or else to half; a refusal of a single recipient cannot be
        about their number.
        """
        taken = self._outcomes.count(None)
        if taken < 2:
            return _without_split(reply)
        found = _NUMBER.search(reply.text)
        told = int(found[1]) if found else 0
        self.most = told if 0 < told < taken else taken // 2
        return Action.SPLIT


def _verdict(action: Action) -> Verdict:
    """Return what a refusal means for the recipients that it is about."""
    return Verdict.FAILED if action is Action.FAIL else Verdict.DEFERRED


def _without_split(reply: Reply) -> Action:
    return Action.FAIL if reply.permanent else Action.DEFER
