"""What an admin can do about a step of an account test that has failed: which key, on which side.

What a reply means is not decided here: that is `outcome.failure` for accounts and `ndr.diagnosis`
for mails, and the relay has words of its own for what is no reply.  From there, a table leads to a
sentence.  Pure.
"""

from __future__ import annotations

from ..mail.message import Recipient
from ..ndr import diagnosis
from ..outcome.attempt import Outcome, Verdict
from ..outcome.failure import Action, without_addresses
from ..relay.findings import Finding, Problem
from ..routing.account import Account
from .advice_rows import BY_DIAGNOSIS, OTHER, PUT_OFF, ROWS

#: Settings that are named in advice.
_NAMES = ("server", "port", "local_address", "username", "helo_domain")
_NULL_SENDER = (
    'Set "null_sender" to "replace" (beside a "fixed_sender"), or to "skip", so that another'
    " account sends reports: this server takes no mail with the null sender."
)
_CONNECTIONS = 'Set "max_connections" to the number that the server allows, or ask for more.'


def advice(account: Account, finding: Finding) -> str:
    """Return a sentence that says what to do about a step; ``""``: it went well."""
    problem = finding.problem
    if problem is None:
        return ""
    if finding.step == "connections":
        return _CONNECTIONS
    if finding.step == "null sender" and problem.action is Action.FAIL:
        return _NULL_SENDER
    said = without_addresses(str(problem.reply))
    for row in ROWS:
        if (
            problem.phase in row.phases
            and row.action in (None, problem.action)
            and row.words.search(said)
        ):
            return row.advice.format_map({name: getattr(account, name) for name in _NAMES})
    return _about_mail(problem)


def _about_mail(problem: Problem) -> str:
    if problem.action is not Action.FAIL:
        return PUT_OFF
    outcome = Outcome(
        recipient=Recipient(address="", reason=""),
        verdict=Verdict.FAILED,
        phase=problem.phase,
        reply=problem.reply,
        action=problem.action,
    )
    return BY_DIAGNOSIS.get(diagnosis.diagnose(outcome), OTHER)
