"""The mail servers of strangers, at port 25 of loopback addresses, in a process of their own.

Run as a program, it is all of them: the hosts are JSON in its argument, what happens is a line of
JSON on its output, and what they are to do is a line of JSON on its input.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import socket
import sys
import threading
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from OpenSSL.crypto import X509, PKey
from twisted.internet import ssl
from twisted.internet.defer import gatherResults, maybeDeferred, succeed

from multisendcon_plugin.edge.protocol import RelayESMTP
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.testing import Provider
from tests.interop.dns.block import SMTP
from tests.interop.provider import ProviderProcess, say

#: What a host does before anything is said: it takes no connections; it says nothing.
CLOSED, SILENT = "closed", "silent"


@attrs.frozen(kw_only=True)
class Host:
    """A mail server.

    :param addresses: where it listens.
    :param certificate: the files of its certificate and key; without, it offers no TLS.
    """

    name: str
    addresses: tuple[str, ...] = attrs.field(converter=tuple)
    certificate: tuple[str, str] | None = None


@attrs.frozen(kw_only=True)
class Taken:
    """A mail that was taken by a host, for one recipient.

    :param tls: the version of TLS, or empty.
    :param sni: the name that was asked for in the handshake.
    :param session: the number of the host's session.
    """

    host: str
    recipient: str
    sender: str
    address: str
    peer: str
    helo: str
    tls: str
    sni: str
    session: int
    content: str
    at: float


class MailHosts(ProviderProcess):
    """The mail servers.

    :param hosts: all there are.
    :ivar taken: the mails that they have taken, in order.
    :ivar opened: the names of the hosts whose sessions have begun, in order.
    """

    program = "tests.interop.dns.mail_hosts"

    def __init__(self, folder, hosts):
        super().__init__(folder, "127.0.0.1")
        self._settings = [attrs.asdict(host) for host in hosts]
        self.taken = []
        self.opened = []
        self._done = queue.Queue()

    def _take(self, fields):
        match fields.pop("what"):
            case "taken":
                self.taken.append(Taken(**fields))
            case "open":
                self.opened.append(fields["host"])
            case "done":
                self._done.put(None)
            case _:
                super()._take(fields)

    def answer(self, host, phase, reply=None):
        """Have a host answer so from now on.

        :param phase: "greeting", "mail", "rcpt" or "end".
        :param reply: code, enhanced code and text; ``None``: as usual.
        """
        self._order(host, phase, reply)

    def be(self, host, how):
        """Have a host be `CLOSED` or `SILENT` from now on; ``None``: neither.

        What has begun goes on.
        """
        self._order(host, "connection", how)

    def _order(self, *order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        self._done.get(timeout=30)

    # What is seen.

    def of(self, recipient):
        """Return the mails that a recipient has got."""
        return [each for each in list(self.taken) if each.recipient == recipient]


def write_certificate(folder, name, pem):
    """Write a certificate and its key; return their files, as `Host` takes them.

    :param pem: both, as `Authority.server_pem` returns them.
    """
    files = Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key"
    for file, octets in zip(files, pem, strict=True):
        file.write_bytes(octets)
    return tuple(map(str, files))


def association(pem, usage=3):
    """Return the data of a TLSA record for a certificate: its public key, or it all if usage is 2.

    :param pem: the certificate.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    whole = certificate.public_bytes(Encoding.DER)
    selector, octets = (0, whole) if usage == 2 else (1, key)
    return f"{usage} {selector} 1 {hashlib.sha256(octets).hexdigest()}"


@contextlib.contextmanager
def black_hole(address, port=SMTP):
    """Let nobody get an answer to a connection to an address, not even that there is none."""
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind((address, port))
        listening.listen(0)
        # The system takes as many as have room, and does not answer those that come then.
        for _ in range(8):
            client = opened.enter_context(socket.socket())
            client.settimeout(0.2)
            try:
                client.connect((address, port))
            except TimeoutError:
                break
        else:
            raise RuntimeError(f"{address} still answers")
        yield


# What runs in the other process.


class _Session(RelayESMTP):
    def connectionMade(self):
        self.factory.say("open")
        super().connectionMade()

    def greet(self):
        if self.factory.connection == SILENT:
            return
        refusal = self.factory.replies.get("greeting")
        if refusal:
            self.dialogue.talk.close_with(refusal)
        else:
            super().greet()

    @property
    def sni(self):
        return (self.transport.getHandle().get_servername() or b"").decode() if self.secure else ""


class _Host(Provider):
    """One host, at all its addresses."""

    protocol = _Session

    def __init__(self, reactor, *, name, addresses, certificate):
        super().__init__(
            reactor,
            hostname=name,
            tls=certificate and _tls(*certificate),
            answer=lambda phase, _: self.replies.get(phase),
        )
        self.name = name
        self.replies = {}
        self.connection = None
        self._addresses = addresses
        self._ports = []
        self._live = {}

    def say(self, what, **fields):
        say(what=what, host=self.name, **fields)

    def open(self):
        self._ports = [self.reactor.listenTCP(SMTP, self, 200, each) for each in self._addresses]

    def obey(self, phase, order):
        """Do as a line says; return a Deferred that fires when it holds."""
        if phase != "connection":
            self.replies[phase] = order and Reply(*order)
            return succeed(None)
        closing = []
        if order == CLOSED:
            closing, self._ports = self._ports, closing
        elif not self._ports:
            self.open()
        self.connection = order
        return gatherResults([maybeDeferred(port.stopListening) for port in closing])

    def buildProtocol(self, addr):
        session = super().buildProtocol(addr)
        self._live[self.sessions] = session
        session.ended.addCallback(lambda _, number=self.sessions: self._live.pop(number))
        return session

    def record(self, mail):
        session = self._live[mail.session]
        for recipient in mail.recipients:
            self.say(
                "taken",
                recipient=recipient,
                sender=mail.reverse_path,
                address=session.transport.getHost().host,
                peer=mail.peer,
                helo=mail.helo,
                tls=mail.tls,
                sni=session.sni,
                session=mail.session,
                content=mail.content.decode("latin-1"),
                at=mail.received_at,
            )


def _tls(certificate, key):
    chain = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    own, *others = map(X509.from_cryptography, chain)
    private = load_pem_private_key(Path(key).read_bytes(), None)
    return ssl.CertificateOptions(
        privateKey=PKey.from_cryptography_key(private), certificate=own, extraCertChain=others
    )


def _main():
    from twisted.internet import reactor

    hosts = {fields["name"]: _Host(reactor, **fields) for fields in json.loads(sys.argv[1])}
    for host in hosts.values():
        host.open()

    def obey(line):
        name, *order = json.loads(line)
        hosts[name].obey(*order).addCallback(lambda _: say(what="done"))

    def listen():
        for line in sys.stdin:
            reactor.callFromThread(obey, line)

    threading.Thread(target=listen, daemon=True).start()
    say(what="ready", port=SMTP)
    reactor.run()


if __name__ == "__main__":
    _main()
