"""Facts about TLS with the mail servers of recipients, as reports of it need them (RFC 8460).

Reports are not sent from here: whoever writes them subscribes.
"""

from __future__ import annotations

import attrs

from ..outcome.tls import TlsResult


@attrs.frozen(kw_only=True)
class TlsPolicyApplied:
    """A session with a mail server was begun, or was not, by a policy.

    :param account: whose mail it was for.
    :param policy: ``"dane"``, ``"mta-sts"`` or ``"opportunistic"``; in reports ``tlsa``, ``sts``
        and ``no-policy-found``.
    :param domain: whose policy it is (``policy-domain``).
    :param recipient_domain: whose mail it was.
    :param strings: the policy as it was published (``policy-string``).
    :param patterns: of the servers that MTA-STS lets have mail (``mx-host``).
    :param testing: the mail is sent all the same.
    :param server: the name of the mail server (``receiving-mx-hostname``).
    :param address: its address (``receiving-ip``); ``""``: there was no connection.
    :param local_address: ours (``sending-mta-ip``); ``""`` as well.
    :param result: what failed (``result-type``); ``None``: nothing.
    :param reason: the same in words (``failure-reason-code``).
    """

    account: str
    policy: str
    domain: str
    recipient_domain: str
    strings: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    testing: bool = False
    server: str
    address: str = ""
    local_address: str = ""
    result: TlsResult | None = None
    reason: str = ""
