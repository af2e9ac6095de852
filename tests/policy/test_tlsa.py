"""Which TLSA records count for a mail server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.dns import Tlsa
from multisendcon_plugin.policy.tlsa import usable, written
from multisendcon_plugin.routing.dane import DaneRecord, Digest

S256, S512 = b"\x01" * 32, b"\x02" * 64


@pytest.mark.parametrize("usage", [2, 3])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize(("matching", "data"), [(0, b"\x30\x00"), (1, S256), (2, S512)])
def test_records_that_can_be_used(usage, selector, matching, data):
    record = Tlsa(usage, selector, matching, data)
    (found,) = usable([record])
    assert found == DaneRecord(usage == 2, selector == 1, Digest(matching), data)
    assert str(found) == written(record) == f"{usage} {selector} {matching} {data.hex()}"


@pytest.mark.parametrize(
    "record",
    [
        Tlsa(0, 1, 1, S256),  # PKIX-TA
        Tlsa(1, 1, 1, S256),  # PKIX-EE
        Tlsa(4, 1, 1, S256),
        Tlsa(255, 1, 1, S256),
        Tlsa(3, 2, 1, S256),
        Tlsa(3, 1, 3, S256),
        Tlsa(3, 1, 1, S256[1:]),
        Tlsa(3, 1, 1, S512),
        Tlsa(3, 1, 2, S256),
        Tlsa(3, 1, 1, b""),
        Tlsa(3, 1, 0, b""),
    ],
)
def test_records_that_cannot_be_used(record):
    assert usable([record]) == ()
    (other,) = usable([record, Tlsa(3, 0, 1, S256)])
    assert not other.key


def test_the_weaker_of_two_digests_does_not_count():
    weak, strong, whole = Tlsa(3, 1, 1, S256), Tlsa(3, 1, 2, S512), Tlsa(3, 1, 0, b"\x30")
    assert {each.digest for each in usable([weak, strong])} == {Digest.SHA512}
    assert {each.digest for each in usable([weak, strong, whole])} == {Digest.SHA512, Digest.NONE}
    # Of records about something else, it does.
    for other in (Tlsa(3, 0, 2, S512), Tlsa(2, 1, 2, S512)):
        assert len(usable([weak, other])) == 2
    # One that cannot be used is stronger than nothing.
    assert len(usable([weak, Tlsa(3, 1, 2, S256)])) == 1


numbers = st.integers(0, 5)
records = st.builds(Tlsa, numbers, numbers, numbers, st.binary(max_size=64) | st.just(S256))


@given(st.lists(records))
def test_whatever_is_in_the_dns_what_is_used_was_there(found):
    used = usable(found)
    assert {str(each) for each in used} <= {written(each) for each in found}
    assert len(set(used)) == len(used)
    assert usable(reversed(found)) == used
