from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.display_name import shows
from multisendcon_plugin.mail.fixed_sender import LONGEST_LINE, replace_sender
from multisendcon_plugin.mail.header import Field, fields, first_address, header_end
from multisendcon_plugin.mail.mailboxes import mailboxes

FIXED = "sales@example.com"


def replaced(block: bytes) -> bytes:
    assert header_end(block) == len(block)
    return replace_sender(block, FIXED, hidden="hidden@path")


FROM_FIELDS = [
    (b"From: jane@x.de\r\n", b"From: sales@example.com\r\n"),
    (b"FROM :jane@x.de\r\n", b"From: sales@example.com\r\n"),
    (b"from:\r\n\tjane@x.de\r\n", b"From: sales@example.com\r\n"),
    (b"From : sales@example.com\r\n", b"From: sales@example.com\r\n"),
    (b"From\t:Jane <sales@example.com>\r\n", b"From: Jane <sales@example.com>\r\n"),
    (b'From: "Jane" <jane@x.de>\r\n', b'From: "Jane" <sales@example.com>\r\n'),
    (b"From: jane@x.de (Jane (D))\r\n", b"From: sales@example.com\r\n"),
    (b"From: Jane (jane@x.de) D <jane@x.de> (x)\r\n", b"From: Jane D <sales@example.com>\r\n"),
    (b'From: "a@evil.de, <" <b@y.de>\r\n', b'From: "a@evil.de, <" <sales@example.com>\r\n'),
    (b"From: =?utf-8?q?J=2C?= <b@y.de>\r\n", b"From: =?utf-8?q?J=2C?= <sales@example.com>\r\n"),
    (b"From: J\xe4 <b@y.de>\r\n", b"From: J\xe4 <sales@example.com>\r\n"),
    (
        b"From:\r\n (a) Jane\r\n\tDoe <\r\n .x@y.de (b)>\r\n (c)\r\n",
        b"From: Jane\r\n\tDoe <sales@example.com>\r\n",
    ),
    (b"From: J <@a,@b:c@d>\r\n", b"From: J <sales@example.com>\r\n"),
    (b"From: Jane <>\r\n", b"From: Jane <sales@example.com>\r\n"),
    (b"From: Jane <j\xe4@x>\r\n", b"From: Jane <sales@example.com>\r\n"),
    (b"From: J <j@x>, B <b@y>\r\n", b"From: J <sales@example.com>\r\n"),
    (b"From: j@x,\r\n b@y\r\n", b"From: sales@example.com\r\n"),
    (b"From: team: J <j@x>, b@y;\r\n", b"From: J <sales@example.com>\r\n"),
    (b"From: sales@example.com, b@y\r\n", b"From: sales@example.com\r\n"),
    (b"From: undisclosed: ;\r\n", b"From: sales@example.com\r\n"),
    (b"From: root\r\n", b"From: sales@example.com\r\n"),
    (b"from:\r\n", b"From: sales@example.com\r\n"),
    (b'From: "Jane <j@x>\r\n', b'From: "\\"Jane" <sales@example.com>\r\n'),
    (b"From: Jane (D <j@x>\r\n", b'From: "Jane (D" <sales@example.com>\r\n'),
    (b"From: Jane <j@x\r\n", b"From: Jane <sales@example.com>\r\n"),
    (b"From: j@x <b@y>\r\n", b'From: "j@x" <sales@example.com>\r\n'),
    (b"From: Jane Doe j@x\r\n", b"From: sales@example.com\r\n"),
    (b"From: Jane Doe sales@example.com\r\n", b"From: sales@example.com\r\n"),
    (b"From: a@x <j@x> <b@y>\r\n", b'From: "a@x <j@x>" <sales@example.com>\r\n'),
    (b"From: j@x\\\r\n , b@y\r\n", b"From: sales@example.com\r\n"),
    # Specials that are not quoted.
    (b"From: Doe, John <j@y>\r\n", b'From: "Doe, John" <sales@example.com>\r\n'),
    (b"From: Support: Berlin <j@y>\r\n", b'From: "Support: Berlin" <sales@example.com>\r\n'),
    (b"From: [ACME] Support <j@y>\r\n", b'From: "[ACME] Support" <sales@example.com>\r\n'),
    (
        b"From: =?utf-8?Q?Doe,_J=C3=B6rg?= <j@y>\r\n",
        b"From: =?utf-8?Q?Doe=2C_J=C3=B6rg?= <sales@example.com>\r\n",
    ),
    (
        b"From: Jane <jane@customer> <j@y>\r\n",
        b'From: "Jane <jane@customer>" <sales@example.com>\r\n',
    ),
    (b"From: <John Doe> <j@y>\r\n", b'From: "<John Doe>" <sales@example.com>\r\n'),
    (b"From: Shop <> <j@y>\r\n", b'From: "Shop <>" <sales@example.com>\r\n'),
    (b"From: <>, b@y\r\n", b"From: sales@example.com\r\n"),
    # Names that show the replaced address; what is one is told in test_display_name.py.
    (b'From: "j@y" <j@y>\r\n', b"From: sales@example.com\r\n"),
    (b"From: J@Y <j@y>\r\n", b"From: sales@example.com\r\n"),
    (b"From: =?utf-7?q?j+AEA-y?= <j@y>\r\n", b"From: sales@example.com\r\n"),
    (b'From: "J =?utf-8*en?b?akB5?=" <j@y>\r\n', b"From: sales@example.com\r\n"),
    (b"From: J (b@y) <j@y>, B <b@y>\r\n", b"From: J <sales@example.com>\r\n"),
    (b"From: B@Y <j@y>, B <b@y>\r\n", b"From: sales@example.com\r\n"),
    (
        b'From: ""x" <boss@z>"<sales@example.com>\r\n',
        b'From: "x <boss@z>" <sales@example.com>\r\n',
    ),
    (
        b'From: ""x" <hidden@path>"<sales@example.com>\r\n',
        b"From: sales@example.com\r\n",
    ),
    (b"From: <@hidden@path:sales@example.com>\r\n", b"From: sales@example.com\r\n"),
    (b"From: Jane <sales@example.com> (hidden@path)\r\n", b"From: Jane <sales@example.com>\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "changed"), FROM_FIELDS)
def test_the_address_in_from_is_replaced(field, changed):
    rest = b"Reply-To: a@b\r\nSubject: From: j@x\r\n"

    assert replaced(b"To: c@d\r\n" + field + rest) == b"To: c@d\r\n" + changed + rest


#: Rows in which nothing depends on the other mailboxes of the field.
ONE_MAILBOX = [row for row in FROM_FIELDS if b"b@y" not in row[0] or b"y.de" in row[0]]


@pytest.mark.parametrize("name", [b"Sender", b"Author", b"Resent-From", b"Resent-Sender"])
@pytest.mark.parametrize(("field", "changed"), ONE_MAILBOX)
def test_the_address_of_another_originator_is_replaced_in_the_same_way(field, changed, name):
    own = b"From: sales@example.com\r\n"

    def named(block: bytes) -> bytes:
        return re.sub(rb"(?i)^From", name, block)

    assert replaced(own + named(field)) == own + named(changed)


@pytest.mark.parametrize(
    "field",
    [
        b"From: sales@example.com\r\n",
        b"From:Jane <SALES@Example.COM>\r\n",
        b"from:\r\n\t<sales@example.com> \r\n",
        b'From: "Sales, Inc."\r\n =?utf-8?q?J=C3=B6rg?= <sales@example.com>\r\n',
        b'From: "jane@x.de" <sales@example.com>\r\n',
    ],
)
def test_nothing_changes_when_the_fixed_sender_wrote_the_mail(field):
    block = b"DKIM-Signature: h=from:sender\r\n" + field + b"Sender: Sales@example.com\r\n"

    assert replaced(block) == block


def test_several_from_fields_become_one():
    block = b"From: J <j@x>\r\nTo: c@d\r\nFrom: sales@example.com\r\nfrom:\r\nReply-To: r@x\r\n"

    assert replaced(block) == b"From: J <sales@example.com>\r\nTo: c@d\r\nReply-To: r@x\r\n"


def test_further_from_fields_go_though_the_first_is_right():
    block = b"From: sales@example.com\r\nFrom: j@x\r\n"

    assert replaced(block) == b"From: sales@example.com\r\n"


@pytest.mark.parametrize("block", [b"", b"To: c@d\r\n", b"X-From: a@b\r\n"])
def test_a_missing_from_is_added(block):
    assert replaced(block) == block + b"From: sales@example.com\r\n"


@pytest.mark.parametrize(
    ("mailbox", "reply_to"),
    [
        (b"jane@x.de", b"jane@x.de"),
        (b"J\xe4ne (c) <jane@x.de>", b"J\xe4ne <jane@x.de>"),
        (b"jane@x.de (Jane)", b"jane@x.de"),
        (b"Jane <jane@x.de>, b@y", b"Jane <jane@x.de>, b@y"),
        (b"team:\r\n Jane <jane@x.de>, Doe, J. <j@y>;", b'Jane <jane@x.de>, "Doe, J." <j@y>'),
        (b"Jane <jane@x.de>, b@y, Other <JANE@x.de>", b"Jane <jane@x.de>, b@y"),
        (b"Jane <Sales@EXAMPLE.com>, b@y", b"Jane <Sales@EXAMPLE.com>, b@y"),
        (b"<>, b@y, root", b"b@y"),
        (b"Doe, John <j@y>", b'"Doe, John" <j@y>'),
        (b"Jane <jane@customer> <j@y>", b'"Jane <jane@customer>" <j@y>'),
        (b"Shop <> <j@y>", b'"Shop <>" <j@y>'),
        (b'"j@y" <j@y>', b'"j@y" <j@y>'),
        (b"Jane\r\n Doe <jane@x.de>", b"Jane\r\n Doe <jane@x.de>"),
        (b'"' + 980 * b"J" + b'" <a@b>', b'"' + 980 * b"J" + b'" <a@b>'),
        (b'"' + 981 * b"J" + b'" <a@b>', b"a@b"),
        (b"a@evil.de <j\xc3\xa4@x.de>", b'"a@evil.de" <j\xc3\xa4@x.de>'),
        (b"a@b, " + b"j" * 1000 + b"@x, c@d", b"a@b, c@d"),
        (
            b",".join(b"j%d@x" % n for n in range(500)),
            b",\r\n ".join(b"j%d@x" % n for n in range(500)),
        ),
    ],
)
def test_the_authors_go_to_reply_to(mailbox, reply_to):
    block = replaced(b"From: " + mailbox + b"\r\nTo: c@d\r\n")

    from_field, rest = fields(block)[0], block[fields(block)[0].end :]
    assert FIXED.encode() in block[: from_field.end]
    assert rest == b"Reply-To: " + reply_to + b"\r\nTo: c@d\r\n"


@pytest.mark.parametrize(
    "author",
    [
        b"undisclosed: ;",
        b"<>",
        b"root",
        b"Jane <Sales@EXAMPLE.com>, sales@example.com",
        b"<" + 1000 * b"j" + b"@x>",
        b"<j\xe4@x>",
    ],
)
def test_no_reply_to_without_another_author(author):
    assert b"Reply-To" not in replaced(b"From: " + author + b"\r\n")


def test_the_first_of_several_from_fields_goes_to_reply_to():
    block = b"From: J <j@x>\r\nFrom: b@y\r\n"

    assert replaced(block) == b"From: J <sales@example.com>\r\nReply-To: J <j@x>\r\n"


def test_the_first_of_several_from_fields_that_names_an_author_counts():
    block = b"From: undisclosed: ;\r\nFrom: J <j@x>\r\n"

    assert replaced(block) == b"From: J <sales@example.com>\r\nReply-To: J <j@x>\r\n"


@pytest.mark.parametrize(
    "reply_to",
    [b"reply-to : r@x\r\n", b"Reply-To:\r\nReply-To: r@x\r\n", b"Reply-To: team: r@x;\r\n"],
)
def test_a_reply_to_with_an_address_is_never_replaced(reply_to):
    assert replaced(b"From: j@x\r\n" + reply_to) == b"From: sales@example.com\r\n" + reply_to


@pytest.mark.parametrize(
    "reply_to",
    [b"Reply-To:\r\n", b"reply-to : undisclosed:;\r\n", b"Reply-To: <>\r\nReply-To: (x)\r\n"],
)
def test_a_reply_to_without_an_address_counts_as_none(reply_to):
    changed = b"From: sales@example.com\r\nReply-To: j@x\r\n"

    assert replaced(reply_to + b"From: j@x\r\n") == changed
    assert replaced(b"From: root\r\n" + reply_to) == b"From: sales@example.com\r\n" + reply_to


@pytest.mark.parametrize(
    ("author", "reply_to"),
    [
        ("J <j@x>", b"J <j@x>"),
        ("Jürg <j@x>", b"j@x"),
        ("J <j@bücher.example>", b"J <j@xn--bcher-kva.example>"),
        ("ü@x, J <j@x>", b"J <j@x>"),
        ("J <ü@x>", b""),
        ("J <ü@x>, sales@example.com", b""),
        ("J <j@ü..x>", b""),
    ],
)
def test_a_reply_to_in_ascii_names_those_whom_ascii_can_name(author, reply_to):
    block = f"From: {author}\r\n".encode()
    _, _, added = replace_sender(block, FIXED, ascii_only=True).partition(b"\r\n")

    assert added == (b"Reply-To: " + reply_to + b"\r\n" if reply_to else b"")


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (b"From: j@x\r\n", False),
        (b"From: sales@example.com\r\n", True),
        (b"From: sales@example.com\r\nSender: j@x\r\n", True),
        (b"To: c@d\r\n", False),
    ],
)
def test_a_broken_signature_is_removed(other, kept):
    signature = b"DKIM-Signature: v=1; bh=sender:x; h=from :\r\n\tsubject; b=xyz\r\n"
    block = b"Subject: x\r\n" + signature + b"ARC-Seal: i=1\r\n" + other + signature

    assert replaced(block).count(signature) == (2 if kept else 0)
    assert b"ARC-Seal: i=1\r\n" in replaced(block)


