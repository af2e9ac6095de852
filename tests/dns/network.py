"""DNS servers that say what a test wants, on loopback sockets, in a time that the test moves on."""

from __future__ import annotations

import select
import socket

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from twisted.internet import error
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from multisendcon_plugin.dns.names import normal
from multisendcon_plugin.dns.records import Mx, Tlsa, Txt
from multisendcon_plugin.dns.resolver import Resolver
from multisendcon_plugin.dns.servers import PROBE
from multisendcon_plugin.settings.dns import DnsSettings, NameServer

SOA = "ns.example. hostmaster.example. 1 7200 3600 604800 {minimum}"


def reply_to(query, *records, authority=(), additional=(), rcode=0, flags=dns.flags.RA, ad=False):
    """Make a reply; records are texts: owner, seconds, type and data."""
    reply = dns.message.make_response(query)
    reply.flags |= flags | (dns.flags.AD if ad else 0)
    reply.set_rcode(rcode)
    sections = zip(
        (reply.answer, reply.authority, reply.additional),
        (records, authority, additional),
        strict=False,
    )
    for section, texts in sections:
        for text in texts:
            owner, ttl, rdtype, data = text.split(maxsplit=3)
            rrset = dns.rrset.from_text(owner, int(ttl), "IN", rdtype, data)
            merged = reply.find_rrset(section, rrset.name, 1, rrset.rdtype, create=True)
            merged.update(rrset)
    return reply


def unless_probed(answer):
    """Have a server that is well, whatever it answers to other questions."""

    def answered(query):
        probed = query.question[0].name.to_text().lower() == f"{PROBE.name}."
        return reply_to(query, "localhost. 60 A 127.0.0.1") if probed else answer(query)

    return answered


def refused(query):
    return reply_to(query, rcode=dns.rcode.REFUSED)


def servfail(query):
    return reply_to(query, rcode=dns.rcode.SERVFAIL)


def silent(query):
    """Say nothing."""


class Zones:
    """Answers as a full resolver does, from zones like those of `FakeNames`."""

    def __init__(self, zones, secure=(), ttl=300, minimum=60):
        self.zones = zones
        self.secure = secure
        self.ttl = ttl
        self.minimum = minimum

    def __call__(self, query):
        (question,) = query.question
        name, rdtype = normal(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        answer, verified = [], True
        while True:
            verified &= name in self.secure
            records = self.zones.get(name, {})
            if "CNAME" not in records or len(answer) > 10:
                break
            (target,) = records["CNAME"]
            answer.append(f"{name}. {self.ttl} CNAME {target}.")
            name = target
        dot = "." if rdtype == "PTR" else ""
        found = [
            f"{name}. {self.ttl} {rdtype} {data(each)}{dot}" for each in records.get(rdtype, ())
        ]
        if found or len(answer) > 10:
            return reply_to(query, *answer, *found, ad=verified)
        there = name in self.zones or any(each.endswith(f".{name}") for each in self.zones)
        soa = f". {self.ttl} SOA {SOA.format(minimum=self.minimum)}"
        rcode = dns.rcode.NOERROR if there else dns.rcode.NXDOMAIN
        return reply_to(query, *answer, authority=[soa], rcode=rcode, ad=verified)


def data(record):
    """Return a record as the text of a zone."""
    match record:
        case Mx(preference, "."):
            return f"{preference} ."
        case Mx(preference, host):
            return f"{preference} {host}."
        case Tlsa(usage, selector, matching, octets):
            return f"{usage} {selector} {matching} {octets.hex()}"
        case Txt(text):
            return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text) or 1, 255))
    return record


class Server:
    """One server.

    :param answer: a function of the query, of dnspython, to the reply; octets are sent as they are,
        a list of them as several datagrams, and ``None`` is silence.
    :param by_tcp: the same by TCP, if it differs; ``None``: nobody listens there.
    """

    def __init__(self, answer, by_tcp="the same"):
        self.answer = answer
        self.by_tcp = by_tcp
        self.asked = []
        self.ports = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))

    @property
    def address(self):
        return NameServer(*self._socket.getsockname())

    def close(self):
        self._socket.close()

    def serve(self):
        """Answer what has arrived; return whether anything has."""
        busy = False
        while self._socket.fileno() >= 0:
            try:
                octets, client = self._socket.recvfrom(65535)
            except BlockingIOError:
                break
            busy = True
            self.ports.append(client[1])
            for reply in self.replies(octets, self.answer, "UDP"):
                self._socket.sendto(reply, client)
        return busy

    def replies(self, octets, answer, how):
        query = dns.message.from_wire(octets)
        (question,) = query.question
        self.asked.append(
            (question.name.to_text(), dns.rdatatype.to_text(question.rdtype), how, query.edns >= 0)
        )
        said = answer(query)
        if said is None:
            return []
        return [
            each if isinstance(each, bytes) else each.to_wire(max_size=65535)
            for each in (said if isinstance(said, list) else [said])
        ]

    @property
    def questions(self):
        """What was asked, in lower case, without what each query has of its own."""
        return [(name.lower(), rdtype) for name, rdtype, _, _ in self.asked]


