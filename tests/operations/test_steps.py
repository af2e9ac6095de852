"""The steps of a test are told at their end, and its result behind them."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.operations import account_tests
from multisendcon_plugin.operations.errors import RefusedError

TESTED = account_tests.TestedAccount(
    account="Sales", ok=True, advice="", steps=(), offers=(), certificates=(), transcript=()
)


class Running(account_tests.AccountTests):
    """A test that lasts."""

    def __init__(self):
        super().__init__(relays=None, largest=None, wall=None)
        self.told = []
        self.end = Deferred(lambda _: self.told.append("cancelled"))
        self.iteration = self.steps(None, None)

    async def run(self, account, asked, on_step=None):
        self.tell = on_step
        return await self.end

    def next(self):
        """Wait for what comes next."""
        return Deferred.fromCoroutine(_next(self.iteration))


async def _next(iteration):
    try:
        return await anext(iteration)
    except StopAsyncIteration:
        return None


def result(deferred):
    results = []
    deferred.addBoth(results.append)
    [found] = results
    return found


def test_each_step_comes_at_its_end_and_the_result_last():
    running = Running()
    first = running.next()
    assert not first.called
    running.tell("one")
    assert result(first) == "one"
    running.tell("two")
    running.end.callback(TESTED)
    assert result(running.next()) == "two"
    assert result(running.next()) is TESTED
    assert result(running.next()) is None
    assert running.told == []


def test_what_fails_fails_behind_the_steps():
    running = Running()
    first = running.next()
    running.tell("one")
    running.end.errback(RefusedError("no"))
    assert result(first) == "one"
    with pytest.raises(RefusedError, match="no"):
        result(running.next()).raiseException()


def test_who_wants_no_more_ends_it():
    running = Running()
    first = running.next()
    running.tell("one")
    assert result(first) == "one"
    result(Deferred.fromCoroutine(running.iteration.aclose()))
    assert running.told == ["cancelled"]
