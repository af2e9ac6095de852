"""The rig: what the name servers and the mail servers of these tests say."""

from __future__ import annotations

import http.client
import smtplib
import socket
import ssl

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from multisendcon_plugin.testing import Authority
from tests.interop.dns.block import SMTP, Block, needs_ports
from tests.interop.dns.mail_hosts import (
    CLOSED,
    SILENT,
    Host,
    MailHosts,
    black_hole,
    write_certificate,
)
from tests.interop.dns.name_servers import NEEDED, NameServers, ask
from tests.interop.dns.policy_hosts import PolicyHost, policy
from tests.interop.dns.scripted import ScriptedServer
from tests.interop.dns.zones import Zone, mail_servers, tlsa
from tests.interop.programs import until

HASH = "ab" * 32
ZONES = [
    Zone("test", ["null MX 0 .", "alias CNAME plain.test.", "xn--bcher-kva MX 1 mx1.plain.test."]),
    Zone("plain.test", [*mail_servers("mx1", "mx2"), "mx1 A 127.9.1.1", "mx1 AAAA ::1"]),
    Zone(
        "signed.test",
        [*mail_servers("mx1"), "mx1 A 127.9.1.2", tlsa("mx1", f"3 1 1 {HASH}")],
        signed=True,
    ),
    Zone("bogus.test", [*mail_servers("mx1"), "mx1 A 127.9.1.2"], bogus=True),
    Zone("changing.test", ["a A 127.9.1.3"], ttl=0),
    Zone("1.9.127.in-addr.arpa", ["1 PTR mx1.plain.test."]),
]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    with NameServers(tmp_path_factory.mktemp("names"), ZONES) as names:
        yield names


def answer(names, name, rdtype):
    """Return the records, and whether they are verified; or the name of the error."""
    reply = ask(names.unbound, name, rdtype)
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    records = [str(record) for rrset in reply.answer for record in rrset]
    return sorted(records), bool(reply.flags & dns.flags.AD)


@NEEDED
@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("plain.test", "MX", (["10 mx1.plain.test.", "20 mx2.plain.test."], False)),
        ("mx1.plain.test", "A", (["127.9.1.1"], False)),
        ("mx1.plain.test", "AAAA", (["::1"], False)),
        ("null.test", "MX", (["0 ."], False)),
        ("xn--bcher-kva.test", "MX", (["1 mx1.plain.test."], False)),
        (
            "alias.test",
            "MX",
            (["10 mx1.plain.test.", "20 mx2.plain.test.", "plain.test."], False),
        ),
        ("signed.test", "MX", (["10 mx1.signed.test."], True)),
        ("mx1.signed.test", "A", (["127.9.1.2"], True)),
        ("_25._tcp.mx1.signed.test", "TLSA", ([f"3 1 1 {HASH}"], True)),
        ("_25._tcp.signed.test", "TLSA", "NXDOMAIN"),
        ("bogus.test", "MX", "SERVFAIL"),
        ("nobody.test", "MX", "NXDOMAIN"),
        ("example", "MX", "NXDOMAIN"),
        ("1.1.9.127.in-addr.arpa", "PTR", (["mx1.plain.test."], False)),
    ],
)
def test_what_is_in_the_zones_is_answered_and_verified(names, name, rdtype, expected):
    assert answer(names, name, rdtype) == expected


@NEEDED
def test_a_zone_changes(names):
    assert answer(names, "a.changing.test", "A") == (["127.9.1.3"], False)
    names.knot.change(Zone("changing.test", ["b A 127.9.1.4"], ttl=0))
    assert answer(names, "b.changing.test", "A") == (["127.9.1.4"], False)


@pytest.fixture
def block():
    with Block() as block:
        yield block


def is_sent(address, recipient, tls=None, timeout=30):
    with smtplib.SMTP(address, SMTP, "client.example", timeout=timeout) as client:
        if tls:
            client._host = tls  # whom it asks for
            client.starttls(context=_anybody())
            client.ehlo()
        client.sendmail("boss@sales.example", [recipient], b"Subject: x\r\n\r\nHello.\r\n")


def _anybody():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@needs_ports()
def test_mail_hosts_tell_what_they_have_taken(tmp_path, start, block):
    pem = Authority().server_pem("mx.one.test")
    one = Host(
        name="mx.one.test",
        addresses=[block[10], block[11]],
        certificate=write_certificate(tmp_path, "one", pem),
    )
    two = Host(name="mx.two.test", addresses=[block[12]])
    hosts = start(MailHosts(tmp_path, [one, two]))
    is_sent(block[11], "a@one.test", tls="mx.one.test")
    is_sent(block[12], "a@two.test")
    first, second = until(lambda: len(hosts.taken) == 2 and hosts.taken, "both are told")
    assert (first.host, first.address, first.sni) == ("mx.one.test", block[11], "mx.one.test")
    assert (first.tls[:3], second.tls) == ("TLS", "")
    hosts.answer("mx.two.test", "rcpt", [550, "5.1.1", "nobody"])
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="nobody"):
        is_sent(block[12], "b@two.test")
    hosts.be("mx.two.test", CLOSED)
    with pytest.raises(ConnectionRefusedError):
        is_sent(block[12], "b@two.test")
    hosts.be("mx.two.test", SILENT)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        is_sent(block[12], "b@two.test", timeout=0.2)
    hosts.be("mx.two.test", None)
    hosts.answer("mx.two.test", "rcpt")
    is_sent(block[12], "c@two.test")


@needs_ports()
def test_nobody_answers_in_a_black_hole(block):
    with black_hole(block[10]), pytest.raises(TimeoutError):
        socket.create_connection((block[10], SMTP), timeout=0.3)


@needs_ports()
def test_policies_are_served_with_valid_certificates(tmp_path, start, block):
    authority = Authority()
    text = policy("enforce", "*.one.test")
    web = start(PolicyHost(tmp_path, block[2], authority, {"one.test": text}))
    context = ssl.create_default_context(cadata=authority.pem.decode())
    connection = http.client.HTTPSConnection(block[2], context=context, timeout=30)
    connection._create_connection = lambda _, *more: socket.create_connection((block[2], 443))
    connection.host = "mta-sts.one.test"
    connection.request("GET", "/.well-known/mta-sts.txt")
    answer = connection.getresponse()
    assert (answer.status, answer.read().decode()) == (200, text)
    assert web.asked == ["one.test"]


def test_the_scripted_server_forges_truncates_and_is_silent(start):
    def answer(asked):
        if asked.name == "silent.test":
            return None
        reply = dns.message.make_response(asked.query)
        if asked.by_tcp:
            reply.answer.append(dns.rrset.from_text("a.test.", 5, "IN", "A", "127.9.1.1"))
        else:
            reply.flags |= dns.flags.TC
        return reply

    server = start(ScriptedServer(answer))
    assert [str(each) for each in ask(server, "a.test", "A").answer[0]] == ["127.9.1.1"]
    assert server.asked == [("a.test", "A", False), ("a.test", "A", True)]
    server.answer = lambda asked: asked.forge(b"from another port", other_port=True)
    query = dns.message.make_query("silent.test", "A")
    with pytest.raises(dns.query.UnexpectedSource):
        dns.query.udp(query, server.address, 30, server.port)
    server.answer = lambda asked: asked.forge(b"from its own")
    with pytest.raises(dns.exception.DNSException):
        dns.query.udp(query, server.address, 30, server.port)
    server.answer = answer
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, server.address, 0.2, server.port)
