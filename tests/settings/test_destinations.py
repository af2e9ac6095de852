"""How fast an account sends to a domain: what is written, what is known, and what is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.settings import names
from multisendcon_plugin.settings.destinations import Destinations, DestinationSettings, Pace
from multisendcon_plugin.settings.receivers import RECEIVERS
from multisendcon_plugin.settings.words import InvalidValueError


def told(*domains, **keys):
    return DestinationSettings(domains=domains, **keys)


def pace(domain, *written, connections=40, mails=100):
    return Destinations(written).pace(domain, connections=connections, mails_per_connection=mails)


@pytest.mark.parametrize(
    ("of_account", "expected"), [(1, 1), (4, 1), (5, 1), (9, 1), (10, 2), (40, 8), (1000, 200)]
)
def test_an_unknown_domain_gets_a_fifth_of_the_connections_and_at_least_one(of_account, expected):
    assert pace("a.example", connections=of_account) == Pace(
        connections=expected, minimum_wait=0.0, mails_per_connection=100
    )


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("a.example", 1),
        ("b.example", 2),
        ("x.b.example", 3),
        ("x.y.b.example", 3),
        ("c.example", 4),
        ("x.c.example", 4),
        ("example", 8),
        ("xexample", 8),
        ("[192.0.2.1]", 8),
        ("[IPv6:2001:db8::1]", 8),
    ],
)
def test_the_first_that_has_a_domain_counts(domain, expected):
    written = [
        told("a.example", max_connections=1),
        told("b.example", max_connections=2),
        told("*.b.example", max_connections=3),
        told("other.test", "*.example", max_connections=4),
        told("a.example", "x.b.example", max_connections=5),
    ]
    assert pace(domain, *written).connections == expected


def test_a_mask_that_comes_first_counts_before_a_name():
    written = [told("*.example", max_connections=3), told("a.example", max_connections=2)]
    assert pace("a.example", *written).connections == 3


def test_a_written_number_may_be_more_than_a_share_but_not_more_than_the_account_has():
    written = told("a.example", max_connections=20, max_mails_per_connection=500)
    assert pace("a.example", written).connections == 20
    assert pace("a.example", written, connections=10).connections == 10
    assert pace("a.example", written).mails_per_connection == 100
    assert pace("a.example", written, mails=1000).mails_per_connection == 500


def test_mails_with_a_wait_between_them_need_one_connection():
    written = told("a.example", minimum_wait=1.5, max_connections=5)
    assert pace("a.example", written) == Pace(
        connections=1, minimum_wait=1.5, mails_per_connection=100
    )


@pytest.mark.parametrize(
    ("domain", "connections", "mails"),
    [
        ("gmail.com", 5, 50),
        ("outlook.com", 5, 50),
        ("yahoo.com", 8, 20),
        ("icloud.com", 8, 5),
        ("comcast.net", 8, 100),
        ("gmx.de", 4, 20),
        ("web.de", 4, 20),
        ("orange.fr", 2, 100),
        ("vip.qq.com", 4, 8),
    ],
)
def test_big_receivers_are_known_within_the_share(domain, connections, mails):
    expected = Pace(connections=connections, minimum_wait=0.0, mails_per_connection=mails)
    assert pace(domain) == expected
    assert pace(domain, connections=5).connections == 1


def test_what_is_written_wins_key_by_key():
    assert pace("gmail.com", told("gmail.com", max_connections=12)) == Pace(
        connections=12, minimum_wait=0.0, mails_per_connection=50
    )
    assert pace("gmail.com", told("*.com", max_mails_per_connection=80)) == Pace(
        connections=5, minimum_wait=0.0, mails_per_connection=80
    )


def test_a_domain_has_a_longest_length():
    assert names.domain_mask(f"*.{'a.' * 124}example") == f"*.{'a.' * 124}example"
    with pytest.raises(InvalidValueError, match="is not a domain"):
        names.domain_mask(f"{'a.' * 125}example")


def test_ten_receivers_are_known_each_with_its_source():
    assert len(RECEIVERS) == 10
    domains = [domain for each in RECEIVERS for domain in each.domains]
    assert len(domains) == len(set(domains))
    assert [names.domain_mask(each) for each in domains] == domains
    for each in RECEIVERS:
        assert each.title
        assert each.source
        assert each.max_connections or each.max_mails_per_connection


_LABEL = st.text("abx", min_size=1, max_size=2)
_NAME = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)
_FORM = st.tuples(st.sampled_from(["", "*."]), _NAME).map("".join)


@given(domain=_NAME, tables=st.lists(st.lists(_FORM, min_size=1, max_size=3), max_size=6))
def test_as_a_walk_over_all_tables_finds_it(domain, tables):
    def has(form):
        return domain.endswith(form[1:]) if form.startswith("*.") else domain == form

    expected = next((n for n, forms in enumerate(tables, 1) if any(map(has, forms))), 8)
    written = [told(*forms, max_connections=n) for n, forms in enumerate(tables, 1)]
    assert pace(domain, *written).connections == expected
