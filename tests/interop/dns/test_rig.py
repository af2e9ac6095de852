"""The rig: what the name servers and the mail servers of these tests say."""

from __future__ import annotations

import dns.flags
import dns.rcode
import pytest

from tests.interop.dns.name_servers import NEEDED, NameServers, ask
from tests.interop.dns.zones import Zone, mail_servers, tlsa

pytestmark = NEEDED

HASH = "ab" * 32
ZONES = [
    Zone("test", ["null MX 0 .", "alias CNAME plain.test.", "xn--bcher-kva MX 1 mx1.plain.test."]),
    Zone("plain.test", [*mail_servers("mx1", "mx2"), "mx1 A 127.9.1.1", "mx1 AAAA ::1"]),
    Zone(
        "signed.test",
        [*mail_servers("mx1"), "mx1 A 127.9.1.2", tlsa("mx1", f"3 1 1 {HASH}")],
        signed=True,
    ),
    Zone("bogus.test", [*mail_servers("mx1"), "mx1 A 127.9.1.2"], bogus=True),
    Zone("changing.test", ["a A 127.9.1.3"], ttl=0),
    Zone("1.9.127.in-addr.arpa", ["1 PTR mx1.plain.test."]),
]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    with NameServers(tmp_path_factory.mktemp("names"), ZONES) as names:
        yield names


def answer(names, name, rdtype):
    """Return the records, and whether they are verified; or the name of the error."""
    reply = ask(names.unbound, name, rdtype)
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    records = [str(record) for rrset in reply.answer for record in rrset]
    return sorted(records), bool(reply.flags & dns.flags.AD)


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("plain.test", "MX", (["10 mx1.plain.test.", "20 mx2.plain.test."], False)),
        ("mx1.plain.test", "A", (["127.9.1.1"], False)),
        ("mx1.plain.test", "AAAA", (["::1"], False)),
        ("null.test", "MX", (["0 ."], False)),
        ("xn--bcher-kva.test", "MX", (["1 mx1.plain.test."], False)),
        (
            "alias.test",
            "MX",
            (["10 mx1.plain.test.", "20 mx2.plain.test.", "plain.test."], False),
        ),
        ("signed.test", "MX", (["10 mx1.signed.test."], True)),
        ("mx1.signed.test", "A", (["127.9.1.2"], True)),
        ("_25._tcp.mx1.signed.test", "TLSA", ([f"3 1 1 {HASH}"], True)),
        ("_25._tcp.signed.test", "TLSA", "NXDOMAIN"),
        ("bogus.test", "MX", "SERVFAIL"),
        ("nobody.test", "MX", "NXDOMAIN"),
        ("example", "MX", "NXDOMAIN"),
        ("1.1.9.127.in-addr.arpa", "PTR", (["mx1.plain.test."], False)),
    ],
)
def test_what_is_in_the_zones_is_answered_and_verified(names, name, rdtype, expected):
    assert answer(names, name, rdtype) == expected


def test_a_zone_changes(names):
    assert answer(names, "a.changing.test", "A") == (["127.9.1.3"], False)
    names.knot.change(Zone("changing.test", ["b A 127.9.1.4"], ttl=0))
    assert answer(names, "b.changing.test", "A") == (["127.9.1.4"], False)
