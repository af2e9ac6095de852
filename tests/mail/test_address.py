from __future__ import annotations

import re
from contextlib import suppress

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.errors import AddressError
from multisendcon_plugin.mail import address as module
from multisendcon_plugin.mail.address import (
    ascii_domain,
    domain_of,
    matching_form,
    parse_mailbox,
    parse_path,
    split,
)

LONG_LABEL = "d" * 61
LONGEST_DOMAIN = ".".join([LONG_LABEL] * 4) + ".example"  # 255 octets


@pytest.mark.parametrize(
    ("argument", "address", "parameters"),
    [
        (b"<a@b>", "a@b", b""),
        (b"<a@b> SIZE=10 BODY=8BITMIME", "a@b", b"SIZE=10 BODY=8BITMIME"),
        (b"   <a@b>   SIZE=10  ", "a@b", b"SIZE=10"),
        (b"<a@b>  ", "a@b", b""),
        (b"a@b", "a@b", b""),
        (b" a@b SIZE=10", "a@b", b"SIZE=10"),
        (b"a@b   SIZE=10  ", "a@b", b"SIZE=10"),
        (b'"a b"@c SIZE=10', '"a b"@c', b"SIZE=10"),
        (b"<>", "", b""),
        (b" <> SIZE=10", "", b"SIZE=10"),
        (b"<John.Doe@Example.COM>", "John.Doe@Example.COM", b""),
        (b"<a..b@docomo.ne.jp>", "a..b@docomo.ne.jp", b""),
        (b"<.a.@b>", ".a.@b", b""),
        (b"<!#$%&'*+-/=?^_`{|}~@b>", "!#$%&'*+-/=?^_`{|}~@b", b""),
        (b"<a@my_host-1.local>", "a@my_host-1.local", b""),
        (b'<"a@b"@c>', '"a@b"@c', b""),
        (b'<"a > <b"@c> X', '"a > <b"@c', b"X"),
        (b'<"a\\"b\\\\"@c>', '"a\\"b\\\\"@c', b""),
        (b'<""@c>', '""@c', b""),
        (b"<a@[192.0.2.1]>", "a@[192.0.2.1]", b""),
        (b"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", b""),
        (b"<a@[ipv6:::1]>", "a@[ipv6:::1]", b""),
        ("<jörg@münchen.de> SMTPUTF8".encode(), "jörg@münchen.de", b"SMTPUTF8"),
        ('<"jö rg"@b>'.encode(), '"jö rg"@b', b""),
        (b"<a@b> X=\xff", "a@b", b"X=\xff"),
        (b"a@b X=\xff", "a@b", b"X=\xff"),
        (b"<@r1:a@b>", "a@b", b""),
        (b'<@r1.example,@r2_x:"a:b"@c> X', '"a:b"@c', b"X"),
        (b"<" + b"l" * 5000 + b"@b> X", "l" * 5000 + "@b", b"X"),
        ("<" + "é" * 400 + "@b>", "é" * 400 + "@b", b""),
        ('<"' + "a b" * 100 + '"@b>', '"' + "a b" * 100 + '"@b', b""),
        (b"bounces+" + b"7=" * 60 + b"@b", "bounces+" + "7=" * 60 + "@b", b""),
        (b"<a@xn--u-label.de>", "a@xn--u-label.de", b""),
        (b"<a@" + b"d" * 64 + b".de>", "a@" + "d" * 64 + ".de", b""),
        ("<a@" + "ü" * 40 + ".de>", "a@" + "ü" * 40 + ".de", b""),
        ("<a@MÜNCHEN.de>", "a@MÜNCHEN.de", b""),
        ("<a@straße.de>", "a@straße.de", b""),
        ("<a@παράδειγμα.ελ>", "a@παράδειγμα.ελ", b""),
        ("<a@例え.テスト>", "a@例え.テスト", b""),
        ("<a@דוגמה.test_1>", "a@דוגמה.test_1", b""),
        ("<a@क्‍ष.example>", "a@क्‍ष.example", b""),
        (f"<a@{LONGEST_DOMAIN}>".encode(), f"a@{LONGEST_DOMAIN}", b""),
        (b"<postmaster@b>", "postmaster@b", b""),
    ],
)
def test_path_is_read(argument, address, parameters):
    argument = argument if isinstance(argument, bytes) else argument.encode()
    assert parse_path(argument, null_allowed=True) == (address, parameters)


