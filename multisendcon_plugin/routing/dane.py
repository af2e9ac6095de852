"""What DANE demands of a server's certificate (RFC 6698, RFC 7671, RFC 7672).

Only what can be used is here; what the DNS has, which may be anything, is read by `policy.dane`.
Pure values.
"""

from __future__ import annotations

import enum

import attrs


class Digest(enum.IntEnum):
    """In which form a record has what it matches; the numbers are those of RFC 6698."""

    NONE = 0
    SHA256 = 1
    SHA512 = 2


@attrs.frozen
class DaneRecord:
    """A TLSA record that can be used for SMTP (RFC 7672 section 3.1).

    :param anchor: it is an authority's, which the server sends with its own (DANE-TA, 2); False: it
        is the server's own (DANE-EE, 3).
    :param key: it is about the public key (SPKI, 1); False: the whole certificate (0).
    """

    anchor: bool
    key: bool
    digest: Digest
    data: bytes

    def __str__(self) -> str:
        """Return it as it stands in a zone."""
        return f"{3 - self.anchor} {self.key:d} {self.digest:d} {self.data.hex()}"


@attrs.frozen(kw_only=True)
class Dane:
    """What is known of a server's certificate by the DNS.

    :param base: the name below which its records are (TLSA base domain, RFC 7672 section 2.2.3).
    :param names: of which the certificate has to bear one, if it is vouched for by an authority
        (RFC 7672 section 3.2.2).
    :param records: at least one.
    """

    base: str
    names: tuple[str, ...]
    records: tuple[DaneRecord, ...]

    @property
    def owner(self) -> str:
        """The name that has the records."""
        return owner_of(self.base)


def owner_of(base: str) -> str:
    """Return where the TLSA records of a mail server are (RFC 7672 section 2.2.3)."""
    return f"_25._tcp.{base}"
