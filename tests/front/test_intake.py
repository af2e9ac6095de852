"""Both ends of the intake, beyond what every intake keeps: see `contracts.test_intake`."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError, SpoolFullError
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.front.channel import FrameType
from multisendcon_plugin.front.frames import commit_octets, committed_octets, error_octets
from multisendcon_plugin.front.intake import PIECE
from multisendcon_plugin.front.server import IntakeServer
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.queue.fullness import FULL_FOR
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.edge.clients import MAIL, Edge, Intake, chunks
from tests.front.channels import HIGH_WATER, FrontWorld, Pair, frames

ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCELS = (Parcel(account="Sales", recipients=(Recipient(address="a@x.example", reason="test"),)),)
LONG = random.Random(1).randbytes(3 * PIECE)


class World(FrontWorld):
    """A front process' intake in front of one that the test tells what to do.

    :ivar beyond: that one.
    """

    def __init__(self):
        self.beyond = Intake(Clock())
        super().__init__(self.beyond, Clock())

    def begin(self, *content):
        draft = self.intake.draft()
        for each in content:
            draft.write(each)
        return draft

    def commit(self, draft):
        """Commit it; return a list of what came of it."""
        results = []
        self.intake.commit(draft, ENVELOPE, 0, PARCELS).addBoth(results.append)
        return results

    def sent(self):
        """Return the kinds of the frames that the server has not read."""
        octets, kinds = bytes(self.here.written), []
        while octets:
            kinds.append(FrameType(octets[4]))
            octets = octets[13 + int.from_bytes(octets[:4], "big") :]
        return kinds

    def discarded(self):
        return [draft.discarded for draft in self.beyond.drafts]


@pytest.fixture
def world():
    return World()


# What is said, and when.


def test_a_short_message_goes_over_whole(world):
    draft = world.begin(b"Subject: x\r\n", b"\r\ntext\r\n")
    assert world.sent() == []
    done = world.commit(draft)
    assert world.sent() == [FrameType.COMMIT]
    assert done == []
    world.flush()
    assert done == [None]
    assert world.answers == [(FrameType.COMMITTED, draft.number)]
    (message,) = world.beyond.messages
    assert message.content == b"Subject: x\r\n\r\ntext\r\n"
    assert (message.envelope, message.parcels) == (ENVELOPE, PARCELS)


def test_a_long_message_goes_over_as_it_arrives(world):
    draft = world.begin(LONG[:PIECE])
    assert world.sent() == []
    draft.write(LONG[PIECE : PIECE + 1])
    assert world.sent() == [FrameType.WRITE]
    world.flush()
    (beyond,) = world.beyond.drafts
    assert beyond.number == draft.number
    assert beyond.written == LONG[: PIECE + 1]
    draft.write(LONG[PIECE + 1 :])
    draft.write(b"end\r\n")
    world.commit(draft)
    assert world.sent() == [FrameType.WRITE, FrameType.COMMIT]
    world.flush()
    assert world.beyond.messages[0].content == LONG + b"end\r\n"


def test_the_client_waits_until_the_message_is_durable(world):
    world.beyond.waits = True
    first, second = world.commit(world.begin(b"1")), world.commit(world.begin(b"2"))
    world.flush()
    assert first == second == []
    world.beyond.go_on()
    assert first == []
    world.flush()
    assert (first, second) == ([None], [])
    world.beyond.go_on()
    world.flush()
    assert second == [None]


def test_of_a_message_that_stays_here_nothing_is_said(world):
    world.begin(b"text").discard()
    assert world.sent() == []


def test_what_was_handed_over_is_discarded_there(world):
    draft, other = world.begin(LONG), world.begin(LONG)
    draft.discard()
    draft.discard()
    assert world.sent() == [FrameType.WRITE, FrameType.WRITE, FrameType.DISCARD]
    world.flush()
    assert world.discarded() == [True, False]
    assert world.commit(other) == []
    world.flush()
    assert [message.content for message in world.beyond.messages] == [LONG]


def test_what_is_discarded_and_not_known_is_let_be(world):
    world.channel.send(FrameType.DISCARD, 77)
    world.flush()
    assert world.there.error is None
    assert world.beyond.drafts == []


def test_a_message_that_was_committed_is_not_discarded(world):
    draft = world.begin(LONG)
    world.commit(draft)
    draft.discard()
    assert world.sent() == [FrameType.WRITE, FrameType.COMMIT]


@pytest.mark.parametrize("kind", [SpoolError, SpoolFullError, SpoolBrokenError])
def test_one_that_fails_takes_no_other_with_it(world, kind):
    world.beyond.waits = True
    first, second = world.commit(world.begin(LONG)), world.commit(world.begin(b"2"))
    world.flush()
    world.beyond.fault = kind("no")
    world.beyond.go_on()
    world.beyond.fault = None
    world.beyond.go_on()
    world.flush()
    assert [(type(failure.value), str(failure.value)) for failure in first] == [(kind, "no")]
    assert second == [None]
    assert world.intake.full == (kind is SpoolFullError)


def test_it_is_told_when_clients_are_served(world):
    world.channel.send(FrameType.READY)
    assert world.ready == []
    world.flush()
    assert world.ready == [True]


# What comes in one turn.


class Lists:
    """An intake that notes the lists that it takes over, and answers them when it is told to."""

    def __init__(self):
        self.spool = MemorySpool(Clock())
        self.spool.open()
        self.draft = self.spool.draft
        self.lists = []

    def commit_all(self, commits):
        self.lists.append([each.draft.number for each in commits])
        self.answer = Deferred()
        return self.answer


@pytest.fixture
def turns():
    """Return an intake, its server's clock, and the list of what is answered."""
    beyond, clock, answers = Lists(), Clock(), []
    server = IntakeServer(beyond, Publisher(), lambda: None, clock)
    channel, got, _ = frames()
    pair = Pair(channel, server.channel)
    for number in (64, 96, 128):
        channel.send(FrameType.COMMIT, number, commit_octets(ENVELOPE, 0, PARCELS, b"text"))
    pair.flush()

    def answer(errors):
        beyond.answer.callback(errors)
        clock.advance(0)
        pair.flush()
        answers.extend(got)
        return answers

    return SimpleNamespace(beyond=beyond, clock=clock, answer=answer)


