from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.mail.smtp import IMessage
from zope.interface.verify import verifyObject

from multisendcon_plugin.edge import delivery
from multisendcon_plugin.edge.delivery import MOST_PASSES
from multisendcon_plugin.edge.parameters import ForwardPath, ReversePath
from multisendcon_plugin.mail import header
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.routing.account import AccountType
from multisendcon_plugin.settings.values import MasterRelay
from tests.edge.clients import MAIL, Edge, account, offer_security

LONGEST_HEADER = MasterRelay().max_header_size
MOST_HOPS = MasterRelay().max_received
TRACE = re.compile(
    rb"Received: from (?P<name>\S+) \(\[(?P<peer>\S+)\]\)\r\n"
    rb"\tby relay\.example with (?P<protocol>\S+) id (?P<id>\w+);\r\n"
    rb"\t(?P<date>[^\r\n]+)\r\n"
)


def received(content, edge=None, **envelope):
    """Send a mail; return what the intake got."""
    edge = edge or Edge()
    (reply,) = edge.client().send_mail(content, **envelope)
    assert reply.startswith("250 2.0.0 queued")
    return edge.messages[-1]


def trace(message):
    return TRACE.search(message.content)


def test_hooks_keep_their_contracts():
    edge = Edge()
    session = edge.client().session
    assert verifyObject(IMessageDeliveryFactory, session.deliveryFactory)
    delivery = session.deliveryFactory.getMessageDelivery()
    assert verifyObject(IMessageDelivery, delivery)
    delivery.validateFrom((b"client.example", b"127.0.0.1"), ReversePath(address="a@x.example"))
    recipient = delivery.validateTo(ForwardPath(address="b@y.example"))
    assert verifyObject(IMessage, recipient())
    assert session.deliveryFactory.getMessageDelivery() is not delivery


# The trace field.


def test_trace_field_goes_on_top():
    message = received(MAIL)
    found = trace(message)
    assert found.start() == 0
    assert message.content[found.end() :] == MAIL
    assert message.header == found[0] + b"Subject: x\r\n"
    assert found["name"] == b"client.example"
    assert found["peer"] == b"127.0.0.1"
    assert found["protocol"] == b"ESMTP"
    assert parsedate_to_datetime(found["date"].decode()).timestamp() == 1_700_000_000


def test_trace_field_tells_no_addresses():
    message = received(MAIL, sender=b"boss@x.example", recipients=[b"blind.copy@y.example"])
    assert b"boss" not in message.content
    assert b"blind" not in message.content


@pytest.mark.parametrize(
    ("hello", "name"),
    [
        (b"EHLO [192.0.2.1]", b"[192.0.2.1]"),
        (b"EHLO [IPv6:2001:db8::1]", b"[IPv6:2001:db8::1]"),
        (b"EHLO my_host", b"my_host"),
        (b"EHLO two words", b"two?words"),
        (b"EHLO x)\x07(\x1b[1m", b"x????[1m"),
        ("EHLO ö".encode(), b"??"),
        (b"EHLO <b@y.example>;", b"?b?y.example??"),
        (b"EHLO " + b"a" * 300, b"a" * 255),
        (b"EHLO \xff", b"?"),
    ],
)
def test_name_of_the_client_is_made_harmless(hello, name):
    edge = Edge()
    edge.client(hello=hello).send_mail()
    assert trace(edge.messages[0])["name"] == name


@pytest.mark.parametrize(
    ("hello", "parameters", "protocol"),
    [
        (b"HELO c", b"", b"SMTP"),
        (b"EHLO c", b"", b"ESMTP"),
        (b"EHLO c", b" SMTPUTF8", b"UTF8SMTP"),
    ],
)
def test_trace_field_tells_the_protocol(hello, parameters, protocol):
    edge = Edge()
    client = edge.client(hello=hello)
    client.ask(b"MAIL FROM:<a@x.example>" + parameters, b"RCPT TO:<b@y.example>", b"DATA")
    client.ask(MAIL + b".")
    assert trace(edge.messages[0])["protocol"] == protocol


