"""`multisendcon queue`, with a relay that answers as it is told to."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest

from tests.admin.examples import delivery, lines


def test_list_is_a_table(run, relay):
    relay.answers_with("GET queue", lines=lines(delivery(), delivery(id="GAHCJX3QB", state="held")))
    ended = run("queue", "list")
    assert ended.status == 0
    titles, first, second = ended.out.splitlines()
    assert titles.split()[:3] == ["ID", "ACCOUNT", "STATE"]
    assert first.startswith("GAHCJX3QA  Sales    waiting")
    assert "<boss@sales.example.com>  <anna@customer.example>" in first
    assert second.startswith("GAHCJX3QB  Sales    held")
    assert ended.err == ""


def test_what_waits_for_its_account_is_not_tried_now(run, relay):
    resting = {"state": "resting", "attempts": 1}
    rows = delivery(**resting, due=0.0), delivery(**resting, due=time.time() + 90)
    relay.answers_with("GET queue", lines=lines(*rows))
    _, due, later = run("queue", "list").out.splitlines()
    assert due.split()[4] == "-"
    assert later.split()[4:6] == ["in", "1m"]


def test_why_a_destination_rests_is_said_of_mail_that_was_not_tried(run, relay):
    rests = {"destination": "b.example", "state": "resting", "fault": "connect: 4.4.1 refused"}
    row = delivery(**rests, due=0.0, until=time.time() + 90)
    relay.answers_with("GET queue", lines=lines(row))
    _, line = run("queue", "list").out.splitlines()
    assert line.split()[5:7] == ["in", "1m"]
    assert line.endswith("b.example rests: connect: 4.4.1 refused")
    shown = {**row, "deliveries": [row], "header": "", "client": None}
    relay.answers_with("GET queue/GAHCJX3QA", shown)
    assert "    b.example rests: connect: 4.4.1 refused" in run("queue", "show", row["id"]).out


def test_list_asks_with_the_filter(run, relay):
    relay.answers_with("GET queue", lines=lines(delivery()))
    run(
        *("queue", "list", "--account=Sales & Co", "--sender=<>", "--recipient=a@b.example"),
        *("--state=held", "--older-than=2h", "--younger-than=3h"),
        *("--destination=b.example", "--limit=5"),
    )
    [(_, _, query, _)] = relay.asked
    assert query == {
        "account": "Sales & Co",
        "sender": "",
        "recipient": "a@b.example",
        "state": "held",
        "older_than": "2h",
        "younger_than": "3h",
        "destination": "b.example",
        "limit": "5",
    }


def test_an_empty_queue_is_nothing_wrong(run, relay):
    relay.answers_with("GET queue", lines=())
    ended = run("queue", "list")
    assert (ended.status, ended.out) == (0, "")
    assert "no mail waits" in ended.err


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_filter_that_matches_nothing_finds_nothing(run, relay, more):
    relay.answers_with("GET queue", lines=())
    ended = run("queue", "list", "--account=Sales", *more)
    assert (ended.status, ended.out) == (3, "")
    assert "no mail that waits is like that" in ended.err


def test_json_is_what_the_relay_says_in_ascii(run, relay):
    rows = [delivery(), delivery(subject="Grüße \u202e\x9b31m")]
    relay.answers_with("GET queue", lines=lines(*rows))
    ended = run("queue", "list", "--json")
    assert ended.out.isascii()
    assert [json.loads(line) for line in ended.out.splitlines()] == rows


HOSTILE = "\x1b[2J\x9b1m\u202egnp.exe\r\nFAKE ROW\u2028"


def test_hostile_text_does_nothing_to_a_terminal(run, relay):
    row = delivery(
        account=HOSTILE,
        sender=f"{HOSTILE}@x.example",
        recipients=[{"address": HOSTILE, "reason": HOSTILE, "last_reply": HOSTILE}],
        last_reply=HOSTILE,
    )
    relay.answers_with("GET queue", lines=lines(row))
    relay.answers_with(
        "GET queue/A", {**row, "deliveries": [row], "header": f"A: {HOSTILE}\nB: b", "client": None}
    )
    for ended in (run("queue", "list"), run("queue", "show", "A")):
        assert ended.status == 0
        assert not set(ended.out) & set("\x1b\x9b\r\u202e\u2028")
        assert r"\x1b[2J\x9b1m\u202egnp.exe\r\nFAKE ROW\u2028" in ended.out
        assert not any(line.startswith("FAKE") for line in ended.out.splitlines())


def test_show_tells_all(run, relay):
    first = delivery(attempts=2, last_reply="450 4.7.1 greylisted", tried=["Bulk"])
    second = delivery(account="Direct", destination="b.example", state="held")
    mail = {
        **first,
        "deliveries": [first, second],
        "header": "Received: from x\n\tby y\nSubject: Offer\nTo: anna@customer.example\n",
        "client": {"address": "192.0.2.25", "user": "joe", "helo": "exchange", "tls": "TLSv1.3"},
    }
    relay.answers_with("GET queue/GAHCJX3QA", mail)
    ended = run("queue", "show", "GAHCJX3QA")
    for text in (
        "GAHCJX3QA from <boss@sales.example.com>, 1.8 KiB",
        "from 192.0.2.25 (HELO exchange, user joe, TLSv1.3)",
        "by Sales: waiting, next attempt now, 2 attempts have failed",
        "to <anna@customer.example>: every sender",
        "last reply: 450 4.7.1 greylisted",
        "moved away from: Bulk",
        "by Direct (b.example): held, not tried yet",
        "|         by y",
        "| Subject: Offer",
    ):
        assert text in ended.out
    assert json.loads(run("queue", "show", "GAHCJX3QA", "--json").out) == mail


def test_an_id_that_is_not_there(run, relay):
    relay.answers_with("GET queue/NOPE", {"error": "NOPE is not in the queue"}, status=404)
    ended = run("queue", "show", "NOPE")
    assert (ended.status, ended.out) == (3, "")
    assert "NOPE is not in the queue" in ended.err


# Mend.


@pytest.mark.parametrize(
    ("action", "done"), [("retry", "due now"), ("hold", "held"), ("release", "released")]
)
def test_actions_say_how_many_and_which(run, relay, action, done):
    relay.answers_with(f"POST queue/{action}", {"changed": 3, "ids": ["A", "B"], "missing": []})
    ended = run("queue", action, "A", "B")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [f"3 deliveries {done}", "A", "B"]
    assert relay.asked == [("POST", f"queue/{action}", {}, {"ids": ["A", "B"]})]


def test_a_dry_run_says_what_would_be(run, relay):
    answer = {"changed": 1, "ids": ["A"], "missing": [], "dry_run": True}
    relay.answers_with("POST queue/hold", answer)
    ended = run("queue", "hold", "--account=Sales", "--older-than=1d", "--dry-run")
    assert ended.out.splitlines() == ["1 delivery would be held", "A"]
    [(_, _, _, body)] = relay.asked
    assert body == {"filter": {"account": "Sales", "older_than": "1d"}, "dry_run": True}
    assert json.loads(run("queue", "hold", "A", "--dry-run", "--json").out) == answer


def test_ids_that_are_missing_are_named(run, relay):
    relay.answers_with("POST queue/hold", {"changed": 1, "ids": ["A"], "missing": ["X", "Y"]})
    ended = run("queue", "hold", "A", "X", "Y")
    assert ended.status == 3
    assert ended.out.splitlines() == ["1 delivery held", "A"]
    assert "not in the queue: X, Y" in ended.err


@pytest.mark.parametrize("action", ["retry", "hold", "release", "delete", "move"])
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ((), "name mails by their IDs, or choose them by a filter"),
        (("A", "--account=Sales"), "IDs, or a filter; not both"),
    ],
    ids=["nothing", "both"],
)
def test_what_is_meant_has_to_be_said_in_one_way(run, relay, action, chosen, said):
    more = {"delete": ["--yes"], "move": ["--to-account=Bulk"]}.get(action, [])
    ended = run("queue", action, *chosen, *more)
    assert (ended.status, ended.out) == (2, "")
    assert f"queue {action}: {said}" in ended.err
    assert relay.asked == []


def test_move_says_where(run, relay):
    relay.answers_with("POST queue/move", {"changed": 1, "ids": ["A"], "missing": []})
    ended = run("queue", "move", "A", "--to-account", "Bulk", "--force")
    assert ended.out.splitlines() == ["1 delivery moved", "A"]
    [(_, _, _, body)] = relay.asked
    assert body == {"ids": ["A"], "to_account": "Bulk", "force": True}


def test_what_the_relay_refuses_is_refused(run, relay):
    relay.answers_with(
        "POST queue/move", {"error": "Bulk does not take it; use --force"}, status=409
    )
    ended = run("queue", "move", "A", "--to-account", "Bulk")
    assert (ended.status, ended.out) == (1, "")
    assert "Bulk does not take it; use --force" in ended.err


# Delete.

DELETED = {"changed": 3, "ids": ["A", "B"], "missing": []}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def answer_at_a_terminal(monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_nothing_is_deleted_where_nobody_can_be_asked(run, relay, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    ended = run("queue", "delete", "A")
    assert (ended.status, ended.out) == (2, "")
    assert "add --yes" in ended.err
    assert relay.asked == []


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yeah\n"])
def test_nothing_is_deleted_without_a_yes(run, relay, monkeypatch, answer):
    relay.answers_with("POST queue/delete", DELETED)
    answer_at_a_terminal(monkeypatch, answer)
    ended = run("queue", "delete", "A")
    assert ended.status == 1
    assert "Delete 2 mails? [y/N] " in ended.err
    assert "nothing was deleted" in ended.err
    [(_, _, _, body)] = relay.asked
    assert body == {"ids": ["A"], "dry_run": True}


def test_delete_asks_how_many(run, relay, monkeypatch):
    relay.answers_with("POST queue/delete", DELETED)
    answer_at_a_terminal(monkeypatch, "y\n")
    ended = run("queue", "delete", "--sender=boss@x.example", "--notify")
    assert (ended.status, ended.out) == (0, "3 deliveries deleted\nA\nB\n")
    *_, (_, _, _, body) = relay.asked
    assert body == {"filter": {"sender": "boss@x.example"}, "notify": True}


def test_delete_does_not_ask_with_yes(run, relay):
    relay.answers_with("POST queue/delete", DELETED)
    assert run("queue", "delete", "A", "--yes").status == 0
    [(_, _, _, body)] = relay.asked
    assert body == {"ids": ["A"], "notify": False}
