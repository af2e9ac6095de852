"""Checks a server's certificate against what the DNS says of it (DANE, RFC 7671 and RFC 7672).

A record about the server's own certificate (DANE-EE) is enough by itself: names and dates do not
count (RFC 7672 section 3.1.1).  One about an authority (DANE-TA) makes that the only one that is
trusted, if the server has sent it along; then names and dates count.  The chain up to it is
verified by OpenSSL, as are those of all other sessions: what `cryptography` verifies has to follow
the rules of the web's authorities, which authorities of one's own need not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from ..routing.dane import Dane, DaneRecord, Digest
from .certificate import ExpectedName, printable

#: Certificates that a server sends, of which the rest is not looked at.
MOST_SENT = 20
_FOR_SERVERS = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


class ExpectedDane:
    """The certificate that a server has by the DNS.

    :cvar needs_chain: no authority of the system has any say.
    """

    needs_chain: ClassVar = False

    def __init__(self, dane: Dane) -> None:
        self._dane = dane
        self._own = frozenset(each for each in dane.records if not each.anchor)
        self._anchors = frozenset(each for each in dane.records if each.anchor)

    def problem(
        self, certificate: x509.Certificate, sent: Callable[[], Sequence[x509.Certificate]]
    ) -> str:
        """Say why it is not the one; ``""`` when it is.

        :param sent: returns all that the server has sent, its own first.
        :raise ValueError: something cannot be read.
        """
        if any(each in self._own for each in _described(certificate, anchor=False)):
            return ""
        dane = self._dane
        text = f"the certificate of {dane.base} does not match its DANE records (TLSA {dane.owner})"
        if not self._anchors:
            return text
        why = self._problem_of_chain(certificate, sent()[1:MOST_SENT])
        return f"{text}: {why}" if why else ""

    def _problem_of_chain(
        self, certificate: x509.Certificate, others: Sequence[x509.Certificate]
    ) -> str:
        trusted = [
            each
            for each in (*others, *self._published())
            if any(record in self._anchors for record in _described(each, anchor=True))
        ]
        problem = "the server sends no certificate of the authority that they name"
        for anchor in trusted:
            problem = _problem_below(anchor, certificate, others)
            if not problem:
                return self._problem_of_names(certificate)
        return problem

    def _published(self) -> Iterator[x509.Certificate]:
        """Yield the authorities that are in the DNS as a whole, which need not be sent."""
        for record in self._anchors:
            if not record.key and record.digest is Digest.NONE:
                try:
                    yield x509.load_der_x509_certificate(record.data)
                except ValueError:
                    continue  # it matches nothing

    def _problem_of_names(self, certificate: x509.Certificate) -> str:
        problems = [ExpectedName(name).problem(certificate) for name in self._dane.names]
        return "" if "" in problems else problems[0]


def _described(certificate: x509.Certificate, *, anchor: bool) -> Iterator[DaneRecord]:
    """Yield each record that matches a certificate."""
    whole = certificate.public_bytes(Encoding.DER)
    yield from _digests(whole, anchor=anchor, key=False)
    try:
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception:  # of a kind that nobody knows: a record of the certificate may match
        return
    yield from _digests(key, anchor=anchor, key=True)


def _digests(octets: bytes, *, anchor: bool, key: bool) -> Iterator[DaneRecord]:
    yield DaneRecord(anchor, key, Digest.SHA256, hashlib.sha256(octets).digest())
    yield DaneRecord(anchor, key, Digest.SHA512, hashlib.sha512(octets).digest())
    yield DaneRecord(anchor, key, Digest.NONE, octets)


def _problem_below(
    anchor: x509.Certificate, certificate: x509.Certificate, others: Sequence[x509.Certificate]
) -> str:
    """Say why a certificate does not follow from an authority; ``""`` when it does."""
    store = crypto.X509Store()
    # The authority need not have signed itself: another one may have.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.add_cert(crypto.X509.from_cryptography(anchor))
    context = crypto.X509StoreContext(
        store,
        crypto.X509.from_cryptography(certificate),
        [crypto.X509.from_cryptography(each) for each in others],
    )
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        return printable(error)
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    return "" if _FOR_SERVERS.intersection(usage) else "the certificate is not for servers"
