"""The windows of quotas against a server that counts by itself."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from multisendcon_plugin.outcome.usage import Usage, UsageClock
from multisendcon_plugin.queue.quota import LONGEST, UNANSWERED, QuotaWindows
from multisendcon_plugin.settings.quota import Counted, Quota

NOW = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def mails(most, window):
    return Quota(most, Counted.MAILS, window)


def recipients(most, window):
    return Quota(most, Counted.RECIPIENTS, window)


def windows_of(*quotas, usages=(), started=NOW):
    windows = QuotaWindows("name", usages, started=started)
    windows.configure(quotas, started)
    return windows


def send(windows, at, count=1, to=1):
    for _ in range(count):
        windows.conclude(windows.reserve(to), at, to)


def opens(windows, now, to=1):
    return windows.opens_at(to, now)[0]


def margin(window):
    """Return how long after a window there may be no room yet: that is a part in 500 of it."""
    return window / 500


def test_without_a_mail_there_is_room():
    assert windows_of(mails(1, MINUTE)).opens_at(1, NOW) == (0.0, None)


def test_a_window_is_full_when_it_has_so_many_mails_and_opens_when_the_first_has_left_it():
    windows = windows_of(mails(2, MINUTE))
    send(windows, NOW)
    assert opens(windows, NOW) == 0.0
    send(windows, NOW + 10)
    at, quota = windows.opens_at(1, NOW + 20)
    assert NOW + 60 <= at <= NOW + 60 + margin(MINUTE)
    assert quota == mails(2, MINUTE)
    assert opens(windows, at) == 0.0
    send(windows, at)
    assert NOW + 70 <= opens(windows, at) <= NOW + 70 + margin(MINUTE)


def test_mails_that_are_counted_together_are_so_with_the_last_of_them():
    windows = windows_of(mails(2, HOUR))
    send(windows, NOW)
    send(windows, NOW + 3)
    assert len(windows.numbers) == 1
    assert NOW + 3 + 3600 <= opens(windows, NOW + 5) - 3.6 <= NOW + 3 + 3600
    assert windows.usage(windows.numbers) == [Usage("name", 0, NOW + 3, 2, 2)]


def test_what_has_ended_later_may_have_been_counted_before():
    windows = windows_of(mails(2, HOUR))
    send(windows, NOW + 100)
    send(windows, NOW)
    assert opens(windows, NOW + 200) <= NOW + 3600 + margin(HOUR)
    send(windows, NOW - 1)
    assert len(windows.numbers) == 2
    assert windows.use(mails(2, HOUR), NOW + 200)[0] == 3


def test_what_is_under_way_counts_and_nobody_knows_until_when():
    windows = windows_of(mails(1, MINUTE))
    reservation = windows.reserve(1)
    assert opens(windows, NOW) == float("inf")
    windows.conclude(reservation, None, 1)
    assert opens(windows, NOW) == 0.0


def test_a_mail_needs_room_for_all_its_recipients():
    windows = windows_of(recipients(10, HOUR))
    send(windows, NOW, to=4)
    send(windows, NOW + 100, to=4)
    assert opens(windows, NOW + 200, to=2) == 0.0
    assert NOW + 3600 <= opens(windows, NOW + 200, to=3) <= NOW + 3600 + margin(HOUR)
    assert NOW + 3700 <= opens(windows, NOW + 200, to=10) <= NOW + 3700 + margin(HOUR)


def test_fewer_recipients_may_be_said_than_were_reserved():
    windows = windows_of(recipients(10, HOUR))
    windows.conclude(windows.reserve(10), NOW, 3)
    assert windows.use(recipients(10, HOUR), NOW) == (3, 0.0)


def test_the_longest_wait_of_several_quotas_counts():
    day = recipients(5, DAY)
    windows = windows_of(mails(2, MINUTE), day)
    send(windows, NOW, to=3)
    assert opens(windows, NOW) == 0.0
    assert windows.opens_at(3, NOW)[1] == day
    send(windows, NOW, to=2)
    assert NOW + DAY <= opens(windows, NOW + HOUR) <= NOW + DAY + margin(DAY)


def test_other_quotas_count_what_is_known():
    windows = windows_of(mails(100, HOUR))
    send(windows, NOW, count=3, to=2)
    windows.configure([recipients(6, MINUTE), mails(4, HOUR)], NOW)
    at, quota = windows.opens_at(1, NOW)
    assert quota == recipients(6, MINUTE)
    send(windows, at)
    assert windows.opens_at(1, at)[1] == mails(4, HOUR)
    windows.configure([], at)
    assert opens(windows, at) == 0.0
    windows.configure([mails(4, HOUR)], at)
    assert opens(windows, at) > at


def test_ten_thousand_mails_are_kept_in_a_thousand_buckets_for_each_window():
    windows = windows_of(mails(3000, HOUR), mails(10_000, DAY))
    for n in range(10_000):
        now = NOW + n * DAY / 10_000
        assert opens(windows, now) == 0.0
        send(windows, now)
        windows.take_changed()
    assert len(windows.numbers) <= 2002
    at = opens(windows, now)
    assert NOW + DAY <= at <= NOW + DAY + margin(DAY)


def test_a_mail_changes_a_row_or_two():
    windows = windows_of(mails(10**6, DAY))
    changed = []
    for n in range(5000):
        reservation = windows.reserve(1)
        changed.append(len(windows.take_changed()))
        windows.conclude(reservation, NOW + n, 1)
        changed.append(len(windows.take_changed()))
    assert max(changed) <= 2


# What is stored.


class Rows:
    """What a store has of some windows, after each of its transactions."""

    def __init__(self):
        self.rows = {}

    def write(self, windows):
        self.forget_and_add(windows.usage(windows.take_changed()))

    def forget_and_add(self, usages):
        for each in usages:
            self.rows[each.name, each.number] = each
            if not each.mails:
                del self.rows[each.name, each.number]

    @property
    def usages(self):
        return list(self.rows.values())


def test_what_was_under_way_at_a_crash_counts_from_the_start():
    rows = Rows()
    windows = windows_of(mails(2, MINUTE))
    windows.reserve(1)
    rows.write(windows)
    assert rows.usages == [Usage("name", 0, None, 1, 1)]
    anew = windows_of(mails(1, MINUTE), usages=rows.usages, started=NOW + 50)
    least = NOW + 50 + UNANSWERED + MINUTE
    assert least <= opens(anew, NOW + 55) <= least + margin(MINUTE)


def test_what_is_still_to_come_was_counted_at_the_start():
    usages = [Usage("name", 7, NOW + DAY, 1, 1)]
    windows = windows_of(mails(1, MINUTE), usages=usages)
    assert NOW + MINUTE <= opens(windows, NOW) <= NOW + MINUTE + margin(MINUTE)


def test_another_name_takes_all_with_it():
    rows = Rows()
    windows = windows_of(mails(5, MINUTE))
    send(windows, NOW)
    windows.reserve(3)
    rows.write(windows)
    rows.forget_and_add(windows.rename("another"))
    rows.write(windows)
    assert {each.name for each in rows.usages} == {"another"}
    assert len(rows.usages) == 2


def test_what_is_too_old_for_any_window_is_forgotten():
    windows = windows_of()
    send(windows, NOW)
    assert not windows.is_empty(NOW + LONGEST)
    assert windows.is_empty(NOW + LONGEST * 1.01)
    assert windows.usage([0]) == [Usage("name", 0, None, 0, 0)]


def test_times_of_another_process_are_put_right_by_the_time_since_the_machine_was_started():
    before = UsageClock("boot", ahead=1000.0, wall=0.0)
    now = UsageClock("boot", ahead=1000.0 - 3600.0, wall=0.0)
    assert before.shift(now) == -3600.0


def test_after_a_start_of_the_machine_the_wall_clock_is_believed():
    before = UsageClock("boot", ahead=1000.0, wall=60.0)
    assert before.shift(UsageClock("other", ahead=5.0, wall=0.0)) == 60.0
    assert attrs.evolve(before, boot="").shift(UsageClock("", ahead=5.0, wall=1.0)) == 59.0


# A server that counts by itself.


def excess(counted, quota):
    """Return by how much the fullest window of what a server has counted is too full."""
    most = 0
    for first, _ in counted:
        within = [size for at, size in counted if first <= at < first + quota.window]
        most = max(most, sum(within))
    return most - quota.most


quotas = st.lists(
    st.builds(
        Quota,
        st.integers(1, 12),
        st.sampled_from(Counted),
        st.sampled_from([1.0, 2.0, MINUTE, HOUR]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: (each.counted, each.window),
)


def when_open(windows, to, now):
    """Wait until there is room, as a lane does; ``None``: nobody knows until when."""
    at = windows.opens_at(to, now)[0]
    # What is rounded when it leaves a window may put it off once more, by a little.
    latest = max(now, at) + sum(margin(each.window) for each in windows.quotas)
    while at > now:
        if at == float("inf"):
            return None
        now, at = at, windows.opens_at(to, at)[0]
    assert now <= latest
    return now


parts = st.floats(0, 1)
seconds = st.sampled_from([0.0, 0.0, 0.001, 0.3, 1.0, 20.0, 59.9, 2000.0])


class Server(RuleBasedStateMachine):
    """A server that counts a mail at any moment between MAIL and its reply.

    A crash leaves nothing but the rows that were written.
    """

    @initialize(quotas=quotas)
    def start(self, quotas):
        self.quotas = quotas
        self.now = NOW
        self.rows = Rows()
        self.windows = windows_of(*quotas)
        self.under_way = []
        self.counted = []
        self.most = min([9, *(each.most for each in quotas if each.counted is Counted.RECIPIENTS)])

    @rule(to=st.integers(1, 9))
    def begin(self, to):
        to = min(to, self.most)
        opened = when_open(self.windows, to, self.now)
        if opened is not None:
            self.now = opened
            self.under_way.append((self.now, to, self.windows.reserve(to)))
            self.rows.write(self.windows)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), seconds=seconds, replied=parts, counted=parts, written=st.booleans())
    def end(self, data, seconds, replied, counted, written):
        """Somebody's mail ends; the server may have answered its MAIL long before."""
        self.now += seconds
        place = data.draw(st.integers(0, len(self.under_way) - 1))
        begun, to, reservation = self.under_way.pop(place)
        reply = begun + (self.now - begun) * replied
        self.counted.append((begun + (reply - begun) * counted, to))
        self.windows.conclude(reservation, reply, to)
        if written:
            self.rows.write(self.windows)

    @rule(seconds=seconds, counted=parts)
    def crash(self, seconds, counted):
        self.count_under_way(counted)
        self.now += seconds
        self.windows = windows_of(*self.quotas, usages=self.rows.usages, started=self.now)
        self.rows.write(self.windows)

    @rule(order=st.sampled_from([1, -1]))
    def reload(self, order):
        self.windows.configure(self.quotas[::order], self.now)

    @rule(seconds=seconds)
    def time_passes(self, seconds):
        self.now += seconds

    def count_under_way(self, part):
        for begun, to, _ in self.under_way:
            self.counted.append((begun + (self.now - begun) * part, to))
        self.under_way.clear()

    @invariant()
    def we_know_of_all_that_it_has_counted(self):
        if not hasattr(self, "quotas"):
            return
        for quota in self.quotas:
            known = [to for at, to in self.counted if at > self.now - quota.window]
            known += [to for _, to, _ in self.under_way]
            of_it = len(known) if quota.counted is Counted.MAILS else sum(known)
            assert self.windows.use(quota, self.now)[0] >= of_it

    def teardown(self):
        if hasattr(self, "quotas"):
            self.count_under_way(0.5)
            for quota in self.quotas:
                by_mail = quota.counted is Counted.MAILS
                sizes = [(at, 1 if by_mail else to) for at, to in sorted(self.counted)]
                assert excess(sizes, quota) <= 0


Server.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestNoWindowHasMore = Server.TestCase


@pytest.mark.parametrize("quota", [mails(30, MINUTE), recipients(500, HOUR), mails(10_000, DAY)])
def test_nearly_all_of_a_quota_can_be_used(quota):
    windows = windows_of(quota)
    now, sent, rounds = NOW, 0, 4
    to = 1 if quota.counted is Counted.MAILS else 4
    while now < NOW + rounds * quota.window:
        now = max(now, opens(windows, now, to))
        send(windows, now + 0.05, to=to)
        sent += 1 if quota.counted is Counted.MAILS else to
        now += 0.01
        windows.take_changed()
    allowed = rounds * quota.most
    assert sent >= 0.97 * allowed
