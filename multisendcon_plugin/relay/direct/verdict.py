"""What the search for a host that takes a mail has come to, when none does.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ...mail.message import Recipient
from ...mail.phase import Phase
from ...mail.reply import Reply
from ...outcome.attempt import AccountFault, Attempt, Outcome, Scope, Verdict, all_deferred
from ...outcome.failure import Action
from ...outcome.stranger import takes_no_mail
from ...routing.next_hops import NoRouteError


def no_route(recipients: tuple[Recipient, ...], error: NoRouteError) -> Attempt:
    """Return the attempt of a mail for which the DNS has no host."""
    if error.temporary:
        return _deferred(recipients, Phase.DNS, error.reply, Action.REST)
    return _failed(recipients, Phase.DNS, error.reply)


def none_usable(
    recipients: tuple[Recipient, ...],
    faults: Sequence[tuple[str, AccountFault]],
    *,
    all_tried: bool,
) -> Attempt:
    """Return the attempt of a mail for which none of the hosts could be used.

    :param faults: what was wrong with each, by the name of the host, in order; at least one.
    :param all_tried: there are no others.
    """
    # What a server has said tells more than that another one cannot be reached; and that one lacks
    # what TLS is to have tells most: no other account is to send the mail without it.
    name, told = max(
        reversed(faults), key=lambda each: (each[1].phase is Phase.TLS, each[1].reply.code > 0)
    )
    reply = told.reply
    if len(faults) > 1:
        text = f"{reply.text} (from {name}; {len(faults)} mail servers were tried)"
        reply = attrs.evolve(reply, text=text)
    if all_tried and all(takes_no_mail(each.phase, each.reply) for _, each in faults):
        # RFC 5321 section 5.1: that none of them is usable "MUST be reported as an error".
        attempt = _failed(recipients, told.phase, reply)
    else:
        attempt = _deferred(recipients, told.phase, reply, told.action)
    return attrs.evolve(attempt, server=name)


def _failed(recipients: tuple[Recipient, ...], phase: Phase, reply: Reply) -> Attempt:
    outcomes = tuple(
        Outcome(
            recipient=each, verdict=Verdict.FAILED, phase=phase, reply=reply, action=Action.FAIL
        )
        for each in recipients
    )
    return Attempt(outcomes=outcomes, scope=Scope.DESTINATION)


def _deferred(
    recipients: tuple[Recipient, ...], phase: Phase, reply: Reply, action: Action
) -> Attempt:
    fault = AccountFault.of(phase, reply, action, Scope.DESTINATION)
    # Each is tried again by the schedule: nobody is told that the account cannot be used.
    outcomes = all_deferred(recipients, phase, reply, Action.DEFER)
    return Attempt(outcomes=outcomes, fault=fault, scope=Scope.DESTINATION)
