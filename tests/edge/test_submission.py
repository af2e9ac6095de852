from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from multisendcon_plugin.edge.content import ContentScanner
from multisendcon_plugin.edge.submission import wire_form
from multisendcon_plugin.errors import AddressError, ContentError, SpoolError
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.reply import ReplyError
from tests.edge.clients import MAIL, Edge, account


def submit(edge, content=MAIL, sender="a@x.example", recipients=("b@y.example",), **envelope):
    """Hand a mail in; return the answer, or raise its failure."""
    results = []
    whole = Envelope(reverse_path=sender, recipients=tuple(recipients), **envelope)
    edge.submit(whole, content).addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def refusal(edge, *args, **kwargs):
    with pytest.raises(ReplyError) as refused:
        submit(edge, *args, **kwargs)
    assert not edge.messages
    assert all(draft.discarded for draft in edge.intake.drafts)
    return f"{refused.value.reply.code} {refused.value.reply.enhanced}"


def test_mail_goes_the_same_way_as_by_smtp():
    edge = Edge(account("Sales", ["*@sales.example"]), account())
    name = submit(edge, sender="a@sales.example", recipients=["b@y.example", "c@y.example"])
    (message,) = edge.messages
    trace = b"Received: by relay.example id %s;\r\n\t" % name.encode()
    assert message.content.startswith(trace)
    assert message.content.endswith(b"\r\n" + MAIL)
    assert message.header.endswith(b"Subject: x\r\n")
    assert message.accounts == {"Sales": ["b@y.example", "c@y.example"]}
    assert message.envelope == Envelope(
        reverse_path="a@sales.example", recipients=("b@y.example", "c@y.example"), subject="x"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\nb", b"a\r\nb\r\n"),
        (b"", b"\r\n"),
        (b"\n", b"\r\n"),
        (b".", b"..\r\n"),
        (b"..", b"...\r\n"),
        (b"a\n.\nb.\n..\n", b"a\r\n..\r\nb.\r\n...\r\n"),
        (b"\xff\n", b"\xff\r\n"),
    ],
)
def test_wire_form(content, expected):
    assert wire_form(content) == expected


@pytest.mark.parametrize("content", [b"a\r\nb\n", b"a\rb", b"a\r", b"\0\n", b"a\n\r", b"\r\r\n"])
def test_what_smtp_cannot_carry_is_refused(content):
    with pytest.raises(ContentError):
        wire_form(content)
    edge = Edge()
    with pytest.raises(ContentError):
        submit(edge, content)
    assert not edge.intake.drafts


@given(st.lists(st.sampled_from([b"a", b".", b"\n", b".\n", b"\n.\n", b"\xe4"])))
def test_a_server_reads_wire_form_as_it_was(pieces):
    content = b"".join(pieces)
    scanner = ContentScanner()
    read, rest = scanner.feed(wire_form(content) + b".\r\n")
    assert rest == b""
    assert scanner.clean
    lines = [line.removeprefix(b".") for line in read.split(b"\r\n")]
    assert b"\n".join(lines).removesuffix(b"\n") == content.removesuffix(b"\n")


@pytest.mark.parametrize(
    "bad",
    [
        *["joe", "@x", "a@", "a b@x", "a@b>", "a@b> SIZE=1", "a@b> <c@d", "<a@b>", "a@b\r\nDATA"],
        *["a\0@b", "a@b\ud800", "a@b\udcff", "a\u2028@b", " a@b", "a@b ", '"a\n"@b'],
    ],
)
def test_bad_addresses(bad):
    edge = Edge()
    with pytest.raises(AddressError):
        submit(edge, sender=bad)
    with pytest.raises(AddressError):
        submit(edge, recipients=["b@y.example", bad])
    assert not edge.intake.drafts


@pytest.mark.parametrize("recipients", [[], [""]])
def test_no_recipient(recipients):
    with pytest.raises(AddressError):
        submit(Edge(), recipients=recipients)


def test_no_account():
    edge = Edge(account(recipients=["*@y.example"]))
    assert refusal(edge, recipients=["b@y.example", "b@z.example"]) == "550 5.7.1"
    assert refusal(edge, sender="", recipients=["b@z.example"]) == "550 5.7.1"


def test_null_reverse_path_is_routed_by_the_author():
    edge = Edge(account("Sales", ["*@sales.example"]), account())
    submit(edge, b"From: joe@sales.example\n\nbody\n", sender="")
    assert edge.messages[0].accounts == {"Sales": ["b@y.example"]}


def test_too_large():
    edge = Edge(max_message_size=10)
    assert refusal(edge, b"12345678\n.") == "552 5.3.4"
    submit(edge, b"12345678\n")


@pytest.mark.parametrize("body", [b"", b"\nbody\n"])
def test_loop_and_header_too_large(body):
    assert refusal(Edge(), b"Received: x\n" * 50 + body) == "554 5.4.6"
    assert refusal(Edge(), b"A: b\n" * 100_000) == "552 5.3.4"


@pytest.mark.parametrize(
    ("content", "envelope", "eight_bit", "utf8"),
    [
        (b"a\n", {}, False, False),
        (b"\xe4\n", {}, True, False),
        (b"a\n", {"eight_bit": True, "utf8": True}, True, True),
        (b"a\n", {"sender": "ä@x.example"}, False, True),
        (b"a\n", {"recipients": ["b@ö.example"]}, False, True),
    ],
)
def test_what_the_mail_needs_of_servers(content, envelope, eight_bit, utf8):
    edge = Edge()
    submit(edge, content, **envelope)
    (message,) = edge.messages
    assert (message.envelope.eight_bit, message.envelope.utf8) == (eight_bit, utf8)


def test_slow_spool_is_waited_for():
    edge = Edge()
    edge.intake.room = Deferred()
    envelope = Envelope(reverse_path="a@x.example", recipients=("b@y.example",))
    names = []
    edge.submit(envelope, MAIL).addCallback(names.append)
    assert not edge.messages
    edge.intake.room.callback(None)
    assert len(edge.messages) == len(names) == 1


def test_fault_of_the_spool():
    edge = Edge()
    edge.intake.fault = SpoolError("disk")
    with pytest.raises(SpoolError):
        submit(edge)
