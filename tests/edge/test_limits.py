"""What a session withstands: too much, too long, too often, too slow, and clients that vanish."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.mail.interfaces import IMessageDeliveryFactory

from multisendcon_plugin.edge import tarpit
from multisendcon_plugin.edge.dialogue import COMMANDS_AT_A_TIME
from multisendcon_plugin.edge.protocol import CONTENT_READ, LAST_WORDS, READ_AHEAD
from multisendcon_plugin.edge.tarpit import (
    MOST_OTHER_COMMANDS,
    MOST_OTHER_COMMANDS_OF_STRANGERS,
    MOST_REFUSALS,
    REFUSED_AT_ONCE,
    WAIT_OF_REFUSALS,
)
from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.settings.values import MasterRelay
from tests.edge.clients import MAIL, Edge, account, offer_security

LIMITS = MasterRelay()
LONGEST_LINE = LIMITS.max_command_line
MOST_ERRORS = LIMITS.max_errors
IDLE = LIMITS.idle_timeout
USERS = Users("users", {"joe": PasswordHash(salt=b"", digest=b"")})
IDLE_TOO_LONG = ["421 4.4.2 nothing heard for too long, closing"]


@pytest.fixture
def chatty(monkeypatch):
    """Let clients say as much as they like, where something else is tested."""
    monkeypatch.setattr(tarpit, "MOST_OTHER_COMMANDS", 10**6)
    monkeypatch.setattr(tarpit, "REFUSED_AT_ONCE", 10**6)


# Size.


@pytest.mark.parametrize(
    ("size", "reply"), [(100, "250 2.1.0 sender ok"), (101, "552 5.3.4 message too large")]
)
def test_announced_size(size, reply):
    client = Edge(max_message_size=100).client()
    assert client.ask(b"MAIL FROM:<a@x.example> SIZE=%d" % size) == [reply]


@pytest.mark.parametrize("segment", [1, 7, 1000])
def test_size_of_content(segment):
    edge = Edge(max_message_size=len(MAIL))
    client = edge.client()
    client.begin()
    fits = MAIL + b".\r\n"
    for start in range(0, len(fits), segment):
        client.send(fits[start : start + segment])
    assert client.replies()[0].startswith("250 2.0.0 queued")
    client.begin()
    too_large = MAIL + b"x\r\n.\r\nNOOP\r\n"
    for start in range(0, len(too_large), segment):
        client.send(too_large[start : start + segment])
    assert client.replies() == ["552 5.3.4 message too large", "250 2.0.0 still here"]
    assert len(edge.messages) == 1
    assert edge.intake.drafts[1].discarded


def test_refused_content_is_read_to_its_end():
    edge = Edge(max_message_size=100)
    client = edge.client()
    client.begin()
    client.send(b"x" * 200)
    for _ in range(100):
        assert client.ask(b"x" * 98) == []
        assert edge.draft.discarded
    assert client.ask(b"DATA", b"QUIT", b".") == ["552 5.3.4 message too large"]


def test_number_of_recipients():
    edge = Edge(account(recipients=["!no@y.example"]), max_recipients=2)
    client = edge.client()
    replies = client.begin(recipients=[b"b@y.example", b"no@y.example", b"c@y.example"])
    assert replies[-1].startswith("354")
    client.ask(MAIL + b".")
    replies = client.begin(recipients=[b"b@y.example", b"c@y.example", b"d@y.example"])
    assert replies[-2] == "452 4.5.3 too many recipients, send the rest separately"
    assert replies[-1].startswith("354")
    client.ask(MAIL + b".")
    assert edge.messages[1].envelope.recipients == ("b@y.example", "c@y.example")


# Lines.


@pytest.mark.parametrize(
    ("length", "code"), [(LONGEST_LINE, "250 2.0.0"), (LONGEST_LINE + 1, "500 5.5.2")]
)
def test_longest_line(length, code):
    client = Edge().client()
    line = b"NOOP ".ljust(length - 1, b"x")
    (reply,) = client.ask(line)
    assert reply.startswith(code)
    client.send(line[:9])
    client.send(line[9:])
    (reply,) = client.ask(b"")
    assert reply.startswith(code)


@pytest.mark.parametrize("segment", [1000, 65536])
def test_endless_line_takes_no_memory_and_is_one_error(segment):
    client = Edge().client()
    for _ in range(200):
        client.send(b"x" * segment)
        assert len(client.session.dialogue.talk.reader.octets) <= LONGEST_LINE
        assert client.replies() == []
    assert client.ask(b"", b"NOOP") == ["500 5.5.2 line too long", "250 2.0.0 still here"]


def test_line_before_an_endless_one_is_carried_out():
    client = Edge().client()
    client.send(b"NOOP\r\n" + b"x" * (LONGEST_LINE + 1))
    assert client.replies() == ["250 2.0.0 still here"]
    assert client.ask(b"") == ["500 5.5.2 line too long"]


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\nRCPT TO:<evil@y.example>",
        b'RCPT TO:<"a\nRCPT TO:<evil@y.example>\n"@y.example>',
        b"NOOP\rRCPT TO:<evil@y.example>",
        b"NOOP\r",
        b"NOOP\0",
    ],
)
def test_bare_line_end_in_a_command_ends_the_session(line):
    client = Edge().client()
    client.ask(b"MAIL FROM:<a@x.example>")
    assert client.ask(line) == [
        "554 5.5.2 a command ends with CRLF and has no CR, LF or NUL, closing"
    ]
    assert client.closed
    assert client.recipients == ()


@pytest.mark.parametrize("bare", [b"\n", b"\r", b"\0", b"\n.\r\nQUIT\r\n", b"\r\n.\nQUIT\r\n"])
def test_bare_line_end_in_content_refuses_the_mail(bare):
    edge = Edge()
    client = edge.client()
    client.begin()
    assert client.ask(b"Subject: x\r\n\r\na" + bare + b"more") == []
    assert edge.draft.discarded
    assert client.ask(b".", b"NOOP") == [
        "550 5.6.11 message contains a bare CR, a bare LF or a NUL",
        "250 2.0.0 still here",
    ]
    assert not edge.messages


# Errors.


def test_too_many_errors_end_the_session():
    client = Edge().client()
    for _ in range(MOST_ERRORS - 1):
        assert len(client.ask(b"FOO")) == 1
    assert client.ask(b"FOO", b"NOOP") == [
        "500 5.5.1 command not known",
        "421 4.7.0 too many errors, closing",
    ]
    assert client.closed


def test_errors_in_one_segment_end_the_session():
    client = Edge().client()
    assert len(client.ask(*[b"FOO"] * 1000)) == MOST_ERRORS + 1


def test_errors_are_forgiven_when_a_mail_is_taken():
    client = Edge().client()
    for _ in range(5):
        client.ask(*[b"FOO"] * (MOST_ERRORS - 1))
        assert client.send_mail()[-1].startswith("250 2.0.0 queued")


def test_refused_recipients_are_no_errors():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    recipients = [b"%d@no.example" % n for n in range(10 * MOST_ERRORS)]
    assert client.begin(recipients=[*recipients, b"b@y.example"])[-1].startswith("354")


REST_OF_A_MAIL = [
    [b"DATA"],
    [b"BDAT 5 LAST\r\nabc"],
    [b"BDAT 5\r\nabc", b"BDAT 0 LAST"],
]


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize("rest", REST_OF_A_MAIL)
@pytest.mark.parametrize(
    "envelope",
    [
        [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@no.example>"],
        [b"MAIL FROM:<a@x.example>", *[b"RCPT TO:<b@@y.example>"] * 3],
        [b"MAIL FROM:<a@x.example> SIZE=99999999999", *[b"RCPT TO:<b@y.example>"] * 50],
        [b"MAIL FROM:<a@@x.example>", b"RCPT TO:<b@y.example>"],
    ],
)
def test_what_was_pipelined_after_a_refusal_is_no_error(envelope, rest):
    client = Edge(account(recipients=["!*@no.example"])).client()
    for _ in range(2 * MOST_ERRORS):
        replies = client.ask(*envelope, *rest, b"RSET")
        assert replies[-2].startswith("503 5.5.1")
        assert replies[-1].startswith("250 2.0.0")
    assert client.send_mail()[-1].startswith("250 2.0.0 queued")


def test_a_spool_that_is_full_makes_no_errors_of_what_was_pipelined():
    edge = Edge()
    edge.intake.full = True
    client = edge.client()
    mail = [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA"]
    replies = client.ask(*mail * MOST_ERRORS)
    assert [reply[:3] for reply in replies] == ["452", "503", "503"] * MOST_ERRORS
    assert not client.closed


@pytest.mark.parametrize(
    "lines",
    [
        [b"DATA"],
        [b"RCPT TO:<b@y.example>"],
        [b"BDAT 0 LAST"],
        [b"MAIL FROM:<a@x.example>", b"DATA", b"RSET"],
        [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@no.example>", b"RSET", b"DATA"],
        [b"MAIL FROM:<a@@x.example>", b"MAIL FROM:<a@x.example>", b"DATA", b"RSET"],
        [b"MAIL FROM:<a@x.example> FOO=1"],
        [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@no.example>", b"FOO", b"RSET"],
    ],
)
def test_what_follows_no_refusal_of_an_envelope_stays_an_error(lines):
    client = Edge(account(recipients=["!*@no.example"])).client()
    for _ in range(MOST_ERRORS):
        replies = client.ask(*lines)
    assert replies[-1] == "421 4.7.0 too many errors, closing"
    assert client.closed


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT"])
def test_a_web_browser_is_hung_up_on_before_its_form_is_read(method):
    edge = Edge()
    client = edge.client(hello=None)
    replies = client.ask(
        method + b" / HTTP/1.1",
        b"Host: 127.0.0.1:2500",
        b"",
        *(b"EHLO x", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA", MAIL + b"."),
    )
    assert replies == ["421 4.7.0 this is SMTP, not HTTP, closing"]
    assert client.closed
    assert not edge.messages


# Commands that bring no mail on.

TOO_MANY_COMMANDS = "421 4.7.0 too many commands and no mail, closing"
IDLE_COMMANDS = [b"NOOP", b"RSET", b"EHLO a", b"HELO a", b"VRFY a", b"HELP"]


@pytest.mark.parametrize("command", IDLE_COMMANDS)
def test_commands_that_bring_no_mail_on_are_limited(command):
    client = Edge().client(hello=None)
    replies = client.ask(*[command] * 8000)
    assert sum(reply[3] == " " for reply in replies) == MOST_OTHER_COMMANDS + 1
    assert replies[-1] == TOO_MANY_COMMANDS
    assert client.closed


def test_an_exchange_of_a_login_that_is_begun_over_and_over_is_limited():
    client = Edge().client(hello=None)
    offer_security(client)
    replies = client.ask(b"EHLO a", *[b"AUTH PLAIN", b"*"] * 8000)
    assert replies.count("501 5.7.0 authentication aborted") == MOST_OTHER_COMMANDS - 1
    assert replies[-1] == TOO_MANY_COMMANDS


def test_a_client_may_reset_what_was_put_off_and_try_again():
    """As smtplib does, with a spool that is full."""
    client = Edge().client()
    client.ask(*[b"MAIL FROM:<a@x.example>", b"RSET"] * (2 * MOST_OTHER_COMMANDS))
    assert client.send_mail()[0].startswith("250 2.0.0 queued")
    client.ask(b"MAIL FROM:<a@x.example>", *[b"RSET"] * (MOST_OTHER_COMMANDS + 2))
    assert client.closed


def test_commands_of_a_mail_are_not_limited_and_its_end_forgives_others():
    edge = Edge(account(recipients=["!*@no.example"]), max_recipients=5000)
    client = edge.client()
    recipients = [b"%d@y.example" % n for n in range(3000)]
    refused = [b"%d@no.example" % n for n in range(900)]
    for _ in range(3):
        client.ask(*[b"NOOP"] * (MOST_OTHER_COMMANDS - 1))
        assert client.send_mail(recipients=recipients + refused)[0].startswith("250 2.0.0 queued")
    assert not client.closed


def test_quit_is_heard_whatever_was_said_before():
    client = Edge().client(hello=None)
    client.ask(*[b"NOOP"] * MOST_OTHER_COMMANDS)
    assert client.ask(b"QUIT") == ["221 2.0.0 good-bye"]


# Refusals.

SENDER, REFUSED = b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@no.example>"
TOO_MANY_REFUSALS = "421 4.7.0 too many refusals and no mail, closing"
FRUITLESS = {
    "refused recipients": ([SENDER], [REFUSED]),
    "recipients that cannot be read": ([SENDER], [b"RCPT TO:<b@@y.example>"]),
    "too many recipients": ([SENDER, b"RCPT TO:<b@y.example>"], [b"RCPT TO:<c@y.example>"]),
    "refused senders": ([], [SENDER + b" SIZE=99999999999"]),
    "what follows a refused sender": ([SENDER + b" SIZE=99999999999"], [b"DATA"]),
    "refused content": ([], [SENDER, b"RCPT TO:<b@y.example>", b"DATA", b"\0", b"."]),
}


def refusals_of(client, seconds):
    """Return how many refusals are said in so long."""
    said = sum(reply[0] in "45" for reply in client.replies())
    for _ in range(round(seconds / WAIT_OF_REFUSALS)):
        client.session.callLater.__self__.advance(WAIT_OF_REFUSALS)
        client.catch_up()
        said += sum(reply[0] in "45" for reply in client.replies())
    return said


@pytest.mark.parametrize(("before", "over_and_over"), FRUITLESS.values(), ids=FRUITLESS)
def test_many_refusals_and_no_mail_become_slow_and_end_the_session(before, over_and_over):
    """Once, such sessions had 17,000 refusals in a second, and their lines in the log."""
    edge = Edge(account(recipients=["!*@no.example"]), max_recipients=1)
    client = edge.client()
    client.ask(*before)
    client.send(b"".join(line + b"\r\n" for line in over_and_over * (MOST_REFUSALS + 10)))
    at_once = refusals_of(client, 0)
    assert REFUSED_AT_ONCE / 2 - COMMANDS_AT_A_TIME <= at_once <= REFUSED_AT_ONCE
    assert refusals_of(client, 10) <= 10 / WAIT_OF_REFUSALS + COMMANDS_AT_A_TIME
    assert not client.closed
    at_last = refusals_of(client, MOST_REFUSALS * WAIT_OF_REFUSALS)
    assert at_last <= MOST_REFUSALS - REFUSED_AT_ONCE - 10 / WAIT_OF_REFUSALS + 2
    assert client.closed


def test_the_last_word_is_that_there_were_too_many():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    client.session.dialogue.talk.tarpit.refusals = MOST_REFUSALS - 2
    client.ask(SENDER, *[REFUSED] * 5)
    edge.clock.advance(WAIT_OF_REFUSALS)
    assert client.replies()[-1] == TOO_MANY_REFUSALS
    assert client.closed


def test_a_mail_that_is_taken_forgives_refusals():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    for _ in range(20):
        recipients = [*[b"b@no.example"] * (REFUSED_AT_ONCE - 10), b"b@y.example"]
        assert client.send_mail(recipients=recipients)[0].startswith("250 2.0.0 queued")


@pytest.mark.parametrize("give_up", [b"RSET", b"EHLO a", b"HELO a"])
def test_recipients_that_are_given_up_count(give_up):
    edge = Edge()
    client = edge.client()
    client.session.dialogue.talk.tarpit.refusals = MOST_REFUSALS - 3
    client.ask(SENDER, *[b"RCPT TO:<b@y.example>"] * 2, give_up)
    assert not client.closed
    replies = client.ask(SENDER, *[b"RCPT TO:<b@y.example>"] * 2, give_up)
    assert replies[-1] == TOO_MANY_REFUSALS
    assert client.closed


def test_tls_is_not_begun_when_its_command_was_the_last():
    client = Edge().client()
    offer_security(client)
    client.session.dialogue.talk.tarpit.refusals = MOST_REFUSALS - 1
    replies = client.ask(SENDER, b"RCPT TO:<b@y.example>", b"STARTTLS")
    assert replies[-1] == TOO_MANY_REFUSALS
    assert client.transport.tls is None


def test_a_client_that_goes_while_its_refusal_waits_leaves_no_timer():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    client.session.dialogue.talk.tarpit.refusals = REFUSED_AT_ONCE
    assert client.ask(SENDER, REFUSED) == []
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []


def test_a_refusal_that_waits_is_said_before_the_session_is_ended():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    client.session.dialogue.talk.tarpit.refusals = REFUSED_AT_ONCE
    client.ask(SENDER, REFUSED)
    client.session.stop()
    assert [reply[:3] for reply in client.replies()] == ["250", "550", "421"]


# Turns.


@pytest.mark.parametrize(
    "lines",
    [
        [b"FOO"] * 500,
        [b"RCPT TO:<b@no.example>"] * 500,
        [b"MAIL FROM:<a@x.example> SIZE=999999999999"] * 500,
        [b"MAIL FROM:<a@x.example>", *[b"RCPT TO:<b@y.example>"] * 499],
    ],
)
def test_in_one_turn_few_commands_are_carried_out(lines):
    edge = Edge(account(recipients=["!*@no.example"]), max_errors=1000)
    client = edge.client()
    # In memory, a second stands for a turn: what is due at once is done in the same advance.
    client.session.callLater = lambda delay, call: edge.clock.callLater(delay or 1, call)
    client.session.dataReceived(b"".join(line + b"\r\n" for line in lines))
    # What is said in one turn is written in the next one; with the last, both at once.
    turns = []
    while sum(turns) < len(lines):
        edge.clock.advance(1)
        turns.append(len(client.replies()))
    assert turns == [*[COMMANDS_AT_A_TIME] * 8, 2 * COMMANDS_AT_A_TIME]


def test_what_comes_between_two_turns_waits_for_the_next():
    edge = Edge(max_errors=1000)
    client = edge.client()
    client.session.dataReceived(b"FOO\r\n" * (COMMANDS_AT_A_TIME + 1))
    client.session.dataReceived(b"QUIT\r\n")
    assert client.replies() == []
    client.session.readConnectionLost()
    assert not client.closed
    edge.clock.advance(0)
    assert [reply[:3] for reply in client.replies()] == ["500"] * (COMMANDS_AT_A_TIME + 1) + ["221"]


@pytest.mark.parametrize("end", [lambda client: client.session.stop(), lambda client: None])
def test_a_session_that_ends_between_two_turns_says_what_it_owes(end):
    edge = Edge(max_errors=1000)
    client = edge.client()
    client.session.dataReceived(b"FOO\r\n" * (COMMANDS_AT_A_TIME + 1))
    end(client)
    client.replies()
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []


def test_nobody_waits_for_strangers_who_greet_without_end():
    """63 KB of EHLO from each of a hundred: once seconds of work in one turn."""
    edge = Edge(allow=["127.0.0.1"], users=USERS, users_from_anywhere=True)
    greetings = b"EHLO a\r\n" * 8000
    strangers = [
        edge.client(peer=IPv4Address("TCP", f"198.51.100.{n}", 1), hello=None) for n in range(100)
    ]
    for stranger in strangers:
        stranger.session.dataReceived(greetings)
    # In the turn in which they come, all of them have what they get.
    assert all(stranger.closed for stranger in strangers)
    greeted = sum(
        reply.startswith("250-PIPELINING") for stranger in strangers for reply in stranger.replies()
    )
    assert greeted == 100 * MOST_OTHER_COMMANDS_OF_STRANGERS  # of 800,000
    assert edge.client().send_mail()[0].startswith("250 2.0.0 queued")


# Time.


def test_idle_client_is_told_and_hung_up_on():
    edge = Edge()
    client = edge.client()
    edge.clock.advance(IDLE - 1)
    client.ask(b"NOOP")
    edge.clock.advance(IDLE - 1)
    assert client.replies() == []
    edge.clock.advance(1)
    assert client.replies() == IDLE_TOO_LONG
    assert client.closed
    assert not client.cut_off


def test_client_that_does_not_read_the_last_reply_is_cut_off():
    edge = Edge()
    client = edge.client()
    client.ask(b"QUIT")
    edge.clock.advance(LAST_WORDS - 1)
    assert not client.cut_off
    edge.clock.advance(1)
    assert client.cut_off
    client.hang_up()


@pytest.mark.parametrize("last", [[], [b"QUIT"]])
def test_no_timer_outlives_the_connection(last):
    edge = Edge()
    client = edge.client()
    client.ask(*last)
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []
    assert not client.cut_off


def test_idle_client_in_content_loses_its_draft():
    edge = Edge()
    client = edge.client()
    client.begin()
    client.ask(b"Subject: x")
    edge.clock.advance(IDLE)
    assert client.replies() == IDLE_TOO_LONG
    assert edge.draft.discarded


def test_time_that_we_take_is_not_the_client_s():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    for _ in range(5):
        edge.clock.advance(IDLE - 1)
    assert client.replies() == []
    edge.intake.go_on()
    assert len(client.replies()) == 1
    edge.clock.advance(IDLE - 1)
    assert client.replies() == []
    edge.clock.advance(1)
    assert client.replies() == IDLE_TOO_LONG


# The time of a mail.

HOUR = LIMITS.transaction_timeout
TOO_SLOW = ["421 4.4.2 this mail takes too long, closing"]


def trickle(edge, client, seconds, octets=b"x"):
    """Say something often enough not to be idle."""
    for _ in range(int(seconds / 100)):
        edge.clock.advance(100)
        if client.closed:
            break
        client.send(octets)


def test_mail_that_trickles_in_is_cut_off_in_time():
    edge = Edge()
    client = edge.client()
    trickle(edge, client, HOUR, b"NOOP\r\n")
    client.replies()
    client.begin()
    trickle(edge, client, HOUR - 100)
    assert not client.closed
    assert client.replies() == []
    trickle(edge, client, 100)
    assert client.replies() == TOO_SLOW
    assert client.closed
    assert edge.draft.discarded
    edge.clock.advance(LAST_WORDS)
    assert client.cut_off


def test_time_runs_from_mail_on():
    edge = Edge(transaction_timeout=200)
    client = edge.client()
    client.ask(b"MAIL FROM:<a@x.example>")
    trickle(edge, client, 100, b"NOOP\r\n")
    client.replies()
    client.ask(b"RCPT TO:<b@y.example>", b"DATA")
    trickle(edge, client, 100)
    assert client.replies() == TOO_SLOW


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize(
    "end",
    [
        lambda client: client.ask(b"RSET"),
        lambda client: client.ask(b"EHLO c.example"),
        lambda client: client.ask(b"HELO c.example"),
        lambda client: client.ask(b"RCPT TO:<b@y.example>", b"DATA", MAIL + b"."),
        lambda client: client.ask(b"RCPT TO:<b@y.example>", b"DATA", b"\n", b"."),
    ],
)
def test_time_is_over_with_the_mail(end):
    edge = Edge()
    client = edge.client()
    for _ in range(3):
        client.ask(b"MAIL FROM:<a@x.example>")
        trickle(edge, client, HOUR - 100, b"NOOP\r\n")
        client.replies()
        end(client)
        trickle(edge, client, 200, b"NOOP\r\n")
        assert not client.closed


def test_each_mail_has_its_own_time():
    edge = Edge()
    client = edge.client()
    client.ask(b"MAIL FROM:<a@x.example>")
    trickle(edge, client, HOUR - 100, b"NOOP\r\n")
    client.ask(b"RSET", b"MAIL FROM:<a@x.example>")
    trickle(edge, client, HOUR - 100, b"NOOP\r\n")
    client.replies()
    assert not client.closed
    trickle(edge, client, 100, b"NOOP\r\n")
    assert client.replies()[-1:] == TOO_SLOW
    assert client.closed


def test_refused_sender_has_no_time():
    edge = Edge()
    client = edge.client()
    client.ask(b"MAIL FROM:<a@x.example> FOO=1")
    trickle(edge, client, HOUR, b"NOOP\r\n")
    assert not client.closed


def test_time_that_the_commit_takes_is_ours():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    edge.clock.advance(2 * HOUR)
    assert not client.closed
    edge.intake.go_on()
    (reply,) = client.replies()
    assert reply.startswith("250 2.0.0 queued")


@pytest.mark.parametrize("begun", [[], [b"RCPT TO:<b@y.example>"]])
def test_no_time_limit_outlives_the_connection(begun):
    edge = Edge()
    client = edge.client()
    client.ask(b"MAIL FROM:<a@x.example>", *begun)
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []


# As the configuration says.


def test_limits_are_those_of_the_configuration():
    edge = Edge(
        max_errors=2, max_command_line=2048, idle_timeout=7, max_header_size=200, max_received=2
    )
    client = edge.client()
    assert client.ask(b"NOOP ".ljust(2047, b"x")) == ["250 2.0.0 still here"]
    assert client.ask(b"NOOP ".ljust(2048, b"x")) == ["500 5.5.2 line too long"]
    assert client.ask(b"FOO")[-1] == "421 4.7.0 too many errors, closing"
    client = edge.client()
    assert client.send_mail(b"A: " + b"x" * 200 + b"\r\n") == ["552 5.3.4 message header too large"]
    assert client.send_mail(b"Received: x\r\n")[0].startswith("250")
    assert client.send_mail(b"Received: x\r\n" * 2)[0].startswith("554 5.4.6")
    edge.clock.advance(7)
    assert client.replies() == IDLE_TOO_LONG


# Back-pressure.


@pytest.mark.usefixtures("chatty")
def test_client_that_never_reads_its_replies_is_idle_in_the_end():
    edge = Edge()
    client = edge.client()
    for _ in range(10):
        client.send(b"RSET\r\n" * 1000)
    client.session.pauseProducing()
    assert client.paused
    edge.clock.advance(IDLE)
    assert client.replies()[-1:] == IDLE_TOO_LONG
    assert client.closed
    edge.clock.advance(LAST_WORDS)
    assert client.cut_off
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []


def test_client_that_does_not_read_is_not_read():
    client = Edge().client()
    client.session.pauseProducing()
    assert client.paused
    client.session.resumeProducing()
    assert not client.paused


def test_registered_as_the_producer_of_its_replies():
    client = Edge().client()
    assert client.transport.producer is client.session
    assert client.transport.streaming
    client.ask(b"QUIT")
    assert client.transport.producer is None


@pytest.mark.usefixtures("chatty")
def test_client_that_sends_ahead_is_not_read():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    commands = READ_AHEAD // 6
    client.send(b"NOOP\r\n" * commands)
    assert not client.paused
    client.send(b"NOOP\r\n")
    assert client.paused
    edge.intake.go_on()
    client.catch_up()
    assert not client.paused
    assert client.replies()[1:] == ["250 2.0.0 still here"] * (commands + 1)


def test_more_is_read_at_a_time_of_content_than_of_commands():
    client = Edge().client()
    client.send(b"EHLO me\r\nMAIL FROM:<boss@sales.example>\r\nRCPT TO:<a@b.example>\r\n")
    assert client.transport.bufferSize == READ_AHEAD
    client.send(b"DATA\r\n")
    assert client.transport.bufferSize == CONTENT_READ
    client.send(b"text\r\n.\r\n")
    assert client.transport.bufferSize == READ_AHEAD


@pytest.mark.usefixtures("chatty")
def test_reading_goes_on_when_no_reason_is_left():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    client.session.pauseProducing()
    client.send(b"NOOP\r\n" * READ_AHEAD)
    edge.intake.go_on()
    client.catch_up()
    assert client.paused
    client.session.resumeProducing()
    assert not client.paused


def test_slow_spool_stops_the_reading():
    edge = Edge()
    edge.intake.room = Deferred()
    client = edge.client()
    client.begin()
    client.ask(MAIL)
    assert client.paused
    edge.draft.room, room = None, edge.draft.room
    room.callback(None)
    assert not client.paused
    assert client.ask(b".")[0].startswith("250 2.0.0 queued")


def test_slow_spool_does_not_delay_the_commit():
    edge = Edge()
    edge.intake.room = Deferred()
    client = edge.client()
    client.begin()
    assert client.ask(MAIL + b".")[0].startswith("250 2.0.0 queued")
    edge.draft.room.callback(None)
    assert not client.paused


def test_nothing_is_asked_of_a_transport_that_is_gone():
    edge = Edge()
    edge.intake.room = Deferred()
    client = edge.client()
    client.begin()
    client.ask(MAIL)
    client.session.stop()
    edge.draft.room.callback(None)
    client.session.pauseProducing()
    client.session.resumeProducing()
    assert client.replies() == ["421 4.3.2 shutting down, try again later"]


# Clients that vanish.


def test_client_that_vanishes_in_its_content_leaves_nothing():
    edge = Edge()
    client = edge.client()
    client.begin()
    client.ask(MAIL)
    client.hang_up()
    assert edge.draft.discarded
    assert not edge.messages


def test_client_that_vanishes_after_its_final_dot_has_its_mail_taken():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    client.hang_up()
    assert not edge.draft.discarded
    edge.intake.go_on()
    (message,) = edge.messages
    assert message.content.endswith(MAIL)


# Clients that send no more, but read.

WHOLE_MAIL = b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n" + MAIL + b".\r\n"


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("mails", [1, 2, 3])
@pytest.mark.parametrize("last", [b"", b"NOOP\r\n", b"QUIT\r\n"])
def test_all_mails_before_a_half_close_are_taken_and_answered(waits, mails, last):
    edge = Edge()
    edge.intake.waits = waits
    client = edge.client()
    client.send(mails * WHOLE_MAIL + last)
    if waits or not last.startswith(b"QUIT"):
        client.send_no_more()
    said = client.replies()
    for _ in range(mails if waits else 0):
        assert not client.closed
        edge.intake.go_on()
        said += client.replies()
    queued = [line for line in said if line.startswith("250 2.0.0 queued")]
    assert len(queued) == len(edge.messages) == mails
    assert said[-1][:3] == {b"NOOP\r\n": "250", b"QUIT\r\n": "221"}.get(last, "250")
    assert client.closed
    client.hang_up()
    assert edge.clock.getDelayedCalls() == []
    assert not edge.factory._sessions


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"MAIL FROM:<a@x.example>\r\n",
        b"MAIL FROM:<a@x.exam",
        WHOLE_MAIL[:-1],
        WHOLE_MAIL[:-3],
        WHOLE_MAIL.replace(b"DATA\r\n", b"BDAT 500 LAST\r\n"),
        WHOLE_MAIL.replace(b"DATA\r\n", b"BDAT 5\r\n")[:-20],
    ],
)
def test_a_mail_that_has_not_come_whole_before_a_half_close_is_not_taken(begun):
    edge = Edge()
    client = edge.client()
    client.send(begun)
    client.send_no_more()
    assert client.closed
    assert not edge.messages
    assert all(draft.discarded for draft in edge.intake.drafts)
    edge.clock.advance(LAST_WORDS)
    assert client.cut_off


def test_a_half_closed_connection_is_not_read_again():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    client.session.pauseProducing()
    client.send_no_more()
    client.send_no_more()
    client.session.resumeProducing()
    assert client.paused
    edge.intake.go_on()
    assert client.closed


def test_a_login_before_a_half_close_is_answered():
    edge = Edge()
    client = edge.client()
    answer = Deferred()
    offer_security(client)
    client.session.portal.login = lambda *_: answer
    client.ask(b"AUTH PLAIN AGpvZQBzZWNyZXQ=", b"NOOP")
    client.send_no_more()
    assert not client.closed
    answer.callback((IMessageDeliveryFactory, client.session.deliveryFactory, lambda: None))
    assert [line[:3] for line in client.replies()] == ["235", "250"]
    assert client.closed


def test_a_stop_of_the_relay_does_not_cut_the_last_mail_of_a_half_closed_connection():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send(2 * WHOLE_MAIL)
    client.send_no_more()
    edge.factory.stop()
    edge.intake.go_on()
    assert [line[:3] for line in client.replies()][-2:] == ["250", "421"]
    assert client.closed
    assert len(edge.messages) == 1


def test_fault_of_the_spool_is_logged_also_when_the_client_has_gone():
    edge = Edge()
    edge.intake.waits = True
    edge.intake.fault = SpoolError("the disk failed")
    client = edge.client()
    client.send_mail()
    client.hang_up()
    with capturedLogs() as events:
        edge.intake.go_on()
    assert [str(event.get("error")) for event in events] == ["the disk failed"]


def test_who_is_refused_what_is_logged():
    client = Edge(account("A", senders=["boss@x.example"])).client()
    with capturedLogs() as events:
        client.ask(b"EHLO c.example", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>")
    [line] = [formatEvent(event) for event in events]
    assert line == (
        "127.0.0.1 rejected: 550 5.7.1 no account is configured for mail from <a@x.example> "
        "to <b@y.example>"
    )


@pytest.mark.parametrize("commands", [[b"FOO"], [b"QUIT"], [b"MAIL FROM:<a@x.example>"]])
def test_end_of_a_session_is_told_once(commands):
    client = Edge().client()
    ended = []
    client.session.ended.addCallback(ended.append)
    client.ask(*commands)
    assert ended == []
    client.hang_up()
    assert ended == [None]
