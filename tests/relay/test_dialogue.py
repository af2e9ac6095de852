"""The dialogue of one mail without a transport: each reply to each command, and any server."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay.due import Due
from multisendcon_plugin.relay.redaction import Redaction
from multisendcon_plugin.relay.replies import ReplyReader
from multisendcon_plugin.relay.transaction import Row, Transaction
from multisendcon_plugin.routing.account import Account
from tests.relays import CONTENT, HEADER, Content, delivery

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
LOST = Reply(0, "4.4.2", "the connection was lost")


class FakeSession:
    """A session without a connection.

    :ivar written: what was said, one by one.
    :ivar said: what was heard while the mail was under way.
    :ivar expected: the phase whose reply is waited for; ``None``: there is none.
    """

    def __init__(self, *offers, unclean=False):
        self.account = Account(name="Sales", server="mx.example")
        self.reader = ReplyReader(Redaction())
        self.offers = dict.fromkeys(offers, "")
        self.unclean, self.lost, self.paused = unclean, None, False
        self.mails = 0
        self.written = []
        self.said = b""
        self.expected = None
        self.over = self.aborted = False

    def carry(self, *, pieces=(CONTENT,), recipients=1):
        mail = delivery(recipients=tuple(f"r{n}@b.example" for n in range(recipients)))
        self.content = Content(pieces)
        self.transaction = Transaction(self, mail, lambda: self.content)
        self.go_on()
        return self.transaction

    def write(self, octets):
        self.written.append(octets)

    def begin_mail(self):
        self.mails += 1

    def leave(self, *, unclean):
        self.unclean = unclean

    def expect(self, phase):
        self.expected = phase

    def abort(self, why):
        self.aborted, self.lost = True, Reply(0, "4.4.2", why)

    def expect_nothing(self):
        self.expected = None

    def go_on(self):
        assert not self.over
        self.over = self.transaction.go_on()

    def hear(self, *segments):
        for segment in segments:
            if not self.over:
                self.said += segment
                assert not self.reader.feed(segment, self.expected)
                if self.reader.replies:
                    self.go_on()

    @property
    def waits_for_spool(self):
        return (
            not self.over
            and isinstance(self.content.last, Deferred)
            and not self.content.last.called
        )

    def read_on(self):
        """Let the spool say what it is asked for."""
        self.content.last.callback(b"more\r\n")

    def stall(self):
        """Let the server read no more, or again."""
        self.paused = not self.paused
        if not self.over and not self.paused:
            self.go_on()

    def lose(self):
        if not self.over:
            self.lost = LOST
            self.go_on()

    @property
    def verdicts(self):
        return [outcome.verdict for outcome in self.transaction.outcomes.all()]


# The table.


def test_each_thing_that_can_be_due_has_its_row():
    assert set(Transaction.ROWS) == set(Due)


KINDS = {
    "taken": b"250 ok",
    "go_ahead": b"354 go",
    "other": b"399 what",
    "mail": b"550 5.1.1 no",
    "account": b"535 5.7.8 who?",
    "closing": b"421 4.3.2 bye",
    "gone": None,
}
#: What was said until something is due.
WAYS = {
    Due.RSET: (),
    Due.MAIL: (),
    Due.RCPT: (b"250",),
    Due.LAST_RCPT: (b"250", b"250"),
    Due.DATA: (b"250", b"250", b"250"),
    Due.CONTENT: (b"250", b"250", b"250", b"354"),
    Due.END: (b"250", b"250", b"250", b"354"),
    Due.VAIN_RCPT: (b"550",),
    Due.VAIN_DATA: (b"250", b"550", b"550"),
    Due.LONE_DOT: (b"250", b"550", b"550", b"354"),
}
#: Of the first of two recipients: D, d, F, U, as verdicts; ``!``: the account is at fault; ``?``:
#: more is due; ``x``: the connection has to be cut off.
COMES_TO = """
           taken  go_ahead  other  mail  account  closing  gone
