"""Whatever octets a server sends, nothing escapes and nothing false is believed."""

from __future__ import annotations

import contextlib
import struct
from ipaddress import IPv6Address

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import succeed

from multisendcon_plugin.dns import TYPES, Answer, DnsError, Kind, Mx, Tlsa, Txt
from multisendcon_plugin.dns.exchange import Exchange
from multisendcon_plugin.dns.names import normal
from multisendcon_plugin.dns.octets import MalformedError, Reply, text_of
from multisendcon_plugin.dns.reading import MOST_RECORDS, UnusableError, read
from multisendcon_plugin.dns.resolver import Resolver
from multisendcon_plugin.dns.surplus import with_fewer_records
from multisendcon_plugin.dns.wire import Match, Question, make_query
from multisendcon_plugin.settings.dns import DnsSettings, NameServer
from tests.dns.network import Network, Zones, reply_to

NAME = "mail.example"
ZONES = Zones(
    {
        NAME: {
            "MX": [Mx(10, "mx.example"), Mx(20, "mx2.example")],
            "A": ["192.0.2.1"],
            "AAAA": ["2001:db8::1"],
            "TXT": [Txt("text")],
            "TLSA": [Tlsa(3, 1, 1, b"x" * 32)],
            "PTR": ["mail.example"],
        },
        "www.example": {"CNAME": [NAME]},
    }
)
RECORDS = {each for records in ZONES.zones.values() for them in records.values() for each in them}
TYPE = st.sampled_from(TYPES)
#: Places and octets that are changed.
CHANGES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=5)


def is_well_made(answer):
    assert isinstance(answer, Answer)
    assert bool(answer.records) is (answer.kind is Kind.FOUND)
    assert len(answer.records) <= MOST_RECORDS
    assert answer.expires >= 0


def changed(octets, changes):
    octets = bytearray(octets)
    for place, octet in changes:
        octets[place % len(octets)] = octet
    return bytes(octets)


def real_reply(octets):
    return ZONES(dns.message.from_wire(octets)).to_wire()


@given(name=st.sampled_from([NAME, "www.example", "no.example"]), rdtype=TYPE, rest=st.binary())
def test_octets_after_a_question_are_an_answer_or_not(name, rdtype, rest):
    question = Question(name, rdtype)
    query = make_query(question, edns=True, mixed_case=True)
    header = query.octets[:2] + b"\x81\x80\x00\x01" + rest[:6].ljust(6, b"\0")
    with contextlib.suppress(UnusableError):
        finding = read(question, header + query.asked + rest[6:])
        assert finding.ttl is None or finding.ttl >= 0


@given(name=st.sampled_from([NAME, "www.example", "no.example"]), rdtype=TYPE, changes=CHANGES)
@settings(max_examples=300)
def test_a_reply_with_a_few_wrong_octets(name, rdtype, changes):
    network = Network()

    def by_udp(reactor, server, query):
        octets = changed(real_reply(query.octets), changes)
        # As the socket does, which ends with the first that is ours.
        match = query.match(octets)
        return succeed(octets if match is Match.OURS else real_reply(query.octets))

    async def by_tcp(reactor, server, query):
        raise DnsError("is not asked")

    names = Resolver(
        network,
        DnsSettings(servers=(NameServer("127.0.0.1"),)),
        exchange=Exchange(network, by_udp, by_tcp),
    )
    error = None
    try:
        is_well_made(network.wait(names.query(name, rdtype)))
    except DnsError as caught:
        error = caught
    assert error is None or (error.temporary and str(error).isprintable())
    assert network.is_clean


@given(octets=st.binary(max_size=600), name=st.sampled_from([NAME, "no.example"]), rdtype=TYPE)
def test_only_who_knows_what_was_sent_is_ours(octets, name, rdtype):
    query = make_query(Question(name, rdtype), edns=True, mixed_case=True)
    if query.match(octets) is not Match.FOREIGN:
        assert octets[:2] == query.octets[:2]
        assert octets[12 : 12 + len(query.asked)].lower() == query.asked.lower() or (
            octets[4:6] == b"\0\0" and octets[3] & 15 not in (0, 3)
        )


@given(changes=CHANGES, rdtype=TYPE)
def test_a_reply_that_is_ours_repeats_the_question(changes, rdtype):
    query = make_query(Question(NAME, rdtype), edns=True, mixed_case=True)
    octets = changed(real_reply(query.octets), changes)
    if query.match(octets) is Match.OURS and octets[4:6] != b"\0\0":
        assert octets[12 : 12 + len(query.asked)] == query.asked


@given(octets=st.binary(min_size=12, max_size=200), most=st.integers(0, 70_000))
def test_a_reply_with_fewer_records_is_as_long(octets, most):
    with contextlib.suppress(ValueError):
        fewer = with_fewer_records(octets, most)
        assert (len(fewer), fewer[:6]) == (len(octets), octets[:6])
        before, after = struct.unpack_from("!HHH", octets, 6), struct.unpack_from("!HHH", fewer, 6)
        assert all(after[n] <= before[n] for n in range(3))
        assert sum(after) <= 2 * most + 3