@pytest.mark.parametrize(
    "tags", [b"h=sender:from", b" v=1;\r\n h\t= From:\r\n SENDER : to; b=x", b" a=b;h=to:sender;"]
)
def test_a_signature_over_a_changed_sender_is_removed(tags):
    block = b"DKIM-Signature:" + tags + b"\r\nFrom: sales@example.com\r\nSender: j@x\r\n"

    assert replaced(block) == b"From: sales@example.com\r\nSender: sales@example.com\r\n"


def test_the_originators_of_each_time_it_was_sent_again_are_replaced():
    other = b"Resent-To: k@x\r\nResent-Date: x\r\nDKIM-Signature-Old: h=from\r\n"
    resent = b"Resent-From: J <j@x>\r\nResent-Sender: k@x\r\nResent-From: l@x\r\n"
    fixed = (
        b"Resent-From: J <sales@example.com>\r\nResent-Sender: sales@example.com\r\n"
        b"Resent-From: sales@example.com\r\n"
    )
    own = b"From: sales@example.com\r\n"

    assert replaced(other + resent + own) == other + fixed + own


@pytest.mark.parametrize(
    "unwanted",
    [
        b"Return-Path: <j@x>\r\n",
        b"return-path :\r\n <j@x>\r\n",
        b"Disposition-Notification-To: J\r\n <j@x>\r\n",
        b"x-SENDER: j@x\r\nX-Sender: j@x\r\n",
    ],
)
def test_what_else_shows_the_replaced_address_is_removed(unwanted):
    removes = ["Disposition-Notification-To", "X-Sender"]
    kept = b"X-Sender-Id: 1\r\nFrom: sales@example.com\r\nErrors-To: e@x\r\n"
    signature = b"DKIM-Signature: h=disposition-notification-to:return-path:x-sender\r\n"

    assert replace_sender(kept + unwanted, FIXED, removes=removes) == kept
    assert replace_sender(unwanted + signature + kept, FIXED, removes=removes) == kept
    assert replace_sender(signature + kept, FIXED, removes=removes) == signature + kept


