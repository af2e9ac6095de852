"""What a refusal is about, and what follows from it: one table.

RFC 5321 section 4.2.1 and 4.5.4 say that 4xx may go away and 5xx will not; what they do not say is
whether the mail, one recipient or the way out is refused.  Only refusals of a mail or a recipient
are ever reported to its sender.  Pure.
"""

from __future__ import annotations

import enum
import re

import attrs

from .phase import Phase
from .reply import Reply


class Scope(enum.Enum):
    """What a refusal is about."""

    ACCOUNT = "account"
    MESSAGE = "message"
    RECIPIENT = "recipient"


class Action(enum.Enum):
    """What follows from it."""

    FAIL = "fail"
    """Final: the sender is told."""
    DEFER = "defer"
    """Tried again by the retry schedule."""
    SPLIT = "split"
    """The next transaction takes it, at once."""
    REST = "rest"
    """The account rests; its mail waits, or another account takes it over."""
    SLOW = "slow"
    """The account is asked for too much: it rests, and its mail waits for it."""
    ALARM = "alarm"
    """The account rests, and somebody has to look at its login."""


@attrs.frozen
class Rule:
    """One row: which replies it is for, and what they mean.

    :param phases: where in a session.
    :param code: a pattern for the code; `0` is a statement of our own, see `Reply`.
    :param enhanced: a pattern for the beginning of the enhanced status code.
    """

    phases: frozenset[Phase]
    code: str
    enhanced: str
    scope: Scope
    action: Action

    def applies(self, phase: Phase, reply: Reply) -> bool:
        """Tell whether the row is for a reply."""
        return (
            phase in self.phases
            and re.fullmatch(self.code, f"{reply.code:03}") is not None
            and re.match(self.enhanced, reply.enhanced) is not None
        )


_ANY = frozenset(Phase)
_MAIL = frozenset({Phase.MAIL, Phase.DATA, Phase.CONTENT, Phase.END})
_RCPT = frozenset({Phase.RCPT})
_LOGIN = frozenset({Phase.LOGIN})
_SESSION = _ANY - _MAIL - _RCPT - _LOGIN

#: The first row that applies is the answer.
RULES = (
    #    where     code          enhanced      about what        what follows
    # Our own word for a connection that is gone, or was never there.
    Rule(_ANY, "000", r"4\.4\.", Scope.ACCOUNT, Action.REST),
    Rule(_ANY, "421", "", Scope.ACCOUNT, Action.SLOW),
    Rule(_LOGIN, "432|454", "", Scope.ACCOUNT, Action.SLOW),
    # 500 to 504 are about the command, not about what was said with it.
    Rule(_LOGIN, "50[0-4]", "", Scope.ACCOUNT, Action.REST),
    Rule(_LOGIN, "5..", "", Scope.ACCOUNT, Action.ALARM),
    Rule(_LOGIN, "...", "", Scope.ACCOUNT, Action.REST),
    Rule(_SESSION, "...", "", Scope.ACCOUNT, Action.REST),
    # The login is not what the server wants (RFC 4954 section 6).
    Rule(_ANY, "530|534|535|538", "", Scope.ACCOUNT, Action.ALARM),
    # Some servers say so instead of 530.
    Rule(frozenset({Phase.MAIL}), "503", "", Scope.ACCOUNT, Action.REST),
    # Greylisting says 4.7.1 to RCPT; of a whole mail it says that there were too many.
    Rule(_MAIL, "432", "", Scope.ACCOUNT, Action.SLOW),
    Rule(_MAIL, "4..", r"4\.7\.|4\.3\.2", Scope.ACCOUNT, Action.SLOW),
    Rule(_RCPT, "4..", r"4\.3\.2", Scope.ACCOUNT, Action.SLOW),
    Rule(_RCPT, "452", r"4\.5\.3|$", Scope.RECIPIENT, Action.SPLIT),
    Rule(_RCPT, "5..", "", Scope.RECIPIENT, Action.FAIL),
    Rule(_RCPT, "...", "", Scope.RECIPIENT, Action.DEFER),
    Rule(_MAIL, "5..", "", Scope.MESSAGE, Action.FAIL),
    Rule(_MAIL, "...", "", Scope.MESSAGE, Action.DEFER),
)


def classify(phase: Phase, reply: Reply) -> Rule:
    """Find the row for a reply that is not positive."""
    return next(rule for rule in RULES if rule.applies(phase, reply))
