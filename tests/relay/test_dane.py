"""The certificate of a server, and what the DNS says of it: each in a real handshake."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.internet import ssl

from multisendcon_plugin.outcome.tls import TlsResult
from multisendcon_plugin.relay.dane import MOST_SENT
from multisendcon_plugin.relay.tls import ClientTLS
from multisendcon_plugin.routing.dane import Dane, DaneRecord, Digest
from multisendcon_plugin.routing.hop import Hop, Tls, TlsPolicy
from tests.certificates import Issued, shakes_hands

MX, DOMAIN, STRANGER = "mx1.example.com", "example.com", "mx1.example.net"
MISMATCH = (
    "the certificate of mx1.example.com does not match its DANE records"
    " (TLSA _25._tcp.mx1.example.com)"
)
NOT_SENT = f"{MISMATCH}: the server sends no certificate of the authority that they name"
DIGESTS = {
    Digest.NONE: bytes,
    Digest.SHA256: lambda octets: hashlib.sha256(octets).digest(),
    Digest.SHA512: lambda octets: hashlib.sha512(octets).digest(),
}


@cache
def pki():
    """Return an authority, one below it, and a server's certificate below that."""
    root = Issued("Root", authority=True)
    middle = Issued("Middle", by=root, authority=True)
    return root, middle, Issued("mx", MX, by=middle)


def record(issued, *, anchor=False, key=True, digest=Digest.SHA256):
    octets = issued.spki() if key else issued.der()
    return DaneRecord(anchor, key, digest, DIGESTS[digest](octets))


def anchored(issued, **more):
    return record(issued, anchor=True, **more)


class Wrapper:
    """What Twisted has around a connection."""

    failure = None

    def failVerification(self, failure):
        self.failure = self.failure or failure


def meet(server, *records, names=(MX, DOMAIN)):
    """Return what is wrong with a server; ``""``: the handshake was completed."""
    dane = Dane(base=MX, names=names, records=records)
    hop = Hop(host=MX, tls=TlsPolicy(mode=Tls.STARTTLS, name=MX, dane=dane))
    assert hop.tls_required
    wrapper = Wrapper()
    client = ClientTLS(hop, account="A").clientConnectionForTLS(wrapper)
    if shakes_hands(client, SSL.Connection(server.getContext(), None)):
        assert wrapper.failure is None
        assert client.get_servername() == MX.encode()
        return ""
    assert wrapper.failure.value.result is TlsResult.VALIDATION_FAILURE
    return str(wrapper.failure.value)


# The server's own (DANE-EE).

every_form = pytest.mark.parametrize(
    ("key", "digest"), [(key, digest) for key in (False, True) for digest in Digest]
)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@every_form
def test_the_certificate_itself_is_enough(key, digest, version):
    own = Issued("mx", MX)
    assert meet(own.server(version=version), record(own, key=key, digest=digest)) == ""


@every_form
def test_another_certificate_is_refused(key, digest):
    own, other = Issued("mx", MX), Issued("mx", MX)
    assert meet(own.server(), record(other, key=key, digest=digest)) == MISMATCH


def test_one_of_several_is_enough():
    own, next_one = Issued("mx", MX), Issued("mx", MX)
    records = record(next_one), record(own)
    assert meet(own.server(), *records) == meet(next_one.server(), *records) == ""


@pytest.mark.parametrize("days", [(-30, -1), (1, 30), (-1, 30)])
@pytest.mark.parametrize("names", [(MX,), (STRANGER,), ()])
def test_names_and_dates_of_the_certificate_itself_do_not_count(days, names):
    own = Issued("somebody", *names, days=days)
    assert meet(own.server(), record(own)) == ""


def test_a_new_certificate_with_the_same_key_matches_by_the_key_only():
    own = Issued("mx", MX)
    renewed = Issued("mx", MX, key=own.key)
    assert meet(renewed.server(), record(own, key=True)) == ""
    assert meet(renewed.server(), record(own, key=False)) == MISMATCH


def test_what_is_about_the_key_is_not_about_the_certificate():
    own = Issued("mx", MX)
    mixed = DaneRecord(False, False, Digest.SHA256, record(own, key=True).data)
    assert meet(own.server(), mixed) == MISMATCH


def test_the_certificate_of_the_authority_is_not_the_server_s_own():
    root, middle, own = pki()
    server = own.server(middle, root)
    assert meet(server, record(middle)) == meet(server, record(root)) == MISMATCH


