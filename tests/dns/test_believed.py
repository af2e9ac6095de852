"""Of all that arrives, only the reply to a question is believed, and only what it says of it."""

from __future__ import annotations

import socket

import dns.flags
import dns.message
import pytest
from twisted.internet.defer import succeed

from multisendcon_plugin.dns import DnsError, Kind, Mx
from multisendcon_plugin.dns.exchange import Exchange
from multisendcon_plugin.dns.resolver import Resolver
from multisendcon_plugin.dns.wire import Question
from multisendcon_plugin.settings.dns import DnsSettings, NameServer
from tests.dns.network import Zones, reply_to, silent

NAME = "mail.example"
TRUE = Zones({NAME: {"A": ["192.0.2.1"]}, "www.example": {"CNAME": [NAME]}})


def other_id(octets):
    return bytes([octets[0] ^ 1]) + octets[1:]


def other_name(octets):
    return octets.replace(b"\x07", b"\x06", 1).replace(b"\x04", b"\x05", 1)


def other_type(octets):
    return octets[:-4] + b"\x00\x0f\x00\x01"


def other_class(octets):
    return octets[:-4] + b"\x00\x01\x00\x03"


def a_question(octets):
    return octets[:2] + bytes([octets[2] & 0x7F]) + octets[3:]


def a_notification(octets):
    return octets[:2] + bytes([octets[2] | 0x20]) + octets[3:]


def two_questions(octets):
    return octets[:4] + b"\x00\x02" + octets[6:]


def no_question(octets):
    return octets[:4] + b"\x00\x00" + octets[6:12]


def cut(octets):
    return octets[:11]


FORGERIES = [
    *(other_id, other_name, other_type, other_class, a_question),
    *(a_notification, two_questions, no_question, cut),
]


def bare(query):
    """A reply that says that there is nothing; the question is all that it has."""
    query = dns.message.from_wire(query.to_wire())
    reply = reply_to(query)
    reply.use_edns(False)
    reply.flags |= dns.flags.AA
    return reply.to_wire()


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forgery_does_not_end_the_wait_for_the_reply(network, forge):
    def answer(query):
        return [forge(bare(query)), b"", TRUE(query)]

    names = network.resolver(answer)
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    assert len(network.servers[0].asked) == 1
    assert network.seconds() == 0


def test_what_is_forged_would_be_believed_otherwise(network):
    names = network.resolver(bare)
    assert network.wait(names.query(NAME, "A")).kind is Kind.NO_DATA


@pytest.mark.parametrize("forge", FORGERIES)
def test_forgeries_alone_are_no_answer(network, forge):
    names = network.resolver(lambda query: forge(bare(query)))
    with pytest.raises(DnsError, match=f"A of {NAME}: 127.0.0.1:.* does not answer"):
        network.wait(names.query(NAME, "A"))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_nobody_else_is_listened_to(network, address):
    server = network.server(silent)
    names = network.resolver(server)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((address, 0))

        def answer(query):
            other.sendto(bare(query), ("127.0.0.1", server.ports[-1]))
            return TRUE(query)

        server.answer = answer
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)


def test_each_query_has_secrets_of_its_own(network):
    numbers, spellings = set(), set()

    def answer(query):
        numbers.add(query.id)
        spellings.add(query.question[0].name.to_text())
        return reply_to(query, f"{NAME}. 0 A 192.0.2.1")

    names = network.resolver(answer)
    for _ in range(40):
        network.wait(names.query(NAME, "A"))
    assert len(numbers) > 35
    assert len(spellings) > 35
    assert len(set(network.servers[0].ports)) > 35


def test_a_question_asks_for_ad_and_says_what_fits(network):
    seen = []

    def answer(query):
        seen.append((query.flags, query.edns, query.payload, query.ednsflags))
        return TRUE(query)

    network.wait(network.resolver(answer).query(NAME, "A"))
    assert seen == [(dns.flags.RD | dns.flags.AD, 0, 1232, 0)]


def without_case(answer):
    """Have a server that writes all names in lower case."""

    def lowered(query):
        reply = answer(query).to_wire()
        end = 12 + len(NAME) + 2
        return reply[:12] + reply[12:end].lower() + reply[end:]

    return lowered


def with_letters(monkeypatch):
    """Have each name in capitals, so that the case is lost for sure."""
    monkeypatch.setattr("secrets.randbits", lambda bits: (1 << bits) - 1)


def test_a_server_that_loses_the_case_is_asked_by_tcp_once(network, monkeypatch):
    with_letters(monkeypatch)
    names = network.resolver(without_case(TRUE))
    (server,) = network.servers
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    assert network.wait(names.query(NAME, "AAAA")).kind is Kind.NO_DATA
    assert [(name, how) for name, _, how, _ in server.asked] == [
        ("MAIL.EXAMPLE.", "UDP"),
        ("MAIL.EXAMPLE.", "TCP"),
        ("mail.example.", "UDP"),
    ]


