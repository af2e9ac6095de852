from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.mail.smtp import SMTPBadRcpt, SMTPServerError

from multisendcon_plugin.edge.parameters import ReversePath
from multisendcon_plugin.errors import SpoolError, SpoolFullError
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.message import MOST_RECIPIENTS
from multisendcon_plugin.mail.reply import Reply, ReplyError
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.values import ClientSettings
from multisendcon_plugin.testing import Provider
from tests.edge.clients import MAIL, Client, Edge, account, in_segments

START = "354 send the message, end with a dot on a line of its own"
MAIL_OK = "250 2.1.0 sender ok"
RCPT_OK = "250 2.1.5 recipient ok"
BYE = "221 2.0.0 good-bye"
SAYS_MAIL = b"MAIL FROM:<a@x.example>"
SAYS_RCPT = b"RCPT TO:<b@y.example>"


def codes(replies):
    """Return what programs read: code and enhanced code of each line."""
    return [" ".join(reply.split(" ")[:2]) for reply in replies]


def queued(reply):
    return reply.startswith("250 2.0.0 queued as ")


# Commands in right and wrong order.


def test_greeting_and_what_is_offered():
    client = Edge(max_message_size=12345, max_recipients=67).client(hello=None)
    assert client.greeting == ["220 relay.example ESMTP ready"]
    assert client.ask(b"EHLO client.example") == [
        "250-relay.example",
        "250-PIPELINING",
        "250-SIZE 12345",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-DSN",
        "250-ENHANCEDSTATUSCODES",
        "250-CHUNKING",
        "250 LIMITS RCPTMAX=67",
    ]
    assert client.ask(b"HELO client.example") == ["250 relay.example"]


def test_smtputf8_can_be_switched_off():
    client = Edge(smtputf8=False).client(hello=None)
    assert "250-SMTPUTF8" not in client.ask(b"EHLO client.example")
    assert client.ask(
        SAYS_MAIL + b" SMTPUTF8",
        "MAIL FROM:<ä@x.example>".encode(),
        "MAIL FROM:<ä@x.example> SMTPUTF8".encode(),
        b"MAIL FROM:<a@x.example> BODY=8BITMIME",
        "RCPT TO:<ä@y.example>".encode(),
    ) == [
        "555 5.5.4 SMTPUTF8 is not known here",
        "553 5.6.7 an address beyond ASCII needs SMTPUTF8",
        "555 5.5.4 SMTPUTF8 is not known here",
        "250 2.1.0 sender ok",
        "553 5.6.7 an address beyond ASCII needs SMTPUTF8",
    ]


def test_no_more_recipients_are_offered_than_a_message_can_have():
    client = Edge(max_recipients=10_000_000).client(hello=None)
    assert client.ask(b"EHLO client.example")[-1] == f"250 LIMITS RCPTMAX={MOST_RECIPIENTS}"


def test_segments_leave_at_once():
    assert Edge().client().transport.no_delay


def test_session_over_a_local_socket():
    edge = Edge()
    assert queued(edge.client(peer=UNIXAddress("/run/x")).send_mail()[-1])
    assert edge.messages[0].content.startswith(b"Received: from client.example ([local])\r\n")


