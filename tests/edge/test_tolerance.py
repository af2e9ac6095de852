"""What tolerant clients may send, and that all others may not."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from multisendcon_plugin.edge.parameters import read_mail, read_rcpt
from multisendcon_plugin.edge.tolerance import Tolerance
from multisendcon_plugin.mail.reply import ReplyError
from multisendcon_plugin.settings.values import ClientSettings
from tests.edge.clients import MAIL, Edge, account
from tests.edge.test_logins import RIGHT, USERS
from tests.edge.test_security import AUTHENTICATED

TOLERANCE = Tolerance("relay.example")
DEVICE, OTHER = IPv4Address("TCP", "192.0.2.7", 1), IPv4Address("TCP", "192.0.2.8", 1)
PATHS = [
    ("<a@x.example>", "a@x.example"),
    ("a@x.example", "a@x.example"),
    ("<<a@x.example>>", "a@x.example"),
    ("< <a@x.example> >", "a@x.example"),
    ("< a@x.example >", "a@x.example"),
    ("<  a@x.example>", "a@x.example"),
    ("  <a@x.example  >  ", "a@x.example"),
    ("<a@x.example.>", "a@x.example"),
    ("a@x.example.", "a@x.example"),
    ("<< a@x.example. >>", "a@x.example"),
    ("<scanner>", "scanner@relay.example"),
    ("scanner", "scanner@relay.example"),
    ("<< scanner >>", "scanner@relay.example"),
    ('<"a b">', '"a b"@relay.example'),
    ('<"a@b">', '"a@b"@relay.example'),
    ('< "a > b"@x.example >', '"a > b"@x.example'),
    ("\t<a@x.example>\t", "a@x.example"),
    ("<\ta@x.example\t>", "a@x.example"),
    ("<@far.example:a@x.example.>", "a@x.example"),
    ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
    ("<a.@x.example>", "a.@x.example"),
]
#: What is no path for tolerant clients either.
NO_PATHS = [
    *("", "<", ">", "<a@x.example", "a@x.example>", "<<a@x.example>", "<a@x.example>>"),
    *("<<<a@x.example>>>", "<a b@x.example>", "<a@x .example>", "<a@x.example..>", "<.@>", "<a@>"),
    *("<@x.example>", "<a@x.example> <b@x.example>", "<a@x.example>SIZE=1", '<"a@x.example>'),
    *('<"a\tb"@x.example>', "<a\x0b@x.example>", "<a@x.example>\x0bNOTIFY=x", "<a\x00@x.example>"),
    *("<a@x@y.example>", "Joe <a@x.example>", "<joe,ann>", "<a@x\u200b.example>"),
]


def corrected(line):
    return TOLERANCE.command(line.encode())


# Addresses.


@pytest.mark.parametrize(("path", "address"), PATHS)
def test_a_path_becomes_a_strict_one(path, address):
    for command in ("MAIL FROM:", "mail\tFrom:", "  MAIL   FROM:"):
        line = corrected(command + path).strip()
        assert b"\t" not in line
        assert read_mail(line[4:].strip()).address == address
    assert read_rcpt(corrected("RCPT TO:" + path)[5:], utf8=False).address == address


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_is_none_for_tolerant_clients_either(path):
    with pytest.raises(ReplyError):
        read_rcpt(corrected(f"RCPT TO:{path}")[5:], utf8=True)


@pytest.mark.parametrize("path", ["<>", "< >", "<<>>", " < < > >", "<\t>"])
def test_the_null_path(path):
    assert corrected(f"MAIL FROM:{path} SIZE=5") == b"MAIL FROM:<> SIZE=5"


@pytest.mark.parametrize("path", ["<postmaster>", "PostMaster", "<< Postmaster >>"])
def test_the_postmaster_needs_no_domain_as_a_recipient(path):
    assert read_rcpt(corrected(f"RCPT TO:{path}")[5:], utf8=False).address == "postmaster"
    sender = read_mail(corrected(f"MAIL FROM:{path}")[5:]).address
    assert sender.lower() == "postmaster@relay.example"


# Parameters.


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("MAIL FROM:<a@x> RET=FULL ENVID=a+2b SIZE=5", " RET=FULL ENVID=a+2b SIZE=5"),
        ("MAIL FROM:<a@x> RET=ALL SIZE=5", " SIZE=5"),
        ("MAIL FROM:<a@x> RET", ""),
        ("MAIL FROM:<a@x> ret= BODY=8BITMIME", " BODY=8BITMIME"),
        ("MAIL FROM:<a@x> ENVID=", ""),
        ("MAIL FROM:<a@x> ENVID", ""),
        ("MAIL FROM:<a@x> ENVID=ä", ""),
        ("MAIL FROM:<a@x> ENVID=a+00", ""),
        ("MAIL FROM:<a@x> ENVID=1 ENVID=2", " ENVID=1"),
        ("RCPT TO:<a@x> NOTIFY=NEVER", " NOTIFY=NEVER"),
        ("RCPT TO:<a@x> NOTIFY=ALWAYS ORCPT=rfc822;a@x", " ORCPT=rfc822;a@x"),
        ("RCPT TO:<a@x> NOTIFY=NEVER,DELAY", ""),
        ("RCPT TO:<a@x> NOTIFY=", ""),
        ("RCPT TO:<a@x>\tNOTIFY=DELAY\tORCPT=a@x", " NOTIFY=DELAY"),
        ("RCPT TO:<a@x> ORCPT=rfc822;", ""),
        ("RCPT TO:<a@x> ORCPT=rfc822;ä@x", ""),
        ("RCPT TO:<a@x> ORCPT", ""),
        ("RCPT TO:a@x NOTIFY=x", ""),
    ],
)
def test_parameters_of_dsn_that_cannot_be_read_are_dropped(sent, kept):
    command, _, parameters = corrected(sent).partition(b">")
    assert command.endswith(b"<a@x")
    assert parameters.decode().split() == kept.split()


@pytest.mark.parametrize(
    "parameters", ["SIZE=x", "BODY=x", "FOO", "SMTPUTF8=1", "=", "RET=FULL ?", "SIZE=1 SIZE=1"]
)
def test_other_parameters_are_read_strictly(parameters):
    with pytest.raises(ReplyError):
        read_mail(corrected(f"MAIL FROM:<a@x> {parameters}")[5:])


# Anything.

PIECES = ["MAIL FROM:", "RCPT TO:", "<", ">", "@", '"', "\\", " ", "\t", ".", "a", "x.example", ":"]
PIECES += ["ENVID=", "NOTIFY=NEVER", "\r", "\n", "\0", "é", "\x0b", "postmaster", ","]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(texts)
def test_a_correction_brings_nothing_but_brackets_blanks_and_the_hostname(text):
    line = corrected(text)
    assert not set(line) - set(text.encode()) - set(b"<> @relay.example")
    for octet in b"\r\n\0\x0b":
        assert line.count(octet) <= text.encode().count(octet)


@given(texts)
def test_what_is_correct_stays_so(text):
    line = corrected(text)
    assert TOLERANCE.command(line) == line


@pytest.mark.parametrize(
    "line", ['MAIL FROM:"\\"\t' * 2000, "MAIL FROM:" + "< " * 6000, 'RCPT TO:<"' + 'a"' * 6000]
)
def test_long_lines_are_read_once(line):
    assert len(corrected(line)) <= len(line)


@pytest.mark.parametrize(
    "line", ["EHLO <<x>>", "AUTH PLAIN AGpvZQBzZWNyZXQ=", "BDAT 5 LAST", "", "NOOP  x ", "MAIL"]
)
def test_other_commands_stay_as_they_are(line):
    assert corrected(line) == line.encode()


# Line ends.


@pytest.mark.parametrize(
    ("line", "more", "command"),
    [
        (b"NOOP", False, b"NOOP"),
        (b"NOOP", True, None),
        (b"NOOP\r\r", False, b"NOOP"),
        (b"NOOP\r\r", True, b"NOOP"),
        (b"NO\rOP", False, None),
        (b"NO\rOP\r", False, None),
        (b"NO\0OP", False, None),
        (b"NOOP\0\r", True, None),
        (b"", False, b""),
        (b"BDAT 5", False, None),
        (b" bdat 5 LAST\r\r", False, None),
    ],
)
def test_line_ends(line, more, command):
    assert TOLERANCE.line(line, more_is_here=more) == command


# Sessions.


def edge_with(*accounts, tolerant=True, address="192.0.2.7", **settings):
    client = ClientSettings(addresses=(ip_network(address),), tolerant=tolerant)
    allow = ["192.0.2.0/24", "2001:db8::/32"]
    return Edge(*accounts, allow=allow, clients=[client], tls=True, **settings)


SLOPPY = [
    [b"MAIL FROM: << a@x.example. >>", b"RCPT TO:\t< b@y.example >\tNOTIFY=ALWAYS"],
    [b"MAIL FROM:a@x.example RET=", b"RCPT TO:b@y.example."],
]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\r\n"])
@pytest.mark.parametrize("envelope", SLOPPY)
@pytest.mark.parametrize("hello", [[], [b"HELO scanner"], [b"EHLO scanner"]])
def test_a_mail_of_an_old_device(hello, envelope, end):
    edge = edge_with()
    client = edge.client(peer=DEVICE, hello=None)
    for line in [*hello, *envelope, b"DATA"]:
        client.send(line + end)
        assert client.replies()[-1][:3] in ("250", "354")
    assert client.ask(MAIL + b".")[0].startswith("250 2.0.0 queued")
    (message,) = edge.messages
    assert message.envelope.reverse_path == "a@x.example"
    assert message.envelope.recipients == ("b@y.example",)
    name = b"scanner" if hello else b"[192.0.2.7]"
    keyword = b"ESMTP" if hello == [b"EHLO scanner"] else b"SMTP"
    trace = b"Received: from " + name + b" ([192.0.2.7])\r\n\tby relay.example with " + keyword
    assert message.content.startswith(trace + b" id ")


@pytest.mark.parametrize("end", [b"\n", b"\r\r\n"])
@pytest.mark.parametrize(("tolerant", "peer"), [(False, DEVICE), (True, OTHER)])
def test_others_are_read_strictly(tolerant, peer, end):
    client = edge_with(tolerant=tolerant).client(peer=peer, hello=None)
    assert client.ask(b"MAIL FROM:<a@x.example>")[0].startswith("503 5.5.1 say EHLO first")
    client.ask(b"HELO x")
    assert client.ask(b"MAIL FROM:<<a@x.example>>")[0].startswith("501 5.1.7")
    assert client.ask(b"MAIL FROM:<scanner>")[0].startswith("501 5.1.7")
    assert client.ask(b"MAIL\tFROM:\t<a@x.example>")[0].startswith("501 5.1.7")
    assert client.ask(b"MAIL FROM:<a@x.example> ENVID=")[0].startswith("501 5.5.4")
    client.send(b"NOOP" + end)
    assert client.replies()[0].startswith("554 5.5.2")
    assert client.closed


def test_the_name_of_a_device_with_an_address_of_ipv6():
    edge = edge_with(address="2001:db8::7")
    client = edge.client(peer=IPv6Address("TCP", "2001:db8::7", 1), hello=None)
    client.send_mail()
    trace = b"Received: from [IPv6:2001:db8::7] ([IPv6:2001:db8::7])\r\n"
    assert edge.messages[0].content.startswith(trace)


def test_the_hostname_is_routed_like_any_domain():
    edge = edge_with(account("Devices", senders=["*@relay.example"]))
    client = edge.client(peer=DEVICE)
    assert client.send_mail(sender=b"scanner")[0].startswith("250")
    assert client.send_mail(sender=b"scanner", recipients=[b"admin"])[0].startswith("250")
    first, second = edge.messages
    assert first.envelope.reverse_path == "scanner@relay.example"
    assert second.envelope.recipients == ("admin@relay.example",)


def test_after_starttls_no_second_greeting_is_needed():
    edge = edge_with(users=USERS)
    client = edge.client(peer=DEVICE)
    assert client.ask(b"STARTTLS")[0].startswith("220")
    assert client.ask(RIGHT) == AUTHENTICATED
    assert client.send_mail()[0].startswith("250 2.0.0 queued")
    # What was said in the clear is forgotten all the same (RFC 3207 section 4.2).
    trace = b"Received: from [192.0.2.7] ([192.0.2.7])\r\n\tby relay.example with ESMTPSA id "
    assert edge.messages[0].content.startswith(trace)


def test_nothing_may_follow_starttls_of_a_tolerant_client_either():
    client = edge_with().client(peer=DEVICE)
    client.send(b"STARTTLS\r\r\nNOOP\r\n")
    assert client.replies()[0].startswith("554 5.5.1 nothing may follow STARTTLS")
    assert client.closed


def test_responses_of_a_login_are_no_commands():
    client = edge_with(users=USERS).client(peer=DEVICE)
    client.ask(b"STARTTLS")
    for line, reply in [
        (b"AUTH LOGIN\n", "334 VXNlcm5hbWU6"),
        (b"am9l\r\r\n", "334 UGFzc3dvcmQ6"),
        (b"c2VjcmV0\n", AUTHENTICATED[0]),
    ]:
        client.send(line)
        assert client.replies() == [reply]


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r\r\n.\r\r\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r.\r"]
)
def test_the_end_of_content_is_as_strict_as_ever(end):
    edge = edge_with()
    client = edge.client(peer=DEVICE)
    client.begin()
    client.send(b"Subject: x\r\n\r\nhello" + end)
    assert client.replies() == []
    assert client.ask(b"", b".")[0].startswith("550 5.6.11")
    assert not edge.messages


def test_errors_of_tolerant_clients_count_too():
    client = edge_with(max_errors=3).client(peer=DEVICE)
    assert client.ask(*[b"FOO"] * 5)[-1] == "421 4.7.0 too many errors, closing"
