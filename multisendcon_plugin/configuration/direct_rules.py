"""What an account of type "direct" demands, and what is of no use to it.

Its servers are strangers, and there are many: what is about one server or about a login has no
meaning.  Rules of logins and of one server's TLS are for the others.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..routing.account import AccountType
from ..routing.hop import Tls
from .faults import Fault
from .section import Section

_SERVER = "finds the servers of each recipient in the DNS"
_LOGIN = "logs in nowhere"
_CERTIFICATE = "has each domain say what it demands of certificates (MTA-STS, DANE)"
#: Keys that it cannot have, with the reason.
_USELESS = {
    "preset": _SERVER,
    "server": _SERVER,
    "port": "sends to port 25, as RFC 5321 has it",
    "username": _LOGIN,
    "password": _LOGIN,
    "auth": _LOGIN,
    "oauth2": _LOGIN,
    "tls_verify": _CERTIFICATE,
    "tls_name": _CERTIFICATE,
    "tls_fingerprint": _CERTIFICATE,
    "tls_client_certificate": _LOGIN,
    "tls_client_key": _LOGIN,
}


def is_direct(account: Section) -> bool:
    """Tell whether a table is that of an account of type "direct"."""
    return bool(account.given.get("type") == AccountType.DIRECT.value)


def broken_direct_rules(account: Section) -> Iterator[Fault]:
    """Check one such account."""
    for key, reason in _USELESS.items():
        if key in account.given:
            yield account.fault(
                key,
                f'is of no use to an account of type "direct", which {reason}; leave it out, or'
                ' write type = "smtp"',
            )
    if account.value("tls") is Tls.IMPLICIT:
        yield account.fault(
            "tls",
            '"implicit" is not known to the mail servers of recipients; write "auto", or'
            ' "starttls" to send nothing in the clear',
        )
