"""The relay as a whole in this process, on real sockets."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography.x509 import DNSName, SubjectAlternativeName
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel
from zope.interface import implementer

from multisendcon_plugin import RelayService, load, parse
from multisendcon_plugin.edge import RelayESMTPFactory, tls
from multisendcon_plugin.errors import ConfigurationError, ListenError, SpoolLockedError
from multisendcon_plugin.events import ConfigurationChanged, Publisher
from multisendcon_plugin.interfaces import ISpool
from multisendcon_plugin.settings.endpoints import BACKLOG
from multisendcon_plugin.spool import SqliteSpool
from multisendcon_plugin.testing import Authority
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.live_relay import CONTENT, RECIPIENT, SENDER, LiveRelayTestCase, account, without_trace
from tests.queues import collected, logged


@implementer(ISpool)
class HesitantSpool(MemorySpool):
    """Says that a message is committed when the test allows it.

    :ivar asked: fires when a message is to be committed.
    """

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = Deferred()
        self.go_on = Deferred()

    def commit(self, commits):
        self.go_on.addCallback(lambda _: super(HesitantSpool, self).commit(commits))
        self.asked.callback(None)
        return self.go_on


class ServiceTestCase(LiveRelayTestCase):
    def listening_on(self, *descriptions, spool=None, hostname="relay.example"):
        text = f"""
            [master_relay]
            listen = {list(descriptions)}
            hostname = "{hostname}"
            [spool]
            path = "{self.folder}/spool"
        """
        return RelayService(
            parse(text + account("All", server="127.0.0.9")), self.reactor, spool=spool
        )

    def reopened(self):
        """Open the spool as the next process does."""
        spool = SqliteSpool(f"{self.folder}/spool", self.reactor, events=Publisher())
        spool.open()
        self.addCleanup(spool.close)
        return spool


class Listening(ServiceTestCase):
    def test_the_start_says_what_check_warns_of(self):
        relay = self.listening_on("tcp:port=0:interface=127.0.0.1", hostname="relay")
        with logged() as log:
            relay.privilegedStartService()
        self.addCleanup(relay.stopService)
        hostname, senders = log.texts(LogLevel.warn)
        assert senders.startswith('[[account]] "All", senders: is not set')
        assert hostname.startswith(
            '[master_relay], hostname: "relay" is not a fully qualified name'
        )

    def test_it_listens_where_it_says(self):
        relay = self.listening_on(
            "tcp:port=0:interface=127.0.0.1", "tcp:port=0:interface=127.0.0.2"
        )
        assert relay.addresses == []
        self.addCleanup(relay.stopService)
        relay.privilegedStartService()
        assert [address.host for address in relay.addresses] == ["127.0.0.1", "127.0.0.2"]
        assert all(address.port for address in relay.addresses)

    def test_as_many_clients_may_wait_as_the_string_says_else_as_the_system_allows(self):
        reactor = MemoryReactorClock()
        text = 'listen = ["tcp:2500:127.0.0.1", "tcp:2501:127.0.0.1:7", "haproxy:tcp6:2502"]'
        text = f'[master_relay]\n{text}\nproxies = ["::1"]\n' + account("All", server="127.0.0.9")
        RelayService(parse(text), reactor).privilegedStartService()
        assert [(port, backlog) for port, _, backlog, _ in reactor.tcpServers] == [
            (2500, BACKLOG),
            (2501, 7),
            (2502, BACKLOG),
        ]

    def test_a_local_socket_is_for_our_user_and_group_unless_the_string_says_otherwise(self):
        """Before, everybody on the machine could send by it: mode 666."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        modes = {"a": 0o660, "b:mode=600": 0o600, "c:666": 0o666, "d:0640": 0o640}
        relay = self.listening_on(*(f"unix:{folder}/{each}" for each in modes))
        self.addCleanup(relay.stopService)
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        relay.privilegedStartService()
        for each, mode in modes.items():
            assert (folder / each[0]).stat().st_mode & 0o777 == mode

    async def test_after_stop_it_listens_nowhere_and_the_ports_are_free(self):
        self.relay(account("All", server="127.0.0.9"))
        [address] = self.service.addresses
        await self.service.stopService()
        assert self.service.addresses == []
        again = self.listening_on(f"tcp:port={address.port}:interface=127.0.0.1")
        again.privilegedStartService()
        await again.stopService()

    async def test_a_taken_port_is_told_in_clear_words(self):
        taken = self.provider().address.port
        description = f"tcp:port={taken}:interface=127.0.0.1"
        relay = self.listening_on("tcp:port=0:interface=127.0.0.1", description)
        self.addCleanup(relay.stopService)
        with pytest.raises(ListenError) as caught:
            relay.privilegedStartService()
        text = str(caught.value)
        assert text.startswith(f"cannot listen on {description}: ")
        assert "Address already in use" in text

    def test_an_address_of_another_machine_is_told_in_clear_words(self):
        relay = self.listening_on("tcp:port=0:interface=192.0.2.1")
        self.addCleanup(relay.stopService)
        with pytest.raises(ListenError, match="Cannot assign requested address"):
            relay.privilegedStartService()


