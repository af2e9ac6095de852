"""The table of advice about accounts of type direct: there is no provider who could be asked.

What a blocklist has done is known by `outcome.blocked`; what a reply says of a mail, by
`ndr.diagnosis`.  Pure.
"""

from __future__ import annotations

import re

import attrs

from ..outcome.blocked import blocked
from ..relay.findings import Finding
from ..routing.account import Account

#: In which a server says something of us; ``""`` is for mail, of an account at fault.
_CONNECTED = ("greeting", "ehlo", "mail", "")


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


@attrs.frozen
class _Row:
    """One row.

    :param steps: in which it applies; none: in each.
    :param words: are looked for in what the step has found.
    :param failed: whether the step has.
    """

    steps: tuple[str, ...]
    words: re.Pattern[str] = attrs.field(converter=_pattern)
    advice: str
    failed: bool = attrs.field(default=True, kw_only=True)

    def applies(self, finding: Finding) -> bool:
        said = finding.result or str(finding.problem and finding.problem.reply)
        return (
            self.failed == (finding.problem is not None)
            and (not self.steps or finding.step in self.steps)
            and self.words.search(said) is not None
        )


_BLOCKED = (
    "Look the address {address} up in the blocklist that the server names, or in those that most"
    " servers ask (Spamhaus); find out what it was listed for before you ask to have it removed."
)
#: The first row that applies is the answer.
_ROWS = (
    # What is worth a word although the step went well.
    _Row(
        ("dnssec",),
        "no answer",
        'DANE is off: "servers" of [dns] has to name a resolver that verifies (DNSSEC), such as'
        " unbound with the key of the root, and that runs on this machine; one on another machine"
        ' is believed with "trust_ad".',
        failed=False,
    ),
    _Row(
        ("ptr",),
        "private address",
        "Find out from which address mail of this machine reaches others, and look at its name and"
        " back: both have to be in the DNS.",
        failed=False,
    ),
    _Row(
        ("local address",),
        "^the system chooses$",
        "Check the network: this machine has no way to the Internet.",
        failed=False,
    ),
    _Row(
        ("port 25",),
        "",
        "Say to whom a mail may be sent (--to ADDRESS): then the way to the mail servers of that"
        " domain is tried.",
        failed=False,
    ),
    # The DNS.
    _Row(
        ("dns",),
        "",
        'Check "servers" of [dns], and whether a resolver runs there (such as unbound on this'
        " machine): while none answers, the mail of the account waits.",
    ),
    _Row(
        ("ptr",),
        "has no name",
        "Have whoever gave you the address {address} set its name in the reverse DNS (PTR) to"
        " {helo}: large receivers reject mail from addresses without one.",
    ),
    _Row(
        ("ptr",),
        "has the name",
        "Let the name in the reverse DNS have the address {address} again: add it to the DNS of"
        " that name, or have whoever gave you the address change its name (PTR) to {helo}.",
    ),
    _Row(
        ("helo",),
        "is an address|is no full name",
        'Set "helo_domain" of the account to the name that the reverse DNS has for {address}.',
    ),
    _Row(
        ("helo",),
        "has not the address|has no address",
        'Set "helo_domain" of the account to the name that the reverse DNS has for {address}, or'
        " add that address to the DNS of {helo}.",
    ),
    _Row(("ptr", "helo"), "", "Test it again later: the DNS does not answer this."),
    _Row(
        ("mx",),
        "loops back",
        "Send to another domain for the test, or have another account take this one: the DNS says"
        ' that this relay has its mailboxes ("hostname" or "helo_domain").',
    ),
    _Row(
        ("mx",),
        "allow_private",
        'Set "allow_private" of [dns] to true if mail servers of this domain are in your own'
        " network; else its DNS is wrong.",
    ),
    _Row(
        ("mx",),
        "no such local_address|which local_address needs",
        'Add an address of the other family to "local_address" of the account, or let another'
        " account take mail to this domain.",
    ),
    _Row(
        ("mx",),
        "does not exist|takes no mail|no mail server|has an address",
        "Check the address that the mail was to be sent to.",
    ),
    _Row(
        ("mx",),
        "SERVFAIL",
        "Test another domain: if that can be looked up, the DNS of this one is broken, or its"
        " signatures are (DNSSEC), and its postmaster has to mend it; if none can, look at your"
        " resolver.",
    ),
    _Row(
        ("mx",),
        "",
        "Test it again later, and with another domain: if no domain can be looked up, check"
        ' "servers" of [dns].',
    ),
    # The way to a mail server.
    _Row(
        ("policy",),
        "",
        "Mail to this server waits as its domain wants it: test with another domain, and tell the"
        " postmaster of this one if it lasts.",
    ),
    _Row(
        ("local address", "connect", ""),
        "not an address of this machine|local_address .* cannot be used",
        'Give this machine the address, or set "local_address" to one that it has.',
    ),
    _Row(
        ("connect",),
        "no answer for|timed out|refused|unreachable|no route|prohibited|permission",
        "If other domains fail in the same way, whoever gives you access to the Internet blocks"
        " port 25: ask them to open it, or send by an account of a provider. Look at the firewall"
        " of this machine, too.",
    ),
    _Row(
        ("wait",),
        "",
        'Test it again when it has less mail, or raise "max_connections" of the account.',
    ),
    _Row(
        ("tls",),
        "",
        "The server has no TLS as its domain, or the account, demands it; nothing is sent in the"
        " clear. Test with another domain, and tell the postmaster of this one if it lasts.",
    ),
    _Row(
        _CONNECTED,
        r"\bptr\b|reverse|rdns|iprev|4\.7\.25|5\.7\.25|forward[- ]confirmed",
        "See the steps ptr and helo: the address of this machine needs a name that has it again.",
    ),
    _Row(
        _CONNECTED,
        r"\bhelo\b|\behlo\b",
        'Set "helo_domain" of the account to the name that the reverse DNS has for its address.',
    ),
    _Row(
        _CONNECTED,
        "spf|dkim|dmarc|5\\.7\\.(?:2[0-46]|1[23])\\b",
        "Let the DNS of the sender's domain name the address of this machine (SPF), and sign its"
        " mail (DKIM).",
    ),
    _Row(
        ("mail",),
        "^4",
        "Test it again in some minutes: many servers put off the first mail of a stranger, and"
        " would get it again.",
    ),
    _Row(
        ("mail",),
        r"[45]\.1\.\d|no such user|unknown|does not exist",
        "Check the address that the mail was to be sent to.",
    ),
    _Row(
        ("mail",),
        "",
        "The reply says why the server does not take the mail; if it is about this machine, look at"
        " the other steps, and at blocklists.",
    ),
)
_OTHER = (
    "Test it again later, and with another domain; if it lasts, look for firewalls on the way that"
    " look into mail."
)


def advice(account: Account, finding: Finding) -> str:
    """Return a sentence that says what to do about a step of a direct account; ``""``: nothing."""
    address = finding.address
    if finding.problem is not None and finding.step in _CONNECTED:
        found = blocked(finding.problem.reply, account.local_address)
        if found is not None:
            address = found.address or " and ".join(account.local_address) or "of this machine"
            return _BLOCKED.format(address=address)
    for row in _ROWS:
        if row.applies(finding):
            return row.advice.format(address=address, helo=account.helo_domain)
    return "" if finding.problem is None else _OTHER
