"""How long mail waits, and what would become of a move."""

from __future__ import annotations

import pytest

from multisendcon_plugin.operations.errors import NotFoundError, RefusedError
from multisendcon_plugin.operations.moving import NAMED
from multisendcon_plugin.operations.values import Chosen, Filter, Move
from tests.operations.desk import Desk


def test_mail_is_counted_by_account_and_age():
    desk = Desk()
    desk.mail(("Gone", "one@far.example"))
    desk.clock.advance(86400)
    for _ in range(3):
        desk.mail(("Sales", "one@far.example"), ("Lab", "two@far.example"))
    desk.clock.advance(600)
    (held,) = desk.mail()
    desk.put(held, held=True)
    rows = desk.ask(desk.operations.ages())
    assert [(each.account, each.counts, each.total) for each in rows] == [
        ("Sales", (1, 3, 0, 0, 0, 0), 4),
        ("Lab", (0, 3, 0, 0, 0, 0), 3),
        ("Gone", (0, 0, 0, 0, 0, 1), 1),
    ]


def outlook(desk, to_account="Lab", **chosen):
    return desk.ask(desk.operations.outlook(Move(chosen=Chosen(**chosen), to_account=to_account)))


def test_a_move_is_looked_at_before_anything_is_moved():
    desk = Desk()
    (good,) = desk.mail(sender="x@lab.example")
    (bad,) = desk.mail(("Sales", "one@near.example"))
    desk.mail(("Lab", "one@far.example"))  # it is there already
    found = outlook(desk, filter=Filter(older_than="0s"))
    assert found.admitted.changed == 1
    assert found.admitted.ids == (good.message.id,)
    assert found.refused.count == 1
    [refused] = found.refused.examples
    assert refused.id == bad.message.id
    assert refused.why == ("sender <boss@sales.example>", "recipient <one@near.example>")
    assert desk.queue.told == []


def test_only_some_of_what_is_refused_is_named():
    desk = Desk()
    for _ in range(NAMED + 5):
        desk.mail()
    found = outlook(desk, filter=Filter(account="Sales"))
    assert (found.admitted.changed, found.refused.count) == (0, NAMED + 5)
    assert len(found.refused.examples) == NAMED


def test_mail_can_be_moved_to_accounts_that_are_enabled():
    desk = Desk()
    (mail,) = desk.mail()
    assert desk.operations.enabled_accounts() == ("Sales", "Lab")
    with pytest.raises(RefusedError, match="not enabled"):
        outlook(desk, "Old", ids=(mail.message.id,))
    with pytest.raises(NotFoundError, match="there is no account"):
        outlook(desk, "None", ids=(mail.message.id,))
