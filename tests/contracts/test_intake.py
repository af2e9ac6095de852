"""What every implementation of `IIntake` keeps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel
from zope.interface.verify import verifyObject

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError, SpoolFullError
from multisendcon_plugin.interfaces import Commit, IBatchIntake, IDraft, IIntake
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.json_form import texts_of
from multisendcon_plugin.mail.message import Parcel, Recipient, queue_id
from multisendcon_plugin.queue.fullness import FULL_FOR
from tests.contracts.intakes import CrawlingFrontIntake, FrontIntakeOverQueue, QueueIntake
from tests.front.channels import FrontWorld
from tests.queues import logged

KINDS = [QueueIntake, FrontIntakeOverQueue, CrawlingFrontIntake]
KIB = 1024
SIZES = [10, 128 * KIB + 1, 400 * KIB]


@pytest.fixture(params=KINDS)
def here(request):
    return request.param()


def batch(here, *drafts):
    texts = texts_of(ENVELOPE, PARCELS)
    commits = [Commit(draft, ENVELOPE, 0, PARCELS, texts) for draft in drafts]
    return here.wait(here.intake.commit_all(commits))


@pytest.fixture
def queue():
    return QueueIntake()


def test_a_queue_takes_over_what_comes_in_one_turn_as_one_list(queue):
    assert verifyObject(IBatchIntake, queue.intake)
    first, second = begin(queue, b"1"), begin(queue, b"2")
    again = queue.intake.draft(first.number)
    with logged() as log:
        errors = batch(queue, first, again, second)
    assert [type(error) for error in errors] == [type(None), SpoolError, type(None)]
    accepted = [queue_id(each.number) for each in (first, second)]
    assert [text.partition(":")[0] for text in log.texts(LogLevel.info)] == accepted
    assert queue.world.relays["Sales"].numbers == [each.number << 16 for each in (first, second)]


def test_a_list_of_which_none_is_stored_leaves_nothing(queue):
    drafts = [begin(queue, b"1"), begin(queue, b"2")]
    queue.world.disk.fault = SpoolFullError("full")
    assert [str(error) for error in batch(queue, *drafts)] == ["full", "full"]
    queue.world.disk.fault = None
    assert queue.intake.full
    assert queue.world.waiting == []
    assert "Sales" not in queue.world.relays


def octets(size):
    return random.Random(size).randbytes(size)


ENVELOPE = Envelope(
    reverse_path="Böss@example.com",
    recipients=("a@x.example", "b@x.example"),
    eight_bit=True,
    utf8=True,
    author="Büro@example.com",
    returns=Return.HEADER,
    envelope_id="QQ+3D1",
    client=Client("192.0.2.7", "Jörg", "client.example", "TLSv1.3 X"),
)
PARCELS = (
    Parcel(
        account="Sales",
        recipients=(
            Recipient(address="a@x.example", reason="matches for a@x.example"),
            Recipient(
                address="b@x.example", reason="x", notify=Notify.NEVER, original="utf-8;Ü@x.example"
            ),
        ),
    ),
)


def begin(here, *content):
    draft = here.intake.draft()
    for each in content:
        draft.write(each)
    return draft


def commit(here, *content):
    draft = begin(here, *content)
    here.wait(here.intake.commit(draft, ENVELOPE, 0, PARCELS))
    return draft


def stored(here):
    """Return the content of each message in the spool."""
    return dict(here.world.disk.contents)


def test_it_keeps_its_interface(here):
    assert verifyObject(IIntake, here.intake)
    assert verifyObject(IDraft, here.intake.draft())


@pytest.mark.parametrize("size", [0, *SIZES, 128 * KIB])
def test_content_is_stored_byte_for_byte(here, size):
    draft = commit(here, octets(size))
    assert stored(here) == {draft.number: octets(size)}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(0, 10) | st.integers(0, 300 * KIB), max_size=5), min_size=1, max_size=4
    )
)
def test_messages_arrive_side_by_side_and_however_they_are_cut(kind, messages):
    here = kind()
    drafts = [here.intake.draft() for _ in messages]
    for n in range(5):
        for draft, sizes in zip(drafts, messages, strict=True):
            for size in sizes[n : n + 1]:
                draft.write(octets(size))
        here.let_go_on()
    commits = [here.intake.commit(draft, ENVELOPE, 0, PARCELS) for draft in drafts]
    for each in commits:
        assert here.wait(each) is None
    assert stored(here) == {
        draft.number: b"".join(map(octets, sizes))
        for draft, sizes in zip(drafts, messages, strict=True)
    }


def test_all_that_is_said_of_a_message_is_stored(here):
    draft = begin(here, b"Subject: x\r\n", b"\r\ntext\r\n")
    assert here.wait(here.intake.commit(draft, ENVELOPE, 12, PARCELS)) is None
    (delivery,) = here.world.waiting
    message = delivery.message
    assert message.number == draft.number
    assert message.envelope == ENVELOPE
    assert (message.size, message.header_size) == (20, 12)
    assert (delivery.account, delivery.recipients) == ("Sales", PARCELS[0].recipients)


def test_what_was_taken_over_is_delivered(here):
    here.world.servers.clear()
    commit(here, b"Subject: x\r\n\r\ntext\r\n")
    here.world.run(10)
    (sent,) = here.world.sent
    assert sent.recipients == ("a@x.example", "b@x.example")
    assert sent.content == "Subject: x\r\n\r\ntext\r\n"
    assert stored(here) == {}


# Numbers.


def test_each_message_has_a_higher_number(here):
    numbers = [commit(here, b"x").number for _ in range(2)]
    here.world.clock.advance(10)
    numbers += [here.intake.draft().number for _ in range(2)]
    assert numbers == sorted(set(numbers))
    assert list(stored(here)) == numbers[:2]


def test_a_message_takes_a_number_that_was_given_elsewhere(here):
    number = here.intake.draft().number + 1_000_001
    draft = here.intake.draft(number)
    assert draft.number == number
    here.wait(here.intake.commit(draft, ENVELOPE, 0, PARCELS))
    assert list(stored(here)) == [number]
    assert here.intake.draft().number > number


def test_a_number_that_is_in_use_is_refused(here):
    number = commit(here, b"first").number
    again = here.intake.draft(number)
    again.write(b"second")
    with pytest.raises(SpoolError):
        here.wait(here.intake.commit(again, ENVELOPE, 0, PARCELS))
    assert stored(here) == {number: b"first"}


# What is not stored.


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_stored_before_it_is_committed(here, size):
    begin(here, octets(size))
    here.let_go_on()
    assert stored(here) == {}


@pytest.mark.parametrize("size", SIZES)
def test_a_discarded_message_is_forgotten(here, size):
    draft = begin(here, octets(size))
    here.let_go_on()
    draft.discard()
    draft.write(octets(size))
    draft.discard()
    with pytest.raises(SpoolError):
        here.wait(here.intake.commit(draft, ENVELOPE, 0, PARCELS))
    here.let_go_on()
    assert stored(here) == {}


def test_a_message_is_committed_once(here):
    draft = commit(here, b"x")
    with pytest.raises(SpoolError):
        here.wait(here.intake.commit(draft, ENVELOPE, 0, PARCELS))
    draft.discard()
    here.let_go_on()
    assert stored(here) == {draft.number: b"x"}


# Faults of the spool.


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [SpoolError, SpoolFullError, SpoolBrokenError])
def test_why_a_message_is_not_stored_is_told(here, size, kind):
    draft = begin(here, octets(size))
    here.world.disk.fault = kind("nothing is written: a cosmic ray, möglicherweise")
    committed = here.intake.commit(draft, ENVELOPE, 0, PARCELS)
    with pytest.raises(SpoolError) as caught, logged():
        here.wait(committed)
    assert type(caught.value) is kind
    assert str(caught.value) == "nothing is written: a cosmic ray, möglicherweise"
    assert here.intake.full == (kind is SpoolFullError)
    assert stored(here) == {}


def test_a_full_spool_is_remembered_for_a_moment(here):
    assert not here.intake.full
    here.world.disk.capacity = 5
    with pytest.raises(SpoolFullError, match="the spool is full"):
        commit(here, b"123456")
    assert here.intake.full
    here.world.clock.advance(FULL_FOR)
    assert not here.intake.full
    here.world.disk.capacity = None
    commit(here, b"123456")
    assert not here.intake.full


def test_a_number_that_is_in_use_refuses_one_mail_and_not_the_next(here):
    first = commit(here, b"first")
    taken = here.intake.draft(first.number)
    taken.write(b"second")
    with pytest.raises(SpoolError):
        here.wait(here.intake.commit(taken, ENVELOPE, 0, PARCELS))
    third = commit(here, b"third")
    assert stored(here) == {first.number: b"first", third.number: b"third"}


def test_two_intakes_that_have_drawn_the_same_writer_lose_and_mix_no_mail():
    here = FrontIntakeOverQueue()
    there = FrontIntakeOverQueue()
    there.front = FrontWorld(here.world.queue, here.world.clock)
    there.intake, there.world = there.front.intake, here.world
    first, refused = begin(here, b"first"), begin(there, b"refused")
    assert first.number == refused.number
    here.wait(here.intake.commit(first, ENVELOPE, 0, PARCELS))
    with pytest.raises(SpoolError):
        there.wait(there.intake.commit(refused, ENVELOPE, 0, PARCELS))
    second = commit(there, b"second")
    third = commit(here, b"third")
    assert stored(here) == {
        first.number: b"first",
        second.number: b"second",
        third.number: b"third",
    }
