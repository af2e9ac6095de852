"""What an explanation of a mail says: the names of its fields are those of the JSON.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..routing.account import AccountType
from ..routing.reasons import Consideration
from .values import Quota


@attrs.frozen(kw_only=True)
class ExplainedRecipient:
    """A recipient, and what each account has to do with it.

    :param account: takes it; ``None``: nobody does, so the mail is refused for this recipient.
    :param accounts: all of them, in order of priority.
    """

    address: str
    account: str | None
    accounts: tuple[Consideration, ...]


@attrs.frozen(kw_only=True)
class ExplainedEnvelope:
    """What is said in MAIL and RCPT; ``""`` is the null reverse-path."""

    sender: str
    recipients: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ExplainedSession:
    """How the session with the account's server begins.

    :param server: ``""``: the mail servers of the recipients, see `ExplainedRoute`.
    :param tls: ``auto``, ``implicit``, ``starttls``, ``opportunistic`` or ``none``.
    :param tls_required: without TLS, nothing is sent.
    :param local_address: of a pair, both with a comma between; ``None``: the system chooses.
    :param username: ``""``: no login.
    :param login: ``none``, ``password`` or ``token``.
    :param mailbox: the name to log in with; ``""``: no login.
    :param auth: how to log in; ``auto``: by what the server offers.
    """

    server: str
    port: int
    tls: str
    tls_required: bool
    local_address: str | None
    helo: str
    username: str
    login: str
    mailbox: str
    auth: str


@attrs.frozen(kw_only=True)
class ExplainedLimits:
    """What the account's settings limit.

    :param max_recipients: of one mail, others follow in further ones; ``None``: any number.
    :param minimum_wait: seconds between two mails.
    :param quota: with what is used of each now.
    :param over_quota: while a quota has no room, mail does ``wait``, or takes its ``fallback``.
    """

    max_recipients: int | None
    max_connections: int
    max_mails_per_connection: int
    minimum_wait: float
    quota: tuple[Quota, ...]
    over_quota: str


@attrs.frozen(kw_only=True)
class ExplainedHeader:
    """The header block as it is given, and as it leaves."""

    before: str
    after: str


@attrs.frozen(kw_only=True)
class ExplainedHost:
    """A mail server of a domain.

    :param name: as the DNS has it, or an address.
    :param preference: of its MX record: the lowest is tried first, equal ones in any order.
    :param addresses: in the order in which they are tried.
    :param policy: ``mta-sts``, ``dane`` or ``opportunistic``.
    :param testing: failures of the policy are told, not obeyed.
    :param tls: how sessions with it begin: ``starttls``, ``opportunistic`` or ``none``; ``None``:
        it must not be used now.
    :param tls_required: without TLS, nothing is sent to it.
    :param why: who demands that, or why it must not be used.
    """

    name: str
    preference: int
    addresses: tuple[str, ...]
    policy: str
    testing: bool
    tls: str | None
    tls_required: bool
    why: str


@attrs.frozen(kw_only=True)
class ExplainedRoute:
    """Where mail to one domain goes.

    :param destination: the domain, or an address literal.
    :param hosts: its mail servers, in the order in which they are tried; none: see `problem`.
    :param problem: why there is no way, as a sender would read it; ``""``: there is one.
    :param temporary: there may be one later, so that the mail waits.
    """

    destination: str
    hosts: tuple[ExplainedHost, ...] = ()
    problem: str = ""
    temporary: bool = False


@attrs.frozen(kw_only=True)
class Departure:
    """What would be sent by one account, if its server takes addresses beyond ASCII where needed.

    :param name: of the account.
    :param fallbacks: the accounts that would take over, one after the other, while it cannot be
        used.
    :param size: octets of the content, as MAIL says it.
    :param routes: of an account of type direct, where the mail goes, for each domain; ``None``: of
        another account, or nobody has asked the DNS.
    """

    name: str
    fallbacks: tuple[str, ...]
    envelope: ExplainedEnvelope
    session: ExplainedSession
    limits: ExplainedLimits
    header: ExplainedHeader
    size: int
    type: str = AccountType.SMTP.value
    routes: tuple[ExplainedRoute, ...] | None = None


@attrs.frozen(kw_only=True)
class Explanation:
    """All about a mail.

    :param accounts: those that take a recipient at least.
    """

    sender: str
    recipients: tuple[ExplainedRecipient, ...]
    accounts: tuple[Departure, ...]

    def with_quotas(self, quotas: Mapping[str, tuple[Quota, ...]]) -> Explanation:
        """Return it with what is used of quotas, by the name of the account."""
        accounts = tuple(
            attrs.evolve(
                each,
                limits=attrs.evolve(each.limits, quota=quotas.get(each.name, each.limits.quota)),
            )
            for each in self.accounts
        )
        return attrs.evolve(self, accounts=accounts)
