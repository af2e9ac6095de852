from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.dsn import (
    Notify,
    decode,
    in_ascii,
    is_envelope_id,
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
    assert is_envelope_id(xtext) == (len(xtext) <= 100)


def test_an_envelope_id_stands_for_ascii():
    assert not is_envelope_id("a+C3+A4")


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
        ("rfc822;" + "ä" * 247, None),
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
    ],
)
def test_what_is_passed_on(notify, original, utf8, parameters):
    assert rcpt_parameters(notify, original, utf8=utf8) == parameters


def test_an_address_in_ascii():
    assert in_ascii("ä+=\\€@c") == "\\x{E4}\\x{2B}\\x{3D}\\x{5C}\\x{20AC}@c"