@pytest.mark.parametrize("line", [b"From j@x Mon\r\n", b">From j@x Mon\r\n folded\r\n"])
def test_an_mbox_line_is_removed(line):
    rest = b"To: c@d\r\n"

    assert replaced(line + rest) == rest + b"From: sales@example.com\r\n"
    assert replaced(line + b"From: j@x\r\n") == (b"From: sales@example.com\r\nReply-To: j@x\r\n")


def test_a_line_that_would_grow_too_long_keeps_the_address_alone():
    block = b'From: "' + 975 * b"J" + b'" <a@b>\r\nReply-To: r@x\r\n'

    assert replaced(block) == b"From: sales@example.com\r\nReply-To: r@x\r\n"


@pytest.mark.parametrize("fixed", ["jäne@bücher.example", '"a, \\"b"@x.de', "a@[192.0.2.1]"])
def test_fixed_senders_of_any_form(fixed):
    block = replace_sender(b"From: J <j@x>\r\n", fixed)

    assert first_address(block) == fixed
    assert replace_sender(block, fixed) == block


# Whole header blocks of all kinds.

cfws = st.sampled_from([b"", b" ", b"\t", b"\r\n ", b" (a (b) \\) @,<)\r\n\t", b"(c)"])
names = st.sampled_from(
    [b"", b"Jane", b'"Doe, <J> @"', b"=?utf-8?q?=2C?=", b"J\xe4", b"J. D.", b"(x) J", b'"\\""']
)
addresses = st.sampled_from(
    [b"jane@x.de", b'"j, d"@x.de', b"j\xc3\xa4@x.de", b"a@[::1]", b"SALES@example.com", b"a(b)@c"]
)
mailbox_texts = st.one_of(
    addresses,
    st.builds(b"%s%s<%s%s%s>".__mod__, st.tuples(names, cfws, cfws, addresses, cfws)),
)
lists = st.lists(
    st.builds(b"%s%s%s".__mod__, st.tuples(cfws, mailbox_texts, cfws)), min_size=1, max_size=3
).map(b",".join)
PIECES = [*'"()<>@,;:\\[].a', "a@b", "\r\n ", " ", "\xe4", "\0", "sales@example.com"]
junk = st.lists(st.sampled_from(PIECES), max_size=15).map(lambda p: "".join(p).encode("latin-1"))
values = st.one_of(lists, lists.map(b"team:%s;".__mod__), junk)
originators = st.sampled_from(
    [
        *(b"From:", b"from :", b"Sender:", b"author:", b"Resent-From:", b"Resent-Sender :"),
        *(b"Reply-To:", b"DKIM-Signature:"),
    ]
)
other_fields = st.sampled_from(
    [
        b"Return-Path: <jane@x.de>\r\n",
        b"Resent-To: j@x\r\n",
        b"ARC-Seal: x\r\n",
        b"..From: j@x\r\n",
        b"Subject: From:\r\n From: j@x\r\n",
        b"To:a@b\r\n",
        b"X:\r\n",
        b"DKIM-Signature: h=from:sender\r\n",
    ]
)
blocks = st.lists(
    st.one_of(other_fields, st.builds(b"%s%s\r\n".__mod__, st.tuples(originators, values))),
    max_size=6,
).map(b"".join)
ORIGINATORS = {"from", "sender", "author", "resent-from", "resent-sender"}
REPLACEABLE = ORIGINATORS | {"return-path", "reply-to", "dkim-signature"}


