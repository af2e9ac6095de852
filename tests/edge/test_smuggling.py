"""What a client sends as content is content for everybody behind us, or nothing at all.

All short strings of octets that mean something go through a whole relay in memory: the edge, the
queue, the sender, to a provider that writes down what it is told.
"""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest

from multisendcon_plugin.edge import tarpit
from tests.memory_relay import MemoryRelay, without_trace

MODES = pytest.mark.parametrize("bare_lf", ["refuse", "fix"])
CLIENTS = pytest.mark.parametrize("tolerant", [False, True], ids=["strict", "tolerant"])
PATHS = b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
ENVELOPE = PATHS + b"DATA\r\n"
SAID = ENVELOPE.splitlines()
HEADER = b"S: x\r\n\r\n"
END = b"\r\n.\r\n"
REFUSED = "550 5.6.11 message contains a bare CR, a bare LF or a NUL"
FIT = re.compile(rb"(?:[^\r\n\0]|\r\n)*")


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let one session have as many refused mails as there are strings."""
    monkeypatch.setattr(tarpit, "REFUSED_AT_ONCE", 10**9)
    monkeypatch.setattr(tarpit, "MOST_REFUSALS", 10**9)


class Relay(MemoryRelay):
    """Sees to it that mails arrive as they were meant, or not at all."""

    def __init__(self, bare_lf, *, tolerant=False):
        super().__init__("PIPELINING", bare_lf=bare_lf, tolerant=tolerant)
        self.fixes = bare_lf == "fix"

    def check(self, *segments):
        """Send a mail with DATA; tell whether it arrives."""
        (_, _, _, reply, *_), said, taken = self.send(*segments)
        # RFC 5321 section 4.5.2, read literally.
        sent, _, _ = b"".join(segments).removeprefix(ENVELOPE).partition(END)
        lines = [line.removeprefix(b".") for line in sent.split(b"\r\n")]
        return self._arrived(b"\r\n".join(lines) + b"\r\n", reply, said, taken)

    def check_chunks(self, *chunks):
        """Send a mail with BDAT; tell whether it arrives."""
        *most, last = chunks
        commands = [b"BDAT %d\r\n%s" % (len(chunk), chunk) for chunk in most]
        commands.append(b"BDAT %d LAST\r\n%s" % (len(last), last))
        (*_, reply), said, taken = self.send(PATHS, *commands)
        sent = b"".join(chunks)
        if not sent.endswith(b"\n" if self.fixes else b"\r\n"):
            sent += b"\r\n"
        return self._arrived(sent, reply, said, taken)

    def _arrived(self, sent, reply, said, taken):
        if self.fixes:
            sent = re.sub(rb"\r?\n", b"\r\n", sent)
        if not FIT.fullmatch(sent):
            assert reply == REFUSED, sent
            assert said == taken == [], sent
            return False
        assert reply.startswith("250 2.0.0 queued"), sent
        assert said == SAID, sent
        [mail] = taken
        assert FIT.fullmatch(mail), sent
        lines = without_trace(mail).split(b"\r\n")
        assert lines[-2:] == [b".", b""], sent
        assert [line.removeprefix(b".") for line in lines[:-2]] == sent.split(b"\r\n")[:-1]
        assert b"." not in lines[:-2], sent
        return True


def strings(longest):
    for length in range(1, longest + 1):
        yield from map(bytes, product(b"\r\n.a\0", repeat=length))


@pytest.mark.parametrize(
    ("bare_lf", "before", "longest", "arrived"),
    [
        ("refuse", HEADER, 6, 426),
        ("fix", HEADER, 6, 1815),
        ("refuse", HEADER + b"a", 5, 118),
        ("fix", HEADER + b"a", 5, 515),
    ],
)
@CLIENTS
def test_all_short_strings_in_a_body(bare_lf, before, longest, arrived, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    sent = [relay.check(ENVELOPE + before + text + END) for text in strings(longest)]
    assert len(sent) == {5: 3905, 6: 19_530}[longest]
    assert sum(sent) == arrived


@pytest.mark.parametrize(("bare_lf", "arrived"), [("refuse", 118), ("fix", 515)])
@CLIENTS
def test_all_short_strings_in_a_chunk(bare_lf, arrived, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    assert sum(relay.check_chunks(HEADER + text) for text in strings(5)) == arrived


@MODES
@CLIENTS
def test_all_very_short_strings_wherever_the_chunks_end(bare_lf, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    for text in strings(3):
        sent = HEADER + text
        for cut in range(len(HEADER) - 2, len(sent) + 1):
            relay.check_chunks(sent[:cut], sent[cut:])


@MODES
@CLIENTS
def test_all_very_short_strings_wherever_the_segments_end(bare_lf, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    for text in strings(3):
        stream = ENVELOPE + HEADER + text + END
        for cut in range(len(ENVELOPE) - 1, len(stream)):
            relay.check(stream[:cut], stream[cut:])


@pytest.mark.parametrize(
    ("bare_lf", "body"),
    [
        ("refuse", b"a\r\n..\r\n.b\r\n\r\n...\r\nc"),
        ("fix", b"a\n.\n.\r\n\n.b\r\n.\n..\r\n\n.\n"),
    ],
)
@CLIENTS
def test_a_mail_that_comes_in_three_segments_however_it_is_cut(bare_lf, body, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    stream = ENVELOPE + HEADER + body + END
    for first, second in combinations(range(len(ENVELOPE), len(stream) + 1), 2):
        assert relay.check(stream[:first], stream[first:second], stream[second:])
    assert relay.check(*[stream[n : n + 1] for n in range(len(stream))])


@MODES
@CLIENTS
@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"]
)
def test_no_other_end_lets_a_second_mail_through(bare_lf, end, tolerant):
    relay = Relay(bare_lf, tolerant=tolerant)
    relay.check(ENVELOPE + HEADER + b"a" + end + ENVELOPE + HEADER + b"smuggled" + END)


EVIL = b"RCPT TO:<evil@y.example>"


@CLIENTS
@pytest.mark.parametrize(
    "address",
    [
        b"b@y.example>\n" + EVIL,
        b"b@y.example>\n" + EVIL + b"\nRCPT TO:<c@y.example",
        b'"b\n' + EVIL + b'\n"@y.example',
        b'"b\\\n' + EVIL + b'\n"@y.example',
        b"b@y.example>\r" + EVIL,
        b"b@y.example>\r\r" + EVIL,
        b"b@y.example>\0" + EVIL,
        b"b@y.example>\n\n" + EVIL,
        b"b@y.example>\nDATA\nSubject: evil\n\n.\n" + EVIL,
        b"b@y.example>\t" + EVIL,
        b"<b@y.example>> <" + EVIL,
    ],
)
def test_no_command_comes_out_of_an_address(address, tolerant):
    """A stranger fills in a form, and the client writes what it has into its command."""
    relay = Relay("fix", tolerant=tolerant)
    lines = [b"EHLO c", b"MAIL FROM:<a@x.example>", b"RCPT TO:<%s>" % address, b"DATA"]
    _, said, taken = relay.send(b"\r\n".join([*lines, b"S: x", b".", b""]))
    assert said == taken == []


@pytest.mark.parametrize("ends", list(product([b"\n", b"\r\n", b"\r\r\n"], repeat=3)))
def test_of_a_tolerant_client_only_the_line_ends_of_commands_are_its_own(ends):
    relay = Relay("fix", tolerant=True)
    lines = [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA"]
    commands = [line + end for line, end in zip(lines, ends, strict=True)]
    replies, said, [mail] = relay.send(*commands, HEADER + b"a\n.\nb" + END)
    assert [reply[:3] for reply in replies] == ["250", "250", "354", "250"]
    assert said == SAID
    assert without_trace(mail) == HEADER + b"a\r\n..\r\nb" + END


@CLIENTS
@pytest.mark.parametrize(
    "rest", [b"\n", b"\r", b"\0", b".", b"NOOP\n", EVIL + b"\r\n", b"\r\n.\r\n"]
)
@pytest.mark.parametrize("command", [b"NOOP\n", b"MAIL FROM:<a@x.example>\n", b"DATA\n", b"\n"])
def test_what_follows_a_bare_line_feed_ends_the_session(command, rest, tolerant):
    relay = Relay("fix", tolerant=tolerant)
    replies, said, taken = relay.send(command + rest)
    assert replies == ["554 5.5.2 a command ends with CRLF and has no CR, LF or NUL, closing"]
    assert said == taken == []
