"""Whether it is our address that is refused, and by how many."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.blocked import WINDOW, BlockedShare, answering, blocked

OURS = ("192.0.2.10", "2001:db8::10")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Client host [192.0.2.10] blocked using zen.spamhaus.org; see www.spamhaus.org",
            "192.0.2.10 is on the blocklist zen.spamhaus.org",
        ),
        (
            "Client host [203.0.113.5] blocked using bl.spamcop.net",
            "203.0.113.5 is on the blocklist bl.spamcop.net",
        ),
        (
            "connection refused, see http://www.barracudacentral.org/reputation?ip=192.0.2.10",
            "192.0.2.10 is on the blocklist www.barracudacentral.org",
        ),
        ("blocked using dnsbl.house.example", "the local address is on the blocklist"),
        ("Messages from 192.0.2.10 weren't sent. Your network is on our block list (S3140)", ""),
        ("[2001:DB8::10] has a poor reputation", "2001:db8::10 is blocked"),
    ],
)
def test_an_answer_that_names_our_address_or_a_list_is_about_us(text, expected):
    found = blocked(Reply(550, "5.7.1", text), OURS)
    assert str(found).lower().startswith(expected.lower())


@pytest.mark.parametrize(
    "text",
    [
        "user unknown",
        "message contains a URL listed by dbl.spamhaus.org",
        "a URL leads to a host that is on zen.spamhaus.org",
        "a link in the body is listed by multi.surbl.org",
        "you are blocked by this user",
        "192.0.2.10 said: mailbox full",
        "198.51.100.9 is blocked",
        "SPF: 192.0.2.10 is not allowed to send for a.example",
    ],
)
def test_other_refusals_are_not(text):
    assert blocked(Reply(550, "5.7.1", text), OURS) is None


def test_what_is_no_refusal_is_not():
    assert blocked(Reply(250, "2.0.0", "not blocked using zen.spamhaus.org")) is None


@given(st.text(max_size=3000))
@example("a-" * 1500)
@example("a." * 1500)
@example("blocked by " + "a." * 1500)
def test_any_text_can_be_read(text):
    reply = Reply(550, "", text)
    found = [blocked(reply, OURS) for _ in range(20)]  # each recipient may get one of its own
    assert all(each is None or str(each) for each in found)


def share(*heard, at=0.0):
    counted = BlockedShare()
    for n, refused in enumerate(heard):
        counted.heard(f"{n}.example", refused=refused, now=at)
    return counted


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([True] * 2, False),
        ([True] * 3, True),
        ([False] * 3 + [True] * 3, True),
        ([False] * 4 + [True] * 3, False),
        ([False] * 50 + [True] * 4, False),
        ([False] * 50 + [True] * 5, True),
        ([True] * 50 + [False] * 6, False),
    ],
)
def test_it_is_the_share_of_the_last_ones_that_counts(heard, expected):
    assert share(*heard).most_refuse is expected


def test_one_that_says_it_of_many_mails_counts_once():
    counted = BlockedShare()
    for _ in range(10):
        counted.heard("b.example", refused=True, now=0.0)
    assert (counted.refusing, counted.most_refuse) == (1, False)
    counted.heard("b.example", refused=False, now=1.0)
    assert counted.refusing == 0


def test_the_last_ones_are_those_who_were_heard_last():
    counted = BlockedShare()
    for who in ["a", *"bcdefghij", "a", "k"]:
        counted.heard(f"{who}.example", refused=who == "a", now=0.0)
    assert counted.refusing == 1


def test_what_was_said_long_ago_does_not_count():
    counted = share(True, True)
    counted.heard("late.example", refused=True, now=WINDOW)
    assert (counted.refusing, counted.most_refuse) == (1, False)


def test_once_most_refuse_it_a_single_one_is_enough_until_one_does_not():
    counted = share(True, True, True)
    for n in range(1, 5):
        counted.heard("a.example", refused=True, now=n * (WINDOW + 1))
        assert (counted.refusing, counted.most_refuse) == (1, True)
    counted.heard("b.example", refused=False, now=5 * (WINDOW + 1))
    assert not counted.most_refuse
    counted.heard("a.example", refused=True, now=5 * (WINDOW + 1))
    assert not counted.most_refuse


def test_it_says_how_many():
    assert str(share(False, True, True, True)) == "3 of the last 4 mail servers refuse it"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("contoso-com.mail.protection.outlook.com", "outlook.com"),
        ("mx1.b.example", "b.example"),
        ("MX1.a.b.example", "b.example"),
        ("b.example", "b.example"),
        ("localhost", "localhost"),
        ("uk", "uk"),
        ("mx.b.co.uk", "b.co.uk"),
        ("mx.co.b.uk", "b.uk"),
        ("mx.com.org", "com.org"),
        ("192.0.2.1", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::/48"),
    ],
)
def test_hosts_of_one_provider_answer_as_one(host, expected):
    assert answering(host) == expected


def test_one_who_has_a_domain_is_not_many():
    counted = BlockedShare()
    for n in range(10):
        counted.heard(answering(f"mx.{n}.b.example"), refused=True, now=0.0)
        counted.heard(answering(f"2001:db8::{n}"), refused=True, now=0.0)
    assert (counted.refusing, counted.most_refuse) == (2, False)
