from __future__ import annotations

import itertools
from math import inf

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.queue.connections import KEPT, Connections, others
from multisendcon_plugin.queue.gate import Ended
from multisendcon_plugin.queue.gates import Gates
from multisendcon_plugin.queue.health import Health
from multisendcon_plugin.queue.minimum_wait import MinimumWait
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from tests.queues import CLOSED, GREYLISTED, LOGIN_REFUSED, attempt, delivery, fault

NOW = 1000.0


def gates_of(mail_ended=None, **settings):
    state = {} if mail_ended is None else {"minimum_wait": mail_ended}
    account = Account(name="A", server="smtp.a.example", **settings)
    return Gates(account, state, started=NOW, crashed=False)


def begin(gates):
    gates.connections.begun()


def ended(gates, now, *verdicts, number=1, jitter=0.0, **more):
    tried = delivery(number)
    working = gates.connections.under_way - 1
    result = attempt(tried, *verdicts, **more)
    return gates.ended(tried, result, working=working, now=now, jitter=jitter)


def may_begin(gates, now):
    return gates.opens_at() <= now


def test_a_new_account_may_begin_at_once():
    assert may_begin(gates_of(), 0.0)


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_without_a_wait_as_many_mails_as_connections_are_under_way(connections):
    gates = gates_of(max_connections=connections)
    for _ in range(connections):
        assert may_begin(gates, NOW)
        begin(gates)
    assert gates.opens_at() == inf
    ended(gates, NOW, mail_ended=NOW)
    assert may_begin(gates, NOW)


def test_with_a_wait_one_mail_at_a_time_whatever_the_connections():
    gates = gates_of(minimum_wait=5.0, max_connections=10)
    begin(gates)
    assert gates.opens_at() == inf


def test_the_wait_runs_from_the_end_of_a_mail():
    gates = gates_of(minimum_wait=5.0)
    begin(gates)
    ended(gates, NOW + 1, mail_ended=NOW)
    assert gates.opens_at() == NOW + 5


def test_an_attempt_that_began_no_mail_does_not_lengthen_the_wait():
    gates = gates_of(mail_ended=NOW, minimum_wait=5.0)
    begin(gates)
    ended(gates, NOW + 3, mail_ended=None)
    assert gates.opens_at() == NOW + 5


def test_a_mail_that_ended_in_an_account_fault_needs_the_wait_too():
    gates = gates_of(minimum_wait=500.0)
    begin(gates)
    ended(gates, NOW, mail_ended=NOW, fault=CLOSED)
    assert gates.opens_at() == NOW + 500


def test_the_end_of_the_last_mail_before_a_restart_counts():
    assert gates_of(mail_ended=NOW, minimum_wait=60.0).opens_at() == NOW + 60


# What survives a restart.


def restarted(state, *, after=100.0, crashed=False, **settings):
    account = Account(name="A", server="smtp.a.example", **settings)
    return Gates(account, state, started=NOW + after, crashed=crashed)


def test_gates_made_anew_from_their_state_keep_the_minimum_wait():
    gates = gates_of(minimum_wait=500.0)
    assert gates.state() == {}
    begin(gates)
    ended(gates, NOW + 1, mail_ended=NOW + 1)
    state = gates.state()
    assert state == {"minimum_wait": NOW + 1}
    anew = restarted(state, minimum_wait=500.0)
    assert anew.opens_at() == NOW + 501
    assert anew.state() == state


def test_without_a_minimum_wait_nothing_survives():
    gates = gates_of()
    begin(gates)
    ended(gates, NOW, mail_ended=NOW, fault=CLOSED)
    assert gates.state() == {}
    assert restarted({"minimum_wait": NOW + 99}).opens_at() == 0.0


@pytest.mark.parametrize("state", [{}, {"minimum_wait": NOW}], ids=str)
def test_after_a_crash_the_last_mail_may_have_ended_when_the_relay_was_started(state):
    gates = restarted(state, crashed=True, minimum_wait=500.0)
    assert gates.opens_at() == NOW + 100 + 500


