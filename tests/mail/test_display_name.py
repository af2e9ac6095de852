"""What a display name shows, whoever reads it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.display_name import shows

BOSS = "Boss@hidden.example"
IDN = "boss@bücher.example"


def word(text: str, charset: str = "utf-8", *, language: str = "", encoding: str = "b") -> bytes:
    """Return an encoded word."""
    octets = text.encode(charset)
    if encoding in "bB":
        encoded = base64.b64encode(octets)
    else:
        encoded = b"".join(b"=%02x" % octet for octet in octets)
    return b"=?%s?%s?%s?=" % ((charset + language).encode(), encoding.encode(), encoded)


@pytest.mark.parametrize(
    "name",
    [
        b'"boss@hidden.example"',
        b"BOSS@Hidden.Example",
        b'"The boss (boss@hidden.example)"',
        b'"boss @ hidden . example"',
        b'"\\b\\o\\s\\s@hidden.example"',
        b'"\\"boss\\"@hidden.example"',
        b'"boss@hidden\r\n .example"',
        "boss＠hidden．example".encode(),
        "boss﹫hidden。example".encode(),
        "ｂｏｓｓ@hidden.example".encode(),
        "bo\u200bss@hidden\u00ad.example".encode(),
        b"\xe4 boss@hidden.example",
        b"=?utf-8?q?boss=40hidden.example?=",
        b"=?UTF-8?Q?Boss_=40hidden=2eexample?=",
        b"=?utf-8?q?boss@hidden.example?=",
        b'"=?utf-8?q?boss=40hidden.example?="',
        b'"x=?utf-8?q?boss=40hidden.example?="',
        b"boss=?utf-8?q?=40?= hidden.example",
        b"=?utf-8?q?boss?= =?utf-8?q?=40hidden?=\r\n =?iso-8859-1?q?.example?=",
        word(BOSS),
        word(BOSS, encoding="B").replace(b"=?=", b"?="),
        word(BOSS, encoding="Q"),
        word(BOSS, "utf-7"),
        b"=?utf-7?q?boss+AEA-hidden.example?=",
        b"=?unicode-1-1-utf-7?q?boss+AEA-hidden.example?=",
        b"=?utf-7?q?boss+A?= =?utf-7?q?EA-hidden.example?=",
        word(BOSS, "utf-16"),
        word(BOSS, "utf-16-be"),
        word(BOSS, "cp037"),
        word(BOSS, "utf-8", language="*en"),
        word(BOSS, "us-ascii", language="*EN-us", encoding="q"),
        word("boss＠hidden.example", "iso-2022-jp"),
        b"=?x-nobody-knows?q?boss=40hidden.example?=",
        b"=?rot13?q?boss=40hidden.example?=",
        b"=??q?boss=40hidden.example?=",
        b"=?utf-8?q?boss=40hidden.example=ff?=",
    ],
)
def test_an_address_is_seen(name):
    assert shows(name, ["other@x", BOSS])


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"Boss",
        b'"jane@customer.example"',
        b"hidden.example",
        b'"boss@hidden.test"',
        b"=?utf-8?q?J=C3=B6rg?=",
        b"=?utf-8?b?boss?=",
        b"=?idna?q?boss=40?=",
        b"=?utf-8?b?=ABCDE?= =?utf-8?b?A?=",
        b"\xff\xfe@",
    ],
)
def test_other_names_show_nothing(name):
    assert not shows(name, ["other@x", BOSS])


@pytest.mark.parametrize("name", [IDN, "boss@xn--bcher-kva.example", "BOSS@BÜCHER.example"])
@pytest.mark.parametrize("address", [IDN, "boss@xn--bcher-kva.example"])
def test_an_international_domain_is_seen_in_both_forms(name, address):
    assert shows(name.encode(), [address])


@pytest.mark.parametrize("address", ["a@xn--\x7f", "a@" + 300 * "ü", "a@ü..ü", "a@xn--a-", "a@"])
def test_an_address_without_another_form_is_compared_as_it_is(address):
    assert shows(address.encode(), [address])
    assert not shows(b"@xn--", [address])


def test_it_does_not_collect_the_names_of_charsets_that_nobody_knows():
    encodings = pytest.importorskip("encodings")
    before = len(encodings._cache)
    for number in range(100):
        assert not shows(b"=?x-%d?q?a?=" % number, [BOSS])
    assert len(encodings._cache) == before


PIECES = [b"=?", b"?=", b"?", b"utf-8", b"utf-7", b"*", b"q", b"b", b"=40", b"+AEA-", b"@", b" "]
names = st.lists(st.sampled_from([*PIECES, b"\xff", b"punycode", b"hex", b"\r\n "])).map(b"".join)


@given(names | st.binary(max_size=60), st.text(max_size=20))
def test_it_never_raises(name, address):
    assert shows(name, [address]) in (True, False)
