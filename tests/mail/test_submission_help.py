"""What is added to and removed from the header of a mail that comes from its author's program."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.header import fields, header_end
from multisendcon_plugin.mail.submission_help import complete

AUTHOR, DATE = b"From: jane@x.example\r\n", b"Date: today\r\n"
ID = b"Message-ID: <1@relay.example>\r\n"
HAS_BOTH = b"date : yesterday\r\nMESSAGE-id:x\r\n"


def completed(block, author=""):
    assert header_end(block) == len(block)
    return complete(block, author=author, date="today", message_id="<1@relay.example>")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"Subject: x\r\n", b"Subject: x\r\n" + DATE + ID),
        (b"Date: ugly\r\n", b"Date: ugly\r\n" + ID),
        (b"Date:\r\n folded\r\nA: b\r\n", b"Date:\r\n folded\r\nA: b\r\n" + ID),
        (b"Message-Id: <ugly>\r\n", b"Message-Id: <ugly>\r\n" + DATE),
        (b"Resent-Date: x\r\n", b"Resent-Date: x\r\n" + DATE + ID),
        (b"X: Date: y\r\n", b"X: Date: y\r\n" + DATE + ID),
        (b"..Date: y\r\n", b"..Date: y\r\n" + DATE + ID),
        (HAS_BOTH, HAS_BOTH),
    ],
)
def test_date_and_message_id_are_added_when_they_are_missing(block, expected):
    assert completed(block) == expected
    assert completed(b"From: ugly\r\n" + block, "jane@x.example") == b"From: ugly\r\n" + expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"Date:\r\nA: b\r\n", DATE + b"A: b\r\n" + ID),
        (b"A: b\r\nmessage-ID : \r\n\t\r\nDate: x\r\n", b"A: b\r\n" + ID + b"Date: x\r\n"),
        (b"Date: (no (clock))\r\n", DATE + ID),
        (b"Date:\r\nDate: \r\n" + ID, DATE + ID),
        (b"Date:\r\nDate: x\r\n" + ID, b"Date:\r\nDate: x\r\n" + ID),
        (b"DKIM-Signature: h=date; b=x\r\nDate:\r\n", None),
    ],
)
def test_date_and_message_id_are_written_where_they_are_empty(block, expected):
    assert completed(block) == (block + ID if expected is None else expected)


@pytest.mark.parametrize(
    ("block", "author", "expected"),
    [
        (b"A: b\r\n" + HAS_BOTH, "jane@x.example", b"A: b\r\n" + HAS_BOTH + AUTHOR),
        (b"A: b\r\n", "jane@x.example", b"A: b\r\n" + AUTHOR + DATE + ID),
        (b"from :\r\n (x)\r\n" + HAS_BOTH, "jane@x.example", AUTHOR + HAS_BOTH),
        (HAS_BOTH, '"jäne doe"@bücher.example', None),
        (b"A: b\r\n" + HAS_BOTH, "", b"A: b\r\n" + HAS_BOTH),
        (b"From:\r\n" + HAS_BOTH, "", b"From:\r\n" + HAS_BOTH),
        (b"From: root\r\n" + HAS_BOTH, "jane@x.example", b"From: root\r\n" + HAS_BOTH),
        (
            b"From a@x today\r\n" + HAS_BOTH,
            "jane@x.example",
            b"From a@x today\r\n" + HAS_BOTH + AUTHOR,
        ),
        (
            b"DKIM-Signature: h=from; b=x\r\n" + HAS_BOTH,
            "jane@x.example",
            b"DKIM-Signature: h=from; b=x\r\n" + HAS_BOTH,
        ),
    ],
)
def test_an_author_is_added_when_there_is_none(block, author, expected):
    if expected is None:
        expected = block + f"From: {author}\r\n".encode()
    assert completed(block, author) == expected


@pytest.mark.parametrize(
    "hidden",
    [
        b"Bcc: a@x.example\r\n",
        b"bcc :a@x.example,\r\n\tb@x.example,\r\n c@x.example\r\n",
        b"BCC:\r\n",
        b"Bcc: a@x.example\r\nBcc: b@x.example\r\n",
        b"Resent-Bcc: a@x.example\r\n",
        b"Return-Path: <a@x.example>\r\n",
        b"Return-Path:\r\n <>\r\n",
    ],
)
def test_what_only_its_author_may_see_is_removed(hidden):
    shown = b"To: c@x.example\r\n", b"X-Bcc: a\r\nSubject:\r\n Bcc: x\r\n" + HAS_BOTH
    assert completed(hidden + b"".join(shown)) == b"".join(shown)
    assert completed(hidden.join(shown)) == b"".join(shown)
    assert completed(b"".join(shown) + hidden) == b"".join(shown)


def test_mbox_line_stays_on_top():
    assert completed(b"From a@x today\r\nBcc: x\r\n") == b"From a@x today\r\n" + DATE + ID


@pytest.mark.parametrize("name", [b"DKIM-Signature", b"ARC-Message-Signature"])
@pytest.mark.parametrize(
    ("signed", "block", "kept", "added"),
    [
        (b"From:Date", b"", b"", ID),
        (b"from : message-id\r\n\t: MESSAGE-ID", b"", b"", DATE),
        (b"Date:Message-ID", b"", b"", b""),
        (b"From:Bcc", b"Bcc: x\r\n", b"Bcc: x\r\n", DATE + ID),
        (b"Return-Path", b"Return-Path: <x>\r\nBcc: x\r\n", b"Return-Path: <x>\r\n", DATE + ID),
        (b"From:Subject", b"Bcc: x\r\n", b"", DATE + ID),
    ],
)
def test_what_a_signature_covers_stays_as_it_is(name, signed, block, kept, added):
    signature = name + b": v=1; bh=x; h=" + signed + b";\r\n b=abc\r\n"
    assert completed(signature + block) == signature + kept + added
    assert completed(block + signature) == kept + signature + added


def test_several_signatures_cover_all_that_one_of_them_names():
    signatures = b"DKIM-Signature: h=Date; b=x\r\nDKIM-Signature: a=h=x; h = Message-ID\r\n"
    assert completed(signatures) == signatures


LINES = st.sampled_from(
    [
        *(b"Bcc: x\r\n", b" folded\r\n", b"\t\r\n", b"Date: x\r\n", b"A: b\r\n", b"From x\r\n"),
        *(
            b"Date:\r\n",
            b"from:\r\n",
            b"From: x\r\n",
            b"return-path:<>\r\n",
            b"Message-ID: <x>\r\n",
            b"DKIM-Signature: h=bcc:date\r\n",
        ),
        b"\xff: \xff\r\n",
    ]
)


@given(st.lists(LINES, max_size=12).map(b"".join))
def test_it_is_a_header_again_and_complete_for_good(block):
    block = b"A: b\r\n" + block
    block = block[: header_end(block)]
    result = completed(block, "jane@x.example")
    assert header_end(result) == len(result)
    assert completed(result, "jane@x.example") == result
    kept = [block[field.start : field.end] for field in fields(block)]
    for field in fields(result):
        octets = result[field.start : field.end]
        assert octets in (AUTHOR, DATE, ID) or octets in kept