@given(
    preferences=st.lists(st.integers(0, 65535), max_size=40),
    beside=st.integers(0, 20),
    aliases=st.integers(0, 3),
    most=st.integers(1, 40),
)
def test_of_a_long_reply_the_preferred_mail_servers_stay(preferences, beside, aliases, most):
    query = dns.message.make_query(f"n0.{NAME}", "MX")
    chain = [f"n{n}.{NAME}. 60 CNAME n{n + 1}.{NAME}." for n in range(aliases)]
    servers = [
        f"n{aliases}.{NAME}. 60 MX {each} mx{n}.far.example." for n, each in enumerate(preferences)
    ]
    glue = [f"mx{n}.far.example. 60 A 192.0.2.{n}" for n in range(beside)]
    octets = reply_to(query, *chain, *servers, authority=[], additional=glue).to_wire()
    fewer = with_fewer_records(octets, most)
    assert len(fewer) == len(octets)
    whole = read(Question(f"n0.{NAME}", "MX"), fewer).records
    there = most - aliases if aliases < most else 0
    assert sorted(each.preference for each in whole) == sorted(preferences)[:there]


def text(name):
    return name.to_text(omit_final_dot=True).lower()


#: What dnspython has read, as we tell it.
VALUES = {
    "A": lambda read: read.address,
    "AAAA": lambda read: str(IPv6Address(read.address)),
    "CNAME": lambda read: text(read.target),
    "MX": lambda read: Mx(read.preference, text(read.exchange)),
    "PTR": lambda read: text(read.target),
    "SOA": lambda read: read.minimum,
    "TLSA": lambda read: Tlsa(read.usage, read.selector, read.mtype, read.cert),
    "TXT": lambda read: Txt(b"".join(read.strings).decode("latin-1")),
}


def by_dnspython(octets):
    """Return rcode, flags, and the records of answer and authority."""
    message = dns.message.from_wire(octets, one_rr_per_rrset=True, ignore_trailing=True)
    records = [
        (text(each.name), VALUES[dns.rdatatype.to_text(each.rdtype)](each[0]))
        for section in (message.answer, message.authority)
        for each in section
        if each.rdclass == dns.rdataclass.IN
    ]
    return message.rcode(), message.flags, records


def by_us(octets):
    reply = Reply(octets, most=1000)
    records = [
        (text_of(each.owner), _value(reply, each)) for each in reply.answer + reply.authority
    ]
    return reply.rcode, reply.flags, records


def _value(reply, record):
    match dns.rdatatype.to_text(record.rdtype):
        case "CNAME":
            return text_of(reply.target(record))
        case "SOA":
            return reply.minimum(record)
        case rdtype:
            return reply.value(record, rdtype)


@given(name=st.sampled_from([NAME, "www.example", "no.example"]), rdtype=TYPE, changes=CHANGES)
@settings(max_examples=500)
def test_what_dnspython_reads_is_read_alike(name, rdtype, changes):
    query = make_query(Question(name, rdtype), edns=True, mixed_case=True)
    octets = changed(real_reply(query.octets), changes)
    try:
        read_by_it = by_dnspython(octets)
    except Exception:  # whatever it comes across; or another type
        assume(False)
    assert by_us(octets) == read_by_it


@pytest.mark.parametrize(("ttl", "kept"), [(0x7FFFFFFF, 0x7FFFFFFF), (0x80000000, 0)])
def test_a_time_with_its_first_bit_set_is_none(ttl, kept):
    header = b"\0\0\x81\x80\0\0\0\1\0\0\0\0"
    record = b"\0\0\1\0\1" + ttl.to_bytes(4) + b"\0\4\xc0\0\2\1"

    assert Reply(header + record, most=1).answer[0].ttl == kept


@given(
    labels=st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3),
)
def test_a_name_of_any_octets_is_written_as_dnspython_writes_it(labels):
    name = dns.name.Name([*labels, b""])
    assert text_of(tuple(label.lower() for label in labels)) == name.to_text(True).lower()


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # to itself
        b"\xc0\x30",  # forward
        b"\x40a",
        b"\x80a\0",
        b"\x3fa",  # a label that is not there
        (b"\x3f" + b"a" * 63) * 4 + b"\0",  # of 257 octets
        b"\x01",
    ],
)
def test_a_name_that_is_none_is_not_read(name):
    header = b"\0\0\x81\x80\0\1\0\0\0\0\0\0"
    with pytest.raises(MalformedError):
        Reply(header + name, most=1)


def test_pointers_without_end_come_to_an_end():
    pointers = b"".join((0xC000 | 10 + 2 * n).to_bytes(2) for n in range(1, 8000))
    header = b"\0\0\x81\x80\0\0" + (1).to_bytes(2) + b"\0\0\0\0"
    record = pointers[-2:] + b"\0\1\0\1\0\0\0\0" + len(pointers).to_bytes(2) + pointers
    with pytest.raises(MalformedError):
        Reply(header + record, most=1)


def test_records_beyond_the_most_are_not_there():
    query = make_query(Question(NAME, "MX"), edns=True, mixed_case=True)
    octets = real_reply(query.octets)

    assert [len(Reply(octets, most).answer) for most in range(4)] == [0, 1, 2, 2]


@given(labels=st.lists(st.text("abc-_019XYZ", min_size=1, max_size=63), min_size=1, max_size=8))
def test_a_question_is_the_name_in_some_case(labels):
    name = ".".join(labels)
    assume(len(name) <= 253)
    query = make_query(Question(normal(name), "MX"), edns=True, mixed_case=True)
    (asked,) = dns.message.from_wire(query.octets).question
    assert asked.name.to_text(omit_final_dot=True).lower() == name.lower()
    assert query.asked == b"".join(
        bytes([len(label)]) + label for label in asked.name.labels
    ) + bytes([0, 15, 0, 1])


@given(name=st.text())
def test_any_text_is_a_name_or_is_refused_for_good(name):
    error = None
    try:
        assert normal(normal(name)) == normal(name)
    except DnsError as caught:
        error = caught
    assert error is None or (not error.temporary and str(error).isprintable())