# An authority's (DANE-TA).


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@every_form
def test_an_authority_that_is_sent_vouches_for_the_server(key, digest, version):
    root, middle, own = pki()
    server = own.server(middle, root, version=version)
    for authority in (root, middle):
        assert meet(server, anchored(authority, key=key, digest=digest)) == ""


def test_what_is_above_the_authority_need_not_be_there():
    _, middle, own = pki()
    assert meet(own.server(middle), anchored(middle)) == ""


def test_an_authority_that_is_not_sent_has_to_be_in_the_dns_as_a_whole():
    root, middle, own = pki()
    server = own.server(middle)
    assert meet(server, anchored(root)) == NOT_SENT
    assert meet(server, anchored(root, key=False)) == NOT_SENT
    assert meet(server, anchored(root, digest=Digest.NONE)) == NOT_SENT
    assert meet(server, anchored(root, key=False, digest=Digest.NONE)) == ""
    assert meet(server, DaneRecord(True, False, Digest.NONE, b"\x30\x00nonsense")) == NOT_SENT


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((MX,), ""),
        (("*.example.com",), ""),
        ((DOMAIN,), ""),
        ((STRANGER, DOMAIN), ""),
        ((STRANGER,), f"the certificate is not for {MX} but for {STRANGER}"),
        ((), "the certificate names mx as its common name only"),
    ],
)
def test_names_count_below_an_authority(names, expected):
    root, _, _ = pki()
    own = Issued("mx", *names, by=root)
    problem = meet(own.server(root), anchored(root))
    assert problem.startswith(f"{MISMATCH}: {expected}" if expected else "")
    assert bool(problem) is bool(expected)


@pytest.mark.parametrize(
    ("days", "expected"),
    [((-30, -1), "certificate has expired"), ((1, 30), "certificate is not yet valid")],
)
def test_dates_count_below_an_authority(days, expected):
    root, _, _ = pki()
    own = Issued("mx", MX, by=root, days=days)
    assert meet(own.server(root), anchored(root)).startswith(f"{MISMATCH}: {expected}")
    late = Issued("Late", by=root, authority=True, days=days)
    own = Issued("mx", MX, by=late)
    problem = meet(own.server(late, root), anchored(root))
    assert problem.startswith(f"{MISMATCH}: {expected}")


def test_who_only_claims_to_be_below_the_authority_is_refused():
    root, middle, _ = pki()
    impostor = Issued("Root", authority=True)
    own = Issued("mx", MX, by=impostor)
    assert meet(own.server(root), anchored(root)).startswith(f"{MISMATCH}: ")
    assert meet(own.server(impostor, root), anchored(root)).startswith(f"{MISMATCH}: ")
    stranger = Issued("mx", MX)
    assert meet(stranger.server(middle, root), anchored(root)).startswith(f"{MISMATCH}: ")


def test_who_is_no_authority_vouches_for_nobody():
    root, _, _ = pki()
    customer = Issued("customer", "customer.example.com", by=root)
    own = Issued("mx", MX, by=customer)
    assert meet(own.server(customer, root), anchored(root)).startswith(f"{MISMATCH}: ")


def test_a_server_does_not_vouch_for_itself():
    own = Issued("mx", MX, authority=True)
    assert meet(own.server(), anchored(own)) == NOT_SENT


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (ExtendedKeyUsageOID.SERVER_AUTH, ""),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ""),
        (ExtendedKeyUsageOID.CLIENT_AUTH, f"{MISMATCH}: the certificate is not for servers"),
    ],
)
def test_a_certificate_that_says_what_it_is_for_has_to_be_for_servers(usage, expected):
    root, _, _ = pki()
    own = Issued("mx", MX, by=root, usages=[usage])
    assert meet(own.server(root), anchored(root)) == expected


def test_the_certificate_itself_is_enough_also_beside_an_authority_that_is_not_there():
    root, middle, own = pki()
    assert meet(own.server(), anchored(root), record(own)) == ""
    assert meet(own.server(middle, root), anchored(root), record(Issued("x"))) == ""


def test_not_all_that_is_sent_is_looked_at():
    root, middle, own = pki()
    others = [Issued(f"other {n}") for n in range(MOST_SENT)]
    assert meet(own.server(middle, root, *others), anchored(root)) == ""
    assert meet(own.server(middle, *others, root), anchored(root)) == NOT_SENT
