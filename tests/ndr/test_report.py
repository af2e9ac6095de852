from __future__ import annotations

import email
import email.policy
import re
import textwrap

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.header import identity
from multisendcon_plugin.mail.message import Message, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.ndr import Facts, ReportAction, addressees, report, returned_size, wanted
from multisendcon_plugin.outcome.attempt import Outcome, Verdict
from multisendcon_plugin.settings.values import NdrSettings, ReportTo

ARRIVED = 1_763_908_140.0  # Sun, 23 Nov 2025 14:29:00 UTC
HOUR = 3600.0
DAY = 24 * HOUR

SETTINGS = NdrSettings(
    postmaster="postmaster@example.com", sender="mailer-daemon@relay.example.com"
)
HEADER = b"From: boss@example.com\r\nSubject: Hello\r\nMessage-ID: <1@example.com>\r\n"

UNKNOWN_USER = Reply(550, "5.1.1", "No such user here")
GREYLISTED = Reply(450, "4.7.1", "Come back in five minutes")
LOST = Reply(0, "", "connection lost")

POLICIES = [email.policy.default, email.policy.compat32]
both_policies = pytest.mark.parametrize("policy", POLICIES, ids=["default", "compat32"])


def outcome(
    address="nobody@b.example", verdict=Verdict.FAILED, phase=Phase.RCPT, reply=UNKNOWN_USER
):
    recipient = Recipient(address=address, reason="test")
    return Outcome(recipient=recipient, verdict=verdict, phase=phase, reply=reply)


def facts(*outcomes, action=ReportAction.FAILED, sender="boss@example.com", **changes):
    message = Message(
        number=12345,
        envelope=Envelope(reverse_path=sender, recipients=("nobody@b.example",)),
        size=1000,
        header_size=len(HEADER),
        arrived=ARRIVED,
    )
    values = {
        "action": action,
        "message": message,
        "outcomes": outcomes or (outcome(),),
        "hostname": "relay.example.com",
        "server": "smtp.provider.example",
        "now": ARRIVED + 4 * HOUR,
        "retry_until": ARRIVED + 3 * DAY,
    }
    return Facts(**(values | changes))


def reported(about, header=HEADER, recipient="boss@example.com", settings=SETTINGS):
    message = attrs.evolve(about.message, header_size=len(header))
    about = attrs.evolve(about, message=message)
    return report(about, header, settings=settings, recipient=recipient)


def unstuffed(content):
    return content.replace(b"\r\n.", b"\r\n")


def parsed(made, policy=email.policy.default):
    return email.message_from_bytes(unstuffed(made.content), policy=policy)


def part_bytes(made, number):
    """Return a part as it stands on the wire: its header, its body."""
    content = unstuffed(made.content)
    boundary = re.search(rb'boundary="([^"]+)"', content)[1]
    part = content.split(b"\r\n--" + boundary)[number].removeprefix(b"\r\n")
    header, _, body = part.partition(b"\r\n\r\n")
    return header, body


def recipient_fields(made):
    """Return the fields of each recipient in the machine-readable part."""
    groups = parsed(made, email.policy.compat32).get_payload(1).get_payload()
    return [dict(group.items()) for group in groups[1:]]


def words(made):
    return parsed(made).get_payload(0).get_content()


