"""Debian's Postfix with the relay as its relay host, as in most installations."""

from __future__ import annotations

import collections
import os
import smtplib

import pytest

from tests.benchmarks.postfix import Postfix
from tests.interop.conftest import open_temporary_folder
from tests.interop.programs import needs, run, until
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = [
    needs("postfix", "smtp-source", "smtp-sink"),
    pytest.mark.skipif(os.getuid() != 0, reason="Postfix is started as root only"),
]

_HEADER = b"From: boss@sales.example\r\nTo: a@customer.example\r\nSubject: Hello\r\n\r\n"


def test_a_thousand_mails_from_postfix_arrive_exactly_once(tmp_path, open_folder, start):
    sink = start(Sink(tmp_path))
    relay = start(Relay(tmp_path, account("Sink", sink.address, sink.port, max_connections=10)))
    postfix = start(Postfix(open_folder, relay, 20))

    target = f"inet:{postfix.address}:{postfix.port}"
    load = ("-s", 10, "-m", 1000, "-l", 8192, "-N", "-d", "-f", "boss@sales.example")
    sent = run("smtp-source", *load, "-t", "@customer.example", target)
    assert sent.returncode == 0, sent.stdout
    until(lambda: sink.count() >= 1000, "1,000 mails arrive")
    until(lambda: postfix.waiting() == 0, "Postfix has none left")
    relay.stop()

    arrived = collections.Counter(sink.recipients())
    assert arrived == {f"{number}@customer.example": 1 for number in range(1, 1001)}
    assert relay.waiting() == 0


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relay")
    with (
        open_temporary_folder() as postfix_folder,
        ProviderProcess(folder, "127.0.1.1") as provider,
        Relay(folder, account("Only", provider.address, provider.port)) as relay,
        Postfix(postfix_folder, relay, 20) as postfix,
    ):
        yield postfix, provider


@pytest.mark.parametrize(
    ("sender", "recipients", "body", "options"),
    [
        ("boss@sales.example", ["a@customer.example"], b".\r\n..\r\n.x\r\n", []),
        ("", ["a@customer.example", "b@customer.example"], b"Hi.\r\n", []),
        (
            "boss@sales.example",
            ["a@customer.example"],
            "Grüße\r\n".encode("latin-1"),
            ["BODY=8BITMIME"],
        ),
        (
            "böss@sales.example",
            ["ä@bücher.example"],
            "Grüße\r\n".encode(),
            ["SMTPUTF8", "BODY=8BITMIME"],
        ),
    ],
    ids=["dots", "null reverse-path", "8-bit", "SMTPUTF8"],
)
def test_a_mail_from_postfix_arrives_as_it_was_sent(chain, sender, recipients, body, options):
    postfix, provider = chain
    with smtplib.SMTP(postfix.address, postfix.port, timeout=30) as client:
        assert client.sendmail(sender, recipients, _HEADER + body, options) == {}

    mail = provider.mail()
    assert (mail.reverse_path, mail.recipients) == (sender, tuple(recipients))
    header, _, arrived = mail.content.partition(b"\r\n\r\n")
    assert arrived == body
    assert b"by relay.example.com with " + (b"UTF8SMTP" if sender > "bö" else b"ESMTP") in header
