"""A header whose address fields are made up from octets, under a fixed sender.

Judged by a reading of its own: that of lenient mail programs, by Python's `email`.
"""

from __future__ import annotations

import email.header
import re
import unicodedata

from multisendcon_plugin.mail.fixed_sender import LONGEST_LINE, replace_sender
from multisendcon_plugin.mail.header import (
    ORIGINATORS,
    addresses_exceed,
    fields,
    first_address,
    header_end,
    is_private,
)
from multisendcon_plugin.mail.submission_help import complete

FIXED, HIDDEN = "sales@example.com", "boss@hidden.example"
NAMES = (
    *(b"From:", b"Sender:", b"Reply-To:", b"Author:", b"Resent-From:", b"Resent-Sender:"),
    *(
        b"from :",
        b"FROM\t:",
        b"To:",
        b"Return-Path:",
        b"X-Sender:",
        b"DKIM-Signature:",
        b"Subject:",
    ),
    *(b"Sensitivity:", b"Bcc:", b"Date:", b":", b"From", b" ", b"\t"),
)
PIECES = (
    *(
        b"boss@hidden.example",
        b"<boss@hidden.example>",
        b"BOSS@HIDDEN.example",
        b"sales@example.com",
    ),
    *(b"<sales@example.com>", b'"boss@hidden.example"', b"(boss@hidden.example)", b"boss", b"@"),
    *(b"hidden.example", b"<", b">", b'"', b"(", b")", b",", b";", b":", b"\\", b".", b"[", b"]"),
    *(b"Jane Doe", b"Doe, Jane", b"team:", b"undisclosed: ;", b"\r\n ", b"\r\n\t", b" ", b"\t"),
    *(b"=?utf-8?q?boss=40hidden.example?=", b"=?utf-8?b?Ym9zc0BoaWRkZW4uZXhhbXBsZQ==?="),
    *(b"=?utf-8*en?q?boss@?=", b"=?us-ascii?Q?hidden.example?=", b"=?utf-7?q?boss+AEA-?="),
    *(b"=?x?q?", b"?=", b"=?utf-8?b?Ym9zcw?=", b"=?utf-8?q?boss?= ", b"\xe2\x80\x8b", b"\xc2\xad"),
    *(
        "ｂｏｓｓ＠ｈｉｄｄｅｎ.example".encode(),
        "bücher@x.example".encode(),
        b"\xff",
        b"\0",
        b"\x1b",
    ),
    *(b'""x" <boss@hidden.example>"', b"<@a,@b:boss@hidden.example>", b"<>", b"a@b," * 300),
    *(b"x" * 900, b"h=from:sender; ", b"private", b"\r\n.", b"-", b"J\xe4"),
)
_REPLACED = ORIGINATORS | {"reply-to", "return-path", "dkim-signature", "x-sender"}
_BLANKS = re.compile(r"[\s\"\\\u200b\xad]")


def play(octets):
    """Build one header and replace its sender.

    :raise AssertionError: a rule is broken.
    """
    block = _block(octets)
    block = block[: header_end(block)]
    whole = complete(block, author=HIDDEN, date="now", message_id="<1@relay.example>")
    assert header_end(whole) == len(whole), "what was completed ends early"
    is_private(block)
    first_address(block)
    # The edge refuses it; to read it takes no longer than its length asks for.
    if not addresses_exceed(block):
        _judge(block, _replaced(block))


def _block(octets):
    steps = iter(octets)
    lines = []
    for step in steps:
        name = NAMES[step % len(NAMES)]
        count = next(steps, 0) % 8
        lines.append(
            name + b" " + b"".join(PIECES[next(steps, 0) % len(PIECES)] for _ in range(count))
        )
    return b"".join(line + b"\r\n" for line in lines)


def _replaced(block):
    return replace_sender(block, FIXED, hidden=HIDDEN, removes=["X-Sender"])


def _judge(block, changed):
    assert header_end(changed) == len(changed), "the header ends early"
    assert _others(changed) == _others(block), "a field that is none of an originator's has changed"
    assert _replaced(changed) == changed, "it is not the same when it is replaced once more"
    if max(map(len, block.split(b"\r\n"))) <= LONGEST_LINE:
        assert max(map(len, changed.split(b"\r\n"))) <= LONGEST_LINE, "a line has become too long"
    names = [field.name for field in fields(changed)]
    assert names.count("from") == 1, "there is not one From:"
    assert not {"x-sender", "return-path"} & set(names), "what was to be removed is there"
    for field in fields(changed):
        if field.name in ORIGINATORS:
            octets = changed[field.value_start : field.end]
            for seen in _readings(octets):
                assert HIDDEN not in seen, f"{octets} shows the replaced sender"
            assert FIXED.encode() in octets.lower(), f"{octets} does not name the fixed sender"


def _others(block):
    return [block[f.start : f.end] for f in fields(block) if f.name not in _REPLACED]


def _readings(octets):
    """Return what readers see: the octets, and with encoded words decoded, wherever they stand."""
    text = octets.decode("utf-8", "replace")
    yield _plain(text)
    try:
        parts = email.header.decode_header(re.sub(r"[\"\r\n]", "", text))
        decoded = email.header.make_header(parts)
    except (email.header.HeaderParseError, LookupError, ValueError):
        return
    yield _plain(str(decoded))


def _plain(text):
    return _BLANKS.sub("", unicodedata.normalize("NFKC", text)).lower()