def test_what_comes_in_one_turn_is_one_list_and_so_is_its_answer(turns):
    assert turns.beyond.lists == []
    turns.clock.advance(0)
    assert turns.beyond.lists == [[64, 96, 128]]
    (answer,) = turns.answer([None] * 3)
    assert answer == (FrameType.COMMITTED, 0, committed_octets([64, 96, 128]))


def test_each_message_of_a_list_has_its_own_answer(turns):
    turns.clock.advance(0)
    error = SpoolFullError("no")
    answers = turns.answer([None, error, None])
    assert answers == [
        (FrameType.FAILED, 96, error_octets(error)),
        (FrameType.COMMITTED, 0, committed_octets([64, 128])),
    ]


@pytest.mark.parametrize("error", [SpoolError("no"), ZeroDivisionError("no")])
def test_when_a_whole_list_fails_each_of_its_messages_has(turns, error):
    turns.clock.advance(0)
    assert turns.answer(Failure(error)) == [
        (FrameType.FAILED, number, error_octets(SpoolError("no"))) for number in (64, 96, 128)
    ]


def test_an_intake_that_raises_is_one_that_fails(turns, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(turns.beyond, "commit_all", fail)
    turns.beyond.answer = Deferred()
    turns.clock.advance(0)
    answers = turns.answer(None)
    assert [(kind, number) for kind, number, _ in answers] == [
        (FrameType.FAILED, number) for number in (64, 96, 128)
    ]


# Back-pressure.


def test_a_source_waits_while_the_other_process_does_not_read(world):
    draft = world.intake.draft()
    assert draft.write(LONG[: HIGH_WATER + 1]) is None
    room = draft.write(LONG[HIGH_WATER + 1 :])
    assert not room.called
    world.flush()
    assert room.called
    assert draft.write(b"more") is None


def test_the_server_does_not_read_while_the_spool_has_no_room(world):
    spool_has_room = world.beyond.room = Deferred()
    draft = world.begin(LONG)
    world.flush()
    assert not world.there.reading
    room = draft.write(LONG)
    world.flush()
    assert not room.called
    assert world.beyond.drafts[0].written == LONG
    world.beyond.drafts[0].room = None
    spool_has_room.callback(None)
    world.flush()
    assert room.called
    assert world.beyond.drafts[0].written == 2 * LONG


def test_the_server_reads_again_when_the_spool_has_room_for_all(world):
    rooms = []
    for _ in range(2):
        world.beyond.room = Deferred()
        rooms.append(world.beyond.room)
        world.begin(LONG)
        # What was read already when the first one found no room.
        world.there.receive(bytes(world.here.written))
        world.here.written.clear()
    rooms[1].callback(None)
    assert not world.there.reading
    rooms[0].callback(None)
    assert world.there.reading


# The connection is lost.


def test_what_is_still_arriving_is_discarded_on_both_sides(world):
    here, there = world.begin(b"text"), world.begin(LONG)
    world.flush()
    world.cut()
    assert world.discarded() == [True]
    for draft in (here, there):
        draft.write(LONG)
        draft.discard()
    assert world.beyond.messages == []


@pytest.mark.parametrize("size", [10, len(LONG)])
def test_a_commit_that_was_not_read_fails_and_nothing_is_stored(world, size):
    done = world.commit(world.begin(LONG[:size]))
    world.cut()
    assert [type(failure.value) for failure in done] == [SpoolError]
    assert str(done[0].value) == "the process that owns the spool is gone"
    assert world.beyond.messages == []


@pytest.mark.parametrize("fault", [None, SpoolError("no")])
def test_a_commit_that_is_under_way_fails_here_and_goes_on_there(world, fault):
    world.beyond.waits = True
    done = world.commit(world.begin(LONG))
    world.flush()
    world.cut()
    assert [type(failure.value) for failure in done] == [SpoolError]
    assert world.discarded() == [False]
    world.beyond.fault = fault
    world.beyond.go_on()
    assert len(world.beyond.messages) == (fault is None)
    assert len(done) == 1


def test_an_answer_that_was_on_its_way_is_lost(world):
    done = world.commit(world.begin(b"text"))
    world.here.pump()
    assert len(world.beyond.messages) == 1
    world.cut()
    world.flush()
    assert [type(failure.value) for failure in done] == [SpoolError]


def test_room_in_the_spool_comes_too_late(world):
    world.beyond.room = Deferred()
    world.begin(LONG)
    world.flush()
    world.cut()
    world.beyond.room.callback(None)
    assert world.discarded() == [True]


# What the front process cannot have said.


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (FrameType.COMMIT, b""),
        (FrameType.COMMIT, b"\0\0\0\2[]rest"),
        (FrameType.COMMIT, commit_octets(ENVELOPE, 0, PARCELS, b"")[:-9]),
        (FrameType.LOG, b"no JSON"),
        (FrameType.LOG, b"\xff"),
        (FrameType.SETUP, b""),
        (FrameType.COMMITTED, b""),
        (FrameType.FAILED, b""),
        (FrameType.STOP, b""),
    ],
)
def test_garbage_ends_the_connection_and_nothing_is_stored(world, kind, octets):
    waiting, long = world.commit(world.begin(b"text")), world.begin(LONG)
    world.begin(LONG)
    world.flush()
    assert waiting == [None]
    world.channel.send(kind, long.number, octets)
    after = world.commit(world.begin(b"after"))
    world.flush()
    assert isinstance(world.there.error, (ValueError, TypeError, KeyError))
    assert not world.here.connected
    assert world.discarded()[1:] == [True, True]
    assert [message.content for message in world.beyond.messages] == [b"text"]
    assert [type(failure.value) for failure in after] == [SpoolError]