FAILED_REPORT = """\
Date: Sun, 23 Nov 2025 18:29:00 -0000
From: Mail Delivery System <mailer-daemon@relay.example.com>
To: <boss@example.com>
Subject: Mail delivery failed
Message-ID: <DIGEST@relay.example.com>
In-Reply-To: <1@example.com>
References: <1@example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="=_DIGEST"
Content-Transfer-Encoding: 7bit

--=_DIGEST
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Your message of Sun, 23 Nov 2025 14:29:00 UTC could not be delivered to
the recipients below. Recipients who are not listed are not affected.

<nobody@b.example>
<nobody.else@b.example>

    The mail server does not know this address. Check the address for
    typing mistakes, then send the message again.

    The mail server smtp.provider.example said:
    550 5.1.1 No such user here

<late@b.example>

    The mail server cannot be reached, or breaks off the connection. All
    attempts have failed, the last one on Sun, 23 Nov 2025 18:29:00 UTC.
    Send the message again later. If that fails too, show this report to
    the administrator of your mail system.

    Details:
    connection lost

--\x20
This report was created automatically by the mail server
relay.example.com; please do not reply to it. The ID of the message
there is C1S. Details for administrators, and the header of the message,
are attached.

--=_DIGEST
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; relay.example.com
Arrival-Date: Sun, 23 Nov 2025 14:29:00 -0000

Final-Recipient: rfc822; nobody@b.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; smtp.provider.example
Diagnostic-Code: smtp; 550 5.1.1 No such user here
Last-Attempt-Date: Sun, 23 Nov 2025 18:29:00 -0000

Final-Recipient: rfc822; nobody.else@b.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; smtp.provider.example
Diagnostic-Code: smtp; 550 5.1.1 No such user here
Last-Attempt-Date: Sun, 23 Nov 2025 18:29:00 -0000

Final-Recipient: rfc822; late@b.example
Action: failed
Status: 4.4.7
Diagnostic-Code: X-Multisendcon; connection lost
Last-Attempt-Date: Sun, 23 Nov 2025 18:29:00 -0000

--=_DIGEST
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

From: boss@example.com
Subject: Hello
Message-ID: <1@example.com>

--=_DIGEST--
"""

DELAYED_REPORT = """\
Date: Sun, 23 Nov 2025 18:29:00 -0000
From: Mail Delivery System <mailer-daemon@relay.example.com>
To: <boss@example.com>
Subject: Mail delivery is delayed
Message-ID: <DIGEST@relay.example.com>
In-Reply-To: <1@example.com>
References: <1@example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="=_DIGEST"
Content-Transfer-Encoding: 7bit

--=_DIGEST
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Your message of Sun, 23 Nov 2025 14:29:00 UTC has not been delivered to
the recipients below yet. Delivery will be tried again until Wed, 26 Nov
2025 14:29:00 UTC.

You do not have to do anything. Please do not send the message again.

<slow@b.example>

    The mail server does not accept the message because of its rules,
    for example against spam.

    The mail server smtp.provider.example said:
    450 4.7.1 Come back in five minutes

--\x20
This report was created automatically by the mail server
relay.example.com; please do not reply to it. The ID of the message
there is C1S. Details for administrators, and the header of the message,
are attached.

--=_DIGEST
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; relay.example.com
Arrival-Date: Sun, 23 Nov 2025 14:29:00 -0000

Final-Recipient: rfc822; slow@b.example
Action: delayed
Status: 4.7.1
Remote-MTA: dns; smtp.provider.example
Diagnostic-Code: smtp; 450 4.7.1 Come back in five minutes
Last-Attempt-Date: Sun, 23 Nov 2025 18:29:00 -0000
Will-Retry-Until: Wed, 26 Nov 2025 14:29:00 -0000

--=_DIGEST
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

From: boss@example.com
Subject: Hello
Message-ID: <1@example.com>

--=_DIGEST--
"""

LATE = outcome("late@b.example", Verdict.DEFERRED, Phase.END, LOST)
SLOW = outcome("slow@b.example", Verdict.DEFERRED, Phase.RCPT, GREYLISTED)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (facts(outcome(), outcome("nobody.else@b.example"), LATE), FAILED_REPORT),
        (facts(SLOW, action=ReportAction.DELAYED), DELAYED_REPORT),
    ],
    ids=["failed", "delayed"],
)
def test_a_whole_report(about, expected):
    text = reported(about).content.decode("ascii")
    digest = re.search(r"Message-ID: <([0-9a-f]{32})@", text)[1]
    assert text.replace(digest, "DIGEST").split("\r\n") == expected.split("\n")