def originator_fields(block: bytes) -> list[Field]:
    return [field for field in fields(block) if field.name in ORIGINATORS]


def untouchable(block: bytes) -> list[bytes]:
    return [block[f.start : f.end] for f in fields(block) if f.name not in REPLACEABLE]


def assert_replaced(block: bytes) -> None:
    changed = replaced(block)

    assert header_end(changed) == len(changed)
    assert untouchable(changed) == untouchable(block)
    assert replaced(changed) == changed
    names = [field.name for field in fields(changed)]
    before = [field.name for field in fields(block)]
    assert names.count("from") == 1
    for name in ("sender", "author"):
        assert names.count(name) == min(1, before.count(name))
    for name in ("resent-from", "resent-sender", "return-path"):
        assert names.count(name) == (0 if name == "return-path" else before.count(name))
    assert_hidden(block, changed)
    (author,) = (field for field in fields(changed) if field.name == "from")
    (mailbox,) = mailboxes(changed, author.value_start, author.end)
    assert mailbox.address.lower() == FIXED
    # That package knows no blank before the colon.
    understood = re.sub(rb"(?im)^from[ \t]+:", b"From:", changed)
    message = email.message_from_bytes(understood, policy=email.policy.compat32)
    (value,) = message.get_all("From")
    # What `email.utils` finds in it depends on the version of Python.
    assert FIXED in str(value).lower()
    if changed != block and "dkim-signature" in names:
        assert b"".join(of(changed, "from")) == b"".join(of(block, "from"))


