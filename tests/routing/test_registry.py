from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.address import matching_form
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.routing.account import Account, AccountType, NullSender
from multisendcon_plugin.routing.registry import AccountRegistry, Route


def account(name, senders=(), recipients=(), **settings):
    return Account(
        name=name,
        server="smtp.example",
        senders=Masks.parse(senders),
        recipients=Masks.parse(recipients),
        **settings,
    )


def envelope(sender, author=""):
    return Envelope(reverse_path=sender, recipients=("a@b",), author=author)


def name_of(route):
    return route and route.account


def test_registry_gives_its_accounts():
    accounts = [account("B"), account("A", enabled=False)]
    registry = AccountRegistry(iter(accounts))
    assert list(registry) == accounts
    assert registry.account("A") is accounts[1]
    assert registry.account("C") is None


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        ("joe@sales.example.com", "x@y", "Sales"),
        ("JOE@Sales.Example.COM", "x@y", "Sales"),
        ("boss@sales.example.com", "x@y", "Rest"),
        ("joe@example.com", "x@partner.example", "Partner"),
        ("joe@example.com", "X@PARTNER.example", "Partner"),
        ("joe@example.com", "x@other.example", "Rest"),
        ("joe@a.b.example.com", "x@y", "Branches"),
        ("", "x@partner.example", "Partner"),
        ("", "x@y", "Rest"),
        ("joe@example.com", "postmaster", "Rest"),
        ("joe@example.com", "blocked@y", None),
    ],
)
def test_topmost_account_that_admits_both_wins(sender, recipient, expected):
    registry = AccountRegistry(
        [
            account("Off", enabled=False),
            account("Sales", ["*@sales.example.com", "!boss@*"], ["!blocked@y"]),
            account("Partner", ["!boss@*"], ["*@partner.example"]),
            account("Branches", ["*@*.b.example.com"], ["*@*", "!blocked@y"]),
            account("Rest", [], ["!blocked@y"]),
            account("Never", ["joe@example.com"], ["x@other.example"]),
        ]
    )
    assert name_of(registry.route(sender, recipient)) == expected


@pytest.mark.parametrize(
    ("senders", "recipients", "reason"),
    [
        (["*@x.de"], [], "sender matches *@x.de, every recipient"),
        ([], ["*@*.Y"], "every sender, recipient matches *@*.Y"),
        (["!z@x.de"], ["*"], "every sender, every recipient"),
    ],
)
def test_route_says_why(senders, recipients, reason):
    registry = AccountRegistry([account("A", senders, recipients)])
    route = registry.route("a@x.de", "b@z.y")
    assert route.account == "A"
    assert route.reason == reason


def test_route_of_null_says_why():
    assert AccountRegistry([account("A", ["<>"])]).route_null("", "b@y") == Route(
        account="A", sender_mask="<>", recipient_mask="*"
    )


@pytest.mark.parametrize(
    ("header_from", "recipient", "expected"),
    [
        ("a@x", "b@z", "Null"),
        ("", "b@z", "Null"),
        ("a@x", "b@y", "Early null"),
        ("a@x", "B@Y", "Early null"),
        ("a@x", "b@other", "X"),
        ("a@other", "b@other", "Everyone"),
        ("", "b@other", "Everyone"),
        ("<>", "b@other", "Everyone"),
    ],
)
def test_null_reverse_path_is_routed_by_its_mask_then_by_header_from(
    header_from, recipient, expected
):
    registry = AccountRegistry(
        [
            account("X", ["*@x"]),
            account("Off", ["<>"], enabled=False),
            account("Careful null", ["<>"], ["*@other", "!b@other"]),
            account("Early null", ["<>"], ["*@y"]),
            account("Everyone"),
            account("Null", ["<>", "*@q"], ["*@y", "*@z"]),
        ]
    )
    assert name_of(registry.route_null(header_from, recipient)) == expected


def test_null_mask_alone_admits_no_other_sender():
    registry = AccountRegistry([account("Null", ["<>"])])
    assert registry.route("a@x", "b@y") is None
    assert registry.route("", "b@y") is None


SKIP = NullSender.SKIP


@pytest.mark.parametrize(
    ("header_from", "recipient", "avoid", "expected"),
    [
        ("a@x", "b@y", None, "Rest"),
        ("a@w", "b@y", None, "Rest"),
        ("a@x", "b@z", None, "Null"),
        ("", "b@y", None, "Rest"),
        ("a@x", "b@y", "Rest", "Rest"),
    ],
)
def test_the_null_reverse_path_takes_no_account_that_skips_it(
    header_from, recipient, avoid, expected
):
    registry = AccountRegistry(
        [
            account("Named", ["<>"], null_sender=SKIP),
            account("X", ["*@x"], null_sender=SKIP),
            account("Everyone", null_sender=SKIP),
            account("Null", ["<>"], ["*@z"]),
            account("Rest", null_sender=NullSender.REPLACE),
        ]
    )
    assert name_of(registry.route_null(header_from, recipient, avoid)) == expected
    assert name_of(registry.route("a@x", "b@z")) == "X"