@both_policies
def test_a_report_has_three_parts(policy):
    found = parsed(reported(facts()), policy)
    assert found.get_content_type() == "multipart/report"
    assert found.get_param("report-type") == "delivery-status"
    assert not found.defects
    assert [part.get_content_type() for part in found.get_payload()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert not any(part.defects for part in found.get_payload())


def test_a_report_has_the_null_reverse_path_and_says_that_it_is_automatic():
    made = reported(facts())
    message_id, subject = identity(made.content[: made.header_size])
    assert message_id
    assert made.envelope == Envelope(
        reverse_path="",
        recipients=("boss@example.com",),
        author=SETTINGS.sender,
        message_id=message_id,
        subject=subject,
    )
    found = parsed(made)
    assert found["Auto-Submitted"] == "auto-replied"
    assert found["From"].addresses[0].addr_spec == "mailer-daemon@relay.example.com"
    assert found["To"].addresses[0].addr_spec == "boss@example.com"


def test_the_header_size_ends_before_the_empty_line():
    made = reported(facts())
    header, rest = made.content[: made.header_size], made.content[made.header_size :]
    assert header.endswith(b"Content-Transfer-Encoding: 7bit\r\n")
    assert b"\r\n\r\n" not in header
    assert rest.startswith(b"\r\n--")


def test_equal_reports_are_equal_to_the_byte_and_others_have_another_message_id():
    first = reported(facts())
    assert reported(facts()) == first
    ids = {
        parsed(made)["Message-ID"]
        for made in (
            first,
            reported(facts(), recipient="postmaster@example.com"),
            reported(facts(), recipient="postmaster@example.net"),
            reported(facts(now=ARRIVED + 4 * HOUR + 0.001)),
            reported(facts(outcome("else@b.example"))),
            reported(facts(hostname="other.example.com")),
        )
    }
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("field", "message_id"),
    [
        (b"Message-ID: <1@a>\r\n", "<1@a>"),
        (b"message-id:<1@a> \r\n", "<1@a>"),
        (b"Message-ID:\r\n <1@a>\r\n", "<1@a>"),
        (b"X: 1\r\nMessage-Id: <1@a>\r\nY: 2\r\n", "<1@a>"),
        (b"", None),
        (b"X-Message-ID: <1@a>\r\n", None),
        (b"Message-ID: 1@a\r\n", None),
        (b"Message-ID: <1 2@a>\r\n", None),
        (b"Message-ID: <1@a> <2@a>\r\n", None),
        (b"Message-ID: <\xc3\xa9@a>\r\n", None),
        (b"Message-ID: <1@a\r\nBcc: x@y>\r\n", None),
        (b"Message-ID: <" + b"1" * 1000 + b"@a>\r\n", None),
    ],
)
def test_a_report_answers_the_original_if_its_message_id_is_sound(field, message_id):
    found = parsed(reported(facts(), b"From: a@b\r\n" + field))
    assert found["In-Reply-To"] == message_id
    assert found["References"] == message_id
    assert found["Bcc"] is None


# The original header.


@both_policies
@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        b"",
        b"no colon here\r\n",
        b"Subject: a\r\n\tfolded\r\n  line \r\n",
        b"Subject: ends without CRLF",
        "Subject: Grüße\r\nFrom: a@b\r\n".encode(),
        b"Subject: Gr\xfc\xdfe\r\nFrom: a@b\r\n",
        b"Subject: a bare \n\r\n",
        b"Subject: a bare \r, too\r\n",
        b"Subject: a NUL \x00\r\n",
        b"Subject: " + b"long " * 300 + b"\r\n",
    ],
    ids=["plain", "empty", "broken", "folded", "cut", "utf8", "latin1", "LF", "CR", "NUL", "long"],
)
def test_the_original_header_comes_back_to_the_byte(header, policy):
    made = reported(facts(), header)
    part = parsed(made, policy).get_payload(2)
    assert part.get_content_type() == "text/rfc822-headers"
    if part["Content-Transfer-Encoding"] == "7bit":
        assert part_bytes(made, 3)[1] == header
    else:
        assert part.get_payload(decode=True) == header
    assert made.content.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", made.content)
    assert max(map(len, made.content.split(b"\r\n"))) <= 998


def test_the_original_header_is_unstuffed_and_the_report_is_stuffed():
    made = reported(facts(), b"..first: 1\r\n..\r\n...three: 3\r\n")
    assert part_bytes(made, 3)[1] == b".first: 1\r\n.\r\n..three: 3\r\n"
    assert b"\r\n\r\n..first: 1\r\n..\r\n...three: 3\r\n" in made.content


def test_a_header_that_imitates_a_boundary_does_not_end_the_part():
    innocent = reported(facts())
    boundary = re.search(rb'boundary="([^"]+)"', innocent.content)[1]
    made = reported(facts(), b"--" + boundary + b"--\r\n")
    assert len(parsed(made).get_payload()) == 3
    assert part_bytes(made, 3)[1] == b"--" + boundary + b"--\r\n"


