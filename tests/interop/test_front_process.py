"""The process that serves the clients, beside twistd's: killed, stopped, and at each endpoint."""

from __future__ import annotations

import base64
import collections
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from multisendcon_plugin.testing import Authority
from tests.interop.clients import Clients
from tests.interop.logins import PASSWORD, USERNAME, offer_logins
from tests.interop.processes import descendants
from tests.interop.programs import free_port, needs, python_program, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = [
    needs("smtp-sink"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="there is one processor"),
]

SENDER = "boss@sales.example"
CONTENT = b"From: boss@sales.example\r\nSubject: hello\r\n\r\nhello\r\n"
MB = 1_000_000
#: Gone, or on its way to be: what is left of a process that nobody has waited for.
_ZOMBIE = "Z"


class FrontRelay(Relay):
    """A relay with a front process; it has started when a client has been greeted."""

    def start(self):
        super().start()
        smtplib.SMTP(self.address, self.port, timeout=60).close()

    @property
    def front(self):
        """The number of the front process."""
        [pid] = self.children()
        return pid

    def kill_front(self):
        """Kill it, and wait until clients are served by the next one."""
        killed = self.front
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in self.children(), "it is gone")
        until(self.children, "there is a new one", timeout=10)
        self.client().close()

    def client(self):
        return smtplib.SMTP(self.address, self.port, timeout=30)

    def said(self):
        return self.log.read_text()


