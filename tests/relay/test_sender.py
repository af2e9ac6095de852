"""One session: replies of any form, time limits, and how it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import LONGEST_TEXT
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.routing.hop import Tls
from tests.relays import BREAK_OFF, CLOSE, CONTENT, SILENT, Server, Way, ehlo, login, verdicts

NOT_SMTP = "4.4.2 not a reply of an SMTP server: "


@pytest.mark.parametrize(
    ("octets", "seen"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"\r\n", "(an empty line)"),
        (b"22\r\n", "22"),
        (b"220ready\r\n", "220ready"),
        (b"220_ready\r\n", "220_ready"),
        (b"120 wait\r\n", "120 wait"),
        (b"000 zero\r\n", "000 zero"),
        (b"650 what\r\n", "650 what"),
        ("２２０ wide\r\n".encode(), "２２０ wide"),
        (b"\x15\x03\x01\x00\x02\x02\x46\r\n", "F"),
        (b"\xff\xfe\r\n", "\\xff\\xfe"),
        (b"x" * 200 + b"\r\n", "x" * 80),
        (b"x" * 5000, "x" * 80),
        (b"220 " + b"x" * 5000, "220 " + "x" * 76),
        (b"220 " + b"x" * 5000 + b"\r\n", "220 " + "x" * 76),
        (b"220-more\r\n" * 101, "a reply that never ends"),
        (b"220-more\r\nand more\r\n", "and more"),
    ],
)
def test_what_is_no_reply_ends_the_session_at_once(octets, seen):
    server = Server(GREETING=octets)
    way = Way(server)
    attempt = way.send()
    assert str(attempt.fault) == f"greeting: {NOT_SMTP}{seen}"
    assert way.wire.aborted
    assert way.wire.writes == []
    assert way.network.timers == []


def test_nothing_is_shown_of_a_line_before_its_end():
    way = Way(Server(GREETING=b"220 mx"))
    results = way.begin()
    assert not results
    way.wire.server.say(b" ready\r\n")
    way.network.flush()
    assert verdicts(results[0]) == [Verdict.DELIVERED]


def test_a_reply_may_have_a_hundred_lines():
    assert verdicts(Way(Server(GREETING="220-more\r\n" * 99 + "220 done")).send()) == [
        Verdict.DELIVERED
    ]


@pytest.mark.parametrize(
    "greeting", [b"220\r\n", b"220 \r\n", b"220-\r\n220\r\n", b"220 \xe4\xff\r\n"]
)
def test_odd_replies_are_taken(greeting):
    assert verdicts(Way(Server(GREETING=greeting)).send()) == [Verdict.DELIVERED]


def test_a_long_reply_is_cut():
    attempt = Way(Server(MAIL="550-" + "\r\n550-".join(["x" * 500] * 50) + "\r\n550 end")).send()
    assert len(attempt.outcomes[0].reply.text) == LONGEST_TEXT


@given(st.binary(max_size=40))
def test_no_octets_make_a_session_hang_or_crash(octets):
    way = Way(Server(MAIL=octets + b"\r\n"))
    results = way.begin()
    way.network.advance(600)
    (attempt,) = results
    assert len(attempt.outcomes) == 1
    way.network.advance(600)
    assert way.wire.gone
    assert way.network.timers == []


@given(st.lists(st.integers(1, 60), max_size=12))
def test_replies_are_read_in_whatever_segments_they_come(cuts):
    replies = (
        b"250-2.1.0 sender\r\n250 2.1.0 ok\r\n"
        b"550-5.1.1 no\r\n550 5.1.1 user\r\n"
        b"250 ok\r\n"
        b"354 go\r\n"
    )
    way = Way(Server("PIPELINING", MAIL=SILENT, RCPT=SILENT, DATA=SILENT))
    results = way.begin(recipients=("a@b.example", "b@b.example"))
    way.wire.server.begin_content()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(replies)], strict=True):
        if replies[start:end]:
            way.wire.server.say(replies[start:end])
            way.network.flush()
    assert way.wire.server.taken == [CONTENT + b".\r\n"]
    assert verdicts(results[0]) == [Verdict.FAILED, Verdict.DELIVERED]
    assert results[0].outcomes[0].reply.text == "no\nuser"


@pytest.mark.parametrize("more", [b"250 what\r\n", b"250-what\r\n", b"25"])
def test_tls_does_not_begin_while_a_reply_is_there_that_nobody_asked_for(more):
    way = Way(Server("STARTTLS", STARTTLS=b"220 go ahead\r\n" + more))
    attempt = way.send()
    text = "data arrived between the reply to STARTTLS and the TLS handshake"
    assert str(attempt.fault).startswith(f"tls: 4.7.0 {text}")
    assert not way.wire.session.secure


# Line ends.


class LfServer(Server):
    """A server that ends its lines with a bare LF."""

    def say(self, text):
        octets = text if isinstance(text, bytes) else text.replace("\r\n", "\n").encode() + b"\n"
        super().say(octets)


@pytest.mark.parametrize("offers", [(), ("PIPELINING", "AUTH PLAIN", "SIZE 1000")])
@pytest.mark.parametrize("greeting", ["220 mx", "220", "220-a\r\n220-b\r\n220 c"])
def test_a_server_that_ends_its_lines_with_a_bare_lf_is_understood(offers, greeting):
    server = LfServer(*offers, GREETING=greeting)
    way = Way(server, **(login() if offers else {}))
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert len(way.network.wires) == 1


def test_a_server_whose_first_line_ends_in_a_bare_lf_may_go_on_with_crlf():
    answers = {"EHLO": b"250-mx\r\n250 PIPELINING\r\n", "MAIL": b"250 2.1.0 ok\r\n"}
    way = Way(LfServer(END=b"554\r\n", **answers))
    attempt = way.send()
    assert way.wire.session.offers == {"PIPELINING": ""}
    assert verdicts(attempt) == [Verdict.FAILED]
    assert str(attempt.outcomes[0].reply) == "554"


@given(st.lists(st.integers(1, 60), max_size=12))
def test_lines_that_end_in_a_bare_lf_are_read_in_whatever_segments_they_come(cuts):
    replies = b"220-mx\n220 ready\n" + b"250-mx\n250-PIPELINING\n250 SIZE\n"
    way = Way(LfServer(GREETING=SILENT, EHLO=SILENT))
    results = way.begin()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(replies)], strict=True):
        if replies[start:end]:
            way.wire.server.say(replies[start:end])
            way.network.flush()
    assert verdicts(results[0]) == [Verdict.DELIVERED]
    assert way.wire.session.offers == {"PIPELINING": "", "SIZE": ""}


@pytest.mark.parametrize(
    ("phase", "answers"),
    [
        ("greeting", {"GREETING": b"220-mx\r\n220 mx\n"}),
        ("ehlo", {"EHLO": b"250 mx\n"}),
        ("ehlo", {"EHLO": b"250-mx\r\n250-SIZE\n"}),
        ("mail", {"MAIL": b"250 ok\n"}),
        ("rcpt", {"RCPT": b"550 no\n"}),
        ("end of data", {"END": b"250 queued\n"}),
    ],
)
def test_a_line_that_ends_in_a_bare_lf_after_others_that_did_not_is_told_at_once(phase, answers):
    way = Way(Server(**answers))
    attempt = way.send()
    text = "4.4.2 the server ends a reply with a bare LF, but others with CRLF"
    assert str(attempt.fault) == f"{phase}: {text}"
    assert way.wire.aborted
    uncertain = phase == "end of data"
    assert verdicts(attempt) == [Verdict.UNCERTAIN if uncertain else Verdict.DEFERRED]


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_a_bare_lf_inside_a_line_is_text_and_never_another_reply(offers):
    second = f"\n{Server.ANSWERS['END']}"
    recipients = ("a@b.example", "b@b.example", "c@b.example")
    refused = f"550 5.1.1 the next server said:{second}"
    way = Way(Server(*offers, RCPT=["250 ok", refused, "250 ok"], END=f"554 5.7.1 no{second}"))
    attempt = way.send(recipients=recipients)
    assert verdicts(attempt) == [Verdict.FAILED] * 3
    assert str(attempt.outcomes[1].reply).endswith("said: 250 2.0.0 queued as 1")
    assert str(attempt.outcomes[2].reply) == "554 5.7.1 no 250 2.0.0 queued as 1"


# Time.

NOT_READY = "the server was not ready within 60 s"
TIMES = [
    ("GREETING", "greeting", 60, f"{NOT_READY} (does it expect TLS from the start?)"),
    ("EHLO", "ehlo", 60, NOT_READY),
    ("STARTTLS", "tls", 60, NOT_READY),
    ("AUTH", "login", 120, "the server did not answer for 120 s"),
]


@pytest.mark.parametrize(("command", "phase", "limit", "text"), TIMES)
def test_there_is_a_time_for_each_phase_before_the_mail(command, phase, limit, text):
    account = login() if command == "AUTH" else {}
    way = Way(Server("STARTTLS", "AUTH PLAIN", **{command: SILENT}), **account)
    results = way.begin()
    way.network.advance(limit - 0.1)
    assert not results
    way.network.advance(0.1)
    assert str(results[0].fault) == f"{phase}: 4.4.2 {text}"
    assert way.wire.aborted
    assert way.network.timers == []


def test_greeting_ehlo_and_starttls_have_one_time_together_and_the_login_has_its_own():
    silent = dict.fromkeys(("GREETING", "STARTTLS", "AUTH"), SILENT)
    server = Server(**silent, EHLO=SILENT)
    way = Way(server, **login(tls=Tls.AUTO))
    results = way.begin()
    for answer in ("220 mx", ehlo("STARTTLS"), "220 go", ehlo("AUTH PLAIN")):
        way.network.advance(14.9)
        server.say(answer)
        way.network.flush()
    assert server.lines[-1].startswith(b"AUTH")
    way.network.advance(119)
    assert not results
    server.say("235 welcome")
    way.network.flush()
    assert verdicts(results[0]) == [Verdict.DELIVERED]


@pytest.mark.parametrize("said", [1, 2, 3, 4])
def test_no_answer_gives_a_server_more_time_to_be_ready(said):
    server = Server(GREETING=SILENT, EHLO=SILENT, STARTTLS=SILENT)
    way = Way(server, **login(tls=Tls.AUTO))
    results = way.begin()
    for answer in ("220 mx", ehlo("STARTTLS"), "220 go")[: said - 1]:
        way.network.advance(15)
        server.say(answer)
        way.network.flush()
    way.network.advance(60 - 15 * (said - 1) - 1)
    assert not results
    way.network.advance(1)
    assert NOT_READY in str(results[0].fault)


@pytest.mark.parametrize("end", [CLOSE, BREAK_OFF])
@pytest.mark.parametrize(("command", "phase"), [case[:2] for case in TIMES])
def test_a_connection_lost_before_the_mail_is_a_fault_of_the_account(command, phase, end):
    account = login() if command == "AUTH" else {}
    attempt = Way(Server("STARTTLS", "AUTH PLAIN", **{command: end}), **account).send()
    assert attempt.fault.phase is Phase(phase)
    assert verdicts(attempt) == [Verdict.DEFERRED]
    assert attempt.mail_ended is None


def test_a_reply_that_drips_does_not_get_more_time():
    way = Way(Server(GREETING=b"220-a\r\n"))
    results = way.begin()
    for _ in range(3):
        way.network.advance(100)
        way.wire.server.say(b"220-b\r\n")
        way.network.flush()
    assert results[0].fault.phase is Phase.GREETING
    assert way.wire.aborted


def test_while_the_spool_is_slow_the_server_is_not_blamed():
    way = Way(Server())
    piece = Deferred()
    results = way.begin(pieces=[CONTENT, piece])
    way.network.advance(3600)
    assert not way.wire.aborted
    piece.callback(b"")
    way.network.flush()
    assert verdicts(results[0]) == [Verdict.DELIVERED]


# The connection.


def test_segments_leave_without_delay():
    way = Way(Server())
    way.send()
    assert way.wire.nodelay


def test_a_session_ends_with_quit_and_the_server_is_given_the_time_to_answer():
    way = Way(Server(MAIL="421 4.3.2 bye", QUIT=SILENT))
    way.send()
    assert way.wire.writes[-1] == b"QUIT\r\n"
    assert not way.wire.disconnecting
    way.network.advance(4)
    assert not way.wire.gone
    way.network.advance(1)
    assert way.wire.aborted
    assert way.wire.gone


def test_after_the_reply_to_quit_the_server_closes_the_session():
    way = Way(Server(MAIL="421 4.3.2 bye"))
    way.send()
    assert way.wire.gone
    assert not way.wire.aborted
    assert not way.wire.disconnecting
    assert way.network.timers == []


def test_a_server_that_does_not_close_after_its_reply_to_quit_has_a_second():
    way = Way(Server(MAIL="421 4.3.2 bye", closes=False))
    way.send()
    assert not way.wire.gone
    way.network.advance(0.9)
    way.wire.server.say("250 one more")
    way.network.flush()
    assert not way.wire.gone
    way.network.advance(0.1)
    assert way.wire.gone
    assert way.network.timers == []


def test_the_final_dot_is_not_sent_once_the_connection_is_given_up():
    way = Way(Server())
    last = Deferred()
    results = way.begin(pieces=[CONTENT, last])
    written = list(way.wire.writes)
    way.wire.session.abort("enough")
    last.callback(b"")
    way.network.flush()
    assert way.wire.writes == written
    assert verdicts(results[0]) == [Verdict.DEFERRED]


def test_a_session_that_has_ended_may_be_ended_again():
    way = Way(Server(MAIL=CLOSE))
    way.send()
    session = way.wire.session
    written = list(way.wire.writes)
    session.quit()
    session.abort("again")
    assert way.wire.writes == written
    assert not way.wire.aborted
