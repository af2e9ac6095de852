"""Policies of MTA-STS in time: what is fetched, what is kept, and who waits for it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.dns import Txt
from multisendcon_plugin.interfaces.policies import PolicyName
from multisendcon_plugin.policy import discovery
from multisendcon_plugin.policy.discovery import FAILED_FOR, MOST_AHEAD
from multisendcon_plugin.policy.kept import KeptPolicies, KeptPolicy
from multisendcon_plugin.policy.mta_sts import Mode
from tests.policy.world import DOMAIN, FAILED, World, known, sts

DAY = 86_400
ENFORCED, NOTHING = PolicyName.MTA_STS, PolicyName.OPPORTUNISTIC


def test_a_policy_is_fetched_once():
    world = World()
    world.publish(sts())
    for _ in range(3):
        assert world.ask().name is ENFORCED
    assert world.fetches.asked == [DOMAIN]


def test_a_domain_without_a_record_is_not_asked_for_a_policy():
    world = World()
    world.publish(None)
    assert world.ask().name is NOTHING
    world.names.zones[f"_mta-sts.{DOMAIN}"] = {"TXT": [Txt("v=STSv1; nonsense")]}
    assert world.ask().name is NOTHING
    assert world.fetches.asked == []


def test_a_policy_with_another_id_is_fetched_and_holds_at_once():
    world = World()
    world.publish(sts(Mode.ENFORCE))
    assert not world.ask().testing
    world.publish(sts(Mode.TESTING), "2")
    assert world.ask().testing
    world.publish(sts(Mode.NONE), "3")
    assert world.ask().name is NOTHING
    world.publish(sts(Mode.ENFORCE), "3")
    assert world.ask().name is NOTHING
    assert world.fetches.asked == [DOMAIN] * 3


def test_the_policy_before_holds_while_a_newer_one_cannot_be_fetched():
    world = World()
    world.publish(sts(max_age=7 * DAY))
    world.ask()
    world.publish(FAILED, "2")
    policy = world.ask()
    assert policy.name is ENFORCED
    assert policy.finding == FAILED.finding
    world.clock.advance(7 * DAY - 1)
    assert world.ask().name is ENFORCED
    world.clock.advance(1)
    assert world.ask().name is NOTHING


@pytest.mark.parametrize("gone", ["record", "name", "dns", "records"])
def test_the_policy_before_holds_when_its_record_is_gone(gone):
    world = World()
    world.publish(sts(max_age=7 * DAY))
    world.ask()
    name = f"_mta-sts.{DOMAIN}"
    if gone == "record":
        world.names.zones[name] = {}
    elif gone == "name":
        del world.names.zones[name]
    elif gone == "records":
        world.names.zones[name] = {"TXT": [Txt("v=STSv1; id=1"), Txt("v=STSv1; id=2")]}
    else:
        world.names.failures[name] = "no server answers"
    world.clock.advance(7 * DAY - 1)
    assert world.ask().name is ENFORCED
    world.clock.advance(1)
    assert world.ask().name is NOTHING
    assert world.fetches.asked == [DOMAIN]


def test_a_dns_that_gives_no_answer_is_as_no_policy():
    world = World()
    world.publish(sts())
    world.names.failures[f"_mta-sts.{DOMAIN}"] = "no server answers"
    assert world.ask().name is NOTHING
    del world.names.failures[f"_mta-sts.{DOMAIN}"]
    assert world.ask().name is ENFORCED


def test_what_cannot_be_fetched_is_not_asked_for_again_for_a_while():
    world = World()
    world.publish(FAILED)
    assert world.ask().finding == world.ask().finding == FAILED.finding
    world.clock.advance(FAILED_FOR - 1)
    world.ask()
    assert world.fetches.asked == [DOMAIN]
    world.publish(sts())
    world.clock.advance(1)
    assert world.ask().name is ENFORCED
    assert world.fetches.asked == [DOMAIN] * 2
    world.publish(FAILED, "2")
    assert world.ask().finding
    world.clock.advance(FAILED_FOR)
    world.publish(sts(), "2")
    assert world.ask().finding is None


@pytest.mark.parametrize(("max_age", "after"), [(30 * DAY, DAY), (3600, 1800)])
def test_a_policy_is_fetched_again_in_time_and_no_mail_waits_for_that(max_age, after):
    world = World()
    world.publish(sts(max_age=max_age))
    world.ask()
    slow = Deferred()
    world.fetches.policies[DOMAIN] = slow
    world.clock.advance(after - 1)
    world.ask()
    assert len(world.fetches.asked) == 1
    world.clock.advance(1)
    for _ in range(3):
        assert world.ask().name is ENFORCED
    assert len(world.fetches.asked) == 2
    slow.callback(sts(Mode.TESTING, max_age=max_age))
    assert world.ask().testing
    world.clock.advance(after - 1)
    assert world.ask().testing
    assert len(world.fetches.asked) == 2


def test_only_so_many_are_fetched_again_at_a_time_however_much_mail_leaves():
    world, domains = World(), [f"{n}.example" for n in range(MOST_AHEAD + 5)]
    for domain in domains:
        world.publish(sts(), domain=domain)
        world.ask(domain)
    world.fetches.asked.clear()
    world.clock.advance(DAY)
    silent = [Deferred() for _ in domains]
    world.fetches.policies = dict(zip(domains, silent, strict=True))
    for _ in range(2):
        for domain in domains:
            assert world.ask(domain).name is ENFORCED
    assert world.fetches.asked == domains[:MOST_AHEAD]
    silent[0].callback(sts())
    world.ask(domains[-1])
    assert world.fetches.asked[MOST_AHEAD:] == [domains[-1]]


def test_a_clock_that_is_set_back_keeps_no_policy_longer_than_it_may_be_kept():
    world = World()
    world.publish(sts(max_age=1000))
    world.ask()
    world.publish(None)  # it is withdrawn as far as the record goes
    world.clock.rightNow -= 999
    assert world.ask().name is PolicyName.MTA_STS
    world.clock.rightNow -= 1
    assert world.ask().name is PolicyName.OPPORTUNISTIC


def test_nor_does_it_keep_what_failed_from_being_asked_for_again():
    world = World()
    world.publish(FAILED)
    world.ask()
    world.publish(sts())
    world.clock.rightNow -= 1
    assert world.ask().name is PolicyName.MTA_STS


def test_all_who_wait_for_a_policy_wait_for_one_request_and_others_do_not():
    world = World()
    slow = Deferred()
    world.publish(slow)
    world.publish(sts(), domain="other.example")
    waiting = [world.begin() for _ in range(5)]
    assert world.ask("other.example").name is ENFORCED
    waiting[2].addErrback(lambda failure: failure.trap(CancelledError) and None)
    waiting[2].cancel()
    slow.callback(sts())
    assert [known(each).name for each in (*waiting[:2], *waiting[3:])] == [ENFORCED] * 4
    assert known(waiting[2]) is None
    assert world.fetches.asked == [DOMAIN, "other.example"]


def test_one_who_gives_up_may_take_others_along():
    world = World()
    slow = Deferred()
    world.publish(slow)
    first, second, third = world.begin(), world.begin(), world.begin()
    gone = []
    second.addErrback(gone.append)
    first.addCallback(lambda policy: second.cancel() or policy)
    slow.callback(sts())
    assert known(first).name is known(third).name is ENFORCED
    assert gone[0].check(CancelledError)


def test_what_fails_is_told_with_what_follows():
    world = World()
    world.publish(FAILED)
    with capturedLogs() as said:
        world.ask()
    world.publish(sts(), "2")
    world.clock.advance(FAILED_FOR)
    world.ask()
    world.publish(FAILED, "3")
    with capturedLogs() as later:
        world.ask()
    text = "MTA-STS of example.com: the policy cannot be fetched: no; "
    assert [formatEvent(each) for each in said + later] == [
        f"{text}its mail is sent as though it had no policy",
        f"{text}the policy that is known goes on to hold",
    ]


def test_a_bug_in_a_request_keeps_nobody_waiting():
    world = World()
    slow = Deferred()
    world.publish(slow)
    waiting = world.begin()
    with capturedLogs() as said:
        slow.errback(ZeroDivisionError())
    assert known(waiting).name is NOTHING
    assert "bug" in formatEvent(said[0])
    world.publish(sts())
    assert world.ask().name is ENFORCED


def test_who_waits_when_it_ends_is_cancelled_and_does_not_go_on_without_a_policy():
    world = World()
    world.publish(Deferred())
    waiting = world.begin()
    ended = []
    waiting.addErrback(ended.append)
    assert known(world.discovery.stop()) is None
    assert ended[0].check(CancelledError)


def test_what_failed_is_remembered_of_some_domains_only(monkeypatch):
    monkeypatch.setattr(discovery, "_MOST_FAILED", 3)
    world = World()
    for n in range(5):
        world.publish(FAILED, domain=f"d{n}.example")
        world.ask(f"d{n}.example")
    world.ask("d4.example")
    world.ask("d0.example")
    assert world.fetches.asked == [f"d{n}.example" for n in (0, 1, 2, 3, 4, 0)]


# What is kept.


def kept(domain, policy=None, fetched=0.0):
    return KeptPolicy(domain, "1", fetched, policy or sts())


def test_those_not_asked_for_longest_give_way():
    known_ones = KeptPolicies(most=3)
    for name in "abc":
        assert known_ones.put(kept(name)) == []
    assert known_ones.get("a", 0.0)
    assert known_ones.put(kept("d")) == ["b"]
    assert known_ones.put(kept("c")) == []
    assert known_ones.put(kept("e")) == ["a"]
    assert len(known_ones) == 3
    assert known_ones.get("b", 0.0) is None


def test_long_policies_take_more_room():
    one = kept("a")
    known_ones = KeptPolicies(characters=2 * one.size)
    assert known_ones.put(one) == known_ones.put(kept("b")) == []
    assert known_ones.put(kept("b")) == []
    assert known_ones.put(kept("c")) == ["a"]
    long = kept("d", sts(Mode.ENFORCE, *(f"mx{n}.example" for n in range(100))))
    assert known_ones.put(long) == ["b", "c", "d"]
    assert known_ones.put(kept("e")) == []


def test_a_policy_that_is_not_to_be_kept_holds_for_those_who_have_waited_for_it():
    world = World()
    world.publish(sts(max_age=0))
    assert [world.ask().name, world.ask().name] == [ENFORCED] * 2
    assert world.fetches.asked == [DOMAIN] * 2
    world.publish(FAILED)
    assert world.ask().name is NOTHING
