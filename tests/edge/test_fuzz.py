"""Clients that send anything, to an edge around which everything happens: see `tests.fuzz`."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.edge.clients import MAIL, chunk
from tests.fuzz.dialogue import Dialogue
from tests.fuzz.script import LINES, ORDINARY, PIECES, play
from tests.fuzz.session import FAULTS, SETTINGS, Session

_paths = st.sampled_from([b"a@x.example", b"b@y.example", b"c@no.example"])
_addresses = st.one_of(_paths, st.binary(max_size=12))
_lines = st.one_of(
    st.sampled_from([*LINES, *(line.removesuffix(b"\r\n") for line in ORDINARY)]),
    st.builds(b"MAIL FROM:<%s>%s".__mod__, st.tuples(_addresses, st.binary(max_size=8))),
    st.builds(b"RCPT TO:<%s>%s".__mod__, st.tuples(_addresses, st.binary(max_size=8))),
)
_pieces = st.one_of(st.sampled_from(PIECES), st.binary(max_size=40))


class Sessions(RuleBasedStateMachine):
    """After each step the dialogue is judged; the order of the steps is hypothesis's."""

    @initialize(limits=st.sampled_from(SETTINGS), secured=st.booleans())
    def connect(self, limits, secured):
        self.session = Session(limits, secured=secured)
        self.next = 0

    def teardown(self):
        self.session.end()

    def still_open(self):
        return self.session.open

    @precondition(still_open)
    @rule(steps=st.integers(1, 9))
    def go_on_as_usual(self, steps):
        said = [ORDINARY[0], *ORDINARY[1:] * 3][self.next : self.next + steps]
        self.next = (self.next + steps) % 9
        self.session.send(b"".join(said))

    @precondition(still_open)
    @rule(lines=st.lists(_lines, min_size=1, max_size=4))
    def say(self, lines):
        self.session.send(b"".join(line + b"\r\n" for line in lines))

    @precondition(still_open)
    @rule(pieces=st.lists(_pieces, min_size=1, max_size=4), size=st.integers(1, 20))
    def send_in_fragments(self, pieces, size):
        octets = b"".join(pieces)
        for start in range(0, len(octets), size):
            self.session.send(octets[start : start + size])

    @precondition(still_open)
    @rule(octets=_pieces, last=st.booleans())
    def send_a_chunk(self, octets, last):
        self.session.send(chunk(octets, last=last))

    @precondition(still_open)
    @rule()
    def end_content(self):
        self.session.send(b"\r\n.\r\n")

    @rule(slow=st.booleans())
    def let_the_intake_be(self, slow):
        if slow:
            self.session.make_slow()
        else:
            self.session.make_fast()

    @rule()
    def answer(self):
        self.session.answer()

    @rule(fault=st.sampled_from(FAULTS))
    def let_commits_fail(self, fault):
        self.session.fail_with(fault)

    @rule(reads=st.booleans())
    def read_replies(self, reads):
        if reads:
            self.session.read_on()
        else:
            self.session.stop_reading()

    @rule(seconds=st.sampled_from([1, 9, 200, 301]))
    def wait(self, seconds):
        self.session.wait(seconds)

    @precondition(still_open)
    @rule(ending=st.sampled_from([Session.hang_up, Session.stop_relay]))
    def end(self, ending):
        ending(self.session)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)


def test_two_thousand_random_sessions_break_no_rule():
    chance = random.Random(4)
    for _ in range(2000):
        script = chance.randbytes(chance.randrange(4, 80))
        try:
            play(script)
        except AssertionError:
            print("python -m tests.fuzz --play", script.hex())
            raise


def hear_and_judge(dialogue, octets):
    dialogue.hear(octets)
    dialogue.judge(waits=False, closed=False)


@pytest.mark.parametrize(
    "replies",
    [
        [b"250 2.0.0 fine"] * 2,
        [],
        [b"251 2.0.0 fine"],
        [b"250 fine"],
        [b"250 5.0.0 fine"],
        [b"250-2.0.0 fine"],
        [b"250 2.0.0 " + b"x" * 512],
        [b"221 2.0.0 bye"],
        [b"250 2.0.0 \xff"],
    ],
)
def test_the_judge_finds_fault(replies):
    dialogue = Dialogue([])
    hear_and_judge(dialogue, b"220 relay.example\r\n")
    dialogue.send(b"NOOP\r\n")
    with pytest.raises(AssertionError):
        hear_and_judge(dialogue, b"".join(reply + b"\r\n" for reply in replies))


def test_the_judge_wants_a_commit_for_each_250():
    dialogue = Dialogue([])
    dialogue.send(b"".join(ORDINARY[:4]) + MAIL + b".\r\n")
    start = b"220 a\r\n250 a\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n"
    dialogue.hear(start)
    dialogue.judge(waits=True, closed=False)
    dialogue.hear(b"250 2.0.0 queued\r\n")
    with pytest.raises(AssertionError, match="a 250 without a commit"):
        dialogue.judge(waits=False, closed=False)
