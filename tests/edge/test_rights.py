"""What clients and users may do: their senders, their authors, and how many mails a minute."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.edge.rights import Rate
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.settings.values import ClientSettings, HeaderFrom
from tests.edge.clients import MAIL, Edge
from tests.edge.test_logins import HASH
from tests.edge.test_security import AUTHENTICATED, plain

HERE = IPv4Address("TCP", "127.0.0.1", 1)
SCANNER = IPv4Address("TCP", "192.0.2.7", 1)
OTHER = IPv4Address("TCP", "192.0.2.8", 1)
SECRET = PasswordHash.parse(HASH)


def table(*addresses, senders=None, **settings):
    return ClientSettings(
        addresses=tuple(map(ip_network, addresses)),
        senders=senders if senders is None else Masks.parse(senders),
        **settings,
    )


def users(**senders):
    """Return users by name, bound to these senders; ``None``: to none."""
    bound = {name: Masks.parse(masks) for name, masks in senders.items() if masks}
    return Users("users", dict.fromkeys(senders, SECRET), bound)


def edge_with(*clients, **settings):
    return Edge(clients=clients, **({"allow": ["127.0.0.1", "192.0.2.0/24", "::1"]} | settings))


def client_of(edge, *, user=None, peer=HERE):
    client = edge.client(peer=peer)
    if user:
        assert client.ask(plain(user, "secret")) == AUTHENTICATED
    return client


def said_to(client, sender):
    (reply,) = client.ask(b"MAIL FROM:<%s>" % sender.encode())
    client.ask(b"RSET")
    return reply


OK = "250 2.1.0 sender ok"

# Senders.


@pytest.mark.parametrize(
    ("masks", "sender", "admitted"),
    [
        (["scanner@x.example"], "scanner@x.example", True),
        (["scanner@x.example"], "Scanner@X.Example", True),
        (["scanner@x.example"], '"scanner"@x.example', True),
        (["scanner@x.example"], "ceo@x.example", False),
        (["scanner@x.example"], "scanner@x.example.evil.example", False),
        (["scanner@x.example"], "", False),
        (["*@x.example"], "ceo@x.example", True),
        (["*@x.example"], "ceo@sub.x.example", False),
        (["*"], "ceo@x.example", True),
        (["*"], "", False),
        (["*", "<>"], "", True),
        (["<>"], "", True),
        (["<>"], "ceo@x.example", False),
        (["!ceo@x.example"], "ceo@x.example", False),
        (["!ceo@x.example"], "joe@x.example", True),
        (["!ceo@x.example"], "", False),
        (None, "ceo@x.example", True),
        (None, "", True),
    ],
)
@pytest.mark.parametrize("of", ["client", "user"])
def test_a_sender_has_to_be_one_of_theirs(masks, sender, admitted, of):
    if of == "client":
        client = client_of(edge_with(table("127.0.0.1", senders=masks)))
        who = "127.0.0.1"
    else:
        client = client_of(edge_with(users=users(joe=masks)), user="joe")
        who = "joe"
    refusal = f"550 5.7.1 {who} may not send as <{sender}>"
    assert said_to(client, sender) == (OK if admitted else refusal)


@pytest.mark.parametrize(
    ("clients", "peer", "admitted"),
    [
        ([table("192.0.2.7", senders=["a@x.example"])], SCANNER, False),
        (
            [table("192.0.2.7", senders=["a@x.example"])],
            IPv6Address("TCP", "::ffff:192.0.2.7", 1),
            False,
        ),
        ([table("192.0.2.7", senders=["a@x.example"])], OTHER, True),
        ([table("192.0.2.0/24", senders=["a@x.example"])], OTHER, False),
        # The first table counts, here as for all that differs.
        ([table("192.0.2.7"), table("192.0.2.0/24", senders=["a@x.example"])], SCANNER, True),
        ([table("0.0.0.0/0", senders=["a@x.example"])], UNIXAddress(None), True),
    ],
)
def test_a_table_binds_the_clients_that_it_lists(clients, peer, admitted):
    client = client_of(edge_with(*clients), peer=peer)
    assert said_to(client, "ceo@x.example").startswith("250" if admitted else "550 5.7.1")
    assert said_to(client, "a@x.example") == OK


@pytest.mark.parametrize(
    ("of_client", "of_user", "mine"),
    [
        (["client@x.example"], ["user@x.example"], {"user@x.example"}),
        (["client@x.example"], None, {"client@x.example"}),
        (None, ["user@x.example"], {"user@x.example"}),
        (None, None, {"user@x.example", "client@x.example"}),
        # A user who may do more than the client is not held back by it.
        (["client@x.example"], ["*"], {"user@x.example", "client@x.example"}),
    ],
)
@pytest.mark.parametrize("written", ["joe", "JOE"])
def test_what_is_said_of_a_user_wins(of_client, of_user, mine, written):
    edge = edge_with(table("127.0.0.1", senders=of_client), users=users(joe=of_user, ann=["<>"]))
    client = client_of(edge, user=written)
    for sender in ("user@x.example", "client@x.example"):
        assert said_to(client, sender).startswith("250" if sender in mine else "550 5.7.1"), sender


def test_a_session_has_the_rights_of_its_user_only_after_the_login():
    edge = edge_with(table("127.0.0.1", senders=["a@x.example"]), users=users(joe=["b@x.example"]))
    client = edge.client(peer=HERE)
    assert said_to(client, "a@x.example") == OK
    assert client.ask(plain("joe", "secret")) == AUTHENTICATED
    assert said_to(client, "a@x.example").startswith("550")
    assert said_to(client, "b@x.example") == OK


def test_a_refused_sender_is_in_the_log_and_relays_nothing():
    edge = edge_with(table("127.0.0.1", senders=["scanner@x.example"]))
    client = edge.client(peer=HERE)
    with capturedLogs() as events:
        replies = client.ask(
            b"MAIL FROM:<ceo@x.example>", b"RCPT TO:<b@y.example>", b"DATA", b"RSET"
        )
    assert [reply[:3] for reply in replies] == ["550", "503", "503", "250"]
    assert formatEvent(events[0]).startswith(
        "127.0.0.1 rejected: 550 5.7.1 127.0.0.1 may not send as <ceo@x.example>"
    )
    assert edge.messages == []


def test_no_name_makes_a_refusal_that_is_no_line():
    name = "ä" * 300 + "@x.example"
    edge = edge_with(users=users(**{name: ["a@x.example"]}))
    client = client_of(edge, user=name)
    (reply,) = client.ask(b"MAIL FROM:<" + b"b" * 2000 + b"@x.example>")
    assert reply.startswith("550 5.7.1 ")
    assert reply.isascii()
    assert len(reply) <= 510


# Authors.


def mail(*fields):
    return b"".join(field.encode() + b"\r\n" for field in fields) + b"\r\nbody\r\n"


MINE = [
    ["From: joe@x.example"],
    ["From: Joe <JOE@x.example>"],
    ["From: Joe <joe@x.example>, joe2@x.example"],
    ["From: Team: joe@x.example, joe2@x.example;"],
    ["From:", "Subject: x"],
    ["Subject: x"],
    ["From: joe@x.example", "From: joe2@x.example"],
    ['From: "Joe, of X" (at work) <joe@x.example>'],
    ["From: joe@x.example", "Sender: ceo@x.example"],
]
NOT_MINE = [
    ["From: ceo@x.example"],
    ["From: Joe <ceo@x.example>"],
    ["From: joe@x.example, ceo@x.example"],
    ["From: Team: joe@x.example, ceo@x.example;"],
    ["From: joe@x.example", "From: ceo@x.example"],
    ["From: ceo@x.example", "From: joe@x.example"],
    ["fRoM : ceo@x.example"],
    ["From:", "\tceo@x.example"],
    ["From: joe@x.example,", " ceo@x.example"],
]
#: Where readers differ.
DOUBTFUL = [
    ["From: <ceo@x.example> <joe@x.example>"],
    ["From: ceo@x.example <joe@x.example>"],
    ["From: joe@x.example <joe@x.example"],
    ["From: joe@x.example ceo@x.example"],
    ['From: "ceo@x.example <joe@x.example>'],
    ["From: <@ceo.example:joe@x.example>"],
    ["From: ceo"],
    ["From: <>"],
    ["From: =?utf-8?q?ceo=40x.example?="],
    ['From: "ceo@x.example"'],
    ["From: (ceo@x.example)"],
    ["From: ceo@x.example:;"],
    ["From: joe@x.example", "From: ceo"],
]


def bound_edge(header_from=HeaderFrom.MATCH, senders=("joe@x.example", "joe2@x.example", "<>")):
    return edge_with(table("127.0.0.1", senders=senders), header_from=header_from)


@pytest.mark.parametrize("sender", [b"joe@x.example", b""])
@pytest.mark.parametrize("fields", MINE)
def test_authors_of_their_own(fields, sender):
    edge = bound_edge()
    client = edge.client(peer=HERE)
    assert client.send_mail(mail(*fields), sender=sender)[0].startswith("250")
    assert edge.messages[0].content.endswith(mail(*fields))


@pytest.mark.parametrize("sender", [b"joe@x.example", b""])
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        *((fields, "From: <ceo@x.example>") for fields in NOT_MINE),
        *((fields, "what From: has beside its addresses") for fields in DOUBTFUL),
    ],
)
def test_authors_of_others(fields, what, sender):
    edge = bound_edge()
    client = edge.client(peer=HERE)
    assert client.send_mail(mail(*fields), sender=sender) == [
        f"554 5.7.1 127.0.0.1 may not send as {what}"
    ]
    assert edge.messages == []
    assert client.send_mail(mail("From: joe@x.example"), sender=sender)[0].startswith("250")


def test_authors_that_come_octet_by_octet():
    edge = bound_edge()
    client = edge.client(peer=HERE)
    client.begin(sender=b"joe@x.example")
    for octet in mail("From: joe@x.example", "From: ceo@x.example") + b".\r\n":
        client.send(bytes([octet]))
    assert client.replies()[0].startswith("554 5.7.1")
    assert edge.messages == []


@pytest.mark.parametrize(
    "settings",
    [
        {"header_from": HeaderFrom.ANY},
        {"senders": None},
        {"senders": ["*", "<>"]},
    ],
)
def test_authors_of_those_who_are_not_bound(settings):
    edge = bound_edge(**settings)
    for fields in NOT_MINE:
        client = edge.client(peer=HERE)
        assert client.send_mail(mail(*fields), sender=b"joe@x.example")[0].startswith("250")


def test_authors_of_a_user():
    edge = edge_with(users=users(joe=["joe@x.example"]), header_from=HeaderFrom.MATCH)
    client = client_of(edge, user="joe")
    assert client.send_mail(mail("From: ceo@x.example"), sender=b"joe@x.example") == [
        "554 5.7.1 joe may not send as From: <ceo@x.example>"
    ]


@pytest.mark.parametrize("line", [": x", "no field", "=", "\x7f:"])
def test_no_author_hides_behind_a_line_that_is_no_field(line):
    """Some readers go on behind such a line."""
    content = mail("From: joe@x.example", line, "From: ceo@x.example")
    edge = bound_edge()
    edge.client(peer=HERE).send_mail(content, sender=b"joe@x.example")
    (message,) = edge.messages
    first, rest = content.split(b"\r\n", 1)
    assert message.content.endswith(first + b"\r\n\r\n" + rest)
    unbound = bound_edge(HeaderFrom.ANY)
    unbound.client(peer=HERE).send_mail(content, sender=b"joe@x.example")
    assert unbound.messages[0].content.endswith(content)


@pytest.mark.parametrize("content", [b"From: joe@x.example\r\n", b"body\r\n", b"\r\nbody\r\n"])
def test_a_mail_without_a_body_or_a_header_is_left_as_it_is(content):
    edge = bound_edge()
    edge.client(peer=HERE).send_mail(content, sender=b"joe@x.example")
    (message,) = edge.messages
    assert message.content.endswith(content)
    assert message.content.count(b"\r\n\r\n") == (b"body" in content)


def test_an_application_is_not_bound():
    edge = edge_with(table("0.0.0.0/0", senders=["a@x.example"]), header_from=HeaderFrom.MATCH)
    envelope = Envelope(reverse_path="ceo@x.example", recipients=("b@y.example",))
    edge.submit(envelope, MAIL)
    assert len(edge.messages) == 1


# Rates.

CLIENT_REACHED = "451 4.7.1 max_mails_per_minute (2) reached, try again in a minute"
USER_REACHED = "451 4.7.1 max_mails_per_minute_per_user (2) reached, try again in a minute"


def test_a_client_that_sends_too_many_mails_is_put_off():
    edge = edge_with(table("192.0.2.0/24", max_mails_per_minute=2))
    first, second, other = (edge.client(peer=peer) for peer in (SCANNER, SCANNER, OTHER))
    assert said_to(first, "a@x.example") == OK
    edge.clock.advance(30)
    assert said_to(second, "") == OK
    with capturedLogs() as events:
        assert said_to(first, "a@x.example") == said_to(second, "a@x.example") == CLIENT_REACHED
    assert formatEvent(events[0]).startswith(f"192.0.2.7 rejected: {CLIENT_REACHED}")
    assert said_to(other, "a@x.example") == OK
    assert said_to(edge.client(peer=HERE), "a@x.example") == OK
    edge.clock.advance(29)
    assert said_to(second, "a@x.example") == CLIENT_REACHED
    # The first one is a minute ago now; the second one is not.
    edge.clock.advance(1)
    assert said_to(first, "a@x.example") == OK
    assert said_to(first, "a@x.example") == CLIENT_REACHED


@pytest.mark.parametrize(
    ("peers", "together"),
    [
        (("192.0.2.7", "::ffff:192.0.2.7"), True),
        (("2001:db8::1", "2001:db8::ffff:1"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("192.0.2.7", "192.0.2.8"), False),
    ],
)
def test_mails_are_counted_by_client_as_connections_are(peers, together):
    edge = edge_with(
        table("192.0.2.0/24", "2001:db8::/32", max_mails_per_minute=1),
        allow=["0.0.0.0/0", "::/0"],
    )
    clients = [
        edge.client(peer=(IPv6Address if ":" in peer else IPv4Address)("TCP", peer, 1))
        for peer in peers
    ]
    assert said_to(clients[0], "a@x.example") == OK
    assert (said_to(clients[1], "a@x.example") == OK) != together


def test_a_user_that_sends_too_many_mails_is_put_off_wherever_they_log_in():
    edge = edge_with(users=users(joe=None, ann=["ann@x.example"]), max_mails_per_minute_per_user=2)
    local = [client_of(edge, user=name) for name in ("joe", "JOE", "ann")]
    joe, again, ann = local
    assert said_to(joe, "a@x.example") == said_to(again, "a@x.example") == OK
    assert said_to(joe, "a@x.example") == said_to(again, "a@x.example") == USER_REACHED
    assert said_to(ann, "ann@x.example") == OK
    # Who has not logged in is no user.
    assert said_to(client_of(edge), "a@x.example") == OK
    edge.clock.advance(60)
    assert said_to(joe, "a@x.example") == OK


def test_a_refused_sender_is_no_mail():
    edge = edge_with(table("127.0.0.1", senders=["a@x.example"], max_mails_per_minute=2))
    client = client_of(edge)
    for _ in range(5):
        assert said_to(client, "b@x.example").startswith("550")
    assert said_to(client, "a@x.example") == OK


def test_a_mail_counts_nowhere_when_one_rate_is_reached():
    edge = edge_with(
        table("127.0.0.1", max_mails_per_minute=3),
        users=users(joe=None, ann=None),
        max_mails_per_minute_per_user=2,
    )
    joe, ann = client_of(edge, user="joe"), client_of(edge, user="ann")
    assert [said_to(joe, "a@x.example") for _ in range(4)] == [OK, OK, USER_REACHED, USER_REACHED]
    assert said_to(ann, "a@x.example") == OK
    assert said_to(ann, "a@x.example").startswith("451 4.7.1 max_mails_per_minute (3)")


def test_a_rate_forgets_everybody_after_a_minute():
    now = [0.0]
    rate = Rate("key", 5, lambda: now[0])
    for number in range(10_000):
        now[0] += 0.5
        assert not rate.is_reached(number)
        rate.count(number)
        assert len(rate._mails) == len(rate._counts) <= 120
    now[0] += 60
    assert not rate.is_reached("somebody")
    assert len(rate._mails) == len(rate._counts) == 0


def test_a_client_without_any_of_it_has_no_rights_to_be_asked_for():
    edge = edge_with(table("127.0.0.1"), users=users(joe=None))
    assert edge.client(peer=HERE).session.deliveryFactory.policy.rights is None
    assert client_of(edge, user="joe").session.deliveryFactory.policy.rights is None
