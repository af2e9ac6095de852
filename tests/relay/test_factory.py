"""The sessions of one account: kept, closed, replaced, limited and stopped."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from zope.interface.verify import verifyObject

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.interfaces import IRelay
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay import ConnectionBudget
from multisendcon_plugin.routing.hop import Tls
from tests.evil_world import EvilWorld
from tests.queue_world import HOUR, SENDER, account
from tests.queues import NOW
from tests.relays import (
    BREAK_OFF,
    CLOSE,
    CONTENT,
    PENDING,
    SILENT,
    Content,
    Network,
    Server,
    Way,
    delivery,
    login,
    verdicts,
)

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
MAIL = b"MAIL FROM:<boss@a.example>"
DONE = CONTENT + b".\r\n"


def test_it_is_a_relay():
    assert verifyObject(IRelay, Way().factory)


# Kept sessions.


def test_a_session_carries_one_mail_after_another():
    server = Server("AUTH PLAIN")
    way = Way(server, **login())
    for _ in range(3):
        assert verdicts(way.send()) == [DELIVERED]
        way.network.advance(9)
    assert len(way.network.wires) == 1
    assert server.taken == [DONE] * 3
    assert [line[:4] for line in server.lines].count(b"AUTH") == 1


@pytest.mark.parametrize(("most", "connections"), [(1, 5), (2, 3), (5, 1)])
def test_a_connection_carries_so_many_mails(most, connections):
    way = Way(*[Server()] * 5, max_mails_per_connection=most)
    for _ in range(5):
        assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert len(way.network.wires) == connections


def test_a_session_that_says_good_bye_is_still_one_of_the_accounts_connections():
    settings = {"max_connections": 2, "max_mails_per_connection": 1}
    way = Way(Server(QUIT=SILENT), Server(), Server(), **settings)
    way.send()
    way.begin(pieces=[Deferred()])
    results = way.begin()
    assert len(way.network.wires) == 2
    way.network.advance(5)
    assert verdicts(results[0]) == [DELIVERED]


def test_who_waits_for_a_connection_of_the_account_goes_away_when_the_relay_stops():
    way = Way(Server(QUIT=SILENT), Server(), max_connections=1, max_mails_per_connection=1)
    way.send()
    results = way.begin()
    way.factory.stop(10)
    assert [outcome.reply.enhanced for outcome in results[0].outcomes] == ["4.3.2"]


def test_who_waits_for_a_connection_of_all_accounts_keeps_none_of_its_own_when_it_goes_away():
    one, two = accounts(Server(), Server(), limit=1)
    one.begin(pieces=[Deferred()])
    for _ in range(3):
        results = two.begin()
        two.network.flush()
        for step in tuple(two.factory._steps):
            step.cancel()
        assert verdicts(results[0]) == [DEFERRED]
    assert two.factory._places.taken == 0


def test_an_idle_session_ends_with_quit():
    server = Server()
    way = Way(server)
    way.send()
    way.network.advance(9.9)
    assert server.lines[-1] == b"DATA"
    way.network.advance(0.1)
    assert server.lines[-1] == b"QUIT"
    assert way.wire.gone
    assert not way.wire.aborted
    assert way.network.timers == []


def test_a_session_is_kept_from_its_last_mail_on():
    server = Server()
    way = Way(server)
    for _ in range(3):
        way.send()
        way.network.advance(9.9)
        assert len(way.network.timers) <= 2
    assert len(server.taken) == 3
    assert server.lines[-1] == b"DATA"
    way.network.advance(0.1)
    assert server.lines[-1] == b"QUIT"
    assert way.network.timers == []


def test_a_mail_that_takes_longer_than_a_session_is_kept_is_not_cut_off():
    server = Server(END=["250 2.0.0 queued as 1", SILENT])
    way = Way(server)
    way.send()
    results = way.begin()
    way.network.advance(30)
    assert results == []
    server.say("250 2.0.0 queued as 2")
    way.network.flush()
    assert verdicts(results[0]) == [DELIVERED]
    way.network.advance(10)
    assert server.lines[-1] == b"QUIT"
    assert way.network.timers == []


def test_two_mails_at_a_time_take_two_sessions_and_one_after_the_other_takes_the_freshest():
    first, second = Server(), Server()
    way = Way(first, second)
    pieces = [Deferred(), Deferred()]
    results = [way.begin(pieces=[piece]) for piece in pieces]
    assert len(way.network.wires) == 2
    for piece in pieces:
        piece.callback(CONTENT)
    way.network.flush()
    assert [verdicts(result[0]) for result in results] == [[DELIVERED], [DELIVERED]]
    way.send()
    assert (first.taken, second.taken) == ([DONE], [DONE, DONE])


@pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionLost()])
def test_a_session_that_the_server_closes_while_it_is_idle_is_forgotten(reason):
    first, second = Server(), Server()
    way = Way(first, second)
    way.send()
    way.wire.end(reason)
    assert way.network.timers == []
    assert way.factory._idle == []
    attempt = way.send()
    assert verdicts(attempt) == [DELIVERED]
    assert attempt.fault is None
    assert second.taken == [DONE]


def test_a_session_that_is_just_saying_good_bye_is_not_used():
    first, second = Server(QUIT=SILENT), Server()
    way = Way(first, second)
    way.send()
    way.network.advance(10)
    assert first.lines[-1] == b"QUIT"
    way.send()
    assert (first.taken, second.taken) == ([DONE], [DONE])


@pytest.mark.parametrize("said", ["421 4.4.2 idle too long", "250 what", b"garbage\r\n"])
def test_a_session_whose_server_speaks_up_while_it_is_idle_is_given_up(said):
    first, second = Server(), Server()
    way = Way(first, second)
    way.send()
    first.say(said)
    way.network.flush()
    assert way.wire.gone
    attempt = way.send()
    assert verdicts(attempt) == [DELIVERED]
    assert attempt.fault is None


@pytest.mark.parametrize(
    "end", ["421 4.4.2 idle too long", CLOSE, BREAK_OFF, b"garbage\r\n", "530 5.7.0 log in again"]
)
@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
def test_a_kept_session_lost_at_mail_is_replaced_without_a_word(offers, end):
    first, second = Server(*offers, MAIL=["250 ok", end]), Server(*offers)
    way = Way(first, second)
    way.send()
    pieces = [CONTENT[:50], CONTENT[50:]]
    attempt = way.send(pieces=pieces)
    assert verdicts(attempt) == [DELIVERED]
    assert attempt.fault is None
    assert (first.taken, second.taken) == ([DONE], [DONE])
    assert len(way.contents) == 3  # begun afresh
    assert all(content.closed for content in way.contents)


@pytest.mark.parametrize(
    "refusal",
    [
        *("550 max messages", "554 5.7.0 max messages per session reached", "503 5.5.1 again?"),
        *("552 5.3.4 too much in one session", "500 what", "535 5.7.8 log in again"),
    ],
)
@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
def test_a_kept_session_that_refuses_its_next_mail_is_replaced_without_a_word(offers, refusal):
    no = "503 5.5.1 no mail under way"
    first = Server(*offers, MAIL=["250 ok", refusal], RCPT=["250 ok", no], DATA=["354 go", no])
    second = Server(*offers)
    way = Way(first, second)
    way.send()
    attempt = way.send()
    assert verdicts(attempt) == [DELIVERED]
    assert attempt.fault is None
    assert (first.taken, second.taken) == ([DONE], [DONE])
    assert first.lines[-1] == b"QUIT"
    assert all(content.closed for content in way.contents)


def waiting_world(*servers):
    """Return a world with a lane that waits 5 s between two mails, and these sessions."""
    network = Network(*servers)
    network.advance(NOW)
    settings = {"tls": Tls.NONE, "minimum_wait": 5.0}
    sales = attrs.evolve(account("A", **settings), server="192.0.2.1")
    return EvilWorld(sales, network=network, slow=False)


@pytest.mark.parametrize("end", ["421 4.4.2 idle too long", CLOSE, "550 max messages"])
def test_after_a_mail_from_in_vain_the_next_keeps_the_minimum_wait(end):
    first, second = Server(MAIL=["250 ok", end]), Server()
    world = waiting_world(first, second)
    world.mail()
    world.mail()
    world.run(5.0)
    # The lane begins the second mail over the kept session, which is of no use any more.
    assert first.lines.count(b"MAIL FROM:<author@home.example>") == 2
    (delivery,) = world.waiting
    world.run(4.9)
    assert len(world.clock.wires) == 1
    assert world.waiting == [delivery]
    assert delivery.attempts == 0
    world.run(0.1)
    assert (len(first.taken), len(second.taken)) == (1, 1)
    assert world.waiting == []
    assert world.disk.account_states["A"] == {"minimum_wait": NOW + 10.0}


def test_a_mail_that_a_fresh_session_refuses_too_fails_one_minimum_wait_later():
    refusal = "550 5.7.1 not you"
    servers = Server(MAIL=["250 ok", refusal]), Server(MAIL=[refusal, "250 ok"])
    world = waiting_world(*servers)
    world.mail()
    world.mail()
    world.run(10.0)
    (report,) = world.waiting
    assert report.message.envelope.reverse_path == ""
    assert [each.address for each in report.recipients] == [SENDER]
    world.run(HOUR)
    assert world.waiting == []
    # It was asked for twice; the report went over the session that had refused it.
    assert [server.lines.count(b"MAIL FROM:<author@home.example>") for server in servers] == [2, 1]
    assert [len(server.taken) for server in servers] == [1, 1]


@pytest.mark.parametrize("refusal", ["550 5.7.1 not you", "554 max messages"])
@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
def test_a_mail_that_is_refused_by_a_kept_session_and_a_fresh_one_fails(offers, refusal):
    kept = [Server(*offers, MAIL=["250 ok", refusal]) for _ in range(2)]
    fresh = Server(*offers, MAIL=refusal)
    way = Way(*kept, fresh)
    pieces = [Deferred(), Deferred()]
    for piece in pieces:
        way.begin(pieces=[piece])
    for piece in pieces:
        piece.callback(CONTENT)
    way.network.flush()
    attempt = way.send()
    assert verdicts(attempt) == [FAILED]
    assert attempt.fault is None
    assert str(attempt.outcomes[0].reply) == refusal
    # One of the kept ones was asked, and then the fresh one.
    assert [server.lines.count(MAIL) for server in (*kept, fresh)] == [1, 2, 1]


def test_a_mail_that_is_refused_by_a_fresh_session_is_not_asked_again():
    way = Way(Server(MAIL="550 5.7.1 not you"), Server())
    assert verdicts(way.send()) == [FAILED]
    assert len(way.network.wires) == 1


def test_a_mail_that_is_put_off_by_a_kept_session_waits():
    way = Way(Server(MAIL=["250 ok", "450 4.1.8 later"]), Server())
    way.send()
    assert verdicts(way.send()) == [DEFERRED]
    assert len(way.network.wires) == 1


def test_a_kept_session_that_refuses_gives_its_place_to_the_fresh_one():
    first, second = Server(MAIL=["250 ok", "550 max messages"]), Server()
    way = Way(first, second, max_connections=1)
    way.send()
    assert verdicts(way.send()) == [DELIVERED]
    assert first.lines[-1] == b"QUIT"
    assert (first.taken, second.taken) == ([DONE], [DONE])


def test_when_no_fresh_session_can_be_had_a_mail_that_was_refused_waits():
    way = Way(Server(MAIL=["250 ok", "550 max messages"]))
    way.send()
    way.network.advance(1.0)
    attempt = way.send()
    assert verdicts(attempt) == [DEFERRED]
    assert attempt.fault.phase is Phase.CONNECT
    assert attempt.mail_ended == 1.0


def test_a_session_lost_at_rset_is_replaced_at_once_in_spite_of_a_minimum_wait():
    way = Way(Server(RCPT=["450 later"], RSET=CLOSE), Server(), minimum_wait=5.0)
    way.send()
    assert verdicts(way.send()) == [DELIVERED]


@pytest.mark.parametrize("stopped", [True, False], ids=["we stop", "the server is gone"])
def test_a_mail_from_in_vain_counts_for_the_minimum_wait_of_the_next_attempt(stopped):
    way = Way(Server(MAIL=["250 ok", CLOSE]), minimum_wait=5.0)
    way.send()
    way.network.advance(1.0)
    results = way.begin()
    if stopped:
        way.factory.stop(10)
    way.network.advance(5.0)
    assert verdicts(results[0]) == [DEFERRED]
    assert results[0].mail_ended == 1.0
    assert len(way.network.wires) == 1


def test_a_kept_session_that_answers_no_more_is_replaced_when_its_time_is_over():
    first, second = Server(MAIL=["250 ok", SILENT]), Server()
    way = Way(first, second)
    way.send()
    results = way.begin()
    way.network.advance(300)
    assert verdicts(results[0]) == [DELIVERED]
    assert way.network.wires[0].aborted


@pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionLost()])
def test_a_kept_session_lost_while_the_content_is_read_is_replaced(reason):
    first, second = Server(), Server()
    way = Way(first, second)
    way.send()
    header = Deferred()
    pieces = [[header], [CONTENT]]
    results = way.begin(pieces=lambda: pieces.pop(0))
    way.wire.end(reason)
    header.callback(CONTENT)
    way.network.flush()
    (attempt,) = results
    assert attempt.fault is None
    assert verdicts(attempt) == [DELIVERED]
    assert second.taken == [DONE]


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
@pytest.mark.parametrize("said", ["250 what", "250 what\r\n250 what"])
def test_a_kept_session_that_spoke_up_and_was_lost_before_the_mail_is_replaced(offers, said):
    first, second = Server(*offers), Server()
    way = Way(first, second)
    way.send()
    header = Deferred()
    pieces = [[header], [CONTENT]]
    results = way.begin(pieces=lambda: pieces.pop(0))
    first.say(said)
    way.network.flush()
    way.wire.end(ConnectionLost())
    header.callback(CONTENT)
    way.network.flush()
    (attempt,) = results
    assert attempt.fault is None
    assert verdicts(attempt) == [DELIVERED]
    assert second.taken == [DONE]


@pytest.mark.parametrize("end", [CLOSE, "421 4.3.2 bye"])
def test_a_fresh_session_lost_at_mail_is_a_fault(end):
    first, second = Server(MAIL=end), Server()
    way = Way(first, second)
    attempt = way.send()
    assert attempt.fault.phase is Phase.MAIL
    assert verdicts(attempt) == [DEFERRED]
    assert second.lines == []


@pytest.mark.parametrize(
    ("command", "verdict"), [("RCPT", DEFERRED), ("DATA", DEFERRED), ("END", UNCERTAIN)]
)
def test_a_kept_session_lost_after_mail_is_a_fault_and_not_tried_again(command, verdict):
    first, second = Server(**{command: [Server.ANSWERS[command], CLOSE]}), Server()
    way = Way(first, second)
    way.send()
    attempt = way.send()
    assert verdicts(attempt) == [verdict]
    assert attempt.fault.phase is not Phase.MAIL
    assert second.lines == []


def test_when_the_fresh_session_fails_too_that_is_the_fault():
    way = Way(Server(MAIL=["250 ok", CLOSE]))
    way.send()
    attempt = way.send()
    assert attempt.fault.phase is Phase.CONNECT
    assert verdicts(attempt) == [DEFERRED]
    assert len(way.network.wires) == 1


def test_a_mail_that_was_refused_leaves_a_session_that_is_kept():
    way = Way(Server(END="554 5.7.1 spam"))
    assert verdicts(way.send()) == [FAILED]
    way.network.advance(9)
    assert not way.wire.gone
    assert verdicts(way.send()) == [FAILED]
    assert len(way.network.wires) == 1


def test_a_server_that_says_more_than_it_was_asked_is_not_kept():
    first, second = Server(END="250 2.0.0 ok\r\n250 2.0.0 ok again"), Server()
    way = Way(first, second)
    way.send()
    way.send()
    assert (first.taken, second.taken) == ([DONE], [DONE])


def test_a_server_that_spoke_up_before_a_mail_that_could_not_be_read_is_not_kept():
    way = Way(Server(), Server())
    way.send()
    content = Deferred()
    results = way.begin(pieces=[content])
    way.wire.server.say("250 what")
    way.network.flush()
    content.errback(SpoolError("disk"))
    way.network.flush()
    assert results[0].fault is None
    assert way.wire.server.lines[-1] == b"QUIT"
    assert way.wire.gone


# Connections are limited over all accounts.


def accounts(*servers, limit, count=2, **settings):
    network = Network(*servers)
    budget = ConnectionBudget(limit, network)
    return [Way(network=network, budget=budget, **settings) for _ in range(count)]


def test_an_account_waits_for_another_whose_mail_is_under_way():
    servers = Server(), Server()
    one, two = accounts(*servers, limit=1)
    piece = Deferred()
    first = one.begin(pieces=[piece])
    second = two.begin()
    assert len(one.network.wires) == 1
    piece.callback(CONTENT)
    one.network.flush()
    assert verdicts(first[0]) == verdicts(second[0]) == [DELIVERED]
    assert servers[0].lines[-1] == b"QUIT"


def test_an_idle_session_of_another_account_gives_way():
    servers = Server(), Server()
    one, two = accounts(*servers, limit=1)
    one.send()
    assert verdicts(two.send()) == [DELIVERED]
    assert servers[0].lines[-1] == b"QUIT"
    assert servers[1].lines[-1] == b"DATA"


def test_an_idle_session_whose_server_does_not_answer_quit_gives_way_later():
    one, two = accounts(Server(QUIT=SILENT), Server(), limit=1)
    one.send()
    results = two.begin()
    assert not results
    two.network.advance(5)
    assert verdicts(results[0]) == [DELIVERED]


def test_a_session_that_is_needed_again_does_not_give_way():
    servers = Server(), Server()
    one, two = accounts(*servers, limit=1)
    one.send()
    piece = Deferred()
    first = one.begin(pieces=[piece])
    second = two.begin()
    piece.callback(CONTENT)
    one.network.flush()
    assert verdicts(first[0]) == verdicts(second[0]) == [DELIVERED]
    assert servers[0].taken == [DONE, DONE]


def test_a_session_whose_next_mail_is_here_gives_way_when_it_has_had_its_mails():
    servers = Server(), Server()
    one, two = accounts(*servers, limit=1, max_mails_per_connection=3)
    piece = Deferred()
    contents = [Content([each]) for each in (piece, CONTENT, CONTENT)]

    def send(_=None):
        if contents:
            content = contents.pop(0)
            one.factory.attempt(delivery(), lambda: content).addCallback(send)

    send()
    one.network.flush()
    waiting = two.begin()
    piece.callback(CONTENT)
    one.network.flush()
    assert len(servers[0].taken) == 3
    assert verdicts(waiting[0]) == [DELIVERED]


def test_a_session_that_is_gone_is_not_taken_for_one_that_can_give_way():
    one, two, three, four = accounts(*(Server() for _ in range(4)), limit=2, count=4)
    one.send()
    one.wire.end(ConnectionDone())
    two.send()
    piece = Deferred()
    three.begin(pieces=[piece])
    assert verdicts(four.send()) == [DELIVERED]
    assert not piece.called


def test_an_own_idle_session_is_used_without_a_connection_more():
    one, _ = accounts(Server(), limit=1)
    assert verdicts(one.send()) == verdicts(one.send()) == [DELIVERED]


@pytest.mark.parametrize(
    "failing",
    [
        ConnectionLost(),
        Server(GREETING="554 5.3.2 no"),
        Server(GREETING=CLOSE),
        Server(GREETING=b"garbage\r\n"),
        Server(EHLO="550 5.7.1 no"),
        Server(MAIL=CLOSE),
        Server(END=BREAK_OFF),
        Server("STARTTLS", STARTTLS=b"220 go\r\n250 injected\r\n"),
    ],
)
def test_no_connection_is_counted_that_is_gone(failing):
    network = Network()
    way = Way(failing, Server(), network=network, budget=ConnectionBudget(1, network))
    assert way.send().fault
    assert verdicts(way.send()) == [DELIVERED]


# Stop.


def test_stop_without_sessions_is_done_at_once():
    way = Way()
    stopped = []
    way.factory.stop(10).addCallback(stopped.append)
    assert len(stopped) == 1
    assert way.network.timers == []


def test_stop_ends_idle_sessions_with_quit():
    server = Server()
    way = Way(server)
    way.send()
    stopped = []
    way.factory.stop(10).addCallback(stopped.append)
    assert not stopped
    way.network.flush()
    assert server.lines[-1] == b"QUIT"
    assert way.wire.gone
    assert len(stopped) == 1
    assert way.network.timers == []


def under_way():
    way = Way(Server())
    piece = Deferred()
    results = way.begin(pieces=[CONTENT, piece])
    stopped = []
    way.factory.stop(10).addCallback(stopped.append)
    way.network.flush()
    return way, piece, results, stopped


def test_stop_lets_a_mail_that_is_under_way_finish():
    way, piece, results, stopped = under_way()
    way.network.advance(9)
    assert not results
    assert not stopped
    piece.callback(b"")
    way.network.flush()
    assert verdicts(results[0]) == [DELIVERED]
    assert way.wire.server.lines[-1] == b"QUIT"
    assert len(stopped) == 1
    assert way.network.timers == []


def test_after_the_grace_a_mail_that_is_under_way_is_cut_off_and_comes_back():
    way, piece, results, stopped = under_way()
    way.network.advance(10)
    piece.callback(b"")
    way.network.flush()
    assert way.wire.aborted
    assert way.wire.server.taken == []
    assert verdicts(results[0]) == [DEFERRED]
    assert str(results[0].fault) == "content: 4.4.2 the relay is shutting down"
    assert len(stopped) == 1
    assert way.network.timers == []


def test_cut_off_after_the_final_dot_is_uncertain():
    way = Way(Server(END=SILENT))
    results = way.begin()
    way.factory.stop(10)
    way.network.advance(10)
    assert verdicts(results[0]) == [UNCERTAIN]


def test_stop_ends_an_attempt_that_is_connecting():
    way = Way(PENDING)
    results = way.begin()
    stopped = []
    way.factory.stop(10).addCallback(stopped.append)
    assert str(results[0].fault) == "connect: 4.3.2 the relay is shutting down"
    assert verdicts(results[0]) == [DEFERRED]
    assert way.network.connectors[0].stoppedConnecting
    assert len(stopped) == 1


def test_stop_ends_an_attempt_that_waits_for_a_connection_and_takes_none():
    one, two = accounts(Server(), Server(), limit=1)
    piece = Deferred()
    first = one.begin(pieces=[piece])
    second = two.begin()
    two.factory.stop(10)
    assert str(second[0].fault) == "connect: 4.3.2 the relay is shutting down"
    third = Way(network=one.network, budget=one.budget).begin()
    piece.callback(CONTENT)
    one.network.flush()
    assert verdicts(first[0]) == verdicts(third[0]) == [DELIVERED]


def test_after_stop_nothing_is_connected():
    way = Way(Server())
    way.factory.stop(10)
    assert str(way.send().fault) == "connect: 4.3.2 the relay is shutting down"
    assert way.network.wires == []


def test_a_session_that_ended_before_the_grace_does_not_keep_others_from_being_cut_off():
    way = Way(Server(END=SILENT), Server(END=SILENT))
    results = [way.begin(), way.begin()]
    way.factory.stop(10)
    first, second = way.network.wires
    first.end(ConnectionLost())
    first.abortConnection = None  # as that of a TLS connection that is gone, it would raise
    way.network.advance(10)
    assert second.aborted
    assert [verdicts(result[0]) for result in results] == [[UNCERTAIN], [UNCERTAIN]]
