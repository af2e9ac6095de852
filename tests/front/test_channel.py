from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from multisendcon_plugin.front.channel import LONGEST, READ_AT_ONCE, FrameType
from tests.edge.clients import in_segments
from tests.front.channels import HIGH_WATER, Pair, frames

FRAMES = [
    (FrameType.WRITE, 2**64 - 1, b"content\r\n"),
    (FrameType.DISCARD, 1, b""),
    (FrameType.COMMIT, 2**47 - 1, b"\0\xff\r\n"),
    (FrameType.READY, 0, b""),
]

some_frames = st.lists(
    st.tuples(st.sampled_from(FrameType), st.integers(0, 2**64 - 1), st.binary(max_size=300)),
    max_size=8,
)


def joined():
    """Return a channel, and what arrives at the other end of it."""
    channel, _, _ = frames()
    other, got, lost = frames()
    return channel, Pair(channel, other), got, lost


def octets_of(some):
    channel, pair, _, _ = joined()
    for frame in some:
        channel.send(*frame)
    return bytes(pair.ends[0].written)


def test_frames_arrive_as_they_were_sent():
    channel, pair, got, _ = joined()
    for frame in FRAMES:
        channel.send(*frame)
    pair.flush()
    assert got == FRAMES
    assert [type(kind) for kind, _, _ in got] == [FrameType] * 4
    channel.send(FrameType.STOP)
    pair.flush()
    assert got[4:] == [(FrameType.STOP, 0, b"")]


def test_a_frame_is_its_size_its_kind_its_number_and_its_octets():
    assert octets_of([(FrameType.WRITE, 258, b"abc")]) == b"\0\0\0\3\6\0\0\0\0\0\0\1\2abc"


@pytest.mark.parametrize("cut", range(1, len(octets_of(FRAMES))))
def test_frames_may_be_cut_anywhere(cut):
    octets = octets_of(FRAMES)
    _, pair, got, _ = joined()
    pair.ends[1].receive(octets[:cut])
    pair.ends[1].receive(octets[cut:])
    assert got == FRAMES


@given(some_frames, st.lists(st.integers(1, 40), min_size=1))
def test_frames_arrive_in_any_segments(some, lengths):
    _, pair, got, _ = joined()
    for segment in in_segments(octets_of(some), lengths):
        pair.ends[1].receive(segment)
    assert got == some


def test_a_frame_arrives_as_soon_as_it_is_whole():
    octets = octets_of(FRAMES[:1])
    _, pair, got, _ = joined()
    pair.ends[1].receive(octets[:-1])
    assert got == []
    pair.ends[1].receive(octets[-1:])
    assert got == FRAMES[:1]


def test_much_is_read_at_once():
    channel, pair, _, _ = joined()
    assert pair.ends[0].bufferSize == READ_AT_ONCE
    assert verifyObject(IPushProducer, channel)


# Back-pressure.


def test_there_is_room_until_the_other_process_does_not_read():
    channel, pair, got, _ = joined()
    channel.send(FrameType.WRITE, 1, b"x" * HIGH_WATER)
    rooms = [channel.room(), channel.room()]
    assert None not in rooms
    fired = []
    for number, room in enumerate(rooms):
        room.addCallback(lambda _, number=number: fired.append(number))
    pair.flush(1000)
    assert fired == [0, 1]
    assert len(got) == 1
    assert channel.room() is None


def test_there_is_room_at_first():
    channel, _, _, _ = joined()
    channel.send(FrameType.WRITE, 1, b"x")
    assert channel.room() is None


def test_who_fills_it_again_waits_again():
    channel, pair, _, _ = joined()
    again = []

    def fill(_):
        channel.send(FrameType.WRITE, 1, b"x" * HIGH_WATER)
        again.append(channel.room())

    channel.send(FrameType.WRITE, 1, b"x" * HIGH_WATER)
    channel.room().addCallback(fill)
    pair.ends[0].pump()
    assert not again[0].called
    pair.flush()
    assert again[0].called


# What is no frame.


@pytest.mark.parametrize("kind", [0, max(FrameType) + 1, 255])
def test_a_frame_of_no_known_kind_ends_the_connection(kind):
    _, pair, got, lost = joined()
    octets = bytearray(octets_of(FRAMES[:1]))
    octets[4] = kind
    pair.ends[1].receive(octets_of(FRAMES[:1]) + bytes(octets))
    assert got == FRAMES[:1]
    assert isinstance(pair.ends[1].error, ValueError)
    assert lost == [True]


def test_a_frame_that_is_too_long_ends_the_connection_before_it_is_here():
    _, pair, got, lost = joined()
    pair.ends[1].receive((LONGEST + 1).to_bytes(4, "big") + octets_of(FRAMES[:1])[4:])
    assert got == []
    assert str(pair.ends[1].error) == f"a frame of {LONGEST + 1} octets"
    assert lost == [True]


def test_the_longest_frame_is_one():
    _, pair, got, lost = joined()
    pair.ends[1].receive(LONGEST.to_bytes(4, "big") + octets_of(FRAMES[:1])[4:])
    assert got == lost == []


def test_the_end_of_the_connection_is_told_once():
    channel, pair, got, lost = joined()
    channel.send(*FRAMES[0])
    pair.cut()
    pair.flush()
    assert got == []
    assert lost == [True]
    channel.send(*FRAMES[0])
