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


@attrs.frozen
class UnusableHost:
    """A host to which a mail was not sent.

    :param policy: see `Attempt`.
    :param fault: why.
    """

    name: str
    policy: str
    fault: AccountFault


def no_route(recipients: tuple[Recipient, ...], error: NoRouteError) -> Attempt:
    """Return the attempt of a mail for which the DNS has no host."""
    if error.any_domain:
        # It is ours: the account rests, and a fallback may take over.
        fault = AccountFault.of(Phase.DNS, error.reply, Action.REST)
        outcomes = all_deferred(recipients, Phase.DNS, error.reply, fault.action)
        return Attempt(outcomes=outcomes, fault=fault)
    if error.temporary:
        return _deferred(recipients, Phase.DNS, error.reply, Action.REST)
    return _failed(recipients, Phase.DNS, error.reply)


def none_usable(
    recipients: tuple[Recipient, ...],
    faults: Sequence[UnusableHost],
    *,
    all_tried: bool,
) -> Attempt:
    """Return the attempt of a mail for which none of the hosts could be used.

    :param faults: the hosts, in order; at least one.
    :param all_tried: there are no others.
    """
    # What a server has said tells more than that another one cannot be reached; and that one lacks
    # what TLS is to have tells most: no other account is to send the mail without it.
    host = max(
        reversed(faults),
        key=lambda each: (each.fault.phase is Phase.TLS, each.fault.reply.code > 0),
    )
    told = host.fault
    reply = told.reply
    if len(faults) > 1:
        text = f"{reply.text} (from {host.name}; {len(faults)} mail servers were tried)"
        reply = attrs.evolve(reply, text=text)
    if all_tried and all(takes_no_mail(each.fault.phase, each.fault.reply) for each in faults):
        # RFC 5321 section 5.1: that none of them is usable "MUST be reported as an error".
        attempt = _failed(recipients, told.phase, reply)
    else:
        attempt = _deferred(recipients, told.phase, reply, told.action)
    return attrs.evolve(attempt, server=host.name, policy=host.policy)


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
