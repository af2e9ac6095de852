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

import attrs
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from .records import ROOT

#: What arrives everywhere without fragments: they could be forged, or get lost (RFC 9715, 3.2).
PAYLOAD = 1232
#: RFC 6840 section 5.7: AD in a question asks for AD in the reply, without all the signatures that
#: DO would bring along.
_FLAGS = dns.flags.RD | dns.flags.AD
_HEADER = struct.Struct("!HHHHHH")
_OPCODE = 0x7800
_RCODE = 0x000F
_ANSWERS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


@attrs.frozen
class Question:
    """What is asked for: a name as `names.normal` has it, and one of `TYPES`."""

    name: str
    rdtype: str

    def __str__(self) -> str:
        return f"{self.rdtype} of {self.name}"

    @property
    def dns_name(self) -> dns.name.Name:
        """The name, for dnspython."""
        return _dns_name(self.name)


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
        if not flags & dns.flags.QR or flags & _OPCODE:
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
    message = dns.message.make_query(
        _dns_name(name),
        question.rdtype,
        use_edns=0 if edns else False,
        payload=PAYLOAD if edns else None,
        flags=_FLAGS,
        id=secrets.randbits(16),
    )
    octets = message.to_wire()
    # One octet for the length of each label and one for the root, type and class.
    length = (0 if name == ROOT else len(name) + 1) + 1 + 4
    return Query(octets, octets[_HEADER.size : _HEADER.size + length], edns)


def rcode_of(octets: bytes) -> dns.rcode.Rcode:
    """Return what a reply says has become of the question, as far as its header says it."""
    return dns.rcode.Rcode(_flags_of(octets) & _RCODE)


def is_truncated(octets: bytes) -> bool:
    """Whether a reply did not fit."""
    return bool(_flags_of(octets) & dns.flags.TC)


def _flags_of(octets: bytes) -> int:
    flags: int = _HEADER.unpack_from(octets)[1]
    return flags


def _dns_name(name: str) -> dns.name.Name:
    labels = [] if name == ROOT else name.encode("ascii").split(b".")
    return dns.name.Name([*labels, b""])
