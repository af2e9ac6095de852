"""When alarms are told: once when they begin, again after a while, and when they are over."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.monitoring.alarm import AlarmBook
from multisendcon_plugin.monitoring.troubles import Trouble
from multisendcon_plugin.operations.values import AlarmKind

REPEAT = 100.0
LOGIN = Trouble(kind=AlarmKind.LOGIN, account="A", text="cannot log in", since=90.0)
DISK = Trouble(kind=AlarmKind.SPOOL_FULL, text="nearly full")


def told(alarms):
    return [(each.kind, each.account, each.text, each.since, each.over) for each in alarms]


def test_a_trouble_is_told_at_once_again_after_a_while_and_when_it_is_over():
    book = AlarmBook()
    begins = (AlarmKind.LOGIN, "A", "cannot log in", 90.0, False)
    assert told(book.update([LOGIN], 100.0, REPEAT)) == [begins]
    assert told(book.update([LOGIN], 199.9, REPEAT)) == []
    assert told(book.update([LOGIN], 200.0, REPEAT)) == [begins]
    assert told(book.update([LOGIN], 299.9, REPEAT)) == []
    assert told(book.current) == [begins]
    assert told(book.update([], 299.9, REPEAT)) == [(*begins[:4], True)]
    assert book.current == ()
    assert book.update([], 1000.0, REPEAT) == []


def test_a_trouble_of_unknown_age_begins_when_it_is_found_and_its_text_may_change():
    book = AlarmBook()
    book.update([DISK], 100.0, REPEAT)
    assert book.update([attrs.evolve(DISK, text="99 MiB")], 110.0, REPEAT) == []
    assert told(book.current) == [(AlarmKind.SPOOL_FULL, None, "99 MiB", 100.0, False)]
    [over] = book.update([], 120.0, REPEAT)
    assert (over.text, over.since) == ("99 MiB", 100.0)


def test_what_becomes_urgent_is_told_at_once_but_not_each_time_it_does():
    book = AlarmBook()
    urgent = attrs.evolve(DISK, text="full", urgent=True)
    for now, trouble, texts in [
        (100.0, DISK, ["nearly full"]),
        (110.0, urgent, ["full"]),
        (120.0, DISK, []),
        (130.0, urgent, []),
        (220.0, DISK, ["nearly full"]),
        (230.0, urgent, ["full"]),
    ]:
        assert [each.text for each in book.update([trouble], now, REPEAT)] == texts


def test_of_two_that_are_one_the_urgent_one_is_told():
    for troubles in ([DISK, attrs.evolve(DISK, text="full", urgent=True)],) * 2:
        for order in (troubles, troubles[::-1]):
            [alarm] = AlarmBook().update(order, 0.0, REPEAT)
            assert alarm.text == "full"


def test_the_same_kind_of_two_accounts_is_two_alarms():
    book = AlarmBook()
    other = attrs.evolve(LOGIN, account="B", since=80.0)
    assert len(book.update([LOGIN, other], 100.0, REPEAT)) == 2
    assert [each.account for each in book.current] == ["B", "A"]
    assert [each.account for each in book.update([other], 110.0, REPEAT)] == ["A"]


def test_a_clock_that_is_set_back_keeps_no_alarm_quiet():
    book = AlarmBook()
    book.update([LOGIN], 1e9, REPEAT)
    assert len(book.update([LOGIN], 100.0, REPEAT)) == 1


TROUBLES = st.builds(
    Trouble,
    kind=st.sampled_from([AlarmKind.LOGIN, AlarmKind.SPOOL_FULL]),
    account=st.sampled_from(["A", "B", None]),
    text=st.sampled_from(["bad", "worse"]),
    since=st.none() | st.floats(0, 10),
    urgent=st.booleans(),
)


@given(looks=st.lists(st.tuples(st.lists(TROUBLES, max_size=4), st.floats(0, 300)), max_size=30))
def test_whatever_comes_and_goes_each_alarm_begins_is_repeated_in_time_and_ends(looks):
    book, now = AlarmBook(), 1000.0
    open_since, last_told, last_urgent = {}, {}, {}
    for troubles, pause in looks:
        now += pause
        there = {(each.kind, each.account) for each in troubles}
        urgent = {(each.kind, each.account) for each in troubles if each.urgent}
        for alarm in book.update(troubles, now, REPEAT):
            key = alarm.kind, alarm.account
            if alarm.over:
                assert key not in there
                assert alarm.since == open_since.pop(key)
                del last_told[key], last_urgent[key]
                continue
            assert key in there
            worse = key in urgent and not last_urgent.get(key, False)
            assert key not in last_told or now - last_told[key] >= REPEAT or worse
            assert alarm.since == open_since.setdefault(key, alarm.since)
            last_told[key], last_urgent[key] = now, key in urgent
        # Nobody is left in the dark for longer than that.
        assert open_since.keys() == there == {(each.kind, each.account) for each in book.current}
        assert all(now - last_told[key] < REPEAT for key in there)
        assert all(last_urgent[key] for key in urgent)
