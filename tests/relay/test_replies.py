"""Replies are read in whatever segments they come, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import LONGEST_TEXT, Reply
from multisendcon_plugin.relay.redaction import Redaction
from multisendcon_plugin.relay.replies import (
    LONGEST_LINE,
    LONGEST_OFFERS,
    MOST_LINES,
    ReplyReader,
)

BARE_LF = "the server ends a reply with a bare LF, but others with CRLF"


def read(*segments, phase=Phase.MAIL, secret=b""):
    """Return the replies in some segments, and why they are no SMTP."""
    redaction = Redaction()
    redaction.hide(secret)
    reader = ReplyReader(redaction)
    for segment in segments:
        problem = reader.feed(segment, phase)
        if problem:
            return list(reader.replies), problem
    return list(reader.replies), ""


def cut(octets, places):
    places = sorted(place % (len(octets) + 1) for place in places)
    return [octets[a:b] for a, b in zip([0, *places], [*places, len(octets)], strict=True)]


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=20)
REPLIES = st.lists(
    st.tuples(st.integers(200, 599), st.lists(TEXTS, min_size=1, max_size=4)),
    min_size=1,
    max_size=6,
)


def wire(code, texts, end):
    *lines, last = [text.encode() for text in texts]
    head = b"".join(b"%d-%s%s" % (code, line, end) for line in lines)
    return head + b"%d %s%s" % (code, last, end)


@given(REPLIES, st.lists(st.integers(0, 2000), max_size=12), st.sampled_from([b"\r\n", b"\n"]))
def test_replies_are_the_same_wherever_they_are_cut(replies, places, end):
    octets = b"".join(wire(code, texts, end) for code, texts in replies)
    expected = [Reply.parse(code, [text.encode() for text in texts]) for code, texts in replies]
    assert read(octets) == (expected, "")
    assert read(*cut(octets, places)) == (expected, "")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_no_octets_make_it_fail(octets, places):
    replies, _ = read(*cut(octets, places))
    assert all(200 <= reply.code < 600 for reply in replies)


@pytest.mark.parametrize("phase", [Phase.EHLO, Phase.MAIL])
def test_a_line_has_a_longest_length_and_a_reply_a_most_of_lines(phase):
    line = b"250-" + b"x" * (LONGEST_LINE - 4) + b"\r\n"
    [reply], problem = read(line * MOST_LINES, b"250 end\r\n", phase=phase)
    assert problem == ""
    assert len(reply.text) <= (LONGEST_OFFERS if phase is Phase.EHLO else LONGEST_TEXT)
    assert read(line * (MOST_LINES + 1))[1].endswith("a reply that never ends")
    assert read(b"x" + line)[1].startswith("not a reply of an SMTP server: x250-")
    assert read(b"250 " + b"x" * LONGEST_LINE)[1].startswith("not a reply of an SMTP server: 250 ")


def test_what_came_before_a_fault_holds_and_what_comes_after_it_does_not():
    replies, problem = read(b"250 ok\r\nHTTP/1.1 400\r\n250 queued\r\n")
    assert [reply.code for reply in replies] == [250]
    assert problem == "not a reply of an SMTP server: HTTP/1.1 400"


@pytest.mark.parametrize(
    ("segments", "codes", "problem"),
    [
        ((b"220 mx\n", b"250 ok\n"), [220, 250], ""),
        ((b"220 mx\r\n", b"250 ok\n"), [220], BARE_LF),
        ((b"220-mx\r\n220 mx\n",), [], BARE_LF),
        ((b"220 mx\r\n250 said:\n250 queued\r\n",), [220, 250], ""),
    ],
)
def test_a_bare_lf_ends_a_line_only_where_it_ended_the_first(segments, codes, problem):
    replies, found = read(*segments)
    assert [reply.code for reply in replies] == codes
    assert found == problem


@pytest.mark.parametrize(
    ("phase", "code", "hidden"),
    [
        (Phase.LOGIN, 235, True),
        (Phase.LOGIN, 334, False),  # a challenge has to be answered
        (Phase.LOGIN, 535, True),
        (Phase.MAIL, 550, True),
        (Phase.MAIL, 421, True),
    ],
)
def test_a_secret_that_is_repeated_is_hidden(phase, code, hidden):
    [reply], _ = read(b"%d you said s3cret\r\n" % code, phase=phase, secret=b"s3cret")
    assert ("s3cret" in reply.text) is not hidden


def test_a_reply_has_begun_until_it_has_ended():
    reader = ReplyReader(Redaction())
    seen = []
    for octets in (b"25", b"0-a\r\n", b"250 b", b"\r\n"):
        reader.feed(octets, Phase.MAIL)
        seen.append(reader.in_a_reply)
    assert seen == [True, True, True, False]


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.MAIL, Phase.END, Phase.QUIT])
@pytest.mark.parametrize("code", [220, 250, 334, 354, 421, 550])
def test_a_secret_is_hidden_in_each_reply(code, phase):
    [one, more], _ = read(
        b"%d 2.0.0 s3cret it is\r\n" % code,
        b"%d-2.0.0 s3\r\n%d 2.0.0 cret\r\n" % (code, code),
        phase=phase,
        secret=b"s3cret",
    )
    assert one.text.endswith("*** it is")
    assert more.text == "***\n***"


def test_what_the_server_offers_is_read_as_it_is():
    [reply], _ = read(b"250-mx\r\n250 AUTH PLAIN\r\n", phase=Phase.EHLO, secret=b"plain")
    assert reply.text == "mx\nAUTH PLAIN"