lines = (st.binary(max_size=80) | st.from_regex(rb"[ -~]{0,80}", fullmatch=True)).filter(
    lambda line: b"\r\n" not in line
)


@given(st.lists(lines, max_size=8))
def test_any_header_comes_back_to_the_byte(lines):
    header = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in lines)
    made = reported(facts(), stuffed)
    part = parsed(made, email.policy.compat32).get_payload(2)
    if part["Content-Transfer-Encoding"] == "quoted-printable":
        assert part.get_payload(decode=True) == header
    else:
        assert part_bytes(made, 3)[1] == header
    assert made.content.isascii()


# The fields for programs.


@pytest.mark.parametrize(
    ("action", "verdict", "reply", "status"),
    [
        (ReportAction.FAILED, Verdict.FAILED, UNKNOWN_USER, "5.1.1"),
        (ReportAction.FAILED, Verdict.FAILED, Reply(550, "", "no"), "5.0.0"),
        (ReportAction.FAILED, Verdict.DEFERRED, GREYLISTED, "4.7.1"),
        (ReportAction.FAILED, Verdict.DEFERRED, Reply(535, "5.7.8", "bad login"), "4.7.8"),
        (ReportAction.FAILED, Verdict.DEFERRED, Reply(450, "", "later"), "4.4.7"),
        (ReportAction.FAILED, Verdict.UNCERTAIN, LOST, "4.4.7"),
        (ReportAction.DELAYED, Verdict.DEFERRED, GREYLISTED, "4.7.1"),
        (ReportAction.DELAYED, Verdict.DEFERRED, Reply(450, "", "later"), "4.0.0"),
        (ReportAction.DELAYED, Verdict.UNCERTAIN, LOST, "4.0.0"),
    ],
)
def test_status_codes(action, verdict, reply, status):
    (fields,) = recipient_fields(
        reported(facts(outcome(verdict=verdict, reply=reply), action=action))
    )
    assert fields["Status"] == status
    assert fields["Action"] == action.value
    assert ("Will-Retry-Until" in fields) == (action is ReportAction.DELAYED)


def test_our_own_finding_is_not_put_in_the_servers_mouth():
    (fields,) = recipient_fields(reported(facts(outcome(reply=LOST))))
    assert fields["Diagnostic-Code"] == "X-Multisendcon; connection lost"
    assert "Remote-MTA" not in fields


def test_a_long_reply_is_folded():
    reply = Reply(550, "5.7.1", "because " * 25 + "x" * 60)
    made = reported(facts(outcome(reply=reply)))
    (fields,) = recipient_fields(made)
    said = " ".join(fields["Diagnostic-Code"].split())
    assert said.startswith("smtp; 550 5.7.1 because because")
    assert said.replace(" ", "").endswith("x" * 60)
    assert max(map(len, made.content.split(b"\r\n"))) <= 78
    assert "x" * 60 in words(made)


# How large a report may get.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 290, "550 5.7.1 " + "x" * 290),
        ("x" * 291, "550 5.7.1 " + "x" * 287 + "..."),
        ("x" * 2000, "550 5.7.1 " + "x" * 287 + "..."),
        ("\n".join("x" * 100), "550 5.7.1 " + " ".join("x" * 100)),
    ],
)
def test_a_reply_has_at_most_300_characters(text, shown):
    made = reported(facts(outcome(reply=Reply(550, "5.7.1", text))))
    (fields,) = recipient_fields(made)
    in_fields = " ".join(fields["Diagnostic-Code"].split()).removeprefix("smtp; ")
    assert in_fields.replace(" ", "") == shown.replace(" ", "")
    assert shown.replace(" ", "") in "".join(words(made).split())


def test_fifty_recipients_stand_there_with_their_replies_the_others_by_address():
    many = [outcome(f"r{n}@b.example", reply=Reply(550, "5.1.1", f"no {n}")) for n in range(1000)]
    made = reported(facts(*many))
    text = words(made).replace("\r\n", "\n")
    assert len(re.findall(r"550 5.1.1 no \d+\n", text)) == 50
    assert re.findall(r"<(r\d+@b\.example)>", text) == [f"r{n}@b.example" for n in range(1000)]
    assert "And 950 more recipients, without what was said of each. The log of" in text
    fields = recipient_fields(made)
    assert [len(each) for each in fields] == [6] * 50 + [3] * 950
    assert all(each["Status"] == "5.1.1" for each in fields)