def test_without_an_account_that_takes_it_the_null_reverse_path_has_no_route():
    registry = AccountRegistry([account("X", ["*@x"], null_sender=SKIP)])
    assert registry.route_null("a@x", "b@y") is None
    assert registry.route_null("a@x", "b@y", "X") is None


@pytest.mark.parametrize(
    ("sender", "author", "expected"),
    [("", "a@x", "C"), ("", "", "C"), ("a@x", "", "B"), ("a@x", "a@x", "B")],
)
def test_an_account_that_skips_the_null_reverse_path_is_no_fallback_for_it(
    sender, author, expected
):
    registry = AccountRegistry(
        [account("A"), account("B", null_sender=SKIP), account("C", null_sender=NullSender.PASS)]
    )
    assert registry.fallback("A", (), envelope(sender, author), ["b@y"]) == expected


FALLBACKS = [
    account("A", ["*@x", "*@y"]),
    account("Other", ["*@x"]),
    account("Off", ["*@x", "*@y"], enabled=False),
    account("B", ["*@Y", "*@X"]),
    account("C", ["*@x", "*@y"]),
    account("Named", ["*@x"], fallback=("Gone", "Off", "Named", "Wrong", "C", "A")),
    account("Wrong", ["*@x"], ["*@z"]),
    account("None", ["*@x", "*@y"], fallback=()),
]


@pytest.mark.parametrize(
    ("name", "tried", "expected"),
    [
        ("A", (), "B"),
        ("A", ("B",), "C"),
        ("A", ("C", "B", "None"), None),
        ("C", (), "None"),
        ("None", (), None),
        ("Other", (), "Named"),
        ("Wrong", (), None),
        ("Named", (), "C"),
        ("Named", ("C",), "A"),
        ("Named", ("C", "A"), None),
        ("Gone", (), None),
        ("Off", (), "B"),
    ],
)
def test_fallback(name, tried, expected):
    registry = AccountRegistry(FALLBACKS)
    assert registry.fallback(name, tried, envelope("Joe@X"), ["a@b", "c@d"]) == expected


@pytest.mark.parametrize(
    ("sender", "recipients", "expected"),
    [
        ("a@x", ["a@z"], "Z"),
        ("a@x", ["a@z", "A@W"], "ZW"),
        ("a@x", ["a@z", "a@v"], "All"),
        ("a@y", ["a@z"], "All"),
        ("", ["a@z"], "Null"),
        ("", ["a@v"], "All"),
        ("<> by a@x", ["a@z"], "Z"),
    ],
)
def test_fallback_admits_sender_and_all_recipients(sender, recipients, expected):
    registry = AccountRegistry(
        [
            account("A", fallback=("Z", "ZW", "Null", "All")),
            account("All"),
            account("Z", ["*@x"], ["*@z"]),
            account("ZW", ["*@x"], ["*@z", "*@w"]),
            account("Null", ["<>"], ["*@z"]),
        ]
    )
    sender, _, author = sender.partition("<> by ")
    assert registry.fallback("A", (), envelope(sender, author), recipients) == expected


def test_a_report_can_avoid_an_account_unless_there_is_no_other():
    registry = AccountRegistry([account("N", ["<>"], ["*@y"]), account("A", ["*@x"]), account("B")])
    routes = [
        registry.route_null("m@x", recipient, avoid)
        for recipient in ("r@y", "r@z")
        for avoid in (None, "N", "A", "B")
    ]
    assert [route.account for route in routes] == ["N", "A", "N", "N", "A", "A", "B", "A"]
    alone = AccountRegistry([account("A", ["*@x"])])
    assert alone.route_null("m@x", "r@y", "A").account == "A"
    assert alone.route_null("m@z", "r@y", "A") is None


masks = st.lists(
    st.sampled_from(["a@x.de", "b@x.de", "*@x.de", "*@*.de", "*@*.x.de", "a*@*", "*", "<>", "*@y"])
    | st.sampled_from(["!a@x.de", "!*@x.de", "!*@*.x.de", "!b*@*"]),
    max_size=4,
)
addresses = st.sampled_from(["a@x.de", "b@x.de", "A@z.x.de", "c@y", "b@y", "a@q.de", "", "c@w"])
accounts_ = st.lists(st.tuples(masks, masks, st.booleans()), max_size=8).map(
    lambda rows: [
        account(str(n), senders, recipients, enabled=enabled)
        for n, (senders, recipients, enabled) in enumerate(rows)
    ]
)


