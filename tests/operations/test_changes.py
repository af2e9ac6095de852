"""What an admin does with many deliveries: found, looked at, then changed."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.operations.errors import BadRequestError, NotFoundError, RefusedError
from multisendcon_plugin.operations.pieces import PIECE
from multisendcon_plugin.operations.values import Chosen, Deletion, DeliveryState, Filter, Move
from multisendcon_plugin.outcome.condition import State
from tests.operations.desk import Desk

SALES = Filter(account="Sales")


def ids(*deliveries):
    return tuple(dict.fromkeys(each.message.id for each in deliveries))


@pytest.mark.parametrize("what", ["hold", "release", "retry"])
def test_those_that_there_is_nothing_to_change_about_are_left_alone(what):
    desk = Desk()
    (free,) = desk.mail()
    (held,) = desk.mail()
    desk.put(free, due=free.due + 1000)
    desk.put(held, held=True)
    changed = desk.ask(getattr(desk.operations, what)(Chosen(filter=SALES)))
    one = held if what == "release" else free
    assert (changed.changed, changed.ids, changed.missing) == (1, ids(one), ())
    assert desk.queue.told == [(what, [one.number])]


def test_all_deliveries_of_an_id_are_meant_and_what_is_missing_is_told():
    desk = Desk()
    both = desk.mail(("Sales", "one@far.example"), ("Lab", "two@far.example"))
    desk.mail()
    asked = Chosen(ids=(both[0].message.id, "7Z", "no-id", both[0].message.id))
    changed = desk.ask(desk.operations.hold(asked))
    assert (changed.changed, changed.ids) == (2, ids(*both))
    assert changed.missing == ("7Z", "no-id")


def test_what_is_done_already_is_found_and_not_changed():
    desk = Desk()
    (held,) = desk.mail()
    desk.put(held, held=True)
    changed = desk.ask(desk.operations.hold(Chosen(ids=ids(held))))
    assert (changed.changed, changed.ids, changed.missing) == (0, (), ())


@pytest.mark.parametrize(
    "chosen", [Chosen(), Chosen(ids=()), Chosen(filter=Filter()), Chosen(ids=("1",), filter=SALES)]
)
def test_nothing_or_two_things_chosen_never_means_all(chosen):
    desk = Desk()
    desk.mail()
    for ask in (
        lambda: desk.operations.hold(chosen),
        lambda: desk.operations.release(chosen),
        lambda: desk.operations.retry(chosen),
        lambda: desk.operations.delete(Deletion(chosen=chosen)),
        lambda: desk.operations.move(Move(chosen=chosen, to_account="Lab")),
    ):
        with pytest.raises(BadRequestError):
            desk.ask(ask())
    assert desk.queue.told == []


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (Chosen(ids=("7Z", "8")), "not in the queue: 7Z, 8; it may be in the history"),
        (Chosen(filter=Filter(account="Lab")), "no mail in the queue is like that"),
        (Chosen(filter=Filter(state=DeliveryState.HELD)), "no mail in the queue is like that"),
    ],
)
def test_nothing_found_is_told(chosen, text):
    desk = Desk()
    desk.mail()
    with pytest.raises(NotFoundError, match=text):
        desk.ask(desk.operations.hold(chosen))


def test_a_dry_run_counts_and_changes_nothing():
    desk = Desk()
    one, other = desk.mail(), desk.mail()
    desk.put(*one, held=True)
    changed = desk.ask(desk.operations.hold(Chosen(filter=SALES, dry_run=True)))
    assert (changed.changed, changed.ids, changed.dry_run) == (1, ids(*other), True)
    assert desk.queue.told == []


def test_a_state_chooses():
    desk = Desk()
    desk.mail()
    desk.mail(("Lab", "one@far.example"))
    desk.queue.states["Lab"] = State.RESTING
    changed = desk.ask(desk.operations.hold(Chosen(filter=Filter(state=DeliveryState.RESTING))))
    assert changed.changed == 1
    assert [each.held for each in desk.waiting] == [False, True]


def test_many_are_changed_in_batches():
    desk = Desk()
    for _ in range(2 * PIECE + 1):
        desk.mail()
    changed = desk.ask(desk.operations.hold(Chosen(filter=SALES)))
    assert changed.changed == len(changed.ids) == 2 * PIECE + 1
    assert [len(numbers) for _, numbers in desk.queue.told] == [PIECE, PIECE, 1]


@pytest.mark.parametrize("notify", [True, False])
def test_reports_on_what_is_deleted_are_not_deleted_with_it(notify):
    desk = Desk()
    for _ in range(PIECE + 1):
        desk.mail()
    delete = desk.queue.delete

    def deleting(numbers, notify):
        desk.mail(("Sales", "boss@sales.example"), sender="")
        return delete(numbers, notify)

    desk.queue.delete = deleting
    asked = Deletion(chosen=Chosen(filter=SALES), notify=notify)
    assert desk.ask(desk.operations.delete(asked)).changed == PIECE + 1
    assert [each.message.envelope.reverse_path for each in desk.waiting] == ["", ""]
    assert {told[2] for told in desk.queue.told} == {notify}


# Moving


def test_mail_that_the_masks_admit_is_moved():
    desk = Desk()
    (mail,) = desk.mail(sender="x@lab.example")
    changed = desk.ask(desk.operations.move(Move(chosen=Chosen(ids=ids(mail)), to_account="Lab")))
    assert changed.changed == 1
    assert desk.queue.told == [("move", [mail.number], "Lab", "moved by an administrator")]


def test_nothing_is_moved_if_the_masks_do_not_admit_one():
    desk = Desk()
    desk.mail(sender="x@lab.example")
    bad = desk.mail(("Sales", "one@far.example", "two@near.example", "three@near.example"))
    with pytest.raises(RefusedError) as refused:
        desk.ask(desk.operations.move(Move(chosen=Chosen(filter=SALES), to_account="Lab")))
    text = str(refused.value)
    assert f"account Lab does not take {bad[0].message.id}, by its masks: " in text
    assert "sender <boss@sales.example>, recipient <two@near.example>" in text
    assert "<three@near.example>" in text
    assert "<one@far.example>" not in text
    assert desk.queue.told == []


def test_force_overrides_the_masks_and_is_said_where_it_was_needed():
    desk = Desk()
    (good,) = desk.mail(sender="x@lab.example")
    (bad,) = desk.mail()
    move = Move(chosen=Chosen(filter=SALES), to_account="Lab", force=True)
    assert desk.ask(desk.operations.move(move)).changed == 2
    assert desk.queue.told == [
        ("move", [good.number], "Lab", "moved by an administrator"),
        ("move", [bad.number], "Lab", "moved by an administrator, masks overridden"),
    ]


def test_what_is_there_already_needs_no_move():
    desk = Desk()
    (mail,) = desk.mail(("Lab", "one@near.example"), sender="x@lab.example")
    changed = desk.ask(desk.operations.move(Move(chosen=Chosen(ids=ids(mail)), to_account="Lab")))
    assert (changed.changed, desk.queue.told) == (0, [])


def test_an_account_that_is_not_there_or_not_enabled_gets_no_mail():
    desk = Desk()
    (mail,) = desk.mail()
    for name, error, text in (
        ("Nobody", NotFoundError, 'there is no account "Nobody"; there are: Sales, Lab, Old'),
        ("Old", RefusedError, 'account "Old" is not enabled'),
    ):
        with pytest.raises(error, match=text):
            desk.ask(
                desk.operations.move(
                    Move(chosen=Chosen(ids=ids(mail)), to_account=name, force=True)
                )
            )
    assert desk.queue.told == []


# Whatever is chosen


@given(
    mails=st.lists(
        st.tuples(st.sampled_from(["Sales", "Lab"]), st.booleans(), st.booleans()), max_size=12
    ),
    asked=st.builds(
        Filter,
        account=st.sampled_from([None, "Sales", "Lab"]),
        state=st.sampled_from([None, *DeliveryState]),
    ),
    what=st.sampled_from(["hold", "release", "retry"]),
)
def test_a_dry_run_counts_what_is_changed_and_the_listing_shows_it(mails, asked, what):
    desk = Desk()
    for name, held, active in mails:
        (mail,) = desk.mail((name, "one@far.example"))
        desk.put(mail, held=held, due=mail.due + 1e6)
        if active:
            desk.queue.active.add(mail.number)
    if asked == Filter():
        return
    listed = desk.rows(asked)
    operation = getattr(desk.operations, what)
    before = {each.number: each for each in desk.waiting}
    try:
        counted = desk.ask(operation(Chosen(filter=asked, dry_run=True)))
    except NotFoundError:
        assert listed == []
        return
    assert set(counted.ids) <= {row.id for row in listed}
    assert {each.number: each for each in desk.waiting} == before
    changed = desk.ask(operation(Chosen(filter=asked)))
    assert changed == attrs.evolve(counted, dry_run=False)
    others = {each.message.id for each in desk.waiting} - set(changed.ids)
    assert {each.message.id for each in desk.waiting if each == before[each.number]} == others
