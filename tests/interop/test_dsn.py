"""Two relays in a row, and what a sender wants to be told (RFC 3461)."""

from __future__ import annotations

import email
import smtplib

import pytest

from tests.interop.programs import needs, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = needs("smtp-sink")
CONTENT = b"From: boss@sales.example\r\nSubject: Hello\r\n\r\nHi.\r\n"
ASKING = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Anna+2BB@customer.example"]


@pytest.mark.parametrize("fixed_sender", [False, True])
def test_the_last_one_that_can_tell_of_success_does_so_once(tmp_path, start, fixed_sender):
    sink = start(Sink(tmp_path, options=["-e"]))  # it says nothing of ESMTP, nor of DSN
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    trusted = '[[client]]\naddresses = ["127.0.0.0/8"]\nsuccess_reports = true\n'
    second = start(Relay(folders[1], trusted + account("Sink", sink.address, sink.port)))
    settings = {"fixed_sender": '"sales@sales.example"'} if fixed_sender else {}
    way = account("Second", second.address, second.port, **settings)
    first = start(Relay(folders[0], trusted + way))

    with smtplib.SMTP(first.address, first.port) as client:
        client.sendmail(
            "boss@sales.example",
            ["anna@customer.example"],
            CONTENT,
            mail_options=["RET=HDRS", "ENVID=QQ+2B1"],
            rcpt_options=ASKING,
        )
    until(lambda: sorted(sink.recipients())[1:], "the mail and a report arrive")
    for relay in (first, second):
        relay.stop()
        assert relay.waiting() == 0

    assert sorted(sink.recipients()) == ["anna@customer.example", "boss@sales.example"]
    (text,) = [
        file.read_text()
        for file in sink.mails.iterdir()
        if "X-Rcpt-Args: <boss@" in file.read_text()
    ]
    report = email.message_from_string(text)
    assert report.get_content_type() == "multipart/report"
    about_message, about_recipient = report.get_payload(1).get_payload()
    assert about_message["Original-Envelope-Id"] == "QQ+1"
    assert about_recipient["Original-Recipient"] == "rfc822; Anna+B@customer.example"
    assert about_recipient["Action"] == "relayed"
    # With a fixed sender, the second relay does not know whom to tell.
    server = second.address if fixed_sender else sink.address
    assert about_recipient["Remote-MTA"] == f"dns; {server}"
