"""An admin's hand in a queue that runs."""

from __future__ import annotations

from email import message_from_string

import attrs
import pytest

from multisendcon_plugin import events
from multisendcon_plugin.errors import (
    AccountNotFoundError,
    AccountUnfitError,
    SpoolBrokenError,
    SpoolError,
)
from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.condition import Condition, State
from multisendcon_plugin.queue import changes
from tests.queue_world import (
    SENDER,
    World,
    account,
    closed,
    deferring,
    login_refused,
    losing,
    refusing,
    silent,
)
from tests.queues import NOW, collected


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


def numbers(world):
    return sorted(world.disk.deliveries)


def ask(world, how, *arguments):
    """Ask for something; return a list that has the answer, or the failure, as soon as it comes."""
    answers = []
    getattr(world.queue.control, how)(*arguments).addBoth(
        lambda answer: answers.append(getattr(answer, "value", answer))
    )
    return answers


def do(world, how, *arguments):
    """Ask for something that is answered at once."""
    answers = ask(world, how, *arguments)
    world.run(0.1)
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer


def deferred(*accounts, count=3, **more):
    """Return a world in which some mails wait for their second attempt, in five minutes."""
    world = World(*accounts, **{"retry": (300.0,), **more})
    world.servers["A"] = deferring
    for n in range(count):
        world.mail(f"r{n}@far.example", by="A")
    world.run(60)
    assert len(world.waiting) == count
    world.servers.clear()
    world.tries.clear()
    return world


def held(world):
    return sorted(each.number for each in world.waiting if each.held)


# Holding


def test_what_is_held_is_not_sent_until_it_is_released_and_then_when_it_was_due():
    world = deferred()
    told = collected(world.events, events.DeliveryHeld, events.DeliveryReleased)
    first, second, third = numbers(world)
    assert do(world, "hold", [third, first, 7]) == (first, third)
    assert do(world, "hold", [first]) == ()
    world.run(1000)
    assert [each.delivery.number for each in world.tries] == [second]
    assert do(world, "release", [first, second, third]) == (first, third)
    world.run(1)
    assert [each.delivery.number for each in world.tries] == [second, first, third]
    assert world.waiting == []
    assert [(type(each).__name__, each.delivery.number) for each in told] == [
        ("DeliveryHeld", first),
        ("DeliveryHeld", third),
        ("DeliveryReleased", first),
        ("DeliveryReleased", third),
    ]


def test_what_is_released_is_due_as_it_was():
    world = deferred(count=1)
    before = world.waiting
    do(world, "hold", numbers(world))
    do(world, "release", numbers(world))
    assert world.waiting == before
    world.run(200)
    assert world.tries == []
    world.run(200)
    assert len(world.sent) == 1


@pytest.mark.parametrize("end", [deferring, closed, losing])
def test_what_is_under_way_ends_first_and_what_remains_is_held(end):
    world = World(retry=(5.0,))
    world.servers["A"] = silent
    world.mail()
    world.run(2)
    answers = ask(world, "hold", numbers(world))
    world.run(100)
    assert (answers, held(world)) == ([], [])
    end(world.tries[0])
    world.run(1)
    assert answers == [tuple(numbers(world))] == [tuple(held(world))]
    assert world.waiting[0].attempts == 1
    world.run(1000)
    assert len(world.tries) == 1


@pytest.mark.parametrize("how", ["hold", "retry", "release", "delete", "move"])
def test_what_ends_while_it_is_waited_for_is_not_changed(how):
    more = {"delete": (True,), "move": ("B", "by hand")}.get(how, ())
    world = World(account("A"), account("B"))
    world.servers["A"] = silent
    world.mail(by="A")
    world.run(2)
    answers = ask(world, how, numbers(world), *more)
    world.deliver(world.tries[0])
    world.run(1)
    assert answers == [()]
    assert world.waiting == []
    assert len(world.sent) == 1


