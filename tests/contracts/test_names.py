"""What `Names` answers: the resolver, asking a server, and the fake, from the same zones."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError

from multisendcon_plugin.dns import DnsError, Kind, Mx, Tlsa, Txt
from multisendcon_plugin.testing import FakeNames
from tests.dns.network import Network, Zones, servfail

ZONES = {
    "example.com": {
        "MX": [Mx(10, "mx.example.com"), Mx(20, "backup.example.net")],
        "TXT": [Txt("v=STSv1; id=1;"), Txt("x" * 600), Txt("")],
    },
    "mx.example.com": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "_25._tcp.mx.example.com": {"TLSA": [Tlsa(3, 1, 1, bytes(range(32)))]},
    "null.example": {"MX": [Mx(0, ".")]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["mx.example.com"]},
    "alias.example": {"CNAME": ["again.example"]},
    "again.example": {"CNAME": ["mx.example.com"]},
    "lost.example": {"CNAME": ["nowhere.example"]},
    "round.example": {"CNAME": ["about.example"]},
    "about.example": {"CNAME": ["round.example"]},
    "deep.below.example": {"A": ["192.0.2.3"]},
    "broken.example": {},
}
SECURE = {"example.com", "alias.example", "null.example", "_25._tcp.mx.example.com"}


@pytest.fixture
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture(params=["fake", "real"])
def ask(request, network):
    if request.param == "fake":
        names = FakeNames(zones=ZONES, secure=SECURE, failures={"broken.example": "is broken"})
    else:
        zones = Zones(ZONES, SECURE)

        def answer(query):
            broken = "broken" in query.question[0].name.to_text().lower()
            return (servfail if broken else zones)(query)

        names = network.resolver(answer)

    def ask(name, rdtype="A"):
        return network.wait(names.query(name, rdtype))

    ask.names = names
    return ask


@pytest.mark.parametrize(
    ("name", "rdtype"),
    [
        *(("example.com", rdtype) for rdtype in ("MX", "TXT")),
        *(("mx.example.com", rdtype) for rdtype in ("A", "AAAA")),
        ("_25._tcp.mx.example.com", "TLSA"),
        ("1.2.0.192.in-addr.arpa", "PTR"),
        ("null.example", "MX"),
    ],
)
def test_records_are_plain_values(ask, name, rdtype):
    answer = ask(name, rdtype)
    assert answer.kind is Kind.FOUND
    assert set(answer.records) == set(ZONES[name][rdtype])
    assert answer.canonical == name


@pytest.mark.parametrize("name", ["example.com.", "EXAMPLE.com", "Example.COM."])
def test_a_name_is_the_same_in_any_case_and_with_a_dot(ask, name):
    assert ask(name, "MX").canonical == "example.com"


def test_a_name_without_such_records_is_there(ask):
    answer = ask("example.com", "AAAA")
    assert (answer.kind, answer.records) == (Kind.NO_DATA, ())


def test_a_name_that_has_only_names_below_is_there(ask):
    assert ask("below.example").kind is Kind.NO_DATA


def test_a_name_that_is_not_there(ask):
    answer = ask("nowhere.example", "MX")
    assert (answer.kind, answer.records) == (Kind.NO_NAME, ())


def test_aliases_are_followed(ask):
    answer = ask("alias.example")
    assert set(answer.records) == {"192.0.2.1", "192.0.2.2"}
    assert answer.canonical == "mx.example.com"


def test_an_alias_of_nothing(ask):
    answer = ask("lost.example")
    assert (answer.kind, answer.canonical) == (Kind.NO_NAME, "nowhere.example")


def test_aliases_without_end_are_a_fault_for_now(ask):
    with pytest.raises(DnsError, match=r"A of round\.example: .*CNAME") as caught:
        ask("round.example")
    assert caught.value.temporary


def test_an_answer_is_secure_if_all_of_it_is(ask):
    assert ask("example.com", "MX").secure
    assert ask("example.com", "AAAA").secure
    assert not ask("mx.example.com").secure
    assert not ask("alias.example").secure


def test_a_failure_is_a_fault_for_now(ask):
    with pytest.raises(DnsError, match=r"MX of broken\.example: ") as caught:
        ask("broken.example", "MX")
    assert caught.value.temporary


@pytest.mark.parametrize(
    "name", ["", ".example", "a..b", "x" * 64, "a." * 127 + "com", "münchen.example", "a b.example"]
)
def test_what_is_no_name_is_a_fault_for_good(ask, name):
    with pytest.raises(DnsError, match="is no name of the DNS") as caught:
        ask(name)
    assert not caught.value.temporary


def test_no_other_types_are_asked_for(ask):
    with pytest.raises(ValueError, match="ANY"):
        ask("example.com", "ANY")


def test_a_question_may_be_cancelled(ask, network):
    if isinstance(ask.names, FakeNames):
        ask.names.held = True
    asked = ask.names.query("example.com", "MX")
    asked.cancel()
    with pytest.raises(CancelledError):
        network.wait(asked)
    if isinstance(ask.names, FakeNames):
        ask.names.release()
    assert ask("example.com", "MX").kind is Kind.FOUND


def test_the_fake_counts_and_holds_questions(network):
    names = FakeNames(zones=ZONES, held=True, ttl=60, clock=network)
    answers = []
    names.query("example.com", "MX").addCallback(answers.append)
    assert names.asked == {("example.com", "MX"): 1}
    assert answers == []
    network.advance(5)
    names.release()
    assert answers[0].expires == 65
    names.zones["example.com"] = {}
    assert network.wait(names.query("example.com", "MX")).kind is Kind.NO_DATA
