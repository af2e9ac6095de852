"""One goes first, and what it meets is met by all that wait for it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from multisendcon_plugin.attempt import Verdict
from multisendcon_plugin.phase import Phase
from multisendcon_plugin.relay.trial import Trial
from tests.relays import CLOSE, CONTENT, PENDING, SILENT, Server, Way, login, verdicts

DELIVERED, DEFERRED = Verdict.DELIVERED, Verdict.DEFERRED


def begun(trial):
    """Begin an attempt that goes first; return what ends it, and where its result arrives."""
    end, results = Deferred(), []
    Deferred.fromCoroutine(trial.run(lambda: end)).addBoth(results.append)
    return end, results


def test_nobody_waits_when_nothing_is_under_way():
    trial = Trial()
    assert trial.turn() is None
    end, results = begun(trial)
    end.callback("done")
    assert results == ["done"]
    assert trial.turn() is None


def test_all_may_go_on_once_one_has_succeeded():
    trial = Trial()
    end, _ = begun(trial)
    turns = [trial.turn(), trial.turn()]
    assert not any(turn.called for turn in turns)
    end.callback("done")
    assert all(turn.called for turn in turns)
    begun(trial)
    assert trial.turn() is None


def test_a_failure_is_that_of_all_who_wait_and_the_next_one_tries_again():
    trial = Trial()
    end, results = begun(trial)
    turn = trial.turn()
    end.errback(ZeroDivisionError())
    assert results[0].check(ZeroDivisionError)
    turn.addErrback(lambda failure: failure.trap(ZeroDivisionError))
    assert trial.turn() is None
    begun(trial)
    assert trial.turn() is not None


def test_after_a_failure_what_once_succeeded_has_to_prove_itself_again():
    trial = Trial()
    begun(trial)[0].callback("done")
    end, _ = begun(trial)
    end.errback(ZeroDivisionError())
    begun(trial)
    assert trial.turn() is not None


def test_who_waits_may_go_away():
    trial = Trial()
    end, _ = begun(trial)
    turn = trial.turn()
    turn.cancel()
    turn.addErrback(lambda failure: failure.trap(CancelledError))
    end.callback("done")


# The sessions of an account.


def test_a_server_that_cannot_be_reached_holds_one_connection():
    way = Way(PENDING, PENDING, PENDING, max_connections=3)
    attempts = [way.begin() for _ in range(3)]
    assert len(way.network.tcpClients) == 1
    assert attempts == [[], [], []]


@pytest.mark.parametrize("answers", [{"GREETING": SILENT}, {"EHLO": SILENT}])
def test_a_server_that_says_nothing_holds_one_connection_and_its_fault_is_that_of_all(answers):
    way = Way(Server(**answers), Server(), max_connections=3)
    attempts = [way.begin() for _ in range(3)]
    way.network.advance(300)
    assert len(way.network.wires) == 1
    assert [verdicts(each[0]) for each in attempts] == [[DEFERRED]] * 3
    assert len({each[0].fault for each in attempts}) == 1
    assert verdicts(way.send()) == [DELIVERED]


def test_a_login_that_is_refused_is_tried_once():
    server = Server("AUTH PLAIN", AUTH=[SILENT])
    way = Way(server, **login(max_connections=3))
    attempts = [way.begin() for _ in range(3)]
    server.say("535 5.7.8 no")
    way.network.flush()
    assert [each[0].fault.phase for each in attempts] == [Phase.LOGIN] * 3
    assert len(way.network.wires) == 1


def test_when_the_first_session_is_ready_the_others_open_together():
    first = Server(GREETING=SILENT)
    way = Way(first, Server(), Server(), max_connections=3)
    pieces = [Deferred() for _ in range(3)]
    attempts = [way.begin(pieces=[piece]) for piece in pieces]
    first.say("220 hello")
    way.network.flush()
    assert len(way.network.wires) == 3
    for piece in pieces:
        piece.callback(CONTENT)
    way.network.flush()
    assert [verdicts(each[0]) for each in attempts] == [[DELIVERED]] * 3


def test_without_a_session_one_goes_first_again():
    way = Way(Server(), PENDING, PENDING, max_connections=2)
    way.send()
    way.network.advance(10)  # it has ended, since there was no mail
    way.begin()
    way.begin()
    assert len(way.network.tcpClients) == 2


def test_beside_a_session_that_works_others_open_together():
    way = Way(Server(), PENDING, PENDING, max_connections=3)
    way.begin(pieces=[Deferred()])
    way.begin()
    way.begin()
    assert len(way.network.tcpClients) == 3


def test_who_waits_for_the_first_session_goes_away_when_the_relay_stops():
    way = Way(Server(GREETING=SILENT), max_connections=2)
    way.begin()
    waiting = way.begin()
    way.factory.stop(10)
    assert [outcome.reply.enhanced for outcome in waiting[0].outcomes] == ["4.3.2"]
    way.network.advance(10)
    assert len(way.network.wires) == 1


def test_a_session_that_breaks_when_it_is_ready_fails_nobody_else():
    first = Server(GREETING=SILENT, MAIL=CLOSE)
    way = Way(first, Server(), max_connections=2)
    attempts = [way.begin() for _ in range(2)]
    first.say("220 hello")
    way.network.flush()
    assert [verdicts(each[0]) for each in attempts] == [[DEFERRED], [DELIVERED]]
