"""Accounts that log in by token, the provider of the tokens, and the server that they are for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request

import attrs
import pytest

from tests.interop.clients import Clients
from tests.interop.oauth.dovecot import Dovecot
from tests.interop.oauth.openid import (
    APPLICATION,
    CERTIFIED,
    GMAIL,
    SIGNED_IN,
    SMTP_SEND,
    OpenIdProvider,
)
from tests.interop.oauth.person import Person
from tests.interop.programs import ROOT, needs, until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider
from tests.web.live import Control

NEEDED = [
    needs("node oidc-provider", "dovecot", "mount", "unshare"),
    pytest.mark.skipif(os.getuid() != 0, reason="Dovecot is started as root only"),
]
#: By what an account gets its tokens: grants, where an application has a secret or a certificate.
SECRET, CERTIFICATE, DEVICE, CODE, SERVICE = (
    "secret",
    "certificate",
    "device",
    "authorization_code",
    "service_account",
)
BY_PERSON = (DEVICE, CODE)
_ADDRESS = re.compile(r"https?://\S+")
_CODE = re.compile(r"enter (\S+)")
#: Seconds within which somebody signs in.
_PATIENCE = 30.0


@attrs.frozen(kw_only=True)
class Way:
    """An account that logs in by token.

    :param by: how it gets its tokens, such as `SECRET`.
    :param number: of its application, with a secret.
    :param settings: further keys of the account, in TOML.
    """

    name: str
    by: str
    number: int = 0
    settings: dict = attrs.field(factory=dict)

    @property
    def mailbox(self):
        """For whom its tokens are good."""
        mailboxes = {SECRET: f"app-{self.number}", CERTIFICATE: CERTIFIED}
        return mailboxes.get(self.by, f"{self.name}@mail.example")

    @property
    def sender(self):
        return f"boss@{self.name}.example"

    def toml(self, server, openid):
        """Return it as it is configured.

        :param server: takes its mail.
        :param openid: gives the tokens out.
        """
        keys = {
            "senders": f'"{self.sender}"',
            "tls": '"starttls"',
            "tls_ca": f'"{server.ca}"',
            **self.settings,
        }
        # What is not said here is as Microsoft and Google have it.
        oauth2 = {"provider": "microsoft", "mailbox": self.mailbox}
        oauth2 |= {"token_url": f"{openid.url}/token"}
        if self.by == SECRET:
            oauth2 |= {"grant": "client_credentials", "client_id": f"app-{self.number}"}
            oauth2 |= {"client_secret": openid.client_secret, "scope": APPLICATION}
            oauth2 |= {"tenant": "tenant.example"}
        elif self.by == CERTIFICATE:
            oauth2 |= {"grant": "client_credentials", "client_id": CERTIFIED}
            oauth2 |= {"client_certificate": str(openid.certificate)}
            oauth2 |= {"client_key": str(openid.key), "tenant": "tenant.example"}
        elif self.by == SERVICE:
            oauth2 |= {"provider": "google", "grant": "service_account", "scope": GMAIL}
            oauth2 |= {"token_url": f"{openid.url}/service-accounts/token"}
            oauth2 |= {"service_account_key": str(openid.service_account_key)}
        else:
            oauth2 |= {"provider": "custom", "grant": self.by, "client_id": SIGNED_IN}
            oauth2 |= {"scope": f"openid {SMTP_SEND} offline_access"}
            oauth2 |= {"device_url": f"{openid.url}/device/auth"}
            oauth2 |= {"authorize_url": f"{openid.url}/auth"}
        # Texts are written alike in JSON and in TOML.
        lines = [f"{key} = {json.dumps(value)}" for key, value in oauth2.items()]
        way = account(self.name, server.address, server.port, **keys)
        return "\n".join([way, "[account.oauth2]", *lines, ""])


class World:
    """A relay with such accounts, and whom it meets.

    :param ways: the accounts.
    :param more: further tables of the configuration.
    :ivar openid: the provider of the tokens.
    :ivar behind: gets all mail that the server has taken.
    """

    def __init__(self, folder, *ways, more="", relay=Relay):
        self.folder = folder
        self.ways = {way.name: way for way in ways}
        self._more = more
        self._relay_class = relay
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as entered:
            enter, folder = entered.enter_context, self.folder
            numbers = [way.number for way in self.ways.values()]
            self.openid = enter(OpenIdProvider(folder, applications=max(numbers) + 1))
            self.behind = enter(WatchedProvider(folder, "127.0.1.1"))
            self.server = enter(Dovecot(folder, self.openid, self.behind))
            self.relay = self._relay_class(folder, self.configuration())
            entered.callback(self._end)
            self.relay.start()
            until((self.relay.spool / "control.sock").exists, "the control socket is there")
            self._stack = entered.pop_all()
        return self

    def __exit__(self, *exc_info):
        self._stack.__exit__(*exc_info)

    def _end(self):
        if self.relay.process is not None and self.relay.process.poll() is None:
            self.relay.kill()

    def configuration(self):
        ways = [way.toml(self.server, self.openid) for way in self.ways.values()]
        return "\n".join([self._more, *ways])

    # What people do.

    def sign_in(self, name, *, pastes=False):
        """Sign in for an account, with the command that admins use.

        :param pastes: the address at the end, rather than have a browser open it.
        :return: what the command says.
        """
        way = self.ways[name]
        with self._command("account", "login", name) as command, _ends(command):
            where = next(filter(None, map(_ADDRESS.search, command.stdout)))
            code = _CODE.search(where.string)
            end = Person(way.mailbox).sign_in(where[0].rstrip(","), code and code[1])
            assert (end is None) == (way.by == DEVICE)
            if pastes and end is not None:
                command.stdin.write(f"{end}\n")
                command.stdin.flush()
            elif end is not None:
                _open(end)
            said = command.stdout.read()
        assert command.returncode == 0, said
        return said

    def _command(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "multisendcon_plugin", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "MULTISENDCON_CONFIG": str(self.folder / "relay.toml"),
                "PYTHONPATH": str(ROOT),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # Mail.

    def hand_in(self, *mails):
        """Hand mails in, all at once, each an account's name and a recipient."""
        senders = {recipient: self.ways[name].sender for name, recipient in mails}
        with Clients(self.relay, senders, sender_of=senders.get) as clients:
            clients.join()
        assert clients.acknowledged == set(senders)

    def deliver(self, name, *recipients):
        """Hand mails in, and wait for them."""
        self.hand_in(*((name, recipient) for recipient in recipients))
        self.arrived(*recipients)

    def arrived(self, *recipients, timeout=30):
        self._until(lambda: set(recipients) <= set(self.behind.taken), "the mails arrive", timeout)

    def _until(self, happened, what, timeout=30):
        try:
            until(happened, what, timeout)
        except TimeoutError as error:
            logs = [self.relay.last_words(), self.server.last_words(), str(self.openid.told[-5:])]
            raise TimeoutError("\n".join([str(error), *logs])) from None

    # What is seen.

    def state(self, name):
        """Return an account as the API tells of it."""
        with contextlib.closing(Control(self.relay.spool)) as control:
            status, answer = control.json("GET", f"accounts/{name}")
        assert status == 200, answer
        return answer

    def probe(self, name):
        """Have an account try one mail now, if one waits."""
        with contextlib.closing(Control(self.relay.spool)) as control:
            status, answer = control.json("POST", f"accounts/{name}/probe", {})
        assert status in (200, 409), answer

    def stored(self, name):
        """Return the token of an account as it is on the disk."""
        return json.loads((self.relay.spool / "tokens" / f"{name}.json").read_text())["token"]


@contextlib.contextmanager
def _ends(process):
    """Let a process end within some time, in a block that reads what it says."""
    late = threading.Timer(_PATIENCE, process.kill)
    late.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        late.cancel()


def _open(address):
    """Open a page, as a browser does that is sent there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=30) as answer:
        assert answer.status == 200
