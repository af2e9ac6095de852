from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.header import fields, first_address, header_end, mailboxes
from multisendcon_plugin.identity import LONGEST_LINE, replace_sender

FIXED = "sales@example.com"


def replaced(block: bytes) -> bytes:
    assert header_end(block) == len(block)
    return replace_sender(block, FIXED)


FROM_FIELDS = [
    (b"From: jane@x.de\r\n", b"From: sales@example.com\r\n"),
    (b"FROM :jane@x.de\r\n", b"FROM :sales@example.com\r\n"),
    (b'From: "Jane" <jane@x.de>\r\n', b'From: "Jane" <sales@example.com>\r\n'),
    (b"From: jane@x.de (Jane (D))\r\n", b"From: sales@example.com (Jane (D))\r\n"),
    (b'From: "a@evil.de, <" <b@y.de>\r\n', b'From: "a@evil.de, <" <sales@example.com>\r\n'),
    (b"From: =?utf-8?q?J=2C?= <b@y.de>\r\n", b"From: =?utf-8?q?J=2C?= <sales@example.com>\r\n"),
    (b"From: J\xe4 <b@y.de>\r\n", b"From: J\xe4 <sales@example.com>\r\n"),
    (
        b"From:\r\n (a) Jane\r\n\t<\r\n .x@y.de (b)>\r\n (c)\r\n",
        b"From:\r\n (a) Jane\r\n\t<\r\n sales@example.com (b)>\r\n (c)\r\n",
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
    (b'From: "Jane <j@x>\r\n', b"From: <sales@example.com>\r\n"),
    (b"From: Jane (D <j@x>\r\n", b"From: <sales@example.com>\r\n"),
    (b"From: Jane <j@x\r\n", b"From: sales@example.com\r\n"),
    (b"From: j@x <b@y>\r\n", b"From: <sales@example.com>\r\n"),
    (b"From: Jane Doe j@x\r\n", b"From: sales@example.com\r\n"),
    (b"From: Jane Doe sales@example.com\r\n", b"From: sales@example.com\r\n"),
    (b"From: a@x <j@x> <b@y>\r\n", b"From: <sales@example.com>\r\n"),
    (b"From: j@x\\\r\n , b@y\r\n", b"From: sales@example.com\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "changed"), FROM_FIELDS)
def test_the_address_in_from_is_replaced(field, changed):
    rest = b"Reply-To: a@b\r\nSubject: From: j@x\r\n"

    assert replaced(b"To: c@d\r\n" + field + rest) == b"To: c@d\r\n" + changed + rest


@pytest.mark.parametrize(("field", "changed"), FROM_FIELDS)
def test_the_address_in_sender_is_replaced_in_the_same_way(field, changed):
    own = b"From: sales@example.com\r\n"

    def as_sender(block: bytes) -> bytes:
        return (
            block.replace(b"From", b"Sender")
            .replace(b"FROM", b"SENDER")
            .replace(b"from", b"sender")
        )

    assert replaced(own + as_sender(field)) == own + as_sender(changed)


@pytest.mark.parametrize(
    "field",
    [
        b"From: sales@example.com\r\n",
        b"From:Jane <SALES@Example.COM>\r\n (c)\r\n",
        b"From: <@a:sales@example.com>\r\n",
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


@pytest.mark.parametrize("block", [b"", b"To: c@d\r\n", b"From a@b Mon\r\nX-From: a@b\r\n"])
def test_a_missing_from_is_added(block):
    assert replaced(block) == block + b"From: sales@example.com\r\n"


@pytest.mark.parametrize(
    ("mailbox", "reply_to"),
    [
        (b"jane@x.de", b"jane@x.de"),
        (b"J\xe4ne (c) <jane@x.de>", b"J\xe4ne (c) <jane@x.de>"),
        (b"jane@x.de (Jane)", b"jane@x.de (Jane)"),
        (b"Jane <jane@x.de>, b@y", b"Jane <jane@x.de>"),
        (b"team:\r\n Jane <jane@x.de>;", b"Jane <jane@x.de>"),
        (b"Jane\r\n Doe <jane@x.de>", b"jane@x.de"),
        (b'"' + 980 * b"J" + b'" <a@b>', b'"' + 980 * b"J" + b'" <a@b>'),
        (b'"' + 981 * b"J" + b'" <a@b>', b"a@b"),
        (b"a@evil.de <j\xc3\xa4@x.de>", b"<j\xc3\xa4@x.de>"),
    ],
)
def test_the_first_author_goes_to_reply_to(mailbox, reply_to):
    block = replaced(b"From: " + mailbox + b"\r\nTo: c@d\r\n")

    from_field, rest = fields(block)[0], block[fields(block)[0].end :]
    assert FIXED.encode() in block[: from_field.end]
    assert rest == b"Reply-To: " + reply_to + b"\r\nTo: c@d\r\n"


@pytest.mark.parametrize(
    "author",
    [
        b"undisclosed: ;",
        b"<>, b@y",
        b"root",
        b"Jane <Sales@EXAMPLE.com>, b@y",
        b"<" + 1000 * b"j" + b"@x>",
        b"<j\xe4@x>",
    ],
)
def test_no_reply_to_without_another_author(author):
    assert b"Reply-To" not in replaced(b"From: " + author + b"\r\n")


def test_the_first_of_several_from_fields_goes_to_reply_to():
    block = b"From: J <j@x>\r\nFrom: b@y\r\n"

    assert replaced(block) == b"From: J <sales@example.com>\r\nReply-To: J <j@x>\r\n"


@pytest.mark.parametrize("reply_to", [b"reply-to : r@x\r\n", b"Reply-To:\r\n"])
def test_a_reply_to_is_never_replaced(reply_to):
    assert replaced(b"From: j@x\r\n" + reply_to) == b"From: sales@example.com\r\n" + reply_to


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


def test_resent_fields_stay():
    block = b"Resent-From: j@x\r\nResent-Sender: k@x\r\nDKIM-Signature-Old: h=from\r\n"

    assert replaced(block + b"From: sales@example.com\r\n").startswith(block)
    assert replaced(block + b"From: j@x\r\n").startswith(block)


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
originators = st.sampled_from([b"From:", b"from :", b"Sender:", b"Reply-To:", b"DKIM-Signature:"])
other_fields = st.sampled_from(
    [
        b"Resent-From: j@x\r\n",
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
REPLACEABLE = {"from", "sender", "reply-to", "dkim-signature"}


def untouchable(block: bytes) -> list[bytes]:
    return [block[f.start : f.end] for f in fields(block) if f.name not in REPLACEABLE]


def assert_replaced(block: bytes) -> None:
    changed = replaced(block)

    assert header_end(changed) == len(changed)
    assert untouchable(changed) == untouchable(block)
    assert replaced(changed) == changed
    names = [field.name for field in fields(changed)]
    assert names.count("from") == 1
    assert names.count("sender") == min(1, [f.name for f in fields(block)].count("sender"))
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
