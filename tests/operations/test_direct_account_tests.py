"""The test of an account that delivers directly: what each step finds, and what to do about it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as TimedOutError
from twisted.python.failure import Failure

from multisendcon_plugin.dns import Mx
from multisendcon_plugin.interfaces.policies import HostPolicy, PolicyName
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.operations.account_tests import AccountTests
from multisendcon_plugin.operations.advice import advice
from multisendcon_plugin.operations.errors import BadRequestError
from multisendcon_plugin.operations.values import AccountTest
from multisendcon_plugin.relay.direct import examination
from multisendcon_plugin.relay.findings import Finding, Problem
from multisendcon_plugin.routing.account import Account, AccountType
from tests.queues import run
from tests.relay.direct.world import REFUSED, Mailing
from tests.relays import Server

OURS, TO = "127.0.0.9", "r@b.example"
NAME = "out.example.com"
PTR = "9.0.0.127.in-addr.arpa"


class Examiner:
    """A direct account, and the tests of it.

    :ivar world: its DNS and servers; both domain and address are as they should be.
    """

    def __init__(self, **account):
        account = {"local_address": (OURS,), "helo_domain": NAME, **account}
        self.world = Mailing(fixed_sender="sales@example.com", **account)
        self.zones = self.world.names.zones
        self.world.names.secure = {"."}
        self.zones["."] = {}
        self.zones[PTR] = {"PTR": [NAME]}
        self.zones[NAME] = {"A": [OURS]}
        self.world.domain("b.example", "mx1.b.example", "mx2.b.example")
        self.world.host("mx1.b.example", "127.0.1.1")
        self.world.host("mx2.b.example", "127.0.1.2")
        self.tests = AccountTests(self.world.relays, lambda: 1000, lambda: 1_700_000_000.0)

    def run(self, seconds=1000, **asked):
        results = []
        running = self.tests.run(self.world.account, AccountTest(**asked))
        Deferred.fromCoroutine(running).addBoth(results.append)
        self.world.network.flush()
        run(self.world.network, seconds)
        (tested,) = results
        if isinstance(tested, Failure):
            tested.raiseException()
        assert all(wire.gone for wire in self.world.network.wires)
        return tested


def steps(tested):
    """Return which steps went well, and which did not."""
    return [f"{'' if step.ok else '!'}{step.step}" for step in tested.steps]


def told(tested, name):
    """Return what the one step of that name has found, and what to do."""
    (step,) = (each for each in tested.steps if each.step == name)
    return step.ok, step.result, step.advice


OF_US = ["dns", "dnssec", "local address", "ptr", "helo"]


def test_without_a_recipient_nobody_is_connected():
    test = Examiner()
    tested = test.run()
    assert steps(tested) == [*OF_US, "port 25"]
    assert (tested.ok, test.world.tried) == (True, [])
    assert [each.result for each in tested.steps] == [
        "it answers",
        "answers are verified",
        OURS,
        f"{NAME}, which has this address",
        f"{NAME} is the name of the address",
        "not tried: nobody is connected without a recipient",
    ]
    assert "--to ADDRESS" in told(tested, "port 25")[2]
    assert [each.advice for each in tested.steps[:-1]] == [""] * 5


def test_with_a_recipient_a_mail_is_sent_to_the_first_server():
    test = Examiner()
    tested = test.run(to=TO)
    assert steps(tested) == [*OF_US, "mx", "policy", "connect", "greeting", "ehlo", "tls", "mail"]
    assert (tested.ok, tested.advice) == (True, "")
    assert told(tested, "mx")[1] == (
        "mx1.b.example (10) at 127.0.1.1; mx2.b.example (20) at 127.0.1.2"
    )
    assert told(tested, "policy")[1] == "opportunistic: b.example demands nothing"
    assert told(tested, "connect")[1] == "192.0.2.10 to 127.0.1.1 port 25"
    ((address, server),) = test.world.network.sessions
    assert (address, len(server.taken)) == ("127.0.1.1", 1)
    assert b"MAIL FROM:<sales@example.com>" in server.lines
    assert server.lines[-1] == b"QUIT"
    assert "C: QUIT" in tested.transcript


def test_the_second_server_is_tried_when_the_first_is_silent():
    test = Examiner()
    test.world.network.at["127.0.1.1"] = TimedOutError()
    tested = test.run(to=TO)
    assert steps(tested)[5:9] == ["mx", "policy", "!connect", "policy"]
    assert tested.ok
    assert test.world.tried == ["127.0.1.1", "127.0.1.2"]


@pytest.mark.parametrize("error", [REFUSED, TimedOutError()])
def test_a_closed_port_25_is_named(error):
    test = Examiner()
    test.world.network.at.update({"127.0.1.1": error, "127.0.1.2": error})
    tested = test.run(to=TO)
    assert not tested.ok
    assert "blocks port 25" in tested.advice


def test_only_so_many_addresses_are_tried_in_vain():
    test = Examiner()
    test.world.domain("b.example", *(f"mx{n}.b.example" for n in range(5)))
    for n in range(5):
        test.world.host(f"mx{n}.b.example", f"127.0.2.{n + 1}", server=REFUSED)
    test.run(to=TO)
    assert len(test.world.tried) == examination.MOST_IN_VAIN


def test_one_address_of_each_family_is_examined_and_one_mail_sent():
    test = Examiner(local_address=(OURS, "::1"))
    test.zones["1" + ".0" * 31 + ".ip6.arpa"] = {"PTR": [NAME]}
    test.zones[NAME] = {"A": [OURS], "AAAA": ["::1"]}
    test.world.host("mx1.b.example", "127.0.1.1", "127.0.1.9", "fd00::1", "fd00::9")
    tested = test.run(to=TO)
    assert tested.ok
    assert [step.address for step in tested.steps if step.step == "ptr"] == [OURS, "::1"]
    assert test.world.tried == ["fd00::1", "127.0.1.1"]
    assert [len(server.taken) for _, server in test.world.network.sessions] == [1, 0]


def test_a_dns_that_does_not_answer():
    test = Examiner()
    test.world.names.failures = {".": "no server answers", PTR: "no server answers"}
    tested = test.run()
    assert steps(tested) == ["!dns", "local address", "!ptr", "port 25"]
    assert '"servers" of [dns]' in tested.advice


def test_a_dns_that_does_not_verify_is_worth_a_word():
    test = Examiner()
    test.world.names.secure = set()
    tested = test.run()
    assert tested.ok
    ok, result, todo = told(tested, "dnssec")
    assert (ok, result) == (True, "no answer is known to be verified")
    assert "DANE is off" in todo


NO_PTR = f"{OURS} has no name in the reverse DNS (PTR)"


@pytest.mark.parametrize(
    ("zones", "problem", "todo"),
    [
        ({PTR: {}}, NO_PTR, f"set its name in the reverse DNS (PTR) to {NAME}"),
        (
            {PTR: {"PTR": ["x.example"]}},
            f"{OURS} has the name x.example, which has no such address",
            f"Let the name in the reverse DNS have the address {OURS} again",
        ),
        (
            {PTR: {"PTR": ["x.example"]}, "x.example": {"A": ["127.0.0.8"]}},
            f"{OURS} has the name x.example, which has not that address, but 127.0.0.8",
            "change its name (PTR)",
        ),
        (
            {PTR: {"PTR": ["no name at all"]}},
            f"{OURS} has the name no name at all, which has no such address",
            "change its name (PTR)",
        ),
    ],
)
def test_an_address_whose_name_does_not_lead_back(zones, problem, todo):
    test = Examiner()
    test.zones.update(zones)
    tested = test.run()
    ok, result, advised = told(tested, "ptr")
    assert (ok, result, tested.ok) == (False, problem, False)
    assert todo in advised


@pytest.mark.parametrize(
    ("helo", "ok", "result", "todo"),
    [
        ("OUT.example.com", True, "OUT.example.com is the name of the address", ""),
        ("other.example", True, "other.example has the address", ""),
        (
            "wrong.example",
            False,
            f"wrong.example has not the address {OURS}, but 127.0.0.8",
            "add that address to the DNS of wrong.example",
        ),
        ("no.example", False, f"no.example has no address like {OURS} in the DNS", "helo_domain"),
        (f"[{OURS}]", False, f"[{OURS}] is an address, and no name", '"helo_domain"'),
        ("localhost", False, "localhost is no full name", '"helo_domain"'),
    ],
)
def test_the_name_in_ehlo_has_to_lead_to_the_address(helo, ok, result, todo):
    test = Examiner(helo_domain=helo)
    test.zones["other.example"] = {"A": [OURS]}
    test.zones["wrong.example"] = {"A": ["127.0.0.8"]}
    tested = test.run()
    assert told(tested, "helo")[:2] == (ok, result)
    assert todo in told(tested, "helo")[2]


def test_an_address_that_this_machine_has_not():
    test = Examiner(local_address=("192.0.2.77",))
    tested = test.run()
    assert steps(tested) == ["dns", "dnssec", "!local address", "port 25"]
    assert 'set "local_address" to one that it has' in tested.advice


def test_of_a_pair_the_one_is_named_that_this_machine_has_not():
    tested = Examiner(local_address=(OURS, "2001:db8::77")).run()
    assert "!local address" in steps(tested)
    (failed,) = [each for each in tested.steps if not each.ok]
    assert failed.result.startswith("local_address 2001:db8::77 cannot be used")


def test_without_a_local_address_that_of_the_system_is_looked_at(monkeypatch):
    test = Examiner(local_address=())
    found = {4: OURS, 6: None}
    monkeypatch.setattr(examination, "source_address", found.get)
    tested = test.run()
    assert steps(tested) == [*OF_US, "port 25"]
    assert told(tested, "local address")[1] == f"the system chooses {OURS}"
    found[4] = None
    tested = test.run()
    assert steps(tested) == ["dns", "dnssec", "local address", "port 25"]
    assert "no way to the Internet" in told(tested, "local address")[2]


def test_behind_nat_it_is_said_that_nothing_is_known():
    test = Examiner(allow_private=False)
    found = test.run()
    assert steps(found) == ["dns", "dnssec", "local address", "ptr", "port 25"]
    ok, result, todo = told(found, "ptr")
    assert (ok, result) == (True, "not looked up: a private address is not what others see")
    assert "from which address mail of this machine reaches others" in todo


def test_a_domain_without_a_way():
    test = Examiner()
    test.zones["null.example"] = {"MX": [Mx(0, ".")]}
    tested = test.run(to="r@null.example")
    assert steps(tested)[-1] == "!mx"
    assert "Check the address" in tested.advice


@pytest.mark.parametrize(
    ("failures", "todo"),
    [
        # What is there, nobody has asked for.
        ({}, "Add an address of the other family"),
        ({"mx.c.example": "192.0.2.53 says SERVFAIL"}, "signatures are (DNSSEC)"),
    ],
)
def test_a_domain_without_a_way_from_here(failures, todo):
    test = Examiner()
    test.zones["c.example"] = {"MX": [Mx(10, "mx.c.example")]}
    test.zones["mx.c.example"] = {"AAAA": ["2600::1"]}
    test.world.names.failures.update(failures)
    assert todo in test.run(to="r@c.example").advice


def test_a_policy_that_lets_the_server_have_no_mail():
    test = Examiner()
    test.world.domain("b.example", "mx1.b.example")
    test.world.policies.hosts["mx1.b.example"] = HostPolicy(
        name=PolicyName.DANE, tls=None, why="nobody knows its records", domain="b.example"
    )
    tested = test.run(to=TO)
    assert steps(tested)[-1] == "!policy"
    assert told(tested, "policy")[1] == "dane: nobody knows its records"
    assert "Mail to this server waits" in tested.advice
    assert test.world.tried == []


@pytest.mark.parametrize(
    ("answers", "step", "todo"),
    [
        (
            {"GREETING": f"554 5.7.1 {OURS} is listed at zen.spamhaus.org"},
            "greeting",
            f"Look the address {OURS} up in the blocklist",
        ),
        ({"RCPT": "550 5.7.25 no reverse DNS"}, "mail", "See the steps ptr and helo"),
        ({"RCPT": "451 4.7.1 greylisted"}, "mail", "many servers put off the first mail"),
        ({"RCPT": "550 5.1.1 no such user"}, "mail", "Check the address"),
        ({"END": "550 5.7.23 SPF validation failed"}, "mail", "(SPF)"),
        ({"END": "550 5.7.1 no"}, "mail", "The reply says why"),
        ({"EHLO": "550 bad HELO", "HELO": "550 bad HELO"}, "ehlo", '"helo_domain"'),
    ],
)
def test_what_a_server_says_leads_to_what_to_do(answers, step, todo):
    test = Examiner()
    test.world.domain("b.example", "mx1.b.example")
    test.world.host("mx1.b.example", "127.0.1.1", server=lambda: Server(**answers))
    tested = test.run(to=TO)
    assert not tested.ok
    assert todo in told(tested, step)[2]


def test_connections_are_not_counted():
    with pytest.raises(BadRequestError, match="no server of its own"):
        Examiner().run(connections=True)


def test_every_failure_has_advice():
    account = Account(name="A", type=AccountType.DIRECT, helo_domain=NAME)
    for name in ("dns", "ptr", "helo", "mx", "policy", "connect", "greeting", "ehlo", "tls", "x"):
        reply = Reply(0, "4.4.1", "whatever")
        problem = Problem(Phase.CONNECT, reply, account.classify(Phase.CONNECT, reply))
        found = Finding(step=name, seconds=0.1, result="whatever", problem=problem)
        assert advice(account, found)


@pytest.mark.parametrize(
    ("reply", "todo"),
    [
        (Reply(554, "5.7.1", f"{OURS} is listed at zen.spamhaus.org"), f"Look the address {OURS}"),
        (Reply(0, "4.4.1", "local_address x cannot be used: no"), "Give this machine the address"),
    ],
)
def test_an_alarm_about_the_account_says_what_to_do(reply, todo):
    account = Account(name="A", type=AccountType.DIRECT, local_address=(OURS,))
    problem = Problem(Phase.MAIL, reply, account.classify(Phase.MAIL, reply))
    assert todo in advice(account, Finding(step="", seconds=0.0, result="", problem=problem))
