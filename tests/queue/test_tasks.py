"""What the queue has begun is awaited; the spool is asked until it answers, or no time is left."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError
from multisendcon_plugin.queue.tasks import ASK_AGAIN, Tasks
from tests.queues import logged


class Questions:
    """A question that is asked through `Tasks`, and how often.

    :param error: it was asked before.
    """

    def __init__(self, error=None):
        self.clock = Clock()
        self.halted = []
        self.tasks = Tasks(self.clock, lambda: self.halted.append(True))
        self.asked = []
        self.answer = None
        asking = Deferred.fromCoroutine(self.tasks.ask(self.ask, "not recorded", error))
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
    questions.tasks.stop()
    assert len(questions.asked) == 2
    questions.asked[-1].errback(SpoolError("no room"))
    assert questions.answer.check(SpoolError)


def test_what_was_asked_before_a_stop_and_fails_is_asked_once_more(questions):
    questions.tasks.stop()
    questions.asked[-1].errback(SpoolError("no room"))
    assert len(questions.asked) == 2
    questions.asked[-1].errback(SpoolError("no room"))
    assert (len(questions.asked), questions.answer.check(SpoolError)) == (2, SpoolError)


def test_what_has_failed_already_is_asked_after_a_pause():
    with logged() as log:
        questions = Questions(SpoolError("no room"))
        assert questions.asked == []
        assert log.texts() == ["not recorded; retrying every 10 s"]
        questions.clock.advance(ASK_AGAIN)
        questions.asked[-1].callback("answer")
    assert questions.answer == "answer"


def test_what_has_failed_already_has_one_more_try_when_the_queue_stops():
    with logged():
        questions = Questions(SpoolError("no room"))
        questions.tasks.stop()
        assert len(questions.asked) == 1
        questions.asked[-1].errback(SpoolError("no room"))
    assert questions.answer.check(SpoolError)


def test_what_fails_for_good_is_not_asked_again():
    questions = Questions(SpoolBrokenError("no sync"))
    assert questions.asked == []
    assert questions.answer.check(SpoolBrokenError)


def test_what_runs_is_awaited_and_what_has_ended_is_not():
    tasks = Tasks(Clock(), lambda: None)
    assert tasks.ended() is None
    running = Deferred()
    tasks.add(running)
    ended = []
    tasks.ended().addCallback(ended.append)
    assert ended == []
    running.callback(None)
    assert len(ended) == 1
    assert tasks.ended() is None


@pytest.mark.parametrize(
    ("error", "halted", "said"),
    [
        (SpoolBrokenError("no sync"), [True], []),
        (SpoolError("no room"), [], []),  # that was told by `ask`
        (RuntimeError("a bug"), [], ["internal error in the queue (a bug); traceback follows"]),
    ],
    ids=["broken", "fault", "bug"],
)
def test_what_a_task_that_fails_leads_to(error, halted, said):
    told = []
    tasks = Tasks(Clock(), lambda: told.append(True))
    running = Deferred()
    tasks.add(running)
    with logged() as log:
        running.errback(error)
    assert log.texts() == said
    assert told == halted
    assert tasks.ended() is None