@pytest.mark.parametrize(
    ("peer", "literal"),
    [
        (IPv4Address("TCP", "192.0.2.7", 1), b"192.0.2.7"),
        (IPv6Address("TCP", "2001:db8::7", 1), b"IPv6:2001:db8::7"),
    ],
)
def test_trace_field_tells_the_client_s_address(peer, literal):
    edge = Edge(allow=["0.0.0.0/0", "::/0"])
    edge.client(peer=peer).send_mail()
    assert trace(edge.messages[0])["peer"] == literal


# Who has handed it in.


@pytest.mark.parametrize(
    ("hello", "name"),
    [
        (b"EHLO client.example", "client.example"),
        (b"HELO [192.0.2.7]", "[192.0.2.7]"),
        # Nothing that could be taken for another part of a line.
        (b"EHLO x, user ceo\t<a@x>\x1b[2J", "x??user?ceo??a?x??[2J"),
        (b"EHLO " + b"a" * 300, "a" * 255),
    ],
)
def test_a_message_knows_who_has_handed_it_in(hello, name):
    edge = Edge()
    edge.client(hello=hello).send_mail()
    (message,) = edge.messages
    assert message.envelope.client == Client("127.0.0.1", "", name, "")
    assert str(message.envelope.client) == f"client 127.0.0.1, no TLS, HELO {name}"


def test_it_knows_what_the_client_has_become_since():
    edge = Edge(allow=["::/0"])
    client = edge.client(peer=IPv6Address("TCP", "2001:db8::1", 1))
    client.send_mail()
    client.ask(b"EHLO other.example")
    client.send_mail()
    offer_security(client)
    client.allow_login_in_clear(True)
    client.ask(b"AUTH PLAIN AGpvZQBzZWNyZXQ=")
    client.send_mail()
    assert [message.envelope.client for message in edge.messages] == [
        Client("2001:db8::1", "", "client.example", ""),
        Client("2001:db8::1", "", "other.example", ""),
        Client("2001:db8::1", "joe", "other.example", ""),
    ]


def test_a_client_of_a_local_socket_has_no_address():
    edge = Edge()
    edge.client(peer=UNIXAddress(None)).send_mail()
    assert edge.messages[0].envelope.client == Client("local", "", "client.example", "")


def test_an_application_is_no_client():
    edge = Edge()
    edge.submit(Envelope(reverse_path="a@x.example", recipients=("b@y.example",)), MAIL)
    assert edge.messages[0].envelope.client is None


def test_message_id_and_subject_are_kept_with_the_envelope():
    said = b"Subject: Gr\xfc\xdfe\r\n aus\r\nMessage-ID: <1@x.example>\r\nSubject: other\r\n\r\n"
    kept = received(said).envelope
    assert (kept.message_id, kept.subject) == ("<1@x.example>", "Gr\ufffd\ufffde aus")


@pytest.mark.parametrize("content", [b"", b"\r\nSubject: body\r\n", b"text\r\nSubject: x\r\n"])
def test_what_is_no_field_says_no_subject(content):
    kept = received(content).envelope
    assert (kept.message_id, kept.subject) == ("", "")


# Content as clients send it.


@pytest.mark.parametrize(
    ("content", "before", "after", "header_after"),
    [
        (b"A: b\r\n\r\nc\r\n", b"", b"A: b\r\n\r\nc\r\n", b"A: b\r\n"),
        (b"A: b\r\n", b"", b"A: b\r\n", b"A: b\r\n"),
        (b"\r\nbody\r\n", b"", b"\r\nbody\r\n", b""),
        (b"", b"", b"\r\n", b""),
        (b"no header\r\n", b"", b"\r\nno header\r\n", b""),
        (b"..dots\r\n", b"", b"\r\n..dots\r\n", b""),
        (b" folded: x\r\n", b"", b"\r\n folded: x\r\n", b""),
        (b"From a Mon\r\nA: b\r\n\r\nc\r\n", b"From a Mon\r\n", b"A: b\r\n\r\nc\r\n", b"A: b\r\n"),
        (b">From a\r\nno header\r\n", b">From a\r\n", b"\r\nno header\r\n", b""),
    ],
)
def test_content_stays_below_the_trace_field(content, before, after, header_after):
    message = received(content)
    found = trace(message)
    assert message.content == before + found[0] + after
    assert message.header == before + found[0] + header_after


