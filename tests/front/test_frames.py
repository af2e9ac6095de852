from __future__ import annotations

import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.errors import (
    ContentError,
    SpoolBrokenError,
    SpoolError,
    SpoolFullError,
    SpoolLockedError,
)
from multisendcon_plugin.front.frames import (
    commit_octets,
    committed_octets,
    error_octets,
    read_commit,
    read_committed,
    read_error,
)
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.json_form import envelope_of, recipient_of, texts_of
from multisendcon_plugin.mail.message import Parcel, Recipient

#: What may come of octets that nobody has written.
UNREADABLE = (ValueError, TypeError, KeyError)

recipients = st.builds(
    Recipient,
    address=st.text(),
    reason=st.text(),
    notify=st.none() | st.integers(0, 7).map(Notify),
    original=st.text(),
)
envelopes = st.builds(
    Envelope,
    reverse_path=st.text(),
    recipients=st.lists(st.text()).map(tuple),
    eight_bit=st.booleans(),
    utf8=st.booleans(),
    author=st.text(),
    returns=st.none() | st.sampled_from(Return),
    envelope_id=st.text(),
    client=st.none() | st.builds(Client, *[st.text()] * 4),
)
parcels = st.lists(
    st.builds(Parcel, account=st.text(), recipients=st.lists(recipients, max_size=4).map(tuple)),
    max_size=4,
).map(tuple)

PLAIN = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
ONE = (Parcel(account="Sales", recipients=(Recipient(address="a@x.example", reason="test"),)),)
#: Addresses with whatever JSON and UTF-8 have rules of their own for.
ODD = ('"a\\ b"@x.example', "ü@x.example", "\U0001f4e7@x.example", "\udcff@x.example", "\0\u2028")


@given(envelopes, st.integers(0, 2**31), parcels, st.binary())
@example(Envelope(reverse_path="", recipients=ODD, envelope_id="\ud800"), 0, (), b"")
@example(PLAIN, 12, ONE, b'"]')
def test_a_message_that_is_to_be_committed_comes_back(envelope, header_size, parcels, content):
    octets = commit_octets(envelope, header_size, parcels, content)
    texts = texts_of(envelope, parcels)
    assert read_commit(octets) == (envelope, header_size, parcels, texts, content)


@given(envelopes, parcels)
def test_the_texts_that_are_stored_are_those_that_came(envelope, parcels):
    octets = commit_octets(envelope, 0, parcels, b"content")
    _, _, _, (written, recipients), _ = read_commit(octets)
    assert "\n".join((written, *recipients)).encode() + b"content" in octets
    assert envelope_of(json.loads(written)) == envelope
    assert [tuple(recipient_of(*each) for each in json.loads(text)) for text in recipients] == [
        parcel.recipients for parcel in parcels
    ]


@given(envelopes, parcels, st.data())
def test_a_frame_that_is_cut_is_refused(envelope, parcels, data):
    """Behind its size, what is cut could only be content."""
    octets = commit_octets(envelope, 0, parcels, b"")
    cut = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(UNREADABLE):
        read_commit(octets[:cut])


@given(envelopes, parcels, st.data())
def test_a_frame_that_is_damaged_is_refused(envelope, parcels, data):
    """One octet that JSON has nowhere outside of a text, and our texts nowhere."""
    octets = bytearray(commit_octets(envelope, 0, parcels, b""))
    octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.sampled_from(b"\0\x80\xff"))
    with pytest.raises(UNREADABLE):
        read_commit(bytes(octets))


@pytest.mark.parametrize("line", range(3))
@pytest.mark.parametrize("more", [b" ", b"0", b"]", b" []", b",[]"])
def test_a_line_with_more_than_one_value_is_refused(line, more):
    octets = commit_octets(PLAIN, 12, ONE, b"")
    lines = octets[4:].split(b"\n")
    lines[line] += more
    octets = b"\n".join(lines)
    with pytest.raises(UNREADABLE):
        read_commit(len(octets).to_bytes(4, "big") + octets)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_the_numbers_of_durable_messages_come_back(numbers):
    assert list(read_committed(committed_octets(numbers))) == numbers


@given(st.binary().filter(lambda octets: len(octets) % 8))
def test_octets_that_are_no_numbers_are_refused(octets):
    with pytest.raises(struct.error):
        read_committed(octets)


def test_what_comes_back_has_the_same_types():
    envelope = Envelope(
        reverse_path="", recipients=("a@x.example",), returns=Return.FULL, utf8=True
    )
    asking = Recipient(address="a@x.example", reason="test", notify=Notify.SUCCESS | Notify.DELAY)
    sent = (Parcel(account="Sales", recipients=(asking,)),)
    back, _, (parcel,), _, content = read_commit(commit_octets(envelope, 0, sent, b"x"))
    assert (back.returns, back.utf8, back.eight_bit) == (Return.FULL, True, False)
    assert type(back.recipients) is type(parcel.recipients) is tuple
    assert parcel.recipients[0].notify is Notify.SUCCESS | Notify.DELAY
    assert type(content) is bytes


@given(st.binary() | st.binary().map(lambda octets: len(octets).to_bytes(4, "big") + octets))
@example(b"")
@example(b"\0\0\0\2[]")
@example(b"\0\0\0\4null")
@example(b"\xff\xff\xff\xff[]")
def test_octets_that_say_nothing_are_not_taken_for_a_message(octets):
    with pytest.raises(UNREADABLE):
        read_commit(octets)


#: What the fields stand for in JSON, and something that none of them is.
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


ABOUT, ENVELOPE, RECIPIENT = [0, [["Sales", ""]]], ["", [], False, False, None, "", "", None], []


@given(st.lists(values, max_size=4))
@example([ABOUT, ["", [], False, False, "SOME", "", "", None], RECIPIENT])
@example([ABOUT, ["", [], False, False, {}, "", "", None], RECIPIENT])
@example([ABOUT, ["", 5, False, False, None, "", "", None], RECIPIENT])
@example([ABOUT, ["", [], False, False, None, "", "", ["192.0.2.1"]], RECIPIENT])
@example([ABOUT, ["", [], False, False, None, "", "", 5], RECIPIENT])
@example([ABOUT, ENVELOPE, [["a@x.example", "", 8, ""]]])
@example([ABOUT, ENVELOPE])
@example([ABOUT, ENVELOPE, RECIPIENT, RECIPIENT])
@example([[0, []], ENVELOPE, RECIPIENT])
@example([[0, [[]]], ENVELOPE, RECIPIENT])
def test_json_that_says_something_else_is_refused(said):
    octets = "\n".join(map(json.dumps, said)).encode()
    with pytest.raises(UNREADABLE):
        read_commit(len(octets).to_bytes(4, "big") + octets)


@given(st.sampled_from([SpoolError, SpoolFullError, SpoolBrokenError]), st.text())
def test_an_error_comes_back(kind, text):
    error = read_error(error_octets(kind(text)))
    assert type(error) is kind
    assert str(error) == text


@pytest.mark.parametrize(
    "error", [SpoolLockedError("x"), ContentError("x"), ZeroDivisionError("x"), OSError("x")]
)
def test_any_other_error_is_one_of_the_spool(error):
    back = read_error(error_octets(error))
    assert type(back) is SpoolError
    assert str(back) == "x"


@given(st.binary() | values.map(lambda said: json.dumps(said).encode()))
@example(b'["OSError", "x"]')
@example(b'[["SpoolError"], "x"]')
@example(b'["SpoolError"]')
def test_octets_that_say_nothing_are_not_taken_for_an_error(octets):
    with pytest.raises(UNREADABLE):
        read_error(octets)
