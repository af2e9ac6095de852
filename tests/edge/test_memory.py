"""The memory of mails under way: what they may take, and that they give it back."""

from __future__ import annotations

import tracemalloc
from ipaddress import IPv4Address as Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.edge import memory
from multisendcon_plugin.edge.memory import STEP, MailMemory, Memory
from multisendcon_plugin.edge.tarpit import REFUSED_AT_ONCE
from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.reply import ReplyError
from tests.edge.clients import MAIL, Edge, chunk

HERE, THERE = Address("192.0.2.1"), Address("192.0.2.2")
FULL = "452 4.3.1 too much mail is under way, try again later"
BEGIN = b"MAIL FROM:<a@x.example> SMTPUTF8"


def longest(number):
    """Return a recipient's command as long as they can be."""
    return b"RCPT TO:<%d.%s@y.example>" % (number, b"x" * 12_000)


def with_original(number):
    return b"RCPT TO:<%d.%s@y.example> ORCPT=rfc822;%s" % (number, b"x" * 5000, b"y" * 5000)


def wide(number):
    """Return one with a character that makes all of them take four octets."""
    return "RCPT TO:<{}.\U0001f600{}@y.example>".format(number, "x" * 11_000).encode()


def short(number):
    return b"RCPT TO:<%d@y.example>" % number


def fail(why):
    pytest.fail(f"refused: {why}")