def test_an_end_that_is_still_to_come_was_written_while_the_clock_was_wrong():
    gates = restarted({"minimum_wait": NOW + 10_000}, minimum_wait=500.0)
    assert gates.opens_at() == NOW + 100 + 500


@pytest.mark.parametrize(
    "gate",
    [Health(), Connections(2), MinimumWait(5.0, None, started=NOW, crashed=False)],
    ids=lambda gate: gate.name,
)
def test_each_gate_is_open_at_first_and_passes_a_good_end_on_as_it_is(gate):
    assert gate.opens_at == 0.0
    assert gate.state is None
    tried = delivery(1)
    end = Ended(tried, attempt(tried), under_way=0, working=0, now=NOW, jitter=0.0)
    assert gate.ended(end) is end


def test_rests_double_from_half_a_minute_to_an_hour():
    gates, now, rests = gates_of(), NOW, []
    for _ in range(10):
        begin(gates)
        ended(gates, now, fault=LOGIN_REFUSED)
        rests.append(gates.opens_at() - now)
        now = gates.opens_at()
    assert rests == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert gates.opens_at() == now


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_jitter_only_lengthens_a_rest(jitters):
    gates, now = gates_of(), NOW
    for n, jitter in enumerate(jitters):
        begin(gates)
        ended(gates, now, fault=CLOSED, jitter=jitter)
        least = min(30 * 2**n, 3600)
        assert least - 1e-6 <= gates.opens_at() - now <= least * 1.1 + 1e-6
        now = gates.opens_at()


def test_sessions_that_break_together_are_one_fault():
    gates = gates_of(max_connections=3)
    for _ in range(3):
        begin(gates)
    for n in range(3):
        ended(gates, NOW + n, fault=CLOSED)
    assert gates.opens_at() == NOW + 30


def test_an_account_at_fault_is_probed_by_one_mail():
    gates = gates_of(max_connections=3)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    assert gates.health.fault is CLOSED
    assert not may_begin(gates, NOW + 29)
    assert may_begin(gates, NOW + 30)
    begin(gates)
    assert gates.opens_at() == inf


def test_no_probe_while_a_mail_from_before_the_fault_is_under_way():
    gates = gates_of(max_connections=2)
    begin(gates)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    assert gates.opens_at() == inf


def test_a_probe_that_fails_lengthens_the_rest_and_one_that_succeeds_ends_it():
    gates = gates_of(max_connections=2)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    begin(gates)
    ended(gates, NOW + 30, fault=LOGIN_REFUSED)
    assert gates.health.fault is LOGIN_REFUSED
    assert gates.opens_at() == NOW + 90
    begin(gates)
    ended(gates, NOW + 90, mail_ended=NOW + 90)
    assert gates.health.fault is None
    assert may_begin(gates, NOW + 90)
    begin(gates)
    assert may_begin(gates, NOW + 90)


def test_a_mail_that_succeeds_while_the_account_rests_ends_the_rest():
    gates = gates_of(max_connections=2)
    begin(gates)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    ended(gates, NOW + 1, mail_ended=NOW + 1)
    assert may_begin(gates, NOW + 1)


def test_after_a_recovery_rests_begin_small_again():
    gates = gates_of()
    for now, met in ((NOW, CLOSED), (NOW + 30, CLOSED), (NOW + 90, None), (NOW + 91, CLOSED)):
        begin(gates)
        ended(gates, now, fault=met)
    assert gates.opens_at() == NOW + 91 + 30


class _Server:
    """Takes each mail some seconds after the gates allow it."""

    def __init__(self, gates, now):
        self.gates, self.now = gates, now
        self.mails = []

    def mail(self, later, lasts, fault):
        began = max(self.now, self.gates.opens_at()) + later
        begin(self.gates)
        assert self.gates.opens_at() == inf
        self.now = began + lasts
        self.mails.append((began, self.now))
        ended(self.gates, self.now, mail_ended=self.now, fault=fault)


