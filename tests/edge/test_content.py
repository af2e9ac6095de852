"""What a client hands in is what the provider gets, byte for byte but for one trace field."""

from __future__ import annotations

import os
import smtplib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from multisendcon_plugin import ContentError, Envelope
from multisendcon_plugin.mail.header import separator_needed
from tests.live_relay import LiveRelayTestCase, account, without_trace
from tests.memory_relay import MemoryRelay

HEADER = b"From: a@home.example\r\nSubject: x\r\n"
ANY_BYTE = bytes(n for n in range(256) if n not in b"\r\n\0")

GENERATED = {
    "nothing but dots": HEADER + b"\r\n" + b".\r\n" * 7 + b"..\r\n...\r\n. \r\n",
    "only a header": HEADER,
    "an empty body": HEADER + b"\r\n",
    "a body of empty lines": HEADER + b"\r\n" * 5,
    "an empty header": b"\r\nbody\r\n",
    "8-bit text": HEADER + b"\r\n" + "Größe: 5 µm\r\n".encode(),
    "every octet": HEADER + b"\r\n" + ANY_BYTE + b"\r\n",
    "8-bit header": b"Subject: " + ANY_BYTE + b"\r\n\r\nbody\r\n",
    "blanks at line ends": HEADER + b"\r\n \t \r\nx \r\n\t\r\n",
    "a line of 1 MB": HEADER + b"\r\n" + b"x" * 1_000_000 + b"\r\n.\r\n",
    "lines of 1 MB": HEADER + b"\r\n" + (b"." * 1_000_000 + b"\r\n") * 2,
    "a body of 3 MB": HEADER + b"\r\n" + b".line\r\n" * 450_000,
    # No header that ours could be put on top of: an empty line keeps it apart from these.
    "no header": b"just text\r\n\r\nmore\r\n",
    "a blank first": b" folded\r\nSubject: x\r\n\r\n",
    "a dot first": b".\r\n.\r\n",
    "a dot and a word": b".hello\r\n",
    "an mbox line without a header": b"From a@home.example Mon Jan  1 00:00:00 2001\r\ntext\r\n",
}


def wire(data):
    """Return a file as a client sends it: CRLF, if it has nothing but LF."""
    if b"\r" not in data:
        data = data.replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def is_clean(content):
    """Tell whether SMTP can carry it (RFC 5321 section 2.3.8)."""
    rest = content.replace(b"\r\n", b"")
    return not (b"\r" in rest or b"\n" in rest or b"\0" in rest)


def is_the_same(received, content):
    return without_trace(received, separated=separator_needed(content)) == content


def files_of_cpython():
    """Return the mails, and the pictures and sounds, by which CPython tests `email`."""
    try:
        import test.test_email
    except ImportError:
        raise unittest.SkipTest("this Python lacks its own tests") from None
    folder = Path(test.test_email.__file__).parent / "data"
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}
    if not found:
        raise unittest.SkipTest("this Python lacks the data of its own tests")
    return found


class Content(LiveRelayTestCase):
    def setUp(self):
        super().setUp()
        self.destination = self.provider()
        self.relay(account("All", self.destination))

    async def assert_unchanged(self, hand_in, contents):
        for count, (name, content) in enumerate(contents.items(), len(self.destination.mails) + 1):
            await hand_in(content=content)
            mails = await self.destination.wait_for(count)
            assert is_the_same(mails[-1].content, wire(content)), name

    async def test_generated_mails_over_smtp(self):
        await self.assert_unchanged(self.send, GENERATED)

    async def test_generated_mails_by_submit(self):
        await self.assert_unchanged(self.submit, GENERATED)

    async def test_the_mails_of_cpython_over_smtp(self):
        files = files_of_cpython()
        mails = {name: wire(data) for name, data in files.items() if name.endswith(".txt")}
        assert len(mails) > 40
        assert all(map(is_clean, mails.values()))
        await self.assert_unchanged(self.send, mails)

    async def test_the_mails_of_cpython_by_submit(self):
        files = files_of_cpython()
        mails = {name: data for name, data in files.items() if name.endswith(".txt")}
        await self.assert_unchanged(self.submit, mails)

    async def test_what_smtp_cannot_carry_is_refused_at_both_doors(self):
        invalid = [wire(data) for data in files_of_cpython().values() if not is_clean(wire(data))]
        invalid += [b"bare\rreturn\r\n", b"bare\nline feed\r\n", b"N\0L\r\n", b"\r\r\n"]
        assert len(invalid) > 4
        for content in invalid:
            refusal = await self.assertFailure(self.send(content=content), smtplib.SMTPDataError)
            assert refusal.smtp_code == 550
            assert refusal.smtp_error.startswith(b"5.6.11 "), refusal
            await self.assertFailure(self.submit(content=content), ContentError)
        assert await self.waiting() == {}
        assert self.destination.mails == []


# Arbitrary content, over connections in memory: thousands of mails, no socket, no disk.


# Dots, colons and blanks decide where lines, fields and the header end.
LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b".", b"..", b"Subject: x", b"From: a@b.example", b" ", b"From x"]),
        st.lists(st.sampled_from([b".", b":", b" ", b"\t", b"x", b"\xff", b"\x01"])).map(b"".join),
        st.binary().map(lambda octets: octets.translate(None, b"\r\n\0")),
    ),
    min_size=1,
)


ENVELOPE = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
SUBMITTED = Envelope(reverse_path="a@b.example", recipients=("c@d.example",))
RELAY = MemoryRelay("PIPELINING")


def stuffed(content):
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def arrived(taken):
    """Return the one mail that the provider has taken, as its reader sees it."""
    [mail] = taken
    return mail.removesuffix(b".\r\n").replace(b"\r\n.", b"\r\n")


@settings(max_examples=500 if os.environ.get("CI") else 150)
@given(lines=LINES, cuts=st.lists(st.integers(min_value=0, max_value=200)))
def test_any_clean_content_goes_through_smtp(lines, cuts):
    content = b"".join(line + b"\r\n" for line in lines)
    octets = stuffed(content)
    ends = [*sorted(cuts), None]
    pieces = [octets[start:end] for start, end in zip([0, *sorted(cuts)], ends, strict=True)]
    _, _, taken = RELAY.send(ENVELOPE, *[piece for piece in pieces if piece])
    assert is_the_same(arrived(taken), content)


@given(lines=LINES)
def test_any_clean_content_goes_through_submit(lines):
    content = b"".join(line + b"\r\n" for line in lines)
    for line_ends in (b"\r\n", b"\n"):
        taken = RELAY.submit(SUBMITTED, content.replace(b"\r\n", line_ends))
        assert is_the_same(arrived(taken), content)