def test_a_server_that_loses_the_case_and_has_no_tcp_is_asked_again(network, monkeypatch):
    with_letters(monkeypatch)
    names = network.resolver(network.server(without_case(TRUE), by_tcp=None))
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    assert network.seconds() == 0


def test_a_reply_in_another_case_is_not_believed_where_tcp_has_the_case(network, monkeypatch):
    with_letters(monkeypatch)
    forged = without_case(lambda query: reply_to(query, f"{NAME}. 60 A 192.0.2.66"))
    names = network.resolver(network.server(forged, by_tcp=TRUE))
    (server,) = network.servers
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    server.answer = TRUE
    network.wait(names.query(NAME, "AAAA"))
    assert server.asked[-1][:3] == ("MAIL.EXAMPLE.", "AAAA", "UDP")


def test_whose_replies_are_guessed_at_is_asked_by_tcp(network):
    def guesses(query):
        return [other_id(bare(query))] * 21

    names = network.resolver(network.server(guesses, by_tcp=TRUE))
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    assert [how for _, _, how, _ in network.servers[0].asked] == ["UDP", "TCP"]
    assert network.seconds() == 0


OTHERS = ["victim.example. 900 A 192.0.2.66", "victim.example. 900 MX 1 evil.example."]


@pytest.mark.parametrize(
    "reply",
    [
        lambda query: reply_to(query, "mail.example. 60 A 192.0.2.1", *OTHERS),
        lambda query: reply_to(query, *OTHERS, "mail.example. 60 A 192.0.2.1"),
        lambda query: reply_to(query, "mail.example. 60 A 192.0.2.1", authority=OTHERS),
        lambda query: reply_to(query, "mail.example. 60 A 192.0.2.1", additional=OTHERS),
        lambda query: reply_to(
            query,
            "mail.example. 60 CNAME mail2.example.",
            "mail2.example. 60 A 192.0.2.1",
            "victim.example. 60 CNAME mail.example.",
            "mail.example. 60 A 192.0.2.66",
        ),
        lambda query: reply_to(
            query, "mail.example. 60 A 192.0.2.1", "mail.example. 60 MX 1 evil.example."
        ),
    ],
)
def test_what_else_a_reply_says_is_not_listened_to(network, reply):
    server = network.server(reply)
    names = network.resolver(server)
    assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
    server.answer = Zones({"victim.example": {"A": ["192.0.2.7"]}, NAME: {}})
    assert network.wait(names.query("victim.example", "A")).records == ("192.0.2.7",)
    assert network.wait(names.query("victim.example", "MX")).records == ()
    assert network.wait(names.query(NAME, "MX")).records == ()


def test_records_beside_the_answer_are_no_answer(network):
    names = network.resolver(lambda query: reply_to(query, additional=[f"{NAME}. 60 A 192.0.2.6"]))
    assert network.wait(names.query(NAME, "A")).records == ()


def test_a_label_with_a_dot_is_no_other_name(network):
    names = network.resolver(lambda query: reply_to(query, f"{NAME}. 60 MX 1 mx\\.victim.example."))
    (record,) = network.wait(names.query(NAME, "MX")).records
    assert record == Mx(1, "mx\\.victim.example")
    with pytest.raises(DnsError, match="is no name"):
        network.wait(names.query(record.host, "A"))


@pytest.mark.parametrize(
    ("address", "trust_ad", "ad", "secure"),
    [
        ("127.0.0.53", False, True, True),
        ("::1", False, True, True),
        ("192.0.2.53", False, True, False),
        ("192.0.2.53", True, True, True),
        ("192.0.2.53", True, False, False),
        ("127.0.0.53", True, False, False),
    ],
)
def test_who_is_believed_to_have_verified(network, address, trust_ad, ad, secure):
    server = network.server(silent)

    def by_udp(reactor, asked, query):
        message = dns.message.from_wire(query.octets)

        return succeed(reply_to(message, f"{NAME}. 60 A 192.0.2.1", ad=ad).to_wire())

    settings = DnsSettings(servers=(NameServer(address),), trust_ad=trust_ad)
    names = Resolver(network, settings, exchange=Exchange(network, by_udp))
    assert network.wait(names.query(NAME, "A")).secure is secure
    assert server.asked == []


def test_an_answer_of_two_replies_is_secure_if_both_are(network):
    for first, second in [(True, True), (True, False), (False, True)]:

        def answer(query, first=first, second=second):
            if "alias" in query.question[0].name.to_text().lower():
                return reply_to(
                    query,
                    f"alias.example. 9 CNAME {NAME}.",
                    authority=["example. 9 NS ."],
                    ad=first,
                )
            return reply_to(query, f"{NAME}. 60 A 192.0.2.1", ad=second)

        answered = network.wait(network.resolver(answer).query("alias.example", "A"))
        assert answered.secure is (first and second)
        assert (answered.records, answered.canonical) == (("192.0.2.1",), NAME)
        assert answered.expires == 9


def test_a_question_is_told_as_people_read_it():
    assert str(Question(NAME, "MX")) == "MX of mail.example"
