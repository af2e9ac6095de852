"""The two servers that are compared."""

from __future__ import annotations

import json

from tests.benchmarks.postfix import Postfix
from tests.interop.relay import Relay, account

#: Most connections to the sink, for both.
CONNECTIONS = 20


class Multisendcon(Relay):
    """The relay with one account.

    :param sink: the account's server.
    :param login: how to log in there, by STARTTLS; None: no TLS and no login.
    """

    name = "multisendcon"

    def __init__(self, folder, sink, login=None):
        settings = {"max_connections": CONNECTIONS}
        if login:
            strings = {
                "tls": "starttls",
                "tls_ca": login.ca,
                "username": login.username,
                "password": login.password,
            }
            settings |= {key: json.dumps(value) for key, value in strings.items()}
        super().__init__(folder, account("Sink", sink.address, sink.port, **settings))


class PrivatePostfix(Postfix):
    """A Postfix with the sink as its relay host; arguments as above."""

    name = "Postfix"
    settings = ""

    def __init__(self, folder, sink, login=None):
        more = self.settings + (_log_in(sink, login) if login else "")
        super().__init__(folder, sink, CONNECTIONS, more)


class HoldingPostfix(PrivatePostfix):
    """One whose clients hand in no more than it carries on, which is the default."""

    name = "Postfix (in_flow_delay = 1s)"
    settings = "in_flow_delay = 1s\n"


def _log_in(sink, login):
    """Return what Postfix needs for STARTTLS and login, and for keeping connections with both."""
    return f"""
smtp_tls_security_level = encrypt
smtp_tls_CAfile = {login.ca}
smtp_tls_connection_reuse = yes
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps =
    inline:{{ {{ [{sink.address}]:{sink.port} = {login.username}:{login.password} }} }}
"""


SERVERS = {each.name: each for each in (Multisendcon, PrivatePostfix, HoldingPostfix)}
