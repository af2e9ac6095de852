"""One mail over a session: what is said, and what the replies mean for each recipient."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs, formatEvent

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.routing.account import NullSender
from multisendcon_plugin.routing.hop import Tls
from tests.relays import BREAK_OFF, CLOSE, CONTENT, HEADER, SILENT, Server, Way, login, verdicts

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
A, B, C = "a@b.example", "b@b.example", "c@b.example"
MAIL = b"MAIL FROM:<boss@a.example>"
RCPT_A, RCPT_B = b"RCPT TO:<a@b.example>", b"RCPT TO:<b@b.example>"
#: Without the dot that SMTP added (RFC 1870 section 3).
SIZE = len(CONTENT) - 1
BOTH_MODES = pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lockstep"])


def said(server):
    """Return the lines of the mail transactions."""
    return [line for line in server.lines if not line.startswith((b"EHLO", b"AUTH"))]


def mail_command(content=CONTENT, *, offers=(), account=None, **more):
    """Return the MAIL command of a mail."""
    server = Server(*offers)
    Way(server, **(account or {})).send(content, **more)
    (command,) = [line for line in server.lines if line.startswith(b"MAIL")]
    return command


def replies(attempt):
    return [(outcome.phase, str(outcome.reply)) for outcome in attempt.outcomes]


# What is said.


def test_with_pipelining_a_mail_takes_two_segments():
    way = Way(Server("PIPELINING"))
    assert verdicts(way.send(recipients=(A, B))) == [DELIVERED, DELIVERED]
    assert way.wire.writes == [
        b"EHLO relay.example.com\r\n",
        b"MAIL FROM:<boss@a.example>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n",
        CONTENT + b".\r\n",
    ]


def test_without_pipelining_each_command_waits_for_the_last_reply():
    way = Way(Server())
    assert verdicts(way.send(recipients=(A, B))) == [DELIVERED, DELIVERED]
    assert way.wire.writes == [
        b"EHLO relay.example.com\r\n",
        b"MAIL FROM:<boss@a.example>\r\n",
        b"RCPT TO:<a@b.example>\r\n",
        b"RCPT TO:<b@b.example>\r\n",
        b"DATA\r\n",
        CONTENT + b".\r\n",
    ]


@BOTH_MODES
def test_nothing_is_said_before_it_may_be(offers):
    way = Way(Server(*offers, MAIL=SILENT))
    way.begin()
    assert way.wire.writes[-1].startswith(MAIL)
    assert not any(b"From:" in octets for octets in way.wire.writes)


@BOTH_MODES
def test_an_outcome_carries_the_reply_and_a_delivery_its_end(offers):
    way = Way(Server(*offers))
    way.network.advance(7)
    attempt = way.send()
    assert replies(attempt) == [(Phase.END, "250 2.0.0 queued as 1")]
    assert attempt.fault is None
    assert attempt.mail_ended == 7
    assert attempt.session == "192.0.2.10 to 192.0.2.1 port 25, no TLS"


def test_the_description_of_the_session_names_the_tls_version():
    assert Way(Server("STARTTLS")).send().session.endswith(", TLSv1.3")


@pytest.mark.parametrize(
    ("offers", "envelope", "expected"),
    [
        ((), {}, b""),
        (("SIZE",), {}, b" SIZE=%d" % SIZE),
        (("SIZE 0",), {}, b" SIZE=%d" % SIZE),
        ((f"SIZE {SIZE}",), {}, b" SIZE=%d" % SIZE),
        (("SIZE what",), {}, b" SIZE=%d" % SIZE),
        (("8BITMIME",), {}, b""),
        (("8BITMIME",), {"eight_bit": True}, b" BODY=8BITMIME"),
        ((), {"eight_bit": True}, b""),
        (("SMTPUTF8",), {}, b""),
        (("SMTPUTF8",), {"utf8": True}, b" SMTPUTF8"),
        ((), {"utf8": True}, b""),
        (
            ("SMTPUTF8", "8BITMIME", "SIZE 999"),
            {"utf8": True, "eight_bit": True},
            b" SIZE=%d BODY=8BITMIME SMTPUTF8" % SIZE,
        ),
    ],
)
def test_parameters_are_said_when_they_are_offered_and_needed(offers, envelope, expected):
    assert mail_command(offers=offers, **envelope) == MAIL + expected


def test_the_null_reverse_path_is_said():
    assert mail_command(reverse_path="") == b"MAIL FROM:<>"


def test_a_mail_that_is_too_large_is_not_said_at_all():
    server = Server(f"SIZE {SIZE - 1}")
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [FAILED, FAILED]
    text = f"5.3.4 the message has {SIZE} bytes, the server takes up to {SIZE - 1}"
    assert replies(attempt) == [(Phase.MAIL, text)] * 2
    assert attempt.fault is attempt.mail_ended is None
    assert said(server) == []


# SMTPUTF8.


def test_with_smtputf8_addresses_are_said_as_they_are():
    server = Server("SMTPUTF8")
    Way(server).send(reverse_path="jürg@bücher.example", recipients=("ü@b.example",), utf8=True)
    assert said(server)[:2] == [
        "MAIL FROM:<jürg@bücher.example> SMTPUTF8".encode(),
        "RCPT TO:<ü@b.example>".encode(),
    ]


def test_without_smtputf8_only_what_has_an_ascii_form_leaves():
    server = Server("PIPELINING")
    attempt = Way(server).send(
        reverse_path="boss@bücher.example",
        recipients=("ü@b.example", "a@bücher.example", A),
        utf8=True,
    )
    assert verdicts(attempt) == [FAILED, DELIVERED, DELIVERED]
    assert attempt.outcomes[0].phase is Phase.RCPT
    assert attempt.outcomes[0].reply.enhanced == "5.6.7"
    assert "SMTPUTF8" in attempt.outcomes[0].reply.text
    assert said(server) == [
        b"MAIL FROM:<boss@xn--bcher-kva.example>",
        b"RCPT TO:<a@xn--bcher-kva.example>",
        RCPT_A,
        b"DATA",
    ]


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        (CONTENT, {"reverse_path": "jürg@a.example"}),
        (CONTENT, {"recipients": ("ü@b.example", "ä@b.example")}),
        ("Subject: größer\r\n\r\nhello\r\n".encode(), {}),
    ],
)
def test_a_mail_without_ascii_form_fails_without_a_word(content, paths):
    server = Server()
    attempt = Way(server).send(content, utf8=True, **paths)
    assert {outcome.verdict for outcome in attempt.outcomes} == {FAILED}
    assert {outcome.reply.enhanced for outcome in attempt.outcomes} == {"5.6.7"}
    assert attempt.fault is attempt.mail_ended is None
    assert said(server) == []


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.parametrize("reverse_path", ["boss@a.example", ""])
@pytest.mark.parametrize("account", [{}, {"fixed_sender": "sales@fixed.example"}])
def test_a_mail_in_ascii_leaves_also_without_smtputf8(offered, reverse_path, account):
    server = Server(*["SMTPUTF8"] * offered)
    way = Way(server, **account)
    assert verdicts(way.send(reverse_path=reverse_path, utf8=True)) == [DELIVERED]
    assert said(server)[0].endswith(b" SMTPUTF8") is offered


@pytest.mark.parametrize(
    ("author", "reply_to"),
    [
        ("jürg@a.example", b""),
        ("Jane <jane@bücher.example>", b"Reply-To: Jane <jane@xn--bcher-kva.example>\r\n"),
        ("jürg@a.example, Jane <jane@x>", b"Reply-To: Jane <jane@x>\r\n"),
    ],
)
@pytest.mark.parametrize("null_sender", [True, False])
def test_a_reply_to_of_ours_is_no_obstacle(author, reply_to, null_sender):
    content = f"From: {author}\r\nSubject: x\r\n\r\nhällo\r\n".encode()
    mail = {"reverse_path": "" if null_sender else "jürg@a.example", "utf8": True}
    account = {"fixed_sender": "sales@fixed.example"}
    server, able = Server(), Server("SMTPUTF8")
    assert verdicts(Way(server, **account).send(content, **mail)) == [DELIVERED]
    assert b"SMTPUTF8" not in said(server)[0]
    head, _, rest = server.taken[0].partition(b"Subject: x\r\n")
    assert head.partition(b"\r\n")[2] == reply_to
    assert rest == "\r\nhällo\r\n.\r\n".encode()
    Way(able, **account).send(content, **mail)
    assert f"Reply-To: {author}\r\n".encode() in able.taken[0]


@pytest.mark.parametrize(
    "content",
    [
        "From: jürg@a.example\r\nSubject: größer\r\n\r\n",
        "From: jürg@a.example\r\nReply-To: ü@a.example\r\n\r\n",
        "From: Jürg <j@a.example>\r\n\r\n",
    ],
)
def test_what_else_goes_beyond_ascii_is_one(content):
    way = Way(Server(), fixed_sender="sales@fixed.example")
    assert verdicts(way.send(content.encode(), utf8=True)) == [FAILED]


# Replies.


@BOTH_MODES
def test_each_recipient_has_its_own_reply(offers):
    server = Server(*offers, RCPT=["550 5.1.1 no such user", "250 ok", "451 4.7.1 greylisted"])
    attempt = Way(server).send(recipients=(A, B, C))
    assert verdicts(attempt) == [FAILED, DELIVERED, DEFERRED]
    assert replies(attempt) == [
        (Phase.RCPT, "550 5.1.1 no such user"),
        (Phase.END, "250 2.0.0 queued as 1"),
        (Phase.RCPT, "451 4.7.1 greylisted"),
    ]
    assert attempt.fault is None
    assert server.taken == [CONTENT + b".\r\n"]


@BOTH_MODES
def test_the_same_address_twice_has_two_outcomes(offers):
    server = Server(*offers, RCPT=["250 ok", "550 5.5.1 again?"])
    assert verdicts(Way(server).send(recipients=(A, A))) == [DELIVERED, FAILED]


REFUSED = ["550 5.1.1 no such user", "451 4.7.1 greylisted"]


def test_all_recipients_refused_pipelined_a_server_that_waits_gets_a_lone_dot():
    server = Server("PIPELINING", RCPT=REFUSED, END="554 5.5.1 no valid recipients")
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [FAILED, DEFERRED]
    assert [text for _, text in replies(attempt)] == REFUSED
    assert server.contents == [b".\r\n"]
    assert attempt.fault is None


def test_all_recipients_refused_pipelined_a_server_that_does_not_wait_gets_nothing():
    server = Server("PIPELINING", RCPT=REFUSED, DATA="503 5.5.1 no valid recipients")
    attempt = Way(server).send(recipients=(A, B))
    assert [text for _, text in replies(attempt)] == REFUSED
    assert server.contents == []


def test_all_recipients_refused_in_lock_step_there_is_no_data():
    server = Server(RCPT=REFUSED)
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [FAILED, DEFERRED]
    assert said(server) == [MAIL, RCPT_A, RCPT_B]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [("550 5.7.1 not yours", FAILED), ("451 4.3.0 later", DEFERRED), ("452 full", DEFERRED)],
)
@pytest.mark.parametrize(
    ("offers", "more"),
    [
        ((), {}),
        (("PIPELINING",), {"RCPT": "503 5.5.1 MAIL first", "DATA": "503 5.5.1 MAIL first"}),
        (("PIPELINING",), {"RCPT": "503 5.5.1 MAIL first", "END": "554 5.5.1 nobody"}),
    ],
)
def test_mail_refused_is_the_outcome_of_all(offers, more, reply, verdict):
    server = Server(*offers, MAIL=reply, **more)
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [verdict, verdict]
    assert replies(attempt) == [(Phase.MAIL, reply)] * 2
    assert attempt.fault is None
    assert attempt.mail_ended == 0
    if not offers:
        assert said(server) == [MAIL]
    assert server.taken == []


@BOTH_MODES
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [("554 5.7.1 spam", FAILED), ("451 4.3.0 later", DEFERRED), ("250 2.0.0 what", DEFERRED)],
)
def test_data_refused_is_the_outcome_of_those_who_are_left(offers, reply, verdict):
    server = Server(*offers, RCPT=["250 ok", "550 5.1.1 no such user"], DATA=reply)
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [verdict, FAILED]
    assert replies(attempt) == [(Phase.DATA, reply), (Phase.RCPT, "550 5.1.1 no such user")]
    assert server.contents == []
    assert attempt.fault is None


@BOTH_MODES
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("250 2.0.0 ok", DELIVERED),
        ("251 2.0.0 ok", DELIVERED),
        ("354 what", DEFERRED),
        ("451 4.3.0 later", DEFERRED),
        ("554 5.7.1 spam", FAILED),
        ("552 5.3.4 too large", FAILED),
    ],
)
def test_the_reply_to_the_final_dot_is_the_outcome(offers, reply, verdict):
    attempt = Way(Server(*offers, END=reply)).send()
    assert verdicts(attempt) == [verdict]
    assert replies(attempt) == [(Phase.END, reply)]
    assert attempt.fault is None


# Faults of the account.

PHASES = {
    "MAIL": Phase.MAIL,
    "RCPT": Phase.RCPT,
    "DATA": Phase.DATA,
    "END": Phase.END,
}


@BOTH_MODES
@pytest.mark.parametrize("command", PHASES)
@pytest.mark.parametrize("reply", ["421 4.3.2 going down", "530 5.7.0 log in", "535 5.7.8 who?"])
def test_some_replies_are_about_the_account_wherever_they_come(offers, command, reply):
    server = Server(*offers, **{command: reply})
    way = Way(server)
    attempt = way.send(recipients=(A, B))
    assert str(attempt.fault) == f"{PHASES[command].value}: {reply}"
    assert (attempt.fault.action is Action.ALARM) is not reply.startswith("421")
    assert verdicts(attempt) == [DEFERRED, DEFERRED]
    assert attempt.mail_ended == 0
    assert server.taken == []
    way.network.advance(5)
    assert way.wire.gone


@BOTH_MODES
def test_under_a_fault_nobody_is_failed(offers):
    server = Server(*offers, RCPT=["550 5.1.1 no such user", "250 ok"], END="421 4.3.2 bye")
    attempt = Way(server).send(recipients=(A, B))
    assert verdicts(attempt) == [DEFERRED, DEFERRED]
    assert replies(attempt)[0] == (Phase.RCPT, "550 5.1.1 no such user")


@BOTH_MODES
@pytest.mark.parametrize("command", PHASES)
@pytest.mark.parametrize(
    ("end", "text"),
    [(CLOSE, "the server closed the connection"), (BREAK_OFF, "the connection was lost")],
)
def test_a_lost_connection_is_uncertain_only_after_the_final_dot(offers, command, end, text):
    way = Way(Server(*offers, **{command: end}))
    attempt = way.send(recipients=(A, B))
    verdict = UNCERTAIN if command == "END" else DEFERRED
    assert verdicts(attempt) == [verdict, verdict]
    assert str(attempt.fault) == f"{PHASES[command].value}: 4.4.2 {text}"
    assert attempt.mail_ended == 0
    assert way.contents[0].closed


def test_lost_after_the_final_dot_the_refused_stay_certain():
    server = Server(RCPT=["550 5.1.1 no such user", "250 ok"], END=CLOSE)
    assert verdicts(Way(server).send(recipients=(A, B))) == [DEFERRED, UNCERTAIN]


LIMITS = {"MAIL": 300, "RCPT": 300, "DATA": 120, "END": 600}


@BOTH_MODES
@pytest.mark.parametrize("command", PHASES)
def test_each_phase_has_its_time(offers, command):
    limit = LIMITS[command]
    commands = list(PHASES)
    mute = dict.fromkeys(commands[commands.index(command) :], SILENT)
    way = Way(Server(*offers, **mute))
    results = way.begin()
    way.network.advance(limit - 1)
    assert results == []
    assert not way.wire.aborted
    way.network.advance(1)
    (attempt,) = results
    text = f"{PHASES[command].value}: 4.4.2 the server did not answer for {limit} s"
    assert str(attempt.fault) == text
    assert verdicts(attempt) == [UNCERTAIN if command == "END" else DEFERRED]
    assert attempt.mail_ended == limit
    assert way.wire.aborted
    assert way.network.timers == []


# Content.

BIG = HEADER + b"\r\n" + b"".join(b"..%d\r\n" % n for n in range(10_000))
PIECES = [BIG[:10], BIG[10:50], BIG[50:20_000], BIG[20_000:20_001], BIG[20_001:]]


@BOTH_MODES
def test_content_in_pieces_leaves_byte_for_byte(offers):
    server = Server(*offers)
    way = Way(server)
    assert verdicts(way.send(BIG, pieces=PIECES)) == [DELIVERED]
    assert server.taken == [BIG + b".\r\n"]
    assert way.contents[0].closed


def test_content_that_comes_later_is_waited_for():
    server = Server()
    way = Way(server)
    pieces = [Deferred() for _ in range(4)]
    results = way.begin(BIG, pieces=pieces)
    for deferred, piece in zip(pieces, [BIG[:60], BIG[60:900], BIG[900:], b""], strict=True):
        assert not results
        deferred.callback(piece)
        way.network.flush()
    assert verdicts(results[0]) == [DELIVERED]
    assert server.taken == [BIG + b".\r\n"]


def test_the_last_piece_leaves_together_with_the_final_dot():
    way = Way(Server())
    way.send(BIG, pieces=[BIG[:900], BIG[900:]])
    assert way.wire.writes[-2:] == [BIG[:900], BIG[900:] + b".\r\n"]


@pytest.mark.parametrize(
    "pieces", [[SpoolError("disk")], [HEADER[:5], SpoolError("disk")], [HEADER[:5]]]
)
def test_a_content_that_cannot_be_read_is_deferred_without_a_word(pieces):
    server = Server()
    way = Way(server)
    attempt = way.send(pieces=pieces)
    assert replies(attempt) == [
        (Phase.CONTENT, "4.3.0 the message could not be read from the spool")
    ]
    assert verdicts(attempt) == [DEFERRED]
    assert attempt.fault is attempt.mail_ended is None
    assert said(server) == []
    assert way.contents[0].closed
    assert not way.wire.aborted  # the session is as good as before
    assert verdicts(way.send()) == [DELIVERED]
    assert len(way.network.wires) == 1


@BOTH_MODES
@pytest.mark.parametrize("good", [2, 3, 4])
def test_half_a_mail_is_never_taken_for_the_whole(offers, good):
    server = Server(*offers)
    way = Way(server)
    attempt = way.send(BIG, pieces=[*PIECES[:good], SpoolError("disk")])
    assert verdicts(attempt) == [DEFERRED]
    assert attempt.fault is None
    assert attempt.mail_ended == 0
    assert way.wire.aborted
    assert server.taken == []
    assert not way.wire.writes[-1].endswith((b".\r\n", b"QUIT\r\n", b"RSET\r\n"))
    assert way.contents[0].closed


def test_a_fault_of_ours_lets_no_session_stay():
    way = Way(Server())
    results = way.begin(pieces=[HEADER, ZeroDivisionError("ours")])
    assert results[0].check(ZeroDivisionError)
    assert way.wire.aborted
    assert way.wire.gone
    assert way.contents[0].closed
    assert way.network.timers == []


# The server answers although it is our turn.


def early(server):
    """Carry a mail of which the last piece is still to come; return its way and results."""
    way = Way(server)
    last = Deferred()
    results = way.begin(BIG, pieces=[BIG[:900], BIG[900:20_000], last])
    return way, results, last


@BOTH_MODES
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [("552 5.3.4 too large", FAILED), ("452 4.3.1 full", DEFERRED), ("250 ok", DEFERRED)],
)
def test_a_reply_in_the_middle_of_the_content_is_the_outcome(offers, reply, verdict):
    server = Server(*offers, CONTENT=reply)
    way, results, last = early(server)
    last.callback(BIG[20_000:])
    way.network.flush()
    (attempt,) = results
    assert verdicts(attempt) == [verdict]
    assert replies(attempt) == [(Phase.CONTENT, reply)]
    assert attempt.fault is None
    assert way.wire.aborted
    # Neither commands nor the final dot are written into the content.
    assert b"".join(way.wire.writes[2:]).endswith(BIG[:900])


def test_a_reply_before_the_last_piece_is_not_taken_for_one_to_the_final_dot():
    server = Server(CONTENT="552 5.3.4 too large")
    way = Way(server)
    last = Deferred()
    results = way.begin(BIG, pieces=[BIG[:900], BIG[900:], last])
    last.callback(b"")
    way.network.flush()
    assert replies(results[0]) == [(Phase.CONTENT, "552 5.3.4 too large")]
    assert way.wire.aborted
    assert server.taken == []


def test_421_in_the_middle_of_the_content_is_a_fault_and_no_quit_is_written_into_it():
    way, results, last = early(Server(CONTENT="421 4.3.2 going down"))
    last.callback(BIG[20_000:])
    way.network.flush()
    assert str(results[0].fault) == "content: 421 4.3.2 going down"
    assert verdicts(results[0]) == [DEFERRED]
    assert way.wire.aborted
    assert not any(b"QUIT" in octets for octets in way.wire.writes)


@pytest.mark.parametrize("end", [CLOSE, BREAK_OFF])
def test_lost_in_the_middle_of_the_content_is_deferred(end):
    way, results, last = early(Server(CONTENT=end))
    last.callback(BIG[20_000:])
    way.network.flush()
    assert verdicts(results[0]) == [DEFERRED]
    assert results[0].fault.phase is Phase.CONTENT


def test_lost_while_the_last_piece_is_read_is_deferred():
    way = Way(Server())
    last = Deferred()
    results = way.begin(pieces=[CONTENT, last])
    way.wire.end(ConnectionLost())
    last.callback(b"")
    assert verdicts(results[0]) == [DEFERRED]


def test_a_server_that_said_why_before_it_closed_is_heard():
    way, results, last = early(Server())
    way.wire.server.say("552 5.3.4 too large")
    way.wire.end(ConnectionLost())
    last.callback(BIG[20_000:])
    assert replies(results[0]) == [(Phase.CONTENT, "552 5.3.4 too large")]
    assert verdicts(results[0]) == [FAILED]


def stalled_in_content():
    server = Server()

    def data(_):
        server.stalled = True
        server.begin_content()
        return b"354 go ahead\r\n"

    server.answers["DATA"] = data
    way = Way(server)
    return way, way.begin(BIG, pieces=PIECES)


def test_a_peer_that_does_not_read_is_waited_for_and_then_cut_off():
    way, results = stalled_in_content()
    assert not results
    assert len(way.contents[0].pieces) > 1  # what is not taken is not read
    way.network.advance(179)
    assert not results
    way.network.advance(1)
    (attempt,) = results
    assert str(attempt.fault) == "content: 4.4.2 the server did not answer for 180 s"
    assert verdicts(attempt) == [DEFERRED]
    assert way.wire.aborted


def test_a_peer_that_reads_again_gets_the_rest():
    way, results = stalled_in_content()
    way.network.advance(179)
    way.wire.go_on()
    assert verdicts(results[0]) == [DELIVERED]
    assert way.wire.server.taken == [BIG + b".\r\n"]
    way.network.advance(9)
    assert not way.wire.gone


def test_a_peer_that_answers_instead_of_reading_is_heard():
    way, results = stalled_in_content()
    way.wire.server.say("552 5.3.4 too large")
    way.network.flush()
    assert replies(results[0]) == [(Phase.CONTENT, "552 5.3.4 too large")]
    assert way.wire.aborted


# RSET.


@BOTH_MODES
def test_there_is_no_rset_after_a_mail_that_was_taken(offers):
    server = Server(*offers)
    way = Way(server)
    way.send()
    way.send()
    assert b"RSET" not in server.lines
    assert len(server.taken) == 2


@pytest.mark.parametrize(
    ("offers", "refusal", "needed"),
    [
        ((), {"RCPT": ["550 5.1.1 no", "250 ok"]}, True),
        ((), {"DATA": ["451 4.3.0 no", "354 ok"]}, True),
        ((), {"END": ["554 5.7.1 no", "250 ok"]}, True),
        ((), {"MAIL": ["550 5.7.1 no", "250 ok"]}, False),
        (("PIPELINING",), {"MAIL": ["550 5.7.1 no", "250 ok"]}, True),
        (("PIPELINING",), {"RCPT": ["550 5.1.1 no", "250 ok"]}, True),
    ],
)
def test_rset_is_said_before_the_next_mail_when_something_may_be_left(offers, refusal, needed):
    server = Server(*offers, **refusal)
    way = Way(server)
    way.send()
    assert b"RSET" not in server.lines
    assert verdicts(way.send()) == [DELIVERED]
    assert verdicts(way.send()) == [DELIVERED]
    assert server.lines.count(b"RSET") == needed
    assert len(way.network.wires) == 1


@pytest.mark.parametrize(
    "rest", ["503 5.5.1 no MAIL", "530 5.7.0 log in", "432 4.7.12 no", "250 ok"]
)
@pytest.mark.parametrize("data", ["503 5.5.1 no RCPT", "530 5.7.0 log in", "354 go ahead"])
def test_what_is_said_after_mail_was_refused_means_nothing(rest, data):
    server = Server("PIPELINING", MAIL=["550 5.7.1 no", "250 ok"], RCPT=[rest, "250 ok"])
    server.answers |= {"DATA": [data, "354 go ahead"], "END": ["554 5.5.1 no", "250 ok"]}
    if data[:3] != "354":
        server.answers["END"].pop(0)
    way = Way(server)
    attempt = way.send()
    assert attempt.fault is None
    assert [str(outcome.reply) for outcome in attempt.outcomes] == ["550 5.7.1 no"]
    assert verdicts(way.send()) == [DELIVERED]
    assert server.lines.count(b"RSET") == 1


def test_rset_is_said_once():
    server = Server(END="554 5.7.1 no", MAIL=["250 ok", "450 4.1.8 later", "250 ok"])
    way = Way(server)
    for _ in range(3):
        way.send()
    assert said(server)[3:] == [b"RSET", MAIL, MAIL, b"RCPT TO:<r@b.example>", b"DATA"]


@pytest.mark.parametrize("answer", ["502 5.5.1 what", "421 4.3.2 bye", CLOSE])
def test_a_session_that_cannot_be_reset_is_replaced(answer):
    first, second = Server(END="554 5.7.1 no", RSET=answer), Server()
    way = Way(first, second)
    way.send()
    assert verdicts(way.send()) == [DELIVERED]
    assert first.lines.count(MAIL) == 1
    assert second.taken == [CONTENT + b".\r\n"]


# Fixed sender.

FIXED = {"fixed_sender": "sales@fixed.example"}


def test_a_fixed_sender_is_in_reverse_path_and_header():
    server = Server("SIZE 1000")
    way = Way(server, **FIXED)
    pieces = [CONTENT[:20], CONTENT[20:50], CONTENT[50:]]
    assert verdicts(way.send(pieces=pieces)) == [DELIVERED]
    (taken,) = server.taken
    head, _, body = taken.partition(b"\r\n\r\n")
    assert head == (
        b"From: Boss <sales@fixed.example>\r\nReply-To: Boss <boss@a.example>\r\nSubject: x"
    )
    assert body == CONTENT.partition(b"\r\n\r\n")[2] + b".\r\n"
    # Without the final dot, and the one that SMTP added.
    assert said(server)[0] == b"MAIL FROM:<sales@fixed.example> SIZE=%d" % (len(taken) - 4)


PRIVATE = b"Sensitivity: PRIVATE\r\n" + CONTENT


@pytest.mark.parametrize(
    ("account", "content", "path"),
    [
        (FIXED, PRIVATE, b"sales@fixed.example"),
        ({**FIXED, "fixed_sender_unless_private": True}, CONTENT, b"sales@fixed.example"),
        ({**FIXED, "fixed_sender_unless_private": True}, PRIVATE, b"boss@a.example"),
        ({"fixed_sender_unless_private": True}, CONTENT, b"boss@a.example"),
    ],
)
def test_reverse_path_and_header_change_together_or_not_at_all(account, content, path):
    server = Server()
    Way(server, **account).send(content)
    assert said(server)[0] == b"MAIL FROM:<" + path + b">"
    assert b"From: Boss <" + path + b">\r\n" in server.taken[0]
    if path == b"boss@a.example":
        assert server.taken == [content + b".\r\n"]


@pytest.mark.parametrize(
    ("account", "path"),
    [
        (FIXED, b""),
        ({**FIXED, "null_sender": NullSender.PASS}, b""),
        # It waited for this account before that took none of its kind.
        ({**FIXED, "null_sender": NullSender.SKIP}, b""),
        ({**FIXED, "null_sender": NullSender.REPLACE}, b"sales@fixed.example"),
    ],
)
def test_the_null_reverse_path_has_the_fixed_sender_in_its_header(account, path):
    server = Server("DSN")
    attempt = Way(server, **account).send(reverse_path="")
    assert said(server)[0] == b"MAIL FROM:<" + path + b">"
    assert server.taken[0].startswith(
        b"From: Boss <sales@fixed.example>\r\nReply-To: Boss <boss@a.example>\r\nSubject: x\r\n"
    )
    assert attempt.reports_success is not bool(path)


@pytest.mark.parametrize("null_sender", NullSender)
def test_the_null_reverse_path_of_a_private_mail_stays_with_its_header(null_sender):
    server = Server()
    account = {**FIXED, "fixed_sender_unless_private": True, "null_sender": null_sender}
    Way(server, **account).send(PRIVATE, reverse_path="")
    assert said(server)[0] == b"MAIL FROM:<>"
    assert server.taken == [PRIVATE + b".\r\n"]


@pytest.mark.parametrize("null_sender", NullSender)
def test_without_a_fixed_sender_the_null_reverse_path_stays(null_sender):
    server = Server()
    Way(server, null_sender=null_sender).send(reverse_path="")
    assert said(server)[0] == b"MAIL FROM:<>"
    assert server.taken == [CONTENT + b".\r\n"]


@pytest.mark.parametrize(
    ("removes", "kept"),
    [
        ({}, b"X-Mailer: m\r\n"),
        (
            {"fixed_sender_removes": ("x-mailer",)},
            b"Disposition-Notification-To: boss@a.example\r\nx-sender: boss@a.example\r\n",
        ),
    ],
)
def test_fields_that_show_the_replaced_sender_are_removed_beside_a_fixed_one(removes, kept):
    more = (
        b"Return-Path: <boss@a.example>\r\nDisposition-Notification-To: boss@a.example\r\n"
        b"X-Mailer: m\r\nx-sender: boss@a.example\r\n"
    )
    server, other = Server(), Server()
    Way(server, **FIXED, **removes).send(more + CONTENT)
    assert server.taken[0].startswith(kept + b"From: Boss <sales@fixed.example>\r\n")
    Way(other, **removes).send(more + CONTENT)
    assert other.taken == [more + CONTENT + b".\r\n"]


def test_a_name_that_shows_the_replaced_reverse_path_goes():
    server = Server()
    content = CONTENT.replace(b"Boss <boss@a.example>", b'"=?utf-8?q?me=40x?=" <boss@a.example>')
    Way(server, **FIXED).send(content, reverse_path="me@x")
    assert server.taken[0].startswith(b"From: sales@fixed.example\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"* 0.0 FOO rule hit",
        b"X Spam Report: yes",
        "Überwachung: ja".encode(),
        b":",
        b": x",
        b">From boss@a.example Mon",
        b".",
    ],
)
def test_beside_a_fixed_sender_a_header_that_ends_at_no_field_gets_an_empty_line(line):
    body = line.replace(b".", b"..", 1) if line[:1] == b"." else line
    content = HEADER + body + b"\r\nFrom: boss@a.example\r\n\r\n..hello\r\n"
    kept = content[len(HEADER) :]
    server = Server("SIZE")
    with capturedLogs() as logged:
        Way(server, **FIXED).send(content, header_size=len(HEADER))
    (taken,) = server.taken
    head, _, rest = taken.partition(b"\r\n\r\n")
    assert rest == kept + b".\r\n"
    assert head.count(b"\nFrom:") + head.startswith(b"From:") == 1
    added = sum(each.startswith(b"..") for each in kept.split(b"\r\n"))
    assert said(server)[0].endswith(b" SIZE=%d" % (len(taken) - 3 - added))
    (warning,) = [formatEvent(event) for event in logged if event["log_level"] is LogLevel.warn]
    assert warning.startswith("1: its header ends at a line that is no field; account Sales has")


@pytest.mark.parametrize(
    ("content", "more", "warned"),
    [
        (HEADER + b"x y\r\n", {"attempts": 1}, False),
        (HEADER + b"x y\r\n", {}, True),
        (HEADER + b"\r\nx y\r\n", {}, False),
        (HEADER + b"\r\n", {}, False),
        (HEADER, {}, False),
    ],
)
def test_the_log_tells_of_such_a_header_once(content, more, warned):
    pieces = [
        content[: len(HEADER)],
        content[len(HEADER) : len(HEADER) + 1],
        content[len(HEADER) + 1 :],
    ]
    pieces = [piece for piece in pieces if piece]
    with capturedLogs() as logged:
        attempt = Way(Server(), **FIXED).send(
            content, pieces=pieces, header_size=len(HEADER), **more
        )
    assert verdicts(attempt) == [DELIVERED]
    assert any(event["log_level"] is LogLevel.warn for event in logged) is warned


def test_without_a_fixed_sender_a_header_stays_as_it_is():
    content = HEADER + b": x\r\nFrom: boss@a.example\r\n\r\nhello\r\n"
    server = Server()
    with capturedLogs() as logged:
        Way(server).send(content, header_size=len(HEADER))
    assert server.taken == [content + b".\r\n"]
    assert not [event for event in logged if event["log_level"] is LogLevel.warn]


@pytest.mark.parametrize("dots", [1, 3, 1000])
def test_dots_that_smtp_added_are_no_part_of_the_size(dots):
    content = HEADER + b"\r\n" + dots * b"..\r\nx..\r\n"
    size = len(content) - dots
    server = Server(f"SIZE {size}")
    assert verdicts(Way(server).send(content)) == [DELIVERED]
    assert said(server)[0] == MAIL + b" SIZE=%d" % size
    assert verdicts(Way(Server(f"SIZE {size - 1}")).send(content)) == [FAILED]


def test_the_size_limit_is_that_of_the_mail_as_it_is_sent():
    server = Server(f"SIZE {SIZE + 10}")
    assert verdicts(Way(server, **FIXED).send()) == [FAILED]
    assert verdicts(Way(Server(f"SIZE {SIZE + 10}")).send()) == [DELIVERED]


def test_a_fixed_sender_with_an_international_domain_needs_no_smtputf8():
    server = Server()
    assert verdicts(Way(server, fixed_sender="sales@bücher.example").send()) == [DELIVERED]
    assert said(server)[0] == b"MAIL FROM:<sales@xn--bcher-kva.example>"
    assert b"From: Boss <sales@xn--bcher-kva.example>" in server.taken[0]


def test_a_fixed_sender_beyond_ascii_needs_smtputf8_though_the_mail_did_not():
    account = {"fixed_sender": "jürg@a.example"}
    command = mail_command(offers=("SMTPUTF8",), account=account)
    assert command == "MAIL FROM:<jürg@a.example> SMTPUTF8".encode()
    assert verdicts(Way(Server(), **account).send()) == [FAILED]


def test_the_login_says_nothing_about_the_sender():
    server = Server("AUTH PLAIN")
    Way(server, **login(tls=Tls.NONE)).send()
    assert said(server)[0] == MAIL


def test_a_reply_is_cleaned_but_keeps_its_code():
    server = Server(RCPT=b"550-5.1.1 no \x07such\r\n550 5.1.1 us\xe9r\r\n")
    (outcome,) = Way(server).send().outcomes
    assert outcome.reply == Reply(550, "5.1.1", "no  such\nus\\xe9r")


# What the sender wants to be told (RFC 3461).

ASKING = {"returns": Return.HEADER, "envelope_id": "Q+2B1"}
WISHES = {A: (Notify.SUCCESS | Notify.FAILURE, "rfc822;x+2By@b.example"), B: (Notify.NEVER, "")}
ASKING_MAIL = MAIL + b" RET=HDRS ENVID=Q+2B1"
ASKING_RCPT = RCPT_A + b" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2By@b.example"


@BOTH_MODES
def test_wishes_are_passed_on_to_a_server_that_offers_dsn(offers):
    server = Server("DSN", *offers)
    attempt = Way(server).send(recipients=(A, B, C), wishes=WISHES, **ASKING)
    assert said(server)[:4] == [
        ASKING_MAIL,
        ASKING_RCPT,
        RCPT_B + b" NOTIFY=NEVER",
        b"RCPT TO:<c@b.example>",
    ]
    assert attempt.reports_success


def test_wishes_are_kept_from_a_server_that_does_not():
    server = Server()
    attempt = Way(server).send(recipients=(A, B), wishes=WISHES, **ASKING)
    assert said(server)[:3] == [MAIL, RCPT_A, RCPT_B]
    assert not attempt.reports_success


def test_success_is_not_reported_to_the_fixed_sender():
    server = Server("DSN")
    attempt = Way(server, fixed_sender="team@a.example").send(
        recipients=(A, B), wishes=WISHES | {B: (Notify.SUCCESS, "")}, **ASKING
    )
    assert said(server)[:3] == [
        b"MAIL FROM:<team@a.example> RET=HDRS ENVID=Q+2B1",
        RCPT_A + b" NOTIFY=FAILURE ORCPT=rfc822;x+2By@b.example",
        RCPT_B + b" NOTIFY=NEVER",
    ]
    assert not attempt.reports_success


def test_a_private_mail_with_its_own_sender_is_reported_by_the_server():
    private = b"Sensitivity: Private\r\n" + CONTENT
    way = Way(Server("DSN"), fixed_sender="team@a.example", fixed_sender_unless_private=True)
    assert way.send(private, recipients=(A,), wishes=WISHES).reports_success


def test_a_sender_whose_domain_is_said_in_ascii_is_still_told_of_success_by_the_server():
    server = Server("DSN")
    attempt = Way(server).send(
        reverse_path="boss@b\u00fcro.example", recipients=(A,), wishes=WISHES, utf8=True
    )
    assert said(server)[:2] == [b"MAIL FROM:<boss@xn--bro-hoa.example>", ASKING_RCPT]
    assert attempt.reports_success


def test_an_original_recipient_beyond_ascii_is_escaped_for_a_server_without_smtputf8():
    server = Server("DSN")
    Way(server).send(recipients=(A,), wishes={A: (None, "utf-8;ä@b.example")})
    assert said(server)[1] == RCPT_A + b" ORCPT=utf-8;\\x{E4}@b.example"
