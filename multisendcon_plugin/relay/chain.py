"""What the certificates of a server say, for people: names, issuer, days left, fingerprints.

Nothing is verified here.  They come from strangers: one that cannot be read says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from .certificate import key_fingerprint, names_of, printable

_DAY = 86400
#: Certificates of a chain that are told.
MOST_CERTIFICATES = 10


@attrs.frozen(kw_only=True)
class CertificateFacts:
    """One certificate.

    :param names: of servers that it is for.
    :param days_left: until it expires; negative: since then.
    :param fingerprint: SHA-256 in hexadecimal digits, as ``tls_fingerprint`` takes it.
    :param key_fingerprint: that of its public key (SPKI), which may be used instead.
    :param problem: why it cannot be read; ``""``: it can be.
    """

    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    days_left: int = 0
    fingerprint: str = ""
    key_fingerprint: str = ""
    problem: str = ""


def facts(chain: Sequence[x509.Certificate], now: float) -> tuple[CertificateFacts, ...]:
    """Return what a chain says, the server's own certificate first.

    :param now: seconds since the epoch.
    """
    return tuple(_facts(certificate, now) for certificate in chain[:MOST_CERTIFICATES])


def _facts(certificate: x509.Certificate, now: float) -> CertificateFacts:
    try:
        left = certificate.not_valid_after_utc.timestamp() - now
        return CertificateFacts(
            subject=printable(certificate.subject.rfc4514_string()),
            issuer=printable(certificate.issuer.rfc4514_string()),
            names=names_of(certificate),
            days_left=int(left // _DAY),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            key_fingerprint=key_fingerprint(certificate),
        )
    except Exception as error:  # a server's certificate may hold anything
        return CertificateFacts(problem=f"the certificate cannot be read: {printable(error)}")


def in_words(chain: Sequence[CertificateFacts]) -> str:
    """Return what a chain says, a line for each certificate."""
    return "\n".join(
        each.problem
        or f"{each.subject}, for {', '.join(each.names) or 'no server'}, issued by {each.issuer},"
        f" {each.days_left} days left, sha256:{each.fingerprint}"
        for each in chain
    )
