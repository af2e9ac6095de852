"""The page Accounts: the list, one account, what is done at once, and tests."""

from __future__ import annotations

import json
from urllib.parse import quote

import attrs
import pytest
from twisted.internet.defer import succeed

from multisendcon_plugin.events import AdminActed
from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.operations import account_tests
from multisendcon_plugin.operations.errors import RefusedError
from multisendcon_plugin.operations.values import AccountCounts
from multisendcon_plugin.outcome.condition import QuotaUse, State
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.quota import quotas
from multisendcon_plugin.times import Time
from tests.operations.desk import Desk
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.html import Page
from tests.page.visitor import Editor, Visitor
from tests.queue_world import account, direct
from tests.web.browser import Connection


def names_of(page):
    return [row[1] for row in page.rows if row[0].isdigit()]


def step(name, ok=True, **more):
    values = {"seconds": 0.25, "result": "found", "address": "192.0.2.1", "advice": ""} | more
    return account_tests.TestStep(step=name, ok=ok, **values)


class FakeTests:
    """Has the results of tests at hand."""

    def __init__(self, *steps, ok=True):
        self.asked = []
        self.result = account_tests.TestedAccount(
            account="Sales",
            ok=ok,
            advice="" if ok else "write another password",
            steps=steps,
            offers=(),
            certificates=(),
            transcript=("S: 220 mail", "C: EHLO relay"),
        )

    async def run(self, tested, asked):
        self.asked.append((tested.name, asked))
        if asked.to == "busy@far.example":
            raise RefusedError("it is being tested")
        return await succeed(self.result)

    async def steps(self, tested, asked):
        self.asked.append((tested.name, asked))
        for each in (*self.result.steps, self.result):
            yield each


def test_the_list_is_in_order_of_priority_with_what_decides():
    desk = Desk(
        [account("Z", senders="*@z.example !x@z.example"), direct("A", recipients="*@far.example")]
    )
    desk.mail(("A", "one@far.example"))
    page = Visitor(desk, Role.VIEW).get("/accounts")
    assert page.status == 200
    assert page.row("1")[1:] == [
        *("Z", "ok", "smtp.z.example:25", "*@z.example , !x@z.example", "every recipient", "0")
    ]
    assert page.row("2")[1:] == ["A", "ok", "direct", "every sender", "*@far.example", "1"]
    assert "/queue?account=A" in page.links
    assert page.buttons == {"Sign out", "Filter"}


def test_buttons_are_for_those_who_may():
    page = Visitor(role=Role.OPERATE).get("/accounts")
    assert page.buttons == {"Sign out", "Filter", "Pause"}
    page = Editor().get("/accounts")
    assert page.buttons == {"Sign out", "Filter", "Pause", "Move up", "Move down", "Move"}
    assert "/accounts/add" in page.links


def test_why_an_account_does_not_send_is_told():
    visitor = Visitor()
    visitor.desk.queue.states["Sales"] = State.LOGIN
    until = visitor.desk.clock.seconds() + 90
    visitor.desk.queue.more["Sales"] = {"fault": "535 wrong password", "until": until}
    page = visitor.get("/accounts")
    assert "535 wrong password" in page.row("1")[2]
    assert "until" in page.row("1")[2]
    assert "Probe" in page.buttons
    page = visitor.get("/accounts/Sales")
    assert "in 1 min 30 s" in page.html
    assert "Probe" in page.buttons


def test_why_an_account_cannot_log_in_is_told():
    standing = LoginStanding(kind="token", trouble="nobody has signed in")
    desk = Desk([account("A", username="a")], logins=lambda _: standing)
    assert "nobody has signed in" in Visitor(desk).get("/accounts").row("1")[2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("account=LAB", ["Lab"]),
        ("account=far.example", ["Lab"]),
        ("account=smtp.+sales", ["Sales"]),
        ("state=off", ["Old"]),
        ("state=ok&account=a", ["Sales", "Lab"]),
        ("account=nobody", []),
    ],
)
def test_the_list_is_filtered(query, found):
    page = Editor().get(f"/accounts?{query}")
    assert names_of(page) == found
    # Who is between two of them is not to be seen: rows cannot be dropped.
    assert "data-sortable" not in page.html


@pytest.mark.parametrize("query", ["state=lost", "page=x", "page=-1"])
def test_a_filter_that_cannot_be_understood(query):
    assert Visitor().get(f"/accounts?{query}").status == 422


def test_thousands_of_accounts_have_pages():
    visitor = Visitor(Desk([account(f"A{n}") for n in range(1250)]))
    page = get_slowly(visitor, "/accounts?account=A")
    seen = names_of(page)
    while 'rel="next"' in page.html:
        page = get_slowly(visitor, [each for each in page.links if "page=" in each][-1])
        seen += names_of(page)
    assert seen == [f"A{n}" for n in range(1250)]
    assert len(names_of(page)) == 50
    assert names_of(get_slowly(visitor, "/accounts?page=999")) == seen[-50:]


def get_slowly(visitor, path):
    """Get a page that is made in several turns of the reactor."""
    connection = Connection(visitor.site)
    connection.send("GET", path, b"", [("X-Remote-User", "ann")])
    for _ in range(5):
        visitor.desk.clock.advance(0)
    answer = connection.answer()
    return Page(path, answer.status, answer.body.decode())


