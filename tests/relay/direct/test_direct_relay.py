"""The way of a mail to the mail servers of its recipients."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest
from twisted.internet.defer import fail
from twisted.internet.error import ConnectBindError, NoRouteError

from multisendcon_plugin.dns import ROOT, DnsError, Mx
from multisendcon_plugin.outcome.attempt import Scope
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.relay.direct import Ourselves
from multisendcon_plugin.relay.direct.direct_relay import LONGEST
from multisendcon_plugin.relay.direct.hosts import LONGEST_REST, SWEEP
from multisendcon_plugin.routing.account import AccountType
from multisendcon_plugin.settings.destinations import DestinationSettings
from multisendcon_plugin.testing import FakeNames
from tests.relay.direct.world import REFUSED, Mailing, said
from tests.relays import CLOSE, SILENT, Server

ONE, TWO, THREE = "198.51.100.1", "198.51.100.2", "198.51.100.3"
SIX = "2001:db8::1"


def two_hosts(**first):
    mailing = Mailing()
    mailing.domain("b.example", "mx1.b.example", "mx2.b.example")
    mailing.host("mx1.b.example", ONE, server=lambda: Server(**first))
    mailing.host("mx2.b.example", TWO)
    return mailing


# Which servers are tried.


def test_mail_goes_to_the_preferred_host():
    mailing = two_hosts()
    attempt = mailing.send()
    assert said(attempt) == ("delivered", "end of data", "250 2.0.0 queued as 1")
    assert attempt.fault is None
    assert attempt.server == "mx1.b.example"
    assert mailing.tried == [ONE]
    assert attempt.session == (f"192.0.2.10 to {ONE} port 25, no TLS, mx1.b.example, opportunistic")


@pytest.mark.parametrize(
    "first",
    [
        {"GREETING": "554 no SMTP service here"},
        {"GREETING": "521 no mail here"},
        {"GREETING": "421 4.3.2 busy"},
        {"GREETING": "450 4.7.1 later"},
        {"GREETING": CLOSE},
        {"EHLO": "550 5.7.1 go away"},
        {"EHLO": "421 4.7.0 not now"},
        {"EHLO": CLOSE},
    ],
)
def test_a_host_that_cannot_be_used_does_not_hide_the_next(first):
    mailing = two_hosts(**first)
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [ONE, TWO]
    assert all(b"MAIL" not in line for line in mailing.network.sessions[0][1].lines)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({"MAIL": "550 5.7.1 not from you"}, "failed"),
        ({"MAIL": "451 4.7.1 later"}, "deferred"),
        ({"RCPT": "550 5.1.1 unknown"}, "failed"),
        ({"RCPT": "450 4.2.0 greylisted"}, "deferred"),
        ({"END": "554 5.7.1 spam"}, "failed"),
        ({"MAIL": CLOSE}, "deferred"),
        ({"END": CLOSE}, "uncertain"),
        ({"RCPT": "421 4.3.2 closing"}, "deferred"),
    ],
)
def test_what_is_said_of_the_mail_is_the_end(answers, verdict):
    mailing = two_hosts(**answers)
    attempt = mailing.send()
    assert said(attempt)[0] == verdict
    assert mailing.tried == [ONE]
    assert attempt.scope is Scope.DESTINATION
    assert attempt.fault is None or attempt.fault.scope is Scope.DESTINATION
    assert not attempt.moves


def test_a_dead_first_host_is_left_out_while_it_rests():
    mailing = two_hosts()
    mailing.network.at[ONE] = REFUSED
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [ONE, TWO]
    mailing.forget()
    mailing.network.advance(11)  # no session is kept any more
    mailing.send()
    assert mailing.tried == [TWO]
    mailing.network.advance(30)
    mailing.network.at[ONE] = Server
    mailing.forget()
    mailing.send()
    assert mailing.tried == [ONE]


def test_a_host_that_rests_is_tried_once_when_an_admin_asks_for_it():
    mailing = shared(2)
    mailing.network.at[ONE] = REFUSED
    mailing.send("d0.example")
    mailing.network.advance(5)
    mailing.relay.probe("d0.example")
    mailing.send("d1.example")
    assert mailing.tried == [ONE]
    mailing.send("d0.example")
    assert mailing.tried == [ONE, ONE]
    mailing.send("d0.example")  # it was tried since
    assert mailing.tried == [ONE, ONE]


def test_who_was_asked_for_is_forgotten_when_no_host_can_rest_any_more():
    mailing = shared(1)
    for n in range(100):
        mailing.relay.probe(f"d{n}.example")
        mailing.network.advance(LONGEST_REST // 10)
    assert len(mailing.relay._asked_for) == 11


def test_where_all_are_dead_the_destination_is_at_fault_and_the_mail_waits():
    mailing = two_hosts()
    mailing.network.at.clear()
    attempt = mailing.send()
    assert said(attempt) == (
        "deferred",
        "connect",
        (
            "4.4.1 mx2.b.example port 25 cannot be reached: Connection refused (from mx2.b.example;"
            " 2 mail servers were tried)"
        ),
    )
    assert (attempt.fault.scope, attempt.fault.action) == (Scope.DESTINATION, Action.REST)
    assert attempt.outcomes[0].action is Action.DEFER
    assert not attempt.moves
    mailing.forget()
    assert said(mailing.send())[0] == "deferred"
    assert mailing.tried == []


def test_what_a_server_says_tells_more_than_that_another_is_dead():
    mailing = two_hosts(GREETING="554 5.3.2 no service")
    mailing.network.at[TWO] = REFUSED
    attempt = mailing.send()
    assert said(attempt) == (
        "deferred",
        "greeting",
        "554 5.3.2 no service (from mx1.b.example; 2 mail servers were tried)",
    )
    assert attempt.server == "mx1.b.example"


def test_a_domain_whose_hosts_all_never_take_mail_fails():
    mailing = two_hosts(GREETING="521 5.3.2 no mail here")
    mailing.host("mx2.b.example", TWO, server=lambda: Server(GREETING="521 neither here"))
    attempt = mailing.send()
    assert said(attempt)[:2] == ("failed", "greeting")
    assert attempt.fault is None


def test_equal_preferences_share_the_mails():
    mailing = Mailing(max_mails_per_connection=1)
    hosts = {f"mx{n}.b.example": f"198.51.100.{n}" for n in range(1, 4)}
    mailing.names.zones["b.example"] = {"MX": [Mx(10, host) for host in hosts]}
    for name, address in hosts.items():
        mailing.host(name, address)
    for _ in range(300):
        mailing.send()
    counts = mailing.counted()
    assert set(counts) == set(hosts.values())
    assert sum((each - 100) ** 2 / 100 for each in counts.values()) < 13.816
    mailing.network.advance(30)


def test_of_several_addresses_the_next_is_tried_both_families_by_turns():
    mailing = Mailing()
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", ONE, TWO, SIX, server=REFUSED)
    mailing.network.at[TWO] = Server
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [SIX, ONE, TWO]


def test_without_a_route_for_one_family_the_other_one_is_tried():
    mailing = Mailing()
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", ONE, SIX)
    mailing.network.at[SIX] = NoRouteError(101, "Network is unreachable")
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [SIX, ONE]


@pytest.mark.parametrize(
    ("local", "tried"),
    [
        (("192.0.2.7",), [(ONE, ("192.0.2.7", 0))]),
        (("2001:db8::7",), [(SIX, ("2001:db8::7", 0))]),
        (
            ("192.0.2.7", "2001:db8::7"),
            [(SIX, ("2001:db8::7", 0)), (ONE, ("192.0.2.7", 0))],
        ),
    ],
)
def test_each_address_is_reached_from_the_local_address_of_its_family(local, tried):
    mailing = Mailing(local_address=local)
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", ONE, SIX, server=REFUSED)
    mailing.send()
    assert [(host, bind) for host, _, _, _, bind in mailing.network.tcpClients] == tried
    types = {rdtype for _, rdtype in mailing.names.asked} - {"MX"}
    assert types == {"AAAA" if ":" in host else "A" for host, _ in tried}


def test_a_local_address_that_cannot_be_used_is_the_account_s_fault():
    mailing = two_hosts()
    mailing.relay = mailing.relays.of(attrs.evolve(mailing.account, local_address=("192.0.2.7",)))
    mailing.network.at[ONE] = ConnectBindError(99, "Cannot assign requested address")
    attempt = mailing.send()
    assert attempt.fault.scope is Scope.ACCOUNT
    assert mailing.tried == [ONE]
    assert "local_address 192.0.2.7 cannot be used" in str(attempt.fault)
    assert attempt.moves


@pytest.mark.parametrize(
    ("here", "scope"), [("127.0.0.9", Scope.DESTINATION), ("192.0.2.7", Scope.ACCOUNT)]
)
def test_one_of_a_pair_that_cannot_be_used_is_no_fault_of_the_account(here, scope):
    mailing = Mailing(local_address=(here, "2001:db8::7"))
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", SIX)
    mailing.network.at[SIX] = ConnectBindError(99, "Cannot assign requested address")
    fault = mailing.send().fault
    assert fault.scope is scope
    assert ("local_address 2001:db8::7 cannot" in str(fault)) is (scope is Scope.DESTINATION)


# What the DNS says.


def dns(zones, destination="b.example", **more):
    mailing = Mailing(zones=zones, **more)
    mailing.network.at[ONE] = Server
    return mailing, mailing.send(destination)


def test_without_an_mx_mail_goes_to_the_domain_itself():
    _mailing, attempt = dns({"b.example": {"A": [ONE]}})
    assert said(attempt)[0] == "delivered"


def test_of_an_alias_policies_know_the_name_that_it_stands_for():
    """RFC 7672 section 3.2.2: a certificate may bear that one, too."""
    mailing = two_hosts()
    mailing.names.zones["alias.example"] = {"CNAME": ["b.example"]}
    mailing.send("alias.example")
    [(domain, server)] = mailing.policies.asked
    assert (domain, server.expanded) == ("alias.example", "b.example")


def test_an_alias_is_followed():
    zones = {"b.example": {"CNAME": ["c.example"]}, "c.example": {"MX": [Mx(1, "mx.c.example")]}}
    _mailing, attempt = dns({**zones, "mx.c.example": {"A": [ONE]}})
    assert said(attempt)[0] == "delivered"


def test_an_address_literal_is_its_own_host():
    mailing, attempt = dns({}, f"[{ONE}]")
    assert said(attempt)[0] == "delivered"
    assert not mailing.names.asked


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({}, ("failed", "dns", "5.1.2 the domain b.example does not exist")),
        (
            {"b.example": {"MX": [Mx(0, ROOT)]}},
            ("failed", "dns", "556 5.1.10 the domain b.example takes no mail (null MX)"),
        ),
        (
            {"b.example": {"TXT": []}},
            (
                "failed",
                "dns",
                "5.4.4 the domain b.example has no mail server in the DNS, and no address",
            ),
        ),
        (
            {"b.example": {"MX": [Mx(0, "mx.b.example")]}},
            (
                "failed",
                "dns",
                "5.4.4 no mail server of b.example has an address: mx.b.example",
            ),
        ),
        (
            {"b.example": {"MX": [Mx(0, "relay.example.com")]}},
            (
                "failed",
                "dns",
                (
                    "5.4.6 mail for b.example loops back to this relay: the DNS names it as the"
                    " mail server"
                ),
            ),
        ),
    ],
)
def test_a_destination_without_a_host_fails_at_once(zones, expected):
    mailing, attempt = dns(zones)
    assert said(attempt) == expected
    assert attempt.fault is None
    assert not mailing.tried


@pytest.mark.parametrize("where", ["b.example", "mx.b.example"])
def test_what_the_dns_does_not_say_now_is_asked_again_later(where):
    mailing = Mailing(zones={"b.example": {"MX": [Mx(0, "mx.b.example")]}})
    mailing.names.failures[where] = "SERVFAIL"
    attempt = mailing.send()
    assert said(attempt)[:2] == ("deferred", "dns")
    assert attempt.fault.reply.enhanced == "4.4.3"
    assert "SERVFAIL" in attempt.fault.reply.text
    assert attempt.fault.scope is Scope.DESTINATION


def unsigned_and_signed(*, secure):
    mailing = Mailing(zones={"b.example": {"MX": [Mx(0, "mx.b.example")]}})
    mailing.host("mx.b.example", ONE)
    mailing.names.failures["mx.b.example", "AAAA"] = "SERVFAIL"
    mailing.names.secure = {"b.example", "mx.b.example"} if secure else set()
    return mailing.send()


@pytest.mark.parametrize("asked", [("b.example", "MX"), ("mx.b.example", "A")])
def test_that_nobody_can_be_asked_is_a_fault_of_the_account(asked, monkeypatch):
    mailing = Mailing()
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", ONE)
    answered = FakeNames.query

    def query(names, name, rdtype):
        if (name, rdtype) == asked:
            return fail(DnsError("no DNS server can be asked now (192.0.2.53)", nobody=True))
        return answered(names, name, rdtype)

    monkeypatch.setattr(FakeNames, "query", query)
    attempt = mailing.send()
    assert attempt.fault.scope is Scope.ACCOUNT
    assert str(attempt.fault) == "dns: 4.4.3 no DNS server can be asked now (192.0.2.53)"
    assert attempt.moves
    assert not mailing.tried


def test_one_family_that_is_not_known_is_no_reason_to_wait():
    assert said(unsigned_and_signed(secure=False))[0] == "delivered"


def test_but_where_the_domain_is_signed_nobody_can_make_it_look_unsigned():
    assert said(unsigned_and_signed(secure=True))[:2] == ("deferred", "dns")


def test_policies_are_asked_for_by_what_the_dns_has_vouched_for():
    mailing = Mailing(zones={"b.example": {"MX": [Mx(0, "mx.b.example")]}})
    mailing.names.zones["mx.b.example"] = {"CNAME": ["host.b.example"]}
    mailing.host("host.b.example", ONE)
    mailing.names.secure = {"b.example", "mx.b.example", "host.b.example"}
    mailing.send()
    [(domain, server)] = mailing.policies.asked
    assert (domain, server.name, server.canonical, server.secure) == (
        "b.example",
        "mx.b.example",
        "host.b.example",
        True,
    )
    assert server.expanded == "b.example"
    mailing.names.secure = {"b.example", "mx.b.example"}
    mailing.send()
    assert not mailing.policies.asked[-1][1].secure


def test_private_addresses_are_refused_unless_they_are_allowed():
    zones = {"b.example": {"A": ["127.0.0.1"]}}
    _mailing, attempt = dns(zones, allow_private=False)
    assert said(attempt)[:2] == ("failed", "dns")
    assert "allow_private of [dns]" in said(attempt)[2]


def test_an_address_at_which_this_relay_answers_is_a_loop():
    zones = {"b.example": {"A": ["127.0.0.1"]}}
    for listens in (("", 25), ("127.0.0.1", 25)):
        mailing, attempt = dns(zones, ours=Ourselves(listens=frozenset({listens})))
        assert said(attempt)[2].startswith("5.4.6 ")
        assert mailing.tried == []


def test_an_address_of_another_machine_is_none_of_ours_wherever_we_listen():
    zones = {"b.example": {"A": [ONE]}}
    mailing, _ = dns(zones, ours=Ourselves(listens=frozenset({("", 25)})))
    assert mailing.tried == [ONE]


@pytest.mark.parametrize("listens", [("", 2500), ("127.0.0.2", 25)])
def test_another_server_of_this_machine_is_none(listens):
    zones = {"b.example": {"A": ["127.0.0.1"]}}
    mailing, _ = dns(zones, ours=Ourselves(listens=frozenset({listens})))
    assert mailing.tried == ["127.0.0.1"]


def test_what_is_less_preferred_than_we_are_is_not_tried():
    mailing = Mailing()
    mailing.domain("b.example", "mx1.b.example", "relay.example.com", "mx2.b.example")
    mailing.host("mx1.b.example", ONE, server=REFUSED)
    mailing.host("mx2.b.example", TWO)
    assert said(mailing.send())[0] == "deferred"
    assert mailing.tried == [ONE]


# Hosts in common.


def shared(count=5, **more):
    mailing = Mailing(**more)
    mailing.host("mx.provider.example", ONE)
    for n in range(count):
        mailing.domain(f"d{n}.example", "mx.provider.example")
    return mailing


def test_domains_with_the_same_host_share_its_sessions():
    mailing = shared()
    for n in range(5):
        mailing.send(f"d{n}.example")
    assert mailing.tried == [ONE]
    [(_, server)] = mailing.network.sessions
    assert len(server.taken) == 5


def test_they_share_its_health():
    mailing = shared()
    mailing.network.at[ONE] = REFUSED
    for n in range(5):
        assert said(mailing.send(f"d{n}.example"))[0] == "deferred"
    assert mailing.tried == [ONE]


def test_a_destination_has_its_own_number_of_mails_over_one_connection():
    few = DestinationSettings(domains=("d0.example", "d1.example"), max_mails_per_connection=2)
    mailing = shared(3, destinations=[few])
    for n in (0, 1, 2, 2, 0, 1, 2):
        mailing.send(f"d{n}.example")
    assert [len(server.taken) for _, server in mailing.network.sessions] == [2, 3, 2]


def test_so_it_is_with_what_is_known_of_a_receiver():
    mailing = Mailing()
    mailing.host("mx.provider.example", ONE)
    mailing.domain("icloud.com", "mx.provider.example")
    for _ in range(7):
        mailing.send("icloud.com")
    assert [len(server.taken) for _, server in mailing.network.sessions] == [5, 2]


@pytest.mark.parametrize(("server", "tried"), [(REFUSED, 1), (lambda: Server(GREETING=CLOSE), 5)])
def test_hosts_with_the_same_addresses_share_that_nobody_listens_there(server, tried):
    mailing = Mailing()
    for n in range(5):
        mailing.domain(f"d{n}.example", f"mx.d{n}.example")
        mailing.host(f"mx.d{n}.example", ONE, server=server)
    for n in range(5):
        attempt = mailing.send(f"d{n}.example")
    assert mailing.tried == [ONE] * tried
    same = "(mx.d4.example has the same addresses)" in str(attempt.fault)
    assert same is (tried == 1)


def test_they_share_its_connections():
    mailing = shared(10)
    mailing.network.at[ONE] = lambda: Server(END=SILENT)
    for n in range(10):
        mailing.begin(f"d{n}.example")
    # A fifth of those of the account.
    assert len(mailing.tried) == 4
    assert mailing.relay.connections == 4


def test_attempts_that_would_wait_for_them_come_again_in_turn():
    mailing = shared(30)
    mailing.network.at[ONE] = lambda: Server(END=SILENT)
    results = [mailing.begin(f"d{n}.example") for n in range(30)]
    waiting = [each for each in results if not each]
    assert len(waiting) == 8
    turned_away = [each[0] for each in results if each]
    assert all(each.inconclusive and each.fault is None for each in turned_away)
    times = [each.not_before for each in turned_away]
    # As fast as those leave that have a place, as far as is known: a second each.
    assert times == pytest.approx([mailing.network.seconds() + n / 8 for n in range(1, 23)])
    mailing.network.advance(5)
    for _, server in list(mailing.network.sessions):
        server.say("250 2.0.0 queued")
    mailing.network.flush()
    assert sum(map(bool, waiting)) >= 4
    assert not mailing.begin("d29.example")


def test_a_host_that_takes_no_more_sessions_goes_on_with_those_it_has():
    mailing = shared(3)
    refusing = Server(GREETING="421 4.7.0 too many connections")
    servers = iter([Server(END=SILENT), refusing, Server()])
    mailing.network.at[ONE] = lambda: next(servers)
    first = mailing.begin("d0.example")
    [refused] = mailing.begin("d1.example")
    assert said(refused)[1:] == ("greeting", "421 4.7.0 too many connections")
    assert refused.fault.action is Action.SLOW
    assert said(mailing.begin("d2.example")[0])[0] == "delivered"
    assert len(mailing.tried) == 3
    mailing.network.sessions[0][1].say("250 2.0.0 queued as 1")
    mailing.network.flush()
    assert said(first[0])[0] == "delivered"
    mailing.begin("d1.example")
    assert len(mailing.tried) == 3


def test_hosts_are_forgotten_when_nothing_uses_them():
    mailing = Mailing()
    for n in range(100):
        mailing.domain(f"d{n}.example", f"mx.d{n}.example")
        mailing.host(f"mx.d{n}.example", f"198.51.100.{n}")
        mailing.send(f"d{n}.example")
    assert mailing.relay.connections <= 20
    assert len(mailing.relay._hosts) == 100
    mailing.network.advance(SWEEP)
    mailing.network.advance(SWEEP)
    assert len(mailing.relay._hosts) == 0
    assert not mailing.network.getDelayedCalls()


def test_of_a_host_that_rests_only_that_is_remembered():
    mailing = shared()
    mailing.network.at[ONE] = REFUSED
    mailing.send("d0.example")
    mailing.network.advance(SWEEP)
    assert len(mailing.relay._hosts) == 0
    mailing.send("d1.example")
    assert mailing.tried == [ONE]
    for _ in range(int((LONGEST_REST + 60) / SWEEP)):
        mailing.network.advance(SWEEP)
    assert not mailing.network.getDelayedCalls()


def test_a_host_rests_longer_each_time_up_to_a_limit():
    mailing = shared(1)
    mailing.network.at[ONE] = REFUSED
    pauses = []
    for _ in range(6):
        mailing.forget()
        began = mailing.network.seconds()
        while not mailing.tried:
            mailing.network.advance(1)
            mailing.send("d0.example")
        pauses.append(mailing.network.seconds() - began)
    assert pauses[1:] == [30, 60, 120, 240, LONGEST_REST]


def test_a_host_that_works_again_rests_as_shortly_as_the_first_time():
    mailing = shared(1, max_mails_per_connection=1)
    for server in (REFUSED, Server, REFUSED):
        mailing.network.at[ONE] = server
        mailing.send("d0.example")
        mailing.network.advance(30)
    mailing.forget()
    mailing.send("d0.example")
    assert mailing.tried == [ONE]


# Bounds.


def test_of_many_hosts_a_few_are_tried():
    mailing = Mailing()
    mailing.domain("b.example", *(f"mx{n}.b.example" for n in range(9)))
    for n in range(9):
        mailing.host(f"mx{n}.b.example", f"198.51.100.{n}", server=REFUSED)
    mailing.send()
    assert mailing.tried == [f"198.51.100.{n}" for n in range(5)]


def many_without_addresses(first, **more):
    mailing = Mailing(**more)
    mailing.domain("b.example", *(f"mx{n}.b.example" for n in range(first + 2)))
    for n in range(first):
        mailing.host(f"mx{n}.b.example")
    mailing.host(f"mx{first}.b.example", ONE)
    mailing.host(f"mx{first + 1}.b.example", TWO)
    return mailing


def test_hosts_without_addresses_do_not_hide_those_behind_them():
    mailing = many_without_addresses(7)
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [ONE]


def test_there_is_an_end_to_looking_for_one():
    mailing = many_without_addresses(20)
    text = said(mailing.send())[2]
    assert text.startswith("5.4.4 no mail server of b.example has an address: mx0.b.example, ")
    assert text.endswith(" mx4.b.example")
    assert mailing.names.asked["mx20.b.example", "A"] == 0


def test_what_is_less_preferred_than_we_are_is_not_looked_for_either():
    mailing = many_without_addresses(7, ours=Ourselves(listens=frozenset({("192.0.2.9", 25)})))
    mailing.host("mx3.b.example", "192.0.2.9")
    assert said(mailing.send())[:2] == ("failed", "dns")
    assert mailing.tried == []


def test_idle_sessions_make_room_within_the_account():
    mailing = Mailing(max_connections=2)
    for n in range(4):
        mailing.domain(f"d{n}.example", f"mx.d{n}.example")
        mailing.host(f"mx.d{n}.example", f"198.51.100.{n}")
        assert said(mailing.begin(f"d{n}.example")[0])[0] == "delivered"
        assert mailing.relay.connections <= 2


def test_an_attempt_has_an_end_whatever_the_hosts_do():
    mailing = Mailing()
    hosts = {f"mx{n}.b.example": f"198.51.100.{n}" for n in range(1, 9)}
    mailing.domain("b.example", *hosts)
    for name, address in hosts.items():
        mailing.host(name, address, server=lambda: Server(GREETING=SILENT))
    results = mailing.begin()
    waited = 0
    while not results:
        mailing.network.advance(10)
        waited += 10
    assert said(results[0])[0] == "deferred"
    assert LONGEST <= waited < LONGEST + 70
    assert 2 <= len(mailing.tried) <= 5


def test_of_many_addresses_a_few_are_tried():
    mailing = Mailing()
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", *(f"198.51.100.{n}" for n in range(1, 20)), server=REFUSED)
    assert said(mailing.send())[0] == "deferred"
    assert len(mailing.tried) == 4


def test_a_slow_host_gives_way_to_the_mail_of_others_within_the_account():
    mailing = Mailing(max_connections=4)
    for n in range(4):
        mailing.domain(f"d{n}.example", f"mx.d{n}.example")
        mailing.host(f"mx.d{n}.example", f"198.51.100.{n}", server=lambda: Server(GREETING=SILENT))
        mailing.begin(f"d{n}.example")
    mailing.domain("b.example", "mx.b.example")
    mailing.host("mx.b.example", "198.51.100.9")
    good = mailing.begin()
    mailing.network.advance(2.9)
    assert not good
    mailing.network.advance(0.1)
    assert said(good[0])[0] == "delivered"


# Other settings, and the end.


def test_other_settings_that_reach_hosts_alike_keep_the_sessions():
    mailing = shared()
    mailing.send("d0.example")
    other = attrs.evolve(mailing.account, max_connections=5)
    assert mailing.relay.reconfigured(other) is mailing.relay
    mailing.send("d1.example")
    assert mailing.tried == [ONE]


@pytest.mark.parametrize("setting", [{"helo_domain": "o.example"}, {"local_address": ("::1",)}])
def test_others_end_the_sessions_with_their_mail(setting):
    mailing = shared()
    mailing.send("d0.example")
    relay = mailing.relay.reconfigured(attrs.evolve(mailing.account, **setting))
    assert relay is not mailing.relay
    mailing.network.flush()
    assert mailing.relay.connections == 0


def test_a_relay_that_stops_ends_what_it_looks_for():
    mailing = shared()
    mailing.names.held = True
    results = mailing.begin("d0.example")
    assert not results
    mailing.relay.stop(5)
    mailing.network.flush()
    [attempt] = results
    assert attempt.fault.scope is Scope.ACCOUNT
    assert attempt.fault.reply.enhanced == "4.3.2"
    assert attempt.inconclusive
    mailing.network.advance(10)
    assert not mailing.network.getDelayedCalls()


def test_an_account_of_the_other_type_is_reached_in_another_way():
    mailing = shared()
    other = attrs.evolve(mailing.account, type=AccountType.SMTP, server="mx.example")
    assert not mailing.account.reached_as(other)


def test_the_number_of_questions_is_that_of_hosts_and_families():
    mailing = two_hosts()
    mailing.send()
    assert mailing.names.asked == Counter(
        {("b.example", "MX"): 1}
        | {(f"mx{n}.b.example", rdtype): 1 for n in (1, 2) for rdtype in ("A", "AAAA")}
    )
