"""What is told of a policy for TLS that was applied, as reports of it need it (RFC 8460)."""

from __future__ import annotations

import attrs

from ...events import TlsPolicyApplied
from ...interfaces.policies import HostPolicy
from ...mail.phase import Phase
from ...outcome.tls import TlsFinding, TlsResult
from ..broken import SessionBrokenError
from ..sender import AccountSender


@attrs.frozen
class Told:
    """What came of it.

    :param address: of the server; ``""``: it was not connected.
    :param local_address: ours, of a session that was opened.
    """

    finding: TlsFinding | None
    address: str = ""
    local_address: str = ""


def session_told(met: AccountSender | SessionBrokenError, policy: HostPolicy) -> Told | None:
    """Return what there is to tell of a session; ``None``: it ended before TLS."""
    finding = met.tls_finding or policy.finding
    if isinstance(met, AccountSender):
        return Told(finding, met.server, met.local)
    if met.phase is not Phase.TLS:
        return None
    return Told(finding or TlsFinding(TlsResult.VALIDATION_FAILURE, met.reply.text), met.address)


def policy_applied(
    account: str, server: str, policy: HostPolicy, destination: str, told: Told
) -> TlsPolicyApplied:
    """Return the event.

    :param account: its name, as that of the mail server.
    :param destination: the domain of the recipients.
    """
    finding = told.finding
    return TlsPolicyApplied(
        account=account,
        policy=policy.name,
        domain=policy.domain,
        recipient_domain=destination,
        strings=policy.strings,
        patterns=policy.patterns,
        testing=policy.testing,
        server=server,
        address=told.address,
        local_address=told.local_address,
        result=finding.result if finding else None,
        reason=finding.text if finding else "",
    )
