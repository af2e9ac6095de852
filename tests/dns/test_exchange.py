"""How one server is asked: truncated replies, servers without EDNS or TCP, and limits."""

from __future__ import annotations

import errno

import dns.edns
import dns.flags
import dns.rcode
import pytest

from multisendcon_plugin.dns import DnsError, Kind, Mx
from multisendcon_plugin.dns.inquiry import PROBE_WITHIN
from tests.dns.network import SOA, Zones, black_hole, garbled, refused, reply_to, servfail

NAME = "mail.example"
TRUE = Zones({NAME: {"A": ["192.0.2.1"], "MX": [Mx(n, f"mx{n}.example") for n in range(300)]}})


def truncated(query):
    return reply_to(query, f"{NAME}. 60 A 192.0.2.66", flags=dns.flags.RA | dns.flags.TC)


def hows(server):
    return [(how, edns) for _, _, how, edns in server.asked]


def test_what_does_not_fit_is_asked_for_by_tcp(network):
    server = network.server(truncated, by_tcp=TRUE)
    names = network.resolver(server)
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    assert hows(server) == [("UDP", True), ("TCP", True)]
    assert network.seconds() == 0
    assert network.is_clean


@pytest.mark.parametrize(
    ("by_tcp", "reason"),
    [
        (None, "cannot be reached by TCP: Connection was refused by other side"),
        (truncated, "truncates its reply, by TCP too"),
        (garbled, "does not answer"),
        (lambda query: b"x" * 12, "answers what was not asked"),
        (lambda query: None, "does not answer"),
    ],
)
def test_a_server_that_truncates_and_has_no_more_to_say(network, by_tcp, reason):
    names = network.resolver(network.server(truncated, by_tcp=by_tcp))
    with pytest.raises(DnsError, match=reason):
        network.wait(names.query(NAME, "A"))
    network.advance(PROBE_WITHIN)
    network.advance(PROBE_WITHIN)  # by UDP, and by TCP
    assert network.is_clean


def test_a_server_to_which_there_is_no_way_by_tcp(network):
    names = network.resolver(network.server(truncated, by_tcp=black_hole))
    with pytest.raises(DnsError, match="does not answer"):
        network.wait(names.query(NAME, "A"))
    network.advance(PROBE_WITHIN)
    network.advance(PROBE_WITHIN)
    assert network.is_clean


def test_a_connection_that_is_closed_without_an_answer(network):
    def hang_up(query):
        network.connections[0].abortConnection()

    names = network.resolver(network.server(truncated, by_tcp=hang_up))
    with pytest.raises(DnsError, match="closes the connection without an answer"):
        network.wait(names.query(NAME, "A"))


def test_of_too_many_mail_servers_those_that_are_tried_first_are_used(network):
    names = network.resolver(network.server(truncated, by_tcp=TRUE))
    records = network.wait(names.query(NAME, "MX")).records
    assert sorted(records) == [Mx(n, f"mx{n}.example") for n in range(100)]


def test_what_records_beside_the_answer_say_is_not_read(network):
    beside = [f"{NAME}. 60 NS n{n}.example." for n in range(99)]
    broken = f"{NAME}. 60 AAAA 2001:db8::1"

    def answer(query):
        reply = reply_to(query, f"{NAME}. 60 A 192.0.2.1", authority=beside, additional=[broken])
        reply.use_edns(False)
        octets = reply.to_wire(max_size=65535)
        place = octets.rindex(b"\0\x1c\0\1")
        return octets[:place] + b"\0\1" + octets[place + 2 :]  # an address of 16 octets as an A

    assert network.wait(network.resolver(answer).query(NAME, "A")).records == ("192.0.2.1",)


def test_a_reply_of_64_kib(network):
    def huge(query):
        return reply_to(query, *(f"{NAME}. 60 A 10.0.{n // 256}.{n % 256}" for n in range(4000)))

    names = network.resolver(network.server(truncated, by_tcp=huge))
    assert len(network.wait(names.query(NAME, "A")).records) == 100


def old(rcode, *, with_question):
    """A server from the time before EDNS."""

    def answer(query):
        if query.edns < 0:
            return TRUE(query)
        reply = reply_to(query, rcode=rcode)
        reply.use_edns(False)
        octets = reply.to_wire()
        return octets if with_question else octets[:4] + bytes(8)

    return answer


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP])
@pytest.mark.parametrize("with_question", [True, False])
def test_a_server_without_edns_is_asked_without(network, rcode, with_question):
    server = network.server(old(rcode, with_question=with_question))
    names = network.resolver(server)
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    network.wait(names.query(NAME, "AAAA"))
    assert hows(server) == [("UDP", True), ("UDP", False), ("UDP", False)]
    network.advance(3600)
    network.wait(names.query(NAME, "TXT"))
    assert hows(server)[3:] == [("UDP", True), ("UDP", False)]