def assert_hidden(block: bytes, changed: bytes) -> None:
    replaced_ones = {
        first.address
        for field in originator_fields(block)
        if (first := next(mailboxes(block, field.value_start, field.end), None))
        # One that is the fixed sender but for quotes shows nothing of another.
        and not (first.address == "" or shows(FIXED.encode(), {first.address}))
    }
    for field in originator_fields(changed):
        octets = changed[field.start : field.end]
        assert b" :" not in octets[: field.value_start - field.start]
        assert not shows(octets, replaced_ones)
        # Nor is there anything else that a reader who knows no quotes could take for an address.
        assert not any(address.encode() in octets for address in replaced_ones)


def of(block: bytes, name: str) -> list[bytes]:
    return [block[f.start : f.end] for f in fields(block) if f.name == name]


@given(blocks)
def test_any_header_block_gets_the_fixed_sender(block):
    assert_replaced(block[: header_end(block)])


@given(blocks, values)
def test_no_line_of_ours_is_too_long(block, value):
    block = block + b"From: " + 960 * b"J" + value + b"\r\n"
    block = block[: header_end(block)]

    if max(map(len, block.split(b"\r\n"))) <= LONGEST_LINE:
        assert max(map(len, replaced(block).split(b"\r\n"))) <= LONGEST_LINE


def cpython_mails() -> list[Path]:
    package = pytest.importorskip("test.test_email", reason="this Python comes without its tests")
    mails = sorted((Path(package.__file__).parent / "data").glob("msg_*.txt"))
    if not mails:
        pytest.skip("this Python comes without the mails of its tests")
    return mails


def test_the_mails_of_cpython():
    for path in cpython_mails():
        content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if content.startswith(b"."):
            content = b"." + content
        content = content.replace(b"\r\n.", b"\r\n..")
        assert_replaced(content[: header_end(content)])
