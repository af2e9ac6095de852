"""The table of advice: a sentence on what to do about a step of an account test.

What is about logins stands in `advice_tokens` and `advice_logins`.  Pure.
"""

from __future__ import annotations

from ..mail.phase import Phase
from ..ndr import diagnosis
from ..outcome.failure import TRANSACTION, Action
from . import advice_logins, advice_tokens
from .advice_row import Row

_CONNECT = frozenset({Phase.CONNECT})
_TLS = frozenset({Phase.TLS})
_GREETING = frozenset({Phase.GREETING})
_EHLO = frozenset({Phase.EHLO})
_LOGIN = frozenset({Phase.LOGIN})
_ANY = frozenset(Phase)
_PINNED = '"tls_fingerprint" to the one shown below'


#: The first row that applies is the answer.  Mail has `BY_DIAGNOSIS` behind these.
ROWS = (
    # No connection.
    Row(
        _CONNECT,
        "not an address of this machine",
        'Give this machine the address {local_address}, or set "local_address" to one that it has.',
    ),
    Row(
        _CONNECT,
        "local_address .* cannot be used",
        'Set "local_address" to an address of this machine that may reach {server}, or leave it'
        " out.",
    ),
    Row(
        _CONNECT,
        "which the local address",
        'Set "local_address" to an address of the family that {server} has, or leave it out.',
    ),
    Row(
        _CONNECT,
        "cannot be resolved",
        'Check the name in "server", and whether this machine can ask the DNS'
        " (getent hosts {server}).",
    ),
    Row(
        _CONNECT,
        "no answer for",
        "Let the firewalls on the way, that of this machine and that of its line, pass connections"
        ' to port {port}; many lines close port 25, so 587 or 465 in "port" may work.',
    ),
    Row(
        _CONNECT,
        "refused",
        'Check "server" and "port": nothing listens there (587 is for mail with a login, 465 the'
        " same with TLS from the start, 25 for mail without a login).",
    ),
    Row(
        _CONNECT,
        "unreachable|no route",
        "Check the network: this machine has no way to that address. If another address of the"
        " server works, nothing need be done.",
    ),
    Row(
        _CONNECT,
        "all connections are in use",
        'Test it again when it has less mail, or raise "max_connections" of the account.',
    ),
    Row(
        _CONNECT,
        "others needed the connection",
        'Test it again when there is less mail, or raise the "max_connections" that is named.',
    ),
    Row(
        _CONNECT,
        "shutting down",
        "Test it again when the relay has been started.",
    ),
    Row(_CONNECT, "", 'Check "server" and "port", and the network between here and there.'),
    # No TLS.
    Row(
        _TLS,
        "has expired",
        "Ask the provider to renew the certificate of {server}; meanwhile, if you are sure that it"
        f" is the right server, set {_PINNED}.",
    ),
    Row(
        _TLS,
        "not valid yet",
        "Set the clock of this machine; if it is right, the provider has to change the"
        " certificate of {server}.",
    ),
    Row(
        _TLS,
        "self-signed|unknown authority|not trusted",
        'If it is the right server, set "tls_ca" to a file with the certificate of its authority,'
        f" or {_PINNED}.",
    ),
    Row(
        _TLS,
        "the certificate is not for|common name",
        'Set "server" to a name that the certificate is for, or "tls_name" if {server} is the right'
        " server under another name.",
    ),
    Row(
        _TLS,
        "not the one of tls_fingerprint",
        f"Ask the provider whether the certificate was replaced, and only then set {_PINNED}.",
    ),
    Row(
        _TLS,
        "wants a certificate of ours",
        'Set "tls_client_certificate" to the one that the provider has given you.',
    ),
    Row(
        _TLS,
        "not accept our certificate",
        'Ask the provider which certificate it wants to see, and set "tls_client_certificate" to'
        " that.",
    ),
    Row(
        _TLS,
        "authorities of tls_ca",
        'Set "tls_ca" to a PEM file that the user of the relay can read.',
    ),
    Row(
        _TLS,
        "tls_client_certificate cannot be used",
        'Set "tls_client_certificate" and "tls_client_key" to PEM files that the user of the relay'
        " can read, and that belong together.",
    ),
    Row(
        _TLS,
        "certificate",
        f"Ask the provider about the certificate of {{server}}; if it is right, set {_PINNED}.",
    ),
    Row(
        _TLS,
        "does not offer STARTTLS",
        'Set "port" to one with TLS: 587, or 465 with "tls" on "auto". Without a login, "tls" on'
        ' "opportunistic" or "none" sends the mail in the clear.',
    ),
    Row(
        _TLS,
        "does not answer with TLS|not a reply of an SMTP server",
        'Port {port} does not begin with TLS, or has no mail server: set "tls" to "starttls", or'
        ' "port" to the one for TLS from the start, 465.',
    ),
    Row(
        _TLS,
        "newer than TLS 1.1",
        "The server has to be renewed by whoever runs it: it has no TLS 1.2, and older versions are"
        " not safe.",
    ),
    Row(
        _TLS,
        "only old ciphers",
        'Set "tls_ciphers" to ciphers that the server has, and ask whoever runs it for newer ones.',
    ),
    Row(
        _TLS,
        "data arrived between",
        "Do not use the account before the provider has explained it: somebody between here and the"
        " server may have changed what it says.",
    ),
    # The server is there, and says nothing, or something else.
    Row(
        _GREETING,
        "expect TLS from the start",
        'Set "tls" to "implicit" if port {port} is for TLS from the start, as 465 is; else check'
        ' "server" and "port", and firewalls that look into mail.',
    ),
    Row(
        _ANY,
        "not a reply of an SMTP server|bare LF, but others",
        'Check "server" and "port": what answers there is no mail server that keeps to SMTP.',
    ),
    Row(
        _LOGIN,
        "did not answer",
        "Test it again later; if it lasts, ask the provider why logins are not answered.",
    ),
    Row(
        _ANY,
        "did not answer|was not ready",
        "Test it again later; if it lasts, ask the provider why the server falls silent, and look"
        " for firewalls on the way that look into mail.",
    ),
    Row(
        _GREETING,
        "closed the connection|connection was lost",
        "Ask the provider whether it turns this machine away by its address; if port {port} is for"
        ' TLS from the start, set "tls" to "implicit".',
    ),
    Row(
        _ANY - TRANSACTION - _LOGIN,
        "closed the connection|connection was lost",
        "Test it again later; if it lasts, ask the provider why the server hangs up.",
    ),
    Row(
        _TLS,
        "",
        'Ask the provider which port has TLS; "port" 465 with "tls" on "auto" may work where'
        " STARTTLS does not.",
    ),
    Row(
        _GREETING | _EHLO,
        "",
        "Test it again later; if it lasts, ask the provider whether it limits connections from this"
        ' machine, and set "max_connections" to what it allows.',
        Action.SLOW,
    ),
    Row(
        _GREETING | _EHLO,
        "",
        "Wait until the provider's limit is over, or ask for a higher one.",
        Action.QUOTA,
    ),
    Row(
        _GREETING,
        "",
        "Ask the provider to admit the address of this machine, or set"
        ' "local_address" to one that it admits.',
    ),
    Row(
        _EHLO,
        "",
        'Set "helo_domain" to the name that the DNS has for the address of this machine, or ask the'
        " provider which name it wants instead of {helo_domain}.",
    ),
    *advice_tokens.ROWS,
    *advice_logins.ROWS,
    # Mail.
    Row(
        TRANSACTION,
        "(?:the message has .* bytes)",
        "The server takes smaller mails only: ask the provider for more, or send large mail by"
        " another account.",
    ),
    Row(
        TRANSACTION,
        "SMTPUTF8",
        "The server takes addresses in ASCII only: use another address, or another account for"
        " such mail.",
    ),
    Row(
        TRANSACTION,
        r"^530|^503|authenti\w+ (?:is )?(?:required|needed)|must (?:first )?authenticate",
        'Set "username" and "password": the server takes no mail without a login.',
    ),
    Row(
        TRANSACTION,
        "relay",
        'Set "username" and "password", or ask the provider to let this machine relay: the server'
        " passes on no mail for strangers.",
    ),
    Row(
        TRANSACTION,
        "closed the connection|connection was lost",
        "Test it again later; if it lasts, ask the provider why the server hangs up, and whether it"
        " has the mail.",
    ),
    Row(
        TRANSACTION, "", "Wait until the provider's quota has room, or ask for more.", Action.QUOTA
    ),
    Row(
        TRANSACTION,
        "",
        'Test it again later: the server is busy, or gets too much. Set "minimum_wait", or fewer'
        ' "max_connections".',
        Action.SLOW,
    ),
    Row(
        TRANSACTION,
        "",
        "Ask the provider why it blocks the account, or what is missing in its settings there.",
        Action.ALARM,
    ),
)
PUT_OFF = "Test it again in some minutes: the server puts the mail off, and would get it again."
OTHER = "Ask the provider what the reply means; it says why the server does not take the mail."
BY_DIAGNOSIS = {
    diagnosis.SENDER_REFUSED: (
        'Set "fixed_sender" to an address that the account may send as, or have the provider allow'
        " this one."
    ),
    diagnosis.OWN_MAILBOX_FULL: "Make room in the mailbox of the account.",
    diagnosis.UNKNOWN_ADDRESS: "Check the address that the mail was to be sent to.",
    diagnosis.UNKNOWN_DOMAIN: "Check the address that the mail was to be sent to.",
    diagnosis.MAILBOX_FULL: "Send the mail to another address: the mailbox of this one is full.",
    diagnosis.REFUSED: (
        "Ask the provider by which rule it refuses the mail, for example one against spam."
    ),
    diagnosis.TOO_LARGE: "Ask the provider for a higher limit on the size of mails.",
}
