"""The mailboxes in the body of an address field, as people read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.mailboxes import mailboxes
from multisendcon_plugin.mail.tokens import is_blank

PIECES = [
    *("<a@b>", "a@b.de", "Jane", "=?utf-8?q?J=2C?=", "=?", "?=", "\r\n ", " ", "\t", "\xe4", "\0"),
    *'"()<>@,:;.\\[]',
]
bodies = st.lists(st.sampled_from(PIECES), max_size=30).map(lambda p: "".join(p).encode("latin-1"))


def listed(body: bytes) -> list[tuple[bytes, str]]:
    return [tuple(mailbox) for mailbox in mailboxes(body, 0, len(body))]


WELL_FORMED = [
    (b" jane@x.de\r\n", [(b"", "jane@x.de")]),
    (b"<jane@x.de>", [(b"", "jane@x.de")]),
    (b" Jane Q. Doe <jane@x.de>\r\n", [(b"Jane Q. Doe", "jane@x.de")]),
    (b'"a@evil.de" <b@y.de>', [(b'"a@evil.de"', "b@y.de")]),
    (b'"Doe, <J> (x) \\" @" <b@y.de>', [(b'"Doe, <J> (x) \\" @"', "b@y.de")]),
    (b"=?utf-8?q?=22a=40evil=2C?= <b@y.de>", [(b"=?utf-8?q?=22a=40evil=2C?=", "b@y.de")]),
    (b"J\xe4ne <b@y.de>", [(b"J\xe4ne", "b@y.de")]),
    (b"<j\xc3\xa4ne@b\xc3\xbccher.de>", [(b"", "jäne@bücher.de")]),
    (b'"jane doe"@x.de', [(b"", '"jane doe"@x.de')]),
    (b'<"a>,\\"b"@x.de>', [(b"", '"a>,\\"b"@x.de')]),
    (b"=?a?q?b?=@x.de", [(b"", "=?a?q?b?=@x.de")]),
    (b"jane@[IPv6:::1]", [(b"", "jane@[IPv6:::1]")]),
    (b"jane@x.de (Jane (the \\) one) Doe)", [(b"", "jane@x.de")]),
    (b"(a) jane(b)@(c) x(d).de (e)", [(b"", "jane@x.de")]),
    (b"a@x (b), c@z", [(b"", "a@x"), (b"", "c@z")]),
    (b"(a@b, <c@d>) Jane <jane@x.de>", [(b"Jane", "jane@x.de")]),
    (b" J\r\n D\r\n\t<\r\n j@x.de (c) >\r\n", [(b"J\r\n D", "j@x.de")]),
    (b"jane . doe @ x . de", [(b"", "jane.doe@x.de")]),
    (b'"folded\r\n name"@x.de', [(b"", '"folded name"@x.de')]),
    (b"<@a,@b:c@d>", [(b"", "c@d")]),
    (b"J < @a , @b : c@d >, e@f", [(b"J", "c@d"), (b"", "e@f")]),
    (b"a@x, B <b@y>, c@z", [(b"", "a@x"), (b"B", "b@y"), (b"", "c@z")]),
    (b",, a@x,, B <b@y>,", [(b"", "a@x"), (b"B", "b@y")]),
    (b"team: a@x, B <b@y>;, c@z", [(b"", "a@x"), (b"B", "b@y"), (b"", "c@z")]),
    (b"A <a@x>, team:b@y;C <c@z>", [(b"A", "a@x"), (b"", "b@y"), (b"C", "c@z")]),
    (b"undisclosed-recipients: ;", []),
    (b"(only a comment)", []),
    (b" \r\n", []),
]
UNQUOTED_SPECIALS = [
    (b"Doe, John <j@y>", [(b'"Doe, John"', "j@y")]),
    (b"Doe,\r\n John <j@y>", [(b'"Doe, John"', "j@y")]),
    (b"Doe, J. <j@y>, Roe, R. (c) <r@y>", [(b'"Doe, J."', "j@y"), (b'"Roe, R."', "r@y")]),
    (b"a@x, Doe, John <j@y>", [(b"", "a@x"), (b'"Doe, John"', "j@y")]),
    (b"Sales; Berlin <j@y>; a@x", [(b'"Sales; Berlin"', "j@y"), (b"", "a@x")]),
    (b"Support: Berlin <j@y>", [(b'"Support: Berlin"', "j@y")]),
    (b'A: "b;c" (d;e) <j@y>', [(b'"A: b;c"', "j@y")]),
    (b"A: Doe, J. <j@y>; B: C <c@z>", [(b'"Doe, J."', "j@y"), (b'"B: C"', "c@z")]),
    (b"[ACME] Support <j@y>", [(b'"[ACME] Support"', "j@y")]),
    (b"Jane @ ACME <j@y>", [(b'"Jane @ ACME"', "j@y")]),
    (b"ACME\\Jane <j@y>", [(b'"ACME\\\\Jane"', "j@y")]),
    (b"=?utf-8?Q?Doe,_J=C3=B6rg?= <j@y>", [(b"=?utf-8?Q?Doe=2C_J=C3=B6rg?=", "j@y")]),
    (b"=?utf-8?Q?Doe, J. (x)@y?= <j@y>", [(b"=?utf-8?Q?Doe=2C=20J.=20=28x=29=40y?=", "j@y")]),
    (b"=?utf-8?B?RG9lLA==?= J. <j@y>", [(b"=?utf-8?B?RG9lLA==?= J.", "j@y")]),
    (b"[A] =?utf-8?q?J=2E?=, D <j@y>", [(b'"[A]" =?utf-8?q?J=2E?= ", D"', "j@y")]),
    (b"Jane <jane@customer> <j@y>", [(b'"Jane <jane@customer>"', "j@y")]),
    (b"<John Doe> <j@y>", [(b'"<John Doe>"', "j@y")]),
    (b"Shop <> <j@y>", [(b'"Shop <>"', "j@y")]),
    (b"Jane <j@y> <>", [(b"Jane", "j@y")]),
    (b"Jane <j@y> <jane>, a@x", [(b"Jane", "j@y"), (b"", "a@x")]),
    (b"a@evil.de <b@y.de>", [(b'"a@evil.de"', "b@y.de")]),
    (b'""x" <boss@hidden>"<j@y>', [(b'"x <boss@hidden>"', "j@y")]),
    (b'"A"(c)B <j@y>', [(b'"A" B', "j@y")]),
    (b"=?utf-8?q?a<boss@x>?= <j@y>", [(b'"=?utf-8?q?a<boss@x>?="', "j@y")]),
    (b"J\x0b\x1bane <j@y>", [(b'"Jane"', "j@y")]),
    (b"=?a:b?q?J,?= <j@y>", [(b'"=?a:b?q?J,?="', "j@y")]),
]
MALFORMED = [
    (b"postmaster", []),
    (b"Doe, John", []),
    (b"Jane <>", [(b"Jane", "")]),
    (b"Jane <jane>", [(b"Jane", "")]),
    (b"Jane <jane doe@x>", [(b"Jane", "")]),
    (b"<>, b@y", [(b"", "b@y")]),
    (b"@x, jane@, a@b@c", []),
    (b"<j\xe4ne@x.de>", [(b"", "")]),
    (b"<j\x1bne@x.de>", [(b"", "")]),
    (b"<mailto:jane@x.de>", [(b"", "")]),
    (b"mailto:jane@x.de", [(b"", "jane@x.de")]),
    (b"\\jane@x.de, <j\\ane@x>", [(b'"\\\\jane@x.de,"', "")]),
    (b"Jane Doe jane@x.de (c)", [(b"", "jane@x.de")]),
    (b"jane@x.de Jane Doe (c)", [(b"", "jane@x.de")]),
    (b"jane@x.de <>", [(b"", "jane@x.de")]),
    (b"a@x b@y", [(b"", "a@x")]),
    (b"Jane <jane@x, b@y", [(b"Jane", "jane@x"), (b"", "b@y")]),
    (b"a <b <jane@x>", [(b'"a <b"', "jane@x")]),
    (b"Jane <", [(b"Jane", "")]),
    (b"Jane > jane@x", [(b"", "jane@x")]),
    (b'"Jane <jane@x>', [(b'"\\"Jane"', "jane@x")]),
    (b"Jane (D <jane@x> (c), b@y", [(b'"Jane (D"', "jane@x"), (b"", "b@y")]),
    (b"Jane ) <jane@x>", [(b'"Jane )"', "jane@x")]),
    (b"jane@x\\\r\n , b@y", [(b"", "jane@x"), (b"", "b@y")]),
]


@pytest.mark.parametrize(("body", "found"), WELL_FORMED + UNQUOTED_SPECIALS + MALFORMED)
def test_mailboxes(body, found):
    assert listed(body) == found


@pytest.mark.parametrize(("body", "found"), WELL_FORMED + UNQUOTED_SPECIALS)
def test_a_name_is_read_again_as_it_was_written(body, found):
    written = b", ".join(b"%s <%s>" % (name, address.encode()) for name, address in found)
    assert listed(written) == found


@pytest.mark.parametrize(
    "repeated",
    [
        *(
            b"(",
            b")",
            b"(()",
            b'"',
            b'\\"',
            b"<",
            b"<@",
            b"[",
            b"a@b ",
            b"a,",
            b"(a)",
            b"\\",
            b":;",
        ),
        *(
            b":;",
            b":",
            b"=?",
            b"=?a?q?",
            b"=?a?q?b",
            b"<>",
            b"<a>",
            b"a@",
            b"a:b ",
            b"a;",
            b"<a@b>",
        ),
    ],
)
def test_a_mailbox_is_found_after_300_kilobytes_of_anything(repeated):
    body = repeated * (300_000 // len(repeated)) + b" , jane@x.de"

    assert listed(body)[-1][1] == "jane@x.de"


def test_only_what_is_wanted_is_read():
    body = b"jane@x.de, " + 10_000 * b"b@y,"
    read = mailboxes(body, 0, len(body))

    assert next(read).address == "jane@x.de"


@given(bodies)
def test_a_name_never_holds_what_could_be_taken_for_more_than_a_name(body):
    for name, _ in listed(body):
        words = name.split(b'"')[::2]  # between quoted strings, unless there are quotes in them
        assert b'\\"' in name or not set(b"<>@,:;()[]") & set(b"".join(words))
        assert listed(name + b" <jane@x.de>") == [(name, "jane@x.de")]


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        (b"", True),
        (b" \t\r\n (a (b) \\) c) ", True),
        (b" x ", False),
        (b"(a", False),
        (b",", False),
        (b'""', False),
    ],
)
def test_is_blank(text, blank):
    assert is_blank(b"(" + text + b"x", 1, 1 + len(text)) is blank
