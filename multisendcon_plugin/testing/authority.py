"""A certificate authority that lives as long as the test, and the TLS settings of its servers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL.crypto import X509, PKey
from twisted.internet import ssl

_MAY_SIGN = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A certificate authority that lives as long as the test.

    :param name: its common name.
    """

    def __init__(self, name: str = "Authority for tests") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key, [], authority=True)

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._certificate.public_bytes(Encoding.PEM)

    def write(self, path: Path) -> str:
        """Write the authority's certificate to a file, for `tls_ca`; return its path."""
        path.write_bytes(self.pem)
        return str(path)

    def server(
        self, *names: str, days: tuple[int, int] = (-1, 30), **options: Any
    ) -> ssl.CertificateOptions:
        """Return the TLS settings of a server.

        :param names: host names and addresses that the certificate is for.
        :param days: the certificate's life, counted from now.
        :param options: more for `twisted.internet.ssl.CertificateOptions`.
        """
        key, certificate = self._server(names, days)
        return _options(key, certificate, **options)

    def server_pem(
        self, *names: str, days: tuple[int, int] = (-1, 30), key: Any = None
    ) -> tuple[bytes, bytes]:
        """Return a server's certificate and its key, as they stand in files.

        :param key: of `cryptography`; a new one when it is left out.
        """
        key, certificate = self._server(names, days, key)
        private: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), private

    def _server(
        self, names: Sequence[str], days: tuple[int, int], key: Any = None
    ) -> tuple[Any, x509.Certificate]:
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        return key, self._sign(subject, key, names, days=days)

    def expired(self, *names: str) -> ssl.CertificateOptions:
        """Return the TLS settings of a server whose certificate ended yesterday."""
        return self.server(*names, days=(-30, -1))

    def self_signed(self, *names: str) -> ssl.CertificateOptions:
        """Return the TLS settings of a server that has vouched for itself, with our key."""
        return _options(self._key, self._sign(self._name, self._key, names))

    def outdated(
        self,
        *names: str,
        newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_0,
        ciphers: str = "ALL",
    ) -> ssl.CertificateOptions:
        """Return the TLS settings of a server that has nothing newer than `newest`.

        :param ciphers: a list as OpenSSL takes it.
        """
        options = self.server(
            *names,
            insecurelyLowerMinimumTo=ssl.TLSVersion.TLSv1_0,
            lowerMaximumSecurityTo=newest,
        )
        # Today's OpenSSL has these versions at its lowest level only.
        options.getContext().set_cipher_list(f"{ciphers}:@SECLEVEL=0".encode("ascii"))
        return options

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[str],
        *,
        days: tuple[int, int] = (-1, 30),
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        begins, ends = (now + datetime.timedelta(days=day) for day in days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            # The strict verification of Python 3.13 wants to see whose key is whose.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
        )
        if authority:
            builder = builder.add_extension(_MAY_SIGN, critical=True)
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _options(
    key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, **options: Any
) -> ssl.CertificateOptions:
    return ssl.CertificateOptions(
        privateKey=PKey.from_cryptography_key(key),
        certificate=X509.from_cryptography(certificate),
        **options,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