@given(
    wait=st.floats(0.1, 100),
    mails=st.lists(
        st.tuples(st.floats(0, 50), st.floats(0, 50), st.sampled_from([None, CLOSED])), min_size=2
    ),
)
def test_between_two_mails_there_is_always_the_minimum_wait(wait, mails):
    server = _Server(gates_of(minimum_wait=wait), NOW)
    for mail in mails:
        server.mail(*mail)
    for (_, end), (begin, _) in itertools.pairwise(server.mails):
        assert begin - end >= wait - 1e-9


def test_after_a_fault_the_connections_come_back_by_doubling():
    gates = gates_of(max_connections=10)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    now = NOW + 100
    rounds = []
    for _ in range(6):
        begun = 0
        while may_begin(gates, now):
            begin(gates)
            begun += 1
        for _ in range(begun):
            ended(gates, now, mail_ended=now)
        rounds.append(begun)
    assert rounds == [1, 2, 4, 8, 10, 10]


# What may be greylisting.


def hear(gates, now, *numbers):
    """Let deliveries be deferred one after the other, by what may be greylisting."""
    for number in numbers:
        begin(gates)
        ended(gates, now, number=number, deferred_by=GREYLISTED)


@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3, 4), (1,) * 9, (1, 2, 3, 4) * 3], ids=str)
def test_what_a_few_mails_hear_is_no_fault_of_the_account(numbers):
    gates = gates_of()
    hear(gates, NOW, *numbers)
    assert gates.health.fault is None
    assert may_begin(gates, NOW)


def test_what_five_different_mails_in_a_row_hear_slows_the_account():
    gates = gates_of()
    hear(gates, NOW, 1, 2, 1, 3, 4)
    assert gates.health.fault is None
    hear(gates, NOW, 5)
    assert gates.health.fault.action is Action.SLOW
    assert str(gates.health.fault) == "end of data: 451 4.7.1 Try again later"
    assert gates.opens_at() == NOW + 30


@pytest.mark.parametrize(
    "verdicts",
    [(Verdict.DELIVERED,), (Verdict.DEFERRED,), (Verdict.FAILED,)],
    ids=lambda verdicts: verdicts[0].value,
)
def test_a_mail_that_hears_something_else_ends_the_row(verdicts):
    gates = gates_of()
    for number in range(0, 50, 5):
        hear(gates, NOW, *range(number, number + 4))
        begin(gates)
        ended(gates, NOW, *verdicts, number=number + 4)
    assert gates.health.fault is None


def test_more_mails_have_to_hear_it_than_those_under_way_that_may_still_go_well():
    gates = gates_of(max_connections=10)
    for _ in range(10):
        begin(gates)
    for number in range(5):
        ended(gates, NOW, number=number, deferred_by=GREYLISTED)
    assert gates.health.fault is None  # five heard it, five may still go well
    ended(gates, NOW, number=5, deferred_by=GREYLISTED)
    assert gates.health.fault.action is Action.SLOW
    assert gates.opens_at() == inf
    for _ in range(4):
        ended(gates, NOW + 1)
    assert gates.health.fault is None
    assert may_begin(gates, NOW + 1)


def test_a_probe_that_hears_it_does_not_lengthen_the_rest():
    gates, now = gates_of(), NOW
    hear(gates, now, 1, 2, 3, 4, 5)
    for number in range(6, 12):
        now += 30
        assert gates.opens_at() == now
        hear(gates, now, number)
        assert gates.health.fault.action is Action.SLOW
    assert gates.opens_at() == now + 30


def test_after_a_quarter_of_an_hour_without_a_success_it_is_a_fault_that_moves_mail():
    gates = gates_of()
    hear(gates, NOW, 1, 2, 3, 4, 5)
    begin(gates)
    judged = ended(
        gates,
        NOW + 900,
        number=1,
        deferred_by=GREYLISTED,
    )
    assert gates.health.fault.action is Action.REST
    assert judged.fault is gates.health.fault
    assert judged.moves


def test_an_attempt_that_the_account_is_blamed_for_fails_no_recipient():
    two = attempt(
        delivery(1, recipients=("gone@b.example", "r@b.example")),
        Verdict.FAILED,
        Verdict.DEFERRED,
        deferred_by=GREYLISTED,
    )
    gates = gates_of()
    hear(gates, NOW, 2, 3, 4, 5)
    begin(gates)
    judged = gates.ended(delivery(1), two, working=0, now=NOW, jitter=0.0)
    assert [each.verdict for each in judged.outcomes] == [Verdict.DEFERRED, Verdict.DEFERRED]


