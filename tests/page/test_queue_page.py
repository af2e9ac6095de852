"""The page Queue: the table of ages, the list with its filters, and what is done to what waits."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.events import AdminActed
from multisendcon_plugin.outcome.condition import Rest, State
from multisendcon_plugin.page.pages import queue
from multisendcon_plugin.settings.admins import Role
from tests.operations.desk import Desk
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Visitor
from tests.queue_world import account


def ids_of(page):
    """Return the ids of the list, one for each delivery."""
    return [row[1] for row in page.rows if len(row) == 11 and row[1] != "ID"]


@pytest.fixture
def visitor():
    return Visitor()


@pytest.fixture
def desk(visitor):
    return visitor.desk


def test_an_empty_queue_says_so(visitor):
    page = visitor.get("/queue")
    assert page.status == 200
    assert page.html.count("No mail waits.") == 2
    assert page.buttons == {"Sign out", "Filter"}


def test_the_table_counts_by_account_and_age_with_links_to_what_is_counted(visitor, desk):
    desk.mail(("Gone", "one@far.example"))
    desk.clock.advance(1000)
    for _ in range(2):
        desk.mail()
    desk.clock.advance(400)
    desk.mail(("Lab", "two@far.example"))
    page = visitor.get("/queue")
    assert page.row("Account")[1:] == [
        *("to 5 min", "to 15 min", "to 1 h", "to 4 h", "to 1 d", "older", "Total")
    ]
    assert page.row("Sales")[1:] == ["0", "2", "0", "0", "0", "0", "2"]
    assert page.row("Lab")[1:] == ["1", "0", "0", "0", "0", "0", "1"]
    assert page.row("Gone")[1:] == ["0", "0", "1", "0", "0", "0", "1"]
    assert page.row("All accounts")[1:] == ["1", "2", "1", "0", "0", "0", "4"]
    links = [each for each in page.links if "account=" in each and "older" in each]
    for link, count in zip(links, (2, 1), strict=True):
        assert len(ids_of(visitor.get(link))) == count
    assert page.query(links[0]) == {
        "account": "Sales",
        "older_than": "5m",
        "younger_than": "15m",
    }


def test_only_the_accounts_with_most_mail_have_rows_and_that_of_the_filter(monkeypatch):
    monkeypatch.setattr(queue, "ACCOUNTS", 2)
    desk = Desk([account(f"A{n}") for n in range(5)])
    visitor = Visitor(desk)
    for n in range(5):
        for _ in range(5 - n):
            desk.mail((f"A{n}", "one@far.example"))
    page = visitor.get("/queue")
    assert [row[0] for row in page.rows if row[0].startswith("A")] == [
        *("Account", "A0", "A1", "All accounts")
    ]
    assert page.row("All accounts")[-1] == "15"
    assert "3 more have some" in page.html
    assert visitor.get("/queue?account=A4").row("A4")[-1] == "1"


def test_the_list_is_filtered_by_what_is_said(visitor, desk):
    (one,) = desk.mail()
    (two,) = desk.mail(("Lab", "two@far.example"), sender="x@lab.example")
    desk.put(two, held=True, attempts=3, last_reply="451 later")
    page = visitor.get("/queue?account=&sender=+x%40lab.example+&state=held&older_than=")
    assert ids_of(page) == [two.message.id]
    assert "451 later" in page.html
    search = page.form("Filter")
    assert search.fields["sender"] == ["x@lab.example"]
    assert ids_of(visitor.get("/queue?recipient=one%40far.example")) == [one.message.id]
    assert "No mail that waits is like that." in visitor.get("/queue?account=None").html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("older_than=soon", '"soon" is no time'),
        ("state=lost", "is none of waiting"),
        ("after=nobody", '"nobody" is no id'),
    ],
)
def test_a_filter_that_cannot_be_understood_is_shown_again_with_what_is_wrong(visitor, query, said):
    page = visitor.get(f"/queue?{query}")
    assert page.status == 422
    assert said in page.said
    name, _, value = query.partition("=")
    if name == "older_than":
        assert page.form("Filter").fields[name] == [value]


def test_why_and_until_when_a_destination_rests_stands_beside_the_mail(visitor, desk):
    (mail,) = desk.mail()
    desk.put(mail, destination="far.example")
    desk.queue.resting["Sales", "far.example"] = Rest("<b>no route</b>", 1_700_000_060.0)
    for path in ("/queue", f"/mails/{mail.message.id}"):
        page = visitor.get(path)
        assert is_harmless(page)
        (cell,) = [cell for row in page.rows for cell in row if cell.startswith("resting")]
        assert cell.split()[1:3] == ["far.example", "rests:"]
        assert cell.endswith("<b>no route</b> , until 2023-11-14 22:14:20 UTC")


@pytest.mark.parametrize(
    ("state", "held", "said"),
    [
        (State.OK, True, "when it is released"),
        (State.QUOTA, False, "when the quota of Sales has room"),
        (State.LOGIN, False, "when Sales goes on"),
        (State.PAUSED, False, "when Sales goes on"),
        (State.OK, False, "now"),
    ],
)
def test_what_is_kept_back_is_not_called_due(visitor, desk, state, held, said):
    (mail,) = desk.mail()
    desk.put(mail, held=held)
    desk.queue.states["Sales"] = state
    page = visitor.get("/queue")
    (row,) = [row for row in page.rows if mail.message.id in row]
    assert row[8].split() == said.split()
    assert "/accounts/Sales" in page.links


def test_the_list_goes_on_on_the_next_page(visitor, desk, monkeypatch):
    monkeypatch.setattr(queue, "ROWS", 2)
    mails = [desk.mail()[0].message.id for _ in range(5)]
    desk.mail(("Lab", "one@far.example"))
    page = visitor.get("/queue?account=Sales")
    seen = ids_of(page)
    while following := [each for each in page.links if "after=" in each]:
        page = visitor.get(following[0])
        seen += ids_of(page)
    assert seen == mails
    assert "/queue?account=Sales" in page.links


def test_what_is_chosen_is_held_released_and_retried_at_once(visitor, desk):
    (one,), (two,) = desk.mail(), desk.mail()
    told = []
    desk.events.subscribe(AdminActed, told.append)
    page = visitor.get("/queue?account=Sales")
    page = visitor.send(page.form("Hold"), "Hold", ids=[one.message.id])
    assert (page.path, page.said) == ("/queue?account=Sales", "Held: 1 delivery of 1 mail")
    assert [(each.number, each.held) for each in desk.waiting] == [
        (one.number, True),
        (two.number, False),
    ]
    page = visitor.send(page.form("Hold"), "Hold", ids=[one.message.id])
    assert page.said == "Nothing has changed: all of it is held already"
    page = visitor.send(page.form("Release"), "Release", ids=[one.message.id])
    assert page.said == "Released: 1 delivery of 1 mail"
    page = visitor.send(page.form("Retry"), "Retry", ids=[one.message.id, two.message.id])
    assert page.said == "Due now: 2 deliveries of 2 mails"
    assert [each.text for each in told][-1] == page.said
    assert {(each.admin, each.status) for each in told} == {("ann", 303)}


def test_what_is_not_there_any_more_is_told(visitor, desk):
    (one,), (two,) = desk.mail(), desk.mail()
    page = visitor.get("/queue")
    del desk.spool.disk.deliveries[two.number]
    page = visitor.send(page.form("Hold"), "Hold", ids=[one.message.id, two.message.id])
    assert "Held: 1 delivery of 1 mail" in page.said
    assert f"{two.message.id} is not in the queue any more" in page.said


def test_nothing_is_done_while_nothing_is_chosen(visitor, desk):
    desk.mail()
    page = visitor.get("/queue?account=Sales")
    for more in ({}, {"what": "all"}):
        form = visitor.get("/queue").form("Retry")
        page = visitor.send(form, "Retry", **more)
        assert "No mail is chosen" in page.said
        assert page.path == "/queue"
    assert desk.queue.told == []


def test_what_is_deleted_is_asked_for_first(visitor, desk):
    (one,) = desk.mail()
    desk.mail()
    page = visitor.get("/queue")
    question = visitor.send(page.form("Delete"), "Delete", ids=[one.message.id])
    assert question.status == 200
    assert ("section", "dialog") in [(tag, f.get("role")) for tag, f in question.tags]
    assert "Delete 1 delivery of 1 mail?" in question.html
    assert "/queue" in question.links
    assert desk.queue.told == []
    form = question.form("Delete")
    assert form.boxes == {"notify": ["yes"]}
    page = visitor.send(form, "Delete", notify="yes")
    assert page.said == "Deleted: 1 delivery of 1 mail"
    assert desk.queue.told == [("delete", [one.number], True)]


def test_the_sender_of_what_is_deleted_is_told_only_if_that_is_wanted(visitor, desk):
    (one,) = desk.mail()
    question = visitor.send(visitor.get("/queue").form("Delete"), "Delete", ids=[one.message.id])
    visitor.send(question.form("Delete"), "Delete")
    assert desk.queue.told == [("delete", [one.number], False)]


@pytest.mark.parametrize("verb", ["Retry", "Hold", "Release", "Delete"])
def test_all_that_the_filter_admits_is_counted_before_it_is_done(visitor, desk, verb):
    mails = [desk.mail()[0] for _ in range(60)]
    desk.mail(("Lab", "one@far.example"))
    if verb == "Release":
        mails = [desk.put(each, held=True) for each in mails]
    page = visitor.get("/queue?account=Sales")
    question = visitor.send(page.form(verb), verb, what="all")
    assert f"{verb} 60 deliveries of 60 mails?" in question.html
    assert "<bdi>Sales</bdi>" in question.html
    assert desk.queue.told == []
    page = visitor.send(question.form(verb), verb)
    assert page.path == "/queue?account=Sales"
    assert "60 deliveries of 60 mails" in page.said
    assert sum(len(numbers) for _, numbers, *_ in desk.queue.told) == 60


def test_a_question_about_nothing_has_no_button(visitor, desk):
    desk.mail()
    page = visitor.get("/queue?account=Sales")
    question = visitor.send(page.form("Release"), "Release", what="all")
    assert "Release 0 deliveries of 0 mails?" in question.html
    assert "Release" not in question.buttons


def test_fifty_mails_are_moved_by_two_buttons(visitor, desk):
    mails = [desk.mail(sender="x@lab.example")[0] for _ in range(50)]
    page = visitor.get("/queue?account=Sales&sender=x%40lab.example")
    question = visitor.send(page.form("Move"), "Move", what="shown", to_account="Lab")
    assert "Move 50 deliveries of 50 mails to <bdi>Lab</bdi>?" in question.html
    assert question.form("Move").boxes == {}
    page = visitor.send(question.form("Move"), "Move")
    assert page.said == 'Moved: 50 deliveries of 50 mails, to "Lab"'
    assert {each.account for each in desk.waiting} == {"Lab"}
    assert len(desk.waiting) == len(mails)


def test_masks_that_refuse_are_told_before_anything_is_moved(visitor, desk):
    (good,) = desk.mail(sender="x@lab.example")
    (bad,) = desk.mail(("Sales", "one@near.example"), sender="x@lab.example")
    page = visitor.get("/queue?account=Sales")
    question = visitor.send(page.form("Move"), "Move", what="all", to_account="Lab")
    assert "Move 1 delivery of 1 mail to <bdi>Lab</bdi>?" in question.html
    assert question.row(bad.message.id)[1] == "recipient <one@near.example>"
    assert question.form("Move").boxes == {"force": ["yes"]}
    page = visitor.send(question.form("Move"), "Move")
    assert "nothing is moved" in page.said
    assert ids_of(page) == [good.message.id, bad.message.id]
    assert desk.queue.told == []
    page = visitor.send(question.form("Move"), "Move", force="yes")
    assert page.said == 'Moved: 2 deliveries of 2 mails, to "Lab"'
    assert {each.account for each in desk.waiting} == {"Lab"}


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "Choose the account"), ("Old", "not enabled"), ("Nobody", "There is no account")],
)
def test_a_move_to_no_account_is_refused(visitor, desk, name, said):
    (one,) = desk.mail()
    page = visitor.get("/queue")
    page = visitor.send(page.form("Move"), "Move", ids=[one.message.id], to_account=name)
    assert said in page.said
    assert desk.queue.told == []


def test_a_question_that_is_loaded_anew_is_the_list(visitor, desk):
    desk.mail()
    assert visitor.get("/queue/delete?account=Sales").path == "/queue/delete?account=Sales"
    assert "Deliveries that the filter admits" in visitor.get("/queue/move?account=Sales").html


def test_who_may_only_look_has_no_actions_and_can_do_nothing():
    visitor = Visitor(role=Role.VIEW)
    (one,) = visitor.desk.mail()
    page = visitor.get("/queue")
    assert page.buttons == {"Sign out", "Filter"}
    assert not page.form("Filter").boxes
    token = page.forms[0].fields["token"][0]
    body = f"token={token}&ids={one.message.id}&confirmed=yes&to_account=Lab".encode()
    for verb in ("retry", "hold", "release", "delete", "move"):
        for path in (f"/queue/{verb}", f"/mails/{one.message.id}/{verb}"):
            assert visitor.ask("POST", path, body).status == 403
    assert visitor.desk.queue.told == []


def test_with_many_accounts_their_name_is_written(visitor):
    desk = Desk([account(f"A{n}") for n in range(300)])
    desk.mail(("A1", "one@far.example"))
    form = Visitor(desk).get("/queue").form("Move")
    assert form.fields["to_account"] == [""]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_text(text):
    name = text.encode("ascii", "replace").decode().replace("\x00", "")
    desk = Desk([account(name), account("Lab", senders="*@lab.example")])
    visitor = Visitor(desk)
    (mail,) = desk.mail((name, text), sender=text)
    envelope = attrs.evolve(mail.message.envelope, subject=text, message_id=text)
    message = attrs.evolve(mail.message, envelope=envelope)
    desk.put(mail, message=message, last_reply=text, destination=text, tried=(text,))
    page = visitor.get("/queue")
    assert is_harmless(page)
    question = visitor.send(page.form("Move"), "Move", ids=[mail.message.id], to_account="Lab")
    assert "Override" in question.html
    assert is_harmless(question)
    assert is_harmless(visitor.get(f"/mails/{mail.message.id}"))
    moved = visitor.send(question.form("Move"), "Move", force="yes")
    assert is_harmless(moved)
