"""The page Explain: a mail that is typed, one that waits, and one of the history."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.operations.explained import ExplainedHost, ExplainedRoute
from multisendcon_plugin.operations.explanation import explain
from multisendcon_plugin.page.marking import MOST_COMPARED, MOST_SHOWN, Mark, marked, unified
from multisendcon_plugin.page.pages import explain as explain_page
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.values import MasterRelay
from tests.operations.test_history import FakeHistory, story
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Editor
from tests.queue_world import account

SETTINGS = MasterRelay(hostname="relay.example")
ACCOUNTS = (
    attrs.evolve(
        account("Sales", senders="*@sales.example"),
        server="192.0.2.1",
        fixed_sender="office@sales.example",
    ),
    account("Rest", recipients="*@far.example"),
)
MESSAGE = "From: boss@sales.example\r\nSubject: Offer\r\n\r\nhello\r\n"


def visitor_of(role=Role.VIEW, **more):
    editor = Editor(
        role,
        accounts=ACCOUNTS,
        explain=lambda question: explain(SETTINGS, editor.desk.registry, question, 0.0),
        **more,
    )
    return editor


@pytest.fixture
def visitor():
    return visitor_of()


def asked(visitor, **fields):
    return visitor.send(visitor.get("/explain").form("Explain"), "Explain", **fields)


def test_each_account_is_shown_for_each_recipient_with_why(visitor):
    page = asked(
        visitor, sender="boss@sales.example", recipients="one@far.example\r\n two@x.example,"
    )
    assert page.status == 200
    assert [row for row in page.rows if row[1] in ("Sales", "Rest")] == [
        ["1", "Sales", "taken", "sender matches *@sales.example, every recipient"],
        ["2", "Rest", "not taken", page.rows[2][3]],
        ["1", "Sales", "taken", "sender matches *@sales.example, every recipient"],
        ["2", "Rest", "not taken", page.rows[5][3]],
    ]
    assert "but Sales comes first" in page.rows[2][3]
    assert "from office@sales.example to one@far.example, two@x.example" in " ".join(
        page.words.split()
    )
    assert "192.0.2.1, port 25, TLS auto" in page.words


def test_the_header_is_shown_before_and_after(visitor):
    page = asked(visitor, sender="boss@sales.example", recipients="a@b.example", message=MESSAGE)
    assert "<del>- <bdi>From: boss@sales.example</bdi></del>" in page.html
    assert "<ins>+ <bdi>From: office@sales.example</bdi></ins>" in page.html
    assert "<span>  <bdi>Subject: Offer</bdi></span>" in page.html


def test_what_was_asked_is_still_there(visitor):
    fields = {"sender": "boss@sales.example", "recipients": "a@b.example", "message": MESSAGE}
    form = asked(visitor, **fields).form("Explain")
    assert {name: form.fields[name] for name in fields} == {
        name: [value] for name, value in fields.items()
    }


def test_what_is_no_mail_is_told_and_stays_to_be_mended(visitor):
    page = asked(visitor, sender="boss", recipients="a@b.example")
    assert page.status == 422
    assert "Sender 'boss' is no address" in page.said
    assert page.form("Explain").fields["sender"] == ["boss"]


def test_a_recipient_whom_nobody_takes_is_told(visitor):
    page = asked(visitor, sender="a@b.example", recipients="c@d.example")
    assert "No account takes it" in page.words


def test_a_mail_that_waits_is_explained_as_a_whole(visitor):
    (delivery,) = visitor.desk.mail(sender="boss@sales.example")
    page = visitor.get(f"/explain?id={delivery.message.id}")
    assert page.status == 200
    assert f"/mails/{delivery.message.id}" in page.links
    assert page.form("Explain").fields["recipients"] == ["one@far.example"]
    assert "<ins>+ <bdi>Reply-To: a@b.example</bdi></ins>" in page.html


def test_a_mail_of_the_history_is_explained_by_what_is_known_of_it():
    history = FakeHistory(2)
    visitor = visitor_of(history=lambda: history)
    page = visitor.get(f"/explain?id={queue_id(2)}")
    assert page.status == 200
    told = story(2)
    assert page.form("Explain").fields["sender"] == [told.sender]
    assert page.form("Explain").fields["recipients"] == ["\r\n".join(told.recipients)]
    assert "This mail" not in page.words


def test_a_mail_that_nobody_knows_is_not_found(visitor):
    assert visitor.get("/explain?id=7Z").status == 404


def test_the_author_stands_for_the_null_sender_of_the_history():
    told = attrs.evolve(story(1), sender="", author="boss@sales.example")
    fields = explain_page._fields_of(told)
    assert fields["sender"] == "<>"
    assert fields["message"].startswith("From: boss@sales.example\n")


def test_a_link_can_fill_it_in(visitor):
    page = visitor.get("/explain?sender=a%40b.example&recipients=c%40d.example")
    form = page.form("Explain")
    assert (form.fields["sender"], form.fields["recipients"]) == (
        ["a@b.example"],
        ["c@d.example"],
    )


def test_where_direct_mail_goes_is_shown(visitor, monkeypatch):
    host = ExplainedHost(
        name="mx.far.example",
        preference=10,
        addresses=("192.0.2.9",),
        policy="dane",
        testing=False,
        tls="starttls",
        tls_required=True,
        why="TLSA records",
    )
    routes = (
        ExplainedRoute(destination="far.example", hosts=(host,)),
        ExplainedRoute(destination="no.example", problem="no such domain", temporary=True),
    )

    async def with_routes(explanation):
        (one,) = explanation.accounts
        return attrs.evolve(explanation, accounts=(attrs.evolve(one, routes=routes),))

    monkeypatch.setattr(visitor.desk.operations._directions, "added_to", with_routes)
    page = asked(visitor, sender="boss@sales.example", recipients="a@far.example")
    assert page.row("10") == [
        *("10", "mx.far.example", "192.0.2.9", "dane", "starttls, required", "TLSA records")
    ]
    assert "no such domain It waits." in page.words


def test_thousands_of_accounts_can_be_unfolded(monkeypatch):
    monkeypatch.setattr(explain_page, "ACCOUNTS", 1)
    page = asked(visitor_of(), sender="a@b.example", recipients="a@far.example")
    assert "1 more accounts" in page.words
    assert "Further below: Rest takes it" in page.words
    assert page.row("2")[:3] == ["2", "Rest", "taken"]


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\x00" not in each])
def test_what_strangers_write_is_text(visitor, text):
    page = asked(
        visitor,
        sender="boss@sales.example",
        recipients="a@b.example",
        message=f"From: boss@sales.example\r\nSubject: {text}\r\n\r\nhello\r\n",
    )
    assert page.status == 200
    assert is_harmless(page)
    assert f"Subject: {text}" in page.form("Explain").fields["message"][0]
    for field in ("sender", "recipients"):
        page = asked(
            visitor, **({"sender": "a@b.example", "recipients": "c@d.example"} | {field: text})
        )
        assert is_harmless(page)
        assert page.form("Explain").fields[field] == [text]


def test_lines_are_marked():
    assert [(each.mark, each.text) for each in marked("a\nb\n", "a\nc\n")] == [
        (Mark.SAME, "a"),
        (Mark.GONE, "b"),
        (Mark.NEW, "c"),
    ]
    many = "a\n" * (MOST_COMPARED + 1)
    assert {each.mark for each in marked(many, many)} == {Mark.GONE, Mark.NEW}


def test_a_long_difference_is_cut():
    found = unified("@@ -1 +1 @@\n-a\x0bb\n+b\n c\n")
    assert [each.mark for each in found.lines] == [Mark.PLACE, Mark.GONE, Mark.NEW, Mark.SAME]
    assert (found.lines[1].text, found.more) == ("-a\x0bb", 0)
    assert unified("+a\n" * (MOST_SHOWN + 2)).more == 2


def test_a_mail_that_has_left_leads_here_too():
    history = FakeHistory(2)
    page = visitor_of(history=lambda: history).get(f"/mails/{queue_id(2)}")
    assert f"/explain?id={queue_id(2)}#result" in page.links
