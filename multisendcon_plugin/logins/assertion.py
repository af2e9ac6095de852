"""Signs who we are, as JWT (RFC 7519, RFC 7523): instead of a secret, and for service accounts.

Blocks: it reads the keys from their files, each time anew, and computes.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..settings.files import content, read_certificate, text
from ..settings.service_account import parse_service_account
from ..settings.words import InvalidValueError, shown

#: Seconds that an assertion is good for: Microsoft takes 5 to 10 minutes, and its clock and ours
#: may differ.
LIFE = 300


class KeyUnfitError(Exception):
    """Nothing can be signed with a key; the text says why, and nothing of the key."""


def client_assertion(
    certificate: str, key: str | None, *, client_id: str, audience: str, now: float
) -> str:
    """Say which application we are, by its certificate (RFC 7523 section 2.2).

    :param certificate: the path of a PEM file.
    :param key: the path of that of its key; ``None``: it is in the same.
    :param audience: the address that it is sent to.
    :param now: the time by the wall clock.
    :raise KeyUnfitError: it cannot be said with these.
    """
    try:
        found = read_certificate(certificate, key)
    except InvalidValueError as invalid:
        raise KeyUnfitError(f"client_certificate {certificate}: {invalid}") from None
    if not isinstance(found.key, RSAPrivateKey):
        raise KeyUnfitError(f"client_certificate {certificate}: its key is not one of RSA")
    # The form that Microsoft asks for since SHA-1 is out of use (RFC 7515 section 4.1.8).
    thumbprint = base64.urlsafe_b64encode(found.chain[0].fingerprint(hashes.SHA256()))
    claims = {"iss": client_id, "sub": client_id, "aud": audience, **_dated(now)}
    header = {"alg": "PS256", "x5t#S256": thumbprint.rstrip(b"=").decode()}
    return _signed(claims, found.key, header)


def service_assertion(path: str, *, mailbox: str, scope: str, audience: str, now: float) -> str:
    """Ask for a token of a mailbox, by the key of a service account (RFC 7523 section 2.1).

    :param path: of the JSON file that Google gives out.
    :param audience: the address that it is sent to.
    :param now: the time by the wall clock.
    :raise KeyUnfitError: it cannot be asked for with this.
    """
    what = f"the file {shown(path)}"
    try:
        found = parse_service_account(text(content(path, what), what))
    except InvalidValueError as invalid:
        raise KeyUnfitError(f"service_account_key {path}: {invalid}") from None
    claims = {"iss": found.email, "sub": mailbox, "scope": scope, "aud": audience, **_dated(now)}
    return _signed(claims, found.private_key, {"alg": "RS256", "kid": found.key_id})


def _dated(now: float) -> dict[str, Any]:
    begin = int(now)
    # With a number of its own, one that was overheard is of no use.
    return {"iat": begin, "nbf": begin, "exp": begin + LIFE, "jti": secrets.token_urlsafe(16)}


def _signed(claims: dict[str, Any], key: RSAPrivateKey | str, header: dict[str, str]) -> str:
    try:
        return jwt.encode(claims, key, header["alg"], headers=header)
    except (jwt.PyJWTError, ValueError):  # a key that is too short, for example
        raise KeyUnfitError("the private key cannot sign; it may be too short") from None
