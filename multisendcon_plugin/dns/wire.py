"""Questions as octets, and whether octets are the reply to one.

A reply is ours only if it repeats what an attacker who cannot read our questions would have to
guess (RFC 5452 section 9.1): the ID, the question, the port that it is sent to, and the case of the
letters in the name, which nearly all servers copy as it is ("0x20",
draft-vixie-dnsext-dns0x20-00).  The address and port of the server are checked by `udp`.

Nothing is read here beyond the question.
"""

from __future__ import annotations

import enum
import secrets
import struct
from typing import NamedTuple

import attrs
import dns.flags
import dns.rcode
import dns.rdatatype

from .answer import TYPES
from .records import ROOT

#: What arrives everywhere without fragments: they could be forged, or get lost (RFC 9715, 3.2).
PAYLOAD = 1232
#: RFC 6840 section 5.7: AD in a question asks for AD in the reply, without all the signatures that
#: DO would bring along.
_FLAGS = int(dns.flags.RD | dns.flags.AD)
_IN = 1
_REPLY, _TRUNCATED = int(dns.flags.QR), int(dns.flags.TC)
#: The record of EDNS: the root, its type, what we take, no further flags, nothing in it.
_EDNS = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, PAYLOAD, 0, 0)
_HEADER = struct.Struct("!HHHHHH")
_OPCODE = 0x7800
_RCODE = 0x000F
_NUMBERS = {each: struct.pack("!HH", dns.rdatatype.from_text(each), _IN) for each in TYPES}
_ANSWERS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class Question(NamedTuple):
    """What is asked for: a name as `names.normal` has it, and one of `TYPES`."""

    name: str
    rdtype: str

    def __str__(self) -> str:
        return f"{self.rdtype} of {self.name}"

    @property
    def labels(self) -> tuple[bytes, ...]:
        """The labels of the name."""
        return _labels(self.name)


class Match(enum.Enum):
    """Whether octets are the reply to a query."""

    OURS = "ours"
    #: It would be, but the letters of the name are in another case.
    OTHER_CASE = "other case"
    #: It is somebody's who does not know what we have sent.
    FOREIGN = "foreign"


@attrs.frozen
class Query:
    """A question in the form in which it is sent once.

    :param asked: the part of the octets that a reply has to repeat.
    :param edns: it says what we can do (RFC 6891).
    """

    octets: bytes
    asked: bytes
    edns: bool

    def match(self, octets: bytes) -> Match:
        """Say whether octets are the reply."""
        if len(octets) < _HEADER.size:
            return Match.FOREIGN
        number, flags, questions, *_ = _HEADER.unpack_from(octets)
        if number != int.from_bytes(self.octets[:2]):
            return Match.FOREIGN
        if not flags & _REPLY or flags & _OPCODE:
            return Match.FOREIGN
        if questions == 0:
            # Who does not take a question may not repeat it.  Such a reply is never believed to be
            # an answer.
            return Match.FOREIGN if flags & _RCODE in _ANSWERS else Match.OURS
        asked = octets[_HEADER.size : _HEADER.size + len(self.asked)]
        if questions != 1:
            return Match.FOREIGN
        if asked == self.asked:
            return Match.OURS
        # No octet of a length, a type or a class of ours is a letter.
        same = asked.lower() == self.asked.lower()
        return Match.OTHER_CASE if same else Match.FOREIGN


def make_query(question: Question, *, edns: bool, mixed_case: bool) -> Query:
    """Make a query with secrets of its own."""
    name = question.name
    if mixed_case:
        bits = secrets.randbits(len(name))
        name = "".join(
            letter.upper() if bits >> place & 1 else letter for place, letter in enumerate(name)
        )
    labels = b"".join(bytes([len(each)]) + each for each in _labels(name))
    asked = labels + b"\0" + _NUMBERS[question.rdtype]
    header = _HEADER.pack(secrets.randbits(16), _FLAGS, 1, 0, 0, int(edns))
    return Query(header + asked + (_EDNS if edns else b""), asked, edns)


def rcode_of(octets: bytes) -> int:
    """Return what a reply says has become of the question, as far as its header says it."""
    return _flags_of(octets) & _RCODE


def is_truncated(octets: bytes) -> bool:
    """Whether a reply did not fit."""
    return bool(_flags_of(octets) & _TRUNCATED)


def _flags_of(octets: bytes) -> int:
    flags: int = _HEADER.unpack_from(octets)[1]
    return flags


def _labels(name: str) -> tuple[bytes, ...]:
    return () if name == ROOT else tuple(name.encode("ascii").split(b"."))