IDNA = "IDNA 2008"
REFUSED = [
    (b"", "missing"),
    (b"   ", "missing"),
    (b"SIZE=10", "user@domain"),
    (b"<a>", "user@domain"),
    (b"<a@>", "user@domain"),
    (b'<"a@b">', "user@domain"),
    (b"<@b>", "source route"),
    (b"<a@b", "<user@domain>"),
    (b"a@b>", "<user@domain>"),
    (b"<<a@b>>", "<user@domain>"),
    (b"<a@b>>", "<user@domain>"),
    (b"<a@b>SIZE=10", "<user@domain>"),
    (b"Joe <a@b>", "user@domain"),
    (b"< a@b >", "<user@domain>"),
    (b'<"a@b>', "<user@domain>"),
    (b'<a"b"@c>', "local part"),
    (b"<a@b@c>", "local part"),
    (b"<a,b@c>", "local part"),
    (b"<a\\@b@c>", "local part"),
    (b"<(c)a@b>", "local part"),
    (b"<@a:@b>", "local part"),
    ('<"\\é"@b>'.encode(), "local part"),
    (b"<a@b.>", "domain"),
    (b"<a@.b>", "domain"),
    (b"<a@b..c>", "domain"),
    (b"<a@b/c>", "domain"),
    (b"<a@b:c>", "domain"),
    (b"<a@[1.2.3]>", "address literal"),
    (b"<a@[1.2.3.44>", "address literal"),
    (b"<a@[1.2.3.256]>", "address literal"),
    (b"<a@[IPv6:1.2.3.4]>", "address literal"),
    (b"<a@[2001:db8::1]>", "address literal"),
    (b"<a@[IPv6:fe80::1%eth0]>", "address literal"),
    (b"<a@[x400:y]>", "address literal"),
    (b"<@a,b:c@d>", "source route"),
    (b"<@a;@b:c@d>", "source route"),
    (f"<a@x{LONGEST_DOMAIN}>", "255 octets"),
    (f"<a@{'é.' * 85}x>", "255 octets"),
    ("<a@b\u200bc.de>", IDNA),  # zero width space
    ("<a@b\u00adc.de>", IDNA),  # soft hyphen
    ("<a@b\u2060c.de>", IDNA),  # word joiner
    ("<a@b\u200dc.de>", IDNA),  # zero width joiner, where nothing is to be joined
    ("<a@\ufeffb.de>", IDNA),  # byte order mark
    ("<a@\uff42.de>", IDNA),  # full-width b
    ("<a@\uff22ü.de>", IDNA),  # full-width B
    ("<a@b\u3002de>", IDNA),  # ideographic full stop
    ("<a@b\uff0ede>", IDNA),  # full-width full stop
    ("<a@stra\u1e9ee.de>", IDNA),  # capital sharp s
    ("<a@\u212aöln.de>", IDNA),  # Kelvin sign
    ("<a@\ufb01rma.de>", IDNA),  # ligature fi
    ("<a@\u2460.de>", IDNA),  # circled 1
    ("<a@mu\u0308nchen.de>", IDNA),  # NFD
    ("<a@\u0308b.de>", IDNA),  # begins with a mark
    ("<a@\U0001d41b.de>", IDNA),  # mathematical b
    ("<a@☃.de>", IDNA),
    ("<a@דb.de>", IDNA),  # right-to-left and left-to-right
    ("<a@-ü.de>", IDNA),
    ("<a@ü_1.de>", IDNA),
    ("<a@" + "ü" * 60 + ".de>", IDNA),  # as A-label 64 octets
    ("<a@" + "ü" * 127 + ">", IDNA),
    ("<@relay.example:a@b\u200b.de>", IDNA),
    ("a@b\u200b.de", IDNA),
    (b"<\xff@b>", "local part"),
    (b"<a@\xc3>", "domain"),
    (b"<\xed\xa0\x80@b>", "local part"),
    ("<a\x85@b>", "local part"),
    ('<"a\u2028"@b>', "local part"),
    ("<a@b\x9f>", "domain"),
]


@pytest.mark.parametrize(("argument", "fault"), REFUSED)
def test_path_is_refused(argument, fault):
    argument = argument if isinstance(argument, bytes) else argument.encode()
    with pytest.raises(AddressError, match=re.escape(fault)):
        parse_path(argument, null_allowed=True)


