from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.errors import MaskError
from multisendcon_plugin.mail.address import matching_form
from multisendcon_plugin.mail.masks import EVERYONE, Masks, lookup_keys


@pytest.mark.parametrize(
    ("mask", "admitted", "refused"),
    [
        ("joe@x.de", ["joe@x.de", "JOE@X.DE", '"joe"@x.de'], ["jo@x.de", "joe@a.x.de", ""]),
        ("*@x.de", ["joe@x.de", "a.b@X.de", '"a@b"@x.de'], ["joe@a.x.de", "joe@xx.de", ""]),
        ("*@*.x.de", ["joe@a.x.de", "joe@b.a.x.de"], ["joe@x.de", "joe@ax.de", "a.x.de"]),
        ("*@*.de", ["joe@x.de", "joe@a.x.de"], ["joe@de", "joe@x.com"]),
        ("*", ["joe@x.de", "postmaster", ""], []),
        ("jo*@x.de", ["joe@x.de", "jo@x.de", "jo.a.b@x.de"], ["ajo@x.de", "jo@x.de.com"]),
        ("j?e@x.de", ["joe@x.de", "j.e@x.de"], ["je@x.de", "jooe@x.de"]),
        ("*sales*@x.de", ["sales@x.de", "my.sales.1@x.de"], ["sale@x.de", "a@sales.x.de"]),
        ("*@x*.de", ["a@x.de", "a@xy.z.de"], ["a@y.x.de", "x@y.de", "a@x.de.com"]),
        ("joe@*.x.de", ["joe@a.x.de"], ["joe@x.de", "jim@a.x.de"]),
        ("joe@*", ["joe@x.de", "joe@a.b"], ["ajoe@x.de", "joe", ""]),
        ("*@*", ["joe@x.de", '"a@b"@c'], ["postmaster", ""]),
        ("a*b@c", ["ab@c", "a.b@c"], ['"a@b"@c', "a@b.c"]),
        ("?@x.de", ["a@x.de"], ["aa@x.de"]),
        ("*@[192.0.2.*]", ["a@[192.0.2.7]"], ["a@[192.0.3.7]", "a@1"]),
        ("*@münchen.de", ["a@MÜNCHEN.de", "a@xn--mnchen-3ya.de"], ["a@munchen.de"]),
        ("*@*.xn--mnchen-3ya.de", ["a@b.münchen.de"], ["a@münchen.de"]),
        ("jörg*@x.de", ["JÖRG.a@x.de"], ["jorg@x.de"]),
        ('"John Doe"@x.de', ['"john doe"@x.de', '"john\\ doe"@x.de'], ["john@x.de"]),
        ('"John *"@x.de', ['"john doe"@x.de'], ['"joe doe"@x.de']),
        ('"[ab] *"@x.de', ['"[ab] c"@x.de'], ['"a c"@x.de']),
        ("<>", [], ["", "a@b", "postmaster"]),
    ],
)
def test_mask(mask, admitted, refused):
    masks = Masks.parse([mask])
    for address in admitted:
        assert masks.match(matching_form(address)) == mask, address
    for address in refused:
        assert masks.match(matching_form(address)) is None, address


@pytest.mark.parametrize(
    ("texts", "admitted", "refused"),
    [
        ([], ["a@b", "postmaster", ""], []),
        (["!*@x.de"], ["a@b", "a@a.x.de", ""], ["a@x.de", "A@X.DE"]),
        (["*", "!*@x.de"], ["a@b", ""], ["a@x.de"]),
        (["*@x.de", "!boss@x.de"], ["a@x.de"], ["boss@x.de", '"boss"@x.de', "a@b", ""]),
        (["! boss@x.de ", " *@x.de"], ["a@x.de"], ["boss@x.de"]),
        (["*@x.de", "!b*@x.de", "!*@*.y"], ["a@x.de"], ["boss@x.de", "a@z.y"]),
        (["a@x.de", "b@x.de"], ["a@x.de", "b@x.de"], ["c@x.de"]),
        (["<>", "!a@b"], [], ["c@d", ""]),
        (["!*"], [], ["c@d", ""]),
    ],
)
def test_lists_of_masks(texts, admitted, refused):
    masks = Masks.parse(texts)
    for address in admitted:
        assert masks.match(matching_form(address)) is not None, address
    for address in refused:
        assert masks.match(matching_form(address)) is None, address


@pytest.mark.parametrize(
    ("texts", "address", "reason"),
    [
        ([], "a@b", "*"),
        (["!c@d"], "a@b", "*"),
        (["*", "*@*.de", "*@X.de", "a@X.de"], "a@x.de", "a@X.de"),
        (["*", "*@*.de", "*@X.de"], "a@x.de", "*@X.de"),
        (["*@*.de", "*@*.x.de"], "a@y.x.de", "*@*.x.de"),
        (["a*@*", "*a@*", "?@x"], "a@x", "a*@*"),
        (["A@x", "a@X"], "a@x", "A@x"),
    ],
)
def test_most_specific_mask_is_the_reason(texts, address, reason):
    assert Masks.parse(texts).match(address) == reason


