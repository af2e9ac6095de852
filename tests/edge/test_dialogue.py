"""The dialogue of a session by itself: octets and answers in, replies and actions out."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisendcon_plugin.edge import replies, tarpit
from multisendcon_plugin.edge.dialogue import COMMANDS_AT_A_TIME, Dialogue
from multisendcon_plugin.edge.order import ORDER, State
from multisendcon_plugin.edge.policy import SessionPolicy
from multisendcon_plugin.mail.reply import Reply, ReplyError
from multisendcon_plugin.settings.values import MasterRelay
from tests.edge.clients import MAIL, chunk, in_segments
from tests.fuzz.script import LINES, ORDINARY, PIECES

REFUSED = Reply(550, "5.7.1", "not this one")
POLICY = SessionPolicy(
    hostname="relay.example",
    settings=MasterRelay(max_recipients=3, max_message_size=400, max_errors=1000),
)
#: Octets of a command line, without its LF.
LONGEST = POLICY.settings.max_command_line


@attrs.frozen
class Later:
    """Stands for a Deferred."""

    answer: object


class Message:
    """A message that takes nothing more once it was refused or abandoned."""

    def __init__(self, intake):
        self._intake = intake
        self._open = True
        self.is_forgotten = False
        self.name = "X"
        self.content = b""

    def lineReceived(self, line):
        assert line == b"Received: x"

    def chunkReceived(self, chunk):
        assert self._open, "content reaches a message that is refused"
        assert chunk
        if b"evil" in self.content + chunk:
            self._open = False
            raise ReplyError(REFUSED)
        self.content += chunk

    def eomReceived(self):
        assert self._open
        self._open = False
        self.is_forgotten = True
        self._intake.append(self.content)
        return Later(None)

    def connectionLost(self):
        self._open = False
        self.is_forgotten = True


class Connection:
    """Does what a dialogue wants done, and remembers it.

    :param is_slow: the answers of hooks come later.
    :ivar mails: the contents that were taken.
    :ivar messages: all that were begun.
    """

    policy = POLICY
    challengers, portal, ctx = {}, None, None
    authenticated = secure = False
    peer = "192.0.2.1"

    def __init__(self, *, is_slow=False):
        self.is_slow = is_slow
        self.mails = []
        self.messages = []
        self.told = []
        self.waiting = None
        self.dialogue = Dialogue(self)
        self.dialogue.session.greet()

    def send(self, *segments):
        """Send octets; return all that was said."""
        for segment in segments:
            self.dialogue.receive(segment)
            self.go_on()
        return b"".join(self.dialogue.talk.said)

    def go_on(self):
        """Give all answers, and let all pauses be over."""
        while self.waiting or self.dialogue.talk.pausing:
            if self.waiting:
                waiting, self.waiting = self.waiting, None
                self.dialogue.answer(*waiting)
            else:
                self.dialogue.resume()

    def when(self, answer, then):
        assert not self.waiting, "one question at a time"
        self.dialogue.talk.waiting = True
        self.waiting = answer.answer, then

    def validateFrom(self, helo, origin):
        if origin.address.endswith("@no.example"):
            raise ReplyError(REFUSED)
        return Later(origin) if self.is_slow else origin

    def validateTo(self, user):
        if user.address.endswith("@no.example"):
            raise ReplyError(REFUSED)
        return Later(self._message) if self.is_slow else self._message

    def _message(self):
        self.messages.append(Message(self.mails))
        return self.messages[-1]

    def receivedHeader(self, helo, origin, recipients):
        assert helo
        assert recipients
        return b"Received: x"

    def pause(self, seconds):
        self.told.append(seconds)

    def refused(self, reply):
        self.told.append(reply)

    def hang_up(self):
        self.dialogue.lost()

    def mail_begins(self):
        pass

    mail_ends = mail_begins

    def ended_early(self, why):
        self.told.append(why)


_addresses = st.sampled_from([b"a@x.example", b"b@no.example", b"", b"a b", b"\xff"])
_lines = st.one_of(
    st.sampled_from([line.removesuffix(b"\r\n") for line in (*LINES, *ORDINARY)]),
    st.builds(b"MAIL FROM:<%s>".__mod__, _addresses),
    st.builds(b"RCPT TO:<%s>".__mod__, _addresses),
)
_sent = st.one_of(
    _lines.map(lambda line: line + b"\r\n"),
    st.sampled_from(
        [
            b"".join(ORDINARY[:4]),
            b"".join(ORDINARY) + b"NOOP\r\n",
            MAIL + b".\r\n",
            b"evil\r\n",
            b"\r\n.\r\n",
        ]
    ),
    st.builds(chunk, st.sampled_from([MAIL, b"evil", b"\0", b""]), last=st.booleans()),
    st.sampled_from(PIECES),
    st.binary(max_size=20),
    st.builds(
        b"%s%s%s\r\n".__mod__,
        st.tuples(
            st.sampled_from([b"", b" " * 300, b" " * LONGEST]),
            st.sampled_from([b"BDAT 5", b"NOOP ", b"\x16\x03\x01", b""]),
            st.sampled_from([b"", b" " * LONGEST, b"x" * 200 + b"\x16\x03" + b"x" * LONGEST]),
        ),
    ),
)
_dialogues = st.lists(_sent, max_size=12).map(b"".join)


@given(_dialogues, st.lists(st.integers(1, 50), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_replies_and_mails_are_the_same_however_octets_are_cut_and_answers_come(octets, lengths):
    whole = Connection()
    said = whole.send(octets)
    for is_slow in (False, True):
        cut = Connection(is_slow=is_slow)
        assert cut.send(*in_segments(octets, lengths)) == said
        assert cut.mails == whole.mails
    assert said.count(b" queued as ") == len(whole.mails)
    whole.dialogue.lost()
    assert all(message.is_forgotten for message in whole.messages)
    assert all(b"evil" not in mail and b"\0" not in mail for mail in whole.mails)


def test_a_mail_that_is_refused_gets_no_more_content():
    connection = Connection()
    envelope = b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n"
    said = connection.send(envelope, b"Subject: x\r\n\r\n", b"evil\r\n", b"more\r\n", b".\r\n")
    assert said.endswith(REFUSED.wire)
    assert connection.messages[0].is_forgotten
    assert connection.mails == []
    assert connection.send(envelope[8:] + MAIL + b".\r\n").endswith(b"250 2.0.0 queued as X\r\n")
    assert connection.mails == [MAIL]


def test_nothing_is_carried_out_while_an_answer_is_awaited():
    connection = Connection(is_slow=True)
    connection.dialogue.receive(b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nNOOP\r\n")
    assert connection.dialogue.talk.said[-1].startswith(b"250-relay.example")
    connection.go_on()
    assert connection.dialogue.talk.said[-2:] == [replies.SENDER_OK.wire, replies.NOTHING_DONE.wire]


def test_an_answer_that_fails_is_the_reply():
    connection = Connection(is_slow=True)
    connection.dialogue.receive(b"EHLO c\r\nMAIL FROM:<a@x.example>\r\n")
    connection.waiting = None
    connection.dialogue.fail(REFUSED)
    assert connection.dialogue.talk.said[-1] == REFUSED.wire
    assert connection.dialogue.mail.state is State.GREETED
    assert connection.told == [REFUSED]


def test_while_a_refusal_waits_it_is_known_of_which_command_it_is(monkeypatch):
    monkeypatch.setattr(tarpit, "REFUSED_AT_ONCE", 0)
    connection = Connection(is_slow=True)
    connection.dialogue.receive(b"EHLO c\r\nMAIL FROM:<a@x.example>\r\n")
    connection.waiting = None
    connection.dialogue.fail(REFUSED)
    assert connection.dialogue.talk.pausing
    assert connection.dialogue.command == "MAIL FROM:<a@x.example>"
    connection.dialogue.resume()
    assert connection.dialogue.command == ""


@pytest.mark.parametrize("line", [b"FOO\r\n", b"x" * LONGEST + b"\r\n"])
def test_after_so_many_commands_it_is_the_turn_of_others(line):
    connection = Connection()
    connection.dialogue.receive(line * (COMMANDS_AT_A_TIME + 1))
    assert connection.told[-1] == 0.0
    assert len(connection.dialogue.talk.said) == 1 + COMMANDS_AT_A_TIME
    connection.dialogue.resume()
    assert len(connection.dialogue.talk.said) == 2 + COMMANDS_AT_A_TIME


#: What leads to each state.
GREETING, SENDER, RECIPIENT = (
    b"EHLO c\r\n",
    b"MAIL FROM:<a@x.example>\r\n",
    b"RCPT TO:<b@y.example>\r\n",
)
WAYS = {
    State.CONNECTED: b"",
    State.GREETED: GREETING,
    State.SENDER: GREETING + SENDER,
    State.RECIPIENTS: GREETING + SENDER + RECIPIENT,
    State.CHUNKS: GREETING + SENDER + RECIPIENT + chunk(b"a: b"),
}
#: A command that is in order, as it may be said.
SAID = {b"MAIL": SENDER, b"RCPT": RECIPIENT, b"BDAT": b"BDAT 0\r\n"}
#: What nobody offers here is refused before its order is looked at: see `test_states`.
NOT_OFFERED = {b"STARTTLS", b"AUTH"}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", sorted(ORDER.keys() - NOT_OFFERED))
def test_each_command_is_in_order_or_refused_in_each_state_as_the_table_says(verb, state):
    connection = Connection()
    connection.send(WAYS[state])
    assert connection.dialogue.mail.state is state
    connection.dialogue.talk.said.clear()
    said = connection.send(SAID.get(verb, verb + b"\r\n"))
    refusal = ORDER[verb][state]
    assert (said == refusal.wire) if refusal else not said.startswith(b"503")


def test_the_table_has_each_command_in_each_state():
    assert ORDER.keys() == Connection().dialogue.commands.keys()
    assert {len(row) for row in ORDER.values()} == {len(State)}
    assert {type(cell) for row in ORDER.values() for cell in row} == {Reply, type(None)}


def test_a_policy_is_a_value_that_nobody_changes():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        POLICY.hostname = "other.example"