LONG = 250 * "x"
ATTACKS = {
    "30 KB": (1000, "a@{n}.example", "x"),
    "long addresses": (1000, f"{{n}}{LONG}@b.example", "x"),
    "international": (1000, "{n}" + 60 * "😀" + "@b.example", "😀"),
    "to be encoded": (1000, "{n}" + 250 * "=" + "@b.example", "="),
    "endless local parts": (1000, "{n}" + 5000 * "é" + "@b.example", "é"),
    "very many": (4_000, "{n}@b.example", "."),
}


@pytest.mark.parametrize(("count", "address", "character"), ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("action", ReportAction)
@pytest.mark.parametrize(
    "recipient", ["boss@example.com", "ä" * 64 + "@example.com"], ids=["ascii", "utf8"]
)
def test_no_report_is_larger_than_256_kib(count, address, character, action, recipient):
    """From 30 KB of commands a report of 40.9 MB was made."""
    many = [
        asked(
            Notify.SUCCESS | Notify.FAILURE | Notify.DELAY,
            original="rfc822;" + "+3D" * 160,
            address=address.format(n=n),
            reply=Reply(550, "5.1.1", f"{n} {character * 1990}"),
        )
        for n in range(count)
    ]
    header = b"From: a@b\r\n" + b"X: " + b"\xff" * 250_000 + b"\r\n"
    made = reported(facts(*many, action=action, sender="s" * 5000 + "@x"), header, recipient)
    assert len(made.content) <= 256 * 1024
    text = " ".join(words(made).split())
    assert count - 50 <= int(re.search(r"And (\d+) more recipients, ", text)[1]) < count
    assert b"\r\nFinal-Recipient: " in made.content
    assert not parsed(made).defects


@pytest.mark.parametrize(
    ("header", "returned", "what"),
    [
        (HEADER + b"X: " + b"x" * 16_000 + b"\r\n", None, "the header of the message"),
        (HEADER + b"X: " + b"x" * 17_000 + b"\r\n", HEADER, "the beginning of its header"),
        (b"X: " + b"x" * 17_000 + b"\r\n", b"X: " + b"x" * 16_379 + b"\r\n", "the beginning of"),
        (b"X: 1\r\n" * 100_000, b"X: 1\r\n" * 2730, "the beginning of its header"),
    ],
)
def test_a_header_comes_back_up_to_16_kib_of_whole_lines(header, returned, what):
    made = reported(facts(), header)
    part = parsed(made, email.policy.compat32).get_payload(2)
    assert part.get_payload(decode=True) == (returned or header)
    assert f"and {what}" in " ".join(words(made).split())


def test_a_message_for_which_there_is_no_room_comes_back_as_its_header():
    content = HEADER + b"\r\n" + b"..\r\n" * 49_000
    message = attrs.evolve(facts().message, header_size=len(HEADER), size=len(content))
    many = [outcome(f"{n}@{LONG}.example", reply=Reply(550, "", f"{n}")) for n in range(1000)]
    few = reported_whole(message, many[:1], content)
    assert b"message/rfc822\r\n" in few.content
    made = reported_whole(message, many, content)
    assert b"text/rfc822-headers" in made.content
    assert len(made.content) <= 256 * 1024


def reported_whole(message, outcomes, content):
    about = attrs.evolve(facts(*outcomes), message=message)
    return report(about, content, settings=SETTINGS, recipient="boss@example.com")


def test_control_characters_make_no_new_lines():
    reply = Reply(550, "5.1.1", "a\r\nBcc: b\x00c\x85d\u2028e\x1b[0m")
    made = reported(
        facts(outcome('"x\r\nBcc: y\x85\u2028"@b.example', reply=reply)),
        recipient="boss@example.com>\r\nBcc: <z@b.example",
    )
    assert re.search(rb"(?im)^\s*bcc", made.content) is None
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", made.content)
    assert not re.search("[\x85\u2028]", words(made))


# Text and addresses that are not ASCII.


def test_a_reply_in_another_language_is_shown_and_stays_seven_bit():
    made = reported(facts(outcome(reply=Reply(550, "5.1.1", "Empfänger unbekannt"))))
    assert made.content.isascii()
    assert not made.envelope.eight_bit
    assert not made.envelope.utf8
    assert "550 5.1.1 Empfänger unbekannt" in words(made)
    (fields,) = recipient_fields(made)
    assert fields["Diagnostic-Code"] == r"smtp; 550 5.1.1 Empf\xe4nger unbekannt"


def test_a_report_to_an_ascii_address_writes_utf8_addresses_in_seven_bit():
    made = reported(facts(outcome("jürgen+ü=1@bücher.example")))
    assert made.content.isascii()
    assert not made.envelope.utf8
    (fields,) = recipient_fields(made)
    assert fields["Final-Recipient"] == (
        r"utf-8; j\x{FC}rgen\x{2B}\x{FC}\x{3D}1@b\x{FC}cher.example"
    )
    assert "<jürgen+ü=1@bücher.example>" in words(made)


def test_a_report_to_a_utf8_address_is_international():
    header = "Subject: Grüße\r\n".encode()
    made = reported(
        facts(outcome("jürgen@b.example"), sender="chefin@bücher.example"),
        header,
        recipient="chefin@bücher.example",
    )
    assert made.envelope.utf8
    assert made.envelope.eight_bit
    assert "To: <chefin@bücher.example>\r\n".encode() in made.content[: made.header_size]
    assert parsed(made)["Content-Transfer-Encoding"] == "8bit"

    part_header, body = part_bytes(made, 2)
    assert part_header == (
        b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"
    )
    assert "\r\nFinal-Recipient: utf-8; jürgen@b.example\r\n".encode() in body

    part_header, body = part_bytes(made, 3)
    assert part_header == (
        b"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit"
    )
    assert body == header


def test_an_international_report_does_not_call_latin1_utf8():
    made = reported(facts(), b"Subject: Gr\xfc\xdfe\r\n", recipient="chefin@bücher.example")
    part = parsed(made).get_payload(2)
    assert part.get_content_type() == "text/rfc822-headers"
    assert part.get_payload(decode=True) == b"Subject: Gr\xfc\xdfe\r\n"


# The words for people.


def test_one_refusal_of_many_recipients_is_told_once():
    refusal = Reply(554, "5.7.1", "This is spam")
    many = [outcome(f"r{n}@b.example", phase=Phase.END, reply=refusal) for n in range(100)]
    made = reported(facts(*many))
    text = words(made)
    assert text.count("This is spam") == 1
    assert all(f"<r{n}@b.example>" in text for n in range(100))
    assert len(recipient_fields(made)) == 100


@pytest.mark.parametrize(
    ("sender", "recipient", "beginning"),
    [
        ("boss@example.com", "Boss@Example.com", "Your message of"),
        (
            "boss@example.com",
            "postmaster@example.com",
            "A message from <boss@example.com> of",
        ),
        ("", "postmaster@example.com", "A message without a sender address of"),
    ],
)
def test_the_reader_is_told_whose_message_it_was(sender, recipient, beginning):
    made = reported(facts(sender=sender), recipient=recipient)
    assert words(made).startswith(beginning)


def test_a_lost_confirmation_is_not_called_a_failure():
    lost = outcome(verdict=Verdict.UNCERTAIN, phase=Phase.END, reply=LOST)
    text = " ".join(words(reported(facts(lost))).split())
    assert "it may have arrived" in text
    assert "Ask the recipient by other means before you send the message again" in text


# Who gets a report.


@pytest.mark.parametrize(
    ("to", "postmaster", "expected"),
    [
        (ReportTo.SENDER, "pm@example.com", ("boss@example.com",)),
        (ReportTo.POSTMASTER, "pm@example.com", ("pm@example.com",)),
        (ReportTo.POSTMASTER, "", ("boss@example.com",)),
        (ReportTo.BOTH, "pm@example.com", ("boss@example.com", "pm@example.com")),
        (ReportTo.BOTH, "", ("boss@example.com",)),
    ],
)
def test_a_failure_is_reported_as_configured(to, postmaster, expected):
    settings = NdrSettings(recipient=to, postmaster=postmaster)
    assert addressees(facts(), settings) == expected


def test_nobody_gets_a_report_twice():
    settings = NdrSettings(recipient=ReportTo.BOTH, postmaster="BOSS@example.com")
    assert len(addressees(facts(), settings)) == 1


@pytest.mark.parametrize("to", ReportTo)
@pytest.mark.parametrize(
    ("postmaster", "expected"), [("pm@example.com", ("pm@example.com",)), ("", ())]
)
def test_a_bounce_of_a_bounce_goes_to_the_postmaster_or_nobody(to, postmaster, expected):
    settings = NdrSettings(recipient=to, postmaster=postmaster)
    assert addressees(facts(sender=""), settings) == expected


def test_a_report_that_the_postmaster_could_not_get_goes_to_nobody():
    settings = NdrSettings(postmaster="pm@example.com")
    lost = facts(outcome("PM@example.com"), sender="")
    assert addressees(lost, settings) == ()


@pytest.mark.parametrize("to", ReportTo)
def test_a_delay_is_told_to_the_sender_only(to):
    settings = NdrSettings(recipient=to, postmaster="pm@example.com")
    delayed = facts(action=ReportAction.DELAYED)
    assert addressees(delayed, settings) == ("boss@example.com",)
    assert addressees(facts(action=ReportAction.DELAYED, sender=""), settings) == ()


@given(st.sampled_from(ReportTo), st.sampled_from(["", "pm@example.com", "boss@example.com"]))
def test_reports_on_reports_come_to_an_end(to, postmaster):
    settings = NdrSettings(recipient=to, postmaster=postmaster)
    about = facts()
    for _ in range(3):
        told = addressees(about, settings)
        if not told:
            return
        about = facts(outcome(told[-1]), sender="")
    pytest.fail("a report was made on a report on a report")


# What the sender asked for (RFC 3461).


def asked(notify=None, original="", **more):
    plain = outcome(**more)
    return attrs.evolve(
        plain, recipient=attrs.evolve(plain.recipient, notify=notify, original=original)
    )


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (None, {ReportAction.FAILED, ReportAction.DELAYED}),
        (Notify.NEVER, set()),
        (Notify.SUCCESS, {ReportAction.RELAYED}),
        (Notify.FAILURE, {ReportAction.FAILED}),
        (Notify.DELAY | Notify.SUCCESS, {ReportAction.DELAYED, ReportAction.RELAYED}),
    ],
)
def test_a_sender_is_told_what_it_wants_to_be_told(notify, told):
    one, other = asked(notify), asked(Notify.NEVER, address="other@b.example")
    assert {action for action in ReportAction if wanted(action, (one, other))} == told
    assert all(wanted(action, (one, other)) == (one,) for action in told)


