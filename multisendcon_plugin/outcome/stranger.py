"""What follows from what the servers of strangers say, those that the DNS names for recipients.

They owe us nothing, and know no account of ours: what a provider's server says of an account is
here about one mail, or about us at that one host.  So nothing is an alarm.  Before a mail is begun,
all is about the host, and another one is tried; what is said of a mail holds as RFC 5321 section
4.2.1 has it: 4yz is tried again, 5yz is not.  Many that refuse our address are another matter, see
`blocked`.  Pure.
"""

from __future__ import annotations

from ..mail.phase import Phase
from ..mail.reply import Reply
from .failure import GREYLISTED, RATE, TRANSACTION, Action, Rule, classify

#: The first row that applies is the answer, where one does.
_RULES = (
    #    where        code    enhanced    what follows            words
    Rule(TRANSACTION, "4..", "", Action.DEFER, GREYLISTED),
    Rule(TRANSACTION, "4..", "", Action.SLOW, RATE),
    # Security or policy (RFC 3463 section 3.8): greylisting, or that we send too much.
    Rule(TRANSACTION, "4..", r"4\.7\.", Action.DEFER_THEN_SLOW),
)
#: What stands for what would be about an account, for 4yz; 5yz is final.
_FOR_NOW = {
    Action.ALARM: Action.DEFER_THEN_SLOW,
    Action.QUOTA: Action.SLOW,
    Action.REST: Action.DEFER,
    Action.SLOW: Action.SLOW,
}


def classify_stranger(phase: Phase, reply: Reply, *, own: tuple[Rule, ...] = ()) -> Action:
    """Return what follows from a reply that is not positive.

    :param own: rows of the account, above the table.
    """
    if reply.code != 421:
        for rule in (*own, *_RULES):
            if rule.applies(phase, reply, login=False):
                return rule.action
    action = classify(phase, reply, own=own)
    if not action.stops_account or reply.code in (0, 421):
        return action
    if phase not in TRANSACTION:
        # RFC 5321 section 3.1: 554 instead of a greeting is about the host; whether the domain has
        # others that take mail is up to section 5.1.
        return Action.SLOW if action in (Action.SLOW, Action.QUOTA) else Action.REST
    return Action.FAIL if reply.permanent else _FOR_NOW[action]


def takes_no_mail(phase: Phase, reply: Reply) -> bool:
    """Tell whether a host says that it never takes any mail (RFC 7504 section 3).

    To try it again later is of no use, unlike after a 554, which may be meant for us, or for now.
    """
    return phase is Phase.GREETING and reply.code == 521
