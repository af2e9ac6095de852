"""The mail that leaves by an account: made without a session, and without a word to anybody."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.outgoing import prepare
from multisendcon_plugin.routing.account import Account, NullSender
from tests.relays import CONTENT, HEADER, delivery

FIXED = "sales@far.example"


def prepared(content=CONTENT, *, start=None, utf8=False, mail=(), **account):
    """Return a mail that was prepared.

    :param start: octets of the content that were read; ``None``: all.
    """
    account = Account(name="Sales", server="mx.example", **account)
    message = delivery(content, **dict(mail)).message
    return prepare(account, message, content[:start], utf8=utf8)


def test_a_mail_without_a_fixed_sender_is_the_message_as_it_lies_in_the_spool():
    mail = prepared()
    assert mail.reverse_path == "boss@a.example"
    assert mail.own_sender
    assert mail.start[: mail.header_size] == HEADER
    assert mail.size == len(CONTENT) - 1  # the dot that SMTP added
    assert not mail.utf8
    assert mail.start == CONTENT


@pytest.mark.parametrize(
    ("account", "needed"),
    [
        ({}, len(HEADER)),
        ({"fixed_sender": FIXED}, len(HEADER) + 2),  # whether an empty line follows
    ],
)
def test_no_more_of_the_content_is_needed_than_the_header_takes(account, needed):
    assert all(prepared(start=n, **account) is None for n in range(needed))
    mail = prepared(start=needed, **account)
    assert mail.start[mail.header_size :] == CONTENT[len(HEADER) : needed]
    assert attrs.evolve(mail, start=b"") == attrs.evolve(prepared(**account), start=b"")


def test_a_fixed_sender_is_in_reverse_path_header_and_size():
    mail = prepared(fixed_sender=FIXED)
    assert mail.reverse_path == FIXED
    assert not mail.own_sender
    assert mail.start[: mail.header_size].startswith(f"From: Boss <{FIXED}>\r\n".encode())
    assert mail.start.endswith(CONTENT[len(HEADER) :])
    assert mail.size == len(mail.start) - 1


@pytest.mark.parametrize(
    ("null_sender", "path", "own"),
    [(NullSender.PASS, "", True), (NullSender.REPLACE, FIXED, False)],
)
def test_the_null_reverse_path_is_the_clients_unless_it_is_replaced(null_sender, path, own):
    mail = prepared(fixed_sender=FIXED, null_sender=null_sender, mail={"reverse_path": ""})
    assert (mail.reverse_path, mail.own_sender) == (path, own)


@pytest.mark.parametrize("fixed_sender", [None, FIXED])
def test_an_empty_line_is_put_where_a_header_with_a_fixed_sender_ends_at_no_field(fixed_sender):
    content = HEADER + b"no field\r\n\r\nbody\r\n"
    mail = prepared(content, mail={"header_size": len(HEADER)}, fixed_sender=fixed_sender)
    assert mail.separated is bool(fixed_sender)
    between = b"\r\n" if fixed_sender else b""
    assert mail.start[mail.header_size :] == between + content[len(HEADER) :]
    assert mail.size == len(mail.start)


@pytest.mark.parametrize("utf8", [True, False])
def test_an_international_author_goes_to_reply_to_where_that_may_go_beyond_ascii(utf8):
    content = "From: b\u00fcro@a.example\r\n\r\nhello\r\n".encode()
    mail = prepared(content, fixed_sender=FIXED, utf8=utf8, mail={"utf8": True})
    assert ("Reply-To: b\u00fcro@a.example".encode() in mail.start) is utf8
    assert mail.utf8