@given(
    st.lists(
        st.sampled_from([b"From x\r\n", b"A: b\r\n", b" c\r\n", b"\r\n", b"a: ", b"d\r\n", b".."])
    ),
    st.integers(1, 30),
)
def test_message_does_not_depend_on_the_segments(pieces, length):
    content = b"".join(pieces) + b"\r\n"
    whole = received(content)
    edge = Edge()
    client = edge.client()
    client.begin()
    octets = content + b".\r\n"
    for start in range(0, len(octets), length):
        client.send(octets[start : start + length])
    (message,) = edge.messages
    assert message == whole


class Looks:
    """Counts the octets that the search for the end of a header has to look at."""

    def __init__(self, monkeypatch):
        self.octets = 0
        self._complete = header.header_complete
        monkeypatch.setattr(header, "header_complete", self)

    def __call__(self, content):
        self.octets += len(content)
        return self._complete(content)


@pytest.mark.parametrize("count", [1000, 8000])
def test_work_for_a_header_that_comes_octet_by_octet_is_linear(monkeypatch, count):
    edge = Edge()
    client = edge.client()
    client.begin()
    looks = Looks(monkeypatch)
    octets = b"A: b\r\n" * count + b"\r\n.\r\n"
    for n in range(len(octets)):
        client.send(octets[n : n + 1])
    assert edge.messages
    assert looks.octets < 3 * len(octets)


def test_header_is_kept_together_then_content_streams():
    edge = Edge()
    client = edge.client()
    client.begin()
    client.ask(b"A: b", b"C: d")
    assert edge.draft.written == b""
    client.ask(b"", b"body")
    assert b"C: d\r\n\r\n" in edge.draft.written


# Mails that nobody should carry.


@pytest.mark.parametrize("ending", [b"\r\n\r\nbody\r\n", b"\r\n"])
@pytest.mark.parametrize("too_large", [False, True])
def test_longest_header(ending, too_large):
    edge = Edge()
    field = b"A: " + b"x" * 95 + b"\r\n"
    count = LONGEST_HEADER // 100 + (1 if too_large else -2)
    (reply,) = edge.client().send_mail(field * count + b"B: c" + ending)
    if too_large:
        assert reply == "552 5.3.4 message header too large"
        assert edge.draft.discarded
    else:
        assert reply.startswith("250")


def test_endless_header_is_dropped_while_it_arrives():
    edge = Edge()
    client = edge.client()
    client.begin()
    for _ in range(1000):
        client.send(b"A: " + b"x" * 995 + b"\r\n")
    assert edge.draft.discarded
    assert client.ask(b".") == ["552 5.3.4 message header too large"]


LIMITED = "552 5.3.4 From:, Sender: and Reply-To: take up to 16 KiB, and 500 addresses each"


@pytest.mark.parametrize("name", [b"From", b"SENDER ", b"reply-to", b"Author", b"Resent-From"])
@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (500 * b"a@b,", False),
        (501 * b"a@b,", True),
        (62_000 * b"a@b,", True),
        (160 * (b"x" * 98 + b"\r\n "), False),
        (170 * (b"x" * 98 + b"\r\n "), True),
    ],
)
def test_addresses_that_are_read_are_limited(name, value, refused):
    edge = Edge()
    content = name + b": " + value + b"\r\nTo: " + 1000 * b"a@b," + b"\r\n\r\nbody\r\n"
    (reply,) = edge.client().send_mail(content)
    assert reply == LIMITED if refused else reply.startswith("250")
    assert edge.draft.discarded == refused