def test_a_held_mail_whose_attempt_has_moved_it_is_not_sent_by_the_other_account():
    world = World(account("A"), account("B"))
    world.servers["A"] = silent
    world.mail(by="A")
    world.run(2)
    answers = ask(world, "hold", numbers(world))
    closed(world.tries[0])
    world.run(1000)
    assert answers == [tuple(numbers(world))]
    assert (world.waiting[0].account, world.waiting[0].held) == ("B", True)
    assert world.sent == []


def test_what_is_held_stays_so_over_a_restart_and_a_crash():
    world = deferred(count=1)
    do(world, "hold", numbers(world))
    world.stop()
    world.start()
    world.run(1000)
    world.crash()
    world.start()
    world.run(1000)
    assert world.tries == []
    do(world, "release", numbers(world))
    world.run(1)
    assert len(world.sent) == 1


def test_a_change_while_the_spool_is_read_is_not_undone_by_the_answer():
    """The lane has asked for its mail, and gets it as it was before."""
    world = deferred(count=1)
    world.stop()
    world.start()
    world.run(0.035)  # the lane has asked for its mail
    answers = ask(world, "delete", numbers(world), False)
    world.run(1000)
    assert len(answers[0]) == 1
    assert world.tries == []


# Retrying


def test_what_is_retried_is_due_now_but_for_what_is_held():
    world = deferred()
    first, second, third = numbers(world)
    do(world, "hold", [second])
    assert do(world, "retry", [first, second]) == (first,)
    world.run(2)
    assert [each.delivery.number for each in world.tries] == [first]
    assert held(world) == [second]
    assert third in numbers(world)


def resting(end=closed, **more):
    """Return a world with five mails that wait for an account at fault."""
    world = World(account("A", max_connections=5, **more), retry=(10.0,))
    world.servers["A"] = end
    for n in range(5):
        world.mail(f"r{n}@far.example")
        world.run(2)
    for _ in range(6):  # it rests for long
        world.run(1000)
    assert world.queue.control.conditions()[0].until > world.clock.seconds() + 30
    world.tries.clear()
    return world


def test_a_retry_probes_an_account_that_rests_with_one_mail():
    world = resting()
    assert len(do(world, "retry", numbers(world))) == 5
    world.run(25)
    assert len(world.tries) == 1
    world.servers.clear()
    do(world, "retry", numbers(world))
    world.run(25)
    assert world.waiting == []
    assert world.tries[1].began < world.tries[2].began  # the first one was the probe


def test_a_retry_in_pieces_probes_once(monkeypatch):
    monkeypatch.setattr(changes, "AT_ONCE", 1)
    world = resting()
    assert len(do(world, "retry", numbers(world))) == 5
    world.run(25)
    assert len(world.tries) == 1


def test_a_probe_keeps_the_minimum_wait():
    world = World(account("A", minimum_wait=500.0), retry=(2000.0,))
    world.servers["A"] = losing
    world.mail()
    world.mail()
    world.run(5)
    (ended,) = [each.began + 1.0 for each in world.tries]
    do(world, "retry", numbers(world))
    world.run(1000)
    assert world.tries[1].began == ended + 500.0


def test_what_is_retried_while_it_is_under_way_is_due_when_that_has_ended():
    world = World(retry=(300.0,))
    world.servers["A"] = silent
    world.mail()
    world.run(2)
    answers = ask(world, "retry", numbers(world))
    deferring(world.tries[0])
    world.run(2)
    assert answers == [tuple(numbers(world))]
    assert len(world.tries) == 2


# Moving


def test_what_is_moved_is_due_at_once_by_the_other_account():
    world = deferred(account("A"), account("B"), count=2)
    told = collected(world.events, events.DeliveryMoved)
    first, second = numbers(world)
    assert do(world, "move", [first], "A", "it is there") == ()
    assert do(world, "move", [first, second, 7], "B", "by hand") == (first, second)
    world.run(3)
    assert [each.account for each in world.sent] == ["B", "B"]
    assert world.waiting == []
    assert [(each.delivery.account, each.account, each.reason) for each in told] == [
        ("A", "B", "by hand")
    ] * 2


