"""What a client sends as content is content for everybody behind us, or nothing at all.

All short strings of octets that mean something go through a whole relay in memory: the edge, the
queue, the sender, to a provider that writes down what it is told.
"""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.spool import MemorySpool
from tests.edge_clients import Client
from tests.relays import Network, Server

CONFIGURATION = """
[master_relay]
hostname = "relay.example"

[[client]]
addresses = ["127.0.0.1"]
bare_lf = "{}"

[[account]]
name = "Provider"
server = "192.0.2.1"
max_mails_per_connection = 1_000_000
"""
MODES = pytest.mark.parametrize("bare_lf", ["refuse", "fix"])
ENVELOPE = b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n"
SAID = [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA"]
HEADER = b"S: x\r\n\r\n"
END = b"\r\n.\r\n"
FIT = re.compile(rb"(?:[^\r\n\0]|\r\n)*")


class Relay:
    """A relay with its provider.

    :param bare_lf: what it does with bare line feeds.
    """

    def __init__(self, bare_lf):
        self.fixes = bare_lf == "fix"
        self.provider = Server("PIPELINING")
        network = Network(self.provider)
        self.service = RelayService(
            parse(CONFIGURATION.format(bare_lf)),
            network,
            spool=MemorySpool(network),
            wall=network.seconds,
        )
        self.service.startService()
        self.network = network
        self.client = Client(self.service.factory)

    def send(self, *segments):
        """Send a mail; return the reply to its content, and what it came to at the provider."""
        if self.client.closed:
            self.client.hang_up()
            self.client = Client(self.service.factory)
        known = len(self.provider.lines), len(self.provider.taken)
        for segment in segments:
            if not self.client.closed:
                self.client.send(segment)
        reply = self.client.replies()[3]
        self.network.flush()
        said = self.provider.lines[known[0] :]
        if said[:1] == [b"EHLO relay.example"]:
            del said[0]
        return reply, said, self.provider.taken[known[1] :]

    def check(self, *segments):
        """Send a mail; see that it is refused, or arrives as it was meant."""
        stream = b"".join(segments).removeprefix(ENVELOPE)
        reply, said, taken = self.send(*segments)
        content = self.expected(stream)
        if content is None:
            assert reply == "550 5.6.11 message holds a bare CR, a bare LF or a NUL", stream
            assert said == taken == [], stream
            return False
        assert reply.startswith("250 2.0.0 queued"), stream
        assert said == SAID, stream
        [mail] = taken
        assert FIT.fullmatch(mail), stream
        _trace, _by, date_and_content = mail.split(b"\r\n\t", 2)
        assert date_and_content.partition(b"\r\n")[2] == content + b".\r\n", stream
        return True

    def expected(self, stream):
        """Return what a mail is in wire form by RFC 5321; ``None``: it is to be refused."""
        sent, _, _ = stream.partition(END)
        lines = [line.removeprefix(b".") for line in sent.split(b"\r\n")]
        content = b"\r\n".join(lines)
        if self.fixes:
            content = re.sub(rb"\r?\n", b"\r\n", content)
        if not FIT.fullmatch(content):
            return None
        return b"".join(
            (b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in content.split(b"\r\n")
        )


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
def test_all_short_strings_in_a_body(bare_lf, before, longest, arrived):
    relay = Relay(bare_lf)
    sent = [relay.check(ENVELOPE + before + text + END) for text in strings(longest)]
    assert len(sent) == {5: 3905, 6: 19_530}[longest]
    assert sum(sent) == arrived


@MODES
def test_all_very_short_strings_wherever_the_segments_end(bare_lf):
    relay = Relay(bare_lf)
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
def test_a_mail_that_comes_in_three_segments_however_it_is_cut(bare_lf, body):
    relay = Relay(bare_lf)
    stream = ENVELOPE + HEADER + body + END
    for first, second in combinations(range(len(ENVELOPE), len(stream) + 1), 2):
        assert relay.check(stream[:first], stream[first:second], stream[second:])
    assert relay.check(*[stream[n : n + 1] for n in range(len(stream))])


@MODES
@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"]
)
def test_no_other_end_lets_a_second_mail_through(bare_lf, end):
    relay = Relay(bare_lf)
    relay.check(ENVELOPE + HEADER + b"a" + end + ENVELOPE + HEADER + b"smuggled" + END)
