"""The relay inside another application: the example of the documentation, and its edges."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol

from multisendcon_plugin import Envelope, RelayService, ReplyError, SpoolError, parse
from multisendcon_plugin.errors import ListenError
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.spool import SqliteSpool
from tests.live_relay import CONTENT, LiveRelayTestCase, account, without_trace

ROOT = Path(__file__).parents[2]
CUSTOMER = "customer@far.example"
ENVELOPE = Envelope(reverse_path="orders@shop.example", recipients=(CUSTOMER,))


class Program(ProcessProtocol):
    """A program that runs beside the test.

    :ivar output: all that it has said.
    :ivar ended: fires with its exit status, or the name of the signal that ended it.
    """

    def __init__(self):
        self.output = ""
        self.ended = Deferred()

    def childDataReceived(self, childFD, data):
        self.output += data.decode()

    def processEnded(self, reason):
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(reason.value.signal or reason.value.exitCode)

    def kill(self):
        """Leave nothing behind when a test has failed."""
        if not self.ended.called:
            self.transport.signalProcess("KILL")
            return self.ended
        return None


class Example(LiveRelayTestCase):
    def run_example(self, provider):
        """Start the example, with a configuration of its own in its current folder."""
        configuration = self.folder / "shop.toml"
        configuration.write_text(
            '[master_relay]\nlisten = ["tcp:port=0:interface=127.0.0.1"]\n'
            'hostname = "relay.example"\n[spool]\npath = "spool"\n' + account("Shop", provider)
        )
        program = Program()
        self.reactor.spawnProcess(
            program,
            sys.executable,
            [sys.executable, str(ROOT / "docs/examples/embedding.py"), configuration, CUSTOMER],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            path=str(self.folder),
        )
        self.addCleanup(program.kill)
        return program

    async def test_it_sends_its_mail_and_ends_in_good_order(self):
        provider = self.provider()
        program = self.run_example(provider)
        [mail] = await provider.wait_for(1)
        program.transport.signalProcess("TERM")
        assert await program.ended == 0, program.output
        assert program.output.startswith("queued as "), program.output
        assert mail.reverse_path == "orders@shop.example"
        assert mail.recipients == (CUSTOMER,)
        content = without_trace(mail.content)
        assert content.startswith(b"From: The Shop <orders@shop.example>\r\n"), content
        assert content.endswith(b"\r\n\r\nThank you, it is on its way.\r\n"), content
        spool = SqliteSpool(str(self.folder / "spool"), self.reactor, events=Publisher())
        spool.open()
        self.addCleanup(spool.close)
        assert spool.clean
        assert await spool.lanes() == {}


class Child(LiveRelayTestCase):
    """The relay as a child service in this process."""

    def relay_service(self, *accounts, listen="tcp:port=0:interface=127.0.0.1", folder="spool"):
        head = f'[master_relay]\nlisten = ["{listen}"]\nhostname = "relay.example"\n'
        spool = f'[spool]\npath = "{self.folder}/{folder}"\n'
        return RelayService(parse(head + spool + "".join(accounts)), self.reactor)

    def parent(self):
        parent = MultiService()
        self.addCleanup(lambda: parent.stopService() if parent.running else None)
        return parent

    async def test_a_parent_that_runs_starts_and_stops_it(self):
        provider = self.provider()
        parent = self.parent()
        parent.privilegedStartService()
        parent.startService()
        relay = self.relay_service(account("All", provider))
        relay.setServiceParent(parent)
        [address] = relay.addresses
        assert address.port
        await relay.submit(ENVELOPE, CONTENT)
        await provider.wait_for(1)
        await relay.disownServiceParent()
        assert relay.addresses == []

    async def test_one_that_does_not_run_takes_nothing(self):
        relay = self.relay_service(account("All", self.provider()))
        await self.assertFailure(relay.submit(ENVELOPE, CONTENT), SpoolError)
        parent = self.parent()
        relay.setServiceParent(parent)
        parent.privilegedStartService()
        parent.startService()
        await parent.stopService()
        await self.assertFailure(relay.submit(ENVELOPE, CONTENT), SpoolError)

    async def test_one_that_could_not_start_can_be_stopped(self):
        provider = self.provider()
        taken = f"tcp:port={provider.address.port}:interface=127.0.0.1"
        relay = self.relay_service(account("All", provider, server="127.0.0.2"), listen=taken)
        with pytest.raises(ListenError):
            relay.privilegedStartService()
        await relay.stopService()
        (self.folder / "spool").write_text("no folder")
        relay = self.relay_service(account("All", provider))
        relay.privilegedStartService()
        with pytest.raises(SpoolError):
            relay.startService()
        await relay.stopService()
        assert relay.addresses == []

    async def test_two_in_one_process_have_nothing_in_common(self):
        parent = self.parent()
        parent.startService()
        for name in ("first", "second"):
            provider = self.provider()
            masks = f"*@{name}.example"
            relay = self.relay_service(account("All", provider, senders=masks), folder=name)
            relay.setName(name)
            relay.setServiceParent(parent)
            envelope = Envelope(reverse_path=f"a@{name}.example", recipients=(CUSTOMER,))
            await relay.submit(envelope, CONTENT)
            await provider.wait_for(1)
            refusal = await self.assertFailure(relay.submit(ENVELOPE, CONTENT), ReplyError)
            assert refusal.reply.code == 550
