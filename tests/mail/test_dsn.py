from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.dsn import (
    Notify,
    Return,
    decode,
    envelope_id,
    in_ascii,
    mail_parameters,
    original,
    original_recipient,
    parse_notify,
    rcpt_parameters,
)


@given(st.sampled_from([Notify(value) for value in range(8)]))
def test_wishes_come_back_from_their_words(notify):
    assert parse_notify(notify.words) is notify


@pytest.mark.parametrize(
    ("xtext", "text"),
    [
        ("a", "a"),
        ("a+2Bb+3Dc", "a+b=c"),
        ("+20", " "),
        ("", None),
        ("a b", None),
        ("a=b", None),
        ("a+2b", None),
        ("a+", None),
        ("a+0A", None),
        ("a+7F", None),
        ("a+E4", None),
        ("\u2028", None),
    ],
)
def test_xtext_is_decoded_if_it_can_be_shown(xtext, text):
    assert decode(xtext) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_any_printable_text_can_be_written_in_xtext(text):
    xtext = "".join(f"+{ord(c):02X}" if c in "+= " else c for c in text)
    assert decode(xtext) == text
    assert envelope_id(xtext) == xtext


#: What clients write, and the xtext that it stands for.
NOT_QUITE_XTEXT = [
    ("a+2b", "a+2B"),
    ("a+3db+2Bc+2f", "a+3Db+2Bc+2F"),
    ("a=b", "a+3Db"),
    ("==", "+3D+3D"),
    ("QQ12345==", "QQ12345+3D+3D"),
    ("a+", "a+2B"),
    ("+", "+2B"),
    ("joe+tag", "joe+2Btag"),
    ("joe+facebook", "joe+2Bfacebook"),
    ("joe+2b=x", "joe+2B+3Dx"),
    ("a+e4=b", "a+2Be4+3Db"),
    ("a+0ab", "a+2B0ab"),
]


@pytest.mark.parametrize(("value", "xtext"), NOT_QUITE_XTEXT)
def test_what_is_not_quite_xtext_is_mended(value, xtext):
    assert envelope_id(value) == envelope_id(xtext) == xtext
    assert original(f"rfc822;{value}@x.example") == f"rfc822;{xtext}@x.example"
    assert decode(xtext)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_a_mended_value_is_xtext_for_good(value):
    xtext = envelope_id(value)
    assert xtext is None or (decode(xtext) is not None and envelope_id(xtext) == xtext)


@pytest.mark.parametrize("value", ["a" * 101, "a" * 5000, "+2B" * 40])
def test_a_long_envelope_id_is_read_but_not_passed_on(value):
    assert envelope_id(value) == value
    assert mail_parameters(Return.FULL, value) == " RET=FULL"
    assert mail_parameters(None, value[:99]) == f" ENVID={value[:99]}"


@pytest.mark.parametrize(
    "value", ["a+C3+A4", "a+0A", "a+7F", "a+E4", "\xe4", "a b", "a\tb=", "a=\x00", "\u2028=", ""]
)
def test_an_envelope_id_stands_for_ascii_that_can_be_shown(value):
    assert envelope_id(value) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("utf-8;ä=b@c", "utf-8;ä+3Db@c"),
        ("rfc822;+c3+a4@c", "rfc822;+C3+A4@c"),
        ("RFC822;a+2Bb@c", "RFC822;a+2Bb@c"),
        ("rfc822;a;b=c", "rfc822;a;b+3Dc"),
        ("rfc822;", None),
        ("=a;b@c", None),
        ("joe+tag@c", None),
        ("rfc822;+E4@c", None),
        ("rfc822;\u2028=@c", None),
    ],
)
def test_an_original_recipient_is_mended(value, read):
    assert original(value) == read


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("rfc822;a+2Bb@c", ("rfc822", "a+b@c")),
        ("RFC822;a;b", ("RFC822", "a;b")),
        ("utf-8;ä@c", ("utf-8", "ä@c")),
        ("utf-8;\\x{E4}@c", ("utf-8", "\\x{E4}@c")),
        ("rfc822;+C3+A4@b+C3+BCcher.example", ("rfc822", "ä@bücher.example")),
        ("rfc822;+E4@c", None),
        ("rfc822;+E2+80+A8@c", None),
        ("rfc822;", None),
        (";a@b", None),
        ("a@b", None),
        ("x_y;a@b", None),
    ],
)
def test_an_original_recipient_has_a_type_and_an_address(value, expected):
    assert original_recipient(value) == expected


@pytest.mark.parametrize(
    ("notify", "original", "utf8", "parameters"),
    [
        (None, "", True, ""),
        (Notify.NEVER, "", True, " NOTIFY=NEVER"),
        (Notify.SUCCESS | Notify.DELAY, "", True, " NOTIFY=SUCCESS,DELAY"),
        (None, "rfc822;a+2Bb@c", False, " ORCPT=rfc822;a+2Bb@c"),
        (Notify.FAILURE, "utf-8;ä@c", True, " NOTIFY=FAILURE ORCPT=utf-8;ä@c"),
        (None, "utf-8;ä+2B@c", False, " ORCPT=utf-8;\\x{E4}+2B@c"),
        (None, "rfc822;" + "x" * 493, True, " ORCPT=rfc822;" + "x" * 493),
        (Notify.NEVER, "rfc822;" + "x" * 494, True, " NOTIFY=NEVER"),
        (None, "utf-8;" + "ä" * 247, True, " ORCPT=utf-8;" + "ä" * 247),
        (None, "utf-8;" + "ä" * 247, False, ""),
    ],
)
def test_what_is_passed_on(notify, original, utf8, parameters):
    assert rcpt_parameters(notify, original, utf8=utf8) == parameters


def test_an_address_in_ascii():
    assert in_ascii("ä+=\\€@c") == "\\x{E4}\\x{2B}\\x{3D}\\x{5C}\\x{20AC}@c"