def test_a_server_that_takes_no_question_at_all(network):
    names = network.resolver(lambda query: reply_to(query, rcode=dns.rcode.FORMERR))
    with pytest.raises(DnsError, match=r"says FORMERR$"):
        network.wait(names.query(NAME, "A"))
    assert len(network.servers[0].asked) == 2
    with pytest.raises(DnsError):
        network.wait(names.query(NAME, "AAAA"))
    assert len(network.servers[0].asked) == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (servfail, "says SERVFAIL"),
        (refused, "says REFUSED"),
        (lambda query: reply_to(query, rcode=dns.rcode.BADVERS), "says BADVERS"),
        (
            lambda query: reply_to(query, authority=["example. 60 NS ns.example."]),
            "does not ask other servers",
        ),
        (lambda query: reply_to(query, flags=0), "does not ask other servers"),
        (
            lambda query: reply_to(query, f"{NAME}. 60 A 192.0.2.1", rcode=dns.rcode.NXDOMAIN),
            "says that the name is not there, and what it has",
        ),
        (lambda query: reply_to(query).to_wire()[:12] + b"\0" * 40, "does not answer"),
        (
            lambda query: reply_to(query, f"{NAME}. 60 A 192.0.2.1").to_wire()[:-13],
            "sends what cannot be read",
        ),
    ],
)
def test_a_reply_that_is_no_answer(network, answer, reason):
    with pytest.raises(DnsError, match=f"^A of {NAME}: 127.0.0.1:[0-9]+ {reason}") as caught:
        network.wait(network.resolver(answer).query(NAME, "A"))
    assert caught.value.temporary


@pytest.mark.parametrize(
    ("count", "why"), [(1, r" \(dnssec bogus\)"), (2, r" \(65535, dnssec bogus\)")]
)
def test_a_server_says_why_it_has_no_answer(network, count, why):
    def bogus(query):
        reply = servfail(query)
        text = b"\x1b[31mever so bogus"
        option = dns.edns.GenericOption(15, b"\0\x06" + text)
        unknown = dns.edns.GenericOption(15, b"\xff\xff" + text)
        reply.use_edns(0, options=[option, unknown][:count])
        return reply

    with pytest.raises(DnsError, match=f"says SERVFAIL{why}$"):
        network.wait(network.resolver(bogus).query(NAME, "A"))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS, errno.EAGAIN])
def test_without_sockets_it_is_no_server_that_is_at_fault(network, monkeypatch, number):
    names = network.resolver(TRUE)
    with monkeypatch.context() as patch:

        def none(*args):
            raise OSError(number, "no more")

        patch.setattr("socket.socket", none)
        with pytest.raises(DnsError, match="there is no socket to ask the DNS: no more"):
            network.wait(names.query(NAME, "A"))
    assert network.wait(names.query(NAME, "AAAA")).kind is Kind.NO_DATA


def test_a_network_without_a_way_to_the_server(network, monkeypatch):
    names = network.resolver(TRUE)

    def unreachable(*args):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("socket.socket.connect", unreachable)
    with pytest.raises(DnsError, match="cannot be reached: Network is unreachable"):
        network.wait(names.query(NAME, "A"))
    assert network.is_clean


@pytest.mark.parametrize(
    ("count", "last"), [(8, "192.0.2.1"), (9, None)], ids=["as many as may be", "one more"]
)
def test_so_many_aliases_are_followed(network, count, last):
    chain = [f"n{n}.example. 60 CNAME n{n + 1}.example." for n in range(count)]

    def answer(query):
        return reply_to(query, *chain, f"n{count}.example. 60 A 192.0.2.1")

    asked = network.resolver(answer).query("n0.example", "A")
    if last:
        answered = network.wait(asked)
        assert (answered.records, answered.canonical) == ((last,), f"n{count}.example")
    else:
        with pytest.raises(DnsError, match="without end"):
            network.wait(asked)


def test_aliases_without_end_in_one_reply_each(network):
    def answer(query):
        first = query.question[0].name.to_text().lower() == "a.example."
        return reply_to(
            query, "a.example. 60 CNAME b.example." if first else "b.example. 60 CNAME a.example."
        )

    names = network.resolver(answer)
    with pytest.raises(DnsError, match="without end"):
        network.wait(names.query("a.example", "A"))
    assert len(network.servers[0].asked) < 12


def test_an_alias_of_what_is_no_name(network):
    names = network.resolver(lambda query: reply_to(query, f"{NAME}. 60 CNAME a\\.b.example."))
    with pytest.raises(DnsError, match=f"A of {NAME}: .* is no name of the DNS") as caught:
        network.wait(names.query(NAME, "A"))
    assert caught.value.temporary


def test_an_alias_of_a_name_without_such_records(network):
    soa = f"example. 60 SOA {SOA.format(minimum=30)}"
    names = network.resolver(
        lambda query: reply_to(query, f"www.example. 60 CNAME {NAME}.", authority=[soa])
    )
    answered = network.wait(names.query("www.example", "A"))
    assert (answered.kind, answered.canonical, answered.expires) == (Kind.NO_DATA, NAME, 30)


def test_the_soa_of_another_zone_says_nothing(network):
    soa = f"other.example. 60 SOA {SOA.format(minimum=30)}"
    names = network.resolver(lambda query: reply_to(query, authority=[soa], rcode=3))
    answered = network.wait(names.query(NAME, "A"))
    assert (answered.kind, answered.expires) == (Kind.NO_NAME, 0)
