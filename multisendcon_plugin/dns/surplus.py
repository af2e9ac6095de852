"""Leaves out of a long reply what is too much to be read.

Each record takes up to 1.5 ms, if its names are as long as they get, and whoever has a domain
decides how many there are.  To find where they begin takes some milliseconds for all together,
since no name has to be put together.  Of mail servers those stay that are tried first (RFC 5321
section 5.1): to go past them would be wrong, whatever order the records have.  Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import groupby

import attrs

_HEADER = struct.Struct("!HHHHHH")
#: Type, class, seconds and length, behind the name.
_FIXED = struct.Struct("!HHIH")
_MX = 15
#: For private use (RFC 6895 section 3.1): nobody asks for it.
_NOTHING = 0xFF00
_ANSWERS = 0


@attrs.frozen
class _Record:
    """Where a record is.

    :param section: 0 has the answers.
    :param fixed: where its type is.
    :param end: behind it.
    :param preference: of a mail server; -1 of all others.
    """

    section: int
    fixed: int
    end: int
    preference: int


def with_fewer_records(octets: bytes, most: int) -> bytes:
    """Return a reply with so many records that can be looked for, if it has more.

    The others go into records of no meaning, since names further behind may refer to them; there is
    at most one more of these than of records that stay, in each section.

    :raise ValueError: it is no whole reply.
    """
    number, flags, questions, *counts = _HEADER.unpack_from(octets)
    if sum(counts) <= most:
        return octets
    try:
        records = list(_records(octets, questions, counts))
    except (IndexError, struct.error):
        raise ValueError("the reply ends within a record") from None
    stay = set(sorted(records, key=lambda each: (each.section, each.preference))[:most])
    changed = bytearray(octets)
    counts = [0] * len(counts)
    for (section, stays), some in groupby(records, lambda each: (each.section, each in stay)):
        first, *others = some
        if stays:
            counts[section] += 1 + len(others)
            continue
        counts[section] += 1
        end = others[-1].end if others else first.end
        content = first.fixed + _FIXED.size
        struct.pack_into("!H", changed, first.fixed, _NOTHING)
        struct.pack_into("!H", changed, content - 2, end - content)
    _HEADER.pack_into(changed, 0, number, flags, questions, *counts)
    return bytes(changed)


def _records(octets: bytes, questions: int, counts: list[int]) -> Iterator[_Record]:
    place = _HEADER.size
    for _ in range(questions):
        place = _behind_name(octets, place) + 4
    for section, count in enumerate(counts):
        for _ in range(count):
            fixed = _behind_name(octets, place)
            rdtype, _, _, length = _FIXED.unpack_from(octets, fixed)
            content = fixed + _FIXED.size
            place = content + length
            if place > len(octets):
                raise IndexError
            preference = -1
            if rdtype == _MX and section == _ANSWERS and length > 1:
                preference = int.from_bytes(octets[content : content + 2])
            yield _Record(section, fixed, place, preference)


def _behind_name(octets: bytes, place: int) -> int:
    """Return where a name ends: with the root, or where it refers to another one."""
    while length := octets[place]:
        if length > 63:
            return place + 2
        place += 1 + length
    return place + 1