class Spool(ServiceTestCase):
    def test_a_spool_that_another_relay_has_is_told(self):
        self.relay(account("All", server="127.0.0.9"))
        second = self.listening_on("tcp:port=0:interface=127.0.0.1")
        self.addCleanup(second.stopService)
        second.privilegedStartService()
        with pytest.raises(SpoolLockedError, match="in use by another process"):
            second.startService()

    async def test_what_has_left_is_not_in_the_spool_any_more(self):
        provider = self.provider()
        self.relay(account("All", provider))
        await self.send()
        await provider.wait_for(1)
        await self.service.stopService()
        spool = self.reopened()
        assert spool.clean
        assert await spool.lanes() == {}

    async def test_what_waits_leaves_after_a_restart(self):
        provider = self.provider()
        self.relay(account("All", provider, minimum_wait=3600))
        await self.submit()
        await self.submit()
        await provider.wait_for(1)
        await self.service.stopService()
        assert len(provider.mails) == 1
        self.relay(account("All", provider))
        await provider.wait_for(2)


class Submitting(ServiceTestCase):
    async def test_a_mail_is_handed_in_without_smtp(self):
        provider = self.provider()
        self.relay(account("All", provider))
        name = await self.submit()
        [mail] = await provider.wait_for(1)
        assert without_trace(mail.content) == CONTENT
        assert f" id {name};".encode() in mail.content
        assert (mail.reverse_path, mail.recipients) == (SENDER, (RECIPIENT,))

    async def test_it_is_durable_when_its_name_is_told(self):
        self.relay(account("All", server="127.0.0.9", minimum_wait=3600))
        for _ in range(3):
            await self.submit()
        await self.service.stopService()
        assert await self.reopened().lanes() == {("All", ""): 3}


class InFrontOfIt(ServiceTestCase):
    """The edge in a process of its own."""

    def relay_behind(self, provider, settings=""):
        text = f"""
            [master_relay]
            listen = ["tcp:port=0:interface=127.0.0.1"]
            hostname = "relay.example"
            {settings}
            [spool]
            path = "{self.folder}/spool"
        """
        configuration = parse(text + account("All", provider))
        self.service = RelayService(configuration, self.reactor, front_process=True)

    async def test_clients_and_an_application_hand_mail_in_and_no_edge_is_here(self):
        self.patch(RelayESMTPFactory, "__init__", None)  # cannot be called
        provider = self.provider()
        self.relay_behind(provider)
        self.service.privilegedStartService()
        self.service.startService()
        self.addCleanup(self.service.stopService)
        await self.submit()
        await self.send()
        mails = await provider.wait_for(2)
        assert [without_trace(mail.content) for mail in mails] == [CONTENT, CONTENT]

    def test_a_certificate_that_cannot_be_used_is_told_here(self):
        pem = self.folder / "pem"
        pem.write_bytes(b"".join(Authority().server_pem("relay.example")))
        pem.chmod(0o600)
        configuration = f'tls_certificate = "{pem}"'
        self.relay_behind(self.provider(), configuration)
        text = "cannot be used"
        self.patch(tls, "ClientsTLS", Mock(side_effect=SSL.Error([("", "", text)])))
        with pytest.raises(ConfigurationError, match=text):
            self.relay_behind(self.provider(), configuration)