def test_a_greylisted_probe_neither_ends_another_fault_nor_rests_as_long():
    gates, now = gates_of(), NOW
    for _ in range(4):
        begin(gates)
        ended(gates, now, fault=LOGIN_REFUSED)
        now = gates.opens_at()
    hear(gates, now, 1)
    assert gates.health.fault is not None
    assert gates.opens_at() == now + 30


# A server that is out of service.

OUT_OF_SERVICE = [
    fault(Phase.GREETING, 421, "4.3.2", "service not available"),
    fault(Phase.EHLO, 421, "4.3.2", "draining"),
    fault(Phase.LOGIN, 454, "4.7.0", "temporary authentication failure"),
    fault(Phase.MAIL, 451, "4.7.0", "temporary server error"),
    fault(Phase.MAIL, 421, "4.4.2", "closing"),
]


@pytest.mark.parametrize("each", OUT_OF_SERVICE, ids=str)
def test_a_server_that_asks_for_less_is_out_of_service_after_three_pauses(each):
    gates, now, actions = gates_of(), NOW, []
    for _ in range(5):
        begin(gates)
        judged = ended(gates, now, fault=each)
        assert judged.fault is gates.health.fault
        actions.append(judged.fault.action)
        now = gates.opens_at()
    assert actions == [Action.SLOW] * 3 + [Action.REST] * 2


@pytest.mark.parametrize("each", OUT_OF_SERVICE, ids=str)
@pytest.mark.parametrize(("later", "action"), [(899, Action.SLOW), (900, Action.REST)])
def test_or_after_a_quarter_of_an_hour(each, later, action):
    gates = gates_of()
    for now in (NOW, NOW + later):
        begin(gates)
        ended(gates, now, fault=each)
    assert gates.health.fault.action is action


def test_a_success_in_between_begins_the_count_anew():
    gates, now = gates_of(), NOW
    for _ in range(20):
        for each in (OUT_OF_SERVICE[0], OUT_OF_SERVICE[1], OUT_OF_SERVICE[2], None):
            begin(gates)
            ended(gates, now, fault=each)
            assert gates.health.fault is each
            now = max(now, gates.opens_at())


def test_a_refused_login_stays_what_it_is_however_long_it_lasts():
    gates, now = gates_of(), NOW
    for _ in range(6):
        begin(gates)
        ended(gates, now, fault=LOGIN_REFUSED)
        assert gates.health.fault is LOGIN_REFUSED
        now = gates.opens_at()


# Attempts that say nothing.


def test_an_inconclusive_attempt_counts_for_the_minimum_wait_only():
    gates = gates_of(minimum_wait=5.0)
    begin(gates)
    ended(gates, NOW + 1, Verdict.FAILED, mail_ended=NOW + 1, inconclusive=True)
    assert gates.health.fault is None
    assert gates.opens_at() == NOW + 6


def test_an_inconclusive_attempt_ends_no_fault():
    gates = gates_of(max_connections=3)
    begin(gates)
    ended(gates, NOW, fault=CLOSED)
    begin(gates)
    ended(gates, NOW + 30, Verdict.FAILED, inconclusive=True)
    assert gates.health.fault is CLOSED
    begin(gates)
    assert gates.opens_at() == inf  # still one at a time


def test_a_fault_that_is_inconclusive_costs_no_connections():
    gates = gates_of(max_connections=3)
    begin(gates)
    ended(gates, NOW, fault=CLOSED, inconclusive=True)
    begin(gates)
    begin(gates)
    assert gates.opens_at() == 0.0
    begin(gates)
    assert gates.opens_at() == inf


def test_an_inconclusive_attempt_is_no_fault_and_does_not_interrupt_a_row():
    gates = gates_of()
    hear(gates, NOW, 1, 2, 3, 4)
    begin(gates)
    judged = ended(gates, NOW, Verdict.DEFERRED, inconclusive=True)
    assert judged.inconclusive
    assert gates.health.fault is None
    hear(gates, NOW, 5)
    assert gates.health.fault.action is Action.SLOW