@pytest.mark.parametrize(
    ("texts", "admits_null"),
    [(["<>"], True), (["*@x", "<>"], True), ([], False), (["*"], False), (["!*@x"], False)],
)
def test_null_reverse_path_has_its_own_mask(texts, admits_null):
    assert Masks.parse(texts).admits_null is admits_null


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("example.com", '"*@example.com"'),
        ("!example.com", '"*@example.com"'),
        ("*.example.com", '"*@*.example.com"'),
        (".example.com", '"*@*.example.com"'),
        ("@example.com", '"*@example.com"'),
        ("<joe@example.com>", '"joe@example.com"'),
        ("joe", '"joe@example.com"'),
        ("localhost", '"*@localhost"'),
        ("", "leave it out"),
        ("!", "leave it out"),
        ("!<>", "cannot be excluded"),
        ("*@mün*.de", "whole label"),
        ("joe@", "user@domain"),
        ("joe@x; jim@x", "local part"),
        ("*@x..de", "domain"),
        ("a b@x", "local part"),
        ("a\n*@x", "local part"),
        ("*@x.de.", "domain"),
    ],
)
def test_fault_says_what_would_be_right(text, advice):
    with pytest.raises(MaskError) as caught:
        Masks.parse(["*@fine.example", text])
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([], ["*"]),
        (["!a@b"], ["*", "!A@B"]),
        (["*@x", "*@y"], ["*@Y", "*@X", "*@x"]),
        (["*@münchen.de"], ["*@xn--mnchen-3ya.de"]),
    ],
)
def test_masks_that_mean_the_same_are_equal(one, other):
    assert Masks.parse(one) == Masks.parse(other)
    assert hash(Masks.parse(one)) == hash(Masks.parse(other))


@pytest.mark.parametrize(
    "texts", [["*@x"], ["*@*.x"], ["!*@x"], ["<>"], ["*@x", "<>"], ["*@x", "!a@x"], ["*@*"]]
)
def test_masks_that_differ_are_not_equal(texts):
    assert Masks.parse(texts) != EVERYONE
    assert Masks.parse(texts) != Masks.parse(["*@x", "*@y"])
    assert Masks.parse(texts) != Masks.parse([*texts, "!b@x"])
    assert Masks.parse(texts) != Masks.parse([*texts, "z@z"])


def test_null_mask_makes_a_difference():
    assert Masks.parse(["*@x", "<>"]) != Masks.parse(["*@x"])


def test_masks_remember_how_they_were_written():
    assert Masks.parse([" *@X.de", "!Joe@x.DE"]).texts == ("*@X.de", "!Joe@x.DE")


def test_many_stars_take_no_exponential_time():
    masks = Masks.parse(["*a" * 30 + "b@" + "*x" * 60 + "y"])
    assert masks.match("a" * 64 + "@" + "x" * 255) is None


# A small alphabet, so that masks and addresses often meet.
locals_ = st.text("ab.", min_size=1, max_size=3)
domains = st.lists(st.sampled_from(["a", "b", "ü", "B"]), min_size=1, max_size=4).map(".".join)
addresses = st.tuples(locals_, domains).map("@".join) | st.sampled_from(["", "postmaster"])
wild_domains = st.lists(st.sampled_from(["a", "b", "*", "ü", "a?", "*b"]), min_size=1, max_size=4)
mask_texts = (
    st.tuples(st.text("ab.*?", min_size=1, max_size=3), wild_domains.map(".".join)).map("@".join)
    | st.tuples(st.just("*"), st.just("*.") | st.just(""), domains).map(
        lambda parts: f"{parts[0]}@{parts[1]}{parts[2]}"
    )
    | addresses.filter(lambda address: "@" in address)
    | st.just("*")
)


def glob(pattern, text):
    """Match the slow and obvious way."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def admits(mask, address):
    if mask == "*":
        return True
    if "@" not in address:
        return False
    return all(map(glob, matching_form(mask).rsplit("@", 1), address.rsplit("@", 1)))


@given(included=st.lists(mask_texts), excluded=st.lists(mask_texts, max_size=2), address=addresses)
@example(included=["*@*.a"], excluded=[], address="a@b.a")
def test_masks_agree_with_the_obvious_way(included, excluded, address):
    address = matching_form(address)
    masks = Masks.parse([*included, *(f"!{mask}" for mask in excluded)])
    admitting = {mask for mask in included or ["*"] if admits(mask, address)}
    if any(admits(mask, address) for mask in excluded):
        admitting = set()
    found = masks.match(address)
    assert found in admitting if admitting else found is None


@given(included=st.lists(mask_texts), address=addresses)
def test_keys_find_all_masks_that_admit(included, address):
    masks = Masks.parse(included)
    address = matching_form(address)
    if masks.match(address) is not None:
        assert masks.keys & set(lookup_keys(address))


def test_lookup_keys_are_ordered_from_address_to_any():
    assert lookup_keys("a@b.c.d") == ("a@b.c.d", "*@b.c.d", "*@*.c.d", "*@*.d", "*")


@pytest.mark.parametrize(
    ("texts", "keys"),
    [
        (["A@x.de", "*@y.de", "*@*.z.de"], {"a@x.de", "*@y.de", "*@*.z.de"}),
        (["a*@x.de", "a@*.y.de"], {"*@x.de", "*@*.y.de"}),
        (["a@x.de", "a@x*"], {"*"}),
        (["!a@x.de"], {"*"}),
        (["<>"], set()),
    ],
)
def test_masks_have_the_narrowest_keys(texts, keys):
    assert Masks.parse(texts).keys == keys
