"""Accounts with quotas at work: what their servers see, also over restarts and crashes."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import fail

from multisendcon_plugin.errors import AccountUnfitError, SpoolError
from multisendcon_plugin.events import QuotaUsedUp
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import AccountFault, Verdict
from multisendcon_plugin.outcome.condition import QuotaUse, State
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.queue.quota_gate import A_MOMENT
from multisendcon_plugin.settings.quota import Counted, OverQuota
from tests.queue.test_quota import excess, mails, recipients
from tests.queue_world import DAY, HOUR, World, account, closed, deferring, direct, inconclusive
from tests.queues import NOW, collected

MINUTE = 60.0
FALLBACK = OverQuota.FALLBACK


def quota(*quotas, name="A", **more):
    return account(name, quota=quotas, **more)


def seen(world, *names):
    """Return when servers have seen mails, and to how many."""
    return [
        (now.began + world.seconds, len(now.delivery.recipients))
        for now in world.tries
        if now.relay.account.name in (names or ("A",))
    ]


def excess_of(world, quota, *names):
    sizes = [(at, 1 if quota.counted is Counted.MAILS else to) for at, to in seen(world, *names)]
    return excess(sizes, quota)


def condition_of(world, name="A"):
    (found,) = [each for each in world.queue.control.conditions() if each.account == name]
    return found


def send(world, count, to=1, **how):
    for _ in range(count):
        world.mail(*(f"r{n}@far.example" for n in range(to)), **how)


def used_up(text, phase=Phase.MAIL):
    return AccountFault(phase=phase, reply=Reply(550, "5.4.5", text), action=Action.QUOTA)


def one_by_one(ends):
    """Return a server that ends each attempt in its way, and all further ones as usual."""

    def serve(now):
        return next(ends, lambda _: "as usual")(now)

    return serve


def restart(world):
    assert world.stop(2)
    world.start()


def crash(world):
    world.crash()
    world.start()


# Under load.


@pytest.mark.parametrize("slow", [True, False])
def test_no_window_has_more_and_nearly_all_of_it_is_used(slow):
    world = World(quota(mails(30, MINUTE)), slow=slow, seconds=0.2)
    send(world, 400)
    world.run(12 * MINUTE)
    assert excess_of(world, mails(30, MINUTE)) == 0
    assert len(world.sent) >= 0.97 * 12 * 30


@pytest.mark.parametrize("end", [restart, crash])
@pytest.mark.parametrize(("limit", "to"), [(mails(30, MINUTE), 1), (recipients(500, HOUR), 7)])
def test_over_restarts_and_crashes_there_is_no_more_and_hardly_less(end, limit, to):
    world = World(quota(limit, max_connections=4), seconds=0.2)
    rounds = 12 if limit.window == MINUTE else 4
    send(world, 500, to=to)
    while world.clock.seconds() < NOW + rounds * limit.window:
        world.run(limit.window * 0.37)
        end(world)
    assert excess_of(world, limit) <= 0
    sent = sum(len(each.recipients) if to > 1 else 1 for each in world.sent)
    assert sent >= 0.97 * rounds * limit.most


def test_a_mail_is_in_the_spool_before_it_begins_and_its_time_when_it_has_ended():
    world = World(quota(mails(5, MINUTE), max_connections=3))
    before = []

    def serve(now):
        before.append([each.counted for each in world.disk.usages.values()])
        return "as usual"

    world.servers["A"] = serve
    send(world, 1)
    world.run(5)
    assert before == [[None]]
    (usage,) = world.disk.usages.values()
    assert usage.counted == world.tries[0].began + world.seconds
    assert (usage.mails, usage.recipients) == (1, 1)


def test_nothing_begins_while_the_disk_does_not_take_it_and_a_stop_does_not_wait_for_it():
    world = World(quota(mails(5, MINUTE)))
    written = world.memory.count
    world.memory.count = lambda *_: fail(SpoolError("the disk has a fault"))
    send(world, 1)
    world.run(25)
    assert world.tries == []
    world.memory.count = written
    world.run(10)
    assert len(world.sent) == 1
    world.memory.count = lambda *_: fail(SpoolError("the disk has a fault"))
    send(world, 1)
    world.run(5)
    assert world.stop()
    assert len(world.waiting) == 1
    world.start()
    world.run(5)
    assert len(world.sent) == 2


@pytest.mark.parametrize("how", ["pause", "stop", "hold", "delete", "reload"])
def test_what_happens_while_a_reservation_is_written_finds_the_mail_in_its_place(how):
    world = World(quota(mails(5, MINUTE)))
    world.mail()
    while not world.disk.usages:
        world.run(0.001)
    assert world.tries == []
    control, (number,) = world.queue.control, world.disk.deliveries
    if how == "stop":
        assert world.stop()
        assert len(world.waiting) == 1
        world.start()
    elif how == "pause":
        control.pause("A")
        world.run(0.02)
        control.resume("A")
    elif how == "reload":
        world.reload(quota(mails(5, MINUTE), helo_domain="another.example"))
    else:
        getattr(control, how)([number], *([False] if how == "delete" else []))
    world.run(10)
    if how == "hold":
        # What is under way ends first.
        assert world.waiting == []
    assert len(world.sent) == 1
    assert world.waiting == []
    world.run(2 * MINUTE)
    assert condition_of(world).quotas == (QuotaUse(mails(5, MINUTE), 0, 5, None),)


def test_an_attempt_that_says_no_mail_takes_no_room():
    world = World(quota(mails(1, DAY)), retry=(60.0,))
    fails = iter([closed, closed])
    world.servers["A"] = one_by_one(fails)
    send(world, 1)
    world.run(HOUR)
    assert len(world.sent) == 1
    assert len(world.tries) == 3


def test_each_further_mail_of_an_attempt_has_its_own_room():
    world = World(quota(mails(2, HOUR)))
    ends = iter([inconclusive])
    world.servers["A"] = one_by_one(ends)
    send(world, 2)
    world.run(MINUTE)
    assert len(world.tries) == 2
    world.run(2 * HOUR)
    assert len(world.sent) == 2
    assert excess_of(world, mails(2, HOUR)) == 0


def test_without_quotas_nothing_is_counted():
    world = World(account("A"))
    world.memory.count = None
    send(world, 3)
    world.run(MINUTE)
    restart(world)
    assert len(world.sent) == 3
    assert world.disk.usages == {}
    assert condition_of(world).quotas == ()


# Several accounts.


def test_accounts_of_a_group_have_one_window_and_wake_each_other():
    group = {"quota_group": "A", "max_connections": 1}
    world = World(
        quota(mails(3, MINUTE), recipients="*@far.example", **group),
        quota(mails(3, MINUTE), name="B", **group),
        quota(mails(3, MINUTE), name="C", senders="nobody@home.example"),
        seconds=0.2,
    )
    for n in range(20):
        world.mail(f"r{n}@far.example")
        world.mail(f"r{n}@near.example")
    world.run(10 * MINUTE)
    assert excess_of(world, mails(3, MINUTE), "A", "B") == 0
    assert len(world.sent) >= 29
    assert {each.account for each in world.sent} == {"A", "B"}
    assert condition_of(world, "B").state is State.QUOTA
    assert condition_of(world, "C").state is State.OK
    assert {each.name for each in world.disk.usages.values()} == {'["A"]'}


def test_room_that_one_of_a_group_gives_back_is_taken_by_another_one_at_once():
    group = {"quota_group": "both", "max_connections": 1}
    world = World(
        quota(mails(1, HOUR), recipients="*@far.example", **group),
        quota(mails(1, HOUR), name="B", **group),
        seconds=100.0,
    )
    world.servers["A"] = closed
    world.mail("r@far.example")
    world.mail("r@near.example")
    world.run(50)
    assert condition_of(world, "B").fault == "its quota of 1 mails/1h is used up"
    assert condition_of(world, "B").until is None
    world.run(150.5)
    assert [each.account for each in world.sent] == ["B"]


def test_a_mail_to_many_gets_its_room_beside_others_of_a_group_to_one_each():
    limit = recipients(20, 10 * MINUTE)
    world = World(
        quota(limit, quota_group="both", senders="boss@home.example"),
        quota(limit, quota_group="both", name="B"),
        seconds=0.1,
    )
    send(world, 200)
    world.run(15 * MINUTE)
    world.mail(*(f"r{n}@far.example" for n in range(15)), sender="boss@home.example")
    world.run(11 * MINUTE)
    assert [len(each.recipients) for each in world.sent if each.account == "A"] == [15]
    before = len(world.sent)
    world.run(20 * MINUTE)
    assert len(world.sent) >= before + 20
    assert excess_of(world, limit, "A", "B") == 0


@pytest.mark.parametrize("how", ["pause", "hold", "delete", "reload"])
def test_who_waits_for_room_no_more_keeps_it_for_nobody(how):
    limit = recipients(10, HOUR)
    accounts = (
        quota(limit, quota_group="both", senders="boss@home.example"),
        quota(limit, quota_group="both", name="B"),
    )
    world = World(*accounts, seconds=0.1)
    for _ in range(10):
        send(world, 1)
        world.run(5 * MINUTE)
    send(world, 1, to=10, sender="boss@home.example")
    world.run(15 * MINUTE)
    # There would be room for one, but it is kept.
    send(world, 1)
    world.run(MINUTE)
    assert [each.account for each in world.sent] == ["B"] * 10
    control = world.queue.control
    (number,) = [each.number for each in world.waiting if each.account == "A"]
    if how == "pause":
        control.pause("A")
    elif how == "reload":
        world.reload(accounts[1])
    else:
        getattr(control, how)([number], *([False] if how == "delete" else []))
    world.run(A_MOMENT + 5)
    assert [each.account for each in world.sent] == ["B"] * 11


def test_another_quota_wakes_who_waits_for_room():
    world = World(quota(mails(1, DAY)))
    send(world, 3)
    world.run(5)
    world.reload(quota(mails(2, DAY)))
    world.run(5)
    assert len(world.sent) == 2


# Many recipients.


def test_a_mail_with_more_recipients_than_a_quota_has_is_split_without_counting_attempts():
    limit = recipients(4, MINUTE)
    world = World(quota(limit))
    send(world, 1, to=10)
    world.run(5)
    assert [len(each.recipients) for each in world.sent] == [4]
    (left,) = world.waiting
    assert (left.attempts, len(left.recipients)) == (0, 6)
    world.run(3 * MINUTE)
    assert [len(each.recipients) for each in world.sent] == [4, 4, 2]
    assert {to for each in world.sent for to in each.recipients} == {
        f"r{n}@far.example" for n in range(10)
    }
    assert excess_of(world, limit) == 0


def test_a_mail_that_is_split_takes_the_room_that_there_is():
    limit = recipients(10, MINUTE)
    world = World(quota(limit))
    send(world, 1, to=4)
    send(world, 1, to=25)
    world.run(3 * MINUTE)
    assert [len(each.recipients) for each in world.sent] == [4, 6, 10, 9]


@pytest.mark.parametrize("to", [25, 30])
def test_mails_that_are_larger_than_the_quota_use_nearly_all_of_it(to):
    limit = recipients(10, MINUTE)
    world = World(quota(limit), seconds=0.2)
    send(world, 1, to=3)
    while world.clock.seconds() < NOW + 30 * MINUTE:
        if not world.waiting:
            send(world, 1, to=to)
        world.run(1)
    sent = sum(len(each.recipients) for each in world.sent)
    assert excess_of(world, limit) == 0
    assert sent >= 0.97 * 30 * limit.most


def test_no_part_of_a_mail_is_tiny():
    limit = recipients(40, MINUTE)
    world = World(quota(limit))
    send(world, 1, to=38)
    world.run(30)
    send(world, 1, to=50)
    world.run(20)
    assert [len(each.recipients) for each in world.sent] == [38]
    world.run(MINUTE)
    assert [len(each.recipients) for each in world.sent] == [38, 40]
    world.run(MINUTE)
    assert [len(each.recipients) for each in world.sent] == [38, 40, 10]


def test_a_mail_that_fits_the_quota_waits_for_room_as_a_whole():
    limit = recipients(4, MINUTE)
    world = World(quota(limit))
    send(world, 1, to=2)
    send(world, 1, to=3)
    world.run(30)
    assert [len(each.recipients) for each in world.sent] == [2]
    world.run(MINUTE)
    assert [len(each.recipients) for each in world.sent] == [2, 3]


# What the server says of a quota.


@pytest.mark.parametrize(
    ("text", "quotas", "rests"),
    [
        ("Daily sending quota exceeded", [mails(9, MINUTE), mails(99, DAY)], DAY),
        ("Hourly sending quota exceeded", [mails(9, MINUTE), mails(99, HOUR)], HOUR),
        ("too many messages per minute", [mails(9, MINUTE), mails(99, DAY)], MINUTE),
        ("Daily sending quota exceeded", [mails(9, MINUTE)], HOUR),
        ("sending quota exceeded", [mails(9, 2 * HOUR)], 2 * HOUR),
        ("sending quota exceeded", [mails(9, MINUTE), mails(99, DAY)], HOUR),
        ("over 24 hours: sending quota exceeded", [mails(9, HOUR), mails(99, DAY)], DAY),
        ("Daily sending quota exceeded", [], HOUR),
    ],
)
def test_a_quota_that_the_server_calls_used_up_closes_until_its_window_has_passed(
    text, quotas, rests
):
    world = World(quota(*quotas), warn_after=0.0)
    ends = iter([lambda now: now.end(fault=used_up(text), mail_began=True)])
    world.servers["A"] = one_by_one(ends)
    send(world, 1)
    world.run(5)
    found = condition_of(world)
    assert (found.state, found.until) == (State.QUOTA, world.tries[0].began + 1 + rests)
    assert found.used_up is None  # by our own count
    world.run(rests - 10)
    assert world.sent == []
    world.run(HOUR)
    assert len(world.sent) == 1


def test_a_probe_finds_out_whether_there_is_room_again():
    world = World(quota(mails(99, DAY)))
    ends = iter([lambda now: now.end(fault=used_up("daily limit"), mail_began=True)])
    world.servers["A"] = one_by_one(ends)
    send(world, 2)
    world.run(5)
    world.queue.control.probe("A")
    world.run(5)
    assert len(world.sent) == 2
    assert condition_of(world).state is State.OK


def test_mail_that_waits_for_a_quota_counts_no_attempt_and_never_fails():
    world = World(quota(mails(99, HOUR)), account("B"), warn_after=0.0, give_up_after=DAY)
    world.servers["A"] = lambda now: now.end(fault=used_up("hourly limit"), mail_began=True)
    send(world, 3)
    world.run(5 * DAY)
    assert world.sent == []
    assert [each.attempts for each in world.waiting] == [0, 0, 0]
    assert "550 5.4.5 hourly limit" in world.waiting[0].last_reply
    world.servers.clear()
    world.run(2 * HOUR)
    assert len(world.sent) == 3


def test_with_a_fallback_that_takes_what_the_server_does_not():
    world = World(quota(mails(99, HOUR), over_quota=FALLBACK), account("B"))
    world.servers["A"] = lambda now: now.end(fault=used_up("hourly limit"), mail_began=True)
    send(world, 3)
    world.run(MINUTE)
    assert [each.account for each in world.sent] == ["B"] * 3


# Over quota, by our own count.


def test_mail_waits_and_its_sender_hears_of_the_delay():
    world = World(quota(mails(1, 5 * DAY)), account("B"), warn_after=4 * HOUR, give_up_after=DAY)
    send(world, 2)
    world.run(6 * HOUR)
    reports = [each for each in world.sent if "delayed" in each.content]
    assert [each.account for each in reports] == ["B"] or reports == []
    world.run(4 * DAY)
    assert len([each for each in world.sent if each.account == "A"]) == 1
    (left,) = [each for each in world.waiting if each.message.envelope.reverse_path]
    assert (left.attempts, left.warned) == (0, True)
    world.run(DAY)
    assert len([each for each in world.sent if each.account == "A"]) >= 2


def test_its_condition_says_which_quota_is_used_up_and_until_when():
    limits = mails(3, MINUTE), recipients(3, HOUR)
    world = World(quota(*limits))
    assert condition_of(world).quotas == tuple(
        QuotaUse(each, 0, each.most, None) for each in limits
    )
    send(world, 4)
    world.clock_set_by = 500.0
    world.run(10)
    found = condition_of(world)
    assert found.state is State.QUOTA
    assert found.fault == "its quota of 3 recipients/1h is used up"
    assert found.used_up == limits[1]
    assert NOW + 1 + HOUR < found.until - 500.0 < NOW + 5 + HOUR + 8
    assert NOW < found.since - 500.0 < NOW + 10
    minute, hour = found.quotas
    assert (minute.used, minute.left, hour.used, hour.left) == (3, 0, 3, 0)
    assert minute.opens < hour.opens == found.until
    world.run(2 * HOUR)
    assert condition_of(world).state is State.OK
    assert len(world.sent) == 4


def test_used_up_again_and_again_it_is_so_since_the_first_time():
    world = World(quota(mails(3, MINUTE)))
    send(world, 30)
    world.run(5 * MINUTE)
    assert condition_of(world).since < NOW + 10
    world.run(HOUR)
    assert condition_of(world).since is None
    send(world, 4)
    world.run(10)
    assert condition_of(world).since > NOW + HOUR


def test_it_is_told_once_in_a_long_window_that_it_is_used_up():
    limits = mails(3, MINUTE), mails(6, HOUR)
    world = World(quota(*limits))
    told = collected(world.events, QuotaUsedUp)
    world.clock_set_by = 100.0
    send(world, 10)
    world.run(HOUR)
    ((told_of),) = told
    assert (told_of.account, told_of.quota) == ("A", "6 mails/1h")
    assert NOW + HOUR < told_of.until - 100.0 < NOW + HOUR + 10
    send(world, 10)
    world.run(HOUR)
    assert len(told) == 2


def test_a_probe_says_that_there_is_no_room():
    world = World(quota(mails(1, HOUR)))
    send(world, 2)
    world.run(10)
    failures = []
    world.queue.control.probe("A").addErrback(failures.append)
    assert failures[0].check(AccountUnfitError)
    assert "its quota of 1 mails/1h is used up" in failures[0].getErrorMessage()
    assert len(world.tries) == 1


def test_a_fallback_takes_over_what_would_wait_for_more_than_a_moment():
    world = World(quota(mails(2, 2 * MINUTE), over_quota=FALLBACK), account("B"))
    send(world, 3)
    world.run(10)
    assert [each.account for each in world.sent] == ["A", "A", "B"]
    world.run(2 * MINUTE - 10 - A_MOMENT / 2)
    send(world, 1)
    world.run(MINUTE)
    assert [each.account for each in world.sent] == ["A", "A", "B", "A"]


def test_an_account_without_room_takes_nothing_over():
    over = {"over_quota": FALLBACK}
    world = World(quota(mails(1, HOUR), **over), quota(mails(1, HOUR), name="B", **over))
    for _ in range(3):
        send(world, 1)
        world.run(10)
    assert [each.account for each in world.sent] == ["A", "B"]
    (left,) = world.waiting
    assert (left.account, left.tried) == ("A", ())
    world.run(3 * HOUR)
    assert len(world.sent) == 3


def test_a_long_quota_that_is_used_up_is_told_once_in_its_time_and_a_short_one_never():
    limits = mails(2, MINUTE), mails(30, HOUR)
    world = World(quota(*limits))
    told = collected(world.events, QuotaUsedUp)
    world.clock_set_by = 500.0
    send(world, 20)
    world.run(9 * MINUTE)
    assert len(world.sent) >= 18
    assert told == []
    send(world, 100)
    world.run(HOUR)
    [event] = told
    assert (event.account, event.quota) == ("A", "30 mails/1h")
    assert NOW + HOUR < event.until - 500.0 < NOW + HOUR + MINUTE
    world.run(HOUR)
    assert len(told) == 2


def test_nothing_is_told_of_an_account_whose_quota_lasts():
    world = World(quota(mails(3, HOUR)))
    told = collected(world.events, QuotaUsedUp)
    send(world, 3)
    world.run(2 * HOUR)
    assert told == []


# Another configuration.


@pytest.mark.parametrize("last", ["Few", "Many"])
def test_accounts_with_one_login_take_their_own_to_other_names(last):
    few, many = (
        direct(name, quota=(mails(most, HOUR),)) for name, most in (("Few", 2), ("Many", 5))
    )
    world = World(few, many)
    for name in ("Few", "Many", last):
        world.mail("x@far.example", by=name)
        world.run(30)
    world.reload(attrs.evolve(many, name="Lots"), attrs.evolve(few, name="Little"))
    left = {
        each.account: [(quota.used, quota.left) for quota in each.quotas]
        for each in world.queue.control.conditions()
    }
    few_of_them = 1 + (last == "Few")
    assert left == {
        "Lots": [(3 - few_of_them, 2 + few_of_them)],
        "Little": [(few_of_them, 2 - few_of_them)],
    }


def test_a_login_takes_its_windows_to_another_name_also_over_a_restart():
    limit = mails(2, HOUR)
    world = World(quota(limit))
    send(world, 2)
    world.run(10)
    renamed = attrs.evolve(world.accounts[0], name="B")
    world.reload(renamed)
    world.run(1)
    assert condition_of(world, "B").state is State.QUOTA
    assert len({each.name for each in world.disk.usages.values()}) == 1
    send(world, 1)
    world.run(MINUTE)
    assert len(world.sent) == 2
    assert world.stop()
    world.accounts = (attrs.evolve(renamed, name="C"),)
    world.start()
    world.run(MINUTE)
    assert condition_of(world, "C").state is State.QUOTA
    send(world, 1)
    world.run(MINUTE)
    assert len(world.sent) == 2
    world.run(HOUR)
    assert len(world.sent) == 4


def test_an_account_that_was_away_for_a_while_has_its_windows_again():
    limit = mails(2, HOUR)
    world = World(quota(limit))
    send(world, 2)
    world.run(10)
    with_quota = world.accounts
    for end in (restart, crash):
        world.accounts = (account("Z"),)
        end(world)
        world.run(60)
    assert world.stop()
    world.accounts = with_quota
    world.start()
    world.run(1)
    assert condition_of(world).state is State.QUOTA


def test_an_account_that_is_back_again_counts_where_its_windows_are():
    limit = mails(2, MINUTE)
    world = World(quota(limit), account("Z"))
    send(world, 1)
    world.run(5)
    world.run(40 * DAY)
    for _ in range(2):
        world.reload(quota(limit, enabled=False), account("Z"))
        world.run(1)
        world.reload(quota(limit), account("Z"))
        send(world, 2, by="A")
        world.run(5)
        assert world.queue.control.conditions()[0].state is State.QUOTA
        crash(world)
        world.run(1)
        assert condition_of(world).state is State.QUOTA
        world.run(40 * DAY)


def test_other_quotas_count_from_what_is_known():
    world = World(quota(mails(20, HOUR)))
    send(world, 6)
    world.run(10)
    world.reload(quota(mails(5, HOUR)))
    world.run(1)
    assert condition_of(world).quotas[0].used == 6
    world.reload(account("A"))
    world.run(1)
    world.reload(quota(mails(7, 2 * HOUR)))
    world.run(1)
    assert condition_of(world).quotas[0].left == 1


# Clocks.


@pytest.mark.parametrize("end", ["stop", "crash"])
@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_whatever_the_clock_on_the_wall_is_set_to_a_window_is_as_long(end, by):
    world = World(quota(mails(1, 2 * HOUR)))
    send(world, 2)
    world.run(MINUTE)
    world.clock_set_by += by
    world.run(MINUTE)
    if end == "stop":
        assert world.stop(1.0)
    else:
        world.crash()
    # The clock of the next process begins with the time of the wall.
    began = world.tries[0].began
    world.clock.rightNow += by
    world.machine_started += by
    world.clock_set_by = 0.0
    world.start()
    world.run(3 * HOUR)
    assert len(world.sent) == 2
    wait = world.tries[1].began - by - began
    assert 2 * HOUR < wait < 2 * HOUR + 20


def test_after_a_start_of_the_machine_the_clock_on_the_wall_is_believed():
    world = World(quota(mails(1, 2 * HOUR)))
    send(world, 1)
    world.run(MINUTE)
    world.clock_set_by += HOUR
    assert world.stop()
    world.boot = "another"
    world.clock.rightNow += HOUR
    world.clock_set_by = 0.0
    world.start()
    send(world, 1)
    world.run(HOUR)
    assert len(world.sent) == 1
    world.run(HOUR)
    assert len(world.sent) == 2


def test_a_crash_every_few_seconds_leaves_no_rows_behind():
    world = World(quota(mails(3, MINUTE)), seconds=0.1)
    for _ in range(40):
        send(world, 2)
        world.run(25)
        crash(world)
    assert excess_of(world, mails(3, MINUTE)) <= 0
    assert len(world.disk.usages) < 20


def test_deferred_mail_has_counted():
    world = World(quota(mails(2, HOUR)), retry=(60.0,))
    world.servers["A"] = deferring
    send(world, 1)
    world.run(HOUR - MINUTE)
    assert len(world.tries) == 2
    assert all(each.result.outcomes[0].verdict is Verdict.DEFERRED for each in world.tries)