@pytest.mark.parametrize(
    ("before", "command", "code"),
    [
        ([], b"MAIL FROM:<a@x.example>", "503 5.5.1"),
        ([], b"RCPT TO:<b@y.example>", "503 5.5.1"),
        ([], b"DATA", "503 5.5.1"),
        ([], b"AUTH PLAIN", "502 5.5.1"),
        ([], b"STARTTLS", "502 5.5.1"),
        ([], b"NOOP", "250 2.0.0"),
        ([], b"noop anything", "250 2.0.0"),
        ([], b"RSET", "250 2.0.0"),
        ([], b"HELP", "214 2.0.0"),
        ([], b"HELP MAIL", "214 2.0.0"),
        ([], b"VRFY joe", "252 2.5.2"),
        ([], b"VRFY", "501 5.5.4"),
        ([], b"EHLO", "501 5.5.4"),
        ([], b"HELO  ", "501 5.5.4"),
        ([], b"QUIT now", "501 5.5.4"),
        ([], b"QUIT", "221 2.0.0"),
        ([], b"", "500 5.5.1"),
        ([], b" ", "500 5.5.1"),
        ([], b"FOO", "500 5.5.1"),
        ([], b"MAILFROM:<a@x>", "500 5.5.1"),
        ([], b"\xff\xfe\xfd", "500 5.5.1"),
        ([], b"do_QUIT", "500 5.5.1"),
        ([b"EHLO c"], b"RCPT TO:<b@y.example>", "503 5.5.1"),
        ([b"EHLO c"], b"DATA", "503 5.5.1"),
        ([b"EHLO c"], b"mail from:<a@x.example>", "250 2.1.0"),
        ([b"EHLO c"], b" MAIL FROM:<a@x.example>\t", "250 2.1.0"),
        ([b"HELO c"], b"MAIL FROM:<>", "250 2.1.0"),
        ([b"EHLO c"], b"MAIL", "501 5.5.4"),
        ([b"EHLO c"], b"MAIL FROM:<a@x.example> FOO=1", "555 5.5.4"),
        ([b"EHLO c"], "MAIL FROM:<ä@x.example>".encode(), "553 5.6.7"),
        ([b"EHLO c"], b"RSET now", "501 5.5.4"),
        ([b"EHLO c", SAYS_MAIL], SAYS_MAIL, "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL], b"DATA", "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL], b"RCPT TO:<b@y.example>", "250 2.1.5"),
        ([b"EHLO c", SAYS_MAIL], b"RCPT TO:<>", "501 5.1.3"),
        ([b"EHLO c", SAYS_MAIL], b"RCPT TO:<b@y.example> NOTIFY=NONE", "501 5.5.4"),
        ([b"EHLO c", SAYS_MAIL], "RCPT TO:<ä@y.example>".encode(), "553 5.6.7"),
        ([b"EHLO c", SAYS_MAIL + b" SMTPUTF8"], "RCPT TO:<ä@y.example>".encode(), "250 2.1.5"),
        ([b"EHLO c", SAYS_MAIL, b"RSET"], SAYS_RCPT, "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL, b"EHLO c"], SAYS_RCPT, "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL, b"HELO c"], SAYS_RCPT, "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL, b"EHLO"], SAYS_RCPT, "250 2.1.5"),
        ([b"EHLO c", SAYS_MAIL, b"NOOP", b"VRFY x", b"HELP"], SAYS_RCPT, "250 2.1.5"),
        ([b"EHLO c", SAYS_MAIL, SAYS_RCPT], b"DATA now", "501 5.5.4"),
        ([b"EHLO c", SAYS_MAIL, SAYS_RCPT], b"RCPT TO:<c@y.example>", "250 2.1.5"),
        ([b"EHLO c", SAYS_MAIL, SAYS_RCPT, b"RSET"], b"DATA", "503 5.5.1"),
        ([b"EHLO c", SAYS_MAIL, SAYS_RCPT, b"RSET"], SAYS_MAIL, "250 2.1.0"),
    ],
)
def test_command(before, command, code):
    client = Edge().client(hello=None)
    for line in before:
        client.ask(line)
    (reply,) = codes(client.ask(command))
    assert reply == code
    assert client.closed == (code[:3] == "221")


def test_a_refused_recipient_alone_is_no_recipient():
    client = Edge(account(recipients=["*@y.example"])).client()
    assert client.ask(SAYS_MAIL) == [MAIL_OK]
    assert client.ask(b"RCPT TO:<b@z.example>") == [
        "550 5.7.1 no account is configured for mail from <a@x.example> to <b@z.example>"
    ]
    assert codes(client.ask(b"DATA")) == ["503 5.5.1"]
    assert client.ask(SAYS_RCPT) == [RCPT_OK]


def test_a_mail_begins_and_ends_a_transaction():
    edge = Edge()
    client = edge.client()
    assert queued(client.send_mail()[0])
    assert codes(client.ask(SAYS_RCPT)) == ["503 5.5.1"]
    assert queued(client.send_mail(sender=b"c@x.example", recipients=[b"d@y.example"])[0])
    assert [(m.envelope.reverse_path, m.envelope.recipients) for m in edge.messages] == [
        ("a@x.example", ("b@y.example",)),
        ("c@x.example", ("d@y.example",)),
    ]


def test_reset_recipients_get_no_later_mail():
    edge = Edge()
    client = edge.client()
    client.ask(SAYS_MAIL, SAYS_RCPT, b"RSET")
    client.send_mail(recipients=[b"c@y.example"])
    (message,) = edge.messages
    assert message.envelope.recipients == ("c@y.example",)


