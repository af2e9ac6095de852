"""An attachment of 40 MB, which is 55 MB on the wire."""

from __future__ import annotations

import base64
import os
import random
import smtplib

import pytest

from tests.benchmarks.postfix import Postfix
from tests.interop.programs import needs, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

HEADER = (
    b"From: boss@sales.example\nMIME-Version: 1.0\nContent-Type: application/octet-stream\n"
    b"Content-Transfer-Encoding: base64\n\n"
)
ENCODED = base64.encodebytes(random.Random(40).randbytes(40_000_000))
MAIL = (HEADER + ENCODED).replace(b"\n", b"\r\n")


@needs("smtp-sink")
@pytest.mark.parametrize("through_postfix", [False, pytest.param(True, marks=needs("postfix"))])
def test_an_attachment_of_40_megabytes_arrives_whole(tmp_path, open_folder, start, through_postfix):
    sink = start(Sink(tmp_path))
    relay = start(
        Relay(
            tmp_path,
            account("Sink", sink.address, sink.port),
            settings='max_message_size = "100 MiB"',
        )
    )
    server = relay
    if through_postfix:
        if os.getuid():
            pytest.skip("Postfix is started as root only")
        server = start(Postfix(open_folder, relay, 20))
    with smtplib.SMTP(server.address, server.port, timeout=60) as client:
        client.sendmail("boss@sales.example", ["a@customer.example"], MAIL)

    until(sink.count, "the mail begins to arrive")
    until(lambda: relay.waiting() == 0, "the relay has delivered it")
    [file] = sink.mails.iterdir()
    # smtp-sink writes lines as they are on this system.
    assert file.read_bytes().partition(b"\n\n")[2].rstrip() == ENCODED.rstrip()