def in_envelope(about, size=1000, **envelope):
    message = about.message
    envelope = attrs.evolve(message.envelope, **envelope)
    return attrs.evolve(about, message=attrs.evolve(message, envelope=envelope, size=size))


@pytest.mark.parametrize(
    ("action", "returns", "size", "whole"),
    [
        (ReportAction.FAILED, None, 64 * 1024, True),
        (ReportAction.FAILED, None, 64 * 1024 + 1, False),
        (ReportAction.FAILED, Return.HEADER, 1000, False),
        (ReportAction.FAILED, Return.FULL, 192 * 1024, True),
        (ReportAction.FAILED, Return.FULL, 192 * 1024 + 1, False),
        (ReportAction.DELAYED, Return.FULL, 1000, False),
        (ReportAction.RELAYED, Return.FULL, 1000, False),
    ],
)
def test_a_message_comes_back_whole_if_it_is_small_or_wanted(action, returns, size, whole):
    about = in_envelope(facts(action=action), size, returns=returns)
    assert returned_size(about) == (size if whole else len(HEADER))


def returned(content):
    """Return the third part of a report on this message, and the report."""
    about = facts()
    header = content.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n") + b"\r\n"
    message = attrs.evolve(about.message, header_size=len(header), size=len(content))
    about = attrs.evolve(about, message=message)
    made = report(about, content, settings=SETTINGS, recipient="boss@example.com")
    return *part_bytes(made, 3), made


