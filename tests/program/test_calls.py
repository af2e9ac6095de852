"""How many hands a mail goes through: Python calls, modules, and changes from room to room.

They cost the time that a mail takes, and unlike it they are nearly the same on every machine.
A change that lowers the figures lowers the limits here: see `python -m tests.benchmarks.calls`.

A relay has a history, and counters, unless it is told otherwise.  What they do with a mail they do
beside it, many mails at a time, and the limits of calls say what that adds: with them, a mail takes
no more than it took before there were any.  Their modules are not counted: no mail waits for them.
"""

from __future__ import annotations

import os

import pytest

from tests.benchmarks.calls import count_calls, count_direct_calls
from tests.interop.dns.block import needs_ports

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="there is one processor, and no front process"
)

WITH, WITHOUT = "history", "no history"
#: Calls of functions written in Python for each mail, in both processes; they differ by one or two
#: in a hundred from run to run.
MOST_CALLS = {WITH: 350, WITHOUT: 337}
#: The same for each mail of a direct account with a history, whose servers are known: over a
#: session that was kept, and over one that is new and ends with it.
MOST_DIRECT_CALLS = {"kept": 705, "anew": 1185}
#: Modules of ours that mails and their outcomes enter, in each process.
MOST_MODULES = {"front": 27, "core": 47}
#: Rooms of those who do their part beside the mail.
BESIDE = ("history/", "monitoring/")
#: Calls from one room into another for each mail, in each process.
MOST_CHANGES = {"front": 34, "core": 45}
#: Of these, calls back into a room that waits for the call to return.
MOST_RETURNS = {"front": 0, "core": 2}


@pytest.fixture(scope="module")
def calls():
    return {WITH: count_calls(), WITHOUT: count_calls(history=False)}


def text(calls):
    return "".join(f"\n{name}: {each.table(top=30)}" for name, each in calls.items())


@pytest.mark.parametrize("relay", MOST_CALLS)
def test_a_mail_takes_few_python_calls(calls, relay):
    counted = calls[relay]

    assert sum(each.total for each in counted.values()) <= MOST_CALLS[relay], text(counted)


@pytest.mark.parametrize("relay", MOST_CALLS)
@pytest.mark.parametrize("name", MOST_MODULES)
def test_a_mail_enters_few_modules_and_changes_rooms_seldom(calls, relay, name):
    process = calls[relay][name]
    modules = [each for each in process.modules if not each.startswith(BESIDE)]

    assert len(modules) <= MOST_MODULES[name], text(calls[relay])
    assert round(process.changes) <= MOST_CHANGES[name], text(calls[relay])
    assert round(process.returns) <= MOST_RETURNS[name], text(calls[relay])


@needs_ports()
@pytest.mark.parametrize("session", MOST_DIRECT_CALLS)
def test_a_mail_of_a_direct_account_takes_few_python_calls(session):
    counted = count_direct_calls(anew=session == "anew")

    total = sum(each.total for each in counted.values())
    assert total <= MOST_DIRECT_CALLS[session], text(counted)
