"""`multisendcon account`, `status` and `reload`, with a relay that answers as it is told to."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.admin.examples import account, lines, login, status

RESTS = account(name="Bulk", state="resting", fault="450 busy", until=4e9, waiting=7, held=1)


def test_list(run, relay):
    relay.answers_with("GET accounts", lines=lines(account(), RESTS))
    ended = run("account", "list")
    titles, first, second = ended.out.splitlines()
    assert titles.split()[:3] == ["ACCOUNT", "STATE", "WAITING"]
    assert first.startswith("Sales    ok             0     0       -         0.2    12       1  ")
    assert second.startswith("Bulk     resting        7     1")
    assert second.endswith("until 2096-10-02 07:06:40: 450 busy")
    assert [json.loads(line) for line in run("account", "list", "--json").out.splitlines()] == [
        account(),
        RESTS,
    ]


def test_quotas(run, relay):
    quota = [{"quota": "30 mails/1m", "used": 5, "left": 25, "opens": None}]
    relay.answers_with("GET accounts", lines=lines(account(quota=quota)))
    assert "25 of 30 mails/1m" in run("account", "list").out


def test_until_when_a_quota_is_used_up(run, relay):
    used_up = account(state="quota", until=4e9, fault="its quota of 30 mails/1m is used up")
    relay.answers_with("GET accounts", lines=lines(used_up))
    _, row = run("account", "list").out.splitlines()
    assert row.endswith("until 2096-10-02 07:06:40: its quota of 30 mails/1m is used up")


LOGINS = [
    (None, ""),
    (login(), ""),
    (login(expires=4e9), ""),
    (login(expires=1.7e9), "its login has expired on 2023-11-14"),
    (login(trouble="ask \x1b[2J"), "its login: ask \\x1b[2J"),
]


@pytest.mark.parametrize(("told", "said"), LOGINS)
def test_of_a_login_only_what_is_worth_it_is_said(run, relay, told, said):
    relay.answers_with("GET accounts", lines=lines(account(login=told)))
    _, row = run("account", "list").out.splitlines()
    assert row.endswith(said)
    assert bool(said) == ("login" in row)


def test_a_login_that_ends_in_a_month_is_said_beside_what_is_wrong(run, relay):
    soon = login(expires=time.time() + 29 * 86400, trouble="no such client")
    ends = time.strftime("%Y-%m-%d", time.gmtime(soon["expires"]))
    known = account(state="login", fault="login: 5.7.8 no such client", login=soon)
    later = account(login=login(expires=time.time() + 31 * 86400))
    relay.answers_with("GET accounts", lines=lines(known, later))
    _, first, second = run("account", "list").out.splitlines()
    assert first.endswith(f"  login: 5.7.8 no such client; its login expires on {ends}")
    assert "login" not in second


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("pause", "Sales is paused"),
        ("resume", "Sales goes on"),
        ("probe", "Sales tries one mail now"),
    ],
)
def test_actions(run, relay, action, said):
    relay.answers_with(f"POST accounts/Sales/{action}", account())
    ended = run("account", action, "Sales")
    assert (ended.status, ended.out, ended.err) == (0, f"{said}\n", "")
    assert json.loads(run("account", action, "Sales", "--json").out) == account()
    assert run("account", action, "Nobody").status == 3


def step(name, **fields):
    said = {"step": name, "ok": True, "seconds": 0.012, "result": "", "address": "", "advice": ""}
    return {**said, **fields}


STEPS = [
    step("dns", result="192.0.2.1, 2001:db8::1"),
    step(
        "login", ok=False, seconds=0.5, result="535 no", address="192.0.2.1", advice="see password"
    ),
]


def test_how_long_an_account_has_not_been_well_is_said(run, relay):
    now = time.time()
    rows = account(state="paused", since=now - 3600.0 * 48), account(state="ok", since=now)
    relay.answers_with("GET accounts", lines=lines(*rows))
    _, paused, well = run("account", "list").out.splitlines()
    assert re.search(r"  since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", paused)
    assert "since" not in well


def test_advice_is_not_said_twice(run, relay):
    tested = {"account": "Sales", "ok": False, "advice": "see password", "steps": STEPS}
    relay.answers_with("POST accounts/Sales/test", lines=lines(*STEPS, tested))
    assert run("account", "test", "Sales").out.splitlines()[-2:] == [
        "        see password",
        "Sales cannot send mail",
    ]


@pytest.mark.parametrize(("ok", "expected"), [(True, 0), (False, 1)])
def test_test(run, relay, ok, expected):
    tested = {"account": "Sales", "ok": ok, "advice": "do this", "steps": STEPS}
    relay.answers_with("POST accounts/Sales/test", lines=lines(*STEPS, tested))
    ended = run("account", "test", "Sales", "--to=me@x.example", "--connections")
    assert ended.status == expected
    assert ended.out.splitlines() == [
        "ok      dns (0.01 s): 192.0.2.1, 2001:db8::1",
        "FAILED  login 192.0.2.1 (0.50 s): 535 no",
        "        see password",
        "Sales can send mail" if ok else "Sales cannot send mail: do this",
    ]
    [(_, _, _, body)] = relay.asked
    assert body == {"to": "me@x.example", "from": None, "connections": True}
    ended = run("account", "test", "Sales", "--json")
    assert (ended.status, json.loads(ended.out)) == (expected, tested)


def test_a_test_that_connected_nobody_promises_nothing(run, relay):
    port = {**STEPS[0], "step": "port 25", "result": "not tried"}
    tested = {"account": "Directly", "ok": True, "advice": "", "steps": [STEPS[0], port]}
    relay.answers_with("POST accounts/Directly/test", lines=lines(*tested["steps"], tested))
    ended = run("account", "test", "Directly")
    assert ended.out.splitlines()[-1] == "Directly has no fault as far as it was tested"


def test_a_mail_that_was_sent_is_said_to_have_been(run, relay):
    steps = [*STEPS, {**STEPS[0], "step": "mail", "result": "250 ok"}]
    tested = {"account": "Directly", "ok": False, "advice": "see password", "steps": steps}
    relay.answers_with("POST accounts/Directly/test", lines=lines(*steps, tested))
    ended = run("account", "test", "Directly")
    assert (ended.status, ended.out.splitlines()[-1]) == (
        1,
        "Directly can send mail, but has a fault",
    )


@pytest.mark.parametrize(
    ("failed", "after", "said"),
    [
        # Strangers see a fault; nobody was asked whether mail is taken.
        ("ptr", "port 25", "Directly has a fault: do this"),
        ("dns", "port 25", "Directly cannot send mail: do this"),
        # It is about the domain of the mail.
        ("mx", "", "Directly cannot send mail to me@x.example: do this"),
        ("local address", "mx", "Directly cannot send mail: do this"),
    ],
)
def test_a_fault_is_told_of_no_more_than_it_concerns(run, relay, failed, after, said):
    steps = [step(failed, ok=False), *([step(after)] if after else [])]
    tested = {"account": "Directly", "ok": False, "advice": "do this", "steps": steps}
    relay.answers_with("POST accounts/Directly/test", lines=lines(*steps, tested))
    assert run("account", "test", "Directly", "--to=me@x.example").out.splitlines()[-1] == said


def test_an_account_that_cannot_be_tested(run, relay):
    relay.answers_with("POST accounts/Sales/test", {"error": "it is being tested"}, status=409)
    ended = run("account", "test", "Sales")
    assert (ended.status, ended.out) == (1, "")
    assert "it is being tested" in ended.err


def test_status_begins_with_what_is_wrong(run, relay):
    alarm = {"kind": "login", "account": "Sales", "text": "cannot log in", "since": 1.7e9}
    relay.answers_with("GET status", status(alarms=[alarm], accepting=False))
    ended = run("status")
    first, second, third, fourth, _, *table = ended.out.splitlines()
    assert first.startswith("ALARM since 2023-11-1")
    assert first.endswith(": cannot log in")
    assert second.startswith("multisendcon 0.1.0, running since 2025-11-2")
    assert second.endswith("; IT ACCEPTS NO MAIL")
    assert third == "front process: running; history: on"
    assert fourth.startswith("3 deliveries wait, the oldest for ")
    assert fourth.endswith("; 1 held")
    assert table[1].startswith("Sales")
    assert json.loads(run("status", "--json").out) == status(alarms=[alarm], accepting=False)


def test_reload(run, relay):
    summary = {"added": ["A", "B"], "removed": [], "changed": ["C"]}
    relay.answers_with("POST reload", summary)
    ended = run("reload")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "the configuration was reloaded",
        "  accounts added: A, B",
        "  accounts changed: C",
    ]
    assert json.loads(run("reload", "--json").out) == summary


@pytest.mark.parametrize(("number", "said"), [(0, ""), (1, "1 destination rests (queue list)")])
def test_destinations_that_rest_are_counted(run, relay, number, said):
    row = account(type="direct", resting_destinations=number)
    relay.answers_with("GET accounts", lines=lines(row))
    shown = run("account", "list").out
    assert ("destination" in shown) == bool(said)
    assert said in shown
