from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.mail.header import (
    LONGEST_KEPT,
    Field,
    addresses_exceed,
    count_passes,
    count_received,
    fields,
    first_address,
    header_complete,
    header_end,
    identity,
    insertion_point,
    is_private,
    separator_needed,
)

# Pieces that header lines are made of, and that break them.
PIECES = [
    *("From ", "From", ">From ", "A", "B:", ":", ".", "..x:", "received:", "Received :"),
    *("\r\n", "\r\n ", "\r\n\t", "\r", "\n", " ", "\t", "A: b\r\n", "\xe4", "\0"),
    *("<a@b>", "a@b.de", *'"()<>@,;\\[]'),
]
octets = st.lists(st.sampled_from(PIECES), max_size=30).map(lambda p: "".join(p).encode("latin-1"))

FIELD_LINE = re.compile(rb"[!-9;-~]+[ \t]*:[^\r\n]*\r\n")
FOLDED_LINE = re.compile(rb"[ \t][^\r\n]*\r\n")
MBOX_LINE = re.compile(rb">?From [^\r\n]*\r\n")


def line_by_line(content: bytes) -> int:
    """The definition of a header block, one line after another."""
    end = 0
    while True:
        line = (
            FIELD_LINE.match(content, end)
            or (end and FOLDED_LINE.match(content, end))
            or (not end and MBOX_LINE.match(content))
        )
        if not line:
            return end
        end = line.end()


BLOCKS = [
    pytest.param(b"", b"", id="nothing"),
    pytest.param(b"", b"\r\nbody: x\r\n", id="empty header"),
    pytest.param(b"", b"Hello Bob,\r\nbody: x\r\n", id="no header"),
    pytest.param(b"", b" folded: at the top\r\nA: b\r\n", id="continuation at the top"),
    pytest.param(b"", b": no name\r\nA: b\r\n", id="no name"),
    pytest.param(b"", b"n\xc3\xa4me: x\r\n", id="name is not ASCII"),
    pytest.param(b"A: b\r\n", b"\r\nC: d\r\n", id="body begins like a field"),
    pytest.param(b"A: b\r\nC: d\r\n", b"", id="ends with the content"),
    pytest.param(b"A: b\r\n", b"just text\r\nC: d\r\n", id="text in the header"),
    pytest.param(b"A: b\r\n", b"C: truncated", id="last line without CRLF"),
    pytest.param(b"A: b\r\n", b" truncated\r", id="last fold without LF"),
    pytest.param(b"A:\r\nB \t: c\r\nC:d\r\n", b"\r\n", id="empty, blanks, none"),
    pytest.param(b"A: b\r\n\tc\r\n \r\n d\r\n", b"\r\n", id="folds, one of blanks"),
    pytest.param(b"A: \xff\0\xc3\xa4\r\n", b"\r\n", id="8-bit and NUL"),
    pytest.param(b"A: b\r\n", b"C: d\ne\r\n\r\n", id="bare LF"),
    pytest.param(b"A: b\r\n", b"C: d\re\r\n\r\n", id="bare CR"),
    pytest.param(b"..A: b\r\n", b"\r\n", id="a stuffed dot"),
    pytest.param(b"From a@b Mon Jan  1\r\nA: b\r\n", b"\r\n", id="mbox line"),
    pytest.param(b">From a@b Mon Jan  1\r\nA: b\r\n", b"\r\n", id="quoted mbox line"),
    pytest.param(b"A: b\r\n", b"From a@b Mon Jan  1\r\n", id="mbox line below the top"),
]


@pytest.mark.parametrize(("block", "rest"), BLOCKS)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_header_end(block, rest, kind):
    assert header_end(kind(block + rest)) == len(block)


@given(octets)
# Both go wrong with possessive groups in a Python before 3.11.5.
@example(b"foo bar\r\n")
@example(b"A: b\r\nC: d\r\r\n")
def test_header_end_is_that_of_the_definition(content):
    assert header_end(content) == line_by_line(content)