RSET       ?      ?         ?      d!    d!       d!       d!
MAIL       ?      ?         ?      ?     d!       d!       d!
RCPT       ?      ?         ?      ?     ?        d!       d!
LAST_RCPT  ?      ?         ?      ?     ?        d!       d!
DATA       d      ?         d      F     d!       d!       d!
CONTENT    dx     dx        dx     Fx    d!x      d!x      d!
END        D      d         d      F     d!       d!       U!
VAIN_RCPT  ?      ?         ?      ?     ?        d!       d!
VAIN_DATA  F      ?         F      F     F        d!       d!
LONE_DOT   F      F         F      F     F        d!       d!
"""


def cells():
    head, *rows = (line.split() for line in COMES_TO.strip().splitlines())
    assert tuple(head) == tuple(KINDS) == Row._fields[1:]
    assert [Due[row[0]] for row in rows] == list(Due)
    for due, *cells in rows:
        for kind, cell in zip(head, cells, strict=True):
            yield pytest.param(Due[due], kind, cell, id=f"{due}-{kind}")


@pytest.mark.parametrize(("due", "kind", "cell"), list(cells()))
def test_each_kind_of_reply_to_each_thing_that_is_due_comes_to_what_the_table_says(due, kind, cell):
    session = FakeSession("PIPELINING", unclean=due is Due.RSET)
    session.paused = due is Due.CONTENT
    transaction = session.carry(recipients=2)
    session.hear(*(code + b" said\r\n" for code in WAYS[due]))
    assert transaction._due[0] is due
    assert session.expected is Transaction.ROWS[due].phase
    if KINDS[kind] is None:
        session.lose()
    else:
        session.hear(KINDS[kind] + b"\r\n")
    verdict = {"D": DELIVERED, "d": DEFERRED, "F": FAILED, "U": UNCERTAIN}.get(cell[0])
    assert session.over is (verdict is not None)
    if session.over:
        assert session.verdicts[0] is verdict
        assert session.content.closed
    assert bool(transaction.outcomes.fault) is ("!" in cell)
    assert session.aborted is ("x" in cell)
    assert transaction.taken is (verdict is DELIVERED)


def test_a_mail_that_goes_well_wakes_it_up_twice():
    session = FakeSession("PIPELINING")
    wakes = []
    transaction = session.carry()
    go_on = transaction.go_on
    transaction.go_on = lambda: wakes.append(1) or go_on()
    session.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 2.0.0 queued\r\n")
    assert session.verdicts == [DELIVERED]
    assert len(wakes) == 2
    assert session.written[1:] == [CONTENT + b".\r\n"]


# Any server.

CODES = ["250", "250", "250", "354", "354", "251", "399", "450", "550", "535", "421"]
CODES += ["552 5.5.3 too many", "554 5.7.1 relay access denied", "452 4.5.3 up to 1"]
LINES = st.sampled_from([f"{code} x\r\n".encode() for code in CODES])
SPEECHES = st.lists(LINES, min_size=1, max_size=5).map(b"".join)
#: What happens one after the other: something is said, or a `FakeSession` is told by name.
EVENTS = st.lists(SPEECHES | st.sampled_from(["read_on", "stall", "lose"]), max_size=8)
PIECES = st.lists(
    st.sampled_from([b"hello\r\n", b"..x\r\n", SpoolError("disk"), "later"]), max_size=4
)


def happens(session, events, cuts):
    """Let it happen, what is said in pieces; in the end the connection is lost."""
    for each in [*events, "lose"]:
        if isinstance(each, bytes):
            places = sorted(cut % (len(each) + 1) for cut in cuts)
            session.hear(*(each[a:b] for a, b in pairwise([0, *places, len(each)])))
        elif each != "read_on" or session.waits_for_spool:
            getattr(session, each)()
    while session.waits_for_spool:
        session.read_on()


@given(
    st.fixed_dictionaries(
        {
            "count": st.integers(1, 4),
            "unclean": st.booleans(),
            "good": st.sampled_from([9, 9, 9, 0, 1, 2, 3]),
        }
    ),
    st.sampled_from([(), ("PIPELINING",)]),
    PIECES,
    EVENTS,
    st.lists(st.integers(0, 60), max_size=3),
)
def test_any_server_gets_a_true_outcome_for_each_recipient(mail, offers, pieces, events, cuts):
    count, unclean = mail["count"], mail["unclean"]
    to_data = unclean + 1 + count
    session = FakeSession(*offers, unclean=unclean)
    pieces = [HEADER, *(Deferred() if each == "later" else each for each in pieces)]
    transaction = session.carry(pieces=pieces, recipients=count)
    # So many replies are the right ones.
    session.hear(*[*[b"250 x\r\n"] * to_data, b"354 x\r\n"][: mail["good"]])
    happens(session, events, cuts)
    assert session.over
    assert session.content.closed == 1
    outcomes, fault = transaction.outcomes.all(), transaction.outcomes.fault
    event(f"{outcomes[-1].verdict.name} in {outcomes[-1].phase.name}")
    assert [each.recipient for each in outcomes] == list(transaction._delivery.recipients)

    # The replies by their places: to RSET, MAIL, RCPT, DATA, and the final dot.
    codes = [int(each[:3]) for each in session.said.split(b"\r\n")[:-1]]
    content = b"".join(session.written).partition(b"DATA\r\n")[2]
    dot_left = content.endswith(b"\r\n.\r\n")
    if content not in (b"", b".\r\n"):
        assert codes[to_data] == 354
    if transaction.taken:
        assert dot_left
        assert 200 <= codes[to_data + 1] < 300
    assert (DELIVERED in session.verdicts) is transaction.taken
    if UNCERTAIN in session.verdicts:
        assert dot_left
        assert len(codes) == to_data + 1
        assert fault.phase is Phase.END
    if fault:
        assert {DELIVERED, FAILED}.isdisjoint(session.verdicts)
    assert b"".join(session.written).count(b"MAIL FROM") == session.mails <= 1
