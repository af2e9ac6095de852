"""Questions to the spool are asked until there is an answer, or no more time."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError
from multisendcon_plugin.queue.patience import ASK_AGAIN, Patience
from tests.queues import logged


class Questions:
    """A question that is asked through a `Patience`, and how often."""

    def __init__(self):
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.asked = []
        self.answer = None
        asking = Deferred.fromCoroutine(self.patience.ask(self.ask, "not recorded"))
        asking.addBoth(lambda answer: setattr(self, "answer", answer))

    def ask(self):
        self.asked.append(Deferred())
        return self.asked[-1]


@pytest.fixture
def questions():
    with logged():
        yield Questions()


def test_it_is_asked_until_there_is_an_answer(questions):
    questions.asked[-1].errback(SpoolError("no room"))
    questions.clock.advance(ASK_AGAIN - 1)
    assert len(questions.asked) == 1
    questions.clock.advance(1)
    questions.asked[-1].callback("answer")
    assert (len(questions.asked), questions.answer) == (2, "answer")


def test_a_broken_spool_is_not_asked_again(questions):
    questions.asked[-1].errback(SpoolBrokenError("no sync"))
    assert questions.answer.check(SpoolBrokenError)
    assert not questions.clock.getDelayedCalls()


def test_at_a_stop_it_is_asked_once_more_without_a_pause(questions):
    questions.asked[-1].errback(SpoolError("no room"))
    questions.patience.stop()
    assert len(questions.asked) == 2
    questions.asked[-1].errback(SpoolError("no room"))
    assert questions.answer.check(SpoolError)


def test_what_was_asked_before_a_stop_and_fails_is_asked_once_more(questions):
    questions.patience.stop()
    questions.asked[-1].errback(SpoolError("no room"))
    assert len(questions.asked) == 2
    questions.asked[-1].errback(SpoolError("no room"))
    assert (len(questions.asked), questions.answer.check(SpoolError)) == (2, SpoolError)