@given(octets, st.data())
def test_header_end_goes_on_where_it_stopped(content, data):
    arrived = data.draw(st.integers(0, len(content)))

    assert header_end(content, header_end(content[:arrived])) == header_end(content)


@pytest.mark.parametrize(
    "repeated", [b"a:\r\n", b"a", b"a ", b" ", b":", b"\r", b"a: b\r\n \r\n", b"From ", b"a:\xff"]
)
def test_a_megabyte_of_anything_is_read_to_its_end(repeated):
    content = b"A: b\r\n" + repeated * (1_000_000 // len(repeated))

    assert header_end(content) == line_by_line(content)
    assert header_complete(content + b"\r\n\r\n\r\n")


@pytest.mark.parametrize(
    ("content", "complete"),
    [
        (b"", False),
        (b"\r", False),
        (b"\r\n", True),
        (b"A: b\r\n", False),
        (b"A: b\r\n\r", False),
        (b"A: b\r\n\r\n", True),
        (b"A: b\r\n\rx", True),
        (b"A: b\r\nSubject", False),
        (b"A: b\r\nSubject \t", False),
        (b"A: b\r\nSubject : x", False),
        (b"A: b\r\nSubject : x\r", False),
        (b"A: b\r\nSubject : x\ny", True),
        (b"A: b\r\n folded", False),
        (b"A: b\r\nHello Bob", True),
        (b"Hello Bob", True),
        (b"A: b\r\nn\xc3", True),
        (b"From jane", False),
        (b"From jane\r\n", False),
        (b"A: b\r\nFrom jane", True),
    ],
)
def test_header_complete(content, complete):
    assert header_complete(content) is complete


@given(octets, octets)
def test_a_complete_header_stays_as_it_is_whatever_arrives(content, more):
    if header_complete(content):
        assert header_end(content + more) == header_end(content)
        assert header_complete(content + more, header_end(content))


@given(octets)
def test_a_header_is_complete_after_a_line_that_is_no_part_of_it(content):
    assert header_complete(content + b"\r\n\r\n\r\n")


@pytest.mark.parametrize(
    ("content", "point", "separator"),
    [
        (b"A: b\r\n\r\nbody\r\n", 0, False),
        (b"\r\nbody\r\n", 0, False),
        (b"Hello Bob\r\n", 0, True),
        (b" A: b\r\n", 0, True),
        (b"", 0, True),
        (b"From a@b Mon\r\nA: b\r\n\r\n", 14, False),
        (b">From a@b Mon\r\nA: b\r\n\r\n", 15, False),
        (b"From a@b Mon\r\n\r\nbody\r\n", 14, False),
        (b"From a@b Mon\r\nHello Bob\r\n", 14, True),
        (b"From a@b Mon\r\n folded\r\nA: b\r\n", 23, False),
        (b"From : a@b\r\n\r\n", 0, False),
        (b"From  \t: a@b\r\n\r\n", 0, False),
    ],
)
def test_a_trace_field_goes_to_the_top(content, point, separator):
    assert insertion_point(content) == point
    assert separator_needed(content) is separator


@given(octets)
def test_an_added_trace_field_leaves_the_rest_as_it_was(content):
    top = insertion_point(content)
    separator = b"\r\n" if separator_needed(content) else b""
    traced = content[:top] + b"Received: x\r\n" + separator + content[top:]

    block = traced[: header_end(traced)]
    names = [field.name for field in fields(block)]
    assert names == ["received", *(f.name for f in fields(content[: header_end(content)]))] or (
        separator and names == ["received"]
    )
    assert count_received(block) == names.count("received")


def test_fields_are_byte_ranges():
    block = b"From a@b Mon\r\nFROM : x\r\n y\r\n..Dot:\r\n"

    assert fields(block) == [
        Field(name="from", start=14, value_start=20, end=28),
        Field(name="..dot", start=28, value_start=34, end=36),
    ]


@given(octets)
def test_fields_cover_the_block(content):
    block = content[: header_end(content)]

    position = insertion_point(block)
    for field in fields(block):
        assert field.start == position
        assert block[field.start : field.value_start].endswith(b":")
        position = field.end
    assert position == len(block)


@pytest.mark.parametrize(
    ("block", "count"),
    [
        (b"", 0),
        (b"Received: a\r\nRECEIVED: b\r\nreceived \t: c\r\nReceived:\r\n", 4),
        (b"Received-SPF: pass\r\nX-Received: a\r\nA: Received: b\r\n Received: c\r\n", 0),
        (b"From a@b Mon\r\nReceived: a\r\n", 1),
    ],
)
def test_count_received(block, count):
    assert count_received(block) == count


HERE = b"Received: from [192.0.2.1] by relay.example with ESMTP id GA; Mon, 1 Jan 2024 00:00:00\r\n"


@pytest.mark.parametrize(
    ("block", "count"),
    [
        (b"", 0),
        (HERE, 1),
        (HERE * 7, 7),
        (b"received :by\r\n\trelay.EXAMPLE;x\r\n", 1),
        (b"Received: BY relay.example(192.0.2.1)\r\n", 1),
        (b"Received: by relay.example\r\n", 1),
        # by another host, which is no part of ours, nor ours of it
        (b"Received: from relay.example (relay.example [192.0.2.1]) by mx.example; x\r\n", 0),
        (b"Received: by mx.relay.example; x\r\nReceived: by relay.example.com; x\r\n", 0),
        (b"Received: by relayXexample; x\r\nReceived: from by by mx.example; x\r\n", 0),
        (b"Received: standby relay.example; x\r\n", 0),
        # not in a trace field
        (b"X-Received: by relay.example\r\nSubject: Received: by relay.example\r\n", 0),
    ],
)
def test_count_passes(block, count):
    assert count_passes(block, b"relay.example") == count


@pytest.mark.parametrize(
    ("block", "address"),
    [
        (b"", ""),
        (b"To: a@b\r\n", ""),
        (b"From:\r\n", ""),
        (b"From: root\r\n", ""),
        (b"From: undisclosed: ;\r\n", ""),
        (b"From: <j\xe4@x.de>\r\n", ""),
        (b"From: <j\xe4@x.de>, b@y.de\r\n", "b@y.de"),
        (b"From: Doe, Jane <jane@home> <j@x.de>, b@y.de\r\n", "j@x.de"),
        (b"From a@b Mon\r\nTo: c@d\r\nfrom : J\r\n <j@X.de>, b@y.de\r\nFrom: e@f\r\n", "j@X.de"),
        (b"X-From: a@b\r\nFrom: c@d\r\n", "c@d"),
    ],
)
def test_first_address(block, address):
    assert first_address(block) == address


@pytest.mark.parametrize(
    ("value", "private"),
    [
        (b" Private\r\n", True),
        (b"PRIVATE\r\n", True),
        (b"\r\n (to (you)) private\t(only)\r\n", True),
        (b" Personal\r\n", False),
        (b" Company-Confidential\r\n", False),
        (b" Pri vate\r\n", False),
        (b" (Private)\r\n", False),
        (b' "Private"\r\n', False),
        (b" Private (\r\n", False),
        (b" x-private\r\n", False),
        (b"\r\n", False),
    ],
)
def test_is_private(value, private):
    assert is_private(b"From: a@b\r\nSENSITIVITY :" + value) is private


def test_one_private_field_of_two_is_enough():
    assert is_private(b"Sensitivity: Personal\r\nSensitivity: Private\r\n")


def test_private_in_another_field_means_nothing():
    assert not is_private(b"X-Sensitivity: Private\r\nSubject: Sensitivity:\r\n Private\r\n")


@pytest.mark.parametrize(
    ("block", "exceeds"),
    [
        (b"From: a@b\r\n", False),
        (b"From: " + 500 * b"a@b," + b"\r\n", False),
        (b"From: " + 500 * b"a@b," + b"a@b\r\n", True),
        (b"X: " + 500 * b"a@b," + b"\r\nreply-to: " + 501 * b"a@b;" + b"\r\n", True),
        (b"Sender: " + 300 * b"a@b," + b"\r\nTo: x@y\r\nSender: " + 300 * b"a@b," + b"\r\n", True),
        (b"From: " + 300 * b"a@b," + b"\r\nReply-To: " + 300 * b"a@b," + b"\r\n", False),
        (b"To: " + 50_000 * b"a@b," + b"\r\nCc: " + 5000 * b"a@b," + b"\r\n", False),
        (b"From: " + 16_376 * b"J" + b"\r\n", False),
        (b"From: " + 10_000 * b"J" + b"\r\nSender: " + 10_000 * b"J" + b"\r\n", True),
        (b"From: " + 16_377 * b"J" + b"\r\n", True),
        (b"AUTHOR: " + 8_190 * b" J" + b"\r\n", True),
        (b"Subject: " + 17_000 * b"J" + b"\r\n", False),
        (b"From: Doe" + 5000 * b"," + b" Jane <j@x>\r\n", False),
    ],
)
def test_address_fields_that_are_read_have_limits(block, exceeds):
    assert addresses_exceed(block) is exceeds


@given(octets)
def test_a_first_address_is_one_whatever_the_field(value):
    block = b"From:" + value + b"\r\n"
    address = first_address(block[: header_end(block)])

    assert not address or ("@" in address.strip("@") and address.isprintable())


@given(octets)
def test_unknown_values_are_not_private(value):
    block = b"Sensitivity:" + value + b"\r\n"

    assert not is_private(block[: header_end(block)])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (b"", ("", "")),
        (b"X-Subject: no\r\nSubjects: no\r\n", ("", "")),
        (b"Subject: Hello\r\nMessage-ID: <1@x.example>\r\n", ("<1@x.example>", "Hello")),
        (b"SUBJECT:Hello\r\nmessage-Id \t:\t<1@x>\t\r\n", ("<1@x>", "Hello")),
        (b"Subject: a\r\n b\r\n\tc\r\nA: b\r\n", ("", "a b\tc")),
        (b"Message-ID:\r\n <1@x>\r\n", ("<1@x>", "")),
        (b"Subject:\r\nSubject: second\r\n", ("", "")),
        (b"Subject: first\r\nSubject: second\r\n", ("", "first")),
        (b">From x\r\nSubject: below\r\n", ("", "below")),
        (b"A: b\r\n Subject: folded\r\n", ("", "")),
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n", ("", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=")),
        ("Subject: Grüße\r\n".encode(), ("", "Grüße")),
        ("Subject: Grüße\r\n".encode("latin-1"), ("", "Gr\ufffd\ufffde")),
        (b"Subject: \xed\xb3\xbf\r\n", ("", "\ufffd\ufffd\ufffd")),
    ],
)
def test_message_id_and_subject_are_the_first_ones_unfolded(block, said):
    assert identity(block) == said


def test_a_value_of_any_length_is_kept_as_far_as_a_line_goes():
    block = b"Subject: " + b"x\r\n " * 200_000 + b"\r\n"
    assert identity(block) == ("", ("x " * 200_000)[:LONGEST_KEPT])


@given(octets)
def test_what_is_kept_is_what_the_fields_say(content):
    block = content[: header_end(content)]
    block += b"Subject: last\r\n"
    first = next(each for each in fields(block) if each.name == "subject")
    value = block[first.value_start : first.end].replace(b"\r\n", b"").strip()
    assert identity(block) == ("", value.decode("utf-8", "replace"))