def test_a_move_opens_all_accounts_as_fallback_and_keeps_what_is_uncertain():
    world = deferred(account("A"), account("B"), count=1)
    (number,) = numbers(world)
    before = world.disk.deliveries[number]
    world.disk.deliveries[number] = attrs.evolve(before, tried=("C",), uncertain=True)
    world.servers["B"] = silent
    do(world, "move", [number], "B", "by hand")
    (moved,) = world.waiting
    assert (moved.account, moved.tried, moved.uncertain) == ("B", (), True)
    assert moved.recipients[0].reason == "by hand"
    assert moved.attempts == 1


def test_what_is_held_stays_held_when_it_is_moved():
    world = deferred(account("A"), account("B"), count=1)
    do(world, "hold", numbers(world))
    assert do(world, "move", numbers(world), "B", "by hand") == tuple(numbers(world))
    world.run(1000)
    assert world.tries == []
    do(world, "release", numbers(world))
    world.run(3)
    assert [each.account for each in world.sent] == ["B"]


def test_what_an_account_has_said_of_recipients_is_told_when_it_is_moved():
    """A later report would say that the other account's server has said it."""
    world = World(account("A"), account("B"), retry=(300.0,))

    def serve(now):
        if now.delivery.message.envelope.reverse_path:
            now.end(Verdict.FAILED, Verdict.DEFERRED)
            return None
        return "as usual"

    world.servers["A"] = serve
    world.mail("gone@far.example", "r@far.example", by="A")
    world.run(0.5)
    number = numbers(world)[0]
    answers = ask(world, "hold", [number])
    world.run(3)
    assert answers == [(number,)]
    reports = [each for each in world.sent if "multipart/report" in each.content]
    assert len(reports) == 1
    assert do(world, "move", [number], "B", "by hand") == (number,)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [("C", AccountNotFoundError, "no account C"), ("B", AccountUnfitError, "B is not enabled")],
)
def test_nothing_moves_to_an_account_that_sends_nothing(name, error, said):
    world = deferred(account("A"), account("B", enabled=False), count=1)
    with pytest.raises(error, match=said):
        do(world, "move", numbers(world), name, "by hand")
    assert world.waiting[0].account == "A"
    world.run(1000)
    assert len(world.sent) == 1


# Deleting


def test_what_is_deleted_is_gone_and_nobody_is_told():
    world = deferred()
    told = collected(world.events, events.DeliveryDeleted)
    first, second, third = numbers(world)
    assert do(world, "delete", [first, third, 7], False) == (first, third)
    assert numbers(world) == [second]
    assert list(world.disk.contents) == [world.waiting[0].message.number]
    world.run(1000)
    assert [each.delivery.number for each in world.tries] == [second]
    assert [(each.delivery.number, each.notified) for each in told] == [
        (first, False),
        (third, False),
    ]


def test_the_sender_is_told_of_a_deletion_if_that_is_wanted():
    world = deferred(count=1)
    told = collected(world.events, events.DeliveryDeleted, events.ReportQueued)
    do(world, "delete", numbers(world), True)
    world.run(5)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    text, status, _ = message_from_string(report.content).get_payload()
    about = status.get_payload()[1]
    assert (about["Action"], about["Status"]) == ("failed", "5.7.0")
    said = " ".join(about["Diagnostic-Code"].split())
    assert said == "X-Multisendcon; 5.7.0 deleted from the queue by an administrator"
    assert "administrator of your mail system has deleted" in text.get_payload().replace("\n", " ")
    assert "Remote-MTA" not in about
    assert [type(each).__name__ for each in told] == ["DeliveryDeleted", "ReportQueued"]
    assert told[0].notified
    assert world.waiting == []


