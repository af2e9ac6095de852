"""A certificate of ours and its private key, read from PEM.  Pure."""

from __future__ import annotations

import re

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .words import InvalidValueError

#: Days before its end by which a certificate should have been renewed.
RENEWED_BEFORE = 7

#: Bits (RFC 7518 sections 3.3 and 3.5).
_SHORTEST_RSA = 2048
_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----[ \t]*\r?\n?", re.DOTALL
)


@attrs.frozen
class ServerCertificate:
    """A certificate with its key.

    :param chain: the server's own certificate first, then its authorities'.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = attrs.field(repr=False)

    def warning(self, now: float) -> str:
        """Say what is wrong with its dates; ``""`` when nothing is.

        :param now: seconds since the epoch.
        """
        begin, end = self.chain[0].not_valid_before_utc, self.chain[0].not_valid_after_utc
        if now < begin.timestamp():
            return f"the certificate is not valid before {begin:%Y-%m-%d %H:%M} UTC"
        if now > end.timestamp():
            return f"the certificate expired on {end:%Y-%m-%d %H:%M} UTC"
        days = int(end.timestamp() - now) // 86_400
        if days < RENEWED_BEFORE:
            return f"the certificate expires in {days} days, on {end:%Y-%m-%d %H:%M} UTC"
        return ""


def can_sign_assertions(key: object) -> bool:
    """Tell whether a private key can say who asks for a token: RS256 and PS256 need RSA."""
    return isinstance(key, RSAPrivateKey) and key.key_size >= _SHORTEST_RSA


def parse_certificate(certificate: bytes, key: bytes) -> ServerCertificate:
    """Read a certificate and its key, each the content of a file.

    :raise InvalidValueError: TLS cannot be spoken with them; nothing of the key is told.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificate))
    except ValueError:
        raise InvalidValueError("contains no readable PEM certificate") from None
    found = _KEY.search(key)
    if not found:
        raise InvalidValueError(
            "there is no private key (PEM) for it; add it to the file, or name the file that has it"
        )
    try:
        private = load_pem_private_key(found[0], None)
    except TypeError:
        raise InvalidValueError(
            "its private key is encrypted; store it without a passphrase"
        ) from None
    except Exception:  # whatever is wrong, nothing of it is to be told
        raise InvalidValueError("its private key cannot be read") from None
    if private.public_key() != chain[0].public_key():
        raise InvalidValueError("its private key does not match the first certificate in the file")
    return ServerCertificate(chain, private)
