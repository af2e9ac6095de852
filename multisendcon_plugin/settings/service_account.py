"""The key of a service account of Google: the JSON file that Google gives out.  Pure."""

from __future__ import annotations

import json
from typing import Any

import attrs
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .certificate import can_sign_assertions
from .keys import Asking
from .kinds import text
from .surroundings import Surroundings
from .words import InvalidValueError, shown


@attrs.frozen
class ServiceAccount:
    """A service account, by which assertions are signed (RFC 7523).

    :param email: its name, which is the issuer.
    :param key_id: of the private key, at Google.
    :param private_key: RSA, in PEM.
    """

    email: str
    key_id: str
    private_key: str = attrs.field(repr=False)


def parse_service_account(content: str) -> ServiceAccount:
    """Read the content of the file.

    :raise InvalidValueError: it is no such key, or has none that can sign; nothing of it is told.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("type") != "service_account":
        raise InvalidValueError(
            "is not the key of a service account; name the JSON file that Google gives for one"
        )
    fields = ("client_email", "private_key_id", "private_key")
    email, key_id, private_key = (found.get(field, "") for field in fields)
    if not all(isinstance(each, str) and each for each in (email, key_id)):
        raise InvalidValueError(
            "has no client_email and private_key_id; name the JSON file as Google gives it"
        )
    if not _can_sign(private_key):
        raise InvalidValueError(
            "has no private key (RSA, 2048 bits) that can be read; name the JSON file as Google"
            " gives it"
        )
    return ServiceAccount(email, key_id, private_key)


def _can_sign(private_key: Any) -> bool:
    try:
        return can_sign_assertions(load_pem_private_key(private_key.encode(), None))
    except Exception:  # whatever is wrong, nothing of it is to be told
        return False


@Asking
def key_file(value: object, surroundings: Surroundings) -> str:
    """Convert the path of such a file."""
    path = text(value)
    content = surroundings.text(path)
    try:
        parse_service_account(content)
    except InvalidValueError as invalid:
        raise InvalidValueError(f"the file {shown(path)} {invalid}") from None
    return surroundings.path(path)