@pytest.mark.parametrize(
    ("mail", "ndr"),
    [
        ({"sender": ""}, {"postmaster": "postmaster@home.example"}),
        ({"notify": Notify.NEVER}, {"postmaster": "postmaster@home.example"}),
        ({"notify": Notify.SUCCESS}, {}),
    ],
)
def test_nobody_is_told_who_does_not_want_it(mail, ndr):
    world = World(retry=(300.0,), ndr=ndr)
    world.servers["A"] = deferring
    world.mail("r@far.example", **mail)
    world.run(5)
    told = collected(world.events, events.DeliveryDeleted, events.FailureUntold)
    assert len(do(world, "delete", numbers(world), True)) == 1
    world.run(100)
    assert world.waiting == []
    assert [getattr(each, "notified", None) for each in told] == [False]


# Many, and many admins


def test_thousands_are_changed_in_pieces(monkeypatch):
    monkeypatch.setattr(changes, "AT_ONCE", 4)
    world = deferred(account("A"), account("B"), count=11)
    asked = []
    hold = world.spool.hold
    world.spool.hold = lambda some: asked.append(len(some)) or hold(some)
    all_of_them = numbers(world)
    assert do(world, "hold", [*all_of_them, *all_of_them]) == tuple(all_of_them)
    assert asked == [4, 4, 3]
    world.run(1000)
    assert world.tries == []


def test_two_admins_change_the_same_one_after_the_other():
    world = deferred(account("A"), account("B"), count=4)
    some = numbers(world)
    answers = [
        ask(world, "hold", some),
        ask(world, "move", some[1:], "B", "by hand"),
        ask(world, "release", some[::-1]),
        ask(world, "delete", some[:2], False),
    ]
    world.run(1)
    assert [sorted(each[0]) for each in answers] == [some, some[1:], some, some[:2]]
    world.run(1000)
    assert sorted(each.delivery.number for each in world.tries) == some[2:]
    assert {each.account for each in world.sent} == {"B"}


def test_an_admin_who_waits_for_an_attempt_does_not_hold_up_others():
    world = World(account("A", max_connections=2), retry=(300.0,))
    world.servers["A"] = silent
    world.mail("a@far.example")
    world.mail("b@far.example")
    world.run(2)
    one, other = numbers(world)
    first, second = ask(world, "hold", [one, other]), ask(world, "delete", [other], False)
    deferring(world.tries[1])
    world.run(1)
    assert (first, second) == ([], [(other,)])
    deferring(world.tries[0])
    world.run(1)
    assert first == [(other, one)]
    assert numbers(world) == [one]


# Faults


def test_a_change_that_the_spool_does_not_take_fails_and_the_mail_goes_on():
    world = deferred(account("A"), account("B"), count=2)
    world.disk.fault = SpoolError("the disk has a fault")
    for how, *more in (("hold",), ("delete", True), ("move", "B", "by hand")):
        with pytest.raises(SpoolError, match="fault"):
            do(world, how, numbers(world), *more)
    world.disk.fault = None
    world.run(1000)
    assert [each.account for each in world.sent] == ["A", "A"]
    assert world.waiting == []


def test_when_the_spool_breaks_those_who_wait_are_told():
    world = World(account("A", max_connections=2))
    world.servers["A"] = silent
    world.mail("a@far.example")
    world.run(2)
    answers = ask(world, "hold", numbers(world))
    world.disk.fault = SpoolBrokenError("broken")
    refusing(world.tries[0])
    world.run(100)
    assert [type(each) for each in answers] == [SpoolBrokenError]
    with pytest.raises(SpoolBrokenError):
        do(world, "delete", numbers(world), False)


def test_when_the_relay_stops_those_who_wait_are_told():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(2)
    answers = ask(world, "hold", numbers(world))
    world.queue.stopService()
    assert [str(each) for each in answers] == ["the relay stops"]
    deferring(world.tries[0])
    world.run(10)
    assert held(world) == []


# Accounts


