"""A relay and its providers on real sockets, for tests that go from a client to a provider."""

from __future__ import annotations

import json
import re
import shutil
import smtplib
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial import unittest

from multisendcon_plugin import Envelope, RelayService, parse
from multisendcon_plugin.testing import Authority, Provider

SENDER = "author@home.example"
RECIPIENT = "reader@far.example"
CONTENT = b"From: Author <author@home.example>\r\nSubject: hello\r\n\r\nhello\r\n.\r\n..\r\nend\r\n"

_TRACE = re.compile(
    rb"Received: (?:from [^\r\n]+\r\n\t)?by relay\.example [^\r\n]+;\r\n\t[^\r\n]+\r\n"
)


def account(name, provider=None, **settings):
    """Write an account as TOML; its server is the provider, unless the settings say otherwise."""
    keys = {"name": name}
    if provider is not None:
        keys |= {"server": provider.address.host, "port": provider.address.port}
    # Texts, numbers, truth values and lists are written alike in JSON and in TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in (keys | settings).items()]
    return "\n".join(["[[account]]", *lines, ""])


def without_trace(content, *, separated=False):
    """Return content as it was before the relay put its one trace field on top.

    :param separated: an empty line was put below the field too.
    """
    traces = list(_TRACE.finditer(content))
    assert len(traces) == 1, content[:500]
    before, after = content[: traces[0].start()], content[traces[0].end() :]
    assert not separated or after.startswith(b"\r\n"), content[:500]
    return before + (after[2:] if separated else after)


class Log:
    """All that is logged, as text."""

    def __init__(self):
        self.lines = []
        self._awaited = []

    def __call__(self, event):
        self.lines.append(eventAsText(event))
        for text, count, found in self._awaited:
            if not found.called and len(self.having(text)) >= count:
                found.callback(self.having(text))

    def having(self, text):
        return [line for line in self.lines if text in line]

    def wait_for(self, text, count=1):
        """Wait until so many lines have the text; the answer is these lines."""
        if len(self.having(text)) >= count:
            return succeed(self.having(text))
        found = Deferred()
        self._awaited.append((text, count, found))
        return found


class LiveRelayTestCase(unittest.TestCase):
    """One relay and its providers.  They listen on free ports, and are gone when the test ends.

    :cvar timeout: seconds after which a test has failed that still waits for something.
    """

    timeout = 30

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="multisendcon-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = Log()
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    # The players.

    def provider(self, interface="127.0.0.1", port=0, **settings):
        """Start a provider."""
        provider = Provider(self.reactor, **settings)
        provider.listen(interface, port)
        self.addCleanup(provider.stop)
        return provider

    def certificate(self, *names):
        """Return the TLS settings of a server; `self.ca` is the file of its authority."""
        authority = Authority()
        self.ca = authority.write(self.folder / "authority.pem")
        return authority.server(*(names or ("127.0.0.1",)))

    def relay(
        self,
        *accounts,
        listen=("tcp:port=0:interface=127.0.0.1",),
        hostname="relay.example",
        spool="spool",
        settings="",
        more="",
    ):
        """Start a relay, to which mail is sent from then on; what it is configured by is text.

        :param spool: the name of its folder.
        :param settings: further keys of `[master_relay]`.
        :param more: further tables.
        """
        text = f"""
            [master_relay]
            listen = {json.dumps(listen)}
            hostname = "{hostname}"
            {settings}
            [spool]
            path = "{self.folder}/{spool}"
            {more}
        """
        self.service = RelayService(parse(text + "".join(accounts)), self.reactor)
        self.addCleanup(_stop, self.service)
        self.service.privilegedStartService()
        self.service.startService()

    # Mail.

    def send(self, sender=SENDER, recipients=(RECIPIENT,), content=CONTENT):
        """Hand a mail in by SMTP."""
        port = self.service.addresses[0].port
        return deferToThread(_send, port, sender, recipients, content)

    def submit(self, sender=SENDER, recipients=(RECIPIENT,), content=CONTENT):
        """Hand a mail in without SMTP."""
        envelope = Envelope(reverse_path=sender, recipients=tuple(recipients))
        return self.service.submit(envelope, content)

    async def waiting(self):
        """Count what waits in each lane."""
        lanes = await self.service.spool.lanes()
        return {lane: waiting.mails for lane, waiting in lanes.items()}

    async def assert_waits(self, reason):
        """The account Sales is at fault for this reason, said once; its one mail waits."""
        await self.log.wait_for("deferred by account Sales")
        [line] = self.log.having("; its mail waits")
        assert "account Sales " in line
        assert reason in line
        assert await self.waiting() == {("Sales", ""): 1}


def _stop(service):
    return service.stopService() if service.running else None


def _send(port, sender, recipients, content):
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail(sender, recipients, content)
