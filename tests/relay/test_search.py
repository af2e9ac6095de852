"""From one address of a server to the next: when, in which order, how far, and what is told."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionRefusedError  # noqa: A004
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.relay.broken import SessionBrokenError
from multisendcon_plugin.relay.search import first_ready
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing import EvilProvider, Provider
from multisendcon_plugin.testing.misdeeds import refuse
from tests.relays import (
    BREAK_OFF,
    CLOSE,
    SILENT,
    Names,
    Network,
    Server,
    Way,
    ehlo,
    login,
    send,
    verdicts,
)

V4 = ("198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4")
V6 = ("2001:db8::1", "2001:db8::2")
REFUSED = ConnectionRefusedError(111, "Connection refused")
LOCAL = pytest.mark.parametrize("local", [(), ("192.0.2.7",)])


def way_to(*servers, addresses=V4, **account):
    """Return an account whose server has several addresses, by default no more than servers."""
    network = Network(*servers)
    network.nameResolver = Names(**{"mx.example": addresses})
    return Way(network=network, server="mx.example", **account)


def tried(way):
    """Return where it was connected to, in this order."""
    return [client[0] for client in way.network.tcpClients]


def attempt_of(way, seconds=0):
    """Make an attempt, and wait if need be."""
    results = way.begin()
    for _ in range(seconds):
        way.network.advance(1)
    (attempt,) = results
    return attempt


# What leads to the next address.


@LOCAL
@pytest.mark.parametrize(
    "bad",
    [
        {"GREETING": "421 4.3.2 going down"},
        {"GREETING": "450 4.3.2 later"},
        {"GREETING": "521 5.3.2 no mail here"},
        {"GREETING": "554 5.7.1 you are on a list"},
        {"GREETING": CLOSE},
        {"GREETING": BREAK_OFF},
        {"GREETING": b"HTTP/1.1 400 Bad Request\r\n\r\n"},
        {"EHLO": "421 4.3.2 busy"},
        {"EHLO": "451 4.3.0 no resources"},
        {"EHLO": "550 5.7.1 blocked"},
        {"EHLO": "502 what", "HELO": "502 what"},
        {"EHLO": CLOSE},
        {"EHLO": [ehlo("STARTTLS"), "550 5.7.1 no"]},
        {"EHLO": ehlo("STARTTLS"), "STARTTLS": "454 4.7.0 TLS not available"},
        {"EHLO": ehlo("STARTTLS"), "STARTTLS": "421 4.7.0 busy"},
        {"EHLO": ehlo("STARTTLS"), "STARTTLS": CLOSE},
        {"EHLO": [ehlo("STARTTLS"), BREAK_OFF], "HANDSHAKE": "never"},
    ],
)
def test_an_address_that_answers_badly_does_not_hide_the_next(bad, local):
    first, second = Server(**bad), Server()
    way = way_to(first, second, local_address=local)
    attempt = way.send()
    assert verdicts(attempt) == [Verdict.DELIVERED]
    assert attempt.fault is None
    assert tried(way) == list(V4[:2])
    assert V4[1] in attempt.session
    assert b"MAIL FROM:<boss@a.example>" not in first.lines
    way.network.advance(5)
    assert way.network.wires[0].gone


@LOCAL
@pytest.mark.parametrize("phase", ["GREETING", "EHLO", "STARTTLS"])
def test_neither_does_one_that_is_silent(phase, local):
    way = way_to(Server("STARTTLS", **{phase: SILENT}), Server(), local_address=local)
    assert verdicts(attempt_of(way, 60)) == [Verdict.DELIVERED]
    assert tried(way) == list(V4[:2])


@LOCAL
def test_tls_that_one_address_does_not_offer_is_looked_for_at_the_next(local):
    way = way_to(Server(), Server("STARTTLS"), tls=Tls.STARTTLS, local_address=local)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert ISSLTransport.providedBy(way.wire)


def test_each_mail_begins_with_the_first_address_again():
    way = way_to(
        *[Server(GREETING="554 no"), Server()] * 2, addresses=V4[:2], max_mails_per_connection=1
    )
    for _ in "ab":
        assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert tried(way) == [*V4[:2]] * 2


# What does not.


@LOCAL
@pytest.mark.parametrize(
    ("answers", "phase"),
    [
        ({"AUTH": "535 5.7.8 wrong"}, Phase.LOGIN),
        ({"AUTH": "454 4.7.0 later"}, Phase.LOGIN),
        ({"AUTH": "421 4.7.0 too many logins"}, Phase.LOGIN),
        ({"AUTH": CLOSE}, Phase.LOGIN),
        ({"MAIL": "421 4.3.2 bye"}, Phase.MAIL),
        ({"MAIL": CLOSE}, Phase.MAIL),
        ({"RCPT": "421 4.3.2 bye"}, Phase.RCPT),
        ({"DATA": CLOSE}, Phase.DATA),
        ({"END": CLOSE}, Phase.END),
    ],
)
def test_what_is_about_the_account_or_the_mail_is_not_asked_of_the_next(answers, phase, local):
    way = way_to(Server("AUTH PLAIN", **answers), Server(), local_address=local, **login())
    assert way.send().fault.phase is phase
    assert tried(way) == [V4[0]]


@pytest.mark.parametrize("server", [V4[0], V6[0]])
def test_an_address_has_no_others(server):
    way = Way(Server(GREETING="554 5.3.2 no"), Server(), server=server)
    assert str(way.send().fault) == "greeting: 554 5.3.2 no"
    assert tried(way) == [server]


@LOCAL
def test_a_name_may_have_one_address_only(local):
    way = way_to(Server(GREETING="554 5.3.2 no"), addresses=(V4[0], V4[0]), local_address=local)
    assert str(way.send().fault) == "greeting: 554 5.3.2 no"
    assert tried(way) == [V4[0]]


def test_a_file_that_cannot_be_read_is_no_matter_of_addresses():
    way = way_to(tls_ca="/nowhere", tls_verify=True)
    assert way.send().fault.phase is Phase.TLS
    assert way.network.nameResolver.asked == []


@pytest.mark.parametrize("code", [421, 554])
def test_beside_an_open_session_421_is_about_their_number(code):
    busy = Server(END=["250 taken", SILENT])
    refused = Server(GREETING=f"{code} 4.7.0 too many connections")
    way = way_to(busy, refused, Server())
    way.send()
    way.begin()
    attempt = attempt_of(way)
    if code == 421:
        assert attempt.fault.reply == Reply(421, "4.7.0", "too many connections")
        assert len(tried(way)) == 2
    else:
        assert verdicts(attempt) == [Verdict.DELIVERED]


def test_a_session_that_has_to_give_way_does_not_go_on_to_the_next_address():
    way = way_to(*[Server(GREETING=SILENT)] * 3)
    results = way.begin()
    (place,) = way.factory._sessions.values()
    place.close()
    way.network.flush()
    assert "others needed the connection" in str(results[0].fault)
    assert tried(way) == [V4[0]]


# Order and end.


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ((V6[0], V4[0], V6[1]), [V6[0], V6[1], V4[0]]),
        ((V4[0], V6[0], V4[1]), [V4[0], V4[1], V6[0]]),
        ((V4[0], V4[0], V6[0], V6[0]), [V4[0], V6[0]]),
    ],
)
def test_addresses_of_the_family_that_could_be_connected_come_first(addresses, expected):
    way = way_to(*[Server(GREETING="554 no")] * 4, addresses=addresses)
    way.send()
    assert tried(way) == expected


def test_with_a_local_address_only_its_family_is_tried():
    way = way_to(
        *[Server(GREETING="554 no")] * 4,
        addresses=(*V6, V4[0]),
        local_address=("2001:db8::7",),
    )
    way.send()
    assert tried(way) == list(V6)


def test_after_three_bad_answers_the_server_is_given_up():
    way = way_to(*[Server(GREETING=f"{code} no") for code in (554, 450, 421, 220)])
    attempt = way.send()
    assert tried(way) == list(V4[:3])
    assert str(attempt.fault) == f"greeting: 421 no (from {V4[2]}; 3 addresses were tried)"
    assert attempt.fault.action is Action.SLOW


def test_an_address_that_cannot_be_connected_is_left_out():
    way = way_to(Server(GREETING="554 no"), REFUSED, REFUSED, Server())
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert tried(way) == list(V4)


def test_when_no_other_address_can_be_connected_the_first_answer_is_told():
    way = way_to(Server(GREETING="554 5.7.1 no"), REFUSED, REFUSED, REFUSED)
    assert str(way.send().fault) == "greeting: 554 5.7.1 no"


def test_after_two_silent_addresses_there_is_no_third():
    way = way_to(*[Server(GREETING=SILENT)] * 2, Server())
    attempt = attempt_of(way, 120)
    assert tried(way) == list(V4[:2])
    assert attempt.fault.phase is Phase.GREETING


def test_addresses_that_take_no_connection_end_the_search_in_time_too():
    clock = Clock()
    refusal = SessionBrokenError(Phase.GREETING, Reply(554, "", "no"), address=V4[0])

    async def session_at(address):
        if address is None:
            raise refusal
        clock.advance(30)
        raise SessionBrokenError(Phase.CONNECT, Reply(0, "4.4.1", f"no answer from {address}"))

    async def others(address):
        return range(10)

    searching = first_ready(session_at, others, is_final=lambda broken: False, now=clock.seconds)
    with pytest.raises(SessionBrokenError) as caught:
        searching.send(None)
    assert caught.value is refusal
    assert clock.seconds() == 90


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("554 5.7.1 no", CLOSE, f"greeting: 554 5.7.1 no (from {V4[0]}"),
        (CLOSE, "554 5.7.1 no", f"greeting: 554 5.7.1 no (from {V4[1]}"),
        ("421 4.3.2 one", "450 4.3.2 two", f"greeting: 450 4.3.2 two (from {V4[1]}"),
        (
            CLOSE,
            BREAK_OFF,
            f"greeting: 4.4.2 the connection was lost (from {V4[1]}",
        ),
    ],
)
def test_the_last_reply_is_told_rather_than_a_silence(first, second, told):
    way = way_to(Server(GREETING=first), Server(GREETING=second), addresses=V4[:2])
    assert str(way.send().fault) == f"{told}; 2 addresses were tried)"


# With the other ways to open a session.


def test_opportunistic_tls_that_fails_is_done_without_at_the_same_address():
    failing = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), BREAK_OFF])
    way = way_to(failing, Server("STARTTLS"), tls=Tls.OPPORTUNISTIC)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert tried(way) == [V4[0]] * 2


def test_and_at_the_next_one_it_is_tried_again():
    failing = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), BREAK_OFF])
    way = way_to(failing, Server(GREETING="554 no"), Server("STARTTLS"), tls=Tls.OPPORTUNISTIC)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert tried(way) == [V4[0], V4[0], V4[1]]
    assert ISSLTransport.providedBy(way.wire)


@LOCAL
def test_nor_is_the_next_one_hidden_when_it_takes_no_second_connection(local):
    failing = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), BREAK_OFF])
    way = way_to(failing, REFUSED, Server(), tls=Tls.OPPORTUNISTIC, local_address=local)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert tried(way) == [V4[0], V4[0], V4[1]]


def test_one_connection_at_a_time_is_enough():
    servers = [Server(GREETING="554 no", QUIT=SILENT) for _ in range(2)]
    way = way_to(*servers, Server(), max_connections=1)
    assert verdicts(attempt_of(way, 10)) == [Verdict.DELIVERED]


def test_stop_ends_a_search():
    class Once(Names):
        """Answers the first question only."""

        def resolveHostName(self, receiver, *args, **keywords):  # noqa: N802
            if self.asked:
                self.receiver = receiver
                return None
            return super().resolveHostName(receiver, *args, **keywords)

    way = way_to(Server(GREETING="554 no"), Server())
    way.network.nameResolver = Once(**{"mx.example": V4})
    results = way.begin()
    assert not results
    way.factory.stop(10)
    assert str(results[0].fault) == "connect: 4.3.2 the relay is shutting down"
    way.network.nameResolver.receiver.resolutionComplete()
    assert tried(way) == [V4[0]]


class RealAddresses(TestCase):
    timeout = 30

    async def test_the_second_address_gets_the_mail(self):
        from twisted.internet import reactor

        bad = EvilProvider(reactor, {Phase.GREETING: refuse(554)})
        good = Provider(reactor)
        port = good.listen("127.0.13.2")
        bad.listen("127.0.13.1", port)
        for provider in (bad, good):
            self.addCleanup(provider.stop)
        names = Names(**{"mx.example": ("127.0.13.1", "127.0.13.2")})
        real = reactor.installNameResolver(names)
        self.addCleanup(reactor.installNameResolver, real)
        for local in ((), ("127.0.0.9",)):
            attempt = await send(self, reactor, server="mx.example", port=port, local_address=local)
            assert verdicts(attempt) == [Verdict.DELIVERED]
        assert (len(good.mails), len(bad.sessions)) == (2, 2)