@pytest.mark.parametrize("control", [bytes([n]) for n in (*range(0x20), 0x7F)])
@pytest.mark.parametrize(
    "argument",
    [
        b"<a%b@c>",
        b'<"a%b"@c>',
        b'<"a\\%b"@c>',
        b"<a@b%c>",
        b"<@r%:a@b>",
        b"%<a@b>",
        b"<a@b>%",
        b"<a@b> X%",
        b"a@b%",
        b"<%>",
        b"<a@[%1.2.3.4]>",
        b"<a@[IPv6:fe80::1%]>",
    ],
)
def test_control_characters_are_refused_anywhere(argument, control):
    with pytest.raises(AddressError):
        parse_path(argument.replace(b"%", control), null_allowed=True)


@pytest.mark.parametrize("text", ["<postmaster>", "<PostMaster>", "POSTMASTER", "<postmaster> X"])
def test_postmaster_needs_no_domain_as_recipient(text):
    assert parse_path(text.encode(), null_allowed=False)[0] == "postmaster"


@pytest.mark.parametrize("argument", [b"<postmaster>", b"postmaster"])
def test_postmaster_without_domain_is_no_sender(argument):
    with pytest.raises(AddressError):
        parse_path(argument, null_allowed=True)


@pytest.mark.parametrize("argument", [b"<>", b"<> NOTIFY=NEVER"])
def test_recipient_is_not_null(argument):
    with pytest.raises(AddressError, match="null"):
        parse_path(argument, null_allowed=False)


def test_long_source_route_is_read():
    route = b",".join([b"@host.example"] * 100_000)
    assert parse_path(b"<" + route + b":a@b>", null_allowed=True) == ("a@b", b"")


def test_refusal_does_not_repeat_the_path():
    with pytest.raises(AddressError) as caught:
        parse_path(b"<secret,name@example.com>", null_allowed=True)
    assert "secret" not in str(caught.value)


# Texts that are nearly paths find more than random ones.
PIECES = [b"<", b">", b"@", b":", b",", b".", b'"', b"\\", b" ", b"[", b"]", b"[1.2.3.4]"]
PIECES += [b"IPv6:", b"::1", b"%", b"a", b"b.c", b"postmaster", b"<a@b>", b" X=1", "é".encode()]
PIECES += [b"\x80", b"\xc2", b"\r", b"\n", b"\0", b"\x7f", b"\xe2\x80\xa8", b"x" * 63]
arguments = st.binary(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@given(argument=arguments, null_allowed=st.booleans())
@example(argument=b"<@a:@b:c@d>", null_allowed=True)
def test_path_gives_a_clean_address_or_an_address_error(argument, null_allowed):
    try:
        address, parameters = parse_path(argument, null_allowed=null_allowed)
    except AddressError:
        return
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", address)
    assert not re.search(rb"[\x00-\x1f\x7f]", parameters)
    assert address.encode() in argument or address == "postmaster"
    written = f"<{address}>".encode()
    assert parse_path(written, null_allowed=null_allowed) == (address, b"")
    assert parse_path(written + b" A=1 B", null_allowed=null_allowed) == (address, b"A=1 B")


@given(argument=arguments)
def test_shortcut_for_common_paths_reads_what_the_grammar_reads(argument):
    if module._COMMON_PATH.fullmatch(argument):
        expected = module._parse_any_path(argument, null_allowed=True)
        assert parse_path(argument, null_allowed=True) == expected


@given(text=st.text(max_size=20) | arguments.map(lambda raw: raw.decode("utf-8", "replace")))
@example(text="\ud800@b")
@example(text="a@\udcff")
def test_mailbox_is_read_by_the_same_grammar_as_a_path(text):
    try:
        address = parse_mailbox(text)
    except AddressError:
        return
    assert address == text
    assert parse_path(f"<{text}>".encode(), null_allowed=True) == (text, b"")


@pytest.mark.parametrize(
    "text", ["", "postmaster", "<a@b>", " a@b", "a@b ", "a@b, c@d", "@a:b@c", "a@b\n", "@b"]
)
def test_text_is_not_a_mailbox(text):
    with pytest.raises(AddressError):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("address", "local", "domain"),
    [
        ("a@b", "a", "b"),
        ('"a@b"@c', '"a@b"', "c"),
        ('"a@b"', '"a@b"', ""),
        ("postmaster", "postmaster", ""),
        ("", "", ""),
        ("a@", "a@", ""),
        ("a@[IPv6:::1]", "a", "[IPv6:::1]"),
    ],
)
def test_split(address, local, domain):
    assert split(address) == (local, domain)


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("", ""),
        ("Postmaster", "postmaster"),
        ("John.Doe@Example.COM", "john.doe@example.com"),
        ("JÖRG@Example.COM", "jörg@example.com"),
        ("A@MÜNCHEN.de", "a@xn--mnchen-3ya.de"),
        ("a@XN--MNCHEN-3YA.de", "a@xn--mnchen-3ya.de"),
        ("a@例え。jp", "a@xn--r8jz45g.jp"),
        ("a@Straße.de", "a@xn--strae-oqa.de"),
        ("a@My_Host.münchen.de", "a@my_host.xn--mnchen-3ya.de"),
        ("a@☃É.de", "a@☃é.de"),
        ("É@[IPv6:2001:DB8::1]", "é@[ipv6:2001:db8::1]"),
        ('"John Doe"@Example.com', '"john doe"@example.com'),
        ('"John"@example.com', "john@example.com"),
        ('"J\\ohn\\"s"@example.com', '"john\\"s"@example.com'),
        ('"a@b"@C', '"a@b"@c'),
        ('""@c', '""@c'),
        ('"Broken', '"broken'),
    ],
)
def test_matching_form(address, form):
    assert matching_form(address) == form


