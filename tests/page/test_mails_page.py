"""The page Mails: what is found, and the page of one mail with all that has happened to it."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.history import Kind, StoryEvent
from multisendcon_plugin.mail.envelope import Client
from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.operations.values import HistoryFilter
from multisendcon_plugin.page.pages import mails
from multisendcon_plugin.page.pages.outcomes import accounts, outcome
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.times import Time
from tests.operations.desk import Desk
from tests.operations.test_history import FakeHistory, story
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Visitor
from tests.queues import NOW


def happened(kind, *recipients, **more):
    return StoryEvent(
        time=Time(NOW), event=kind, recipients=recipients or ("one@far.example",), **more
    )


@pytest.fixture
def history():
    return FakeHistory(3)


@pytest.fixture
def visitor(history):
    return Visitor(Desk(history=lambda: history))


def ids_of(page):
    return [row[1] for row in page.rows if len(row) == 8 and row[1] != "ID"]


def test_the_newest_mails_come_first_page_by_page(visitor, monkeypatch):
    monkeypatch.setattr(mails, "ROWS", 2)
    page = visitor.get("/mails")
    assert ids_of(page) == [queue_id(3), queue_id(2)]
    (following,) = [each for each in page.links if "after" in each]
    page = visitor.get(following)
    assert ids_of(page) == [queue_id(1)]
    assert "/mails" in page.links
    assert not [each for each in page.links if "after" in each]


def test_subjects_are_shown_as_people_read_them(visitor, history):
    history.stories[0] = attrs.evolve(history.stories[0], subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    for path in ("/mails", f"/mails/{queue_id(1)}"):
        page = visitor.get(path)
        assert "Grüße" in page.html
        assert "=?utf-8" not in page.html


def test_a_search_asks_the_history_by_what_is_said(visitor, history):
    fields = [field.name for field in attrs.fields(HistoryFilter)]
    page = visitor.get("/mails")
    form = page.form("Search")
    assert (form.method, form.action) == ("get", "/mails")
    assert sorted(form.fields) == sorted(fields)
    visitor.get("/mails?sender=a%40b.example+&recipient=&message_id=%3Cx%3E&account=A&since=1h")
    search = history.asked[-1][0]
    assert (search.sender, search.recipient, search.message_id) == ("a@b.example", None, "<x>")
    assert (search.account, search.since) == ("A", NOW - 3600)


def test_what_was_asked_stays_in_the_form_and_in_the_links(visitor, monkeypatch):
    monkeypatch.setattr(mails, "ROWS", 1)
    page = visitor.get("/mails?sender=a%26b%40c.example")
    assert page.form("Search").fields["sender"] == ["a&b@c.example"]
    (following,) = [each for each in page.links if "after" in each]
    assert page.query(following) == {"sender": "a&b@c.example", "after": queue_id(3)}


def test_what_cannot_be_understood_is_told_above_the_form_as_it_was(visitor):
    page = visitor.get("/mails?since=soon")
    assert page.status == 422
    assert '"soon" is no time' in page.said
    assert page.form("Search").fields["since"] == ["soon"]


def test_without_a_history_the_page_says_why():
    page = Visitor().get("/mails")
    assert "There is no history: keep is 0" in page.said


def test_nothing_found_is_said(visitor, history):
    history.stories = []
    assert "No mail in the history is like that." in visitor.get("/mails").html


def test_a_mail_has_all_that_has_happened_to_it(visitor, history):
    history.stories[0] = attrs.evolve(
        history.stories[0],
        client=Client("192.0.2.1", "boss", "pc.example", "TLSv1.3"),
        events=(
            happened(Kind.ACCEPTED, account="Sales", reason="matches *@sales.example"),
            happened(Kind.ATTEMPT, account="Sales", session="192.0.2.9:25, TLSv1.3", policy="dane"),
            happened(Kind.DEFERRED, account="Sales", reply="451 later", due=Time(NOW + 60)),
            happened(Kind.MOVED, account="Sales", to_account="Lab", reason="by hand"),
            happened(Kind.FAILED, account="Lab", reply="550 no such user"),
            happened(Kind.REPORTED, report="1ABC"),
            happened(Kind.ENDED),
        ),
    )
    page = visitor.get(f"/mails/{queue_id(1)}")
    assert page.status == 200
    for text in ("boss@sales.example", "hello", "192.0.2.1", "signed in as", "pc.example"):
        assert text in page.html
    events = [row for row in page.rows if len(row) == 6]
    assert [row[1] for row in events] == [
        *("Event", "accepted", "attempt", "deferred", "moved", "failed", "reported", "ended")
    ]
    assert "matches *@sales.example" in events[1][2]
    assert events[2][5] == "192.0.2.9:25, TLSv1.3 policy for TLS: dane"
    assert events[3][4].startswith("451 later")
    assert "2023-11-14 22:14:20 UTC" in events[3][4]
    assert events[4][2].split() == ["Sales", "to", "Lab", "by", "hand"]
    assert "/mails/1ABC" in page.links
    assert "Nothing of it waits any more: failed." in page.html
    assert page.buttons == {"Sign out"}


def waiting(visitor, **fields):
    """Put a mail into the queue, with a story."""
    (mail,) = visitor.desk.mail()
    return visitor.desk.put(mail, **fields)


def test_a_mail_that_waits_shows_where_and_what_can_be_done(visitor):
    mail = waiting(visitor, attempts=2, last_reply="451 later", tried=("Lab",))
    page = visitor.get(f"/mails/{mail.message.id}")
    (row,) = [row for row in page.rows if row[0] == "Sales"]
    assert [row[1], row[4], row[5], row[6]] == ["waiting", "2", "451 later", "Lab"]
    assert page.buttons == {"Sign out", "Retry", "Hold", "Delete", "Move"}
    assert f"/explain?id={mail.message.id}#result" in page.links
    assert "From: a@b.example" in page.html
    assert "is not in the history" in page.html


def test_what_is_held_can_be_released(visitor):
    mail = waiting(visitor, held=True)
    page = visitor.get(f"/mails/{mail.message.id}")
    assert page.buttons == {"Sign out", "Release", "Delete", "Move"}
    page = visitor.send(page.form("Release"), "Release")
    assert page.said == "Released: 1 delivery of 1 mail"
    assert page.path == f"/mails/{mail.message.id}"
    assert "Hold" in page.buttons


@pytest.mark.parametrize(("verb", "told"), [("Retry", "retry"), ("Hold", "hold")])
def test_one_button_is_enough_for_what_can_be_undone(visitor, verb, told):
    mail = waiting(visitor)
    page = visitor.get(f"/mails/{mail.message.id}")
    visitor.send(page.form(verb), verb)
    assert visitor.desk.queue.told == [(told, [mail.number])]


def test_a_mail_is_deleted_after_a_question(visitor):
    mail = waiting(visitor)
    page = visitor.get(f"/mails/{mail.message.id}")
    question = visitor.send(page.form("Delete"), "Delete")
    assert "Delete 1 delivery of 1 mail?" in question.html
    assert f"/mails/{mail.message.id}" in question.links
    visitor.send(question.form("Delete"), "Delete", notify="yes")
    assert visitor.desk.queue.told == [("delete", [mail.number], True)]


def test_a_mail_is_moved_over_masks_only_if_that_is_said(visitor):
    mail = waiting(visitor)
    page = visitor.get(f"/mails/{mail.message.id}")
    question = visitor.send(page.form("Move"), "Move", to_account="Lab")
    assert question.row(mail.message.id)[1] == "sender <boss@sales.example>"
    assert "Override the masks, and move all 1" in question.html
    page = visitor.send(question.form("Move"), "Move")
    assert "does not take" in page.said
    page = visitor.send(question.form("Move"), "Move", force="yes")
    assert page.said == 'Moved: 1 delivery of 1 mail, to "Lab"'


def test_a_mail_that_nobody_knows_is_not_found(visitor):
    for path in ("/mails/1ZZZ", "/mails/nobody", "/mails/%0d%0aX-Evil:%20yes"):
        page = visitor.get(path)
        assert page.status == 404
        assert "X-Evil" not in page.html or "is not in the history" in page.html


def test_who_may_only_look_sees_all_but_the_buttons(history):
    visitor = Visitor(Desk(history=lambda: history), role=Role.VIEW)
    mail = waiting(visitor)
    page = visitor.get(f"/mails/{mail.message.id}")
    assert page.buttons == {"Sign out"}
    assert "From: a@b.example" in page.html


def test_long_lists_of_recipients_are_folded(visitor, history):
    many = tuple(f"r{n}@far.example" for n in range(1000))
    history.stories[0] = attrs.evolve(history.stories[0], recipients=many)
    assert "and 997 more" in visitor.get("/mails").html
    assert "and 990 more" in visitor.get(f"/mails/{queue_id(1)}").html


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_text(visitor, history, text):
    history.stories[0] = attrs.evolve(
        story(1),
        sender=text,
        recipients=(text,) * 20,
        subject=text,
        message_id=text,
        client=Client(text, text, text, text),
        events=(
            happened(Kind.ACCEPTED, text, account=text, reason=text),
            happened(Kind.ATTEMPT, *[text] * 20, session=text, reply=text, to_account=text),
        ),
    )
    page = visitor.get("/mails")
    assert page.status == 200
    assert is_harmless(page)
    page = visitor.get(f"/mails/{queue_id(1)}")
    assert page.status == 200
    assert is_harmless(page)
    for path in ("/mails", "/queue"):
        page = visitor.ask("GET", f"{path}?sender={quoted(text)}&since={quoted(text)}&state=x")
        assert page.status == 422
        assert is_harmless(page)


def quoted(text):
    return "".join(f"%{octet:02X}" for octet in text.encode("utf-8", "surrogateescape"))


# What came of it, in few words.


def told(*events):
    return attrs.evolve(story(1), events=tuple(happened(kind, *who) for kind, *who in events))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(Kind.ACCEPTED, "a", "b")], "waits"),
        ([(Kind.ACCEPTED, "a"), (Kind.DEFERRED, "a")], "waits"),
        ([(Kind.ACCEPTED, "a"), (Kind.HELD, "a")], "held"),
        ([(Kind.HELD, "a"), (Kind.RELEASED, "a")], "waits"),
        ([(Kind.ACCEPTED, "a"), (Kind.UNCERTAIN, "a")], "may have arrived"),
        ([(Kind.DELIVERED, "a"), (Kind.HELD, "a"), (Kind.ENDED,)], "delivered"),
        (
            [(Kind.ACCEPTED, "a", "b", "c"), (Kind.DELIVERED, "a", "b"), (Kind.FAILED, "c")],
            "2 delivered, 1 failed",
        ),
        ([], ""),
    ],
)
def test_the_outcome_is_that_of_each_recipient(events, words):
    assert outcome(told(*events)) == words


def test_the_accounts_of_a_mail_are_those_that_have_had_it():
    events = (
        happened(Kind.ACCEPTED, account="Sales"),
        happened(Kind.MOVED, account="Sales", to_account="Lab"),
        happened(Kind.ENDED),
    )
    assert accounts(attrs.evolve(story(1), events=events)) == ["Sales", "Lab"]