def is_there(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != _ZOMBIE


@pytest.fixture
def sink(tmp_path, start):
    return start(Sink(tmp_path))


@pytest.fixture
def relay(tmp_path, start, sink):
    return start(FrontRelay(tmp_path, account("Sink", sink.address, sink.port)))


def arrived(relay, sink, count):
    """Wait until so many mails have arrived; return their recipients."""
    until(lambda: sink.count() >= count, "the mails arrive")
    until(lambda: relay.waiting() == 0, "they have left the spool")
    return sink.recipients()


def send(client, recipient="a@customer.example", content=CONTENT):
    client.sendmail(SENDER, [recipient], content)


# Ends that nobody wished.


def test_what_was_taken_before_the_front_process_was_killed_arrives_once(relay, sink):
    with Clients(relay, sessions=5) as clients:
        for _ in range(2):
            clients.wait_for(len(clients.acknowledged) + 100)
            killed = relay.front
            os.kill(killed, signal.SIGKILL)
            clients.wait_for(len(clients.acknowledged) + 50, timeout=15)
            assert relay.front != killed
    recipients = collections.Counter(arrived(relay, sink, len(clients.acknowledged)))

    assert clients.acknowledged <= recipients.keys() <= clients.acknowledged | clients.doubtful
    assert set(recipients.values()) == {1}
    assert relay.said().count("#critical] the front process ended unexpectedly: ") == 2
    assert "Traceback" not in relay.said()


def test_when_the_relay_is_killed_the_front_process_goes_and_the_port_is_free(relay, sink):
    front = relay.front
    with relay.client() as client:
        send(client)
        relay.kill()
        until(lambda: not is_there(front), "the front process goes", timeout=10)
        assert client.sock.recv(1) == b""
    relay.start()
    with relay.client() as client:
        send(client, "b@customer.example")

    assert {*arrived(relay, sink, 2)} == {"a@customer.example", "b@customer.example"}


# Ends that somebody wished.


def is_read(client):
    """Tell whether the server has read all that its client has sent."""
    _, port = client.sock.getsockname()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if remote.endswith(f":{port:04X}"):
            return queues.endswith(":00000000")
    raise ConnectionError("the server has closed the connection")


@pytest.mark.parametrize("to_all", [False, True], ids=["relay", "both"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_mail_that_is_being_stored_gets_its_reply_before_the_end(relay, sink, number, to_all):
    front = relay.front
    client = relay.client()
    client.ehlo()
    client.mail(SENDER)
    client.rcpt("a@customer.example")
    client.docmd("DATA")
    relay.signal(signal.SIGSTOP)
    client.send(CONTENT + b".\r\n")
    until(lambda: is_read(client), "the front process has read the mail")
    relay.signal(number)
    if to_all:  # as a terminal does, and systemd
        os.kill(front, number)
    relay.signal(signal.SIGCONT)

    assert client.getreply()[0] == 250
    assert client.getreply()[0] == 421
    # As every program that a signal ends.
    assert relay.process.wait(30) == -number
    assert not is_there(front)
    assert "Traceback" not in relay.said()
    assert "#critical" not in relay.said()
    client.close()
    assert sink.recipients() == ["a@customer.example"] or relay.waiting()


def test_as_a_daemon(tmp_path, sink):
    relay = FrontRelay(tmp_path, account("Sink", sink.address, sink.port))
    *_, name, configuration = relay.command()
    pidfile = tmp_path / "relay.pid"
    started = subprocess.run(
        [python_program("twistd"), "--pidfile=relay.pid", name, configuration],
        cwd=tmp_path,
        env={**os.environ, **relay.environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, started.stderr) == (0, b"")
    pid = int(pidfile.read_text())
    try:
        with relay.client() as client:
            send(client)
        assert arrived(relay, sink, 1) == ["a@customer.example"]
        [front] = descendants(pid)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_there(pid), "the daemon ends")
    finally:
        if is_there(pid):
            os.kill(pid, signal.SIGKILL)
    assert not is_there(front)
    assert not pidfile.exists()


# What it says, and knows.


def test_its_log_is_the_relays(tmp_path, start, sink):
    settings = account("Sink", sink.address, sink.port, senders='["*@sales.example"]')
    limits = "max_connections_per_address = 4"
    relay = start(FrontRelay(tmp_path, settings, settings=limits))
    clients = [relay.client()]
    with pytest.raises(smtplib.SMTPConnectError, match="421"):
        clients.extend(relay.client() for _ in range(4))
    client = clients[0]
    client.ehlo()
    client.mail("who@else.example")
    assert client.rcpt("a@customer.example")[0] == 550
    for each in clients:
        each.close()

    namespace = re.escape("[multisendcon_plugin.daemon.event_log#")
    for line in (
        rf"{namespace}warn\] 127\.\S+ rejected: max_connections_per_address \(\d+\) reached",
        rf"{namespace}info\] 127\.\S+ rejected: 550 ",
    ):
        until(lambda line=line: re.search(line, relay.said()), "it is logged", timeout=10)


def test_it_does_not_know_the_accounts_logins(tmp_path, start, sink):
    login = {"username": '"canary-user-0815"', "password": '{ env = "SALES_PASSWORD" }'}
    settings = account("Sink", sink.address, sink.port, tls='"starttls"', **login)
    relay = FrontRelay(tmp_path, settings)
    relay.environment["SALES_PASSWORD"] = "canary-password-0815"
    start(relay)
    with relay.client() as client:
        send(client)

    folder = Path(f"/proc/{relay.front}")
    assert b"canary" not in (folder / "cmdline").read_bytes()
    assert b"canary" not in (folder / "environ").read_bytes()
    assert in_memory(folder, b"relay.example.com")
    assert not in_memory(folder, b"canary")
    assert in_memory(Path(f"/proc/{relay.process.pid}"), b"canary-password-0815")
    assert "canary" not in relay.said()


def in_memory(folder, octets):
    """Look for octets in what a process can write to."""
    with (folder / "mem").open("rb") as memory:
        for line in (folder / "maps").read_text().splitlines():
            bounds, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            first, end = (int(each, 16) for each in bounds.split("-"))
            memory.seek(first)
            if octets in memory.read(end - first):
                return True
    return False


def test_there_is_none_when_it_is_not_wanted(tmp_path, start, sink):
    settings = account("Sink", sink.address, sink.port)
    relay = start(FrontRelay(tmp_path, settings, settings="own_process = false"))

    assert relay.children() == []
    assert relay.stop() == -signal.SIGTERM


# All kinds of endpoints.

#: What systemd does: the socket is descriptor 3, and the environment says for whom.
HAND_OVER = """
import os, socket, sys
opened = socket.create_server((sys.argv[1], int(sys.argv[2])))
if opened.fileno() != 3:
    os.dup2(opened.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
os.execv(sys.argv[3], sys.argv[3:])
"""


class Everywhere(FrontRelay):
    """A relay that listens at one endpoint of each kind."""

    def __init__(self, folder, configuration):
        self.authority = Authority()
        pem, self.socket = folder / "relay.pem", folder / "smtp.sock"
        pem.write_bytes(b"".join(self.authority.server_pem(self.address)))
        pem.chmod(0o600)
        self.tls, self.proxied, self.activated = (free_port(self.address) for _ in range(3))
        self.six = free_port_of_ipv6()
        listen = [
            f"ssl:port={self.tls}:interface={self.address}:privateKey={pem}",
            f"haproxy:tcp:port={self.proxied}:interface={self.address}",
            f"unix:{self.socket}:mode=660",
            "systemd:domain=INET:name=smtp",
            *([rf"tcp6:port={self.six}:interface=\:\:1"] if self.six else []),
        ]
        settings = 'proxies = ["127.0.0.1"]'
        super().__init__(folder, configuration, listen=listen, settings=settings)

    def command(self):
        wrapper = [sys.executable, "-c", HAND_OVER, self.address, str(self.activated)]
        return [*wrapper, sys.executable, *super().command()]

    def connections(self):
        """Yield a new connection to each endpoint."""
        yield self.connection(self.port)
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        with self.connection(self.tls) as plain:
            yield context.wrap_socket(plain, server_hostname=self.address)
        proxied = self.connection(self.proxied)
        proxied.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 25\r\n")
        yield proxied
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(30)
        local.connect(str(self.socket))
        yield local
        yield self.connection(self.activated)
        if self.six:
            yield socket.create_connection(("::1", self.six), 30)

    def connection(self, port):
        return socket.create_connection((self.address, port), 30)


def free_port_of_ipv6():
    """Return a port, or 0: this machine has no IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            return probe.getsockname()[1]
    except OSError:
        return 0


def test_each_kind_of_endpoint_works_and_goes_on_after_a_crash(tmp_path, start, sink):
    relay = start(Everywhere(tmp_path, account("Sink", sink.address, sink.port)))
    for _ in range(2):
        for connection in relay.connections():
            with connection:
                assert connection.recv(1000).startswith(b"220 relay.example.com ")
        assert relay.socket.stat().st_mode & 0o777 == 0o660
        relay.kill_front()
    assert relay.stop() == -signal.SIGTERM
    assert not relay.socket.exists()
    assert "Traceback" not in relay.said()


def test_logins_and_a_renewed_certificate(tmp_path, start, sink):
    settings, ca = offer_logins(tmp_path)
    settings += '\nusers_from_anywhere = true\nallow = ["192.0.2.99"]'
    destination = account("Sink", sink.address, sink.port)
    relay = start(FrontRelay(tmp_path, destination, settings=settings))
    with relay.client() as client:
        client.starttls(context=ssl.create_default_context(cafile=ca))
        client.ehlo()
        # smtplib's own way knows ASCII only.
        response = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
        assert client.docmd("AUTH", f"PLAIN {response}")[0] == 235
        send(client)
    assert arrived(relay, sink, 1) == ["a@customer.example"]

    authority = Authority("Another")
    renewed = tmp_path / "renewed.pem"
    renewed.write_bytes(b"".join(authority.server_pem(relay.address)))
    renewed.chmod(0o600)
    renewed.rename(tmp_path / "relay.pem")
    context = ssl.create_default_context(cadata=authority.pem.decode())
    with relay.client() as client:
        client.starttls(context=context)


def test_what_keeps_it_from_starting_is_said_and_can_be_mended(tmp_path, start, sink):
    settings, _ = offer_logins(tmp_path)
    destination = account("Sink", sink.address, sink.port)
    relay = start(FrontRelay(tmp_path, destination, settings=settings))
    certificate = tmp_path / "relay.pem"
    whole = certificate.read_bytes()
    certificate.write_bytes(b"")
    os.kill(relay.front, signal.SIGKILL)
    fault = f"program.Front#critical] clients cannot be served: {certificate}: "
    until(lambda: fault in relay.said(), "it is said")
    certificate.write_bytes(whole)
    with relay.client() as client:
        assert client.noop()[0] == 250


# Mails of all sizes.


def test_long_mails_and_many_recipients(tmp_path, relay, sink):
    line = b"0123456789abcde\r\n"
    with relay.client() as client:
        client.ehlo()
        limit = int(client.esmtp_features["size"])
        long = CONTENT + line * (40 * MB // len(line))
        assert len(long) < limit
        recipients = [f"{number}@customer.example" for number in range(1000)]
        client.mail(SENDER)
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        chunk = 7 * MB + 1
        for start in range(0, len(long), chunk):
            piece = long[start : start + chunk]
            last = b" LAST" if start + chunk >= len(long) else b""
            client.sock.sendall(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            code, reply = client.getreply()
            assert code == 250, reply
        client.mail(SENDER)
        client.rcpt("refused@customer.example")
        assert client.data(long + line * (limit // len(line)))[0] == 552

    until(lambda: sink.count() and relay.waiting() == 0, "it has left the spool")
    assert sorted(sink.recipients()) == sorted(recipients)
    body = long.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").rstrip()
    for file in sink.mails.iterdir():
        # smtp-sink writes lines as they are on this system.
        assert file.read_bytes().partition(b"\n\n")[2].rstrip() == body


def test_a_disk_that_fails_puts_mail_off(tmp_path, relay, sink):
    long = CONTENT + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (8 * MB // 72)
    away = relay.spool.rename(tmp_path / "away")
    with relay.client() as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(client, "early@customer.example", long)
        assert refused.value.smtp_code == 451
        away.rename(relay.spool)
        send(client, content=long)

    assert arrived(relay, sink, 1) == ["a@customer.example"]