def test_envelope_says_what_the_client_declared():
    edge = Edge()
    client = edge.client()
    client.ask(SAYS_MAIL + b" BODY=8BITMIME SMTPUTF8", SAYS_RCPT, b"DATA", MAIL + b".")
    client.send_mail()
    assert [(m.envelope.eight_bit, m.envelope.utf8) for m in edge.messages] == [
        (True, True),
        (False, False),
    ]


def test_what_the_sender_wants_to_be_told_is_kept_for_each_recipient():
    trusted = ClientSettings(addresses=(ip_network("127.0.0.1"),), success_reports=True)
    edge = Edge(clients=[trusted])
    client = edge.client()
    client.ask(
        SAYS_MAIL + b" RET=HDRS ENVID=QQ314159",
        b"RCPT TO:<b@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bx@y.example",
        b"RCPT TO:<c@y.example> NOTIFY=NEVER",
        b"RCPT TO:<d@y.example>",
        b"DATA",
        MAIL + b".",
    )
    client.send_mail()
    first, second = edge.messages
    assert (first.envelope.returns, first.envelope.envelope_id) == (Return.HEADER, "QQ314159")
    assert [(each.address, each.notify, each.original) for each in first.recipients] == [
        ("b@y.example", Notify.SUCCESS | Notify.DELAY, "rfc822;B+2Bx@y.example"),
        ("c@y.example", Notify.NEVER, ""),
        ("d@y.example", None, ""),
    ]
    assert (second.envelope.returns, second.envelope.envelope_id) == (None, "")


def test_who_stands_for_the_null_reverse_path_is_kept():
    edge = Edge()
    client = edge.client()
    content = b"From: The Boss <boss@x.example>\r\n\r\nhello\r\n"
    client.send_mail(content, sender=b"")
    client.send_mail(content, sender=b"a@x.example")
    assert [message.envelope.author for message in edge.messages] == ["boss@x.example", ""]


def test_a_full_spool_is_told_before_the_content_comes():
    edge = Edge()
    edge.intake.full = True
    client = edge.client()
    assert client.ask(SAYS_MAIL) == ["452 4.3.1 no room for more mail now, try again later"]
    edge.intake.full = False
    assert client.ask(SAYS_MAIL) == ["250 2.1.0 sender ok"]


def test_a_recipient_that_is_named_twice_has_one_wish_the_last():
    edge = Edge()
    client = edge.client()
    client.ask(SAYS_MAIL, SAYS_RCPT, SAYS_RCPT + b" NOTIFY=NEVER", b"DATA", MAIL + b".")
    (message,) = edge.messages
    assert [each.notify for each in message.recipients] == [Notify.NEVER]


def test_queue_id_is_the_same_for_client_trace_field_and_spool():
    edge = Edge()
    (reply,) = edge.client().send_mail()
    name = reply.removeprefix("250 2.0.0 queued as ")
    assert b" id %s;\r\n" % name.encode() in edge.messages[0].header


def test_commands_after_quit_are_not_carried_out():
    client = Edge().client()
    assert client.ask(b"QUIT", b"NOOP") == [BYE]
    kept = len(client.session.dialogue.talk.reader.octets)
    client.send(b"NOOP\r\n")
    assert client.replies() == []
    assert len(client.session.dialogue.talk.reader.octets) == kept


# Pipelining: one segment, octet by octet, or anything between.

SCRIPT = b"\r\n".join(
    [
        b"EHLO client.example",
        SAYS_MAIL + b" SIZE=100",
        SAYS_RCPT,
        b"RCPT TO:<nobody@z.example>",
        b"DATA",
        MAIL + b"..a",
        b".",
        b"VRFY joe",
        b"FOO",
        SAYS_MAIL,
        b"RCPT TO:<c@y.example>",
        b"RSET",
        SAYS_MAIL,
        b"RCPT TO:<d@y.example>",
        b"DATA",
        b".",
        SAYS_MAIL,
        SAYS_RCPT,
        b"DATA",
        b"bare\nline end",
        b".",
        b"DATA",
        b"QUIT",
        b"NOOP",
        b"",
    ]
)
SCRIPT_CODES = [
    *["250-relay.example", "250-PIPELINING", "250-SIZE 52428800", "250-8BITMIME", "250-SMTPUTF8"],
    *[
        "250-DSN",
        "250-ENHANCEDSTATUSCODES",
        "250-CHUNKING",
        "250 LIMITS",
        "250 2.1.0",
        "250 2.1.5",
        "550 5.7.1",
        "354 send",
        "250 2.0.0",
    ],
    *["252 2.5.2", "500 5.5.1", "250 2.1.0", "250 2.1.5", "250 2.0.0"],
    *["250 2.1.0", "250 2.1.5", "354 send", "250 2.0.0"],
    *["250 2.1.0", "250 2.1.5", "354 send", "550 5.6.11"],
    *["503 5.5.1", "221 2.0.0"],
]


