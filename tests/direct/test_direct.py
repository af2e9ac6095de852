"""A whole relay that delivers to the recipients' own servers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import attrs
from twisted.internet import reactor

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.service.direct import DirectDelivery
from tests.live_relay import SENDER, LiveRelayTestCase


def configuration(folder, port, *, allow_private=True, listen="tcp:port=0:interface=127.0.0.1"):
    """Return one with an account that delivers to another port than 25, which no file can say."""
    text = f"""
        [master_relay]
        listen = {json.dumps([listen])}
        hostname = "relay.example"
        [spool]
        path = "{folder}/spool"
        [dns]
        servers = ["127.0.0.1:1"]
        allow_private = {json.dumps(allow_private)}
        [[account]]
        name = "Direct"
        type = "direct"
    """
    read = parse(text)
    accounts = tuple(attrs.evolve(each, port=port) for each in read.accounts)
    return attrs.evolve(read, accounts=accounts)


def unknown(phase, _):
    return Reply(550, "5.1.1", "unknown") if phase == "rcpt" else None


class DirectRelays(LiveRelayTestCase):
    def start(self, settings):
        self.service = RelayService(settings, self.reactor)
        self.addCleanup(self.service.stopService)
        self.service.privilegedStartService()
        self.service.startService()

    async def test_mail_goes_to_the_server_of_its_recipient(self):
        provider = self.provider()
        self.start(configuration(self.folder, provider.address.port))
        await self.send(SENDER, ["r@[127.0.0.1]"])
        await provider.wait_for(1)
        assert provider.mails[0].recipients == ("r@[127.0.0.1]",)

    async def test_a_report_names_the_server_that_has_said_it(self):
        provider = self.provider(answer=unknown)
        own = self.provider(port=0)
        settings = configuration(self.folder, provider.address.port)
        reports = Account(name="[ndr]", server="127.0.0.1", port=own.address.port, tls=Tls.NONE)
        self.start(attrs.evolve(settings, reports_account=reports))
        await self.send(SENDER, ["r@[127.0.0.1]"])
        await own.wait_for(1)
        assert b"The mail server 127.0.0.1 said:" in own.mails[0].content
        assert b"Remote-MTA: dns; 127.0.0.1" in own.mails[0].content

    async def test_not_to_private_addresses_unless_they_are_allowed(self):
        provider = self.provider()
        self.start(configuration(self.folder, provider.address.port, allow_private=False))
        await self.send("", ["r@[127.0.0.1]"])  # nobody to tell that it has failed
        await self.log.wait_for("allow_private of [dns]")
        assert provider.mails == []

    async def test_nor_to_itself(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.start(configuration(self.folder, port, listen=f"tcp:port={port}:interface=127.0.0.1"))
        await self.send("", ["r@[127.0.0.1]"])
        await self.log.wait_for("loops back to this relay")

    async def test_another_configuration_holds_from_the_next_mail_on(self):
        provider = self.provider()
        port = provider.address.port
        self.start(configuration(self.folder, port, allow_private=False))
        await self.send("", ["r@[127.0.0.1]"])
        await self.log.wait_for("allow_private of [dns]")
        await self.service.reload(configuration(self.folder, port))
        await self.send(SENDER, ["r@[127.0.0.1]"])
        await provider.wait_for(1)


def test_what_it_takes_is_made_once_and_when_it_is_asked_for(tmp_path):
    settings = configuration(tmp_path, 25)
    delivery = DirectDelivery(settings, Publisher(), reactor, lambda: 0.0, folder=None)
    assert delivery.servers() is delivery.servers()


def test_without_an_account_of_that_type_nothing_of_it_is_loaded():
    """A plain installation lacks it."""
    code = (
        "import sys; from twisted.internet import reactor; import multisendcon_plugin.service;"
        " assert 'dns.message' not in sys.modules; assert 'dns' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
