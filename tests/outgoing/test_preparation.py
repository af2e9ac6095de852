"""The mail that leaves by an account: made without a session, and without a word to anybody."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.outgoing import next_piece, prepare
from multisendcon_plugin.routing.account import Account, NullSender
from tests.relays import CONTENT, HEADER, Content, delivery

FIXED = "sales@far.example"


class Prepared:
    """A mail that was prepared, or is being prepared.

    :ivar content: as it was opened.
    """

    def __init__(self, content=CONTENT, *, pieces=None, utf8=False, mail=(), **account):
        self.account = Account(name="Sales", server="mx.example", **account)
        self.opened = []
        self.results = []
        message = delivery(content, **dict(mail)).message
        pieces = [content] if pieces is None else pieces

        def open_content():
            self.opened.append(Content(pieces))
            return self.opened[-1]

        preparing = prepare(self.account, message, open_content, utf8=utf8)
        Deferred.fromCoroutine(preparing).addBoth(self.results.append)

    @property
    def content(self):
        (opened,) = self.opened
        return opened

    @property
    def mail(self):
        (mail,) = self.results
        return mail

    def whole(self):
        """Return what leaves."""
        octets = [self.mail.start]
        while piece := self.read():
            octets.append(piece)
        return b"".join(octets)

    def read(self):
        read = []
        Deferred.fromCoroutine(next_piece(self.mail.rest)).addBoth(read.append)
        return read.pop()


@pytest.mark.parametrize("length", [1, 7, len(HEADER), len(HEADER) + 1, len(CONTENT)])
def test_a_mail_without_a_fixed_sender_is_the_message_as_it_lies_in_the_spool(length):
    pieces = [CONTENT[n : n + length] for n in range(0, len(CONTENT), length)]
    prepared = Prepared(pieces=pieces)
    mail = prepared.mail
    assert mail.reverse_path == "boss@a.example"
    assert mail.own_sender
    assert mail.start[: mail.header_size] == HEADER
    assert mail.size == len(CONTENT) - 1  # the dot that SMTP added
    assert not mail.utf8
    assert prepared.whole() == CONTENT


def test_no_more_is_read_than_the_header_takes():
    prepared = Prepared(pieces=[HEADER, CONTENT[len(HEADER) :]])
    assert prepared.mail.start == HEADER
    assert prepared.content.pieces == [CONTENT[len(HEADER) :]]
    assert not prepared.content.closed


def test_a_fixed_sender_is_in_reverse_path_header_and_size():
    prepared = Prepared(fixed_sender=FIXED)
    mail = prepared.mail
    assert mail.reverse_path == FIXED
    assert not mail.own_sender
    assert mail.start[: mail.header_size].startswith(f"From: Boss <{FIXED}>\r\n".encode())
    whole = prepared.whole()
    assert whole.endswith(CONTENT[len(HEADER) :])
    assert mail.size == len(whole) - 1


@pytest.mark.parametrize(
    ("null_sender", "path", "own"),
    [(NullSender.PASS, "", True), (NullSender.REPLACE, FIXED, False)],
)
def test_the_null_reverse_path_is_the_clients_unless_it_is_replaced(null_sender, path, own):
    mail = Prepared(fixed_sender=FIXED, null_sender=null_sender, mail={"reverse_path": ""}).mail
    assert (mail.reverse_path, mail.own_sender) == (path, own)


@pytest.mark.parametrize("fixed_sender", [None, FIXED])
def test_an_empty_line_is_put_where_a_header_with_a_fixed_sender_ends_at_no_field(fixed_sender):
    content = HEADER + b"no field\r\n\r\nbody\r\n"
    prepared = Prepared(content, mail={"header_size": len(HEADER)}, fixed_sender=fixed_sender)
    mail = prepared.mail
    assert mail.separated is bool(fixed_sender)
    between = b"\r\n" if fixed_sender else b""
    assert mail.start[mail.header_size :] == between + content[len(HEADER) :]
    assert mail.size == len(prepared.whole())


@pytest.mark.parametrize("utf8", [True, False])
def test_an_international_author_goes_to_reply_to_where_that_may_go_beyond_ascii(utf8):
    content = "From: b\u00fcro@a.example\r\n\r\nhello\r\n".encode()
    prepared = Prepared(content, fixed_sender=FIXED, utf8=utf8, mail={"utf8": True})
    assert ("Reply-To: b\u00fcro@a.example".encode() in prepared.mail.start) is utf8
    assert prepared.mail.utf8


@pytest.mark.parametrize(
    "pieces",
    [[HEADER[:9]], [HEADER[:9], SpoolError("damaged")]],
    ids=["it is too short", "it cannot be read"],
)
def test_what_cannot_be_read_is_closed(pieces):
    prepared = Prepared(pieces=pieces)
    (failure,) = prepared.results
    assert failure.check(SpoolError)
    assert prepared.content.closed == 1


def test_a_content_that_comes_later_is_waited_for():
    later = Deferred()
    prepared = Prepared(pieces=[later])
    assert prepared.results == []
    later.callback(CONTENT)
    assert prepared.whole() == CONTENT