@pytest.fixture
def small(monkeypatch):
    """Let the limits be a sixteenth."""
    monkeypatch.setattr(memory, "MOST_OCTETS", memory.MOST_OCTETS // 16)
    monkeypatch.setattr(memory, "MOST_OCTETS_OF_ONE", memory.MOST_OCTETS_OF_ONE // 16)


# Counting.


@pytest.mark.parametrize(
    ("place", "octets", "why"),
    [
        (HERE, 24 * 2**20, ""),
        (HERE, 24 * 2**20 + 1, "its mails under way take 64 MiB of memory"),
        (THERE, 64 * 2**20, ""),
        (THERE, 64 * 2**20 + 1, "its mails under way take 64 MiB of memory"),
        (None, 64 * 2**20 + 1, "its mails under way take 64 MiB of memory"),
    ],
)
def test_one_address_has_a_quarter(place, octets, why):
    counted = Memory()
    assert counted.take(HERE, 40 * 2**20) == ""
    assert counted.take(place, octets) == why
    assert counted.taken == 40 * 2**20 + (0 if why else octets)


def test_all_addresses_together():
    counted = Memory()
    for number in range(4):
        assert counted.take(Address(number), 64 * 2**20) == ""
    assert counted.take(HERE, 1) == "mails under way take 256 MiB of memory"
    counted.give_back(Address(3), 1)
    assert counted.take(HERE, 1) == ""


@pytest.mark.parametrize(
    ("octets", "taken"),
    [(0, 0), (1, 0), (STEP, 0), (STEP + 1, STEP), (2 * STEP, STEP), (5 * STEP + 1, 5 * STEP)],
)
def test_small_mails_are_not_counted(octets, taken):
    counted = Memory()
    mail = MailMemory(counted, HERE, fail)
    mail.hold(octets)
    assert counted.taken == taken
    mail.release()
    assert counted.taken == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 8 * STEP))), max_size=60
    )
)
def test_what_is_taken_is_given_back(steps):
    most, counted = memory.MOST_OCTETS_OF_ONE, Memory()
    counted.take(HERE, most - 16 * STEP)
    refusals = []
    mails = [MailMemory(counted, (HERE, THERE)[n % 2], refusals.append) for n in range(6)]
    held = [0] * 6
    for number, octets in steps:
        if octets is None:
            mails[number].release()
            held[number] = 0
            continue
        try:
            mails[number].hold(octets)
        except ReplyError:
            assert refusals.pop().startswith("its mails")
        else:
            held[number] += octets
        steps_of_each = [max(0, -(-each // STEP) - 1) for each in held]
        assert counted.taken - (most - 16 * STEP) == STEP * sum(steps_of_each)
        assert sum(steps_of_each[::2]) <= 16
    for mail in mails:
        mail.release()
    counted.give_back(HERE, most - 16 * STEP)
    assert counted.taken == 0
    assert not counted._by_place


# Recipients.


@pytest.mark.parametrize("recipient", [longest, with_original, wide, short])
def test_what_is_counted_is_what_recipients_take(recipient):
    edge = Edge()
    client = edge.client()
    client.ask(BEGIN)
    tracemalloc.start()
    try:
        for number in range(1000):
            assert client.ask(recipient(number))[0][:3] == "250"
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken * 0.9 < edge.factory.memory.taken + STEP < taken * 2


@pytest.mark.usefixtures("small")
def test_a_hundred_sessions_of_one_address_do_not_take_all():
    edge = Edge(allow=["192.0.2.0/24"], max_connections_per_address=100)
    clients = [edge.client(IPv4Address("TCP", str(HERE), n)) for n in range(100)]
    lines = [longest(number) for number in range(1000)]
    replies = [client.ask(BEGIN, *lines[: len(lines) // 16])[1:] for client in clients]
    heard = [reply for each in replies for reply in each]
    assert set(heard) == {"250 2.1.5 recipient ok", FULL}
    assert edge.factory.memory.taken == memory.MOST_OCTETS_OF_ONE
    # What is not counted of each session comes on top.
    most = memory.MOST_OCTETS_OF_ONE + 100 * STEP
    assert heard.count("250 2.1.5 recipient ok") * len(lines[0]) < most
    other = edge.client(IPv4Address("TCP", str(THERE), 1))
    assert set(other.ask(BEGIN, *lines[:60])[1:]) == {"250 2.1.5 recipient ok"}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "peers",
    [
        [IPv6Address("TCP", f"2001:db8::{n}", 1) for n in range(1, 9)],
        [IPv4Address("TCP", "192.0.2.1", n) for n in range(1, 9)],
        [IPv6Address("TCP", "::ffff:192.0.2.1", n) for n in range(1, 9)],
    ],
    ids=["a network of IPv6", "IPv4", "IPv4 in IPv6"],
)
def test_what_is_one_address(peers):
    edge = Edge(allow=["2001:db8::/32", "192.0.2.0/24"])
    lines = [longest(number) for number in range(100)]
    replies = [edge.client(peer).ask(BEGIN, *lines)[-1] for peer in peers]
    assert replies[0] == "250 2.1.5 recipient ok"
    assert replies[-1] == FULL


@pytest.mark.usefixtures("small")
def test_the_log_says_which_limit_and_sums_up():
    edge = Edge()
    with capturedLogs() as events:
        edge.client().ask(BEGIN, *[longest(number) for number in range(1000)])
    said = [formatEvent(event) for event in events]
    assert set(said) == {"127.0.0.1 rejected: its mails under way take 4 MiB of memory"}
    assert len(said) == 50


@pytest.mark.usefixtures("small")
def test_the_recipients_that_were_taken_get_their_mail():
    edge = Edge()
    client = edge.client()
    replies = client.ask(BEGIN, *[longest(number) for number in range(500)])
    assert replies[-1] == FULL
    assert client.ask(b"DATA")[0][:3] == "354"
    assert client.ask(MAIL + b".")[0][:3] == "250"
    assert len(edge.messages[0].recipients) == replies.count("250 2.1.5 recipient ok")
    assert client.ask(BEGIN, longest(0))[-1] == "250 2.1.5 recipient ok"


# The header.

HEADER = b"X: " + b"x" * 900 + b"\r\n"


def in_data(client, content):
    client.begin()
    for start in range(0, len(content), 1000):
        client.send(content[start : start + 1000])
    return client.ask(b".")


def in_one_piece(client, content):
    client.begin()
    return client.ask(content + b".")


def in_chunks(client, content):
    client.begin_chunks()
    pieces = [content[start : start + 5000] for start in range(0, len(content), 5000)]
    return client.send_chunks(b"".join(chunk(p, last=p is pieces[-1]) for p in pieces))[-1:]


@pytest.mark.parametrize("send", [in_data, in_one_piece, in_chunks])
@pytest.mark.parametrize("header_only", [True, False])
def test_a_large_header_needs_memory(send, header_only):
    edge = Edge()
    counted = edge.factory.memory
    free = memory.MOST_OCTETS_OF_ONE - STEP
    counted.take(Address("127.0.0.1"), free)
    client = edge.client()
    large = HEADER * 200 + (b"" if header_only else b"\r\nbody\r\n")
    assert send(client, large) == [FULL]
    assert all(draft.discarded for draft in edge.intake.drafts)
    assert send(client, MAIL)[0][:3] == "250"
    counted.give_back(Address("127.0.0.1"), free)
    assert send(client, large)[0][:3] == "250"
    assert counted.taken == 0


def test_a_body_needs_none():
    edge = Edge()
    client = edge.client()
    client.begin()
    client.send(MAIL)
    for _ in range(100):
        client.send(b"x" * 9998 + b"\r\n")
    assert edge.factory.memory.taken == 0


# Each way in which a transaction ends.


def asks(*lines):
    return lambda edge, client: client.ask(*lines)


def refuse(edge, client):
    edge.intake.fault = SpoolError("the disk is broken")
    client.ask(b"DATA")
    assert client.ask(MAIL + b".")[0][:3] == "451"


def hang_up_in_content(edge, client):
    client.ask(b"DATA")
    client.send(MAIL)
    client.hang_up()


def hang_up_before_the_reply(edge, client):
    edge.intake.waits = True
    client.ask(b"DATA", MAIL + b".")
    client.hang_up()
    assert edge.factory.memory.taken > 0, "it is still on its way into the spool"
    edge.intake.go_on()


def hang_up_while_the_refusal_waits(edge, client):
    edge.intake.fault = SpoolError("the disk is broken")
    client.session.dialogue.talk.tarpit.refusals = REFUSED_AT_ONCE
    assert not any(line.startswith("451") for line in client.ask(b"DATA", MAIL + b"."))
    client.hang_up()


def stop_before_the_reply(edge, client):
    edge.intake.waits = True
    client.ask(b"DATA", MAIL + b".")
    edge.factory.stop()
    assert edge.factory.memory.taken > 0, "it is still on its way into the spool"
    edge.intake.go_on()


ENDS = {
    "RSET": asks(b"RSET"),
    "EHLO": asks(b"EHLO again"),
    "HELO": asks(b"HELO again"),
    "QUIT": asks(b"QUIT"),
    "a mail": asks(b"DATA", MAIL + b"."),
    "a chunk": asks(chunk(MAIL, last=True)),
    "a refused mail": asks(b"DATA", b"a\rb\r\n."),
    "a refused chunk": asks(chunk(b"a\rb", last=True)),
    "a chunk without a size": asks(b"BDAT"),
    "RSET between chunks": asks(chunk(MAIL), b"RSET"),
    "a bare LF": asks(b"NOOP\nNOOP"),
    "errors": asks(*[b"FOO"] * 100),
    "a fault of the spool": refuse,
    "silence": lambda edge, client: edge.clock.advance(10**5),
    "the end": lambda edge, client: client.hang_up(),
    "no more": lambda edge, client: client.send_no_more(),
    "the end in the content": hang_up_in_content,
    "the end before the reply": hang_up_before_the_reply,
    "the end while the refusal waits": hang_up_while_the_refusal_waits,
    "a stop": lambda edge, client: edge.factory.stop(),
    "a stop before the reply": stop_before_the_reply,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_transaction_gives_back_what_it_took(end):
    edge = Edge()
    client = edge.client()
    with capturedLogs():
        client.ask(BEGIN, *[longest(number) for number in range(20)])
        assert edge.factory.memory.taken > 0
        end(edge, client)
    assert edge.factory.memory.taken == 0
    assert client.session.delivery is None, "the recipients are forgotten"
    assert not client.recipients
