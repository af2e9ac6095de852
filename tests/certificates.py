"""Certificates with whatever names, and handshakes in memory."""

from __future__ import annotations

import datetime
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet import ssl

_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names, common="somebody", key=_KEY):
    """Return a self-signed certificate.

    :param names: of its subjectAltName; without any, it has none.
    :param common: its common name; `None`: it has none.
    """
    common_names = [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
    subject = x509.Name(common_names)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm)


def shakes_hands(client, server):
    """Tell whether two connections of OpenSSL have both completed a handshake.

    :param client: a connection without a socket, as the server is.
    """
    client.set_connect_state()
    server.set_accept_state()
    ready = set()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                ready.add(one)
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return False
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(2**16))
    return ready == {client, server}


class Issued:
    """A certificate with its key, issued by another one or by itself.

    :param names: of its subjectAltName.
    :param days: its life, counted from now.
    :param usages: what its key may be used for (EKU); without any, it does not say.
    """

    def __init__(
        self, common, *names, by=None, authority=False, days=(-1, 30), usages=(), key=None
    ):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        by = by or self
        now = datetime.datetime.now(datetime.UTC)
        begins, ends = (now + datetime.timedelta(days=day) for day in days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        self.certificate = builder.sign(by.key, hashes.SHA256())

    def der(self):
        return self.certificate.public_bytes(Encoding.DER)

    def spki(self):
        public = self.key.public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def server(self, *others, version=ssl.TLSVersion.TLSv1_3):
        """Return the TLS of a server that has it, and sends those of others along."""
        return ssl.CertificateOptions(
            privateKey=PKey.from_cryptography_key(self.key),
            certificate=X509.from_cryptography(self.certificate),
            extraCertChain=[X509.from_cryptography(each.certificate) for each in others],
            insecurelyLowerMinimumTo=ssl.TLSVersion.TLSv1_2,
            lowerMaximumSecurityTo=version,
        )
