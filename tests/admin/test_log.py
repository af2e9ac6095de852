"""`multisendcon log`, with a relay that answers as it is told to."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.admin.examples import lines

ARRIVED = 1_764_000_000.0
CLIENT = {"address": "192.0.2.25", "user": "joe", "helo": "exchange", "tls": "TLSv1.3"}


def event(kind, after=0.0, **fields):
    return {
        "event": kind,
        "time": ARRIVED + after,
        "time_at": "2025-11-24T16:00:00.000Z",
        "id": "GAHCJX3QA",
        "sender": "boss@sales.example.com",
        "message_id": "<1@sales.example.com>",
        "account": "Sales",
        "recipients": ["anna@customer.example"],
        "reply": "",
        "session": "",
        "policy": "",
        "reason": "",
        "to_account": "",
        "due": None,
        "due_at": None,
        "report": "",
        "notified": False,
        **fields,
    }


def story(**fields):
    return {
        "id": "GAHCJX3QA",
        "arrived": ARRIVED,
        "arrived_at": "2025-11-24T16:00:00.000Z",
        "sender": "boss@sales.example.com",
        "recipients": ["anna@customer.example"],
        "message_id": "<1@sales.example.com>",
        "subject": "Offer",
        "size": 1822,
        "client": CLIENT,
        "user": "joe",
        "events": [
            event("accepted", reason="sender matches *@sales.example.com, every recipient"),
            event("attempt", 1, reply="450 4.7.1 greylisted"),
            event("deferred", 1, reply="450 4.7.1 greylisted", due=ARRIVED + 61),
            event("attempt", 2, reply="login: 535 no"),
            event("moved", 2, to_account="Bulk", reason="account Sales rests"),
            event("delivered", 90_000, account="Bulk", reply="250 ok", session="TLSv1.3"),
            event("reported", 90_000, recipients=[], report="GAHCJX4R0"),
            event("ended", 90_000, account="", recipients=[]),
        ],
        **fields,
    }


def without_times(text):
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", "MOMENT", text)
    return re.sub(
        r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", lambda found: "DAY" if found[1] else "H", text
    )


def test_one_story_per_mail(run, relay):
    relay.answers_with("GET history", lines=lines(story(), story(events=[], subject="")))
    ended = run("log")
    assert (ended.status, ended.err) == (0, "")
    first, second = without_times(ended.out).split("\n\n")
    assert first.splitlines() == [
        "GAHCJX3QA  from <boss@sales.example.com> to <anna@customer.example>",
        (
            "  arrived MOMENT from 192.0.2.25 (HELO exchange, user joe, TLSv1.3), 1.8 KiB,"
            ' Message-ID <1@sales.example.com>, Subject "Offer"'
        ),
        (
            "  H  accepted <anna@customer.example> by Sales"
            " (sender matches *@sales.example.com, every recipient)"
        ),
        "  H  deferred <anna@customer.example> by Sales: 450 4.7.1 greylisted; next attempt H",
        "  H  attempt <anna@customer.example> by Sales: login: 535 no",
        "  H  moved <anna@customer.example> from Sales to Bulk (account Sales rests)",
        "  DAY  delivered <anna@customer.example> by Bulk: 250 ok (TLSv1.3)",
        "  DAY  reported by mail GAHCJX4R0",
        "  DAY  ended",
    ]
    assert second.startswith("GAHCJX3QA")


@pytest.mark.parametrize(
    ("session", "end"),
    [
        ("", "4.7.0 no (policy for TLS: dane)"),
        ("to 192.0.2.1, mx.example, dane", "4.7.0 no (to 192.0.2.1, mx.example, dane)"),
    ],
)
def test_the_policy_for_tls_is_told_once(run, relay, session, end):
    told = event("failed", reply="4.7.0 no", session=session, policy="dane")
    relay.answers_with("GET history", lines=lines(story(events=[told])))
    assert run("log").out.splitlines()[-1].endswith(end)


def test_an_attempt_and_what_it_came_to_are_one_line(run, relay):
    events = [
        event("attempt", 1, reply="login: 535 no"),
        event("deferred", 1, reply="535 no", due=ARRIVED + 61),
    ]
    relay.answers_with("GET history", lines=lines(story(events=events)))
    relay.answers_with("GET events", lines=stream(*events))
    expected = "H  deferred <anna@customer.example> by Sales: login: 535 no; next attempt H"
    assert without_times(run("log").out).splitlines()[2:] == [f"  {expected}"]
    [followed] = without_times(run("log", "--follow").out).splitlines()
    assert followed == f"GAHCJX3QA  {expected.replace('H', 'MOMENT', 1)}"


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("2026-01-31", "2026-01-31T00:00:00-05:00"),
        ("2026-01-31T12:00", "2026-01-31T12:00:00-05:00"),
        ("2026-01-31 12:00:00+01:00", "2026-01-31 12:00:00+01:00"),
        ("20260131", "20260131"),
    ],
)
def test_times_are_of_this_machine_as_those_that_are_printed(run, relay, monkeypatch, said, asked):
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    relay.answers_with("GET history", lines=lines(story()))
    run("log", f"--since={said}")
    [(_, _, query, _)] = relay.asked
    assert query["since"] == asked


def test_json(run, relay):
    relay.answers_with("GET history", lines=lines(story(subject="Grüße\x9b")))
    ended = run("log", "--json")
    assert ended.out.isascii()
    assert json.loads(ended.out) == story(subject="Grüße\x9b")


def test_the_relay_is_asked_with_the_filter(run, relay):
    relay.answers_with("GET history", lines=lines(story()))
    run(
        *("log", "--sender=<>", "--recipient=a@b.example", "--message-id=<1@x>", "--account=A B"),
        *("--since=1h", "--until=2026-01-31T12:00:00Z", "--id=GAH", "--limit=3"),
    )
    [(_, _, query, _)] = relay.asked
    assert query == {
        "sender": "",
        "recipient": "a@b.example",
        "message_id": "<1@x>",
        "account": "A B",
        "since": "1h",
        "until": "2026-01-31T12:00:00Z",
        "id": "GAH",
        "limit": "3",
    }


def test_nothing_found(run, relay):
    relay.answers_with("GET history", lines=())
    ended = run("log", "--since=1h")
    assert (ended.status, ended.out) == (3, "")
    assert "the history has no mail like that" in ended.err
    assert run("log").status == 0


def test_a_relay_that_keeps_no_history(run, relay):
    relay.answers_with("GET history", {"error": "keep = 0 in [history]"}, status=409)
    ended = run("log")
    assert (ended.status, ended.out) == (1, "")
    assert "keep = 0 in [history]" in ended.err


# Follow.


def stream(*events):
    """Return events as they are sent; one at a time, with its number."""
    return tuple(
        f": comment\n\nid: {number}\nevent: {each['event']}\ndata: {json.dumps(each)}\n\n".encode()
        for number, each in enumerate(events)
    )


def test_follow_tells_what_happens_to_mails(run, relay):
    told = [event("accepted"), {"event": "account", "account": "Sales"}, event("delivered", 1)]
    relay.answers_with("GET events", lines=stream(*told))
    ended = run("log", "--follow")
    # It ends with the relay; until then, nobody else ends it.
    assert ended.status == 0
    first, second = ended.out.splitlines()
    assert re.fullmatch(r"GAHCJX3QA  \S+ \S+  accepted <anna@customer.example> by Sales", first)
    assert "delivered <anna@customer.example> by Sales" in second


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ("--sender=chief@sales.example.com", False),
        ("--sender=boss@SALES.example.com", True),
        ("--recipient=anna@customer.example", True),
        ("--recipient=bob@customer.example", False),
        ("--account=Sales", True),
        ("--account=Bulk", False),
        ("--message-id=1@sales.example.com", True),
        ("--message-id=2@sales.example.com", False),
        ("--id=GAHCJX3QA", True),
        ("--id=GAHCJX3QB", False),
    ],
)
def test_follow_has_the_filters_of_the_history(run, relay, chosen, found):
    relay.answers_with("GET events", lines=stream(event("accepted")))
    assert bool(run("log", "--follow", "--json", chosen).out) is found


def test_a_mail_that_was_found_is_followed_to_its_end(run, relay):
    told = [
        event("accepted"),
        event("moved", 1, recipients=[], account="X", to_account="Y"),
        event("accepted", 2, id="OTHER", recipients=["bob@customer.example"]),
    ]
    relay.answers_with("GET events", lines=stream(*told))
    ended = run("log", "--follow", "--json", "--recipient=anna@customer.example")
    assert [json.loads(line)["event"] for line in ended.out.splitlines()] == ["accepted", "moved"]


def test_follow_begins_with_the_stories_since(run, relay):
    relay.answers_with("GET events", lines=stream(event("delivered", 1)))
    relay.answers_with("GET history", lines=lines(story()))
    ended = run("log", "--follow", "--since=1h")
    assert ended.out.index("  accepted ") < ended.out.index("GAHCJX3QA  2025")
    assert [path for _, path, _, _ in relay.asked] == ["events", "history", "events"]


def test_follow_goes_on_where_the_connection_broke(run, relay):
    relay.answers_with("GET events", lines=stream(event("accepted")), broken=True)
    ended = run("log", "--follow", "--json")
    # The second time, there is nothing new.
    assert ended.status == 4
    assert len(ended.out.splitlines()) == 1
    assert relay.last_events == [None, "0"]


@pytest.mark.parametrize("more", ["--until=1h", "--limit=3"])
def test_follow_has_no_end(run, relay, more):
    ended = run("log", "--follow", more)
    assert (ended.status, ended.out) == (2, "")
    assert relay.asked == []