# Fewer connections than configured.

TOO_MANY = fault(Phase.GREETING, 421, "4.7.0", "Too many concurrent connections")
ONE_TOO_MANY = [
    TOO_MANY,
    fault(Phase.EHLO, 421, "4.3.2", "come back later"),
    fault(Phase.LOGIN, 454, "4.7.0", "Temporary authentication failure"),
    fault(Phase.LOGIN, 432, "4.3.2", "Concurrent connections limit exceeded"),
    fault(Phase.LOGIN, 535, "5.7.8", "Too many connections per account"),
    fault(Phase.GREETING, 554, "5.7.1", "TOO MANY CONNECTIONS from your host"),
    fault(Phase.MAIL, 421, "4.4.5", "Too many connections from your host"),
    fault(Phase.MAIL, 432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded"),
    fault(Phase.END, 432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded"),
]
#: Also while others work, these are about the account.
NOT_ABOUT_THE_NUMBER = [
    CLOSED,
    LOGIN_REFUSED,
    fault(Phase.GREETING, 0, "4.4.2", "the server closed the connection"),
    fault(Phase.GREETING, 554, "5.7.1", "you are on a block list"),
    fault(Phase.MAIL, 421, "4.7.0", "too many messages, slow down"),
    fault(Phase.MAIL, 451, "4.7.0", "temporary server error"),
    fault(Phase.LOGIN, 535, "5.7.139", "the login limits are exceeded"),
]


@pytest.mark.parametrize("each", ONE_TOO_MANY, ids=str)
def test_a_refused_further_connection_is_no_fault_while_others_work(each):
    gates = gates_of(max_connections=10)
    begin(gates)
    begin(gates)
    assert ended(gates, NOW, fault=each) is None
    assert gates.health.fault is None
    assert gates.opens_at() == inf  # the one that works is all that the server wants


@pytest.mark.parametrize("each", ONE_TOO_MANY, ids=str)
def test_a_refused_connection_is_a_fault_when_it_is_the_only_one(each):
    gates = gates_of(max_connections=10)
    begin(gates)
    assert ended(gates, NOW, fault=each).fault is each
    assert gates.opens_at() == NOW + 30


@pytest.mark.parametrize("each", NOT_ABOUT_THE_NUMBER, ids=str)
def test_other_faults_are_the_accounts_whatever_works_beside(each):
    gates = gates_of(max_connections=10)
    begin(gates)
    begin(gates)
    assert ended(gates, NOW, fault=each).fault is each
    assert gates.health.fault is each


class _Narrow:
    """A server that allows so many connections; all that have begun end together."""

    def __init__(self, allows, **settings):
        self.gates = gates_of(**settings)
        self.allows = allows
        self.now = NOW

    def round(self, seconds=1.0):
        """Begin what may begin, and end it; return how many were refused."""
        begun = 0
        while may_begin(self.gates, self.now):
            begin(self.gates)
            begun += 1
        for _ in range(begun - self.allows):
            assert ended(self.gates, self.now, fault=TOO_MANY) is None
        for _ in range(min(begun, self.allows)):
            ended(self.gates, self.now, mail_ended=self.now)
        self.now += seconds
        return max(0, begun - self.allows)


@pytest.mark.parametrize(("allows", "configured"), [(3, 10), (1, 2), (1, 10), (9, 10), (3, 4)])
def test_the_number_that_worked_is_kept_and_then_one_more_is_tried(allows, configured):
    server = _Narrow(allows, max_connections=configured)
    assert server.round() == configured - allows
    assert server.gates.connections.allowed == allows
    refused = [server.round(60.0) for _ in range(60)]
    assert set(refused) == {0, 1}
    assert refused.count(1) == 60 * 60 // KEPT - 1
    assert server.gates.health.fault is None
    assert server.gates.connections.allowed == allows


def test_a_server_that_allows_more_again_gets_them_one_by_one():
    server = _Narrow(3, max_connections=6)
    server.round()
    server.allows = 100
    begun = []
    for _ in range(5):
        server.now += KEPT
        server.round()
        server.round()
        begun.append(server.gates.connections.most)
    assert begun == [4, 5, 6, 6, 6]
    assert server.gates.connections.allowed is None


def test_nothing_is_learned_from_a_server_that_refuses_all_of_them():
    gates = gates_of(max_connections=10)
    for _ in range(10):
        begin(gates)
    judged = [ended(gates, NOW, fault=TOO_MANY) for _ in range(10)]
    assert judged[:9] == [None] * 9
    assert judged[9].fault is TOO_MANY
    assert gates.condition == (TOO_MANY, NOW + 30, None)
    now, rounds = NOW + 30, []
    for _ in range(5):
        begun = 0
        while may_begin(gates, now):
            begin(gates)
            begun += 1
        for _ in range(begun):
            ended(gates, now, mail_ended=now)
        rounds.append(begun)
    assert rounds == [1, 2, 4, 8, 10]


def test_a_fault_later_on_does_not_make_the_number_forgotten():
    server = _Narrow(3, max_connections=10)
    server.round()
    begin(server.gates)
    ended(server.gates, server.now, fault=CLOSED)
    server.now += 30
    assert [server.round() for _ in range(6)] == [0] * 6


def test_a_session_between_two_mails_is_one_that_works():
    gates = gates_of(max_connections=10)
    for _ in range(3):
        begin(gates)
    assert ended(gates, NOW) is not None  # its outcome is not recorded yet, its session is kept
    refused = attempt(delivery(3), fault=TOO_MANY)
    assert gates.ended(delivery(3), refused, working=2, now=NOW, jitter=0.0) is None
    for n in range(2):
        begin(gates)
        ended(gates, NOW + n)
    assert gates.connections.allowed == 2


@pytest.mark.parametrize(
    ("under_way", "idle", "unsettled", "sessions"),
    [(3, 1, 10, 3), (1, 3, 8, 3), (10, 0, 10, 9), (1, 0, 5, 1), (1, 0, 1, 0)],
)
def test_a_server_counts_sessions_and_not_the_mails_that_had_them(
    under_way, idle, unsettled, sessions
):
    assert others(under_way, idle, unsettled) == sessions


# Other settings.


def other_settings(gates, now=NOW, **settings):
    gates.reconfigure(attrs.evolve(gates.account, **settings), now)


def test_what_a_server_allows_is_known_whatever_is_configured():
    gates = gates_of(max_connections=6)
    gates.connections.most = gates.connections._limit = gates.connections.allowed = 3
    other_settings(gates, max_connections=10)
    assert (gates.connections.most, gates.condition.allowed) == (3, 3)
    other_settings(gates, max_connections=2)
    assert (gates.connections.most, gates.condition.allowed) == (2, None)


def test_an_account_that_is_probed_is_probed_whatever_is_configured():
    gates = gates_of(max_connections=6)
    gates.connections.most = 1
    other_settings(gates, max_connections=10)
    assert gates.connections.most == 1
    other_settings(gates, server="other.example")
    assert gates.connections.most == 1
    assert gates.condition.fault is None


TOKEN = OAuth2(
    provider=Provider.MICROSOFT,
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    client_secret="old",
    tenant="a.example",
    mailbox="sales@a.example",
)


@pytest.mark.parametrize(
    ("settings", "forgets"),
    [
        ({"oauth2": attrs.evolve(TOKEN, client_secret="new")}, True),
        ({"oauth2": attrs.evolve(TOKEN, mailbox="other@a.example")}, True),
        ({"oauth2": attrs.evolve(TOKEN)}, False),
        ({"max_connections": 7}, False),
    ],
)
def test_a_fault_of_a_login_is_forgotten_when_it_asks_for_tokens_in_another_way(settings, forgets):
    gates = gates_of(oauth2=TOKEN)
    begin(gates)
    ended(gates, NOW, fault=LOGIN_REFUSED)
    other_settings(gates, NOW + 1, **settings)
    assert (gates.condition.fault is None) == forgets
    assert may_begin(gates, NOW + 1) == forgets
