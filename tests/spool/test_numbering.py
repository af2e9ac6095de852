from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.spool.numbering import Numbers

NOW = 1_700_000_000.0
#: Readings of the wall clock, which people set as they like.
readings = st.floats(0, 4e9) | st.sampled_from([NOW, NOW + 0.0001, NOW + 0.00005, NOW - 3600])


class Wall:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def test_a_number_is_a_time():
    assert Numbers(Wall(1_700_000_000.5), 0).next() == 17_000_000_005_000


def test_even_ones_are_given_where_the_spool_is_and_odd_ones_elsewhere():
    even, odd = Numbers(Wall(), 0), Numbers(Wall(), 0, odd=True)
    assert [even.next() for _ in range(3)] == [int(NOW) * 10_000 + n for n in (0, 2, 4)]
    assert [odd.next() for _ in range(3)] == [int(NOW) * 10_000 + n for n in (1, 3, 5)]


def test_no_number_is_given_that_is_not_higher_than_those_in_use():
    last = int(NOW) * 10_000 + 10**9
    assert Numbers(Wall(), last).next() == last + 2
    assert Numbers(Wall(), last, odd=True).next() == last + 1


def test_a_number_that_was_given_elsewhere_is_noted():
    numbers = Numbers(Wall(), 7)
    high = int(NOW) * 10_000 + 99
    assert numbers.note(high) == high
    assert numbers.last == high
    assert numbers.note(8) == 8
    assert numbers.last == high
    assert numbers.next() == high + 1


def test_until_the_year_2400_a_number_fits_in_47_bits():
    year_2400 = 13_569_465_600.0
    assert Numbers(Wall(year_2400), 0, odd=True).next() < 2**47
    assert len(queue_id(2**47 - 1)) == 10


@given(
    last=st.integers(0, 2**45),
    steps=st.lists(
        st.tuples(st.sampled_from(["here", "there", "handed over"]), readings), max_size=60
    ),
)
def test_two_processes_never_give_the_same_number(last, steps):
    wall = Wall()
    here, there = Numbers(wall, last), Numbers(wall, last, odd=True)
    given_here, given_there = [], []
    for who, wall.now in steps:
        if who == "here":
            given_here.append(here.next())
            assert here.last == given_here[-1]
        elif who == "there":
            given_there.append(there.next())
        elif given_there:
            here.note(given_there[-1])
    for numbers in (given_here, given_there):
        assert numbers == sorted(set(numbers))
        assert all(number > last for number in numbers)
    assert not any(number % 2 for number in given_here)
    assert all(number % 2 for number in given_there)
