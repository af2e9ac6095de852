"""What is told in the log of an attempt, and what it costs."""

from __future__ import annotations

from twisted.logger import LogLevel

from multisendcon_plugin.attempt import Outcome, Verdict
from multisendcon_plugin.queue import journal
from multisendcon_plugin.settle import Judgement
from tests.queue_world import World, refusing
from tests.queues import NOW, attempt, delivery, logged

MANY = tuple(f"r{n}@b.example" for n in range(1050))


def test_what_came_of_a_mail_for_very_many_is_told_in_several_turns():
    to_many = delivery(1, recipients=MANY)
    ended = attempt(to_many)
    lines = []
    with logged() as log:
        judgement = Judgement(remaining=None, delivered=ended.outcomes)
        for _ in journal.ended(to_many, ended, judgement, NOW):
            lines.append(len(log.events) - sum(lines))
        lines.append(len(log.events) - sum(lines))
    assert lines == [100] * 10 + [50]


def test_each_of_very_many_recipients_has_its_line():
    world = World(slow=False)
    world.servers["A"] = refusing
    world.mail(*MANY)
    with logged() as log:
        world.run(10)
    told = [line.split()[1] for line in log.texts(LogLevel.info) if "b.example> failed" in line]
    assert told == [f"<{each}>" for each in MANY]


def test_outcomes_are_not_compared_with_each_other(monkeypatch):
    compared = []
    monkeypatch.setattr(Outcome, "__eq__", lambda *both: compared.append(both) or False)
    to_many = delivery(1, recipients=MANY)
    refused = attempt(to_many, Verdict.FAILED)
    judgement = Judgement(remaining=None, failed=refused.outcomes)
    list(journal.ended(to_many, refused, judgement, NOW))
    assert len(compared) < len(MANY)
