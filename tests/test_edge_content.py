from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.edge.content import ContentScanner

CLEAN = re.compile(rb"(?:[^\r\n\0]|\r\n)*")
END = b"\r\n.\r\nQUIT\r\n"


def expected(stream):
    """Return content and rest as one finds them who has all and reads line by line."""
    lines = stream.split(b"\r\n")
    end = lines.index(b".")
    content = b"".join(without_needless_dot(line) + b"\r\n" for line in lines[:end])
    return content, b"\r\n".join(lines[end + 1 :])


def without_needless_dot(line):
    return line[1:] if line[:1] == b"." != line[1:2] else line


def scan(segments):
    """Return content, rest, and whether the content is clean."""
    scanner = ContentScanner()
    content = b""
    segments = iter(segments)
    for segment in segments:
        piece, rest = scanner.feed(segment)
        content += piece
        if rest is not None:
            return content, rest + b"".join(segments), scanner.clean
    return content, None, scanner.clean


def check(segments, stream):
    content, rest, clean = scan(segments)
    wanted, wanted_rest = expected(stream)
    assert rest == wanted_rest
    assert clean == bool(CLEAN.fullmatch(wanted))
    if clean:
        assert content == wanted


@pytest.mark.parametrize("length", range(7))
def test_short_content_is_found_wherever_it_is_cut(length):
    for letters in product(b"\r\n.a\0", repeat=length):
        stream = bytes(letters) + END
        for cut in range(length + 6):
            check([stream[:cut], stream[cut:]], stream)
        check([stream[n : n + 1] for n in range(len(stream))], stream)


@pytest.mark.parametrize("length", range(7))
def test_nothing_but_a_dot_between_crlf_ends_the_content(length):
    for letters in product(b"\r\n.a\0", repeat=length):
        stream = bytes(letters)
        _, rest, _ = scan([stream])
        assert (rest is not None) == (b"\r\n.\r\n" in b"\r\n" + stream)


@pytest.mark.parametrize(
    "almost",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n.\r\r\n",
        b"\r\n.\0\r\n",
        b"\r\n\0.\r\n",
        b"\r\n\n.\r\n",
    ],
)
def test_what_others_may_take_for_the_end_is_unclean(almost):
    _, rest, clean = scan([b"a", almost, b"b\r\n", b".\r\n"])
    assert rest == b""
    assert not clean


def test_dots_stay_stuffed():
    assert scan([b"..\r\n.. \r\n..a\r\n.\r\n"]) == (b"..\r\n.. \r\n..a\r\n", b"", True)


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r\n.", b".", b"\r", b"\n", b"\0", b"a", b"line"])),
    st.lists(st.integers(0, 80)),
)
def test_result_does_not_depend_on_the_segments(pieces, cuts):
    stream = b"".join(pieces) + END
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    check([stream[start:end] for start, end in pairwise(ends)], stream)


def test_only_a_few_octets_are_held_back():
    scanner = ContentScanner()
    fed = given_back = 0
    for segment in [b"x" * 1000, b"\r", b"\n", b".", b".", b"\r", b"\n", b"y", b"\r\n" * 500]:
        fed += len(segment)
        given_back += len(scanner.feed(segment)[0])
        assert 0 <= fed - given_back <= 5


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".From: evil\r\n", b"From: evil\r\n"),
        (b"a\r\n.b\r\n", b"a\r\nb\r\n"),
        (b"..stuffed\r\n", b"..stuffed\r\n"),
        (b"..\r\n", b"..\r\n"),
        (b"...\r\n.b\r\n", b"...\r\nb\r\n"),
    ],
)
def test_a_dot_that_the_next_server_would_remove_is_gone(sent, content):
    stream = sent + b".\r\n"
    for cut in range(len(stream)):
        assert scan([stream[:cut], stream[cut:]]) == (content, b"", True)
