"""How many hands a mail goes through: Python calls, modules, and changes from room to room.

They cost the time that a mail takes, and unlike it they are nearly the same on every machine.
A change that lowers the figures lowers the limits here: see `python -m tests.benchmarks.calls`.
"""

from __future__ import annotations

import os

import pytest

from tests.benchmarks.calls import count_calls

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="there is one processor, and no front process"
)

#: Calls of functions written in Python for each mail, in both processes; they differ by one in a
#: hundred from run to run.
MOST_CALLS = 350
#: Modules of ours that mails and their outcomes enter, in each process.
MOST_MODULES = {"front": 27, "core": 47}
#: Calls from one room into another for each mail, in each process.
MOST_CHANGES = {"front": 35, "core": 49}
#: Of these, calls back into a room that waits for the call to return.
MOST_RETURNS = {"front": 0, "core": 2}


@pytest.fixture(scope="module")
def calls():
    return count_calls()


def text(calls):
    return "".join(f"\n{name}: {each.table(top=30)}" for name, each in calls.items())


def test_a_mail_takes_few_python_calls(calls):
    assert sum(each.total for each in calls.values()) <= MOST_CALLS, text(calls)


@pytest.mark.parametrize("name", MOST_MODULES)
def test_a_mail_enters_few_modules_and_changes_rooms_seldom(calls, name):
    process = calls[name]

    assert len(process.modules) <= MOST_MODULES[name], text(calls)
    assert round(process.changes) <= MOST_CHANGES[name], text(calls)
    assert round(process.returns) <= MOST_RETURNS[name], text(calls)
