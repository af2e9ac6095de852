"""Which certificates are those of a server: by their names, odd ones among them."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from multisendcon_plugin.relay.certificate import ExpectedFingerprint, ExpectedName
from tests.certificates import certificate

NAME, IP = "mx.provider.example", "192.0.2.1"


def dns(*names):
    """Return host names; a certificate of others may have such as its maker would not take."""
    return [x509.DNSName._init_without_validation(name) for name in names]


def problem(server, *names, common="provider"):
    return ExpectedName(server).problem(certificate(*names, common=common))


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        "MX.Provider.Example",
        "*.provider.example",
        " mx.provider.example ",
    ],
)
def test_a_name_that_matches(name):
    assert problem(NAME, *dns(name)) == ""


@pytest.mark.parametrize(
    "name",
    [
        "provider.example",
        "other.provider.example",
        "*.example",
        "*",
        "*.*.example",
        "mx.*.example",
        "m*.provider.example",
        "*x.provider.example",
        "mx.provider.example.",
        "*.provider.example.",
        ".provider.example",
        "mx.provider.example\0.evil.example",
    ],
)
def test_a_name_that_does_not_match(name):
    shown = name.replace("\0", r"\x00")
    assert problem(NAME, *dns(name)) == f"the certificate is not for {NAME} but for {shown}"


@pytest.mark.parametrize(
    "odd",
    [
        *dns("*.local", "*", "", " ", ".", "a*b.example", "*.*.example.com", "foo.*.example"),
        *dns("mx.provider.example.", "192.0.2.7", "2001:db8::7", "25", "bücher.example", "a\0b"),
        *dns("_smtp.example", "x" * 300, "-", "a b.example", "*.xn--bcher-kva.example"),
        x509.IPAddress(ip_address("192.0.2.7")),
        x509.RFC822Name("joe@provider.example"),
        x509.UniformResourceIdentifier("no-uri"),
        x509.UniformResourceIdentifier("sip:a:b:c"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7"), b"\x16\x00"),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x"),
        x509.DirectoryName(x509.Name([])),
    ],
)
def test_an_odd_name_hides_no_good_one(odd):
    for names in ([odd, *dns(NAME)], [*dns(NAME), odd]):
        assert problem(NAME, *names) == ""
        assert problem(IP, *names, x509.IPAddress(ip_address(IP))) == ""
    assert problem(NAME, odd) != ""


@pytest.mark.parametrize("name", ["a:b.example", "*.b.example", "<a>.b.example", r"\000.b.example"])
def test_what_is_no_name_of_a_host_matches_nothing(name):
    """Whoever has a domain decides what its mail servers are called."""
    assert problem(name, *dns("*.b.example", "mx.b.example")).startswith(
        f"the certificate is not for {name} but for "
    )


def test_an_address_is_matched_by_addresses_only():
    assert problem(IP, x509.IPAddress(ip_address(IP))) == ""
    assert problem("2001:db8::1", x509.IPAddress(ip_address("2001:DB8:0::1"))) == ""
    assert problem(IP, *dns(IP)) == f"the certificate is not for {IP} but for the host name {IP}"
    assert problem(NAME, x509.IPAddress(ip_address(IP))).endswith(f" but for {IP}")


@pytest.mark.parametrize("server", [NAME, IP])
def test_a_common_name_does_not_count_and_the_fault_says_so(server):
    assert problem(server, common=server) == (
        f"the certificate names {server} as its common name only, which does not count (RFC 9525);"
        " it needs a subjectAltName"
    )


def test_a_certificate_for_nobody():
    assert problem(NAME, common=None) == f"the certificate is not for {NAME} but for no one"


def test_a_common_name_beside_other_names_is_not_mentioned():
    assert problem(NAME, *dns("other.example"), common=NAME) == (
        f"the certificate is not for {NAME} but for other.example"
    )


def test_few_names_are_shown_and_none_in_a_way_that_could_spoil_a_log():
    names = dns("a\r\nb", "", "z" * 300, "é.example", "five.example", "six.example")
    assert problem(NAME, *names) == (
        f"the certificate is not for {NAME} but for "
        rf'a\r\nb, "", {"z" * 255}, é.example, five.example'
    )


# Fingerprints.


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_a_fingerprint_is_that_of_the_certificate_or_of_its_public_key(key):
    shown = certificate(key=key)
    public = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = hashlib.sha256(shown.public_bytes(Encoding.DER)).hexdigest()
    of_key = hashlib.sha256(public).hexdigest()
    assert ExpectedFingerprint(own).problem(shown) == ""
    assert ExpectedFingerprint(of_key).problem(shown) == ""
    # Renewed with the same key.
    renewed = certificate(key=key)
    assert ExpectedFingerprint(of_key).problem(renewed) == ""
    assert (
        ExpectedFingerprint(own)
        .problem(renewed)
        .startswith("the certificate is not the one of tls_fingerprint; its own is sha256:")
    )
    assert (
        ExpectedFingerprint(own)
        .problem(renewed)
        .endswith(f", that of its public key sha256:{of_key}")
    )