def test_a_whole_message_comes_back_to_the_byte():
    content = HEADER + b"\r\nhello\r\n..dots\r\n--=_x\r\n"
    header, body, made = returned(content)
    assert header == b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit"
    assert body == content.replace(b"\r\n..", b"\r\n.")
    assert not made.envelope.eight_bit
    assert parsed(made).get_payload(2).get_payload(0)["Subject"] == "Hello"
    assert "and the message, are attached." in " ".join(words(made).split())


def test_an_eight_bit_message_makes_the_report_eight_bit():
    content = HEADER + "\r\nschön\r\n".encode()
    header, body, made = returned(content)
    assert header == b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit"
    assert body == content
    assert made.envelope.eight_bit
    assert not made.envelope.utf8
    assert b"\r\nContent-Transfer-Encoding: 8bit\r\n" in made.content[: made.header_size]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"\r\n" + b"x" * 999 + b"\r\n",
        HEADER + b"X-Name: \xe4\r\n\r\nhello\r\n",
        HEADER,
    ],
    ids=["long line", "8-bit header", "no body"],
)
def test_what_cannot_stand_in_a_report_comes_back_as_its_header(content):
    header, _, made = returned(content)
    assert header.startswith(b"Content-Type: text/rfc822-headers")
    assert "and the header of the message, are" in " ".join(words(made).split())


