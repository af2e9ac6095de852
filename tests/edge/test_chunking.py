"""BDAT (RFC 3030): chunks are swallowed exactly, and what they hold arrives exactly."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from multisendcon_plugin.errors import SpoolFullError
from tests.edge.clients import MAIL, Edge, chunk, chunks, in_segments
from tests.live_relay import without_trace

TAKEN = "250 2.0.0 chunk taken"
ALIVE = "250 2.0.0 still here"
UNCLEAN = "550 5.6.11 message contains a bare CR, a bare LF or a NUL"
TOO_LARGE = "552 5.3.4 message too large"
SYNTAX = "501 5.5.4 say BDAT and a number of octets, and LAST with the last ones"
HEADER = b"Subject: x\r\n\r\n"
SAYS_MAIL = b"MAIL FROM:<a@x.example>"
SAYS_RCPT = b"RCPT TO:<b@y.example>"


def queued(reply):
    return reply.startswith("250 2.0.0 queued as ")


def received(message):
    """Return content as a reader gets it behind the next server, which has it by DATA."""
    lines = without_trace(message.content).split(b"\r\n")
    assert b"." not in lines
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


@pytest.fixture
def edge():
    return Edge()


@pytest.fixture
def client(edge):
    client = edge.client()
    client.begin_chunks()
    return client


# What arrives.


@pytest.mark.parametrize("length", range(5))
def test_short_content_arrives_exactly_or_not_at_all_wherever_it_is_cut(edge, length):
    for letters in product(b"\r\n.a\0", repeat=length):
        body = bytes(letters)
        content = HEADER + body
        for cut in range(len(HEADER) - 1, len(content) + 1):
            client = edge.client()
            client.begin_chunks()
            *_, last, alive = client.ask(chunks(content, cut) + b"NOOP")
            assert alive == ALIVE
            if re.fullmatch(rb"(?:[^\r\n\0]|\r\n)*", body):
                assert queued(last)
                end = b"" if content.endswith(b"\r\n") else b"\r\n"
                assert received(edge.messages.pop()) == content + end
            else:
                assert last == UNCLEAN
            assert not edge.messages
            client.hang_up()


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b".\r\n",
        HEADER + b".\r\nQUIT\r\n",
        HEADER + b"\r\n.\r\nMAIL FROM:<evil@x.example>\r\n",
        HEADER + b"..\r\n.a\r\n",
        HEADER + "ä\r\n".encode() + b"\xff\xfe\r\n",
        HEADER + b"x" * 100_000 + b"\r\n",
    ],
)
def test_content_is_exact(edge, client, content):
    (reply,) = client.send_chunks(chunk(content, last=True))
    assert queued(reply)
    assert received(edge.messages[0]) == content


def test_a_line_that_nobody_has_ended_gets_its_end(edge, client):
    client.send_chunks(chunk(MAIL + b"end", last=True))
    assert received(edge.messages[0]) == MAIL + b"end\r\n"


@pytest.mark.parametrize("before", [b"", chunk(b""), chunk(MAIL), chunk(b"") + chunk(MAIL)])
def test_the_last_chunk_may_be_empty(edge, client, before):
    replies = client.send_chunks(before + chunk(b"", last=True))
    assert replies[:-1] == [TAKEN] * before.count(b"BDAT")
    assert queued(replies[-1])
    assert edge.messages[0].content.endswith(MAIL if MAIL in before else b"\r\n")


def test_every_octet_may_be_a_chunk(edge, client):
    replies = client.send_chunks(chunks(MAIL, *range(len(MAIL) + 1)))
    assert replies[:-1] == [TAKEN] * (len(MAIL) + 1)
    assert received(edge.messages[0]) == MAIL


def test_chunks_and_data_carry_the_same_mail(edge, client):
    content = HEADER + b".\r\n.a\r\n..\r\nend\r\n"
    client.send_chunks(chunks(content, 18))
    client.send_mail((b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:])
    first, second = edge.messages
    assert without_trace(first.content) == without_trace(second.content)
    assert first.envelope == second.envelope


SCRIPT = b"\r\n".join(
    [
        b"EHLO client.example",
        SAYS_MAIL,
        SAYS_RCPT,
        chunks(HEADER + b"QUIT\r\n.\r\nNOOP\r\n", 3, 3, len(HEADER) + 5) + SAYS_MAIL,
        SAYS_RCPT,
        chunk(b"\0") + chunk(b"RSET\r\n") + chunk(b"QUIT\r\n", last=True) + SAYS_MAIL,
        chunk(b"QUIT\r\n") + chunk(b"QUIT\r\n", last=True) + chunk(b"QUIT\r\n") + SAYS_MAIL,
        SAYS_RCPT,
        b"DATA",
        MAIL + b"BDAT 3",
        b".",
        SAYS_MAIL,
        SAYS_RCPT,
        chunk(MAIL) + b"RSET",
        SAYS_MAIL,
        SAYS_RCPT,
        chunk(MAIL, last=True) + b"QUIT",
        b"",
    ]
)
CODES = [
    *["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"],
    *["250 2.1.0", "250 2.1.5", "550 5.6.11", "550 5.6.11", "550 5.6.11"],
    *["250 2.1.0", "503 5.5.1", "503 5.5.1", "503 5.5.1"],
    *["250 2.1.0", "250 2.1.5", "354 send", "250 2.0.0"],
    *["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"],
    *["250 2.1.0", "250 2.1.5", "250 2.0.0", "221 2.0.0"],
]


def play(segments):
    edge = Edge()
    client = edge.client(hello=None)
    for segment in segments:
        client.send(segment)
    replies = [" ".join(reply.split(" ")[:2]) for reply in client.replies()]
    assert replies[-len(CODES) :] == CODES
    assert all(reply.startswith("250-") for reply in replies[: -len(CODES) - 1])
    assert [received(message) for message in edge.messages] == [
        HEADER + b"QUIT\r\n.\r\nNOOP\r\n",
        MAIL + b"BDAT 3\r\n",
        MAIL,
    ]


def test_pipelined_in_one_segment():
    play([SCRIPT])


def test_octet_by_octet():
    play([SCRIPT[n : n + 1] for n in range(len(SCRIPT))])


@given(st.lists(st.integers(1, 60), min_size=1))
def test_segments_of_any_length(lengths):
    play(in_segments(SCRIPT, lengths))


# What is refused is swallowed, and nothing more.


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("before", "reply"),
    [
        ([b"RSET"], "503 5.5.1 say MAIL first"),
        ([b"RSET", SAYS_MAIL], "503 5.5.1 no valid recipient yet"),
    ],
)
def test_chunks_without_recipients_are_swallowed(edge, client, before, reply, last):
    client.ask(*before)
    octets = b"QUIT\r\n" * 3
    assert client.ask(chunk(octets, last=last) + b"NOOP") == [reply, ALIVE]
    assert not edge.intake.drafts


def test_a_transaction_without_recipients_does_not_outlive_its_chunks(edge, client):
    client.ask(b"RSET", SAYS_MAIL)
    client.send_chunks(chunk(b"a"))
    assert client.ask(SAYS_RCPT) == ["503 5.5.1 only BDAT may follow BDAT, or RSET"]
    assert client.send_chunks(chunk(MAIL, last=True)) == ["503 5.5.1 no valid recipient yet"]
    assert client.ask(SAYS_MAIL) == ["250 2.1.0 sender ok"]


@pytest.mark.parametrize("bad", [b"\0", b"a\nb", b"a\rb", b"\n.\n"])
def test_a_refused_chunk_fails_all_that_follow(edge, client, bad):
    octets = chunk(MAIL) + chunk(bad + b"a") + chunk(b"RSET\r\n") + chunk(b"QUIT\r\n", last=True)
    assert client.ask(octets + b"NOOP") == [TAKEN, UNCLEAN, UNCLEAN, UNCLEAN, ALIVE]
    assert edge.draft.discarded
    assert queued(client.send_mail()[0])


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_bare_line_end_between_two_chunks_is_refused(client, cut):
    assert client.send_chunks(chunks(b"a\r\rb", cut))[-1] == UNCLEAN


@pytest.mark.parametrize("argument", [b"", b"LAST", b"-1", b"4K", b"9" * 21, b"9" * 10**5])
def test_a_chunk_of_unknown_length_ends_the_session(edge, client, argument):
    assert client.ask(b"BDAT " + argument, b"RSET", b"NOOP") == [
        "554 5.5.4 how many octets follow BDAT cannot be known, closing"
    ]
    assert client.closed
    assert not edge.intake.drafts


@pytest.mark.parametrize("segment", [1000, 10_000, 100_000])
def test_a_chunk_of_endless_length_ends_the_session(client, segment):
    for _ in range(100_000 // segment):
        client.send(b"BDAT ".ljust(segment, b"9"))
        assert client.replies() == []
    assert client.ask(b" LAST", b"NOOP")[0].startswith("554")
    assert client.closed


@pytest.mark.parametrize("marker", [b"FIRST", b"LAST 5", b"LAST LAST", b"5"])
def test_a_chunk_that_may_be_the_last_one_fails_its_mail(edge, client, marker):
    assert client.ask(b"BDAT 6 %s" % marker, b"QUIT", b"NOOP") == [SYNTAX, ALIVE]
    assert client.send_chunks(chunk(MAIL, last=True)) == [SYNTAX]
    assert not edge.messages
    assert queued(client.send_mail()[0])


def test_a_tab_hides_no_chunk(edge, client):
    assert client.ask(b"BDAT\t6", b"QUIT", b"NOOP") == [TAKEN, ALIVE]


def test_size_is_what_the_client_means():
    content = HEADER + b".\r\n.\r\n..\r\n.\r\n"
    for limit, fits in ((len(content), True), (len(content) - 1, False)):
        client = Edge(max_message_size=limit).client()
        client.begin_chunks()
        *_, reply = client.send_chunks(chunks(content, 5, 19))
        assert queued(reply) if fits else reply == TOO_LARGE
        (reply,) = client.send_mail((b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:])
        assert queued(reply) if fits else reply == TOO_LARGE


def test_the_line_end_that_is_added_is_not_counted():
    client = Edge(max_message_size=len(HEADER) + 1).client()
    client.begin_chunks()
    assert queued(client.send_chunks(chunk(HEADER + b"a", last=True))[0])


def test_a_chunk_that_is_too_large_is_refused_before_it_comes():
    edge = Edge(max_message_size=100)
    client = edge.client()
    client.begin_chunks()
    client.send_chunks(chunk(MAIL))
    client.ask(b"BDAT 6000000 LAST")
    assert edge.draft.discarded
    for _ in range(99):
        assert client.send_chunks(b"QUIT\r\n" * 10_000) == []
        assert not client.session.dialogue.talk.reader.octets
    assert client.ask(b"QUIT\r\n" * 10_000 + b"NOOP") == [TOO_LARGE, ALIVE]


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (SpoolFullError("no room"), "452 4.3.1 no room for more mail now, try again later"),
        (ZeroDivisionError(), "451 4.3.0 local error, try again later"),
    ],
)
def test_no_mail_is_taken_without_its_beginning(edge, client, monkeypatch, fault, reply):
    def broken():
        raise fault

    with monkeypatch.context() as patch, capturedLogs():
        patch.setattr(edge.intake, "draft", broken)
        assert client.send_chunks(chunk(b"QUIT\r\n")) == [reply]
    assert client.send_chunks(chunk(MAIL) + chunk(MAIL, last=True)) == [reply, reply]
    assert not edge.messages
    assert queued(client.send_mail()[0])


# Between chunks.


@pytest.mark.parametrize("command", [b"RSET", b"EHLO client.example", b"HELO client.example"])
def test_a_reset_between_chunks_forgets_them(edge, client, command):
    client.send_chunks(chunk(MAIL))
    assert client.ask(command)[-1].startswith("250")
    assert edge.draft.discarded
    assert client.send_chunks(chunk(MAIL, last=True)) == ["503 5.5.1 say MAIL first"]
    client.begin_chunks()
    client.send_chunks(chunk(MAIL + b"second\r\n", last=True))
    assert [received(message) for message in edge.messages] == [MAIL + b"second\r\n"]


@pytest.mark.parametrize(
    "end",
    [
        lambda edge, client: client.ask(b"QUIT"),
        lambda edge, client: client.ask(b"BDAT"),
        lambda edge, client: client.hang_up(),
        lambda edge, client: client.session.stop(),
        lambda edge, client: edge.clock.advance(client.session.policy.settings.idle_timeout),
    ],
    ids=["quit", "bad", "vanish", "stop", "idle"],
)
def test_the_end_of_a_session_among_chunks_leaves_nothing(edge, client, end):
    client.send_chunks(chunk(MAIL))
    end(edge, client)
    assert edge.draft.discarded
    assert not edge.messages


def test_a_client_that_vanishes_in_a_chunk_leaves_nothing(edge, client):
    client.send_chunks(chunk(MAIL, last=True)[:-1])
    client.hang_up()
    assert edge.draft.discarded
    assert not edge.messages


def test_data_does_not_follow_a_chunk(edge, client):
    client.send_chunks(chunk(MAIL))
    assert client.ask(b"DATA", SAYS_RCPT) == ["503 5.5.1 only BDAT may follow BDAT, or RSET"] * 2
    assert queued(client.send_chunks(chunk(b"", last=True))[0])


# Waiting.


def test_250_for_the_last_chunk_comes_after_the_commit(edge, client):
    edge.intake.waits = True
    assert client.ask(chunks(MAIL, 5) + SAYS_MAIL, SAYS_RCPT, chunk(MAIL) + b"NOOP") == [TAKEN]
    assert client.owes_reply
    edge.intake.go_on()
    first, *others = client.replies()
    assert queued(first)
    assert others == ["250 2.1.0 sender ok", "250 2.1.5 recipient ok", TAKEN, ALIVE]


def test_slow_spool_stops_the_reading(edge):
    edge.intake.room = room = Deferred()
    client = edge.client()
    client.begin_chunks()
    assert client.send_chunks(chunk(MAIL)) == [TAKEN]
    assert client.paused
    edge.draft.room = None
    room.callback(None)
    assert not client.paused
    assert queued(client.send_chunks(chunk(b"", last=True))[0])