def first_match(accounts, sender, recipient):
    for candidate in accounts:
        sender_mask = candidate.senders.match(matching_form(sender))
        recipient_mask = candidate.recipients.match(matching_form(recipient))
        if candidate.enabled and sender_mask and recipient_mask:
            return Route(
                account=candidate.name, sender_mask=sender_mask, recipient_mask=recipient_mask
            )
    return None


@given(
    accounts=accounts_, sender=addresses, recipient=addresses, most_pairs=st.sampled_from([1, 64])
)
def test_route_is_that_of_a_loop_over_all_accounts(accounts, sender, recipient, most_pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multisendcon_plugin.routing.registry._MOST_PAIRS", most_pairs)
        registry = AccountRegistry(accounts)
    assert registry.route(sender, recipient) == first_match(accounts, sender, recipient)


@given(accounts=accounts_, sender=addresses, recipient=addresses)
def test_null_route_is_that_of_a_loop_over_all_accounts(accounts, sender, recipient):
    nulls = [candidate for candidate in accounts if candidate.enabled]
    nulls = [candidate for candidate in nulls if candidate.senders.admits_null]
    nulls = [c for c in nulls if c.recipients.match(matching_form(recipient))]
    expected = nulls[0].name if nulls else name_of(first_match(accounts, sender, recipient))
    assert name_of(AccountRegistry(accounts).route_null(sender, recipient)) == expected


@pytest.fixture
def examined(monkeypatch):
    """Count how often an account's sender masks or recipient masks are asked."""
    asked = []
    match = Masks.match

    def counted(self, address):
        asked.append(address)
        return match(self, address)

    monkeypatch.setattr(Masks, "match", counted)
    return asked


def own(n):
    return [f"u{n}@x.example", f"*@d{n}.example", f"*@*.s{n}.example"]


SHAPES = {
    "own senders": lambda n: account(str(n), own(n)),
    "own recipients": lambda n: account(str(n), [], own(n)),
    "shared senders": lambda n: account(str(n), ["*@example.com"], own(n)),
    "shared recipients": lambda n: account(str(n), own(n), ["*@*.example.com"]),
    "halves": lambda n: (
        account(str(n), ["*@example.com"], own(n))
        if n % 2
        else account(str(n), own(n), ["*@*.example.com"])
    ),
    "both their own": lambda n: account(str(n), own(n), own(n)),
    "many shared senders": lambda n: account(
        str(n), [f"u{i}@example.com" for i in range(30)] + ["*@example.com"], own(n)
    ),
    "many shared recipients": lambda n: account(
        str(n), own(n), [f"u{i}@s.example.com" for i in range(30)] + ["*@s.example.com"]
    ),
    "null": lambda n: account(str(n), ["<>"], own(n)),
}

SENDERS = ["u{}@x.example", "a@d{}.example", "a@b.c.s{}.example", "u1@example.com", "", "a@w"]
RECIPIENTS = ["u{}@x.example", "a@d{}.example", "a@b.s{}.example", "u1@s.example.com", "a@w"]


@pytest.mark.parametrize("shape", SHAPES)
def test_lookup_cost_does_not_grow_with_the_number_of_accounts(shape, examined):
    most = {}
    for size in (10, 10_000):
        registry = AccountRegistry(map(SHAPES[shape], range(size)))
        costs = []
        routes = 0
        for number in (0, size // 2, size - 1, size - 2):
            for sender in SENDERS:
                for recipient in RECIPIENTS:
                    pair = sender.format(number), recipient.format(number)
                    del examined[:]
                    routes += registry.route(*pair) is not None
                    routes += registry.route_null(*pair) is not None
                    costs.append(len(examined))
        assert routes
        most[size] = max(costs)
    assert most[10] == most[10_000] <= 8


def test_account_with_many_masks_on_both_sides_does_not_explode_the_index(examined):
    senders = [f"u{n}@x.example" for n in range(500)]
    recipients = [f"*@d{n}.example" for n in range(400)]
    registry = AccountRegistry([account("A", [*senders, "<>"], recipients), account("B")])
    assert len(registry._index._positions) <= 1000
    assert name_of(registry.route("u7@x.example", "a@d7.example")) == "A"
    assert name_of(registry.route("u7@x.example", "a@d400.example")) == "B"
    assert name_of(registry.route("u500@x.example", "a@d7.example")) == "B"
    assert name_of(registry.route_null("", "a@d7.example")) == "A"


def test_a_route_says_whether_its_account_is_direct():
    direct = attrs.evolve(account("A"), type=AccountType.DIRECT)
    for each in (account("A"), direct):
        for route in (
            AccountRegistry([each]).route("a@x", "b@y"),
            AccountRegistry([attrs.evolve(each, senders=Masks.parse(["<>"]))]).route_null(
                "", "b@y"
            ),
        ):
            assert route.direct is (each is direct)
