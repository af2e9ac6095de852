"""Certificates with whatever names, and handshakes in memory."""

from __future__ import annotations

import datetime
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

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
