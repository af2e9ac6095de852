"""Which hosts take the mail for a destination: RFC 5321 section 5.1."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.routing.next_hops import (
    MOST_ADDRESSES,
    MailHost,
    NoRouteError,
    before_ours,
    candidates,
    target,
    usable,
)

#: The value that chi-square exceeds once in a thousand times, with two degrees of freedom.
RARE = 13.816
PUBLIC = "8.8.8.8"


def names_of(hosts):
    return [each.name for each in hosts]


def in_order(hosts):
    """Take the place of chance."""


def hosts(*mx):
    return candidates("b.example", mx, in_order)


def at(*addresses, name="mx.b.example", **more):
    return MailHost(name=name, addresses=addresses, **more)


def tried(*given, private=False, families=(4, 6)):
    found = usable(
        "b.example",
        given,
        admits=lambda address: (6 if ":" in address else 4) in families,
        allow_private=private,
    )
    return [(each.name, each.addresses) for each in found]


def refusal(call, *arguments, **more):
    with pytest.raises(NoRouteError) as caught:
        call(*arguments, **more)
    error = caught.value
    return error.reply.code, error.reply.enhanced, error.temporary, error.reply.text


# What a destination names.


@pytest.mark.parametrize(
    ("destination", "domain"),
    [
        ("b.example", "b.example"),
        ("B.Example.", "b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host.example", "my_host.example"),
    ],
)
def test_a_domain_is_looked_up_as_a_labels(destination, domain):
    assert target(destination) == domain


@pytest.mark.parametrize(
    ("destination", "address"),
    [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:DB8::1]", "2001:db8::1")],
)
def test_an_address_literal_is_its_host(destination, address):
    assert target(destination) == MailHost(name=address, addresses=(address,))


@pytest.mark.parametrize(
    ("destination", "enhanced"),
    [
        ("[192.0.2]", "5.1.3"),
        ("[2001:db8::1]", "5.1.3"),
        ("[IPv6:fe80::1%eth0]", "5.1.3"),
        ("[X400:a]", "5.1.3"),
        ("[192.0.2.1", "5.1.3"),
        ("a\u200bb.example", "5.1.2"),
        ("", "5.1.2"),
    ],
)
def test_what_names_nothing_fails(destination, enhanced):
    assert refusal(target, destination)[:3] == (0, enhanced, False)


@given(st.text())
def test_whatever_it_is_it_is_a_host_a_domain_or_refused(destination):
    try:
        found = target(destination)
    except NoRouteError:
        return
    assert isinstance(found, MailHost) or found.isascii()


# The order.


def test_the_lowest_preference_comes_first():
    found = hosts((20, "b.example"), (5, "c.example"), (10, "a.example"))
    assert [(each.preference, each.name) for each in found] == [
        (5, "c.example"),
        (10, "a.example"),
        (20, "b.example"),
    ]


def test_the_order_of_the_answer_does_not_matter_for_equal_preferences():
    one, other = (10, "b.example"), (10, "a.example")
    assert hosts(one, other) == hosts(other, one)


def test_equal_preferences_are_tried_equally_often_over_a_thousand_mails():
    chance = random.Random(20)
    mx = [(10, "a.example"), (10, "b.example"), (10, "c.example"), (20, "d.example")]
    found = [names_of(candidates("b.example", mx, chance.shuffle)) for _ in range(1000)]
    assert {each[-1] for each in found} == {"d.example"}
    for place in range(3):
        counts = Counter(each[place] for each in found)
        assert set(counts) == {"a.example", "b.example", "c.example"}
        expected = 1000 / 3
        assert sum((each - expected) ** 2 / expected for each in counts.values()) < RARE


def test_a_host_that_is_named_twice_is_tried_once():
    assert names_of(hosts((10, "a.example"), (10, "A.example"))) == ["a.example"]


def test_without_an_mx_the_domain_is_its_own_host():
    assert hosts() == (MailHost(name="b.example"),)


def test_a_null_mx_fails():
    said = refusal(hosts, (0, "."))
    assert said == (556, "5.1.10", False, "the domain b.example takes no mail (null MX)")


def test_a_null_mx_beside_others_says_nothing():
    assert names_of(hosts((0, "."), (10, "a.example"))) == ["a.example"]


# We are one of them.

ALL = hosts((10, "a.example"), (20, "b.example"), (20, "us.example"), (30, "d.example"))


def test_what_is_not_preferred_to_us_is_not_tried():
    assert names_of(before_ours("b.example", ALL, {"us.example"})) == ["a.example"]
    assert before_ours("b.example", ALL, {"else.example"}) == ALL


def test_we_are_known_by_our_addresses_too():
    found = (at("192.0.2.1", name="a.example"), at("192.0.2.7", name="b.example", preference=5))
    assert before_ours("b.example", found, (), {"192.0.2.7"}) == found[:1]


def test_that_we_alone_are_the_host_is_a_loop():
    code, enhanced, temporary, text = refusal(before_ours, "b.example", ALL, {"a.example"})
    assert (code, enhanced, temporary) == (0, "5.4.6", False)
    assert text.startswith("mail for b.example loops back to this relay")


# Their addresses.


def test_the_families_are_tried_by_turns_ipv6_first():
    host = at("8.8.8.8", "8.8.4.4", "2600::1", "2600::2")
    assert tried(host) == [("mx.b.example", ("2600::1", "8.8.8.8", "2600::2", "8.8.4.4"))]


def test_a_family_without_a_local_address_is_left_out():
    assert tried(at(PUBLIC, "2600::1"), families=(4,)) == [("mx.b.example", (PUBLIC,))]


def test_there_is_a_limit():
    host = at(*(f"8.8.8.{n}" for n in range(20)))
    [(_, addresses)] = tried(host)
    assert addresses == host.addresses[:MOST_ADDRESSES]
    assert MOST_ADDRESSES >= 2


PRIVATE = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "240.0.0.1"]
PRIVATE += ["::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"]
# By way of NAT64 (also a network's own), 6to4, and forms that have been given up.
PRIVATE += ["64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1"]
PRIVATE += ["2002:a9fe:a9fe::", "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "4000::1"]
NEVER = ["0.0.0.0", "224.0.0.1", "239.1.1.1", "::", "ff02::1", "::ffff:0.0.0.0"]
NEVER += ["64:ff9b::", "2002:e000:1::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_loopback_and_private_addresses_are_tried_only_if_that_is_allowed(address):
    assert refusal(tried, at(address))[1:3] == ("5.4.4", False)
    assert tried(at(address, PUBLIC)) == [("mx.b.example", (PUBLIC,))]
    assert tried(at(address), private=True) == [("mx.b.example", (address,))]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [False, True])
def test_what_is_no_address_of_one_host_never_is(address, private):
    assert refusal(tried, at(address), private=private)[1:3] == ("5.4.4", False)


@pytest.mark.parametrize("address", [PUBLIC, "2600::1", "64:ff9b::808:808", "2002:808:808::1"])
def test_all_others_are_tried_whatever_way_leads_to_them(address):
    assert tried(at(address)) == [("mx.b.example", (address,))]


def test_a_host_without_addresses_is_passed_over():
    assert tried(at(name="a.example"), at(PUBLIC)) == [("mx.b.example", (PUBLIC,))]


def test_one_of_which_nobody_could_say_where_it_is_too():
    host = at("8.8.4.4", name="a.example", trouble="A of a.example: SERVFAIL")
    assert tried(host, at(PUBLIC)) == [("mx.b.example", (PUBLIC,))]


def test_where_one_of_them_may_be_found_later_the_mail_waits():
    found = at(name="a.example"), at(name="b.example", trouble="A of b.example: SERVFAIL")
    assert refusal(tried, *found) == (0, "4.4.3", True, "A of b.example: SERVFAIL")


@pytest.mark.parametrize(
    ("host", "text"),
    [
        (
            MailHost(name="b.example"),
            (
                "the domain b.example has no mail server in the DNS, and no IPv4 address, which"
                " local_address needs"
            ),
        ),
        (
            at(),
            (
                "no mail server of b.example has an IPv4 address, which local_address needs:"
                " mx.b.example"
            ),
        ),
        (
            at("2600::1"),
            (
                "the mail servers of b.example have IPv6 addresses only, and there is no such"
                " local_address"
            ),
        ),
        (
            at("127.0.0.1"),
            (
                "the mail servers of b.example have no addresses that mail may be sent to, only"
                " 127.0.0.1 (allow_private of [dns])"
            ),
        ),
    ],
)
def test_where_none_can_be_tried_the_mail_fails_and_says_why(host, text):
    assert refusal(tried, host, families=(4,)) == (0, "5.4.4", False, text)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        (
            MailHost(name="b.example"),
            "the domain b.example has no mail server in the DNS, and no address",
        ),
        (at(), "no mail server of b.example has an address: mx.b.example"),
    ],
)
def test_where_both_families_were_asked_for_no_family_is_named(host, text):
    assert refusal(tried, host, families=(4, 6)) == (0, "5.4.4", False, text)


def test_the_text_of_the_error_is_that_of_the_reply():
    assert str(NoRouteError(Reply(0, "5.4.6", "a loop"))) == "5.4.6 a loop"