def play(segments):
    edge = Edge(account(recipients=["*@y.example"]))
    client = edge.client(hello=None)
    for segment in segments:
        client.send(segment)
    replies = client.replies()
    assert [line if line[3] == "-" else codes([line])[0] for line in replies] == SCRIPT_CODES
    first, second = edge.messages
    assert first.envelope.recipients == ("b@y.example",)
    assert first.content.endswith(MAIL + b"..a\r\n")
    assert second.envelope.recipients == ("d@y.example",)
    assert len(edge.intake.drafts) == 3
    assert edge.intake.drafts[2].discarded


def test_pipelined_in_one_segment():
    play([SCRIPT])


def test_octet_by_octet():
    play([SCRIPT[n : n + 1] for n in range(len(SCRIPT))])


def test_line_by_line():
    play(SCRIPT.splitlines(keepends=True))


@given(st.lists(st.integers(1, 60), min_size=1))
def test_segments_of_any_length(lengths):
    play(in_segments(SCRIPT, lengths))


@pytest.mark.parametrize("factory", [Edge().factory, Provider(Clock())])
def test_replies_to_one_segment_leave_in_one(factory):
    # The provider's hooks answer with Deferreds that have fired already.
    client = Client(factory)
    written = []
    client.transport.write = written.append
    client.send(SAYS_MAIL + b"\r\n" + SAYS_RCPT + b"\r\nDATA\r\n")
    assert written == [f"{MAIL_OK}\r\n{RCPT_OK}\r\n{START}\r\n".encode()]


# 250 after the commit, and nothing before it.


def test_nothing_is_answered_before_the_commit_then_all_in_order():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.begin()
    assert client.ask(MAIL + b".", b"NOOP", SAYS_MAIL, SAYS_RCPT, b"DATA", MAIL + b".") == []
    assert client.ask(b"FOO", b"QUIT") == []
    assert not edge.messages
    edge.intake.go_on()
    first, *others = client.replies()
    assert queued(first)
    assert codes(others) == ["250 2.0.0", "250 2.1.0", "250 2.1.5", "354 send"]
    assert len(edge.messages) == 1
    edge.intake.go_on()
    second, *others = client.replies()
    assert queued(second)
    assert codes(others) == ["500 5.5.1", "221 2.0.0"]
    assert second != first
    assert len(edge.messages) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (SpoolFullError("no room"), "452 4.3.1"),
        (SpoolError("disk"), "451 4.3.0"),
        (ZeroDivisionError("a fault of ours"), "451 4.3.0"),
    ],
)
def test_a_commit_that_fails_puts_the_mail_off(fault, code):
    edge = Edge()
    client = edge.client()
    edge.intake.fault = fault
    with capturedLogs() as events:
        assert codes(client.send_mail()) == [code]
    (event,) = [event for event in events if event["log_level"] >= LogLevel.error]
    assert ("log_failure" in event) == isinstance(fault, ZeroDivisionError)
    edge.intake.fault = None
    assert queued(client.send_mail()[0])


@pytest.mark.parametrize("place", ["draft", "commit"])
def test_an_intake_that_raises_puts_the_mail_off(place, monkeypatch):
    edge = Edge()
    client = edge.client()

    def broken(*args):
        raise ZeroDivisionError

    with monkeypatch.context() as patch, capturedLogs() as events:
        patch.setattr(edge.intake, place, broken)
        replies = client.ask(SAYS_MAIL, SAYS_RCPT, b"DATA", MAIL + b".", b"NOOP")
    assert "451 4.3.0" in codes(replies)
    assert replies[-1] == "250 2.0.0 still here"
    assert any("log_failure" in event for event in events)
    assert not client.owes_reply
    client.ask(b"RSET")
    assert queued(client.send_mail()[0])


