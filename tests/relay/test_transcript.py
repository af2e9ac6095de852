"""The transcript of a session: what is in it, what never is, and that it has an end."""

from __future__ import annotations

import pytest

from multisendcon_plugin.relay.redaction import Redaction
from multisendcon_plugin.relay.transcript import LONGEST_LINE, MOST_LINES, Transcript


def transcript(*secrets):
    redaction = Redaction()
    redaction.hide(*secrets)
    return Transcript(redaction)


def test_lines_are_noted_in_whatever_segments_they_come():
    said = transcript()
    said.note("192.0.2.1")
    said.heard(b"220 a\r\n250")
    said.said(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
    said.heard(b"-b\n250 c\xff\x07\r")
    said.heard(b"\n")
    assert said.lines == [
        "(192.0.2.1)",
        "S: 220 a",
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250-b",
        "S: 250 c\\xff ",
    ]


def test_of_the_content_only_the_size_is_noted():
    said = transcript()
    said.said(b"DATA\r\n")
    said.heard(b"354 go\r\n")
    said.said(b"From: a\r\n\r\nAUTH PLAIN x\r\n")
    said.said(b".\r\n")
    said.heard(b"250 ok\r\n")
    said.said(b"QUIT\r\n")
    assert said.lines == [
        "C: DATA",
        "S: 354 go",
        "C: (content, 28 bytes)",
        "S: 250 ok",
        "C: QUIT",
    ]


def test_the_content_begins_after_all_lines_of_the_reply():
    said = transcript(b"s3cret")
    said.said(b"DATA\r\n")
    said.heard(b"354-s3c\r\n354 ret\r\n")
    said.said(b"a\r\n.\r\n")
    said.heard(b"250 ok\r\n")
    assert said.lines == [
        "C: DATA",
        "S: 354-***",
        "S: 354 ***",
        "C: (content, 6 bytes)",
        "S: 250 ok",
    ]


def test_a_354_that_nobody_asked_for_begins_no_content():
    said = transcript()
    said.heard(b"354 go\r\n")
    said.said(b"EHLO a\r\n")
    assert said.lines == ["S: 354 go", "C: EHLO a"]


def test_responses_of_a_login_are_never_noted():
    said = transcript()
    said.said(b"AUTH LOGIN\r\n")
    said.heard(b"334 VXNlcm5hbWU6\r\n")
    said.said(b"c2FsZXM=\r\n")
    said.heard(b"334-a\r\n334 b\r\n")
    said.said(b"czNjcmV0\r\n")
    said.heard(b"334 \r\n")
    said.said(b"*\r\n")
    said.said(b"auth PLAIN AHNhbGVzAHMzY3JldA==\r\n")
    assert said.lines == [
        "C: AUTH LOGIN",
        "S: 334 ***",
        "C: ***",
        "S: 334 ***",
        "S: 334 ***",
        "C: ***",
        "S: 334 ***",
        "C: *",
        "C: auth PLAIN ***",
    ]


def test_secrets_that_a_server_repeats_are_hidden():
    said = transcript(b"s3cret")
    said.heard(b"250 S3CRET\r\n250 czNjcm")
    said.heard(b"V0\r\n")
    assert said.lines == ["S: 250 ***", "S: 250 ***"]


def test_a_secret_that_goes_over_the_end_of_a_line_is_hidden():
    said = transcript(b"s3cret word")
    said.heard(b"550-5.7.1 not s3cr\r\n550-5.7.1 et\r\n550 5.7.1 word\r\n")
    said.heard(b"250-s3cret ")
    said.heard(b"word\r\n250 ok\r\ns3cret word\r\n550-cut")
    assert said.lines == [
        "S: 550-***",
        "S: 550-***",
        "S: 550 ***",
        "S: 250-***",
        "S: 250 ok",
        "S: ***",
    ]
    said.heard(b" off\r\n")
    said.note("it is gone")
    assert said.lines[-2:] == ["S: 550-cut off", "(it is gone)"]


@pytest.mark.parametrize("line", [b"250-more\r\n", b"x" * 100_000, b"x" * 10_000 + b"\r\n"])
def test_a_server_that_never_ends_fills_no_memory(line):
    said = transcript()
    for _ in range(2 * MOST_LINES):
        said.heard(line)
    assert len(said.lines) <= MOST_LINES + 1
    assert max(map(len, said.lines)) <= LONGEST_LINE
    assert len(said._heard) < 200_000