class Connection(StringTransport):
    """The client's end of a connection to a server."""

    def __init__(self, network, server, protocol):
        super().__init__()
        self.network = network
        self.server = server
        self.protocol = protocol
        self.open = True

    def serve(self):
        octets = self.value()
        if len(octets) < 2 or not self.open:
            return False
        self.clear()
        answer = self.server.answer if self.server.by_tcp == "the same" else self.server.by_tcp
        for reply in self.server.replies(octets[2:], answer, "TCP"):
            stream = reply if self.server.by_tcp is garbled else len(reply).to_bytes(2) + reply
            for at in range(0, len(stream), 1000):
                if self.open:
                    self.protocol.dataReceived(stream[at : at + 1000])
        return True

    def abortConnection(self):
        if self.open:
            self.open = False
            self.network.connections.remove(self)
            self.network.lost.append(self.protocol)


def black_hole(query):
    """Let what is sent by TCP get lost on the way there."""


class Connecting:
    """A connection that nothing comes of."""

    def __init__(self, factory):
        self.factory = factory

    def getDestination(self):  # noqa: N802
        return None

    def stopConnecting(self):  # noqa: N802
        self.factory.clientConnectionFailed(self, Failure(error.UserError()))


def garbled(query):
    """Say what is no message at all, by TCP."""
    return b"220 mail.example ESMTP\r\n"


class Network(Clock):
    """A reactor with servers."""

    def __init__(self):
        super().__init__()
        self.servers = []
        self.readers = []
        self.connections = []
        self.lost = []

    def server(self, answer, **more):
        server = Server(answer, **more)
        self.servers.append(server)
        return server

    def resolver(self, *answers, trust_ad=False, **more):
        """Return a resolver that asks servers, a new one for each answer."""
        servers = [each if isinstance(each, Server) else self.server(each) for each in answers]
        addresses = tuple(each.address for each in servers)
        return Resolver(self, DnsSettings(servers=addresses, trust_ad=trust_ad), **more)

    def addReader(self, reader):
        self.readers.append(reader)

    def removeReader(self, reader):
        if reader in self.readers:
            self.readers.remove(reader)

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):  # noqa: N802, N803
        factory.doStart()
        for server in self.servers:
            if server.address == NameServer(host, port) and server.by_tcp is black_hole:
                factory.startedConnecting(Connecting(factory))
                return
            if server.address == NameServer(host, port) and server.by_tcp is not None:
                protocol = factory.buildProtocol(None)
                connection = Connection(self, server, protocol)
                self.connections.append(connection)
                protocol.makeConnection(connection)
                return
        factory.clientConnectionFailed(None, Failure(error.ConnectionRefusedError()))
        return

    def pump(self):
        """Let all arrive that is on its way."""
        busy = True
        while busy:
            while self.lost:  # as Twisted, in the next turn
                self.lost.pop().connectionLost(Failure(error.ConnectionDone()))
            busy = any([each.serve() for each in self.servers])  # noqa: C419 -- all of them
            busy |= any([each.serve() for each in list(self.connections)])  # noqa: C419
            ready, _, _ = select.select(self.readers, [], [], 0)
            for reader in ready:
                if reader in self.readers:
                    reader.doRead()
            busy |= bool(ready)

    def wait(self, deferred, within=60.0):
        """Return the result of a Deferred, or raise it; time passes while nothing else does."""
        results = []
        deferred.addBoth(results.append)
        until = self.seconds() + within
        self.pump()
        while not results and self.seconds() < until:
            timers = self.getDelayedCalls()
            assert timers, "nothing will happen any more"
            self.advance(max(0, min(each.getTime() for each in timers) - self.seconds()))
            self.pump()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def close(self):
        for server in self.servers:
            server.close()

    @property
    def is_clean(self):
        """Nothing is left of whatever has been asked."""
        return not (self.readers or self.connections or self.getDelayedCalls())
