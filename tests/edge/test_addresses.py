"""Addresses on their way through a whole relay: what was read is what is written."""

from __future__ import annotations

import pytest

from multisendcon_plugin.routing.registry import AccountRegistry
from tests.edge.clients import Edge, account
from tests.memory_relay import MemoryRelay

MAIL = [b"DATA", b"Subject: x\r\n\r\nhello\r\n."]


def written(sender, recipient):
    """Send a mail; return what the provider was told of its envelope."""
    relay = MemoryRelay("PIPELINING", "SMTPUTF8", "8BITMIME")
    lines = [b"MAIL FROM:" + sender, b"RCPT TO:" + recipient, *MAIL]
    replies, (mail, rcpt, data), taken = relay.send(b"".join(line + b"\r\n" for line in lines))
    assert [reply[:3] for reply in replies] == ["250", "250", "354", "250"]
    assert len(taken) == 1
    assert data == b"DATA"
    return mail.removeprefix(b"MAIL FROM:"), rcpt.removeprefix(b"RCPT TO:")


AS_THEY_ARE = [
    b"<Joe.User@Example.COM>",
    b"<a..b@docomo.example>",
    b"<.a.@x.example>",
    b"<a+tag=x@my_host.example>",
    b"<!#$%&'*+-/=?^_`{|}~@x.example>",
    b'<"a b"@x.example>',
    b'<""@x.example>',
    b'<"a@b"@x.example>',
    b'<"needless"@x.example>',
    b'<"a\\"b\\\\c\\d"@x.example>',
    b'<"> SIZE=1 <a@b>"@x.example>',
    b'<"a,b;c:d"@x.example>',
    b"<a@[192.0.2.1]>",
    b"<a@[IPv6:2001:DB8::1]>",
    b"<a@[IPv6:::ffff:192.0.2.1]>",
    b"<a@xn--mnchen-3ya.de>",
    b"<" + b"l" * 65 + b"@x.example>",
    b"<SRS0=" + b"Ab+/" * 500 + b"=x@x.example>",
    b'<"' + b"a b" * 100 + b'"@x.example>',
    b"<a@" + b"d." * 123 + b"d.example>",
    # Nobody reads a way out of a local part (RFC 5321 section 2.3.11).
    b"<user%far.example@x.example>",
    b"<far.example!user@x.example>",
    b'<"@far.example:user"@x.example>',
]


@pytest.mark.parametrize("path", AS_THEY_ARE)
def test_paths_are_written_as_they_were_read(path):
    assert written(path, path) == (path, path)


@pytest.mark.parametrize(
    "path", ["<jörg@x.example>", "<a@MÜNCHEN.de>", '<"jö rg"@例え.jp>', "<jo\u0308rg@x.example>"]
)
def test_paths_beyond_ascii_are_written_as_they_were_read(path):
    octets = path.encode()
    sender, recipient = written(octets + b" SMTPUTF8", octets)
    assert sender == octets + b" SMTPUTF8"
    assert recipient == octets


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (b"a@x.example", b"<a@x.example>"),
        (b"  <a@x.example>", b"<a@x.example>"),
        (b"<@far.example,@b.example:a@x.example>", b"<a@x.example>"),
        (b'<@far.example:"a@b"@x.example>', b'<"a@b"@x.example>'),
    ],
)
def test_what_stands_around_an_address_is_not_written(read, path):
    assert written(read, read) == (path, path)


def test_the_paths_without_a_domain():
    assert written(b"<>", b"<PostMaster>") == (b"<>", b"<postmaster>")


@pytest.mark.parametrize(
    ("envid", "orcpt", "mail", "rcpt"),
    [
        (b" ENVID=QQ==", b" ORCPT=rfc822;a+3db", b" ENVID=QQ+3D+3D", b" ORCPT=rfc822;a+3Db"),
        (b" ENVID=" + b"x" * 101, b" ORCPT=rfc822;" + b"x" * 500, b"", b""),
    ],
)
def test_what_is_not_quite_xtext_never_reaches_the_next_server(envid, orcpt, mail, rcpt):
    path = b"<a@x.example>"
    relay = MemoryRelay("PIPELINING", "DSN")
    lines = [b"MAIL FROM:" + path + envid, b"RCPT TO:" + path + orcpt, *MAIL]
    _, said, taken = relay.send(b"".join(line + b"\r\n" for line in lines))
    assert said[:2] == [b"MAIL FROM:" + path + mail, b"RCPT TO:" + path + rcpt]
    assert len(taken) == 1


BAD = [
    b"<a@b@x.example>",
    b"<a@far.example%x.example@>",
    b"<a b@x.example>",
    b'<"a"b@x.example>',
    b'<"a@x.example>',
    b"<a@x.example.>",
    b"<a@.x.example>",
    b"<a@x..example>",
    b"<a@[192.0.2.256]>",
    b"<a@[2001:db8::1]>",
    b"<a@[IPv6:fe80::1%eth0]>",
    b"<@far.example:>",
    b"<@far.example>",
    b"<a@x\xe2\x80\x8b.example>",
    b"<a@\xef\xbd\x98.example>",
    b"<a@x\xc2\xad.example>",
    b"<a@" + b"d." * 124 + b"examples>",
    b'<"a\tb"@x.example>',
    b'<"a\x1bb"@x.example>',
    b'<"a\x7fb"@x.example>',
    b'<"a\\\x01b"@x.example>',
    b"<a\x0bb@x.example>",
    b"<\xe4@x.example>",
    b"<\xc0\x80@x.example>",
    b"<\xed\xa0\x80@x.example>",
    b"<a\xc2\x85b@x.example>",
]


@pytest.mark.parametrize("path", BAD)
def test_bad_paths_are_refused_on_both_sides(path):
    client = Edge().client()
    (reply,) = client.ask(b"MAIL FROM:" + path + b" SMTPUTF8")
    assert reply.startswith("501 5.1.7 ")
    client.ask(b"MAIL FROM:<a@x.example> SMTPUTF8")
    (reply,) = client.ask(b"RCPT TO:" + path)
    assert reply.startswith("501 5.1.3 ")


@pytest.mark.parametrize(
    "recipient",
    [
        b"user%partner.example@x.example",
        b"partner.example!user@x.example",
        b'"user@partner.example"@x.example',
        b"@partner.example:user@x.example",
    ],
)
def test_the_account_is_chosen_by_the_real_domain(recipient):
    edge = Edge(account("Partner", recipients=["*@partner.example"]), account("Rest"))
    edge.client().send_mail(recipients=[recipient])
    assert list(edge.messages[0].accounts) == ["Rest"]


@pytest.mark.parametrize(
    ("mask", "address"),
    [
        ("*@münchen.de", "a@xn--mnchen-3ya.de"),
        ("*@xn--mnchen-3ya.de", "a@MÜNCHEN.de"),
        ("*@münchen.de", "a@mu\u0308nchen.de"),
        ("*@münchen.de", "a@ｍünchen。de"),
        ("joe@x.example", '"Joe"@X.example'),
        ('"a b"@x.example', '"a\\ b"@x.example'),
        ("jörg@x.example", "JÖRG@x.example"),
    ],
)
def test_addresses_are_compared_in_one_form(mask, address):
    registry = AccountRegistry([account(senders=[mask])])
    assert registry.route(address, "b@y.example")