class Reloading(ServiceTestCase):
    """Another configuration while it runs."""

    front_process = False

    def text(self, *accounts, listen=("tcp:port=0:interface=127.0.0.1",), settings="", more=""):
        return f"""
            [master_relay]
            listen = {list(listen)}
            hostname = "relay.example"
            {settings}
            [spool]
            path = "{self.folder}/spool"
            {more}
        """ + "".join(accounts)

    def write(self, *accounts, **more):
        file = self.folder / "relay.toml"
        file.write_text(self.text(*accounts, **more))
        file.chmod(0o600)
        return file

    def begin(self, configuration):
        self.service = RelayService(configuration, self.reactor, front_process=self.front_process)
        self.addCleanup(lambda: self.service.running and self.service.stopService())
        self.service.privilegedStartService()
        self.service.startService()

    async def greeting(self, port, host="127.0.0.1"):
        def ask():
            with socket.create_connection((host, port), timeout=20) as client:
                return client.makefile("rb").readline()

        return await deferToThread(ask)

    async def test_the_file_is_read_again_and_what_has_changed_is_told(self):
        first, second = self.provider(), self.provider()
        self.begin(load(self.write(account("A", first), account("B", first))))
        port = self.service.addresses[0].port
        self.write(
            account("B", second),
            account("C", second),
            settings="max_recipients = 7",
            more="[delivery]\nmax_connections = 9",
        )
        told = collected(self.service.events, ConfigurationChanged)
        changes = await self.service.reload()
        assert (changes.added, changes.removed, changes.changed) == (("C",), ("A",), ("B",))
        assert changes.tables == ("master_relay", "delivery")
        assert any("senders: is not set" in each for each in changes.warnings)
        (event,) = told
        assert (event.added, event.removed, event.changed) == (("C",), ("A",), ("B",))
        assert self.service.addresses[0].port == port
        await self.send()
        assert len(await second.wait_for(1)) == 1
        assert first.mails == []

    async def test_destinations_hold_from_a_reload_on(self):
        text = self.text(account("A", server="127.0.0.9"))
        self.begin(parse(text))
        more = '\n[[destination]]\ndomains = ["b.example"]\nmax_connections = 3\n'
        changes = await self.service.reload(parse(text + more))
        assert changes.tables == ("destination",)
        destinations = self.service.queue._in_force.policy.destinations
        assert (
            destinations.pace("b.example", connections=9, mails_per_connection=1).connections == 3
        )

    async def test_ports_come_and_go_and_those_that_stay_stay(self):
        stays, goes, comes = (f"tcp:port=0:interface=127.0.0.{n}" for n in (1, 2, 3))
        self.begin(parse(self.text(account("A", server="127.0.0.9"), listen=[stays, goes])))
        first, second = self.service.addresses
        await self.service.reload(
            parse(self.text(account("A", server="127.0.0.9"), listen=[comes, stays]))
        )
        new, again = self.service.addresses
        assert again == first
        assert (await self.greeting(first.port)).startswith(b"220")
        assert (await self.greeting(new.port, new.host)).startswith(b"220")
        with pytest.raises(ConnectionRefusedError):
            await self.greeting(second.port, second.host)

    async def test_a_port_that_cannot_be_opened_refuses_it_as_a_whole(self):
        self.begin(parse(self.text(account("A", server="127.0.0.9"))))
        before, port = self.service.configuration, self.service.addresses[0].port
        listen = [
            "tcp:port=0:interface=127.0.0.1",
            "tcp:port=0:interface=127.0.0.2",
            f"tcp:port={port}:interface=127.0.0.1",
            "tcp:port=0:interface=192.0.2.99",
        ]
        with pytest.raises(ConfigurationError) as caught:
            await self.service.reload(
                parse(self.text(account("B", server="127.0.0.9"), listen=listen))
            )
        assert [fault[:16] for fault in caught.value.faults] == ["cannot listen on"] * 2
        assert self.service.configuration is before
        assert [each.name for each in self.service.registry] == ["A"]
        assert len(self.service.addresses) == 1
        assert (await self.greeting(port)).startswith(b"220")

    async def test_faults_of_the_file_change_nothing(self):
        self.begin(load(self.write(account("A", server="127.0.0.9"))))
        before = self.service.configuration
        self.write(account("A", server="no server"), settings="max_recipients = 0")
        with pytest.raises(ConfigurationError) as caught:
            await self.service.reload()
        assert len(caught.value.faults) == 2
        assert self.service.configuration is before

    async def test_what_needs_a_restart_is_refused(self):
        self.begin(parse(self.text(account("A", server="127.0.0.9"))))
        text = self.text(account("A", server="127.0.0.9"), settings="own_process = false")
        with pytest.raises(ConfigurationError, match="own_process: cannot change"):
            await self.service.reload(parse(text))

    async def test_without_a_file_it_needs_a_configuration(self):
        self.begin(parse(self.text(account("A", server="127.0.0.9"))))
        with pytest.raises(ConfigurationError, match="was not started with a file"):
            await self.service.reload()

    async def test_two_at_once_are_done_in_turn(self):
        provider = self.provider()
        self.begin(parse(self.text(account("A", server="127.0.0.9"))))
        names = "BCD"
        all_of_them = [
            self.service.reload(parse(self.text(account(each, provider)))) for each in names
        ]
        changes = [await each for each in all_of_them]
        assert [each.added for each in changes] == [("B",), ("C",), ("D",)]
        assert [each.removed for each in changes] == [("A",), ("B",), ("C",)]

    async def test_one_that_does_not_run_is_not_reloaded(self):
        self.begin(parse(self.text(account("A", server="127.0.0.9"))))
        await self.service.stopService()
        with pytest.raises(ConfigurationError, match="is not running"):
            await self.service.reload(parse(self.text(account("B", server="127.0.0.9"))))

    async def test_the_certificate_of_an_endpoint_is_read_again(self):
        pem = self.folder / "endpoint.pem"
        pem.touch(0o600)

        def subject_of_new_one(name):
            pem.write_bytes(b"".join(Authority().server_pem(name)))

        def subject():
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                tls_client = SSL.Connection(context, client)
                client.settimeout(None)
                tls_client.set_connect_state()
                tls_client.do_handshake()
                certificate = tls_client.get_peer_certificate().to_cryptography()
                names = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
                return names.value.get_values_for_type(DNSName)

        listen = [f"ssl:port=0:interface=127.0.0.1:privateKey={pem}"]
        text = self.text(account("A", server="127.0.0.9"), listen=listen)
        subject_of_new_one("old.example")
        self.begin(parse(text))
        port = self.service.addresses[0].port
        assert await deferToThread(subject) == ["old.example"]
        subject_of_new_one("new.example")
        await self.service.reload(parse(text))
        assert await deferToThread(subject) == ["new.example"]
        pem.write_bytes(b"nonsense")
        with pytest.raises(ConfigurationError, match="cannot listen on ssl:"):
            await self.service.reload(parse(text))
        assert await deferToThread(subject) == ["new.example"]


