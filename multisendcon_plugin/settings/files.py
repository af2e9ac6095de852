"""Reads the files that settings name.

Nothing that is read from them is ever part of a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigurationError
from .certificate import ServerCertificate, parse_certificate
from .words import InvalidValueError, shown

#: Tells whether files have changed, as far as one can tell without reading them; ``None``: one is
#: not there.
Stamp = tuple[tuple[int, int, int], ...] | None


def stamp(paths: Iterable[str]) -> Stamp:
    """Return what is another value when one of the files is another."""
    try:
        found = [Path(path).stat() for path in paths]
    except OSError:
        return None
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def load_certificate(certificate: str, key: str | None) -> ServerCertificate:
    """Read a certificate and its key; without a file of its own, it is in the same.

    :raise ConfigurationError: TLS cannot be spoken with them now.
    """
    try:
        return read_certificate(certificate, key)
    except InvalidValueError as invalid:
        raise ConfigurationError([f"{certificate}: {reason}" for reason in invalid.args]) from None


def read_certificate(certificate: str, key: str | None) -> ServerCertificate:
    """Read a certificate and its key; without a file of its own, it is in the same.

    :raise InvalidValueError: TLS cannot be spoken with them.
    """
    chain = content(certificate, f"the file {shown(certificate)}")
    private = content(key, f"the file {shown(key)}") if key else chain
    return parse_certificate(chain, private)


def content(path: str, what: str) -> bytes:
    """Return the content of a file.

    :param what: how a fault names it.
    :raise InvalidValueError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"{what} cannot be read: {reason(error)}") from None


def text(octets: bytes, what: str) -> str:
    """Return octets as text.

    :param what: how a fault names where they come from.
    :raise InvalidValueError: they are not UTF-8.
    """
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidValueError(f"{what} is not UTF-8; save it in this encoding") from None


def reason(error: OSError | ValueError) -> str:
    """Say why a file could not be read."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
