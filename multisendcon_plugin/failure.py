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


class Action(enum.Enum):
    """What follows from it."""

    FAIL = "fail"
    """Final: the sender is told."""
    DEFER = "defer"
    """Tried again by the retry schedule."""
    DEFER_THEN_SLOW = "defer, then slow"
    """Tried again by the retry schedule; when several different mails in a row hear it, the account
    slows.  It may be about the one mail (greylisting) or about all of them."""
    SPLIT = "split"
    """The next transaction takes it, at once."""
    REST = "rest"
    """The account rests; its mail waits, or another account takes it over."""
    SLOW = "slow"
    """The account is asked for too much: it rests, and its mail waits for it."""
    QUOTA = "quota"
    """The account has used up its quota: it rests for long, and another one takes its mail over."""
    ALARM = "alarm"
    """The account rests, and somebody has to look at its login."""

    @property
    def stops_account(self) -> bool:
        """It is about the account, and says nothing about the mail."""
        return self in _STOPPING


_STOPPING = frozenset({Action.REST, Action.SLOW, Action.QUOTA, Action.ALARM})


@attrs.frozen
class Rule:
    """One row: which replies it is for, and what follows from them.

    :param phases: where in a session.
    :param code: a pattern for the code; `0` is a statement of our own, see `Reply`.
    :param enhanced: a pattern for the beginning of the enhanced status code.
    :param action: what follows.
    :param words: a pattern for something in the text; case does not matter.
    :param login: the account has one (True), or none (False); ``None``: it does not matter.
    """

    phases: frozenset[Phase]
    code: str
    enhanced: str
    action: Action
    words: str = ""
    login: bool | None = None

    def applies(self, phase: Phase, reply: Reply, *, login: bool) -> bool:
        """Tell whether the row is for a reply."""
        return (
            phase in self.phases
            and self.login in (None, login)
            and re.fullmatch(self.code, f"{reply.code:03}") is not None
            and re.match(self.enhanced, reply.enhanced) is not None
            and re.search(self.words, reply.text, re.IGNORECASE) is not None
        )


_ANY = frozenset(Phase)
_MAIL = frozenset({Phase.MAIL, Phase.DATA, Phase.CONTENT, Phase.END})
_RCPT = frozenset({Phase.RCPT})
_END = frozenset({Phase.END})
_LOGIN = frozenset({Phase.LOGIN})
_SESSION = _ANY - _MAIL - _RCPT - _LOGIN

#: The first row that applies is the answer.
RULES = (
    #    where     code          enhanced      what follows
    # Our own word for a connection that is gone, or was never there.
    Rule(_ANY, "000", r"4\.4\.", Action.REST),
    Rule(_ANY, "421", "", Action.SLOW),
    Rule(_LOGIN, "432|454", "", Action.SLOW),
    # 500 to 504 are about the command, not about what was said with it.
    Rule(_LOGIN, "50[0-4]", "", Action.REST),
    Rule(_LOGIN, "5..", "", Action.ALARM),
    Rule(_LOGIN, "...", "", Action.REST),
    Rule(_SESSION, "...", "", Action.REST),
    # The login is not what the server wants (RFC 4954 section 6).
    Rule(_ANY, "530|534|535|538", "", Action.ALARM),
    # Some servers say so instead of 530.
    Rule(frozenset({Phase.MAIL}), "503", "", Action.REST),
    # Greylisting says 4.7.1, to RCPT or, by rspamd, after the dot.
    Rule(_MAIL, "432", "", Action.SLOW),
    Rule(_END, "4..", r"4\.7\.1$", Action.DEFER_THEN_SLOW),
    Rule(_MAIL, "4..", r"4\.7\.|4\.3\.2", Action.SLOW),
    Rule(_RCPT, "4..", r"4\.3\.2", Action.SLOW),
    Rule(_RCPT, "452", r"4\.5\.3|$", Action.SPLIT),
    Rule(_ANY, "5..", "", Action.FAIL),
    Rule(_ANY, "...", "", Action.DEFER),
)


def classify(
    phase: Phase, reply: Reply, *, login: bool = False, own: tuple[Rule, ...] = ()
) -> Action:
    """Return what follows from a reply that is not positive.

    :param login: the account has one.
    :param own: rows of the account, above the table.
    """
    return next(rule.action for rule in (*own, *RULES) if rule.applies(phase, reply, login=login))


#: What refuses one connection more, if it is said while other sessions of the account work.
_ONE_TOO_MANY = (
    Rule(_ANY, "432", "", Action.SLOW),  # Exchange, at any time
    Rule(_SESSION | _LOGIN, "4..", "", Action.SLOW),
    Rule(
        _ANY,
        "[45]..",
        "",
        Action.SLOW,
        words=r"(concurrent|simultaneous|too many|maximum)\b.*(connection|session|login)"
        r"|(connection|session|thread)s? limit",
    ),
)


def is_one_too_many(phase: Phase, reply: Reply) -> bool:
    """Tell whether a reply says that there may be no more connections than those that work."""
    return any(rule.applies(phase, reply, login=True) for rule in _ONE_TOO_MANY)