def test_the_names_that_the_sender_gave_come_back():
    about = facts(asked(Notify.FAILURE, "rfc822;Big+2BBoss@b.example"))
    made = reported(in_envelope(about, envelope_id="Q+2B1"))
    groups = parsed(made, email.policy.compat32).get_payload(1).get_payload()
    assert groups[0]["Original-Envelope-Id"] == "Q+1"
    assert groups[1].keys()[:2] == ["Original-Recipient", "Final-Recipient"]
    assert groups[1]["Original-Recipient"] == "rfc822; Big+Boss@b.example"


@pytest.mark.parametrize(("length", "shown"), [(100, True), (900, True), (5000, False)])
def test_the_names_that_the_sender_gave_come_back_whole_or_not_at_all(length, shown):
    long = "x" * length
    about = facts(asked(Notify.FAILURE, f"rfc822;{long}@b.example"))
    made = reported(in_envelope(about, envelope_id=long))
    groups = parsed(made, email.policy.compat32).get_payload(1).get_payload()
    assert groups[0]["Original-Envelope-Id"] == (long if shown else None)
    assert groups[1]["Original-Recipient"] == (f"rfc822; {long}@b.example" if shown else None)


def test_an_original_recipient_beyond_ascii_stays_seven_bit():
    (fields,) = recipient_fields(reported(facts(asked(None, "utf-8;ä@b.example"))))
    assert fields["Original-Recipient"] == "utf-8; \\x{E4}@b.example"


def test_a_mail_that_was_passed_on_is_reported_without_alarm():
    taken = asked(
        Notify.SUCCESS,
        verdict=Verdict.DELIVERED,
        phase=Phase.END,
        reply=Reply(250, "2.6.0", "queued as 77"),
    )
    made = reported(facts(taken, action=ReportAction.RELAYED))
    (fields,) = recipient_fields(made)
    assert fields["Action"] == "relayed"
    assert fields["Status"] == "2.6.0"
    assert fields["Diagnostic-Code"] == "smtp; 250 2.6.0 queued as 77"
    text = words(made)
    assert "was passed on to the next" in text
    assert "<nobody@b.example>\n\n    The mail server smtp.provider.example said:" in text.replace(
        "\r\n", "\n"
    )
    assert "administrator of your mail system" not in text


def test_the_times_of_a_report_are_those_of_the_clock_on_the_wall():
    later = facts().later_by(HOUR)
    assert (later.now, later.retry_until) == (ARRIVED + 5 * HOUR, ARRIVED + 3 * DAY + HOUR)
    assert later.message.arrived == ARRIVED + HOUR


def test_what_was_said_of_thousands_of_recipients_is_put_into_lines_once(monkeypatch):
    wrapped = []
    wrap = textwrap.wrap
    monkeypatch.setattr(
        textwrap, "wrap", lambda *text, **how: wrapped.append(text) or wrap(*text, **how)
    )
    reply = Reply(550, "5.1.1", "No such user here, nor there")
    made = reported(facts(*(outcome(f"r{n}@b.example", reply=reply) for n in range(1000))))
    assert len(recipient_fields(made)) == 1000
    assert len(wrapped) < 10
