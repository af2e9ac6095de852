"""The servers that are compared."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import ClassVar

from tests.benchmarks.postfix import Postfix
from tests.interop.programs import free_port
from tests.interop.relay import Relay, account

#: Seconds between two looks at the metrics; Prometheus takes 15 or more.
_SCRAPED_EVERY = 1.0

#: Most connections to the sink, for both.
CONNECTIONS = 20


class Multisendcon(Relay):
    """The relay with one account.

    :param sink: the account's server.
    :param login: how to log in there, by STARTTLS; None: no TLS and no login.
    """

    name = "multisendcon"
    tables = ""
    #: Further keys of the account.
    more: ClassVar = {}

    def __init__(self, folder, sink, login=None):
        settings = {"max_connections": CONNECTIONS, **self.more}
        if login:
            strings = {
                "tls": "starttls",
                "tls_ca": login.ca,
                "username": login.username,
                **self.proof(login),
            }
            settings |= {key: json.dumps(value) for key, value in strings.items()}
        accounts = account("Sink", sink.address, sink.port, **settings)
        super().__init__(folder, f"{accounts}\n{self.tables}")

    def proof(self, login):
        """Return the keys of the account that prove who logs in."""
        return {"password": login.password}


class ByPassword(Multisendcon):
    """One that logs in by a password, like `Multisendcon`, beside `ByToken`."""

    name = "passwords"


class ByToken(Multisendcon):
    """One that logs in by a token."""

    name = "tokens"

    def proof(self, login):
        oauth2 = {
            "provider": "custom",
            "grant": "client_credentials",
            "client_id": "relay",
            "client_secret": login.password,
            "scope": "mail",
            "token_url": login.token_url,
        }
        return {f"oauth2.{key}": value for key, value in oauth2.items()}


class ShortByPassword(ByPassword):
    """One with short sessions, each of which logs in."""

    name = "passwords, 5 mails a session"
    more: ClassVar = {"max_mails_per_connection": 5}


class ShortByToken(ByToken):
    """One with such sessions, and with tokens."""

    name = "tokens, 5 mails a session"
    more = ShortByPassword.more


class Forgetful(Multisendcon):
    """One without history and metrics."""

    name = "multisendcon, keep = 0"
    tables = "[history]\nkeep = 0"


class Watched(Multisendcon):
    """One with history and metrics, which somebody looks at all the time."""

    name = "multisendcon, [metrics]"

    def __init__(self, folder, sink, login=None):
        self._metrics = free_port(self.address)
        endpoint = f"tcp:port={self._metrics}:interface={self.address}"
        self.tables = f"[metrics]\nlisten = {json.dumps([endpoint])}"
        self._stopping = threading.Event()
        super().__init__(folder, sink, login)

    def start(self):
        super().start()
        self._scraper = threading.Thread(target=self._scrape)
        self._scraper.start()

    def stop(self):
        self._stopping.set()
        self._scraper.join()
        super().stop()

    def _scrape(self):
        while not self._stopping.wait(_SCRAPED_EVERY):
            with urllib.request.urlopen(f"http://{self.address}:{self._metrics}/metrics") as answer:
                answer.read()


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


SERVERS = {
    each.name: each
    for each in (
        Multisendcon,
        ByPassword,
        ByToken,
        ShortByPassword,
        ShortByToken,
        Forgetful,
        Watched,
        PrivatePostfix,
        HoldingPostfix,
    )
}