def test_an_account_is_told_with_its_quotas_and_counts():
    desk = Desk(
        counts=lambda _: AccountCounts(
            delivered=12345, failed=2, last_success=Time(1_700_000_000), last_failure=None
        )
    )
    (quota,) = quotas(["30 mails/1m"])
    desk.queue.more["Sales"] = {"quotas": (QuotaUse(quota, 29, 1),)}
    desk.mail()
    page = Visitor(desk, Role.VIEW).get("/accounts/Sales")
    assert page.row("30 mails/1m")[1:] == ["29", "1", "now"]
    assert "12\u202f345 delivered" in page.html
    assert "2023-11-14 22:13:20 UTC" in page.html
    assert "none since the start" in page.html
    assert "/queue?account=Sales" in page.links
    assert page.buttons == {"Sign out"}


def test_an_account_that_is_not_there():
    page = Visitor().get("/accounts/Nobody")
    assert page.status == 404
    assert "There is no account" in page.html


def test_an_account_is_paused_and_resumed_and_probed_and_that_is_told():
    visitor = Visitor()
    told = []
    visitor.desk.events.subscribe(AdminActed, told.append)
    page = visitor.get("/accounts/Sales")
    page = visitor.send(page.form("Pause"), "Pause")
    assert (page.path, page.said) == ("/accounts/Sales", 'Paused: account "Sales"')
    assert visitor.desk.queue.states["Sales"] is State.PAUSED
    page = visitor.send(page.form("Resume"), "Resume")
    assert page.said == 'Resumed: account "Sales"'
    visitor.desk.queue.states["Sales"] = State.RESTING
    page = visitor.get("/accounts/Sales")
    page = visitor.send(page.form("Probe"), "Probe")
    assert page.said == 'Probed: account "Sales"'
    assert [each.text for each in told][-1] == page.said


def test_who_pauses_in_the_list_is_in_the_list_again():
    visitor = Visitor()
    page = visitor.get("/accounts?account=Lab")
    page = visitor.send(page.form("Pause"), "Pause")
    assert page.path == "/accounts?account=Lab"
    form = page.form("Resume")
    page = visitor.send(form, "Resume", back="//evil.example/")
    assert page.path == "/accounts/Lab"


@pytest.mark.parametrize("verb", ["pause", "resume", "probe", "test"])
def test_who_may_only_look_does_nothing(verb):
    visitor = Visitor(role=Role.VIEW)
    token = visitor.get("/accounts").forms[0].fields["token"][0]
    page = visitor.ask("POST", f"/accounts/Sales/{verb}", f"token={token}".encode())
    assert page.status == 403
    assert visitor.desk.queue.told == []


def test_a_test_without_scripts_is_shown_as_a_whole_and_told():
    tests = FakeTests(
        step("dns"),
        step("login", ok=False, result="535 no", advice="write another password"),
        ok=False,
    )
    visitor = Visitor(Desk(tests=tests))
    told = []
    visitor.desk.events.subscribe(AdminActed, told.append)
    form = visitor.get("/accounts/Sales").form("Test")
    page = visitor.send(form, "Test", to="me@far.example", connections="yes")
    assert page.row("dns")[1:] == ["ok", "192.0.2.1", "0.25", "found", ""]
    assert page.row("login")[1:3] == ["failed", "192.0.2.1"]
    assert "The account cannot send mail. write another password" in " ".join(page.said.split())
    assert "C: EHLO relay" in page.html
    [(name, asked)] = tests.asked
    assert (name, asked.to, asked.sender, asked.connections) == (
        "Sales",
        "me@far.example",
        None,
        True,
    )
    assert [each.text for each in told] == [
        'Tested: account "Sales", with a mail to me@far.example'
    ]


def test_a_test_that_is_refused_is_told_on_the_page_of_the_account():
    visitor = Visitor(Desk(tests=FakeTests()))
    page = visitor.send(visitor.get("/accounts/Sales").form("Test"), "Test", to="busy@far.example")
    assert (page.path, page.said) == ("/accounts/Sales", "It is being tested")


def test_scripts_get_each_step_with_the_token_of_the_page():
    visitor = Visitor(Desk(tests=FakeTests(step("dns"), step("login"))))
    page = visitor.get("/accounts/Sales")
    (path,) = [found["data-test"] for _, found in page.tags if "data-test" in found]
    headers = [("Accept", "application/jsonl"), ("Content-Type", "application/json")]
    token = page.forms[0].fields["token"][0]
    assert visitor.ask("POST", path, b"{}", headers).status == 403
    answer = visitor.ask("POST", path, b"{}", [*headers, ("X-Token", token)])
    lines = [json.loads(line) for line in answer.html.splitlines()]
    assert [each.get("step") for each in lines] == ["dns", "login", None]
    assert lines[-1]["transcript"] == ["S: 220 mail", "C: EHLO relay"]


def test_whoever_loads_an_action_anew_sees_the_account():
    visitor = Visitor()
    for verb in ("pause", "resume", "probe", "test", "remove", "order"):
        assert visitor.get(f"/accounts/Sales/{verb}").status == 200


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_text(text):
    name = text.replace("\x00", "").replace("\udce4", "")
    tests = FakeTests(step("login", ok=False, result=text, advice=text, address=text), ok=False)
    tests.result = attrs.evolve(tests.result, advice=text, transcript=(text,))
    desk = Desk([account(name)], tests=tests)
    desk.queue.states[name] = State.RESTING
    desk.queue.more[name] = {"fault": text}
    visitor = Visitor(desk, Role.CONFIGURE)
    listed = visitor.get("/accounts")
    assert is_harmless(listed)
    page = visitor.get(f"/accounts/{quote(name, safe='')}")
    assert page.status == 200
    assert is_harmless(page)
    assert is_harmless(visitor.send(page.form("Test"), "Test"))
    assert is_harmless(visitor.send(page.form("Pause"), "Pause"))
