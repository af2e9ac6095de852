"""What an admin can do about a step of an account test that has failed: which key, on which side.

What a reply means is not decided here: that is `outcome.failure` for accounts and `ndr.diagnosis`
for mails, and the relay has words of its own for what is no reply.  From there, a table leads to a
sentence.  Pure.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..logins.endpoints import endpoints_of
from ..mail.message import Recipient
from ..ndr import diagnosis
from ..outcome.attempt import Outcome, Verdict
from ..outcome.failure import Action, without_addresses
from ..relay.findings import Finding, Problem
from ..routing.account import Account
from ..settings.commands import account_login
from . import advice_direct, powershell
from .advice_rows import BY_DIAGNOSIS, OTHER, PUT_OFF, ROWS

_NULL_SENDER = (
    'Set "null_sender" to "replace" (beside a "fixed_sender"), or to "skip", so that another'
    " account sends reports: this server takes no mail with the null sender."
)
_CONNECTIONS = 'Set "max_connections" to the number that the server allows, or ask for more.'


def advice(account: Account, finding: Finding) -> str:
    """Return a sentence that says what to do about a step; ``""``: nothing."""
    if account.direct:
        return advice_direct.advice(account, finding)
    problem = finding.problem
    if problem is None:
        return ""
    if finding.step == "connections":
        return _CONNECTIONS
    if finding.step == "null sender" and problem.action is Action.FAIL:
        return _NULL_SENDER
    said = without_addresses(str(problem.reply))
    for row in ROWS:
        if row.applies(problem.phase, problem.action, said, account.oauth2):
            return row.advice.format_map(_names(account))
    return _about_mail(problem)


def _names(account: Account) -> dict[str, object]:
    """Return what is named in advice."""
    names: dict[str, object] = {
        name: getattr(account, name) for name in ("server", "port", "username", "helo_domain")
    }
    names["local_address"] = " and ".join(account.local_address)
    names["mailbox"] = account.sasl_user
    names["powershell_mailbox"] = powershell.quoted(account.sasl_user)
    names["login"] = account_login(account.name)
    if account.oauth2:
        names["client_id"] = account.oauth2.client_id
        names["tenant"] = account.oauth2.tenant or "unset"
        url = urlsplit(endpoints_of(account.oauth2).token)
        names["token_host"] = url.hostname
        names["token_port"] = url.port or (443 if url.scheme == "https" else 80)
    return names


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