@given(text=st.text(max_size=30) | st.tuples(st.text(), st.text()).map("@".join))
@example(text='"\\"')
@example(text="@À@")
def test_matching_form_takes_any_text_and_is_stable(text):
    form = matching_form(text)
    assert matching_form(form) == form


@given(argument=arguments)
def test_matching_form_of_an_address_ignores_ascii_case(argument):
    try:
        address, _ = parse_path(argument, null_allowed=True)
    except AddressError:
        return
    swapped = re.sub("[a-zA-Z]", lambda letter: letter[0].swapcase(), address)
    assert matching_form(swapped) == matching_form(address)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("", ""),
        ("Joe@Example.com", "Joe@Example.com"),
        ("Joe@München.de", "Joe@xn--mnchen-3ya.de"),
        ("a@MÜNCHEN.DE", "a@xn--mnchen-3ya.de"),
        ("a@ΣΑΣ.gr", "a@xn--mxa9ab.gr"),
        ('"a@b"@münchen.de', '"a@b"@xn--mnchen-3ya.de'),
    ],
)
def test_ascii_domain(address, written):
    assert ascii_domain(address) == written


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("jörg@münchen.de", "SMTPUTF8"),
        ("jörg@example.com", "SMTPUTF8"),
        ("a@☃.de", "internationalized"),
        ("a@ü。.de", "internationalized"),
        ("a@b\u200b.de", "internationalized"),
        ("a@\uff42.de", "internationalized"),
        ("a@" + "ü" * 64 + ".de", "internationalized"),
        ("a@" + "é." * 80 + "x", "255"),
    ],
)
def test_address_without_ascii_domain(address, fault):
    with pytest.raises(AddressError, match=fault):
        ascii_domain(address)


# What international domains cost.


@pytest.fixture
def converted(monkeypatch):
    """Return the labels that are converted, as they are."""
    labels = []
    convert = idna.alabel
    monkeypatch.setattr(idna, "alabel", lambda label: labels.append(label) or convert(label))
    module._punycode.cache_clear()
    yield labels
    module._punycode.cache_clear()


@pytest.mark.parametrize(
    ("domain", "labels"),
    [
        (".".join(["ä" * 20] * 6), ["ä" * 20]),
        ("Äpfel.bücher.äpfel.example", ["äpfel", "bücher", "äpfel"]),
        ("ascii.example", []),
        ("ä" * 64, []),  # too long to be a label
        ("ö" * 127, []),
    ],
)
def test_a_label_is_converted_once_for_all_recipients(converted, domain, labels):
    for number in range(900):
        with suppress(AddressError):
            parse_path(f"<user{number}@{domain}>".encode(), null_allowed=False)
    assert converted == labels


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@Far.Example", "far.example"),
        ('"a@b"@far.example', "far.example"),
        ("a@b\u00fccher.example", "xn--bcher-kva.example"),
        ("\u00e4@XN--Bcher-KVA.example", "xn--bcher-kva.example"),
        ("a@my_host.B\u00dcCHER.example", "my_host.xn--bcher-kva.example"),
        ("a@[192.0.2.1]", "[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "[IPv6:2001:DB8::1]"),
        ("postmaster", ""),
        ("a@\uff26ar.example", "\uff46ar.example"),
    ],
)
def test_domain_of(address, domain):
    assert domain_of(address) == domain
