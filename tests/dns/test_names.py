"""Which texts are names of the DNS."""

from __future__ import annotations

import pytest

from multisendcon_plugin.dns import ROOT, DnsError
from multisendcon_plugin.dns.names import normal

LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ROOT, ROOT),
        ("MX.Example.", "mx.example"),
        ("_25._tcp.mx.example", "_25._tcp.mx.example"),
        (LONGEST, LONGEST),
    ],
)
def test_names_have_one_form(text, name):
    assert normal(text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{LONGEST}a", "longer than 253 characters"),
        ("müller.example", "not in ASCII"),
        ("a b.example", "with characters that no host has"),
        ("a\n.example", "with characters that no host has"),
        ("", "with an empty label"),
        ("a..example", "with an empty label"),
        (f"{'a' * 64}.example", "with a label of more than 63 characters"),
    ],
)
def test_what_is_none_is_so_for_good(text, why):
    with pytest.raises(DnsError, match=why) as caught:
        normal(text)
    assert not caught.value.temporary
