from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.spool.numbering import WRITERS, Numbers

NOW = 1_700_000_000.0
#: Readings of the wall clock, which people set as they like.
readings = st.floats(0, 4e9) | st.sampled_from([NOW, NOW + 0.001, NOW + 0.0005, NOW - 3600])


class Wall:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def test_a_number_is_a_time_and_a_writer():
    assert Numbers(Wall(1_700_000_000.5), 7).next() == 1_700_000_000_500 * 32 + 7


def test_the_last_character_of_an_id_names_the_writer_and_the_others_the_time():
    ids = [queue_id(Numbers(Wall(), writer).next()) for writer in range(WRITERS)]
    assert len({each[:-1] for each in ids}) == 1
    assert len({each[-1] for each in ids}) == WRITERS
    assert queue_id(Numbers(Wall(NOW + 1), 0).next()) > max(ids)


def test_who_gives_many_runs_ahead_of_the_clock():
    wall = Wall()
    numbers = Numbers(wall, 3)
    given = [numbers.next() for _ in range(5)]
    assert [number // WRITERS - int(NOW) * 1000 for number in given] == [0, 1, 2, 3, 4]
    wall.now += 0.002
    assert numbers.next() > given[-1]


def test_no_number_is_given_that_is_not_higher_than_those_in_use():
    last = int(NOW) * 1000 * WRITERS + 10**9
    assert last < Numbers(Wall(), 0, last).next() <= last + WRITERS
    assert last < Numbers(Wall(), 31, last).next() <= last + 2 * WRITERS


def test_after_a_number_of_another_writer_higher_ones_are_given():
    numbers = Numbers(Wall(), 7)
    high = (int(NOW) * 1000 + 99) * WRITERS + 5
    assert numbers.next(high) == high
    assert numbers.next(8) == 8
    assert numbers.next() == high + 2 + WRITERS


def test_who_sees_a_number_of_the_same_writer_becomes_another_one():
    wall = Wall()
    here, there = Numbers(wall, 31), Numbers(wall, 31)
    here.next(there.next())
    given = {here.next() % WRITERS, there.next() % WRITERS}
    assert len(given) == 2


def test_a_refused_number_makes_another_writer():
    wall = Wall()
    one, other = Numbers(wall, 31), Numbers(wall, 31)
    assert one.next() == other.next()
    other.change_writer()
    assert one.next() != other.next()


def test_until_the_year_2100_a_number_fits_in_47_bits():
    year_2100 = 4_102_444_800.0
    assert Numbers(Wall(year_2100), 31).next() < 2**47
    assert len(queue_id(2**47 - 1)) == 10


@given(
    last=st.integers(0, 2**45),
    writers=st.lists(st.integers(0, WRITERS - 1), min_size=2, max_size=5, unique=True),
    steps=st.lists(st.tuples(st.integers(0, 4), readings), max_size=60),
)
def test_writers_never_give_the_same_number_whatever_the_clock_says(last, writers, steps):
    wall = Wall()
    all_numbers = [Numbers(wall, writer, last) for writer in writers]
    given = [[] for _ in writers]
    for who, wall.now in steps:
        given[who % len(writers)].append(all_numbers[who % len(writers)].next())
    for numbers in given:
        assert numbers == sorted(set(numbers))
        assert all(number > last for number in numbers)
    every = [number for numbers in given for number in numbers]
    assert len(every) == len(set(every))