class ReloadingInFrontOfIt(Reloading):
    """The same, with the edge in a process of its own."""

    front_process = True


class Stopping(ServiceTestCase):
    async def test_the_spool_is_closed_when_clients_and_mails_have_ended(self):
        spool = MemorySpool(self.reactor)
        relay = self.listening_on("tcp:port=0:interface=127.0.0.1", spool=spool)
        relay.privilegedStartService()
        relay.startService()
        ends = Deferred(), Deferred()
        for part, end in zip((relay.edge.sessions, relay.queue._recorder), ends, strict=True):
            self.patch(part, "stop", lambda end=end: end)
        self.patch(spool, "close", Mock(return_value=None))
        stopped = relay.stopService()
        assert relay.addresses == []
        for end in ends:
            await deferToThread(lambda: None)  # a round of the reactor
            spool.close.assert_not_called()
            end.callback(None)
        await stopped
        spool.close.assert_called_once_with(clean=True)

    async def test_a_client_between_dot_and_reply_gets_its_reply(self):
        spool = HesitantSpool(self.reactor)
        relay = self.listening_on("tcp:port=0:interface=127.0.0.1", spool=spool)
        relay.privilegedStartService()
        relay.startService()
        self.service = relay
        sent = deferToThread(_hand_in, relay.addresses[0].port)
        await spool.asked
        stopped = relay.stopService()
        stopped_early = []
        stopped.addCallback(stopped_early.append)
        # Another round of the reactor: the ports are closed, the session is not.
        await deferToThread(lambda: None)
        assert stopped_early == []
        assert not sent.called
        spool.go_on.callback(None)
        await stopped
        # The client would have raised an exception without its 250.
        await sent
        assert len(spool.disk.deliveries) == 1
        assert spool.disk.clean

    async def test_a_mail_between_dot_and_the_reply_of_its_server_is_settled(self):
        stopped = Deferred()

        def dot_seen(_mail):
            stop = self.service.stopService()
            # The reply is still to come when this returns.
            self.reactor.callLater(0, stop.chainDeferred, stopped)

        provider = self.provider(received=dot_seen)
        self.relay(account("All", provider))
        await self.submit()
        await stopped
        assert len(provider.mails) == 1
        assert self.log.having("delivered by account All")
        assert await self.reopened().lanes() == {}

    async def test_an_idle_client_does_not_keep_it_from_stopping(self):
        self.relay(account("All", server="127.0.0.9"))
        port = self.service.addresses[0].port
        client = await deferToThread(_connected, port)
        self.addCleanup(client.close)
        await self.service.stopService()
        farewell = await deferToThread(client.recv, 1000)
        assert farewell.startswith(b"421 ")


def _connected(port):
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.recv(1000)
    return client


def _hand_in(port):
    # Without QUIT, which a relay that stops does not wait for.
    client = smtplib.SMTP("127.0.0.1", port, timeout=30)
    try:
        client.sendmail(SENDER, [RECIPIENT], CONTENT)
    finally:
        client.close()
