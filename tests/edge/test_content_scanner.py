from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.edge.content import ChunkEncoder, ContentScanner

CLEAN = re.compile(rb"(?:[^\r\n\0]|\r\n)*")
END = b"\r\n.\r\nQUIT\r\n"


MODES = pytest.mark.parametrize("fix", [False, True], ids=["refuse", "fix"])


def expected(stream, *, fix=False):
    """Return content and rest as one finds them who has all and reads line by line."""
    lines = stream.split(b"\r\n")
    end = lines.index(b".")
    content = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])
    return wire_form(content, fix=fix), b"\r\n".join(lines[end + 1 :])


def wire_form(content, *, fix=False):
    if fix:
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


def scan(segments, *, fix=False):
    """Return content, rest, and whether the content is clean."""
    scanner = ContentScanner(fix_bare_lf=fix)
    content = b""
    segments = iter(segments)
    for segment in segments:
        piece, rest = scanner.feed(segment)
        content += piece
        if rest is not None:
            return content, rest + b"".join(segments), scanner.clean
    return content, None, scanner.clean


def check(segments, stream, *, fix=False):
    content, rest, clean = scan(segments, fix=fix)
    wanted, wanted_rest = expected(stream, fix=fix)
    assert rest == wanted_rest
    assert clean == bool(CLEAN.fullmatch(wanted))
    if clean:
        assert content == wanted


@MODES
@pytest.mark.parametrize("length", range(7))
def test_short_content_is_found_wherever_it_is_cut(length, fix):
    for letters in product(b"\r\n.a\0", repeat=length):
        stream = bytes(letters) + END
        for cut in range(length + 6):
            check([stream[:cut], stream[cut:]], stream, fix=fix)
        check([stream[n : n + 1] for n in range(len(stream))], stream, fix=fix)


@MODES
@pytest.mark.parametrize("length", range(7))
def test_nothing_but_a_dot_between_crlf_ends_the_content(length, fix):
    for letters in product(b"\r\n.a\0", repeat=length):
        stream = bytes(letters)
        _, rest, _ = scan([stream], fix=fix)
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


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b"a\nb\n\r\n", b"a\r\nb\r\n\r\n"),
        (b"\n\r\n", b"\r\n\r\n"),
        (b"a\n.\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\n..\nb\r\n", b"a\r\n...\r\nb\r\n"),
        (b"a\n.b\r\n", b"a\r\n..b\r\n"),
        (b"a\r\n.\nb\r\n", b"a\r\n\r\nb\r\n"),
    ],
)
def test_a_fixed_line_feed_ends_a_line_and_never_the_content(sent, content):
    stream = sent + b".\r\n"
    for cut in range(len(stream)):
        assert scan([stream[:cut], stream[cut:]], fix=True) == (content, b"", True)


@pytest.mark.parametrize("bad", [b"a\rb\r\n", b"\r\r\n", b"a\0\r\n", b"\n\r.\n\r\n", b"\r.\r\r\n"])
def test_a_bare_cr_and_nul_are_never_fixed(bad):
    assert scan([bad + b".\r\n"], fix=True)[1:] == (b"", False)


PIECES = st.sampled_from([b"\r\n", b"\r\n.", b".", b"\r", b"\n", b"\n.", b"\0", b"a", b"line"])
CUTS = st.lists(st.integers(0, 80))


def cut(stream, cuts):
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


@given(st.lists(PIECES), CUTS, st.booleans())
def test_result_does_not_depend_on_the_segments(pieces, cuts, fix):
    stream = b"".join(pieces) + END
    check(cut(stream, cuts), stream, fix=fix)


def test_only_a_few_octets_are_held_back():
    scanner = ContentScanner()
    fed = given_back = 0
    for segment in [b"x" * 1000, b"\r", b"\n", b".", b".", b"\r", b"\n", b"y", b"\r\n" * 500]:
        fed += len(segment)
        given_back += len(scanner.feed(segment)[0])
        assert 0 <= fed - given_back <= 6


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


# BDAT.


def encode(segments, *, fix=False):
    """Return content, and whether it is clean."""
    encoder = ChunkEncoder(fix_bare_lf=fix)
    content = b"".join(map(encoder.feed, segments)) + encoder.finish()
    return content, encoder.clean


def check_chunks(segments, *, fix=False):
    sent = b"".join(segments)
    if sent and not sent.endswith(b"\n" if fix else b"\r\n"):
        sent += b"\r\n"
    wanted = wire_form(sent, fix=fix)
    content, clean = encode(segments, fix=fix)
    assert clean == bool(CLEAN.fullmatch(wanted))
    if clean:
        assert content == wanted


@MODES
@pytest.mark.parametrize("length", range(7))
def test_short_chunks_arrive_as_they_were_sent(length, fix):
    for letters in product(b"\r\n.a\0", repeat=length):
        sent = bytes(letters)
        for cut in range(length + 1):
            check_chunks([sent[:cut], sent[cut:]], fix=fix)
        check_chunks([sent[n : n + 1] for n in range(length)], fix=fix)


@given(st.lists(PIECES), CUTS, st.booleans())
def test_what_arrives_does_not_depend_on_the_chunks(pieces, cuts, fix):
    check_chunks(cut(b"".join(pieces), cuts), fix=fix)


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"..a\r\n.\r\nb", b"...a\r\n..\r\nb\r\n"),
    ],
)
def test_chunks_are_exact_but_for_the_end_of_the_last_line(sent, content):
    assert encode([sent]) == (content, True)
