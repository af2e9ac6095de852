"""Old devices and TLS: the versions that are spoken with them, and STARTTLS that is not offered."""

from __future__ import annotations

import time
from ipaddress import ip_network

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.address import IPv4Address, UNIXAddress

from multisendcon_plugin.edge import ServerTLS
from multisendcon_plugin.settings.endpoints import parse_endpoint
from multisendcon_plugin.settings.values import ClientSettings, MinimumTls
from multisendcon_plugin.settings.words import InvalidValueError
from multisendcon_plugin.testing import Authority
from tests.certificates import shakes_hands
from tests.edge.clients import Edge

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}
OLD, OTHER = IPv4Address("TCP", "192.0.2.7", 1), IPv4Address("TCP", "192.0.2.8", 1)


class Wrapper:
    """Twisted's layer of TLS, as far as it is asked for the session in it."""

    def __init__(self, session):
        self.wrappedProtocol = session


def spoken(server, version, ciphers=b"ALL"):
    """Shake hands with a client that knows one version; return it, or `None`."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[version])
    context.set_max_proto_version(VERSIONS[version])
    context.set_cipher_list(ciphers + b":@SECLEVEL=0")
    client = SSL.Connection(context, None)
    done = shakes_hands(client, server)
    return client.get_protocol_version_name() if done else None


def all_spoken(make_server):
    return [version for version in VERSIONS if spoken(make_server(), version)]


def options(**settings):
    certificate, key = Authority().server_pem("relay.example")
    found = ssl.PrivateCertificate.loadPEM(certificate + key)
    return ssl.CertificateOptions(
        privateKey=found.privateKey.original, certificate=found.original, **settings
    )


@pytest.fixture(params=["ec", "rsa"])
def pem(request, tmp_path):
    key = rsa.generate_private_key(65537, 2048) if request.param == "rsa" else None
    path = tmp_path / "relay.pem"
    path.write_bytes(b"".join(Authority().server_pem("relay.example", key=key)))
    return path


@pytest.fixture
def edge(pem):
    clients = [
        ClientSettings(addresses=(ip_network(address),), minimum_tls=minimum)
        for address, minimum in [
            ("192.0.2.7", MinimumTls.TLS_1_0),
            ("192.0.2.17", MinimumTls.TLS_1_1),
            ("192.0.2.27", MinimumTls.TLS_1_2),
        ]
    ]
    return Edge(allow=["192.0.2.0/24"], tls_certificate=str(pem), clients=clients)


@pytest.mark.parametrize(
    ("host", "versions"),
    [
        ("192.0.2.7", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        ("192.0.2.17", ["TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        ("192.0.2.27", ["TLSv1.2", "TLSv1.3"]),
        ("192.0.2.8", ["TLSv1.2", "TLSv1.3"]),
        (None, ["TLSv1.2", "TLSv1.3"]),
    ],
)
def test_old_versions_are_for_the_clients_that_are_listed(edge, host, versions):
    peer = IPv4Address("TCP", host, 1) if host else UNIXAddress(None)
    client = edge.client(peer=peer)
    assert "250 STARTTLS" in client.ask(b"EHLO x")
    client.ask(b"STARTTLS")
    tls = client.transport.tls
    assert all_spoken(lambda: tls.serverConnectionForTLS(Wrapper(client.session))) == versions


@pytest.mark.parametrize(
    ("ciphers", "sound"),
    [
        (b"ECDHE+AESGCM", True),
        (b"ECDHE+CHACHA20", True),
        (b"ECDHE+AES:!AESGCM:!AESCCM", False),  # CBC
        (b"kRSA+AESGCM", False),  # no forward secrecy
        (b"aNULL", False),
    ],
)
def test_old_ciphers_are_for_the_clients_that_are_listed(edge, ciphers, sound):
    client = edge.client(peer=OTHER)
    client.ask(b"EHLO x")
    client.ask(b"STARTTLS")
    server = client.transport.tls.serverConnectionForTLS(Wrapper(client.session))
    assert bool(spoken(server, "TLSv1.2", ciphers)) is sound
    client.session.policy = attrs.evolve(client.session.policy, minimum_tls=MinimumTls.TLS_1_1)
    server = client.transport.tls.serverConnectionForTLS(Wrapper(client.session))
    # Anonymous ciphers are for nobody; without ECDHE, the key has to be of RSA.
    is_rsa = server.get_certificate().get_pubkey().type() == crypto.TYPE_RSA
    expected = ciphers != b"aNULL" and (b"ECDHE" in ciphers or is_rsa)
    assert bool(spoken(server, "TLSv1.2", ciphers)) is expected


def test_a_renewed_certificate_is_for_old_versions_too(tmp_path):
    pem = tmp_path / "relay.pem"
    session = Edge().client().session
    session.policy = attrs.evolve(session.policy, minimum_tls=MinimumTls.TLS_1_0)
    shown = []
    for name in ("old.example", "new.example"):
        pem.write_bytes(b"".join(Authority().server_pem(name)))
        if not shown:
            tls = ServerTLS(str(pem), None, time.time)
        server = tls.serverConnectionForTLS(Wrapper(session))
        assert spoken(server, "TLSv1")
        shown.append(server.get_certificate().get_subject().CN)
    assert shown == ["old.example", "new.example"]


@pytest.mark.parametrize(
    ("settings", "peer", "offered"),
    [
        ({"starttls": False}, OLD, False),
        ({"starttls": False}, OTHER, True),
        ({"starttls": True}, OLD, True),
        ({}, OLD, True),
    ],
)
def test_starttls_is_not_offered_to_those_who_fail_with_it(pem, settings, peer, offered):
    clients = [ClientSettings(addresses=(ip_network("192.0.2.7"),), **settings)]
    client = Edge(allow=["192.0.2.0/24"], clients=clients, tls_certificate=str(pem)).client(
        peer=peer
    )
    assert ("250 STARTTLS" in client.ask(b"EHLO x")) is offered
    (reply,) = client.ask(b"STARTTLS")
    assert reply[:9] == ("220 2.0.0" if offered else "502 5.5.1")
    assert bool(client.transport.tls) is offered
    if not offered:
        assert client.send_mail()[0].startswith("250 2.0.0 queued")


# `sslmethod` of an endpoint string.


@pytest.mark.parametrize("method", [name for name in dir(SSL) if name.endswith("_METHOD")])
def test_a_method_of_openssl_with_which_no_client_can_connect_is_a_fault(method):
    served = options(method=getattr(SSL, method)).getContext()
    works = bool(all_spoken(lambda: SSL.Connection(served, None)))
    text = f"ssl:port=465:privateKey=relay.pem:sslmethod={method}"
    if works:
        assert parse_endpoint(text).parameters["sslmethod"] == method
        return
    with pytest.raises(InvalidValueError, match=f"with sslmethod={method} no client can connect"):
        parse_endpoint(text)


@pytest.mark.parametrize("method", ["SSLv2_METHOD", "SSLv3_METHOD", "TLSv1", "tls_method", ""])
def test_a_method_that_openssl_has_not_is_a_fault(method):
    with pytest.raises(InvalidValueError, match="no client can connect; leave it out"):
        parse_endpoint(f"ssl:465:relay.pem:relay.pem:{method}")
