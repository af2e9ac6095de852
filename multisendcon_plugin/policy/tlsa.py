"""Which TLSA records count for a mail server (RFC 7672 section 3.1, RFC 7671 section 9).  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..dns import Record, Tlsa
from ..routing.dane import DaneRecord, Digest

_DANE_TA, _DANE_EE = 2, 3
_SIZES = {Digest.SHA256: 32, Digest.SHA512: 64}


def usable(records: Iterable[Record]) -> tuple[DaneRecord, ...]:
    """Return the records that can be used, in an order of their own.

    Those about the authorities of the web (usages 0 and 1) cannot: which of them mail servers have
    is agreed nowhere (RFC 7672 section 3.1.3).  Where there are two digests, the weaker one does
    not count.
    """
    found = {each for record in records if (each := _read(record))}
    strongest = {
        (each.anchor, each.key): max(
            other.digest for other in found if (other.anchor, other.key) == (each.anchor, each.key)
        )
        for each in found
    }
    kept = (
        each for each in found if each.digest in (Digest.NONE, strongest[each.anchor, each.key])
    )
    return tuple(sorted(kept, key=str))


def _read(record: Record) -> DaneRecord | None:
    if not isinstance(record, Tlsa) or record.usage not in (_DANE_TA, _DANE_EE):
        return None
    if record.selector not in (0, 1) or record.matching not in (0, 1, 2):
        return None
    digest = Digest(record.matching)
    size = _SIZES.get(digest, len(record.data))
    if not record.data or len(record.data) != size:
        return None
    return DaneRecord(record.usage == _DANE_TA, record.selector == 1, digest, record.data)


def written(record: Tlsa) -> str:
    """Return a record as it stands in a zone."""
    return f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"
