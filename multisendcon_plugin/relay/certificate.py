"""Checks a server's certificate against the expected name (RFC 9525) or fingerprint.

Names in a certificate that cannot be read are skipped; another one may match.
"""

from __future__ import annotations

from hashlib import sha256
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from service_identity import CertificateError
from service_identity.hazmat import DNS_ID, DNSPattern, IPAddress_ID

from ..settings.endpoints import address_of

#: Names of a certificate, and characters of each, that are shown when the wanted one is not there.
MOST_NAMES, LONGEST_NAME = 5, 255


class ExpectedName:
    """The name that a certificate has to bear.

    :param server: a host name in A-labels, or an IP address; what the DNS has as a name may have
        characters that no certificate can have, which then is for another name.
    :cvar needs_chain: the chain to a trusted authority and the dates have to be valid.
    """

    needs_chain: ClassVar = True

    def __init__(self, server: str) -> None:
        self._server = server
        self._identity = _identity(server)

    def problem(self, certificate: x509.Certificate) -> str:
        """Say why the certificate is not for the name; ``""`` when it is.

        :raise ValueError: its extensions cannot be read.
        """
        names = _names(certificate)
        if any(self._matches(name) for name in names):
            return ""
        if not names and (common := _common_name(certificate)):
            return (
                f"the certificate names {printable(common)} as its common name only, which does"
                " not count (RFC 9525); it needs a subjectAltName"
            )
        shown = ", ".join(_shown(name) for name in names[:MOST_NAMES])
        return f"the certificate is not for {self._server} but for {shown or 'no one'}"

    def _matches(self, name: x509.DNSName | x509.IPAddress) -> bool:
        if isinstance(name, x509.IPAddress):
            return isinstance(self._identity, IPAddress_ID) and self._identity.ip == name.value
        if self._identity is None:
            return False
        try:
            return self._identity.verify(DNSPattern.from_bytes(name.value.encode()))
        except CertificateError:
            return False


def _identity(server: str) -> IPAddress_ID | DNS_ID | None:
    if address_of(server):
        return IPAddress_ID(server)
    try:
        return DNS_ID(server)
    except ValueError:
        return None


class ExpectedFingerprint:
    """The expected certificate or public key, whatever its authority and dates.

    :param fingerprint: SHA-256, in lower-case hexadecimal digits.
    """

    needs_chain: ClassVar = False

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint

    def problem(self, certificate: x509.Certificate) -> str:
        """Say what it is instead; ``""`` when it is the one.

        :raise ValueError: its public key cannot be read.
        """
        own = certificate.fingerprint(hashes.SHA256()).hex()
        if own == self._fingerprint:
            return ""
        of_key = key_fingerprint(certificate)
        if of_key == self._fingerprint:
            return ""
        return (
            f"the certificate is not the one of tls_fingerprint; its own is sha256:{own}, that of"
            f" its public key sha256:{of_key}"
        )


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names that a certificate bears, as they may be shown.

    :raise ValueError: its extensions cannot be read.
    """
    return tuple(_shown(name) for name in _names(certificate))


def key_fingerprint(certificate: x509.Certificate) -> str:
    """Return SHA-256 of the public key (SPKI), in hexadecimal digits.

    :raise ValueError: it cannot be read.
    """
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key).hexdigest()


def _names(certificate: x509.Certificate) -> list[x509.DNSName | x509.IPAddress]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name for name in found.value if isinstance(name, x509.DNSName | x509.IPAddress)]


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _shown(name: x509.DNSName | x509.IPAddress) -> str:
    if isinstance(name, x509.DNSName) and address_of(name.value):
        return f"the host name {name.value}"
    return printable(name.value) or '""'


def printable(text: object) -> str:
    """Return what of a text of a stranger can be shown in one line."""
    return repr(str(text)[:LONGEST_NAME])[1:-1]