@pytest.mark.parametrize(("hops", "code"), [(MOST_HOPS - 1, "250 2.0.0"), (MOST_HOPS, "554 5.4.6")])
@pytest.mark.parametrize("body", [b"", b"\r\nReceived: in the body\r\n"])
def test_mail_that_goes_round_in_circles(hops, code, body):
    edge = Edge()
    (reply,) = edge.client().send_mail(b"received : x\r\n\ty\r\n" * hops + body)
    assert reply.startswith(code)
    assert edge.draft.discarded == (code[0] == "5")


OURS = b"Received: from x ([192.0.2.1])\r\n\tby relay.example with ESMTP id GA; now\r\n"
OTHERS = b"Received: from relay.example ([192.0.2.2]) by mx.example with ESMTP; now\r\n"


@pytest.mark.parametrize(
    ("passed", "code"),
    [
        (OURS, "250 2.0.0"),  # a mailing list sends it back to where it came from
        (OURS * (MOST_PASSES - 1) + OTHERS * 10, "250 2.0.0"),
        (OURS * MOST_PASSES, "554 5.4.6"),
        ((OURS + OTHERS) * MOST_PASSES, "554 5.4.6"),
        (OURS.replace(b"\r\n\t", b" ").upper() * MOST_PASSES, "554 5.4.6"),
        (OTHERS * MOST_PASSES * 2, "250 2.0.0"),
        (b"Subject: x\r\n\r\n" + OURS * 10, "250 2.0.0"),
    ],
)
def test_mail_that_has_passed_here_before(passed, code):
    edge = Edge()
    (reply,) = edge.client().send_mail(passed)
    assert reply.startswith(code)
    assert edge.draft.discarded == (code[0] == "5")


# Accounts.

SALES = account("Sales", ["*@sales.example"])
PARTNER = account("Partner", ["*@x.example"], ["*@partner.example"])
OTHERS = account("Others", ["*@x.example"], ["!*@nobody.example"])


def test_recipients_of_several_accounts_are_one_message():
    edge = Edge(SALES, PARTNER, OTHERS)
    recipients = [b"a@y.example", b"b@partner.example", b"c@y.example"]
    message = received(MAIL, edge, sender=b"a@x.example", recipients=recipients)
    assert message.accounts == {
        "Others": ["a@y.example", "c@y.example"],
        "Partner": ["b@partner.example"],
    }
    assert message.envelope.reverse_path == "a@x.example"
    assert message.envelope.recipients == ("a@y.example", "b@partner.example", "c@y.example")
    assert len(edge.intake.drafts) == 1
    (parcel, _) = message.parcels
    assert parcel.recipients[0].reason == "sender matches *@x.example, every recipient"


def test_same_recipient_twice_gets_one_mail():
    message = received(MAIL, recipients=[b"a@y.example", b"b@y.example", b"a@y.example"])
    assert message.envelope.recipients == ("a@y.example", "b@y.example")
    assert message.accounts == {"Rest": ["a@y.example", "b@y.example"]}


def test_recipient_that_no_account_takes_is_refused_alone():
    edge = Edge(SALES, PARTNER, OTHERS)
    client = edge.client()
    recipients = [b"a@nobody.example", b"b@y.example"]
    replies = client.begin(sender=b"a@x.example", recipients=recipients)
    assert replies[1] == (
        "550 5.7.1 no account is configured for mail from <a@x.example> to <a@nobody.example>"
    )
    client.ask(MAIL + b".")
    assert edge.messages[0].accounts == {"Others": ["b@y.example"]}


def test_reply_is_a_line_as_others_can_read_it():
    edge = Edge(account(senders=["*@sales.example"]))
    client = edge.client()
    long = b"a" * 64 + b"@" + b"b" * 200 + b".example"
    reply = client.begin(sender=long, recipients=[long])[1]
    assert reply.startswith("550 5.7.1")
    assert len(reply) <= 510
    client.ask(b"RSET", "MAIL FROM:<ä@x.example> SMTPUTF8".encode())
    (reply,) = client.ask("RCPT TO:<ö@x.example>".encode())
    assert reply.endswith(r"from <\xe4@x.example> to <\xf6@x.example>")