def test_a_registry_that_fails_puts_the_mail_off(monkeypatch):
    edge = Edge()
    client = edge.client()

    def broken(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(AccountRegistry, "route_null", broken)
    client.begin(sender=b"")
    with capturedLogs() as events:
        assert codes(client.ask(MAIL + b".", b"NOOP")) == ["451 4.3.0", "250 2.0.0"]
    assert any("log_failure" in event for event in events)
    assert edge.draft.discarded


def test_content_that_cannot_be_taken_puts_the_mail_off():
    edge = Edge()
    client = edge.client()
    client.begin()
    edge.draft.fault = ZeroDivisionError()
    with capturedLogs() as events:
        assert client.ask(MAIL) == []
    assert any("log_failure" in event for event in events)
    assert codes(client.ask(b".", b"NOOP")) == ["451 4.3.0", "250 2.0.0"]
    assert edge.draft.discarded


# Hooks that answer later.


class Hook:
    """A delivery hook whose answers are given by the test."""

    def __init__(self):
        self.asked = []

    def getMessageDelivery(self):
        return self

    def validateFrom(self, helo, origin):
        return self._ask(origin)

    def validateTo(self, user):
        return self._ask(user)

    def _ask(self, path):
        answer = Deferred()
        self.asked.append((path.address, answer))
        return answer


@pytest.fixture
def hook():
    return Hook()


@pytest.fixture
def client(hook):
    client = Client(Edge().factory)
    client.session.deliveryFactory = hook
    return client


def test_commands_wait_for_a_hook(client, hook):
    assert client.ask(SAYS_MAIL, SAYS_RCPT, b"RCPT TO:<c@y.example>", b"NOOP") == []
    assert [address for address, _ in hook.asked] == ["a@x.example"]
    hook.asked[0][1].callback(ReversePath(address="a@x.example"))
    assert client.replies() == [MAIL_OK]
    assert [address for address, _ in hook.asked[1:]] == ["b@y.example"]
    hook.asked[1][1].callback(None)
    assert client.replies() == [RCPT_OK]
    hook.asked[2][1].errback(ReplyError(Reply(550, "5.1.1", "no such mailbox")))
    assert client.replies() == ["550 5.1.1 no such mailbox", "250 2.0.0 still here"]
    assert len(client.recipients) == 1


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (ReplyError(Reply(450, "4.2.0", "later")), "450 4.2.0 later"),
        (SMTPServerError(451, "later"), "451 later"),
        (SMTPServerError(550, b"5.1.1 never\xff"), "550 5.1.1 never\\xff"),
        (SMTPBadRcpt("b@y", 553, "a\r\nb"), "553-a"),
        (SMTPServerError(550, ""), "550 "),
        (SpoolFullError(""), "452 4.3.1 no room for more mail now, try again later"),
        (ZeroDivisionError(), "451 4.3.0 local error, try again later"),
    ],
)
def test_failure_of_a_hook_is_the_reply(client, hook, error, reply):
    client.ask(SAYS_MAIL)
    hook.asked[0][1].errback(error)
    assert client.replies()[0] == reply
    assert codes(client.ask(SAYS_RCPT)) == ["503 5.5.1"]


def test_answer_after_the_client_has_gone_is_dropped(client, hook):
    client.ask(SAYS_MAIL, SAYS_RCPT)
    client.hang_up()
    hook.asked[0][1].callback(ReversePath(address="a@x.example"))
    assert len(hook.asked) == 1


def test_answer_after_the_last_reply_is_dropped(client, hook):
    client.ask(SAYS_MAIL)
    client.session.stop()
    assert codes(client.replies()) == ["421 4.3.2"]
    hook.asked[0][1].errback(ReplyError(Reply(450, "4.2.0", "later")))
    assert client.replies() == []


def test_fault_after_the_client_has_gone_is_logged(client, hook):
    client.ask(SAYS_MAIL)
    client.hang_up()
    with capturedLogs() as events:
        hook.asked[0][1].errback(ZeroDivisionError())
    assert any("log_failure" in event for event in events)


def test_a_reply_can_be_said_in_twisted_s_words(client):
    client.session.sendCode(250, b"2.0.0 one\ntwo")
    client.session.sendCode(250)
    assert client.ask(b"NOOP")[:3] == ["250-2.0.0 one", "250 2.0.0 two", "250 "]


def test_without_a_hook_a_login_is_asked_for(client):
    client.session.deliveryFactory = None
    assert codes(client.ask(SAYS_MAIL)) == ["530 5.7.0"]