def test_a_paused_account_begins_nothing_and_ends_what_is_under_way():
    world = World(account("A", max_connections=2), account("B"), retry=(300.0,))
    told = collected(world.events, events.AccountPaused, events.AccountResumed)
    world.servers["A"] = silent
    world.mail("a@far.example", by="A")
    world.run(2)
    do(world, "pause", "A")
    do(world, "pause", "A")
    world.mail("b@far.example", by="A")
    world.servers.clear()
    world.deliver(world.tries[0])
    world.run(1000)
    assert len(world.tries) == 1
    (waiting,) = world.waiting
    assert waiting.account == "A"
    do(world, "resume", "A")
    do(world, "resume", "A")
    world.run(2)
    assert world.waiting == []
    assert [type(each).__name__ for each in told] == ["AccountPaused", "AccountResumed"]


@pytest.mark.parametrize("leave", ["stop", "crash"])
def test_a_pause_lasts_over_the_end_of_the_process(leave):
    world = deferred(count=1)
    do(world, "pause", "A")
    since = world.queue.control.conditions()[0].since
    for _ in range(2):
        getattr(world, leave)()
        world.start()
        world.run(1000)
    assert world.tries == []
    assert world.queue.control.conditions() == [
        Condition(account="A", state=State.PAUSED, since=since)
    ]
    do(world, "resume", "A")
    world.run(2)
    assert len(world.sent) == 1


def test_no_mail_moves_to_a_paused_account_or_away_from_it():
    world = World(account("A"), account("B"), account("C"))
    do(world, "pause", "B")
    world.servers["A"] = closed
    world.mail(by="A")
    world.mail(by="B")
    world.run(10)
    assert [each.account for each in world.sent] == ["C"]
    assert [each.account for each in world.waiting] == ["B"]
    do(world, "pause", "A")
    world.mail(by="A")
    world.run(1000)
    assert [each.account for each in world.waiting] == ["B", "A"]


def test_a_probe_tries_one_mail_of_an_account_that_rests():
    world = resting()
    do(world, "probe", "A")
    world.run(25)
    assert len(world.tries) == 1
    world.servers.clear()
    do(world, "probe", "A")
    world.run(100)
    assert world.waiting == []


def test_a_probe_takes_a_mail_that_is_not_due():
    world = deferred(count=2)
    do(world, "probe", "A")
    world.run(2)
    assert len(world.sent) == 1


def test_a_probe_beside_an_attempt_is_that_attempt():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(2)
    do(world, "probe", "A")
    world.deliver(world.tries[0])
    world.run(100)
    assert len(world.tries) == 1


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("A", AccountUnfitError, "no mail waits for account A"),
        ("B", AccountUnfitError, "B is not enabled"),
        ("C", AccountUnfitError, "C is paused: resume it"),
        ("D", AccountNotFoundError, "no account D"),
    ],
)
def test_a_probe_that_cannot_be_is_told(name, error, said):
    world = World(account("A"), account("B", enabled=False), account("C"))
    do(world, "pause", "C")
    with pytest.raises(error, match=said):
        do(world, "probe", name)


@pytest.mark.parametrize("how", ["pause", "resume"])
def test_an_account_that_is_not_there_is_not_paused(how):
    world = World()
    with pytest.raises(AccountNotFoundError, match="no account B"):
        do(world, how, "B")
    assert world.disk.pauses == {}


def test_the_conditions_of_all_accounts_in_order():
    world = World(
        account("A", max_connections=2),
        account("B", enabled=False),
        account("C", fallback=()),
        account("D"),
        reports=account("reports"),
    )
    world.clock_set_by = 3600.0
    world.servers.update(A=silent, C=login_refused)
    world.mail(by="A")
    world.mail(by="C")
    world.run(2)
    do(world, "pause", "D")
    began = world.tries[1].began + 1.0 + 3600.0
    assert world.queue.control.conditions() == [
        Condition(account="A", state=State.OK, active=1, connections=1),
        Condition(account="B", state=State.OFF),
        Condition(
            account="C",
            state=State.LOGIN,
            fault="login: 535 5.7.8 bad password",
            since=began,
            until=began + 30.0,
        ),
        Condition(account="D", state=State.PAUSED, since=NOW + 2.0 + 3600.0),
        Condition(account="reports", state=State.OK),
    ]
    assert world.queue.control.under_way() == {world.tries[0].delivery.number}