# The null reverse-path.


@pytest.mark.parametrize(
    ("accounts", "author", "name"),
    [
        ([SALES, OTHERS], b"From: Joe <joe@sales.example>", "Sales"),
        ([SALES, OTHERS], b"from : joe@x.example (Joe)", "Others"),
        ([SALES, account("Null", ["<>"])], b"From: joe@sales.example", "Null"),
        ([SALES, account("Rest")], b"Subject: no author", "Rest"),
        ([SALES, account("Rest")], b"From: joe@sales.example." + b"a." * 200 + b"a", "Rest"),
        ([SALES, account("Rest")], b"From: joe", "Rest"),
        ([SALES, OTHERS], b"From: " + b"j" * 5000 + b"@sales.example", "Sales"),
        (
            [SALES, OTHERS],
            b"From: Doe, Joe <joe@x.example> <j@sales.example>, k@x.example",
            "Sales",
        ),
    ],
)
def test_null_reverse_path_is_routed_by_the_author(accounts, author, name):
    message = received(author + b"\r\n\r\nbody\r\n", Edge(*accounts), sender=b"")
    assert message.accounts == {name: ["b@y.example"]}
    assert message.envelope.reverse_path == ""


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (b"From: joe@z.example", "joe@z.example"),
        (b"Subject: x", ""),
        ("From: jö@z.example".encode(), r"j\xf6@z.example"),
        (b"From: joe@" + b"a." * 8_000 + b"a", ""),
        ("From: joe@sales\u200b.example".encode(), ""),
    ],
)
def test_null_reverse_path_without_account_is_refused_after_the_dot(author, shown):
    edge = Edge(SALES, OTHERS)
    client = edge.client()
    assert client.begin(sender=b"")[-1].startswith("354")
    assert client.ask(author + b"\r\n\r\nbody\r\n.") == [
        f"550 5.7.1 no account is configured for mail from <{shown}> to <b@y.example>"
    ]
    assert edge.draft.discarded


def test_author_does_not_matter_when_there_is_a_sender():
    content = b"From: joe@sales.example\r\n\r\nbody\r\n"
    message = received(content, Edge(SALES, OTHERS), sender=b"a@x.example")
    assert message.accounts == {"Others": ["b@y.example"]}


# Destinations.


def direct(**masks):
    return attrs.evolve(account("Direct", **masks), type=AccountType.DIRECT, server="")


def destinations(message):
    return [
        (parcel.account, parcel.destination, [each.address for each in parcel.recipients])
        for parcel in message.parcels
    ]


def test_recipients_of_a_direct_account_are_divided_by_their_domains():
    edge = Edge(account(recipients=["*@y.example"]), direct())
    recipients = [b"a@Far.example", b"b@y.example", b"c@other.example", b"d@fAR.example"]
    message = received(MAIL, edge, recipients=[*recipients, b"e@[192.0.2.1]"])
    assert destinations(message) == [
        ("Direct", "far.example", ["a@Far.example", "d@fAR.example"]),
        ("Rest", "", ["b@y.example"]),
        ("Direct", "other.example", ["c@other.example"]),
        ("Direct", "[192.0.2.1]", ["e@[192.0.2.1]"]),
    ]


def test_the_null_sender_of_a_direct_account_has_a_destination_too():
    message = received(b"From: a@x.example\r\n\r\nx\r\n", Edge(direct()), sender=b"")
    assert [each[:2] for each in destinations(message)] == [("Direct", "y.example")]


def test_more_recipients_than_a_message_can_have_deliveries_are_left_to_the_next(monkeypatch):
    monkeypatch.setattr(delivery, "MOST_RECIPIENTS", 2)
    client = Edge().client()
    client.ask(b"MAIL FROM:<a@x.example>")
    replies = [client.ask(b"RCPT TO:<%d@y.example>" % n)[-1] for n in range(3)]
    assert [reply[:9] for reply in replies] == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]