# Whole sessions.


class FrontEdge(Edge):
    """An edge that hands its messages over.

    :ivar front: what is between it and its `intake`.
    """

    def entrance(self):
        self.front = FrontWorld(self.intake, self.clock)
        return self.front.intake

    def ask(self, client, octets):
        """Send octets; return the lines of the replies."""
        client.send(octets)
        self.front.flush()
        return client.replies()


def test_a_client_sends_its_mails_through_the_front():
    edge = FrontEdge()
    client = edge.client()
    long = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 40_000
    for content in (MAIL, long):
        client.begin()
        (reply,) = edge.ask(client, content + b".\r\n")
        assert reply.startswith("250 2.0.0 ")
    client.begin_chunks()
    assert edge.ask(client, chunks(MAIL, 3, 5))[-1].startswith("250 2.0.0 ")
    assert [message.content.partition(b"Subject:")[2] for message in edge.messages] == [
        content.partition(b"Subject:")[2] for content in (MAIL, long, MAIL)
    ]
    assert [message.accounts for message in edge.messages] == [{"Rest": ["b@y.example"]}] * 3


def test_a_client_hears_nothing_before_its_mail_is_durable():
    edge = FrontEdge()
    edge.intake.waits = True
    client = edge.client()
    client.begin()
    assert edge.ask(client, MAIL + b".\r\n") == []
    edge.intake.go_on()
    (reply,) = edge.ask(client, b"")
    assert reply.startswith("250 ")


def test_a_client_hears_that_there_is_no_room_and_the_next_one_hears_it_at_once():
    edge = FrontEdge()
    edge.intake.fault = SpoolFullError("full")
    client = edge.client()
    client.begin()
    (reply,) = edge.ask(client, MAIL + b".\r\n")
    assert reply.startswith("452 4.3.1 ")
    (reply,) = edge.client().ask(b"MAIL FROM:<a@x.example>")
    assert reply.startswith("452 4.3.1 ")
    edge.intake.fault = None
    edge.clock.advance(FULL_FOR)
    assert edge.client().begin()[-1].startswith("354 ")


def test_a_client_that_hangs_up_leaves_nothing_behind():
    edge = FrontEdge()
    client = edge.client()
    client.begin()
    edge.ask(client, MAIL + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 8000)
    client.hang_up()
    edge.front.flush()
    assert edge.draft.discarded
    assert edge.messages == []


def test_a_client_is_paused_while_the_spool_has_no_room():
    edge = FrontEdge()
    room = edge.intake.room = Deferred()
    client = edge.client()
    client.begin()
    text = (b"y" * 70 + b"\r\n") * 4000
    edge.ask(client, MAIL + text)
    client.send(text)
    assert client.paused
    edge.front.flush()
    assert client.paused
    edge.draft.room = None
    room.callback(None)
    edge.front.flush()
    assert not client.paused
    (reply,) = edge.ask(client, b".\r\n")
    assert reply.startswith("250 ")


def test_a_client_whose_mail_was_not_answered_is_told_to_come_again():
    edge = FrontEdge()
    edge.intake.waits = True
    client = edge.client()
    client.begin()
    edge.ask(client, MAIL + b".\r\n")
    edge.front.cut()
    (reply,) = client.replies()
    assert reply.startswith("451 ")
