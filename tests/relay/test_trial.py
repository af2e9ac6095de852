"""One goes first, and what it meets is met by all that wait for it."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay import ConnectionBudget, Trials
from multisendcon_plugin.relay.budget import PROMPT
from multisendcon_plugin.relay.trial import Trial
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.hop import Tls
from tests.relays import CLOSE, CONTENT, PENDING, SILENT, Network, Server, Way, login, verdicts

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


@pytest.mark.parametrize("waiting", [1, 3])
def test_an_attempt_that_is_cancelled_says_nothing_and_the_next_one_goes_first(waiting):
    trial = Trial()
    end, results = begun(trial)
    turns = [trial.turn() for _ in range(waiting)]
    end.cancel()
    assert results[0].check(CancelledError)
    assert all(turn.called and turn.result is None for turn in turns)
    assert trial.turn() is None
    begun(trial)
    assert trial.turn() is not None


def test_when_the_last_result_is_forgotten_one_goes_first_again():
    trial = Trial()
    for result in ("one", "two"):
        begun(trial)[0].callback(result)
    begun(trial)
    assert trial.turn() is None
    trial.forget("one")
    assert trial.turn() is None
    trial.forget("two")
    assert trial.turn() is not None


def test_a_trial_is_shared_by_those_who_try_the_same_as_long_as_there_are_any():
    trials = Trials()
    trial = trials.of("this")
    assert trials.of("this") is trial
    assert trials.of("that") is not trial
    del trial
    assert not trials._trials


def test_who_waits_may_go_away():
    trial = Trial()
    end, _ = begun(trial)
    turn = trial.turn()
    turn.cancel()
    turn.addErrback(lambda failure: failure.trap(CancelledError))
    end.callback("done")
    assert turn.called
    assert turn.result is CancelledError
    assert trial.turn() is None


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


# Sessions of several accounts with one server.


def accounts(*servers, settings, limit=50):
    network, trials = Network(*servers), Trials()
    budget = ConnectionBudget(limit, network)
    return [Way(network=network, budget=budget, trials=trials, **each) for each in settings]


def test_a_session_that_other_settings_cut_off_says_nothing_to_another_account():
    first, second = accounts(Server(GREETING=SILENT), Server(), settings=[{}, {}])
    cut_off, waiting = first.begin(), second.begin()
    assert not waiting
    first.factory.reconfigured(attrs.evolve(first.account, helo_domain="other.example"))
    first.network.flush()
    assert cut_off[0].inconclusive
    assert verdicts(waiting[0]) == [DELIVERED]


def server_and(**answers):
    return Server("AUTH PLAIN", **answers)


LOGINS = [login(), login(username="news"), login(username="info", password="other")]


@pytest.mark.parametrize(
    "answers", [{"GREETING": SILENT}, {"EHLO": SILENT}, {"GREETING": b"220-mx\r\n"}]
)
def test_a_server_that_is_not_ready_is_asked_once_for_all_accounts(answers):
    ways = accounts(server_and(**answers), settings=LOGINS)
    attempts = [way.begin() for way in ways]
    ways[0].network.advance(60)
    assert len(ways[0].network.wires) == 1
    assert [verdicts(each[0]) for each in attempts] == [[DEFERRED]] * 3
    assert len({str(each[0].fault) for each in attempts}) == 1


def test_a_server_that_cannot_be_reached_holds_one_connection_of_all_accounts():
    ways = accounts(*[PENDING] * 60, settings=[login(username=str(n)) for n in range(60)])
    for way in ways:
        way.begin()
    assert len(ways[0].network.tcpClients) == 1


def test_no_account_waits_for_the_login_of_another():
    first = server_and(AUTH=SILENT)
    ways = accounts(first, server_and(), server_and(AUTH="535 5.7.8 no"), settings=LOGINS)
    slow, good, wrong = [way.begin() for way in ways]
    assert not slow
    assert verdicts(good[0]) == [DELIVERED]
    assert wrong[0].fault.phase is Phase.LOGIN
    first.say("235 welcome")
    ways[0].network.flush()
    assert verdicts(slow[0]) == [DELIVERED]


def test_when_one_session_is_open_the_other_accounts_open_theirs_together():
    first = server_and(GREETING=SILENT)
    ways = accounts(first, server_and(), server_and(), settings=LOGINS)
    attempts = [way.begin(pieces=[Deferred()]) for way in ways]
    assert len(ways[0].network.wires) == 1
    first.say("220 hello")
    ways[0].network.flush()
    assert len(ways[0].network.wires) == 3
    assert attempts == [[], [], []]


def test_beside_a_session_of_another_account_nobody_waits():
    ways = accounts(server_and(), PENDING, PENDING, settings=LOGINS)
    ways[0].send()
    ways[1].begin()
    ways[2].begin()
    assert len(ways[0].network.tcpClients) == 3
    ways[0].network.advance(10)  # its session has ended


@pytest.mark.parametrize(
    "other",
    [
        {"server": "192.0.2.2"},
        {"port": 26},
        {"local_address": ("192.0.2.10",)},
        {"helo_domain": "other.example.com"},
        {"tls": Tls.STARTTLS},
        {"tls_verify": True, "tls_ca": "/nowhere"},
        {"tls_ciphers": "ECDHE+AES"},
        {"username": "", "password": ""},
    ],
)
def test_who_reaches_a_server_in_another_way_does_not_wait(other):
    settings = [login(), login(username="news") | other]
    ways = accounts(server_and(GREETING=SILENT), server_and(GREETING=SILENT), settings=settings)
    ways[0].begin()
    results = ways[1].begin()
    assert len(ways[0].network.tcpClients) == 2 or results[0].fault.phase is Phase.TLS


def test_each_setting_of_an_account_is_a_part_of_its_way_or_of_no_concern_to_its_server():
    """A new setting has to be put on one of the two sides."""
    tls = {"tls", "tls_verify", "tls_ca", "tls_name", "tls_fingerprint"}
    tls |= {"tls_ciphers", "tls_client_certificate", "tls_client_key"}
    part_of_it = {"server", "port", "local_address", "helo_domain"} | tls
    after_that = {"username", "password", "auth", "fixed_sender", "fixed_sender_unless_private"}
    after_that |= {"fixed_sender_removes", "null_sender", "oauth2"}
    ours = {"name", "minimum_wait", "senders", "recipients", "fallback", "enabled", "replies"}
    ours |= {"archive", "preset", "type"}
    limits = {"max_connections", "max_mails_per_connection", "max_recipients"}
    limits |= {"quota", "over_quota", "quota_group"}
    fields = {field.name for field in attrs.fields(Account)}
    assert fields == part_of_it | after_that | ours | limits
    account = Account(name="Sales", server="mx.example")
    for name in part_of_it:
        assert attrs.evolve(account, **{name: "something else"}).hop != account.hop


def test_an_account_that_is_stopped_leaves_the_others_their_turn():
    ways = accounts(PENDING, server_and(), server_and(), settings=LOGINS)
    stopped, *others = [way.begin() for way in ways]
    ways[0].factory.stop(10)
    ways[0].network.flush()
    assert [outcome.reply.enhanced for outcome in stopped[0].outcomes] == ["4.3.2"]
    assert [verdicts(each[0]) for each in others] == [[DELIVERED]] * 2


# Silent servers, and an account that is not at fault.


def silent_servers(count, **answers):
    return [Server(**(answers or {"GREETING": SILENT})) for _ in range(count)]


def at_servers(count):
    return [{"server": f"198.51.100.{n}"} for n in range(count)]


def test_an_account_gets_its_connection_although_many_servers_say_nothing():
    ways = accounts(*silent_servers(50), Server(), settings=[*at_servers(50), {}])
    *silent, good = [way.begin() for way in ways]
    network = ways[0].network
    network.advance(PROMPT - 0.1)
    assert not good
    network.advance(0.1)
    assert verdicts(good[0]) == [DELIVERED]
    assert sum(bool(each) for each in silent) == 1
    [[attempt]] = [each for each in silent if each]
    assert str(attempt.fault).startswith("greeting: 4.4.2 the server was not ready within 3 s")
    assert "max_connections of [delivery]" in str(attempt.fault)
    network.advance(60)
    assert all(verdicts(each[0]) == [DEFERRED] for each in silent)


@pytest.mark.parametrize(
    ("answers", "phase"),
    [
        ({"GREETING": b"220-wait\r\n"}, "greeting"),
        ({"EHLO": SILENT}, "ehlo"),
        ({"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": SILENT}, "tls"),
        ({"EHLO": ["250-mx\r\n250 STARTTLS", SILENT], "HANDSHAKE": "never"}, "tls"),
        ({"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": SILENT}, "login"),
    ],
)
def test_it_does_not_matter_where_they_fall_silent(answers, phase):
    settings = [login(tls=Tls.AUTO) | each for each in at_servers(5)]
    if phase == "login":
        settings = [login() | each for each in at_servers(5)]
    elif phase != "tls":
        settings = at_servers(5)
    ways = accounts(*silent_servers(4, **answers), Server(), settings=settings, limit=4)
    ways[-1] = Way(network=ways[0].network, budget=ways[0].budget)
    *silent, good = [way.begin() for way in ways]
    ways[0].network.advance(PROMPT)
    assert verdicts(good[0]) == [DELIVERED]
    assert [str(each[0].fault).split(":")[0] for each in silent if each] == [phase]


def test_a_server_whose_connections_are_pending_gives_way_too():
    ways = accounts(*[PENDING] * 4, Server(), settings=[*at_servers(4), {}], limit=4)
    *silent, good = [way.begin() for way in ways]
    ways[0].network.advance(PROMPT)
    assert verdicts(good[0]) == [DELIVERED]
    assert str(silent[0][0].fault).startswith("connect: 4.4.1 the server was not ready within 3 s")
    assert ways[0].network.connectors[0].stoppedConnecting


def test_one_silent_server_for_many_addresses_of_ours_gives_way_before_a_slow_one():
    slow, settings = Server(GREETING=SILENT), [{"server": "192.0.2.2"}]
    settings += [{"local_address": (f"192.0.2.{n}",)} for n in range(10, 70)]
    late, *ways = accounts(slow, *silent_servers(60), settings=settings)
    results = late.begin()
    silent = [way.begin() for way in ways]
    assert len(late.network.wires) == 50
    late.network.advance(PROMPT)
    assert len([each for each in silent if each]) == 11
    late.network.advance(20)
    slow.say("220 at last")
    late.network.flush()
    assert verdicts(results[0]) == [DELIVERED]


def test_a_session_that_is_ready_at_last_does_not_give_way_to_those_who_waited_for_it():
    first = Server(GREETING=SILENT)
    settings = [{}, {"server": "192.0.2.2"}, {}]
    ways = accounts(first, *silent_servers(1), Server(), settings=settings, limit=2)
    one, other, third = [way.begin() for way in ways]
    ways[0].network.advance(PROMPT)
    assert (one, other, third) == ([], [], [])
    first.say("220 at last")
    ways[0].network.flush()
    assert verdicts(one[0]) == verdicts(third[0]) == [DELIVERED]


def test_a_session_that_gives_way_before_its_login_is_no_bug():
    first = server_and(GREETING=SILENT)
    settings = [login(), {"server": "192.0.2.2"}, login()]
    ways = accounts(first, *silent_servers(1), server_and(), settings=settings, limit=2)
    one, _, third = [way.begin() for way in ways]
    ways[0].network.advance(PROMPT)
    first.say("220 at last")  # now the third one, which has waited for that, needs a connection
    ways[0].network.flush()
    assert verdicts(one[0]) == [DEFERRED]
    assert "max_connections of [delivery]" in str(one[0].fault)
    assert verdicts(third[0]) == [DELIVERED]
