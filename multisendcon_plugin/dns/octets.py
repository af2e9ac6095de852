"""Reads the octets of a reply: its records, and what is in those that are asked for.

As RFC 1035 section 4 has them, with EDNS (RFC 6891).  Of each record, owner, type and time are
read; its data only when somebody wants them.  dnspython makes objects of all of it, which was most
of what a question took; the tests have it as the one to agree with.  Whatever
the octets are, that ends soon: no name is longer than 255 octets or points forward, or further than
it has to.  Pure.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv6Address
from typing import NamedTuple

from .records import ROOT, Mx, Record, Tlsa, Txt

#: The labels of a name, in lower case; none: the root.
Labels = tuple[bytes, ...]

_HEADER = struct.Struct("!HHHHHH")
#: Type, class, seconds and length of the data.
_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")
_IN, _OPT = 1, 41
#: Octets of a type and a class.
_ASKED = 4
#: Extended errors (RFC 8914).
_EXTENDED_ERROR = 15
_LONGEST_NAME = 255
#: Pointers of one name: one behind each label would do.
_MOST_POINTERS = 127
#: RFC 2181 section 8: with the first bit set, it is to be taken for zero.
_LONGEST_TTL = 0x7FFFFFFF
_PLAIN = re.compile(rb"[a-z0-9_-]+").fullmatch
_ESCAPED = re.compile(rb'[^!-~]|["().;\\@$]')


class MalformedError(Exception):
    """The octets are no reply."""


class ResourceRecord(NamedTuple):
    """A record, with the place of its data."""

    owner: Labels
    rdtype: int
    ttl: int
    at: int
    end: int


class Reply:
    """A reply, apart from its question.

    :param octets: begin with a whole header.
    :param most: records that are read, of all sections; further ones are not there.
    :raise MalformedError: it cannot be read.
    :ivar rcode: with what the record of EDNS adds to it.
    :ivar answer: records of the class IN.
    :ivar authority: likewise.
    :ivar errors: numbers of extended errors.
    """

    def __init__(self, octets: bytes, most: int) -> None:
        self.octets = octets
        _, self.flags, questions, *counts = _HEADER.unpack_from(octets)
        self.rcode = self.flags & 0xF
        self.errors: list[int] = []
        self.answer: list[ResourceRecord] = []
        self.authority: list[ResourceRecord] = []
        sections = self.answer, self.authority, list[ResourceRecord]()
        try:
            at = _HEADER.size
            for _ in range(questions):
                at = self._name(at)[1] + _ASKED
            for section, count in zip(sections, counts, strict=True):
                for _ in range(min(count, most)):
                    at = self._record(at, section, is_last=section is sections[2])
                most -= min(count, most)
        except (IndexError, struct.error):
            raise MalformedError from None

    def _record(self, at: int, section: list[ResourceRecord], *, is_last: bool) -> int:
        owner, at = self._name(at)
        rdtype, rdclass, ttl, length = _RECORD.unpack_from(self.octets, at)
        at += _RECORD.size
        end: int = at + length
        if end > len(self.octets):
            raise MalformedError
        if rdtype == _OPT and is_last:
            self.rcode |= ttl >> 24 << 4
            self._options(at, end)
        elif rdclass == _IN:
            ttl = ttl if ttl <= _LONGEST_TTL else 0
            section.append(ResourceRecord(owner, rdtype, ttl, at, end))
        return end

    def _options(self, at: int, end: int) -> None:
        while at < end:
            code, length = _OPTION.unpack_from(self.octets, at)
            at += _OPTION.size
            if code == _EXTENDED_ERROR:
                self.errors.append(int.from_bytes(self.octets[at : at + 2]))
            at += length

    def _name(self, at: int) -> tuple[Labels, int]:
        """Return the name at a place, and the place after it (RFC 1035 section 4.1.4)."""
        octets, labels = self.octets, list[bytes]()
        length, pointers, before, after = 1, 0, at, 0
        while size := octets[at]:
            at += 1
            if size < 64:
                length += size + 1
                label = octets[at : at + size]
                if length > _LONGEST_NAME or len(label) < size:
                    raise MalformedError
                labels.append(label.lower())
                at += size
                continue
            after = after or at + 1
            pointers += 1
            place = (size & 63) << 8 | octets[at]
            # "a prior occurance": each has to be before what has led there, so there is an end.
            if size < 192 or place >= before or pointers > _MOST_POINTERS:
                raise MalformedError
            at = before = place
        return tuple(labels), after or at + 1

    # What is in the data of a record.

    def target(self, record: ResourceRecord) -> Labels:
        """Return the name that is all of it, as in CNAME.

        :raise MalformedError: it is none, as in the others.
        """
        return self._last_name(record, record.at)

    def _last_name(self, record: ResourceRecord, at: int) -> Labels:
        try:
            name, end = self._name(at)
        except IndexError:
            raise MalformedError from None
        if end != record.end:
            raise MalformedError
        return name

    def minimum(self, record: ResourceRecord) -> int:
        """Return the last field of a SOA: for how many seconds it holds that there is nothing."""
        try:
            _, at = self._name(record.at)
            _, at = self._name(at)
        except IndexError:
            raise MalformedError from None
        if at + 20 != record.end:
            raise MalformedError
        return int.from_bytes(self.octets[record.end - 4 : record.end])

    def value(self, record: ResourceRecord, rdtype: str) -> Record:
        """Return what it says, of one of `TYPES`."""
        data = self.octets[record.at : record.end]
        match rdtype:
            case "A" if len(data) == 4:
                return f"{data[0]}.{data[1]}.{data[2]}.{data[3]}"
            case "AAAA" if len(data) == 16:
                return str(IPv6Address(data))
            case "MX" if len(data) > 2:
                host = self._last_name(record, record.at + 2)
                return Mx(int.from_bytes(data[:2]), text_of(host))
            case "PTR":
                return text_of(self.target(record))
            case "TXT" if data:
                return Txt(_strings(data).decode("latin-1"))
            case "TLSA" if len(data) > 2:
                return Tlsa(data[0], data[1], data[2], data[3:])
        raise MalformedError


def _strings(data: bytes) -> bytes:
    """Return strings (RFC 1035 section 3.3), put together."""
    found, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise MalformedError
        found.append(data[at + 1 : end])
        at = end
    return b"".join(found)


def text_of(name: Labels) -> str:
    """Return a name in our form; octets that no host name has are escaped, dots among them."""
    if not name:
        return ROOT
    return b".".join(each if _PLAIN(each) else _ESCAPED.sub(_escape, each) for each in name).decode(
        "ascii"
    )


def _escape(found: re.Match[bytes]) -> bytes:
    octet = found[0]
    return b"\\" + octet if b" " < octet < b"\x7f" else b"\\%03d" % octet[0]
